//! The schedule's forms while they are filled in: what is wrong with one, what it would do, and what can be chosen from.

use crate::{Field, GroupName, Occurrence, Problem, ScheduleProblem, ScheduleWarning, WhatWouldChange, Why};
use domain::{AccountId, Moment, OsReleaseId};
use serde::{Deserialize, Serialize};

/// What a form of the schedule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// A profile.
    Profile,
    /// A maintenance window.
    Window,
    /// A freeze.
    Freeze,
    /// An exception.
    Exception,
}

impl ScheduleKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Profile, Self::Window, Self::Freeze, Self::Exception];

    /// The word in addresses.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Profile => "profiles",
            Self::Window => "windows",
            Self::Freeze => "freezes",
            Self::Exception => "exceptions",
        }
    }

    /// Reads the word in an address.
    #[must_use]
    pub fn from_folder(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.folder() == word)
    }
}

/// Why a form would not be saved as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormProblem {
    /// A name or a reason does not fit.
    Field {
        /// Which.
        field: Field,
        /// What is wrong with it.
        problem: Problem,
    },
    /// The schedule refuses it.
    Schedule(ScheduleProblem),
    /// Somebody saved a newer version meanwhile.
    Changed(NewerVersion),
    /// Somebody saved a newer version meanwhile, of which only the number is told.
    Newer {
        /// Given back to save over it.
        version: u64,
    },
    /// The state of other things does not allow it.
    Refused(Why),
    /// Somebody deleted it meanwhile.
    Gone,
}

/// The version that somebody else saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewerVersion {
    /// When.
    pub at: Moment,
    /// Who.
    pub by: String,
    /// Given back to save over it.
    pub version: u64,
    /// What it says.
    pub summary: String,
}

/// What a form would do, without saving it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormCheck {
    /// Why it would not be saved; none: it would be.
    pub problems: Vec<FormProblem>,
    /// It would be saved, but is probably not what was meant.
    pub warnings: Vec<ScheduleWarning>,
    /// What it says, as a sentence.
    pub summary: String,
    /// The next times of a window or of a profile's hours; none of hours that never end.
    pub next: Vec<Occurrence>,
    /// What it would change about approved installs, when that was asked and nothing is wrong.
    pub change: Option<WhatWouldChange>,
}

/// What can be chosen in a form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleChoices {
    /// Groups.
    pub groups: Vec<GroupName>,
    /// OS releases that were seen, by name.
    pub releases: Vec<(OsReleaseId, String)>,
    /// Time zones: those of devices first.
    pub zones: Vec<String>,
    /// Accounts that can answer for an exception.
    pub people: Vec<(AccountId, String)>,
    /// Products of which a patch was seen.
    pub products: Vec<String>,
    /// The newest patches, as `#12 openssl 3.0.17`.
    pub patches: Vec<String>,
}
