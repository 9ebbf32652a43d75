//! Copies of the versions that were installed before an upgrade: archives keep only the newest version of each suite, so that the way
//! back must not depend on them. The folder is a flat package archive that only the agent's own calls see; nothing under `/etc/apt`
//! is touched.
//!
//! `apt-mark hold` is not used to keep a rolled-back version: a hold would also stop the device's owner, would hide later and better
//! versions, and nobody would know who set it. The server keeps the block, shows it, and a person lifts it there.

use super::apt::{rate, words};
use crate::{command, config::Home, files};
use protocol::v1::PackageVersion;
use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

const LIMIT: Duration = Duration::from_secs(1_800);
/// Versions kept of one package.
const VERSIONS: usize = 3;

/// The store.
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// In the agent's folder.
    #[must_use]
    pub fn at(home: &Home) -> Self {
        Self {
            folder: home.path("rollback"),
        }
    }

    /// Options that make apt see this store and nothing else. It needs no network, so apt's unprivileged user has nothing to protect
    /// here and would only fail on folders that it may not enter.
    #[must_use]
    pub fn options(&self) -> Vec<String> {
        let at = |name: &str| self.folder.join(name).display().to_string();
        vec![
            format!("-oDir::Etc::sourcelist={}", at("sources.list")),
            "-oDir::Etc::sourceparts=/dev/null".to_owned(),
            format!("-oDir::State::lists={}", at("lists")),
            "-oDir::Cache::pkgcache=".to_owned(),
            "-oDir::Cache::srcpkgcache=".to_owned(),
            "-oAPT::Sandbox::User=root".to_owned(),
        ]
    }

    /// Keeps a copy of every installed version. Returns those that could not be kept, and why.
    #[must_use]
    pub fn keep(&self, current: &[PackageVersion], rate_kib: Option<u32>, cache: &[String]) -> Vec<(String, String)> {
        let mut missing = self.fetch(current, rate_kib, cache);
        // Gone from the archive: put together again from the installed files, where the tool for it is there.
        if !missing.is_empty() && Path::new("/usr/bin/dpkg-repack").exists() {
            missing.retain(|(name, _)| {
                let incoming = self.incoming().display().to_string();
                let _ = command::ask_in("dpkg-repack", [name.as_str()], LIMIT, &incoming);
                self.take_in();
                current
                    .iter()
                    .any(|p| p.name.as_str() == name && p.version.is_some() && !self.has(p))
            });
        }
        self.prune();
        missing
    }

    /// Gets every version that is not in the store from the archive. Returns those that are not to be had, and why.
    #[must_use]
    pub fn fetch(&self, packages: &[PackageVersion], rate_kib: Option<u32>, cache: &[String]) -> Vec<(String, String)> {
        let wanted = || packages.iter().filter(|p| p.version.is_some() && !self.has(p));
        if wanted().next().is_none() {
            return Vec::new();
        }
        if let Err(e) = self.make() {
            return wanted().map(|p| (p.name.to_string(), e.to_string())).collect();
        }
        let incoming = self.incoming().display().to_string();
        let get = |names: Vec<String>| {
            let mut args = words(&["-qq", "-oAcquire::Retries=2"]);
            args.extend(cache.iter().cloned());
            args.extend(rate(rate_kib));
            args.extend(words(&["download", "--"]));
            args.extend(names);
            let answer = command::ask_in("apt-get", args, LIMIT, &incoming);
            self.take_in();
            answer
        };
        let word = |p: &PackageVersion| {
            let version = p.version.as_ref().map(ToString::to_string).unwrap_or_default();
            if p.arch.as_str() == "all" {
                format!("{}={version}", p.name)
            } else {
                format!("{}:{}={version}", p.name, p.arch)
            }
        };
        let _ = get(wanted().map(word).collect());
        // One that is gone from the archive stops the whole call: the others are asked for one by one.
        let mut missing = Vec::new();
        for package in wanted().collect::<Vec<_>>() {
            let why = match get(vec![word(package)]) {
                Ok(answer) => answer.complaint(),
                Err(e) => e.to_string(),
            };
            if !self.has(package) {
                missing.push((package.name.to_string(), why));
            }
        }
        missing
    }

    /// Whether a version is kept.
    #[must_use]
    pub fn has(&self, package: &PackageVersion) -> bool {
        let Some(version) = &package.version else { return true };
        [package.arch.as_str(), "all"].iter().any(|arch| {
            self.folder
                .join(file_name(package.name.as_str(), version.as_str(), arch))
                .exists()
        })
    }

    /// Writes the index and lets apt read it.
    ///
    /// # Errors
    /// Whatever the file system or apt says.
    pub fn publish(&self) -> io::Result<()> {
        self.make()?;
        let mut index = String::new();
        let mut names: Vec<_> = self.packages().collect();
        names.sort();
        for path in names {
            let answer =
                command::ask("dpkg-deb", ["-f".as_ref(), path.as_os_str()], LIMIT).map_err(io::Error::other)?;
            if !answer.ok() {
                tracing::warn!(file = %path.display(), "a kept package cannot be read; it is left out");
                continue;
            }
            let (size, hash) = size_and_hash(&path)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let _ = write!(
                index,
                "{}\nFilename: ./{name}\nSize: {size}\nSHA256: {hash}\n\n",
                answer.out.trim_end()
            );
        }
        files::replace(&self.folder.join("Packages"), index.as_bytes(), 0o644)?;
        let source = format!("deb [trusted=yes] file:{} ./\n", self.folder.display());
        files::replace(&self.folder.join("sources.list"), source.as_bytes(), 0o644)?;
        let mut args = words(&["-qq", "update"]);
        args.extend(self.options());
        let answer = command::ask("apt-get", args, LIMIT).map_err(io::Error::other)?;
        if answer.ok() {
            Ok(())
        } else {
            Err(io::Error::other(answer.complaint()))
        }
    }

    fn make(&self) -> io::Result<()> {
        fs::create_dir_all(self.folder.join("lists/partial"))?;
        fs::create_dir_all(self.incoming())?;
        // apt downloads as its own user.
        if let Some(user) = apt_user() {
            let _ = rustix::fs::chown(self.incoming(), Some(rustix::fs::Uid::from_raw(user)), None);
        }
        Ok(())
    }

    fn incoming(&self) -> PathBuf {
        self.folder.join("incoming")
    }

    fn packages(&self) -> impl Iterator<Item = PathBuf> {
        let all = fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.path());
        all.filter(|p| p.extension().is_some_and(|e| e == "deb"))
    }

    /// Moves what was downloaded into the store, under names of the store's own.
    fn take_in(&self) {
        for entry in fs::read_dir(self.incoming()).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|e| e != "deb") {
                continue;
            }
            let show = [
                std::ffi::OsStr::new("--showformat=${Package}\t${Version}\t${Architecture}"),
                "-W".as_ref(),
                path.as_os_str(),
            ];
            let answer = command::ask("dpkg-deb", show, LIMIT).unwrap_or_default();
            let fields: Vec<&str> = answer.out.trim().split('\t').collect();
            let moved = match fields[..] {
                [name, version, arch] if answer.ok() => {
                    let to = self.folder.join(file_name(name, version, arch));
                    let sync = |p: &Path| fs::File::open(p).and_then(|f| f.sync_all());
                    let _ = rustix::fs::chown(&path, Some(rustix::fs::Uid::from_raw(0)), None);
                    sync(&path)
                        .and_then(|()| fs::rename(&path, &to))
                        .and_then(|()| files::sync_parent(&to))
                }
                _ => fs::remove_file(&path),
            };
            if let Err(e) = moved {
                tracing::warn!(file = %path.display(), error = %e, "a copy could not be put into the rollback store");
            }
        }
    }

    /// Keeps the newest copies of each package.
    fn prune(&self) {
        let mut all: Vec<(String, SystemTime, PathBuf)> = self
            .packages()
            .filter_map(|p| {
                let name = p.file_name()?.to_str()?.split('_').next()?.to_owned();
                Some((name, fs::metadata(&p).ok()?.modified().ok()?, p))
            })
            .collect();
        all.sort();
        for group in all.chunk_by(|a, b| a.0 == b.0) {
            for (_, _, path) in group.iter().rev().skip(VERSIONS) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// A colon would be an escape in an address.
fn file_name(name: &str, version: &str, arch: &str) -> String {
    format!("{name}_{}_{arch}.deb", version.replace(':', ".."))
}

fn size_and_hash(path: &Path) -> io::Result<(u64, String)> {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    let mut file = fs::File::open(path)?;
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        let n = io::Read::read(&mut file, &mut buffer)?;
        if n == 0 {
            return Ok((size, hex::encode(hasher.finalize())));
        }
        hasher.update(&buffer[..n]);
        size += n as u64;
    }
}

fn apt_user() -> Option<u32> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users
        .lines()
        .find_map(|l| l.strip_prefix("_apt:"))
        .and_then(|l| l.split(':').nth(1)?.parse().ok())
}
