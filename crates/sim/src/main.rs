//! Runs seeds; a failure prints its seed, what broke and the last lines before it.

use clap::Parser;
use sim::{Plan, run, world::Stats};
use std::process::ExitCode;

/// Seeded simulation of the server and its agents with faults.
#[derive(Debug, Parser)]
struct Args {
    /// How many seeds, from `--first` on.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Only this seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Days, the calm ones at the end included.
    #[arg(long, default_value_t = 30)]
    days: i64,
    /// Devices.
    #[arg(long, default_value_t = 30)]
    devices: usize,
    /// Runs every seed twice and compares the histories.
    #[arg(long)]
    twice: bool,
    /// Goes on after a failure.
    #[arg(long)]
    keep_going: bool,
    /// Prints every line of the history.
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let seeds = match args.seed {
        Some(seed) => seed..seed + 1,
        None => args.first..args.first + args.seeds,
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let start = std::time::Instant::now();
    let (mut failed, mut steps, mut stats) = (0_u64, 0, Stats::default());
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let plan = Plan {
            seed,
            days: args.days,
            devices: args.devices,
            verbose: args.verbose,
        };
        let mut good = one(&runtime, &plan, &mut steps, &mut stats);
        if good.is_ok() && args.twice {
            let again = one(
                &runtime,
                &Plan {
                    verbose: false,
                    ..plan.clone()
                },
                &mut steps,
                &mut stats,
            );
            if again != good {
                println!("SEED={seed} invariant=sim: two runs differ: {good:?} and {again:?}");
                good = Err(());
            }
        }
        failed += u64::from(good.is_err());
        if good.is_err() && !args.keep_going {
            break;
        }
    }
    println!(
        "{count} seeds × {} days × {} devices: {failed} failed, {steps} steps, {stats:?}, {:.1} s",
        args.days,
        args.devices,
        start.elapsed().as_secs_f64()
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One seed; the hash of its history.
fn one(runtime: &tokio::runtime::Runtime, plan: &Plan, steps: &mut u64, stats: &mut Stats) -> Result<u64, ()> {
    let seed = plan.seed;
    match runtime.block_on(run(plan)) {
        Err(broken) => {
            println!("SEED={seed} step=0 invariant={}: {}", broken.invariant, broken.text);
            Err(())
        }
        Ok(outcome) => {
            *steps += outcome.steps;
            *stats += outcome.stats;
            if plan.verbose {
                println!(
                    "hash {:016x}, {} steps, {:?}",
                    outcome.hash, outcome.steps, outcome.stats
                );
            }
            let Some((broken, last)) = outcome.violation else {
                return Ok(outcome.hash);
            };
            for line in last {
                println!("  {line}");
            }
            println!(
                "SEED={seed} step={} invariant={}: {}",
                outcome.steps, broken.invariant, broken.text
            );
            println!(
                "again: cargo run -p sim -- --seed {seed} --days {} --devices {} --verbose",
                plan.days, plan.devices
            );
            Err(())
        }
    }
}
