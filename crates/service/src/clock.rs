//! Time is a dependency. The only place of this crate that reads a clock.

use domain::Moment;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where "now" comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present, UTC.
    fn now(&self) -> Moment;
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
impl Clock for OffsetClock {
    fn now(&self) -> Moment {
        let offset = std::fs::read_to_string(&self.file).ok().and_then(|t| t.trim().parse::<i64>().ok()).unwrap_or(0);
        SystemClock.now() + domain::Span(offset)
    }
}

/// A clock that stands still until it is set; for tests and for the demonstration's history.
#[derive(Debug, Default)]
pub struct ManualClock(std::sync::atomic::AtomicI64);

impl ManualClock {
    /// Starts at `now`.
    #[must_use]
    pub const fn at(now: Moment) -> Self {
        Self(std::sync::atomic::AtomicI64::new(now.0))
    }
    /// Moves to `now`.
    pub fn set(&self, now: Moment) {
        self.0.store(now.0, std::sync::atomic::Ordering::SeqCst);
    }
    /// Lets `span` pass.
    pub fn advance(&self, span: domain::Span) {
        self.0.fetch_add(span.0, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        Moment(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}
