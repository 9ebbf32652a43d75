//! The status view (STA-1, STA-2).

use super::pages;
use crate::{
    Actor, Result, Service,
    commands::decide::{MAX_SELECTION, Shown, fingerprint},
    store::{lists, views},
};
use domain::Permission;
use sqlx::{Connection as _, SqliteConnection};
use view::{PAGE_SIZE, PatchFilter, PatchList, PatchRow, RingName};

impl Service {
    /// The status view (STA-1, STA-2).
    ///
    /// # Errors
    /// Not allowed, database.
    pub async fn patches(&self, actor: &Actor, filter: &PatchFilter) -> Result<PatchList> {
        actor.require(Permission::ReadFleet)?;
        let mut conn = self.store().read().await?;
        list(&mut conn, actor, filter).await
    }

    /// As [`Self::patches`], with what a decision about all of them has to say it saw.
    ///
    /// # Errors
    /// Not allowed, database.
    pub async fn patches_to_decide(&self, actor: &Actor, filter: &PatchFilter) -> Result<(PatchList, Shown)> {
        actor.require(Permission::ReadFleet)?;
        let mut conn = self.store().read().await?;
        // One snapshot: what is decided is what the rows and the count are about.
        let mut tx = conn.begin().await?;
        let list = list(&mut tx, actor, filter).await?;
        // Of more than these a decision is refused in any case.
        let matching = lists::matching(&mut tx, filter, MAX_SELECTION + 1).await?;
        let shown = Shown {
            count: list.total,
            fingerprint: fingerprint(&matching),
        };
        Ok((list, shown))
    }

    /// Every patch that matches, in the filter's order whatever its page, and the rings that the approvals speak of (STA-1).
    ///
    /// # Errors
    /// Not allowed, database.
    pub async fn all_patches(&self, actor: &Actor, filter: &PatchFilter) -> Result<(Vec<RingName>, Vec<PatchRow>)> {
        /// Approvals of so many are read together.
        const AT_ONCE: u32 = 1_000;
        actor.require(Permission::ReadFleet)?;
        let mut conn = self.store().read().await?;
        // One snapshot: reports that come in meanwhile would move rows from one part to the next.
        let mut tx = conn.begin().await?;
        let rings = lists::rings(&mut tx).await?;
        let mut all = Vec::new();
        loop {
            let first = u32::try_from(all.len()).unwrap_or(u32::MAX);
            let part = lists::patches(&mut tx, filter, (first, AT_ONCE), &rings).await?;
            let last = part.len() < AT_ONCE as usize;
            all.extend(part);
            if last {
                return Ok((rings, all));
            }
        }
    }
}

async fn list(conn: &mut SqliteConnection, actor: &Actor, filter: &PatchFilter) -> Result<PatchList> {
    let total = lists::count_patches(conn, filter).await?;
    let (page, pages) = pages(filter.page, total);
    let rings = lists::rings(conn).await?;
    let first = page.saturating_sub(1) * PAGE_SIZE;
    let rows = lists::patches(conn, filter, (first, PAGE_SIZE), &rings).await?;
    let (devices, silent, pending_devices) = lists::fleet(conn).await?;
    let views = match actor.account {
        Some(account) => views::of_account(conn, account).await?,
        None => Vec::new(),
    };
    Ok(PatchList {
        rows,
        total,
        page,
        pages,
        rings,
        devices,
        silent,
        pending_devices,
        views,
    })
}
