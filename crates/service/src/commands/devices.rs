//! Accepting, moving, revoking devices.

use crate::{Actor, Result, Service};
use domain::{DeviceId, GroupId};

impl Service {
    /// Accepts a pending device, or lets a quarantined one back.
    ///
    /// # Errors
    /// Not allowed, not found, revoked.
    pub async fn accept_device(&self, actor: &Actor, device: DeviceId, reason: &str) -> Result<()> {
        let _ = (actor, device, reason);
        todo!()
    }
    /// Revokes a device for ever; closes its attempts in the same transaction.
    ///
    /// # Errors
    /// Not allowed, not found, already revoked.
    pub async fn revoke_device(&self, actor: &Actor, device: DeviceId, reason: &str) -> Result<()> {
        let _ = (actor, device, reason);
        todo!()
    }
    /// Moves a device to a group (or none).
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn move_device(&self, actor: &Actor, device: DeviceId, group: Option<GroupId>) -> Result<()> {
        let _ = (actor, device, group);
        todo!()
    }
    /// Asks for a scan at the next contact.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn ask_scan(&self, actor: &Actor, device: DeviceId) -> Result<()> {
        let _ = (actor, device);
        todo!()
    }
}
