//! What the kinds of the schedule are called, and who may change them.

use domain::Permission;
use view::ScheduleKind;

/// What a kind is called in a sentence.
pub const fn noun(kind: ScheduleKind) -> &'static str {
    match kind {
        ScheduleKind::Profile => "profile",
        ScheduleKind::Window => "maintenance window",
        ScheduleKind::Freeze => "freeze",
        ScheduleKind::Exception => "exception",
    }
}

/// The right to change something of this kind.
pub const fn right(kind: ScheduleKind) -> Permission {
    match kind {
        ScheduleKind::Profile | ScheduleKind::Window | ScheduleKind::Freeze => Permission::ManageSchedule,
        ScheduleKind::Exception => Permission::Decide,
    }
}
