//! The words of rings.

use crate::api::rings::RingsKind;
use crate::words::plural;
use view::RingsWarning;

/// What a kind is called in a sentence.
pub const fn noun(kind: RingsKind) -> &'static str {
    match kind {
        RingsKind::Ring => "ring",
        RingsKind::Group => "group",
        RingsKind::Location => "location",
        RingsKind::Fleet => "fleet",
    }
}

/// What should be said about a ring or group.
pub fn warning(warning: &RingsWarning) -> String {
    match warning {
        RingsWarning::RingWithoutDevices { ring } => {
            format!("Ring {ring} has no devices, so every later ring waits for ever. Put a group into it.")
        }
        RingsWarning::ShortSoak { ring } => format!("Ring {ring} soaks for less than the recommended 7 days."),
        RingsWarning::NowFirst { ring, approved } => format!(
            "Ring {ring} is the first one now: {} for it without any soak.",
            plural(*approved, "approval counts", "approvals count")
        ),
        RingsWarning::BlocksWithoutWindow { group } => {
            format!(
                "Group {group} blocks the windows above it and has none of its own: its devices may install at any time."
            )
        }
        RingsWarning::GroupWithoutRing { group, devices } => format!(
            "Group {group} has no ring: nothing is installed on its {}.",
            plural(*devices, "device", "devices")
        ),
    }
}
