//! Builds, runs and tests Patchward. Needs nothing but Rust and a C compiler: `cargo xtask run`, `cargo xtask test`.
//!
//! May not: be a dependency of anything that ships.

mod bench;
mod bind;
mod budget;
mod check_deps;
mod e2e;
mod invariants;
mod licences;
mod process;
mod run;
mod shrink;
mod site;
mod steps;
mod test;
mod tidy;
mod toolchain;
mod wasm;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, runs and tests Patchward")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything, start the server and enrol this machine as its first device (scan only), or show a demonstration
    Run(RunArgs),
    /// Run every check: format, imports, lints, tests, the browser part, end-to-end tests
    Test(TestArgs),
    /// Build the browser part only: target/site
    Site {
        /// Small and compressed instead of quick to build
        #[arg(long)]
        release: bool,
    },
    /// Check who imports whom, and the rules that no compiler checks
    CheckDeps,
    /// Fail when WASM, JavaScript and CSS together are too big to send to a browser
    WasmBudget,
    /// Simulate server, agents, people and faults: 200 seeds, a month of 30 devices each
    Sim {
        /// For the simulation: `--seeds 1000`, `--seed 22 --verbose`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Measure the release binary and write docs/benchmarks.md
    Bench {
        /// Devices to enrol
        #[arg(long, default_value_t = 10_000)]
        devices: u32,
    },
}

#[derive(Args)]
struct RunArgs {
    /// The real thing: optimised and compressed; takes longer to build
    #[arg(long)]
    release: bool,
    /// Port to listen on, on this machine only
    #[arg(long, default_value_t = 8480)]
    port: u16,
    /// Where the server keeps its data
    #[arg(long, default_value = "patchward-data")]
    data: PathBuf,
    /// Do not enrol this machine as the first device
    #[arg(long)]
    no_enrol: bool,
    /// A made-up fleet with a history instead of this machine, in a database that is thrown away
    #[arg(long, conflicts_with_all = ["data", "no_enrol"])]
    demo: bool,
    /// Devices of the made-up fleet [default: 120]
    #[arg(long, requires = "demo", value_name = "N")]
    devices: Option<u32>,
    /// Days of its history [default: 180]
    #[arg(long, requires = "demo", value_name = "N")]
    days: Option<u32>,
    /// Show the logs of server and agent here, not only in files
    #[arg(long)]
    open_log: bool,
}

#[derive(Args)]
struct TestArgs {
    /// Only what needs no browser: format, imports, lints, cargo test
    #[arg(long)]
    quick: bool,
    /// Seeds of the simulation, from 1; none with --quick. 40 take 5 to 10 minutes on two cores
    #[arg(long, default_value_t = 40)]
    seeds: u32,
    /// Only the end-to-end tests (and the builds that they need); what follows `--` goes to Playwright
    #[arg(long)]
    e2e: bool,
    /// For Playwright
    #[arg(last = true)]
    playwright: Vec<String>,
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(task: Task) -> Result<ExitCode> {
    std::env::set_current_dir(process::root())?;
    match task {
        Task::Run(args) => run::run(&args),
        Task::Test(args) => test::test(&args),
        Task::Site { release } => {
            let site = site::build(site::Profile::of(release))?;
            println!(
                "target/site/pkg/{} is {}",
                site.id,
                if site.fresh { "up to date" } else { "built" }
            );
            Ok(ExitCode::SUCCESS)
        }
        Task::CheckDeps => {
            check_deps::check()?;
            Ok(ExitCode::SUCCESS)
        }
        Task::WasmBudget => {
            budget::check()?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Sim { args } => {
            process::must_succeed(process::cargo(test::SIM).args(args))?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Bench { devices } => {
            bench::run(devices)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
