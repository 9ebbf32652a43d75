//! Who waits for what: installs by the one thing that stands in their way, each queue in the planner's order.

use domain::{LocationId, Moment, PatchId, RingId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// The place of an install in the order in which slots are given.
pub(super) type Rank = usize;

/// What an install waits for that is none of its own schedule's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// What runs on its device; by the device's place.
    Device(usize),
    /// A patch's place in the waves and limits of a ring, for devices that had no turn yet or for those that try again.
    Ring(PatchId, RingId, bool),
    /// A location.
    Location(LocationId),
    /// The fleet.
    Fleet,
}

/// What happens by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// An install ends; by its place among the runs.
    Ends(usize),
    /// What ran on a device when the forecast was made is over.
    Free(usize),
    /// What ran in a location, or in none, on devices that are not looked at is over.
    Elsewhere(Option<LocationId>, u32),
    /// What ran of a patch in a ring when the forecast was made, on so many devices, has succeeded.
    Succeeded(PatchId, RingId, u32),
    /// The soak of those that wait together is over.
    Soaked(usize),
    /// The rest before a wave is over.
    Rested(PatchId, RingId),
    /// An install's own schedule has room.
    Wakes(Rank),
}

/// Where an install that is looked at comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// Its own schedule.
    Own,
    /// A queue in which something became free.
    Queue(Key),
}

/// The events to come and the queues.
#[derive(Debug, Default)]
pub(super) struct Queues {
    events: BinaryHeap<Reverse<(Moment, Event)>>,
    waiting: BTreeMap<Key, BinaryHeap<Reverse<Rank>>>,
}

impl Queues {
    /// Something happens at `at`.
    pub(super) fn add(&mut self, at: Moment, event: Event) {
        self.events.push(Reverse((at, event)));
    }

    /// The next instant at which something happens.
    pub(super) fn next(&self) -> Option<Moment> {
        self.events.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes what happens at `now`, in a fixed order; whether there is anything.
    pub(super) fn next_at(&mut self, now: Moment, events: &mut Vec<Event>) -> bool {
        while let Some(Reverse((_, event))) = self.events.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            events.push(event);
            self.events.pop();
        }
        !events.is_empty()
    }

    /// An install waits for this.
    pub(super) fn wait(&mut self, key: Key, rank: Rank) {
        self.waiting.entry(key).or_default().push(Reverse(rank));
    }

    /// Takes the first of those that wait for this.
    pub(super) fn take(&mut self, key: Key) -> Option<Rank> {
        self.waiting.get_mut(&key)?.pop().map(|Reverse(rank)| rank)
    }

    /// All that still wait, with what for.
    pub(super) fn left(&self) -> impl Iterator<Item = (Key, Rank)> + '_ {
        let all = self.waiting.iter();
        all.flat_map(|(key, ranks)| ranks.iter().map(move |Reverse(rank)| (*key, *rank)))
    }
}
