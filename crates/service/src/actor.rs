//! Who does something.

use crate::error::{Error, Result};
use domain::{AccountId, Permission, Role};

/// A person with a role, or the host's own command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Account; the command line acts as the account it names or as none.
    pub account: Option<AccountId>,
    /// Name in the audit log.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Session id, if signed in by the page.
    pub session: Option<String>,
}

impl Actor {
    /// The command line on the server's host: whoever may read the database file may do everything.
    #[must_use]
    pub fn host() -> Self {
        Self {
            account: None,
            name: "host".to_owned(),
            role: Role::Administrator,
            session: None,
        }
    }

    /// Refuses unless the role carries `permission`.
    ///
    /// # Errors
    /// [`Error::NotAllowed`].
    pub fn require(&self, permission: Permission) -> Result<()> {
        if self.role.may(permission) {
            Ok(())
        } else {
            Err(Error::NotAllowed(permission))
        }
    }

    /// The text in the audit log's actor column.
    #[must_use]
    pub fn audit_name(&self) -> String {
        self.account
            .map_or_else(|| self.name.clone(), |id| format!("account:{id} {}", self.name))
    }
}
