//! What is known of a device.

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
