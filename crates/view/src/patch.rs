//! The status view and the page of a patch.

use crate::{CountBucket, Instant, PatchFilter, Text};
use domain::{
    AccountId, AttemptId, Category, CategoryBasis, DecisionId, DeviceId, HoldId, Moment, PatchId, PatchState, RingId,
    Severity, Urgency, ViewId,
};
use serde::{Deserialize, Serialize};

/// How many devices are in which bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// See [`CountBucket`].
    pub missing: u32,
    /// See [`CountBucket`].
    pub installed: u32,
    /// See [`CountBucket`].
    pub failed: u32,
    /// See [`CountBucket`].
    pub pending: u32,
    /// See [`CountBucket`].
    pub unknown: u32,
    /// See [`CountBucket`].
    pub superseded: u32,
    /// See [`CountBucket`].
    pub rolled_back: u32,
}

impl Counts {
    /// The count of one bucket.
    #[must_use]
    pub const fn get(&self, bucket: CountBucket) -> u32 {
        match bucket {
            CountBucket::Missing => self.missing,
            CountBucket::Installed => self.installed,
            CountBucket::Failed => self.failed,
            CountBucket::Pending => self.pending,
            CountBucket::Unknown => self.unknown,
            CountBucket::Superseded => self.superseded,
            CountBucket::RolledBack => self.rolled_back,
        }
    }
}

/// Where a patch stands in one ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingApproval {
    /// Ring.
    pub ring: RingId,
    /// Its name.
    pub name: String,
    /// What was decided.
    pub approval: Approval,
}

/// A decision in force, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Not decided.
    None,
    /// Approved.
    Approved {
        /// What it sets aside.
        urgent: Urgency,
    },
    /// Denied.
    Denied,
}

/// One row of the status view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchRow {
    /// Patch.
    pub id: PatchId,
    /// Product = source package.
    pub product: String,
    /// Exact version.
    pub version: String,
    /// One line.
    pub summary: String,
    /// E.g. `Debian`.
    pub vendor: String,
    /// Where it comes from.
    pub origin: String,
    /// OS release name.
    pub os: String,
    /// Severity.
    pub severity: Severity,
    /// Category.
    pub category: Category,
    /// What decided the category.
    pub basis: CategoryBasis,
    /// When the vendor released it, when known.
    pub released: Option<Moment>,
    /// When a device first offered it.
    pub first_seen: Moment,
    /// The patch that replaces it, with its version.
    pub superseded_by: Option<(PatchId, String)>,
    /// Devices by bucket.
    pub counts: Counts,
    /// One per ring, in order.
    pub approvals: Vec<RingApproval>,
    /// A hold is open.
    pub held: bool,
    /// Bytes.
    pub size: u64,
    /// "Approve what you saw".
    pub revision: i64,
}

/// One page of the status view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchList {
    /// Rows of this page.
    pub rows: Vec<PatchRow>,
    /// Matching patches.
    pub total: u32,
    /// This page, from 1.
    pub page: u32,
    /// Pages.
    pub pages: u32,
    /// Rings, in order.
    pub rings: Vec<RingName>,
    /// Active devices.
    pub devices: u32,
    /// Of those, without a scan or silent: their patches are unknown.
    pub silent: u32,
    /// Waiting for acceptance.
    pub pending_devices: u32,
    /// The asking person's saved views, by name.
    pub views: Vec<SavedView>,
}

/// A filter that a person saved under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedView {
    /// View.
    pub id: ViewId,
    /// Its name.
    pub name: String,
    /// What it shows; its page is 0.
    pub filter: PatchFilter,
}

/// A ring's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingName {
    /// Ring.
    pub id: RingId,
    /// Name.
    pub name: String,
}

/// The page of a patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchPage {
    /// As in the status view.
    pub row: PatchRow,
    /// Its exact packages.
    pub packages: Vec<PackageLine>,
    /// Older patches that it replaces.
    pub supersedes: Vec<(PatchId, String)>,
    /// One lane per ring, in order.
    pub lanes: Vec<RingLane>,
    /// Holds, open first.
    pub holds: Vec<HoldView>,
    /// The way back.
    pub way_back: WayBack,
    /// What happened, newest first.
    pub timeline: Vec<TimelineEntry>,
    /// Devices in the chosen bucket.
    pub devices: Vec<PatchDevice>,
    /// Devices matching.
    pub devices_total: u32,
}

/// How a patch is taken back, or why nobody planned that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanContent {
    /// A plan.
    Plan {
        /// Who carries it out.
        owner: AccountId,
        /// The name of that account.
        owner_name: String,
        /// How.
        how: String,
        /// When it is to be used.
        use_when: String,
    },
    /// Somebody decided to go without.
    Waived {
        /// Why.
        reason: String,
    },
}

/// The rollback plan of a patch, or the waiver in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanView {
    /// What it says.
    pub content: PlanContent,
    /// "Change what you saw".
    pub version: i64,
    /// When it was written.
    pub at: Moment,
    /// By whom.
    pub by: String,
}

/// What is typed into the form of a rollback plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanForm {
    /// A plan.
    Plan {
        /// Who carries it out; none: who writes it.
        owner: Option<AccountId>,
        /// How.
        how: String,
        /// When it is to be used.
        use_when: String,
    },
    /// Go without.
    Waive {
        /// Why.
        reason: String,
    },
}

/// What a patch's page says about the way back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayBack {
    /// The plan or waiver, if there is one.
    pub plan: Option<PlanView>,
    /// The rings that ask for one.
    pub asked_by: Vec<RingName>,
    /// Devices that have the patch.
    pub installed: u32,
    /// Of these, devices for which the versions that were there before are on record.
    pub known: u32,
    /// Who can carry out a plan; empty for who may not write one.
    pub people: Vec<(AccountId, String)>,
}

/// One package of a patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageLine {
    /// Name.
    pub name: String,
    /// Architecture.
    pub arch: String,
    /// Exact version.
    pub version: String,
    /// Bytes.
    pub size: u64,
    /// Brought in anew.
    pub fresh: bool,
}

/// A patch in one ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingLane {
    /// Ring.
    pub ring: RingId,
    /// Its name.
    pub name: String,
    /// What was decided, by whom.
    pub decision: Option<DecisionView>,
    /// Devices of the ring by bucket.
    pub counts: Counts,
    /// The proof collected here for the next ring.
    pub soak: Option<SoakView>,
    /// The planner's sentence for this ring, e.g. "Opens 2026-11-30 10:00 UTC: 5 of 7 days of soak".
    pub headline: Text,
    /// When it opens, if it opens by itself.
    pub opens_at: Option<Moment>,
}

/// Soak in a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoakView {
    /// First successful install.
    pub started: Option<Moment>,
    /// Seconds of soak asked for.
    pub needed: i64,
    /// Seconds elapsed, at most `needed`.
    pub elapsed: i64,
    /// Successful devices.
    pub successes: u32,
    /// Asked for.
    pub min_successes: u32,
    /// Of the successful devices, those that have rebooted since; absent where the patch needs no reboot.
    pub rebooted: Option<u32>,
    /// With so many clean devices a failure rate up to this many per mille would go unseen (95 %); absent without successes.
    pub unseen_per_mille: Option<u32>,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionView {
    /// Decision.
    pub id: DecisionId,
    /// What.
    pub approval: Approval,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Moment,
    /// Why.
    pub reason: String,
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldView {
    /// Hold.
    pub id: HoldId,
    /// Short label of the cause, e.g. "Install failed".
    pub cause: String,
    /// The device, if one caused it.
    pub device: Option<(DeviceId, String)>,
    /// What was seen or said.
    pub detail: String,
    /// When.
    pub opened_at: Moment,
    /// By whom.
    pub opened_by: String,
    /// When, by whom and with which note it was resolved.
    pub resolved: Option<(Moment, String, String)>,
}

/// One line of a patch's or device's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When.
    pub at: Moment,
    /// Who.
    pub actor: String,
    /// What.
    pub text: String,
    /// Reason given.
    pub reason: String,
}

/// A device on the page of a patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchDevice {
    /// Device.
    pub device: DeviceId,
    /// Host name.
    pub hostname: String,
    /// Its ring.
    pub ring: Option<String>,
    /// State.
    pub state: PatchState,
    /// Since.
    pub since: Moment,
    /// The planner's headline.
    pub headline: Text,
    /// Earliest install, if known.
    pub earliest: Option<Instant>,
    /// The last attempt.
    pub attempt: Option<AttemptView>,
    /// A rollback is possible: previous versions are recorded.
    pub can_roll_back: bool,
    /// A rolled-back block is in force.
    pub blocked: bool,
}

/// An attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptView {
    /// Attempt.
    pub id: AttemptId,
    /// `Install` or `Roll back`.
    pub kind: String,
    /// Sentence, e.g. "Failed: exit 100, ...".
    pub outcome: Text,
    /// When permitted.
    pub at: Moment,
    /// When finished.
    pub finished: Option<Moment>,
    /// When a later scan proved it.
    pub proven: Option<Moment>,
    /// The end of the log.
    pub log: String,
}
