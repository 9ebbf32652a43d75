//! The size that a first visit costs.

use crate::bind::PARTS;
use crate::site::{Profile, brotli, files};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;

/// WASM, JavaScript and CSS of a first visit, as sent (brotli). On a slow phone line (1.6 Mbit/s) this is 1.5 s.
const BUDGET_BYTES: usize = 300_000;

/// Prints what a first visit loads, for every part that pages are made of, and fails when the heaviest is too heavy.
pub(crate) fn check() -> Result<()> {
    let files = files(Profile::Release)?;
    let parts: BTreeMap<String, Vec<String>> =
        serde_json::from_slice(files.get(PARTS).with_context(|| format!("no {PARTS}"))?)?;
    let mut sent = BTreeMap::new();
    for (name, bytes) in &files {
        if [".wasm", ".js", ".css"].iter().any(|ending| name.ends_with(ending)) {
            sent.insert(name.as_str(), brotli(bytes)?.len());
        }
    }
    // What belongs to a part is loaded with it, everything else always.
    let of_parts: Vec<_> = parts.values().flatten().map(|file| format!("{file}.wasm")).collect();
    let mut always = 0;
    for (name, size) in &sent {
        if !of_parts.iter().any(|file| file == name) {
            println!("{name:<24} {size:>8}");
            always += size;
        }
    }
    println!("{:<24} {always:>8}  always, in bytes with brotli\n", "together");
    println!("{:<24} {:>8} {:>12}", "page", "its own", "first visit");
    let mut heaviest = ("", always);
    for (part, its_files) in &parts {
        let mut own = 0;
        for file in its_files {
            own += sent
                .get(format!("{file}.wasm").as_str())
                .with_context(|| format!("{file}.wasm is missing"))?;
        }
        println!("{part:<24} {own:>8} {:>12}", always + own);
        if always + own > heaviest.1 {
            heaviest = (part, always + own);
        }
    }
    let (part, bytes) = heaviest;
    println!("{:<24} {bytes:>21} of {BUDGET_BYTES}", "the heaviest");
    if bytes > BUDGET_BYTES {
        bail!("a first visit to `{part}` loads {bytes} bytes with brotli, and may load {BUDGET_BYTES}");
    }
    Ok(())
}
