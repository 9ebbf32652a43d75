//! `docs/invariants.md` against the tests: what the table says is checked must be cited where the table says so, and what a
//! test cites must be in the table.

use crate::process::root;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Folders with code that may cite a promise.
const FOLDERS: [&str; 4] = ["agent", "crates", "end2end/tests", "server"];

pub(crate) fn check(problems: &mut Vec<String>) -> Result<()> {
    let text = std::fs::read_to_string(root().join("docs/invariants.md")).context("docs/invariants.md")?;
    let rows = rows(&text);
    let mut numbers = BTreeSet::new();
    for row in &rows {
        if !numbers.insert(row.number) {
            problems.push(format!("docs/invariants.md: I-{} has two rows", row.number));
        }
        for place in &row.checked {
            let found = files_of(place);
            if found.is_empty() {
                problems.push(format!(
                    "docs/invariants.md: I-{}: no file is meant by `{place}`",
                    row.number
                ));
            } else if !cited(&found, row.number)? {
                problems.push(format!(
                    "docs/invariants.md: I-{} is not cited in `{place}`",
                    row.number
                ));
            }
        }
    }
    for folder in FOLDERS {
        for file in sources(&root().join(folder))? {
            let code = std::fs::read_to_string(&file)?;
            for number in citations(&code).difference(&numbers) {
                let name = file.strip_prefix(root()).unwrap_or(&file).display();
                problems.push(format!(
                    "{name}: cites I-{number}, which docs/invariants.md does not have"
                ));
            }
        }
    }
    Ok(())
}

/// One promise of the table.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    number: u32,
    /// As the table names them: `planner properties`, `service agent/permits`. None for what nothing checks.
    checked: Vec<String>,
}

/// `| I-1 | promise | where | planner properties · simulation |`
fn rows(text: &str) -> Vec<Row> {
    text.lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| I-")?.strip_suffix('|')?.split('|').map(str::trim);
            let number = cells.next()?.parse().ok()?;
            let last = cells.next_back()?;
            let checked = if last.starts_with('-') {
                Vec::new()
            } else {
                last.split('·').map(|place| place.trim().to_owned()).collect()
            };
            Some(Row { number, checked })
        })
        .collect()
}

/// The files that a place of the last column means: a crate and, in it, a test or module.
fn files_of(place: &str) -> Vec<PathBuf> {
    let (krate, part) = match place {
        "simulation" => ("sim", ""),
        _ => place.split_once(' ').unwrap_or((place, "")),
    };
    let home = [root().join("crates").join(krate), root().join(krate)]
        .into_iter()
        .find(|home| home.join("Cargo.toml").is_file() || krate == "end2end");
    let Some(home) = home else { return Vec::new() };
    if part.is_empty() {
        return sources(&home.join("src")).unwrap_or_default();
    }
    [
        format!("tests/{part}.rs"),
        format!("tests/it/{part}.rs"),
        format!("src/{part}.rs"),
        format!("src/{part}/tests.rs"),
        format!("src/{part}_tests.rs"),
        format!("tests/{part}.spec.ts"),
        format!("tests/{part}.js-only.spec.ts"),
    ]
    .iter()
    .map(|name| home.join(name))
    .filter(|file| file.is_file())
    .collect()
}

fn cited(files: &[PathBuf], number: u32) -> Result<bool> {
    for file in files {
        if citations(&std::fs::read_to_string(file)?).contains(&number) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The numbers that a text cites: `I-12`, but not `UI-12` or `I-12a`.
fn citations(text: &str) -> BTreeSet<u32> {
    let mut numbers = BTreeSet::new();
    for (at, mark) in text.match_indices("I-") {
        if text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-') {
            continue;
        }
        let rest = &text[at + mark.len()..];
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if !rest[end..].starts_with(|c: char| c.is_ascii_alphanumeric())
            && let Ok(number) = rest[..end].parse()
        {
            numbers.insert(number);
        }
    }
    numbers
}

/// Rust and TypeScript files below, in order.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                if !path.ends_with("node_modules") && !path.ends_with("target") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|ending| ending == "rs" || ending == "ts") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_citations_are_read() {
        let text = "| no | promise | where | checked |\n|---|---|---|---|\n\
                    | I-1 | a | `b` | planner properties · service agent/permits |\n| I-5 | a | not built | - |\n";
        let found = rows(text);
        assert_eq!(found[0].number, 1);
        assert_eq!(found[0].checked, ["planner properties", "service agent/permits"]);
        assert!(found[1].checked.is_empty());
        let cited = citations("// I-12 and (I-3): not UI-4, I-5a or I-");
        assert_eq!(cited.into_iter().collect::<Vec<_>>(), [3, 12]);
    }

    #[test]
    fn a_place_without_a_file_is_seen() {
        assert!(files_of("service agent/nothing").is_empty());
        assert!(files_of("nobody at all").is_empty());
        assert!(!files_of("planner properties").is_empty());
        assert!(!files_of("simulation").is_empty());
    }
}
