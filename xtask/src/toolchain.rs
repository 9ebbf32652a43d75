//! What of Rust itself the other tasks need: the target for browsers, and for the tests the linter and the formatter.
//!
//! `rust-toolchain.toml` lists the same, but rustup reads that list only when it installs the toolchain: where "stable"
//! is there already, or where rustup may not install by itself (`RUSTUP_AUTO_INSTALL=0`), the parts stay missing.

use crate::process::{has_program, must_succeed, output_of, root};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the browser part is compiled for.
pub(crate) const BROWSER: &str = "wasm32-unknown-unknown";

/// The programs of the checks, each with the component that brings it.
const CHECKERS: [(&str, &str); 2] = [("cargo-clippy", "clippy"), ("cargo-fmt", "rustfmt")];
/// What `cargo clippy` runs.
const LINTER: &str = "clippy-driver";

/// Installs the target for browsers where it is missing.
pub(crate) fn for_browsers() -> Result<()> {
    if has_target(&sysroot()?) {
        return Ok(());
    }
    rustup(&["target", "add", BROWSER])?;
    if !has_target(&sysroot()?) {
        bail!("rustup reports success, but this Rust still has no target {BROWSER}");
    }
    Ok(())
}

/// Installs the linter and the formatter where they are missing.
pub(crate) fn for_checks() -> Result<()> {
    let bin = sysroot()?.join("bin");
    let missing: Vec<&str> = CHECKERS
        .iter()
        .filter(|(program, _)| !bin.join(program).is_file())
        .map(|(_, component)| *component)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    rustup(&[&["component", "add"], missing.as_slice()].concat())
}

/// Lets the linter compile the workspace's own crates for `command`, every warning an error. It is the compiler with more to say, and spares
/// reading all of this, and everything that it depends on, once more for `cargo clippy`. It optimises less (no MIR passes), and leaves out the
/// compiler's checks for null and misaligned pointers: good enough for tests of code without either, not for what is shipped or weighed.
pub(crate) fn with_lints(command: &mut Command) -> Result<&mut Command> {
    let linter = sysroot()?.join("bin").join(LINTER);
    Ok(command
        .env("RUSTC_WORKSPACE_WRAPPER", linter)
        // As `cargo clippy -- -D warnings` hands it over.
        .env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__"))
}

/// Where the Rust that builds this workspace keeps its libraries and programs.
fn sysroot() -> Result<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let printed = output_of(Command::new(rustc).args(["--print", "sysroot"]).current_dir(root()))?;
    Ok(PathBuf::from(printed.trim()))
}

fn has_target(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib").join(BROWSER).join("lib").is_dir()
}

fn rustup(args: &[&str]) -> Result<()> {
    let words = args.join(" ");
    if !has_program("rustup") {
        bail!(
            "this Rust lacks a part that the build needs, and there is no rustup to run `rustup {words}`: install Rust \
             with rustup (https://rustup.rs), or that part with whatever installed this Rust"
        );
    }
    println!("installing a missing part of Rust: rustup {words}");
    must_succeed(
        Command::new("rustup")
            .args(args)
            .current_dir(root())
            .stdin(Stdio::null()),
    )
    .with_context(|| format!("cannot install a missing part of Rust; try `rustup {words}` by hand"))
}
