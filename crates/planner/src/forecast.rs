//! The coming days: what runs when, for how long, with how much data, and what does not fit.
//!
//! It assumes that every install takes its expected time and succeeds, that devices are there when their hours are, and that nobody decides
//! anything. Patches take their turn as in a plan: urgent ones first, then earlier approvals. It is a forecast, never a permission.

use crate::decide::{Schedule, is_settled, meet};
use crate::facts::{Evidence, PairFacts, PatchFacts};
use crate::fleet::{Pair, PlanInput, shuffle};
use crate::gates::{Ctx, interval};
use crate::policy::Ring;
use crate::reason::{Gate, GateStatus, Reason};
use domain::{DeviceId, LocationId, Moment, PatchId, ProductId, RingId, Span, Urgency};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

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
    /// What waits for a person, an event or a later time, each with its first reason. What no window and no hours have room for is among
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

/// A pair that could run when its time comes.
struct Candidate<'a> {
    schedule: &'a Schedule<'a>,
    pair: &'a PairFacts,
    /// When time has opened every gate but soak, hours and slot.
    ready: Moment,
    /// The reason of a soak that is not over.
    soak: Option<Reason>,
}

/// What the forecast has promised so far.
struct Promised {
    until: Moment,
    device_free: BTreeMap<DeviceId, Moment>,
    /// When the last round that was promised on a device begins. Installs on one device are promised in the order of their starts.
    rounds: BTreeMap<DeviceId, Moment>,
    /// When the slots of a location become free, soonest first.
    location: BTreeMap<LocationId, BinaryHeap<Reverse<Moment>>>,
    fleet: Option<BinaryHeap<Reverse<Moment>>>,
    found: Forecast,
}

/// The next `days` days of the fleet.
#[must_use]
pub fn forecast(input: &PlanInput, days: u32) -> Forecast {
    let schedules: BTreeMap<DeviceId, Schedule> = input
        .devices
        .iter()
        .map(|(id, device)| (*id, Schedule::new(input.policy, device)))
        .collect();
    let mut promised = Promised::new(input, days);
    let mut by_patch: BTreeMap<PatchId, BTreeMap<RingId, Vec<Candidate>>> = BTreeMap::new();
    for (pair, facts) in &input.pairs {
        let (Some(schedule), Some(patch)) = (schedules.get(&pair.0), input.patches.get(&pair.1)) else {
            continue;
        };
        if is_settled(facts.state) {
            continue;
        }
        match candidate(schedule, patch, facts, input.now) {
            Ok((ring, candidate)) => by_patch
                .entry(pair.1)
                .or_default()
                .entry(ring)
                .or_default()
                .push(candidate),
            Err(reason) => promised.waits(*pair, reason),
        }
    }
    let mut turns: Vec<(Reverse<Urgency>, Moment, PatchId)> = by_patch.keys().map(|id| turn(input, *id)).collect();
    turns.sort_unstable();
    for (_, _, id) in turns {
        let (Some(patch), Some(mut rings)) = (input.patches.get(&id), by_patch.remove(&id)) else {
            continue;
        };
        let mut evidence = patch.evidence.clone();
        let mut done: BTreeMap<RingId, Vec<(Moment, DeviceId)>> = BTreeMap::new();
        for ring in input.policy.rings() {
            let candidates = rings.remove(&ring.id).unwrap_or_default();
            let runs = promised.ring(input, patch, ring, candidates, &evidence, &done);
            evidence.entry(ring.id).or_default();
            done.insert(ring.id, runs);
        }
    }
    promised.found.runs.sort_unstable();
    promised.found
}

fn turn(input: &PlanInput, id: PatchId) -> (Reverse<Urgency>, Moment, PatchId) {
    use crate::facts::DecisionKind::Approve;
    let decisions = input.patches.get(&id).map_or(&[][..], |patch| &patch.decisions);
    let urgent = decisions
        .iter()
        .filter_map(|d| {
            if let Approve { urgent } = d.kind {
                Some(urgent)
            } else {
                None
            }
        })
        .max();
    let first = decisions.iter().map(|d| d.at).min().unwrap_or(Moment::MAX);
    (Reverse(urgent.unwrap_or(Urgency::Normal)), first, id)
}

/// The pair as a candidate, or why it will not run by time alone.
fn candidate<'a>(
    schedule: &'a Schedule<'a>,
    patch: &PatchFacts,
    pair: &'a PairFacts,
    now: Moment,
) -> Result<(RingId, Candidate<'a>), Reason> {
    let decision = schedule.decide(patch, pair, now);
    let mut ready = now;
    let mut soak = None;
    for report in &decision.ladder {
        match (report.gate, report.status) {
            (_, GateStatus::Open { .. }) | (Gate::Slot, _) => {}
            (
                Gate::Soaked,
                GateStatus::Closed {
                    reason: reason @ Reason::SoakPaused { .. },
                },
            ) => return Err(reason),
            (Gate::Soaked, GateStatus::OpensAt { reason, .. } | GateStatus::Closed { reason }) => soak = Some(reason),
            (Gate::Interval | Gate::Frame | Gate::Window, GateStatus::OpensAt { .. }) => {}
            (_, GateStatus::OpensAt { at, .. }) => ready = ready.max(at),
            (_, GateStatus::Closed { reason }) => return Err(reason),
        }
    }
    let ring = schedule.device.ring.ok_or(Reason::NoRing)?;
    Ok((
        ring,
        Candidate {
            schedule,
            pair,
            ready,
            soak,
        },
    ))
}

impl Promised {
    fn new(input: &PlanInput, days: u32) -> Self {
        let full = |cap: Option<u32>, used: u32| {
            cap.map(|cap| {
                let busy = input.now + Span::hours(1);
                (0..cap.max(1))
                    .map(|i| Reverse(if i < used { busy } else { input.now }))
                    .collect::<BinaryHeap<_>>()
            })
        };
        let policy = input.policy.policy();
        let used = |id: &LocationId| input.in_location.get(id).copied().unwrap_or(0);
        let locations = policy
            .locations
            .iter()
            .filter_map(|l| Some((l.id, full(l.max_in_flight, used(&l.id))?)));
        Self {
            until: input.now + Span::days(i64::from(days)),
            device_free: BTreeMap::new(),
            rounds: BTreeMap::new(),
            location: locations.collect(),
            fleet: full(policy.permits.fleet_in_flight, input.in_fleet),
            found: Forecast::default(),
        }
    }

    fn waits(&mut self, pair: Pair, reason: Reason) {
        self.found.waits.insert(pair, reason);
    }

    /// Fills one ring in its waves and gives the ends of what runs.
    fn ring(
        &mut self,
        input: &PlanInput,
        patch: &PatchFacts,
        ring: &Ring,
        candidates: Vec<Candidate>,
        evidence: &BTreeMap<RingId, Evidence>,
        done: &BTreeMap<RingId, Vec<(Moment, DeviceId)>>,
    ) -> Vec<(Moment, DeviceId)> {
        let mut ends = Vec::new();
        let soaks = Soaks {
            input,
            patch,
            ring,
            done,
        };
        let mut waiting: Vec<(Moment, u64, Candidate)> = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let device = candidate.schedule.device;
            let opens = candidate
                .soak
                .map_or(Ok(input.now), |reason| soaks.over(&device.critical).ok_or(reason));
            match opens {
                Ok(at) => waiting.push((candidate.ready.max(at), shuffle(patch.id, device.id), candidate)),
                Err(reason) => self.waits((device.id, patch.id), reason),
            }
        }
        let own = evidence.get(&ring.id);
        let mut finished = own.map_or(0, |e| e.finished);
        let count = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        let targets = own.map_or(0, |e| e.targets).max(finished.saturating_add(count));
        let expected = input.policy.expected_anywhere(patch);
        // What runs already has a result after its expected time.
        let mut opens = if own.is_some_and(|e| e.in_flight > 0) {
            input.now + expected
        } else {
            input.now
        };
        finished += own.map_or(0, |e| e.in_flight);
        let policy = &ring.waves;
        let caps: Vec<u32> = policy.steps.iter().map(|s| s.of(targets)).chain([u32::MAX]).collect();
        for cap in caps {
            if waiting.is_empty() || finished >= cap {
                continue;
            }
            let room = usize::try_from(cap - finished).unwrap_or(usize::MAX);
            let alone = if policy.steps.is_empty() { 0 } else { 1 };
            let mut last = opens;
            for (at_most, after) in [(alone, opens), (room.saturating_sub(alone), Moment::MAX)] {
                let after = if after == Moment::MAX { last } else { after };
                let end = self.some(input, patch, &mut waiting, at_most, after, &mut ends);
                last = end.map_or(last, |end| end.max(last));
            }
            finished = cap.min(finished.saturating_add(u32::try_from(room).unwrap_or(u32::MAX)));
            opens = last + policy.rest;
        }
        for (_, _, candidate) in waiting {
            let pair = (candidate.schedule.device.id, patch.id);
            let reason = candidate.soak.unwrap_or(Reason::BeyondHorizon);
            self.found.waits.entry(pair).or_insert(reason);
        }
        ends.sort_unstable();
        ends
    }

    /// Starts up to `at_most` of those that wait, the soonest first, none before `after`; gives the last end.
    fn some(
        &mut self,
        input: &PlanInput,
        patch: &PatchFacts,
        waiting: &mut Vec<(Moment, u64, Candidate)>,
        at_most: usize,
        after: Moment,
        ends: &mut Vec<(Moment, DeviceId)>,
    ) -> Option<Moment> {
        if at_most == 0 || after >= self.until {
            return None;
        }
        let mut order: Vec<(Moment, u64, usize)> = Vec::with_capacity(waiting.len());
        for (i, (ready, tie, candidate)) in waiting.iter().enumerate() {
            let free = self
                .device_free
                .get(&candidate.schedule.device.id)
                .copied()
                .unwrap_or(input.now);
            let ctx = self.ctx(input, patch, candidate);
            if let Some(start) = meet(&ctx, (*ready).max(free).max(after)).filter(|start| *start < self.until) {
                order.push((start, *tie, i));
            }
        }
        order.sort_unstable();
        order.truncate(at_most);
        let mut last = None;
        let mut taken: Vec<usize> = Vec::with_capacity(order.len());
        for (start, _, i) in order {
            let Some(run) = self.place(input, patch, &waiting[i].2, start) else {
                continue;
            };
            last = last.max(Some(run.end));
            ends.push((run.end, run.pair.0));
            self.found.runs.push(run);
            taken.push(i);
        }
        taken.sort_unstable();
        let mut index = 0;
        waiting.retain(|_| {
            index += 1;
            taken.binary_search(&(index - 1)).is_err()
        });
        last
    }

    /// The pair now, with the rounds of installs that were promised on its device.
    fn ctx<'a>(&self, input: &PlanInput, patch: &'a PatchFacts, candidate: &Candidate<'a>) -> Ctx<'a> {
        let ctx = Ctx::new(candidate.schedule, patch, candidate.pair, input.now);
        let round = self.rounds.get(&candidate.schedule.device.id).copied().or(ctx.round);
        Ctx { round, ..ctx }
    }

    /// Finds room in the location and the fleet from `start` on.
    fn place(&mut self, input: &PlanInput, patch: &PatchFacts, candidate: &Candidate, start: Moment) -> Option<Run> {
        let device = candidate.schedule.device;
        let ctx = self.ctx(input, patch, candidate);
        let free =
            |heap: Option<&BinaryHeap<Reverse<Moment>>>| heap.and_then(|h| h.peek()).map_or(start, |Reverse(at)| *at);
        let in_location = device.location.and_then(|id| self.location.get(&id));
        let room = start.max(free(in_location)).max(free(self.fleet.as_ref()));
        let start = if room == start { start } else { meet(&ctx, room)? };
        if start >= self.until {
            return None;
        }
        let end = start + ctx.needed;
        let heaps = device
            .location
            .and_then(|id| self.location.get_mut(&id))
            .into_iter()
            .chain(self.fleet.as_mut());
        for heap in heaps {
            heap.pop();
            heap.push(Reverse(end));
        }
        if interval::begins(&ctx, start) {
            self.rounds.insert(device.id, start);
        }
        self.device_free.insert(device.id, end);
        let pair = (device.id, patch.id);
        Some(Run {
            start,
            end,
            pair,
            ring: device.ring?,
            location: device.location,
            bytes: patch.size,
        })
    }
}

/// When the soak of the rings before is over, with what runs until then.
struct Soaks<'a> {
    input: &'a PlanInput<'a>,
    patch: &'a PatchFacts,
    ring: &'a Ring,
    done: &'a BTreeMap<RingId, Vec<(Moment, DeviceId)>>,
}

impl Soaks<'_> {
    /// The moment, for a device with these business-critical products; `None`: what runs does not suffice.
    fn over(&self, critical: &[ProductId]) -> Option<Moment> {
        let before = self.input.policy.rings_before(self.ring.position);
        before
            .map(|ring| self.one(ring, critical))
            .try_fold(self.input.now, |latest, at| Some(latest.max(at?)))
    }

    fn one(&self, ring: &Ring, critical: &[ProductId]) -> Option<Moment> {
        let nothing = Evidence::default();
        let facts = self.patch.evidence.get(&ring.id).unwrap_or(&nothing);
        let runs = self.done.get(&ring.id).map_or(&[][..], Vec::as_slice);
        let asked = ring.evidence;
        let first = facts.first_success.or_else(|| runs.first().map(|(end, _)| *end))?;
        let mut over = first + ring.soak + facts.paused;
        let clean = facts.clean();
        let share = (u64::from(facts.targets) * u64::from(asked.min_share_percent)).div_ceil(100);
        let enough = asked.min_successes.max(u32::try_from(share).unwrap_or(u32::MAX));
        let missing = [
            Some(enough.saturating_sub(clean)),
            asked
                .rebooted
                .then(|| asked.min_successes.saturating_sub(facts.rebooted)),
        ];
        for missing in missing.into_iter().flatten().filter(|n| *n > 0) {
            over = over.max(runs.get(usize::try_from(missing).ok()? - 1)?.0);
        }
        if asked.own_release && !facts.successes.contains_key(&self.patch.os_release) {
            over = over.max(self.first(runs, |device| device.os_release == self.patch.os_release)?);
        }
        let unseen = critical
            .iter()
            .filter(|p| asked.critical_products && !facts.critical.contains(p));
        for product in unseen {
            over = over.max(self.first(runs, |device| device.critical.contains(product))?);
        }
        Some(over)
    }

    fn first(&self, runs: &[(Moment, DeviceId)], fits: impl Fn(&crate::facts::DeviceFacts) -> bool) -> Option<Moment> {
        runs.iter()
            .find(|(_, id)| self.input.devices.get(id).is_some_and(&fits))
            .map(|(end, _)| *end)
    }
}
