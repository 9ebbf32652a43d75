//! The package lies in the patch cache with a hash that a vendor-signed index names, as far as the policy asks for it (MED-1).

use super::Ctx;
use crate::facts::PackageFact;
use crate::policy::PackagePolicy;
use crate::reason::{GateStatus, Reason};

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    match (ctx.policy.policy().package, ctx.patch.package) {
        (PackagePolicy::NotRequired, _) => GateStatus::noted(Reason::PackageNotRequired),
        (PackagePolicy::Required, PackageFact::AtHand { since }) => GateStatus::Open {
            since: Some(since),
            note: None,
        },
        (PackagePolicy::Required, PackageFact::Fetching) => GateStatus::Closed {
            reason: Reason::PackageFetching,
        },
        (PackagePolicy::Required, PackageFact::Missing) => GateStatus::Closed {
            reason: Reason::PackageMissing,
        },
    }
}
