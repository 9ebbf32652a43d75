//! The device list.

use super::{group_names, pages, schedule::uncovered};
use crate::{
    Actor, Result, Service,
    store::{
        fleet::{self, Around, Uncovered},
        lists,
    },
};
use domain::Permission;
use sqlx::Connection as _;
use view::{DeviceFilter, DeviceList, DeviceShow};

impl Service {
    /// The device list.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn devices(&self, actor: &Actor, filter: &DeviceFilter) -> Result<DeviceList> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        let (groups, rings) = (lists::groups(conn).await?, lists::rings(conn).await?);
        let uncovered = match filter.show {
            DeviceShow::NoProfile => uncovered(conn, now).await?,
            _ => Uncovered::default(),
        };
        let around = Around {
            groups: &groups,
            uncovered: &uncovered,
        };
        let total = fleet::count(conn, filter, &around).await?;
        let (page, pages) = pages(filter.page, total);
        let rows = fleet::page(conn, filter, page, &around, &rings).await?;
        tx.commit().await?;
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
