//! Every way a page's request can be refused. Closed, and without prose: the words are made by the UI, because without JavaScript an
//! error travels in the address and anybody can craft such a link.

use domain::Permission;
use serde::{Deserialize, Serialize};

/// A refusal as it crosses the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UiError {
    /// No session, or it ended.
    NotSignedIn,
    /// Wrong name or password; which one is not said.
    WrongCredentials,
    /// The sign-in link is unknown, used or too old.
    LinkSpent,
    /// Too many failed sign-ins.
    Throttled {
        /// Seconds until the next try.
        retry_after: u32,
    },
    /// The role does not carry this right.
    NotAllowed {
        /// The right that is missing.
        permission: Permission,
    },
    /// No such thing, or none any more.
    NotFound,
    /// The thing changed since the page was made: look again, then decide.
    Changed,
    /// A field does not fit.
    Invalid {
        /// Which field.
        field: Field,
        /// What is wrong with it.
        problem: Problem,
    },
    /// The state does not allow it, e.g. a hold that is resolved already.
    Refused {
        /// Why.
        why: Why,
    },
    /// The server cannot write now (disk full). Nothing was changed.
    ReadOnly,
    /// A fault of the server; the id finds it in the log.
    Internal {
        /// Correlation id.
        id: u64,
    },
    /// The request did not arrive or did not parse.
    Transport,
}

impl UiError {
    /// The status of an answer that says this: 5xx for faults of the server, 4xx for everything that whoever asked can mend.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::NotSignedIn => 401,
            // Not 401, which says that a session is missing: the sign-in page is reached without one.
            Self::WrongCredentials | Self::NotAllowed { .. } => 403,
            Self::NotFound => 404,
            Self::Changed => 409,
            Self::LinkSpent => 410,
            Self::Invalid { .. } | Self::Refused { .. } => 422,
            Self::Throttled { .. } => 429,
            Self::Transport => 400,
            Self::ReadOnly => 503,
            Self::Internal { .. } => 500,
        }
    }
}

/// A form's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Account name.
    Name,
    /// Password.
    Password,
    /// Role.
    Role,
    /// Reason or note.
    Reason,
    /// Label of a token.
    Label,
    /// Number of uses.
    Uses,
    /// Validity in hours.
    Hours,
    /// Group.
    Group,
    /// Ring.
    Ring,
    /// Selected patches.
    Selection,
    /// Time zone.
    Zone,
    /// Download rate.
    Rate,
    /// Soak of a ring.
    Soak,
    /// Successes that a ring must show.
    Successes,
    /// Share of a ring that must have it.
    Share,
    /// Waves of a ring.
    Waves,
    /// Rest between waves.
    Rest,
    /// Failures that hold.
    Failures,
    /// Share of failures that holds.
    FailureShare,
    /// Vanished devices that hold.
    Vanished,
    /// Installs at once.
    InFlight,
    /// The group above.
    Parent,
    /// Missed windows.
    Missed,
    /// Tries on one device.
    Retries,
    /// Wait after a failure.
    Wait,
    /// Expected length of an install.
    Install,
    /// Expected length of a reboot.
    Reboot,
    /// A product.
    Product,
    /// Name of a saved view.
    ViewName,
    /// Installs outside maintenance windows.
    OutsideWindows,
    /// How a patch is taken back.
    How,
    /// When a rollback plan is to be used.
    UseWhen,
    /// Who carries out a rollback plan.
    Owner,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// Nothing given.
    Missing,
    /// Fewer than so many characters.
    TooShort {
        /// Least.
        min: u32,
    },
    /// More than so many characters.
    TooLong {
        /// Most.
        max: u32,
    },
    /// Outside the range.
    OutOfRange {
        /// Least.
        min: u32,
        /// Most.
        max: u32,
    },
    /// Not one of the choices.
    Unknown,
    /// In use already.
    Taken,
    /// Too common.
    TooCommon,
    /// Has a control character.
    Control,
    /// A group would lie in itself.
    Circle,
    /// Waves must grow, numbers of devices before shares.
    NotGrowing,
    /// Not a list such as `1, 5 %, 25 %`.
    Unreadable,
    /// Not a whole number.
    NoNumber,
    /// The longest wait is shorter than the first.
    Shrinking,
    /// Only an urgent approval can have it.
    OnlyUrgent,
}

/// Why the state does not allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The last administrator cannot be disabled or lose the role.
    LastAdministrator,
    /// Already resolved, withdrawn, lifted or revoked.
    AlreadyDone,
    /// The patch is superseded; approving it needs the explicit override.
    Superseded,
    /// Denied in this ring: withdraw the denial first.
    Denied,
    /// Nothing recorded to go back to.
    NothingToRollBack,
    /// A rollback of this patch is ordered or in force already.
    RollbackInForce,
    /// The device is revoked; that is final.
    Revoked,
    /// The device is not in a group with a ring.
    NoRing,
    /// Groups use the ring, or decisions are in force for it.
    RingInUse {
        /// Groups.
        groups: u32,
        /// Decisions.
        decisions: u32,
    },
    /// The only ring.
    OnlyRing,
    /// Devices, groups, tokens or schedules use the group.
    GroupInUse,
    /// The ring asks for a rollback plan, and the patch has neither a plan nor a waiver.
    NoRollbackPlan,
    /// So many saved views that none is found again.
    TooManyViews,
}
