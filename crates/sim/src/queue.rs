//! What will happen when. Two things at the same second happen in the order in which they were put in.

use domain::Moment;
use std::{cmp::Reverse, collections::BinaryHeap, rc::Rc};

/// A device of the world, by its place in the list. A copy of a device has a place of its own.
pub type Place = usize;

/// A message on its way to the server.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Who waits for the answer.
    pub from: Place,
    /// In which life of its process.
    pub life: u64,
    /// Which call of it.
    pub call: u64,
    /// Address.
    pub path: &'static str,
    /// The sender's key, and its signature.
    pub signed: Rc<(String, String)>,
    /// The body.
    pub body: Rc<[u8]>,
    /// A copy that the network made; nobody waits for its answer.
    pub again: bool,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A device without enrolment tries to enrol.
    Enroll(Place),
    /// A message reaches the server.
    Arrive(Letter),
    /// An answer reaches a device: status and body.
    Answer(Letter, u16, Rc<[u8]>),
    /// Nobody answered a call.
    Silence(Place, u64, u64),
    /// A device's own work is done: a scan, a download, a write.
    Done(Place, u64, u64),
    /// A waiting agent comes back.
    Wake(Place, u64, u64),
    /// The package manager of a device ends.
    ManagerEnds(Place, u64),
    /// The agent's process starts.
    Start(Place),
    /// A device is switched on.
    PowerOn(Place),
    /// Something goes wrong with a device, or its owner does something.
    Mishap(Place),
    /// A copy of a device is made, or taken away.
    Copy,
    /// The server does the work that time brings.
    ServerTick(u64),
    /// The server writes the last contacts.
    ServerFlush(u64),
    /// The server's process dies.
    ServerCrash,
    /// The server starts.
    ServerStart,
    /// Somebody sets the server's clock.
    ClockJump,
    /// People look and decide.
    People,
    /// The vendor releases something.
    Release,
    /// The oracle looks at everything.
    Audit,
}

struct Entry(Moment, u64, Happening);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// The queue.
#[derive(Default)]
pub struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    count: u64,
}

impl Queue {
    /// Puts something in.
    pub fn put(&mut self, at: Moment, what: Happening) {
        self.count += 1;
        self.heap.push(Reverse(Entry(at, self.count, what)));
    }

    /// Takes the next thing that happens until `end`.
    pub fn next(&mut self, end: Moment) -> Option<(Moment, Happening)> {
        if self.heap.peek().is_none_or(|e| e.0.0 > end) {
            return None;
        }
        self.heap.pop().map(|Reverse(e)| (e.0, e.2))
    }
}
