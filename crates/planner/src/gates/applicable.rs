//! The device needs the patch, a scan has seen that, and the device's own engine has nothing against it.

use super::Ctx;
use crate::facts::Brake;
use crate::reason::{GateStatus, Reason};
use domain::PatchState;

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    let state = ctx.pair.state;
    let reason = match state {
        PatchState::Unknown => Reason::NotSeen {
            last_scan: ctx.device.last_scan,
        },
        PatchState::NotApplicable
        | PatchState::InstalledBySuperseding
        | PatchState::PendingReboot
        | PatchState::RestartNeeded
        | PatchState::Installed => Reason::NotNeeded { state },
        PatchState::Downloading | PatchState::Staged | PatchState::Installing => Reason::InProgress { state },
        PatchState::Missing | PatchState::Superseded | PatchState::Failed | PatchState::RolledBack => {
            match ctx.pair.brake {
                Some(Brake::Held) => Reason::HeldOnDevice,
                Some(Brake::Phased { percent }) => Reason::PhasedOnDevice { percent },
                Some(Brake::Pinned) => Reason::PinnedOnDevice,
                None => {
                    return GateStatus::Open {
                        since: ctx.pair.since,
                        note: None,
                    };
                }
            }
        }
    };
    GateStatus::Closed { reason }
}
