//! What vendors released, and when.

use domain::Moment;
use std::collections::BTreeMap;

/// An OS release with a known history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Os {
    /// Debian 12.
    Debian12,
    /// Ubuntu 24.04.
    Ubuntu2404,
}

impl Os {
    /// `ID`, `VERSION_ID`, `VERSION_CODENAME`, `PRETTY_NAME` of os-release.
    #[must_use]
    pub const fn facts(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Debian12 => ("debian", "12", "bookworm", "Debian GNU/Linux 12 (bookworm)"),
            Self::Ubuntu2404 => ("ubuntu", "24.04", "noble", "Ubuntu 24.04 LTS"),
        }
    }
}

/// One source package at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Version.
    pub version: String,
    /// When; the first of each source came with the OS release.
    pub at: Moment,
    /// Came by the security suite.
    pub security: bool,
}

/// One source package's history, oldest first.
#[derive(Clone, Debug)]
pub struct History {
    /// Binary packages, with what stands before the source's version in theirs (an epoch).
    pub binaries: Vec<(String, String)>,
    /// Versions, oldest first.
    pub releases: Vec<Release>,
}

/// Every history of every OS release.
#[derive(Clone, Debug, Default)]
pub struct Releases(pub BTreeMap<(Os, String), History>);

impl Releases {
    /// The histories that ship with this crate.
    #[must_use]
    pub fn real() -> Self {
        let mut all = Self::default();
        for line in include_str!("../data/releases.tsv")
            .lines()
            .filter(|l| !l.starts_with('#'))
        {
            let fields: Vec<&str> = line.split('\t').collect();
            let [os, source, version, at, suite, _cves, binaries] = fields[..] else {
                continue;
            };
            let os = if os == "debian-12" {
                Os::Debian12
            } else {
                Os::Ubuntu2404
            };
            let history = all.0.entry((os, source.to_owned())).or_insert_with(|| History {
                binaries: binaries
                    .split(',')
                    .map(|b| b.split_once('@').unwrap_or((b, "")))
                    .map(|(name, prefix)| (name.to_owned(), prefix.to_owned()))
                    .collect(),
                releases: Vec::new(),
            });
            history.releases.push(Release {
                version: version.to_owned(),
                at: Moment(at.parse().unwrap_or(0)),
                security: suite == "security",
            });
        }
        all
    }

    /// `products` made-up source packages for one OS release, each with two versions: the second is offered from the start. For load.
    #[must_use]
    pub fn synthetic(os: Os, products: usize) -> Self {
        let release = |version: &str, at| Release {
            version: version.to_owned(),
            at: Moment(at),
            security: true,
        };
        let history = |i| History {
            binaries: vec![(format!("load-{i:05}"), String::new())],
            releases: vec![release("1.0-1", 0), release("1.0-2", 1)],
        };
        Self(
            (0..products)
                .map(|i| ((os, format!("load-{i:05}")), history(i)))
                .collect(),
        )
    }

    /// The histories of one OS release.
    pub fn of(&self, os: Os) -> impl Iterator<Item = (&str, &History)> {
        self.0
            .iter()
            .filter(move |((o, _), _)| *o == os)
            .map(|((_, source), history)| (source.as_str(), history))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_are_in_order_and_start_with_the_os_release() {
        let all = Releases::real();
        assert!(all.0.len() > 40);
        for ((os, source), history) in &all.0 {
            assert_eq!(history.releases[0].at, Moment(0), "{os:?} {source}");
            for pair in history.releases.windows(2) {
                assert!(
                    domain::compare_debian(&pair[0].version, &pair[1].version).is_lt(),
                    "{source} {} {}",
                    pair[0].version,
                    pair[1].version
                );
            }
        }
    }
}
