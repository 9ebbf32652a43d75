//! What is refused when a policy is saved, and what is saved with a warning because it is legal but useless.

use crate::calendar::{Open, Zone};
use crate::compile::Compiled;
use crate::expand::{beginnings, next_spans};
use crate::facts::DeviceFacts;
use crate::policy::{Exception, Group, Policy, WavePolicy, WaveStep};
use crate::profile::profile_of;
use crate::schedule::{Days, Frame, Local, Recurrence, Window, ZoneRule};
use domain::{DeviceId, ExceptionId, FreezeId, GroupId, LocationId, Moment, ProfileId, RingId, Span, WindowId};
use std::collections::BTreeSet;

/// Dates before 2000 or from 2100 on are slips of the hand.
const DATES: std::ops::Range<i64> = 946_684_800..4_102_444_800;
/// A window longer than a month is no window.
const LONGEST_WINDOW: Span = Span::days(31);
/// Two beginnings of one window are at least this far apart.
const CLOSEST: Span = Span::hours(1);
/// An interval below this would have devices scan all the time.
const SHORTEST_INTERVAL: Span = Span::minutes(15);
/// An interval between rounds of installs below a round means no waiting already; the shortest is a plain word for that.
const SHORTEST_ROUNDS: Span = Span::hours(1);
/// A device that installs less often than monthly is not kept up to date.
const LONGEST_ROUNDS: Span = Span::days(30);

/// Why a policy is not saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing fits into it.
    #[error("window {0} has no length")]
    WindowWithoutLength(WindowId),
    /// Longer than a month.
    #[error("window {0} is longer than 31 days")]
    WindowTooLong(WindowId),
    /// No occurrence in the years to come.
    #[error("window {0} never occurs")]
    WindowNeverOccurs(WindowId),
    /// More often than every hour.
    #[error("window {0} occurs more often than every hour")]
    WindowTooOften(WindowId),
    /// The recurrence cannot be read.
    #[error("the recurrence of window {0} cannot be read: {1}")]
    BadRecurrence(WindowId, String),
    /// A number is outside its range.
    #[error("window {0}: {1}")]
    WindowOutOfRange(WindowId, &'static str),
    /// The zone is not in the time-zone database.
    #[error("{0} is not a zone of the time-zone database")]
    UnknownZone(String),
    /// The hours have no length, no day or no such time.
    #[error("profile {0}: {1}")]
    BadFrame(ProfileId, &'static str),
    /// It would have devices scan all the time.
    #[error("profile {0} scans more often than every 15 minutes")]
    IntervalTooShort(ProfileId),
    /// No waiting needs no less than an hour, and patches may not wait for more than a month.
    #[error("profile {0} must install at most every 1 hour to 30 days")]
    RoundsOutOfRange(ProfileId),
    /// It ends before it begins.
    #[error("freeze {0} ends before it begins")]
    FreezeWithoutLength(FreezeId),
    /// A date before 2000 or from 2100 on.
    #[error("{0} is not a date between 2000 and 2099")]
    DateOutOfRange(String),
    /// A group lies in itself.
    #[error("group {0} lies in itself")]
    CyclicGroups(GroupId),
    /// A group that does not exist is named.
    #[error("group {0} does not exist")]
    UnknownGroup(GroupId),
    /// Two things of one kind have one id.
    #[error("{0} is given twice")]
    Twice(String),
    /// Rings are needed.
    #[error("there is no ring")]
    NoRing,
    /// Negative, or a share over 100 %.
    #[error("ring {0}: {1}")]
    BadRing(RingId, &'static str),
    /// Steps must grow and shares lie between 1 and 100.
    #[error("the waves of ring {0} must grow, with shares of 1 to 100 percent")]
    BadWaves(RingId),
    /// At least one try, and waits that are not negative.
    #[error("retries need at least one try and waits that grow")]
    BadRetries,
    /// A limit of none would stop everything.
    #[error("a limit of 0 would stop everything; use a freeze")]
    LimitOfNone,
}

/// What is saved, but said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// Nothing can go through it, so every later ring waits.
    #[error("ring {0} has no devices, so every later ring waits for ever")]
    RingWithoutDevices(RingId),
    /// No device follows it.
    #[error("profile {0} is followed by no device")]
    ProfileMatchesNothing(ProfileId),
    /// A device is never installed on.
    #[error("device {0} is covered by no profile and gets nothing")]
    DeviceWithoutProfile(DeviceId),
    /// Windows and hours do not overlap.
    #[error("the hours of profile {0} and the windows of device {1} never meet in the coming year")]
    NeverMeets(ProfileId, DeviceId),
    /// Two exceptions about one thing end at different times.
    #[error("exceptions {0} and {1} are about the same, but end at different times; the later end counts")]
    ExceptionsDiffer(ExceptionId, ExceptionId),
    /// It does nothing any more.
    #[error("exception {0} has expired")]
    ExceptionOver(ExceptionId),
    /// It does nothing any more.
    #[error("freeze {0} is over")]
    FreezeOver(FreezeId),
    /// Below the recommendation (PLN-5).
    #[error("ring {0} soaks for less than the recommended 7 days")]
    ShortSoak(RingId),
    /// Below the recommendation (SCH-1).
    #[error("profile {0} scans more often than the recommended 24 hours: that is a load on devices and server")]
    ShortInterval(ProfileId),
    /// Below the recommendation (SCH-1).
    #[error(
        "profile {0} installs more often than the recommended 24 hours: the people there are disturbed more than once a day"
    )]
    ShortRounds(ProfileId),
    /// Occurrences overlap, so that it is always open.
    #[error("window {0} lasts until it begins again: it is always open")]
    AlwaysOpen(WindowId),
    /// Its devices may install at any time.
    #[error("group {0} blocks the windows above it and has none of its own: its devices may install at any time")]
    BlocksWithoutWindow(GroupId),
    /// Shorter than an install without its download is expected to take.
    #[error("window {0} is shorter than an install is expected to take")]
    WindowTooShort(WindowId),
}

/// Everything for which `policy` is refused; empty when it may be saved.
#[must_use]
pub fn validate(policy: &Policy, now: Moment) -> Vec<Refusal> {
    let mut found = Vec::new();
    groups(policy, &mut found);
    rings(policy, &mut found);
    for window in &policy.windows {
        zone(&window.zone, &mut found);
        found.extend(one_window(window, now).err());
    }
    for profile in &policy.profiles {
        if profile.scan_every < SHORTEST_INTERVAL {
            found.push(Refusal::IntervalTooShort(profile.id));
        }
        if !(SHORTEST_ROUNDS..=LONGEST_ROUNDS).contains(&profile.install_every) {
            found.push(Refusal::RoundsOutOfRange(profile.id));
        }
        if let Some(frame) = &profile.frame {
            zone(&frame.zone, &mut found);
            found.extend(bad_frame(frame).map(|why| Refusal::BadFrame(profile.id, why)));
        }
    }
    for freeze in &policy.freezes {
        zone(&freeze.zone, &mut found);
        found.extend([freeze.from, freeze.to].into_iter().filter_map(out_of_range));
        if freeze.to <= freeze.from {
            found.push(Refusal::FreezeWithoutLength(freeze.id));
        }
    }
    let far = policy.exceptions.iter().filter(|e| !DATES.contains(&e.expires.0));
    found.extend(far.map(|e| Refusal::DateOutOfRange(e.expires.date())));
    for location in &policy.locations {
        zone(&ZoneRule::Fixed(location.zone.clone()), &mut found);
        if location.max_in_flight == Some(0) || location.bytes_per_second == Some(0) {
            found.push(Refusal::LimitOfNone);
        }
    }
    if policy.permits.fleet_in_flight == Some(0) || policy.rings.iter().any(|r| r.max_in_flight == Some(0)) {
        found.push(Refusal::LimitOfNone);
    }
    let retry = policy.retry;
    if retry.max == 0 || retry.first.0 < 0 || retry.longest < retry.first {
        found.push(Refusal::BadRetries);
    }
    twice(policy, &mut found);
    found
}

/// Checks one window by itself: for forms, while typing.
///
/// # Errors
/// The first [`Refusal`].
pub fn one_window(window: &Window, now: Moment) -> Result<(), Refusal> {
    let id = window.id;
    if window.length.0 <= 0 {
        return Err(Refusal::WindowWithoutLength(id));
    }
    if window.length > LONGEST_WINDOW {
        return Err(Refusal::WindowTooLong(id));
    }
    match &window.recurrence {
        Recurrence::Once { start } => out_of_range(*start).map_or(Ok(()), Err)?,
        Recurrence::NthWeekday {
            nth,
            weekday,
            plus_days,
            at_minute,
        } => {
            let what = if !matches!(nth, -1 | 1..=5) {
                "the weekday is the 1st to 5th or the last of the month"
            } else if *weekday > 6 {
                "there are seven weekdays"
            } else if *plus_days > 27 {
                "at most 27 days may be added"
            } else if *at_minute >= 1440 {
                "a day has 1440 minutes"
            } else {
                return Ok(());
            };
            return Err(Refusal::WindowOutOfRange(id, what));
        }
        Recurrence::Rule { start, rule } => {
            out_of_range(*start).map_or(Ok(()), Err)?;
            readable(window, *start, rule)?;
        }
    }
    if next_spans(window, Zone::UTC, now, 1).is_empty() {
        Err(Refusal::WindowNeverOccurs(id))
    } else {
        Ok(())
    }
}

/// Whether a rule of RFC 5545 can be read and is not too frequent. The frequency is looked at first: expanding a rule of every second costs.
fn readable(window: &Window, start: Local, rule: &str) -> Result<(), Refusal> {
    let bad = |why: String| Err(Refusal::BadRecurrence(window.id, why));
    if rule.len() > 500 || rule.contains(['\n', '\r']) {
        return bad("a rule is one line of at most 500 characters".to_owned());
    }
    let upper = rule.to_ascii_uppercase();
    let mut parts = upper.split(';').filter_map(|part| part.split_once('='));
    match parts.clone().find(|(key, _)| *key == "FREQ") {
        Some((_, "SECONDLY" | "MINUTELY")) => return Err(Refusal::WindowTooOften(window.id)),
        Some((_, "HOURLY" | "DAILY" | "WEEKLY" | "MONTHLY" | "YEARLY")) => {}
        Some((_, _)) | None => return bad("FREQ must be HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY".to_owned()),
    }
    if parts.any(|(key, _)| key == "BYSECOND") {
        return Err(Refusal::WindowTooOften(window.id));
    }
    if let Err(e) = crate::expand::rule_set(start, rule) {
        return bad(e);
    }
    let year = Open {
        from: Moment(start.0) - Span::days(2),
        to: Moment(start.0) + Span::days(40),
    };
    let starts = beginnings(window, year);
    if starts.windows(2).any(|pair| pair[1].0 - pair[0].0 < CLOSEST.0) {
        Err(Refusal::WindowTooOften(window.id))
    } else {
        Ok(())
    }
}

fn out_of_range(date: Local) -> Option<Refusal> {
    (!DATES.contains(&date.0)).then(|| Refusal::DateOutOfRange(date.iso()))
}

fn zone(rule: &ZoneRule, found: &mut Vec<Refusal>) {
    if let ZoneRule::Fixed(name) = rule
        && name.parse::<Zone>().is_err()
    {
        found.push(Refusal::UnknownZone(name.clone()));
    }
}

/// What is wrong with the hours of a profile.
fn bad_frame(frame: &Frame) -> Option<&'static str> {
    if frame.minutes == 0 || frame.minutes > 1440 {
        Some("its hours must last 1 to 1440 minutes")
    } else if frame.from_minute >= 1440 {
        Some("a day has 1440 minutes")
    } else if frame.days.0 & Days::ALL.0 == 0 {
        Some("its hours need a weekday")
    } else {
        None
    }
}

fn groups(policy: &Policy, found: &mut Vec<Refusal>) {
    let find = |id: GroupId| policy.groups.iter().find(|group: &&Group| group.id == id);
    for group in &policy.groups {
        let mut seen = BTreeSet::from([group.id]);
        let mut next = group.parent;
        while let Some(id) = next {
            if !seen.insert(id) {
                found.push(Refusal::CyclicGroups(group.id));
                break;
            }
            next = find(id).and_then(|group| group.parent);
        }
    }
    let parents = policy.groups.iter().filter_map(|g| g.parent);
    let scopes = policy
        .profiles
        .iter()
        .flat_map(|p| p.scope.groups.iter().chain(&p.scope.not_groups))
        .copied();
    let scheduled = policy
        .windows
        .iter()
        .flat_map(|w| &w.groups)
        .chain(policy.freezes.iter().flat_map(|f| &f.groups))
        .copied();
    let unknown: BTreeSet<GroupId> = parents
        .chain(scopes)
        .chain(scheduled)
        .filter(|id| find(*id).is_none())
        .collect();
    found.extend(unknown.into_iter().map(Refusal::UnknownGroup));
}

fn rings(policy: &Policy, found: &mut Vec<Refusal>) {
    if policy.rings.is_empty() {
        found.push(Refusal::NoRing);
    }
    for ring in &policy.rings {
        if ring.soak.0 < 0 {
            found.push(Refusal::BadRing(ring.id, "a soak cannot be negative"));
        }
        if ring.evidence.min_share_percent > 100 {
            found.push(Refusal::BadRing(ring.id, "a share is at most 100 percent"));
        }
        if ring.name.trim().is_empty() {
            found.push(Refusal::BadRing(ring.id, "a ring needs a name"));
        }
        if ring.holds.percent > 100 {
            found.push(Refusal::BadRing(ring.id, "a share is at most 100 percent"));
        }
        if !grow(&ring.waves) {
            found.push(Refusal::BadWaves(ring.id));
        }
    }
}

fn grow(waves: &WavePolicy) -> bool {
    let mut last = (0, 0);
    let grows = waves.steps.iter().all(|step| match *step {
        WaveStep::Devices(n) => n > std::mem::replace(&mut last.0, n) && last.1 == 0,
        WaveStep::Percent(p) => p <= 100 && p > std::mem::replace(&mut last.1, p),
    });
    grows && waves.rest.0 >= 0
}

fn twice(policy: &Policy, found: &mut Vec<Refusal>) {
    fn look<T: Ord + std::fmt::Display>(what: &str, ids: impl Iterator<Item = T>, found: &mut Vec<Refusal>) {
        let mut seen = BTreeSet::new();
        for id in ids {
            let name = format!("{what} {id}");
            if !seen.insert(id) {
                found.push(Refusal::Twice(name));
            }
        }
    }
    look("ring", policy.rings.iter().map(|x| x.id), found);
    look("group", policy.groups.iter().map(|x| x.id), found);
    look("profile", policy.profiles.iter().map(|x| x.id), found);
    look("window", policy.windows.iter().map(|x| x.id), found);
    look("freeze", policy.freezes.iter().map(|x| x.id), found);
    look("exception", policy.exceptions.iter().map(|x| x.id), found);
    look::<LocationId>("location", policy.locations.iter().map(|x| x.id), found);
}

/// What should be said about a policy that may be saved, with the devices it is for.
#[must_use]
pub fn warnings(policy: &Compiled, devices: &[DeviceFacts], now: Moment) -> Vec<Warning> {
    let mut found = Vec::new();
    let (compiled, policy) = (policy, policy.policy());
    let last = policy.rings.iter().map(|r| r.position).max().unwrap_or(0);
    for ring in &policy.rings {
        if ring.position < last && devices.iter().all(|d| d.ring != Some(ring.id)) {
            found.push(Warning::RingWithoutDevices(ring.id));
        }
        if ring.position < last && ring.soak < Span::days(7) {
            found.push(Warning::ShortSoak(ring.id));
        }
    }
    let mut followed = BTreeSet::new();
    let mut never: BTreeSet<(ProfileId, Vec<WindowId>)> = BTreeSet::new();
    for device in devices {
        let Some(choice) = profile_of(compiled, device) else {
            found.push(Warning::DeviceWithoutProfile(device.id));
            continue;
        };
        followed.insert(choice.profile);
        let windows = compiled
            .windows_of(device)
            .iter()
            .map(|i| policy.windows[*i].id)
            .collect();
        if !never.contains(&(choice.profile, windows)) && !crate::decide::ever_meets(compiled, device, now) {
            let windows = compiled
                .windows_of(device)
                .iter()
                .map(|i| policy.windows[*i].id)
                .collect();
            never.insert((choice.profile, windows));
            found.push(Warning::NeverMeets(choice.profile, device.id));
        }
    }
    for profile in &policy.profiles {
        if !followed.contains(&profile.id) {
            found.push(Warning::ProfileMatchesNothing(profile.id));
        }
        if profile.scan_every < Span::hours(24) {
            found.push(Warning::ShortInterval(profile.id));
        }
        if profile.install_every < Span::hours(24) {
            found.push(Warning::ShortRounds(profile.id));
        }
    }
    exceptions(&policy.exceptions, now, &mut found);
    let over = policy.freezes.iter().filter(|f| f.to.0 < now.0 - 86_400);
    found.extend(over.map(|f| Warning::FreezeOver(f.id)));
    let bare = policy
        .groups
        .iter()
        .filter(|g| g.blocks_inheritance && compiled.line(g.id).is_some_and(|line| line.windows.is_empty()));
    found.extend(
        bare.filter(|_| !policy.windows.is_empty())
            .map(|g| Warning::BlocksWithoutWindow(g.id)),
    );
    for window in &policy.windows {
        let spans = next_spans(window, Zone::UTC, now, 1);
        if window.length < policy.durations.install {
            found.push(Warning::WindowTooShort(window.id));
        } else if spans.first().is_some_and(|s| s.to.since(s.from) > LONGEST_WINDOW) {
            found.push(Warning::AlwaysOpen(window.id));
        }
    }
    found
}

fn exceptions(all: &[Exception], now: Moment, found: &mut Vec<Warning>) {
    for (i, one) in all.iter().enumerate() {
        if one.expires <= now {
            found.push(Warning::ExceptionOver(one.id));
        }
        let same = all[i + 1..]
            .iter()
            .filter(|other| other.covers == one.covers && other.of == one.of && other.expires != one.expires);
        found.extend(same.map(|other| Warning::ExceptionsDiffer(one.id, other.id)));
    }
}
