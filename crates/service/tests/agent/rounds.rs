//! A device installs in rounds (SCH-1, I-41): orders and permits obey the interval of its profile.

use crate::support::*;
use domain::{Moment, PatchId, ProfileId, Span, Urgency};
use protocol::v1::{ActionKind, PermitReply};
use service::commands::decide::Verb;
use view::*;

/// A pilot that lacks version 2 of three products, all approved.
async fn three() -> (Server, Device, [PatchId; 3]) {
    let server = server().await;
    let scan = inventory(
        &[("a", "1"), ("b", "1"), ("c", "1")],
        &[("a", "2", true), ("b", "2", true), ("c", "2", true)],
    );
    let device = server.scanned(1, PILOT, scan).await;
    let mut patches = [PatchId(0); 3];
    for (patch, source) in patches.iter_mut().zip(["a", "b", "c"]) {
        *patch = server.patch(source, "2").await;
        server.approve(*patch, PILOT).await;
    }
    (server, device, patches)
}

async fn began(server: &Server) -> i64 {
    server
        .number("SELECT coalesce(round_started, 0) FROM device WHERE id = 1")
        .await
}

#[tokio::test]
async fn what_is_due_goes_along_and_the_rest_waits_for_the_next_round() {
    let (server, mut device, [a, b, c]) = three().await;
    assert_eq!(began(&server).await, 0, "none yet");
    let start = server.service.now();
    device.install(&server, a).await;
    assert_eq!(began(&server).await, start.0);
    server.pass(Span::hours(3));
    device.install(&server, b).await;
    assert_eq!(began(&server).await, start.0, "the same round");

    server.pass(Span::hours(1));
    let (gate, reason, opens_at) = device.refusal(&server, c).await;
    let next = start + Span::hours(24);
    assert_eq!((gate.as_str(), opens_at), ("interval", Some(next)), "{reason}");
    assert!(reason.contains("Every device installs at most every 1 day"), "{reason}");
    let reply = device.check_in(&server).await;
    assert!(reply.orders.is_empty());
    assert_eq!(reply.notices[0].earliest, next);
    server.pass((next - Span(1)).since(server.service.now()));
    assert_eq!(device.refusal(&server, c).await.0, "interval");
    server.pass(Span(1));
    assert_eq!(device.check_in(&server).await.orders.len(), 1);
    device.permit(&server, c).await;
    assert_eq!(began(&server).await, next.0, "another round");
}

#[tokio::test]
async fn a_profile_says_how_often_and_as_soon_as_allowed() {
    let (server, mut device, [a, b, _]) = three().await;
    let officer = server.officer().await;
    device.install(&server, a).await;
    server.pass(Span::hours(5));
    assert_eq!(device.refusal(&server, b).await.0, "interval");
    let page = server.service.schedule_profile(&officer, ProfileId(1)).await.unwrap();
    assert_eq!(page.form.install_minutes, 1_440, "SCH-1: the default");
    assert!(
        page.line.summary.contains("installs at most every 1 day"),
        "{}",
        page.line.summary
    );
    let mut seen = page.line.version;
    for (minutes, allowed) in [(2_880, false), (301, false), (240, true), (60, true)] {
        let form = ProfileForm {
            install_minutes: minutes,
            ..page.form.clone()
        };
        let saved = server
            .service
            .save_profile(&officer, Some((ProfileId(1), seen)), &form)
            .await
            .unwrap()
            .unwrap();
        seen = saved.version;
        assert_eq!(saved.warnings.contains(&ScheduleWarning::ShortRounds), minutes < 1_440);
        assert_eq!(device.check_in(&server).await.orders.is_empty(), !allowed, "{minutes}");
    }
    let page = server.service.schedule_profile(&officer, ProfileId(1)).await.unwrap();
    assert!(
        page.line.summary.contains("installs as soon as allowed"),
        "{}",
        page.line.summary
    );
    device.permit(&server, b).await;
}

#[tokio::test]
async fn emergencies_and_rollbacks_neither_wait_nor_begin_a_round() {
    let (server, mut device, [a, b, c]) = three().await;
    let officer = server.officer().await;
    let start = server.service.now();
    device.install(&server, a).await;
    device.install(&server, b).await;
    server.pass(Span::hours(5));
    assert_eq!(device.refusal(&server, c).await.0, "interval");
    server
        .decide(
            c,
            PILOT,
            Verb::Approve {
                urgent: Urgency::SkipSoak,
            },
        )
        .await;
    device.install(&server, c).await;
    assert_eq!(began(&server).await, start.0, "an emergency begins none");
    server
        .service
        .roll_back(&officer, device.id, b, "it broke")
        .await
        .unwrap();
    let reply = device.ask(&server, b, ActionKind::RollBack).await;
    assert!(matches!(reply, PermitReply::Granted(_)), "{reply:?}");
    assert_eq!(began(&server).await, start.0, "nor does going back");
}

#[tokio::test]
async fn a_clock_that_was_wrong_makes_nobody_wait_longer_or_less() {
    let (server, mut device, [a, b, _]) = three().await;
    let officer = server.officer().await;
    server.service.tick().await.unwrap();
    device.install(&server, a).await;
    server.pass(Span::hours(1));
    server.service.tick().await.unwrap();
    // A step forward that is confirmed is no time that anybody waited.
    server.clock.jump(Span::days(3));
    server.service.tick().await.unwrap();
    server.service.confirm_clock(&officer, "set right").await.unwrap();
    let now = server.service.now();
    assert_eq!(began(&server).await, (now - Span::hours(1)).0);
    server.pass(Span::hours(4));
    let (gate, _, opens_at) = device.refusal(&server, b).await;
    assert_eq!((gate.as_str(), opens_at), ("interval", Some(now + Span::hours(23))));
    // What a clock ahead has dated is dated now when it is set back.
    server.clock.jump(Span::days(-3));
    server.service.tick().await.unwrap();
    server.service.confirm_clock(&officer, "that was wrong").await.unwrap();
    let now = server.service.now();
    assert_eq!(Moment(began(&server).await), now);
    device.permit(&server, b).await;
}

/// A nightly window and an interval of a day: however late in its window a round begins, the next night has its round.
#[tokio::test]
async fn rounds_do_not_drift_out_of_their_window() {
    let (server, mut device, [a, b, c]) = three().await;
    let officer = server.officer().await;
    let opens = Moment((server.service.now().0 / 86_400 + 1) * 86_400 + 2 * 3_600);
    let window = WindowForm {
        name: "Nights".into(),
        when: WindowWhen::Weekly { days: (0..7).collect() },
        at: "02:00".into(),
        minutes: 120,
        zone: ZoneChoice::Utc,
        groups: Vec::new(),
    };
    server
        .service
        .save_window(&officer, None, &window)
        .await
        .unwrap()
        .unwrap();
    for (night, (patch, late)) in [(a, 80), (b, 20), (c, 0)].into_iter().enumerate() {
        let from = opens + Span::days(i64::try_from(night).unwrap());
        server.pass(from.since(server.service.now()));
        server.pass(Span::minutes(late));
        device.install(&server, patch).await;
        assert_eq!(began(&server).await, (from + Span::minutes(late)).0);
    }
}
