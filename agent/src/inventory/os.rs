//! The operating system: release, kernel, zone, languages, boot.

use super::Manager;
use crate::config::Home;
use protocol::{ShortText, v1::HostFacts};
use std::{collections::BTreeMap, fs, path::Path};

/// Reads what the device says of itself.
#[must_use]
pub fn facts(manager: Option<Manager>, arch: Option<String>) -> HostFacts {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mut release = read("/etc/os-release");
    if release.is_empty() {
        release = read("/usr/lib/os-release");
    }
    let release = assignments(&release);
    let of = |key: &str| ShortText::fit(release.get(key).map_or("", String::as_str));
    let uname = rustix::system::uname();
    HostFacts {
        hostname: ShortText::fit(&uname.nodename().to_string_lossy()),
        os_id: of("ID"),
        os_version: of("VERSION_ID"),
        os_codename: of("VERSION_CODENAME"),
        os_name: of("PRETTY_NAME"),
        arch: ShortText::fit(&arch.unwrap_or_else(|| uname.machine().to_string_lossy().into_owned())),
        manager: manager.map(|m| ShortText::fit(m.word())),
        kernel: ShortText::fit(&uname.release().to_string_lossy()),
        time_zone: ShortText::fit(&time_zone(
            fs::read_link("/etc/localtime").ok().as_deref(),
            &read("/etc/timezone"),
        )),
        languages: languages(
            &read("/etc/default/locale"),
            &read("/etc/locale.conf"),
            &read("/etc/locale.gen"),
        ),
        boot_id: ShortText::fit(boot_id().as_str()),
    }
}

/// The id of this boot; empty when the system has none.
#[must_use]
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Free space where an install needs it: the least of the file systems that packages are unpacked to, that dpkg notes them in, and that the
/// agent downloads to.
#[must_use]
pub fn disk_free_mib(home: &Home) -> u64 {
    let archives = home.path("archives");
    let folders = [
        Path::new("/"),
        Path::new("/usr"),
        Path::new("/var/lib"),
        archives.as_path(),
    ];
    least_free(&folders, |folder| {
        let about = rustix::fs::statvfs(folder).ok()?;
        Some(about.f_bavail.saturating_mul(about.f_frsize) / (1024 * 1024))
    })
}

/// A folder that is not made yet will be in the one above it.
fn least_free(folders: &[&Path], free: impl Fn(&Path) -> Option<u64>) -> u64 {
    let of = |folder: &&Path| folder.ancestors().find_map(&free);
    folders.iter().filter_map(of).min().unwrap_or(0)
}

/// `KEY=value` lines, quotes removed.
fn assignments(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix('#')
                .map_or(Some(line), |_| None)?
                .split_once('=')
        })
        .map(|(key, value)| (key.trim().to_owned(), value.trim().trim_matches(['"', '\'']).to_owned()))
        .collect()
}

/// The zone's IANA name: `/etc/localtime` decides what programs show, `/etc/timezone` is Debian's own note of it.
fn time_zone(localtime: Option<&Path>, timezone: &str) -> String {
    let link = localtime
        .and_then(Path::to_str)
        .and_then(|p| p.split_once("zoneinfo/"))
        .map(|(_, name)| name.to_owned());
    let name = link
        .or_else(|| timezone.lines().next().map(|l| l.trim().to_owned()))
        .unwrap_or_default();
    if name.is_empty() { "Etc/UTC".to_owned() } else { name }
}

/// The languages set, then the ones made available.
fn languages(default: &str, conf: &str, generated: &str) -> Vec<ShortText> {
    let mut found = Vec::new();
    for text in [default, conf] {
        let set = assignments(text);
        for key in ["LANG", "LANGUAGE"] {
            found.extend(set.get(key).into_iter().flat_map(|v| v.split(':')).map(str::to_owned));
        }
    }
    let available = generated.lines().filter(|l| !l.trim_start().starts_with('#'));
    found.extend(available.filter_map(|l| l.split_whitespace().next()).map(str::to_owned));
    let mut out: Vec<ShortText> = Vec::new();
    for name in found.iter().filter(|n| !n.is_empty()) {
        let name = ShortText::fit(name);
        if !out.contains(&name) {
            out.push(name);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_file_system_that_an_install_writes_to_counts() {
        let free = |full: &'static str| {
            let folders = ["/", "/usr", "/var/lib", "/var/lib/patchward-agent/archives"].map(Path::new);
            least_free(&folders, |folder| match folder.to_str()? {
                "/var/lib/patchward-agent/archives" => None,
                name if name == full => Some(7),
                _ => Some(9_000),
            })
        };
        for full in ["/", "/usr", "/var/lib", "/var/lib/patchward-agent"] {
            assert_eq!(free(full), 7, "{full}");
        }
        assert_eq!(free("/home"), 9_000);
        assert!(disk_free_mib(&Home::at(Path::new("/nowhere/at/all"))) > 0);
    }

    #[test]
    fn release_zone_and_languages() {
        let release =
            assignments("# x\nID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
        assert_eq!(release["VERSION_ID"], "12");
        assert_eq!(release["PRETTY_NAME"], "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(
            time_zone(Some(Path::new("/usr/share/zoneinfo/Europe/Helsinki")), "Etc/UTC\n"),
            "Europe/Helsinki"
        );
        assert_eq!(
            time_zone(None, "America/Argentina/Ushuaia\n"),
            "America/Argentina/Ushuaia"
        );
        assert_eq!(time_zone(None, ""), "Etc/UTC");
        let all = languages(
            "LANG=fi_FI.UTF-8\nLANGUAGE=fi:en\n",
            "",
            "# de_DE.UTF-8 UTF-8\nen_US.UTF-8 UTF-8\n",
        );
        let all: Vec<&str> = all.iter().map(ShortText::as_str).collect();
        assert_eq!(all, ["fi_FI.UTF-8", "fi", "en", "en_US.UTF-8"]);
    }
}
