//! Results: once each, judged by what was observed, and failures stop the rollout.

use crate::support::*;
use domain::{PatchState as S, Span};
use protocol::{LongText, v1::*};

const SCAN: &[(&str, &str)] = &[("a", "1")];
const OFFER: &[(&str, &str, bool)] = &[("a", "2", true)];

async fn permitted(server: &Server, seed: u8) -> (Device, Permit) {
    let mut device = server.scanned(seed, PILOT, inventory(SCAN, OFFER)).await;
    let patch = server.patch("a", "2").await;
    if server.number("SELECT count(*) FROM decision").await == 0 {
        server.approve(patch, PILOT).await;
    }
    let permit = device.permit(server, patch).await;
    (device, permit)
}

fn failed() -> Outcome {
    Outcome::Failed {
        exit: Some(100),
        message: short("post-installation script failed"),
    }
}

fn finished(permit: &Permit, outcome: Outcome) -> AttemptEvent {
    AttemptEvent::Finished {
        outcome,
        observed: permit.packages.clone(),
        log: LongText::default(),
        took: 1,
    }
}

#[tokio::test]
async fn any_order_and_number_of_repeats_ends_the_same() {
    let mut ends = Vec::new();
    for order in [vec![0, 1], vec![1, 0], vec![0, 0, 1, 1, 0], vec![1, 1, 0, 1]] {
        let server = server().await;
        let (mut device, permit) = permitted(&server, 1).await;
        let from = vec![PackageVersion {
            version: domain::VersionText::parse("1").ok(),
            ..permit.packages[0].clone()
        }];
        let records = [
            device.record(&permit, AttemptEvent::Started { from }),
            device.record(&permit, finished(&permit, Outcome::Succeeded)),
        ];
        for at in order {
            let reply = device.results(&server, vec![records[at].clone()]).await;
            assert_eq!(
                (reply.acknowledged, reply.refused.len()),
                (vec![records[at].id.clone()], 0)
            );
        }
        let patch = server.patch("a", "2").await;
        assert_eq!(server.state(&device, patch).await, Some(S::Installed));
        assert_eq!(
            server
                .number("SELECT count(*) FROM audit WHERE action = 'attempt.ended'")
                .await,
            1
        );
        ends.push((
            server.number("SELECT state FROM attempt").await,
            server
                .number("SELECT count(*) FROM attempt WHERE previous LIKE '%\"1\"%'")
                .await,
            server.number("SELECT count(*) FROM result").await,
        ));
        server.recount().await;
    }
    assert!(ends.iter().all(|e| *e == (3, 1, 2)), "I-19: {ends:?}");
}

#[tokio::test]
async fn the_same_id_with_other_content_and_stale_fences_are_refused() {
    let server = server().await;
    let (mut device, permit) = permitted(&server, 1).await;
    let first = device.record(&permit, AttemptEvent::Started { from: Vec::new() });
    device.results(&server, vec![first.clone()]).await;
    let forged = AttemptRecord {
        event: finished(&permit, Outcome::Succeeded),
        ..first.clone()
    };
    assert_eq!(
        device.results(&server, vec![forged]).await.refused,
        vec![first.id.clone()],
        "I-20"
    );
    let mut stale = device.record(&permit, finished(&permit, Outcome::Succeeded));
    stale.fence = 0;
    assert_eq!(
        device.results(&server, vec![stale.clone()]).await.refused,
        [stale.id],
        "I-16"
    );
    let mut other = server.device(2, PILOT).await;
    let foreign = other.record(&permit, finished(&permit, Outcome::Succeeded));
    assert_eq!(
        other.results(&server, vec![foreign.clone()]).await.refused,
        [foreign.id],
        "a device speaks for itself only"
    );
    assert_eq!(other.results(&server, vec![first.clone()]).await.refused, [first.id]);
    assert_eq!(server.number("SELECT state FROM attempt").await, 2);
}

#[tokio::test]
async fn a_failed_first_device_holds_the_rollout_until_a_person_resolves_it() {
    let server = server().await;
    let (mut device, permit) = permitted(&server, 1).await;
    let patch = server.patch("a", "2").await;
    device.start(&server, &permit).await;
    device.finish(&server, &permit, failed()).await;
    assert_eq!(server.state(&device, patch).await, Some(S::Failed));
    assert_eq!(
        server
            .number("SELECT count(*) FROM hold WHERE cause = 3 AND resolved_at IS NULL")
            .await,
        1,
        "I-29"
    );
    assert_eq!(
        server
            .number("SELECT count(*) FROM audit WHERE action = 'rollout.held'")
            .await,
        1
    );
    assert_eq!(device.refusal(&server, patch).await.0, "not_held");
    let mut production = server.scanned(3, PRODUCTION, inventory(SCAN, OFFER)).await;
    server.approve(patch, PRODUCTION).await;
    assert!(["not_held", "soaked"].contains(&production.refusal(&server, patch).await.0.as_str()));
    // A scan that still misses it does not hide the failure.
    device.report(&server, inventory(SCAN, OFFER)).await;
    assert_eq!(server.state(&device, patch).await, Some(S::Failed));
    let hold = domain::HoldId(server.number("SELECT id FROM hold").await);
    server.pass(Span(60));
    server
        .service
        .resume(&server.officer().await, hold, None, "script mended")
        .await
        .unwrap();
    let permit = device.permit(&server, patch).await;
    device.start(&server, &permit).await;
    assert_eq!(server.state(&device, patch).await, Some(S::Installing));
    server.pass(Span(60));
    device.finish(&server, &permit, failed()).await;
    assert_eq!(
        server
            .number("SELECT count(*) FROM hold WHERE resolved_at IS NULL")
            .await,
        1,
        "a new failure holds anew"
    );
    server.recount().await;
}

/// Whatever failed while it was held is resolved with the hold, by somebody who has seen it.
#[tokio::test]
async fn further_failures_of_a_held_patch_open_no_further_hold() {
    let server = server().await;
    let officer = server.officer().await;
    crate::rings::change(&server, PILOT, |ring| ring.waves = String::new()).await;
    let mut running = Vec::new();
    for seed in 1..=4 {
        running.push(permitted(&server, seed).await);
    }
    let patch = server.patch("a", "2").await;
    let open = async || {
        let sql = "SELECT count(*) FROM hold WHERE resolved_at IS NULL";
        server.number(sql).await
    };
    let revision = async || server.number("SELECT revision FROM patch").await;
    for (device, permit) in &mut running[..2] {
        device.start(&server, permit).await;
        device.finish(&server, permit, failed()).await;
    }
    let (hold, seen) = (
        domain::HoldId(server.number("SELECT id FROM hold").await),
        revision().await,
    );
    // One fails after somebody has looked, one is never heard of again.
    let (device, permit) = &mut running[2];
    device.start(&server, permit).await;
    device.finish(&server, permit, failed()).await;
    let (device, permit) = &mut running[3];
    device.start(&server, permit).await;
    server.service.tick().await.unwrap();
    server.pass(Span::hours(3));
    server.service.tick().await.unwrap();
    assert_eq!(server.number("SELECT count(*) FROM attempt WHERE state = 8").await, 1);
    assert_eq!(open().await, 1, "I-29: one hold to resolve");
    let audit = server.service.device(&officer, running[3].0.id).await.unwrap().timeline;
    assert!(
        audit
            .iter()
            .any(|entry| entry.text.starts_with("Another failure while it was held")),
        "{audit:?}"
    );
    assert_eq!(
        server
            .number("SELECT count(*) FROM audit_object o JOIN audit a USING (seq) WHERE o.word = 'hold:1' AND a.action = 'rollout.held'")
            .await,
        4,
        "every failure is on record with it"
    );
    let stale = server.service.resume(&officer, hold, Some(seen), "script mended").await;
    assert!(matches!(stale, Err(service::Error::Changed)), "{stale:?}");
    let seen = revision().await;
    server
        .service
        .resume(&officer, hold, Some(seen), "script mended")
        .await
        .unwrap();
    assert_eq!(open().await, 0);
    let (device, _) = &mut running[0];
    let permit = device.permit(&server, patch).await;
    device.start(&server, &permit).await;
    device.finish(&server, &permit, failed()).await;
    assert_eq!(open().await, 1, "what fails after that holds anew");
}

#[tokio::test]
async fn a_claim_without_the_versions_is_a_failure_and_not_starting_is_none() {
    let server = server().await;
    let (mut device, permit) = permitted(&server, 1).await;
    let patch = server.patch("a", "2").await;
    let why = NotStarted::WouldAlsoChange {
        changes: vec![short("remove bar")],
    };
    device.finish(&server, &permit, Outcome::NotStarted { why }).await;
    assert_eq!(server.state(&device, patch).await, Some(S::Missing));
    assert_eq!(
        server.number("SELECT count(*) FROM hold").await,
        0,
        "not started is not failed"
    );
    assert_eq!(server.number("SELECT state FROM attempt").await, 6);
    assert!(
        device.check_in(&server).await.orders.is_empty(),
        "not asked again at once"
    );
    server.pass(Span::minutes(15));
    assert_eq!(device.check_in(&server).await.orders.len(), 1);
    // What would also change seldom does not a moment later: it waits longer each time, and the ladder says so.
    let permit = device.permit(&server, patch).await;
    let why = NotStarted::Unavailable { message: short("gone") };
    device.finish(&server, &permit, Outcome::NotStarted { why }).await;
    server.pass(Span::minutes(15));
    assert!(device.check_in(&server).await.orders.is_empty());
    let (gate, reason, opens) = device.refusal(&server, patch).await;
    assert_eq!(
        (gate.as_str(), opens),
        ("retries", Some(server.service.now() + Span::minutes(15))),
        "{reason}"
    );
    server.pass(Span::minutes(15));
    assert_eq!(device.check_in(&server).await.orders.len(), 1);
    let permit = device.permit(&server, patch).await;
    device.start(&server, &permit).await;
    let observed = vec![PackageVersion {
        version: domain::VersionText::parse("1").ok(),
        ..permit.packages[0].clone()
    }];
    let event = AttemptEvent::Finished {
        outcome: Outcome::Succeeded,
        observed,
        log: LongText::default(),
        took: 1,
    };
    let record = device.record(&permit, event);
    device.results(&server, vec![record]).await;
    assert_eq!(
        server.state(&device, patch).await,
        Some(S::Failed),
        "observed, never assumed"
    );
    server.recount().await;
}

#[tokio::test]
async fn a_device_that_vanishes_counts_as_failed_until_it_says_otherwise() {
    let server = server().await;
    let (mut device, permit) = permitted(&server, 1).await;
    let patch = server.patch("a", "2").await;
    device.start(&server, &permit).await;
    server.service.tick().await.unwrap();
    server.pass(Span::hours(3));
    server.service.tick().await.unwrap();
    assert_eq!(server.number("SELECT state FROM attempt").await, 8, "I-30");
    assert_eq!(server.number("SELECT count(*) FROM hold WHERE cause = 4").await, 1);
    assert_eq!(server.state(&device, patch).await, Some(S::Failed));
    server.service.tick().await.unwrap();
    assert_eq!(server.number("SELECT count(*) FROM hold").await, 1, "said once");
    device.finish(&server, &permit, Outcome::InterruptedRecovered).await;
    assert_eq!(
        server.number("SELECT state FROM attempt").await,
        3,
        "corrected by a signed later report"
    );
    assert_eq!(server.state(&device, patch).await, Some(S::Installed));
    server.recount().await;
}

#[tokio::test]
async fn a_permit_that_was_not_used_lapses_when_the_device_is_heard_again() {
    let server = server().await;
    let (mut device, _) = permitted(&server, 1).await;
    server.pass(Span::minutes(11));
    server.service.tick().await.unwrap();
    assert_eq!(
        server.number("SELECT state FROM attempt").await,
        1,
        "not heard of since"
    );
    server.pass(Span(1));
    device.check_in(&server).await;
    server.service.tick().await.unwrap();
    assert_eq!(server.number("SELECT state FROM attempt").await, 7);
    assert_eq!(server.number("SELECT count(*) FROM hold").await, 0);
}

#[tokio::test]
async fn retries_back_off() {
    let server = server().await;
    let mut ok = server.scanned(9, PILOT, inventory(SCAN, OFFER)).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    ok.install(&server, patch).await;
    // In waves it would be the first of the second one, which holds the rollout by itself (I-31).
    crate::rings::change(&server, PILOT, |ring| {
        ring.waves = String::new();
        ring.hold_failures = 5;
    })
    .await;
    let (mut device, permit) = permitted(&server, 1).await;
    device.start(&server, &permit).await;
    device.finish(&server, &permit, failed()).await;
    assert_eq!(
        server.number("SELECT count(*) FROM hold").await,
        0,
        "below the threshold, and without waves nobody is the first"
    );
    let (gate, _, opens) = device.refusal(&server, patch).await;
    assert_eq!(
        (gate.as_str(), opens),
        ("retries", Some(server.service.now() + Span::hours(1)))
    );
    server.pass(Span::hours(1));
    device.permit(&server, patch).await;
}
