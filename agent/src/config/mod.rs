//! What the agent keeps and obeys: where its files are, the owner's local policy, the enrolment.

mod local;

pub use local::LocalPolicy;

use crate::files;
use domain::DeviceId;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where everything lies unless told otherwise.
pub const STATE_DIR: &str = "/var/lib/patchward-agent";
/// The owner's local policy.
pub const LOCAL_POLICY: &str = "/etc/patchward-agent/policy";

/// The agent's folder.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

impl Home {
    /// Names the folder; touches nothing.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self(std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()))
    }

    /// Makes the folder. It can be walked through by everybody, because apt's own unprivileged user has to reach the packages in it; every
    /// secret in it is a file of mode 0600.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn create(&self) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(&self.0);
        made.map_err(|e| files::named("cannot make", &self.0, &e))
    }

    /// A file or folder in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The folder itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Reads a JSON file of the folder; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be read or does not parse.
    pub fn load<T: serde::de::DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        let path = self.path(name);
        let bytes = files::read(&path).map_err(|e| files::named("cannot read", &path, &e))?;
        let Some(bytes) = bytes else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {e}", path.display())))
    }

    /// Writes a JSON file of the folder, synced, for the agent alone.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn save<T: Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        self.write(name, value, 0o600)
    }

    /// Writes a JSON file of the folder, synced, that everybody on this device may read: what is planned for the device, and how it
    /// stands, is no secret from the people in front of it.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn publish<T: Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        self.write(name, value, 0o644)
    }

    fn write<T: Serialize>(&self, name: &str, value: &T, mode: u32) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(value).map_err(io::Error::other)?;
        files::replace(&self.path(name), &bytes, mode)
    }
}

/// What enrolling led to; written once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// The server's address.
    pub server: String,
    /// The server's public key, pinned: replies signed by another are not believed.
    pub server_key: String,
    /// The number that the server gave.
    pub device: DeviceId,
    /// The id of this device's key.
    pub key_id: String,
    /// Whether this device never installs, whatever the server says.
    #[serde(default)]
    pub scan_only: bool,
}

impl Enrolment {
    /// The file's name.
    pub const FILE: &'static str = "enrolment.json";

    /// The pinned key.
    #[must_use]
    pub fn server_key(&self) -> Option<[u8; 32]> {
        hex::decode(&self.server_key).ok()?.try_into().ok()
    }
}
