//! The messages of `/agent/v1`. All are POST with a JSON body; all but `enroll` are [`Sealed`] and signed by the device's key.

pub mod attempt;
pub mod checkin;
pub mod enroll;
pub mod inventory;

pub use attempt::*;
pub use checkin::*;
pub use enroll::*;
pub use inventory::*;

use crate::ShortText;
use domain::Moment;
use serde::{Deserialize, Serialize};

/// `POST` [`EnrollRequest`] → [`EnrollReply`].
pub const ENROLL: &str = "/agent/v1/enroll";
/// `POST` [`Sealed`]<[`CheckIn`]> → [`CheckInReply`].
pub const CHECK_IN: &str = "/agent/v1/check-in";
/// `POST` [`Sealed`]<[`Report`]> → [`ReportReply`].
pub const REPORT: &str = "/agent/v1/report";
/// `POST` [`Sealed`]<[`PermitRequest`]> → [`PermitReply`].
pub const PERMIT: &str = "/agent/v1/permit";
/// `POST` [`Sealed`]<[`Results`]> → [`ResultsReply`].
pub const RESULTS: &str = "/agent/v1/results";

/// What every signed request carries around its message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed<T> {
    /// Grows by at least one with every new message; synced to the agent's disk before it is sent. A repeat of the same bytes is a retry.
    pub seq: u64,
    /// 32 hex digits, new for every message.
    pub nonce: String,
    /// The agent's own clock; reported, never used for decisions.
    pub sent_at: Moment,
    /// The message.
    pub message: T,
}

/// Every refusal of the agent API, with the HTTP status that carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind.
    pub code: RefusalCode,
    /// One sentence that says what was wrong and what to do.
    pub detail: ShortText,
}

/// Kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// 400: the body does not fit the format or a limit.
    Malformed,
    /// 413: more than `MAX_BODY` bytes.
    TooLarge,
    /// 401: no such enrolment token. Make a new one.
    TokenUnknown,
    /// 401: the token's time is over.
    TokenExpired,
    /// 401: the token was used as often as it may be.
    TokenUsedUp,
    /// 401: the token was revoked.
    TokenRevoked,
    /// 401: no device has this key. Enrol again.
    UnknownDevice,
    /// 401: the signature does not hold.
    BadSignature,
    /// 403: the device was revoked. Final.
    Revoked,
    /// 403: the device waits for acceptance or is in quarantine; only check-ins and reports are taken.
    NotActive,
    /// 409: a message with this or a higher sequence number was already taken.
    Stale,
    /// 409: the delta does not start from what the server holds, or the digest differs. Send a full report.
    DigestMismatch,
    /// 429: too many messages.
    TooMany,
    /// 503: the server cannot write now (disk full, read-only). Nothing was taken; send it again later.
    Unavailable,
    /// 500: a fault of the server; the detail holds an id for its log.
    Internal,
}

impl RefusalCode {
    /// The HTTP status that carries it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::TooLarge => 413,
            Self::TokenUnknown
            | Self::TokenExpired
            | Self::TokenUsedUp
            | Self::TokenRevoked
            | Self::UnknownDevice
            | Self::BadSignature => 401,
            Self::Revoked | Self::NotActive => 403,
            Self::Stale | Self::DigestMismatch => 409,
            Self::TooMany => 429,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }
}
