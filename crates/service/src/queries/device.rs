//! The page of a device.

use crate::{Actor, Result, Service};
use domain::{DeviceId, PatchId};
use view::DevicePage;

impl Service {
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
}
