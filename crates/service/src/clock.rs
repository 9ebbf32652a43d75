//! Time is a dependency. The only place of this crate that reads a clock.

use domain::{Moment, Span};
use rustix::time::{ClockId, clock_gettime};
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// Where "now" comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present, UTC.
    fn now(&self) -> Moment;

    /// Seconds since some start, by a clock that nobody can set: what [`Clock::now`] is compared with to see it jump (I-12).
    /// Time in suspend counts: a server on a machine that slept has not seen its clock jump.
    fn steady(&self) -> Span {
        Span(clock_gettime(ClockId::Boottime).tv_sec)
    }
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        Moment(i64::try_from(seconds).unwrap_or(i64::MAX).min(Moment::MAX.0))
    }
}

/// The system's clock plus an offset read from a file, so that a test can let seven days pass. Not in release builds.
#[cfg(feature = "test-clock")]
#[derive(Clone, Debug)]
pub struct OffsetClock {
    /// Holds a whole number of seconds; absent or unreadable = 0.
    pub file: std::path::PathBuf,
}

#[cfg(all(feature = "test-clock", not(debug_assertions)))]
compile_error!("a release build must not be able to move its clock: drop the feature `test-clock`");

#[cfg(feature = "test-clock")]
impl OffsetClock {
    fn offset(&self) -> Span {
        Span(
            std::fs::read_to_string(&self.file)
                .ok()
                .and_then(|t| t.trim().parse::<i64>().ok())
                .unwrap_or(0),
        )
    }
}

#[cfg(feature = "test-clock")]
impl Clock for OffsetClock {
    fn now(&self) -> Moment {
        SystemClock.now() + self.offset()
    }
    fn steady(&self) -> Span {
        Span(SystemClock.steady().0.saturating_add(self.offset().0))
    }
}

/// A clock that stands still until it is moved; for tests, simulation and the demonstration's history.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: AtomicI64,
    steady: AtomicI64,
}

impl ManualClock {
    /// Starts at `now`.
    #[must_use]
    pub const fn at(now: Moment) -> Self {
        Self {
            now: AtomicI64::new(now.0),
            steady: AtomicI64::new(0),
        }
    }
    /// Lets time pass until it is `now`. Backwards, it is a jump.
    pub fn set(&self, now: Moment) {
        let before = self.now.swap(now.0, Ordering::SeqCst);
        self.steady
            .fetch_add(now.0.saturating_sub(before).max(0), Ordering::SeqCst);
    }
    /// Lets `span` pass.
    pub fn advance(&self, span: Span) {
        self.now.fetch_add(span.0, Ordering::SeqCst);
        self.steady.fetch_add(span.0, Ordering::SeqCst);
    }
    /// Somebody sets the clock: it moves by `span`, and no time passes.
    pub fn jump(&self, span: Span) {
        self.now.fetch_add(span.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        Moment(self.now.load(Ordering::SeqCst))
    }
    fn steady(&self) -> Span {
        Span(self.steady.load(Ordering::SeqCst))
    }
}
