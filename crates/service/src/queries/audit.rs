//! The audit log.

use super::pages;
use crate::{Actor, Result, Service, store::log};
use domain::Permission;
use view::{AuditFilter, AuditPage, PAGE_SIZE};

/// Whether a search names one object exactly, so that the index answers it.
fn is_object(text: &str) -> bool {
    text.split_once(':').is_some_and(|(kind, id)| {
        [
            "account", "device", "group", "hold", "patch", "ring", "token", "attempt",
        ]
        .contains(&kind)
            && !id.is_empty()
            && id.bytes().all(|b| b.is_ascii_digit())
    })
}

impl Service {
    /// The audit log, newest first.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn audit(&self, actor: &Actor, filter: &AuditFilter) -> Result<AuditPage> {
        actor.require(Permission::ReadAudit)?;
        let mut conn = self.store().read().await?;
        let text = filter.q.trim();
        let total = match text {
            "" => log::count(&mut conn).await?,
            word if is_object(word) => log::count_of(&mut conn, word).await?,
            _ => log::count_matching(&mut conn, text).await?,
        };
        let (page, pages) = pages(filter.page, total);
        let rows = match text {
            "" => log::page(&mut conn, page).await?,
            word if is_object(word) => log::of(&mut conn, word, PAGE_SIZE, (page - 1) * PAGE_SIZE).await?,
            _ => log::page_matching(&mut conn, text, page).await?,
        };
        Ok(AuditPage {
            rows,
            total,
            page,
            pages,
        })
    }
}
