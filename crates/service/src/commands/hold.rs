//! Stopping a rollout and letting it go on.

use crate::{Actor, Result, Service};
use domain::{DeviceId, HoldId, PatchId};

/// Why a rollout is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A person stopped it.
    Person = 1,
    /// A problem was reported.
    Problem = 2,
    /// Installs failed.
    Failure = 3,
    /// A device started and vanished.
    Vanished = 4,
    /// The database was restored from a backup.
    Restored = 5,
    /// A device was rolled back.
    RolledBack = 6,
}

impl Service {
    /// Stops a rollout in all rings.
    ///
    /// # Errors
    /// Not allowed, not found, reason missing.
    pub async fn hold(&self, actor: &Actor, patch: PatchId, reason: &str) -> Result<HoldId> {
        let _ = (actor, patch, reason);
        todo!()
    }
    /// Resolves a hold; takes a note.
    ///
    /// # Errors
    /// Not allowed, not found, already resolved, note missing.
    pub async fn resume(&self, actor: &Actor, hold: HoldId, note: &str) -> Result<()> {
        let _ = (actor, hold, note);
        todo!()
    }
    /// Reports a problem with a patch on a device: holds the rollout in the same transaction.
    ///
    /// # Errors
    /// Not allowed, not found, text missing.
    pub async fn report_problem(&self, actor: &Actor, device: DeviceId, patch: PatchId, text: &str) -> Result<HoldId> {
        let _ = (actor, device, patch, text);
        todo!()
    }
}
