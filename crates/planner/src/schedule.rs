//! Profiles, maintenance windows and freezes as people write them. [`crate::calendar`] turns them into spans of UTC.

use domain::{Category, DeviceId, FreezeId, GroupId, OsReleaseId, ProfileId, Span, WindowId};
use serde::{Deserialize, Serialize};

/// The clock on a wall: seconds since 1970-01-01T00:00 on that wall, without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Local(pub i64);

/// In which zone wall-clock times are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZoneRule {
    /// UTC.
    Utc,
    /// The zone of this IANA name for every device.
    Fixed(String),
    /// Each device's own zone.
    #[default]
    Device,
}

/// A set of weekdays: bit 0 is Monday, bit 6 is Sunday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Days(pub u8);

impl Days {
    /// Every day.
    pub const ALL: Self = Self(0x7f);
    /// Monday to Friday.
    pub const WORKING: Self = Self(0x1f);
    /// Whether the set holds `day` (0 is Monday).
    #[must_use]
    pub const fn has(self, day: u8) -> bool {
        self.0 >> day & 1 == 1
    }
}

/// The hours in which a profile lets devices start an install (SCH-2). Over midnight it belongs to the day on which it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Whose clock.
    pub zone: ZoneRule,
    /// On which days it starts.
    pub days: Days,
    /// Start, in minutes after midnight, 0 to 1439.
    pub from_minute: u16,
    /// Length in minutes, 1 to 1440. The end is a time on the wall, too: 22:00 for 8 hours ends when the clock shows 06:00.
    pub minutes: u16,
}

/// Which devices a profile is for. Exclusions win.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scope {
    /// Every device.
    pub everything: bool,
    /// These groups and the groups in them.
    pub groups: Vec<GroupId>,
    /// These devices.
    pub devices: Vec<DeviceId>,
    /// But not these groups and the groups in them.
    pub not_groups: Vec<GroupId>,
    /// And not these devices.
    pub not_devices: Vec<DeviceId>,
}

/// How often devices scan, how often and in which hours they may install (SCH-1, SCH-2). Where several cover a device, the most specific
/// wins: one that names the device, then the one that names the deepest group, then the one for everything; between equals the lower
/// `position`, then the lower id (SCH-3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its id.
    pub id: ProfileId,
    /// Lower wins between equally specific profiles.
    pub position: u32,
    /// How often a device looks what is missing.
    pub scan_every: Span,
    /// The least time from the beginning of one round of installs to that of the next, 1 hour to 30 days. A round is open for
    /// [`ROUND`](crate::ROUND), so that an interval that is not longer than that means no waiting. Profiles that were stored without one
    /// have the default.
    #[serde(default = "daily")]
    pub install_every: Span,
    /// The allowed hours; `None`: all day, every day.
    pub frame: Option<Frame>,
    /// Which devices.
    pub scope: Scope,
    /// What of them is managed.
    #[serde(default)]
    pub coverage: Coverage,
    /// What stays free on them beyond the patch's own room, in MiB.
    #[serde(default = "Profile::reserve")]
    pub disk_reserve_mib: u64,
}

impl Profile {
    /// The default reserve, which also counts where no profile covers a device.
    pub(crate) const fn reserve() -> u64 {
        512
    }
}

/// What of a profile's devices is managed (COV-1, COV-5). Empty lists leave nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Coverage {
    /// The categories in scope; empty: every category.
    pub categories: Vec<Category>,
    /// The OS releases that are left out: devices on them are looked at, and nothing is installed there.
    pub left_out: Vec<OsReleaseId>,
}

/// The default interval of installs, and of scans (SCH-1).
const fn daily() -> Span {
    Span::hours(24)
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            id: ProfileId(1),
            position: 0,
            scan_every: daily(),
            install_every: daily(),
            frame: None,
            scope: Scope {
                everything: true,
                ..Scope::default()
            },
            coverage: Coverage::default(),
            disk_reserve_mib: Self::reserve(),
        }
    }
}

/// When a window begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recurrence {
    /// Once.
    Once {
        /// The wall clock at its beginning.
        start: Local,
    },
    /// By an RFC 5545 rule, e.g. `FREQ=WEEKLY;BYDAY=SA,SU`.
    Rule {
        /// The first beginning, which also gives the time of day.
        start: Local,
        /// The rule without `RRULE:`.
        rule: String,
    },
    /// The nth weekday of each month and some days more, e.g. three days after the second Tuesday.
    NthWeekday {
        /// 1 to 5, or -1 for the last.
        nth: i8,
        /// 0 is Monday.
        weekday: u8,
        /// 0 to 27.
        plus_days: u8,
        /// Start, in minutes after midnight, 0 to 1439.
        at_minute: u16,
    },
}

/// A maintenance window: it limits installs, never scans (MWN-1). A device with several may install in any of them; one install
/// must fit into one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Its id.
    pub id: WindowId,
    /// Whose clock.
    pub zone: ZoneRule,
    /// When it begins.
    pub recurrence: Recurrence,
    /// Its length as elapsed time.
    pub length: Span,
    /// The groups that it is for; groups in them inherit it unless they block that. Empty: every device.
    pub groups: Vec<GroupId>,
}

/// A span of dates without installs. It wins over windows, catching up and urgency, and is always inherited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Its id.
    pub id: FreezeId,
    /// Whose clock.
    pub zone: ZoneRule,
    /// First second.
    pub from: Local,
    /// First second after it.
    pub to: Local,
    /// The groups that it is for, with the groups in them. Empty: every device.
    pub groups: Vec<GroupId>,
}
