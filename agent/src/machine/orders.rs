//! Which orders and permits are looked at at all.

use crate::config::LocalPolicy;
use protocol::{
    ShortText, limits,
    v1::{ActionKind, NotStarted, Order, PackageVersion},
};

/// Whether an order has a shape that the installer knows. An install names a version for every package.
pub(super) fn acceptable(order: &Order) -> bool {
    let count = order.packages.len();
    let mut names: Vec<_> = order.packages.iter().map(|p| (&p.name, &p.arch)).collect();
    names.sort();
    names.dedup();
    (1..=limits::MAX_PATCH_PACKAGES).contains(&count)
        && names.len() == count
        && (order.kind == ActionKind::RollBack || order.packages.iter().all(|p| p.version.is_some()))
}

/// Whether a permit names what the order names.
pub(super) fn same_packages(a: &[PackageVersion], b: &[PackageVersion]) -> bool {
    let sorted = |all: &[PackageVersion]| {
        let mut all = all.to_vec();
        all.sort();
        all
    };
    sorted(a) == sorted(b)
}

/// The owner's own rule that stands against it.
pub(super) fn forbidden(local: LocalPolicy, kind: ActionKind) -> Option<NotStarted> {
    let rule = match kind {
        _ if local.scan_only => "scan_only",
        ActionKind::RollBack if !local.allow_rollback => "allow_rollback",
        ActionKind::Install | ActionKind::RollBack => return None,
    };
    Some(NotStarted::LocalPolicy {
        rule: ShortText::fit(rule),
    })
}
