//! The device list.

use super::{group_names, pages};
use crate::{
    Actor, Result, Service,
    store::{fleet, lists},
};
use domain::Permission;
use view::{DeviceFilter, DeviceList};

impl Service {
    /// The device list.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn devices(&self, actor: &Actor, filter: &DeviceFilter) -> Result<DeviceList> {
        actor.require(Permission::ReadFleet)?;
        let mut conn = self.store().read().await?;
        let (groups, rings) = (lists::groups(&mut conn).await?, lists::rings(&mut conn).await?);
        let total = fleet::count(&mut conn, filter, &groups).await?;
        let (page, pages) = pages(filter.page, total);
        let rows = fleet::page(&mut conn, filter, page, &groups, &rings).await?;
        Ok(DeviceList {
            rows,
            total,
            page,
            pages,
            groups: group_names(&groups, &rings),
            rings,
        })
    }
}
