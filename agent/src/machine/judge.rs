//! How an attempt ended: by what is installed, never by an exit code (DESIGN principle 9).

use protocol::{
    LongText, ShortText,
    v1::{NotStarted, Outcome, PackageVersion},
};

/// What was seen after the package manager, and recovery if any, had ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What was asked for.
    pub wanted: Vec<PackageVersion>,
    /// What is installed of it.
    pub observed: Vec<PackageVersion>,
    /// Why the package manager never began to change anything; absent = it did.
    pub not_begun: Option<ShortText>,
    /// What the package manager says of itself; absent = in order.
    pub disorder: Option<ShortText>,
    /// The package manager did not end by itself.
    pub interrupted: bool,
    /// Recovery changed something.
    pub repaired: bool,
    /// Its exit code.
    pub exit: Option<i32>,
    /// Its last complaint.
    pub message: ShortText,
    /// The end of its log.
    pub log: LongText,
    /// Seconds.
    pub took: u32,
    /// A restart is owed now.
    pub restart_owed: bool,
}

/// The outcome.
#[must_use]
pub fn judge(seen: &Seen) -> Outcome {
    if let Some(message) = seen.not_begun.clone() {
        let why = NotStarted::ManagerBusy { message };
        return Outcome::NotStarted { why };
    }
    let there = |p: &PackageVersion| {
        let found = seen.observed.iter().find(|o| o.name == p.name && o.arch == p.arch);
        found.map_or(p.version.is_none(), |o| o.version == p.version)
    };
    let reached = seen.wanted.iter().all(there);
    match (&seen.disorder, reached) {
        (None, true) if seen.interrupted && seen.repaired => Outcome::InterruptedRecovered,
        (None, true) => Outcome::Succeeded,
        (None, false) => Outcome::Failed {
            exit: seen.exit,
            message: seen.message.clone(),
        },
        (Some(disorder), _) => Outcome::Broken {
            message: disorder.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Arch, PackageName, VersionText};

    fn package(version: Option<&str>) -> PackageVersion {
        PackageVersion {
            name: PackageName::parse("libfoo1").unwrap(),
            arch: Arch::parse("amd64").unwrap(),
            version: version.map(|v| VersionText::parse(v).unwrap()),
        }
    }

    /// Binaries need not have the version of their source: it may have been rebuilt, or count with another epoch.
    #[test]
    fn what_was_asked_for_is_compared_with_what_is_there() {
        for version in ["1.2-3+b1", "1:1.2-3", "2:1.2-3+b2"] {
            let seen = Seen {
                wanted: vec![package(Some(version))],
                observed: vec![package(Some(version))],
                ..Seen::default()
            };
            assert_eq!(judge(&seen), Outcome::Succeeded, "{version}");
            let other = Seen {
                observed: vec![package(Some("1.2-3"))],
                ..seen.clone()
            };
            assert!(matches!(judge(&other), Outcome::Failed { .. }), "{version}");
        }
        let busy = Seen {
            wanted: vec![package(Some("2"))],
            observed: vec![package(Some("1"))],
            not_begun: Some(ShortText::fit("busy")),
            ..Seen::default()
        };
        let message = ShortText::fit("busy");
        let why = NotStarted::ManagerBusy { message };
        assert_eq!(
            judge(&busy),
            Outcome::NotStarted { why },
            "no failure, which would hold the rollout"
        );
        let removed = Seen {
            wanted: vec![package(None)],
            ..Seen::default()
        };
        assert_eq!(judge(&removed), Outcome::Succeeded);
    }
}
