//! The schedule pages: profiles, maintenance windows, freezes and exceptions as forms, lists, previews and a week.

use crate::GroupName;
use domain::{AccountId, DeviceId, GroupId, Moment, OsReleaseId, PatchId};
use serde::{Deserialize, Serialize};

/// On which clock a form's times are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZoneChoice {
    /// UTC.
    Utc,
    /// Each device's own.
    #[default]
    Device,
    /// The zone of this IANA name.
    Named(String),
}

/// When a window begins, as the form asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowWhen {
    /// On these days of each week; 0 is Monday.
    Weekly {
        /// Days.
        days: Vec<u8>,
    },
    /// Some days after the nth weekday of each month.
    Monthly {
        /// 1 to 5, or -1 for the last.
        nth: i8,
        /// 0 is Monday.
        weekday: u8,
        /// 0 to 27.
        plus_days: u8,
    },
    /// Once.
    Once {
        /// E.g. `2026-12-05`.
        date: String,
    },
    /// By an RFC 5545 rule without `RRULE:`.
    Rule {
        /// The first day, e.g. `2026-12-05`.
        date: String,
        /// E.g. `FREQ=MONTHLY;BYMONTHDAY=15`.
        rule: String,
    },
}

/// A maintenance window's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowForm {
    /// Its name.
    pub name: String,
    /// On which days it begins.
    pub when: WindowWhen,
    /// When on the day it begins, e.g. `22:00`.
    pub at: String,
    /// Its length.
    pub minutes: u32,
    /// Whose clock.
    pub zone: ZoneChoice,
    /// Which groups, with the groups in them; none: every device.
    pub groups: Vec<GroupId>,
}

/// The allowed hours of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameForm {
    /// Whose clock.
    pub zone: ZoneChoice,
    /// On which days the hours begin; 0 is Monday.
    pub days: Vec<u8>,
    /// E.g. `20:00`.
    pub from: String,
    /// E.g. `06:00`; not after `from`: on the next day.
    pub to: String,
}

/// A profile's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileForm {
    /// Its name.
    pub name: String,
    /// Lower wins between equally specific profiles.
    pub position: u32,
    /// Minutes between scans.
    pub scan_minutes: u32,
    /// The least minutes between the beginnings of two rounds of installs; not longer than a round (4 hours): no waiting.
    pub install_minutes: u32,
    /// The allowed hours; none: all day, every day.
    pub frame: Option<FrameForm>,
    /// Every device.
    pub everything: bool,
    /// These groups and the groups in them.
    pub groups: Vec<GroupId>,
    /// These devices.
    pub devices: Vec<DeviceId>,
    /// But not these groups.
    pub not_groups: Vec<GroupId>,
    /// And not these devices.
    pub not_devices: Vec<DeviceId>,
    /// What of these devices is managed.
    pub coverage: CoverageForm,
}

/// What of a profile's devices is managed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageForm {
    /// Security updates, and nothing else.
    pub security_only: bool,
    /// OS releases on which nothing is installed.
    pub left_out: Vec<OsReleaseId>,
    /// What stays free on a device after an install, in MiB.
    pub reserve_mib: u32,
}

impl Default for CoverageForm {
    fn default() -> Self {
        Self {
            security_only: false,
            left_out: Vec::new(),
            reserve_mib: 512,
        }
    }
}

/// A freeze's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeForm {
    /// Its name.
    pub name: String,
    /// First minute, e.g. `2026-12-20T00:00`; a date alone is its midnight.
    pub from: String,
    /// First minute after it.
    pub to: String,
    /// Whose clock.
    pub zone: ZoneChoice,
    /// Which groups, with the groups in them; none: every device.
    pub groups: Vec<GroupId>,
}

/// Whom an exception covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionCovers {
    /// Every device.
    All,
    /// One device.
    Device(DeviceId),
    /// A group and the groups in it.
    Group(GroupId),
}

/// What an exception is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionAbout {
    /// One patch.
    Patch(PatchId),
    /// Every patch of a product, by its name.
    Product(String),
}

/// An exception's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionForm {
    /// Whom.
    pub covers: ExceptionCovers,
    /// What.
    pub about: ExceptionAbout,
    /// Who answers for it; none: who saves it.
    pub owner: Option<AccountId>,
    /// Why.
    pub reason: String,
    /// When it ends, UTC, e.g. `2026-12-31` (that midnight) or `2026-12-31T12:00`.
    pub expires: String,
}

/// Why a form is not saved. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleProblem {
    /// A window without a length.
    NoLength,
    /// A window longer than 31 days.
    TooLong,
    /// It never occurs, or only in the past.
    NeverOccurs,
    /// More often than every hour.
    TooOften,
    /// The recurrence cannot be read.
    BadRule(String),
    /// A number is outside its range, or hours have no length or day.
    OutOfRange(String),
    /// Not a zone of the time-zone database.
    UnknownZone(String),
    /// More often than every 15 minutes.
    IntervalTooShort,
    /// Installs more often than hourly or less often than every 30 days.
    RoundsOutOfRange,
    /// A freeze that ends before it begins.
    EndsBeforeItBegins,
    /// Before 2000 or after 2099.
    DateOutOfRange(String),
    /// No such group.
    UnknownGroup(GroupId),
    /// No such device.
    UnknownDevice(DeviceId),
    /// No such patch.
    UnknownPatch(PatchId),
    /// No patch of such a product was ever seen.
    UnknownProduct(String),
    /// An exception needs an account that answers for it.
    NoOwner,
    /// Not a time of day such as `22:00`.
    BadTime(String),
    /// Not a date such as `2026-12-05`.
    BadDate(String),
    /// No day of the week was chosen.
    NoDay,
    /// Not a whole number.
    BadNumber(String),
    /// No device or patch is called this.
    UnknownName(String),
    /// Several are called this: the number must be given, e.g. `#12`.
    AmbiguousName(String),
    /// The policy as a whole would not hold together.
    Policy(String),
}

/// Saved, but probably not what was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleWarning {
    /// No device follows the profile.
    FollowedByNone {
        /// Profile.
        profile: i64,
    },
    /// So many devices are covered by no profile and get nothing.
    DevicesWithoutProfile {
        /// How many.
        devices: u32,
    },
    /// The profile's hours and the windows of its devices never meet in the coming year.
    NeverMeets {
        /// Profile.
        profile: i64,
        /// One of the devices.
        device: DeviceId,
    },
    /// Two exceptions about the same end at different times; the later end counts.
    ExceptionsDiffer {
        /// One.
        one: i64,
        /// The other.
        other: i64,
    },
    /// The exception has expired already.
    ExceptionOver,
    /// The freeze is over already.
    FreezeOver,
    /// More often than the recommended 24 hours.
    ShortInterval,
    /// Installs more often than the recommended 24 hours.
    ShortRounds,
    /// The window lasts until it begins again.
    AlwaysOpen,
    /// The window is shorter than an install is expected to take.
    WindowTooShort,
}

/// What was saved or deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Its number.
    pub id: i64,
    /// The policy version that devices follow once they know of it.
    pub version: u64,
    /// What should be said about it.
    pub warnings: Vec<ScheduleWarning>,
}

/// What a form gives, or why not.
pub type Checked<T> = Result<T, ScheduleProblem>;

/// One time that a window is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// First second.
    pub from: Moment,
    /// First second after it.
    pub to: Moment,
    /// `Sat 28 Nov 2026 22:00 CET` in the window's zone; without one it is the device's own clock.
    pub from_text: String,
    /// The same for its end.
    pub to_text: String,
}

/// One line of the schedule's lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleLine {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// What it says, as a sentence.
    pub summary: String,
    /// Names of its groups; none: every device, or what the scope says.
    pub groups: Vec<String>,
    /// A window's next occurrence.
    pub next: Option<Occurrence>,
    /// The policy version that brought it as it is: given back when it is changed or deleted.
    pub version: u64,
    /// Active devices that it is for.
    pub concerned: u32,
    /// Of those, devices that follow its version already.
    pub follow: u32,
    /// Changed when.
    pub updated: Moment,
    /// By whom.
    pub updated_by: String,
}

/// One exception.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionLine {
    /// Its number.
    pub id: i64,
    /// Whom it covers.
    pub covers: ExceptionCovers,
    /// In words.
    pub covers_text: String,
    /// What it is about.
    pub about: ExceptionAbout,
    /// In words.
    pub about_text: String,
    /// Who answers for it.
    pub owner: AccountId,
    /// The name.
    pub owner_name: String,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub expires: Moment,
    /// It has ended.
    pub over: bool,
    /// As in [`ScheduleLine`].
    pub version: u64,
    /// Changed when.
    pub updated: Moment,
    /// By whom.
    pub updated_by: String,
}

/// Everything that is scheduled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchedulePage {
    /// Profiles.
    pub profiles: Vec<ScheduleLine>,
    /// Windows.
    pub windows: Vec<ScheduleLine>,
    /// Freezes.
    pub freezes: Vec<ScheduleLine>,
    /// Exceptions.
    pub exceptions: Vec<ExceptionLine>,
    /// Groups to choose from.
    pub groups: Vec<GroupName>,
    /// Active devices that no profile covers: they get nothing.
    pub without_profile: u32,
    /// The policy version in force.
    pub version: u64,
}

/// The page of a profile, window or freeze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchedulePart<Form> {
    /// As in the list.
    pub line: ScheduleLine,
    /// The form that gives it.
    pub form: Form,
    /// A window's next five occurrences.
    pub next: Vec<Occurrence>,
    /// Groups to choose from.
    pub groups: Vec<GroupName>,
}

/// A form of any kind, to ask what it would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleForm {
    /// A profile.
    Profile(ProfileForm),
    /// A window.
    Window(WindowForm),
    /// A freeze.
    Freeze(FreezeForm),
    /// An exception.
    Exception(ExceptionForm),
}

/// What becomes of one install.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    /// May start earlier.
    Earlier {
        /// As it is.
        before: Moment,
        /// As it would be.
        after: Moment,
    },
    /// May start later.
    Later {
        /// As it is.
        before: Moment,
        /// As it would be.
        after: Moment,
    },
    /// Would wait for more than time.
    Blocked {
        /// When it might have started.
        before: Moment,
        /// Why.
        reason: String,
    },
    /// Would wait for time alone.
    Possible {
        /// When it may start.
        after: Moment,
    },
    /// Waits as before, but first for something else.
    OtherReason {
        /// As it is.
        before: String,
        /// As it would be.
        after: String,
    },
}

/// One install that would move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedInstall {
    /// Device.
    pub device: DeviceId,
    /// Its name.
    pub hostname: String,
    /// Patch.
    pub patch: PatchId,
    /// Product and version.
    pub title: String,
    /// What becomes of it.
    pub moved: Moved,
}

/// What a form would change about approved installs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatWouldChange {
    /// Earlier than now.
    pub earlier: u32,
    /// Later.
    pub later: u32,
    /// Newly blocked.
    pub blocked: u32,
    /// Newly possible.
    pub possible: u32,
    /// Only the reason differs.
    pub other: u32,
    /// The first of them.
    pub installs: Vec<MovedInstall>,
    /// Devices that were looked at.
    pub devices: u32,
    /// There are more devices with approved installs than were looked at.
    pub cut: bool,
}
