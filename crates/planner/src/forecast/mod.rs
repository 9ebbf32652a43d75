//! The coming days: what runs when, for how long, with how much data, and what does not fit.
//!
//! It goes from one instant at which anything can happen to the next: a window opens, a soak is over, an install ends. At each it starts what
//! the planner would let start then, in the planner's order, and what ends is evidence for those that wait. So it says what deciding again
//! and again would do ([`crate::plan`] at each of these instants), as far as these hold: every install takes its expected time and
//! succeeds, devices are there when their hours are, and nobody decides anything. It is a forecast, never a permission.

mod days;
mod queues;

use crate::fleet::{Pair, PlanInput};
use crate::reason::Reason;
use domain::{LocationId, Moment, RingId, Span};
use std::collections::BTreeMap;

/// What already runs is expected to be over after so long at most: when it began is not told.
pub const RUNNING: Span = Span::hours(1);

/// One install to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// When it starts.
    pub start: Moment,
    /// When it ends.
    pub end: Moment,
    /// What and where.
    pub pair: Pair,
    /// The device's ring.
    pub ring: RingId,
    /// Its location.
    pub location: Option<LocationId>,
    /// Bytes to download.
    pub bytes: u64,
}

/// The coming days of a fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// What runs, by its start.
    pub runs: Vec<Run>,
    /// What waits for a person, an event or a later time, each with one reason. What no window and no hours have room for is among
    /// them: [`Reason::is_misfit`].
    pub waits: BTreeMap<Pair, Reason>,
}

impl Forecast {
    /// Bytes to download in all.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.runs.iter().fold(0, |sum, run| sum.saturating_add(run.bytes))
    }
}

/// The next `days` days of the fleet.
#[must_use]
pub fn forecast(input: &PlanInput, days: u32) -> Forecast {
    let schedules = input
        .devices
        .values()
        .map(|device| crate::decide::Schedule::new(input.policy, device))
        .collect::<Vec<_>>();
    days::Days::new(input, &schedules, days).run()
}
