//! The words of refusals and warnings beside what is typed.

use crate::words::{field_name, plural, problem_text, why_text};
use view::{Field, FormProblem, Problem, ScheduleProblem, ScheduleWarning};

/// Whether nothing was typed yet: no reason to tell anybody off while they type.
pub const fn is_missing(problem: &FormProblem) -> bool {
    matches!(
        problem,
        FormProblem::Field {
            problem: Problem::Missing,
            ..
        }
    )
}

/// What is wrong, and what would be right.
pub fn problem(problem: &FormProblem) -> String {
    match problem {
        FormProblem::Field {
            field: Field::Reason,
            problem: Problem::Missing,
        } => "Say why.".to_owned(),
        FormProblem::Field {
            field: Field::Label | Field::Name,
            problem: Problem::Missing,
        } => "Give it a name.".to_owned(),
        FormProblem::Field {
            problem: Problem::Missing,
            ..
        } => "Fill this in.".to_owned(),
        FormProblem::Field { field, problem } => {
            let what = match field {
                Field::Reason => "The reason".to_owned(),
                Field::Label => "The name".to_owned(),
                other => format!("{}:", field_name(*other)),
            };
            format!("{what} {}.", problem_text(*problem))
        }
        FormProblem::Newer { .. } => "Somebody saved a newer version while you were typing.".to_owned(),
        FormProblem::Refused(why) => why_text(*why).to_owned(),
        FormProblem::Schedule(problem) => of_schedule(problem),
        FormProblem::Changed(newer) => format!("{} saved a newer version while you were typing.", newer.by),
        FormProblem::Gone => "Somebody deleted it while you were typing. Nothing was saved.".to_owned(),
    }
}

fn of_schedule(problem: &ScheduleProblem) -> String {
    match problem {
        ScheduleProblem::NoLength => "A window needs a length: at least a minute.".to_owned(),
        ScheduleProblem::TooLong => "A window may last at most 31 days.".to_owned(),
        ScheduleProblem::NeverOccurs => "It never occurs, or only in the past.".to_owned(),
        ScheduleProblem::TooOften => {
            "It begins more often than every hour. A longer window that begins less often does the same.".to_owned()
        }
        ScheduleProblem::BadRule(why) => format!("The rule cannot be read: {why}."),
        ScheduleProblem::OutOfRange(why) => format!("That is out of range: {why}."),
        ScheduleProblem::UnknownZone(name) if name.is_empty() => "Name a time zone, e.g. Europe/Berlin.".to_owned(),
        ScheduleProblem::UnknownZone(name) => {
            format!("“{name}” is not a time zone. Zones are named after a place, e.g. Europe/Berlin.")
        }
        ScheduleProblem::IntervalTooShort => "At most every 15 minutes. 24 hours are recommended.".to_owned(),
        ScheduleProblem::RoundsOutOfRange => "Between 1 hour and 30 days. 24 hours are recommended.".to_owned(),
        ScheduleProblem::EndsBeforeItBegins => "It ends before it begins.".to_owned(),
        ScheduleProblem::DateOutOfRange(date) => format!("{date} is not between 2000 and 2099."),
        ScheduleProblem::UnknownGroup(_) => "Choose a group. The one chosen does not exist any more.".to_owned(),
        ScheduleProblem::UnknownDevice(id) => format!("There is no device #{id}."),
        ScheduleProblem::UnknownPatch(id) => format!("There is no patch #{id}."),
        ScheduleProblem::UnknownProduct(name) if name.is_empty() => "Name a product.".to_owned(),
        ScheduleProblem::UnknownProduct(name) => format!("No patch of a product called “{name}” was ever seen."),
        ScheduleProblem::NoOwner => "Choose somebody with an account who answers for it.".to_owned(),
        ScheduleProblem::BadTime(text) if text.is_empty() => "Give a time of day, e.g. 22:00.".to_owned(),
        ScheduleProblem::BadTime(text) => format!("“{text}” is not a time of day such as 22:00."),
        ScheduleProblem::BadDate(text) if text.is_empty() => "Give a date, e.g. 2026-12-05.".to_owned(),
        ScheduleProblem::BadDate(text) => format!("“{text}” is not a date such as 2026-12-05."),
        ScheduleProblem::NoDay => "Tick at least one day.".to_owned(),
        ScheduleProblem::BadNumber(text) => format!("“{text}” is not a whole number that makes sense here."),
        ScheduleProblem::UnknownName(text) if text.is_empty() => "Name one.".to_owned(),
        ScheduleProblem::UnknownName(text) => format!("Nothing is called “{text}”."),
        ScheduleProblem::AmbiguousName(text) => {
            format!("Several are called “{text}”. Give the number from the address of its page, e.g. #12.")
        }
        ScheduleProblem::Policy(why) => format!("The schedule as a whole would not hold together: {why}."),
    }
}

/// What is probably not meant.
pub fn warning(warning: &ScheduleWarning) -> String {
    match warning {
        ScheduleWarning::FollowedByNone { .. } => "No device follows this profile.".to_owned(),
        ScheduleWarning::DevicesWithoutProfile { devices } => format!(
            "{} no profile: nothing is installed there.",
            plural(*devices, "device would follow", "devices would follow")
        ),
        ScheduleWarning::NeverMeets { .. } => {
            "The allowed hours and the maintenance windows of at least one device never meet in the coming year: nothing is installed there."
                .to_owned()
        }
        ScheduleWarning::ExceptionsDiffer { .. } => {
            "Another exception about the same ends at another time. The later end counts.".to_owned()
        }
        ScheduleWarning::ExceptionOver => "It has ended already and keeps nothing back.".to_owned(),
        ScheduleWarning::FreezeOver => "It is over already and stops nothing.".to_owned(),
        ScheduleWarning::ShortInterval => {
            "More often than every 24 hours is a load on devices and server, and seldom finds more.".to_owned()
        }
        ScheduleWarning::ShortRounds => {
            "Installing more often than every 24 hours disturbs the people there more than once a day.".to_owned()
        }
        ScheduleWarning::AlwaysOpen => "It lasts until it begins again: it is always open.".to_owned(),
        ScheduleWarning::WindowTooShort => {
            "It is shorter than an install is expected to take, so nothing would start in it.".to_owned()
        }
    }
}
