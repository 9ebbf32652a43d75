//! Saved views: filters of the status view under a name of one's own (STA-1).

use super::checks;
use crate::{Actor, Error, Result, Service, store::views};
use domain::{Permission, ViewId};
use view::{Field, PatchFilter, Why};

/// More than fit on a page would not be found again.
const MOST: usize = 30;

impl Service {
    /// Saves a filter under a name; a view of the same name is replaced. It is seen by this account alone.
    ///
    /// # Errors
    /// Not allowed, no account, a name that does not fit, too many.
    pub async fn save_view(&self, actor: &Actor, name: &str, filter: &PatchFilter) -> Result<()> {
        actor.require(Permission::ReadFleet)?;
        let account = actor.account.ok_or(Error::NotSignedIn)?;
        let name = checks::name(Field::ViewName, name)?;
        // A view begins on its first page.
        let filter = PatchFilter {
            page: 0,
            ..filter.clone()
        };
        let mut tx = self.store().write().await?;
        views::put(&mut tx, account, &name, &filter).await?;
        if views::of_account(&mut tx, account).await?.len() > MOST {
            return Err(Error::Refused(Why::TooManyViews));
        }
        tx.commit().await?;
        Ok(())
    }

    /// Deletes a view of one's own.
    ///
    /// # Errors
    /// Not allowed, no account, not found.
    pub async fn delete_view(&self, actor: &Actor, id: ViewId) -> Result<()> {
        actor.require(Permission::ReadFleet)?;
        let account = actor.account.ok_or(Error::NotSignedIn)?;
        let mut tx = self.store().write().await?;
        if !views::delete(&mut tx, account, id).await? {
            return Err(Error::NotFound);
        }
        tx.commit().await?;
        Ok(())
    }
}
