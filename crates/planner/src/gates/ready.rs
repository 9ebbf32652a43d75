//! The device can take an install: its package manager works, no reboot is owed, there is room, it is not on battery.

use super::Ctx;
use crate::reason::{GateStatus, Reason};
use crate::schedule::Profile;

/// Packages are downloaded and then unpacked, so that the patch needs room for its size several times over.
const UNPACKED_TIMES: u64 = 3;

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    let device = ctx.device;
    let reserve_mib = ctx.profile().map_or(Profile::reserve(), |p| p.disk_reserve_mib);
    let needed_mib = (ctx.pair.download(ctx.patch) / (1024 * 1024))
        .saturating_mul(UNPACKED_TIMES)
        .saturating_add(reserve_mib);
    let reason = if device.manager_broken {
        Reason::ManagerBroken
    } else if let Some(since) = device.reboot_owed {
        Reason::RebootOwed { since }
    } else if device.disk_free_mib < needed_mib {
        Reason::DiskLow {
            free_mib: device.disk_free_mib,
            needed_mib,
            reserve_mib,
        }
    } else if device.on_battery {
        Reason::OnBattery
    } else {
        return GateStatus::OPEN;
    };
    GateStatus::Closed { reason }
}
