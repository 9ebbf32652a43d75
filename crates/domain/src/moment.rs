//! Instants and lengths of time, in whole seconds.

use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};

/// A point in time: whole seconds since 1970-01-01T00:00:00Z. Always UTC; zones are a matter of display and of windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Moment(pub i64);

/// A length of elapsed time in whole seconds. Seven days of soak are 168 hours, whatever the calendar does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Span(pub i64);

impl Span {
    /// Whole minutes as a span.
    #[must_use]
    pub const fn minutes(n: i64) -> Self {
        Self(n * 60)
    }
    /// Whole hours as a span.
    #[must_use]
    pub const fn hours(n: i64) -> Self {
        Self(n * 3_600)
    }
    /// Days of 24 hours as a span.
    #[must_use]
    pub const fn days(n: i64) -> Self {
        Self(n * 86_400)
    }
}

impl Moment {
    /// `9999-12-31T23:59:59Z`: nothing is planned beyond it.
    pub const MAX: Self = Self(253_402_300_799);

    /// The time that passed from `earlier` to `self`; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// RFC 3339 text in UTC, e.g. `2026-11-23T10:00:00Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let (days, secs) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let (y, m, d) = civil(days);
        format!(
            "{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}Z",
            secs / 3600,
            secs / 60 % 60,
            secs % 60
        )
    }

    /// The UTC date, e.g. `2026-11-23`.
    #[must_use]
    pub fn date(self) -> String {
        self.rfc3339()[..10].to_owned()
    }
}

/// Civil date of a day number (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let d = doy - (153 * mp + 2) / 5 + 1;
    let m = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(m <= 2), m, d)
}

impl Add<Span> for Moment {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Moment {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_rfc3339_utc() {
        assert_eq!(Moment(0).rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(Moment(1_795_428_061).rfc3339(), "2026-11-23T10:01:01Z");
        assert_eq!(Moment(951_782_400).date(), "2000-02-29");
        assert_eq!(Moment(-1).rfc3339(), "1969-12-31T23:59:59Z");
        assert_eq!(Moment::MAX.rfc3339(), "9999-12-31T23:59:59Z");
    }
}
