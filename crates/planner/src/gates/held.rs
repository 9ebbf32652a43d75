//! Nothing stops the rollout. A hold of a ring stops that ring and every later one, because what pilots suffer must not reach production (I-4, PIL-2).

use super::Ctx;
use crate::facts::HoldFact;
use crate::reason::{GateStatus, Reason};

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    match ctx
        .patch
        .holds
        .iter()
        .filter(|hold| stops(ctx, hold))
        .min_by_key(|hold| (hold.at, hold.id))
    {
        Some(h) => GateStatus::Closed {
            reason: Reason::Held {
                hold: h.id,
                ring: h.ring,
                cause: h.cause,
                at: h.at,
                by: h.by,
            },
        },
        None => GateStatus::OPEN,
    }
}

/// A hold of a ring that the policy does not know stops everybody: better late than wrong.
fn stops(ctx: &Ctx, hold: &HoldFact) -> bool {
    match (hold.ring.and_then(|ring| ctx.policy.ring(ring)), ctx.ring) {
        (Some(held), Some(own)) => held.id == own.id || held.position < own.position,
        (None, _) | (_, None) => true,
    }
}
