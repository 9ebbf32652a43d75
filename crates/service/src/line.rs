//! Which versions may take the place of which. A newer version replaces an older one only within one line: the same source package of the
//! same OS release from the same vendor, backports apart. Security, updates and main archives of one vendor are one line; `nodejs` of the
//! distribution and of a third party are two, and what one of them releases says nothing about the other.

use domain::{OsReleaseId, compare_debian};
use protocol::v1::vendor;

/// One line of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Line<'a> {
    release: OsReleaseId,
    source: &'a str,
    vendor: &'a str,
    backports: bool,
}

impl<'a> Line<'a> {
    /// The line of a version that `origin` offers; `origin` as the catalog writes it: label and suite, e.g. `Debian-Security bookworm-security`.
    #[must_use]
    pub fn of(release: OsReleaseId, source: &'a str, version: &str, origin: &'a str) -> Self {
        let (label, suite) = origin.rsplit_once(' ').unwrap_or(("", origin));
        Self {
            release,
            source,
            // An archive without a label is a vendor of its own.
            vendor: if label.is_empty() { suite } else { vendor(label) },
            backports: suite.contains("-backports") || is_backport(version),
        }
    }

    /// Whether this is the line of the system's own vendor: what a version comes from of which nothing else is known.
    #[must_use]
    pub fn is_own(&self, os_id: &str) -> bool {
        self.vendor.eq_ignore_ascii_case(os_id)
    }

    /// Whether it holds backports.
    #[must_use]
    pub const fn is_backports(&self) -> bool {
        self.backports
    }
}

/// Whether a version says of itself that it is a backport: `5.2-1~bpo12+1`.
#[must_use]
pub fn is_backport(version: &str) -> bool {
    version.contains("~bpo")
}

/// Whether the first of two versions of the same line takes the place of the second.
#[must_use]
pub fn replaces(newer: (Line<'_>, &str), older: (Line<'_>, &str)) -> bool {
    newer.0 == older.0 && compare_debian(newer.1, older.1).is_gt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOKWORM: OsReleaseId = OsReleaseId(1);

    fn line(version: &str, origin: &'static str) -> Line<'static> {
        Line::of(BOOKWORM, "x", version, origin)
    }

    #[test]
    fn the_archives_of_one_vendor_are_one_line() {
        let main = line("2.36-9+deb12u9", "Debian bookworm");
        for origin in [
            "Debian-Security bookworm-security",
            "Debian bookworm-updates",
            "Debian bookworm-proposed-updates",
        ] {
            assert_eq!(line("2.36-9+deb12u10", origin), main, "{origin}");
        }
        let noble = line("3.0.13-0ubuntu3.4", "Ubuntu noble-security");
        assert_eq!(line("3.0.13-0ubuntu3.1", "Ubuntu noble"), noble);
        assert_eq!(
            line("3.0.13-0ubuntu3.9+esm1", "UbuntuESMApps noble-apps-security"),
            noble
        );
        assert!(main.is_own("debian") && noble.is_own("ubuntu") && !main.is_own("ubuntu"));
    }

    #[test]
    fn backports_and_other_vendors_are_lines_of_their_own() {
        let main = line("18.19.0+dfsg-6~deb12u2", "Debian-Security bookworm-security");
        let backport = line("20.11.0+dfsg-1~bpo12+1", "Debian Backports bookworm-backports");
        let third = line("20.19.0-1nodesource1", ". nodistro nodistro");
        assert!(main != backport && main != third && backport != third);
        assert!(backport.is_own("debian") && backport.is_backports() && !third.is_own("debian"));
        // Behind a mirror that keeps one suite, the version still tells.
        assert_eq!(line("20.11.0+dfsg-1~bpo12+1", "Debian bookworm"), backport);
        assert_ne!(
            Line::of(OsReleaseId(2), "x", "1", "Debian bookworm"),
            line("1", "Debian bookworm")
        );
        assert_ne!(line("1", "stable"), line("1", "main"), "no label, no kinship");
    }

    #[test]
    fn only_a_newer_version_of_the_line_replaces() {
        let security = (
            line("1.7.24-1~deb12u1", "Debian-Security bookworm-security"),
            "1.7.24-1~deb12u1",
        );
        let updates = (line("1.7.25-1~deb12u1", "Debian bookworm-updates"), "1.7.25-1~deb12u1");
        let docker = (line("1.7.27-1", "Docker CE bookworm"), "1.7.27-1");
        assert!(replaces(updates, security) && !replaces(security, updates) && !replaces(updates, updates));
        assert!(!replaces(docker, updates) && !replaces(updates, docker));
    }
}
