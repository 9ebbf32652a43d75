//! Failed attempts leave room for another one: back-off doubles, and after the last try a person must look: the count starts anew when a hold
//! of the patch is resolved with a note, or when a person gives the device its tries anew. A device that got leave and did not start waits as
//! well, but is never given up.

use super::Ctx;
use crate::reason::{GateStatus, Reason};
use domain::Moment;

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    let (policy, failed) = (ctx.policy.policy().retry, ctx.pair.attempts_failed);
    if failed > 0 && failed >= policy.max {
        return GateStatus::Closed {
            reason: Reason::RetriesUsed {
                failed,
                max: policy.max,
            },
        };
    }
    // A failure without a moment cannot be waited out.
    let after_failure = ctx.pair.last_failed.filter(|_| failed > 0).map(|last| {
        let until = last + policy.wait_after(failed);
        let reason = Reason::BackOff {
            failed,
            max: policy.max,
            until,
        };
        (until, reason)
    });
    let times = ctx.pair.not_started;
    let not_started = ctx.pair.last_not_started.filter(|_| times > 0).map(|last| {
        let until = last + policy.wait_unstarted(times);
        (until, Reason::NotStarted { times, until })
    });
    after_failure
        .into_iter()
        .chain(not_started)
        .max_by_key(|(until, _)| *until)
        .map_or(GateStatus::OPEN, |(until, reason)| opens(ctx.now, until, reason))
}

const fn opens(now: Moment, until: Moment, reason: Reason) -> GateStatus {
    if now.0 < until.0 {
        GateStatus::OpensAt { at: until, reason }
    } else {
        GateStatus::Open {
            since: Some(until),
            note: None,
        }
    }
}
