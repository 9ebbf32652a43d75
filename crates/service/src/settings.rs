//! How the server was set up.

use crate::store::OpenError;
use ed25519_dalek::SigningKey;
use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

/// Set once at the start, by flags or environment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder with `patchward.db`, `server.key` and the lock file.
    pub data: PathBuf,
    /// The address people and agents use, without a slash at the end, e.g. `http://127.0.0.1:7677`.
    pub public_url: String,
    /// Seconds between an agent's check-ins (± 20 %); sooner where an install may start before.
    pub poll_seconds: u32,
    /// Seconds between scans.
    pub scan_seconds: u32,
    /// A device without a scan for so many seconds counts as silent: its patches become unknown.
    pub silent_seconds: i64,
    /// Seconds within which a permitted package manager must start.
    pub permit_seconds: u32,
    /// Seconds after a permit by which a result or a contact must have come, or the device counts as vanished.
    pub vanish_seconds: i64,
    /// The database is a demonstration: pages carry a banner.
    pub demo: Option<view::Demonstration>,
}

impl Settings {
    /// Defaults for a data folder.
    #[must_use]
    pub fn new(data: PathBuf) -> Self {
        Self {
            data,
            public_url: "http://127.0.0.1:7677".to_owned(),
            poll_seconds: 60,
            scan_seconds: 86_400,
            silent_seconds: 3 * 86_400,
            permit_seconds: 600,
            vanish_seconds: 2 * 3_600,
            demo: None,
        }
    }

    /// The database file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data.join("patchward.db")
    }

    /// Reads `server.key` (32 bytes in hex, mode 0600), or makes it. Never in the database, so that a stolen backup cannot speak as the server.
    pub(crate) fn load_or_make_key(&self) -> Result<SigningKey, OpenError> {
        let path = self.data.join("server.key");
        std::fs::create_dir_all(&self.data).map_err(|e| OpenError::Folder(self.data.clone(), e))?;
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let bytes: [u8; 32] = hex::decode(text.trim())
                    .ok()
                    .and_then(|b| b.try_into().ok())
                    .ok_or_else(|| OpenError::Key(path.clone(), "it does not hold 64 hex digits".to_owned()))?;
                Ok(SigningKey::from_bytes(&bytes))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let key = SigningKey::from_bytes(&crate::random::bytes());
                let write = || -> std::io::Result<()> {
                    let mut file = std::fs::OpenOptions::new()
                        .write(true)
                        .create_new(true)
                        .mode(0o600)
                        .open(&path)?;
                    writeln!(file, "{}", hex::encode(key.to_bytes()))?;
                    file.sync_all()
                };
                write().map_err(|e| OpenError::Key(path.clone(), e.to_string()))?;
                Ok(key)
            }
            Err(e) => Err(OpenError::Key(path, e.to_string())),
        }
    }
}
