//! The scan: what is installed, what could be, and whether every source could be read.

use crate::{ShortText, limits};
use domain::{Arch, Moment, PackageName, VersionText};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, fmt};

/// SHA-256 of an [`Inventory`]'s JSON, 64 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub String);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a device says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Host name; shown, never used as an identity.
    pub hostname: ShortText,
    /// `ID` of os-release, e.g. `debian`.
    pub os_id: ShortText,
    /// `VERSION_ID`, e.g. `12`.
    pub os_version: ShortText,
    /// `VERSION_CODENAME`, e.g. `bookworm`.
    #[serde(default)]
    pub os_codename: ShortText,
    /// `PRETTY_NAME`.
    pub os_name: ShortText,
    /// The package manager's main architecture.
    pub arch: ShortText,
    /// `apt`; absent when none that the agent knows is there.
    #[serde(default)]
    pub manager: Option<ShortText>,
    /// Running kernel (`uname -r`).
    pub kernel: ShortText,
    /// IANA name of the device's time zone, e.g. `Europe/Helsinki`.
    pub time_zone: ShortText,
    /// Languages set on the device, e.g. `en_US.UTF-8`.
    #[serde(default)]
    pub languages: Vec<ShortText>,
    /// Boot id.
    pub boot_id: ShortText,
}

/// One installed package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstalledPackage {
    /// Binary package.
    pub name: PackageName,
    /// Architecture.
    pub arch: Arch,
    /// Exact version.
    pub version: VersionText,
    /// Source package.
    pub source: PackageName,
    /// Source version; absent when it equals `version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_version: Option<VersionText>,
}

impl InstalledPackage {
    /// The source's version.
    #[must_use]
    pub fn source_version(&self) -> &VersionText {
        self.source_version.as_ref().unwrap_or(&self.version)
    }
}

/// Why the package manager would not take an update now by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Brake {
    /// `apt-mark hold`.
    Held,
    /// The vendor gives it to this share of devices so far.
    Phased {
        /// 0 to 100.
        percent: u8,
    },
    /// A pin of the device's own configuration prefers another version.
    Pinned {
        /// The priority that decided.
        priority: i32,
    },
}

/// One available update of one binary package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Binary package.
    pub name: PackageName,
    /// Architecture.
    pub arch: Arch,
    /// Installed version; absent for a package that the update brings in anew.
    #[serde(default)]
    pub installed: Option<VersionText>,
    /// The exact version offered.
    pub version: VersionText,
    /// Source package.
    pub source: PackageName,
    /// Source version.
    pub source_version: VersionText,
    /// Where it comes from: one version often has several origins.
    pub origins: Vec<Origin>,
    /// Bytes to download.
    pub size: u64,
    /// SHA-256 from the vendor-signed index, 64 hex digits.
    #[serde(default)]
    pub sha256: ShortText,
    /// One line of description.
    #[serde(default)]
    pub summary: ShortText,
    /// Archive section, e.g. `libs`.
    #[serde(default)]
    pub section: ShortText,
    /// Whether a security origin offers it.
    pub security: bool,
    /// Why it would not be taken by itself.
    #[serde(default)]
    pub brake: Option<Brake>,
    /// Whether the installed version can still be fetched from the archive.
    #[serde(default)]
    pub previous_in_archive: bool,
    /// For a package that comes in anew: the source packages whose updates need it, directly or through others that come in anew. Empty
    /// where nobody could say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brought_by: Vec<PackageName>,
}

/// A vendor's suite.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// `Label` of the Release file, e.g. `Debian-Security`.
    pub label: ShortText,
    /// Archive or suite, e.g. `oldstable-security`.
    pub archive: ShortText,
    /// Codename, e.g. `bookworm-security`.
    pub codename: ShortText,
}

/// The vendor behind a `Label`, without what says which of its archives it is.
#[must_use]
pub fn vendor(label: &str) -> &str {
    let label = label.strip_suffix("-Security").unwrap_or(label);
    let label = label.strip_suffix(" Backports").unwrap_or(label);
    if label.starts_with("UbuntuESM") {
        "Ubuntu"
    } else {
        label
    }
}

/// An installed source package that comes from elsewhere than the system's own vendor, or from its backports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Foreign {
    /// Source package.
    pub source: PackageName,
    /// Its installed version.
    pub version: VersionText,
    /// Where that version comes from.
    pub origin: Origin,
}

/// Whether one source could be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceStatus {
    /// The source: `<codename>` such as `bookworm-security`, or the site for a source without one.
    pub name: ShortText,
    /// Absent = read; otherwise what the package manager said.
    #[serde(default)]
    pub error: Option<ShortText>,
}

/// Why the device must restart, with what was seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum RebootReason {
    /// `/run/reboot-required` exists.
    FlagFile {
        /// The packages it names.
        packages: Vec<ShortText>,
    },
    /// A newer kernel is installed than runs.
    Kernel {
        /// Running.
        running: ShortText,
        /// Newest installed.
        installed: ShortText,
    },
    /// A process that only a restart renews (PID 1) runs deleted files.
    CoreProcess {
        /// The process.
        process: ShortText,
        /// One of the files.
        file: ShortText,
    },
}

/// A service that still runs files which were replaced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StaleService {
    /// systemd unit, or the process name when there is none.
    pub unit: ShortText,
    /// Process id.
    pub pid: u32,
    /// One of the deleted files it has mapped.
    pub file: ShortText,
}

/// Everything a scan saw. Lists are sorted, so that equal devices have equal digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The device.
    pub host: HostFacts,
    /// Installed packages, by name and architecture.
    pub packages: Vec<InstalledPackage>,
    /// Available updates, by name and architecture.
    pub updates: Vec<Update>,
    /// Every source of the device and whether it could be read.
    pub sources: Vec<SourceStatus>,
    /// Why a restart is owed; empty = none.
    #[serde(default)]
    pub reboot: Vec<RebootReason>,
    /// Services on old files.
    #[serde(default)]
    pub services: Vec<StaleService>,
    /// Whether the package manager is in order; otherwise what it said (`dpkg --audit`).
    #[serde(default)]
    pub manager_error: Option<ShortText>,
    /// Free mebibytes on the fullest file system that an install writes to.
    #[serde(default)]
    pub disk_free_mib: u64,
    /// Whether the device runs on battery now; absent where nobody could say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_battery: Option<bool>,
    /// Processes whose files could not be looked at: so much may be missing from `services` and `reboot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes_unread: Option<u32>,
    /// What is installed from other vendors' archives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<Foreign>,
}

/// Why an inventory was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    /// Too many entries.
    #[error("{count} {what}; the limit is {max}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// The same package twice.
    #[error("the package {0} is listed twice")]
    Twice(String),
}

impl Inventory {
    /// Sorts every list; the agent calls it before it takes the digest, the server before it compares.
    pub fn normalize(&mut self) {
        self.packages.sort();
        self.updates.sort_by(|a, b| (&a.name, &a.arch).cmp(&(&b.name, &b.arch)));
        for update in &mut self.updates {
            update.origins.sort();
            update.brought_by.sort();
            update.brought_by.dedup();
        }
        self.sources.sort();
        self.reboot.sort();
        self.services.sort();
        self.foreign.sort();
        self.foreign.dedup();
        // Free space moves with every log line; only its order of magnitude is news.
        self.disk_free_mib = self.disk_free_mib / 256 * 256;
    }

    /// Checks bounds and that no package is listed twice.
    ///
    /// # Errors
    /// [`InventoryError`].
    pub fn check(&self) -> Result<(), InventoryError> {
        let bounds = [
            ("packages", self.packages.len(), limits::MAX_PACKAGES),
            ("updates", self.updates.len(), limits::MAX_UPDATES),
            ("sources", self.sources.len(), 1_000),
            ("reboot reasons", self.reboot.len(), 100),
            ("services", self.services.len(), 1_000),
            ("foreign packages", self.foreign.len(), limits::MAX_PACKAGES),
            ("languages", self.host.languages.len(), 1_000),
        ];
        for (what, count, max) in bounds {
            if count > max {
                return Err(InventoryError::TooMany { what, count, max });
            }
        }
        for update in &self.updates {
            let (what, count, max) = (
                "sources of one new package",
                update.brought_by.len(),
                limits::MAX_BROUGHT_BY,
            );
            if count > max {
                return Err(InventoryError::TooMany { what, count, max });
            }
        }
        for pair in self.updates.windows(2) {
            if (&pair[0].name, &pair[0].arch) == (&pair[1].name, &pair[1].arch) {
                return Err(InventoryError::Twice(pair[0].name.to_string()));
            }
        }
        Ok(())
    }

    /// The digest over the normalised JSON.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let json = serde_json::to_vec(self).unwrap_or_default();
        Digest(hex::encode(Sha256::digest(json)))
    }
}

/// The body of `report`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// When the scan ended, by the agent's clock; shown only.
    pub taken_at: Moment,
    /// Milliseconds that the scan took.
    #[serde(default)]
    pub took_ms: u64,
    /// Digest of the inventory that this report leads to.
    pub digest: Digest,
    /// The inventory or its change.
    pub content: ReportContent,
}

/// A whole inventory, or what changed since one that the server acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", try_from = "ReadContent")]
pub enum ReportContent {
    /// Everything.
    Full {
        /// The inventory.
        inventory: Box<Inventory>,
    },
    /// Changes against `base`.
    Delta {
        /// Digest of the inventory that the changes start from.
        base: Digest,
        /// The changes.
        changes: Box<InventoryDelta>,
    },
}

/// [`ReportContent`] as it is read. Without this, serde would first keep a copy of the whole inventory in a tree of its own, until it has
/// seen what kind it is.
#[derive(Deserialize)]
struct ReadContent {
    kind: ContentKind,
    inventory: Option<Box<Inventory>>,
    base: Option<Digest>,
    changes: Option<Box<InventoryDelta>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ContentKind {
    Full,
    Delta,
}

impl TryFrom<ReadContent> for ReportContent {
    type Error = &'static str;

    fn try_from(read: ReadContent) -> Result<Self, Self::Error> {
        match read.kind {
            ContentKind::Full => Ok(Self::Full {
                inventory: read.inventory.ok_or("a full report without its `inventory`")?,
            }),
            ContentKind::Delta => Ok(Self::Delta {
                base: read.base.ok_or("a delta without its `base`")?,
                changes: read.changes.ok_or("a delta without its `changes`")?,
            }),
        }
    }
}

/// What something is now that may also be unknown: a change to "nobody can say" is another one than none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now<T> {
    /// The value; absent = unknown.
    pub now: Option<T>,
}

impl<T> From<Option<T>> for Now<T> {
    fn from(now: Option<T>) -> Self {
        Self { now }
    }
}

/// What changed. Packages are given one by one; the short lists travel whole when they differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryDelta {
    /// New host facts.
    #[serde(default)]
    pub host: Option<HostFacts>,
    /// Packages that are gone or have another version now.
    #[serde(default)]
    pub removed: Vec<InstalledPackage>,
    /// Packages that are new or have another version now.
    #[serde(default)]
    pub added: Vec<InstalledPackage>,
    /// Updates that are no longer offered, as (name, architecture).
    #[serde(default)]
    pub updates_removed: Vec<(PackageName, Arch)>,
    /// Updates that are new or changed.
    #[serde(default)]
    pub updates_added: Vec<Update>,
    /// All sources.
    #[serde(default)]
    pub sources: Option<Vec<SourceStatus>>,
    /// All reboot reasons.
    #[serde(default)]
    pub reboot: Option<Vec<RebootReason>>,
    /// All services on old files.
    #[serde(default)]
    pub services: Option<Vec<StaleService>>,
    /// The package manager's state: `Some(None)` = in order again.
    #[serde(default, with = "double_option")]
    pub manager_error: Option<Option<ShortText>>,
    /// Free space.
    #[serde(default)]
    pub disk_free_mib: Option<u64>,
    /// Whether it runs on battery.
    #[serde(default)]
    pub on_battery: Option<Now<bool>>,
    /// Processes whose files could not be looked at.
    #[serde(default)]
    pub processes_unread: Option<Now<u32>>,
    /// All of what is installed from other vendors' archives.
    #[serde(default)]
    pub foreign: Option<Vec<Foreign>>,
}

impl InventoryDelta {
    /// What leads from `old` to `new`, both normalised.
    #[must_use]
    pub fn between(old: &Inventory, new: &Inventory) -> Self {
        fn changed<T: Clone + PartialEq>(old: &T, new: &T) -> Option<T> {
            (old != new).then(|| new.clone())
        }
        let updates = |i: &Inventory| -> BTreeMap<(PackageName, Arch), Update> {
            i.updates
                .iter()
                .map(|u| ((u.name.clone(), u.arch.clone()), u.clone()))
                .collect()
        };
        let (old_updates, new_updates) = (updates(old), updates(new));
        Self {
            host: changed(&old.host, &new.host),
            removed: old
                .packages
                .iter()
                .filter(|p| new.packages.binary_search(p).is_err())
                .cloned()
                .collect(),
            added: new
                .packages
                .iter()
                .filter(|p| old.packages.binary_search(p).is_err())
                .cloned()
                .collect(),
            updates_removed: old_updates
                .keys()
                .filter(|k| !new_updates.contains_key(*k))
                .cloned()
                .collect(),
            updates_added: new_updates
                .iter()
                .filter(|(k, u)| old_updates.get(*k) != Some(*u))
                .map(|(_, u)| u.clone())
                .collect(),
            sources: changed(&old.sources, &new.sources),
            reboot: changed(&old.reboot, &new.reboot),
            services: changed(&old.services, &new.services),
            manager_error: changed(&old.manager_error, &new.manager_error),
            disk_free_mib: changed(&old.disk_free_mib, &new.disk_free_mib),
            on_battery: changed(&old.on_battery, &new.on_battery).map(Now::from),
            processes_unread: changed(&old.processes_unread, &new.processes_unread).map(Now::from),
            foreign: changed(&old.foreign, &new.foreign),
        }
    }

    /// Applies the changes to `base` and normalises the result.
    #[must_use]
    pub fn apply(self, mut base: Inventory) -> Inventory {
        base.packages.retain(|p| !self.removed.contains(p));
        base.packages.extend(self.added);
        let replaced: std::collections::BTreeSet<(PackageName, Arch)> = self
            .updates_removed
            .into_iter()
            .chain(self.updates_added.iter().map(|u| (u.name.clone(), u.arch.clone())))
            .collect();
        base.updates
            .retain(|u| !replaced.contains(&(u.name.clone(), u.arch.clone())));
        base.updates.extend(self.updates_added);
        base.host = self.host.unwrap_or(base.host);
        base.sources = self.sources.unwrap_or(base.sources);
        base.reboot = self.reboot.unwrap_or(base.reboot);
        base.services = self.services.unwrap_or(base.services);
        base.manager_error = self.manager_error.unwrap_or(base.manager_error);
        base.disk_free_mib = self.disk_free_mib.unwrap_or(base.disk_free_mib);
        base.on_battery = self.on_battery.map_or(base.on_battery, |n| n.now);
        base.processes_unread = self.processes_unread.map_or(base.processes_unread, |n| n.now);
        base.foreign = self.foreign.unwrap_or(base.foreign);
        base.normalize();
        base
    }
}

/// Tells "unchanged" (false) from "none any more" (null).
mod double_option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer, T: Serialize>(v: &Option<Option<T>>, s: S) -> Result<S::Ok, S::Error> {
        // The outer `None` is written as `false`, which no text can be.
        match v {
            None => false.serialize(s),
            Some(inner) => inner.serialize(s),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        d: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire<T> {
            Unchanged(bool),
            Value(Option<T>),
        }
        Ok(match Wire::deserialize(d)? {
            Wire::Unchanged(false) => None,
            Wire::Unchanged(true) => return Err(serde::de::Error::custom("expected false, null or a text")),
            Wire::Value(v) => Some(v),
        })
    }
}

/// The reply to `report`: the digest that the server now holds, committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportReply {
    /// Acknowledged digest.
    pub digest: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_without_what_its_kind_needs_is_refused_by_name() {
        let read = |json| serde_json::from_str::<ReportContent>(json).unwrap_err().to_string();
        assert!(read(r#"{"kind":"full"}"#).contains("without its `inventory`"));
        assert!(read(r#"{"kind":"delta"}"#).contains("without its `base`"));
        assert!(read(r#"{"kind":"half"}"#).contains("half"));
    }
}
