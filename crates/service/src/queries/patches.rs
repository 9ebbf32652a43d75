//! The status view (STA-1, STA-2).

use super::pages;
use crate::{Actor, Result, Service, store::lists};
use domain::Permission;
use view::{PatchFilter, PatchList};

impl Service {
    /// The status view (STA-1, STA-2).
    ///
    /// # Errors
    /// Not allowed, database.
    pub async fn patches(&self, actor: &Actor, filter: &PatchFilter) -> Result<PatchList> {
        actor.require(Permission::ReadFleet)?;
        let mut conn = self.store().read().await?;
        let total = lists::count_patches(&mut conn, filter).await?;
        let (page, pages) = pages(filter.page, total);
        let rings = lists::rings(&mut conn).await?;
        let rows = lists::patches(&mut conn, filter, page, &rings).await?;
        let (devices, silent, pending_devices) = lists::fleet(&mut conn).await?;
        Ok(PatchList {
            rows,
            total,
            page,
            pages,
            rings,
            devices,
            silent,
            pending_devices,
        })
    }
}
