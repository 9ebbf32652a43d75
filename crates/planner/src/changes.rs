//! What a change of the policy would move, before it is saved: the planner run on both versions.

use crate::decide::Schedule;
use crate::fleet::{Pair, PlanInput};
use crate::reason::{Decision, Reason, Verdict};
use domain::Moment;

/// What becomes of one pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It may start earlier.
    Earlier {
        /// With the policy as it is.
        before: Moment,
        /// With the new one.
        after: Moment,
    },
    /// It may start later.
    Later {
        /// With the policy as it is.
        before: Moment,
        /// With the new one.
        after: Moment,
    },
    /// Time alone would have opened every gate; no longer.
    NewlyBlocked {
        /// When it might have started.
        before: Moment,
        /// The first gate's reason.
        reason: Reason,
    },
    /// Time alone now opens every gate.
    NewlyPossible {
        /// When it may start.
        after: Moment,
    },
    /// Blocked before and after, by something else first.
    OtherReason {
        /// The first gate's reason with the policy as it is.
        before: Reason,
        /// With the new one.
        after: Reason,
    },
}

/// What `after` would move against `before`, by device and patch: the same pairs under another policy, or devices in other rings. Slots
/// are not compared: they change by the minute.
#[must_use]
pub fn changes(before: &PlanInput, after: &PlanInput) -> Vec<(Pair, Change)> {
    let mut found = Vec::new();
    let mut pairs = before.pairs.iter().peekable();
    for device in before.devices.values() {
        let moved = after.devices.get(&device.id).unwrap_or(device);
        let (old, new) = (Schedule::new(before.policy, device), Schedule::new(after.policy, moved));
        while let Some((pair, facts)) = pairs.next_if(|(pair, _)| pair.0 == device.id) {
            let Some(patch) = before.patches.get(&pair.1) else {
                continue;
            };
            let (old, new) = (
                old.decide(patch, facts, before.now),
                new.decide(patch, facts, before.now),
            );
            if let Some(change) = change(&old, &new, before.now) {
                found.push((*pair, change));
            }
        }
    }
    found
}

fn change(old: &Decision, new: &Decision, now: Moment) -> Option<Change> {
    if matches!(old.verdict, Verdict::Settled { .. }) {
        return None;
    }
    let reason = |decision: &Decision| decision.headline().and_then(|report| report.status.reason().copied());
    match (old.earliest.map(|at| at.max(now)), new.earliest.map(|at| at.max(now))) {
        (Some(before), Some(after)) if after < before => Some(Change::Earlier { before, after }),
        (Some(before), Some(after)) if after > before => Some(Change::Later { before, after }),
        (Some(_), Some(_)) => None,
        (Some(before), None) => reason(new).map(|reason| Change::NewlyBlocked { before, reason }),
        (None, Some(after)) => Some(Change::NewlyPossible { after }),
        (None, None) => match (reason(old), reason(new)) {
            (Some(before), Some(after)) if before != after => Some(Change::OtherReason { before, after }),
            _ => None,
        },
    }
}
