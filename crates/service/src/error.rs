//! What can go wrong in a command or query.

use domain::Permission;
use view::{Field, Problem, UiError, Why};

/// Shorthand.
pub type Result<T> = std::result::Result<T, Error>;

/// A refusal or a fault. Refusals are expected and shown; faults are logged with an id and shown as that id.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No session, or it ended.
    #[error("not signed in")]
    NotSignedIn,
    /// Wrong name or password.
    #[error("wrong name or password")]
    WrongCredentials,
    /// Sign-in link unknown, used or expired.
    #[error("the sign-in link is spent")]
    LinkSpent,
    /// Too many failures.
    #[error("too many failed sign-ins; again in {retry_after} s")]
    Throttled {
        /// Seconds.
        retry_after: u32,
    },
    /// The role lacks a permission.
    #[error("the role lacks the permission {0:?}")]
    NotAllowed(Permission),
    /// No such thing.
    #[error("not found")]
    NotFound,
    /// Changed since it was shown.
    #[error("changed since it was shown")]
    Changed,
    /// A field does not fit.
    #[error("{field:?}: {problem:?}")]
    Invalid {
        /// Which.
        field: Field,
        /// What.
        problem: Problem,
    },
    /// The state does not allow it.
    #[error("refused: {0:?}")]
    Refused(Why),
    /// The database cannot be written now.
    #[error("the database cannot be written")]
    ReadOnly(#[source] sqlx::Error),
    /// A fault of the database.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
    /// A stored value that this version does not know: a fault, never a guess.
    #[error("a stored value is inconsistent: {0}")]
    Inconsistent(String),
}

impl Error {
    /// Shorthand for an invalid field.
    #[must_use]
    pub const fn invalid(field: Field, problem: Problem) -> Self {
        Self::Invalid { field, problem }
    }

    /// What crosses the wire to the browser; faults are logged here, with the id that is shown.
    #[must_use]
    pub fn to_ui(&self) -> UiError {
        match self {
            Self::NotSignedIn => UiError::NotSignedIn,
            Self::WrongCredentials => UiError::WrongCredentials,
            Self::LinkSpent => UiError::LinkSpent,
            Self::Throttled { retry_after } => UiError::Throttled {
                retry_after: *retry_after,
            },
            Self::NotAllowed(permission) => UiError::NotAllowed {
                permission: *permission,
            },
            Self::NotFound => UiError::NotFound,
            Self::Changed => UiError::Changed,
            Self::Invalid { field, problem } => UiError::Invalid {
                field: *field,
                problem: *problem,
            },
            Self::Refused(why) => UiError::Refused { why: *why },
            Self::ReadOnly(_) => UiError::ReadOnly,
            Self::Database(_) | Self::Inconsistent(_) => {
                let id = crate::random::number();
                tracing::error!(id, error = %self, source = ?std::error::Error::source(self), "internal error");
                UiError::Internal { id }
            }
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        // SQLITE_FULL, SQLITE_READONLY, SQLITE_IOERR: nothing was committed; the caller may try again later (I-26).
        let code = error
            .as_database_error()
            .and_then(|e| e.code())
            .and_then(|c| c.parse::<i32>().ok());
        match code.map(|c| c & 0xff) {
            Some(8 | 10 | 13) => Self::ReadOnly(error),
            _ => Self::Database(error),
        }
    }
}
