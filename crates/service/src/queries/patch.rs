//! The page of a patch.

use crate::{Actor, Result, Service};
use domain::PatchId;
use view::{CountBucket, PatchPage};

impl Service {
    /// The page of a patch; `bucket` narrows its device list, `page` from 1.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn patch(
        &self,
        actor: &Actor,
        patch: PatchId,
        bucket: Option<CountBucket>,
        page: u32,
    ) -> Result<PatchPage> {
        let _ = (actor, patch, bucket, page);
        todo!()
    }
}
