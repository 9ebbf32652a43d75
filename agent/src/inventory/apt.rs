//! Scans with dpkg and apt. Five short calls, no simulation unless an update may bring in a new package or is being phased in: on a
//! device of 743 packages the simulation alone would cost twice the rest (ENGINES 1.1).

pub mod brought;
pub mod sources;
pub mod text;
pub mod vendors;

use super::{Refreshed, ScanSettings};
use crate::{
    command::{self, Answer, CommandError},
    config::Home,
};
use domain::{Arch, PackageName, VersionText, compare_debian};
use protocol::{
    ShortText, limits,
    v1::{Brake, Foreign, InstalledPackage, Origin, SourceStatus, Update},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use text::{Change, DpkgLine, Kept, Policy, PolicyVersion, Release, Shown};

/// For calls that only read.
const LIMIT: Duration = Duration::from_secs(120);
/// For fetching indexes over a slow line.
const REFRESH_LIMIT: Duration = Duration::from_secs(600);

/// Between two looks at a lock on the indexes that someone else holds, and how many there are.
const LISTS_LOOK: Duration = Duration::from_secs(3);
const LISTS_TRIES: u32 = 20;

/// Why a scan gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// A program could not be run.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A program ran and refused.
    #[error("{program}: {said}")]
    Said {
        /// The program.
        program: &'static str,
        /// What it said.
        said: String,
    },
}

/// What apt and dpkg know.
#[derive(Debug, Default)]
pub struct Seen {
    /// Installed packages.
    pub packages: Vec<InstalledPackage>,
    /// Available updates.
    pub updates: Vec<Update>,
    /// Sources.
    pub sources: Vec<SourceStatus>,
    /// What is wrong with the package manager itself.
    pub error: Option<ShortText>,
    /// What is installed from other vendors' archives.
    pub foreign: Vec<Foreign>,
}

/// The package manager's main architecture.
#[must_use]
pub fn native_arch() -> Option<String> {
    let answer = command::ask("dpkg", ["--print-architecture"], LIMIT).ok()?;
    Some(answer.out.trim().to_owned()).filter(|a| answer.ok() && !a.is_empty())
}

/// Options for every apt call. Images made for containers switch apt's own cache off, which makes each call build it anew (0.5 s and
/// more); it is then kept in the agent's folder.
#[must_use]
pub fn cache_options(home: &Home) -> Vec<String> {
    let off = command::ask("apt-config", ["dump", "Dir::Cache::pkgcache"], LIMIT).is_ok_and(|a| a.out.contains("\"\""));
    let folder = home.path("cache");
    if !off || std::fs::create_dir_all(&folder).is_err() {
        return Vec::new();
    }
    vec![
        format!("-oDir::Cache::pkgcache={}", folder.join("pkgcache.bin").display()),
        // One cache is enough; the second only helps when sources change.
        "-oDir::Cache::srcpkgcache=".to_owned(),
    ]
}

/// Runs `program` and takes its output only when it succeeded.
fn read(program: &'static str, args: &[String]) -> Result<String, ScanError> {
    let answer = command::ask(program, args, LIMIT)?;
    if answer.ok() {
        Ok(answer.out)
    } else {
        Err(ScanError::Said {
            program,
            said: answer.complaint(),
        })
    }
}

fn words(fixed: &[&str], options: &[String], rest: impl IntoIterator<Item = String>) -> Vec<String> {
    fixed
        .iter()
        .map(|s| (*s).to_owned())
        .chain(options.iter().cloned())
        .chain(rest)
        .collect()
}

/// One scan.
///
/// # Errors
/// When the installed packages or the candidates cannot be read. Sources that cannot be read are part of the result.
pub fn scan(settings: &ScanSettings) -> Result<Seen, ScanError> {
    let options = cache_options(settings.home);
    let failed = refresh(settings, &options);
    let native = native_arch().unwrap_or_default();
    let status = read("dpkg-query", &words(&["-W", text::QUERY], &[], []))?;
    let lines: Vec<DpkgLine> = text::dpkg_lines(&status).filter(DpkgLine::present).collect();
    let packages = installed(&lines);

    let names: Vec<String> = lines.iter().map(|l| key(l.name, l.arch, &native)).collect();
    let (policy_text, release_text, targets_text, audit) = std::thread::scope(|scope| {
        let releases = scope.spawn(|| read("apt-cache", &words(&["policy"], &options, [])));
        let policy: Result<String, ScanError> = names
            .chunks(2_000)
            .map(|names| read("apt-cache", &words(&["policy"], &options, names.to_vec())))
            .collect();
        let targets = words(
            &["indextargets", "--format", sources::TARGETS, "Created-By: Packages"],
            &options,
            [],
        );
        let targets = read("apt-get", &targets);
        let audit = audit();
        (policy, releases.join().unwrap_or(Ok(String::new())), targets, audit)
    });
    let (policy_text, release_text) = (policy_text?, release_text?);
    let policies = text::policies(&policy_text);
    let releases = text::releases(&release_text);
    let targets = sources::targets(&targets_text.unwrap_or_default());

    let offered = offered(&lines, &policies, &native);
    let wanted: Vec<String> = offered
        .iter()
        .map(|o| format!("{}={}", key(o.line.name, o.line.arch, &native), o.version.version))
        .collect();
    let mut show_text = show(&wanted, &options)?;
    let (new, taken) = simulate(&lines, &offered, &show_text, &options);
    let seen = |updates: Vec<Update>| Seen {
        packages,
        updates,
        sources: sources::statuses(&targets, &failed),
        error: audit,
        foreign: vendors::foreign(&lines, &policies, &releases, &native),
    };
    if !new.is_empty() {
        // A package that comes in anew has no policy yet.
        let names: Vec<String> = new.iter().map(|(name, ..)| name.clone()).collect();
        let policy_text = read("apt-cache", &words(&["policy"], &options, names))?;
        let new_policies = text::policies(&policy_text);
        let wanted: Vec<String> = new
            .iter()
            .map(|(name, arch, version)| format!("{}={version}", key(name, arch, &native)))
            .collect();
        show_text.push_str("\n\n");
        show_text.push_str(&show(&wanted, &options)?);
        let about = index(&show_text);
        let come: Vec<(&str, &Shown, &PolicyVersion)> = new
            .iter()
            .filter_map(|(name, arch, version)| {
                let mut versions = new_policies.get(name.as_str())?.versions.iter();
                let row = versions.find(|v| &v.version == version)?;
                Some((arch.as_str(), about.get(name, version, arch)?, row))
            })
            .collect();
        let shown = |o: &Offered| about.get(o.line.name, &o.version.version, o.line.arch);
        let brought_by = brought::brought(
            &offered.iter().filter_map(shown).collect::<Vec<_>>(),
            &come.iter().map(|(_, shown, _)| *shown).collect::<Vec<_>>(),
            &there(&lines),
        );
        let fresh = come.into_iter().zip(brought_by).filter_map(|((arch, shown, row), by)| {
            let by = by.iter().filter_map(|source| PackageName::parse(source).ok());
            Some(Update {
                brought_by: by.take(limits::MAX_BROUGHT_BY).collect(),
                ..update(shown, arch, None, row, None, false, &releases)?
            })
        });
        let mut updates = updates(&offered, &about, &taken, &releases);
        updates.extend(fresh);
        return Ok(seen(updates));
    }
    Ok(seen(updates(&offered, &index(&show_text), &taken, &releases)))
}

/// `name`, or `name:arch` for a foreign architecture: how apt names packages on input and output.
fn key(name: &str, arch: &str, native: &str) -> String {
    if arch == native || arch == "all" {
        name.to_owned()
    } else {
        format!("{name}:{arch}")
    }
}

fn show(wanted: &[String], options: &[String]) -> Result<String, ScanError> {
    let parts: Result<Vec<String>, ScanError> = wanted
        .chunks(1_000)
        .map(|w| read("apt-cache", &words(&["show"], options, w.to_vec())))
        .collect();
    Ok(parts?.join("\n\n"))
}

/// Fetches the indexes when they are old and the agent may; says which sources failed, then or the last time.
fn refresh(settings: &ScanSettings, options: &[String]) -> Vec<SourceStatus> {
    let last: Refreshed = settings.home.load(Refreshed::FILE).ok().flatten().unwrap_or_default();
    let due = settings.refresh || last.due(settings.now, settings.interval);
    if !due || !rustix::process::geteuid().is_root() {
        return last.failed;
    }
    let args = words(&["-q", "update", "-oAcquire::Retries=1"], options, []);
    let targets = || {
        let args = words(
            &["indextargets", "--format", sources::TARGETS, "Created-By: Packages"],
            options,
            [],
        );
        sources::targets(&read("apt-get", &args).unwrap_or_default())
    };
    let fetched = patiently(|| command::ask("apt-get", &args, REFRESH_LIMIT), LISTS_LOOK);
    let failed = match fetched {
        Ok(answer) => sources::failures(&answer.out, &answer.err, answer.code, &targets()),
        Err(e) => sources::failures("", &format!("E: {e}"), None, &targets()),
    };
    for source in &failed {
        tracing::warn!(source = %source.name, error = source.error.as_ref().map(ShortText::as_str), "a source could not be read");
    }
    let refreshed = last.next(settings.now, failed);
    if let Err(e) = settings.home.save(Refreshed::FILE, &refreshed) {
        tracing::warn!(error = %e, "cannot note when the indexes were fetched");
    }
    refreshed.failed
}

/// Asks again while someone else's apt holds the lock on the indexes: a minute of patience is better than a report that says nothing was
/// read. apt itself waits for dpkg's lock and not for this one.
fn patiently(
    mut update: impl FnMut() -> Result<Answer, CommandError>,
    pause: Duration,
) -> Result<Answer, CommandError> {
    for _ in 1..LISTS_TRIES {
        match update() {
            Ok(answer) if !answer.ok() && sources::locked(&answer.err) && !command::stopping() => {
                std::thread::sleep(pause);
            }
            other => return other,
        }
    }
    update()
}

/// What `dpkg --audit` says, in one line.
#[must_use]
pub fn audit() -> Option<ShortText> {
    match command::ask("dpkg", ["--audit"], LIMIT) {
        Ok(answer) if answer.ok() && answer.out.trim().is_empty() => None,
        Ok(answer) if answer.out.trim().is_empty() => Some(ShortText::fit(&answer.complaint())),
        Ok(answer) => {
            let packages: Vec<&str> = answer
                .out
                .lines()
                .filter_map(|l| l.strip_prefix(' '))
                .filter_map(|l| l.split_whitespace().next())
                .collect();
            Some(ShortText::fit(&format!("dpkg --audit names {}", packages.join(", "))))
        }
        Err(e) => Some(ShortText::fit(&e.to_string())),
    }
}

/// Packages in the words of the protocol. One that does not fit the grammar is left out and said so: it could never be named in an order.
fn installed(lines: &[DpkgLine]) -> Vec<InstalledPackage> {
    let mut out = Vec::with_capacity(lines.len());
    for line in lines {
        let package = || -> Result<InstalledPackage, domain::GrammarError> {
            let version = VersionText::parse(line.version)?;
            let source_version = VersionText::parse(line.source_version)?;
            Ok(InstalledPackage {
                name: PackageName::parse(line.name)?,
                arch: Arch::parse(line.arch)?,
                source: PackageName::parse(line.source)?,
                source_version: Some(source_version).filter(|v| *v != version),
                version,
            })
        };
        match package() {
            Ok(package) => out.push(package),
            Err(e) => tracing::warn!(package = line.name, error = %e, "a package is left out of the report"),
        }
    }
    out
}

/// A version that could be installed in place of another.
struct Offered<'a> {
    line: &'a DpkgLine<'a>,
    version: &'a PolicyVersion,
    kept: Option<Kept>,
    previous_in_archive: bool,
}

/// Every package with a candidate newer than what is installed, and every one where something keeps a newer version away.
fn offered<'a>(lines: &'a [DpkgLine<'a>], policies: &'a BTreeMap<&str, Policy>, native: &str) -> Vec<Offered<'a>> {
    let mut out = Vec::new();
    for line in lines {
        let Some(policy) = policies.get(key(line.name, line.arch, native).as_str()) else {
            continue;
        };
        let previous_in_archive = policy
            .versions
            .iter()
            .any(|v| v.version == line.version && v.in_archive());
        let candidate = policy
            .candidate
            .as_deref()
            .filter(|c| compare_debian(c, line.version).is_gt())
            .and_then(|c| policy.versions.iter().find(|v| v.version == c));
        let found = match (candidate, text::kept_away(policy)) {
            (Some(version), _) => Some((version, None)),
            (None, Some((version, why))) => Some((version, Some(why))),
            (None, None) => None,
        };
        out.extend(found.map(|(version, kept)| Offered {
            line,
            version,
            kept,
            previous_in_archive,
        }));
    }
    out
}

/// Paragraphs by name and version; one for each architecture.
struct About<'a>(BTreeMap<&'a str, BTreeMap<&'a str, Vec<Shown<'a>>>>);

impl<'a> About<'a> {
    /// For one architecture; a package may have moved between `all` and the native one since the installed version.
    fn get(&self, name: &str, version: &str, arch: &str) -> Option<&Shown<'a>> {
        let all = self.0.get(name)?.get(version)?;
        all.iter().find(|s| s.arch == arch).or(all.first())
    }
}

fn index(show_text: &str) -> About<'_> {
    let mut all: BTreeMap<&str, BTreeMap<&str, Vec<Shown>>> = BTreeMap::new();
    for shown in text::shown(show_text) {
        all.entry(shown.name)
            .or_default()
            .entry(shown.version)
            .or_default()
            .push(shown);
    }
    About(all)
}

/// Name, architecture and version of a package.
type Triple = (String, String, String);

/// What is installed, by name and by what it provides.
fn there<'a>(lines: &[DpkgLine<'a>]) -> BTreeSet<&'a str> {
    let mut there: BTreeSet<&str> = lines.iter().map(|l| l.name).collect();
    for provided in lines.iter().flat_map(|l| l.provides.split(',')) {
        there.insert(provided.trim().split([' ', '(']).next().unwrap_or_default());
    }
    there
}

/// Asks apt what a whole upgrade would do, when that can tell more than the candidates do: packages that come in anew, and which of the
/// phased updates this device is given. The second part is absent when it was not asked.
fn simulate(
    lines: &[DpkgLine],
    offered: &[Offered],
    show_text: &str,
    options: &[String],
) -> (Vec<Triple>, Option<BTreeSet<String>>) {
    let there = there(lines);
    let about = index(show_text);
    let may_bring_new = offered.iter().filter(|o| o.kept.is_none() && !o.line.held()).any(|o| {
        about
            .get(o.line.name, &o.version.version, o.line.arch)
            .is_some_and(|shown| !text::met(shown, &there))
    });
    let phased = offered.iter().any(|o| o.version.phased.is_some_and(|p| p < 100));
    if !may_bring_new && !phased {
        return (Vec::new(), None);
    }
    let args = words(&["-s", "-qq", "-oDebug::NoLocking=1", "dist-upgrade"], options, []);
    let changes = match read("apt-get", &args) {
        Ok(out) => text::changes(&out),
        Err(e) => {
            tracing::warn!(error = %e, "apt cannot say which packages an upgrade would add");
            return (Vec::new(), None);
        }
    };
    let (mut new, mut taken) = (Vec::new(), BTreeSet::new());
    for change in changes {
        match change {
            Change::Install {
                name,
                arch,
                old: None,
                new: version,
            } => new.push((name, arch, version)),
            Change::Install { name, .. } => drop(taken.insert(name)),
            Change::Remove { .. } => {}
        }
    }
    (new, Some(taken))
}

fn updates(
    offered: &[Offered],
    about: &About,
    taken: &Option<BTreeSet<String>>,
    releases: &BTreeMap<String, Release>,
) -> Vec<Update> {
    let mut out = Vec::new();
    for offer in offered {
        let Offered { line, version, .. } = offer;
        let Some(shown) = about.get(line.name, &version.version, line.arch) else {
            tracing::warn!(
                package = line.name,
                version = version.version,
                "apt offers an update that it does not show"
            );
            continue;
        };
        // Where apt cannot say whom it lets in, nobody is.
        let deferred = taken.as_ref().is_none_or(|t| !t.contains(line.name));
        let brake = brake(line.held(), offer.kept, version.phased.filter(|_| deferred));
        // The new version's architecture: a package may move between `all` and the native one.
        out.extend(update(
            shown,
            shown.arch,
            Some(line.version),
            version,
            brake,
            offer.previous_in_archive,
            releases,
        ));
    }
    out
}

/// Why apt would not take an update; `deferred`: the share of devices that get it, where this one is not among them.
fn brake(held: bool, kept: Option<Kept>, deferred: Option<u8>) -> Option<Brake> {
    match (held, kept, deferred) {
        (true, ..) => Some(Brake::Held),
        (_, Some(Kept::Pinned(priority)), _) => Some(Brake::Pinned { priority }),
        (_, Some(Kept::Phased(percent)), _) => Some(Brake::Phased { percent }),
        (_, _, Some(percent)) if percent < 100 => Some(Brake::Phased { percent }),
        _ => None,
    }
}

fn update(
    shown: &Shown,
    arch: &str,
    installed: Option<&str>,
    version: &PolicyVersion,
    brake: Option<Brake>,
    previous_in_archive: bool,
    releases: &BTreeMap<String, Release>,
) -> Option<Update> {
    let found: Vec<&Release> = version
        .places
        .iter()
        .filter_map(|(_, place)| releases.get(place))
        .filter(|r| r.archive != "now")
        .collect();
    let mut origins: Vec<Origin> = found.iter().map(|r| r.origin()).collect();
    origins.sort();
    origins.dedup();
    let (source, source_version) = shown.source();
    let build = || -> Result<Update, domain::GrammarError> {
        Ok(Update {
            name: PackageName::parse(shown.name)?,
            arch: Arch::parse(arch)?,
            installed: installed.map(VersionText::parse).transpose()?,
            version: VersionText::parse(shown.version)?,
            source: PackageName::parse(source)?,
            source_version: VersionText::parse(source_version)?,
            origins,
            size: shown.size,
            sha256: ShortText::fit(shown.sha256),
            summary: ShortText::fit(shown.summary),
            section: ShortText::fit(shown.section),
            // One version often has several origins; a security one among them is enough.
            security: found.iter().any(|r| r.is_security()),
            brake,
            previous_in_archive,
            brought_by: Vec::new(),
        })
    };
    build()
        .inspect_err(|e| tracing::warn!(package = shown.name, error = %e, "an update is left out of the report"))
        .ok()
}

/// Whether something that only a restart renews is owed now.
#[must_use]
pub fn restart_owed() -> bool {
    let status = read("dpkg-query", &words(&["-W", text::QUERY], &[], [])).unwrap_or_default();
    let lines: Vec<DpkgLine> = text::dpkg_lines(&status).filter(DpkgLine::present).collect();
    let kernel = ShortText::fit(&rustix::system::uname().release().to_string_lossy());
    !super::reboot::reasons(&installed(&lines), &kernel, &super::services::look().core).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_on_the_indexes_is_waited_for_a_while() {
        let answer = |err: &str, code| Answer {
            code: Some(code),
            err: err.to_owned(),
            ..Answer::default()
        };
        let locked = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)\n\
                      E: Unable to lock directory /var/lib/apt/lists/\n";
        let tries = |answers: &mut dyn FnMut(u32) -> Answer| {
            let mut count = 0;
            let last = patiently(
                || {
                    count += 1;
                    Ok(answers(count))
                },
                Duration::ZERO,
            );
            (count, last.unwrap().code)
        };
        let soon = &mut |n: u32| if n < 3 { answer(locked, 100) } else { answer("", 0) };
        assert_eq!(tries(soon), (3, Some(0)));
        assert_eq!(tries(&mut |_| answer(locked, 100)), (LISTS_TRIES, Some(100)));
        let unread = "E: Failed to fetch http://site/debian/dists/bookworm/InRelease  Could not resolve 'site'\n";
        assert_eq!(
            tries(&mut |_| answer(unread, 100)),
            (1, Some(100)),
            "not for anything else"
        );
    }

    #[test]
    fn what_keeps_an_update_back_is_told_until_it_is_gone() {
        let phased = |percent| Some(Brake::Phased { percent });
        assert_eq!(brake(false, None, Some(10)), phased(10), "not among the first");
        assert_eq!(brake(false, None, None), None, "apt would take it");
        assert_eq!(brake(false, None, Some(100)), None, "everybody gets it");
        assert_eq!(brake(false, Some(Kept::Phased(30)), Some(30)), phased(30));
        let pinned = Some(Brake::Pinned { priority: -1 });
        assert_eq!(brake(false, Some(Kept::Pinned(-1)), Some(10)), pinned);
        assert_eq!(
            brake(true, Some(Kept::Phased(30)), Some(30)),
            Some(Brake::Held),
            "the owner's word comes first"
        );
    }
}
