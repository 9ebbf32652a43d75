//! Keeps a report below the limit of one message. A device whose report is refused for its size would never be heard of again.

use crate::transport::ROOM;
use protocol::{
    ShortText, limits,
    v1::{Inventory, SourceStatus, Update},
};
use std::collections::BTreeMap;

/// What the server is told of every source when not all of their updates are in the report: what it knows of the others stays as it is.
const LEFT_OUT: &str = "the report is at the limit of one message: not every update is in it";

/// Leaves out what is only shown, then updates that are no security updates, then others; and says so.
pub(super) fn fit(inventory: &mut Inventory) {
    type Text = fn(&mut Update) -> &mut ShortText;
    let shown: [(&str, Text); 3] = [
        ("one-line descriptions", |u| &mut u.summary),
        ("archive sections", |u| &mut u.section),
        ("hashes", |u| &mut u.sha256),
    ];
    for (what, text) in shown {
        if size(inventory) <= ROOM {
            break;
        }
        for update in &mut inventory.updates {
            *text(update) = ShortText::default();
        }
        tracing::warn!("the report is near the limit of one message; the {what} are left out");
    }
    if size(inventory) > ROOM || inventory.updates.len() > limits::MAX_UPDATES {
        leave_out_updates(inventory);
    }
}

/// Whole patches go, so that no order is made of half of one.
fn leave_out_updates(inventory: &mut Inventory) {
    let mut patches: BTreeMap<_, Vec<Update>> = BTreeMap::new();
    let all = inventory.updates.len();
    for update in std::mem::take(&mut inventory.updates) {
        let patch = (update.source.clone(), update.source_version.clone());
        patches.entry(patch).or_default().push(update);
    }
    if inventory.sources.is_empty() {
        let name = ShortText::fit("report");
        inventory.sources.push(SourceStatus { name, error: None });
    }
    for source in &mut inventory.sources {
        source.error.get_or_insert_with(|| ShortText::fit(LEFT_OUT));
    }
    let mut patches: Vec<Vec<Update>> = patches.into_values().collect();
    patches.sort_by_key(|updates| !updates.iter().any(|u| u.security));
    let mut taken = size(inventory);
    for updates in patches {
        // One comma each.
        taken += updates.iter().map(|u| size(u) + 1).sum::<usize>();
        if taken > ROOM || inventory.updates.len() + updates.len() > limits::MAX_UPDATES {
            break;
        }
        inventory.updates.extend(updates);
    }
    inventory.normalize();
    let left_out = all - inventory.updates.len();
    tracing::error!(
        left_out,
        "the report is at the limit of one message; updates are left out"
    );
}

fn size(part: &impl serde::Serialize) -> usize {
    serde_json::to_vec(part).map_or(0, |json| json.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Arch, PackageName, VersionText};
    use protocol::v1::{InstalledPackage, Origin};

    /// A device of so many packages, all with an update; every tenth one is a security update, two make a patch.
    fn device(packages: usize) -> Inventory {
        let (arch, version) = (
            Arch::parse("amd64").unwrap(),
            VersionText::parse("1:24.04.5-1~deb12u3").unwrap(),
        );
        let mut inventory: Inventory = serde_json::from_value(serde_json::json!({
            "host": {
                "hostname": "a", "os_id": "debian", "os_version": "12", "os_name": "Debian", "arch": "amd64", "kernel": "6",
                "time_zone": "Etc/UTC", "boot_id": "b",
            },
            "packages": [], "updates": [], "sources": [{ "name": "bookworm" }],
        }))
        .unwrap();
        for n in 0..packages {
            let name = PackageName::parse(&format!("libpackage-of-a-long-name-{n}")).unwrap();
            let source = PackageName::parse(&format!("source-package-{}", n / 2)).unwrap();
            inventory.packages.push(InstalledPackage {
                name: name.clone(),
                arch: arch.clone(),
                version: version.clone(),
                source: source.clone(),
                source_version: None,
            });
            inventory.updates.push(Update {
                name,
                arch: arch.clone(),
                installed: Some(version.clone()),
                version: version.clone(),
                source,
                source_version: version.clone(),
                origins: vec![Origin {
                    label: ShortText::fit("Debian-Security"),
                    archive: ShortText::fit("oldstable-security"),
                    codename: ShortText::fit("bookworm-security"),
                }],
                size: 1_000_000,
                sha256: ShortText::fit(&"ab".repeat(32)),
                summary: ShortText::fit("one line that says what the package is good for, as they do"),
                section: ShortText::fit("libs"),
                security: n % 20 < 2,
                brake: None,
                previous_in_archive: true,
                brought_by: Vec::new(),
            });
        }
        inventory.normalize();
        inventory
    }

    #[test]
    fn what_is_only_shown_goes_first_and_no_more_than_is_needed() {
        let mut small = device(500);
        fit(&mut small);
        assert_eq!(small, device(500));
        let mut large = device(1_950);
        assert!(size(&large) > limits::MAX_BODY);
        fit(&mut large);
        assert!(size(&large) <= ROOM);
        assert_eq!((large.updates.len(), large.sources[0].error.as_ref()), (1_950, None));
        let first = &large.updates[0];
        assert!(first.summary.as_str().is_empty() && !first.origins.is_empty());
    }

    #[test]
    fn a_report_always_fits_and_says_what_is_not_in_it() {
        for packages in [4_000, 6_000] {
            let mut huge = device(packages);
            fit(&mut huge);
            assert!(size(&huge) <= ROOM && huge.check().is_ok(), "{packages}");
            let security = |i: &Inventory| i.updates.iter().filter(|u| u.security).count();
            assert_eq!(security(&huge), security(&device(packages)), "these are kept");
            assert!(
                huge.updates.len() > 500 && huge.updates.len().is_multiple_of(2),
                "whole patches"
            );
            assert_eq!(huge.sources[0].error.as_ref().map(ShortText::as_str), Some(LEFT_OUT));
            let mut normal = huge.clone();
            normal.normalize();
            assert_eq!(normal, huge);
        }
    }
}
