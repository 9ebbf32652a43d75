//! Permits: the planner is asked in the transaction that grants, and what it refuses says why and until when.

use crate::support::*;
use domain::{PatchState as S, Span};
use protocol::v1::*;
use service::commands::decide::Verb;

const SCAN: &[(&str, &str)] = &[("a", "1"), ("b", "1")];
const OFFER: &[(&str, &str, bool)] = &[("a", "2", true), ("b", "2", false)];

#[tokio::test]
async fn nothing_starts_without_an_approval_for_its_ring() {
    let server = server().await;
    let mut device = server.scanned(1, PILOT, inventory(SCAN, OFFER)).await;
    let patch = server.patch("a", "2").await;
    assert_eq!(device.refusal(&server, patch).await.0, "approved", "I-1");
    server.approve(patch, PRODUCTION).await;
    assert_eq!(
        device.refusal(&server, patch).await.0,
        "approved",
        "an approval for another ring is none"
    );
    server.approve(patch, PILOT).await;
    let orders = device.check_in(&server).await.orders;
    let permit = device.permit(&server, patch).await;
    assert_eq!(
        orders,
        [Order {
            patch,
            kind: ActionKind::Install,
            packages: permit.packages.clone()
        }]
    );
    assert_eq!(permit.packages.len(), 1, "exactly the approved versions");
    assert_eq!((permit.fence, permit.start_within), (1, 600));
    assert_eq!(
        server
            .number("SELECT count(*) FROM audit WHERE action = 'attempt.permitted'")
            .await,
        1,
        "I-24"
    );
    assert!(
        device.check_in(&server).await.orders.is_empty(),
        "one attempt at a time (I-15)"
    );
    let other = server.patch("b", "2").await;
    server.approve(other, PILOT).await;
    assert_eq!(device.refusal(&server, other).await.0, "slot", "I-15");
}

/// Another boot later is the proof of a restart: one before the permit, told a moment ago and not written yet, is none.
#[tokio::test]
async fn an_attempt_is_of_the_boot_that_the_device_last_told() {
    let (server, mut device, patch) = approved().await;
    device.check_in(&server).await;
    server.service.flush_contacts().await.unwrap();
    let restarted = CheckIn {
        boot_id: short("another"),
        ..device.check_in_message()
    };
    device.send(&server, CHECK_IN, restarted).await;
    device.permit(&server, patch).await;
    let of_it = "SELECT count(*) FROM attempt WHERE boot_id = 'another'";
    assert_eq!(server.number(of_it).await, 1);
    // Its batch changes nothing any more.
    server.service.flush_contacts().await.unwrap();
    let other = "SELECT count(*) FROM attempt a JOIN device d ON d.id = a.device_id AND d.boot_id <> a.boot_id";
    assert_eq!(server.number(other).await, 0);
}

/// The size of a patch adds up what every architecture needs; a device is asked for room for its own packages.
#[tokio::test]
async fn another_architectures_packages_take_no_room_here() {
    let server = server().await;
    let mut device = server.scanned(1, PILOT, inventory(SCAN, OFFER)).await;
    let mut other = inventory(SCAN, OFFER);
    let arch = domain::Arch::parse("arm64").unwrap();
    other.packages.iter_mut().for_each(|p| p.arch = arch.clone());
    for update in &mut other.updates {
        (update.arch, update.size) = (arch.clone(), 1 << 39);
    }
    let mut large = server.scanned(2, PILOT, other).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    assert_eq!(large.refusal(&server, patch).await.0, "device_ready");
    assert_eq!(
        server
            .number("SELECT bytes FROM device_patch WHERE device_id = 1 AND patch_id = 1")
            .await,
        1_000
    );
    let permit = device.permit(&server, patch).await;
    // What is not offered for now is as large as it was.
    device.start(&server, &permit).await;
    let mut unread = inventory(SCAN, &[]);
    unread.sources[1].error = Some(short("not reached"));
    device.report(&server, unread).await;
    assert_eq!(
        server
            .number("SELECT bytes FROM device_patch WHERE device_id = 1 AND patch_id = 1")
            .await,
        1_000
    );
}

#[tokio::test]
async fn the_same_question_has_the_same_permit_while_it_would_be_granted() {
    let server = server().await;
    let mut device = server.scanned(1, PILOT, inventory(SCAN, OFFER)).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    let permit = device.permit(&server, patch).await;
    server.pass(Span(60));
    let again = device.permit(&server, patch).await;
    assert_eq!(
        (again.attempt, again.fence, again.start_within),
        (permit.attempt, permit.fence, 540)
    );
    server.decide(patch, PILOT, Verb::Withdraw).await;
    assert_eq!(
        device.refusal(&server, patch).await.0,
        "approved",
        "I-6: a withdrawal works at once"
    );
    assert_eq!(
        server
            .number("SELECT count(*) FROM attempt WHERE state IN (1, 2)")
            .await,
        0
    );
    server.approve(patch, PILOT).await;
    let third = device.permit(&server, patch).await;
    assert!(third.fence > permit.fence, "I-16");
    server.pass(Span(601));
    assert!(
        device.permit(&server, patch).await.fence > third.fence,
        "a lapsed permit is replaced"
    );
}

#[tokio::test]
async fn production_waits_for_the_soak_and_is_told_until_when() {
    let server = server().await;
    let mut pilot = server.scanned(1, PILOT, inventory(SCAN, OFFER)).await;
    let mut production = server.scanned(2, PRODUCTION, inventory(SCAN, OFFER)).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    server.approve(patch, PRODUCTION).await;
    let (gate, reason, opens_at) = production.refusal(&server, patch).await;
    assert_eq!((gate.as_str(), opens_at), ("soaked", None), "{reason}");
    let permit = pilot.permit(&server, patch).await;
    pilot.start(&server, &permit).await;
    assert_eq!(server.state(&pilot, patch).await, Some(S::Installing));
    pilot.finish(&server, &permit, Outcome::Succeeded).await;
    assert_eq!(server.state(&pilot, patch).await, Some(S::Installed));
    assert_eq!(
        production.refusal(&server, patch).await.2,
        None,
        "no proof yet: a command's word is not enough"
    );
    server.pass(Span::hours(1));
    let scan = installed(&pilot.inventory, &permit.packages);
    pilot.report_delta(&server, scan).await;
    let proven = server.service.now();
    let (gate, reason, opens_at) = production.refusal(&server, patch).await;
    assert_eq!(
        (gate.as_str(), opens_at),
        ("soaked", Some(proven + Span::days(7))),
        "{reason} (I-2)"
    );
    assert!(reason.contains("Pilot"), "{reason}");
    assert_eq!(
        production.check_in(&server).await.notices[0].earliest,
        proven + Span::days(7)
    );
    server.pass(Span(7 * 86_400 - 1));
    assert_eq!(production.refusal(&server, patch).await.0, "soaked");
    server.pass(Span(1));
    assert_eq!(production.check_in(&server).await.orders.len(), 1);
    production.install(&server, patch).await;
    assert_eq!(
        server
            .number("SELECT count(*) FROM device_patch WHERE state = 10 AND ours = 1")
            .await,
        2
    );
    server.recount().await;
}

#[tokio::test]
async fn the_first_device_of_a_ring_goes_alone() {
    let server = server().await;
    let mut first = server.scanned(1, PILOT, inventory(SCAN, OFFER)).await;
    let mut second = server.scanned(2, PILOT, inventory(SCAN, OFFER)).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    let permit = first.permit(&server, patch).await;
    assert_eq!(second.refusal(&server, patch).await.0, "slot", "I-31");
    assert_eq!(
        first.permit(&server, patch).await.attempt,
        permit.attempt,
        "its own permit does not stand in its way"
    );
    first.start(&server, &permit).await;
    first.finish(&server, &permit, Outcome::Succeeded).await;
    second.permit(&server, patch).await;
}

#[tokio::test]
async fn denied_held_scan_only_and_revoked_devices_get_none() {
    let server = server().await;
    let mut device = server.scanned(1, PILOT, inventory(SCAN, OFFER)).await;
    let patch = server.patch("a", "2").await;
    server.decide(patch, PILOT, Verb::Deny).await;
    assert_eq!(device.refusal(&server, patch).await.0, "not_denied");
    server.decide(patch, PILOT, Verb::Withdraw).await;
    server.approve(patch, PILOT).await;
    let officer = server.officer().await;
    let hold = server.service.hold(&officer, patch, "wait").await.unwrap();
    assert_eq!(device.refusal(&server, patch).await.0, "not_held", "I-4");
    server.service.resume(&officer, hold, None, "go on").await.unwrap();
    let permit = device.permit(&server, patch).await;
    assert_eq!(permit.packages.len(), 1);
    server.service.revoke_device(&officer, device.id, "lost").await.unwrap();
    assert_eq!(
        server
            .number("SELECT count(*) FROM attempt WHERE state IN (1, 2)")
            .await,
        0
    );
    let before = server.dump().await;
    let message = PermitRequest {
        patch,
        kind: ActionKind::Install,
        current: Vec::new(),
    };
    assert_eq!(
        refused(&device.send(&server, PERMIT, message).await),
        RefusalCode::Revoked
    );
    let message = device.check_in_message();
    assert_eq!(
        refused(&device.send(&server, CHECK_IN, message).await),
        RefusalCode::Revoked
    );
    assert_eq!(server.dump().await, before);

    let token = server.token(Some(1), true, 1).await;
    let mut watched = Device::new(9);
    let request = EnrollRequest {
        scan_only: true,
        ..watched.enrol_request(&token)
    };
    let reply: EnrollReply = accepted(
        &watched
            .send_raw(&server, ENROLL, &serde_json::to_vec(&request).unwrap())
            .await,
    );
    watched.id = reply.device;
    watched.report(&server, inventory(SCAN, OFFER)).await;
    assert_eq!(watched.refusal(&server, patch).await.0, "covered");
    assert!(watched.check_in(&server).await.orders.is_empty());
}

#[tokio::test]
async fn a_superseded_patch_gives_way_to_its_approved_successor() {
    let server = server().await;
    let mut device = server.scanned(1, PILOT, inventory(SCAN, OFFER)).await;
    let old = server.patch("a", "2").await;
    server.approve(old, PILOT).await;
    server
        .scanned(2, PRODUCTION, inventory(&[("a", "1")], &[("a", "3", true)]))
        .await;
    let new = server.patch("a", "3").await;
    let permit = device.permit(&server, old).await;
    assert_eq!(
        permit.packages[0].version.as_ref().unwrap().as_str(),
        "2",
        "I-3: exactly what was approved"
    );
    server.pass(Span(700));
    server.approve(new, PILOT).await;
    assert_eq!(device.refusal(&server, old).await.0, "not_superseded", "I-34");
}

/// A kernel's meta package needs an image and modules of two other sources that are not there yet: they are shown, ordered and permitted
/// with it, proven by a scan, and taken away again with it. What something else brings in stays out.
#[tokio::test]
async fn new_packages_of_other_sources_come_and_go_with_the_patch_that_needs_them() {
    let name = |text: &str| domain::PackageName::parse(text).unwrap();
    let version = |text: &str| domain::VersionText::parse(text).ok();
    let server = server().await;
    let mut scan = inventory(
        &[("linux-meta", "1"), ("b", "1")],
        &[("linux-meta", "2", true), ("b", "2", false)],
    );
    for (new, source, by) in [
        ("linux-image-2", "linux-signed", vec!["b-meta", "linux-meta"]),
        ("linux-modules-2", "linux", vec!["linux-meta"]),
        ("libnew", "new", vec!["b"]),
        ("stray", "stray", vec![]),
    ] {
        let mut fresh = update(new, "0", "2", false);
        (fresh.installed, fresh.source) = (None, name(source));
        fresh.brought_by = by.into_iter().map(name).collect();
        scan.updates.push(fresh);
    }
    let mut device = server.scanned(1, PILOT, scan.clone()).await;
    assert_eq!(
        server.number("SELECT count(*) FROM patch").await,
        2,
        "none of their own"
    );
    let patch = server.patch("linux-meta", "2").await;
    assert_eq!(
        server
            .number("SELECT size FROM patch WHERE source = 'linux-meta'")
            .await,
        3_000
    );
    assert_eq!(
        server
            .number("SELECT count(*) FROM patch_package WHERE fresh = 1")
            .await,
        3
    );
    server.approve(patch, PILOT).await;
    let orders = device.check_in(&server).await.orders;
    let permit = device.permit(&server, patch).await;
    let names: Vec<&str> = permit.packages.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["linux-meta", "linux-image-2", "linux-modules-2"]);
    assert_eq!(orders[0].packages, permit.packages);

    let mut from = permit.packages.clone();
    from.iter_mut().for_each(|p| p.version = None);
    from[0].version = version("1");
    let started = device.record(&permit, AttemptEvent::Started { from: from.clone() });
    device.results(&server, vec![started]).await;
    device.finish(&server, &permit, Outcome::Succeeded).await;
    let mut after = installed(&scan, &permit.packages);
    for (new, source) in [("linux-image-2", "linux-signed"), ("linux-modules-2", "linux")] {
        let mut package = package(new, "2");
        package.source = name(source);
        after.packages.push(package);
    }
    assert_eq!(device.report_delta(&server, after).await.status, 200);
    assert_eq!(server.state(&device, patch).await, Some(S::Installed));
    assert_eq!(
        server
            .number("SELECT count(*) FROM attempt WHERE proven_at IS NOT NULL")
            .await,
        1
    );

    let officer = server.officer().await;
    let going = server
        .service
        .roll_back(&officer, device.id, patch, "breaks things")
        .await;
    going.unwrap();
    let mut back = device.check_in(&server).await.orders.remove(0).packages;
    back.sort();
    from.sort();
    assert_eq!(back, from);
    assert_eq!(device.report_delta(&server, scan).await.status, 200);
    assert_eq!(server.state(&device, patch).await, Some(S::RolledBack));
    server.recount().await;
}
