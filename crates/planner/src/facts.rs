//! What is known: of a device, of a patch, of the two together.

use domain::{
    AccountId, AttemptId, Category, DecisionId, DeviceId, DeviceState, GroupId, HoldId, LocationId, Measured, Moment,
    OsReleaseId, PatchId, PatchState, ProblemId, ProductId, RingId, Span, Urgency,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFacts {
    /// Its id.
    pub id: DeviceId,
    /// Where it stands with the server.
    pub state: DeviceState,
    /// It is only looked at, never changed.
    pub scan_only: bool,
    /// Its OS release.
    pub os_release: OsReleaseId,
    /// The groups that it is a member of itself; groups above follow from the tree.
    pub groups: Vec<GroupId>,
    /// Its ring. Without one it gets nothing.
    pub ring: Option<RingId>,
    /// Where it is.
    pub location: Option<LocationId>,
    /// Its zone's IANA name; an unknown name is read as UTC.
    pub zone: String,
    /// The last complete scan.
    pub last_scan: Option<Moment>,
    /// Since when it owes a reboot.
    pub reboot_owed: Option<Moment>,
    /// Its package manager is in a state that a person must mend.
    pub manager_broken: bool,
    /// It runs on battery.
    pub on_battery: bool,
    /// Free space where packages are unpacked.
    pub disk_free_mib: u64,
    /// An attempt on it that has no result yet, of any patch.
    pub open_attempt: Option<AttemptId>,
    /// Business-critical products on it (PIL-3).
    pub critical: Vec<ProductId>,
    /// Windows in a row that it slept through.
    pub missed_windows: u32,
    /// When its latest round of installs began (SCH-1); `None`: it had none yet.
    #[serde(default)]
    pub round_started: Option<Moment>,
    /// From when on its profile's interval counts for that round; `None`: from its beginning.
    #[serde(default)]
    pub round_counts_from: Option<Moment>,
    /// What else runs just now.
    pub load: Load,
    /// How fast it was the last time.
    pub measured: Measured,
}

/// Open attempts elsewhere, for the slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// In the whole fleet.
    pub fleet: u32,
    /// In the device's location.
    pub location: u32,
}

impl DeviceFacts {
    /// An active device of a release in a ring, in UTC, healthy, in no group: the start for tests and previews.
    #[must_use]
    pub fn new(id: DeviceId, os_release: OsReleaseId, ring: RingId) -> Self {
        Self {
            id,
            state: DeviceState::Active,
            scan_only: false,
            os_release,
            groups: Vec::new(),
            ring: Some(ring),
            location: None,
            zone: "UTC".to_owned(),
            last_scan: None,
            reboot_owed: None,
            manager_broken: false,
            on_battery: false,
            disk_free_mib: u64::MAX,
            open_attempt: None,
            critical: Vec::new(),
            missed_windows: 0,
            round_started: None,
            round_counts_from: None,
            load: Load::default(),
            measured: Measured::default(),
        }
    }
}

/// What a decision says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Install it.
    Approve {
        /// What it skips.
        urgent: Urgency,
    },
    /// Do not install it. Outranks every approval for the same ring.
    Deny,
}

/// A decision that was not withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionFact {
    /// Its id.
    pub id: DecisionId,
    /// For which ring.
    pub ring: RingId,
    /// What it says.
    pub kind: DecisionKind,
    /// When.
    pub at: Moment,
    /// Who made it, or the owner of the rule that made it.
    pub by: AccountId,
}

/// Why a rollout was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldCause {
    /// A person reported a problem.
    Problem(ProblemId),
    /// Too many failures.
    Failures {
        /// Devices that failed.
        failed: u32,
        /// Devices that finished.
        finished: u32,
    },
    /// Devices started an install and were not heard of again.
    Vanished {
        /// How many.
        devices: u32,
    },
    /// The first device of a wave, sent alone, failed or vanished.
    FirstDevice,
    /// A person stopped it.
    Person,
}

/// A hold that is not resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldFact {
    /// Its id.
    pub id: HoldId,
    /// It stops this ring and every later one; `None`: every ring.
    pub ring: Option<RingId>,
    /// Why.
    pub cause: HoldCause,
    /// Since when.
    pub at: Moment,
    /// Who, where a person did it.
    pub by: Option<AccountId>,
}

/// What one ring has shown about a patch. Counts are of devices, each in one place only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// Devices of the ring that need the patch or have needed it.
    pub targets: u32,
    /// When the first of them was seen to have it.
    pub first_success: Option<Moment>,
    /// Devices seen to have it, by OS release.
    pub successes: BTreeMap<OsReleaseId, u32>,
    /// Of these, devices that have rebooted since.
    pub rebooted: u32,
    /// Business-critical products on devices seen to have it.
    pub critical: BTreeSet<ProductId>,
    /// Devices whose last attempt failed.
    pub failures: u32,
    /// Devices that started and were not heard of within their time. They count as failed, too.
    pub vanished: u32,
    /// Devices with an attempt that has no result yet.
    pub in_flight: u32,
    /// Devices with a result: successes and failures.
    pub finished: u32,
    /// Of the failures, those that came after the latest success.
    pub failed_since: u32,
    /// When the latest result came.
    pub last_finished: Option<Moment>,
    /// Time since the first success during which a hold, now resolved, stopped the soak.
    pub paused: Span,
}

impl Evidence {
    /// Devices seen to have the patch, over all releases.
    #[must_use]
    pub fn clean(&self) -> u32 {
        self.successes.values().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// A device starts. `again`: its last attempt failed, and it counts as one that runs from now on.
    pub fn starts(&mut self, again: bool) {
        self.in_flight += 1;
        if again {
            self.finished = self.finished.saturating_sub(1);
            self.failures = self.failures.saturating_sub(1);
            self.failed_since = self.failed_since.min(self.failures);
        }
    }

    /// A device that runs has the patch at `at`; `rebooted`: and has restarted since.
    pub fn succeeds(&mut self, device: &DeviceFacts, rebooted: bool, at: Moment) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.rebooted += u32::from(rebooted);
        self.critical.extend(device.critical.iter().copied());
        self.prove(device.os_release, 1, at);
    }

    /// Devices of which nothing else is known, and that run, have the patch at `at`.
    pub fn some_succeed(&mut self, devices: u32, release: OsReleaseId, at: Moment) {
        self.in_flight = self.in_flight.saturating_sub(devices);
        self.prove(release, devices, at);
    }

    fn prove(&mut self, release: OsReleaseId, devices: u32, at: Moment) {
        *self.successes.entry(release).or_default() += devices;
        self.finished += devices;
        self.failed_since = 0;
        self.first_success = self.first_success.or(Some(at));
        self.last_finished = self.last_finished.max(Some(at));
    }
}

/// Whether the way back is known for a patch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackPlan {
    /// Nobody has written one.
    #[default]
    Missing,
    /// There is one.
    Exists,
    /// Somebody decided to go without.
    Waived(AccountId),
}

/// Where the packages of a patch are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageFact {
    /// Not in the cache.
    #[default]
    Missing,
    /// On the way.
    Fetching,
    /// In the cache, with a hash that a vendor-signed index names.
    AtHand {
        /// Since when.
        since: Moment,
    },
}

/// What is known of a patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchFacts {
    /// Its id.
    pub id: PatchId,
    /// The release that it is for.
    pub os_release: OsReleaseId,
    /// Its product.
    pub product: Option<ProductId>,
    /// What kind of change.
    pub category: Category,
    /// Bytes of all its packages, for every architecture: no device downloads more.
    pub size: u64,
    /// It takes effect only after a reboot.
    pub needs_reboot: bool,
    /// How long installing it took at most on the devices that had it last; `None` until there were enough.
    pub measured_install: Option<Span>,
    /// The newer patch that replaces it.
    pub superseded_by: Option<PatchId>,
    /// The rings for which that newer patch is approved and not denied.
    pub successor_approved: Vec<RingId>,
    /// Decisions that were not withdrawn.
    pub decisions: Vec<DecisionFact>,
    /// Holds that are not resolved.
    pub holds: Vec<HoldFact>,
    /// What each ring has shown.
    pub evidence: BTreeMap<RingId, Evidence>,
    /// The way back.
    pub rollback: RollbackPlan,
    /// Where its packages are.
    pub package: PackageFact,
}

impl PatchFacts {
    /// A security patch for a release about which nothing else is known yet.
    #[must_use]
    pub fn new(id: PatchId, os_release: OsReleaseId) -> Self {
        Self {
            id,
            os_release,
            product: None,
            category: Category::Security,
            size: 0,
            needs_reboot: false,
            measured_install: None,
            superseded_by: None,
            successor_approved: Vec::new(),
            decisions: Vec::new(),
            holds: Vec::new(),
            evidence: BTreeMap::new(),
            rollback: RollbackPlan::default(),
            package: PackageFact::default(),
        }
    }
}

/// Why the device's own update engine keeps a patch back (ENGINES).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Brake {
    /// The package is marked as held.
    Held,
    /// The vendor lets it out to this share of machines so far.
    Phased {
        /// 0 to 100.
        percent: u8,
    },
    /// A pin keeps another version.
    Pinned,
}

/// What is known of one patch on one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairFacts {
    /// Where it stands.
    pub state: PatchState,
    /// Since when.
    pub since: Option<Moment>,
    /// What the device's own engine says against it.
    pub brake: Option<Brake>,
    /// Bytes that the device would download of it; `None`: it did not say.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Failed attempts since the last reset.
    pub attempts_failed: u32,
    /// The latest of them.
    pub last_failed: Option<Moment>,
    /// How often in a row the device got leave and did not start, since the last reset: anything else would have changed, a source was not
    /// to be had, its package manager was busy.
    #[serde(default)]
    pub not_started: u32,
    /// The latest of these.
    #[serde(default)]
    pub last_not_started: Option<Moment>,
    /// It was taken back here and nobody has approved it anew since (I-33).
    pub rolled_back_block: bool,
    /// The device said whether it could go back from it; `None`: it did not say.
    pub rollback_ready: Option<bool>,
}

impl PairFacts {
    /// Bytes to download: what the device says, or the whole patch.
    #[must_use]
    pub fn download(&self, patch: &PatchFacts) -> u64 {
        self.bytes.unwrap_or(patch.size)
    }

    /// A pair in `state` about which nothing else is known.
    #[must_use]
    pub const fn new(state: PatchState) -> Self {
        Self {
            state,
            since: None,
            brake: None,
            bytes: None,
            attempts_failed: 0,
            last_failed: None,
            not_started: 0,
            last_not_started: None,
            rolled_back_block: false,
            rollback_ready: None,
        }
    }
}
