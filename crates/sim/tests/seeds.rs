//! A small fixed set of seeds, so that `cargo test` notices what breaks an invariant. The full set is `cargo xtask sim`.

use sim::{Plan, run};

fn plan(seed: u64) -> Plan {
    Plan {
        seed,
        days: 10,
        devices: 10,
        verbose: false,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn hold(seeds: std::ops::RangeInclusive<u64>) {
    let runtime = runtime();
    for seed in seeds {
        let outcome = runtime.block_on(run(&plan(seed))).expect("a world");
        if let Some((broken, last)) = outcome.violation {
            panic!(
                "{}\nSEED={seed} step={} invariant={}: {}",
                last.join("\n"),
                outcome.steps,
                broken.invariant,
                broken.text
            );
        }
        assert!(
            outcome.stats.messages > 100,
            "seed {seed} did next to nothing: {:?}",
            outcome.stats
        );
    }
}

// Four tests, so that they share the processor's cores.
#[test]
fn seeds_1_to_5_hold() {
    hold(1..=5);
}

#[test]
fn seeds_6_to_10_hold() {
    hold(6..=10);
}

#[test]
fn seeds_11_to_15_hold() {
    hold(11..=15);
}

#[test]
fn seeds_16_to_20_hold() {
    hold(16..=20);
}

#[test]
fn one_seed_gives_one_history() {
    let once = || runtime().block_on(run(&Plan { days: 6, ..plan(3) })).expect("a world");
    let (a, b) = (once(), once());
    assert_eq!((a.hash, a.steps, a.stats), (b.hash, b.steps, b.stats));
}
