//! Windows, freezes, profiles and exceptions at the place where they count: permits and check-ins obey them as soon as they are saved.

use crate::support::*;
use domain::{FreezeId, GroupId, Measured, Moment, PatchId, ProfileId, RebootPolicy, Span, Urgency, WindowId};
use protocol::v1::{CHECK_IN, CheckIn, CheckInReply, Inventory};
use service::commands::decide::Verb;
use view::*;

const SCAN: &[(&str, &str)] = &[("a", "1")];
const OFFER: &[(&str, &str, bool)] = &[("a", "2", true)];
/// The Thursday after the server's first day, 02:00.
const OPENS: Moment = Moment(1_795_053_600);

fn thursdays() -> WindowForm {
    WindowForm {
        name: "Thursday night".into(),
        when: WindowWhen::Weekly { days: vec![3] },
        at: "02:00".into(),
        minutes: 240,
        zone: ZoneChoice::Utc,
        groups: vec![GroupId(1)],
    }
}

/// A device with a patch that is approved for its ring and waits for [`thursdays`].
async fn approved_for_thursdays(server: &Server, inventory: Inventory) -> (Device, PatchId) {
    let officer = server.officer().await;
    let device = server.scanned(1, PILOT, inventory).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    server
        .service
        .save_window(&officer, None, &thursdays())
        .await
        .unwrap()
        .unwrap();
    (device, patch)
}

#[tokio::test]
async fn windows_gate_permits_and_freezes_win() {
    let server = server().await;
    server.without_rounds().await;
    let officer = server.officer().await;
    let mut device = server.scanned(1, PILOT, inventory(SCAN, OFFER)).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    assert_eq!(device.check_in(&server).await.orders.len(), 1, "nothing limits it yet");
    let window = server
        .service
        .save_window(&officer, None, &thursdays())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(window.warnings, []);
    let (gate, reason, opens_at) = device.refusal(&server, patch).await;
    assert_eq!((gate.as_str(), opens_at), ("window", Some(OPENS)), "{reason}");
    assert!(reason.contains("Thursday night"), "{reason}");
    let reply = device.check_in(&server).await;
    assert!(reply.orders.is_empty(), "MWN-1");
    assert_eq!(reply.notices[0].earliest, OPENS);
    server.pass(OPENS.since(server.service.now()));
    assert_eq!(device.check_in(&server).await.orders.len(), 1);
    device.permit(&server, patch).await;

    let freeze = FreezeForm {
        name: "Stocktaking".into(),
        from: "2026-11-18".into(),
        to: "2026-11-25T12:00".into(),
        zone: ZoneChoice::Utc,
        groups: Vec::new(),
    };
    let freeze = server
        .service
        .save_freeze(&officer, None, &freeze)
        .await
        .unwrap()
        .unwrap();
    let (gate, reason, opens_at) = device.refusal(&server, patch).await;
    assert_eq!(gate, "window", "a freeze wins over an open window: {reason}");
    assert!(reason.contains("Stocktaking"), "{reason}");
    assert!(opens_at.is_some_and(|at| at >= OPENS + Span::days(7)), "{opens_at:?}");
    server
        .service
        .delete_freeze(&officer, FreezeId(freeze.id), freeze.version)
        .await
        .unwrap();
    device.permit(&server, patch).await;

    server.pass(Span::hours(5));
    assert_eq!(device.refusal(&server, patch).await.0, "window");
    server
        .service
        .delete_window(&officer, WindowId(window.id), window.version)
        .await
        .unwrap();
    device.permit(&server, patch).await;
}

#[tokio::test]
async fn an_urgent_approval_gets_a_permit_outside_windows_only_where_it_says_so() {
    // I-9, APR-2: and no approval gets one in a freeze.
    let server = server().await;
    let officer = server.officer().await;
    let (mut device, patch) = approved_for_thursdays(&server, inventory(SCAN, OFFER)).await;
    let approve = async |urgent| server.decide(patch, PILOT, Verb::Approve { urgent }).await;
    approve(Urgency::SkipSoak).await;
    assert_eq!(device.refusal(&server, patch).await.0, "window");
    approve(Urgency::SkipSoakAndWindows).await;
    device.permit(&server, patch).await;
    let freeze = FreezeForm {
        name: "Stocktaking".into(),
        from: "2026-11-10".into(),
        to: "2026-12-25".into(),
        zone: ZoneChoice::Utc,
        groups: Vec::new(),
    };
    server
        .service
        .save_freeze(&officer, None, &freeze)
        .await
        .unwrap()
        .unwrap();
    let (gate, reason, _) = device.refusal(&server, patch).await;
    assert_eq!(gate, "window");
    assert!(reason.contains("Stocktaking"), "{reason}");
}

#[tokio::test]
async fn a_permit_ends_when_the_window_has_no_room_any_more() {
    // I-9: what starts later than that would still run when the window is over.
    let server = server().await;
    let (mut device, patch) = approved_for_thursdays(&server, inventory(SCAN, OFFER)).await;
    server.pass(OPENS.since(server.service.now()));
    let early = device.permit(&server, patch).await;
    assert_eq!(
        i64::from(early.start_within),
        i64::from(server.service.settings().permit_seconds)
    );
    // The window is open for four hours, and an install is expected to take a little more than ten minutes.
    server.pass(Span::minutes(4 * 60 - 12));
    let late = device.permit(&server, patch).await;
    assert!((1..=120).contains(&late.start_within), "{late:?}");
    server.pass(Span(30));
    let again = device.permit(&server, patch).await;
    assert_eq!(
        (again.attempt, again.start_within),
        (late.attempt, late.start_within - 30)
    );
    server.pass(Span(i64::from(again.start_within) + 1));
    assert_eq!(device.refusal(&server, patch).await.0, "window");
}

#[tokio::test]
async fn how_long_an_install_takes_is_measured() {
    let server = server().await;
    let officer = server.officer().await;
    let mut devices = Vec::new();
    for seed in 1..=5 {
        devices.push(server.scanned(seed, PILOT, inventory(SCAN, OFFER)).await);
    }
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    for (device, took) in devices[..3].iter_mut().zip([3, 40, 7_000]) {
        device.install_that_took(&server, patch, took).await;
    }
    server
        .service
        .save_window(&officer, None, &thursdays())
        .await
        .unwrap()
        .unwrap();
    // Twelve minutes before the window closes there would be two to start in, if an install took the ten that are assumed (see above).
    server.pass(OPENS.since(server.service.now()));
    server.pass(Span::minutes(4 * 60 - 12));
    let permit = devices[3].permit(&server, patch).await;
    assert_eq!(
        i64::from(permit.start_within),
        i64::from(server.service.settings().permit_seconds),
        "two of three devices took less than a minute, and one odd one does not count"
    );
}

#[tokio::test]
async fn how_fast_a_device_is_decides_what_fits_its_window() {
    // SCH-2: the patch has 600 MB: ten minutes at the stated rate, a hundred on a line that is ten times slower.
    let server = server().await;
    let mut large = inventory(SCAN, OFFER);
    large.updates[0].size = 600_000_000;
    let (mut device, patch) = approved_for_thursdays(&server, large).await;
    server.pass(OPENS.since(server.service.now()));
    server.pass(Span::minutes(3 * 60));
    let says = |download_rate| CheckIn {
        measured: Measured {
            download_rate,
            restart: Some(Span(-5)),
        },
        ..device.check_in_message()
    };
    let (slow, quick) = (says(Some(1)), says(Some(u64::MAX)));
    device.send(&server, CHECK_IN, slow).await;
    server.service.flush_contacts().await.unwrap();
    assert_eq!(device.refusal(&server, patch).await.0, "window");
    device.check_in(&server).await;
    server.service.flush_contacts().await.unwrap();
    assert_eq!(
        device.refusal(&server, patch).await.0,
        "window",
        "who says nothing changes nothing"
    );
    device.send(&server, CHECK_IN, quick).await;
    server.service.flush_contacts().await.unwrap();
    device.permit(&server, patch).await;
    let impossible = "SELECT count(*) FROM device WHERE restart_took IS NOT NULL";
    assert_eq!(server.number(impossible).await, 0, "no restart takes less than no time");
}

#[tokio::test]
async fn pages_and_devices_come_when_a_window_opens() {
    let server = server_that_polls(7_200).await;
    let (mut device, _) = approved_for_thursdays(&server, inventory(SCAN, OFFER)).await;
    server.pass((OPENS - Span(40)).since(server.service.now()));
    let reply = device.check_in(&server).await;
    assert!(reply.orders.is_empty());
    assert!((40..100).contains(&reply.poll_after), "{}", reply.poll_after);
    let now = server.service.now();
    assert_eq!(
        server.service.tick().await.unwrap(),
        now + Span(60),
        "nobody looks at a page"
    );

    let mut page = server.service.events().listen();
    assert_eq!(
        server.service.tick().await.unwrap(),
        OPENS,
        "the server sleeps until then"
    );
    server.pass(Span(20));
    server.service.tick().await.unwrap();
    assert!(page.try_recv().is_err(), "nothing has changed yet");
    server.pass(Span(20));
    server.service.tick().await.unwrap();
    assert!(page.try_recv().is_ok(), "the page is told when the window is open");
}

#[tokio::test]
async fn a_page_that_opened_after_the_last_look_is_told_too() {
    let server = server().await;
    approved_for_thursdays(&server, inventory(SCAN, OFFER)).await;
    server.pass((OPENS - Span(20)).since(server.service.now()));
    server.service.tick().await.unwrap();
    let mut page = server.service.events().listen();
    server.pass(Span(30));
    server.service.tick().await.unwrap();
    assert!(page.try_recv().is_ok(), "the window opened between two looks");
}

#[tokio::test]
async fn a_device_with_impossible_numbers_does_not_keep_others_from_being_written() {
    let server = server().await;
    let mut odd = server.scanned(1, PILOT, inventory(SCAN, OFFER)).await;
    let mut other = server.scanned(2, PILOT, inventory(SCAN, OFFER)).await;
    let message = CheckIn {
        policy_version: u64::MAX,
        measured: Measured {
            download_rate: Some(u64::MAX),
            restart: Some(Span(i64::MAX)),
        },
        ..odd.check_in_message()
    };
    odd.seq = u64::MAX - 1;
    odd.send(&server, CHECK_IN, message).await;
    server.pass(Span(100));
    other.check_in(&server).await;
    server.service.flush_contacts().await.unwrap();
    let now = server.service.now();
    let written = "SELECT last_contact_at FROM device_contact ORDER BY device_id DESC LIMIT 1";
    assert_eq!(server.number(written).await, now.0, "the other device");
    let impossible = "SELECT count(*) FROM device WHERE restart_took IS NOT NULL";
    assert_eq!(server.number(impossible).await, 0);
}

#[tokio::test]
async fn other_groups_do_not_wait_for_a_window() {
    let server = server().await;
    let officer = server.officer().await;
    let mut device = server.scanned(1, PILOT, inventory(SCAN, OFFER)).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    let window = WindowForm {
        groups: vec![GroupId(2)],
        ..thursdays()
    };
    server
        .service
        .save_window(&officer, None, &window)
        .await
        .unwrap()
        .unwrap();
    device.permit(&server, patch).await;
}

#[tokio::test]
async fn an_exception_stops_a_product_until_it_ends() {
    let server = server().await;
    let officer = server.officer().await;
    let mut device = server.scanned(1, PILOT, inventory(SCAN, OFFER)).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    let form = ExceptionForm {
        covers: ExceptionCovers::Device(device.id),
        about: ExceptionAbout::Product("a".into()),
        owner: None,
        reason: "its vendor must test it first".into(),
        expires: "2026-11-20".into(),
    };
    let look = ScheduleForm::Exception(form.clone());
    let change = server
        .service
        .what_would_change(&officer, &look, None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((change.later, change.devices), (1, 1), "{change:?}");
    server
        .service
        .save_exception(&officer, None, &form)
        .await
        .unwrap()
        .unwrap();
    let (gate, reason, opens_at) = device.refusal(&server, patch).await;
    assert_eq!(gate, "not_denied", "{reason}");
    let end = opens_at.unwrap();
    assert_eq!(end.date(), "2026-11-20");
    server.pass(end.since(server.service.now()));
    device.permit(&server, patch).await;
}

#[tokio::test]
async fn devices_restart_as_their_own_group_says() {
    let (server, mut device, patch) = approved().await;
    let admin = server.admin();
    let mut other = server.device(2, PRODUCTION).await;
    let mut message = device.check_in_message();
    message.policy_version = 0;
    let reply: CheckInReply = accepted(&device.send(&server, CHECK_IN, message).await);
    let told = reply.policy.unwrap();
    assert_eq!(told.reboot, RebootPolicy::Never, "until somebody says otherwise");
    let page = server.service.rings(&admin).await.unwrap();
    let pilots = page.groups.iter().find(|g| g.id == GroupId(1)).unwrap();
    let form = GroupForm {
        reboot: RebootPolicy::IfNeeded,
        ..pilots.form.clone()
    };
    let saved = server
        .service
        .save_group(&admin, Some((pilots.id, pilots.version)), &form)
        .await
        .unwrap();
    assert!(
        saved.version > told.version,
        "a device that follows the last one must ask again"
    );
    let page = server.service.rings(&admin).await.unwrap();
    let mut shown: Vec<_> = page.groups.iter().map(|g| (g.id, g.form.reboot)).collect();
    shown.sort_unstable();
    assert_eq!(
        shown,
        [(GroupId(1), RebootPolicy::IfNeeded), (GroupId(2), RebootPolicy::Never)]
    );
    let mut message = device.check_in_message();
    message.policy_version = told.version;
    let reply: CheckInReply = accepted(&device.send(&server, CHECK_IN, message).await);
    let told = reply.policy.unwrap();
    assert_eq!((told.version, told.reboot), (saved.version, RebootPolicy::IfNeeded));
    assert_eq!(device.permit(&server, patch).await.reboot, RebootPolicy::IfNeeded);
    let told = other.check_in(&server).await.policy.unwrap();
    assert_eq!((told.version, told.reboot), (saved.version, RebootPolicy::Never));
}

#[tokio::test]
async fn devices_scan_as_their_profile_says() {
    let server = server().await;
    let officer = server.officer().await;
    let mut device = server.device(1, PILOT).await;
    let page = server.service.schedule_profile(&officer, ProfileId(1)).await.unwrap();
    let form = ProfileForm {
        name: "Pilots".into(),
        scan_minutes: 360,
        everything: false,
        groups: vec![GroupId(1)],
        ..page.form
    };
    let saved = server
        .service
        .save_profile(&officer, None, &form)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        saved.warnings,
        [
            ScheduleWarning::FollowedByNone { profile: 1 },
            ScheduleWarning::ShortInterval
        ]
    );
    let policy = device.check_in(&server).await.policy.unwrap();
    assert_eq!((policy.version, policy.scan_interval), (saved.version, 6 * 3_600));
}
