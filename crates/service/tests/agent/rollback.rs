//! Going back: ordered by a person, proven by a scan, and not undone by itself.

use crate::support::*;
use domain::{PatchState as S, Span, VersionText};
use protocol::{LongText, v1::*};

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
        let _ = server.service.resume(&officer, domain::HoldId(hold), "looked").await;
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
    let server = server().await;
    let mut device = server
        .scanned(1, PILOT, inventory(&[("a", "1")], &[("a", "2", true)]))
        .await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    device.install(&server, patch).await;
    server
        .service
        .roll_back(&server.officer().await, device.id, patch, "breaks things")
        .await
        .unwrap();
    for _ in 0..3 {
        let PermitReply::Granted(permit) = device.ask(&server, patch, ActionKind::RollBack).await else {
            panic!("not granted")
        };
        device
            .finish(
                &server,
                &permit,
                Outcome::NotStarted {
                    why: NotStarted::Unavailable { message: short("gone") },
                },
            )
            .await;
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
