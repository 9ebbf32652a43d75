//! Who may do what. Permissions are checked in the service's commands, not only at the routes (THREATS 3).

use crate::patch::{UnknownWord, words};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

words! {
    /// What a person's account is for.
    Role {
        /// Sets up accounts, tokens, groups, schedules.
        Administrator = 0, "administrator", "Administrator";
        /// Approves, denies, holds, rolls back.
        SecurityOfficer = 1, "security_officer", "Security officer";
        /// Tests patches first and reports problems.
        PilotUser = 2, "pilot_user", "Pilot user";
        /// Reads everything, changes nothing.
        Auditor = 3, "auditor", "Auditor";
    }
}

/// One thing that an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// See patches, devices and rollouts.
    ReadFleet,
    /// See the audit log.
    ReadAudit,
    /// Approve, deny and withdraw patches.
    Decide,
    /// Stop a rollout.
    Hold,
    /// Let a stopped rollout go on, with a note.
    Resume,
    /// Order a rollback and lift a rolled-back block.
    RollBack,
    /// Report a problem on a device.
    ReportProblem,
    /// Accounts, roles, sessions.
    ManageAccounts,
    /// Enrolment tokens; accepting, moving and revoking devices; groups and rings.
    ManageDevices,
    /// Profiles, windows, freezes, exceptions.
    ManageSchedule,
}

impl Permission {
    /// Every permission.
    pub const ALL: &'static [Self] = &[
        Self::ReadFleet,
        Self::ReadAudit,
        Self::Decide,
        Self::Hold,
        Self::Resume,
        Self::RollBack,
        Self::ReportProblem,
        Self::ManageAccounts,
        Self::ManageDevices,
        Self::ManageSchedule,
    ];
}

impl Role {
    /// Whether this role carries `permission`. The one table of rights; the first administrator of a small team decides patches too,
    /// because a team of one would otherwise need two accounts for its first approval.
    #[must_use]
    pub const fn may(self, permission: Permission) -> bool {
        use Permission::{
            Decide, Hold, ManageAccounts, ManageDevices, ManageSchedule, ReadAudit, ReadFleet, ReportProblem, Resume,
            RollBack,
        };
        match permission {
            ReadFleet => true,
            ReadAudit => !matches!(self, Self::PilotUser),
            Decide | Resume | RollBack => matches!(self, Self::Administrator | Self::SecurityOfficer),
            Hold | ReportProblem => !matches!(self, Self::Auditor),
            ManageAccounts | ManageDevices => matches!(self, Self::Administrator),
            ManageSchedule => matches!(self, Self::Administrator),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auditors_change_nothing_and_pilots_only_stop() {
        for &permission in Permission::ALL {
            let reads = matches!(permission, Permission::ReadFleet | Permission::ReadAudit);
            assert_eq!(Role::Auditor.may(permission), reads, "{permission:?}");
        }
        assert!(Role::PilotUser.may(Permission::ReportProblem) && !Role::PilotUser.may(Permission::Resume));
        assert!(!Role::SecurityOfficer.may(Permission::ManageAccounts));
    }
}
