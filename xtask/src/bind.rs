//! From the linked WASM file to what a browser loads: the main file with its JavaScript, and one file for every part that is loaded
//! later (see docs/adr/0007-lazy-routes.md).

use crate::site::Profile;
use crate::wasm;
use anyhow::{Context, Result, anyhow, ensure};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Remembers which WASM file the bindings were made from, and how.
const INPUT_HASH: &str = "input.sha256";
/// Which files each lazy part needs: `{ "patch": ["chunk_3", "split_patch"] }`. The server reads it too (`server/src/assets.rs`).
pub(crate) const PARTS: &str = "parts.json";

/// What several pages share is worth a file of its own from this part of the main file on.
const WORTH: u64 = 150;
/// Loads them.
const LOADER: &str = "./parts.js";

/// Makes everything in `out` from `wasm`, unless it was made from the same file before.
pub(crate) fn bind(wasm: &Path, out: &Path, profile: Profile) -> Result<()> {
    let bytes = std::fs::read(wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
    let mut hash = Sha256::new();
    for part in [bytes.as_slice(), include_bytes!("bind.rs"), include_bytes!("wasm.rs")] {
        hash.update(part);
    }
    let hash = hex::encode(hash.finalize());
    let hash_file = out.with_file_name(INPUT_HASH);
    if out.is_dir() && std::fs::read_to_string(&hash_file).is_ok_and(|old| old == hash) {
        return Ok(());
    }
    if out.exists() {
        std::fs::remove_dir_all(out)?;
    }
    std::fs::create_dir_all(out)?;
    let main = split(&bytes, out)?;
    if profile == Profile::Release {
        for file in files_named(out, "")? {
            std::fs::write(&file, wasm::strip(&std::fs::read(&file)?)?)?;
        }
    }
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(main)
        .out_name("app")
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        // The other files import from the main one by the names that the linker gave.
        .keep_lld_exports(true)
        .demangle(false)
        .remove_name_section(profile == Profile::Release)
        .remove_producers_section(profile == Profile::Release)
        .generate(out)
        .context("wasm-bindgen failed")?;
    std::fs::write(hash_file, hash)?;
    Ok(())
}

/// Writes the files that are loaded later into `out` and the main one beside it, whose path is returned.
///
/// The splitter puts what several pages share into files of their own, one for every set of pages that share something: dozens of small
/// files a visit. So it runs twice. The first run tells what is shared; the second is told that the main file needs it too, unless a set of
/// pages shares so much that a file is worth its request.
fn split(bytes: &[u8], out: &Path) -> Result<PathBuf> {
    let main = out.with_file_name("main.wasm");
    transform(bytes, out, &main)?;
    let worth_a_file = std::fs::metadata(&main)?.len() / WORTH;
    let mut shared = Vec::new();
    for file in files_named(out, "chunk_")? {
        if std::fs::metadata(&file)?.len() < worth_a_file {
            shared.push(file);
        }
    }
    let shared = functions_in(&shared)?;
    std::fs::remove_dir_all(out)?;
    let mut parts = transform(&wasm::export(bytes, &shared)?, out, &main)?;
    let constants = take_constants(out, &mut parts)?;
    let linked = wasm::hide_exports(&std::fs::read(&main)?)?;
    std::fs::write(&main, wasm::with_data(&linked, &constants)?)?;
    std::fs::write(out.join(PARTS), serde_json::to_vec(&parts)?)?;
    Ok(main)
}

/// Which files each part needs.
type Parts = BTreeMap<String, Vec<String>>;

fn transform(bytes: &[u8], out: &Path, main: &Path) -> Result<Parts> {
    let mut options = wasm_split_cli_support::Options::new(bytes);
    options.output_dir = out;
    options.main_out_path = main;
    options.main_module = "./app.js";
    options.link_name = LOADER;
    let made = wasm_split_cli_support::transform(options).map_err(|error| anyhow!("splitting failed: {error:#}"))?;
    Ok(made.prefetch_map.into_iter().collect())
}

/// Constants that several pages share are still in files of their own, a few bytes each. They go to the main file, and nothing waits for
/// those files any more. The loader is rewritten for that.
fn take_constants(out: &Path, parts: &mut Parts) -> Result<Vec<Vec<u8>>> {
    let mut constants = Vec::new();
    let loader = out.join(LOADER);
    let mut script = std::fs::read_to_string(&loader)?;
    for file in files_named(out, "chunk_")? {
        let Some(segments) = wasm::only_data(&std::fs::read(&file)?)? else {
            continue;
        };
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let head = format!("const __{name} = makeLoad(");
        let tail = ", []);\n";
        let start = script
            .find(&head)
            .with_context(|| format!("{LOADER} does not load {name}"))?;
        let length = script[start..]
            .find(tail)
            .with_context(|| format!("{LOADER} loads {name} in an unknown way"))?;
        script.replace_range(
            start..start + length + tail.len(),
            &format!("const __{name} = async () => {{}};\n"),
        );
        for files in parts.values_mut() {
            files.retain(|other| *other != name);
        }
        constants.extend(segments);
        std::fs::remove_file(&file)?;
    }
    // To leave a page while its code is on the way ends the loading, which is no fault; whoever waits for the code is told anyway.
    let complains = "console.error(e)";
    ensure!(
        script.contains(complains),
        "{LOADER} tells of failures in an unknown way"
    );
    std::fs::write(loader, script.replace(complains, "console.warn(e)"))?;
    Ok(constants)
}

fn files_named(folder: &Path, start: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(start) && name.ends_with(".wasm") {
            files.push(path);
        }
    }
    // The same input gives the same files, to the byte.
    files.sort();
    Ok(files)
}

fn functions_in(files: &[PathBuf]) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for file in files {
        let bytes = std::fs::read(file)?;
        names.extend(wasm::function_names(&bytes)?.into_iter().map(|(_, name)| name));
    }
    Ok(names)
}
