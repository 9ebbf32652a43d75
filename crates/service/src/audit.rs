//! The audit log: what is recorded, and the chain that makes a later change visible.
//!
//! Each record's hash covers the previous record's hash and every field, length-prefixed, so that no two records give the same bytes.

use sha2::{Digest, Sha256};

/// What can be recorded. Closed: a new kind of change is a new variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An account was made.
    AccountCreated,
    /// Its role was changed.
    AccountRole,
    /// It was disabled or enabled again.
    AccountDisabled,
    /// Its password was set.
    AccountPassword,
    /// A sign-in link was made on the host.
    SignInLink,
    /// Somebody signed in.
    SignedIn,
    /// Somebody signed out, or a session was ended.
    SignedOut,
    /// An enrolment token was made.
    TokenCreated,
    /// It was revoked.
    TokenRevoked,
    /// A device enrolled.
    DeviceEnrolled,
    /// It was accepted, quarantined or revoked.
    DeviceState,
    /// It was moved to another group.
    DeviceGroup,
    /// A scan was asked for.
    ScanAsked,
    /// It was put into another location.
    DevicePlaced,
    /// A location was made.
    LocationCreated,
    /// A location was changed.
    LocationChanged,
    /// A location was removed.
    LocationRemoved,
    /// A ring was made.
    RingCreated,
    /// A ring was changed.
    RingChanged,
    /// The rings were put into another order.
    RingsOrdered,
    /// A ring was removed.
    RingRemoved,
    /// A group was made.
    GroupCreated,
    /// A group was changed.
    GroupChanged,
    /// A group was removed.
    GroupRemoved,
    /// What counts for the whole fleet was changed.
    FleetPolicy,
    /// A product was called business-critical, or no longer.
    ProductCriticality,
    /// A profile, window, freeze or exception was made.
    ScheduleCreated,
    /// One was changed.
    ScheduleChanged,
    /// One was deleted.
    ScheduleDeleted,
    /// A patch was approved.
    Approved,
    /// A patch was denied.
    Denied,
    /// A decision was withdrawn.
    Withdrawn,
    /// A rollout was held.
    Held,
    /// A hold was resolved.
    Resumed,
    /// A problem was reported.
    Problem,
    /// A permit was given.
    Permitted,
    /// An attempt ended.
    AttemptEnded,
    /// A rollback was ordered.
    RollbackOrdered,
    /// A rolled-back block was lifted.
    BlockLifted,
    /// A rollback plan was written.
    RollbackPlanned,
    /// Somebody decided to go without one.
    RollbackPlanWaived,
    /// A device was given its tries anew.
    TriesGiven,
    /// The database was restored from a backup.
    Restored,
    /// The server's clock jumped.
    ClockSuspect,
    /// An administrator confirmed it.
    ClockConfirmed,
}

impl Action {
    /// The word in the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::AccountCreated => "account.created",
            Self::AccountRole => "account.role",
            Self::AccountDisabled => "account.disabled",
            Self::AccountPassword => "account.password",
            Self::SignInLink => "account.sign_in_link",
            Self::SignedIn => "session.started",
            Self::SignedOut => "session.ended",
            Self::TokenCreated => "token.created",
            Self::TokenRevoked => "token.revoked",
            Self::DeviceEnrolled => "device.enrolled",
            Self::DeviceState => "device.state",
            Self::DeviceGroup => "device.group",
            Self::ScanAsked => "device.scan_asked",
            Self::DevicePlaced => "device.location",
            Self::LocationCreated => "location.created",
            Self::LocationChanged => "location.changed",
            Self::LocationRemoved => "location.removed",
            Self::RingCreated => "ring.created",
            Self::RingChanged => "ring.changed",
            Self::RingsOrdered => "rings.ordered",
            Self::RingRemoved => "ring.removed",
            Self::GroupCreated => "group.created",
            Self::GroupChanged => "group.changed",
            Self::GroupRemoved => "group.removed",
            Self::FleetPolicy => "fleet.policy",
            Self::ProductCriticality => "product.criticality",
            Self::ScheduleCreated => "schedule.created",
            Self::ScheduleChanged => "schedule.changed",
            Self::ScheduleDeleted => "schedule.deleted",
            Self::Approved => "patch.approved",
            Self::Denied => "patch.denied",
            Self::Withdrawn => "decision.withdrawn",
            Self::Held => "rollout.held",
            Self::Resumed => "rollout.resumed",
            Self::Problem => "problem.reported",
            Self::Permitted => "attempt.permitted",
            Self::AttemptEnded => "attempt.ended",
            Self::RollbackOrdered => "rollback.ordered",
            Self::BlockLifted => "rollback.lifted",
            Self::RollbackPlanned => "rollback.planned",
            Self::RollbackPlanWaived => "rollback.plan_waived",
            Self::TriesGiven => "tries.given",
            Self::Restored => "database.restored",
            Self::ClockSuspect => "clock.suspect",
            Self::ClockConfirmed => "clock.confirmed",
        }
    }
}

/// One record before it is written.
#[derive(Clone, Debug)]
pub struct Record {
    /// Who, e.g. `account:3 anna`, `device:7`, `host`, `server`.
    pub actor: String,
    /// What.
    pub action: Action,
    /// To what, e.g. `patch:12 ring:1`. Objects are space-separated `kind:id` words, so that a page can find its own records.
    pub object: String,
    /// JSON before, if it changes something.
    pub before: Option<String>,
    /// JSON after.
    pub after: Option<String>,
    /// The reason a person gave; may be empty.
    pub reason: String,
}

/// The hash of a record that follows `previous`.
#[must_use]
#[expect(clippy::too_many_arguments, reason = "every column of the row is hashed")]
pub fn hash(
    previous: &[u8],
    seq: i64,
    at: i64,
    actor: &str,
    action: &str,
    object: &str,
    before: Option<&str>,
    after: Option<&str>,
    reason: &str,
) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let optional = |t: Option<&str>| t.map_or_else(|| vec![0], |t| [&[1], t.as_bytes()].concat());
    let parts: [&[u8]; 9] = [
        previous,
        &seq.to_be_bytes(),
        &at.to_be_bytes(),
        actor.as_bytes(),
        action.as_bytes(),
        object.as_bytes(),
        &optional(before),
        &optional(after),
        reason.as_bytes(),
    ];
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}
