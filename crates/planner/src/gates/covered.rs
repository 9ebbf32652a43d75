//! The device may be changed, and its release and the patch's category are in scope (COV-1, COV-5).

use super::Ctx;
use crate::reason::{GateStatus, Reason};
use domain::DeviceState;

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    let coverage = &ctx.policy.policy().coverage;
    let (release, category) = (ctx.device.os_release, ctx.patch.category);
    let reason = if ctx.device.state != DeviceState::Active {
        Reason::DeviceNotActive {
            state: ctx.device.state,
        }
    } else if ctx.device.scan_only {
        Reason::ScanOnly
    } else if !coverage.releases.is_empty() && !coverage.releases.contains(&release) {
        Reason::ReleaseNotCovered { release }
    } else if !coverage.categories.is_empty() && !coverage.categories.contains(&category) {
        Reason::CategoryNotCovered { category }
    } else {
        return GateStatus::OPEN;
    };
    GateStatus::Closed { reason }
}
