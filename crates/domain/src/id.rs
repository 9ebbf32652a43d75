//! Identifiers. Each kind of thing has a type of its own, so that a device id can never be passed where a patch id is meant.

use serde::{Deserialize, Serialize};
use std::{fmt, num::ParseIntError, str::FromStr};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        /// A positive number given by the store, never used again.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// A managed computer.
    DeviceId,
    /// One source package at one exact version from one origin for one OS release.
    PatchId,
    /// A group of devices.
    GroupId,
    /// A stage of a rollout: pilot, production, or one added between.
    RingId,
    /// A place with its own bandwidth and time zone.
    LocationId,
    /// A person's account.
    AccountId,
    /// One approve or deny decision.
    DecisionId,
    /// A stop on a rollout.
    HoldId,
    /// One try at installing or rolling back one patch on one device.
    AttemptId,
    /// A waiver for a device, group or patch.
    ExceptionId,
    /// A scan and install schedule.
    ProfileId,
    /// A maintenance window.
    WindowId,
    /// A span of dates without installs.
    FreezeId,
    /// An enrolment token.
    TokenId,
    /// A problem reported by a person.
    ProblemId,
    /// An OS release that devices report, e.g. Debian 12.
    OsReleaseId,
    /// One vendor's product, over all its versions.
    ProductId,
    /// A filter that somebody saved under a name.
    ViewId,
}
