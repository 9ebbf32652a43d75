//! The device's key: made here, never leaves.

use crate::{config::Home, files};
use ed25519_dalek::SigningKey;
use std::io;

/// The device's key.
pub struct Identity {
    key: SigningKey,
}

impl Identity {
    /// The key's file, mode 0600.
    pub const FILE: &'static str = "device.key";
    /// A new key that the server has not taken yet.
    pub const NEXT: &'static str = "device.key.next";

    /// Reads the key, or makes one and stores it synced before it is used.
    ///
    /// # Errors
    /// When it can be neither read nor written.
    pub fn open(home: &Home) -> io::Result<Self> {
        Self::open_as(home, Self::FILE)
    }

    /// The same for a new key beside the one in use.
    ///
    /// # Errors
    /// As [`Identity::open`].
    pub fn open_next(home: &Home) -> io::Result<Self> {
        Self::open_as(home, Self::NEXT)
    }

    /// Drops the new key beside the one in use.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn forget_next(home: &Home) -> io::Result<()> {
        let path = home.path(Self::NEXT);
        std::fs::remove_file(&path)?;
        files::sync_parent(&path)
    }

    fn open_as(home: &Home, name: &str) -> io::Result<Self> {
        if let Some(found) = Self::find_as(home, name)? {
            return Ok(found);
        }
        let path = home.path(name);
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        files::replace(&path, format!("{}\n", hex::encode(seed)).as_bytes(), 0o600)
            .map_err(|e| files::named("cannot write", &path, &e))?;
        Ok(Self {
            key: SigningKey::from_bytes(&seed),
        })
    }

    /// Reads the key if there is one.
    ///
    /// # Errors
    /// When the file cannot be read or holds no key.
    pub fn find(home: &Home) -> io::Result<Option<Self>> {
        Self::find_as(home, Self::FILE)
    }

    fn find_as(home: &Home, name: &str) -> io::Result<Option<Self>> {
        let path = home.path(name);
        let Some(bytes) = files::read(&path).map_err(|e| files::named("cannot read", &path, &e))? else {
            return Ok(None);
        };
        let seed: [u8; 32] = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|t| hex::decode(t.trim()).ok())
            .and_then(|b| b.try_into().ok())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{name} does not hold a key")))?;
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
        let mode = std::fs::metadata(home.path(Identity::FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(home.path(Identity::FILE), "short").unwrap();
        assert!(
            Identity::open(&home).is_err(),
            "a damaged key is never silently replaced"
        );
    }
}
