//! Accounts, sessions and enrolment tokens.

use super::group_names;
use crate::{
    Actor, Result, Service,
    store::{accounts, lists, tokens},
};
use domain::Permission;
use view::AccountsPage;

impl Service {
    /// Accounts, sessions, tokens.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn accounts(&self, actor: &Actor) -> Result<AccountsPage> {
        actor.require(Permission::ManageAccounts)?;
        let mut conn = self.store().read().await?;
        let (groups, rings) = (lists::groups(&mut conn).await?, lists::rings(&mut conn).await?);
        Ok(AccountsPage {
            accounts: accounts::list(&mut conn, actor.session.as_deref(), self.now()).await?,
            tokens: tokens::list(&mut conn).await?,
            groups: group_names(&groups, &rings),
        })
    }
}
