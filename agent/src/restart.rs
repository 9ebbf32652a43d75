//! The restart that the end of an attempt asks for: owed, then ordered once at most, then seen or given up. The journal holds every step,
//! so that neither another life of the agent nor another boot of the device orders it again.
//!
//! How long a restart takes is measured from the order to the agent's next start, in another boot. No clock but the wall clock runs
//! through a restart; where it is set meanwhile, the measure is wrong by that, and bounded by the planner.

use crate::machine::{RESTART_WITHIN, Restart as Found};
use domain::{Measured, Moment, Span};
use protocol::ShortText;
use serde::{Deserialize, Serialize};

/// How long after the end of its attempt a restart may still be ordered. Later, the window that allowed it may be over, and people work.
pub const OWED_FOR: Span = Span::hours(1);

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum Step {
    /// The attempt's permit allows it and what was installed needs it.
    Owed,
    /// The system was told to restart, or was about to be.
    Ordered,
    /// The agent came back in another boot.
    Seen,
    /// It did not come.
    Missed {
        /// In words.
        why: ShortText,
    },
}

/// The restart that the end of an attempt asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// Record of the attempt's end.
    pub of: String,
    /// The boot that it is to end.
    pub boot_id: String,
    /// When it came to this step, by the device's clock.
    pub at: Moment,
    /// How far it is.
    #[serde(flatten)]
    pub step: Step,
}

impl Restart {
    /// What a new life has to do about it.
    #[must_use]
    pub fn found(&self, now: Moment, boot_id: &str) -> Found {
        match self.step {
            Step::Owed if self.boot_id == boot_id && now.since(self.at) > OWED_FOR => Found::Late,
            Step::Owed if self.boot_id == boot_id => Found::Owed,
            Step::Ordered if self.boot_id == boot_id => Found::Ordered {
                left: RESTART_WITHIN.min((self.at + RESTART_WITHIN).since(now)).max(Span(0)),
            },
            Step::Ordered => Found::Over { took: self.took(now) },
            // Whoever restarted the device did what was owed.
            Step::Owed | Step::Seen | Step::Missed { .. } => Found::Nothing,
        }
    }

    /// How long it took, seen from another boot; `None` for what cannot be: the clock was set, or somebody restarted it later.
    fn took(&self, now: Moment) -> Option<Span> {
        Some(now.since(self.at)).filter(|took| Measured::is_restart(*took))
    }

    /// The same at another step.
    #[must_use]
    pub fn at(&self, step: Step, now: Moment) -> Self {
        Self {
            at: now,
            step,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restart(step: Step) -> Restart {
        Restart {
            of: "e".repeat(32),
            boot_id: "a".to_owned(),
            at: Moment(10_000),
            step,
        }
    }

    #[test]
    fn what_is_owed_is_done_soon_and_in_the_same_boot_only() {
        let owed = restart(Step::Owed);
        assert_eq!(owed.found(owed.at + OWED_FOR, "a"), Found::Owed);
        assert_eq!(owed.found(owed.at + OWED_FOR + Span(1), "a"), Found::Late);
        assert_eq!(owed.found(Moment(20_000), "b"), Found::Nothing, "somebody restarted it");
    }

    #[test]
    fn what_was_ordered_is_waited_for_in_the_same_boot_and_over_in_another() {
        let ordered = restart(Step::Ordered);
        let left = |now| ordered.found(Moment(now), "a");
        assert_eq!(left(10_000), Found::Ordered { left: RESTART_WITHIN });
        let minute_less = Span(RESTART_WITHIN.0 - 60);
        assert_eq!(left(10_060), Found::Ordered { left: minute_less });
        assert_eq!(left(99_000), Found::Ordered { left: Span(0) }, "long ago");
        assert_eq!(
            left(9_000),
            Found::Ordered { left: RESTART_WITHIN },
            "the clock was set back"
        );
        let took = Some(Span(95));
        assert_eq!(ordered.found(Moment(10_095), "b"), Found::Over { took });
        for step in [
            Step::Seen,
            Step::Missed {
                why: ShortText::default(),
            },
        ] {
            assert_eq!(restart(step.clone()).found(Moment(10_095), "a"), Found::Nothing);
            assert_eq!(restart(step).found(Moment(10_095), "b"), Found::Nothing);
        }
    }

    #[test]
    fn what_a_set_clock_or_a_person_made_of_it_is_no_measure() {
        let ordered = restart(Step::Ordered);
        let took = |now| ordered.found(now, "b");
        assert_eq!(took(Moment(9_000)), Found::Over { took: None });
        let most = Measured::LONGEST_RESTART;
        assert_eq!(took(Moment(10_000) + most + Span(1)), Found::Over { took: None });
        assert_eq!(took(Moment(10_000) + most), Found::Over { took: Some(most) });
    }
}
