//! `cargo xtask bench`: the release binaries, then the load generator against them.

use crate::process::{cargo, must_succeed};
use crate::site::{self, Profile};
use anyhow::Result;

pub(crate) fn run(devices: u32) -> Result<()> {
    site::build(Profile::Release)?;
    must_succeed(&mut cargo([
        "build",
        "--release",
        "-p",
        "server",
        "-p",
        "agent",
        "-p",
        "bench",
        "--bins",
    ]))?;
    let binaries = crate::process::target_dir().join("release");
    must_succeed(
        std::process::Command::new(binaries.join("patchward-bench"))
            .arg("--bin")
            .arg(&binaries)
            .args(["--devices", &devices.to_string()]),
    )
}
