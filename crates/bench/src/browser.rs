//! What a real browser makes of the pages: Playwright with Chromium, in a script that prints JSON.

use crate::report::Line;
use crate::server::Server;
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const PAGES: [(&str, &str); 5] = [
    ("status view", "/patches"),
    ("patch", "/patches/1"),
    ("device list", "/devices"),
    ("device", "/devices/1"),
    ("calendar", "/schedule/calendar"),
];

/// First visits of some pages, each with an empty cache.
pub fn measure(script: &Path, server: &Server, cookie: &str, lines: &mut Vec<Line>) -> Result<()> {
    let output = Command::new("node")
        .arg(script)
        .args([&server.url, cookie])
        .args(PAGES.map(|(_, path)| path))
        .output()
        .context("cannot start node")?;
    ensure!(
        output.status.success(),
        "{}: {}",
        script.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let found: Vec<Value> = serde_json::from_slice(&output.stdout)?;
    for ((name, path), page) in PAGES.into_iter().zip(&found) {
        let number = |key: &str| page[key].as_f64().with_context(|| format!("no {key} for {path}"));
        let millis = |key: &str| number(key).map(|ms| Duration::from_secs_f64(ms / 1_000.0));
        let whole = |key: &str| page[key].as_u64().with_context(|| format!("no {key} for {path}"));
        lines.push(Line::bytes(
            &format!("First visit in Chromium, {name}: WASM + JS + CSS with headers"),
            whole("asset_bytes")?,
            300_000,
        ));
        lines.push(Line::bytes(
            &format!("First visit in Chromium, {name}: the document"),
            whole("document_bytes")?,
            u64::MAX,
        ));
        lines.push(Line::at_most(
            &format!("First visit in Chromium, {name}: content on the screen"),
            millis("painted_ms")?,
            Duration::MAX,
        ));
        lines.push(Line::at_most(
            &format!("First visit in Chromium, {name}: interactive"),
            millis("interactive_ms")?,
            Duration::from_secs(1),
        ));
        let errors = page["errors"].as_array().context("no errors")?;
        for error in errors {
            eprintln!("{path}: {error}");
        }
        lines.push(Line::count(
            &format!("First visit in Chromium, {name}: errors in the console"),
            errors.len() as u64,
            0..=0,
        ));
        lines.push(Line::count(
            &format!("Chromium with scripts disabled, {name}: rows of data"),
            whole("rows_without_scripts")?,
            1..=u64::MAX,
        ));
    }
    Ok(())
}
