//! What reports teach the catalog: a patch is one source package at one exact version from one origin for one OS release.

use crate::{
    Result,
    line::{self, Line},
    store::catalog::{self as rows, Known, NewPackage, NewPatch},
};
use domain::{Moment, OsReleaseId, PatchId, compare_debian};
use protocol::v1::{Brake, HostFacts, Inventory, Origin, Update, vendor};
use sqlx::SqliteConnection;
use std::collections::{BTreeMap, HashMap};

/// The catalog in memory, so that a report costs its own packages and not the catalog. A release is taken out while a transaction works on
/// it and put back after the commit: whatever fails in between, the next report reads it anew.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    releases: HashMap<OsReleaseId, Release>,
    /// By the system's id and version; never changed nor deleted once they are written.
    ids: HashMap<(String, String), OsReleaseId>,
}

/// The patches of one OS release, by source package, in order of version.
#[derive(Debug)]
pub(super) struct Release {
    id: OsReleaseId,
    by_source: HashMap<String, Vec<Known>>,
    source_of: HashMap<PatchId, String>,
}

impl Catalog {
    /// Takes a release out; reads it when it is not there.
    pub(super) async fn take(&mut self, conn: &mut SqliteConnection, id: OsReleaseId) -> Result<Release> {
        if let Some(release) = self.releases.remove(&id) {
            return Ok(release);
        }
        let mut release = Release::new(id);
        for known in rows::of_release(conn, id).await? {
            release.add(known);
        }
        // What an earlier version of the server wrote may follow other rules.
        release.supersede_all(conn).await?;
        Ok(release)
    }

    /// Puts it back after the commit.
    pub(super) fn put(&mut self, id: OsReleaseId, release: Release, host: &HostFacts) {
        self.releases.insert(id, release);
        self.ids.entry(named(host)).or_insert(id);
    }

    /// The number of the release that a host runs; a new one when it is the first.
    pub(super) async fn os_release(&self, conn: &mut SqliteConnection, host: &HostFacts) -> Result<OsReleaseId> {
        match self.ids.get(&named(host)) {
            Some(id) => Ok(*id),
            None => rows::os_release(conn, host).await,
        }
    }
}

fn named(host: &HostFacts) -> (String, String) {
    (host.os_id.to_string(), host.os_version.to_string())
}

impl Release {
    fn new(id: OsReleaseId) -> Self {
        Self {
            id,
            by_source: HashMap::new(),
            source_of: HashMap::new(),
        }
    }

    /// The line of versions that a patch of this release belongs to.
    pub(super) fn line<'k>(&self, known: &'k Known) -> Line<'k> {
        Line::of(self.id, &known.source, &known.version, &known.origin)
    }

    /// The line of versions that something offered or installed belongs to; `origin` as [`origin_text`] writes it.
    pub(super) fn line_of<'o>(&self, source: &'o str, version: &str, origin: &'o str) -> Line<'o> {
        Line::of(self.id, source, version, origin)
    }

    /// The patches of a source package, oldest version first.
    pub(super) fn of_source(&self, source: &str) -> &[Known] {
        self.by_source.get(source).map_or(&[], Vec::as_slice)
    }

    /// The patch with a number, if it belongs to this release.
    pub(super) fn by_id(&self, id: PatchId) -> Option<&Known> {
        self.of_source(self.source_of.get(&id)?).iter().find(|k| k.id == id)
    }

    fn add(&mut self, known: Known) {
        self.source_of.insert(known.id, known.source.clone());
        let list = self.by_source.entry(known.source.clone()).or_default();
        let at = list.partition_point(|k| {
            compare_debian(&k.version, &known.version)
                .then(k.id.cmp(&known.id))
                .is_lt()
        });
        list.insert(at, known);
    }

    /// Takes up what a device offers: new patches, new packages of known ones, security origins, and which patch replaces which.
    pub(super) async fn learn(
        &mut self,
        conn: &mut SqliteConnection,
        inventory: &Inventory,
        now: Moment,
    ) -> Result<()> {
        let mut packages: Vec<NewPackage<'_>> = Vec::new();
        let new: Vec<&Update> = inventory.updates.iter().filter(|u| !u.brought_by.is_empty()).collect();
        for offer in offers(inventory) {
            let known = self
                .of_source(offer.source)
                .iter()
                .find(|k| offer.is(k))
                .map(|k| (k.id, k.security));
            let patch = match known {
                Some((patch, security)) => {
                    if offer.security && !security {
                        rows::make_security(conn, patch).await?;
                        self.change(offer.source, patch, |k| k.security = true);
                    }
                    patch
                }
                None => self.insert(conn, &offer, now).await?,
            };
            let mut added = Vec::new();
            let listed = self.of_source(offer.source).iter().find(|k| k.id == patch);
            let own = |u: &Update| u.source.as_str() == offer.source && u.source_version.as_str() == offer.version;
            let with_it = new.iter().filter(|u| !own(u) && brings(offer.source, u));
            for u in offer.updates.iter().chain(with_it) {
                let (name, arch) = (u.name.as_str(), u.arch.as_str());
                if listed.is_none_or(|k| !k.packages.iter().any(|(n, a)| n == name && a == arch)) {
                    added.push((name.to_owned(), arch.to_owned()));
                    packages.push((
                        patch.0,
                        name,
                        arch,
                        u.version.as_str(),
                        u.size,
                        u.sha256.as_str(),
                        u.installed.is_none(),
                    ));
                }
            }
            if !added.is_empty() {
                self.change(offer.source, patch, |k| k.packages.extend(added));
            }
        }
        rows::insert_packages(conn, &packages).await
    }

    fn change(&mut self, source: &str, patch: PatchId, with: impl FnOnce(&mut Known)) {
        if let Some(known) = self
            .by_source
            .get_mut(source)
            .and_then(|list| list.iter_mut().find(|k| k.id == patch))
        {
            with(known);
        }
    }

    async fn insert(&mut self, conn: &mut SqliteConnection, offer: &Offer<'_>, now: Moment) -> Result<PatchId> {
        let origin = offer.origin();
        let new = NewPatch {
            release: self.id,
            source: offer.source,
            version: offer.version,
            origin: &origin,
            vendor: offer.vendor(),
            summary: offer.summary(),
            security: offer.security,
        };
        let patch = rows::insert(conn, &new, now).await?;
        self.add(Known {
            id: patch,
            source: offer.source.to_owned(),
            version: offer.version.to_owned(),
            origin: origin.clone(),
            security: offer.security,
            superseded_by: None,
            packages: Vec::new(),
        });
        self.supersede(conn, offer.source).await?;
        Ok(patch)
    }

    async fn supersede_all(&mut self, conn: &mut SqliteConnection) -> Result<()> {
        let sources: Vec<String> = self.by_source.keys().cloned().collect();
        for source in sources {
            self.supersede(conn, &source).await?;
        }
        Ok(())
    }

    /// The newest version of a line replaces every older one, whatever the order in which they were seen.
    async fn supersede(&mut self, conn: &mut SqliteConnection, source: &str) -> Result<()> {
        let list = self.of_source(source);
        let newest = |known: &Known| {
            let line = self.line(known);
            let newest = list.iter().rfind(|k| self.line(k) == line)?;
            line::replaces((self.line(newest), &newest.version), (line, &known.version)).then_some(newest.id)
        };
        let changed: Vec<(PatchId, Option<PatchId>)> = list
            .iter()
            .map(|known| (known, newest(known)))
            .filter(|(known, by)| known.superseded_by != *by)
            .map(|(known, by)| (known.id, by))
            .collect();
        for (patch, by) in changed {
            rows::supersede(conn, patch, by).await?;
            self.change(source, patch, |k| k.superseded_by = by);
        }
        Ok(())
    }
}

/// The updates of one source package at one version that a device offers.
pub(super) struct Offer<'a> {
    pub(super) source: &'a str,
    pub(super) version: &'a str,
    pub(super) updates: Vec<&'a Update>,
    security: bool,
}

/// Whether updates of a source package bring in a new package, its own or another source's.
pub(super) fn brings(source: &str, update: &Update) -> bool {
    update.installed.is_none() && update.brought_by.iter().any(|s| s.as_str() == source)
}

/// What a device offers, by source package and version. Packages that only come in anew with something else are no patch of their own: they
/// belong to the patches that bring them.
pub(super) fn offers(inventory: &Inventory) -> Vec<Offer<'_>> {
    let mut by_patch: BTreeMap<(&str, &str), Vec<&Update>> = BTreeMap::new();
    for update in &inventory.updates {
        by_patch
            .entry((update.source.as_str(), update.source_version.as_str()))
            .or_default()
            .push(update);
    }
    by_patch
        .into_iter()
        .filter(|(_, updates)| updates.iter().any(|u| u.installed.is_some()))
        .map(|((source, version), updates)| Offer {
            source,
            version,
            security: updates.iter().any(|u| u.security),
            updates,
        })
        .collect()
}

impl Offer<'_> {
    /// Whether a known patch is this: the same exact version from one of the same origins.
    pub(super) fn is(&self, known: &Known) -> bool {
        known.version == self.version
            && (known.origin == self.origin() || self.origins().any(|o| origin_text(o) == known.origin))
    }

    /// What the device's own engine has against it: a word of the owner of the device before the vendor's.
    pub(super) fn brake(&self) -> Option<&Brake> {
        let rank = |brake: &&Brake| match brake {
            Brake::Held => 0,
            Brake::Pinned { .. } => 1,
            Brake::Phased { .. } => 2,
        };
        self.updates.iter().filter_map(|u| u.brake.as_ref()).min_by_key(rank)
    }

    /// What the device would download.
    pub(super) fn bytes(&self) -> u64 {
        let sizes = self.updates.iter().map(|u| u.size.min(rows::LARGEST));
        sizes.fold(0, u64::saturating_add)
    }

    fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.updates.iter().flat_map(|u| &u.origins)
    }

    /// A security origin wins where there are several; then the first by name, so that every device gives the same answer.
    fn first_origin(&self) -> Option<&Origin> {
        self.origins().min_by_key(|o| (!is_security(o), *o))
    }

    pub(super) fn origin(&self) -> String {
        self.first_origin().map_or_else(|| "unknown".to_owned(), origin_text)
    }

    /// The label without what says which of the vendor's archives it is.
    fn vendor(&self) -> &str {
        let known = self.first_origin().map_or("", |o| vendor(o.label.as_str()));
        if known.is_empty() { "unknown" } else { known }
    }

    /// The line of the package named like the source, or of the first one.
    fn summary(&self) -> &str {
        let named = self
            .updates
            .iter()
            .find(|u| u.name.as_str() == self.source && !u.summary.as_str().is_empty());
        named
            .or_else(|| self.updates.iter().find(|u| !u.summary.as_str().is_empty()))
            .map_or("", |u| u.summary.as_str())
    }
}

fn is_security(origin: &Origin) -> bool {
    origin.label.as_str().ends_with("-Security")
        || origin.codename.as_str().ends_with("-security")
        || origin.archive.as_str().ends_with("-security")
}

/// `Debian-Security bookworm-security`, `Ubuntu noble-security`: label and suite. Debian's archive names move with every release
/// (`oldstable-security`), Ubuntu's code name is the same for all its archives (ENGINES 0.2).
pub(super) fn origin_text(origin: &Origin) -> String {
    let (archive, codename) = (origin.archive.as_str(), origin.codename.as_str());
    let suite = if codename.is_empty() || archive.strip_prefix(codename).is_some_and(|rest| rest.starts_with('-')) {
        archive
    } else {
        codename
    };
    format!("{} {suite}", origin.label).trim().to_owned()
}

/// Whether a source that could not be read may have offered a patch from `origin`.
pub(super) fn may_offer(source: &str, origin: &str) -> bool {
    let suite = origin.rsplit(' ').next().unwrap_or(origin);
    suite == source || suite.strip_prefix(source).is_some_and(|rest| rest.starts_with('-')) || origin.contains(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ShortText;

    fn origin(label: &str, archive: &str, codename: &str) -> Origin {
        Origin {
            label: ShortText::fit(label),
            archive: ShortText::fit(archive),
            codename: ShortText::fit(codename),
        }
    }

    #[test]
    fn origins_keep_their_name_when_the_archive_moves_on() {
        assert_eq!(
            origin_text(&origin("Debian-Security", "oldstable-security", "bookworm-security")),
            "Debian-Security bookworm-security"
        );
        assert_eq!(
            origin_text(&origin("Ubuntu", "noble-security", "noble")),
            "Ubuntu noble-security"
        );
        assert_eq!(
            origin_text(&origin("Docker CE", "bookworm", "bookworm")),
            "Docker CE bookworm"
        );
        assert_eq!(origin_text(&origin("", "stable", "")), "stable");
    }

    #[test]
    fn an_unread_source_speaks_for_its_own_origins() {
        assert!(may_offer("bookworm-security", "Debian-Security bookworm-security"));
        assert!(!may_offer("bookworm-security", "Debian bookworm"));
        assert!(may_offer("noble", "Ubuntu noble-security"));
    }
}
