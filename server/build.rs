//! Makes sure that the folder of the embedded site exists, and that a new site is embedded.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/site");
    std::fs::create_dir_all(&site)?;
    println!("cargo::rerun-if-changed=build.rs");
    // The build id changes with every file of the site. Debug builds read the site from disk and need no rebuild.
    let id = site.join("build-id");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo::rerun-if-changed={}", id.display());
        if !id.exists() {
            println!("cargo::warning=no browser part in target/site yet: run `cargo xtask site --release` first");
        }
    }
    Ok(())
}
