//! The end-to-end tests: Playwright with the system's Chromium against the real binaries.

use crate::process::{has_program, must_succeed, root, watch_lines};
use crate::steps::Outcome;
use anyhow::Result;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Programs, and the Debian packages that bring them. `debootstrap` is for the agent's tests on a throw-away system, `systemd-nspawn` for
/// one that really restarts.
const TOOLS: [(&str, &str); 5] = [
    ("chromium", "chromium"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("debootstrap", "debootstrap"),
    ("systemd-nspawn", "systemd-container"),
];

/// Installs what is missing when that is possible; otherwise says what will be skipped.
pub(crate) fn tools() -> Result<Outcome> {
    let missing: Vec<_> = TOOLS.iter().filter(|(program, _)| !has_program(program)).collect();
    if missing.is_empty() {
        playwright()?;
        return Ok(Outcome::PASSED);
    }
    let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    let list = packages.join(" ");
    if !rustix::process::geteuid().is_root() || !has_program("apt-get") {
        let why = format!("{list} missing; tests that need them are skipped (apt-get install {list})");
        println!("{why}");
        return Ok(Outcome::Skipped(why));
    }
    println!("installing {list} with apt-get");
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        must_succeed(&mut command)
    };
    apt(&["-qq", "update"])?;
    let mut install = vec!["-qq", "install", "--yes", "--no-install-recommends"];
    install.extend(packages);
    apt(&install)?;
    playwright()?;
    Ok(Outcome::PASSED)
}

/// The folder with Playwright in it, after `npm ci` when the lock changed, and the browser; none when the tools are missing.
pub(crate) fn playwright() -> Result<Option<(PathBuf, PathBuf)>> {
    let chromium =
        std::env::var_os("PATCHWARD_CHROMIUM").map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from);
    if !chromium.is_file() || !has_program("npm") {
        return Ok(None);
    }
    let end2end = root().join("end2end");
    let lock = std::fs::read(end2end.join("package-lock.json"))?;
    let installed = end2end.join("node_modules/.installed-lock.json");
    if std::fs::read(&installed).is_ok_and(|old| old == lock) {
        println!("node_modules is up to date");
    } else {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund"])
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
        must_succeed(npm.current_dir(&end2end).stdin(Stdio::null()))?;
        std::fs::write(&installed, &lock)?;
    }
    Ok(Some((end2end, chromium)))
}

/// Runs the tests.
pub(crate) fn run(extra: &[String]) -> Result<Outcome> {
    let Some((end2end, chromium)) = playwright()? else {
        return Ok(Outcome::Skipped("needs chromium and npm".to_owned()));
    };
    let bin = crate::test::checked_dir();
    let (mut passed, mut failed, mut skipped) = (0, 0, Vec::new());
    let mut playwright = Command::new("node_modules/.bin/playwright");
    playwright
        .args(["test", "--reporter=list"])
        .args(extra)
        .current_dir(&end2end)
        .stdin(Stdio::null());
    playwright.env("PATCHWARD_CHROMIUM", chromium);
    playwright
        .env("PATCHWARD_BIN", bin.join("patchward"))
        .env("PATCHWARD_AGENT_BIN", bin.join("patchward-agent"));
    let succeeded = watch_lines(&mut playwright, |line| {
        if let Some((count, word)) = tally(line) {
            match word {
                "passed" => passed += count,
                "failed" | "interrupted" => failed += count,
                "skipped" => skipped.push(format!("end-to-end: {count} tests, see above")),
                // Passed at the second try: no reason to stop what is done, and one to look.
                "flaky" => {
                    passed += count;
                    skipped.push(format!(
                        "end-to-end: the first try of {count} tests that failed, see above"
                    ));
                }
                _ => {}
            }
        }
    })?;
    if !succeeded && failed == 0 {
        failed = 1;
    }
    Ok(Outcome::Counted {
        passed,
        failed,
        skipped,
    })
}

/// Playwright ends with lines like `  12 passed (34.5s)` and `  1 failed`.
fn tally(line: &str) -> Option<(u32, &str)> {
    let mut words = line.split_whitespace();
    let count = words.next()?.parse().ok()?;
    Some((count, words.next()?))
}
