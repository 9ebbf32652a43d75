//! Words and numbers as people read them. All words of refusals are made here, so that an address can never put words on a page.

use domain::{Permission, Urgency};
use view::{Approval, Field, Problem, UiError, Why};

/// `1 device`, `2 devices`, `12,345 devices`.
pub fn plural(n: u32, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// With thousands separators.
pub fn number(n: u32) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `24 h`, `1 h 30 min`, `10 min`.
pub fn length(minutes: u32) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// `1.2 MB`.
pub fn bytes(n: u64) -> String {
    let mut tenths = n.saturating_mul(10);
    for unit in ["B", "kB", "MB", "GB"] {
        if tenths < 10_000 {
            return if unit == "B" || tenths >= 1_000 || tenths.is_multiple_of(10) {
                format!("{} {unit}", tenths / 10)
            } else {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            };
        }
        tenths /= 1_000;
    }
    format!("{}.{} TB", tenths / 10, tenths % 10)
}

/// A share of a length of time in its natural unit: `5 of 7 days`.
pub fn share(elapsed: i64, needed: i64) -> String {
    let (unit, one, many) = match needed {
        86_400.. => (86_400, "day", "days"),
        3_600.. => (3_600, "hour", "hours"),
        _ => (60, "minute", "minutes"),
    };
    let whole = needed / unit;
    // Never "7 of 7" before it is: round down.
    format!("{} of {whole} {}", elapsed / unit, if whole == 1 { one } else { many })
}

/// `45 %` or `9.5 %`.
pub fn per_mille(n: u32) -> String {
    if n.is_multiple_of(10) || n >= 100 {
        format!("{} %", (n + 5) / 10)
    } else {
        format!("{}.{} %", n / 10, n % 10)
    }
}

/// The words of a decision.
pub const fn approval(approval: Approval) -> &'static str {
    match approval {
        Approval::None => "not decided",
        Approval::Approved {
            urgent: Urgency::Normal,
        } => "approved",
        Approval::Approved {
            urgent: Urgency::SkipSoak,
        } => "approved, urgent",
        Approval::Approved {
            urgent: Urgency::SkipSoakAndWindows,
        } => "approved, urgent, outside windows too",
        Approval::Denied => "denied",
    }
}

/// What went wrong, and what to do about it.
pub fn refusal(error: &UiError) -> String {
    match error {
        UiError::NotSignedIn => "Your session has ended. Sign in again.".to_owned(),
        UiError::WrongCredentials => "Name or password is wrong.".to_owned(),
        UiError::LinkSpent => {
            "This sign-in link is unknown, used or older than 15 minutes. Make a new one on the server: patchward admin account sign-in-link <name>.".to_owned()
        }
        UiError::Throttled { retry_after } => {
            format!("Too many failed sign-ins. Try again in {}.", plural(*retry_after, "second", "seconds"))
        }
        UiError::NotAllowed { permission } => format!("Your role does not allow this ({}).", right(*permission)),
        UiError::NotFound => "There is no such thing, or it is gone.".to_owned(),
        UiError::Changed => "This changed since the page was made. Nothing was done: look again, then decide.".to_owned(),
        UiError::Invalid { field, problem } => format!("{}: {}.", field_name(*field), problem_text(*problem)),
        UiError::Refused { why } => why_text(*why).to_owned(),
        UiError::ReadOnly => "The server cannot write now (is its disk full?). Nothing was changed.".to_owned(),
        UiError::Internal { id } => format!("The server failed. Its log has the cause under the id {id}."),
        UiError::Transport => "The request did not arrive, or its answer was lost. Look again before you repeat it.".to_owned(),
    }
}

/// Why something was left out or refused.
pub const fn why_text(why: Why) -> &'static str {
    match why {
        Why::LastAdministrator => "The last administrator can neither be disabled nor lose the role.",
        Why::AlreadyDone => "Somebody did that already.",
        Why::Superseded => {
            "The patch is superseded: a newer one replaces it. Approving it anyway needs the explicit override and a reason."
        }
        Why::Denied => "The patch is denied in this ring. Withdraw the denial first.",
        Why::NothingToRollBack => "There is no earlier version on record to go back to.",
        Why::RollbackInForce => "A rollback of this patch is ordered or in force already.",
        Why::Revoked => "The device is revoked, and that is final. It can enrol anew.",
        Why::RingInUse { .. } => {
            "Groups are in the ring, or decisions are in force for it. Give the groups another ring and withdraw the decisions first."
        }
        Why::OnlyRing => "It is the only ring; without one nothing is installed.",
        Why::GroupInUse => {
            "Devices, other groups, enrolment tokens or the schedule use the group. Take it out of there first."
        }
        Why::NoRollbackPlan => {
            "The ring asks for a rollback plan, and the patch has none. Write one on the patch’s page under “Way back”, or go without it: tick that, with a reason."
        }
        Why::TooManyViews => "You have as many saved views as fit on the page. Delete one first.",
        Why::NoRing => "The device is in no group that has a ring. Move it to a group first.",
    }
}

const fn right(permission: Permission) -> &'static str {
    match permission {
        Permission::ReadFleet => "to see the fleet",
        Permission::ReadAudit => "to read the audit log",
        Permission::Decide => "to decide about patches",
        Permission::Hold => "to hold a rollout",
        Permission::Resume => "to resolve a hold",
        Permission::RollBack => "to roll back",
        Permission::ReportProblem => "to report a problem",
        Permission::ManageAccounts => "to manage accounts",
        Permission::ManageDevices => "to manage devices and enrolment",
        Permission::ManageSchedule => "to manage the schedule",
    }
}

pub const fn field_name(field: Field) -> &'static str {
    match field {
        Field::Name => "Name",
        Field::Password => "Password",
        Field::Role => "Role",
        Field::Reason => "Reason",
        Field::Label => "Label",
        Field::Uses => "Uses",
        Field::Hours => "Valid for hours",
        Field::Group => "Group",
        Field::Ring => "Ring",
        Field::Selection => "Selection",
        Field::Zone => "Time zone",
        Field::Rate => "Download rate",
        Field::Soak => "Soak",
        Field::Successes => "Successful devices",
        Field::Share => "Share of the ring",
        Field::Waves => "Waves",
        Field::Rest => "Rest between waves",
        Field::Failures => "Failed devices",
        Field::FailureShare => "Share of failures",
        Field::Vanished => "Devices not heard of again",
        Field::InFlight => "Installs at once",
        Field::Parent => "Group above",
        Field::Missed => "Missed windows",
        Field::Retries => "Tries",
        Field::Wait => "Wait after a failure",
        Field::Install => "Expected install time",
        Field::Reboot => "Expected reboot time",
        Field::Product => "Product",
        Field::ViewName => "Name of the view",
        Field::OutsideWindows => "Outside maintenance windows",
        Field::How => "How it is taken back",
        Field::UseWhen => "When the plan is used",
        Field::Owner => "Who carries it out",
    }
}

/// What is wrong with a field, after the field's name.
pub fn problem_text(problem: Problem) -> String {
    match problem {
        Problem::Missing => "nothing was given".to_owned(),
        Problem::TooShort { min } => format!("needs at least {min} characters"),
        Problem::TooLong { max } => format!("may have at most {max} characters"),
        Problem::OutOfRange { min, max } => format!("must be from {min} to {max}"),
        Problem::Unknown => "is not one of the choices".to_owned(),
        Problem::Taken => "is in use already".to_owned(),
        Problem::TooCommon => "is among the most common ones; attackers try those first".to_owned(),
        Problem::Circle => "the group would lie in itself".to_owned(),
        Problem::NotGrowing => {
            "each step must be larger than the one before, devices before shares, shares up to 100 %".to_owned()
        }
        Problem::Unreadable => "write at most ten steps, such as 1, 5 %, 25 %".to_owned(),
        Problem::NoNumber => "must be a whole number".to_owned(),
        Problem::Shrinking => "the longest wait must not be shorter than the first".to_owned(),
        Problem::OnlyUrgent => "only an urgent approval can; tick that, too, or neither".to_owned(),
        Problem::Control => "has a control character".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!((number(7).as_str(), number(1_234_567).as_str()), ("7", "1,234,567"));
        assert_eq!(
            (
                bytes(999).as_str(),
                bytes(1_250_000).as_str(),
                bytes(52_000_000).as_str()
            ),
            ("999 B", "1.2 MB", "52 MB")
        );
        assert_eq!(
            (bytes(100_300).as_str(), bytes(5_000_000_000_000).as_str()),
            ("100 kB", "5.0 TB")
        );
        assert_eq!(
            (per_mille(451).as_str(), per_mille(95).as_str(), per_mille(10).as_str()),
            ("45 %", "9.5 %", "1 %")
        );
        assert_eq!(
            (share(604_799, 604_800).as_str(), share(0, 86_400).as_str()),
            ("6 of 7 days", "0 of 1 day")
        );
    }
}
