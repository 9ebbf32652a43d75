//! apt, told exactly (ENGINES 1.2). Nothing of an order reaches a command line but names, architectures and versions that fit the
//! package grammar, and they stand after `--`.

use super::rollback_store::Store;
use crate::{
    command,
    config::Home,
    inventory::apt::{
        audit, cache_options,
        text::{self, Change},
    },
    machine::Fetched,
};
use domain::{Arch, VersionText};
use protocol::{
    ShortText,
    v1::{ActionKind, NotStarted, Order, PackageVersion},
};
use rustix::fs::FlockOperation;
use std::{collections::BTreeMap, fs::OpenOptions, time::Duration};

const LIMIT: Duration = Duration::from_secs(300);
/// A download may be slow on purpose; it changes nothing and goes on where it stopped.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(6 * 3_600);
/// A smaller download says more of apt's own start than of the line.
const TELLING: u64 = 8 * 1024 * 1024;
/// The files that dpkg and apt lock.
const LOCKS: [&str; 2] = ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"];

/// Why nothing is started.
pub const BUSY: &str = "another package manager runs on this device";
/// How long apt waits for a lock.
const LOCK_OPTION: &str = "-oDPkg::Lock::Timeout=";

/// Owned words of a command line.
#[must_use]
pub fn words(fixed: &[&str]) -> Vec<String> {
    fixed.iter().map(|s| (*s).to_owned()).collect()
}

/// Options for every call that may change something.
fn options(home: &Home, kind: ActionKind) -> Vec<String> {
    let mut all = words(&[
        "-oDpkg::Use-Pty=0",
        // On by default, it widens a request to every binary of the same source (ENGINES 0.3).
        "-oAPT::Get::Upgrade-By-Source-Package=0",
        // Some devices remove what nobody needs any more on every install: not as part of this one.
        "-oAPT::Get::AutomaticRemove=0",
        "-oDPkg::Lock::Timeout=120",
        "-oAcquire::Retries=2",
        "--no-install-recommends",
    ]);
    match kind {
        ActionKind::Install => {
            // The agent's own folder: container images delete every package from the shared one after each call.
            all.push(format!("-oDir::Cache::archives={}/", home.path("archives").display()));
            all.extend(cache_options(home));
        }
        ActionKind::RollBack => {
            all.push("--allow-downgrades".to_owned());
            all.extend(Store::at(home).options());
        }
    }
    all
}

/// `name:arch=version`, or `name:arch-` for one that must not be there.
fn set(order: &Order) -> Vec<String> {
    order
        .packages
        .iter()
        .map(|p| {
            let name = qualified(p);
            match &p.version {
                Some(version) => format!("{name}={version}"),
                None => format!("{name}-"),
            }
        })
        .collect()
}

fn qualified(p: &PackageVersion) -> String {
    if p.arch.as_str() == "all" {
        p.name.to_string()
    } else {
        format!("{}:{}", p.name, p.arch)
    }
}

/// The command that brings the order about.
#[must_use]
pub fn run_args(home: &Home, order: &Order) -> (&'static str, Vec<String>) {
    let mut args = words(&["-y"]);
    args.extend(options(home, order.kind));
    args.extend(words(&[
        "-oDpkg::Options::=--force-confdef",
        "-oDpkg::Options::=--force-confold",
    ]));
    // Progress lines come between the others; `pmerror:` names the package that failed.
    args.push("-oAPT::Status-Fd=2".to_owned());
    if order.packages.iter().all(|p| p.version.is_some()) {
        args.push("--no-remove".to_owned());
    }
    // Not `--no-download`: everything is here already, and with it apt fails on packages of `file:` sources ("Pathname to install is
    // not absolute").
    args.extend(words(&["install", "--"]));
    args.extend(set(order));
    ("apt-get", args)
}

/// The same command with another patience for a lock that somebody else holds.
#[must_use]
pub fn waiting((program, mut args): (&'static str, Vec<String>), seconds: i64) -> (&'static str, Vec<String>) {
    for arg in args.iter_mut().filter(|a| a.starts_with(LOCK_OPTION)) {
        *arg = format!("{LOCK_OPTION}{seconds}");
    }
    (program, args)
}

/// Whether a program gave up because somebody else held a lock.
#[must_use]
pub fn found_locked(said: &str) -> bool {
    said.contains("Could not get lock")
}

/// `--fix-broken` after an interruption.
#[must_use]
pub fn fix_args(home: &Home) -> (&'static str, Vec<String>) {
    let mut args = words(&["-y", "--no-remove", "--fix-broken"]);
    args.extend(options(home, ActionKind::Install));
    args.extend(words(&[
        "-oDpkg::Options::=--force-confdef",
        "-oDpkg::Options::=--force-confold",
        "install",
    ]));
    ("apt-get", args)
}

/// Whether `--fix-broken` would install nothing but the packages of the attempt.
#[must_use]
pub fn fix_changes_only(home: &Home, packages: &[PackageVersion]) -> bool {
    let mut args = words(&["-s", "-qq", "-oDebug::NoLocking=1", "--fix-broken"]);
    args.extend(options(home, ActionKind::Install));
    args.push("install".to_owned());
    command::ask("apt-get", args, LIMIT).is_ok_and(|answer| {
        text::changes(&answer.out).iter().all(|change| match change {
            Change::Install { name, .. } => packages.iter().any(|p| p.name.as_str() == name),
            Change::Remove { .. } => false,
        })
    })
}

/// Whether no package manager holds its locks.
#[must_use]
pub fn unlocked() -> bool {
    LOCKS
        .iter()
        .all(|path| match OpenOptions::new().write(true).open(path) {
            // Taken and given back at once; closing the file gives it back.
            Ok(file) => rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_ok(),
            Err(_) => true,
        })
}

/// What is installed of these packages now.
#[must_use]
pub fn observe(packages: &[PackageVersion]) -> Vec<PackageVersion> {
    let mut args = words(&["-W", text::QUERY, "--"]);
    args.extend(packages.iter().map(|p| p.name.to_string()));
    let out = command::ask("dpkg-query", args, LIMIT)
        .map(|a| a.out)
        .unwrap_or_default();
    let mut found: BTreeMap<&str, Vec<text::DpkgLine>> = BTreeMap::new();
    for line in text::dpkg_lines(&out).filter(text::DpkgLine::present) {
        found.entry(line.name).or_default().push(line);
    }
    packages
        .iter()
        .map(|p| {
            let lines = found.get(p.name.as_str()).map(Vec::as_slice).unwrap_or_default();
            // A package may move between `all` and an architecture from one version to the next.
            let moved = |l: &&text::DpkgLine| l.arch == "all" || p.arch.as_str() == "all";
            let line = lines
                .iter()
                .find(|l| l.arch == p.arch.as_str())
                .or_else(|| lines.iter().find(moved));
            let version = line.and_then(|l| VersionText::parse(l.version).ok());
            PackageVersion {
                name: p.name.clone(),
                arch: p.arch.clone(),
                version,
            }
        })
        .collect()
}

/// Whether two lists say the same of the same packages.
#[must_use]
pub fn same(a: &[PackageVersion], b: &[PackageVersion]) -> bool {
    a.len() == b.len() && a.iter().all(|p| b.contains(p))
}

/// Which of these packages are marked as automatically installed.
#[must_use]
pub fn automatic(packages: &[PackageVersion]) -> Vec<String> {
    let mut args = words(&["showauto", "--"]);
    args.extend(packages.iter().map(|p| p.name.to_string()));
    let answer = command::ask("apt-mark", args, LIMIT).unwrap_or_default();
    answer
        .out
        .lines()
        .map(|l| l.trim().to_owned())
        .filter(|l| !l.is_empty())
        .collect()
}

/// Refuses unless the simulation changes exactly what the order says.
///
/// # Errors
/// Why not.
pub fn gate(home: &Home, order: &Order) -> Result<(), NotStarted> {
    let current = observe(&order.packages);
    if same(&current, &order.packages) {
        return Err(NotStarted::AlreadyThere);
    }
    if let Some(kernel) = removes_kernel(&order.packages, &current, &running_kernel()) {
        let message = format!("{kernel} runs now; start the device with the previous kernel first");
        return Err(NotStarted::Unavailable {
            message: ShortText::fit(&message),
        });
    }
    if let Some(message) = audit() {
        return Err(NotStarted::ManagerBusy { message });
    }
    if let Some(name) = held(&order.packages) {
        // The owner of the device put it on hold there; the server may not lift that.
        return Err(NotStarted::LocalPolicy {
            rule: ShortText::fit(&format!("{name} is on hold on the device")),
        });
    }
    let args = simulate_args(home, order);
    let answer = command::ask("apt-get", args, LIMIT).map_err(|e| NotStarted::ManagerBusy {
        message: ShortText::fit(&e.to_string()),
    })?;
    if !answer.ok() {
        return Err(NotStarted::Unavailable {
            message: ShortText::fit(&answer.complaint()),
        });
    }
    compare(&order.packages, &current, &text::changes(&answer.out))
}

fn running_kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// The package of the kernel that runs, where an order would remove it: its own script refuses that, and half a rollback is left.
fn removes_kernel<'a>(wanted: &'a [PackageVersion], current: &[PackageVersion], release: &str) -> Option<&'a str> {
    let images = [
        format!("linux-image-{release}"),
        format!("linux-image-unsigned-{release}"),
    ];
    let there = |p: &&PackageVersion| current.iter().any(|c| c.name == p.name && c.version.is_some());
    let removed = wanted.iter().filter(|p| p.version.is_none()).filter(there);
    let mut names = removed.map(|p| p.name.as_str());
    names.find(|name| images.iter().any(|image| image == name))
}

fn simulate_args(home: &Home, order: &Order) -> Vec<String> {
    // Without `--no-remove`, so that what would be removed is seen and can be told.
    let mut args = words(&["-s", "-qq", "-oDebug::NoLocking=1"]);
    args.extend(options(home, order.kind));
    args.extend(words(&["install", "--"]));
    args.extend(set(order));
    args
}

/// Compares what was permitted with what would happen.
fn compare(wanted: &[PackageVersion], current: &[PackageVersion], changes: &[Change]) -> Result<(), NotStarted> {
    let mut open: Vec<&PackageVersion> = wanted.iter().filter(|p| !current.contains(p)).collect();
    let mut other = Vec::new();
    for change in changes {
        let at = open.iter().position(|p| match change {
            Change::Install { name, arch, new, .. } => {
                p.name.as_str() == name
                    && (p.arch.as_str() == arch || arch == "all" || p.arch.as_str() == "all")
                    && p.version.as_ref().is_some_and(|v| v.as_str() == new)
            }
            Change::Remove { name, .. } => p.name.as_str() == name && p.version.is_none(),
        });
        match (at, change) {
            (Some(at), _) => drop(open.swap_remove(at)),
            (
                None,
                Change::Install {
                    name,
                    old: Some(old),
                    new,
                    ..
                },
            ) => other.push(format!("change {name} {old} to {new}")),
            (None, Change::Install { name, new, .. }) => other.push(format!("install {name} {new}")),
            (None, Change::Remove { name, .. }) => other.push(format!("remove {name}")),
        }
    }
    if !other.is_empty() {
        let changes = other.iter().take(50).map(|c| ShortText::fit(c)).collect();
        return Err(NotStarted::WouldAlsoChange { changes });
    }
    if let Some(p) = open.first() {
        let version = p.version.as_ref().map_or("its absence", VersionText::as_str);
        let message = ShortText::fit(&format!("apt would leave {} as it is and not bring {version}", p.name));
        return Err(NotStarted::Unavailable { message });
    }
    Ok(())
}

fn held(packages: &[PackageVersion]) -> Option<String> {
    let mut args = words(&["-W", text::QUERY, "--"]);
    args.extend(packages.iter().map(|p| p.name.to_string()));
    let out = command::ask("dpkg-query", args, LIMIT)
        .map(|a| a.out)
        .unwrap_or_default();
    text::dpkg_lines(&out)
        .find(|l| l.held() && packages.iter().any(|p| p.name.as_str() == l.name))
        .map(|l| l.name.to_owned())
}

/// Makes an order ready: everything it needs is on this device afterwards. Says how fast the download was.
///
/// # Errors
/// Why it cannot start.
pub fn prepare(home: &Home, order: &Order, rate_kib: Option<u32>) -> Result<Fetched, NotStarted> {
    let store = Store::at(home);
    let current = observe(&order.packages);
    if same(&current, &order.packages) {
        return Err(NotStarted::AlreadyThere);
    }
    if order.kind == ActionKind::RollBack {
        bring_back(&store, &order.packages, rate_kib, &cache_options(home))?;
    }
    gate(home, order)?;
    for (package, why) in store.keep(&current, &order.packages, rate_kib, &cache_options(home)) {
        tracing::warn!(%package, why, "no copy of the installed version could be kept; going back needs the archive");
    }
    if order.kind == ActionKind::Install {
        let before = downloaded(home);
        let took = download(home, order, rate_kib)?;
        Ok(measured(downloaded(home).saturating_sub(before), took))
    } else {
        Ok(Fetched::default())
    }
}

/// Makes the way back ready when an attempt has failed: no gate on the state of the package manager, which is the reason to go back.
///
/// # Errors
/// Why there is no way back.
pub fn prepare_back(home: &Home, order: &Order) -> Result<(), NotStarted> {
    bring_back(&Store::at(home), &order.packages, None, &cache_options(home))?;
    let args = simulate_args(home, order);
    let answer = command::ask("apt-get", args, LIMIT).map_err(|e| NotStarted::ManagerBusy {
        message: ShortText::fit(&e.to_string()),
    })?;
    let known = |name: &str| order.packages.iter().any(|p| p.name.as_str() == name);
    let other = text::changes(&answer.out).into_iter().any(|c| match c {
        Change::Install { name, .. } | Change::Remove { name, .. } => !known(&name),
    });
    if answer.ok() && !other {
        Ok(())
    } else {
        Err(NotStarted::Unavailable {
            message: ShortText::fit(&answer.complaint()),
        })
    }
}

/// Every version of a rollback into the store: the kept copy, or from the archive where it is still there.
fn bring_back(
    store: &Store,
    packages: &[PackageVersion],
    rate_kib: Option<u32>,
    cache: &[String],
) -> Result<(), NotStarted> {
    let fetched = store.fetch(packages, rate_kib, cache);
    if !fetched.missing.is_empty() {
        let missing = fetched.missing.iter().map(|(package, why)| format!("{package}: {why}"));
        let all: Vec<String> = fetched.unusable.into_iter().chain(missing).collect();
        let message = ShortText::fit(&format!(
            "no good copy is kept, and none is in the archive: {}",
            all.join("; ")
        ));
        return Err(NotStarted::Unavailable { message });
    }
    let instead = |line: &String| format!("{line}; the archive's is used instead");
    store.remark(&fetched.unusable.iter().map(instead).collect::<Vec<_>>());
    store.publish().map_err(|e| NotStarted::Unavailable {
        message: ShortText::fit(&format!("rollback store: {e}")),
    })
}

/// Limits apply to each of apt's downloaders.
#[must_use]
pub fn rate(rate_kib: Option<u32>) -> Vec<String> {
    let limit = |kib: u32| {
        [
            format!("-oAcquire::http::Dl-Limit={kib}"),
            format!("-oAcquire::https::Dl-Limit={kib}"),
        ]
    };
    rate_kib.filter(|k| *k > 0).map(limit).into_iter().flatten().collect()
}

/// Fetches what is missing; says how long that took.
fn download(home: &Home, order: &Order, rate_kib: Option<u32>) -> Result<Duration, NotStarted> {
    let failed = |message: String| NotStarted::Download {
        message: ShortText::fit(&message),
    };
    std::fs::create_dir_all(home.path("archives/partial")).map_err(|e| failed(e.to_string()))?;
    let mut args = words(&["-y", "-qq", "-d"]);
    args.extend(options(home, order.kind));
    args.extend(rate(rate_kib));
    args.extend(words(&["install", "--"]));
    args.extend(set(order));
    match command::download("apt-get", args, DOWNLOAD_LIMIT, "/") {
        Ok(answer) if answer.ok() => Ok(answer.took),
        Ok(answer) if found_locked(&answer.err) => Err(NotStarted::ManagerBusy {
            message: ShortText::fit(BUSY),
        }),
        Ok(answer) => Err(failed(answer.complaint())),
        Err(e) => Err(failed(e.to_string())),
    }
}

/// Bytes that lie in the agent's archives, whole or begun.
fn downloaded(home: &Home) -> u64 {
    ["archives", "archives/partial"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(home.path(folder)).into_iter().flatten().flatten())
        .filter_map(|entry| entry.metadata().ok().filter(std::fs::Metadata::is_file))
        .map(|file| file.len())
        .sum()
}

/// What so many bytes in such a time say of the line.
fn measured(bytes: u64, took: Duration) -> Fetched {
    let rate = u128::from(bytes) * 1_000 / took.as_millis().max(1);
    Fetched {
        rate: (bytes >= TELLING).then(|| u64::try_from(rate).unwrap_or(u64::MAX)),
    }
}

/// Removes the downloaded files of these packages.
pub fn clean_archives(home: &Home, packages: &[PackageVersion]) {
    for entry in std::fs::read_dir(home.path("archives")).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = |p: &PackageVersion| name.strip_prefix(p.name.as_str()).is_some_and(|r| r.starts_with('_'));
        if name.ends_with(".deb") && packages.iter().any(ours) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The word of an architecture, for file names.
#[must_use]
pub fn arch_word(arch: &Arch) -> &str {
    arch.as_str()
}

#[cfg(test)]
#[path = "apt_tests.rs"]
mod tests;
