//! Visible progress: numbered steps with their times, and a summary.

use anyhow::Result;
use std::time::{Duration, Instant};

/// Numbered steps: `[2/5] Building the browser part ...`, then the time it took.
pub(crate) struct Steps {
    total: usize,
    done: usize,
}

impl Steps {
    pub(crate) fn new(total: usize) -> Self {
        Self { total, done: 0 }
    }

    /// Announces, runs, and says how long it took.
    pub(crate) fn step<T>(&mut self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.done += 1;
        let mark = format!("[{}/{}]", self.done, self.total);
        println!("{mark} {what} ...");
        let start = Instant::now();
        let result = work();
        let verdict = if result.is_ok() { "done" } else { "FAILED" };
        println!("{mark} {what} ... {verdict} in {}", seconds(start.elapsed()));
        result
    }
}

/// How one step of `cargo xtask test` ended.
pub(crate) enum Outcome {
    /// So many checks passed and failed; what was left out among them, and why.
    Counted {
        passed: u32,
        failed: u32,
        skipped: Vec<String>,
    },
    /// Not run, and why.
    Skipped(String),
}

impl Outcome {
    pub(crate) const PASSED: Self = Self::Counted {
        passed: 1,
        failed: 0,
        skipped: Vec::new(),
    };
}

/// What the steps of `cargo xtask test` came to.
#[derive(Default)]
pub(crate) struct Summary {
    lines: Vec<String>,
    passed: u32,
    failed: u32,
    failed_steps: Vec<String>,
    skipped: Vec<String>,
}

impl Summary {
    pub(crate) fn add(&mut self, name: &str, result: Result<Outcome>, took: Duration) {
        let took = seconds(took);
        let line = match result {
            Ok(Outcome::Counted {
                passed,
                failed,
                skipped,
            }) => {
                self.skipped.extend(skipped);
                self.passed += passed;
                self.failed += failed;
                if failed > 0 {
                    self.failed_steps.push(name.to_owned());
                }
                format!("{passed} passed, {failed} failed")
            }
            Ok(Outcome::Skipped(why)) => {
                let line = format!("skipped: {why}");
                self.skipped.push(format!("{name}: {why}"));
                line
            }
            Err(error) => {
                self.failed += 1;
                self.failed_steps.push(name.to_owned());
                format!("FAILED: {error:#}")
            }
        };
        self.lines.push(format!("  {name:<28} {took:>7}  {line}"));
    }

    /// Prints the summary with the time that all of it took; true when nothing failed.
    pub(crate) fn print(&self, took: Duration) -> bool {
        println!("\nSummary");
        for line in &self.lines {
            println!("{line}");
        }
        println!("  {:<28} {:>7}", "all of it", seconds(took));
        println!("{} passed, {} failed", self.passed, self.failed);
        for what in &self.skipped {
            println!("skipped: {what}");
        }
        if !self.failed_steps.is_empty() {
            println!("failed: {}", self.failed_steps.join(", "));
        }
        self.failed_steps.is_empty()
    }
}

pub(crate) fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        format!("{:.1} s", time.as_secs_f32())
    } else {
        format!("{} s", time.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_named_and_is_no_failure() {
        let mut summary = Summary::default();
        let some = Outcome::Counted {
            passed: 3,
            failed: 0,
            skipped: vec!["real apt: needs root".to_owned()],
        };
        summary.add("cargo test", Ok(some), Duration::ZERO);
        let none = Outcome::Skipped("cargo-deny is missing".to_owned());
        summary.add("licences and bans", Ok(none), Duration::ZERO);
        assert_eq!(
            summary.skipped,
            ["real apt: needs root", "licences and bans: cargo-deny is missing"]
        );
        assert!(summary.print(Duration::ZERO));
    }
}
