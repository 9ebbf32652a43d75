//! The report.

use anyhow::{Context as _, Result};
use std::{fmt::Write as _, fs, path::Path, time::Duration};

/// One measured figure beside what was asked for.
pub struct Line {
    what: String,
    measured: String,
    asked: String,
    holds: Option<bool>,
}

impl Line {
    /// A duration; `Duration::MAX` = nothing was asked.
    pub fn at_most(what: &str, measured: Duration, most: Duration) -> Self {
        let asked = most != Duration::MAX;
        Self {
            what: what.to_owned(),
            measured: duration(measured),
            asked: if asked {
                format!("≤ {}", duration(most))
            } else {
                String::new()
            },
            holds: asked.then_some(measured <= most),
        }
    }

    /// Memory in KiB; `u64::MAX` = nothing was asked.
    pub fn kib(what: &str, measured: u64, most: u64) -> Self {
        let mib = |n: u64| format!("{}.{} MiB", n / 1024, n % 1024 * 10 / 1024);
        let asked = most != u64::MAX;
        Self {
            what: what.to_owned(),
            measured: mib(measured),
            asked: if asked {
                format!("≤ {}", mib(most))
            } else {
                String::new()
            },
            holds: asked.then_some(measured <= most),
        }
    }

    /// A number that should be in a range.
    pub fn count(what: &str, measured: u64, asked: std::ops::RangeInclusive<u64>) -> Self {
        Self {
            what: what.to_owned(),
            measured: measured.to_string(),
            asked: if *asked.end() == u64::MAX {
                format!("≥ {}", asked.start())
            } else {
                format!("≤ {}", asked.end())
            },
            holds: Some(asked.contains(&measured)),
        }
    }

    /// How many times the first figure the last one is, both of one run; in percent, so that it holds still.
    pub fn ratio(what: &str, last: Duration, first: Duration, most_percent: u128) -> Self {
        let percent = last.as_nanos() * 100 / first.as_nanos().max(1);
        let times = |percent: u128| format!("{}.{:02} ×", percent / 100, percent % 100);
        Self {
            what: what.to_owned(),
            measured: times(percent),
            asked: format!("≤ {}", times(most_percent)),
            holds: Some(percent <= most_percent),
        }
    }

    /// Bytes; `u64::MAX` = nothing was asked.
    pub fn bytes(what: &str, measured: u64, most: u64) -> Self {
        let kb = |n: u64| format!("{}.{} kB", n / 1000, n % 1000 / 100);
        let asked = most != u64::MAX;
        Self {
            what: what.to_owned(),
            measured: kb(measured),
            asked: if asked {
                format!("≤ {}", kb(most))
            } else {
                String::new()
            },
            holds: asked.then_some(measured <= most),
        }
    }
}

fn duration(d: Duration) -> String {
    let us = d.as_micros();
    if us < 10_000 {
        format!("{}.{:02} ms", us / 1000, us % 1000 / 10)
    } else {
        format!("{} ms", us / 1000)
    }
}

/// Writes the table and prints it.
pub fn write(path: &Path, lines: &[Line], devices: usize) -> Result<()> {
    let field = |file: &str, key: &str| {
        fs::read_to_string(file)
            .ok()
            .and_then(|t| {
                t.lines()
                    .find(|l| l.starts_with(key))
                    .and_then(|l| l.split_once(':'))
                    .map(|(_, v)| v.trim().to_owned())
            })
            .unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory: u64 = field("/proc/meminfo", "MemTotal")
        .trim_end_matches(" kB")
        .parse()
        .unwrap_or(0);
    let mut text = format!(
        "# Benchmarks\n\nOne run of `cargo xtask bench` against the release binary over HTTP on loopback, database on disk with `synchronous=FULL`,\n\
         {devices} devices of 200 packages with 30 updates missing each. CPU = user + system time of the server's process per operation;\n\
         latencies hold the load generator's own share. Machine: {cores} cores, {}, {} GiB of memory, Linux.\n\n\
         | what | measured | asked | |\n|---|---|---|---|\n",
        field("/proc/cpuinfo", "model name"),
        memory.div_ceil(1024 * 1024),
    );
    for line in lines {
        let mark = match line.holds {
            Some(true) => "holds",
            Some(false) => "**misses**",
            None => "",
        };
        writeln!(text, "| {} | {} | {} | {mark} |", line.what, line.measured, line.asked)?;
    }
    print!("{text}");
    let notes = fs::read_to_string(path)
        .ok()
        .and_then(|old| old.split_once("\n## ").map(|(_, n)| format!("\n## {n}")))
        .unwrap_or_default();
    fs::write(path, text + &notes).with_context(|| format!("cannot write {}", path.display()))
}
