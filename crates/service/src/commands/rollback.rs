//! Going back.

use crate::{Actor, Result, Service};
use domain::{DeviceId, PatchId, RingId};

impl Service {
    /// Orders the rollback of a patch on one device to the recorded previous versions; holds the rollout forward.
    ///
    /// # Errors
    /// Not allowed, not found, nothing recorded, in force already, reason missing.
    pub async fn roll_back(&self, actor: &Actor, device: DeviceId, patch: PatchId, reason: &str) -> Result<()> {
        let _ = (actor, device, patch, reason);
        todo!()
    }
    /// Orders it on every device of a ring that has it installed by us; returns how many.
    ///
    /// # Errors
    /// As `roll_back`.
    pub async fn roll_back_ring(&self, actor: &Actor, ring: RingId, patch: PatchId, reason: &str) -> Result<u32> {
        let _ = (actor, ring, patch, reason);
        todo!()
    }
    /// Lifts the block that a rollback left on a device.
    ///
    /// # Errors
    /// Not allowed, not found, reason missing.
    pub async fn lift_block(&self, actor: &Actor, device: DeviceId, patch: PatchId, reason: &str) -> Result<()> {
        let _ = (actor, device, patch, reason);
        todo!()
    }
}
