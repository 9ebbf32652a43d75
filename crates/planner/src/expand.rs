//! From what people write to spans of UTC.

use crate::calendar::{Open, Zone, utc};
use crate::compile::Tables;
use crate::policy::Policy;
use crate::schedule::{Frame, Freeze, Local, Recurrence, Window, ZoneRule};
use chrono::{Datelike, Months, NaiveDate};
use domain::{Moment, Span};

const DAY: i64 = 86_400;
/// No zone is further from UTC, not even while it jumps over a day.
const ZONE_MARGIN: i64 = 26 * 3_600;
/// More beginnings than this of one window are not worked out: every hour for 400 days are 9,600.
const MOST: u16 = 20_000;

/// Beginnings on the wall, worked out once for all zones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recipes {
    windows: Vec<Vec<Local>>,
}

impl Recipes {
    pub(crate) fn new(policy: &Policy, horizon: Open) -> Self {
        Self {
            windows: policy
                .windows
                .iter()
                .map(|window| beginnings(window, horizon))
                .collect(),
        }
    }

    /// The spans in `zone`, or, without one, those that do not depend on the device's zone.
    pub(crate) fn tables(&self, policy: &Policy, horizon: Open, zone: Option<Zone>) -> Tables {
        let pick = |rule: &ZoneRule| resolve(rule, zone);
        let windows = policy.windows.iter().zip(&self.windows);
        Tables {
            windows: windows
                .map(|(w, starts)| pick(&w.zone).map_or_else(Vec::new, |zone| window_spans(w, starts, zone, horizon)))
                .collect(),
            frames: policy
                .profiles
                .iter()
                .map(|p| {
                    p.frame
                        .as_ref()
                        .and_then(|f| Some(frame_spans(f, pick(&f.zone)?, horizon)))
                        .unwrap_or_default()
                })
                .collect(),
            freezes: policy
                .freezes
                .iter()
                .map(|f| pick(&f.zone).map(|zone| freeze_span(f, zone)))
                .collect(),
        }
    }
}

/// The zone of a rule, when it belongs into the table that is made.
fn resolve(rule: &ZoneRule, device: Option<Zone>) -> Option<Zone> {
    match (rule, device) {
        (ZoneRule::Device, zone) => zone,
        (ZoneRule::Utc, None) => Some(Zone::UTC),
        (ZoneRule::Fixed(name), None) => Some(Zone::or_utc(name)),
        (ZoneRule::Utc | ZoneRule::Fixed(_), Some(_)) => None,
    }
}

/// The beginnings of a window on the wall around `horizon`, in order.
pub(crate) fn beginnings(window: &Window, horizon: Open) -> Vec<Local> {
    let margin = ZONE_MARGIN.saturating_add(window.length.0.max(0));
    let (from, to) = (
        horizon.from.0.saturating_sub(margin),
        horizon.to.0.saturating_add(ZONE_MARGIN),
    );
    let mut starts = match &window.recurrence {
        Recurrence::Once { start } => vec![*start],
        Recurrence::NthWeekday {
            nth,
            weekday,
            plus_days,
            at_minute,
        } => nth_weekdays(*nth, *weekday, from - 40 * DAY, to)
            .map(|day| Local((day + i64::from(*plus_days)) * DAY + i64::from(*at_minute) * 60))
            .collect(),
        Recurrence::Rule { start, rule } => by_rule(*start, rule, from, to),
    };
    starts.retain(|start| (from..to).contains(&start.0));
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// A rule of RFC 5545 as the library reads it, on the wall as if it were UTC, so that only [`Zone::at`] decides about zones.
pub(crate) fn rule_set(start: Local, rule: &str) -> Result<rrule::RRuleSet, String> {
    let begin = utc(Moment(start.0)).ok_or("the first beginning is no date")?;
    let text = format!("DTSTART:{}\nRRULE:{rule}", begin.format("%Y%m%dT%H%M%SZ"));
    text.parse().map_err(|e: rrule::RRuleError| e.to_string())
}

/// Beginnings by a rule of RFC 5545; none where it cannot be read, which is refused when it is saved.
fn by_rule(start: Local, rule: &str, from: i64, to: i64) -> Vec<Local> {
    let (Ok(set), Some(after), Some(before)) = (rule_set(start, rule), utc(Moment(from)), utc(Moment(to))) else {
        return Vec::new();
    };
    let zone = rrule::Tz::UTC;
    let set = set
        .after(after.and_utc().with_timezone(&zone))
        .before(before.and_utc().with_timezone(&zone));
    set.all(MOST)
        .dates
        .into_iter()
        .map(|at| Local(at.timestamp()))
        .collect()
}

/// The day numbers of the nth weekday of each month that touches `from..to`; a fifth one only where the month has it.
fn nth_weekdays(nth: i8, weekday: u8, from: i64, to: i64) -> impl Iterator<Item = i64> {
    let first = utc(Moment(from.max(-62_000_000_000))).and_then(|at| at.date().with_day(1));
    let months = std::iter::successors(first, |month| month.checked_add_months(Months::new(1)));
    months
        .take_while(move |month| day_number(*month) * DAY < to)
        .filter_map(move |month| nth_weekday(month, nth, weekday))
}

fn nth_weekday(month: NaiveDate, nth: i8, weekday: u8) -> Option<i64> {
    let first = day_number(month);
    let after = day_number(month.checked_add_months(Months::new(1))?);
    let ahead = |day: i64| (i64::from(weekday) - (day + 3)).rem_euclid(7);
    let day = if nth < 0 {
        after - 7 + ahead(after - 7)
    } else {
        first + ahead(first) + 7 * (i64::from(nth) - 1)
    };
    (first..after).contains(&day).then_some(day)
}

fn day_number(date: NaiveDate) -> i64 {
    i64::from(date.num_days_from_ce()) - 719_163
}

/// A window's spans: it begins by the wall and lasts its length of elapsed time.
pub(crate) fn window_spans(window: &Window, starts: &[Local], zone: Zone, horizon: Open) -> Vec<Open> {
    let spans = starts.iter().map(|start| {
        let from = zone.at(*start);
        Open {
            from,
            to: from + window.length,
        }
    });
    join(spans, horizon)
}

/// A frame's spans: both ends by the wall.
pub(crate) fn frame_spans(frame: &Frame, zone: Zone, horizon: Open) -> Vec<Open> {
    let first = (horizon.from.0 - ZONE_MARGIN).div_euclid(DAY) - 1;
    let last = (horizon.to.0 + ZONE_MARGIN).div_euclid(DAY);
    let days = (first..=last).filter(|day| frame.days.has(Local(day * DAY).weekday()));
    let spans = days.map(|day| {
        let start = day * DAY + i64::from(frame.from_minute) * 60;
        Open {
            from: zone.at(Local(start)),
            to: zone.at(Local(start + i64::from(frame.minutes) * 60)),
        }
    });
    join(spans, horizon)
}

/// A freeze's span; it is not cut at the horizon, so that a page can say when it ends.
pub(crate) fn freeze_span(freeze: &Freeze, zone: Zone) -> Open {
    Open {
        from: zone.at(freeze.from),
        to: zone.at(freeze.to),
    }
}

/// In order, without empty ones, overlapping and touching ones joined, those outside the horizon left out.
fn join(spans: impl Iterator<Item = Open>, horizon: Open) -> Vec<Open> {
    let mut spans: Vec<Open> = spans
        .filter(|s| s.from < s.to && s.to > horizon.from && s.from < horizon.to)
        .collect();
    spans.sort_unstable();
    let mut joined: Vec<Open> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            _ => joined.push(span),
        }
    }
    joined
}

/// The next `count` spans of a frame that end after `after`, in a zone: for previews while typing. Hours that touch are one span; none: the
/// frame never closes.
#[must_use]
pub fn next_frames(frame: &Frame, zone: Zone, after: Moment, count: usize) -> Vec<Open> {
    let zone = match &frame.zone {
        ZoneRule::Device => zone,
        ZoneRule::Utc => Zone::UTC,
        ZoneRule::Fixed(name) => Zone::or_utc(name),
    };
    // A frame recurs every week and closes every week, or never: a span is whole where a week is looked at on both sides.
    let weeks = i64::try_from(count).unwrap_or(i64::MAX).saturating_add(2);
    let horizon = Open {
        from: after - Span::days(8),
        to: after + Span::days(weeks.saturating_mul(7)),
    };
    let mut spans = frame_spans(frame, zone, horizon);
    spans.retain(|span| span.to > after && span.to <= horizon.to);
    spans.truncate(count);
    spans
}

/// The next `count` spans of a window that end after `after`, in a zone: for previews while typing.
#[must_use]
pub fn next_spans(window: &Window, zone: Zone, after: Moment, count: usize) -> Vec<Open> {
    let zone = match &window.zone {
        ZoneRule::Device => zone,
        ZoneRule::Utc => Zone::UTC,
        ZoneRule::Fixed(name) => Zone::or_utc(name),
    };
    // A year for what recurs often; eight for what does not (29 February skips 8 years around 2100).
    for days in [400, 8 * 366] {
        let horizon = Open {
            from: after,
            to: after + Span::days(days),
        };
        let mut spans = window_spans(window, &beginnings(window, horizon), zone, horizon);
        if spans.len() >= count || days > 400 {
            spans.truncate(count);
            return spans;
        }
    }
    Vec::new()
}
