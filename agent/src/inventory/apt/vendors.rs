//! What is installed from elsewhere than the system's own vendor. A version there says nothing about the vendor's own, nor the other way
//! round (`service::line`).

use super::text::{DpkgLine, Policy, PolicyVersion, Release};
use domain::{PackageName, VersionText};
use protocol::{
    ShortText,
    v1::{Foreign, Origin, vendor},
};
use std::collections::{BTreeMap, BTreeSet};

/// Source packages whose installed version no archive of the system's own vendor has, but another one does, or only its backports. The own
/// vendor is the one that most of what is installed comes from.
pub fn foreign(
    lines: &[DpkgLine],
    policies: &BTreeMap<&str, Policy>,
    releases: &BTreeMap<String, Release>,
    native: &str,
) -> Vec<Foreign> {
    let origins: Vec<(&DpkgLine, Vec<&Release>)> = lines
        .iter()
        .filter_map(|line| {
            let policy = policies.get(super::key(line.name, line.arch, native).as_str())?;
            let version = policy.versions.iter().find(|v| v.version == line.version)?;
            Some((line, known(version, releases)))
        })
        .filter(|(_, origins)| !origins.is_empty())
        .collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, from) in &origins {
        let vendors: BTreeSet<&str> = from.iter().map(|r| vendor(&r.label)).collect();
        for vendor in vendors {
            *counts.entry(vendor).or_default() += 1;
        }
    }
    let Some((own, _)) = counts.into_iter().max_by_key(|(_, n)| *n) else {
        return Vec::new();
    };
    let is_own = |r: &&Release| vendor(&r.label) == own && !r.archive.contains("-backports");
    let found: BTreeSet<Foreign> = origins
        .iter()
        .filter(|(_, from)| !from.iter().any(is_own))
        .filter_map(|(line, from)| {
            let first = from.iter().map(|r| r.origin()).min()?;
            Some(Foreign {
                source: PackageName::parse(line.source).ok()?,
                version: VersionText::parse(line.source_version).ok()?,
                origin: first,
            })
        })
        .collect();
    found.into_iter().collect()
}

/// The archives that have a version and say who they are.
fn known<'a>(version: &PolicyVersion, releases: &'a BTreeMap<String, Release>) -> Vec<&'a Release> {
    let all = version.places.iter().filter_map(|(_, place)| releases.get(place));
    all.filter(|r| r.archive != "now" && !(r.label.is_empty() && r.archive.is_empty()))
        .collect()
}

impl Release {
    /// In the words of the protocol.
    pub fn origin(&self) -> Origin {
        Origin {
            label: ShortText::fit(&self.label),
            archive: ShortText::fit(&self.archive),
            codename: ShortText::fit(&self.codename),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::apt::text::{dpkg_lines, policies, releases};

    #[test]
    fn other_vendors_and_backports_are_told() {
        let status = "ii \tbash\tamd64\t5.2.15-2+b7\tbash\t5.2.15-2\t\n\
            ii \tlibssl3\tamd64\t3.0.17-1~deb12u2\topenssl\t3.0.17-1~deb12u2\t\n\
            ii \tgone\tamd64\t1.0-1\tgone\t1.0-1\t\n\
            ii \tnodejs\tamd64\t20.19.0-1nodesource1\tnodejs\t20.19.0-1nodesource1\t\n\
            ii \tcurl\tamd64\t8.11.0-1~bpo12+1\tcurl\t8.11.0-1~bpo12+1\t\n";
        let one = |name: &str, version: &str, places: &str| {
            format!(
                "{name}:\n  Installed: {version}\n  Candidate: {version}\n  Version table:\n *** {version} 500\n{places}        100 /var/lib/dpkg/status\n"
            )
        };
        let debian = "        500 http://d.example/debian bookworm/main amd64 Packages\n";
        let policy = [
            one("bash", "5.2.15-2+b7", debian),
            one(
                "libssl3",
                "3.0.17-1~deb12u2",
                "        500 http://d.example/debian-security bookworm-security/main amd64 Packages\n",
            ),
            one("gone", "1.0-1", ""),
            one(
                "nodejs",
                "20.19.0-1nodesource1",
                "        500 https://n.example/node_20.x nodistro/main amd64 Packages\n",
            ),
            one(
                "curl",
                "8.11.0-1~bpo12+1",
                "        100 http://d.example/debian bookworm-backports/main amd64 Packages\n",
            ),
        ]
        .concat();
        let release = |place: &str, fields: &str| format!(" 500 {place}\n     release {fields}\n     origin x\n");
        let table = [
            " 100 /var/lib/dpkg/status\n     release a=now\n".to_owned(),
            release(
                "http://d.example/debian bookworm/main amd64 Packages",
                "v=12.12,o=Debian,a=oldstable,n=bookworm,l=Debian,c=main,b=amd64",
            ),
            release(
                "http://d.example/debian-security bookworm-security/main amd64 Packages",
                "v=12,o=Debian,a=oldstable-security,n=bookworm-security,l=Debian-Security,c=main,b=amd64",
            ),
            release(
                "http://d.example/debian bookworm-backports/main amd64 Packages",
                "o=Debian Backports,a=oldstable-backports,n=bookworm-backports,l=Debian Backports,c=main,b=amd64",
            ),
            release(
                "https://n.example/node_20.x nodistro/main amd64 Packages",
                "o=. nodistro,a=nodistro,n=nodistro,l=. nodistro,c=main,b=amd64",
            ),
        ]
        .concat();
        let lines: Vec<DpkgLine> = dpkg_lines(status).collect();
        let found = foreign(&lines, &policies(&policy), &releases(&table), "amd64");
        let words: Vec<(&str, &str, &str)> = found
            .iter()
            .map(|f| (f.source.as_str(), f.version.as_str(), f.origin.label.as_str()))
            .collect();
        assert_eq!(
            words,
            [
                ("curl", "8.11.0-1~bpo12+1", "Debian Backports"),
                ("nodejs", "20.19.0-1nodesource1", ". nodistro")
            ]
        );
        assert!(foreign(&[], &BTreeMap::new(), &BTreeMap::new(), "amd64").is_empty());
    }
}
