//! Random fleets, small enough that everything meets everything.

pub mod steps;

use domain::*;
use planner::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub struct Fleet {
    pub now: Moment,
    pub policy: Policy,
    pub devices: Vec<DeviceFacts>,
    pub patches: Vec<PatchFacts>,
    pub pairs: Vec<(Pair, PairFacts)>,
    /// What runs on devices that are not among these, by location.
    pub elsewhere: BTreeMap<Option<LocationId>, u32>,
}

/// 2026-11-02T00:00:00Z, a Monday.
pub const START: i64 = 1_793_577_600;
const ZONES: [&str; 4] = ["UTC", "Europe/Berlin", "America/New_York", "Nowhere/Land"];

impl Fleet {
    pub fn small() -> Self {
        let devices = vec![DeviceFacts::new(DeviceId(1), OsReleaseId(1), RingId(1))];
        let patches = vec![PatchFacts::new(PatchId(1), OsReleaseId(1))];
        let pairs = vec![((DeviceId(1), PatchId(1)), PairFacts::new(PatchState::Missing))];
        Self {
            now: Moment(START),
            policy: Policy::default(),
            devices,
            patches,
            pairs,
            elsewhere: BTreeMap::new(),
        }
    }

    pub fn compile(&self) -> Compiled {
        self.policy.clone().compile(self.now, ZONES)
    }

    pub fn input<'a>(&self, policy: &'a Compiled) -> PlanInput<'a> {
        PlanInput::new(
            policy,
            self.now,
            self.devices.clone(),
            self.patches.clone(),
            self.pairs.clone(),
        )
        .expect("generated facts fit")
        .among(&self.running())
    }

    /// What runs in all, by location.
    fn running(&self) -> BTreeMap<Option<LocationId>, u32> {
        let mut running = self.elsewhere.clone();
        for device in self.devices.iter().filter(|d| d.open_attempt.is_some()) {
            *running.entry(device.location).or_default() += 1;
        }
        running
    }

    /// The decision about one pair by itself, with the load of the whole fleet.
    pub fn decide(&self, policy: &Compiled, pair: Pair, now: Moment) -> Decision {
        let mut device = self.devices.iter().find(|d| d.id == pair.0).expect("device").clone();
        let running = self.running();
        let here = device.location.and_then(|_| running.get(&device.location));
        device.load = Load {
            fleet: running.values().sum(),
            location: here.copied().unwrap_or(0),
        };
        let patch = self.patches.iter().find(|p| p.id == pair.1).expect("patch");
        let facts = self.pairs.iter().find(|(id, _)| *id == pair).expect("pair").1;
        decide(policy, &device, patch, &facts, now)
    }

    /// Every list in another order.
    pub fn shuffled(&self, seed: u64) -> Self {
        let mut other = self.clone();
        let mut state = seed | 1;
        let mut next = move |n: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap_or(0) % n
        };
        fn mix<T>(list: &mut [T], next: &mut impl FnMut(usize) -> usize) {
            for i in (1..list.len()).rev() {
                list.swap(i, next(i + 1));
            }
        }
        mix(&mut other.devices, &mut next);
        mix(&mut other.patches, &mut next);
        mix(&mut other.pairs, &mut next);
        for device in &mut other.devices {
            mix(&mut device.groups, &mut next);
        }
        for patch in &mut other.patches {
            mix(&mut patch.decisions, &mut next);
            mix(&mut patch.holds, &mut next);
        }
        mix(&mut other.policy.groups, &mut next);
        mix(&mut other.policy.rings, &mut next);
        other
    }

    /// The pair has the patch now; the ring's evidence says so.
    pub fn succeed(&mut self, pair: Pair) {
        self.start(pair);
        self.end(pair);
    }

    fn parts(&mut self, pair: Pair) -> (&mut DeviceFacts, &mut Evidence, &mut PairFacts, bool) {
        let device = self.devices.iter_mut().find(|d| d.id == pair.0).expect("device");
        let patch = self.patches.iter_mut().find(|p| p.id == pair.1).expect("patch");
        let reboots = patch.needs_reboot;
        let evidence = patch.evidence.entry(device.ring.expect("ring")).or_default();
        let facts = &mut self.pairs.iter_mut().find(|(id, _)| *id == pair).expect("pair").1;
        (device, evidence, facts, reboots)
    }

    /// The pair's install runs from now on.
    pub fn start(&mut self, pair: Pair) {
        let (device, evidence, facts, _) = self.parts(pair);
        device.open_attempt = Some(AttemptId(99));
        evidence.in_flight += 1;
        if facts.attempts_failed > 0 || facts.state == PatchState::Failed {
            evidence.finished = evidence.finished.saturating_sub(1);
            evidence.failures = evidence.failures.saturating_sub(1);
        }
        facts.state = PatchState::Installing;
    }

    /// The pair's install has succeeded now.
    pub fn end(&mut self, pair: Pair) {
        let now = self.now;
        let (device, evidence, facts, reboots) = self.parts(pair);
        device.open_attempt = None;
        evidence.in_flight -= 1;
        evidence.finished += 1;
        evidence.rebooted += u32::from(reboots);
        *evidence.successes.entry(device.os_release).or_default() += 1;
        evidence.first_success = evidence.first_success.or(Some(now));
        evidence.last_finished = evidence.last_finished.max(Some(now));
        facts.state = PatchState::Installed;
    }
}

/// The rounds in which devices install, kept as plainly as the rule is written, to compare with what the planner does.
pub struct Rounds<'a> {
    fleet: &'a Fleet,
    /// When the latest one began, and from when on the interval counts.
    began: BTreeMap<DeviceId, (Moment, Moment)>,
}

impl<'a> Rounds<'a> {
    pub fn of(fleet: &'a Fleet) -> Self {
        let known = |d: &DeviceFacts| Some((d.id, (d.round_started?, d.round_counts_from.or(d.round_started)?)));
        let began = fleet.devices.iter().filter_map(known);
        Self {
            fleet,
            began: began.collect(),
        }
    }

    /// Counts an install and gives `(least, real)` time from when on the interval counts where this one begins a round; `None` where it begins
    /// none.
    pub fn installs(&mut self, policy: &Compiled, pair: Pair, at: Moment) -> Option<(Span, Span)> {
        let device = self.fleet.devices.iter().find(|d| d.id == pair.0).expect("device");
        let patch = self.fleet.patches.iter().find(|p| p.id == pair.1).expect("patch");
        let facts = self.fleet.pairs.iter().find(|(id, _)| *id == pair).expect("pair").1;
        let urgent = patch.decisions.iter().any(|d| {
            Some(d.ring) == device.ring
                && matches!(d.kind, DecisionKind::Approve { urgent } if urgent != Urgency::Normal)
        });
        let before = self.began.get(&pair.0).copied();
        if urgent || facts.attempts_failed > 0 || before.is_some_and(|(before, _)| at < before + Span::hours(4)) {
            return None;
        }
        let profile = profile_of(policy, device).expect("an install by a profile").profile;
        let profile = policy
            .policy()
            .profiles
            .iter()
            .find(|p| p.id == profile)
            .expect("profile");
        let opened = self.opened(policy, device, profile, at).unwrap_or(at);
        self.began.insert(pair.0, (at, opened));
        before.map(|(_, counts_from)| (profile.install_every, at.since(counts_from)))
    }

    /// When the time opened in which `at` lies, where it is no longer than the interval: minute by minute through the calendar's spans.
    fn opened(&self, policy: &Compiled, device: &DeviceFacts, profile: &Profile, at: Moment) -> Option<Moment> {
        let around = calendar::Open {
            from: at - Span::days(40),
            to: at + Span::days(40),
        };
        let drawn = Schedule::new(policy, device).drawn(around);
        let windows: Vec<calendar::Open> = drawn.windows.iter().map(|(_, span)| *span).collect();
        let limited = !windows.is_empty() || Schedule::new(policy, device).has_windows();
        let catches_up = limited && !windows.iter().any(|span| span.has(at));
        if (!limited || catches_up) && drawn.frames.is_none() {
            return None;
        }
        let open = |at: Moment| {
            (!limited || catches_up || windows.iter().any(|span| span.has(at)))
                && drawn
                    .frames
                    .as_ref()
                    .is_none_or(|frames| frames.iter().any(|span| span.has(at)))
        };
        let mut edges: Vec<Moment> = windows
            .iter()
            .chain(drawn.frames.iter().flatten())
            .flat_map(|span| [span.from, span.to])
            .collect();
        edges.sort_unstable();
        let from = edges
            .iter()
            .rev()
            .filter(|e| **e <= at)
            .find(|e| open(**e) && !open(**e - Span(1)));
        let to = edges.iter().filter(|e| **e > at).find(|e| !open(**e));
        let (from, to) = (*from?, *to?);
        (to.since(from) <= profile.install_every).then_some(from)
    }

    /// What the planner is told of it.
    pub fn tell(&self, devices: &mut [DeviceFacts]) {
        for device in devices {
            let (began, counts_from) = self.began.get(&device.id).copied().unzip();
            (device.round_started, device.round_counts_from) = (began, counts_from);
        }
    }
}

/// Whether every gate but the slot lets it through.
pub fn may(decision: &Decision) -> bool {
    decision.installs()
        || decision
            .ladder
            .iter()
            .all(|r| r.status.is_open() || r.gate == Gate::Slot)
}

/// The fleet without the cause of a reason; `None` where the cause is not one thing that can be taken away.
pub fn without(fleet: &Fleet, pair: Pair, facts: &PairFacts, reason: &Reason) -> Option<Fleet> {
    let mut cured = fleet.clone();
    let device = cured.devices.iter_mut().find(|d| d.id == pair.0)?;
    let patch = cured.patches.iter_mut().find(|p| p.id == pair.1)?;
    let own = &mut cured.pairs.iter_mut().find(|(id, _)| *id == pair)?.1;
    match *reason {
        Reason::DeviceNotActive { .. } => device.state = DeviceState::Active,
        Reason::ReleaseLeftOut { profile, .. } | Reason::CategoryNotCovered { profile, .. } => {
            cured.policy.profiles.iter_mut().find(|p| p.id == profile)?.coverage = Coverage::default();
        }
        Reason::ScanOnly => device.scan_only = false,
        Reason::NotSeen { .. } => own.state = PatchState::Missing,
        Reason::HeldOnDevice | Reason::PhasedOnDevice { .. } | Reason::PinnedOnDevice => own.brake = None,
        Reason::Superseded { .. } => patch.superseded_by = None,
        Reason::Denied { decision, .. } => patch.decisions.retain(|d| d.id != decision),
        Reason::Excepted { exception, .. } => cured.policy.exceptions.retain(|e| e.id != exception),
        Reason::RolledBackHere => own.rolled_back_block = false,
        Reason::NoRing => device.ring = Some(RingId(1)),
        Reason::NotApproved { ring } => {
            let kind = DecisionKind::Approve {
                urgent: Urgency::Normal,
            };
            patch.decisions.push(DecisionFact {
                id: DecisionId(999),
                ring,
                kind,
                at: fleet.now,
                by: AccountId(1),
            });
        }
        Reason::NoSuccessYet { ring, .. } => patch.evidence.entry(ring).or_default().first_success = Some(fleet.now),
        Reason::Soaking { ring, .. } => {
            patch.evidence.get_mut(&ring)?.first_success = Some(Moment(0));
            patch.evidence.get_mut(&ring)?.paused = Span(0);
        }
        Reason::SoakPaused { hold, .. } | Reason::Held { hold, .. } => patch.holds.retain(|h| h.id != hold),
        Reason::TooFewSuccesses { ring, needed, .. } => {
            patch
                .evidence
                .get_mut(&ring)?
                .successes
                .insert(patch.os_release, needed);
        }
        Reason::ReleaseNotProven { ring, release } => {
            patch.evidence.get_mut(&ring)?.successes.insert(release, 1);
        }
        Reason::BackOff { .. } | Reason::RetriesUsed { .. } => own.attempts_failed = 0,
        Reason::NotStarted { .. } => own.not_started = 0,
        Reason::ManagerBroken => device.manager_broken = false,
        Reason::RebootOwed { .. } => device.reboot_owed = None,
        Reason::DiskLow { .. } => device.disk_free_mib = u64::MAX,
        Reason::OnBattery => device.on_battery = false,
        Reason::NoRollbackPlan => patch.rollback = RollbackPlan::Exists,
        Reason::NoProfile => cured.policy.profiles.push(Profile {
            id: ProfileId(99),
            ..Profile::default()
        }),
        Reason::IntervalNotOver { .. } => device.round_started = None,
        Reason::OutsideFrame { profile, .. } | Reason::FrameTooShort { profile, .. } => {
            cured.policy.profiles.iter_mut().find(|p| p.id == profile)?.frame = None;
        }
        Reason::Frozen { freeze, .. } | Reason::FreezeNear { freeze, .. } => {
            cured.policy.freezes.retain(|f| f.id != freeze)
        }
        Reason::OutsideWindow { .. } | Reason::TooLittleLeft { .. } | Reason::NoWindowFits { .. } => {
            cured.policy.windows.clear()
        }
        Reason::DeviceBusy { .. } => device.open_attempt = None,
        Reason::WaveFull { .. } | Reason::FirstGoesAlone { .. } | Reason::WaveRest { .. } => {
            cured.policy.rings.iter_mut().for_each(|r| r.waves.steps.clear());
        }
        Reason::RingFull { .. } => cured.policy.rings.iter_mut().for_each(|r| r.max_in_flight = None),
        Reason::LocationFull { .. } => cured.policy.locations.clear(),
        Reason::FleetFull { .. } => cured.policy.permits.fleet_in_flight = None,
        _ => {
            let _ = facts;
            return None;
        }
    }
    Some(cured)
}

fn moments() -> impl Strategy<Value = Moment> {
    (0i64..40 * 86_400).prop_map(|s| Moment(START - 20 * 86_400 + s))
}

fn maybe<T: std::fmt::Debug + Clone + 'static>(
    chance: u32,
    value: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Option<T>> {
    prop_oneof![10 - chance => Just(None), chance => value.prop_map(Some)].boxed()
}

fn zone_rule() -> impl Strategy<Value = ZoneRule> {
    prop_oneof![
        Just(ZoneRule::Utc),
        Just(ZoneRule::Device),
        Just(ZoneRule::Fixed("Asia/Kolkata".to_owned()))
    ]
}

fn groups() -> impl Strategy<Value = Vec<GroupId>> {
    proptest::collection::btree_set((1i64..=4).prop_map(GroupId), 0..=2).prop_map(|set| set.into_iter().collect())
}

fn window(id: i64) -> impl Strategy<Value = Window> {
    let once = (0i64..40 * 24).prop_map(|h| Recurrence::Once {
        start: Local(START - 20 * 86_400 + h * 3_600),
    });
    let rules = prop::sample::select(vec![
        "FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=SA,WE",
        "FREQ=MONTHLY;BYMONTHDAY=1",
        "FREQ=HOURLY;INTERVAL=5",
    ]);
    let rule = (0i64..24, rules).prop_map(|(h, rule)| Recurrence::Rule {
        start: Local(1_767_225_600 + h * 3_600),
        rule: rule.to_owned(),
    });
    let nth = (prop::sample::select(vec![-1i8, 1, 2, 5]), 0u8..7, 0u8..9, 0u16..1440).prop_map(
        |(nth, weekday, plus_days, at_minute)| Recurrence::NthWeekday {
            nth,
            weekday,
            plus_days,
            at_minute,
        },
    );
    (zone_rule(), prop_oneof![once, rule, nth], 1i64..600, groups()).prop_map(
        move |(zone, recurrence, minutes, groups)| Window {
            id: WindowId(id),
            zone,
            recurrence,
            length: Span::minutes(minutes),
            groups,
        },
    )
}

fn profile(id: i64) -> impl Strategy<Value = Profile> {
    let frame =
        (zone_rule(), 1u8..=0x7f, 0u16..1440, 10u16..=1440).prop_map(|(zone, days, from_minute, minutes)| Frame {
            zone,
            days: Days(days),
            from_minute,
            minutes,
        });
    let every = prop::sample::select(vec![1i64, 4, 5, 24, 24, 30 * 24]);
    let coverage = prop_oneof![
        6 => Just((None, None)),
        1 => Just((Some(Category::Enhancement), None)),
        2 => Just((Some(Category::Security), None)),
        2 => Just((None, Some(OsReleaseId(2)))),
    ];
    let coverage =
        (coverage, prop::sample::select(vec![0u64, 512, 512, 4_096])).prop_map(|((only, without), reserve)| {
            let (categories, left_out) = (only.into_iter().collect(), without.into_iter().collect());
            (Coverage { categories, left_out }, reserve)
        });
    (
        maybe(3, frame),
        any::<bool>(),
        groups(),
        groups(),
        0u32..2,
        every,
        coverage,
    )
        .prop_map(
            move |(frame, named, groups, not_groups, position, every, (coverage, disk_reserve_mib))| Profile {
                id: ProfileId(id),
                coverage,
                disk_reserve_mib,
                position,
                install_every: Span::hours(every),
                frame,
                scope: Scope {
                    everything: !named,
                    groups: if named { groups } else { Vec::new() },
                    not_groups: if named { not_groups } else { Vec::new() },
                    ..Scope::default()
                },
                ..Profile::default()
            },
        )
}

fn policy() -> impl Strategy<Value = Policy> {
    let freeze = (zone_rule(), 0i64..40, 1i64..5, groups()).prop_map(|(zone, day, length, groups)| Freeze {
        id: FreezeId(1),
        zone,
        from: Local(START + (day - 20) * 86_400),
        to: Local(START + (day - 20 + length) * 86_400),
        groups,
    });
    let exception = (1i64..4, moments(), prop::option::of(1i64..=4)).prop_map(|(patch, expires, group)| Exception {
        id: ExceptionId(1),
        covers: group.map_or(ExceptionFor::All, |id| ExceptionFor::Group(GroupId(id))),
        of: ExceptionOf::Patch(PatchId(patch)),
        owner: AccountId(1),
        expires,
    });
    let windows = (maybe(4, window(1)), maybe(3, window(2)));
    let limits = (maybe(2, 1u32..4), maybe(2, 1u32..3), maybe(2, 1u32..3));
    let tree = (any::<bool>(), prop::option::of(1u32..3));
    (
        windows,
        maybe(2, freeze),
        maybe(2, exception),
        maybe(5, profile(2)),
        profile(1),
        limits,
        tree,
        (1i64..10, 0u32..3, any::<bool>()),
    )
        .prop_map(
            |(windows, freeze, exception, second, first, limits, (blocks, missed), (soak, min, waves))| {
                let group = |id: i64, parent: Option<i64>| Group {
                    id: GroupId(id),
                    parent: parent.map(GroupId),
                    blocks_inheritance: blocks && id == 3,
                    missed: missed.filter(|_| id == 2).map(|after| MissedWindows::CatchUp { after }),
                };
                let mut policy = Policy {
                    groups: vec![group(1, None), group(2, Some(1)), group(3, Some(2)), group(4, None)],
                    profiles: [Some(first), second].into_iter().flatten().collect(),
                    windows: [windows.0, windows.1].into_iter().flatten().collect(),
                    freezes: freeze.into_iter().collect(),
                    exceptions: exception.into_iter().collect(),
                    ..Policy::default()
                };
                policy.rings.push(Ring {
                    id: RingId(3),
                    name: "Last".to_owned(),
                    position: 3,
                    ..policy.rings[1].clone()
                });
                policy.rings[0].soak = Span::days(soak);
                if soak % 2 == 1 {
                    policy.rings[1].rollback = RollbackPolicy::Plan;
                }
                policy.rings[0].evidence.min_successes = min;
                policy.permits.fleet_in_flight = limits.0;
                policy.rings.iter_mut().for_each(|r| r.max_in_flight = limits.1);
                if let Some(cap) = limits.2 {
                    policy.locations.push(Location {
                        id: LocationId(1),
                        zone: "UTC".to_owned(),
                        max_in_flight: Some(cap),
                        bytes_per_second: None,
                    });
                }
                if !waves {
                    policy.rings.iter_mut().for_each(|r| r.waves.steps.clear());
                }
                policy
            },
        )
}

fn device(id: i64) -> impl Strategy<Value = DeviceFacts> {
    let oddities = (
        0u32..40,
        0u32..4,
        any::<bool>(),
        prop::sample::select(ZONES.to_vec()),
        maybe(1, Just(AttemptId(7))),
        (
            maybe(4, 10_000u64..50_000_000),
            maybe(4, (1i64..90).prop_map(Span::minutes)),
        ),
    );
    (1i64..=3, 1i64..=2, groups(), oddities).prop_map(
        move |(ring, release, groups, (odd, missed, placed, zone, attempt, (download_rate, restart)))| {
            let mut device = DeviceFacts::new(DeviceId(id), OsReleaseId(release), RingId(ring));
            device.groups = groups;
            device.zone = zone.to_owned();
            device.location = placed.then_some(LocationId(1));
            device.missed_windows = missed;
            device.open_attempt = attempt;
            device.measured = Measured { download_rate, restart };
            match odd {
                0 => device.state = DeviceState::Quarantined,
                1 => device.scan_only = true,
                2 => device.manager_broken = true,
                3 => device.reboot_owed = Some(Moment(START)),
                4 => device.disk_free_mib = 3,
                7 => device.disk_free_mib = 2_000,
                5 => device.on_battery = true,
                6 => device.ring = None,
                _ => {}
            }
            device
        },
    )
}

fn patch(id: i64) -> impl Strategy<Value = PatchFacts> {
    let urgency = prop::sample::select(vec![
        Urgency::Normal,
        Urgency::Normal,
        Urgency::SkipSoak,
        Urgency::SkipSoakAndWindows,
    ]);
    let decision = (
        1i64..=3,
        prop_oneof![6 => urgency.prop_map(|urgent| DecisionKind::Approve { urgent }), 1 => Just(DecisionKind::Deny)],
        moments(),
    );
    let decisions = proptest::collection::vec(decision, 2..6);
    let hold = (prop::option::of(1i64..=3), moments()).prop_map(|(ring, at)| HoldFact {
        id: HoldId(1),
        ring: ring.map(RingId),
        cause: HoldCause::Problem(ProblemId(1)),
        at,
        by: None,
    });
    let evidence = (maybe(7, moments()), 0u32..4, 0u32..3, 0u32..2, 0i64..3).prop_map(
        |(first, clean, in_flight, failures, paused)| Evidence {
            targets: clean + in_flight + failures + 2,
            first_success: first,
            successes: BTreeMap::from([(OsReleaseId(1), clean)]),
            in_flight,
            failures,
            finished: clean + failures,
            last_finished: first,
            paused: Span::days(paused),
            ..Evidence::default()
        },
    );
    let evidence = proptest::collection::btree_map((1i64..=3).prop_map(RingId), evidence, 0..3);
    let rest = (
        maybe(2, Just(PatchId(id % 3 + 1))),
        1i64..=2,
        maybe(3, 1i64..400),
        0u64..2_000_000_000,
    );
    (decisions, maybe(1, hold), evidence, rest).prop_map(
        move |(decisions, hold, evidence, (superseded_by, release, expected, size))| {
            let mut patch = PatchFacts::new(PatchId(id), OsReleaseId(release));
            patch.decisions = decisions
                .into_iter()
                .enumerate()
                .map(|(i, (ring, kind, at))| DecisionFact {
                    id: DecisionId(i as i64 + 1),
                    ring: RingId(ring),
                    kind,
                    at,
                    by: AccountId(1),
                })
                .collect();
            patch.holds = hold.into_iter().collect();
            patch.evidence = evidence;
            patch.superseded_by = superseded_by;
            patch.successor_approved = vec![RingId(1)];
            patch.measured_install = expected.map(Span::minutes);
            patch.size = size;
            if id == 1 {
                patch.rollback = RollbackPlan::Exists;
            }
            patch
        },
    )
}

fn pair() -> impl Strategy<Value = PairFacts> {
    use PatchState::{Failed, Installed, Missing, RolledBack, Superseded, Unknown};
    let states = prop::sample::select(vec![
        Missing, Missing, Missing, Missing, Unknown, Superseded, Installed, Failed, RolledBack,
    ]);
    let brakes = (maybe(1, Just(Brake::Held)), maybe(3, 0u64..2_000_000_000));
    (states, brakes, 0u32..12, moments()).prop_map(|(state, (brake, bytes), failed, at)| {
        let mut pair = PairFacts::new(state);
        (pair.brake, pair.bytes) = (brake, bytes);
        pair.since = Some(at);
        pair.rolled_back_block = state == RolledBack && failed % 2 == 0;
        if failed == 11 {
            (pair.not_started, pair.last_not_started) = (4, Some(at));
        }
        if failed < 5 && state == Failed {
            pair.attempts_failed = failed;
            pair.last_failed = Some(at);
        }
        pair
    })
}

/// A fleet of up to six devices and three patches.
pub fn fleet() -> impl Strategy<Value = Fleet> {
    let devices = (device(1), device(2), device(3), device(4), device(5), device(6));
    let patches = (patch(1), patch(2), patch(3));
    (
        policy(),
        devices,
        patches,
        proptest::collection::vec(pair(), 18),
        0i64..20 * 86_400,
        proptest::collection::vec(maybe(5, 0i64..60 * 60), 6),
        (maybe(2, 1u32..3), maybe(2, 1u32..3)),
    )
        .prop_map(|(policy, d, p, facts, second, rounds, (here, nowhere))| {
            let mut devices = vec![d.0, d.1, d.2, d.3, d.4, d.5];
            for (device, ago) in devices.iter_mut().zip(rounds) {
                device.round_started = ago.map(|minutes| Moment(START + second - minutes * 60));
            }
            let patches = vec![p.0, p.1, p.2];
            let ids = devices.iter().flat_map(|d| patches.iter().map(|p| (d.id, p.id)));
            let pairs = ids.zip(facts).collect();
            Fleet {
                now: Moment(START + second),
                policy,
                devices,
                patches,
                pairs,
                elsewhere: [(Some(LocationId(1)), here), (None, nowhere)]
                    .into_iter()
                    .filter_map(|(at, n)| Some((at, n?)))
                    .collect(),
            }
        })
}
