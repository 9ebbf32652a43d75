//! The size that a first visit costs.

use crate::site::{Profile, brotli, files};
use anyhow::{Result, bail};

/// WASM, JavaScript and CSS of a first visit, as sent (brotli). On a slow phone line (1.6 Mbit/s) this is 1.5 s.
const BUDGET_BYTES: usize = 300_000;

pub(crate) fn check() -> Result<()> {
    let mut total = 0;
    for (name, bytes) in files(Profile::Release)? {
        if [".wasm", ".js", ".css"].iter().any(|ending| name.ends_with(ending)) {
            let sent = brotli(&bytes)?.len();
            println!("{name:<24} {:>10} bytes, {sent:>8} with brotli", bytes.len());
            total += sent;
        }
    }
    println!("{:<24} {total:>27} of {BUDGET_BYTES}", "together");
    if total > BUDGET_BYTES {
        bail!("the browser part is {total} bytes with brotli, and may be {BUDGET_BYTES}");
    }
    Ok(())
}
