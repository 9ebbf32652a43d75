//! Orders, permits and results: the only things a server can make a device do. There is no field for a script, an address or an
//! argument, and never will be (DESIGN principle 3).

use crate::{LongText, ShortText};
use domain::{Arch, AttemptId, Moment, PackageName, PatchId, RebootPolicy, VersionText};
use serde::{Deserialize, Serialize};

/// One package at one exact version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PackageVersion {
    /// Binary package.
    pub name: PackageName,
    /// Architecture.
    pub arch: Arch,
    /// Exact version; absent = not installed.
    #[serde(default)]
    pub version: Option<VersionText>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Upgrade to the exact versions.
    Install,
    /// Go back to the exact versions recorded before the install.
    RollBack,
}

/// Something to make ready (simulate, download) and then ask a permit for. An order alone allows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Which patch.
    pub patch: PatchId,
    /// What.
    pub kind: ActionKind,
    /// The exact packages.
    pub packages: Vec<PackageVersion>,
}

/// The body of `permit`: sent right before the package manager would start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermitRequest {
    /// Which patch.
    pub patch: PatchId,
    /// What.
    pub kind: ActionKind,
    /// What is installed now of the packages concerned; becomes the recorded previous version.
    pub current: Vec<PackageVersion>,
}

/// The reply to `permit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum PermitReply {
    /// Start now.
    Granted(Permit),
    /// Not now.
    Refused {
        /// The first closed gate, e.g. `soak`.
        gate: ShortText,
        /// The planner's sentence.
        reason: ShortText,
        /// When it opens by itself, if it does.
        #[serde(default)]
        opens_at: Option<Moment>,
    },
}

/// Permission to start one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permit {
    /// The attempt that the results must name.
    pub attempt: AttemptId,
    /// Grows with every permit of the device; results with an older fence are refused.
    pub fence: u64,
    /// Seconds from the reply's `server_time` within which the package manager must have started.
    pub start_within: u32,
    /// The server's clock.
    pub server_time: Moment,
    /// The exact packages; equal to the order's, or the agent does not start.
    pub packages: Vec<PackageVersion>,
    /// When the device may restart.
    pub reboot: RebootPolicy,
}

/// The body of `results`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// At most `MAX_RESULTS`, oldest first.
    pub results: Vec<AttemptRecord>,
}

/// One record of the agent's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// 32 hex digits made when the record was written; the server takes each id once.
    pub id: String,
    /// Which attempt.
    pub attempt: AttemptId,
    /// The permit's fence.
    pub fence: u64,
    /// When, by the agent's clock.
    pub at: Moment,
    /// What happened.
    pub event: AttemptEvent,
}

/// What happened in an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum AttemptEvent {
    /// Written and synced before the package manager starts.
    Started {
        /// What was installed before.
        from: Vec<PackageVersion>,
    },
    /// The end, as observed.
    Finished {
        /// How it ended.
        outcome: Outcome,
        /// What is installed now of the packages concerned.
        observed: Vec<PackageVersion>,
        /// The end of the package manager's log.
        #[serde(default)]
        log: LongText,
        /// Seconds from start to end.
        #[serde(default)]
        took: u32,
    },
}

/// How an attempt ended. Judged by what is installed afterwards, never by an exit code alone (DESIGN principle 9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Outcome {
    /// Every package has the version asked for and the package manager is in order.
    Succeeded,
    /// The package manager was not started.
    NotStarted {
        /// Why.
        why: NotStarted,
    },
    /// Started, and not every package has the version asked for; the package manager is in order or was repaired.
    Failed {
        /// Exit code of the package manager.
        #[serde(default)]
        exit: Option<i32>,
        /// Its last error line.
        message: ShortText,
    },
    /// Interrupted (power, kill) and brought to the version asked for by recovery.
    InterruptedRecovered,
    /// Interrupted or failed, and the package manager could not be repaired. Stops the rollout.
    Broken {
        /// What the package manager says.
        message: ShortText,
    },
}

/// Why an attempt did not start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum NotStarted {
    /// The simulation would change more than was permitted.
    WouldAlsoChange {
        /// What else, e.g. `install libfoo2 1.2`, `remove bar`.
        changes: Vec<ShortText>,
    },
    /// The versions asked for are not to be had.
    Unavailable {
        /// What the package manager said.
        message: ShortText,
    },
    /// The download failed.
    Download {
        /// What the package manager said.
        message: ShortText,
    },
    /// The permit's time was over before the start.
    PermitExpired,
    /// The device's own policy forbids it.
    LocalPolicy {
        /// Which rule.
        rule: ShortText,
    },
    /// The package manager is broken or locked by somebody else.
    ManagerBusy {
        /// What was seen.
        message: ShortText,
    },
    /// Already as asked for; nothing to do.
    AlreadyThere,
}

/// The reply to `results`: what is committed and may be dropped from the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultsReply {
    /// Ids taken, now or before.
    pub acknowledged: Vec<String>,
    /// Ids refused for ever, e.g. an id already taken with other content.
    #[serde(default)]
    pub refused: Vec<String>,
}
