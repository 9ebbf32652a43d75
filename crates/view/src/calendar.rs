//! The calendar of the schedule: a week or a month, and the hours in which devices are seen.

use crate::{GroupName, LocationName, RingName};
use domain::{DeviceId, GroupId, LocationId, Moment, PatchId, RingId};
use serde::{Deserialize, Serialize};

/// What a calendar is drawn for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleOf {
    /// Every device.
    #[default]
    All,
    /// A group and the groups in it.
    Group(GroupId),
    /// One device.
    Device(DeviceId),
    /// The devices of a ring.
    Ring(RingId),
    /// The devices of a location.
    Location(LocationId),
    /// One patch, on the devices that lack it.
    Patch(PatchId),
}

impl ScheduleOf {
    /// As in addresses: `all`, `group:3`, `device:7`, `ring:2`, `location:1`, `patch:12`.
    #[must_use]
    pub fn word(self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Group(id) => format!("group:{id}"),
            Self::Device(id) => format!("device:{id}"),
            Self::Ring(id) => format!("ring:{id}"),
            Self::Location(id) => format!("location:{id}"),
            Self::Patch(id) => format!("patch:{id}"),
        }
    }

    /// Reads it from an address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => (text == "all").then_some(Self::All),
            Some(("group", id)) => id.parse().ok().map(|id| Self::Group(GroupId(id))),
            Some(("device", id)) => id.parse().ok().map(|id| Self::Device(DeviceId(id))),
            Some(("ring", id)) => id.parse().ok().map(|id| Self::Ring(RingId(id))),
            Some(("location", id)) => id.parse().ok().map(|id| Self::Location(LocationId(id))),
            Some(("patch", id)) => id.parse().ok().map(|id| Self::Patch(PatchId(id))),
            Some(_) => None,
        }
    }
}

/// How much of a calendar is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalendarSpan {
    /// Monday to Sunday, with everything on it.
    #[default]
    Week,
    /// The weeks of a month, with each day's sums.
    Month,
}

impl CalendarSpan {
    /// As in addresses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// A question for a calendar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarAsk {
    /// For whom.
    pub of: ScheduleOf,
    /// A device by its name or `#12`, instead; unknown ones count as not given.
    pub device: Option<String>,
    /// How much.
    pub span: CalendarSpan,
    /// A day in it, e.g. `2026-11-23`; none or nonsense: today.
    pub from: Option<String>,
    /// On whose clock, e.g. `Europe/Berlin`; none: the device's own, or that of most devices.
    pub zone: Option<String>,
}

/// What a band of a day is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BandKind {
    /// A maintenance window.
    Window,
    /// The hours of a profile.
    Hours,
    /// A freeze.
    Freeze,
}

/// A window, hours or a freeze on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Band {
    /// What.
    pub kind: BandKind,
    /// Number of the window, profile or freeze.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The group whose it is, where it is not for everybody the calendar is drawn for.
    pub of: Option<String>,
    /// From, cut to the day.
    pub from: Moment,
    /// To, cut to the day.
    pub to: Moment,
    /// `22:00` on the calendar's clock.
    pub from_text: String,
    /// `24:00` at the end of the day.
    pub to_text: String,
}

/// Installs of one patch that follow each other on one day: a forecast, never a permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Patch.
    pub patch: PatchId,
    /// Product and version.
    pub title: String,
    /// The first devices, with their names.
    pub devices: Vec<(DeviceId, String)>,
    /// How many devices.
    pub count: u32,
    /// From, cut to the day.
    pub from: Moment,
    /// To, cut to the day.
    pub to: Moment,
    /// `22:00` on the calendar's clock.
    pub from_text: String,
    /// `24:00` at the end of the day.
    pub to_text: String,
}

/// What runs in a time, summed up: a forecast, never a permission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Installs that begin in it.
    pub installs: u32,
    /// The devices on which they run.
    pub devices: u32,
    /// How long they take, one after the other, in seconds.
    pub seconds: i64,
    /// Bytes that the devices download for them.
    pub bytes: u64,
}

/// Approved installs that do not begin in the days looked at, for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotForeseen {
    /// The reason, as on the gate ladder.
    pub reason: String,
    /// How many installs.
    pub installs: u32,
    /// No hours or no window has room for them.
    pub misfit: bool,
    /// The first of them: device, its name, patch, product and version.
    pub examples: Vec<(DeviceId, String, PatchId, String)>,
}

/// A day of the calendar: from midnight to midnight on its clock, 23 to 25 hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarDay {
    /// `2026-11-23`.
    pub date: String,
    /// `Mon 23 Nov`.
    pub label: String,
    /// It belongs to the month that was asked for.
    pub inside: bool,
    /// First second.
    pub from: Moment,
    /// First second after it.
    pub to: Moment,
    /// Every third hour on the clock, e.g. `06:00`.
    pub ticks: Vec<(Moment, String)>,
    /// Windows, hours and freezes.
    pub bands: Vec<Band>,
    /// Installs forecast; none in a month.
    pub blocks: Vec<Block>,
    /// Blocks that are left out.
    pub more: u32,
    /// In a month, the times in which installs are forecast to run, cut to the day; none covers another.
    pub busy: Vec<(Moment, Moment)>,
    /// The installs forecast that begin on this day.
    pub load: Load,
    /// Minutes in which a window is open; none: no window limits installs.
    pub open_minutes: Option<u32>,
}

/// Whether the hours of a profile are long enough (SCH-2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoursEnough {
    /// Number of the profile.
    pub profile: i64,
    /// Its name.
    pub name: String,
    /// Devices that follow it, of those looked at.
    pub devices: u32,
    /// The sentence.
    pub text: String,
}

/// Hours that would suit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuggestedHours {
    /// `20:00`.
    pub from: String,
    /// `24:00` is `00:00`.
    pub to: String,
    /// Share of devices that are seen in an average hour of them, in percent.
    pub share: u8,
    /// Whether they are long enough, as a sentence.
    pub text: String,
}

/// The hours in which devices are seen, on their own walls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenHours {
    /// Active devices that were looked at.
    pub devices: u32,
    /// Of those, devices whose hours are known.
    pub known: u32,
    /// 168 shares in percent, Monday 00:00 first.
    pub shares: Vec<u8>,
    /// Best first.
    pub suggested: Vec<SuggestedHours>,
    /// Every profile that these devices follow.
    pub profiles: Vec<HoursEnough>,
    /// Devices that follow no profile.
    pub without_profile: u32,
    /// Approved installs that wait on these devices.
    pub waiting: u32,
}

/// A week or a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarPage {
    /// For whom.
    pub of: ScheduleOf,
    /// Its name.
    pub name: String,
    /// The device that was asked for and does not exist.
    pub no_device: Option<String>,
    /// How much.
    pub span: CalendarSpan,
    /// The clock on which everything is drawn.
    pub zone: String,
    /// The zones of its devices with their number, most first.
    pub zones: Vec<(String, u32)>,
    /// The server's now.
    pub now: Moment,
    /// `23 – 29 November 2026` or `November 2026`.
    pub title: String,
    /// The first day asked for.
    pub from: String,
    /// The same, one week or month before; none: the calendar ends there.
    pub previous: Option<String>,
    /// The same after it.
    pub next: Option<String>,
    /// Today on the clock.
    pub today: String,
    /// Whole weeks.
    pub days: Vec<CalendarDay>,
    /// Devices with approved installs.
    pub waiting: u32,
    /// Of those, devices that were looked at.
    pub looked: u32,
    /// There is more than was looked at.
    pub cut: bool,
    /// All installs forecast that begin on these days; none: nothing is told of days that are over or far away.
    pub load: Option<Load>,
    /// What does not begin on these days, by reason: first what nothing has room for, then most first.
    pub not_foreseen: Vec<NotForeseen>,
    /// Groups to choose from.
    pub groups: Vec<GroupName>,
    /// Rings to choose from.
    pub rings: Vec<RingName>,
    /// Locations to choose from.
    pub locations: Vec<LocationName>,
    /// In which hours these devices are seen.
    pub seen: SeenHours,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_calendar_is_for_survives_an_address() {
        for of in [
            ScheduleOf::All,
            ScheduleOf::Group(GroupId(3)),
            ScheduleOf::Device(DeviceId(7)),
            ScheduleOf::Ring(RingId(2)),
            ScheduleOf::Location(LocationId(1)),
            ScheduleOf::Patch(PatchId(12)),
        ] {
            assert_eq!(ScheduleOf::parse(&of.word()), Some(of));
        }
        for nonsense in ["", "group:", "group:x", "patch:", "ring:-", "site:1", "all:1", "device"] {
            assert_eq!(ScheduleOf::parse(nonsense), None, "{nonsense}");
        }
    }
}
