//! The forecast's walk from instant to instant.

use super::queues::{Event, Key, Queues, Rank, Source};
use super::{Forecast, RUNNING, Run};
use crate::decide::{Schedule, is_settled, meet};
use crate::facts::PatchFacts;
use crate::fleet::{PlanInput, Turn, turn};
use crate::gates::interval::{self, Round};
use crate::gates::slot::{self, InUse};
use crate::gates::{Ctx, soaked};
use crate::reason::{Gate, GateStatus, Reason};
use domain::{DeviceId, LocationId, Moment, PatchId, PatchState, ProductId, RingId, Span};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// An install that could start when its time comes.
struct Candidate<'a> {
    /// What the gates look at, but for what changes as the forecast goes on.
    ctx: Ctx<'a>,
    /// Its device's place.
    device: usize,
    ring: RingId,
    /// When time has opened every gate but soak, interval, hours, window and slot.
    ready: Moment,
    /// The first gate but the slot that is not open when the forecast is made.
    first: Option<Reason>,
}

/// Installs for which the soak is the same: of a patch in a ring, on devices with the same business-critical products.
struct Soak {
    members: Vec<Rank>,
    /// The soak's end is known, or it is over.
    settled: bool,
}

/// A device as the forecast goes on.
#[derive(Clone, Copy, Default)]
struct Live {
    /// What runs on it.
    runs: Option<PatchId>,
    busy: bool,
    location: Option<LocationId>,
    round: Option<Round>,
}

/// The state of a forecast at an instant.
pub(super) struct Days<'a> {
    input: &'a PlanInput<'a>,
    until: Moment,
    now: Moment,
    /// In the order in which slots are given.
    candidates: Vec<Candidate<'a>>,
    devices: Vec<Live>,
    /// Patches with the evidence that has come so far.
    patches: BTreeMap<PatchId, PatchFacts>,
    in_location: BTreeMap<LocationId, u32>,
    in_fleet: u32,
    soaks: Vec<Soak>,
    /// The soaks of a patch that are not over.
    soaking: BTreeMap<PatchId, Vec<usize>>,
    queues: Queues,
    /// The candidates of the runs.
    ranks: Vec<Rank>,
    found: Forecast,
}

impl<'a> Days<'a> {
    /// Sorts out what time alone can start in the next `days` days.
    pub(super) fn new(input: &'a PlanInput<'a>, schedules: &'a [Schedule<'a>], days: u32) -> Self {
        let mut found = Forecast::default();
        let mut sorted: Vec<(Turn, Candidate)> = Vec::new();
        let mut pairs = input.pairs.iter().peekable();
        for (place, schedule) in schedules.iter().enumerate() {
            while let Some((pair, facts)) = pairs.next_if(|(pair, _)| pair.0 == schedule.device.id) {
                let Some(patch) = input.patches.get(&pair.1).filter(|_| !is_settled(facts.state)) else {
                    continue;
                };
                let ctx = Ctx::new(schedule, patch, facts, input.now);
                match candidate(ctx, place) {
                    Ok(candidate) => sorted.push((turn(&ctx), candidate)),
                    Err(reason) => {
                        found.waits.insert(*pair, reason);
                    }
                }
            }
        }
        sorted.sort_unstable_by_key(|(turn, _)| *turn);
        let live = |schedule: &Schedule| Live {
            runs: None,
            busy: schedule.device.open_attempt.is_some(),
            location: schedule.device.location,
            round: Round::of(schedule.device),
        };
        let mut walk = Self {
            input,
            until: input.now + Span::days(i64::from(days)),
            now: input.now,
            candidates: sorted.into_iter().map(|(_, candidate)| candidate).collect(),
            devices: schedules.iter().map(live).collect(),
            patches: input.patches.clone(),
            in_location: input.in_location.clone(),
            in_fleet: input.in_fleet,
            soaks: Vec::new(),
            soaking: BTreeMap::new(),
            queues: Queues::default(),
            ranks: Vec::new(),
            found,
        };
        walk.begin(schedules);
        walk
    }

    /// What is known of the future when the forecast is made.
    fn begin(&mut self, schedules: &[Schedule]) {
        for (place, schedule) in schedules.iter().enumerate() {
            if schedule.device.open_attempt.is_some() {
                self.queues.add(self.now + RUNNING, Event::Free(place));
            }
        }
        for (location, devices) in &self.input.elsewhere {
            self.queues
                .add(self.now + RUNNING, Event::Elsewhere(*location, *devices));
        }
        for patch in self.input.patches.values() {
            let over = self.now + self.input.policy.expected_anywhere(patch);
            for (ring, evidence) in patch.evidence.iter().filter(|(_, evidence)| evidence.in_flight > 0) {
                self.queues
                    .add(over, Event::Succeeded(patch.id, *ring, evidence.in_flight));
            }
        }
        let asks = self.input.policy.rings().any(|ring| ring.evidence.critical_products);
        let mut together: BTreeMap<(PatchId, RingId, &[ProductId]), Vec<Rank>> = BTreeMap::new();
        for (rank, candidate) in self.candidates.iter().enumerate() {
            let critical = if asks {
                candidate.ctx.device.critical.as_slice()
            } else {
                &[]
            };
            let key = (candidate.ctx.patch.id, candidate.ring, critical);
            together.entry(key).or_default().push(rank);
        }
        for (place, ((patch, _, _), members)) in together.into_iter().enumerate() {
            self.soaks.push(Soak {
                members,
                settled: false,
            });
            self.soaking.entry(patch).or_default().push(place);
            // A soak that is over now ends now: the walk begins with it.
            self.look_at_soak(place);
        }
    }

    /// Goes through the days.
    pub(super) fn run(mut self) -> Forecast {
        let (mut events, mut woken, mut freed) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(now) = self.queues.next().filter(|now| *now < self.until) {
            self.now = now;
            // What happens may bring on more at the same instant: a success that ends a soak.
            while self.queues.next_at(now, &mut events) {
                for event in events.drain(..) {
                    self.happens(event, &mut woken, &mut freed);
                }
            }
            self.start(&mut woken, &mut freed);
        }
        self.finish()
    }

    fn happens(&mut self, event: Event, woken: &mut Vec<Rank>, freed: &mut Vec<Key>) {
        match event {
            Event::Ends(run) => {
                let candidate = &self.candidates[self.ranks[run]];
                let (device, ring, place) = (candidate.ctx.device, candidate.ring, candidate.device);
                let id = candidate.ctx.patch.id;
                if let Some(patch) = self.patches.get_mut(&id) {
                    let rebooted = patch.needs_reboot;
                    patch
                        .evidence
                        .entry(ring)
                        .or_default()
                        .succeeds(device, rebooted, self.now);
                }
                self.free(place, freed);
                self.proven(id, ring, freed);
            }
            Event::Free(place) => self.free(place, freed),
            Event::Elsewhere(location, devices) => self.give_back(location, devices, freed),
            Event::Succeeded(id, ring, devices) => {
                if let Some(patch) = self.patches.get_mut(&id) {
                    let release = patch.os_release;
                    let evidence = patch.evidence.entry(ring).or_default();
                    evidence.some_succeed(devices, release, self.now);
                }
                self.proven(id, ring, freed);
            }
            Event::Soaked(soak) => {
                for rank in std::mem::take(&mut self.soaks[soak].members) {
                    if self.awake(rank, self.now.max(self.candidates[rank].ready)) {
                        woken.push(rank);
                    }
                }
            }
            Event::Rested(patch, ring) => freed.push(Key::Ring(patch, ring, false)),
            Event::Wakes(rank) => woken.push(rank),
        }
    }

    /// Nothing runs on a device any more.
    fn free(&mut self, place: usize, freed: &mut Vec<Key>) {
        let live = &mut self.devices[place];
        (live.busy, live.runs) = (false, None);
        let location = live.location;
        freed.push(Key::Device(place));
        self.give_back(location, 1, freed);
    }

    /// So many slots of a location, or of none, and of the fleet are free again.
    fn give_back(&mut self, location: Option<LocationId>, slots: u32, freed: &mut Vec<Key>) {
        self.in_fleet = self.in_fleet.saturating_sub(slots);
        if let Some(used) = location.and_then(|id| self.in_location.get_mut(&id)) {
            *used = used.saturating_sub(slots);
        }
        freed.push(Key::Fleet);
        freed.extend(location.map(Key::Location));
    }

    /// A patch has succeeded somewhere in a ring.
    fn proven(&mut self, patch: PatchId, ring: RingId, freed: &mut Vec<Key>) {
        freed.extend([Key::Ring(patch, ring, false), Key::Ring(patch, ring, true)]);
        for soak in self.soaking.get(&patch).cloned().unwrap_or_default() {
            self.look_at_soak(soak);
        }
    }

    /// Whether the end of a soak is known now.
    fn look_at_soak(&mut self, place: usize) {
        let soak = &self.soaks[place];
        let Some(first) = soak.members.first().filter(|_| !soak.settled) else {
            return;
        };
        let (ctx, now) = (self.ctx(*first), self.now);
        let patch = ctx.patch.id;
        let at = match soaked::gate(&ctx) {
            GateStatus::Open { .. } => now,
            GateStatus::OpensAt { at, .. } => at,
            GateStatus::Closed { .. } => return,
        };
        self.soaks[place].settled = true;
        if let Some(of_patch) = self.soaking.get_mut(&patch) {
            of_patch.retain(|other| *other != place);
        }
        self.queues.add(at, Event::Soaked(place));
    }

    /// What the gates look at now.
    fn ctx(&self, rank: Rank) -> Ctx<'_> {
        let candidate = &self.candidates[rank];
        Ctx {
            now: self.now,
            patch: self.patches.get(&candidate.ctx.patch.id).unwrap_or(candidate.ctx.patch),
            round: self.devices[candidate.device].round,
            ..candidate.ctx
        }
    }

    /// Whether a candidate's own schedule has room at `from`, which is not before now, and that is now. Where it is not, it wakes when it has.
    fn awake(&mut self, rank: Rank, from: Moment) -> bool {
        let candidate = &self.candidates[rank];
        let ctx = Ctx {
            round: self.devices[candidate.device].round,
            ..candidate.ctx
        };
        match meet(&ctx, from) {
            Some(at) if at <= self.now => return true,
            Some(at) if at < self.until => self.queues.add(at, Event::Wakes(rank)),
            // Not in these days. Rounds that begin until then only make it later.
            Some(_) | None => {}
        }
        false
    }

    /// Starts what may start now, in the order in which slots are given.
    fn start(&mut self, woken: &mut Vec<Rank>, freed: &mut Vec<Key>) {
        freed.sort_unstable();
        freed.dedup();
        let mut heads: BinaryHeap<Reverse<(Rank, Source)>> =
            woken.drain(..).map(|rank| Reverse((rank, Source::Own))).collect();
        for key in freed.drain(..) {
            heads.extend(self.queues.take(key).map(|rank| Reverse((rank, Source::Queue(key)))));
        }
        while let Some(Reverse((rank, source))) = heads.pop() {
            let stopped_by = self.one(rank);
            if let Some(key) = stopped_by {
                self.queues.wait(key, rank);
            }
            match source {
                Source::Queue(key) if stopped_by != Some(key) => {
                    heads.extend(self.queues.take(key).map(|rank| Reverse((rank, source))));
                }
                Source::Queue(_) | Source::Own => {}
            }
        }
    }

    /// Starts one if it may; what it waits for if something else must end first.
    fn one(&mut self, rank: Rank) -> Option<Key> {
        if !self.awake(rank, self.now) {
            return None;
        }
        let (status, key) = self.room(rank);
        match status {
            GateStatus::Open { .. } => {
                self.starts(rank);
                None
            }
            GateStatus::OpensAt { at, .. } => {
                let (patch, ring) = (self.candidates[rank].ctx.patch.id, self.candidates[rank].ring);
                self.queues.add(at, Event::Rested(patch, ring));
                Some(key)
            }
            GateStatus::Closed { .. } => Some(key),
        }
    }

    /// The slot gate's word, and what it looks at.
    fn room(&self, rank: Rank) -> (GateStatus, Key) {
        let candidate = &self.candidates[rank];
        let device = candidate.ctx.device;
        let live = self.devices[candidate.device];
        if live.busy {
            let reason = match (live.runs, device.open_attempt) {
                (None, Some(attempt)) => Reason::DeviceBusy { attempt },
                (patch, _) => Reason::AfterOnDevice {
                    patch: patch.unwrap_or(candidate.ctx.patch.id),
                },
            };
            return (GateStatus::Closed { reason }, Key::Device(candidate.device));
        }
        let ctx = self.ctx(rank);
        let location = device.location.and_then(|id| self.in_location.get(&id));
        let used = InUse {
            ring: ctx.own_evidence().map_or(0, |evidence| evidence.in_flight),
            location: location.copied().unwrap_or(0),
            fleet: self.in_fleet,
        };
        let status = slot::beside(&ctx, used);
        let key = match status.reason() {
            Some(Reason::LocationFull { location, .. }) => Key::Location(*location),
            Some(Reason::FleetFull { .. }) => Key::Fleet,
            _ => Key::Ring(ctx.patch.id, candidate.ring, ctx.pair.attempts_failed > 0),
        };
        (status, key)
    }

    fn starts(&mut self, rank: Rank) {
        let candidate = &self.candidates[rank];
        let ctx = self.ctx(rank);
        let (begins, needed) = (interval::begins(&ctx, self.now), ctx.needed);
        let (device, patch) = (candidate.ctx.device, candidate.ctx.patch);
        let again = candidate.ctx.pair.state == PatchState::Failed || candidate.ctx.pair.attempts_failed > 0;
        let run = Run {
            start: self.now,
            end: self.now + needed,
            pair: (device.id, patch.id),
            ring: candidate.ring,
            location: device.location,
            bytes: candidate.ctx.pair.download(patch),
        };
        let live = &mut self.devices[candidate.device];
        (live.busy, live.runs) = (true, Some(patch.id));
        live.round = begins.or(live.round);
        self.in_fleet += 1;
        if let Some(location) = device.location {
            *self.in_location.entry(location).or_default() += 1;
        }
        if let Some(patch) = self.patches.get_mut(&patch.id) {
            patch.evidence.entry(candidate.ring).or_default().starts(again);
        }
        self.queues.add(run.end, Event::Ends(self.found.runs.len()));
        self.found.runs.push(run);
        self.ranks.push(rank);
    }

    /// Tells of what has not started why.
    fn finish(mut self) -> Forecast {
        let mut reasons: BTreeMap<Rank, Reason> = BTreeMap::new();
        for (_, rank) in self.queues.left() {
            reasons.extend(self.room(rank).0.reason().map(|reason| (rank, *reason)));
        }
        let mut started = vec![false; self.candidates.len()];
        for rank in &self.ranks {
            started[*rank] = true;
        }
        for (rank, candidate) in self.candidates.iter().enumerate().filter(|(rank, _)| !started[*rank]) {
            let reason = reasons.get(&rank).copied().or(candidate.first);
            let pair: (DeviceId, PatchId) = (candidate.ctx.device.id, candidate.ctx.patch.id);
            self.found.waits.insert(pair, reason.unwrap_or(Reason::BeyondHorizon));
        }
        self.found.runs.sort_unstable();
        self.found
    }
}

/// The pair as a candidate, or why it will not run by time alone.
fn candidate(ctx: Ctx<'_>, device: usize) -> Result<Candidate<'_>, Reason> {
    let decision = ctx.schedule.decide(ctx.patch, ctx.pair, ctx.now);
    let (mut ready, mut first) = (ctx.now, None);
    for report in &decision.ladder {
        match (report.gate, report.status) {
            (_, GateStatus::Open { .. }) | (Gate::Slot, _) => {}
            (
                Gate::Soaked,
                GateStatus::Closed {
                    reason: reason @ Reason::SoakPaused { .. },
                },
            ) => return Err(reason),
            (Gate::Soaked, GateStatus::OpensAt { reason, .. } | GateStatus::Closed { reason })
            | (Gate::Interval | Gate::Frame | Gate::Window, GateStatus::OpensAt { reason, .. }) => {
                first = first.or(Some(reason));
            }
            (_, GateStatus::OpensAt { at, reason }) => {
                (ready, first) = (ready.max(at), first.or(Some(reason)));
            }
            (_, GateStatus::Closed { reason }) => return Err(reason),
        }
    }
    Ok(Candidate {
        device,
        ring: ctx.device.ring.ok_or(Reason::NoRing)?,
        ready,
        first,
        ctx,
    })
}
