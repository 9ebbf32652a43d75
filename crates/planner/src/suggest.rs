//! Which hours would suit a profile, from the hours in which its devices were really seen (SCH-2).

use crate::presence::HOURS;
use crate::schedule::Days;
use crate::words;
use domain::Span;

/// How many devices (of a thousand, see [`crate::Presences`]) were seen in each hour of the week on their own wall: Monday 00:00 first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen(pub [u32; HOURS]);

/// Hours that would suit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// On which days they start.
    pub days: Days,
    /// Start, in minutes after midnight.
    pub from_minute: u16,
    /// Length in minutes.
    pub minutes: u16,
    /// Share of the devices seen in an average hour of them, in percent.
    pub share_percent: u8,
}

/// Work is disturbed between these hours of a working day, so that an hour counts half there.
const WORK: std::ops::Range<usize> = 8..18;

/// Up to three suggestions, best first, that do not overlap: every day, off-peak, when most devices are on, four hours or twice what an
/// install takes, whichever is longer. Empty where no device was seen.
#[must_use]
pub fn suggest(seen: &Seen, devices: u32, needed: Span) -> Vec<Suggestion> {
    let hours = usize::try_from(needed.0.saturating_mul(2).div_euclid(3_600) + 1)
        .unwrap_or(24)
        .clamp(4, 24);
    let scored = (0..24).map(|from| {
        let mut presence = 0u64;
        let mut score = 0u64;
        for (day, hour) in (0..7).flat_map(|day| (from..from + hours).map(move |hour| (day, hour))) {
            let count = u64::from(seen.0[(day * 24 + hour) % HOURS]);
            let (weekday, clock) = ((day + hour / 24) % 7, hour % 24);
            presence += count;
            score += if weekday < 5 && WORK.contains(&clock) {
                count
            } else {
                2 * count
            };
        }
        (score, from, presence)
    });
    let mut order: Vec<(u64, usize, u64)> = scored.filter(|(_, _, presence)| *presence > 0).collect();
    order.sort_unstable_by_key(|(score, from, _)| (std::cmp::Reverse(*score), *from));
    let mut taken: Vec<usize> = Vec::new();
    let mut found = Vec::new();
    for (_, from, presence) in order {
        let apart = |other: &usize| (from + 24 - other) % 24 >= hours && (other + 24 - from) % 24 >= hours;
        if found.len() == 3 || !taken.iter().all(apart) {
            continue;
        }
        taken.push(from);
        let whole = u64::from(devices.max(1)) * 7 * u64::try_from(hours).unwrap_or(24);
        found.push(Suggestion {
            days: Days::ALL,
            from_minute: u16::try_from(from * 60).unwrap_or(0),
            minutes: u16::try_from(hours * 60).unwrap_or(1440),
            share_percent: u8::try_from((presence * 100 / whole).min(100)).unwrap_or(100),
        });
    }
    found
}

/// The sentence whether hours of this length have room for an install that takes `needed`.
#[must_use]
pub fn long_enough(minutes: u16, needed: Span) -> String {
    let length = Span::minutes(i64::from(minutes));
    let (have, need) = (words::span(length), words::span(needed));
    if length < needed {
        format!("{have} are too short: an install takes {need}")
    } else if length.0 < needed.0.saturating_mul(2) {
        format!("{have} have room for one install of {need}, but for little delay")
    } else {
        format!("{have} are long enough for an install of {need}")
    }
}

/// The sentence whether the installs that wait on one device fit into these hours of one day; none where there is one at most.
#[must_use]
pub fn all_fit(minutes: u16, installs: u32, needed: Span) -> Option<String> {
    if installs < 2 {
        return None;
    }
    let length = Span::minutes(i64::from(minutes.max(1)));
    let need = words::span(needed);
    Some(if needed <= length {
        format!("the {installs} that wait on one device take {need} together and fit")
    } else {
        let times = needed.0.saturating_add(length.0 - 1) / length.0;
        format!("the {installs} that wait on one device take {need} together, so at least {times} times")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Workstations that are on from 8 to 20 on working days, servers that are always on.
    fn seen(always: u32, office: u32) -> Seen {
        let mut hours = [always; HOURS];
        for (i, hour) in hours.iter_mut().enumerate() {
            if i / 24 < 5 && (8..20).contains(&(i % 24)) {
                *hour += office;
            }
        }
        Seen(hours)
    }

    #[test]
    fn servers_at_night_and_desks_when_they_are_on() {
        let servers = suggest(&seen(10, 0), 10, Span::minutes(30));
        assert!(!servers.is_empty() && servers[0].share_percent == 100);
        assert!(
            servers
                .iter()
                .all(|s| s.from_minute >= 18 * 60 || s.from_minute + s.minutes <= 8 * 60),
            "{servers:?}"
        );
        let desks = suggest(&seen(0, 100), 100, Span::minutes(30));
        assert_eq!(
            desks[0].from_minute,
            16 * 60,
            "the end of the day: on, but partly off-peak, {desks:?}"
        );
        assert!(suggest(&seen(0, 0), 10, Span::minutes(30)).is_empty());
        assert_eq!(suggest(&seen(1, 0), 1, Span::hours(11))[0].minutes, 23 * 60);
    }

    #[test]
    fn installs_of_one_device_are_judged_together() {
        assert_eq!(all_fit(240, 1, Span::minutes(35)), None);
        assert_eq!(
            all_fit(240, 6, Span::minutes(60)).unwrap(),
            "the 6 that wait on one device take 1 h together and fit"
        );
        assert_eq!(
            all_fit(60, 6, Span::minutes(61)).unwrap(),
            "the 6 that wait on one device take 1 h 1 min together, so at least 2 times"
        );
    }

    #[test]
    fn length_is_judged_in_a_sentence() {
        assert_eq!(
            long_enough(20, Span::minutes(35)),
            "20 min are too short: an install takes 35 min"
        );
        assert_eq!(
            long_enough(60, Span::minutes(35)),
            "1 h have room for one install of 35 min, but for little delay"
        );
        assert_eq!(
            long_enough(240, Span::minutes(35)),
            "4 h are long enough for an install of 35 min"
        );
    }
}
