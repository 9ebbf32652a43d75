//! Rings, groups, places and limits where they count: every setting that a person can make changes a permit.

use crate::support::*;
use domain::{GroupId, LocationId, Moment, PatchId, PatchState as S, RebootPolicy, RingId, Span};
use protocol::v1::*;
use service::{Actor, Error};
use view::*;

const SCAN: &[(&str, &str)] = &[("a", "1"), ("b", "1")];
const OFFER: &[(&str, &str, bool)] = &[("a", "2", true), ("b", "2", false)];

/// Changes a ring as the page would: what it shows goes back with one thing changed.
pub async fn change(server: &Server, ring: RingId, change: impl FnOnce(&mut RingForm)) -> RingsSaved {
    let page = server.service.rings(&server.admin()).await.unwrap();
    let found = page.rings.into_iter().find(|r| r.id == ring).unwrap();
    let mut form = found.form;
    change(&mut form);
    server
        .service
        .save_ring(&server.admin(), Some((ring, found.version)), None, &form)
        .await
        .unwrap()
}

pub async fn change_group(server: &Server, group: i64, change: impl FnOnce(&mut GroupForm)) -> RingsSaved {
    let page = server.service.rings(&server.admin()).await.unwrap();
    let found = page.groups.into_iter().find(|g| g.id.0 == group).unwrap();
    let mut form = found.form;
    change(&mut form);
    server
        .service
        .save_group(&server.admin(), Some((found.id, found.version)), &form)
        .await
        .unwrap()
}

async fn change_fleet(server: &Server, change: impl FnOnce(&mut FleetForm)) {
    let page = server.service.rings(&server.admin()).await.unwrap();
    let mut form = page.fleet;
    change(&mut form);
    server
        .service
        .save_fleet_policy(&server.admin(), page.fleet_version, &form)
        .await
        .unwrap();
}

/// Pilots and one production device that need the same patch, approved for both rings, with a soak of an hour.
pub async fn fleet(server: &Server, pilots: u8) -> (Vec<Device>, Device, PatchId) {
    let mut all = Vec::new();
    for seed in 1..=pilots {
        all.push(server.scanned(seed, PILOT, inventory(SCAN, OFFER)).await);
    }
    let production = server.scanned(100, PRODUCTION, inventory(SCAN, OFFER)).await;
    change(server, PILOT, |ring| (ring.soak_days, ring.soak_hours) = (0, 1)).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    server.approve(patch, PRODUCTION).await;
    (all, production, patch)
}

#[tokio::test]
async fn a_place_shares_its_rate_among_the_installs_that_it_lets_run() {
    let server = server().await;
    let mut device = server.device(1, PILOT).await;
    let mut form = LocationForm {
        name: "Harbour".into(),
        zone: "Europe/Helsinki".into(),
        rate_kib: Some(500),
        max_in_flight: None,
    };
    let admin = server.admin();
    let mut place = server.service.save_location(&admin, None, &form).await.unwrap();
    let id = LocationId(place.id);
    server.service.place_device(&admin, device.id, Some(id)).await.unwrap();
    for (at_once, most, share) in [
        (None, Some(500), Some(500)),
        (Some(1), Some(500), Some(500)),
        (Some(4), Some(500), Some(125)),
        (Some(3), Some(500), Some(166)),
        (Some(1_000), Some(500), Some(1)),
        (Some(4), None, None),
    ] {
        (form.max_in_flight, form.rate_kib) = (at_once, most);
        let seen = Some((id, place.version));
        place = server.service.save_location(&admin, seen, &form).await.unwrap();
        let policy = device.check_in(&server).await.policy.unwrap();
        assert_eq!(
            (policy.version, policy.rate_kib),
            (place.version, share),
            "BWL-1: {at_once:?}"
        );
    }
}

#[tokio::test]
async fn a_ring_opens_the_next_one_by_its_share() {
    let server = server().await;
    let (mut pilots, mut production, patch) = fleet(&server, 3).await;
    change(&server, PILOT, |ring| {
        ring.min_share_percent = 60;
        ring.waves = String::new();
    })
    .await;
    pilots[0].install(&server, patch).await;
    server.pass(Span::hours(2));
    let (gate, reason, _) = production.refusal(&server, patch).await;
    assert_eq!(gate, "soaked", "{reason}");
    assert!(
        reason.contains("1 of 3 devices in Pilot have it; 60 % must"),
        "{reason}"
    );
    pilots[1].install(&server, patch).await;
    production.permit(&server, patch).await;
}

#[tokio::test]
async fn waves_fill_a_ring_as_its_form_says() {
    let server = server().await;
    let (mut pilots, _, patch) = fleet(&server, 5).await;
    change(&server, PILOT, |ring| {
        ring.waves = "1, 60 %".into();
        ring.rest_minutes = 30;
    })
    .await;
    pilots[0].permit(&server, patch).await;
    let (gate, reason, _) = pilots[1].refusal(&server, patch).await;
    assert_eq!(gate, "slot", "I-31: {reason}");
    pilots[0].install(&server, patch).await;
    let (_, reason, opens) = pilots[1].refusal(&server, patch).await;
    assert_eq!(opens, Some(server.service.now() + Span::minutes(30)), "{reason}");
    server.pass(Span::minutes(30));
    pilots[1].install(&server, patch).await;
    pilots[2].permit(&server, patch).await;
    let (_, reason, _) = pilots[3].refusal(&server, patch).await;
    assert!(reason.contains('3'), "the wave of 60 % has 3 of 5: {reason}");
    change(&server, PILOT, |ring| ring.waves = String::new()).await;
    pilots[3].permit(&server, patch).await;
    change(&server, PILOT, |ring| ring.max_in_flight = Some(2)).await;
    let (gate, reason, _) = pilots[4].refusal(&server, patch).await;
    assert_eq!(gate, "slot", "{reason}");
    assert!(reason.contains("Pilot"), "{reason}");
}

#[tokio::test]
async fn the_fleet_and_a_place_have_room_for_so_many() {
    let server = server().await;
    let (mut pilots, _, patch) = fleet(&server, 3).await;
    change(&server, PILOT, |ring| ring.waves = String::new()).await;
    change_fleet(&server, |fleet| fleet.max_in_flight = Some(1)).await;
    let permit = pilots[0].permit(&server, patch).await;
    assert_eq!(
        pilots[0].permit(&server, patch).await.attempt,
        permit.attempt,
        "its own permit is not in its way"
    );
    let (gate, reason, _) = pilots[1].refusal(&server, patch).await;
    assert_eq!(gate, "slot", "{reason}");
    assert!(pilots[1].check_in(&server).await.orders.is_empty());
    change_fleet(&server, |fleet| fleet.max_in_flight = None).await;
    let form = LocationForm {
        name: "Harbour".into(),
        zone: "Europe/Helsinki".into(),
        rate_kib: Some(500),
        max_in_flight: Some(1),
    };
    let place = server
        .service
        .save_location(&server.admin(), None, &form)
        .await
        .unwrap();
    for device in &pilots {
        server
            .service
            .place_device(&server.admin(), device.id, Some(LocationId(place.id)))
            .await
            .unwrap();
    }
    let (_, reason, _) = pilots[1].refusal(&server, patch).await;
    assert!(reason.contains("Harbour"), "{reason}");
    let wider = LocationForm {
        max_in_flight: Some(2),
        ..form
    };
    let seen = (LocationId(place.id), place.version);
    server
        .service
        .save_location(&server.admin(), Some(seen), &wider)
        .await
        .unwrap();
    pilots[1].permit(&server, patch).await;
    assert_eq!(pilots[2].refusal(&server, patch).await.0, "slot");
    let again = server.service.save_location(&server.admin(), Some(seen), &wider).await;
    assert!(matches!(again, Err(Error::Changed)), "{again:?}");
}

#[tokio::test]
async fn retries_and_thresholds_are_the_ones_that_were_set() {
    let server = server().await;
    let (mut pilots, _, patch) = fleet(&server, 4).await;
    change_fleet(&server, |fleet| (fleet.retries, fleet.first_minutes) = (2, 10)).await;
    change(&server, PILOT, |ring| {
        ring.waves = String::new();
        (ring.hold_failures, ring.hold_percent, ring.hold_vanished) = (2, 50, 3);
    })
    .await;
    pilots[0].install(&server, patch).await;
    let failed = || Outcome::Failed {
        exit: Some(100),
        message: short("broken"),
    };
    let permit = pilots[1].permit(&server, patch).await;
    pilots[1].finish(&server, &permit, failed()).await;
    let holds = || server.number("SELECT count(*) FROM hold WHERE resolved_at IS NULL");
    assert_eq!(holds().await, 0, "one of two failed, but two are asked for");
    let (gate, _, opens) = pilots[1].refusal(&server, patch).await;
    assert_eq!(
        (gate.as_str(), opens),
        ("retries", Some(server.service.now() + Span::minutes(10)))
    );
    let permit = pilots[2].permit(&server, patch).await;
    pilots[2].finish(&server, &permit, failed()).await;
    assert_eq!(holds().await, 1, "I-29: two of three");
}

#[tokio::test]
async fn vanished_devices_hold_at_their_own_threshold() {
    let server = server().await;
    let (mut pilots, _, patch) = fleet(&server, 4).await;
    change(&server, PILOT, |ring| {
        ring.waves = String::new();
        (ring.hold_failures, ring.hold_percent, ring.hold_vanished) = (9, 100, 2);
    })
    .await;
    pilots[0].install(&server, patch).await;
    for device in &mut pilots[1..3] {
        let permit = device.permit(&server, patch).await;
        device.start(&server, &permit).await;
    }
    server.pass(Span(server.service.settings().vanish_seconds + 60));
    server.service.tick().await.unwrap();
    assert_eq!(server.number("SELECT count(*) FROM attempt WHERE state = 8").await, 2);
    assert_eq!(
        server
            .number("SELECT min(cause) FROM hold WHERE resolved_at IS NULL")
            .await,
        service::commands::hold::Cause::Vanished as i64,
        "I-30"
    );
}

#[tokio::test]
async fn pilots_reboot_before_production_opens() {
    let server = server().await;
    let (mut pilots, mut production, patch) = fleet(&server, 2).await;
    change(&server, PILOT, |ring| {
        ring.waves = String::new();
        ring.rebooted = true;
    })
    .await;
    let permit = pilots[0].permit(&server, patch).await;
    pilots[0].start(&server, &permit).await;
    pilots[0].finish(&server, &permit, Outcome::Succeeded).await;
    let mut owes = installed(&pilots[0].inventory, &permit.packages);
    owes.reboot = vec![RebootReason::FlagFile {
        packages: vec![short("a")],
    }];
    assert_eq!(pilots[0].report_delta(&server, owes.clone()).await.status, 200);
    assert_eq!(server.state(&pilots[0], patch).await, Some(S::PendingReboot));
    server.pass(Span::hours(2));
    let (gate, reason, _) = production.refusal(&server, patch).await;
    assert_eq!(gate, "soaked");
    assert!(
        reason.contains(
            "0 of 1 device have rebooted since, 1 must; with this 1 device a failure rate up to 95 % would go unseen"
        ),
        "{reason}"
    );
    // Another boot alone is not enough while the scan still says that one is owed.
    let mut message = pilots[0].check_in_message();
    message.boot_id = short("second boot");
    pilots[0].send(&server, CHECK_IN, message).await;
    server.service.flush_contacts().await.unwrap();
    assert_eq!(production.refusal(&server, patch).await.0, "soaked");
    owes.reboot.clear();
    owes.host.boot_id = short("second boot");
    assert_eq!(pilots[0].report_delta(&server, owes).await.status, 200);
    production.permit(&server, patch).await;
}

#[tokio::test]
async fn a_critical_product_must_have_been_on_a_pilot() {
    let server = server().await;
    let mut plain = server
        .scanned(1, PILOT, inventory(&[("a", "1")], &[("a", "2", true)]))
        .await;
    let mut with = server.scanned(2, PILOT, inventory(SCAN, OFFER)).await;
    let mut production = server.scanned(3, PRODUCTION, inventory(SCAN, OFFER)).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    server.approve(patch, PRODUCTION).await;
    change(&server, PILOT, |ring| {
        (ring.soak_days, ring.soak_hours, ring.critical_products) = (0, 1, true);
        ring.waves = String::new();
    })
    .await;
    let admin = server.admin();
    let unknown = server.service.save_product_criticality(&admin, "nothing", true).await;
    assert!(
        matches!(
            unknown,
            Err(Error::Invalid {
                field: Field::Product,
                ..
            })
        ),
        "{unknown:?}"
    );
    server
        .service
        .save_product_criticality(&admin, "b", true)
        .await
        .unwrap();
    plain.install(&server, patch).await;
    server.pass(Span::hours(2));
    let (gate, reason, _) = production.refusal(&server, patch).await;
    assert_eq!(gate, "soaked");
    assert!(
        reason.contains("No device with b in Pilot has it yet"),
        "PIL-3: {reason}"
    );
    let critical = server.service.rings(&admin).await.unwrap().critical;
    assert_eq!(
        (critical[0].name.as_str(), critical[0].devices, critical[0].pilots),
        ("b", 2, 1)
    );
    with.install(&server, patch).await;
    production.permit(&server, patch).await;
    server
        .service
        .save_product_criticality(&admin, "b", false)
        .await
        .unwrap();
    assert_eq!(server.service.rings(&admin).await.unwrap().critical, []);
}

/// Every night 22:00 to 02:00 UTC, for a group.
fn nightly(group: i64) -> WindowForm {
    WindowForm {
        name: "Night".into(),
        when: WindowWhen::Weekly { days: (0..7).collect() },
        at: "22:00".into(),
        minutes: 240,
        zone: ZoneChoice::Utc,
        groups: vec![GroupId(group)],
    }
}

/// 12:00 UTC of the day, from the server's first day on.
pub async fn noon(server: &Server, day: i64) {
    let at = Moment(1_795_000_000_i64.div_euclid(86_400) * 86_400 + day * 86_400 + 43_200);
    server.pass(at.since(server.service.now()));
}

#[tokio::test]
async fn a_device_catches_up_after_so_many_missed_windows() {
    let server = server().await;
    let (mut pilots, _, patch) = fleet(&server, 1).await;
    let device = &mut pilots[0];
    noon(&server, 1).await;
    let admin = server.admin();
    server
        .service
        .save_window(&admin, None, &nightly(1))
        .await
        .unwrap()
        .unwrap();
    change_group(&server, 1, |g| g.missed = MissedChoice::CatchUp { after: 3 }).await;
    assert_eq!(device.refusal(&server, patch).await.0, "window");
    server.service.flush_contacts().await.unwrap();
    noon(&server, 3).await;
    assert_eq!(device.refusal(&server, patch).await.0, "window", "two were missed");
    noon(&server, 4).await;
    let permit = device.permit(&server, patch).await;
    device
        .finish(
            &server,
            &permit,
            Outcome::NotStarted {
                why: NotStarted::PermitExpired,
            },
        )
        .await;
    // Awake in one: nothing is missed any more.
    noon(&server, 4).await;
    server.pass(Span::hours(11));
    device.check_in(&server).await;
    server.service.flush_contacts().await.unwrap();
    noon(&server, 6).await;
    assert_eq!(device.refusal(&server, patch).await.0, "window");
    // Whoever waits never catches up; the group above says nothing for this one then.
    change_group(&server, 1, |g| g.missed = MissedChoice::Wait).await;
    noon(&server, 20).await;
    assert_eq!(device.refusal(&server, patch).await.0, "window");
}

#[tokio::test]
async fn inherited_windows_can_be_blocked() {
    let server = server().await;
    let admin = server.admin();
    let (mut pilots, _, patch) = fleet(&server, 1).await;
    let device = &mut pilots[0];
    let above = GroupForm {
        name: "Germany".into(),
        parent: None,
        ring: None,
        blocks_inheritance: false,
        missed: MissedChoice::Inherit,
        reboot: RebootPolicy::Never,
    };
    let above = server.service.save_group(&admin, None, &above).await.unwrap();
    let moved = change_group(&server, 1, |g| g.parent = Some(GroupId(above.id))).await;
    assert_eq!(moved.warnings, []);
    noon(&server, 1).await;
    server
        .service
        .save_window(&admin, None, &nightly(above.id))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(device.refusal(&server, patch).await.0, "window", "inherited");
    let concerned = async || server.service.schedule(&admin).await.unwrap().windows[0].concerned;
    assert_eq!(concerned().await, 1);
    let blocked = change_group(&server, 1, |g| g.blocks_inheritance = true).await;
    assert_eq!(
        blocked.warnings,
        [RingsWarning::BlocksWithoutWindow { group: "Pilot".into() }]
    );
    assert_eq!(concerned().await, 0, "MWN-2: it does not count for those who block it");
    device.permit(&server, patch).await;
}

#[tokio::test]
async fn a_ring_between_two_others_holds_back_the_last() {
    let server = server().await;
    let admin = server.admin();
    let (mut pilots, mut production, patch) = fleet(&server, 1).await;
    pilots[0].install(&server, patch).await;
    server.pass(Span::hours(2));
    let page = server.service.rings(&admin).await.unwrap();
    let form = RingForm {
        name: "Early".into(),
        soak_days: 2,
        ..page.rings[0].form.clone()
    };
    let draft = RingsForm::Ring {
        id: None,
        before: Some(PRODUCTION),
        form: form.clone(),
    };
    let look = server.service.foresee_rings(&admin, &draft).await.unwrap();
    assert_eq!((look.change.blocked, look.change.devices), (1, 1), "{look:?}");
    let empty = RingsWarning::RingWithoutDevices { ring: "Early".into() };
    assert!(look.warnings.contains(&empty), "{look:?}");
    let early = server
        .service
        .save_ring(&admin, None, Some(PRODUCTION), &form)
        .await
        .unwrap();
    assert!(early.warnings.contains(&empty));
    let names = |page: &RingsPage| page.rings.iter().map(|r| r.form.name.clone()).collect::<Vec<_>>();
    let page = server.service.rings(&admin).await.unwrap();
    assert_eq!(names(&page), ["Pilot", "Early", "Production"]);
    let (gate, reason, _) = production.refusal(&server, patch).await;
    assert_eq!(gate, "soaked");
    assert!(reason.contains("Early"), "{reason}");
    // A device of a group in it goes through it.
    let group = GroupForm {
        name: "Early birds".into(),
        parent: None,
        ring: Some(RingId(early.id)),
        blocks_inheritance: false,
        missed: MissedChoice::Inherit,
        reboot: RebootPolicy::Never,
    };
    let group = server.service.save_group(&admin, None, &group).await.unwrap();
    server
        .service
        .move_device(&admin, pilots[0].id, Some(GroupId(group.id)))
        .await
        .unwrap();
    let used = server
        .service
        .remove_ring(&admin, RingId(early.id), page.rings[1].version)
        .await;
    assert!(
        matches!(
            used,
            Err(Error::Refused(Why::RingInUse {
                groups: 1,
                decisions: 0
            }))
        ),
        "{used:?}"
    );
    server
        .service
        .move_device(&admin, pilots[0].id, Some(GroupId(1)))
        .await
        .unwrap();
    server
        .service
        .remove_group(&admin, GroupId(group.id), group.version)
        .await
        .unwrap();
    server
        .service
        .remove_ring(&admin, RingId(early.id), page.rings[1].version)
        .await
        .unwrap();
    production.permit(&server, patch).await;
    // Its name is free again, and history still knows the old one.
    let again = server.service.save_ring(&admin, None, None, &form).await.unwrap();
    assert_ne!(again.id, early.id);
    assert_eq!(
        names(&server.service.rings(&admin).await.unwrap()),
        ["Pilot", "Production", "Early"]
    );
}

#[tokio::test]
async fn order_counts_and_nobody_overwrites_what_they_have_not_seen() {
    let server = server().await;
    let admin = server.admin();
    let (_, mut production, patch) = fleet(&server, 1).await;
    assert_eq!(production.refusal(&server, patch).await.0, "soaked");
    let page = server.service.rings(&admin).await.unwrap();
    let (pilot, last) = (page.rings[0].clone(), page.rings[1].clone());
    let end = server.service.move_ring(&admin, pilot.id, pilot.version, true).await;
    assert!(matches!(end, Err(Error::Refused(Why::AlreadyDone))), "{end:?}");
    let moved = server
        .service
        .move_ring(&admin, last.id, last.version, true)
        .await
        .unwrap();
    assert!(
        moved.warnings.contains(&RingsWarning::NowFirst {
            ring: "Production".into(),
            approved: 1
        }),
        "{moved:?}"
    );
    production.permit(&server, patch).await;
    let stale = server
        .service
        .save_ring(&admin, Some((pilot.id, pilot.version)), None, &pilot.form)
        .await;
    assert!(matches!(stale, Err(Error::Changed)), "{stale:?}");
    let follows = server
        .number("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'policy_version'")
        .await;
    assert_eq!(u64::try_from(follows).unwrap(), moved.version);
    let recorded = server
        .number("SELECT count(*) FROM audit WHERE action = 'rings.ordered'")
        .await;
    assert_eq!(recorded, 1, "I-24");
}

#[tokio::test]
async fn what_cannot_be_is_refused_at_its_field_and_changes_nothing() {
    let server = server().await;
    let admin = server.admin();
    let before = server.dump().await;
    let page = server.service.rings(&admin).await.unwrap();
    let pilot = &page.rings[0];
    let seen = Some((pilot.id, pilot.version));
    let refused = async |form: RingForm| match server.service.save_ring(&admin, seen, None, &form).await {
        Err(Error::Invalid { field, problem }) => (field, problem),
        other => panic!("{other:?}"),
    };
    let form = |change: fn(&mut RingForm)| {
        let mut form = pilot.form.clone();
        change(&mut form);
        form
    };
    assert_eq!(
        refused(form(|f| f.waves = "5, 3".into())).await,
        (Field::Waves, Problem::NotGrowing)
    );
    assert_eq!(
        refused(form(|f| f.waves = "150 %".into())).await,
        (Field::Waves, Problem::NotGrowing)
    );
    assert_eq!(
        refused(form(|f| f.name = "Production".into())).await,
        (Field::Label, Problem::Taken)
    );
    let group = |change: fn(&mut GroupForm)| {
        let mut form = page.groups[0].form.clone();
        change(&mut form);
        form
    };
    let inside = group(|g| g.parent = Some(GroupId(1)));
    let circle = server.service.save_group(&admin, Some((GroupId(1), 1)), &inside).await;
    assert!(
        matches!(
            circle,
            Err(Error::Invalid {
                field: Field::Parent,
                problem: Problem::Circle
            })
        ),
        "{circle:?}"
    );
    let nowhere = group(|g| g.ring = Some(RingId(77)));
    let nowhere = server.service.save_group(&admin, Some((GroupId(1), 1)), &nowhere).await;
    assert!(
        matches!(nowhere, Err(Error::Invalid { field: Field::Ring, .. })),
        "{nowhere:?}"
    );
    let waits = FleetForm {
        first_minutes: 60,
        longest_minutes: 10,
        ..page.fleet.clone()
    };
    let waits = server
        .service
        .save_fleet_policy(&admin, page.fleet_version, &waits)
        .await;
    assert!(
        matches!(
            waits,
            Err(Error::Invalid {
                field: Field::Wait,
                problem: Problem::Shrinking
            })
        ),
        "{waits:?}"
    );
    assert_eq!(server.dump().await, before);
}

#[tokio::test]
async fn only_who_manages_devices_changes_rings() {
    let server = server().await;
    let page = server.service.rings(&server.admin()).await.unwrap();
    for role in [
        domain::Role::SecurityOfficer,
        domain::Role::PilotUser,
        domain::Role::Auditor,
    ] {
        let actor = Actor { role, ..Actor::host() };
        assert_eq!(server.service.rings(&actor).await.unwrap(), page, "{role} reads it");
        let before = server.dump().await;
        let (ring, group) = (&page.rings[0], &page.groups[0]);
        let tries = [
            server
                .service
                .save_ring(&actor, Some((ring.id, ring.version)), None, &ring.form)
                .await,
            server.service.move_ring(&actor, ring.id, ring.version, false).await,
            server.service.remove_ring(&actor, ring.id, ring.version).await,
            server
                .service
                .save_group(&actor, Some((group.id, group.version)), &group.form)
                .await,
            server.service.remove_group(&actor, group.id, group.version).await,
            server
                .service
                .save_fleet_policy(&actor, page.fleet_version, &page.fleet)
                .await,
        ];
        let place = LocationForm {
            name: "Harbour".into(),
            zone: "UTC".into(),
            rate_kib: None,
            max_in_flight: None,
        };
        let place = server.service.save_location(&actor, None, &place).await;
        let product = server.service.save_product_criticality(&actor, "b", true).await;
        assert!(matches!(
            (place, product),
            (Err(Error::NotAllowed(_)), Err(Error::NotAllowed(_)))
        ));
        for tried in tries {
            assert!(matches!(tried, Err(Error::NotAllowed(_))), "{role}: {tried:?}");
        }
        assert_eq!(server.dump().await, before, "I-7");
    }
}
