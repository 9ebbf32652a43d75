//! Waves where things go wrong: first devices that fail, devices that have tried too often, and orders that are only handed out.

use crate::rings::{change, fleet};
use crate::support::*;
use domain::{HoldId, Span};
use protocol::v1::*;
use service::Error;
use view::{Tries, Why};

fn failed() -> Outcome {
    Outcome::Failed {
        exit: Some(100),
        message: short("broken"),
    }
}

async fn fails(server: &Server, device: &mut Device, patch: domain::PatchId) {
    let permit = device.permit(server, patch).await;
    device.start(server, &permit).await;
    device.finish(server, &permit, failed()).await;
}

async fn holds(server: &Server) -> i64 {
    server
        .number("SELECT count(*) FROM hold WHERE resolved_at IS NULL")
        .await
}

/// I-29, I-31, I-32: the first device of every wave goes alone, and stops the rollout when it fails.
#[tokio::test]
async fn the_first_device_of_a_later_wave_holds_the_rollout_too() {
    let server = server().await;
    let officer = server.officer().await;
    let (mut pilots, _, patch) = fleet(&server, 6).await;
    change(&server, PILOT, |ring| {
        ring.waves = "1, 5".into();
        (ring.hold_failures, ring.hold_percent, ring.hold_vanished) = (3, 50, 3);
    })
    .await;
    pilots[0].install(&server, patch).await;
    fails(&server, &mut pilots[1], patch).await;
    assert_eq!(holds(&server).await, 1, "the first of the second wave");
    let refused = pilots[2].refusal(&server, patch).await;
    assert_eq!(refused.0, "not_held", "{refused:?}");

    // A person lets it go on: one at a time, until one of the wave has succeeded.
    let hold = HoldId(server.number("SELECT max(id) FROM hold").await);
    server
        .service
        .resume(&officer, hold, None, "looked at it")
        .await
        .unwrap();
    let permit = pilots[2].permit(&server, patch).await;
    let (gate, reason, _) = pilots[1].refusal(&server, patch).await;
    assert_eq!(gate, "slot", "{reason}");
    assert!(reason.contains("wave 2"), "{reason}");
    pilots[2].start(&server, &permit).await;
    pilots[2].finish(&server, &permit, failed()).await;
    assert_eq!(holds(&server).await, 1, "nor has this one succeeded");
    let hold = HoldId(server.number("SELECT max(id) FROM hold").await);
    server
        .service
        .resume(&officer, hold, None, "looked again")
        .await
        .unwrap();
    pilots[1].install(&server, patch).await;
    // The wave has a success: what fails now counts by the thresholds.
    fails(&server, &mut pilots[3], patch).await;
    assert_eq!(holds(&server).await, 0);
}

#[tokio::test]
async fn a_device_whose_tries_are_used_up_gets_them_anew_from_a_person() {
    let server = server().await;
    let officer = server.officer().await;
    // What a person lets it try again is no try after a failure any more: it waits for a round like any other install.
    server.without_rounds().await;
    let (mut pilots, _, patch) = fleet(&server, 6).await;
    change(&server, PILOT, |ring| {
        ring.waves = String::new();
        (ring.hold_failures, ring.hold_percent, ring.hold_vanished) = (5, 100, 5);
    })
    .await;
    pilots[0].install(&server, patch).await;
    let device = &mut pilots[1];
    for hours in [1, 2, 4] {
        fails(&server, device, patch).await;
        let page = server.service.device(&officer, device.id).await.unwrap();
        let line = page.patches.iter().find(|line| line.patch == patch).unwrap();
        assert_eq!(line.again.is_some(), hours == 4);
        server.pass(Span::hours(hours));
    }
    let (gate, reason, _) = device.refusal(&server, patch).await;
    assert_eq!(gate, "retries");
    assert!(reason.contains("lets the device try again"), "{reason}");
    let page = server.service.device(&officer, device.id).await.unwrap();
    let line = page.patches.iter().find(|line| line.patch == patch).unwrap();
    let again = line.again.unwrap();
    assert_eq!((again.what, again.failed), (Tries::Install, 3));
    let shown = (again.what, again.latest);
    let refused = server.service.try_again(&officer, device.id, patch, shown, " ").await;
    assert!(matches!(refused, Err(Error::Invalid { .. })), "a reason: {refused:?}");
    let audits = server.number("SELECT count(*) FROM audit").await;
    server
        .service
        .try_again(&officer, device.id, patch, shown, "the disk was full")
        .await
        .unwrap();
    assert_eq!(server.number("SELECT count(*) FROM audit").await, audits + 1);
    let refused = server
        .service
        .try_again(&officer, device.id, patch, shown, "again")
        .await;
    assert!(matches!(refused, Err(Error::Refused(Why::AlreadyDone))), "{refused:?}");
    assert_eq!(device.check_in(&server).await.orders.len(), 1);
    device.install(&server, patch).await;
}

/// A device that was handed the only free place has some minutes for its download before another one is handed it.
#[tokio::test]
async fn one_place_is_handed_to_one_device() {
    let server = server().await;
    let (mut pilots, _, patch) = fleet(&server, 3).await;
    assert_eq!(pilots[0].check_in(&server).await.orders.len(), 1);
    assert!(
        pilots[1].check_in(&server).await.orders.is_empty(),
        "the first one goes alone"
    );
    assert_eq!(
        pilots[0].check_in(&server).await.orders.len(),
        1,
        "its own order is not in its way"
    );
    server.pass(Span::minutes(10));
    assert_eq!(
        pilots[1].check_in(&server).await.orders.len(),
        1,
        "the first one has not asked"
    );
    assert!(pilots[2].check_in(&server).await.orders.is_empty());
    // A permit never looks at what was handed out.
    let permit = pilots[2].permit(&server, patch).await;
    assert_eq!(pilots[1].refusal(&server, patch).await.0, "slot");
    pilots[2].start(&server, &permit).await;
}
