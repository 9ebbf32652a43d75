//! The way back is known, as far as the device's ring asks for it (RBK-1).

use super::Ctx;
use crate::facts::RollbackPlan;
use crate::policy::RollbackPolicy;
use crate::reason::{GateStatus, Reason};

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    let asks = ctx.ring.map_or(RollbackPolicy::NotRequired, |ring| ring.rollback);
    match (asks, ctx.patch.rollback) {
        (RollbackPolicy::NotRequired, _) => GateStatus::noted(Reason::RollbackNotRequired),
        (RollbackPolicy::Plan | RollbackPolicy::Readiness, RollbackPlan::Missing) => GateStatus::Closed {
            reason: Reason::NoRollbackPlan,
        },
        (RollbackPolicy::Plan | RollbackPolicy::Readiness, RollbackPlan::Waived(by)) => {
            GateStatus::noted(Reason::RollbackWaived { by })
        }
        (RollbackPolicy::Readiness, RollbackPlan::Exists) if ctx.pair.rollback_ready != Some(true) => {
            GateStatus::Closed {
                reason: Reason::RollbackNotReady {
                    said: ctx.pair.rollback_ready,
                },
            }
        }
        (RollbackPolicy::Plan | RollbackPolicy::Readiness, RollbackPlan::Exists) => GateStatus::OPEN,
    }
}
