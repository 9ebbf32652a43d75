//! Failed attempts leave room for another one: back-off doubles, and after the last try a person must look: the count starts
//! anew when a hold of the patch is resolved with a note.

use super::Ctx;
use crate::reason::{GateStatus, Reason};

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    let (policy, failed) = (ctx.policy.policy().retry, ctx.pair.attempts_failed);
    if failed == 0 {
        return GateStatus::OPEN;
    }
    if failed >= policy.max {
        return GateStatus::Closed {
            reason: Reason::RetriesUsed {
                failed,
                max: policy.max,
            },
        };
    }
    // A failure without a moment cannot be waited out.
    let Some(last) = ctx.pair.last_failed else {
        return GateStatus::OPEN;
    };
    let until = last + policy.wait_after(failed);
    if ctx.now < until {
        GateStatus::OpensAt {
            at: until,
            reason: Reason::BackOff {
                failed,
                max: policy.max,
                until,
            },
        }
    } else {
        GateStatus::Open {
            since: Some(until),
            note: None,
        }
    }
}
