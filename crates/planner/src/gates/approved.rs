//! Approved for the device's ring. Approvals of other rings do not count (I-1).

use super::Ctx;
use crate::reason::{GateStatus, Reason};

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    let reason = match (ctx.device.ring, ctx.ring, ctx.approval) {
        (None, _, _) => Reason::NoRing,
        (Some(ring), None, _) => Reason::UnknownRing { ring },
        (Some(ring), Some(_), None) => Reason::NotApproved { ring },
        (Some(ring), Some(_), Some((d, urgent))) => {
            let note = Some(Reason::Approved {
                decision: d.id,
                ring,
                by: d.by,
                at: d.at,
                urgent,
            });
            return GateStatus::Open {
                since: Some(d.at),
                note,
            };
        }
    };
    GateStatus::Closed { reason }
}
