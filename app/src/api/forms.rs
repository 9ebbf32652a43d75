//! What every form has that comes back as it was typed.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use view::{FormProblem, Occurrence, RingsWarning, ScheduleWarning, WhatWouldChange};

/// What is typed into a form: text by the field's name. Boxes that are not ticked are not there.
pub type Fields = BTreeMap<String, String>;

/// A problem and the field that it stands beside; without one it stands above the form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// The field's name, or nothing.
    pub field: String,
    /// What is wrong.
    pub problem: FormProblem,
}

/// What a form would do as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Why it would not be saved.
    pub problems: Vec<Beside>,
    /// It would be saved, but is probably not what was meant.
    pub warnings: Vec<ScheduleWarning>,
    /// The same about rings and groups.
    pub rings: Vec<RingsWarning>,
    /// What it says, as a sentence.
    pub summary: String,
    /// The next times of a window or of a profile's hours.
    pub next: Vec<Occurrence>,
    /// The occurrences are on each device's own clock.
    pub own_clock: bool,
    /// What it would change about approved installs.
    pub change: Option<WhatWouldChange>,
}
