//! The machine's words: what happens to it, what it wants done, what it remembers.

use super::Seen;
use domain::{DeviceState, Measured, Moment, RebootPolicy, Span};
use protocol::{
    LongText,
    v1::{
        CheckInReply, DeviceNotice, DevicePolicy, Digest, NotStarted, Order, Outcome, PackageVersion, Permit,
        PermitReply, RefusalCode,
    },
};
use serde::{Deserialize, Serialize};

/// When a step happens, and what chance says: 0 to 65,535.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Now.
    pub now: Moment,
    /// Spreads retries, so that a fleet does not come back as one.
    pub jitter: u16,
}

/// What outlives the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The server's policy.
    pub policy: DevicePolicy,
    /// The server's epoch; grows when it was restored.
    pub epoch: u64,
    /// Digest of the inventory that the server acknowledged.
    pub acknowledged: Option<Digest>,
    /// Where the device stands, as last told.
    pub standing: Option<DeviceState>,
    /// How fast the device was the last time.
    #[serde(default)]
    pub measured: Measured,
    /// The last report was given up as it was; the server holds an earlier one, or none.
    #[serde(default)]
    pub unreported: bool,
}

impl Default for Kept {
    fn default() -> Self {
        // Until the server has said more: look every four hours, never restart.
        let policy = DevicePolicy {
            version: 0,
            scan_interval: 4 * 3_600,
            rate_kib: None,
            reboot: RebootPolicy::Never,
        };
        Self {
            policy,
            epoch: 0,
            acknowledged: None,
            standing: None,
            measured: Measured::default(),
            unreported: false,
        }
    }
}

/// A call to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `check-in`
    CheckIn,
    /// `report`
    Report,
    /// `permit`
    Permit,
    /// `results`
    Results,
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No answer, or none that the server signed.
    NoAnswer,
    /// The device itself could not send (full disk).
    Here,
    /// The message is larger than the server takes.
    TooLarge,
    /// The server's signed refusal.
    Refused(RefusalCode),
}

/// What a download has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Bytes per second, where enough was fetched to tell.
    pub rate: Option<u64>,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The process started.
    Born {
        /// The journal holds an attempt that was started and has no end: what its permit says of a restart.
        open: Option<RebootPolicy>,
        /// Records that the server has not acknowledged.
        unsent: u32,
        /// The restart that the last attempt asked for.
        restart: Restart,
    },
    /// Time went by.
    Tick,
    /// The service manager asks to end.
    Stop,
    /// The answer to a check-in.
    CheckedIn(CheckInReply),
    /// The server committed this inventory.
    Reported(Digest),
    /// The answer to a permit request.
    Answered(PermitReply),
    /// Results were taken; so many are left.
    Delivered {
        /// Not yet acknowledged.
        unsent: u32,
    },
    /// Records were marked to be told again.
    Recounted {
        /// Not yet acknowledged.
        unsent: u32,
    },
    /// A call failed.
    CallFailed(Call, Failure),
    /// A scan ended.
    Scanned {
        /// Of what it saw.
        digest: Digest,
        /// A source could not be read, now or the last time that it was asked: what it would have offered is not known.
        unread: bool,
    },
    /// A scan could not be made.
    ScanFailed,
    /// An order was made ready, or cannot be.
    Prepared {
        /// What is installed now.
        current: Vec<PackageVersion>,
        /// Simulated and downloaded, or why not.
        ready: Result<Fetched, NotStarted>,
    },
    /// `Started` is in the journal, synced.
    Begun {
        /// Records that the server has not acknowledged.
        unsent: u32,
    },
    /// The last look before the start found a reason against it; nothing is in the journal.
    NotBegun(NotStarted),
    /// The package manager ended, or recovery did.
    Ended(Box<Seen>),
    /// Recovery has to wait: a package manager still runs.
    StillRunning,
    /// `Finished` is in the journal, synced.
    Noted {
        /// Records that the server has not acknowledged.
        unsent: u32,
    },
    /// `Finished` could not be written.
    NoteFailed,
    /// The restart was not ordered now: a package manager runs, or the order is not in the journal.
    RebootNotNoted,
    /// The system refused to restart.
    RebootFailed,
}

/// The restart that the end of an attempt asked for, as a new life finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// None, or nothing is left to do about it.
    Nothing,
    /// Not ordered yet, and nobody else has restarted the device since.
    Owed,
    /// Not ordered for too long; it is not any more.
    Late,
    /// Ordered in this boot: it may still come.
    Ordered {
        /// How long it is still waited for.
        left: Span,
    },
    /// Ordered, and this is another boot.
    Over {
        /// How long it took, where that can be told.
        took: Option<Span>,
    },
}

/// What to do. Effects of one step are carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Call `check-in`.
    CheckIn,
    /// Call `report`.
    Report {
        /// Everything, not only what changed.
        full: bool,
    },
    /// Call `permit`.
    AskPermit {
        /// For this order.
        order: Order,
        /// What is installed now.
        current: Vec<PackageVersion>,
    },
    /// Call `results`.
    SendResults,
    /// Store what outlives the process.
    Save(Kept),
    /// Store the notices for people at the device.
    Notices(Vec<DeviceNotice>),
    /// Mark all records as not yet told.
    Resend {
        /// The server's new epoch.
        epoch: u64,
    },
    /// Scan.
    Scan {
        /// Fetch the indexes first, whatever their age.
        refresh: bool,
    },
    /// Simulate, save the installed versions, download.
    Prepare {
        /// What.
        order: Order,
        /// Download limit in KiB per second.
        rate_kib: Option<u32>,
        /// Do nothing but look: this forbids the order.
        forbidden: Option<NotStarted>,
    },
    /// Simulate once more and write `Started`.
    Begin {
        /// What.
        order: Order,
        /// By which right.
        permit: Permit,
    },
    /// Start the package manager.
    Run {
        /// What.
        order: Order,
        /// By which right.
        permit: Permit,
        /// When that right ends.
        until: Moment,
    },
    /// Find out how the open attempt ended, and repair.
    Recover,
    /// Write `Finished`.
    Finish(Finish),
    /// Write that the restart is ordered, then order it.
    Reboot,
    /// Write that the ordered restart did not come.
    GiveUpReboot,
    /// End the process.
    Exit(End),
}

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// The permit of the attempt; absent for one found open at start, which the journal knows.
    pub permit: Option<Permit>,
    /// How.
    pub outcome: Outcome,
    /// What is installed now.
    pub observed: Vec<PackageVersion>,
    /// The end of the log.
    pub log: LongText,
    /// Seconds.
    pub took: u32,
    /// The device is to restart because of it.
    pub restart: bool,
}

/// Why the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Asked to.
    Stopped,
    /// `--once`: nothing is left to do now.
    Done,
    /// `--once`: the server gave no answer.
    NoAnswer,
    /// The server revoked this device for ever.
    Revoked,
    /// An update replaced files that this process runs; it goes on as a new one.
    Renewed,
}
