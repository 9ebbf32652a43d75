//! In which hours of the week devices were seen, on their own walls and over the last four weeks (SCH-2).

use crate::calendar::Zone;
use crate::schedule::Local;
use crate::suggest::Seen;
use domain::Moment;

/// Hours of a week.
pub const HOURS: usize = 7 * 24;
/// Weeks that count: enough for a habit, few enough to forget an old one.
const WEEKS: i64 = 4;
/// Bits of an hour that are kept: the weeks that count, and the running one.
const KEPT: u8 = 0x1f;
/// 1970-01-01 was a Thursday: hours from the Monday before to it.
const TO_MONDAY: i64 = 3 * 24;

/// An hour on a wall, counted from a Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallHour(pub i64);

impl WallHour {
    /// The hour of this wall clock.
    #[must_use]
    pub const fn of(wall: Local) -> Self {
        Self(wall.0.div_euclid(3_600) + TO_MONDAY)
    }

    /// The hour that a wall in `zone` shows, and the moment at which it is over.
    #[must_use]
    pub fn at(zone: Zone, now: Moment) -> (Self, Moment) {
        let wall = zone.wall(now);
        (Self::of(wall), Moment(now.0 + 3_600 - wall.0.rem_euclid(3_600)))
    }

    const fn week(self) -> i64 {
        self.0.div_euclid(HOURS as i64)
    }

    fn slot(self) -> usize {
        usize::try_from(self.0.rem_euclid(HOURS as i64)).unwrap_or(0)
    }
}

/// The hours in which one device was seen. Bit n of an hour: n weeks before the week in which the device was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The first hour that is known of.
    pub since: WallHour,
    /// The last hour in which it was seen.
    pub last: WallHour,
    /// A byte an hour, Monday 00:00 first.
    pub weeks: [u8; HOURS],
}

impl Presence {
    /// A device that was seen for the first time.
    #[must_use]
    pub fn new(hour: WallHour) -> Self {
        let mut first = Self {
            since: hour,
            last: hour,
            weeks: [0; HOURS],
        };
        first.weeks[hour.slot()] = 1;
        first
    }

    /// The device was seen in `hour`.
    pub fn saw(&mut self, hour: WallHour) {
        let behind = self.last.week() - hour.week();
        if behind > WEEKS {
            // The clock was wrong before: what it said is worth nothing.
            *self = Self::new(hour);
            return;
        }
        if behind < 0 {
            let weeks = u32::try_from(-behind).unwrap_or(u32::MAX);
            for week in &mut self.weeks {
                *week = week.checked_shl(weeks).unwrap_or(0) & KEPT;
            }
        }
        self.last = self.last.max(hour);
        self.since = self.since.min(hour);
        self.weeks[hour.slot()] |= 1 << behind.clamp(0, WEEKS);
    }

    /// Of the last four times that this hour of the week came before `now`: how often it was seen, and of how many times that is known.
    fn of_hour(&self, slot: usize, now: WallHour) -> (u32, u32) {
        let latest = now.week() - i64::from(slot > now.slot());
        let (mut seen, mut known) = (0, 0);
        for week in latest - WEEKS + 1..=latest {
            let hour = week * HOURS as i64 + i64::try_from(slot).unwrap_or(0);
            if hour >= self.since.0 {
                let behind = self.last.week() - week;
                known += 1;
                seen += u32::from((0..=WEEKS).contains(&behind) && self.weeks[slot] >> behind & 1 == 1);
            }
        }
        (seen, known)
    }
}

/// The hours of many devices together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presences {
    seen: [u32; HOURS],
    known: [u32; HOURS],
}

impl Default for Presences {
    fn default() -> Self {
        Self {
            seen: [0; HOURS],
            known: [0; HOURS],
        }
    }
}

impl Presences {
    /// Adds a device, on whose wall it is `now`.
    pub fn add(&mut self, device: &Presence, now: WallHour) {
        for slot in 0..HOURS {
            let (seen, known) = device.of_hour(slot, now);
            self.seen[slot] += seen;
            self.known[slot] += known;
        }
    }

    /// Of a thousand devices, how many were seen in each hour; hours that have not come yet since they enrolled count as none.
    #[must_use]
    pub fn per_thousand(&self) -> Seen {
        let mut share = [0; HOURS];
        for (slot, share) in share.iter_mut().enumerate() {
            *share = self.seen[slot] * 1_000 / self.known[slot].max(1);
        }
        Seen(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday 2026-11-23, 00:00.
    const MONDAY: WallHour = WallHour(20_780 * 24 + TO_MONDAY);

    fn hours(from: WallHour) -> impl Iterator<Item = WallHour> {
        (0..).map(move |n| WallHour(from.0 + n))
    }

    fn share(device: &Presence, now: WallHour) -> [u32; HOURS] {
        let mut all = Presences::default();
        all.add(device, now);
        all.per_thousand().0
    }

    #[test]
    fn an_hour_belongs_to_the_wall_of_its_device() {
        let now = Moment(20_780 * 86_400 + 23 * 3_600 + 59 * 60);
        let (utc, over) = WallHour::at(Zone::UTC, now);
        assert_eq!((utc.slot(), over.since(now).0), (23, 60), "Monday's last hour");
        let (kathmandu, over) = WallHour::at(Zone::or_utc("Asia/Kathmandu"), now);
        assert_eq!((kathmandu.slot(), over.since(now).0), (24 + 5, 16 * 60), "05:44 there");
    }

    #[test]
    fn four_weeks_count_and_an_older_habit_is_forgotten() {
        let mut device = Presence::new(MONDAY);
        for hour in hours(MONDAY).take(4 * HOURS) {
            device.saw(hour);
        }
        let later = WallHour(MONDAY.0 + 4 * HOURS as i64 - 1);
        assert_eq!(share(&device, later), [1_000; HOURS]);
        // From then on only at noon on Mondays.
        for week in 4..8 {
            device.saw(WallHour(MONDAY.0 + week * HOURS as i64 + 12));
        }
        let share = share(&device, WallHour(MONDAY.0 + 8 * HOURS as i64 - 1));
        assert_eq!((share[12], share.iter().sum::<u32>()), (1_000, 1_000));
    }

    #[test]
    fn hours_that_did_not_come_yet_are_not_held_against_a_device() {
        let mut device = Presence::new(MONDAY);
        for hour in hours(MONDAY).take(10) {
            device.saw(hour);
        }
        let share = share(&device, WallHour(MONDAY.0 + 9));
        assert!(share[..10].iter().all(|s| *s == 1_000) && share[10..].iter().all(|s| *s == 0));
        let mut both = Presences::default();
        both.add(&device, WallHour(MONDAY.0 + 9));
        both.add(&Presence::new(WallHour(MONDAY.0 + 9)), WallHour(MONDAY.0 + 9));
        assert_eq!(both.per_thousand().0[3], 1_000, "the second one is not known of then");
    }

    #[test]
    fn hours_in_any_order_are_the_same_hours() {
        let seen: Vec<WallHour> = [3, 700, 30, 171, 3, 400].map(|n| WallHour(MONDAY.0 + n)).to_vec();
        let made = |order: &[WallHour]| {
            let mut device = Presence::new(order[0]);
            order.iter().for_each(|hour| device.saw(*hour));
            device
        };
        let mut back = seen.clone();
        back.reverse();
        assert_eq!(made(&seen), made(&back));
        let mut wrong = Presence::new(WallHour(MONDAY.0 + 100 * HOURS as i64));
        wrong.saw(MONDAY);
        assert_eq!(wrong, Presence::new(MONDAY), "a clock that was years ahead");
    }
}
