//! Reports: what a scan makes of the catalog and of the states.

use crate::support::*;
use domain::{PatchState as S, Span};
use protocol::v1::*;

#[tokio::test]
async fn a_patch_is_a_source_at_a_version_and_its_packages_belong_to_it() {
    let server = server().await;
    let mut scan = inventory(
        &[("openssl", "1"), ("libssl3", "1")],
        &[("openssl", "2", true), ("libssl3", "2", false)],
    );
    for u in scan.updates.iter_mut() {
        u.source = domain::PackageName::parse("openssl").unwrap();
    }
    for p in scan.packages.iter_mut() {
        p.source = domain::PackageName::parse("openssl").unwrap();
    }
    let mut fresh = update("libnew", "0", "2", false);
    (fresh.installed, fresh.source) = (None, domain::PackageName::parse("openssl").unwrap());
    let mut stray = update("stray", "0", "9", false);
    stray.installed = None;
    scan.updates.extend([fresh, stray]);
    let device = server.scanned(1, PILOT, scan).await;
    assert_eq!(
        server.number("SELECT count(*) FROM patch").await,
        1,
        "what only comes in with something else is no patch"
    );
    let patch = server.patch("openssl", "2").await;
    assert_eq!(server.number("SELECT count(*) FROM patch_package").await, 3);
    assert_eq!(server.number("SELECT size FROM patch").await, 3_000);
    assert_eq!(
        server
            .number("SELECT fresh FROM patch_package WHERE name = 'libnew'")
            .await,
        1
    );
    assert_eq!(
        server
            .number("SELECT category FROM patch WHERE origin = 'Debian-Security bookworm-security'")
            .await,
        1
    );
    assert_eq!(server.number("SELECT severity FROM patch").await, 0, "never invented");
    assert_eq!(server.state(&device, patch).await, Some(S::Missing));
    server.recount().await;
}

#[tokio::test]
async fn installed_counts_are_real_and_newer_versions_replace_older_ones_in_any_order() {
    let server = server().await;
    let old = server
        .scanned(1, PILOT, inventory(&[("a", "1.9")], &[("a", "1.10", true)]))
        .await;
    let has = server.scanned(2, PILOT, inventory(&[("a", "1.10")], &[])).await;
    let newer = server.scanned(3, PILOT, inventory(&[("a", "1.11")], &[])).await;
    let first = server.patch("a", "1.10").await;
    assert_eq!(server.state(&old, first).await, Some(S::Missing));
    assert_eq!(server.state(&has, first).await, Some(S::Installed));
    assert_eq!(server.state(&newer, first).await, Some(S::InstalledBySuperseding));

    let mut fourth = server
        .scanned(4, PILOT, inventory(&[("a", "1.9")], &[("a", "1.12~rc1", false)]))
        .await;
    let second = server.patch("a", "1.12~rc1").await;
    assert_eq!(
        server
            .number("SELECT superseded_by FROM patch WHERE version = '1.10'")
            .await,
        second.0
    );
    assert_eq!(server.state(&fourth, first).await, Some(S::Superseded));
    // An older one that is seen later does not replace anything.
    server
        .scanned(5, PILOT, inventory(&[("a", "1.8")], &[("a", "1.9", false)]))
        .await;
    assert_eq!(
        server
            .number("SELECT superseded_by FROM patch WHERE version = '1.9'")
            .await,
        second.0
    );
    assert_eq!(
        server
            .number("SELECT superseded_by FROM patch WHERE version = '1.12~rc1'")
            .await,
        -1
    );
    fourth.report(&server, inventory(&[("a", "1.12~rc1")], &[])).await;
    assert_eq!(server.state(&fourth, first).await, Some(S::InstalledBySuperseding));
    assert_eq!(server.state(&fourth, second).await, Some(S::Installed));
    fourth.report(&server, inventory(&[("b", "1")], &[])).await;
    assert_eq!(server.state(&fourth, second).await, Some(S::NotApplicable));
    server.recount().await;
}

#[tokio::test]
async fn a_source_that_could_not_be_read_clears_nothing_it_had_found() {
    let server = server().await;
    let packages = [("a", "1"), ("b", "1")];
    let mut device = server
        .scanned(1, PILOT, inventory(&packages, &[("a", "2", true), ("b", "2", false)]))
        .await;
    let (security, other) = (server.patch("a", "2").await, server.patch("b", "2").await);
    let mut blind = inventory(&packages, &[]);
    blind
        .sources
        .iter_mut()
        .find(|s| s.name.as_str() == "bookworm-security")
        .unwrap()
        .error = Some(short("404"));
    device.report(&server, blind).await;
    assert_eq!(server.state(&device, security).await, Some(S::Missing), "DESIGN 1.8");
    assert_eq!(
        server.state(&device, other).await,
        Some(S::NotApplicable),
        "its source was read, and offers it no more"
    );
    device.report(&server, inventory(&packages, &[])).await;
    assert_eq!(server.state(&device, security).await, Some(S::NotApplicable));
    server.recount().await;
}

#[tokio::test]
async fn deltas_lead_to_the_same_rows_and_wrong_ones_are_refused() {
    let server = server().await;
    let scan = inventory(&[("a", "1"), ("b", "1")], &[("a", "2", true)]);
    let mut device = server.scanned(1, PILOT, scan.clone()).await;
    let next = inventory(&[("a", "2"), ("b", "1")], &[("b", "3", false)]);
    assert_eq!(device.report_delta(&server, next.clone()).await.status, 200);
    assert_eq!(
        server.state(&device, server.patch("a", "2").await).await,
        Some(S::Installed)
    );
    assert_eq!(
        server.state(&device, server.patch("b", "3").await).await,
        Some(S::Missing)
    );
    let held = device.inventory.digest();
    let before = server.dump().await;
    // From an inventory that the server does not hold.
    let mut lost = device.clone();
    lost.inventory = scan.clone();
    assert_eq!(
        refused(&lost.report_delta(&server, inventory(&[("a", "9")], &[])).await),
        RefusalCode::DigestMismatch
    );
    device.seq = lost.seq;
    // With a digest that the changes do not lead to.
    let changes = Box::new(InventoryDelta::between(&next, &scan));
    let wrong = Report {
        digest: Digest("0".repeat(64)),
        content: ReportContent::Delta { base: held, changes },
        ..full(&next)
    };
    assert_eq!(
        refused(&device.send(&server, REPORT, wrong).await),
        RefusalCode::DigestMismatch
    );
    let lying = Report {
        digest: next.digest(),
        ..full(&scan)
    };
    assert_eq!(
        refused(&device.send(&server, REPORT, lying).await),
        RefusalCode::DigestMismatch
    );
    assert_eq!(server.dump().await, before);
    server.recount().await;
}

#[tokio::test]
async fn what_owes_a_restart_is_not_done() {
    let server = server().await;
    let packages = [
        ("linux-image-6.1.0-41-amd64", "6.1.150-1"),
        ("libssl3", "3"),
        ("cron", "1"),
    ];
    let offered = [("libssl3", "4", true)];
    let mut device = server.scanned(1, PILOT, inventory(&packages, &offered)).await;
    server
        .scanned(
            2,
            PILOT,
            inventory(
                &[("linux-image-6.1.0-41-amd64", "6.1.1-1")],
                &[("linux-image-6.1.0-41-amd64", "6.1.150-1", true)],
            ),
        )
        .await;
    let mut after = inventory(&[packages[0], ("libssl3", "4"), packages[2]], &[]);
    after.reboot.push(RebootReason::Kernel {
        running: short("6.1.0-40-amd64"),
        installed: short("6.1.0-41-amd64"),
    });
    after.services.push(StaleService {
        unit: short("ssh.service"),
        pid: 7,
        file: short("/usr/lib/x86_64-linux-gnu/libssl.so.3"),
    });
    after.services[0].file = short("/usr/lib/x86_64-linux-gnu/libssl3/x");
    device.report(&server, after.clone()).await;
    let (kernel, ssl) = (
        server.patch("linux-image-6.1.0-41-amd64", "6.1.150-1").await,
        server.patch("libssl3", "4").await,
    );
    assert_eq!(server.state(&device, kernel).await, Some(S::PendingReboot));
    assert_eq!(server.state(&device, ssl).await, Some(S::RestartNeeded));
    let since = server.number("SELECT reboot_since FROM device WHERE id = 1").await;
    server.pass(Span::hours(1));
    device.report(&server, after.clone()).await;
    assert_eq!(
        server.number("SELECT reboot_since FROM device WHERE id = 1").await,
        since,
        "owed since the first sight"
    );
    (after.reboot, after.services) = (Vec::new(), Vec::new());
    device.report(&server, after).await;
    assert_eq!(server.state(&device, kernel).await, Some(S::Installed));
    assert_eq!(server.number("SELECT reboot_since FROM device WHERE id = 1").await, -1);
    server.recount().await;
}

#[tokio::test]
async fn a_security_origin_seen_later_makes_a_security_patch() {
    let server = server().await;
    server
        .scanned(1, PILOT, inventory(&[("a", "1")], &[("a", "2", false)]))
        .await;
    let mut both = inventory(&[("a", "1")], &[("a", "2", true)]);
    let plain = update("a", "1", "2", false).origins.remove(0);
    both.updates[0].origins.push(plain);
    server.scanned(2, PILOT, both).await;
    assert_eq!(
        server.number("SELECT count(*) FROM patch").await,
        1,
        "the same version from the same origin is the same patch"
    );
    assert_eq!(server.number("SELECT category FROM patch").await, 1);
    assert_eq!(server.number("SELECT sum(n_security) FROM device").await, 2);
    // The same version from an origin that nobody shares is another patch: approval never carries over (I-3).
    let mut foreign = inventory(&[("a", "1")], &[("a", "2", false)]);
    foreign.updates[0].origins = vec![Origin {
        label: short("Elsewhere"),
        archive: short("x"),
        codename: short("x"),
    }];
    server.scanned(3, PILOT, foreign).await;
    assert_eq!(server.number("SELECT count(*) FROM patch").await, 2);
    server.recount().await;
}

#[tokio::test]
async fn brakes_are_kept_with_their_reason() {
    let server = server().await;
    let mut held = inventory(&[("a", "1")], &[("a", "2", false)]);
    held.updates[0].brake = Some(Brake::Held);
    let mut device = server.scanned(1, PILOT, held).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    let (gate, reason, _) = device.refusal(&server, patch).await;
    assert_eq!(gate, "applicable", "{reason}");
    assert!(device.check_in(&server).await.orders.is_empty());
    device
        .report(&server, inventory(&[("a", "1")], &[("a", "2", false)]))
        .await;
    assert_eq!(device.check_in(&server).await.orders.len(), 1);
}

#[tokio::test]
async fn silent_devices_are_unknown_until_they_report() {
    let server = server().await;
    let scan = inventory(&[("a", "1"), ("b", "1")], &[("a", "2", true)]);
    let mut device = server.scanned(1, PILOT, scan.clone()).await;
    let patch = server.patch("a", "2").await;
    server.service.tick().await.unwrap();
    assert_eq!(server.state(&device, patch).await, Some(S::Missing));
    server.pass(Span::days(4));
    server.service.tick().await.unwrap();
    assert_eq!(server.state(&device, patch).await, Some(S::Unknown));
    assert_eq!(server.number("SELECT n_unknown FROM patch").await, 1);
    server.recount().await;
    device.check_in(&server).await;
    assert_eq!(
        server.state(&device, patch).await,
        Some(S::Unknown),
        "a contact is no scan"
    );
    device.report(&server, scan).await;
    assert_eq!(server.state(&device, patch).await, Some(S::Missing));
    server.recount().await;
}

#[tokio::test]
async fn another_os_release_has_patches_of_its_own() {
    let server = server().await;
    let mut device = server
        .scanned(1, PILOT, inventory(&[("a", "1")], &[("a", "2", true)]))
        .await;
    let mut upgraded = inventory(&[("a", "1")], &[("a", "2", true)]);
    (upgraded.host.os_version, upgraded.host.os_name) = (short("13"), short("Debian GNU/Linux 13 (trixie)"));
    device.report(&server, upgraded).await;
    assert_eq!(server.number("SELECT count(*) FROM patch WHERE n_missing = 1").await, 1);
    assert_eq!(
        server.number("SELECT count(*) FROM device_patch WHERE state = 1").await,
        1,
        "the old release's patch is not applicable"
    );
    server.recount().await;
}
