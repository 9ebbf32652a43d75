//! Binaries whose version is not that of their source: rebuilt ones (`1.2-3+b1` of `1.2-3`), and those that count with another epoch.

use crate::support::*;
use domain::{PackageName, PatchState as S, VersionText};
use protocol::v1::*;

fn version(text: &str) -> VersionText {
    VersionText::parse(text).unwrap()
}

fn source_version(binary: &str) -> VersionText {
    let text = binary.split_once(':').map_or(binary, |(_, rest)| rest);
    version(text.split_once("+b").map_or(text, |(source, _)| source))
}

/// A device with one version of the source `foo`'s only binary, which is offered another one, or nothing.
fn foo(installed: &str, offered: Option<&str>) -> Inventory {
    let mut scan = inventory(&[("libfoo1", installed)], &[]);
    let pkg = PackageName::parse("foo").unwrap();
    scan.packages[0].source = pkg.clone();
    scan.packages[0].source_version = Some(source_version(installed)).filter(|v| v.as_str() != installed);
    if let Some(to) = offered {
        let mut update = update("libfoo1", installed, to, true);
        (update.source, update.source_version) = (pkg, source_version(to));
        scan.updates.push(update);
    }
    scan.normalize();
    scan
}

async fn proven(server: &Server) -> i64 {
    server
        .number("SELECT count(*) FROM attempt WHERE state = 3 AND proven_at IS NOT NULL")
        .await
}

#[tokio::test]
async fn the_versions_of_the_permit_are_what_proves_an_install() {
    let server = server().await;
    let binaries = ["1.2-3+b1", "1.2-3+b2", "1:1.2-3"];
    let mut devices = Vec::new();
    for (seed, binary) in (1..).zip(binaries) {
        let before = if binary.starts_with("1:") { "1:1.2-2" } else { "1.2-2" };
        devices.push(server.scanned(seed, PILOT, foo(before, Some(binary))).await);
    }
    let patch = server.patch("foo", "1.2-3").await;
    assert_eq!(
        server.number("SELECT count(*) FROM patch").await,
        1,
        "one source at one version"
    );
    server.approve(patch, PILOT).await;
    for (n, (device, binary)) in (1..).zip(devices.iter_mut().zip(binaries)) {
        let permit = device.permit(&server, patch).await;
        assert_eq!(permit.packages[0].version, Some(version(binary)));
        device.start(&server, &permit).await;
        device.finish(&server, &permit, Outcome::Succeeded).await;
        assert_eq!(server.state(device, patch).await, Some(S::Installed), "{binary}");
        assert_eq!(device.report_delta(&server, foo(binary, None)).await.status, 200);
        assert_eq!(server.state(device, patch).await, Some(S::Installed), "{binary}");
        assert_eq!(proven(&server).await, n, "{binary}");
    }
    assert_eq!(server.number("SELECT count(*) FROM hold").await, 0);
    server.recount().await;
}

#[tokio::test]
async fn a_later_rebuild_takes_no_proof_away() {
    let server = server().await;
    let mut device = server.scanned(1, PILOT, foo("1.2-2", Some("1.2-3+b1"))).await;
    let patch = server.patch("foo", "1.2-3").await;
    server.approve(patch, PILOT).await;
    let permit = device.permit(&server, patch).await;
    device.start(&server, &permit).await;
    device.finish(&server, &permit, Outcome::Succeeded).await;
    // Rebuilt once more before the device was looked at.
    let scan = foo("1.2-3+b1", Some("1.2-3+b2"));
    assert_eq!(device.report_delta(&server, scan).await.status, 200);
    assert_eq!(proven(&server).await, 1);
    assert_eq!(
        server.state(&device, patch).await,
        Some(S::Missing),
        "not failed: the rebuild is there to have"
    );
    assert_eq!(server.number("SELECT count(*) FROM hold").await, 0);
}

#[tokio::test]
async fn what_was_not_permitted_is_no_success() {
    let server = server().await;
    let mut device = server.scanned(1, PILOT, foo("1.2-2", Some("1.2-3+b2"))).await;
    let patch = server.patch("foo", "1.2-3").await;
    server.approve(patch, PILOT).await;
    let permit = device.permit(&server, patch).await;
    device.start(&server, &permit).await;
    let mut other = permit.clone();
    other.packages[0].version = Some(version("1.2-3+b1"));
    device.finish(&server, &other, Outcome::Succeeded).await;
    assert_eq!(
        server.state(&device, patch).await,
        Some(S::Failed),
        "DESIGN principle 9"
    );
}
