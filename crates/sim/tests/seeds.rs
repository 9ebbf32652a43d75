//! A few seeds, so that `cargo test` notices what breaks an invariant. `cargo xtask test` runs more, `cargo xtask sim` all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

use sim::{Outcome, Plan, run};

fn plan(seed: u64) -> Plan {
    Plan {
        seed,
        days: 10,
        devices: 10,
        right_clocks: false,
        verbose: false,
    }
}

fn live(plan: &Plan) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let outcome = runtime.block_on(run(plan)).expect("a world");
    if let Some((broken, last)) = &outcome.violation {
        panic!(
            "{}\nSEED={} step={} invariant={}: {}",
            last.join("\n"),
            plan.seed,
            outcome.steps,
            broken.invariant,
            broken.text
        );
    }
    assert!(
        outcome.stats.messages > 100,
        "seed {} did next to nothing: {:?}",
        plan.seed,
        outcome.stats
    );
    outcome
}

// Two tests, so that they share the processor's cores.
#[test]
fn seeds_1_to_4_hold() {
    for seed in 1..=4 {
        live(&plan(seed));
    }
}

#[test]
fn seeds_5_to_8_hold() {
    for seed in 5..=8 {
        live(&plan(seed));
    }
}

#[test]
fn one_seed_gives_one_history() {
    let once = || live(&Plan { days: 6, ..plan(3) });
    let (a, b) = (once(), once());
    assert_eq!((a.hash, a.steps, a.stats), (b.hash, b.steps, b.stats));
}
