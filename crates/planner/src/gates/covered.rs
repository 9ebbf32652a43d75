//! The device may be changed, and its release and the patch's category are in the scope of its profile (COV-1, COV-5). Without a profile
//! there is no scope: the gate of the profile's hours says so.

use super::Ctx;
use crate::reason::{GateStatus, Reason};
use domain::DeviceState;

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    let profile = ctx.profile();
    let (release, category) = (ctx.device.os_release, ctx.patch.category);
    let reason = if ctx.device.state != DeviceState::Active {
        Reason::DeviceNotActive {
            state: ctx.device.state,
        }
    } else if ctx.device.scan_only {
        Reason::ScanOnly
    } else if let Some(leaving) = profile.filter(|p| p.coverage.left_out.contains(&release)) {
        Reason::ReleaseLeftOut {
            release,
            profile: leaving.id,
        }
    } else if let Some(narrow) =
        profile.filter(|p| !p.coverage.categories.is_empty() && !p.coverage.categories.contains(&category))
    {
        Reason::CategoryNotCovered {
            category,
            profile: narrow.id,
        }
    } else {
        return GateStatus::OPEN;
    };
    GateStatus::Closed { reason }
}
