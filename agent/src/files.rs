//! Files that survive a power cut: written beside, synced, renamed, and the folder synced.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Replaces `path` with `bytes` as one step; `mode` are its permission bits afterwards, whatever the umask.
///
/// # Errors
/// Whatever the file system says; the old content is then still there.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let beside = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&beside)?;
        // A neighbour that a crash left behind keeps the bits it was made with.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_parent(path)
    };
    write().inspect_err(|_| {
        // A half-written neighbour takes space that a full disk needs; losing it loses nothing.
        let _ = fs::remove_file(&beside);
    })
}

/// Says which file it is about, and what helps.
#[must_use]
pub fn named(what: &str, path: &Path, error: &io::Error) -> io::Error {
    let help = match error.kind() {
        io::ErrorKind::PermissionDenied => " (try again as root)",
        _ => "",
    };
    io::Error::new(error.kind(), format!("{what} {}: {error}{help}", path.display()))
}

/// Makes a rename or a new file in the folder of `path` durable.
///
/// # Errors
/// Whatever the file system says.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Reads a file, `None` when it is not there.
///
/// # Errors
/// Anything but "not found".
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
