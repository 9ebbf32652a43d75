//! The event stream.

use crate::world::{World, page};
use axum::http::StatusCode;
use domain::Role;
use http_body_util::BodyExt as _;
use service::events::Topic;
use std::time::Duration;

#[tokio::test]
async fn a_change_is_told_and_the_stop_ends_the_stream() {
    let world = World::new().await;
    let cookie = world.session(Role::Auditor).await;
    let response = world.call(page("/events", Some(&cookie))).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    let mut next = async || {
        let frame = tokio::time::timeout(Duration::from_secs(5), body.frame())
            .await
            .expect("in time");
        frame.map(|frame| String::from_utf8_lossy(&frame.expect("no error").into_data().expect("data")).into_owned())
    };
    assert!(next().await.expect("a greeting").contains("retry"));
    world.service.events().send(Topic::Devices);
    assert_eq!(next().await.expect("an event"), "data: {\"topic\":\"devices\"}\n\n");

    world.state.stop().give();
    assert_eq!(next().await, None, "the stream ends at the stop");
    let health = world.send(page("/healthz", None)).await;
    assert_eq!(
        (health.status, health.text().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    );
    assert_eq!(
        world.send(page("/events", Some(&cookie))).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn health_and_numbers_are_answered() {
    let world = World::new().await;
    let health = world.send(page("/healthz", None)).await;
    assert_eq!((health.status, health.text().as_str()), (StatusCode::OK, "ok\n"));
    let cookie = world.session(Role::Auditor).await;
    let text = world.send(page("/metrics", Some(&cookie))).await.text();
    for line in [
        "patchward_http_requests_total{",
        "patchward_devices{show=\"all\"} 0",
        "patchward_patches 0",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("sign-in/link/a"), "route patterns only");
}
