//! Going back: ordered by a person, proven by a scan, and not undone by itself.

use crate::support::*;
use domain::{HoldId, PatchState as S, Span, VersionText};
use protocol::{LongText, v1::*};
use service::commands::decide::{Selection, Verb};

#[tokio::test]
async fn a_rollback_is_proven_and_the_version_stays_blocked() {
    let server = server().await;
    let scan = inventory(&[("a", "1")], &[("a", "2", true)]);
    let mut device = server.scanned(1, PILOT, scan.clone()).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    assert!(
        matches!(device.ask(&server, patch, ActionKind::RollBack).await, PermitReply::Refused { gate, .. } if gate.as_str() == "rollback")
    );
    device.install(&server, patch).await;
    let officer = server.officer().await;
    server
        .service
        .roll_back(&officer, device.id, patch, "breaks things")
        .await
        .unwrap();
    let orders = device.check_in(&server).await.orders;
    assert_eq!(orders.len(), 1);
    assert_eq!(
        (orders[0].kind, orders[0].packages[0].version.clone()),
        (ActionKind::RollBack, VersionText::parse("1").ok())
    );
    let PermitReply::Granted(permit) = device.ask(&server, patch, ActionKind::RollBack).await else {
        panic!("not granted")
    };
    assert_eq!(
        permit.packages, orders[0].packages,
        "I-33: to the recorded previous version only"
    );
    device.start(&server, &permit).await;
    let event = AttemptEvent::Finished {
        outcome: Outcome::Succeeded,
        observed: permit.packages.clone(),
        log: LongText::default(),
        took: 1,
    };
    let record = device.record(&permit, event);
    device.results(&server, vec![record]).await;
    assert_eq!(
        server
            .number("SELECT count(*) FROM rollback_order WHERE done_at IS NULL")
            .await,
        1,
        "not before a scan shows it"
    );
    assert_eq!(device.report_delta(&server, scan.clone()).await.status, 200);
    assert_eq!(server.state(&device, patch).await, Some(S::RolledBack));
    assert_eq!(
        server
            .number("SELECT count(*) FROM rollback_order WHERE done_at IS NOT NULL")
            .await,
        1
    );
    server.recount().await;
    // Not installed again by itself, whatever else is open.
    for hold in 1..=server.number("SELECT max(id) FROM hold").await {
        let _ = server
            .service
            .resume(&officer, domain::HoldId(hold), None, "looked")
            .await;
    }
    server.pass(Span::days(1));
    assert!(device.check_in(&server).await.orders.is_empty());
    assert_eq!(device.refusal(&server, patch).await.0, "not_denied", "I-33");
    device.report(&server, scan).await;
    assert_eq!(server.state(&device, patch).await, Some(S::RolledBack));
    server
        .service
        .lift_block(&officer, device.id, patch, "mended")
        .await
        .unwrap();
    device.report(&server, device.inventory.clone()).await;
    assert_eq!(server.state(&device, patch).await, Some(S::Missing));
    device.install(&server, patch).await;
    assert_eq!(server.state(&device, patch).await, Some(S::Installed));
    server.recount().await;
}

#[tokio::test]
async fn a_failing_rollback_waits_and_ends() {
    let (server, mut device, patch) = approved().await;
    device.install(&server, patch).await;
    server
        .service
        .roll_back(&server.officer().await, device.id, patch, "breaks things")
        .await
        .unwrap();
    for _ in 0..3 {
        fails_to_go_back(&server, &mut device, patch).await;
        assert!(
            device.check_in(&server).await.orders.is_empty(),
            "not asked again at once"
        );
        server.pass(Span::minutes(15));
    }
    assert!(device.check_in(&server).await.orders.is_empty(), "a person must look");
    assert!(
        matches!(device.ask(&server, patch, ActionKind::RollBack).await, PermitReply::Refused { gate, .. } if gate.as_str() == "retries")
    );
}

async fn fails_to_go_back(server: &Server, device: &mut Device, patch: domain::PatchId) {
    let PermitReply::Granted(permit) = device.ask(server, patch, ActionKind::RollBack).await else {
        panic!("not granted")
    };
    device.start(server, &permit).await;
    let failed = Outcome::Failed {
        exit: Some(100),
        message: short("a refuses to be removed"),
    };
    device.finish(server, &permit, failed).await;
}

#[tokio::test]
async fn a_person_lets_a_device_try_going_back_again() {
    let (server, mut device, patch) = approved().await;
    let officer = server.officer().await;
    device.install(&server, patch).await;
    server
        .service
        .roll_back(&officer, device.id, patch, "breaks things")
        .await
        .unwrap();
    for _ in 0..3 {
        fails_to_go_back(&server, &mut device, patch).await;
        server.pass(Span::minutes(15));
    }
    let page = server.service.device(&officer, device.id).await.unwrap();
    let again = page.patches[0].again.expect("its tries are used up");
    assert_eq!((again.what, again.failed), (view::Tries::RollBack, 3));
    let try_again = async |what, latest| {
        let shown = (what, latest);
        server
            .service
            .try_again(&officer, device.id, patch, shown, "the disk was full")
            .await
    };
    let refused = try_again(view::Tries::Install, again.latest).await;
    assert!(
        matches!(refused, Err(service::Error::Refused(view::Why::AlreadyDone))),
        "{refused:?}"
    );
    let refused = try_again(view::Tries::RollBack, domain::AttemptId(again.latest.0 - 1)).await;
    assert!(matches!(refused, Err(service::Error::Changed)), "{refused:?}");
    try_again(again.what, again.latest).await.unwrap();
    let page = server.service.device(&officer, device.id).await.unwrap();
    assert_eq!(page.patches[0].again, None);
    assert_eq!(page.timeline[0].reason, "the disk was full");
    let twice = try_again(again.what, again.latest).await;
    assert!(
        matches!(twice, Err(service::Error::Refused(view::Why::AlreadyDone))),
        "{twice:?}"
    );
    assert_eq!(device.check_in(&server).await.orders.len(), 1);
    fails_to_go_back(&server, &mut device, patch).await;
    server.pass(Span::minutes(15));
    assert_eq!(
        device.check_in(&server).await.orders.len(),
        1,
        "it has all its tries again"
    );
}

#[tokio::test]
async fn ordering_a_rollback_anew_gives_its_tries_anew() {
    let (server, mut device, patch) = approved().await;
    let officer = server.officer().await;
    device.install(&server, patch).await;
    let id = device.id;
    let order = async || {
        server
            .service
            .roll_back(&officer, id, patch, "breaks things")
            .await
            .unwrap();
    };
    order().await;
    for _ in 0..3 {
        fails_to_go_back(&server, &mut device, patch).await;
        server.pass(Span::minutes(15));
    }
    server
        .service
        .lift_block(&officer, device.id, patch, "looked at it")
        .await
        .unwrap();
    order().await;
    assert_eq!(device.check_in(&server).await.orders.len(), 1);
}

#[tokio::test]
async fn a_device_that_cannot_begin_to_go_back_waits_longer_each_time() {
    let (server, mut device, patch) = approved().await;
    device.install(&server, patch).await;
    server
        .service
        .roll_back(&server.officer().await, device.id, patch, "breaks things")
        .await
        .unwrap();
    for wait in [15, 30, 60, 120] {
        let PermitReply::Granted(permit) = device.ask(&server, patch, ActionKind::RollBack).await else {
            panic!("not granted")
        };
        let why = NotStarted::Unavailable { message: short("gone") };
        device.finish(&server, &permit, Outcome::NotStarted { why }).await;
        server.pass(Span(wait * 60 - 1));
        assert!(device.check_in(&server).await.orders.is_empty(), "{wait} minutes");
        server.pass(Span(1));
        assert_eq!(device.check_in(&server).await.orders.len(), 1, "{wait} minutes");
    }
}

/// I-27: a rollback that was lifted after the backup is not carried out by itself.
#[tokio::test]
async fn a_restored_rollback_waits_until_a_person_has_looked() {
    let (server, mut device, patch) = approved().await;
    let officer = server.officer().await;
    device.install(&server, patch).await;
    server
        .service
        .roll_back(&officer, device.id, patch, "breaks things")
        .await
        .unwrap();
    server
        .service
        .decide(
            &officer,
            Selection::These(vec![(patch, None)]),
            PILOT,
            Verb::Withdraw,
            "not now",
            false,
        )
        .await
        .unwrap();
    let backup = server.settings.data.join("b.backup");
    server.service.backup(&backup).await.unwrap();
    server
        .service
        .lift_block(&officer, device.id, patch, "it was the fan")
        .await
        .unwrap();
    let server = server.restore(&backup).await;
    device.seq += 10;
    assert!(device.check_in(&server).await.orders.is_empty());
    let PermitReply::Refused { gate, reason, .. } = device.ask(&server, patch, ActionKind::RollBack).await else {
        panic!("granted")
    };
    assert_eq!(gate.as_str(), "not_held");
    assert!(reason.as_str().contains("restored"), "{reason}");
    let page = server.service.device(&officer, device.id).await.unwrap();
    let step = page.patches[0]
        .ladder
        .iter()
        .find(|step| step.gate == "not_held")
        .unwrap();
    assert_eq!(step.status, view::StepStatus::Closed, "its page says so, too");
    for hold in 1..=server.number("SELECT max(id) FROM hold").await {
        let _ = server
            .service
            .resume(&officer, HoldId(hold), None, "it still breaks things")
            .await;
    }
    assert_eq!(device.check_in(&server).await.orders.len(), 1);
    let granted = device.ask(&server, patch, ActionKind::RollBack).await;
    assert!(matches!(granted, PermitReply::Granted(_)), "{granted:?}");
}

/// I-33: an attempt that failed half way left a part behind; the way back leads to what was there before that part, too, and ends.
#[tokio::test]
async fn the_way_back_from_a_patch_that_came_in_two_attempts_is_whole() {
    let server = server().await;
    let mut scan = inventory(&[("a", "1"), ("b", "1")], &[("a", "2", true), ("b", "2", true)]);
    let source = scan.packages[0].source.clone();
    scan.packages.iter_mut().for_each(|p| p.source = source.clone());
    scan.updates.iter_mut().for_each(|u| u.source = source.clone());
    let mut device = server.scanned(1, PILOT, scan.clone()).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    let first = device.permit(&server, patch).await;
    assert_eq!(first.packages.len(), 2);
    device.start(&server, &first).await;
    let failed = Outcome::Failed {
        exit: Some(100),
        message: short("b did not configure"),
    };
    device.finish(&server, &first, failed).await;
    device.report(&server, installed(&scan, &first.packages[..1])).await;
    let hold = HoldId(server.number("SELECT max(id) FROM hold").await);
    let officer = server.officer().await;
    server
        .service
        .resume(&officer, hold, None, "looked at it")
        .await
        .unwrap();
    device.install(&server, patch).await;
    server
        .service
        .roll_back(&officer, device.id, patch, "breaks things")
        .await
        .unwrap();
    let orders = device.check_in(&server).await.orders;
    let back: Vec<_> = orders[0]
        .packages
        .iter()
        .map(|p| (p.name.as_str(), p.version.as_ref().map(VersionText::as_str)))
        .collect();
    assert_eq!(back, [("a", Some("1")), ("b", Some("1"))]);
    device.report(&server, scan).await;
    assert_eq!(server.state(&device, patch).await, Some(S::RolledBack));
    assert!(
        device.check_in(&server).await.orders.is_empty(),
        "the order is carried out"
    );
    server.recount().await;
}
