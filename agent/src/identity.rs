//! The device's key: made here, never leaves.

use crate::{config::Home, files};
use ed25519_dalek::SigningKey;
use std::io;

/// The key's file, mode 0600.
const FILE: &str = "device.key";

/// The device's key.
pub struct Identity {
    key: SigningKey,
}

impl Identity {
    /// Reads the key, or makes one and stores it synced before it is used.
    ///
    /// # Errors
    /// When it can be neither read nor written.
    pub fn open(home: &Home) -> io::Result<Self> {
        if let Some(found) = Self::find(home)? {
            return Ok(found);
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        files::replace(&home.path(FILE), format!("{}\n", hex::encode(seed)).as_bytes(), 0o600)?;
        Ok(Self {
            key: SigningKey::from_bytes(&seed),
        })
    }

    /// Reads the key if there is one.
    ///
    /// # Errors
    /// When the file cannot be read or holds no key.
    pub fn find(home: &Home) -> io::Result<Option<Self>> {
        let Some(bytes) = files::read(&home.path(FILE))? else {
            return Ok(None);
        };
        let seed: [u8; 32] = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|t| hex::decode(t.trim()).ok())
            .and_then(|b| b.try_into().ok())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "device.key does not hold a key"))?;
        Ok(Some(Self {
            key: SigningKey::from_bytes(&seed),
        }))
    }

    /// The signing key.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The id that a person compares.
    #[must_use]
    pub fn id(&self) -> String {
        protocol::sign::key_id(&self.public())
    }
}

/// `bytes` random bytes in hex: nonces and record ids.
///
/// # Errors
/// When the system has no randomness.
pub fn random_hex(bytes: usize) -> io::Result<String> {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).map_err(io::Error::other)?;
    Ok(hex::encode(buffer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_key_is_made_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let id = Identity::open(&home).unwrap().id();
        assert_eq!(Identity::open(&home).unwrap().id(), id);
        let mode = std::fs::metadata(home.path(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(home.path(FILE), "short").unwrap();
        assert!(
            Identity::open(&home).is_err(),
            "a damaged key is never silently replaced"
        );
    }
}
