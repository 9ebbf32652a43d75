//! The page of rings: how a patch goes through the fleet, the tree of groups, places, and what counts for the whole fleet.

use crate::{UiError, WhatWouldChange};
use domain::{GroupId, LocationId, ProductId, RebootPolicy, RingId};
use serde::{Deserialize, Serialize};

/// A ring's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingForm {
    /// Its name.
    pub name: String,
    /// Days that a patch must have run here before a later ring opens.
    pub soak_days: u32,
    /// And hours.
    pub soak_hours: u32,
    /// Devices that must have it.
    pub min_successes: u32,
    /// Share of the ring's devices that must have it, in percent.
    pub min_share_percent: u32,
    /// One of them with the OS release of the patch.
    pub own_release: bool,
    /// Every business-critical product of the target was on one of them.
    pub critical_products: bool,
    /// Where the patch needs a reboot, as many must have rebooted.
    pub rebooted: bool,
    /// How the ring is filled, e.g. `1, 5 %, 25 %`; empty: everybody at once.
    pub waves: String,
    /// Minutes between waves.
    pub rest_minutes: u32,
    /// Failed devices that stop a rollout, together with the share.
    pub hold_failures: u32,
    /// Their share of the finished ones, in percent.
    pub hold_percent: u32,
    /// Devices that started and were not heard of again.
    pub hold_vanished: u32,
    /// Installs of one patch at once; none: no limit.
    pub max_in_flight: Option<u32>,
    /// No approval and no install without a rollback plan or a waiver (RBK-1).
    pub rollback_plan: bool,
}

/// What a device does that slept through its windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedChoice {
    /// As the group above says.
    #[default]
    Inherit,
    /// Wait for the next one.
    Wait,
    /// Install at the next contact, once so many in a row were missed.
    CatchUp {
        /// How many.
        after: u32,
    },
}

/// A group's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupForm {
    /// Its name.
    pub name: String,
    /// The group that it lies in.
    pub parent: Option<GroupId>,
    /// Its ring; none: that of the group above.
    pub ring: Option<RingId>,
    /// Windows of groups above do not count here.
    pub blocks_inheritance: bool,
    /// What a device does that slept through its windows.
    pub missed: MissedChoice,
    /// When a device of it may restart. Its own: a group around it does not restart its devices.
    pub reboot: RebootPolicy,
}

/// A location's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocationForm {
    /// Its name.
    pub name: String,
    /// Its IANA zone.
    pub zone: String,
    /// KiB per second that installs at once share, or of each device where their number has no limit; none: no limit.
    pub rate_kib: Option<u32>,
    /// Installs at once; none: no limit.
    pub max_in_flight: Option<u32>,
}

/// What counts for the whole fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetForm {
    /// Installs at once; none: no limit.
    pub max_in_flight: Option<u32>,
    /// Failed tries on one device after which a person must look.
    pub retries: u32,
    /// Minutes to wait after the first failure; doubled each time.
    pub first_minutes: u32,
    /// The longest wait.
    pub longest_minutes: u32,
    /// How long an install is expected to take.
    pub install_minutes: u32,
    /// How long a reboot is expected to take.
    pub reboot_minutes: u32,
    /// Expected download rate in kB per second.
    pub rate_kb: u32,
}

/// A form of any kind, with what it replaces, to ask what it would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RingsForm {
    /// A ring.
    Ring {
        /// Which; none: a new one.
        id: Option<RingId>,
        /// A new one goes before this one; none: last.
        before: Option<RingId>,
        /// As it would be.
        form: RingForm,
    },
    /// A group.
    Group {
        /// Which; none: a new one.
        id: Option<GroupId>,
        /// As it would be.
        form: GroupForm,
    },
    /// The fleet.
    Fleet(FleetForm),
    /// A location.
    Location {
        /// Which; none: a new one.
        id: Option<LocationId>,
        /// As it would be.
        form: LocationForm,
    },
}

/// Saved, but probably not what was meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RingsWarning {
    /// Nothing can go through it, so every later ring waits.
    RingWithoutDevices {
        /// Its name.
        ring: String,
    },
    /// Less than the recommended 7 days.
    ShortSoak {
        /// Its name.
        ring: String,
    },
    /// What is approved here installs without any soak, because no ring is before it.
    NowFirst {
        /// Its name.
        ring: String,
        /// Approvals in force.
        approved: u32,
    },
    /// It blocks the windows above it and has none of its own: its devices may install at any time.
    BlocksWithoutWindow {
        /// Its name.
        group: String,
    },
    /// Its devices are in no ring and get nothing.
    GroupWithoutRing {
        /// Its name.
        group: String,
        /// How many.
        devices: u32,
    },
}

/// What was saved or removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingsSaved {
    /// Its number; 0 for the fleet.
    pub id: i64,
    /// The policy version that brought it.
    pub version: u64,
    /// What should be said about it.
    pub warnings: Vec<RingsWarning>,
}

/// One wave of a ring, drawn as a bar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveBar {
    /// `1 device`, `5 %`, `all`.
    pub label: String,
    /// Devices that may have started by then, of the ring's devices.
    pub devices: u32,
}

/// A ring of the ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingView {
    /// Which.
    pub id: RingId,
    /// Given back when it is changed.
    pub version: u64,
    /// The form that gives it.
    pub form: RingForm,
    /// Active devices in it.
    pub devices: u32,
    /// Groups whose devices are in it.
    pub groups: Vec<String>,
    /// Decisions in force for it.
    pub decisions: u32,
    /// How it is filled, with all devices at the end.
    pub waves: Vec<WaveBar>,
    /// Installs under way in it.
    pub in_flight: u32,
}

/// A group of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    /// Which.
    pub id: GroupId,
    /// Given back when it is changed.
    pub version: u64,
    /// The form that gives it.
    pub form: GroupForm,
    /// 0 at the top.
    pub depth: u32,
    /// The ring that counts, its own or inherited.
    pub ring: Option<String>,
    /// What counts for missed windows: after so many it catches up; 0 or none: it waits.
    pub catches_up_after: u32,
    /// Active devices in it, without those of groups in it.
    pub devices: u32,
    /// Windows that count here; none: installs at any time.
    pub windows: u32,
}

/// A location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocationView {
    /// Which.
    pub id: LocationId,
    /// Given back when it is changed.
    pub version: u64,
    /// The form that gives it.
    pub form: LocationForm,
    /// Active devices there.
    pub devices: u32,
    /// Installs under way there.
    pub in_flight: u32,
}

/// A product that a person called business-critical.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriticalProduct {
    /// Which.
    pub id: ProductId,
    /// Its name.
    pub name: String,
    /// Active devices that have it.
    pub devices: u32,
    /// Of those, devices in the first ring.
    pub pilots: u32,
}

/// The page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingsPage {
    /// The ladder.
    pub rings: Vec<RingView>,
    /// The tree, each group after the one that it lies in.
    pub groups: Vec<GroupView>,
    /// Places.
    pub locations: Vec<LocationView>,
    /// What counts for the whole fleet.
    pub fleet: FleetForm,
    /// Given back when it is changed.
    pub fleet_version: u64,
    /// Installs under way.
    pub in_flight: u32,
    /// Products that must not fail.
    pub critical: Vec<CriticalProduct>,
    /// Active devices in no ring: they get nothing.
    pub without_ring: u32,
    /// What should be said about all of it.
    pub warnings: Vec<RingsWarning>,
    /// The policy version in force.
    pub version: u64,
}

/// What a form would bring, before it is saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingsPreview {
    /// Installs that would move.
    pub change: WhatWouldChange,
    /// What would be said about it.
    pub warnings: Vec<RingsWarning>,
}

/// Something that is done to rings, groups and places without a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RingsStep {
    /// A ring goes one place earlier or later.
    Move {
        /// Which.
        ring: RingId,
        /// To the front.
        earlier: bool,
    },
    /// A ring goes.
    RemoveRing(RingId),
    /// A group goes.
    RemoveGroup(GroupId),
    /// A location goes; its devices stay, in none.
    RemoveLocation(LocationId),
}

/// What a step is about, and what it would bring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingsStepPreview {
    /// The step.
    pub step: RingsStep,
    /// The name of what it is about.
    pub name: String,
    /// Given back when it is done.
    pub version: u64,
    /// The rings in their order, as they would be; none where it stays.
    pub order: Vec<String>,
    /// Devices of the location that goes.
    pub devices: u32,
    /// What it would bring, or why it is refused.
    pub preview: Result<RingsPreview, UiError>,
}
