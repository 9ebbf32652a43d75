//! Reads what dpkg and apt print. Pure: text in, values out; tested on the output of real devices.

use domain::compare_debian;
use std::collections::{BTreeMap, BTreeSet};

/// One line of `dpkg-query -W -f` [`QUERY`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpkgLine<'a> {
    /// E.g. `ii `, `hi `, `iF `, `iHR`.
    pub status: &'a str,
    /// Package.
    pub name: &'a str,
    /// Architecture.
    pub arch: &'a str,
    /// Version.
    pub version: &'a str,
    /// Source package.
    pub source: &'a str,
    /// Source version.
    pub source_version: &'a str,
    /// Names that it provides.
    pub provides: &'a str,
}

/// The format for `dpkg-query`.
pub const QUERY: &str = "-f=${db:Status-Abbrev}\t${Package}\t${Architecture}\t${Version}\t${source:Package}\t${source:Version}\t${Provides}\n";

impl DpkgLine<'_> {
    /// Held by the owner of the device (`apt-mark hold`).
    pub fn held(&self) -> bool {
        self.status.starts_with('h')
    }
    /// Its files are (at least partly) on the device.
    pub fn present(&self) -> bool {
        !matches!(self.status.as_bytes().get(1), None | Some(b'n' | b'c'))
    }
    /// Unpacked and configured, nothing owed.
    pub fn in_order(&self) -> bool {
        self.status.as_bytes().get(1) == Some(&b'i') && self.status.as_bytes().get(2).is_none_or(|b| *b == b' ')
    }
}

/// Lines that have all fields.
pub fn dpkg_lines(text: &str) -> impl Iterator<Item = DpkgLine<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        let mut next = || fields.next();
        Some(DpkgLine {
            status: next()?,
            name: next()?,
            arch: next()?,
            version: next()?,
            source: next()?,
            source_version: next()?,
            provides: next().unwrap_or_default(),
        })
    })
}

/// One package of `apt-cache policy NAMES`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Version that is installed.
    pub installed: Option<String>,
    /// Version that apt prefers.
    pub candidate: Option<String>,
    /// Every version that is known, newest first.
    pub versions: Vec<PolicyVersion>,
}

/// One version of the version table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyVersion {
    /// The version.
    pub version: String,
    /// Its priority.
    pub priority: i32,
    /// The share of devices that get it so far.
    pub phased: Option<u8>,
    /// Priority and index line of every place that has it.
    pub places: Vec<(i32, String)>,
}

impl PolicyVersion {
    /// Whether an archive has it, not only this device.
    pub fn in_archive(&self) -> bool {
        self.places.iter().any(|(_, place)| place != STATUS_FILE)
    }
}

/// The index line of what is installed.
pub const STATUS_FILE: &str = "/var/lib/dpkg/status";

/// Parses `apt-cache policy NAMES`; keys are as apt prints them: `name`, or `name:arch` for a foreign architecture.
pub fn policies(text: &str) -> BTreeMap<&str, Policy> {
    let mut all: BTreeMap<&str, Policy> = BTreeMap::new();
    let mut current: Option<(&str, Policy)> = None;
    let value = |text: &str| Some(text.trim().to_owned()).filter(|v| v != "(none)");
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            all.extend(current.replace((name, Policy::default())));
            continue;
        }
        let Some((_, entry)) = &mut current else { continue };
        if let Some(v) = line.strip_prefix("  Installed: ") {
            entry.installed = value(v);
        } else if let Some(v) = line.strip_prefix("  Candidate: ") {
            entry.candidate = value(v);
        } else if line.starts_with("  Version table:") || line.starts_with("  Package pin:") {
            // The pin shows in the priorities.
        } else if line.get(5..6).is_some_and(|c| c != " ") {
            // `     1.2 500 (phased 10%)` or ` *** 1.1 100`
            let mut words = line[5..].split_whitespace();
            let version = words.next().unwrap_or_default().to_owned();
            let priority = words.next().and_then(|w| w.parse().ok()).unwrap_or(0);
            let phased = line
                .split_once("(phased ")
                .and_then(|(_, p)| p.split_once('%'))
                .and_then(|(p, _)| p.parse().ok());
            entry.versions.push(PolicyVersion {
                version,
                priority,
                phased,
                places: Vec::new(),
            });
        } else if let (Some((priority, place)), Some(version)) =
            (line.trim_start().split_once(' '), entry.versions.last_mut())
            && let Ok(priority) = priority.parse()
        {
            version.places.push((priority, place.to_owned()));
        }
    }
    all.extend(current);
    all
}

/// What a Release file says, as `apt-cache policy` prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// `l=`
    pub label: String,
    /// `a=`
    pub archive: String,
    /// `n=`
    pub codename: String,
}

impl Release {
    /// Debian: the label or the codename tells, the suite's name changes with the years. Ubuntu: label and codename are the same for all
    /// pockets and only the archive tells (ENGINES 0.2).
    pub fn is_security(&self) -> bool {
        self.label == "Debian-Security" || self.codename.ends_with("-security") || self.archive.ends_with("-security")
    }
}

/// Parses `apt-cache policy` without names: index line → release.
pub fn releases(text: &str) -> BTreeMap<String, Release> {
    let mut all = BTreeMap::new();
    let mut place: Option<String> = None;
    for line in text.lines() {
        if line.starts_with("Pinned packages:") {
            break;
        }
        if let Some(fields) = line.trim_start().strip_prefix("release ") {
            let of = |key: &str| {
                fields
                    .split(',')
                    .find_map(|f| f.strip_prefix(key))
                    .unwrap_or_default()
                    .to_owned()
            };
            if let Some(place) = place.take() {
                all.insert(
                    place,
                    Release {
                        label: of("l="),
                        archive: of("a="),
                        codename: of("n="),
                    },
                );
            }
        } else if let Some((priority, rest)) = line.trim_start().split_once(' ')
            && priority.parse::<i32>().is_ok()
        {
            place = Some(rest.to_owned());
        }
    }
    all
}

/// One paragraph of `apt-cache show`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown<'a> {
    /// `Package`
    pub name: &'a str,
    /// `Architecture`
    pub arch: &'a str,
    /// `Version`
    pub version: &'a str,
    /// `Source`, with its version in brackets when it differs.
    pub source: &'a str,
    /// `Section`
    pub section: &'a str,
    /// `Size`
    pub size: u64,
    /// `SHA256`
    pub sha256: &'a str,
    /// First line of the description.
    pub summary: &'a str,
    /// `Pre-Depends` and `Depends`.
    pub depends: [&'a str; 2],
    /// `Provides`
    pub provides: &'a str,
}

impl Shown<'_> {
    /// Source package and version.
    pub fn source(&self) -> (&str, &str) {
        match self.source.split_once(" (") {
            Some((name, version)) => (name, version.trim_end_matches(')')),
            None if self.source.is_empty() => (self.name, self.version),
            None => (self.source, self.version),
        }
    }
}

/// Parses `apt-cache show`.
pub fn shown(text: &str) -> impl Iterator<Item = Shown<'_>> {
    text.split("\n\n").filter(|p| !p.trim().is_empty()).map(|paragraph| {
        let mut out = Shown::default();
        for line in paragraph.lines() {
            let Some((key, value)) = line.split_once(':').filter(|_| !line.starts_with(' ')) else {
                continue;
            };
            let value = value.trim();
            match key {
                "Package" => out.name = value,
                "Architecture" => out.arch = value,
                "Version" => out.version = value,
                "Source" => out.source = value,
                "Section" => out.section = value,
                "Size" => out.size = value.parse().unwrap_or(0),
                "SHA256" => out.sha256 = value,
                "Pre-Depends" => out.depends[0] = value,
                "Depends" => out.depends[1] = value,
                "Provides" => out.provides = value,
                _ if out.summary.is_empty()
                    && (key == "Description" || key.starts_with("Description-"))
                    && key != "Description-md5" =>
                {
                    out.summary = value;
                }
                _ => {}
            }
        }
        out
    })
}

/// Whether every dependency names something that is there already; if not, the update may bring in a new package.
pub fn met(shown: &Shown, there: &BTreeSet<&str>) -> bool {
    depends(shown).all(|group| group.iter().any(|name| there.contains(name)))
}

/// The names that a package depends on: of each group one has to be there.
pub fn depends<'a>(shown: &Shown<'a>) -> impl Iterator<Item = Vec<&'a str>> {
    let name = |text: &'a str| text.trim().split([' ', '(', ':', '[', '<']).next().unwrap_or_default();
    shown
        .depends
        .into_iter()
        .flat_map(|field| field.split(','))
        .filter(|group| !group.trim().is_empty())
        .map(move |group| group.split('|').map(name).collect())
}

/// What a simulation would do to one package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// `Inst` with or without an old version.
    Install {
        /// Package.
        name: String,
        /// Architecture of what would come.
        arch: String,
        /// Version now.
        old: Option<String>,
        /// Version then.
        new: String,
    },
    /// `Remv` or `Purg`.
    Remove {
        /// Package.
        name: String,
        /// Version now.
        old: Option<String>,
    },
}

/// Parses the lines of `apt-get -s`. `Conf` lines only repeat what is installed, or finish what is unpacked already.
pub fn changes(text: &str) -> Vec<Change> {
    text.lines()
        .filter_map(|line| {
            let (verb, rest) = line.split_once(' ')?;
            let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            // Foreign architectures are printed as `name:arch`.
            let name = name.split(':').next().unwrap_or(name).to_owned();
            let old = rest
                .strip_prefix('[')
                .and_then(|r| r.split_once(']'))
                .map(|(old, _)| old.to_owned());
            match verb {
                "Inst" => {
                    let inner = rest.split_once('(')?.1.split_once(')')?.0;
                    let new = inner.split(' ').next()?.to_owned();
                    let arch = inner.rsplit_once('[')?.1.trim_end_matches(']').to_owned();
                    Some(Change::Install { name, arch, old, new })
                }
                "Remv" | "Purg" => Some(Change::Remove { name, old }),
                _ => None,
            }
        })
        .collect()
}

/// Why a newer version is not the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// A pin of the device's own configuration prefers another version; the priority that decided.
    Pinned(i32),
    /// The vendor gives it to this share of devices so far, and apt is set to hide it from the others.
    Phased(u8),
}

/// A version newer than the installed one that apt does not take although its archive is one that is taken from, and why. Archives that are
/// not taken by themselves (backports: 100, experimental: 1) keep nothing away, nor do they hide what is kept away in others.
pub fn kept_away(policy: &Policy) -> Option<(&PolicyVersion, Kept)> {
    let installed = policy.installed.as_deref()?;
    let candidate = policy.candidate.as_deref();
    if candidate.is_some_and(|c| compare_debian(c, installed).is_gt()) {
        return None;
    }
    let mut newer: Vec<&PolicyVersion> = policy
        .versions
        .iter()
        .filter(|v| v.in_archive() && compare_debian(&v.version, installed).is_gt())
        .collect();
    newer.sort_by(|a, b| compare_debian(&b.version, &a.version));
    newer.into_iter().find_map(|version| {
        let place = version.places.iter().map(|(p, _)| *p).max().unwrap_or(500);
        let why = match (version.phased, place) {
            (Some(percent), _) if percent < 100 && version.priority == 1 && place != 1 => Kept::Phased(percent),
            _ if version.priority != place => Kept::Pinned(version.priority),
            (_, 1 | 100) => return None,
            (_, 500 | 990) => {
                let preferred = policy.versions.iter().find(|v| Some(v.version.as_str()) == candidate);
                Kept::Pinned(preferred?.priority)
            }
            (_, other) => Kept::Pinned(other),
        };
        Some((version, why))
    })
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
