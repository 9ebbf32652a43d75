//! Keeps its own books of what people decided, what the server granted, what it took and what devices did, and says which invariant a step
//! broke. It learns from what crosses the wire and from what people were told, not from what the server stores.

mod attempts;
mod authority;
mod copies;
mod rounds;
pub mod schedule;
#[cfg(test)]
mod tests;

use crate::{archive::PRODUCTS, computer::Computer, queue::Place};
use domain::{AttemptId, DeviceId, DeviceState, GroupId, HoldId, Moment, PatchId, RingId, Span, Urgency};
use protocol::v1::{ActionKind, Digest, Outcome, PackageVersion};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The first ring: nothing comes before it.
pub const PILOT: RingId = RingId(1);
/// The ring that waits for the first.
pub const PRODUCTION: RingId = RingId(2);
/// The ring that waits for both.
pub const LAST: RingId = RingId(3);
/// The rings in their order, with how long each proves a patch for the later ones.
pub const RINGS: [(RingId, Span); 3] = [(PILOT, SOAK), (PRODUCTION, Span(0)), (LAST, Span(0))];
/// How long the pilots prove a patch: 168 hours.
const SOAK: Span = Span::hours(168);
/// The server's clock may be off by so much without anybody noticing.
const UNNOTICED: Span = Span(300);

/// A broken promise.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Its number in `docs/invariants.md`; `sim` is a fault of the simulation itself.
    pub invariant: &'static str,
    /// What was seen.
    pub text: String,
}

impl Violation {
    /// A broken promise.
    #[must_use]
    pub fn new(invariant: &'static str, text: impl Into<String>) -> Self {
        Self {
            invariant,
            text: text.into(),
        }
    }

    /// Something that must not happen in the made-up world, such as an error of the database.
    #[must_use]
    pub fn world(error: impl fmt::Display) -> Self {
        Self::new("sim", error.to_string())
    }
}

/// What a patch is: OS release, product, number of its version.
pub type What = (usize, usize, u32);

/// What people said of a patch in a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Approved.
    Approved {
        /// What it sets aside.
        urgent: Urgency,
    },
    /// Denied.
    Denied,
}

/// A patch, as people know it.
#[derive(Clone, Debug)]
pub struct PatchBook {
    /// What it is.
    pub what: What,
    /// Decisions in force.
    pub rulings: BTreeMap<RingId, Ruling>,
    /// Holds that people know of.
    pub holds: BTreeSet<HoldId>,
    /// The server owes a hold, for this reason; people have not seen its number yet.
    pub owed: Option<(&'static str, String)>,
    /// Since when it has been stopped.
    stopped: Option<Moment>,
    /// When it was stopped before.
    pauses: Vec<(Moment, Moment)>,
    /// Devices that failed since a person last let it go on, by ring.
    failed: BTreeMap<RingId, BTreeSet<DeviceId>>,
}

/// A device, as the oracle follows it.
#[derive(Clone, Debug)]
pub struct DeviceBook {
    /// Its state.
    pub state: DeviceState,
    /// Its group.
    pub group: Option<GroupId>,
    /// The highest fence given.
    fence: u64,
    /// The last message that the server took.
    pub heard: Moment,
    /// What the last report that the server took says.
    pub known: BTreeMap<&'static str, u32>,
    /// When that was.
    pub known_at: Moment,
    /// Patches whose rollback was ordered and not lifted.
    pub blocked: BTreeSet<PatchId>,
}

/// An attempt, as the oracle follows it.
#[derive(Clone, Debug)]
pub struct AttemptBook {
    /// Where.
    pub device: DeviceId,
    /// Of which patch.
    pub patch: PatchId,
    /// What.
    pub kind: ActionKind,
    fence: u64,
    ring: Option<RingId>,
    granted: Moment,
    packages: Vec<PackageVersion>,
    /// What was installed before.
    current: Vec<PackageVersion>,
    /// The last moment at which it may start by what was scheduled when it was granted.
    latest: Moment,
    /// The server has taken `started`.
    started: bool,
    /// The server has taken this end.
    pub ended: Option<Outcome>,
    runs: u32,
    closed: bool,
    /// Its silence was looked at.
    vanished: bool,
}

/// A group of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupBook {
    /// The group that it lies in.
    pub parent: Option<GroupId>,
    /// Its ring; none: that of the group above.
    pub ring: Option<RingId>,
    /// Windows of the groups above, and those for everybody, do not count in it.
    pub alone: bool,
}

/// The oracle.
#[derive(Default)]
pub struct Oracle {
    /// Groups.
    pub groups: BTreeMap<GroupId, GroupBook>,
    /// Windows, freezes and exceptions by number, with the version that changes and deletions must name.
    pub schedule: BTreeMap<i64, (u64, schedule::Scheduled)>,
    /// Patches.
    pub patches: BTreeMap<PatchId, PatchBook>,
    /// Devices.
    pub devices: BTreeMap<DeviceId, DeviceBook>,
    /// Devices whose computers have been set up anew and are other devices now.
    pub retired: BTreeSet<DeviceId>,
    /// Devices by key.
    pub keys: BTreeMap<String, DeviceId>,
    /// Attempts.
    pub attempts: BTreeMap<AttemptId, AttemptBook>,
    /// Somebody has set the clock, and nobody has confirmed it yet.
    pub clock_wrong: bool,
    /// Records that the server has acknowledged, by id.
    taken: BTreeMap<String, Vec<u8>>,
    /// What each scan saw.
    scans: BTreeMap<Digest, BTreeMap<&'static str, u32>>,
    /// When a ring first showed a version.
    first: BTreeMap<(RingId, What), Moment>,
    epochs: BTreeMap<Place, u64>,
    /// How often devices of a group install at most, by the profiles that name it.
    pub intervals: BTreeMap<GroupId, Span>,
    rounds: BTreeMap<DeviceId, rounds::RoundBook>,
    copies: BTreeMap<String, copies::CopyBook>,
    permit_seconds: i64,
    vanish_seconds: i64,
}

impl Oracle {
    /// Empty books for a server with these settings.
    #[must_use]
    pub fn new(settings: &service::Settings) -> Self {
        let first = |group: i64, ring| {
            let book = GroupBook {
                parent: None,
                ring: Some(ring),
                alone: false,
            };
            (GroupId(group), book)
        };
        Self {
            groups: BTreeMap::from([first(1, PILOT), first(2, PRODUCTION)]),
            permit_seconds: i64::from(settings.permit_seconds),
            vanish_seconds: settings.vanish_seconds,
            ..Self::default()
        }
    }

    /// A device's group and the groups in which that lies.
    fn chain(&self, device: DeviceId) -> Vec<GroupId> {
        let own = self.devices.get(&device).and_then(|d| d.group);
        std::iter::successors(own, |g| self.groups.get(g)?.parent).collect()
    }

    /// A device's ring.
    #[must_use]
    pub fn ring_of(&self, device: DeviceId) -> Option<RingId> {
        self.chain(device).iter().find_map(|g| self.groups.get(g)?.ring)
    }

    /// People see a patch.
    pub fn meets(&mut self, patch: PatchId, what: What) -> &mut PatchBook {
        self.patches.entry(patch).or_insert_with(|| PatchBook {
            what,
            rulings: BTreeMap::new(),
            holds: BTreeSet::new(),
            owed: None,
            stopped: None,
            pauses: Vec::new(),
            failed: BTreeMap::new(),
        })
    }

    /// A device has enrolled (I-8: its number is new).
    ///
    /// # Errors
    /// I-8.
    pub fn enrolled(
        &mut self,
        key: &str,
        device: DeviceId,
        state: DeviceState,
        group: Option<GroupId>,
        now: Moment,
    ) -> Result<(), Violation> {
        if let Some(known) = self.keys.get(key) {
            return if *known == device {
                Ok(())
            } else {
                Err(Violation::new("I-8", format!("one key is device {known} and {device}")))
            };
        }
        if self.devices.contains_key(&device) {
            return Err(Violation::new(
                "I-8",
                format!("the number of device {device} is used again"),
            ));
        }
        self.keys.insert(key.to_owned(), device);
        let book = DeviceBook {
            state,
            group,
            fence: 0,
            heard: now,
            known: BTreeMap::new(),
            known_at: now,
            blocked: BTreeSet::new(),
        };
        self.devices.insert(device, book);
        Ok(())
    }

    /// A scan saw this.
    pub fn scanned(&mut self, digest: &Digest, computer: &Computer) {
        self.scans.insert(digest.clone(), computer.installed.clone());
    }

    /// The server has taken a report.
    ///
    /// # Errors
    /// I-21: it acknowledges what nobody sent.
    pub fn reported(&mut self, device: DeviceId, digest: &Digest, os: usize, now: Moment) -> Result<(), Violation> {
        let Some(seen) = self.scans.get(digest) else {
            return Err(Violation::new(
                "I-21",
                format!("device {device}: the server acknowledges an inventory that nobody sent"),
            ));
        };
        let ring = self.ring_of(device);
        let Some(book) = self.devices.get_mut(&device) else {
            return Ok(());
        };
        (book.known, book.known_at) = (seen.clone(), now);
        let Some(ring) = ring else { return Ok(()) };
        for (at, product) in PRODUCTS.iter().enumerate() {
            if let Some(number) = product.binaries.iter().filter_map(|b| seen.get(b)).min() {
                self.first.entry((ring, (os, at, *number))).or_insert(now);
            }
        }
        Ok(())
    }

    /// Whether every package of a patch has its version, as far as the server knows.
    #[must_use]
    pub fn shows(&self, device: DeviceId, what: What) -> bool {
        let Some(book) = self.devices.get(&device) else {
            return false;
        };
        let mut there = PRODUCTS[what.1]
            .binaries
            .iter()
            .filter_map(|b| book.known.get(b))
            .peekable();
        there.peek().is_some() && there.all(|n| *n == what.2)
    }

    /// The epoch that an agent stores (I-37).
    ///
    /// # Errors
    /// I-37.
    pub fn saves(&mut self, place: Place, before: u64, epoch: u64) -> Result<(), Violation> {
        let highest = self.epochs.entry(place).or_insert(before);
        if epoch < *highest {
            return Err(Violation::new(
                "I-37",
                format!("the epoch goes from {highest} to {epoch}"),
            ));
        }
        *highest = epoch;
        Ok(())
    }

    /// The agent of a place begins from nothing.
    pub fn set_up_anew(&mut self, place: Place) {
        self.epochs.remove(&place);
    }

    /// The number that an agent puts on a message (I-37).
    ///
    /// # Errors
    /// I-37.
    pub fn numbers(&mut self, place: Place, before: u64, seq: u64) -> Result<(), Violation> {
        if seq > before {
            Ok(())
        } else {
            Err(Violation::new(
                "I-37",
                format!("place {place}: message {seq} after {before}"),
            ))
        }
    }

    /// People or events stop a patch.
    pub fn stop(&mut self, patch: PatchId, hold: Option<HoldId>, now: Moment) {
        if let Some(book) = self.patches.get_mut(&patch) {
            book.holds.extend(hold);
            book.stopped.get_or_insert(now);
        }
    }

    /// The server owes a hold from now on.
    fn owe(&mut self, patch: PatchId, invariant: &'static str, why: String, now: Moment) {
        if let Some(book) = self.patches.get_mut(&patch) {
            book.owed = Some((invariant, why));
            book.stopped.get_or_insert(now);
        }
    }

    /// A rollback was ordered (I-33: it holds the rollout and blocks the device).
    pub fn back(&mut self, patch: PatchId, devices: &[DeviceId], now: Moment) {
        self.owe(patch, "I-33", "a rollback was ordered".to_owned(), now);
        for device in devices {
            if let Some(book) = self.devices.get_mut(device) {
                book.blocked.insert(patch);
            }
        }
    }

    /// Patches for which the server owes a hold that nobody has seen yet.
    #[must_use]
    pub fn owed(&self) -> Vec<PatchId> {
        self.patches
            .iter()
            .filter(|(_, b)| b.owed.is_some())
            .map(|(p, _)| *p)
            .collect()
    }

    /// People read which holds of a patch are open.
    ///
    /// # Errors
    /// I-29, I-30, I-33 when one is owed and not there; I-4 when one has gone by itself.
    pub fn reads_holds(&mut self, patch: PatchId, open: &BTreeSet<HoldId>) -> Result<(), Violation> {
        let Some(book) = self.patches.get_mut(&patch) else {
            return Ok(());
        };
        if let Some(gone) = book.holds.difference(open).next() {
            return Err(Violation::new(
                "I-4",
                format!("patch {patch}: hold {gone} has gone without a person"),
            ));
        }
        if let Some((invariant, why)) = book.owed.take()
            && open.is_empty()
        {
            return Err(Violation::new(
                invariant,
                format!("patch {patch} is not held although {why}"),
            ));
        }
        book.holds.clone_from(open);
        Ok(())
    }

    /// A person resolved a hold.
    pub fn resumes(&mut self, patch: PatchId, hold: HoldId, now: Moment) {
        let Some(book) = self.patches.get_mut(&patch) else {
            return;
        };
        book.holds.remove(&hold);
        book.failed.clear();
        if book.holds.is_empty()
            && let Some(since) = book.stopped.take()
        {
            book.pauses.push((since, now));
        }
    }

    /// Devices that can be revoked, moved and so on.
    #[must_use]
    pub fn in_state(&self, state: DeviceState) -> Vec<DeviceId> {
        self.devices
            .iter()
            .filter(|(_, d)| d.state == state)
            .map(|(id, _)| *id)
            .collect()
    }

    /// The server's process has died: what it remembered is gone.
    pub fn server_died(&mut self) {
        for book in self.copies.values_mut() {
            book.forget();
        }
    }
}
