//! Small stories in a readable language, each with the full transcript of decisions beside it. They read as the specification.
//!
//! A story is `scenarios/<requirement>-<what>.txt`; its transcript is the `.out` beside it. After a wanted change:
//! `PLANNER_BLESS=1 cargo test -p planner --test scenarios`, and review the difference like code. The language is described in `story/mod.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod story;

use std::fs;
use std::path::PathBuf;

#[test]
fn stories_end_as_written() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios"));
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("folder")
        .map(|entry| entry.expect("entry").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "txt"));
    files.sort();
    let bless = std::env::var_os("PLANNER_BLESS").is_some();
    let mut wrong = Vec::new();
    for path in &files {
        let text = fs::read_to_string(path).expect("story");
        let name = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default().to_owned();
        assert!(text.starts_with("# "), "{name}: the first line says what is promised");
        let transcript = story::tell(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let out = path.with_extension("out");
        if bless {
            fs::write(&out, &transcript).expect("transcript");
        } else if fs::read_to_string(&out).unwrap_or_default() != transcript {
            wrong.push(format!(
                "== {name}\n{}",
                difference(&fs::read_to_string(&out).unwrap_or_default(), &transcript)
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} stories end otherwise:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(files.len() >= 60, "{} stories", files.len());
}

/// The lines that differ, the old ones first.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let gone = old
        .iter()
        .filter(|line| !new.contains(line))
        .map(|line| format!("- {line}"));
    let come = new
        .iter()
        .filter(|line| !old.contains(line))
        .map(|line| format!("+ {line}"));
    gone.chain(come).collect::<Vec<_>>().join("\n")
}
