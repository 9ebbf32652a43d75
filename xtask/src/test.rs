//! `cargo xtask test`: every check, in the order in which a failure is cheapest to learn.

use crate::process::{cargo, has_program, must_succeed, root, target_dir, watch_lines};
use crate::site::{self, Profile};
use crate::steps::{Outcome, Summary, seconds};
use crate::{TestArgs, budget, check_deps, e2e};
use anyhow::Result;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// Everything except `frontend`, which is for browsers only: with it, `app` would get `ssr` and `hydrate` at once. The
/// test clock is on everywhere here, so that the tests and the binaries for the end-to-end tests come from one build.
const HOST: [&str; 7] = [
    "--profile",
    PROFILE,
    "--workspace",
    "--exclude",
    "frontend",
    "--features",
    "server/test-clock",
];

/// One profile for all checks on the host, so that they share what they build.
const PROFILE: &str = "checked";

/// Runs the simulation alone.
pub(crate) const SIM: [&str; 7] = ["run", "--quiet", "--profile", PROFILE, "-p", "sim", "--"];

/// Where the binaries of [`PROFILE`] are.
pub(crate) fn checked_dir() -> PathBuf {
    target_dir().join(PROFILE)
}

type Step<'a> = (&'static str, Box<dyn FnOnce() -> Result<Outcome> + 'a>);

pub(crate) fn test(args: &TestArgs) -> Result<ExitCode> {
    let mut steps: Vec<Step> = Vec::new();
    if !args.quick {
        steps.push(("tools", Box::new(e2e::tools)));
    }
    if !args.e2e {
        steps.push(("format", Box::new(|| plain(&["fmt", "--all", "--check"]))));
        steps.push((
            "imports and house rules",
            Box::new(|| check_deps::check().map(|()| Outcome::PASSED)),
        ));
        steps.push(("licences and bans", Box::new(licences)));
        steps.push(("clippy, host", Box::new(clippy_host)));
        steps.push(("cargo test", Box::new(cargo_test)));
        if !args.quick && args.seeds > 0 {
            steps.push(("simulation", Box::new(|| simulation(args.seeds))));
        }
    }
    if !args.quick {
        if !args.e2e {
            steps.push(("clippy, browser", Box::new(clippy_browser)));
        }
        steps.push((
            "browser part",
            Box::new(|| site::build(Profile::Dev).map(|_| Outcome::PASSED)),
        ));
        if args.release {
            steps.push((
                "size of the browser part",
                Box::new(|| budget::check().map(|()| Outcome::PASSED)),
            ));
        }
        steps.push(("server and agent", Box::new(|| binaries(!args.e2e))));
        steps.push(("end-to-end", Box::new(|| e2e::run(&args.playwright))));
    }

    let total = steps.len();
    let mut summary = Summary::default();
    for (index, (name, work)) in steps.into_iter().enumerate() {
        println!("[{}/{total}] {name} ...", index + 1);
        let start = Instant::now();
        let result = work();
        let verdict = match &result {
            Ok(Outcome::Counted { failed: 0, .. }) => "ok",
            Ok(Outcome::Skipped(_)) => "skipped",
            Ok(Outcome::Counted { .. }) | Err(_) => "FAILED",
        };
        println!(
            "[{}/{total}] {name} ... {verdict} in {}",
            index + 1,
            seconds(start.elapsed())
        );
        summary.add(name, result, start.elapsed());
    }
    Ok(if summary.print() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A fixed set of seeds: a failure prints its seed and the command that replays it.
fn simulation(seeds: u32) -> Result<Outcome> {
    binaries(true)?;
    let mut sim = Command::new(checked_dir().join("sim"));
    must_succeed(
        sim.args(["--seeds", &seeds.to_string()])
            .current_dir(root())
            .stdin(Stdio::null()),
    )?;
    Ok(Outcome::PASSED)
}

fn licences() -> Result<Outcome> {
    if !has_program("cargo-deny") {
        let why = "cargo-deny is missing (cargo install --locked cargo-deny)";
        return Ok(Outcome::Skipped(why.to_owned()));
    }
    plain(&["deny", "--log-level", "error", "check"])
}

fn plain(args: &[&str]) -> Result<Outcome> {
    must_succeed(&mut cargo(args))?;
    Ok(Outcome::PASSED)
}

/// Shipped code has no warnings at all; tests only have to pass what is denied (they may unwrap).
fn clippy_host() -> Result<Outcome> {
    must_succeed(
        cargo(["clippy", "--quiet"])
            .args(HOST)
            .args(["--lib", "--bins", "--", "-D", "warnings"]),
    )?;
    must_succeed(
        cargo(["clippy", "--quiet"])
            .args(HOST)
            .args(["--all-targets", "--"])
            .args(TEST_LINTS),
    )?;
    Ok(Outcome::PASSED)
}

/// Names the file to which tests add a line when they leave something out: what passing tests print, cargo hides.
const SKIPPED: &str = "PATCHWARD_SKIPPED";

const TEST_LINTS: [&str; 6] = [
    "-A",
    "clippy::unwrap_used",
    "-A",
    "clippy::expect_used",
    "-A",
    "missing_docs",
];

fn clippy_browser() -> Result<Outcome> {
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
            "wasm32-unknown-unknown",
            "--profile",
            "wasm-dev",
            "--target-dir",
        ])
        .arg(target)
        .args(["--", "-D", "warnings"]),
    )?;
    Ok(Outcome::PASSED)
}

fn cargo_test() -> Result<Outcome> {
    let (mut passed, mut failed) = (0, 0);
    let mut command = cargo(["test", "--no-fail-fast"]);
    let left_out = target_dir().join("skipped-tests");
    // What an earlier run left out is not news.
    std::fs::create_dir_all(target_dir())?;
    std::fs::write(&left_out, "")?;
    let succeeded = watch_lines(command.args(HOST).env(SKIPPED, &left_out), |line| {
        if let Some((passes, failures)) = tally(line) {
            passed += passes;
            failed += failures;
        }
    })?;
    if !succeeded && failed == 0 {
        // It did not even compile.
        failed = 1;
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

/// The binaries that simulation and end-to-end tests start. Those that `cargo test` has made serve: features are chosen for all
/// targets of a build together, so that binaries alone would be made anew, with half of what they depend on.
fn binaries(after_tests: bool) -> Result<Outcome> {
    let mut build = cargo(["build", "--bins"]);
    if after_tests {
        build.arg("--tests");
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
