//! Which processes still run files that an update replaced: `/proc/*/maps` and `/proc/*/exe`, read directly. `needrestart` was seen to
//! miss processes that this finds, and is not on most devices.

use protocol::{ShortText, v1::StaleService};
use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

/// What was found.
#[derive(Debug, Default)]
pub struct Stale {
    /// Services that a restart of the service renews.
    pub services: Vec<StaleService>,
    /// (process, file) for those that only a restart of the device renews.
    pub core: Vec<(String, String)>,
    /// Processes that this one may not look into: so many more services may run old files.
    pub unread: u32,
}

/// Looks at every process that may be read; without root these are only one's own.
#[must_use]
pub fn look() -> Stale {
    let own = std::process::id();
    let mut by_unit: BTreeMap<String, StaleService> = BTreeMap::new();
    let mut stale = Stale::default();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else {
            continue;
        };
        // The agent renews itself after an install.
        if pid == own {
            continue;
        }
        let read = |name: &str| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        let groups = read("cgroup");
        let file = match old_file(&entry.path()) {
            Ok(Some(file)) => file,
            Ok(None) => continue,
            Err(Unread) => {
                stale.unread += u32::from(!in_container(&groups));
                continue;
            }
        };
        if in_container(&groups) || !same_root(&entry.path()) {
            continue;
        }
        let name = read("comm").trim().to_owned();
        let unit = unit(&groups);
        let bus = unit
            .as_deref()
            .is_some_and(|u| matches!(u, "dbus.service" | "dbus-broker.service"));
        if pid == 1 || bus {
            stale.core.push((name, file));
            continue;
        }
        let unit = unit.unwrap_or(name);
        by_unit.entry(unit.clone()).or_insert_with(|| StaleService {
            unit: ShortText::fit(&unit),
            pid,
            file: ShortText::fit(&file),
        });
    }
    stale.core.sort();
    stale.core.dedup_by(|a, b| a.0 == b.0);
    // Bounded by the format; a device with more has one answer anyway.
    stale.services = by_unit.into_values().take(1_000).collect();
    stale
}

/// Whether this process itself runs replaced files.
#[must_use]
pub fn own_is_stale() -> bool {
    matches!(old_file(Path::new("/proc/self")), Ok(Some(_)))
}

/// A process that may not be looked into.
struct Unread;

/// A replaced file that a process runs, if it runs one; its program before its libraries. One that has ended meanwhile runs none.
fn old_file(process: &Path) -> Result<Option<String>, Unread> {
    let exe = fs::read_link(process.join("exe")).ok();
    let exe = exe.and_then(|p| p.to_str().and_then(replaced));
    if exe.is_some() {
        return Ok(exe);
    }
    match fs::read(process.join("maps")) {
        // A path need not be UTF-8.
        Ok(maps) => Ok(replaced_map(&String::from_utf8_lossy(&maps))),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => Err(Unread),
        Err(_) => Ok(None),
    }
}

/// A process in another root is not of this device's packages. (One in another mount name space of the same root is: many services are.)
fn same_root(process: &Path) -> bool {
    fs::read_link(process.join("root")).is_ok_and(|root| root == Path::new("/"))
}

fn in_container(groups: &str) -> bool {
    ["docker", "libpod", "/lxc", "kubepods", "machine.slice", "containerd"]
        .iter()
        .any(|w| groups.contains(w))
}

/// The innermost systemd unit of a process.
fn unit(groups: &str) -> Option<String> {
    let path = groups.lines().find_map(|l| {
        l.strip_prefix("0::")
            .or_else(|| l.split_once(":name=systemd:").map(|(_, p)| p))
    })?;
    path.split('/')
        .rfind(|part| part.ends_with(".service"))
        .map(str::to_owned)
}

/// The first replaced file of a `maps` text.
fn replaced_map(maps: &str) -> Option<String> {
    maps.lines()
        .filter(|l| l.ends_with(" (deleted)"))
        .find_map(|l| replaced(&l[l.find('/')?..]))
}

/// The path without its mark, when it is one that packages own.
fn replaced(path: &str) -> Option<String> {
    let path = path.strip_suffix(" (deleted)")?;
    let path = path
        .strip_suffix(".dpkg-tmp")
        .or_else(|| path.strip_suffix(".dpkg-new"))
        .unwrap_or(path);
    let owned = ["/usr/", "/lib", "/bin/", "/sbin/"].iter().any(|p| path.starts_with(p));
    (owned && !path.starts_with("/usr/local/")).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_replaced_package_files_count() {
        let maps = "7f0-7f1 r-xp 00000000 08:01 12 /usr/lib/x86_64-linux-gnu/libc.so.6\n\
            7f1-7f2 rw-s 00000000 00:01 13 /memfd:pulseaudio (deleted)\n\
            7f2-7f3 rw-s 00000000 00:05 14 /dev/zero (deleted)\n\
            7f3-7f4 r-xp 00000000 08:01 15 /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)\n";
        assert_eq!(
            replaced_map(maps).as_deref(),
            Some("/usr/lib/x86_64-linux-gnu/libssl.so.3")
        );
        assert_eq!(replaced("/usr/sbin/sshd"), None);
        assert_eq!(
            replaced("/usr/lib/a.so.dpkg-new (deleted)").as_deref(),
            Some("/usr/lib/a.so")
        );
        assert_eq!(replaced("/usr/local/bin/own (deleted)"), None);
    }

    #[test]
    fn a_path_that_is_no_utf8_hides_nothing() {
        let process = tempfile::tempdir().unwrap();
        let maps =
            b"7f0-7f1 r-xp 0 08:01 12 /srv/caf\xe9/data\n7f3-7f4 r-xp 0 08:01 15 /usr/lib/libssl.so.3 (deleted)\n";
        fs::write(process.path().join("maps"), maps).unwrap();
        assert!(matches!(old_file(process.path()), Ok(Some(file)) if file == "/usr/lib/libssl.so.3"));
        // It has ended: it runs nothing, and nobody was kept from looking.
        assert!(matches!(old_file(&process.path().join("gone")), Ok(None)));
    }

    #[test]
    fn units_are_found_in_both_cgroup_versions() {
        assert_eq!(unit("0::/system.slice/ssh.service\n").as_deref(), Some("ssh.service"));
        assert_eq!(
            unit("12:cpu:/\n1:name=systemd:/system.slice/cron.service\n").as_deref(),
            Some("cron.service")
        );
        let user = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/gpg.service\n";
        assert_eq!(unit(user).as_deref(), Some("gpg.service"));
        assert_eq!(unit("0::/user.slice/user-0.slice/session-3.scope\n"), None);
        assert!(in_container("0::/system.slice/docker-abc.scope\n"));
    }
}
