//! `cargo xtask bench`: the release binaries, then the load generator against them.

use crate::e2e;
use crate::process::{cargo, must_succeed};
use crate::site::{self, Profile};
use anyhow::Result;

pub(crate) fn run(devices: u32) -> Result<()> {
    e2e::tools()?;
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
    let mut bench = std::process::Command::new(binaries.join("patchward-bench"));
    bench
        .arg("--bin")
        .arg(&binaries)
        .args(["--devices", &devices.to_string()]);
    match e2e::playwright()? {
        Some((end2end, chromium)) => bench
            .arg("--browser")
            .arg(end2end.join("bench/first-visit.mjs"))
            .env("PATCHWARD_CHROMIUM", chromium),
        None => {
            println!("first visits in a browser are not measured: that needs chromium and npm");
            &mut bench
        }
    };
    must_succeed(&mut bench)
}
