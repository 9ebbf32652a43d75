//! Wall clocks and zones: the only place that knows the time-zone database.
//!
//! The rules (DESIGN 3): a wall-clock time that a zone skips becomes the next existing moment; one that a zone has twice is the first of
//! the two. A window's length is elapsed time; a frame's end is a time on the wall. What goes over midnight belongs to the day on which it starts.

use crate::schedule::Local;
use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeZone, Timelike};
use chrono_tz::Tz;
use domain::Moment;
use std::str::FromStr;

/// A half-open span of UTC: `from` belongs to it, `to` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open {
    /// First second.
    pub from: Moment,
    /// First second after it.
    pub to: Moment,
}

impl Open {
    /// Whether `at` lies in it.
    #[must_use]
    pub fn has(&self, at: Moment) -> bool {
        self.from <= at && at < self.to
    }
}

/// The zone's name is not in the time-zone database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a zone of the time-zone database")]
pub struct UnknownZone;

/// A zone of the time-zone database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(Tz);

impl FromStr for Zone {
    type Err = UnknownZone;
    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        name.parse().map(Self).map_err(|_| UnknownZone)
    }
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone of this name, or UTC where there is none: a device may claim anything, and its decisions must not disappear.
    #[must_use]
    pub fn or_utc(name: &str) -> Self {
        name.parse().unwrap_or(Self::UTC)
    }

    /// Its name in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The version of the time-zone database, e.g. `2025b`.
    #[must_use]
    pub fn database() -> &'static str {
        chrono_tz::IANA_TZDB_VERSION
    }

    /// Every name of the database.
    pub fn names() -> impl Iterator<Item = &'static str> {
        chrono_tz::TZ_VARIANTS.iter().map(|tz| tz.name())
    }

    /// Seconds by which the zone is ahead of UTC at `at`.
    #[must_use]
    pub fn offset(self, at: Moment) -> i64 {
        utc(at).map_or(0, |at| {
            i64::from(self.0.offset_from_utc_datetime(&at).fix().local_minus_utc())
        })
    }

    /// What the wall clock shows at `at`.
    #[must_use]
    pub fn wall(self, at: Moment) -> Local {
        Local(at.0.saturating_add(self.offset(at)))
    }

    /// The moment at which the wall clock shows `local`: the first of two, or the next existing one where it is skipped.
    #[must_use]
    pub fn at(self, local: Local) -> Moment {
        let Some(naive) = utc(Moment(local.0)) else {
            return Moment(local.0);
        };
        match self.0.from_local_datetime(&naive) {
            chrono::LocalResult::Single(at) => Moment(at.timestamp()),
            chrono::LocalResult::Ambiguous(first, second) => Moment(first.timestamp().min(second.timestamp())),
            chrono::LocalResult::None => self.after_gap(local),
        }
    }

    /// The first moment after the gap that skips `local`. Zones lie within 26 hours of UTC even while they jump over a day.
    fn after_gap(self, local: Local) -> Moment {
        let (mut before, mut after) = (local.0 - 26 * 3600, local.0 + 26 * 3600);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if self.wall(Moment(middle)).0 >= local.0 {
                after = middle
            } else {
                before = middle
            }
        }
        Moment(after)
    }

    /// `Tue 24 Nov 2026 14:05`, on this zone's wall.
    #[must_use]
    pub fn text(self, at: Moment) -> String {
        self.wall(at).text()
    }

    /// `Tue 24 Nov 2026 14:05 CET`: with the abbreviation or the offset that counts then.
    #[must_use]
    pub fn text_with_zone(self, at: Moment) -> String {
        format!("{} {}", self.text(at), self.abbreviation(at))
    }

    /// `CET`: the abbreviation or the offset that counts at `at`.
    #[must_use]
    pub fn abbreviation(self, at: Moment) -> String {
        let text = utc(at).map(|naive| self.0.from_utc_datetime(&naive).format("%Z").to_string());
        text.unwrap_or_default()
    }
}

impl Local {
    /// Reads `2026-11-24T14:05`, with or without seconds.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M")
            .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S"))
            .ok()?;
        Some(Self(naive.and_utc().timestamp()))
    }

    /// `2026-11-24T14:05`: what form fields and the store hold.
    #[must_use]
    pub fn iso(self) -> String {
        utc(Moment(self.0)).map_or_else(String::new, |naive| naive.format("%Y-%m-%dT%H:%M").to_string())
    }

    /// `Tue 24 Nov 2026 14:05`.
    #[must_use]
    pub fn text(self) -> String {
        utc(Moment(self.0)).map_or_else(String::new, |naive| naive.format("%a %-d %b %Y %H:%M").to_string())
    }

    /// `November 2026`.
    #[must_use]
    pub fn month_text(self) -> String {
        utc(Moment(self.0)).map_or_else(String::new, |naive| naive.format("%B %Y").to_string())
    }

    /// The weekday, 0 is Monday.
    #[must_use]
    pub fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday.
        u8::try_from((self.0.div_euclid(86_400) + 3).rem_euclid(7)).unwrap_or(0)
    }

    /// Minutes after midnight.
    #[must_use]
    pub fn minute(self) -> u16 {
        u16::try_from(self.0.rem_euclid(86_400) / 60).unwrap_or(0)
    }

    /// The year and the month, from 1.
    #[must_use]
    pub fn month(self) -> (i32, u32) {
        utc(Moment(self.0)).map_or((1970, 1), |naive| (naive.year(), naive.month()))
    }

    /// The hour of the day, 0 to 23.
    #[must_use]
    pub fn hour(self) -> u32 {
        utc(Moment(self.0)).map_or(0, |naive| naive.hour())
    }
}

/// As a date and time of UTC; `None` beyond what the calendar knows.
pub(crate) fn utc(at: Moment) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(at.0, 0).map(|at| at.naive_utc())
}
