//! What people schedule, by a second and simpler arithmetic than the planner's: windows, freezes and exceptions (I-9).

use super::{Oracle, Violation, What};
use crate::archive::PRODUCTS;
use domain::{DeviceId, GroupId, Moment, PatchId, Span, Urgency};

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;
/// What an install is expected to take at least until a device has had the patch; downloading comes on top.
const ASSUMED: Span = Span::minutes(10);
/// The same when installs of the patch may have been measured: whole minutes, at least one.
const MEASURED: Span = Span::minutes(1);
/// Small corrections of the server's clock, which everybody follows.
pub(super) const CORRECTED: Span = Span(60);

/// The clocks on which people write. Each is right from November 2026 to October 2027.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wall {
    /// UTC.
    Utc,
    /// Each device's own, which is Helsinki's.
    Device,
    /// New York's.
    NewYork,
}

impl Wall {
    /// Ahead of UTC in winter, in seconds, and when that grows by an hour.
    const fn rule(self) -> (i64, Moment) {
        match self {
            Self::Utc => (0, Moment::MAX),
            // 2027-03-28 01:00 UTC.
            Self::Device => (2 * 3_600, Moment(1_806_195_600)),
            // 2027-03-14 07:00 UTC.
            Self::NewYork => (-5 * 3_600, Moment(1_805_007_600)),
        }
    }

    /// What the wall shows.
    #[must_use]
    pub fn local(self, at: Moment) -> i64 {
        let (winter, turn) = self.rule();
        at.0 + winter + if at < turn { 0 } else { 3_600 }
    }

    /// When the wall shows `local`; what it skips is when it skips it.
    #[must_use]
    pub fn at(self, local: i64) -> Moment {
        let (winter, turn) = self.rule();
        let (before, after) = (Moment(local - winter), Moment(local - winter - 3_600));
        if before < turn { before } else { after.max(turn) }
    }
}

/// For whom it is; no groups: for every device.
fn is_for(groups: &[GroupId], chain: &[GroupId]) -> bool {
    groups.is_empty() || groups.iter().any(|g| chain.contains(g))
}

/// A weekly window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowBook {
    /// Days on which it begins; 0 is Monday.
    pub days: Vec<u8>,
    /// Minutes after midnight.
    pub at: i64,
    /// Its length; less than a day.
    pub minutes: i64,
    /// Whose clock.
    pub wall: Wall,
    /// For whom.
    pub groups: Vec<GroupId>,
}

impl WindowBook {
    /// The time in which it is open around `now`, if it is.
    fn open(&self, now: Moment) -> Option<(Moment, Moment)> {
        let today = self.wall.local(now).div_euclid(DAY);
        (today - 2..=today + 1)
            // 1970-01-01 was a Thursday.
            .filter(|day| self.days.iter().any(|d| i64::from(*d) == (day + 3).rem_euclid(7)))
            .map(|day| self.wall.at(day * DAY + self.at * MINUTE))
            .map(|from| (from, from + Span::minutes(self.minutes)))
            .find(|(from, to)| *from <= now + CORRECTED && now < *to + CORRECTED)
    }

    /// Devices that call every few hours find it open within two days.
    #[must_use]
    pub fn is_generous(&self) -> bool {
        self.days.len() == 7 && self.minutes >= 9 * 60
    }
}

/// A freeze, from and to on the wall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreezeBook {
    /// First second, on the wall.
    pub from: i64,
    /// First second after it, on the wall.
    pub to: i64,
    /// Whose clock.
    pub wall: Wall,
    /// For whom.
    pub groups: Vec<GroupId>,
}

/// Whom an exception covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// One device.
    Device(DeviceId),
    /// A group.
    Group(GroupId),
    /// Everybody.
    All,
}

/// An exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionBook {
    /// Whom it covers.
    pub whom: Whom,
    /// Of one patch, or else of a product.
    pub patch: Option<PatchId>,
    /// The product, by its place in the archive.
    pub product: usize,
    /// When it ends.
    pub expires: Moment,
}

/// Something that people have scheduled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheduled {
    /// A maintenance window.
    Window(WindowBook),
    /// A freeze.
    Freeze(FreezeBook),
    /// An exception.
    Exception(ExceptionBook),
}

impl Oracle {
    /// The windows of a device in these groups. Freezes and exceptions are inherited always, windows up to the first group that keeps to
    /// itself.
    fn windows_of(&self, chain: &[GroupId]) -> Vec<&WindowBook> {
        let alone = chain.iter().position(|g| self.groups.get(g).is_some_and(|g| g.alone));
        let of = alone.map_or(chain, |at| &chain[..=at]);
        let counts = |w: &WindowBook| is_for(&w.groups, of) && !(w.groups.is_empty() && alone.is_some());
        let windows = self.schedule.values().filter_map(|(_, scheduled)| match scheduled {
            Scheduled::Window(w) if counts(w) => Some(w),
            Scheduled::Window(_) | Scheduled::Freeze(_) | Scheduled::Exception(_) => None,
        });
        windows.collect()
    }

    /// When the window opened that is open at `at` for a device, where it is no longer than `every`; of several, and of those that touch it,
    /// the first.
    pub(super) fn opened(&self, device: DeviceId, at: Moment, every: Span) -> Option<Moment> {
        let windows = self.windows_of(&self.chain(device));
        let mut from = windows.iter().filter_map(|w| w.open(at)).map(|(from, _)| from).min()?;
        let to = windows.iter().filter_map(|w| w.open(at)).map(|(_, to)| to).max()?;
        while let Some(earlier) = windows
            .iter()
            .filter_map(|w| w.open(from - Span(1)))
            .map(|(from, _)| from)
            .min()
            && earlier < from
            && to.since(earlier) <= every
        {
            from = earlier;
        }
        (to.since(from) <= every).then_some(from)
    }

    /// Whether an install may start now by everything that is scheduled, and until when.
    ///
    /// # Errors
    /// I-9, or `exception`.
    pub(super) fn may_start(
        &self,
        device: DeviceId,
        patch: PatchId,
        what: What,
        urgent: Urgency,
        now: Moment,
    ) -> Result<Moment, Violation> {
        let chain = self.chain(device);
        let say =
            |invariant, text: String| Violation::new(invariant, format!("device {device}, patch {patch}: {text}"));
        let needed = if self.first.keys().any(|(_, seen)| *seen == what) {
            MEASURED
        } else {
            ASSUMED
        };
        let (windows, mut latest) = (self.windows_of(&chain), Moment::MAX);
        for (number, (_, scheduled)) in &self.schedule {
            match scheduled {
                Scheduled::Freeze(f) if is_for(&f.groups, &chain) => {
                    let (from, to) = (f.wall.at(f.from), f.wall.at(f.to));
                    if from + CORRECTED < now + needed && now + CORRECTED < to {
                        return Err(say("I-9", format!("it meets freeze {number}: {f:?}")));
                    }
                    if now < from {
                        latest = latest.min(from - needed);
                    }
                }
                Scheduled::Exception(e) => {
                    let about = e.patch.map_or(e.product == what.1, |p| p == patch);
                    let whom = match e.whom {
                        Whom::Device(id) => id == device,
                        Whom::Group(id) => chain.contains(&id),
                        Whom::All => true,
                    };
                    if about && whom && now + CORRECTED < e.expires {
                        let text = format!("exception {number} stops {}: {e:?}", PRODUCTS[what.1].source);
                        return Err(say("exception", text));
                    }
                }
                Scheduled::Window(_) | Scheduled::Freeze(_) => {}
            }
        }
        // Freezes and exceptions were looked at above: no urgency passes them.
        if windows.is_empty() || urgent == Urgency::SkipSoakAndWindows {
            return Ok(latest);
        }
        let end = windows.iter().filter_map(|w| w.open(now)).map(|(_, to)| to).max();
        match end {
            Some(end) if now + needed <= end + CORRECTED => Ok(latest.min(end - needed)),
            Some(end) => Err(say("I-9", format!("the window ends at {}", end.rfc3339()))),
            None => Err(say("I-9", format!("no window is open: {windows:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walls_turn_once() {
        // Helsinki, 2027-03-28: 03:00 is skipped.
        let midnight = Wall::Device.at(1_806_192_000);
        assert_eq!(midnight.rfc3339(), "2027-03-27T22:00:00Z");
        assert_eq!(Wall::Device.local(midnight), 1_806_192_000);
        let skipped = Wall::Device.at(1_806_192_000 + 3 * 3_600 + 1_800);
        assert_eq!(skipped.rfc3339(), "2027-03-28T01:00:00Z");
        let noon = Wall::Device.at(1_806_192_000 + 12 * 3_600);
        assert_eq!(noon.rfc3339(), "2027-03-28T09:00:00Z");
        assert_eq!(Wall::NewYork.at(1_806_192_000).rfc3339(), "2027-03-28T04:00:00Z");
    }

    #[test]
    fn windows_go_over_midnight_and_end() {
        let window = WindowBook {
            days: vec![0],
            at: 22 * 60,
            minutes: 240,
            wall: Wall::Utc,
            groups: vec![],
        };
        // Monday 2027-03-01.
        let monday = Moment(1_803_859_200);
        let open = |hour: i64| window.open(monday + Span::hours(hour)).is_some();
        assert_eq!(
            [21, 22, 25, 27, 46, 24 * 7 + 23].map(open),
            [false, true, true, false, false, true]
        );
    }
}
