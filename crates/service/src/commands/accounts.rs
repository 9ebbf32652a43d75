//! Accounts.

use crate::{Actor, Result, Service};
use domain::{AccountId, Role};

impl Service {
    /// Makes an account without a password; it signs in by a link from the host, or gets a password by `set_password`.
    ///
    /// # Errors
    /// Not allowed, invalid or taken name.
    pub async fn create_account(&self, actor: &Actor, name: &str, role: Role, password: Option<&str>) -> Result<AccountId> {
        let _ = (actor, name, role, password);
        todo!()
    }
    /// Changes a role; ends the account's sessions.
    ///
    /// # Errors
    /// Not allowed, last administrator.
    pub async fn set_role(&self, actor: &Actor, account: AccountId, role: Role) -> Result<()> {
        let _ = (actor, account, role);
        todo!()
    }
    /// Disables (ends all sessions in the same transaction) or enables an account.
    ///
    /// # Errors
    /// Not allowed, last administrator.
    pub async fn set_disabled(&self, actor: &Actor, account: AccountId, disabled: bool) -> Result<()> {
        let _ = (actor, account, disabled);
        todo!()
    }
    /// Sets a password: one's own (with the current one, if there is one), or anybody's as administrator. Ends the other sessions.
    ///
    /// # Errors
    /// Not allowed, wrong current password, too short (15), too long (128), too common.
    pub async fn set_password(&self, actor: &Actor, account: AccountId, current: Option<&str>, new: &str) -> Result<()> {
        let _ = (actor, account, current, new);
        todo!()
    }
    /// Ends one session by its id.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn end_session(&self, actor: &Actor, session: &str) -> Result<()> {
        let _ = (actor, session);
        todo!()
    }
}
