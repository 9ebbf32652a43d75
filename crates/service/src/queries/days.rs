//! The days that a calendar shows: whole weeks on one clock.

use domain::Moment;
use planner::{
    Local,
    calendar::{Open, Zone},
};
use view::CalendarSpan;

/// The calendar's first and last day: 2000-01-01 and 2099-12-31.
pub(super) const DAYS: std::ops::RangeInclusive<i64> = 10_957..=47_481;

/// A day on a wall, by its number since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(pub(super) i64);

impl Day {
    pub(super) const fn of(wall: Local) -> Self {
        Self(wall.0.div_euclid(86_400))
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(Self::of(Local::parse(&format!("{text}T00:00"))?)).filter(|day| DAYS.contains(&day.0))
    }

    pub(super) const fn midnight(self) -> Local {
        Local(self.0 * 86_400)
    }

    pub(super) fn date(self) -> String {
        self.midnight().iso()[..10].to_owned()
    }

    pub(super) fn monday(self) -> Self {
        Self(self.0 - i64::from(self.midnight().weekday()))
    }

    /// The first day of its month, or of the month before or after it.
    pub(super) fn month(self, shift: i64) -> Self {
        let first = |day: Self| {
            let number: i64 = day.date()[8..].parse().unwrap_or(1);
            Self(day.0 - number + 1)
        };
        match shift {
            0 => first(self),
            1.. => first(Self(first(self).0 + 31)),
            _ => first(Self(first(self).0 - 1)),
        }
    }

    /// `Mon 23 Nov 2026`, without the year where `year` is not set.
    pub(super) fn text(self, year: bool) -> String {
        let text = self.midnight().text();
        let end = text.len() - if year { 6 } else { 11 };
        text[..end].to_owned()
    }
}

/// What is asked for: whole weeks on one clock.
pub(super) struct Range {
    pub(super) zone: Zone,
    pub(super) first: Day,
    pub(super) after: Day,
    /// The month that was asked for; a week is wholly inside.
    pub(super) inside: std::ops::Range<i64>,
    pub(super) title: String,
    pub(super) previous: Day,
    pub(super) next: Day,
}

impl Range {
    pub(super) fn new(span: CalendarSpan, day: Day, zone: Zone) -> Self {
        match span {
            CalendarSpan::Week => {
                let first = day.monday();
                let after = Day(first.0 + 7);
                Self {
                    zone,
                    first,
                    after,
                    inside: first.0..after.0,
                    title: format!("{} – {}", first.text(false), Day(after.0 - 1).text(true)),
                    previous: Day(first.0 - 7),
                    next: after,
                }
            }
            CalendarSpan::Month => {
                let (month, next) = (day.month(0), day.month(1));
                Self {
                    zone,
                    first: month.monday(),
                    after: Day(Day(next.0 - 1).monday().0 + 7),
                    inside: month.0..next.0,
                    title: month.midnight().month_text(),
                    previous: day.month(-1),
                    next,
                }
            }
        }
    }

    pub(super) fn open(&self) -> Open {
        Open {
            from: self.zone.at(self.first.midnight()),
            to: self.zone.at(self.after.midnight()),
        }
    }

    pub(super) fn day(&self, day: Day) -> Open {
        Open {
            from: self.zone.at(day.midnight()),
            to: self.zone.at(Day(day.0 + 1).midnight()),
        }
    }

    /// `22:00` on the wall; the end of the day is `24:00`.
    pub(super) fn clock(&self, at: Moment, day: Open) -> String {
        if at == day.to {
            return "24:00".to_owned();
        }
        let minute = self.zone.wall(at).minute();
        format!("{:02}:{:02}", minute / 60, minute % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_whole_weeks() {
        let day = Day::parse("2026-11-23").unwrap();
        let month = Range::new(CalendarSpan::Month, day, Zone::UTC);
        assert_eq!(
            (month.first.date(), month.after.date()),
            ("2026-10-26".into(), "2026-12-07".into())
        );
        assert_eq!(
            (month.previous.date(), month.next.date()),
            ("2026-10-01".into(), "2026-12-01".into())
        );
        assert_eq!(month.title, "November 2026");
        let week = Range::new(CalendarSpan::Week, day, Zone::UTC);
        assert_eq!(week.title, "Mon 23 Nov – Sun 29 Nov 2026");
        for (bad, why) in [
            ("2026-02-30", "no such day"),
            ("1999-12-31", "too early"),
            ("x", "no date"),
        ] {
            assert!(Day::parse(bad).is_none(), "{why}");
        }
        for number in DAYS {
            let weeks = Range::new(CalendarSpan::Month, Day(number), Zone::UTC);
            assert!(
                matches!(weeks.after.0 - weeks.first.0, 28 | 35 | 42),
                "{}",
                Day(number).date()
            );
        }
    }

    #[test]
    fn days_have_23_to_25_hours() {
        let berlin = Zone::or_utc("Europe/Berlin");
        let hours = |date: &str| {
            let day = Day::parse(date).unwrap();
            let open = Range::new(CalendarSpan::Week, day, berlin).day(day);
            open.to.since(open.from).0 / 3_600
        };
        assert_eq!(
            (hours("2026-03-29"), hours("2026-10-25"), hours("2026-11-23")),
            (23, 25, 24)
        );
    }
}
