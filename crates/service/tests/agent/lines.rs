//! Versions replace each other within one line only: the same source of the same OS release from the same vendor, backports apart.

use crate::support::*;
use domain::PatchState as S;
use protocol::v1::*;

const BEFORE: &str = "18.13.0+dfsg1-1";
const SECURITY: (&str, [&str; 3]) = (
    "18.19.0+dfsg-6~deb12u2",
    ["Debian-Security", "oldstable-security", "bookworm-security"],
);
const UPDATES: (&str, [&str; 3]) = (
    "18.20.4+dfsg-1~deb12u1",
    ["Debian", "oldstable-updates", "bookworm-updates"],
);
const BACKPORT: (&str, [&str; 3]) = (
    "20.11.1+dfsg-1~bpo12+1",
    ["Debian Backports", "oldstable-backports", "bookworm-backports"],
);
const VENDOR: (&str, [&str; 3]) = ("20.19.0-1nodesource1", [". nodistro", "nodistro", "nodistro"]);

/// A device with one version of `nodejs`, which is offered another one, or nothing.
fn nodejs(installed: &str, offered: Option<(&str, [&str; 3])>) -> Inventory {
    let mut scan = inventory(&[("nodejs", installed)], &[]);
    for suite in ["bookworm-updates", "bookworm-backports", "nodistro"] {
        scan.sources.push(SourceStatus {
            name: short(suite),
            error: None,
        });
    }
    if let Some((version, [label, archive, codename])) = offered {
        let mut update = update("nodejs", installed, version, label == "Debian-Security");
        update.origins = vec![Origin {
            label: short(label),
            archive: short(archive),
            codename: short(codename),
        }];
        scan.updates.push(update);
    }
    scan.normalize();
    scan
}

async fn successor(server: &Server, version: &str) -> Option<i64> {
    sqlx::query_scalar("SELECT superseded_by FROM patch WHERE version = ?")
        .bind(version)
        .fetch_one(&mut server.sql().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_backport_or_another_vendor_replaces_nothing_of_the_distribution() {
    let server = server().await;
    let mut one = server.scanned(1, PILOT, nodejs(BEFORE, Some(SECURITY))).await;
    let third = server.scanned(2, PILOT, nodejs(BEFORE, Some(VENDOR))).await;
    let back = server.scanned(3, PILOT, nodejs(BEFORE, Some(BACKPORT))).await;
    let security = server.patch("nodejs", SECURITY.0).await;
    let vendor = server.patch("nodejs", VENDOR.0).await;
    let backport = server.patch("nodejs", BACKPORT.0).await;
    for (version, _) in [SECURITY, BACKPORT, VENDOR] {
        assert_eq!(successor(&server, version).await, None, "{version}");
    }
    // What a device's own policy picks is what concerns it.
    assert_eq!(server.state(&one, security).await, Some(S::Missing));
    assert_eq!(server.state(&third, vendor).await, Some(S::Missing));
    assert_eq!(server.state(&third, security).await, None);
    assert_eq!(server.state(&back, backport).await, Some(S::Missing));
    assert_eq!(server.state(&back, security).await, None);

    // The updates archive goes on where the security archive was.
    let next = server.scanned(4, PILOT, nodejs(BEFORE, Some(UPDATES))).await;
    let updates = server.patch("nodejs", UPDATES.0).await;
    assert_eq!(successor(&server, SECURITY.0).await, Some(updates.0));
    assert_eq!(server.state(&next, security).await, Some(S::Superseded));
    for (version, _) in [UPDATES, BACKPORT, VENDOR] {
        assert_eq!(successor(&server, version).await, None, "{version}");
    }
    // An approval of another line's version is none of a successor.
    server.approve(security, PILOT).await;
    server.approve(vendor, PILOT).await;
    server.approve(backport, PILOT).await;
    one.permit(&server, security).await;
    server.recount().await;
}

#[tokio::test]
async fn what_is_installed_counts_for_its_own_line() {
    let server = server().await;
    let mut one = server.scanned(1, PILOT, nodejs(BEFORE, Some(SECURITY))).await;
    server.scanned(2, PILOT, nodejs(BEFORE, Some(VENDOR))).await;
    server.scanned(3, PILOT, nodejs(BEFORE, Some(BACKPORT))).await;
    let security = server.patch("nodejs", SECURITY.0).await;
    let vendor = server.patch("nodejs", VENDOR.0).await;
    let backport = server.patch("nodejs", BACKPORT.0).await;

    // Later versions of the three lines, none of which any device was ever offered.
    let own = server.scanned(4, PILOT, nodejs("18.20.4+dfsg-1~deb12u2", None)).await;
    assert_eq!(server.state(&own, security).await, Some(S::InstalledBySuperseding));
    assert_eq!(server.state(&own, backport).await, None);
    assert_eq!(
        server.state(&own, vendor).await,
        None,
        "the distribution's version is none of the vendor's"
    );
    let newer = server.scanned(5, PILOT, nodejs("20.18.1+dfsg-2~bpo12+1", None)).await;
    assert_eq!(server.state(&newer, backport).await, Some(S::InstalledBySuperseding));
    assert_eq!(server.state(&newer, security).await, None);
    let third = server.scanned(6, PILOT, nodejs(VENDOR.0, None)).await;
    assert_eq!(server.state(&third, vendor).await, Some(S::Installed));
    assert_eq!(server.state(&third, security).await, None);

    // The device goes over to the vendor's line: the distribution's update concerns it no more, and was not replaced.
    one.report(&server, nodejs(BEFORE, Some(VENDOR))).await;
    assert_eq!(server.state(&one, security).await, Some(S::NotApplicable));
    one.report(&server, nodejs(VENDOR.0, None)).await;
    assert_eq!(server.state(&one, security).await, Some(S::NotApplicable));
    assert_eq!(server.state(&one, vendor).await, Some(S::Installed));
    server.recount().await;
}

#[tokio::test]
async fn what_another_line_had_offered_stays_while_its_source_cannot_be_read() {
    let server = server().await;
    let mut device = server.scanned(1, PILOT, nodejs(BEFORE, Some(BACKPORT))).await;
    let backport = server.patch("nodejs", BACKPORT.0).await;
    let mut blind = nodejs(BEFORE, None);
    let source = blind
        .sources
        .iter_mut()
        .find(|s| s.name.as_str() == "bookworm-backports");
    source.unwrap().error = Some(short("404"));
    device.report(&server, blind).await;
    assert_eq!(server.state(&device, backport).await, Some(S::Missing));
    device.report(&server, nodejs(BEFORE, None)).await;
    assert_eq!(server.state(&device, backport).await, Some(S::NotApplicable));
    server.recount().await;
}

#[tokio::test]
async fn the_device_says_whose_version_it_has() {
    let server = server().await;
    server.scanned(1, PILOT, nodejs(BEFORE, Some(SECURITY))).await;
    server.scanned(2, PILOT, nodejs(BEFORE, Some(VENDOR))).await;
    let (security, vendor) = (
        server.patch("nodejs", SECURITY.0).await,
        server.patch("nodejs", VENDOR.0).await,
    );
    // Set up from the vendor's archive at a version that no device was ever offered.
    let mut scan = nodejs("22.14.0-1nodesource1", None);
    scan.foreign = vec![Foreign {
        source: domain::PackageName::parse("nodejs").unwrap(),
        version: domain::VersionText::parse("22.14.0-1nodesource1").unwrap(),
        origin: Origin {
            label: short(VENDOR.1[0]),
            archive: short(VENDOR.1[1]),
            codename: short(VENDOR.1[2]),
        },
    }];
    let device = server.scanned(3, PILOT, scan).await;
    assert_eq!(server.state(&device, security).await, None);
    assert_eq!(server.state(&device, vendor).await, Some(S::InstalledBySuperseding));
    server.recount().await;
}

/// A database in which an earlier version had compared versions across lines.
#[tokio::test]
async fn wrong_successors_are_put_right_when_the_catalog_is_read() {
    let server = server().await;
    let mut one = server.scanned(1, PILOT, nodejs(BEFORE, Some(SECURITY))).await;
    server.scanned(2, PILOT, nodejs(BEFORE, Some(VENDOR))).await;
    let (security, vendor) = (
        server.patch("nodejs", SECURITY.0).await,
        server.patch("nodejs", VENDOR.0).await,
    );
    sqlx::query("UPDATE patch SET superseded_by = ? WHERE id = ?")
        .bind(vendor.0)
        .bind(security.0)
        .execute(&mut server.sql().await)
        .await
        .unwrap();
    let server = server.restart().await;
    one.report(&server, nodejs(BEFORE, Some(SECURITY))).await;
    assert_eq!(successor(&server, SECURITY.0).await, None);
}

fn phased(percent: u8) -> Option<Brake> {
    Some(Brake::Phased { percent })
}

/// What the device's engine has against `a` at this version, and whether the report is a change of the last one.
async fn tell(server: &Server, device: &mut Device, to: &str, brake: Option<Brake>, delta: bool) {
    let mut scan = inventory(&[("a", "1")], &[("a", to, false)]);
    scan.updates[0].brake = brake;
    if delta {
        assert_eq!(device.report_delta(server, scan).await.status, 200);
    } else {
        device.report(server, scan).await;
    }
}

#[tokio::test]
async fn what_keeps_a_package_back_is_told_by_every_kind_of_report_while_it_is_true() {
    for delta in [false, true] {
        let server = server().await;
        let mut device = server
            .scanned(1, PILOT, inventory(&[("a", "1")], &[("a", "2", false)]))
            .await;
        let first = server.patch("a", "2").await;
        server.approve(first, PILOT).await;
        for (brake, word) in [
            (phased(20), "20 %"),
            (phased(60), "60 %"),
            (Some(Brake::Pinned { priority: -1 }), "pin"),
            (Some(Brake::Held), "held"),
        ] {
            tell(&server, &mut device, "2", brake.clone(), delta).await;
            let (gate, reason, _) = device.refusal(&server, first).await;
            assert_eq!(gate, "applicable");
            assert!(reason.contains(word), "{reason}");
            assert!(device.check_in(&server).await.orders.is_empty(), "{brake:?}");
        }
        // A newer version is there, which nobody has approved: the older one is still held, as the package is.
        tell(&server, &mut device, "3", Some(Brake::Held), delta).await;
        assert_eq!(server.state(&device, first).await, Some(S::Superseded));
        let (gate, reason, _) = device.refusal(&server, first).await;
        assert!(gate == "applicable" && reason.contains("held"), "{gate}: {reason}");
        assert!(device.check_in(&server).await.orders.is_empty());
        // The hold is gone.
        tell(&server, &mut device, "3", None, delta).await;
        assert_eq!(device.check_in(&server).await.orders.len(), 1);
        device.permit(&server, first).await;
    }
}

#[tokio::test]
async fn a_version_that_was_being_phased_in_stays_so_when_a_newer_one_replaces_it() {
    let server = server().await;
    let mut device = server
        .scanned(1, PILOT, inventory(&[("a", "1")], &[("a", "2", false)]))
        .await;
    let first = server.patch("a", "2").await;
    server.approve(first, PILOT).await;
    tell(&server, &mut device, "2", phased(30), true).await;
    tell(&server, &mut device, "3", phased(0), true).await;
    let (gate, reason, _) = device.refusal(&server, first).await;
    assert!(gate == "applicable" && reason.contains("30 %"), "{gate}: {reason}");
    // Offered again to everybody.
    tell(&server, &mut device, "2", None, true).await;
    device.permit(&server, first).await;
}
