//! The whole fleet at one moment: every pair's decision, and which installs take the free slots.

use crate::compile::Compiled;
use crate::decide::Schedule;
use crate::facts::{DeviceFacts, Load, PairFacts, PatchFacts};
use crate::gates::Ctx;
use crate::gates::slot::{InUse, room};
use crate::reason::{Decision, Gate, GateStatus, Reason, Verdict};
use domain::{DeviceId, LocationId, Moment, PatchId, RingId, Urgency};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A device and a patch.
pub type Pair = (DeviceId, PatchId);

/// Everything a plan is made of. Ordered, so that the order in which facts were given cannot matter.
#[derive(Clone, Debug)]
pub struct PlanInput<'a> {
    pub(crate) policy: &'a Compiled,
    pub(crate) now: Moment,
    pub(crate) devices: BTreeMap<DeviceId, DeviceFacts>,
    pub(crate) patches: BTreeMap<PatchId, PatchFacts>,
    pub(crate) pairs: BTreeMap<Pair, PairFacts>,
    pub(crate) in_location: BTreeMap<LocationId, u32>,
    pub(crate) in_fleet: u32,
    /// What of that runs on devices that were not given.
    pub(crate) elsewhere: BTreeMap<Option<LocationId>, u32>,
}

/// Why facts are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadInput {
    /// Two sets of facts about one device.
    #[error("device {0} is given twice")]
    DeviceTwice(DeviceId),
    /// Two sets of facts about one patch.
    #[error("patch {0} is given twice")]
    PatchTwice(PatchId),
    /// Two sets of facts about one pair.
    #[error("patch {} on device {} is given twice", .0.1, .0.0)]
    PairTwice(Pair),
    /// A pair of a device or patch that was not given.
    #[error("patch {} on device {} is of an unknown device or patch", .0.1, .0.0)]
    UnknownPair(Pair),
}

impl<'a> PlanInput<'a> {
    /// Takes facts in any order. What runs in the fleet and in each location is counted from the devices' open attempts; their `load` is not looked at.
    /// [`Self::among`] adds what runs on other devices.
    ///
    /// # Errors
    /// [`BadInput`] when something is given twice or a pair is of nothing that was given.
    pub fn new(
        policy: &'a Compiled,
        now: Moment,
        devices: impl IntoIterator<Item = DeviceFacts>,
        patches: impl IntoIterator<Item = PatchFacts>,
        pairs: impl IntoIterator<Item = (Pair, PairFacts)>,
    ) -> Result<Self, BadInput> {
        let mut input = Self {
            policy,
            now,
            devices: BTreeMap::new(),
            patches: BTreeMap::new(),
            pairs: BTreeMap::new(),
            in_location: BTreeMap::new(),
            in_fleet: 0,
            elsewhere: BTreeMap::new(),
        };
        for device in devices {
            let id = device.id;
            if device.open_attempt.is_some() {
                input.in_fleet += 1;
                if let Some(location) = device.location {
                    *input.in_location.entry(location).or_default() += 1;
                }
            }
            if input.devices.insert(id, device).is_some() {
                return Err(BadInput::DeviceTwice(id));
            }
        }
        for patch in patches {
            let id = patch.id;
            if input.patches.insert(id, patch).is_some() {
                return Err(BadInput::PatchTwice(id));
            }
        }
        for (pair, facts) in pairs {
            if !input.devices.contains_key(&pair.0) || !input.patches.contains_key(&pair.1) {
                return Err(BadInput::UnknownPair(pair));
            }
            if input.pairs.insert(pair, facts).is_some() {
                return Err(BadInput::PairTwice(pair));
            }
        }
        input.tell_load();
        Ok(input)
    }

    /// Tells each device what runs around it.
    fn tell_load(&mut self) {
        for device in self.devices.values_mut() {
            let location = device.location.and_then(|id| self.in_location.get(&id));
            device.load = Load {
                fleet: self.in_fleet,
                location: location.copied().unwrap_or(0),
            };
        }
    }

    /// The same where so much runs in all, by location: on the devices that were given and on others, which take slots, too. Where the
    /// devices were given in another location than the one that is counted, what runs on them is taken to be where they were given.
    #[must_use]
    pub fn among(mut self, running: &BTreeMap<Option<LocationId>, u32>) -> Self {
        let mut given: BTreeMap<Option<LocationId>, u32> = BTreeMap::new();
        for device in self.devices.values().filter(|d| d.open_attempt.is_some()) {
            *given.entry(device.location).or_default() += 1;
        }
        self.elsewhere = running
            .iter()
            .map(|(at, all)| (*at, all.saturating_sub(given.get(at).copied().unwrap_or(0))))
            .filter(|(_, others)| *others > 0)
            .collect();
        for (location, others) in &self.elsewhere {
            self.in_fleet = self.in_fleet.saturating_add(*others);
            if let Some(location) = location {
                let here = self.in_location.entry(*location).or_default();
                *here = here.saturating_add(*others);
            }
        }
        self.tell_load();
        self
    }

    /// The moment for which it is planned.
    #[must_use]
    pub const fn now(&self) -> Moment {
        self.now
    }

    /// The same facts under another policy.
    #[must_use]
    pub fn under<'b>(&self, policy: &'b Compiled) -> PlanInput<'b> {
        PlanInput {
            policy,
            now: self.now,
            devices: self.devices.clone(),
            patches: self.patches.clone(),
            pairs: self.pairs.clone(),
            in_location: self.in_location.clone(),
            in_fleet: self.in_fleet,
            elsewhere: self.elsewhere.clone(),
        }
    }

    /// The same facts at another moment.
    #[must_use]
    pub fn at(&self, now: Moment) -> Self {
        Self { now, ..self.clone() }
    }
}

/// The answer for a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Exactly one decision per pair.
    pub decisions: BTreeMap<Pair, Decision>,
    /// What may start now, in the order in which slots are given. At most one per device.
    pub starts: Vec<Pair>,
    /// Until this moment the same facts give the same plan; `None`: for as long as schedules are worked out.
    pub next_change_at: Option<Moment>,
}

/// The order in which slots are given: urgent ones first, earlier rings first, fewer failures first, earlier approvals first, then the
/// patch's id. Among devices a fixed shuffle by patch, so that it is not always the same device that goes first and alone; then the id.
pub(crate) type Turn = (Reverse<Urgency>, u32, u32, Moment, PatchId, u64, DeviceId);

pub(crate) fn turn(ctx: &Ctx) -> Turn {
    let (at, urgent) = ctx
        .approval
        .map_or((Moment(i64::MAX), Urgency::Normal), |(d, urgent)| (d.at, urgent));
    let position = ctx.ring.map_or(u32::MAX, |ring| ring.position);
    (
        Reverse(urgent),
        position,
        ctx.pair.attempts_failed,
        at,
        ctx.patch.id,
        shuffle(ctx.patch.id, ctx.device.id),
        ctx.device.id,
    )
}

/// Mixes two ids (the finisher of SplitMix64), so that each patch has its own fixed order of devices.
const fn shuffle(patch: PatchId, device: DeviceId) -> u64 {
    let mut x = (patch.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (device.0 as u64);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Plans for the whole fleet: decides every pair by itself, then gives the free slots in the one order.
#[must_use]
pub fn plan(input: &PlanInput) -> Plan {
    let mut plan = Plan {
        decisions: BTreeMap::new(),
        starts: Vec::new(),
        next_change_at: None,
    };
    let mut queue: Vec<Turn> = Vec::new();
    let mut pairs = input.pairs.iter().peekable();
    for device in input.devices.values() {
        let schedule = Schedule::new(input.policy, device);
        while let Some((pair, facts)) = pairs.next_if(|(pair, _)| pair.0 == device.id) {
            let Some(patch) = input.patches.get(&pair.1) else {
                continue;
            };
            let decision = schedule.decide(patch, facts, input.now);
            let next = schedule.next_change(&decision, patch, facts, input.now);
            plan.next_change_at = [plan.next_change_at, next].into_iter().flatten().min();
            if decision.installs() {
                queue.push(turn(&Ctx::new(&schedule, patch, facts, input.now)));
            }
            plan.decisions.insert(*pair, decision);
        }
    }
    queue.sort_unstable();
    give_slots(input, &queue, &mut plan);
    plan
}

/// Goes through the queue; whoever finds no room any more waits with that reason.
fn give_slots(input: &PlanInput, queue: &[Turn], plan: &mut Plan) {
    let mut used_ring: BTreeMap<(PatchId, RingId), u32> = BTreeMap::new();
    let mut used_location: BTreeMap<LocationId, u32> = BTreeMap::new();
    let mut goes: BTreeMap<DeviceId, PatchId> = BTreeMap::new();
    for &(_, _, _, _, patch_id, _, device_id) in queue {
        let pair = (device_id, patch_id);
        let (Some(device), Some(patch), Some(facts)) = (
            input.devices.get(&device_id),
            input.patches.get(&patch_id),
            input.pairs.get(&pair),
        ) else {
            continue;
        };
        let status = if let Some(first) = goes.get(&device_id) {
            GateStatus::Closed {
                reason: Reason::AfterOnDevice { patch: *first },
            }
        } else {
            let schedule = Schedule::without_calendar(input.policy, device);
            let ctx = Ctx::new(&schedule, patch, facts, input.now);
            let ring = ctx.own_evidence().map_or(0, |e| e.in_flight)
                + device
                    .ring
                    .and_then(|ring| used_ring.get(&(patch_id, ring)))
                    .copied()
                    .unwrap_or(0);
            let location = device.load.location
                + device
                    .location
                    .and_then(|l| used_location.get(&l))
                    .copied()
                    .unwrap_or(0);
            let fleet = device.load.fleet + u32::try_from(goes.len()).unwrap_or(u32::MAX);
            room(&ctx, InUse { ring, location, fleet })
        };
        if status.is_open() {
            goes.insert(device_id, patch_id);
            plan.starts.push(pair);
            if let Some(ring) = device.ring {
                *used_ring.entry((patch_id, ring)).or_default() += 1;
            }
            if let Some(location) = device.location {
                *used_location.entry(location).or_default() += 1;
            }
        } else if let Some(decision) = plan.decisions.get_mut(&pair) {
            hold_back(decision, status);
        }
    }
}

/// Turns a decision to install into one that waits for its slot.
fn hold_back(decision: &mut Decision, status: GateStatus) {
    if let Some(report) = decision.ladder.iter_mut().find(|report| report.gate == Gate::Slot) {
        report.status = status;
    }
    decision.verdict = Verdict::Hold {
        reasons: status.reason().copied().into_iter().collect(),
    };
    decision.earliest = None;
}
