//! The event stream.

use crate::world::{World, function, page};
use axum::http::StatusCode;
use domain::{Role, Span};
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

/// A page that stands open listens and reads anew by itself: fifteen minutes without a person end an administrator's session all the same.
#[tokio::test]
async fn an_open_page_does_not_keep_its_session_alive() {
    let world = World::new().await;
    let cookie = world.session(Role::Administrator).await;
    let me = || function("/api/session/me", Some(&cookie), "{}");
    let refresh = || {
        let mut request = me();
        request
            .headers_mut()
            .insert("x-patchward-live", "1".parse().expect("a value"));
        request
    };
    for _ in 0..2 {
        world.clock.advance(Span::minutes(7));
        assert_eq!(
            world.call(page("/events", Some(&cookie))).await.status(),
            StatusCode::OK
        );
        assert_eq!(world.send(refresh()).await.status, StatusCode::OK);
    }
    world.clock.advance(Span::minutes(1));
    assert_eq!(world.send(refresh()).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.send(me()).await.status, StatusCode::UNAUTHORIZED);
    // What a person does moves the end.
    let cookie = world.session(Role::Administrator).await;
    for _ in 0..3 {
        world.clock.advance(Span::minutes(14));
        let answer = world.send(function("/api/session/me", Some(&cookie), "{}")).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
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

/// One number of an exposition: its name, its labels, its value.
type Sample = (String, String, f64);

/// Reads the text as a scraper does: every number belongs to a family whose help and type stand before it.
fn exposition(text: &str) -> Vec<Sample> {
    let (mut family, mut told, mut samples) = (String::new(), Vec::new(), Vec::new());
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (what, name, rest) = (
                words.next(),
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default(),
            );
            match what {
                Some("HELP") => {
                    assert!(rest.len() > 10 && rest.ends_with('.'), "{line}");
                    family = name.to_owned();
                    told.clear();
                    told.push("help");
                }
                Some("TYPE") => {
                    assert!(
                        name == family && ["gauge", "counter", "histogram"].contains(&rest),
                        "{line}"
                    );
                    told.push("type");
                }
                Some("UNIT" | "EOF") => {}
                _ => panic!("{line}"),
            }
            continue;
        }
        assert_eq!(told, ["help", "type"], "{line} stands alone");
        let (name, value) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        assert!(name.starts_with(&family), "{line} in {family}");
        let labels = labels.strip_suffix('}').expect("labels end").to_owned();
        samples.push((name.to_owned(), labels, value.parse().expect("a number")));
    }
    assert!(text.ends_with("# EOF\n"));
    samples
}

#[tokio::test]
async fn operators_find_the_numbers_that_they_watch() {
    let world = crate::forms::with_a_patch().await;
    world
        .service
        .hold(&service::Actor::host(), domain::PatchId(1), "wait")
        .await
        .expect("a hold");
    let cookie = world.session(Role::Auditor).await;
    let text = world.send(page("/metrics", Some(&cookie))).await.text();
    let samples = exposition(&text);
    let sum = |name: &str, label: &str| -> f64 {
        let found: Vec<f64> = samples
            .iter()
            .filter(|(n, labels, _)| n == name && labels.contains(label))
            .map(|sample| sample.2)
            .collect();
        assert!(!found.is_empty(), "{name} {label} in {text}");
        found.iter().sum()
    };
    for (name, label, value) in [
        (
            "patchward_build_info",
            concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""),
            1.0,
        ),
        ("patchward_device_states", "state=\"in_contact\"", 1.0),
        ("patchward_device_states", "state=\"silent\"", 0.0),
        ("patchward_device_states", "state=\"revoked\"", 0.0),
        ("patchward_device_states", "state=\"pending\"", 0.0),
        ("patchward_device_states", "state=\"quarantined\"", 0.0),
        ("patchward_patches_missing", "", 1.0),
        ("patchward_installs_missing", "", 1.0),
        ("patchward_installs_missing", "security=\"yes\"", 1.0),
        ("patchward_holds_open", "", 1.0),
        ("patchward_attempts_open", "", 0.0),
        ("patchward_attempts", "state=\"succeeded\"", 0.0),
        ("patchward_installs_unproven", "", 0.0),
        ("patchward_oldest_scan_age_seconds", "", 0.0),
        ("patchward_clock_trusted", "", 1.0),
        ("patchward_audit_records", "", f64::from(world.records().await)),
    ] {
        assert!(
            (sum(name, label) - value).abs() < f64::EPSILON,
            "{name} {label}: {text}"
        );
    }
    assert!(sum("patchward_database_bytes", "") > sum("patchward_database_free_bytes", ""));
    // Every family is described where operators look.
    let described = include_str!("../../../docs/operations.md");
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().expect("a name");
        assert!(described.contains(&format!("`{name}")), "{name} is not described");
    }
}
