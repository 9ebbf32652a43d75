//! When time alone changes a decision - a window opens, a soak is over - open pages are told at that moment, and the server sleeps until then.

use crate::{
    Result, Service,
    events::Topic,
    queries::waiting::{Look, Waiting},
    snapshot,
};
use domain::{Moment, Span};
use sqlx::Acquire as _;
use std::sync::{Mutex, PoisonError};

/// Devices that are looked at. What time changes about others is seen with the next report or change.
const MOST_DEVICES: usize = 1_000;
/// It is worked out at most so often, however much happens.
const AT_MOST_EVERY: Span = Span(10);

/// What was worked out last.
#[derive(Debug, Default)]
pub(crate) struct NextChange(Mutex<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Until when decisions were looked at: what changed by itself since then nobody was told of.
    looked: Option<Moment>,
    known: Option<Known>,
}

/// The next change.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// The number of events when it was worked out: it holds until there is another.
    events: u64,
    /// When it was worked out.
    from: Moment,
    at: Option<Moment>,
}

impl NextChange {
    /// Forgets what was worked out: the clock was set.
    pub(crate) fn forget(&self) {
        self.change(|state| *state = State::default());
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Service {
    /// Tells open pages of decisions that changed by themselves since the last call; the moment of the next one. While nobody looks at a
    /// page nothing is worked out: agents ask by themselves, and a page that opens is made anew.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn changes_by_time(&self, now: Moment) -> Result<Option<Moment>> {
        let memory = &self.inner.next_change;
        if self.events().listeners() == 0 {
            memory.change(|state| (state.looked, state.known) = (Some(now), None));
            return Ok(None);
        }
        let State { looked, known } = memory.change(|state| *state);
        if let Some(known) = known
            && known.at.is_none_or(|at| now < at)
        {
            if known.events == self.events().sent() {
                memory.change(|state| state.looked = Some(now));
                return Ok(known.at);
            }
            if now < known.from + AT_MOST_EVERY {
                return Ok(Some(known.from + AT_MOST_EVERY));
            }
        }
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let policy = snapshot::policy(&mut tx, now).await?;
        let look = Look::first(&self.inner.facts, MOST_DEVICES);
        let waiting = Waiting::read(&mut tx, &policy, now, look, |_| true).await?;
        tx.commit().await?;
        let input = waiting.input(&policy, now)?;
        let since = looked.unwrap_or(now);
        if planner::plan(&input.at(since))
            .next_change_at
            .is_some_and(|at| at <= now)
        {
            for topic in [Topic::Patches, Topic::Devices, Topic::Schedule] {
                self.events().send(topic);
            }
        }
        let at = planner::plan(&input).next_change_at;
        let known = Some(Known {
            events: self.events().sent(),
            from: now,
            at,
        });
        memory.change(|state| (state.looked, state.known) = (Some(now), known));
        Ok(at)
    }
}
