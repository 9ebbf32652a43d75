//! Filters, sort and page of the lists, as they stand in the address bar. Unknown values fall back to the default instead of failing,
//! because people edit addresses.

use domain::{Category, PatchState, RingId, Severity};
use serde::{Deserialize, Serialize};

/// Rows on one page.
pub const PAGE_SIZE: u32 = 50;

/// Status view: which patches, in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PatchFilter {
    /// Part of product, version, summary or origin.
    #[serde(default)]
    pub q: String,
    /// At least this severity; absent = all.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// Only this category.
    #[serde(default)]
    pub category: Option<Category>,
    /// Only patches that have devices in this bucket.
    #[serde(default)]
    pub state: Option<CountBucket>,
    /// Only this product (source package), exactly.
    #[serde(default)]
    pub product: String,
    /// Only patches with this approval; with `ring`.
    #[serde(default)]
    pub approval: Option<ApprovalFilter>,
    /// The ring `approval` speaks of; absent = any ring.
    #[serde(default)]
    pub ring: Option<RingId>,
    /// Show superseded patches too.
    #[serde(default)]
    pub superseded: bool,
    /// Order.
    #[serde(default)]
    pub sort: PatchSort,
    /// First page is 1; 0 counts as 1.
    #[serde(default)]
    pub page: u32,
}

macro_rules! word_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal, $label:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }
        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The word in the address.
            #[must_use]
            pub const fn word(self) -> &'static str { match self { $(Self::$variant => $word),+ } }
            /// The words on the page.
            #[must_use]
            pub const fn label(self) -> &'static str { match self { $(Self::$variant => $label),+ } }
            /// From the word in the address.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> { match word { $($word => Some(Self::$variant),)+ _ => None } }
        }
    };
}

word_enum! {
    /// What a count on the status view counts. Every device × patch row is in exactly one.
    CountBucket {
        /// Missing, downloading, staged or installing.
        Missing = "missing", "Missing";
        /// Installed, also by a superseding patch.
        Installed = "installed", "Installed";
        /// Failed.
        Failed = "failed", "Failed";
        /// Waiting for a restart, of the device or of services.
        Pending = "pending", "Pending restart";
        /// Unknown.
        Unknown = "unknown", "Unknown";
        /// Missing but superseded.
        Superseded = "superseded", "Superseded";
        /// Rolled back.
        RolledBack = "rolled_back", "Rolled back";
    }
}

impl CountBucket {
    /// The bucket of a state; `None` for not applicable.
    #[must_use]
    pub const fn of(state: PatchState) -> Option<Self> {
        Some(match state {
            PatchState::NotApplicable => return None,
            PatchState::Missing | PatchState::Downloading | PatchState::Staged | PatchState::Installing => {
                Self::Missing
            }
            PatchState::Installed | PatchState::InstalledBySuperseding => Self::Installed,
            PatchState::Failed => Self::Failed,
            PatchState::PendingReboot | PatchState::RestartNeeded => Self::Pending,
            PatchState::Unknown => Self::Unknown,
            PatchState::Superseded => Self::Superseded,
            PatchState::RolledBack => Self::RolledBack,
        })
    }
}

word_enum! {
    /// Approval filter.
    ApprovalFilter {
        /// No decision in force.
        None = "none", "Not decided";
        /// Approved.
        Approved = "approved", "Approved";
        /// Denied.
        Denied = "denied", "Denied";
        /// A hold is open.
        Held = "held", "Held";
    }
}

word_enum! {
    /// Order of the status view.
    #[derive(Default)]
    PatchSort {
        /// Most severe, then most missing.
        #[default]
        Severity = "severity", "Severity";
        /// Most missing.
        Missing = "missing", "Missing";
        /// Most recently released.
        Released = "released", "Released";
        /// Product name.
        Product = "product", "Product";
        /// Most failed.
        Failed = "failed", "Failed";
    }
}

/// Device list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeviceFilter {
    /// Part of the host name, OS or key id.
    #[serde(default)]
    pub q: String,
    /// Only this group of devices.
    #[serde(default)]
    pub show: DeviceShow,
    /// Only devices of this ring.
    #[serde(default)]
    pub ring: Option<RingId>,
    /// First page is 1.
    #[serde(default)]
    pub page: u32,
}

word_enum! {
    /// Which devices to show.
    #[derive(Default)]
    DeviceShow {
        /// All but revoked.
        #[default]
        All = "all", "All";
        /// Active: what the status view counts as devices.
        Active = "active", "Active";
        /// Waiting for acceptance.
        Pending = "pending", "Waiting for acceptance";
        /// Without a scan yet, or silent for too long.
        Silent = "silent", "No recent scan";
        /// Active, but in no ring: nothing is installed there.
        NoRing = "no_ring", "No ring";
        /// Active, but following no profile: nothing is installed there.
        NoProfile = "no_profile", "No profile";
        /// Owing a restart.
        Reboot = "reboot", "Restart owed";
        /// With a failed patch.
        Failed = "failed", "Failed";
        /// In quarantine or revoked.
        Stopped = "stopped", "Quarantined or revoked";
    }
}

/// The devices on a patch's page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PatchDevices {
    /// Only devices in this bucket.
    #[serde(default)]
    pub state: Option<CountBucket>,
    /// Only devices of this ring.
    #[serde(default)]
    pub ring: Option<RingId>,
    /// First page is 1; 0 counts as 1.
    #[serde(default)]
    pub page: u32,
}

word_enum! {
    /// Which of a device's patches its page shows; what is to be done as the device list counts it.
    #[derive(Default)]
    PatchShow {
        /// All that are not settled.
        #[default]
        All = "all", "Open";
        /// Failed.
        Failed = "failed", "Failed";
        /// Still to be installed: missing, on its way, failed or rolled back. Also so called where the device list counts them.
        Open = "open", "To install";
        /// Of those, security patches.
        Security = "security", "Security";
        /// On disk, waiting for a restart.
        Pending = "pending", "Pending restart";
        /// Taken back.
        RolledBack = "rolled_back", "Rolled back";
        /// Open, but denied for the device's ring, kept back by an exception or blocked after a rollback.
        Denied = "denied", "Denied here";
        /// Nobody could look.
        Unknown = "unknown", "Not known";
        /// Settled: installed, also by a newer one.
        Installed = "installed", "Installed";
        /// Settled: never installed, and replaced by a newer one.
        Superseded = "superseded", "Replaced";
    }
}

impl PatchShow {
    /// Whether a patch in this state is shown; `denied` is the word of the gate.
    #[must_use]
    pub fn has(self, state: PatchState, security: bool, denied: bool) -> bool {
        let is = |bucket| CountBucket::of(state) == Some(bucket);
        match self {
            Self::All => !Self::is_settled(state),
            Self::Failed => is(CountBucket::Failed),
            Self::Open => state.is_open(),
            Self::Security => state.is_open() && security,
            Self::Pending => is(CountBucket::Pending),
            Self::RolledBack => is(CountBucket::RolledBack),
            Self::Denied => denied && !Self::is_settled(state),
            Self::Unknown => is(CountBucket::Unknown),
            Self::Installed => is(CountBucket::Installed),
            Self::Superseded => is(CountBucket::Superseded),
        }
    }

    /// Whether there is nothing left to do or to find out about a patch in this state.
    #[must_use]
    pub const fn is_settled(state: PatchState) -> bool {
        matches!(
            CountBucket::of(state),
            None | Some(CountBucket::Installed | CountBucket::Superseded)
        )
    }

    /// Whether it lists settled patches, a page at a time.
    #[must_use]
    pub const fn is_past(self) -> bool {
        matches!(self, Self::Installed | Self::Superseded)
    }

    /// The list in which a patch in this state is found.
    #[must_use]
    pub fn of(state: PatchState) -> Self {
        match CountBucket::of(state) {
            Some(CountBucket::Installed) => Self::Installed,
            Some(CountBucket::Superseded) => Self::Superseded,
            _ => Self::All,
        }
    }
}

/// The patches on a device's page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DevicePatches {
    /// Which.
    #[serde(default)]
    pub show: PatchShow,
    /// First page is 1; 0 counts as 1. Only settled ones have pages.
    #[serde(default)]
    pub page: u32,
}

/// Audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AuditFilter {
    /// Part of actor, action, object or reason.
    #[serde(default)]
    pub q: String,
    /// First page is 1.
    #[serde(default)]
    pub page: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_restart_has_one_name() {
        let word = PatchShow::Pending.label();
        assert_eq!(CountBucket::Pending.label(), word);
        for state in PatchState::ALL {
            let pending = CountBucket::of(*state) == Some(CountBucket::Pending);
            assert_eq!(state.label().starts_with(word), pending, "{state:?}");
        }
    }
}
