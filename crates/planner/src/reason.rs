//! What a decision consists of. Only ids, numbers and absolute moments; the words are made in [`crate::words`].

use crate::facts::HoldCause;
use crate::profile::WhyProfile;
use domain::{
    AccountId, AttemptId, Category, DecisionId, DeviceState, ExceptionId, FreezeId, GroupId, HoldId, LocationId,
    Moment, OsReleaseId, PatchId, PatchState, ProductId, ProfileId, RingId, Span, Urgency, WindowId,
};
use serde::{Deserialize, Serialize};

macro_rules! gates {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $label:literal;)+) => {
        /// The gates in the order in which they are shown; the first one that is not open is the headline.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Gate { $($(#[$doc])* $name),+ }

        impl Gate {
            /// Every gate, in order.
            pub const ALL: [Self; 15] = [$(Self::$name),+];
            /// The word used in addresses and in the API.
            #[must_use]
            pub const fn word(self) -> &'static str { match self { $(Self::$name => $word),+ } }
            /// The words shown to people.
            #[must_use]
            pub const fn label(self) -> &'static str { match self { $(Self::$name => $label),+ } }
        }
    };
}

gates! {
    /// The device and its release are managed, and so is the patch's category.
    Covered = "covered", "Covered";
    /// The device needs the patch, and its own engine has nothing against it.
    Applicable = "applicable", "Applicable and missing";
    /// No approved newer patch takes its place.
    NotSuperseded = "not_superseded", "Not superseded";
    /// Nobody denied it, no exception covers it, it was not taken back here.
    NotDenied = "not_denied", "Not denied or excepted";
    /// Approved for the device's ring.
    Approved = "approved", "Approved";
    /// The rings before have shown enough for long enough.
    Soaked = "soaked", "Earlier rings soaked";
    /// Nothing stops the rollout.
    NotHeld = "not_held", "No hold";
    /// The way back is known, if the policy asks for it.
    Rollback = "rollback", "Rollback plan";
    /// The package is at hand with a trusted hash, if the policy asks for it.
    Package = "package", "Package at hand";
    /// Failed attempts leave room for another one now.
    Retries = "retries", "Retries left";
    /// The device can take an install.
    DeviceReady = "device_ready", "Device ready";
    /// The device's latest round of installs is open, or the next one may begin.
    Interval = "interval", "Install interval";
    /// The profile's hours.
    Frame = "frame", "Profile frame";
    /// A maintenance window is open for long enough, and there is no freeze.
    Window = "window", "Maintenance window";
    /// Room among what runs at once.
    Slot = "slot", "Slot free";
}

/// Why a gate stands as it does. Closed: every word that people see comes from one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    // Covered
    /// The device may not be changed in its state.
    DeviceNotActive {
        /// Where it stands.
        state: DeviceState,
    },
    /// The device is only looked at.
    ScanOnly,
    /// The device's profile leaves its release out.
    ReleaseLeftOut {
        /// The release.
        release: OsReleaseId,
        /// The profile.
        profile: ProfileId,
    },
    /// The patch's category is out of the scope of the device's profile.
    CategoryNotCovered {
        /// The category.
        category: Category,
        /// The profile.
        profile: ProfileId,
    },
    // Applicable
    /// Nobody could look.
    NotSeen {
        /// The last complete scan.
        last_scan: Option<Moment>,
    },
    /// There is nothing to do.
    NotNeeded {
        /// Where the pair stands.
        state: PatchState,
    },
    /// It runs.
    InProgress {
        /// Where the pair stands.
        state: PatchState,
    },
    /// Marked as held on the device.
    HeldOnDevice,
    /// The vendor has not let it out to this machine.
    PhasedOnDevice {
        /// The vendor's share.
        percent: u8,
    },
    /// A pin on the device keeps another version.
    PinnedOnDevice,
    // NotSuperseded
    /// An approved newer patch takes its place (I-34).
    Superseded {
        /// The newer one.
        by: PatchId,
    },
    /// Note: there is a newer patch, not approved for this ring.
    SuccessorNotApproved {
        /// The newer one.
        by: PatchId,
    },
    // NotDenied
    /// Denied for the ring.
    Denied {
        /// The decision.
        decision: DecisionId,
        /// The ring.
        ring: RingId,
        /// Who.
        by: AccountId,
        /// When.
        at: Moment,
    },
    /// An exception covers it.
    Excepted {
        /// The exception.
        exception: ExceptionId,
        /// Who answers for it.
        owner: AccountId,
        /// When it ends.
        until: Moment,
    },
    /// Taken back on this device; a new approval lifts that.
    RolledBackHere,
    // Approved
    /// The device is in no ring.
    NoRing,
    /// The device's ring is not among the policy's.
    UnknownRing {
        /// The ring.
        ring: RingId,
    },
    /// Nobody approved it for the ring.
    NotApproved {
        /// The ring.
        ring: RingId,
    },
    /// Note: who approved it.
    Approved {
        /// The decision.
        decision: DecisionId,
        /// The ring.
        ring: RingId,
        /// Who.
        by: AccountId,
        /// When.
        at: Moment,
        /// What it skips.
        urgent: Urgency,
    },
    // Soaked
    /// Note: there is no earlier ring.
    FirstRing {
        /// The ring.
        ring: RingId,
    },
    /// Note: an urgent approval skips the soak.
    UrgentSkipsSoak {
        /// The decision.
        decision: DecisionId,
        /// Who.
        by: AccountId,
    },
    /// The earlier ring has no device with the patch yet.
    NoSuccessYet {
        /// The earlier ring.
        ring: RingId,
        /// Devices there that need it.
        targets: u32,
    },
    /// Not long enough yet.
    Soaking {
        /// The earlier ring.
        ring: RingId,
        /// Its first success.
        since: Moment,
        /// How long it must be.
        needed: Span,
        /// How long a hold had stopped the clock.
        paused: Span,
        /// When it is over.
        until: Moment,
        /// Devices that have it.
        clean: u32,
        /// Of these, devices that have rebooted since; `None` where the patch needs no reboot.
        rebooted: Option<u32>,
    },
    /// A hold stops the clock of the soak.
    SoakPaused {
        /// The earlier ring.
        ring: RingId,
        /// The hold.
        hold: HoldId,
        /// Since when.
        at: Moment,
    },
    /// Too few devices have it.
    TooFewSuccesses {
        /// The earlier ring.
        ring: RingId,
        /// Devices that have it.
        clean: u32,
        /// How many must.
        needed: u32,
    },
    /// No device of the patch's release has it.
    ReleaseNotProven {
        /// The earlier ring.
        ring: RingId,
        /// The release.
        release: OsReleaseId,
    },
    /// Too small a share of the ring has it.
    ShareTooSmall {
        /// The earlier ring.
        ring: RingId,
        /// Devices that have it.
        clean: u32,
        /// Devices that need or needed it.
        targets: u32,
        /// The share asked for.
        percent: u8,
    },
    /// Too few devices have rebooted since.
    TooFewReboots {
        /// The earlier ring.
        ring: RingId,
        /// Devices that have.
        rebooted: u32,
        /// How many must.
        needed: u32,
        /// Devices that have the patch.
        clean: u32,
        /// The first of them.
        since: Moment,
        /// How long the soak must be.
        soak: Span,
        /// How long a hold had stopped the clock.
        paused: Span,
    },
    /// A business-critical product of this device was not on any device that took it.
    ProductNotProven {
        /// The earlier ring.
        ring: RingId,
        /// The product.
        product: ProductId,
    },
    /// Note: soaked, and what that proves.
    Soaked {
        /// The earlier ring that was done last.
        ring: RingId,
        /// When.
        at: Moment,
        /// Devices that have it.
        clean: u32,
    },
    // NotHeld
    /// Stopped.
    Held {
        /// The hold.
        hold: HoldId,
        /// Which ring it stops, with the later ones.
        ring: Option<RingId>,
        /// Why.
        cause: HoldCause,
        /// Since when.
        at: Moment,
        /// Who.
        by: Option<AccountId>,
    },
    // Rollback
    /// Note: the policy does not ask.
    RollbackNotRequired,
    /// There is no plan.
    NoRollbackPlan,
    /// The device could not go back now.
    RollbackNotReady {
        /// What it said; `None`: nothing.
        said: Option<bool>,
    },
    /// Note: somebody decided to go without.
    RollbackWaived {
        /// Who.
        by: AccountId,
    },
    // Package
    /// Note: the policy does not ask.
    PackageNotRequired,
    /// Not in the cache.
    PackageMissing,
    /// On the way to the cache.
    PackageFetching,
    // Retries
    /// Waiting after a failure.
    BackOff {
        /// Failures so far.
        failed: u32,
        /// The most that are tried.
        max: u32,
        /// When the next try may start.
        until: Moment,
    },
    /// Tried often enough.
    RetriesUsed {
        /// Failures so far.
        failed: u32,
        /// The most that are tried.
        max: u32,
    },
    /// The device had leave and did not start, and waits.
    NotStarted {
        /// How often in a row.
        times: u32,
        /// The next try.
        until: Moment,
    },
    // DeviceReady
    /// A person must mend the package manager.
    ManagerBroken,
    /// A reboot is owed.
    RebootOwed {
        /// Since when.
        since: Moment,
    },
    /// Too little space.
    DiskLow {
        /// Free, in MiB.
        free_mib: u64,
        /// Needed, in MiB, with the reserve.
        needed_mib: u64,
        /// What the device's profile keeps free, in MiB.
        reserve_mib: u64,
    },
    /// On battery.
    OnBattery,
    // Interval
    /// Note: the latest round is still open.
    InRound {
        /// When it began.
        began: Moment,
        /// When it is over.
        until: Moment,
    },
    /// The latest round is over, and the next one may not begin yet.
    IntervalNotOver {
        /// The profile that says how often.
        profile: ProfileId,
        /// When the latest round began.
        began: Moment,
        /// How long after that, or after the opening of the time in which it began, the next one may begin.
        every: Span,
        /// When that is.
        until: Moment,
    },
    /// Note: an urgent approval does not wait for a round.
    UrgentSkipsInterval {
        /// The decision.
        decision: DecisionId,
        /// Who.
        by: AccountId,
    },
    /// Note: a try after a failure does not wait for a round.
    RetrySkipsInterval {
        /// Failures so far.
        failed: u32,
    },
    // Frame
    /// No profile covers the device: a finding, never an install (SCH-3).
    NoProfile,
    /// Note: the profile, and why this one.
    ByProfile {
        /// The profile.
        profile: ProfileId,
        /// Why it won.
        why: WhyProfile,
        /// When its hours end; `None`: all day.
        until: Option<Moment>,
    },
    /// Outside the profile's hours.
    OutsideFrame {
        /// The profile.
        profile: ProfileId,
        /// Why it won.
        why: WhyProfile,
        /// When they begin.
        opens: Moment,
    },
    /// The profile's hours never have room for this install.
    FrameTooShort {
        /// The profile.
        profile: ProfileId,
        /// The expected length.
        needed: Span,
    },
    /// Note: an urgent approval goes outside the hours and windows.
    UrgentSkipsWindows {
        /// The decision.
        decision: DecisionId,
        /// Who.
        by: AccountId,
    },
    // Window
    /// Note: no window limits this device.
    NoWindow,
    /// Note: inside a window.
    InWindow {
        /// The window.
        window: WindowId,
        /// When it ends.
        until: Moment,
    },
    /// Outside every window.
    OutsideWindow {
        /// The window that opens next with room enough.
        window: WindowId,
        /// When.
        opens: Moment,
    },
    /// A window is open, but what is left of it is too short.
    TooLittleLeft {
        /// The window that is open.
        window: WindowId,
        /// When it ends.
        until: Moment,
        /// The expected length.
        needed: Span,
        /// The next one with room enough.
        next: Moment,
    },
    /// No window of this device has room in the time that is planned ahead.
    NoWindowFits {
        /// One of its windows.
        window: WindowId,
        /// The expected length.
        needed: Span,
    },
    /// No installs on these dates.
    Frozen {
        /// The freeze.
        freeze: FreezeId,
        /// When it ends.
        until: Moment,
    },
    /// A freeze begins before the install could end.
    FreezeNear {
        /// The freeze.
        freeze: FreezeId,
        /// When it begins.
        from: Moment,
        /// When it ends.
        until: Moment,
    },
    /// Note: it slept through its windows and may catch up now.
    CatchUp {
        /// The group that says so.
        group: GroupId,
        /// Windows missed in a row.
        missed: u32,
    },
    /// The schedule is not worked out for this time.
    BeyondHorizon,
    // Slot
    /// Another attempt runs on the device (I-15).
    DeviceBusy {
        /// The attempt.
        attempt: AttemptId,
    },
    /// Another patch goes first on the device.
    AfterOnDevice {
        /// The other one.
        patch: PatchId,
    },
    /// The first device of a wave goes alone (I-31).
    FirstGoesAlone {
        /// The ring.
        ring: RingId,
        /// The wave, from 1.
        wave: u32,
    },
    /// The wave is full until its devices have finished.
    WaveFull {
        /// The ring.
        ring: RingId,
        /// The wave, from 1.
        wave: u32,
        /// Devices that have started, in all waves.
        started: u32,
        /// The most that may, up to this wave.
        cap: u32,
    },
    /// Rest between waves.
    WaveRest {
        /// The ring.
        ring: RingId,
        /// The wave that comes, from 1.
        wave: u32,
        /// When it may start.
        until: Moment,
    },
    /// As many of this patch run in the ring as may.
    RingFull {
        /// The ring.
        ring: RingId,
        /// The most that may.
        cap: u32,
    },
    /// As many run in the location as may.
    LocationFull {
        /// The location.
        location: LocationId,
        /// The most that may.
        cap: u32,
    },
    /// As many run as may.
    FleetFull {
        /// The most that may.
        cap: u32,
    },
}

/// How one gate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateStatus {
    /// Nothing against it.
    Open {
        /// Since when, where that is known.
        since: Option<Moment>,
        /// What is worth saying all the same.
        note: Option<Reason>,
    },
    /// Opens by itself.
    OpensAt {
        /// When, if nothing else changes.
        at: Moment,
        /// Why not before.
        reason: Reason,
    },
    /// Closed until somebody does something or something happens.
    Closed {
        /// Why.
        reason: Reason,
    },
}

impl Reason {
    /// No hours and no window is long enough for the install.
    #[must_use]
    pub const fn is_misfit(&self) -> bool {
        matches!(self, Self::FrameTooShort { .. } | Self::NoWindowFits { .. })
    }
}

impl GateStatus {
    /// Open, without more to say.
    pub const OPEN: Self = Self::Open {
        since: None,
        note: None,
    };

    /// Open with a note.
    #[must_use]
    pub const fn noted(note: Reason) -> Self {
        Self::Open {
            since: None,
            note: Some(note),
        }
    }

    /// Whether nothing is against it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// The reason or the note.
    #[must_use]
    pub const fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Open { note, .. } => note.as_ref(),
            Self::OpensAt { reason, .. } | Self::Closed { reason } => Some(reason),
        }
    }
}

/// One gate's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateReport {
    /// Which gate.
    pub gate: Gate,
    /// How it stands.
    pub status: GateStatus,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every gate is open.
    Install {
        /// Since when they all are, as far as that is known; never later than now.
        not_before: Moment,
        /// The last moment at which it may start and still end in time; `None`: no schedule limits it.
        not_after: Option<Moment>,
    },
    /// Some gate is not open.
    Hold {
        /// Every reason, in the gates' order.
        reasons: Vec<Reason>,
    },
    /// There is nothing to decide.
    Settled {
        /// Where the pair stands.
        how: PatchState,
    },
}

/// The verdict with every gate's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The answer.
    pub verdict: Verdict,
    /// All gates, in order.
    pub ladder: Vec<GateReport>,
    /// The earliest moment of installing if nothing but time changes; `None` while a person or an event must come first, and when settled.
    pub earliest: Option<Moment>,
}

impl Decision {
    /// The first gate that is not open: who or what it waits for.
    #[must_use]
    pub fn headline(&self) -> Option<&GateReport> {
        self.ladder.iter().find(|report| !report.status.is_open())
    }

    /// Whether it may be installed now.
    #[must_use]
    pub const fn installs(&self) -> bool {
        matches!(self.verdict, Verdict::Install { .. })
    }
}
