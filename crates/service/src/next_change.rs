//! When time alone changes a decision - a window opens, a soak is over - open pages are told at that moment, and the server sleeps until then.

use crate::{
    Result, Service,
    events::Topic,
    queries::{
        preview::thinking,
        waiting::{Look, Waiting},
    },
    snapshot,
};
use domain::{Moment, Span};
use sqlx::Acquire as _;
use std::sync::{Mutex, PoisonError};

/// It is worked out at most so often, however much happens, and a second less often for each so many devices: a look at ten thousand of them
/// takes a processor a second or two.
const AT_MOST_EVERY: Span = Span(10);
const DEVICES_A_SECOND: i64 = 200;

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
    /// Until when it holds whatever happens.
    kept_until: Moment,
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
            if now < known.kept_until {
                return Ok(Some(known.kept_until));
            }
        }
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let policy = snapshot::policy(&mut tx, now).await?;
        let events = self.events().sent();
        let waiting = Waiting::read(&mut tx, &policy, now, Look::whole(&self.inner.facts), |_| true).await?;
        tx.commit().await?;
        let devices = i64::try_from(waiting.devices.len()).unwrap_or(i64::MAX);
        let since = looked.unwrap_or(now);
        let (changed, at) = thinking(move || {
            let input = waiting.input(&policy, now)?;
            let at = planner::plan(&input).next_change_at;
            let since = (since < now).then(|| planner::plan(&input.at(since)).next_change_at);
            Ok((since.flatten().is_some_and(|at| at <= now), at))
        })
        .await?;
        if changed {
            for topic in [Topic::Patches, Topic::Devices, Topic::Schedule] {
                self.events().send(topic);
            }
        }
        let known = Some(Known {
            // What was told of here is no news to this.
            events: events + if changed { 3 } else { 0 },
            kept_until: now + AT_MOST_EVERY + Span(devices / DEVICES_A_SECOND),
            at,
        });
        memory.change(|state| (state.looked, state.known) = (Some(now), known));
        Ok(at)
    }
}
