//! The size that a first visit costs.

use crate::bind::PARTS;
use crate::site::{self, Profile};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::Path;

/// WASM, JavaScript and CSS of a first visit, as sent (brotli). On a slow phone line (1.6 Mbit/s) this is 1.5 s.
const BUDGET_BYTES: usize = 300_000;

/// Prints what a first visit loads, for every part that pages are made of, and fails when the heaviest is too heavy.
pub(crate) fn check() -> Result<()> {
    let pkg = site::build(Profile::Release)?.pkg();
    let parts = std::fs::read(pkg.join(PARTS)).with_context(|| format!("no {PARTS}"))?;
    let parts: BTreeMap<String, Vec<String>> = serde_json::from_slice(&parts)?;
    let sent = sent(&pkg)?;
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
                .get(&format!("{file}.wasm"))
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

/// The files of a build that pages load, and how many bytes of each are sent: compressed, where it lies there compressed.
fn sent(pkg: &Path) -> Result<BTreeMap<String, usize>> {
    let mut sent = BTreeMap::new();
    for entry in std::fs::read_dir(pkg)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if [".wasm", ".js", ".css"].iter().any(|ending| name.ends_with(ending)) {
            let compressed = pkg.join(format!("{name}.br"));
            let file = if compressed.exists() { compressed } else { path };
            sent.insert(name, usize::try_from(file.metadata()?.len())?);
        }
    }
    Ok(sent)
}
