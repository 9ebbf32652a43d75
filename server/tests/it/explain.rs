//! The gate ladder over HTTP: what the page shows, for programs.

use crate::world::{JSON, World, own};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use domain::{DeviceId, Moment, PatchId, Role};
use fleet::{Device, Message, Os, Releases};
use protocol::sign::{KEY_HEADER, SIGNATURE_HEADER};
use service::Actor;

/// What a made-up device sends.
pub(crate) fn request(message: &Message) -> Request<Body> {
    let request = Request::post(message.path)
        .header("host", crate::world::HOST)
        .header(KEY_HEADER, &message.key_id)
        .header(SIGNATURE_HEADER, &message.signature);
    request.body(Body::from(message.body.clone())).expect("a request")
}

#[tokio::test]
async fn a_program_reads_the_ladder_that_the_page_shows() {
    let world = World::new().await;
    let now = Moment(1_900_000_000);
    let releases = Releases::synthetic(Os::Debian12, 1);
    let mut device = Device::new(7, "web-1", Os::Debian12, "Europe/Helsinki", &releases, Moment(0), 3);
    let enrolled = world.send(request(&device.enroll(&world.token().await))).await;
    assert_eq!(enrolled.status, StatusCode::OK, "{}", enrolled.text());
    let inventory = device.inventory(&releases, now);
    assert_eq!(inventory.updates.len(), 1);
    let reported = world.send(request(&device.report(&inventory, now, true))).await;
    assert_eq!(reported.status, StatusCode::OK, "{}", reported.text());

    let shown = world
        .service
        .explain(&Actor::host(), DeviceId(1), PatchId(1))
        .await
        .expect("a missing patch");
    assert!(!shown.ladder.is_empty() && shown.state.is_open());
    let cookie = world.session(Role::Auditor).await;
    let ladder = |path: &str| {
        let cookie = cookie.clone();
        own(Method::GET, path, Some(&cookie), "application/json", JSON, "")
    };
    let answer = world.send(ladder("/api/v1/devices/1/patches/1")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let told: view::DevicePatch = serde_json::from_slice(&answer.body).expect("the page's own shape");
    assert_eq!(told, shown);

    for strange in [
        "/api/v1/devices/1/patches/2",
        "/api/v1/devices/x/patches/1",
        "/api/v1/devices/1/patches/-1e9",
    ] {
        let answer = world.send(ladder(strange)).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (StatusCode::NOT_FOUND, "\"not_found\""),
            "{strange}"
        );
    }
}
