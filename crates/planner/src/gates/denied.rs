//! Nobody denied it for the device's ring, it was not taken back here (I-33), and no exception covers it.

use super::Ctx;
use crate::facts::DecisionKind;
use crate::policy::{Exception, ExceptionFor, ExceptionOf};
use crate::reason::{GateStatus, Reason};

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    let denial = ctx
        .patch
        .decisions
        .iter()
        .filter(|d| d.kind == DecisionKind::Deny && Some(d.ring) == ctx.device.ring)
        .min_by_key(|d| (d.at, d.id));
    if let Some(d) = denial {
        return GateStatus::Closed {
            reason: Reason::Denied {
                decision: d.id,
                ring: d.ring,
                by: d.by,
                at: d.at,
            },
        };
    }
    if ctx.pair.rolled_back_block {
        return GateStatus::Closed {
            reason: Reason::RolledBackHere,
        };
    }
    // The one that lasts longest, so that the moment given is the true one.
    let exceptions = ctx.policy.policy().exceptions.iter();
    match exceptions
        .filter(|e| e.expires > ctx.now && covers(ctx, e))
        .max_by_key(|e| (e.expires, std::cmp::Reverse(e.id)))
    {
        Some(e) => GateStatus::OpensAt {
            at: e.expires,
            reason: Reason::Excepted {
                exception: e.id,
                owner: e.owner,
                until: e.expires,
            },
        },
        None => GateStatus::OPEN,
    }
}

fn covers(ctx: &Ctx, exception: &Exception) -> bool {
    let there = match exception.covers {
        ExceptionFor::Device(id) => ctx.device.id == id,
        ExceptionFor::Group(id) => ctx.policy.lies_in(ctx.device, id),
        ExceptionFor::All => true,
    };
    there
        && match exception.of {
            ExceptionOf::Patch(id) => ctx.patch.id == id,
            ExceptionOf::Product(id) => ctx.patch.product == Some(id),
        }
}
