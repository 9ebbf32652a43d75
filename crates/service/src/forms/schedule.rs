//! Forms of the schedule pages to the planner's rules and back, and both as sentences.

use domain::{Category, Moment, ProfileId, Span, WindowId};
use planner::{
    Coverage, Days, Frame, Freeze, Local, Profile, ROUND, Recurrence, Refusal, Scope, Warning, Window, ZoneRule,
    words::span,
};
use view::{
    Checked, CoverageForm, FrameForm, FreezeForm, ProfileForm, ScheduleProblem, WindowForm, WindowWhen, ZoneChoice,
};

/// A Monday from which weekly windows count.
const MONDAY: i64 = 1_704_067_200;
const DAY: i64 = 86_400;
const SHORT: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
const LONG: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

fn zone(choice: &ZoneChoice) -> ZoneRule {
    match choice {
        ZoneChoice::Utc => ZoneRule::Utc,
        ZoneChoice::Device => ZoneRule::Device,
        ZoneChoice::Named(name) => ZoneRule::Fixed(name.trim().to_owned()),
    }
}

fn zone_choice(rule: &ZoneRule) -> ZoneChoice {
    match rule {
        ZoneRule::Utc => ZoneChoice::Utc,
        ZoneRule::Device => ZoneChoice::Device,
        ZoneRule::Fixed(name) => ZoneChoice::Named(name.clone()),
    }
}

/// `22:00` as minutes after midnight.
fn time(text: &str) -> Checked<u16> {
    let text = text.trim();
    Local::parse(&format!("2024-01-01T{text}"))
        .filter(|_| text.len() == 5)
        .map(Local::minute)
        .ok_or_else(|| ScheduleProblem::BadTime(short(text)))
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// `2026-12-05` or `2026-12-05T22:00`.
fn moment(text: &str) -> Checked<Local> {
    let text = text.trim();
    Local::parse(text)
        .or_else(|| Local::parse(&format!("{text}T00:00")))
        .ok_or_else(|| ScheduleProblem::BadDate(short(text)))
}

/// What somebody typed, not longer than it is worth repeating.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

fn days(days: &[u8]) -> Checked<Days> {
    let set = days.iter().filter(|d| **d < 7).fold(0, |set, day| set | 1 << day);
    if set == 0 {
        Err(ScheduleProblem::NoDay)
    } else {
        Ok(Days(set))
    }
}

fn listed(days: Days) -> Vec<u8> {
    (0..7).filter(|day| days.has(*day)).collect()
}

/// A window's form as a rule without a number.
///
/// # Errors
/// What cannot be read; what can be read but must not be saved is said by the planner.
pub fn window(form: &WindowForm) -> Checked<Window> {
    let at = time(&form.at)?;
    let on = |day: Local| Local(day.0.div_euclid(DAY) * DAY + i64::from(at) * 60);
    let recurrence = match &form.when {
        WindowWhen::Weekly { days: chosen } => {
            let chosen = listed(days(chosen)?);
            let names: Vec<&str> = chosen.iter().map(|day| SHORT[usize::from(*day)]).collect();
            let first = chosen.first().copied().unwrap_or(0);
            Recurrence::Rule {
                start: on(Local(MONDAY + i64::from(first) * DAY)),
                rule: format!("FREQ=WEEKLY;BYDAY={}", names.join(",")),
            }
        }
        WindowWhen::Monthly {
            nth,
            weekday,
            plus_days,
        } => Recurrence::NthWeekday {
            nth: *nth,
            weekday: *weekday,
            plus_days: *plus_days,
            at_minute: at,
        },
        WindowWhen::Once { date } => Recurrence::Once {
            start: on(moment(date)?),
        },
        WindowWhen::Rule { date, rule } => Recurrence::Rule {
            start: on(moment(date)?),
            rule: rule.trim().trim_start_matches("RRULE:").to_owned(),
        },
    };
    Ok(Window {
        id: WindowId(0),
        zone: zone(&form.zone),
        recurrence,
        length: Span::minutes(i64::from(form.minutes)),
        groups: form.groups.clone(),
    })
}

/// The days of a weekly rule as this file writes it.
fn weekly(start: Local, rule: &str) -> Option<Vec<u8>> {
    let days = rule.strip_prefix("FREQ=WEEKLY;BYDAY=")?.split(',');
    let days = days.map(|day| {
        SHORT
            .iter()
            .position(|name| *name == day)
            .and_then(|d| u8::try_from(d).ok())
    });
    (start.0 < MONDAY + 7 * DAY).then(|| days.collect()).flatten()
}

/// The form that gives a window.
#[must_use]
pub fn window_form(name: &str, window: &Window) -> WindowForm {
    let date = |at: Local| at.iso().get(..10).unwrap_or_default().to_owned();
    let (when, at) = match &window.recurrence {
        Recurrence::Once { start } => (WindowWhen::Once { date: date(*start) }, start.minute()),
        Recurrence::NthWeekday {
            nth,
            weekday,
            plus_days,
            at_minute,
        } => (
            WindowWhen::Monthly {
                nth: *nth,
                weekday: *weekday,
                plus_days: *plus_days,
            },
            *at_minute,
        ),
        Recurrence::Rule { start, rule } => (
            weekly(*start, rule).map_or_else(
                || WindowWhen::Rule {
                    date: date(*start),
                    rule: rule.clone(),
                },
                |days| WindowWhen::Weekly { days },
            ),
            start.minute(),
        ),
    };
    WindowForm {
        name: name.to_owned(),
        when,
        at: clock(at),
        minutes: u32::try_from(window.length.0 / 60).unwrap_or(0),
        zone: zone_choice(&window.zone),
        groups: window.groups.clone(),
    }
}

/// A profile's form as a rule without a number.
///
/// # Errors
/// As [`window`].
pub fn profile(form: &ProfileForm) -> Checked<Profile> {
    let frame = match &form.frame {
        None => None,
        Some(frame) => {
            let (from, to) = (time(&frame.from)?, time(&frame.to)?);
            Some(Frame {
                zone: zone(&frame.zone),
                days: days(&frame.days)?,
                from_minute: from,
                minutes: if to > from { to - from } else { 1_440 - from + to },
            })
        }
    };
    Ok(Profile {
        id: ProfileId(0),
        position: form.position,
        scan_every: Span::minutes(i64::from(form.scan_minutes)),
        install_every: Span::minutes(i64::from(form.install_minutes)),
        frame,
        scope: Scope {
            everything: form.everything,
            groups: form.groups.clone(),
            devices: form.devices.clone(),
            not_groups: form.not_groups.clone(),
            not_devices: form.not_devices.clone(),
        },
        coverage: Coverage {
            categories: if form.coverage.security_only {
                vec![Category::Security]
            } else {
                Vec::new()
            },
            left_out: form.coverage.left_out.clone(),
        },
        disk_reserve_mib: form.coverage.reserve_mib.into(),
    })
}

/// The form that gives a profile.
#[must_use]
pub fn profile_form(name: &str, profile: &Profile) -> ProfileForm {
    let minutes = |every: Span| u32::try_from(every.0 / 60).unwrap_or(0);
    ProfileForm {
        name: name.to_owned(),
        position: profile.position,
        scan_minutes: minutes(profile.scan_every),
        install_minutes: minutes(profile.install_every),
        frame: profile.frame.as_ref().map(|frame| FrameForm {
            zone: zone_choice(&frame.zone),
            days: listed(frame.days),
            from: clock(frame.from_minute),
            to: clock((frame.from_minute + frame.minutes) % 1_440),
        }),
        everything: profile.scope.everything,
        groups: profile.scope.groups.clone(),
        devices: profile.scope.devices.clone(),
        not_groups: profile.scope.not_groups.clone(),
        not_devices: profile.scope.not_devices.clone(),
        coverage: CoverageForm {
            security_only: !profile.coverage.categories.is_empty(),
            left_out: profile.coverage.left_out.clone(),
            reserve_mib: u32::try_from(profile.disk_reserve_mib).unwrap_or(u32::MAX),
        },
    }
}

/// A freeze's form as a rule without a number.
///
/// # Errors
/// As [`window`].
pub fn freeze(form: &FreezeForm) -> Checked<Freeze> {
    Ok(Freeze {
        id: domain::FreezeId(0),
        zone: zone(&form.zone),
        from: moment(&form.from)?,
        to: moment(&form.to)?,
        groups: form.groups.clone(),
    })
}

/// The form that gives a freeze.
#[must_use]
pub fn freeze_form(name: &str, freeze: &Freeze) -> FreezeForm {
    FreezeForm {
        name: name.to_owned(),
        from: freeze.from.iso(),
        to: freeze.to.iso(),
        zone: zone_choice(&freeze.zone),
        groups: freeze.groups.clone(),
    }
}

/// The end of an exception, read in UTC.
///
/// # Errors
/// Not a date.
pub fn expiry(text: &str) -> Checked<Moment> {
    moment(text).map(|at| Moment(at.0))
}

/// A refusal of the planner as pages know it.
#[must_use]
pub fn problem(refusal: Refusal) -> ScheduleProblem {
    match refusal {
        Refusal::WindowWithoutLength(_) => ScheduleProblem::NoLength,
        Refusal::WindowTooLong(_) => ScheduleProblem::TooLong,
        Refusal::WindowNeverOccurs(_) => ScheduleProblem::NeverOccurs,
        Refusal::WindowTooOften(_) => ScheduleProblem::TooOften,
        Refusal::BadRecurrence(_, why) => ScheduleProblem::BadRule(why),
        Refusal::WindowOutOfRange(_, why) | Refusal::BadFrame(_, why) => ScheduleProblem::OutOfRange(why.to_owned()),
        Refusal::UnknownZone(name) => ScheduleProblem::UnknownZone(short(&name)),
        Refusal::IntervalTooShort(_) => ScheduleProblem::IntervalTooShort,
        Refusal::RoundsOutOfRange(_) => ScheduleProblem::RoundsOutOfRange,
        Refusal::FreezeWithoutLength(_) => ScheduleProblem::EndsBeforeItBegins,
        Refusal::DateOutOfRange(date) => ScheduleProblem::DateOutOfRange(date),
        Refusal::UnknownGroup(group) => ScheduleProblem::UnknownGroup(group),
        other @ (Refusal::CyclicGroups(_)
        | Refusal::Twice(_)
        | Refusal::NoRing
        | Refusal::BadRing(..)
        | Refusal::BadWaves(_)
        | Refusal::BadRetries
        | Refusal::LimitOfNone) => ScheduleProblem::Policy(other.to_string()),
    }
}

/// A warning of the planner as pages know it, with how many devices no profile covers; those about rings and groups are not the schedule's.
#[must_use]
pub fn warning(warning: Warning, devices: u32) -> Option<view::ScheduleWarning> {
    use view::ScheduleWarning as W;
    Some(match warning {
        Warning::ProfileMatchesNothing(profile) => W::FollowedByNone { profile: profile.0 },
        Warning::DeviceWithoutProfile(_) => W::DevicesWithoutProfile { devices },
        Warning::NeverMeets(profile, device) => W::NeverMeets {
            profile: profile.0,
            device,
        },
        Warning::ExceptionsDiffer(one, other) => W::ExceptionsDiffer {
            one: one.0,
            other: other.0,
        },
        Warning::ExceptionOver(_) => W::ExceptionOver,
        Warning::FreezeOver(_) => W::FreezeOver,
        Warning::ShortInterval(_) => W::ShortInterval,
        Warning::ShortRounds(_) => W::ShortRounds,
        Warning::AlwaysOpen(_) => W::AlwaysOpen,
        Warning::WindowTooShort(_) => W::WindowTooShort,
        Warning::RingWithoutDevices(_) | Warning::ShortSoak(_) | Warning::BlocksWithoutWindow(_) => return None,
    })
}

fn zone_words(rule: &ZoneRule) -> String {
    match rule {
        ZoneRule::Utc => "UTC".to_owned(),
        ZoneRule::Device => "each device's own time".to_owned(),
        ZoneRule::Fixed(name) => format!("{name} time"),
    }
}

fn day_words(days: &[u8]) -> String {
    if days.len() == 7 {
        return "day".to_owned();
    }
    let names: Vec<&str> = days.iter().map(|day| LONG[usize::from(*day) % 7]).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// `Every Saturday and Sunday at 22:00 for 4 h, Europe/Berlin time`.
#[must_use]
pub fn window_words(window: &Window) -> String {
    let when = match &window.recurrence {
        Recurrence::Once { start } => format!("Once, {}", start.text()),
        Recurrence::NthWeekday {
            nth,
            weekday,
            plus_days,
            at_minute,
        } => {
            let nth = match nth {
                1 => "first",
                2 => "second",
                3 => "third",
                4 => "fourth",
                5 => "fifth",
                _ => "last",
            };
            let day = format!("the {nth} {}", LONG[usize::from(*weekday) % 7]);
            let day = match plus_days {
                0 => day,
                1 => format!("the day after {day}"),
                n => format!("{n} days after {day}"),
            };
            format!("Each month on {day} at {}", clock(*at_minute))
        }
        Recurrence::Rule { start, rule } => match weekly(*start, rule) {
            Some(days) => format!("Every {} at {}", day_words(&days), clock(start.minute())),
            None => format!("By the rule {rule} from {}", start.text()),
        },
    };
    format!("{when} for {}, {}", span(window.length), zone_words(&window.zone))
}

/// `Scans every 1 day; installs at most every 1 day, every day 20:00 to 06:00, UTC`; an interval that is not longer than a round is
/// `installs as soon as allowed`. What is not managed, and a reserve other than the usual one, is said behind that.
#[must_use]
pub fn profile_words(profile: &Profile) -> String {
    let hours = profile.frame.as_ref().map_or_else(
        || "at any hour".to_owned(),
        |f| {
            let end = clock((f.from_minute + f.minutes) % 1_440);
            let days = day_words(&listed(f.days));
            format!(
                "every {days} {} to {end}, {}",
                clock(f.from_minute),
                zone_words(&f.zone)
            )
        },
    );
    let often = if profile.install_every <= ROUND {
        "as soon as allowed".to_owned()
    } else {
        format!("at most every {}", span(profile.install_every))
    };
    let mut text = format!("Scans every {}; installs {often}, {hours}", span(profile.scan_every));
    if !profile.coverage.categories.is_empty() {
        text.push_str("; security updates only");
    }
    match profile.coverage.left_out.len() {
        0 => {}
        1 => text.push_str("; leaves out 1 OS release"),
        n => text.push_str(&format!("; leaves out {n} OS releases")),
    }
    if profile.disk_reserve_mib != Profile::default().disk_reserve_mib {
        text.push_str(&format!("; keeps {} MiB free", profile.disk_reserve_mib));
    }
    text
}

/// `Sun 20 Dec 2026 00:00 to Mon 4 Jan 2027 00:00, UTC`.
#[must_use]
pub fn freeze_words(freeze: &Freeze) -> String {
    format!(
        "{} to {}, {}",
        freeze.from.text(),
        freeze.to.text(),
        zone_words(&freeze.zone)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(when: WindowWhen) -> WindowForm {
        WindowForm {
            name: "n".into(),
            when,
            at: "22:30".into(),
            minutes: 240,
            zone: ZoneChoice::Named("Europe/Berlin".into()),
            groups: Vec::new(),
        }
    }

    #[test]
    fn forms_come_back_as_they_went() {
        let rule = WindowWhen::Rule {
            date: "2026-12-15".into(),
            rule: "FREQ=MONTHLY;BYMONTHDAY=15".into(),
        };
        for when in [
            WindowWhen::Weekly { days: vec![1, 5, 6] },
            WindowWhen::Monthly {
                nth: 2,
                weekday: 1,
                plus_days: 3,
            },
            WindowWhen::Once {
                date: "2026-12-05".into(),
            },
            rule,
        ] {
            let form = form(when);
            assert_eq!(window_form("n", &window(&form).unwrap()), form);
        }
        let hours = FrameForm {
            zone: ZoneChoice::Utc,
            days: vec![0, 4],
            from: "20:00".into(),
            to: "06:00".into(),
        };
        let form = ProfileForm {
            frame: Some(hours),
            coverage: CoverageForm {
                security_only: true,
                left_out: vec![domain::OsReleaseId(3)],
                reserve_mib: 2_048,
            },
            ..profile_form("p", &Profile::default())
        };
        let made = profile(&form).unwrap();
        assert_eq!(made.frame.as_ref().map(|f| f.minutes), Some(600));
        assert_eq!(profile_form("p", &made), form);
        assert!(profile_words(&made).ends_with(
            "every Monday and Friday 20:00 to 06:00, UTC; security updates only; leaves out 1 OS release; keeps 2048 MiB free"
        ));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let late = WindowForm {
            at: "24:00".into(),
            ..form(WindowWhen::Weekly { days: vec![0] })
        };
        assert_eq!(window(&late), Err(ScheduleProblem::BadTime("24:00".into())));
        assert_eq!(
            window(&form(WindowWhen::Weekly { days: vec![9] })),
            Err(ScheduleProblem::NoDay)
        );
        let when = WindowWhen::Once {
            date: "2026-02-30".into(),
        };
        assert_eq!(window(&form(when)), Err(ScheduleProblem::BadDate("2026-02-30".into())));
    }
}
