//! `cargo xtask test`: every check, in the order in which a failure is cheapest to learn.

use crate::process::{cargo, has_program, must_succeed, root, target_dir, watch_lines};
use crate::site::{self, Profile};
use crate::steps::{Outcome, Summary, seconds};
use crate::{TestArgs, budget, check_deps, e2e, licences, toolchain};
use anyhow::{Result, anyhow};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// Everything except `frontend`, which is for browsers only: with it, `app` would get `ssr` and `hydrate` at once; and
/// except this program, whose libraries are big and built already, in cargo's usual profile. The test clock is on
/// everywhere here, so that the tests and the binaries for the end-to-end tests come from one build.
const HOST: [&str; 9] = [
    "--profile",
    PROFILE,
    "--workspace",
    "--exclude",
    "frontend",
    "--exclude",
    ITSELF,
    "--features",
    "server/test-clock",
];

/// This program.
const ITSELF: &str = "xtask";

/// One profile for all checks on the host, so that they share what they build.
const PROFILE: &str = "checked";

/// Runs the simulation alone.
pub(crate) const SIM: [&str; 7] = ["run", "--quiet", "--profile", PROFILE, "-p", "sim", "--"];

/// Where the binaries of [`PROFILE`] are.
pub(crate) fn checked_dir() -> PathBuf {
    target_dir().join(PROFILE)
}

/// Every check. What mostly waits for the network, and the simulation, which waits for nothing and that nothing waits for,
/// run beside the others and fill the time in which those use no processor.
pub(crate) fn test(args: &TestArgs) -> Result<ExitCode> {
    let (browser, alone) = (!args.quick, args.e2e);
    let simulate = browser && !alone && args.seeds > 0;
    let start = Instant::now();
    let mut run = Run::default();
    std::thread::scope(|scope| {
        let tools = browser.then(|| Beside::start(scope, "tools", e2e::tools));
        run.step("parts of Rust", || parts_of_rust(browser));
        if !alone {
            run.step("format", || plain(&["fmt", "--all", "--check"]));
            run.step("imports and house rules", || {
                check_deps::check().map(|()| Outcome::PASSED)
            });
            run.step("licences and bans", check_licences);
        }
        if let Some(tools) = tools {
            run.join(tools);
        }
        let mut simulation = None;
        // Benchmarks too, so that they are looked at.
        let built = alone
            || run.step("lints, and build for the tests", || {
                lint_itself()?;
                match cargo_test(&["--no-run", "--tests", "--benches"])? {
                    Outcome::Counted { failed: 0, .. } => Ok(Outcome::PASSED),
                    failed => Ok(failed),
                }
            });
        if simulate && built {
            simulation = Some(Beside::start(scope, "simulation", || simulate_seeds(args.seeds)));
        }
        let front = browser.then(|| Beside::start(scope, "browser part", move || browser_part(!alone)));
        if !alone && built {
            run.step("cargo test", || cargo_test(&[]));
        }
        if let Some(front) = front {
            let site = run.join(front);
            if !alone && site {
                run.step("size of the browser part", || budget::check().map(|()| Outcome::PASSED));
            }
            let programs = run.step("server and agent", || binaries(!alone));
            // Without what they drive, every one of them would wait and fail.
            run.step("end-to-end", || match (site, programs) {
                (true, true) => e2e::run(&args.playwright),
                _ => Err(anyhow!("not run: the build before it failed")),
            });
        }
        if let Some(simulation) = simulation {
            run.join(simulation);
        }
    });
    Ok(if run.summary.print(start.elapsed()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The steps so far.
#[derive(Default)]
struct Run {
    summary: Summary,
}

impl Run {
    /// Announces, runs, and says how it ended; true when nothing failed.
    fn step(&mut self, name: &str, work: impl FnOnce() -> Result<Outcome>) -> bool {
        println!("{name} ...");
        let start = Instant::now();
        let result = work();
        self.ended(name, result, start.elapsed())
    }

    /// Waits for what runs beside; true when nothing failed.
    fn join(&mut self, beside: Beside) -> bool {
        println!("{}, the rest ...", beside.name);
        let (result, took) = beside
            .thread
            .join()
            .unwrap_or_else(|_| (Err(anyhow!("panicked")), Duration::ZERO));
        self.ended(beside.name, result, took)
    }

    fn ended(&mut self, name: &str, result: Result<Outcome>, took: Duration) -> bool {
        let (verdict, good) = match &result {
            Ok(Outcome::Counted { failed: 0, .. }) => ("ok", true),
            Ok(Outcome::Skipped(_)) => ("skipped", true),
            Ok(Outcome::Counted { .. }) | Err(_) => ("FAILED", false),
        };
        println!("{name} ... {verdict} in {}", seconds(took));
        self.summary.add(name, result, took);
        good
    }
}

/// A step that runs while others do.
struct Beside<'scope> {
    name: &'static str,
    thread: ScopedJoinHandle<'scope, (Result<Outcome>, Duration)>,
}

impl<'scope> Beside<'scope> {
    fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        name: &'static str,
        work: impl FnOnce() -> Result<Outcome> + Send + 'scope,
    ) -> Self {
        println!("{name}, beside what follows ...");
        let thread = scope.spawn(move || {
            let start = Instant::now();
            let result = work();
            (result, start.elapsed())
        });
        Self { name, thread }
    }
}

/// A fixed set of seeds: a failure prints its seed and the command that replays it. The simulation has a clock of its own
/// and lets everything else go first.
fn simulate_seeds(seeds: u32) -> Result<Outcome> {
    let sim = checked_dir().join("sim");
    let mut command = if has_program("nice") {
        let mut nice = Command::new("nice");
        nice.args(["-n", "19"]).arg(sim);
        nice
    } else {
        Command::new(sim)
    };
    must_succeed(
        command
            .args(["--seeds", &seeds.to_string()])
            .current_dir(root())
            .stdin(Stdio::null()),
    )?;
    Ok(Outcome::PASSED)
}

/// First, because everything after it needs them.
fn parts_of_rust(browser: bool) -> Result<Outcome> {
    toolchain::for_checks()?;
    if browser {
        toolchain::for_browsers()?;
    }
    Ok(Outcome::PASSED)
}

/// What cargo knows is always checked; `cargo deny` knows more, where it is installed.
fn check_licences() -> Result<Outcome> {
    licences::check()?;
    if has_program("cargo-deny") {
        return plain(&["deny", "--log-level", "error", "check"]);
    }
    println!("licences, bans and sources are as deny.toml says; advisories need cargo-deny");
    Ok(Outcome::PASSED)
}

fn plain(args: &[&str]) -> Result<Outcome> {
    must_succeed(&mut cargo(args))?;
    Ok(Outcome::PASSED)
}

/// Names the file to which tests add a line when they leave something out: what passing tests print, cargo hides.
const SKIPPED: &str = "PATCHWARD_SKIPPED";

/// As it is shipped: what is tried is what is weighed and what browsers get. Built while the tests run, which mostly wait.
fn browser_part(look: bool) -> Result<Outcome> {
    if look {
        clippy_browser()?;
    }
    site::build(Profile::Release)?;
    Ok(Outcome::PASSED)
}

fn clippy_browser() -> Result<()> {
    let target = target_dir().join("front");
    must_succeed(
        cargo([
            "clippy",
            "--quiet",
            "-p",
            "frontend",
            "-p",
            "app",
            "--features",
            "app/hydrate",
        ])
        .args([
            "--target",
            toolchain::BROWSER,
            "--profile",
            "wasm-release",
            "--target-dir",
        ])
        .arg(target)
        .args(["--", "-D", "warnings"]),
    )
}

/// This program as it runs; with its tests it is looked at among all others.
fn lint_itself() -> Result<()> {
    must_succeed(toolchain::with_lints(&mut cargo(["build", "-p", ITSELF]))?)
}

/// Builds the tests, and runs them unless told not to. The linter compiles them.
fn cargo_test(more: &[&str]) -> Result<Outcome> {
    let (mut passed, mut failed) = (0, 0);
    let left_out = target_dir().join("skipped-tests");
    // What an earlier run left out is not news.
    std::fs::create_dir_all(target_dir())?;
    std::fs::write(&left_out, "")?;
    for packages in [&["-p", ITSELF][..], &HOST[..]] {
        let mut command = cargo(["test", "--no-fail-fast"]);
        command.args(more).args(packages).env(SKIPPED, &left_out);
        toolchain::with_lints(&mut command)?;
        let before = failed;
        let succeeded = watch_lines(&mut command, |line| {
            if let Some((passes, failures)) = tally(line) {
                passed += passes;
                failed += failures;
            }
        })?;
        if !succeeded && failed == before {
            // It did not even compile.
            failed += 1;
        }
    }
    Ok(Outcome::Counted {
        passed,
        failed,
        skipped: once_each(&std::fs::read_to_string(&left_out)?),
    })
}

/// Several tests may lack the same.
fn once_each(lines: &str) -> Vec<String> {
    let lines: BTreeSet<&str> = lines.lines().collect();
    lines.into_iter().map(ToOwned::to_owned).collect()
}

/// `test result: ok. 3 passed; 0 failed; …`
fn tally(line: &str) -> Option<(u32, u32)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut parts = counts.split(';').map(str::trim);
    let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
    Some((passed, failed))
}

/// The binaries that the end-to-end tests start. Those that `cargo test` has made serve: features are chosen for all
/// targets of a build together, so that binaries alone would be made anew, with half of what they depend on.
fn binaries(after_tests: bool) -> Result<Outcome> {
    let mut build = cargo(["build", "--bins"]);
    if after_tests {
        toolchain::with_lints(build.arg("--tests"))?;
    }
    must_succeed(build.args(HOST))?;
    Ok(Outcome::PASSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted() {
        assert_eq!(
            tally("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out"),
            Some((12, 0))
        );
        assert_eq!(
            tally("test result: FAILED. 2 passed; 3 failed; 0 ignored"),
            Some((2, 3))
        );
        assert_eq!(tally("test a::b ... ok"), None);
    }

    #[test]
    fn what_two_tests_lack_is_named_once() {
        assert_eq!(once_each("b: root\na: root\nb: root\n"), ["a: root", "b: root"]);
        assert!(once_each("").is_empty());
    }
}
