//! Backup, restore, verification.

use crate::{
    Result, Service, Settings,
    store::{OpenError, audit, backup},
};
use std::path::Path;

/// What a backup holds, read back from the file itself (I-28).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// Devices.
    pub devices: i64,
    /// Patches.
    pub patches: i64,
    /// Audit records, all of which hold.
    pub audit_records: i64,
    /// Head of the audit chain, hex.
    pub audit_head: String,
    /// Bytes.
    pub bytes: u64,
}

/// Why a backup or restore failed; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file.
    #[error("{0}: {1}")]
    File(std::path::PathBuf, #[source] std::io::Error),
    /// The database.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What was read back does not hold.
    #[error("the backup does not hold: {0}")]
    Verify(String),
}

impl Service {
    /// Writes a backup while the server runs: `VACUUM INTO` a temporary file, sync, integrity check, audit check, then rename to `to`.
    ///
    /// # Errors
    /// [`BackupError`]; `to` is untouched then.
    pub async fn backup(&self, to: &Path) -> std::result::Result<BackupReport, BackupError> {
        backup::write(self.settings(), to).await
    }
    /// Walks the audit chain; returns the number of records and the head in hex.
    ///
    /// # Errors
    /// Names the first record that does not hold.
    pub async fn verify_audit(&self) -> Result<(i64, String)> {
        let (count, head) = audit::verify(&mut *self.store().read().await?).await?;
        Ok((count, hex::encode(head)))
    }
}

/// Puts a backup in place of the database of a stopped server: checks it, keeps the old file aside, bumps the epoch, holds every rollout,
/// records it in the audit log.
///
/// # Errors
/// [`BackupError`]; the database is as before then.
pub async fn restore(
    settings: &Settings,
    from: &Path,
    now: domain::Moment,
) -> std::result::Result<BackupReport, BackupError> {
    backup::restore(settings, from, now).await
}
