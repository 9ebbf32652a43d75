//! One kept copy: the package file, and beside it what was written down when it was kept. Nothing is read through a symbolic link.

use crate::{command, files};
use domain::{Arch, PackageName, VersionText};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(300);

/// What was written down of a copy when it was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) name: PackageName,
    pub(super) version: VersionText,
    pub(super) arch: Arch,
    pub(super) size: u64,
    pub(super) sha256: String,
}

impl Kept {
    pub(super) fn file_name(&self) -> String {
        file_name(self.name.as_str(), self.version.as_str(), self.arch.as_str())
    }

    /// Whether a package says of itself that it is this one.
    fn is(&self, (name, version, arch): &(PackageName, VersionText, Arch)) -> bool {
        (&self.name, &self.version, &self.arch) == (name, version, arch)
    }
}

/// A colon would be an escape in an address.
pub(super) fn file_name(name: &str, version: &str, arch: &str) -> String {
    format!("{name}_{}_{arch}.deb", version.replace(':', ".."))
}

/// Where it is written down.
pub(super) fn record_of(path: &Path) -> PathBuf {
    path.with_extension("kept")
}

/// Takes a file into the store: a copy of its own, so that whoever wrote the file has no hold on it any more; what it is, is written down
/// and synced before it gets its name.
pub(super) fn take(from: &Path, folder: &Path) -> io::Result<PathBuf> {
    let mut source = open_plain(from)?;
    let beside = folder.join("taken");
    match fs::remove_file(&beside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    let (size, sha256) = read_through(&mut source, &mut made)?;
    made.sync_all()?;
    let (name, version, arch) = says(&beside).map_err(io::Error::other)?;
    let kept = Kept {
        name,
        version,
        arch,
        size,
        sha256,
    };
    let path = folder.join(kept.file_name());
    let record = serde_json::to_vec(&kept).map_err(io::Error::other)?;
    files::replace(&record_of(&path), &record, 0o600)?;
    fs::rename(&beside, &path)?;
    files::sync_parent(&path)?;
    Ok(path)
}

/// What was written down of this file, when the file is still exactly that; otherwise in words what is wrong with it.
pub(super) fn verified(path: &Path) -> Result<Kept, String> {
    let record = record_of(path);
    let mut text = Vec::new();
    open_own(&record)
        .and_then(|file| file.take(64 * 1024).read_to_end(&mut text))
        .map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => "nothing was written down of it when it was kept".to_owned(),
            _ => format!("what was written down of it cannot be read: {e}"),
        })?;
    let kept: Kept =
        serde_json::from_slice(&text).map_err(|e| format!("what was written down of it cannot be read: {e}"))?;
    if path.file_name() != Some(OsStr::new(&kept.file_name())) {
        return Err(format!(
            "what was written down of it is of {} {}",
            kept.name, kept.version
        ));
    }
    let mut file = open_own(path).map_err(|e| e.to_string())?;
    let (size, sha256) = read_through(&mut file, &mut io::sink()).map_err(|e| e.to_string())?;
    if size != kept.size {
        return Err(format!("it has {size} bytes and had {} when it was kept", kept.size));
    }
    if sha256 != kept.sha256 {
        return Err("its SHA-256 is another than when it was kept".to_owned());
    }
    let own = says(path)?;
    if !kept.is(&own) {
        let (name, version, arch) = own;
        return Err(format!("it says of itself that it is {name} {version} for {arch}"));
    }
    Ok(kept)
}

/// What a package says of itself.
fn says(path: &Path) -> Result<(PackageName, VersionText, Arch), String> {
    let show = [
        OsStr::new("--showformat=${Package}\t${Version}\t${Architecture}"),
        "-W".as_ref(),
        path.as_os_str(),
    ];
    let answer = command::ask("dpkg-deb", show, LIMIT).map_err(|e| e.to_string())?;
    if !answer.ok() {
        return Err(format!("it cannot be read as a package: {}", answer.complaint()));
    }
    let fields: Vec<&str> = answer.out.trim().split('\t').collect();
    let [name, version, arch] = fields[..] else {
        return Err("it does not say which package it is".to_owned());
    };
    match (PackageName::parse(name), VersionText::parse(version), Arch::parse(arch)) {
        (Ok(name), Ok(version), Ok(arch)) => Ok((name, version, arch)),
        _ => Err("what it says of itself is not the name of a package".to_owned()),
    }
}

/// A plain file, not what a symbolic link leads to.
fn open_plain(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    Ok(file)
}

/// A plain file that is the agent's own and that nobody else may write to.
fn open_own(path: &Path) -> io::Result<File> {
    let file = open_plain(path)?;
    let about = file.metadata()?;
    if about.uid() != rustix::process::geteuid().as_raw() || about.mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write to it"));
    }
    Ok(file)
}

/// Reads to the end, into `out`; returns size and SHA-256.
fn read_through(from: &mut impl Read, out: &mut impl Write) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        let n = from.read(&mut buffer)?;
        if n == 0 {
            return Ok((size, hex::encode(hasher.finalize())));
        }
        hasher.update(&buffer[..n]);
        out.write_all(&buffer[..n])?;
        size += n as u64;
    }
}
