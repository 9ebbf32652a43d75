//! Since when a gate stands as it does, when it opens, and by whose act: what its reason already holds, never a guess.

use crate::gates::interval::ROUND;
use crate::reason::{GateStatus, Reason};
use domain::{AccountId, Moment};

impl GateStatus {
    /// Since when the gate stands as it does, where that is known.
    #[must_use]
    pub fn since(&self) -> Option<Moment> {
        match self {
            Self::Open { since: Some(at), .. } => Some(*at),
            Self::Open { note, .. } => note.as_ref().and_then(Reason::since),
            Self::OpensAt { reason, .. } | Self::Closed { reason } => reason.since(),
        }
    }

    /// When time alone opens it.
    #[must_use]
    pub const fn opens(&self) -> Option<Moment> {
        match self {
            Self::OpensAt { at, .. } => Some(*at),
            Self::Open { .. } | Self::Closed { .. } => None,
        }
    }

    /// Whose decision, hold, exception or waiver it is.
    #[must_use]
    pub fn by(&self) -> Option<AccountId> {
        self.reason().and_then(Reason::by)
    }
}

impl Reason {
    /// Since when it is so. Most reasons are found anew at every look and do not know.
    #[must_use]
    pub fn since(&self) -> Option<Moment> {
        match *self {
            Self::Denied { at, .. }
            | Self::Approved { at, .. }
            | Self::SoakPaused { at, .. }
            | Self::Soaked { at, .. }
            | Self::Held { at, .. } => Some(at),
            Self::Soaking { since, .. } | Self::RebootOwed { since } => Some(since),
            Self::InRound { began, .. } => Some(began),
            Self::IntervalNotOver { began, .. } => Some(began + ROUND),
            _ => None,
        }
    }

    /// The person behind it.
    #[must_use]
    pub fn by(&self) -> Option<AccountId> {
        match *self {
            Self::Denied { by, .. }
            | Self::Approved { by, .. }
            | Self::UrgentSkipsSoak { by, .. }
            | Self::UrgentSkipsInterval { by, .. }
            | Self::UrgentSkipsWindows { by, .. }
            | Self::RollbackWaived { by } => Some(by),
            Self::Excepted { owner, .. } => Some(owner),
            Self::Held { by, .. } => by,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::HoldCause;
    use domain::{DecisionId, HoldId, ProfileId, RingId, Span, Urgency};

    #[test]
    fn a_gate_tells_since_when_and_by_whom_only_where_it_is_known() {
        let approved = GateStatus::Open {
            since: Some(Moment(60)),
            note: Some(Reason::Approved {
                decision: DecisionId(1),
                ring: RingId(1),
                by: AccountId(7),
                at: Moment(60),
                urgent: Urgency::Normal,
            }),
        };
        assert_eq!(
            (approved.since(), approved.opens(), approved.by()),
            (Some(Moment(60)), None, Some(AccountId(7)))
        );
        let held = |by| GateStatus::Closed {
            reason: Reason::Held {
                hold: HoldId(1),
                ring: None,
                cause: HoldCause::FirstDevice,
                at: Moment(90),
                by,
            },
        };
        assert_eq!((held(None).since(), held(None).by()), (Some(Moment(90)), None));
        assert_eq!(held(Some(AccountId(2))).by(), Some(AccountId(2)));
        let waits = GateStatus::OpensAt {
            at: Moment(86_400),
            reason: Reason::IntervalNotOver {
                profile: ProfileId(1),
                began: Moment(0),
                every: Span::days(1),
                until: Moment(86_400),
            },
        };
        // Closed since the round was over, not since it began.
        assert_eq!(
            (waits.since(), waits.opens(), waits.by()),
            (Some(Moment(0) + ROUND), Some(Moment(86_400)), None)
        );
        let nothing = GateStatus::Closed { reason: Reason::NoRing };
        assert_eq!((nothing.since(), nothing.opens(), nothing.by()), (None, None, None));
        assert_eq!(GateStatus::OPEN.since(), None);
    }
}
