//! From what a scan saw to the state of every patch on its device. Pure: rows in, changes out.

use super::catalog::{Offer, Release, may_offer, offers, origin_text};
use crate::{
    line::{self, Line},
    store::{
        attempts::History,
        catalog::Known,
        states::{Change, State},
    },
};
use domain::{Moment, PatchId, PatchState, compare_debian};
use protocol::v1::{Brake, Inventory, PackageVersion, RebootReason};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
};

/// What a scan saw, arranged by source package.
pub(super) struct Scan<'a> {
    inventory: &'a Inventory,
    release: &'a Release,
    /// Source versions installed, newest last.
    installed: HashMap<&'a str, Vec<&'a str>>,
    offers: HashMap<&'a str, Vec<Offer<'a>>>,
    /// Origins of what comes from elsewhere than the system's own vendor, by source and version.
    foreign: HashMap<(&'a str, &'a str), String>,
    /// Sources that could not be read.
    unread: Vec<&'a str>,
}

impl<'a> Scan<'a> {
    pub(super) fn of(inventory: &'a Inventory, release: &'a Release) -> Self {
        let mut installed: HashMap<&str, Vec<&str>> = HashMap::with_capacity(inventory.packages.len());
        for package in &inventory.packages {
            let versions = installed.entry(package.source.as_str()).or_default();
            let version = package.source_version().as_str();
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        for versions in installed.values_mut().filter(|v| v.len() > 1) {
            versions.sort_by(|a, b| compare_debian(a, b));
        }
        let mut by_source: HashMap<&str, Vec<Offer<'_>>> = HashMap::new();
        for offer in offers(inventory) {
            by_source.entry(offer.source).or_default().push(offer);
        }
        let unread = inventory
            .sources
            .iter()
            .filter(|s| s.error.is_some())
            .map(|s| s.name.as_str())
            .collect();
        Self {
            inventory,
            release,
            installed,
            offers: by_source,
            foreign: inventory
                .foreign
                .iter()
                .map(|f| ((f.source.as_str(), f.version.as_str()), origin_text(&f.origin)))
                .collect(),
            unread,
        }
    }

    fn offer_of(&self, known: &Known) -> Option<&Offer<'a>> {
        self.offers.get(known.source.as_str())?.iter().find(|o| o.is(known))
    }

    /// How the newest installed version of a patch's line compares with the patch; `None` = nothing of it is installed.
    fn against(&self, known: &Known) -> Option<Ordering> {
        let mut installed = self.installed.get(known.source.as_str())?.iter().rev();
        let newest = installed.find(|version| self.is_of_line(version, known))?;
        Some(compare_debian(newest, &known.version))
    }

    /// Whether an installed version belongs to the line of a patch: another vendor's version neither holds the patch nor replaces it.
    fn is_of_line(&self, version: &str, known: &Known) -> bool {
        if version == known.version {
            return true;
        }
        let line = self.release.line(known);
        if let Some(origin) = self.foreign.get(&(known.source.as_str(), version)) {
            return self.release.line_of(&known.source, version, origin) == line;
        }
        let patches = self.release.of_source(&known.source);
        let mut same = patches.iter().filter(|k| k.version == version).peekable();
        if same.peek().is_some() {
            return same.any(|k| self.release.line(k) == line);
        }
        // No archive ever offered it to a device that reports here: it was there from the beginning.
        let os_id = self.inventory.host.os_id.as_str();
        let own = |line: Line<'_>| line.is_own(os_id);
        line.is_backports() == line::is_backport(version)
            && (own(line) || !patches.iter().any(|k| own(self.release.line(k))))
    }

    /// Whether exactly this version is installed and nothing of it is still missing.
    pub(super) fn proves(&self, known: &Known) -> bool {
        self.against(known) == Some(Ordering::Equal) && self.offer_of(known).is_none()
    }

    /// Whether this version is installed with just the packages that were asked for; a later rebuild of it may be on offer.
    pub(super) fn shows(&self, known: &Known, asked: &[PackageVersion]) -> bool {
        !asked.is_empty() && self.against(known) == Some(Ordering::Equal) && self.has(asked)
    }

    /// Whether the version is not installed (any more), nor a later one.
    pub(super) fn disproves(&self, known: &Known) -> bool {
        self.against(known).is_none_or(|o| o == Ordering::Less)
    }

    /// Whether every one of these packages has the version given; absent = not installed.
    pub(super) fn has(&self, packages: &[PackageVersion]) -> bool {
        let installed = |p: &&PackageVersion| {
            let mut all = self.inventory.packages.iter();
            all.find(|i| i.name == p.name && i.arch == p.arch).map(|i| &i.version)
        };
        packages.iter().all(|p| installed(&p) == p.version.as_ref())
    }

    /// The state of a patch; `None` = it never concerned this device.
    fn state(&self, known: &Known, before: Option<PatchState>, history: &History) -> Option<PatchState> {
        let offered = self.offer_of(known).is_some();
        let against = self.against(known);
        // Half of it may be left when it had been half installed before: it is offered again then.
        if history.blocked && (offered || self.disproves(known)) {
            return Some(PatchState::RolledBack);
        }
        if offered {
            return Some(history.refine(PatchState::Missing));
        }
        match against {
            None if !self.installed.contains_key(known.source.as_str()) => before.map(|_| PatchState::NotApplicable),
            Some(Ordering::Equal) => Some(self.in_effect(known)),
            Some(Ordering::Greater) => Some(PatchState::InstalledBySuperseding),
            None | Some(Ordering::Less) => self.not_offered(known, before, history, against.is_some()),
        }
    }

    /// An older version is installed, or only another line's (`here` is false), and this one is not offered.
    fn not_offered(
        &self,
        known: &Known,
        before: Option<PatchState>,
        history: &History,
        here: bool,
    ) -> Option<PatchState> {
        if self.newer_offer(known).is_some() {
            return Some(PatchState::Superseded);
        }
        // What a source had found stays until the source can be read again (DESIGN principle 8).
        if self.unread.iter().any(|source| may_offer(source, &known.origin)) {
            return before.map(|state| match state {
                PatchState::Installing | PatchState::Failed => history.refine(PatchState::Missing),
                PatchState::Installed
                | PatchState::InstalledBySuperseding
                | PatchState::PendingReboot
                | PatchState::RestartNeeded
                | PatchState::RolledBack
                | PatchState::NotApplicable => {
                    if here {
                        PatchState::Unknown
                    } else {
                        PatchState::NotApplicable
                    }
                }
                other => other,
            });
        }
        let replaced = here && known.superseded_by.is_some();
        before.map(|state| {
            if replaced && state != PatchState::NotApplicable {
                PatchState::Superseded
            } else {
                PatchState::NotApplicable
            }
        })
    }

    /// What the device is offered that takes the place of a patch. What its own policy picks from another line replaces nothing in this
    /// one: then the patch is just not offered.
    fn newer_offer(&self, known: &Known) -> Option<&Offer<'a>> {
        let line = self.release.line(known);
        self.offers.get(known.source.as_str())?.iter().find(|o| {
            let origin = o.origin();
            let newer = (self.release.line_of(o.source, o.version, &origin), o.version);
            line::replaces(newer, (line, &known.version))
        })
    }

    /// What the device's own engine has against a patch in `state`.
    fn brake(&self, known: &Known, state: PatchState, row: Option<&State>) -> Option<String> {
        let stored = row.and_then(|r| r.brake.as_deref());
        if let Some(offer) = self.offer_of(known) {
            return offer.brake().and_then(|b| serde_json::to_string(b).ok());
        }
        if state != PatchState::Superseded {
            // Its source could not be read: what was seen before still counts.
            return stored
                .filter(|_| row.is_some_and(|r| r.state == state))
                .map(str::to_owned);
        }
        // The engine speaks of the newest version only. A hold or a pin is about the package, whatever its version; how far the vendor had
        // let out this version is not told any more.
        match self.newer_offer(known).map(Offer::brake) {
            Some(Some(brake @ (Brake::Held | Brake::Pinned { .. }))) => serde_json::to_string(brake).ok(),
            Some(_) => stored.filter(|json| is_phased(json)).map(str::to_owned),
            None => stored.map(str::to_owned),
        }
    }

    /// Installed, unless something seen on the device says that the old code still runs.
    fn in_effect(&self, known: &Known) -> PatchState {
        let inventory = self.inventory;
        if inventory.reboot.is_empty() && inventory.services.is_empty() {
            return PatchState::Installed;
        }
        let packages = || {
            inventory
                .packages
                .iter()
                .filter(|p| p.source.as_str() == known.source && p.source_version().as_str() == known.version)
                .map(|p| p.name.as_str())
        };
        let of_file = |file: &str| belongs(file, &known.source) || packages().any(|name| belongs(file, name));
        let reboot = inventory.reboot.iter().any(|reason| match reason {
            RebootReason::FlagFile { packages: named } => {
                packages().any(|name| named.iter().any(|n| n.as_str() == name))
            }
            RebootReason::Kernel { installed, .. } => {
                packages().any(|name| name.strip_suffix(installed.as_str()).is_some_and(|p| p.ends_with('-')))
            }
            RebootReason::CoreProcess { file, .. } => of_file(file.as_str()),
        });
        if reboot {
            PatchState::PendingReboot
        } else if inventory.services.iter().any(|s| of_file(s.file.as_str())) {
            PatchState::RestartNeeded
        } else {
            PatchState::Installed
        }
    }

    /// Every state that this scan changes. `before` are the rows as stored, `history` what attempts and orders left.
    pub(super) fn changes(
        &self,
        before: &BTreeMap<PatchId, State>,
        history: &HashMap<PatchId, History>,
        now: Moment,
    ) -> Vec<Change> {
        let release = self.release;
        let mut changes = Vec::new();
        let mut sources: Vec<&str> = self.installed.keys().chain(self.offers.keys()).copied().collect();
        sources.sort_unstable();
        sources.dedup();
        for known in sources.into_iter().flat_map(|source| release.of_source(source)) {
            let none = History::default();
            let row = before.get(&known.id);
            let history = history.get(&known.id).unwrap_or(&none);
            if let Some(state) = self.state(known, row.map(|r| r.state), history) {
                let brake = self.brake(known, state, row);
                let ours = history.ours && !state.is_open();
                let to = State {
                    patch: known.id,
                    state,
                    since: now,
                    ours,
                    brake,
                    security: known.security,
                    // What is not offered any more was as large as it was.
                    bytes: self.offer_of(known).map(Offer::bytes).or(row.and_then(|r| r.bytes)),
                };
                changes.extend(change(row, to));
            }
        }
        // Rows of products that are gone, or of a release that the device has left.
        for row in before.values() {
            let known = release.by_id(row.patch);
            let here = known.is_some_and(|k| {
                self.installed.contains_key(k.source.as_str()) || self.offers.contains_key(k.source.as_str())
            });
            if !here {
                let blocked = history.get(&row.patch).is_some_and(|h| h.blocked);
                let state = if blocked && known.is_some() {
                    PatchState::RolledBack
                } else {
                    PatchState::NotApplicable
                };
                changes.extend(change(
                    Some(row),
                    State {
                        state,
                        since: now,
                        brake: None,
                        ..row.clone()
                    },
                ));
            }
        }
        changes
    }
}

fn is_phased(brake: &str) -> bool {
    matches!(serde_json::from_str(brake), Ok(Brake::Phased { .. }))
}

/// `to` as a change of `row`, with the time since when the state has stood; `None` when nothing changes.
fn change(row: Option<&State>, mut to: State) -> Option<Change> {
    if let Some(same) = row.filter(|r| r.state == to.state) {
        to.since = same.since;
    }
    (row != Some(&to)).then(|| Change {
        from: row.map(|r| r.state),
        to,
    })
}

/// Whether a file's name points to a package: `/usr/lib/x86_64-linux-gnu/libssl.so.3` to `libssl3`, `/usr/lib/systemd/…` to `systemd`,
/// `/usr/sbin/cron` to `cron`. A hint from the vendor's own naming rules (Debian policy 8.1), not a proof; the file is shown beside it.
fn belongs(file: &str, package: &str) -> bool {
    let file = file.strip_suffix(" (deleted)").unwrap_or(file);
    let base = file.rsplit('/').next().unwrap_or(file);
    if file.split('/').any(|part| part == package) {
        return true;
    }
    let Some((stem, version)) = base.split_once(".so") else {
        return false;
    };
    let version = version.trim_start_matches('.').split('.').next().unwrap_or("");
    let dash = if stem.ends_with(|c: char| c.is_ascii_digit()) && !version.is_empty() {
        "-"
    } else {
        ""
    };
    let name = package.strip_suffix("t64").unwrap_or(package);
    name.strip_prefix(stem).and_then(|rest| rest.strip_prefix(dash)) == Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_names_point_to_their_packages() {
        assert!(belongs("/usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)", "libssl3"));
        assert!(belongs("/usr/lib/x86_64-linux-gnu/libssl.so.3", "libssl3t64"));
        assert!(belongs("/usr/lib/systemd/libsystemd-shared-252.so", "systemd"));
        assert!(belongs("/usr/sbin/cron", "cron"));
        assert!(!belongs("/usr/lib/x86_64-linux-gnu/libc.so.6", "libcap2"));
        assert!(belongs("/usr/lib/x86_64-linux-gnu/libc.so.6", "libc6"));
    }
}
