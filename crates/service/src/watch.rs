//! The server's time: what its clock shows, as long as that agrees with the time that passed. A clock that was set wrong neither completes a
//! soak nor dates what happens meanwhile: until an administrator has looked, time goes on from before the jump (I-12).

use crate::{Clock, store::clock::Left};
use domain::{Moment, Span};
use std::sync::{Mutex, PoisonError};

/// A clock that goes back by more is wrong (THREATS 2.6).
const MAX_BACK: Span = Span(60);
/// A clock that goes forward by more than the time that passed is wrong.
const MAX_FORWARD: Span = Span::hours(1);

/// The last moment at which the clock was right, and what the clock that nobody can set showed then.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Option<(Moment, Span)>>);

/// A look at the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// What it shows.
    pub(crate) shown: Moment,
    /// What it should show; nothing tells before the first anchor.
    pub(crate) expected: Option<Moment>,
}

impl Reading {
    /// Whether the clock has jumped.
    pub(crate) fn is_off(self) -> bool {
        self.expected
            .is_some_and(|e| self.shown + MAX_BACK < e || e + MAX_FORWARD < self.shown)
    }

    /// Whether it shows less than what was seen before, in this life of the server or an earlier one.
    pub(crate) fn is_before(self, seen: Moment) -> bool {
        self.shown + MAX_BACK < seen
    }

    /// How far the clock is ahead of the time that passed.
    pub(crate) fn ahead(self, seen: Moment) -> Span {
        self.shown.since(self.expected.unwrap_or(seen))
    }

    /// The time to go by.
    pub(crate) fn now(self) -> Moment {
        self.expected.filter(|_| self.is_off()).unwrap_or(self.shown)
    }
}

impl Watch {
    /// Looks at the clock.
    pub(crate) fn read(&self, clock: &dyn Clock) -> Reading {
        let (shown, steady) = (clock.now(), clock.steady());
        let anchor = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Reading {
            shown,
            expected: anchor.map(|(then, at)| then + Span(steady.0.saturating_sub(at.0))),
        }
    }

    /// Goes on where an earlier run of the server left: what it found wrong stays wrong until an administrator has looked, however often
    /// the server starts meanwhile.
    pub(crate) fn take_up(&self, clock: &dyn Clock, left: Left) {
        if let Some(off) = left.off {
            self.anchor(clock, (clock.now() - off).max(left.high_water));
        }
    }

    /// From here on time counts from `right`.
    pub(crate) fn anchor(&self, clock: &dyn Clock, right: Moment) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((right, clock.steady()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_restart_takes_up_what_was_found_wrong() {
        let (clock, watch) = (ManualClock::at(Moment(1_000_000)), Watch::default());
        let left = |off| Left {
            high_water: Moment(400_000),
            off,
        };
        watch.take_up(&clock, left(None));
        assert_eq!(watch.read(&clock).expected, None, "nothing was wrong");
        watch.take_up(&clock, left(Some(Span(500_000))));
        assert_eq!(watch.read(&clock).now(), Moment(500_000));
        clock.advance(Span(60));
        assert_eq!(watch.read(&clock).now(), Moment(500_060));
        watch.take_up(&clock, left(Some(Span(900_000))));
        assert_eq!(watch.read(&clock).now(), Moment(400_000), "never before what was seen");
    }

    #[test]
    fn a_jump_moves_no_time() {
        let (clock, watch) = (ManualClock::at(Moment(1_000_000)), Watch::default());
        assert_eq!(watch.read(&clock).now(), Moment(1_000_000));
        watch.anchor(&clock, Moment(1_000_000));
        clock.advance(Span::days(9));
        let right = Moment(1_000_000) + Span::days(9);
        assert_eq!(watch.read(&clock).now(), right, "time that passes is no jump");
        for jump in [Span::days(10), Span(-100)] {
            clock.jump(jump);
            assert!(watch.read(&clock).is_off());
            assert_eq!(watch.read(&clock).now(), right);
            clock.jump(Span(-jump.0));
            assert!(!watch.read(&clock).is_off());
        }
        clock.jump(Span(-20));
        assert_eq!(
            watch.read(&clock).now(),
            right - Span(20),
            "small corrections are followed"
        );
    }
}
