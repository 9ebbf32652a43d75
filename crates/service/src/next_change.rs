//! When time alone changes a decision - a window opens, a soak is over - open pages are told at that moment, and the server sleeps until then.

use crate::{
    Result, Service,
    events::Topic,
    queries::waiting::{Look, Waiting},
    snapshot,
};
use domain::Moment;
use sqlx::Acquire as _;
use std::sync::{Mutex, PoisonError};

/// Devices that are looked at. What time changes about others is seen with the next report or change.
const MOST_DEVICES: usize = 1_000;

/// The next change that was worked out.
#[derive(Debug, Default)]
pub(crate) struct NextChange {
    known: Mutex<Option<Known>>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// The number of events when it was worked out: it holds until there is another.
    events: u64,
    at: Option<Moment>,
}

impl NextChange {
    fn get(&self) -> Option<Known> {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}

impl Service {
    /// Tells open pages of decisions that changed by themselves since the last call; the moment of the next one. While nobody looks at a
    /// page nothing is worked out: agents ask by themselves, and a page that opens is made anew.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn changes_by_time(&self, now: Moment) -> Result<Option<Moment>> {
        if self.events().listeners() == 0 {
            return Ok(None);
        }
        let known = self.inner.next_change.get();
        if let Some(Known { events, at }) = known
            && events == self.events().sent()
            && at.is_none_or(|at| now < at)
        {
            return Ok(at);
        }
        if known.is_some_and(|known| known.at.is_some_and(|at| at <= now)) {
            for topic in [Topic::Patches, Topic::Devices, Topic::Schedule] {
                self.events().send(topic);
            }
        }
        let events = self.events().sent();
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let policy = snapshot::policy(&mut tx, now).await?;
        let look = Look::first(&self.inner.facts, MOST_DEVICES);
        let waiting = Waiting::read(&mut tx, &policy, now, look, |_| true).await?;
        tx.commit().await?;
        let at = planner::plan(&waiting.input(&policy, now)?).next_change_at;
        self.inner.next_change.set(Known { events, at });
        Ok(at)
    }
}
