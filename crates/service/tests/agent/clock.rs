//! A clock that jumps freezes permits; time that passes does not.

use crate::support::*;
use domain::{HoldId, Span};
use protocol::v1::Outcome;

#[tokio::test]
async fn a_jump_freezes_permits_until_an_administrator_confirms() {
    for jump in [Span::hours(2), Span(-120)] {
        let (server, mut device, patch) = approved().await;
        server.service.tick().await.unwrap();
        server.clock.jump(jump);
        server.service.tick().await.unwrap();
        assert_eq!(device.refusal(&server, patch).await.0, "clock", "I-12");
        assert!(device.check_in(&server).await.orders.is_empty());
        assert_eq!(
            server
                .number("SELECT count(*) FROM audit WHERE action = 'clock.suspect'")
                .await,
            1
        );
        server.service.tick().await.unwrap();
        assert_eq!(
            server
                .number("SELECT count(*) FROM audit WHERE action = 'clock.suspect'")
                .await,
            1
        );
        server
            .service
            .confirm_clock(&server.officer().await, "checked against the radio")
            .await
            .unwrap();
        server.service.tick().await.unwrap();
        device.permit(&server, patch).await;
    }
}

#[tokio::test]
async fn time_that_passes_and_restarts_are_no_jump() {
    let server = server().await;
    server.service.tick().await.unwrap();
    server.pass(Span::days(9));
    server.service.tick().await.unwrap();
    let server = server.restart().await;
    server.pass(Span::days(9));
    server.service.tick().await.unwrap();
    assert_eq!(
        server
            .number("SELECT count(*) FROM audit WHERE action = 'clock.suspect'")
            .await,
        0
    );
    server.clock.jump(Span::days(-1));
    let server = server.restart().await;
    server.service.tick().await.unwrap();
    assert_eq!(
        server
            .number("SELECT count(*) FROM audit WHERE action = 'clock.suspect'")
            .await,
        1,
        "back beyond what was seen before"
    );
}

/// I-12: a permit may be asked for before the next tick has seen the jump, and what is seen meanwhile is not dated by a wrong clock.
#[tokio::test]
async fn a_jump_counts_before_anybody_has_noticed_it() {
    let (server, mut device, patch) = approved().await;
    server.service.tick().await.unwrap();
    let before = server.service.now();
    for jump in [Span::days(10), Span::days(-20)] {
        server.clock.jump(jump);
        assert_eq!(server.service.now(), before);
        assert_eq!(device.refusal(&server, patch).await.0, "clock");
    }
    server.clock.jump(Span::days(10));
    device.permit(&server, patch).await;
}

/// What came first is told by the order of records: people resolve holds by a clock that they set back later.
#[tokio::test]
async fn a_failure_counts_although_the_hold_before_it_was_resolved_by_a_clock_ahead() {
    let (server, mut device, patch) = approved().await;
    let officer = server.officer().await;
    let failed = || Outcome::Failed {
        exit: Some(100),
        message: short("broken"),
    };
    let open_holds = || server.number("SELECT count(*) FROM hold WHERE resolved_at IS NULL");
    server.service.tick().await.unwrap();
    let permit = device.permit(&server, patch).await;
    device.finish(&server, &permit, failed()).await;
    assert_eq!(open_holds().await, 1, "I-29");

    server.clock.jump(Span::days(2));
    server.service.tick().await.unwrap();
    // The clock of the host was believed.
    server.service.confirm_clock(&officer, "looks right").await.unwrap();
    server
        .service
        .resume(&officer, HoldId(1), None, "looked at")
        .await
        .unwrap();
    server.clock.jump(Span::days(-2));
    server.service.tick().await.unwrap();
    server.service.confirm_clock(&officer, "set right").await.unwrap();
    server.service.tick().await.unwrap();

    server.pass(Span::hours(2));
    let permit = device.permit(&server, patch).await;
    device.finish(&server, &permit, failed()).await;
    assert_eq!(open_holds().await, 1, "I-29: it failed again, by whatever clock");
    let (gate, ..) = device.refusal(&server, patch).await;
    assert_eq!(gate, "not_held");
    server
        .service
        .resume(&officer, HoldId(2), None, "looked at again")
        .await
        .unwrap();
    device.permit(&server, patch).await;
}

/// What was dated by a clock ahead waits for nothing once it is set back.
#[tokio::test]
async fn a_permit_given_by_a_clock_ahead_lapses_when_it_is_set_back() {
    let (server, mut device, patch) = approved().await;
    let officer = server.officer().await;
    server.service.tick().await.unwrap();
    server.clock.jump(Span::days(10));
    server.service.tick().await.unwrap();
    server.service.confirm_clock(&officer, "looks right").await.unwrap();
    device.permit(&server, patch).await;
    server.clock.jump(Span::days(-10));
    server.service.tick().await.unwrap();
    server.service.confirm_clock(&officer, "set right").await.unwrap();
    assert!(
        device.check_in(&server).await.orders.is_empty(),
        "its permit may be on its way"
    );
    server.pass(Span(i64::from(server.settings.permit_seconds) + 1));
    device.check_in(&server).await;
    server.service.tick().await.unwrap();
    assert_eq!(
        device.check_in(&server).await.orders.len(),
        1,
        "it lapsed, ten days early"
    );
    // And one that is used gives up on a silent device as soon as any other (I-30).
    let permit = device.permit(&server, patch).await;
    device.start(&server, &permit).await;
    server.pass(Span(server.settings.vanish_seconds * 2));
    server.service.tick().await.unwrap();
    assert_eq!(server.number("SELECT max(state) FROM attempt").await, 8);
}

/// I-12, I-2: a step of the clock that was confirmed is no time in which anybody watched the patch.
#[tokio::test]
async fn a_confirmed_step_forward_is_no_soak() {
    let (server, mut pilot, patch) = approved().await;
    let scan = inventory(&[("a", "1")], &[("a", "2", true)]);
    let mut production = server.scanned(2, PRODUCTION, scan).await;
    server.approve(patch, PRODUCTION).await;
    server.service.tick().await.unwrap();
    pilot.install(&server, patch).await;
    server.pass(Span::days(1));
    server.service.tick().await.unwrap();
    server.clock.jump(Span::days(10));
    server.service.tick().await.unwrap();
    let officer = server.officer().await;
    server.service.confirm_clock(&officer, "set right").await.unwrap();
    let (gate, reason, opens) = production.refusal(&server, patch).await;
    assert_eq!(gate, "soaked", "{reason}");
    assert_eq!(opens, Some(server.service.now() + Span::days(6)), "{reason}");
    server.pass(Span::days(6));
    production.permit(&server, patch).await;
}

/// Whoever starts the server while its clock is known to be wrong does not make it right.
#[tokio::test]
async fn a_restart_does_not_adopt_a_wrong_clock() {
    let server = server().await;
    server.service.tick().await.unwrap();
    let right = server.service.now();
    server.clock.jump(Span::days(3));
    server.service.tick().await.unwrap();
    let server = server.restart().await;
    assert_eq!(server.service.now(), right);
    server.service.tick().await.unwrap();
    server.pass(Span::minutes(9));
    assert_eq!(server.service.now(), right + Span::minutes(9));
}
