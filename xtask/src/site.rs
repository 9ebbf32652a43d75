//! The browser part: WASM, its JavaScript, the style sheet and the public files, all under `target/site/pkg/<id>/`.
//! The id is the hash of the contents, so browsers may keep a file for ever and a page never mixes two builds.

use crate::bind::bind;
use crate::process::{cargo, must_succeed, root, target_dir};
use crate::{shrink, toolchain};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// What the browser part is made of: when none of this changed, nothing is built.
const INPUTS: &[&str] = &[
    "app",
    "frontend",
    "crates/view",
    "crates/domain",
    "style",
    "public",
    "xtask/src/bind.rs",
    "xtask/src/shrink.rs",
    "xtask/src/site.rs",
    "xtask/src/wasm.rs",
    "Cargo.lock",
    "Cargo.toml",
    ".cargo/config.toml",
    "rust-toolchain.toml",
];
/// Bytes of the hash that name a build: 64 bits are plenty to tell two builds apart.
const ID_BYTES: usize = 8;
/// Smaller files gain nothing from compression.
const COMPRESS_FROM: usize = 512;
const BROTLI_QUALITY: i32 = 11;
const BROTLI_WINDOW_BITS: i32 = 22;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

impl Profile {
    pub(crate) fn of(release: bool) -> Self {
        if release { Self::Release } else { Self::Dev }
    }

    fn cargo_name(self) -> &'static str {
        match self {
            Self::Dev => "wasm-dev",
            Self::Release => "wasm-release",
        }
    }
}

/// A finished `target/site`.
pub(crate) struct Site {
    pub(crate) id: String,
    /// Nothing had to be built.
    pub(crate) fresh: bool,
}

impl Site {
    /// Where its files are.
    pub(crate) fn pkg(&self) -> PathBuf {
        folder().join("pkg").join(&self.id)
    }
}

fn folder() -> PathBuf {
    root().join("target/site")
}

/// File names below `pkg/<id>/` and their contents.
type Files = BTreeMap<String, Vec<u8>>;

/// Makes `target/site` up to date.
pub(crate) fn build(profile: Profile) -> Result<Site> {
    let site = folder();
    let stamp_file = root().join("target/site.stamp");
    let stamp = format!("{} {}", profile.cargo_name(), stamp_of_inputs()?);
    if let (Ok(id), Ok(old)) = (
        std::fs::read_to_string(site.join("build-id")),
        std::fs::read_to_string(&stamp_file),
    ) {
        let id = id.trim().to_owned();
        if old == stamp && site.join("pkg").join(&id).is_dir() {
            return Ok(Site { id, fresh: true });
        }
    }
    let files = files(profile)?;
    let id = id_of(&files);
    write_site(&site, &id, &files, profile)?;
    std::fs::write(stamp_file, stamp)?;
    Ok(Site { id, fresh: false })
}

/// Builds and gathers everything that a browser loads, without writing `target/site`.
fn files(profile: Profile) -> Result<Files> {
    toolchain::for_browsers()?;
    let name = profile.cargo_name();
    let front = target_dir().join("front");
    must_succeed(
        cargo([
            "rustc",
            "-p",
            "frontend",
            "--target",
            toolchain::BROWSER,
            "--profile",
            name,
            "--target-dir",
        ])
        .arg(&front)
        // For the crate that links alone: the splitter follows the relocations to see who needs what.
        .args(["--crate-type", "cdylib", "--", "-C", "link-arg=--emit-relocs"]),
    )?;
    let wasm = front.join(toolchain::BROWSER).join(name).join("frontend.wasm");
    let bound = front.join("bindgen").join(name).join("out");
    bind(&wasm, &bound, profile)?;

    let mut files = Files::new();
    gather(&bound, &bound, &mut files)?;
    let public = root().join("public");
    if public.is_dir() {
        gather(&public, &public, &mut files)?;
    }
    let css = root().join("style/main.css");
    let text = std::fs::read(&css).unwrap_or_else(|error| {
        println!("      no style sheet: {}: {error}", css.display());
        Vec::new()
    });
    files.insert("main.css".to_owned(), text);
    if profile == Profile::Release {
        for (name, bytes) in &mut files {
            let shorter = match Path::new(name).extension().and_then(|ending| ending.to_str()) {
                Some("js") => shrink::script,
                Some("css") => shrink::style,
                _ => continue,
            };
            *bytes = shorter(std::str::from_utf8(bytes).with_context(|| format!("{name} is not text"))?).into_bytes();
        }
    }
    Ok(files)
}

fn write_site(site: &Path, id: &str, files: &Files, profile: Profile) -> Result<()> {
    // Written aside and renamed: a server that reads `target/site` meanwhile never sees half a build.
    let fresh = site.with_extension("new");
    if fresh.exists() {
        std::fs::remove_dir_all(&fresh)?;
    }
    let pkg = fresh.join("pkg").join(id);
    for (name, bytes) in files {
        let path = pkg.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, bytes)?;
        if profile == Profile::Release && compressible(name) && bytes.len() >= COMPRESS_FROM {
            std::fs::write(pkg.join(format!("{name}.br")), brotli(bytes)?)?;
            std::fs::write(pkg.join(format!("{name}.gz")), gzip(bytes)?)?;
        }
    }
    std::fs::write(fresh.join("build-id"), id)?;
    if site.exists() {
        std::fs::remove_dir_all(site)?;
    }
    std::fs::rename(&fresh, site)?;
    Ok(())
}

fn compressible(name: &str) -> bool {
    let ending = Path::new(name)
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or_default();
    matches!(ending, "wasm" | "js" | "css" | "svg" | "txt" | "json")
}

/// The best that brotli can do: built once, sent often.
fn brotli(bytes: &[u8]) -> Result<Vec<u8>> {
    let params = brotli::enc::BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        lgwin: BROTLI_WINDOW_BITS,
        ..Default::default()
    };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut out, &params)?;
    Ok(out)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// Length before each part, so that no two different sets of files hash alike.
fn id_of(files: &Files) -> String {
    let mut hash = Sha256::new();
    for (name, bytes) in files {
        for part in [name.as_bytes(), bytes] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hex::encode(&hash.finalize()[..ID_BYTES])
}

fn gather(base: &Path, folder: &Path, files: &mut Files) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            gather(base, &path, files)?;
        } else {
            let name = path.strip_prefix(base)?.to_string_lossy().replace('\\', "/");
            files.insert(name, std::fs::read(&path)?);
        }
    }
    Ok(())
}

/// Names, sizes and times of everything the browser part is made of.
fn stamp_of_inputs() -> Result<String> {
    let mut lines = Vec::new();
    for input in INPUTS {
        stamp_lines(&root().join(input), &mut lines)?;
    }
    if lines.is_empty() {
        bail!("no sources found");
    }
    lines.sort();
    Ok(hex::encode(Sha256::digest(lines.join("\n"))))
}

fn stamp_lines(path: &Path, lines: &mut Vec<String>) -> Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            stamp_lines(&entry?.path(), lines)?;
        }
    } else if let Ok(meta) = path.metadata() {
        let time = meta
            .modified()?
            .duration_since(UNIX_EPOCH)
            .map_or(0, |age| age.as_nanos());
        lines.push(format!("{} {} {time}", path.display(), meta.len()));
    }
    Ok(())
}
