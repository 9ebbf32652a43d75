//! What pages show. Each query fills one struct of `view`; counts come from the same rows as the lists they link to.

use crate::{Actor, Result, Service};
use domain::{DeviceId, PatchId};
use view::{
    AccountsPage, AuditFilter, AuditPage, CountBucket, DeviceFilter, DeviceList, DevicePage, PatchFilter, PatchList, PatchPage,
};

impl Service {
    /// The status view (STA-1, STA-2).
    ///
    /// # Errors
    /// Not allowed, database.
    pub async fn patches(&self, actor: &Actor, filter: &PatchFilter) -> Result<PatchList> {
        let _ = (actor, filter);
        todo!()
    }
    /// The page of a patch; `bucket` narrows its device list, `page` from 1.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn patch(&self, actor: &Actor, patch: PatchId, bucket: Option<CountBucket>, page: u32) -> Result<PatchPage> {
        let _ = (actor, patch, bucket, page);
        todo!()
    }
    /// The device list.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn devices(&self, actor: &Actor, filter: &DeviceFilter) -> Result<DeviceList> {
        let _ = (actor, filter);
        todo!()
    }
    /// The page of a device, with every open patch's gate ladder.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn device(&self, actor: &Actor, device: DeviceId) -> Result<DevicePage> {
        let _ = (actor, device);
        todo!()
    }
    /// One patch on one device: the ladder alone, for `patchward explain` and the API.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn explain(&self, actor: &Actor, device: DeviceId, patch: PatchId) -> Result<view::DevicePatch> {
        let _ = (actor, device, patch);
        todo!()
    }
    /// The audit log, newest first.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn audit(&self, actor: &Actor, filter: &AuditFilter) -> Result<AuditPage> {
        let _ = (actor, filter);
        todo!()
    }
    /// Accounts, sessions, tokens.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn accounts(&self, actor: &Actor) -> Result<AccountsPage> {
        let _ = actor;
        todo!()
    }
}
