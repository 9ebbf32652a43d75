//! What is known of a device.

use crate::Span;
use crate::patch::{UnknownWord, words};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

words! {
    /// Where a device stands with the server. `Revoked` is final: a device that comes back enrols anew under a new id (I-8).
    DeviceState {
        /// Has made its key; waits for a person or a matching token rule.
        Pending = 0, "pending", "Waiting for acceptance";
        /// Reports are taken and permits may be given.
        Active = 1, "active", "Active";
        /// Something is wrong with its identity; no permits until a person looks.
        Quarantined = 2, "quarantined", "Quarantined";
        /// Final.
        Revoked = 3, "revoked", "Revoked";
    }
}

words! {
    /// When a device may restart to bring a patch into effect.
    RebootPolicy {
        /// Somebody else restarts it.
        Never = 0, "never", "Never";
        /// Right after an install that needs it, inside the same permit.
        IfNeeded = 1, "if_needed", "If needed";
    }
}

/// How fast a device was the last time; `None` = not measured, and the policy's stated default counts (SCH-2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    /// Bytes per second of the last download that was large enough to tell.
    pub download_rate: Option<u64>,
    /// From the agent's order to restart to the agent's next start.
    pub restart: Option<Span>,
}

impl Measured {
    /// No restart takes longer: whatever was measured was another one.
    pub const LONGEST_RESTART: Span = Span::hours(2);

    /// Whether a restart can have taken so long.
    #[must_use]
    pub const fn is_restart(took: Span) -> bool {
        0 < took.0 && took.0 <= Self::LONGEST_RESTART.0
    }

    /// Nothing was measured yet.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
