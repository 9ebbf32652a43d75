//! A superseded patch is not started where its successor is approved (I-34). Where it is not, the older one is better than nothing.

use super::Ctx;
use crate::reason::{GateStatus, Reason};

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    match (ctx.patch.superseded_by, ctx.device.ring) {
        (None, _) => GateStatus::OPEN,
        (Some(by), Some(ring)) if ctx.patch.successor_approved.contains(&ring) => GateStatus::Closed {
            reason: Reason::Superseded { by },
        },
        (Some(by), _) => GateStatus::noted(Reason::SuccessorNotApproved { by }),
    }
}
