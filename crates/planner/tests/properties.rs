//! What holds for every fleet, policy and moment, not only for the stories. The numbers are those of the invariants.
#![expect(
    clippy::expect_used,
    reason = "a fleet that was not generated well must fail its test"
)]

mod fleets;

use domain::*;
use fleets::{Fleet, fleet};
use planner::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// The same facts in another order give the same plan, and every pair has exactly one decision with every gate's word.
    #[test]
    fn order_of_facts_does_not_matter(fleet in fleet(), seed in any::<u64>()) {
        let policy = fleet.compile();
        let made = plan(&fleet.input(&policy));
        let shuffled = fleet.shuffled(seed);
        let other = shuffled.compile();
        prop_assert_eq!(&plan(&shuffled.input(&other)), &made);
        prop_assert_eq!(made.decisions.len(), fleet.pairs.len());
        for decision in made.decisions.values() {
            let gates: Vec<Gate> = decision.ladder.iter().map(|r| r.gate).collect();
            prop_assert_eq!(&gates[..], &Gate::ALL[..]);
            let open = decision.ladder.iter().all(|r| r.status.is_open());
            prop_assert!(!decision.installs() || open, "an install with a gate that is not open");
        }
    }

    /// No install outside approval, soak, hold, window, freeze, capacity (I-1, I-2, I-4, I-9, I-15, I-31, I-34), by the second path.
    #[test]
    fn the_second_path_finds_nothing(fleet in fleet()) {
        let policy = fleet.compile();
        let input = fleet.input(&policy);
        prop_assert_eq!(check(&input, &plan(&input)), vec![]);
    }

    /// The second path would notice: whatever a gate other than the slot refuses, forced into the plan, is found.
    #[test]
    fn the_second_path_would_notice(fleet in fleet()) {
        let policy = fleet.compile();
        let input = fleet.input(&policy);
        let made = plan(&input);
        for (pair, decision) in &made.decisions {
            let refused = decision.ladder.iter().any(|r| !r.status.is_open() && r.gate != Gate::Slot);
            if refused {
                let mut forged = made.clone();
                let verdict = Verdict::Install { not_before: fleet.now, not_after: None };
                forged.decisions.insert(*pair, Decision { verdict, ..decision.clone() });
                forged.starts.push(*pair);
                prop_assert!(!check(&input, &forged).is_empty(), "{:?} goes unnoticed", decision.verdict);
            }
        }
        if let Some(pair) = fleet.pairs.first() {
            let mut partial = made.clone();
            partial.decisions.remove(&pair.0);
            prop_assert!(check(&input, &partial).contains(&Violation::NotTotal(pair.0)));
        }
    }

    /// Until `next_change_at` the same facts give the same plan.
    #[test]
    fn next_change_is_honest(fleet in fleet(), parts in proptest::collection::vec(0u64..=1_000_000, 8)) {
        let policy = fleet.compile();
        let input = fleet.input(&policy);
        let made = plan(&input);
        let end = made.next_change_at.unwrap_or(fleet.now + Span::days(300));
        prop_assert!(end > fleet.now);
        let room = u64::try_from(end.0 - 1 - fleet.now.0).unwrap_or(0);
        let probes = parts.iter().map(|part| room * part / 1_000_000).chain([room]);
        for probe in probes {
            let at = Moment(fleet.now.0 + i64::try_from(probe).unwrap_or(0));
            let mut later = plan(&input.at(at));
            later.next_change_at = made.next_change_at;
            for (pair, decision) in &later.decisions {
                let settled = matches!(decision.verdict, Verdict::Settled { .. });
                prop_assert!(settled || made.decisions[pair] == *decision, "{pair:?} at {at:?} of {end:?}: {decision:?} was {:?}", made.decisions[pair]);
            }
            prop_assert_eq!(&later.starts, &made.starts);
        }
    }

    /// The earliest moment keeps its word: then, and not a second before, every gate but the slot is open.
    #[test]
    fn earliest_keeps_its_word(fleet in fleet()) {
        let policy = fleet.compile();
        for device in &fleet.devices {
            let schedule = Schedule::new(&policy, device);
            for patch in &fleet.patches {
                let Some((_, pair)) = fleet.pairs.iter().find(|(id, _)| *id == (device.id, patch.id)) else { continue };
                let decision = schedule.decide(patch, pair, fleet.now);
                let (Some(at), Verdict::Hold { .. }) = (decision.earliest, &decision.verdict) else { continue };
                prop_assert!(at > fleet.now);
                prop_assert!(schedule.decide(patch, pair, at).installs(), "{:?}", schedule.decide(patch, pair, at));
                prop_assert!(!schedule.decide(patch, pair, at - Span(1)).installs());
            }
        }
    }

    /// The last moment of starting keeps its word, too.
    #[test]
    fn latest_start_keeps_its_word(fleet in fleet()) {
        let policy = fleet.compile();
        for (pair, decision) in &plan(&fleet.input(&policy)).decisions {
            let Verdict::Install { not_after: Some(last), .. } = decision.verdict else { continue };
            prop_assert!(last >= fleet.now);
            for at in [last, Moment((fleet.now.0 + last.0) / 2)] {
                prop_assert!(fleet.decide(&policy, *pair, at).installs(), "{at:?} of {last:?}");
            }
            // Another window may have opened meanwhile; alone, this one has nothing left.
            let after = fleet.decide(&policy, *pair, last + Span(1));
            prop_assert!(!after.installs() || fleet.policy.windows.len() > 1, "{after:?}");
        }
    }

    /// When everything that may start has started and succeeded, again and again, nothing is left to start, and nothing starts twice.
    #[test]
    fn carrying_out_plans_comes_to_an_end(fleet in fleet()) {
        let mut fleet = fleet;
        let mut started = std::collections::BTreeSet::new();
        for _ in 0..=fleet.pairs.len() {
            let policy = fleet.compile();
            let made = plan(&fleet.input(&policy));
            if made.starts.is_empty() {
                return Ok(());
            }
            for pair in made.starts {
                prop_assert!(started.insert(pair), "{pair:?} starts twice");
                fleet.succeed(pair);
            }
        }
        prop_assert!(false, "it goes on for ever");
    }

    /// From change to change everything that may start starts and succeeds: no device begins a round sooner than its interval allows
    /// (I-41), and the planner calls the same permits the beginning of a round as the plain reading of the rule does.
    #[test]
    fn no_round_begins_early(fleet in fleet()) {
        let policy = fleet.compile();
        let (mut now, mut rounds) = (fleet.clone(), fleets::Rounds::of(&fleet));
        for _ in 0..25 {
            let made = plan(&now.input(&policy));
            for pair in &made.starts {
                let device = now.devices.iter().find(|d| d.id == pair.0).expect("device").clone();
                let patch = now.patches.iter().find(|p| p.id == pair.1).expect("patch").clone();
                let facts = now.pairs.iter().find(|(id, _)| id == pair).expect("pair").1;
                let says = Schedule::new(&policy, &device).begins_round(&patch, &facts, now.now);
                let first = device.round_started.is_none();
                let begins = rounds.installs(&policy, *pair, now.now);
                rounds.tell(&mut now.devices);
                let new = now.devices.iter().find(|d| d.id == pair.0).expect("device").round_started;
                let counts = now.devices.iter().find(|d| d.id == pair.0).expect("device").round_counts_from;
                let told = (new != device.round_started).then(|| Round { began: new.expect("a round"), counts_from: counts.expect("with it") });
                prop_assert_eq!(says, told, "{:?} at {:?}", pair, now.now);
                prop_assert!(begins.is_none_or(|(least, real)| real >= least) || first, "{pair:?}: {begins:?}");
                now.succeed(*pair);
            }
            let Some(next) = made.next_change_at else { break };
            now.now = next;
        }
    }

    /// A hold more never adds an install.
    #[test]
    fn a_hold_never_adds_an_install(fleet in fleet(), which in any::<prop::sample::Index>(), ring in prop::option::of(1i64..=3)) {
        let policy = fleet.compile();
        let before = plan(&fleet.input(&policy));
        let mut held = fleet.clone();
        let patch = which.index(held.patches.len());
        let hold = HoldFact { id: HoldId(99), ring: ring.map(RingId), cause: HoldCause::Person, at: fleet.now, by: None };
        held.patches[patch].holds.push(hold);
        let id = held.patches[patch].id;
        let after = plan(&held.input(&policy));
        for (pair, decision) in &after.decisions {
            let was = fleets::may(&fleet.decide(&policy, *pair, fleet.now));
            prop_assert!(!fleets::may(decision) || was, "{pair:?}");
        }
        let of_patch = |plan: &Plan| plan.starts.iter().filter(|pair| pair.1 == id).count();
        prop_assert!(of_patch(&after) <= of_patch(&before));
    }

    /// Each reason is causal: with its cause removed that gate says something else.
    #[test]
    fn reasons_are_causal(fleet in fleet()) {
        let policy = fleet.compile();
        for (pair, facts) in &fleet.pairs {
            let decision = fleet.decide(&policy, *pair, fleet.now);
            if matches!(decision.verdict, Verdict::Settled { .. }) {
                continue;
            }
            for report in decision.ladder.iter().filter(|r| !r.status.is_open()) {
                let Some(reason) = report.status.reason() else { return Err(TestCaseError::fail("no reason")) };
                let Some(cured) = fleets::without(&fleet, *pair, facts, reason) else { continue };
                let policy = cured.compile();
                let after = cured.decide(&policy, *pair, cured.now);
                let same = after.ladder.iter().find(|r| r.gate == report.gate);
                prop_assert!(same.is_some_and(|r| r.status.reason() != Some(reason)), "{reason:?} stays");
            }
        }
    }

    /// The words of every decision are there, and never speak of ids that have names only in Rust.
    #[test]
    fn every_decision_has_words(fleet in fleet()) {
        let policy = fleet.compile();
        let names = words::Plain { now: fleet.now, zone: calendar::Zone::UTC };
        for (pair, _) in &fleet.pairs {
            let decision = fleet.decide(&policy, *pair, fleet.now);
            prop_assert!(!words::headline(&decision, &names).is_empty());
            for report in &decision.ladder {
                let text = words::status(&report.status, &names);
                prop_assert!(text.len() > 3 && !text.contains("..") && !text.contains("{"), "{text}");
                if let Some(reason) = report.status.reason() {
                    prop_assert!(!words::reason(reason, &names).is_empty(), "{reason:?} has no words");
                }
                if let GateStatus::Closed { reason } = &report.status {
                    let until = words::remedy(reason, &names).is_some();
                    let final_word = matches!(reason, Reason::DeviceNotActive { .. } | Reason::NotNeeded { .. } | Reason::InProgress { .. } | Reason::Frozen { .. } | Reason::FreezeNear { .. });
                    prop_assert!(until || final_word, "{reason:?} does not say what would help");
                }
            }
        }
    }

    /// The forecast says what deciding again at every instant does when every install takes its time and succeeds.
    #[test]
    fn the_forecast_is_what_deciding_again_and_again_does(fleet in fleet()) {
        let policy = fleet.compile();
        let found = forecast(&fleet.input(&policy), 12);
        let mut said: Vec<(Moment, Pair)> = found.runs.iter().map(|run| (run.start, run.pair)).collect();
        said.sort_unstable();
        prop_assert_eq!(said, fleets::steps::starts(&fleet, &policy, 12));
        let open = fleet.pairs.iter().filter(|(_, facts)| !fleets::steps::is_settled(facts.state));
        prop_assert_eq!(found.runs.len() + found.waits.len(), open.count(), "every open pair is told once");
    }

    /// The forecast promises nothing that the gates would refuse, and tells every open pair once.
    #[test]
    fn the_forecast_obeys_the_schedule(fleet in fleet()) {
        let policy = fleet.compile();
        let found = forecast(&fleet.input(&policy), 30);
        let mut seen = std::collections::BTreeSet::new();
        for run in &found.runs {
            prop_assert!(run.start >= fleet.now && seen.insert(run.pair));
            let decision = fleet.decide(&policy, run.pair, run.start);
            let against = decision.ladder.iter().find(|r| !r.status.is_open() && !matches!(r.gate, Gate::Soaked | Gate::Slot));
            prop_assert!(against.is_none(), "{run:?}: {against:?}");
        }
        // A promised install begins a round, which the later ones of the same device obey.
        let mut rounds = fleets::Rounds::of(&fleet);
        for run in &found.runs {
            if let Some((least, real)) = rounds.installs(&policy, run.pair, run.start) {
                prop_assert!(real >= least, "{run:?} begins a round {real:?} after the last one, of {least:?}");
            }
        }
        prop_assert!(found.waits.keys().all(|pair| !seen.contains(pair)));
    }
}

/// A patch is as large as all its packages for every architecture together; a device needs room and time for its own.
#[test]
fn a_device_downloads_its_own_packages_only() {
    let mut fleet = Fleet::small();
    fleet.patches[0].size = 50_000_000_000;
    fleet.devices[0].disk_free_mib = 10_000;
    let disk = |fleet: &Fleet| {
        let decision = fleet.decide(&fleet.compile(), fleet.pairs[0].0, fleet.now);
        let ready = decision.ladder.into_iter().find(|r| r.gate == Gate::DeviceReady);
        ready.expect("a gate").status
    };
    let expected = |fleet: &Fleet| {
        fleet
            .compile()
            .expected(&fleet.patches[0], &fleet.pairs[0].1, &fleet.devices[0])
    };
    let reason = disk(&fleet).reason().copied();
    assert!(
        matches!(reason, Some(Reason::DiskLow { .. })),
        "it said nothing: {reason:?}"
    );
    let whole = expected(&fleet);
    fleet.pairs[0].1.bytes = Some(10_000_000);
    assert!(disk(&fleet).is_open(), "{:?}", disk(&fleet));
    assert!(expected(&fleet) < whole);
    fleet.patches[0].decisions.push(DecisionFact {
        id: DecisionId(1),
        ring: RingId(1),
        kind: DecisionKind::Approve {
            urgent: Urgency::SkipSoakAndWindows,
        },
        at: fleet.now,
        by: AccountId(1),
    });
    fleet.devices[0].last_scan = Some(fleet.now);
    let policy = fleet.compile();
    let runs = forecast(&fleet.input(&policy), 1).runs;
    assert_eq!(runs.iter().map(|run| run.bytes).collect::<Vec<_>>(), [10_000_000]);
}

/// What runs on devices that nothing else waits on takes slots as well, until it is over.
#[test]
fn what_runs_elsewhere_takes_slots() {
    let mut fleet = Fleet::small();
    fleet.policy.permits.fleet_in_flight = Some(2);
    fleet.patches[0].decisions.push(DecisionFact {
        id: DecisionId(1),
        ring: RingId(1),
        kind: DecisionKind::Approve {
            urgent: Urgency::Normal,
        },
        at: fleet.now,
        by: AccountId(1),
    });
    fleet.devices[0].last_scan = Some(fleet.now);
    let start = |fleet: &Fleet| {
        forecast(&fleet.input(&fleet.compile()), 1)
            .runs
            .first()
            .map(|run| run.start)
    };
    assert_eq!(start(&fleet), Some(fleet.now));
    fleet.elsewhere.insert(None, 1);
    assert_eq!(start(&fleet), Some(fleet.now), "there is room for both");
    fleet.elsewhere.insert(Some(LocationId(7)), 1);
    assert_eq!(start(&fleet), Some(fleet.now + RUNNING));
    let policy = fleet.compile();
    let made = plan(&fleet.input(&policy));
    assert_eq!(made.starts, []);
    let reasons = made
        .decisions
        .values()
        .flat_map(|d| d.ladder.iter().filter_map(|r| r.status.reason().copied()));
    assert!(
        reasons
            .into_iter()
            .any(|reason| matches!(reason, Reason::FleetFull { cap: 2 }))
    );
}

/// A policy that is compared with itself changes nothing.
#[test]
fn no_change_changes_nothing() {
    let fleet = Fleet::small();
    let policy = fleet.compile();
    assert_eq!(changes(&fleet.input(&policy), &fleet.input(&policy)), []);
}

/// The random fleets reach what the properties speak of: installs, and every gate closed by something.
#[test]
fn fleets_are_worth_looking_at() {
    let mut runner = TestRunner::new(config());
    let (mut installs, mut reasons) = (0, std::collections::BTreeSet::new());
    for _ in 0..300 {
        let fleet = fleet().new_tree(&mut runner).expect("a fleet").current();
        let policy = fleet.compile();
        let made = plan(&fleet.input(&policy));
        installs += made.starts.len();
        for report in made.decisions.values().flat_map(|d| &d.ladder) {
            let reason = report.status.reason().map(|r| format!("{r:?}"));
            let name = reason.and_then(|r| r.split([' ', '{']).next().map(str::to_owned));
            reasons.extend(name.map(|name| (report.gate, report.status.is_open(), name)));
        }
    }
    assert!(installs > 100, "{installs} installs");
    assert!(reasons.len() > 50, "{} reasons: {reasons:?}", reasons.len());
}
