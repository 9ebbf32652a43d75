//! Rules that no compiler checks: file sizes, and words that may stand only in certain places.

use crate::process::root;
use anyhow::{Context, Result};
use std::path::Path;

/// A file should fit in a head: longer ones are named, much longer ones fail.
const LINES_WARN: usize = 400;
const LINES_FAIL: usize = 700;

const FOLDERS: [&str; 6] = ["app", "agent", "crates", "frontend", "server", "xtask"];

/// Words, the places (path prefixes) where they may stand, and why nowhere else.
struct Ban {
    words: &'static [&'static str],
    allowed: &'static [&'static str],
    in_tests: bool,
    why: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        words: &[concat!("inner", "_html")],
        allowed: &["app/src/components/html.rs"],
        in_tests: false,
        why: "text from a device or a feed would become markup: use `piece` or `timed`",
    },
    Ban {
        words: &[concat!("Pre", "Escaped")],
        allowed: &[],
        in_tests: false,
        why: "maud would not escape it",
    },
    Ban {
        words: &[concat!("<", "textarea")],
        allowed: &["app/src/components/text_area.rs"],
        in_tests: false,
        why: "its content is not escaped on the server: use the TextArea component",
    },
    Ban {
        words: &[
            concat!("SELECT", " "),
            concat!("INSERT", " INTO"),
            concat!("INSERT", " OR "),
            concat!("DELETE", " FROM"),
        ],
        allowed: &["crates/service/src/store"],
        in_tests: true,
        why: "SQL stays in crates/service/src/store",
    },
    Ban {
        words: &[
            concat!("Utc", "::now"),
            concat!("SystemTime", "::now"),
            concat!("Instant", "::now"),
        ],
        allowed: &[
            "crates/service/src/clock.rs",
            "server/",
            "agent/src/clock.rs",
            // How long a package manager may run.
            "agent/src/command",
            "agent/src/driver",
            // The pause before a courier that ended is followed by another.
            "agent/src/courier/mod.rs",
            // When a file was written.
            "agent/src/installer/worker.rs",
            "crates/bench/",
            // How fast the seeds went by.
            "crates/sim/src/main.rs",
            "agent/src/transport",
            "agent/src/main.rs",
            "xtask/",
        ],
        in_tests: true,
        why: "time is an argument",
    },
];

pub(crate) fn check(problems: &mut Vec<String>) -> Result<()> {
    for folder in FOLDERS {
        visit(&root().join(folder), problems)?;
    }
    Ok(())
}

fn visit(path: &Path, problems: &mut Vec<String>) -> Result<()> {
    if path.is_dir() {
        if path.ends_with("node_modules") || path.ends_with("target") {
            return Ok(());
        }
        let mut entries = std::fs::read_dir(path)?.collect::<std::io::Result<Vec<_>>>()?;
        entries.sort_by_key(std::fs::DirEntry::path);
        return entries.iter().try_for_each(|entry| visit(&entry.path(), problems));
    }
    if path.extension().is_some_and(|ending| ending == "rs") {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.strip_prefix(root())?.to_string_lossy().into_owned();
        check_file(&name, &text, problems);
    }
    Ok(())
}

fn check_file(name: &str, text: &str, problems: &mut Vec<String>) {
    let lines = text.lines().count();
    if lines > LINES_FAIL {
        problems.push(format!("{name}: {lines} lines, may be {LINES_FAIL}"));
    } else if lines > LINES_WARN {
        println!("  note: {name} has {lines} lines, should have at most {LINES_WARN}");
    }
    let test_file = is_test_file(name);
    let mut in_tests = test_file;
    for (index, line) in text.lines().enumerate() {
        let code = line.trim_start();
        // By custom the tests of a file are its last part.
        in_tests |= code.starts_with("#[cfg(test)]");
        if code.starts_with("//") {
            continue;
        }
        for ban in BANS {
            let excused = (ban.in_tests && in_tests) || ban.allowed.iter().any(|place| name.starts_with(place));
            if !excused && let Some(word) = ban.words.iter().find(|word| code.contains(**word)) {
                problems.push(format!("{name}:{}: `{}`: {}", index + 1, word.trim(), ban.why));
            }
        }
    }
}

fn is_test_file(name: &str) -> bool {
    let folders = ["/tests/", "/benches/", "/examples/"];
    folders.iter().any(|folder| name.contains(folder)) || name.ends_with("/tests.rs") || name.ends_with("_tests.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_in(name: &str, text: &str) -> usize {
        let mut problems = Vec::new();
        check_file(name, text, &mut problems);
        problems.len()
    }

    #[test]
    fn a_clock_is_found_where_it_may_not_be() {
        let text = concat!("let now = Instant", "::now();\n");
        assert_eq!(problems_in("crates/planner/src/decide.rs", text), 1);
        assert_eq!(problems_in("crates/service/src/clock.rs", text), 0);
        assert_eq!(problems_in("crates/planner/tests/dst.rs", text), 0);
        assert_eq!(problems_in("crates/planner/src/decide.rs", &format!("// {text}")), 0);
        assert_eq!(
            problems_in("crates/planner/src/decide.rs", &format!("#[cfg(test)]\n{text}")),
            0
        );
    }

    #[test]
    fn sql_is_found_outside_the_store() {
        let text = concat!("let query = \"SELECT", " id FROM device\";\n");
        assert_eq!(problems_in("crates/service/src/commands/enrol.rs", text), 1);
        assert_eq!(problems_in("crates/service/src/store/devices.rs", text), 0);
    }

    #[test]
    fn long_files_are_refused() {
        assert_eq!(problems_in("app/src/lib.rs", &"x\n".repeat(LINES_FAIL)), 0);
        assert_eq!(problems_in("app/src/lib.rs", &"x\n".repeat(LINES_FAIL + 1)), 1);
    }
}
