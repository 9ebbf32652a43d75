//! What a pilot's success says, and of which OS release.

use crate::support::*;
use domain::Span;
use protocol::v1::*;

/// The same device after an upgrade to Debian 13, which offers `a` at `offered`.
fn upgraded(a: &str, offered: Option<&str>) -> Inventory {
    let offers: Vec<(&str, &str, bool)> = offered.map(|version| ("a", version, true)).into_iter().collect();
    let mut scan = inventory(&[("a", a)], &offers);
    (scan.host.os_version, scan.host.os_codename) = (short("13"), short("trixie"));
    scan.host.os_name = short("Debian GNU/Linux 13 (trixie)");
    for origin in scan.updates.iter_mut().flat_map(|u| &mut u.origins) {
        (origin.archive, origin.codename) = (short("stable-security"), short("trixie-security"));
    }
    scan
}

#[tokio::test]
async fn a_success_counts_for_the_release_it_was_on_and_for_no_other() {
    let server = server().await;
    let bookworm = || inventory(&[("a", "1")], &[("a", "2", true)]);
    let mut pilot = server.scanned(1, PILOT, bookworm()).await;
    let mut production = server.scanned(2, PRODUCTION, bookworm()).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    server.approve(patch, PRODUCTION).await;
    pilot.install(&server, patch).await;
    server.pass(Span::hours(1));

    // The pilot goes on to the next release, which has the same version of the same source on offer elsewhere.
    pilot.report(&server, upgraded("2", None)).await;
    let mut next = server.scanned(3, PRODUCTION, upgraded("1", Some("2"))).await;
    let theirs = domain::PatchId(server.number("SELECT max(id) FROM patch").await);
    assert_ne!(theirs, patch);
    server.approve(theirs, PILOT).await;
    server.approve(theirs, PRODUCTION).await;

    server.pass(Span::days(8));
    production.report(&server, bookworm()).await;
    next.report(&server, upgraded("1", Some("2"))).await;
    // What the pilot showed was shown on the old release, and stays shown.
    production.permit(&server, patch).await;
    let (gate, reason, _) = next.refusal(&server, theirs).await;
    assert_eq!(gate, "soaked", "I-2: {reason}");
    assert_eq!(
        server
            .number("SELECT count(*) FROM attempt WHERE proven_at IS NOT NULL")
            .await,
        1
    );
}

#[tokio::test]
async fn the_boot_of_an_upgraded_system_is_no_reboot_of_the_old_one() {
    let server = server().await;
    let bookworm = || inventory(&[("a", "1")], &[("a", "2", true)]);
    let mut pilot = server.scanned(1, PILOT, bookworm()).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    pilot.install(&server, patch).await;
    let mut conn = server.sql().await;
    let before = service::store::evidence::evidence(&mut conn, patch).await.unwrap();
    assert_eq!((before[0].proven, before[0].rebooted, before.len()), (1, 0, 1));
    let mut scan = upgraded("2", None);
    scan.host.boot_id = short("another boot");
    pilot.report(&server, scan).await;
    let after = service::store::evidence::evidence(&mut conn, patch).await.unwrap();
    assert_eq!(after, before, "still of the release of the patch");
}
