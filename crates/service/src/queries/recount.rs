//! Whether the counts that are kept are the counts of their rows.

use crate::{Result, Service, store::recount};

impl Service {
    /// Every kept count that differs from a recount, in words; empty = all hold. Reads everything.
    ///
    /// # Errors
    /// Database.
    pub async fn recount(&self) -> Result<Vec<String>> {
        recount::differences(&mut *self.store().read().await?).await
    }
}
