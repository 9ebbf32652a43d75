//! Devices and the gate ladder.

use crate::{AttemptView, Instant, PatchShow, RingName, Text, TimelineEntry};
use domain::{AttemptId, DeviceId, DeviceState, GroupId, LocationId, Measured, Moment, PatchId, PatchState, Severity};
use serde::{Deserialize, Serialize};

/// One row of the device list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRow {
    /// Device.
    pub id: DeviceId,
    /// Host name.
    pub hostname: String,
    /// OS release.
    pub os: String,
    /// State.
    pub state: DeviceState,
    /// Why, for quarantined and revoked ones.
    pub state_reason: String,
    /// Fingerprint of its key.
    pub key_id: String,
    /// Group.
    pub group: Option<String>,
    /// Ring.
    pub ring: Option<String>,
    /// Never installs.
    pub scan_only: bool,
    /// Last contact.
    pub last_contact: Moment,
    /// Last scan.
    pub last_scan: Option<Moment>,
    /// No scan for too long.
    pub silent: bool,
    /// Open patches.
    pub open: u32,
    /// Of those, security.
    pub security: u32,
    /// Failed.
    pub failed: u32,
    /// Pending.
    pub pending: u32,
    /// A restart is owed since.
    pub reboot_since: Option<Moment>,
}

/// One page of the device list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceList {
    /// Rows.
    pub rows: Vec<DeviceRow>,
    /// Matching devices.
    pub total: u32,
    /// This page, from 1.
    pub page: u32,
    /// Pages.
    pub pages: u32,
    /// Groups to move devices to.
    pub groups: Vec<GroupName>,
    /// Rings, in order.
    pub rings: Vec<RingName>,
}

/// A group's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupName {
    /// Group.
    pub id: GroupId,
    /// Name.
    pub name: String,
    /// Its ring's name.
    pub ring: Option<String>,
}

/// A location's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocationName {
    /// Location.
    pub id: LocationId,
    /// Name.
    pub name: String,
}

/// The page of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicePage {
    /// As in the list.
    pub row: DeviceRow,
    /// Time zone.
    pub zone: String,
    /// Agent's version.
    pub agent_version: String,
    /// Package manager, if any.
    pub manager: Option<String>,
    /// What the package manager complains of.
    pub manager_error: Option<String>,
    /// Its profile leaves its OS release out: the sentence that says so.
    pub left_out: Option<String>,
    /// Enrolled.
    pub enrolled: Moment,
    /// How fast it was the last time: what installs on it are expected to take.
    pub measured: Measured,
    /// Why a restart is owed, a sentence each.
    pub reboot: Vec<String>,
    /// Services on old files, a sentence each.
    pub services: Vec<String>,
    /// Sources: name, and what was wrong if it could not be read.
    pub sources: Vec<(String, Option<String>)>,
    /// Whether it runs on battery, if it says so.
    pub on_battery: Option<bool>,
    /// Processes that the agent could not look at, if it counts them: services may be missing from the list.
    pub processes_unread: Option<u32>,
    /// Groups to move it to.
    pub groups: Vec<GroupName>,
    /// Where it is.
    pub location: Option<LocationId>,
    /// Locations to put it into.
    pub locations: Vec<LocationName>,
    /// The patches asked for: open ones with their ladders, most severe first; of settled ones a page, latest first.
    pub patches: Vec<DevicePatch>,
    /// How many there are of each kind.
    pub counts: Vec<(PatchShow, u32)>,
    /// Which page of settled ones it is, from 1.
    pub patches_page: u32,
    /// Attempts, newest first.
    pub attempts: Vec<(PatchId, String, AttemptView)>,
    /// Audit records of this device, newest first.
    pub timeline: Vec<TimelineEntry>,
}

/// One patch on one device, with every gate's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicePatch {
    /// Patch.
    pub patch: PatchId,
    /// Product.
    pub product: String,
    /// Version.
    pub version: String,
    /// Severity.
    pub severity: Severity,
    /// It is a security patch.
    pub security: bool,
    /// State.
    pub state: PatchState,
    /// Since.
    pub since: Moment,
    /// The first closed gate's sentence, or when it will be installed.
    pub headline: Text,
    /// Earliest install, if known.
    pub earliest: Option<Instant>,
    /// It was installed by a permit of ours.
    pub ours: bool,
    /// All gates, in order; none in a list of settled ones.
    pub ladder: Vec<LadderStep>,
    /// What was tried on the device, newest first, without logs.
    pub attempts: Vec<AttemptView>,
    /// A rollback is possible.
    pub can_roll_back: bool,
    /// A rolled-back block is in force.
    pub blocked: bool,
    /// What the device has tried in vain too often, if anything: a person may let it try again.
    pub again: Option<Again>,
}

/// Tries that are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// At what.
    pub what: Tries,
    /// How many failed.
    pub failed: u32,
    /// The latest attempt: whoever lets the device try again has seen it.
    pub latest: AttemptId,
}

/// What a device tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tries {
    /// Installing a patch.
    Install,
    /// Going back from it.
    RollBack,
}

impl Tries {
    /// The word in forms.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::RollBack => "roll_back",
        }
    }
}

/// Not a word for what a device tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownTries;

impl std::str::FromStr for Tries {
    type Err = UnknownTries;
    fn from_str(word: &str) -> Result<Self, UnknownTries> {
        [Self::Install, Self::RollBack]
            .into_iter()
            .find(|tries| tries.word() == word)
            .ok_or(UnknownTries)
    }
}

/// One gate of the ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LadderStep {
    /// The gate's word, e.g. `soak`.
    pub gate: String,
    /// Its label.
    pub label: String,
    /// Open, opens at, closed.
    pub status: StepStatus,
    /// The planner's sentence; empty when there is nothing to say.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub text: Text,
    /// Since when it stands so, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Instant>,
    /// When it opens by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<Instant>,
    /// Who must do what, or what must happen, for a closed one to open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Text>,
    /// Whose decision, hold, exception or waiver it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Whether a gate lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Lets through.
    Open,
    /// Opens by itself at a known moment.
    Opens,
    /// Closed until somebody does something.
    Closed,
}
