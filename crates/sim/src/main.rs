//! Runs seeds; a failure prints its seed, what broke and the last lines before it.

use clap::Parser;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use sim::{Plan, run, world::Stats};
use std::{
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    /// So many seeds at once; a world itself is never shared. 0: as many as there are processors.
    #[arg(long, default_value_t = 0)]
    jobs: usize,
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

/// After so many seeds a line says how far it is.
const PROGRESS: u64 = 20;

/// What all seeds came to.
#[derive(Default)]
struct Total {
    done: u64,
    failed: u64,
    steps: u64,
    stats: Stats,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let (first, count) = args.seed.map_or((args.first, args.seeds), |seed| (seed, 1));
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let jobs = if args.jobs == 0 { processors } else { args.jobs };
    let start = std::time::Instant::now();
    let (next, stop, total) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new(Total::default()));
    let tell = |total: &Total| {
        if total.done.is_multiple_of(PROGRESS) && total.done < count {
            let seconds = start.elapsed().as_secs();
            println!("{} of {count} seeds, {} failed, {seconds} s", total.done, total.failed);
        }
    };
    std::thread::scope(|scope| {
        for job in 0..jobs.min(usize::try_from(count).unwrap_or(1)) {
            let (args, next, stop, total, tell) = (&args, &next, &stop, &total, &tell);
            scope.spawn(move || {
                stay(job, jobs);
                work(args, (first, count), next, stop, total, tell);
            });
        }
    });
    let Total {
        done,
        failed,
        steps,
        stats,
    } = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!(
        "{done} of {count} seeds × {} days × {} devices: {failed} failed, {steps} steps, {stats:?}, {:.1} s",
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

/// Keeps a job on one processor. A world hands every statement to the thread of its database and waits for it: on one processor that
/// takes two thirds of the time that it takes on two.
fn stay(job: usize, jobs: usize) {
    let Ok(ours) = sched_getaffinity(None) else { return };
    let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| ours.is_set(*cpu)).collect();
    let Some(own) = processors.get(job).filter(|_| jobs <= processors.len()) else {
        return;
    };
    let mut set = CpuSet::new();
    set.set(*own);
    // Where it is not allowed the seeds only take longer.
    let _ = sched_setaffinity(None, &set);
}

/// Takes seeds until there are none left.
fn work(
    args: &Args,
    (first, count): (u64, u64),
    next: &AtomicU64,
    stop: &AtomicBool,
    total: &Mutex<Total>,
    tell: &(impl Fn(&Total) + Sync),
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            total.lock().unwrap_or_else(PoisonError::into_inner).failed += 1;
            return;
        }
    };
    loop {
        let nth = next.fetch_add(1, Ordering::SeqCst);
        if nth >= count || stop.load(Ordering::SeqCst) {
            return;
        }
        let plan = Plan {
            seed: first + nth,
            days: args.days,
            devices: args.devices,
            right_clocks: false,
            verbose: args.verbose,
        };
        let mut good = one(&runtime, &plan, total);
        if args.twice && good.is_some() {
            let again = one(
                &runtime,
                &Plan {
                    verbose: false,
                    ..plan.clone()
                },
                total,
            );
            if again != good {
                println!(
                    "SEED={} invariant=sim: two runs differ: {good:x?} and {again:x?}",
                    plan.seed
                );
                good = None;
            }
        }
        let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
        total.done += 1;
        if good.is_none() {
            total.failed += 1;
            stop.fetch_or(!args.keep_going, Ordering::SeqCst);
        }
        tell(&total);
    }
}

/// One seed; the hash of its history when every promise held.
fn one(runtime: &tokio::runtime::Runtime, plan: &Plan, total: &Mutex<Total>) -> Option<u64> {
    let seed = plan.seed;
    let outcome = match runtime.block_on(run(plan)) {
        Ok(outcome) => outcome,
        Err(broken) => {
            println!("SEED={seed} step=0 invariant={}: {}", broken.invariant, broken.text);
            return None;
        }
    };
    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
    total.steps += outcome.steps;
    total.stats += outcome.stats;
    if plan.verbose {
        println!(
            "hash {:016x}, {} steps, {:?}",
            outcome.hash, outcome.steps, outcome.stats
        );
    }
    let Some((broken, last)) = outcome.violation else {
        return Some(outcome.hash);
    };
    for line in last {
        println!("  {line}");
    }
    println!(
        "SEED={seed} step={} invariant={}: {}",
        outcome.steps, broken.invariant, broken.text
    );
    println!(
        "again: cargo xtask sim --seed {seed} --days {} --devices {} --verbose",
        plan.days, plan.devices
    );
    None
}
