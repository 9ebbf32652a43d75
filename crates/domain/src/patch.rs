//! What is known of a patch, and the state of one patch on one device.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $word:literal, $label:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant = $code),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The number it is stored under. Numbers are never reused.
            #[must_use]
            pub const fn code(self) -> i64 { self as i64 }
            /// The value stored under `code`.
            #[must_use]
            pub const fn from_code(code: i64) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
            /// The word used in addresses, on the wire and in the API.
            #[must_use]
            pub const fn word(self) -> &'static str { match self { $(Self::$variant => $word),+ } }
            /// The words shown to people.
            #[must_use]
            pub const fn label(self) -> &'static str { match self { $(Self::$variant => $label),+ } }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.word()) }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text { $($word => Ok(Self::$variant),)+ _ => Err(UnknownWord) }
            }
        }
    };
}
pub(crate) use words;

/// A word that is not one of the values of its enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of the known words")]
pub struct UnknownWord;

words! {
    /// How bad it is to stay without the patch. Never invented: unknown when no source says (ENGINES 4).
    Severity {
        /// No source gave a severity.
        Unknown = 0, "unknown", "Unknown";
        /// Low.
        Low = 1, "low", "Low";
        /// Moderate.
        Moderate = 2, "moderate", "Moderate";
        /// Important.
        Important = 3, "important", "Important";
        /// Critical.
        Critical = 4, "critical", "Critical";
    }
}

words! {
    /// What kind of change a patch is.
    Category {
        /// Not known.
        Unknown = 0, "unknown", "Unknown";
        /// Closes a vulnerability.
        Security = 1, "security", "Security";
        /// Repairs a fault.
        Bugfix = 2, "bugfix", "Bug fix";
        /// Adds something.
        Enhancement = 3, "enhancement", "Enhancement";
        /// Data such as virus signatures.
        Definitions = 4, "definitions", "Definitions";
    }
}

words! {
    /// What decided a patch's category; shown beside it, because an origin alone is a weak hint (ENGINES 0.1).
    CategoryBasis {
        /// Only the origin it came from.
        Origin = 0, "origin", "by origin";
        /// The vendor's change log or advisory names CVEs.
        Advisory = 1, "advisory", "by advisory";
    }
}

words! {
    /// How much of the usual caution an approval sets aside (APR-2). Every override is shown in the trace.
    Urgency {
        /// Nothing is skipped.
        Normal = 0, "normal", "Normal";
        /// The soak in earlier rings is skipped; frames and windows are obeyed.
        SkipSoak = 1, "skip_soak", "Urgent";
        /// The soak, the profile's frame and the maintenance windows are skipped; freezes still win.
        SkipSoakAndWindows = 2, "skip_soak_and_windows", "Urgent, outside windows too";
    }
}

impl Urgency {
    /// What two ticks of a form mean; `None` where they contradict each other: outside windows goes only who skips the soak, too.
    #[must_use]
    pub const fn of(skip_soak: bool, outside_windows: bool) -> Option<Self> {
        match (skip_soak, outside_windows) {
            (false, false) => Some(Self::Normal),
            (true, false) => Some(Self::SkipSoak),
            (true, true) => Some(Self::SkipSoakAndWindows),
            (false, true) => None,
        }
    }
}

words! {
    /// The state of one patch on one device: exactly one of these. `Missing` is refined by the planner's verdict, never by another stored state.
    PatchState {
        /// Nobody could look: the device has been silent, or its source could not be read.
        Unknown = 0, "unknown", "Unknown";
        /// The product is not on the device.
        NotApplicable = 1, "not_applicable", "Not applicable";
        /// Missing, but a newer patch replaces it.
        Superseded = 2, "superseded", "Superseded";
        /// The need is met by a newer patch that is installed.
        InstalledBySuperseding = 3, "installed_by_superseding", "Installed by superseding";
        /// Applicable and not installed.
        Missing = 4, "missing", "Missing";
        /// Being fetched.
        Downloading = 5, "downloading", "Downloading";
        /// Fetched, not started.
        Staged = 6, "staged", "Staged";
        /// The package manager runs.
        Installing = 7, "installing", "Installing";
        /// On disk; takes effect at the next boot.
        PendingReboot = 8, "pending_reboot", "Pending restart";
        /// On disk; services still run the old code.
        RestartNeeded = 9, "restart_needed", "Pending restart of services";
        /// On disk and in effect, seen by a scan.
        Installed = 10, "installed", "Installed";
        /// Tried and not installed.
        Failed = 11, "failed", "Failed";
        /// Taken back; stays blocked on the device until a person lifts it.
        RolledBack = 12, "rolled_back", "Rolled back";
    }
}

impl PatchState {
    /// Whether the device still needs the patch (it counts as missing in totals, whatever the sub-state).
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Missing | Self::Downloading | Self::Staged | Self::Installing | Self::Failed | Self::RolledBack
        )
    }
}
