//! Finds the field that a problem is about.

use crate::api::forms::Fields;
use view::{Field, FormProblem, ScheduleKind, ScheduleProblem};

/// The field beside which a problem is shown; empty: above the form.
pub fn place(kind: ScheduleKind, fields: &Fields, problem: &FormProblem) -> String {
    let text = |name: &str| fields.get(name).map_or("", String::as_str);
    // A refusal repeats what was typed: the field that holds it.
    let holds = |typed: &str, names: &[&'static str]| {
        let found = names
            .iter()
            .find(|name| text(name).trim().starts_with(typed.get(..10).unwrap_or(typed)));
        found.copied().unwrap_or_else(|| names.first().copied().unwrap_or(""))
    };
    let when = match text("when") {
        "once" => "once_date",
        "rule" => "rule",
        "monthly" => "nth",
        _ => "when",
    };
    let problem = match problem {
        FormProblem::Field {
            field: Field::Reason, ..
        } => return "reason".to_owned(),
        FormProblem::Field { .. } => return "name".to_owned(),
        FormProblem::Changed(_) | FormProblem::Newer { .. } | FormProblem::Refused(_) | FormProblem::Gone => {
            return String::new();
        }
        FormProblem::Schedule(problem) => problem,
    };
    match problem {
        ScheduleProblem::NoLength | ScheduleProblem::TooLong => "length",
        ScheduleProblem::NeverOccurs => when,
        ScheduleProblem::TooOften | ScheduleProblem::BadRule(_) => "rule",
        ScheduleProblem::OutOfRange(_) if kind == ScheduleKind::Profile => "hours",
        ScheduleProblem::OutOfRange(_) => when,
        ScheduleProblem::UnknownZone(_) => "zone_name",
        ScheduleProblem::IntervalTooShort => "scan",
        ScheduleProblem::RoundsOutOfRange => "install",
        ScheduleProblem::EndsBeforeItBegins => "to",
        ScheduleProblem::DateOutOfRange(typed) | ScheduleProblem::BadDate(typed) => match kind {
            ScheduleKind::Window if text("when") == "rule" => "rule_date",
            ScheduleKind::Window => "once_date",
            ScheduleKind::Exception => "expires",
            ScheduleKind::Freeze | ScheduleKind::Profile => holds(typed, &["from", "to"]),
        },
        ScheduleProblem::BadTime(typed) => match kind {
            ScheduleKind::Profile => holds(typed, &["from", "to"]),
            ScheduleKind::Window | ScheduleKind::Freeze | ScheduleKind::Exception => "at",
        },
        ScheduleProblem::UnknownGroup(_) if kind == ScheduleKind::Exception => "covers_group",
        ScheduleProblem::UnknownGroup(_) => "groups",
        ScheduleProblem::UnknownDevice(_) if kind == ScheduleKind::Exception => "device",
        ScheduleProblem::UnknownDevice(_) => "add_devices",
        ScheduleProblem::UnknownPatch(_) => "patch",
        ScheduleProblem::UnknownProduct(_) => "product",
        ScheduleProblem::NoOwner => "owner",
        ScheduleProblem::NoDay => "days",
        // The reader places these itself.
        ScheduleProblem::BadNumber(_) | ScheduleProblem::UnknownName(_) | ScheduleProblem::AmbiguousName(_) => "",
        ScheduleProblem::Policy(_) => "",
    }
    .to_owned()
}
