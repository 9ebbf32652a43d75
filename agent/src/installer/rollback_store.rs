//! Copies of the versions that were installed before an upgrade: archives keep only the newest version of each suite, so that the way
//! back must not depend on them. The folder is a flat package archive that only the agent's own calls see; nothing under `/etc/apt`
//! is touched.
//!
//! `apt-mark hold` is not used to keep a rolled-back version: a hold would also stop the device's owner, would hide later and better
//! versions, and nobody would know who set it. The server keeps the block, shows it, and a person lifts it there.

mod copy;

use super::apt::{rate, words};
use crate::{command, config::Home, files};
use protocol::v1::PackageVersion;
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

const LIMIT: Duration = Duration::from_secs(1_800);
/// Versions kept of one package.
const VERSIONS: usize = 3;
/// What people should know of the last look at the copies, for the log of the attempt.
const REMARKS: &str = "remarks";

/// The store.
pub struct Store {
    folder: PathBuf,
    incoming: PathBuf,
}

/// What asking for versions came to.
#[derive(Debug, Default)]
pub struct Fetched {
    /// Packages that are not to be had, and why.
    pub missing: Vec<(String, String)>,
    /// Copies that were there and may not be used, in words.
    pub unusable: Vec<String>,
}

impl Store {
    /// In the agent's folder.
    #[must_use]
    pub fn at(home: &Home) -> Self {
        Self {
            folder: home.path("rollback"),
            incoming: home.path("incoming"),
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

    /// Keeps a copy of every installed version, and of those that are `needed` next where they are here. Returns the installed ones that
    /// could not be kept, and why.
    #[must_use]
    pub fn keep(
        &self,
        current: &[PackageVersion],
        needed: &[PackageVersion],
        rate_kib: Option<u32>,
        cache: &[String],
    ) -> Vec<(String, String)> {
        let Fetched { mut missing, unusable } = self.fetch(current, rate_kib, cache);
        for line in unusable {
            tracing::warn!("{line}");
        }
        // Gone from the archive: put together again from the installed files, where the tool for it is there.
        if !missing.is_empty() && Path::new("/usr/bin/dpkg-repack").exists() {
            missing.retain(|(name, _)| {
                let incoming = self.incoming.display().to_string();
                let _ = command::ask_in("dpkg-repack", [name.as_str()], LIMIT, &incoming);
                self.take_in();
                current
                    .iter()
                    .any(|p| p.name.as_str() == name && p.version.is_some() && self.find(p).is_err())
            });
        }
        self.prune(&[current, needed]);
        missing
    }

    /// Gets every version of which the store has no good copy from the archive.
    #[must_use]
    pub fn fetch(&self, packages: &[PackageVersion], rate_kib: Option<u32>, cache: &[String]) -> Fetched {
        let mut out = Fetched::default();
        if let Err(e) = self.make() {
            let why = |p: &PackageVersion| (p.name.to_string(), format!("the rollback store cannot be used: {e}"));
            out.missing = packages.iter().filter(|p| p.version.is_some()).map(why).collect();
            return out;
        }
        let mut wanted = Vec::new();
        for package in packages.iter().filter(|p| p.version.is_some()) {
            if let Err(unusable) = self.find(package) {
                out.unusable.extend(unusable);
                wanted.push(package);
            }
        }
        if wanted.is_empty() {
            return out;
        }
        let incoming = self.incoming.display().to_string();
        let get = |names: Vec<String>| {
            let mut args = words(&["-qq", "-oAcquire::Retries=2"]);
            args.extend(cache.iter().cloned());
            args.extend(rate(rate_kib));
            args.extend(words(&["download", "--"]));
            args.extend(names);
            let answer = command::download("apt-get", args, LIMIT, &incoming);
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
        let _ = get(wanted.iter().map(|p| word(p)).collect());
        wanted.retain(|p| self.find(p).is_err());
        // One that is gone from the archive stops the whole call: the others are asked for one by one.
        for package in wanted {
            let why = match get(vec![word(package)]) {
                Ok(answer) => answer.complaint(),
                Err(e) => e.to_string(),
            };
            if self.find(package).is_err() {
                out.missing.push((package.name.to_string(), why));
            }
        }
        out
    }

    /// A copy of this version that is still what was kept. An error says what is wrong with the one that is there, if there is one.
    fn find(&self, package: &PackageVersion) -> Result<PathBuf, Option<String>> {
        let version = package.version.as_ref().ok_or(None)?;
        let mut wrong = None;
        for path in self.paths(package) {
            // A link that leads nowhere is there, too.
            if fs::symlink_metadata(&path).is_err() {
                continue;
            }
            match copy::verified(&path) {
                Ok(_) => return Ok(path),
                Err(why) => {
                    wrong = Some(format!(
                        "the kept copy of {} {version} is not used: {why}",
                        package.name
                    ))
                }
            }
        }
        Err(wrong)
    }

    /// Where a copy of this version lies, if there is one: a package may have moved between `all` and an architecture.
    fn paths(&self, package: &PackageVersion) -> Vec<PathBuf> {
        let (name, version) = (package.name.as_str(), package.version.as_ref());
        let of = |arch| version.map(|v| self.folder.join(copy::file_name(name, v.as_str(), arch)));
        [package.arch.as_str(), "all"].into_iter().filter_map(of).collect()
    }

    /// Notes what the log of the coming attempt should say of the copies.
    pub fn remark(&self, lines: &[String]) {
        let path = self.folder.join(REMARKS);
        let noted = if lines.is_empty() {
            fs::remove_file(&path).or_else(|e| {
                if e.kind() == io::ErrorKind::NotFound {
                    Ok(())
                } else {
                    Err(e)
                }
            })
        } else {
            files::replace(&path, lines.join("\n").as_bytes(), 0o600)
        };
        if let Err(e) = noted {
            tracing::warn!(error = %e, "what was seen of the kept copies cannot be noted");
        }
    }

    /// What was noted so.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let noted = files::read(&self.folder.join(REMARKS))
            .ok()
            .flatten()
            .unwrap_or_default();
        String::from_utf8_lossy(&noted).lines().map(str::to_owned).collect()
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
            let kept = match copy::verified(&path) {
                Ok(kept) => kept,
                Err(why) => {
                    tracing::warn!(file = %path.display(), why, "a kept copy is left out");
                    continue;
                }
            };
            let answer =
                command::ask("dpkg-deb", ["-f".as_ref(), path.as_os_str()], LIMIT).map_err(io::Error::other)?;
            if !answer.ok() {
                tracing::warn!(file = %path.display(), "a kept package cannot be read; it is left out");
                continue;
            }
            // What was written down, not what is there now: apt compares once more.
            let _ = write!(
                index,
                "{}\nFilename: ./{}\nSize: {}\nSHA256: {}\n\n",
                answer.out.trim_end(),
                kept.file_name(),
                kept.size,
                kept.sha256
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

    /// The folders: the copies are for root alone, and only the folder that apt's own user downloads into is that user's.
    fn make(&self) -> io::Result<()> {
        let own = rustix::process::geteuid().as_raw();
        private_folder(&self.folder, own)?;
        fs::create_dir_all(self.folder.join("lists/partial"))?;
        let downloads = apt_user().filter(|_| own == 0).unwrap_or(own);
        private_folder(&self.incoming, downloads)
    }

    fn packages(&self) -> impl Iterator<Item = PathBuf> {
        let all = fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.path());
        all.filter(|p| p.extension().is_some_and(|e| e == "deb"))
    }

    /// Takes what was downloaded into the store, under names of the store's own.
    fn take_in(&self) {
        for entry in fs::read_dir(&self.incoming).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|e| e != "deb") {
                continue;
            }
            if let Err(e) = copy::take(&path, &self.folder) {
                tracing::warn!(file = %path.display(), error = %e, "a copy could not be put into the rollback store");
            }
            let _ = fs::remove_file(&path);
        }
    }

    /// Keeps the newest copies of each package for each architecture, and whatever is needed now, however old it is.
    fn prune(&self, needed: &[&[PackageVersion]]) {
        let needed: BTreeSet<PathBuf> = needed.iter().copied().flatten().flat_map(|p| self.paths(p)).collect();
        let mut all: Vec<((String, String), SystemTime, PathBuf)> = self
            .packages()
            .filter_map(|p| {
                let stem = p.file_stem()?.to_str()?;
                let package = (stem.split('_').next()?.to_owned(), stem.rsplit('_').next()?.to_owned());
                Some((package, fs::symlink_metadata(&p).ok()?.modified().ok()?, p))
            })
            .collect();
        all.sort();
        for group in all.chunk_by(|a, b| a.0 == b.0) {
            let too_many = group.iter().rev().skip(VERSIONS);
            for (_, _, path) in too_many.filter(|(_, _, path)| !needed.contains(path)) {
                let _ = fs::remove_file(path);
                let _ = fs::remove_file(copy::record_of(path));
            }
        }
    }
}

/// Makes a folder that only `owner` may enter. One that is a link, or that somebody else made, is not used.
fn private_folder(path: &Path, owner: u32) -> io::Result<()> {
    let own = rustix::process::geteuid().as_raw();
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    let there = fs::symlink_metadata(path)?;
    if !there.is_dir() || ![own, owner].contains(&there.uid()) {
        let shown = path.display();
        return Err(io::Error::other(format!("{shown} is not a folder of the agent's own")));
    }
    if there.uid() != owner {
        rustix::fs::chown(path, Some(rustix::fs::Uid::from_raw(owner)), None)?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

fn apt_user() -> Option<u32> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users
        .lines()
        .find_map(|l| l.strip_prefix("_apt:"))
        .and_then(|l| l.split(':').nth(1)?.parse().ok())
}

#[cfg(test)]
mod tests;
