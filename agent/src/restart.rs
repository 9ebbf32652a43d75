//! How long a restart takes that the agent ordered: from the order to the agent's next start, in another boot. No clock but the wall clock
//! runs through a restart; where it is set meanwhile, the measure is wrong by that, and bounded by the planner.

use crate::config::Home;
use domain::{Measured, Moment, Span};
use serde::{Deserialize, Serialize};

const FILE: &str = "restart.json";

/// A restart that was ordered and whose end was not seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ordered {
    /// By the device's clock.
    at: Moment,
    /// The boot that it was to end.
    boot_id: String,
}

impl Ordered {
    /// How long it took, seen from another boot; `None` for what cannot be: the clock was set, or somebody restarted it later.
    fn took(&self, now: Moment, boot_id: &str) -> Option<Span> {
        let took = now.since(self.at);
        (self.boot_id != boot_id && Measured::is_restart(took)).then_some(took)
    }
}

/// Notes that the device is about to restart.
pub(crate) fn ordered(home: &Home, now: Moment, boot_id: String) {
    if let Err(e) = home.save(FILE, &Ordered { at: now, boot_id }) {
        tracing::warn!(error = %e, "how long the restart takes will not be known");
    }
}

/// Forgets that: the device does not restart.
pub(crate) fn refused(home: &Home) {
    let _ = std::fs::remove_file(home.path(FILE));
}

/// How long the restart took that was ordered before; said once.
pub(crate) fn ended(home: &Home, now: Moment, boot_id: &str) -> Option<Span> {
    let ordered: Ordered = home.load(FILE).ok()??;
    if ordered.boot_id != boot_id {
        refused(home);
    }
    ordered.took(now, boot_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_measured_once_and_only_by_another_boot() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        assert_eq!(ended(&home, Moment(50), "a"), None, "none was ordered");
        ordered(&home, Moment(100), "a".to_owned());
        assert_eq!(
            ended(&home, Moment(130), "a"),
            None,
            "the agent was started again, not the device"
        );
        assert_eq!(ended(&home, Moment(195), "b"), Some(Span(95)));
        assert_eq!(ended(&home, Moment(196), "b"), None, "said already");
        ordered(&home, Moment(200), "b".to_owned());
        refused(&home);
        assert_eq!(ended(&home, Moment(260), "c"), None);
    }

    #[test]
    fn what_a_set_clock_or_a_person_made_of_it_is_no_measure() {
        let ordered = Ordered {
            at: Moment(10_000),
            boot_id: "a".to_owned(),
        };
        assert_eq!(ordered.took(Moment(9_000), "b"), None);
        let most = Measured::LONGEST_RESTART;
        assert_eq!(ordered.took(Moment(10_000) + most + Span(1), "b"), None);
        assert_eq!(ordered.took(Moment(10_000) + most, "b"), Some(most));
    }
}
