//! What people have decided beforehand: rings, schedules, groups, exceptions and limits.

use crate::schedule::{Freeze, Profile, Window};
use domain::{AccountId, DeviceId, ExceptionId, GroupId, LocationId, Moment, PatchId, ProductId, RingId, Span};
use serde::{Deserialize, Serialize};

/// Everything that limits installs and is not a fact about one device or patch. [`Policy::default`] is what a new installation does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// The stages of a rollout; their order is their `position`.
    pub rings: Vec<Ring>,
    /// The tree of groups.
    pub groups: Vec<Group>,
    /// Scan and install schedules (SCH-3).
    pub profiles: Vec<Profile>,
    /// Maintenance windows (MWN-1).
    pub windows: Vec<Window>,
    /// Dates without installs. They win over windows and over urgency.
    pub freezes: Vec<Freeze>,
    /// Waivers: what is not to be installed where, until when.
    pub exceptions: Vec<Exception>,
    /// Places with their limits.
    pub locations: Vec<Location>,
    /// What happens after a failure.
    pub retry: RetryPolicy,
    /// How much may run at once, and for how long a permit counts.
    pub permits: PermitPolicy,
    /// How long an install is expected to take until it was measured.
    pub durations: Durations,
    /// Whether the package must lie in the patch cache first (MED-1).
    pub package: PackagePolicy,
}

/// A stage of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    /// Its id.
    pub id: RingId,
    /// Its name, e.g. `Pilot`.
    pub name: String,
    /// Lower goes first. Rings of one position do not wait for each other.
    pub position: u32,
    /// How long a patch must have run in this ring before any later ring opens (PIL-1).
    pub soak: Span,
    /// What this ring must have shown before any later ring opens.
    pub evidence: EvidencePolicy,
    /// How it is filled.
    #[serde(default)]
    pub waves: WavePolicy,
    /// When failures in it stop a rollout.
    #[serde(default)]
    pub holds: HoldPolicy,
    /// Open attempts of one patch in it at once; `None`: no limit.
    #[serde(default)]
    pub max_in_flight: Option<u32>,
    /// Whether the way back must be known before a patch is installed in it (RBK-1).
    #[serde(default)]
    pub rollback: RollbackPolicy,
}

impl Ring {
    /// A ring as a new installation has it: 7 days, and the recommended waves and thresholds.
    #[must_use]
    pub fn new(id: RingId, name: &str, position: u32) -> Self {
        Self {
            id,
            name: name.to_owned(),
            position,
            soak: Span::days(7),
            evidence: EvidencePolicy::default(),
            waves: WavePolicy::default(),
            holds: HoldPolicy::default(),
            max_in_flight: None,
            rollback: RollbackPolicy::default(),
        }
    }
}

/// What a ring must have shown before the next one opens (DESIGN 1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EvidencePolicy {
    /// Devices on which the patch was installed and seen to be in place.
    pub min_successes: u32,
    /// Share of the ring's devices that need the patch, in percent, 0 to 100.
    pub min_share_percent: u8,
    /// At least one success on the OS release of the patch.
    pub own_release: bool,
    /// Every business-critical product of the target device was seen on a device that took the patch (PIL-3).
    pub critical_products: bool,
    /// Where the patch needs a reboot: as many devices as `min_successes` have rebooted since.
    pub rebooted: bool,
}

impl Default for EvidencePolicy {
    fn default() -> Self {
        Self {
            min_successes: 1,
            min_share_percent: 0,
            own_release: true,
            critical_products: false,
            rebooted: false,
        }
    }
}

/// A group of devices in the tree of groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// The group that it lies in.
    pub parent: Option<GroupId>,
    /// Windows of groups above do not count here. Freezes are always inherited.
    pub blocks_inheritance: bool,
    /// What a device does that slept through its windows; `None` asks the group above.
    pub missed: Option<MissedWindows>,
}

/// What a device does that slept through its windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedWindows {
    /// Wait for the next window.
    Wait,
    /// Install at the next contact once this many windows in a row were missed.
    CatchUp {
        /// How many; at least 1.
        after: u32,
    },
}

/// Whom an exception covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionFor {
    /// One device.
    Device(DeviceId),
    /// A group and the groups in it.
    Group(GroupId),
    /// Every device.
    All,
}

/// What an exception is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionOf {
    /// One patch.
    Patch(PatchId),
    /// Every patch of a product.
    Product(ProductId),
}

/// A waiver: until it expires, the thing is not installed there. It has an owner who answers for it; the reason's text stays with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// Its id.
    pub id: ExceptionId,
    /// Whom it covers.
    pub covers: ExceptionFor,
    /// What it is about.
    pub of: ExceptionOf,
    /// Who answers for it.
    pub owner: AccountId,
    /// When it ends. From this moment on it does nothing.
    pub expires: Moment,
}

/// A place with its own bandwidth and zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Its id.
    pub id: LocationId,
    /// The zone that its devices are taken to be in when they do not say.
    pub zone: String,
    /// How many of its devices may install at once; `None`: no limit.
    pub max_in_flight: Option<u32>,
    /// The rate for patch data in bytes per second, see [`Self::share`]; `None`: no limit (BWL-1).
    pub bytes_per_second: Option<u64>,
}

impl Location {
    /// The rate of one device in bytes per second: its share when as many download as may install at once. Without a limit of installs nobody
    /// knows how many download, and the rate is each device's own (BWL-1).
    #[must_use]
    pub fn share(&self) -> Option<u64> {
        let among = u64::from(self.max_in_flight.unwrap_or(1).max(1));
        self.bytes_per_second.map(|rate| (rate / among).max(1))
    }
}

/// Back-off after failures: `first`, doubled each time, never more than `longest`; after `max` failures a person must resolve a
/// hold of the patch, which starts the count anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Failed attempts on one device after which nothing is tried again until a person resets it.
    pub max: u32,
    /// Wait after the first failure.
    pub first: Span,
    /// Longest wait.
    pub longest: Span,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max: 3,
            first: Span::hours(1),
            longest: Span::hours(24),
        }
    }
}

/// How long a device that did not start is left alone with the same patch at first.
const NOT_STARTED: Span = Span::minutes(15);

impl RetryPolicy {
    /// How long to wait after `failed` failures in a row (0: not at all).
    #[must_use]
    pub const fn wait_after(self, failed: u32) -> Span {
        if failed == 0 {
            return Span(0);
        }
        self.doubled(self.first, failed)
    }

    /// How long to wait after a device has not started `times` times in a row (0: not at all). That is no failure, so that it never is too
    /// often; but what stopped it is seldom gone a moment later.
    #[must_use]
    pub const fn wait_unstarted(self, times: u32) -> Span {
        if times == 0 {
            return Span(0);
        }
        self.doubled(NOT_STARTED, times)
    }

    const fn doubled(self, first: Span, times: u32) -> Span {
        let doublings = if times > 31 { 30 } else { times - 1 };
        let wait = first.0.saturating_mul(1 << doublings);
        if wait > self.longest.0 {
            self.longest
        } else {
            Span(wait)
        }
    }
}

/// How many devices of a ring may have started when the wave before is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaveStep {
    /// This many devices in all.
    Devices(u32),
    /// This share of the ring's devices that need the patch, in percent, rounded up, at least 1.
    Percent(u8),
}

impl WaveStep {
    /// The number of devices of `targets`; integer maths, at least 1.
    #[must_use]
    pub const fn of(self, targets: u32) -> u32 {
        let n = match self {
            Self::Devices(n) => n,
            Self::Percent(p) => ((targets as u64 * p as u64).div_ceil(100)) as u32,
        };
        if n == 0 { 1 } else { n }
    }
}

/// Waves inside a ring. The first device of each wave goes alone. No steps: everybody at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WavePolicy {
    /// Growing steps; after the last one every device may go.
    pub steps: Vec<WaveStep>,
    /// Rest between the last result of a wave and the next wave.
    pub rest: Span,
}

impl Default for WavePolicy {
    fn default() -> Self {
        Self {
            steps: vec![WaveStep::Devices(1), WaveStep::Percent(5), WaveStep::Percent(25)],
            rest: Span(0),
        }
    }
}

/// When results stop a rollout by themselves (THREATS 4, halt defaults).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldPolicy {
    /// Failed devices, together with `percent`.
    pub failures: u32,
    /// Failed devices in percent of finished ones, together with `failures`.
    pub percent: u8,
    /// Devices that started and vanished.
    pub vanished: u32,
}

impl Default for HoldPolicy {
    fn default() -> Self {
        Self {
            failures: 2,
            percent: 5,
            vanished: 2,
        }
    }
}

/// Permits and how many may be out at once. `None`: no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermitPolicy {
    /// How long a permit counts for starting.
    pub length: Span,
    /// Open attempts in the fleet.
    pub fleet_in_flight: Option<u32>,
}

impl Default for PermitPolicy {
    fn default() -> Self {
        Self {
            length: Span::minutes(10),
            fleet_in_flight: None,
        }
    }
}

/// Expected lengths until they were measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    /// Installing.
    pub install: Span,
    /// Rebooting, where the patch needs it.
    pub reboot: Span,
    /// Download rate in bytes per second, at least 1.
    pub bytes_per_second: u64,
}

impl Default for Durations {
    fn default() -> Self {
        Self {
            install: Span::minutes(10),
            reboot: Span::minutes(10),
            bytes_per_second: 1_000_000,
        }
    }
}

/// Whether the way back must be known before an install.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackPolicy {
    /// Not asked.
    #[default]
    NotRequired,
    /// A plan exists or was waived.
    Plan,
    /// A plan exists or was waived, and the device can carry it out now.
    Readiness,
}

/// Whether the package must lie in the patch cache before an install.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackagePolicy {
    /// The device fetches from its vendor.
    #[default]
    NotRequired,
    /// Only what lies in the cache with a trusted hash.
    Required,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            rings: vec![Ring::new(RingId(1), "Pilot", 1), Ring::new(RingId(2), "Production", 2)],
            groups: Vec::new(),
            profiles: vec![Profile::default()],
            windows: Vec::new(),
            freezes: Vec::new(),
            exceptions: Vec::new(),
            locations: Vec::new(),
            retry: RetryPolicy::default(),
            permits: PermitPolicy::default(),
            durations: Durations::default(),
            package: PackagePolicy::default(),
        }
    }
}
