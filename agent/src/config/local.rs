//! The owner's own word on what the server may do here. The server's policy is only ever narrowed by it.

use std::path::Path;

/// `key = value` lines; `#` starts a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalPolicy {
    /// Never install, never roll back, never restart.
    pub scan_only: bool,
    /// Whether the server's policy may restart the device.
    pub allow_reboot: bool,
    /// Whether versions may be taken back.
    pub allow_rollback: bool,
}

impl LocalPolicy {
    /// What holds without a file.
    pub const OPEN: Self = Self {
        scan_only: false,
        allow_reboot: true,
        allow_rollback: true,
    };
    /// What holds when the file cannot be understood: an owner who wrote a file meant to forbid something.
    pub const CLOSED: Self = Self {
        scan_only: true,
        allow_reboot: false,
        allow_rollback: false,
    };

    /// Reads the file; says in the second part what was wrong with it.
    #[must_use]
    pub fn read(path: &Path) -> (Self, Option<String>) {
        match crate::files::read(path) {
            Ok(None) => (Self::OPEN, None),
            Ok(Some(bytes)) => match Self::parse(&String::from_utf8_lossy(&bytes)) {
                Ok(policy) => (policy, None),
                Err(why) => (
                    Self::CLOSED,
                    Some(format!(
                        "{}: {why}; until it is corrected only scans run",
                        path.display()
                    )),
                ),
            },
            Err(e) => (
                Self::CLOSED,
                Some(format!("{}: {e}; until it can be read only scans run", path.display())),
            ),
        }
    }

    /// Parses the text of the file.
    ///
    /// # Errors
    /// Names the first line that is not `key = true` or `key = false` with a known key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut policy = Self::OPEN;
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let value = |text: &str| match text.trim() {
                "true" => Ok(true),
                "false" => Ok(false),
                other => Err(format!("line {}: {other:?} is neither true nor false", number + 1)),
            };
            match line.split_once('=').map(|(k, v)| (k.trim(), v)) {
                Some(("scan_only", v)) => policy.scan_only = value(v)?,
                Some(("allow_reboot", v)) => policy.allow_reboot = value(v)?,
                Some(("allow_rollback", v)) => policy.allow_rollback = value(v)?,
                _ => {
                    return Err(format!(
                        "line {}: expected scan_only, allow_reboot or allow_rollback = true or false",
                        number + 1
                    ));
                }
            }
        }
        Ok(policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_cannot_be_understood_forbids_everything() {
        assert_eq!(LocalPolicy::parse("# nothing\n\n"), Ok(LocalPolicy::OPEN));
        assert_eq!(
            LocalPolicy::parse("scan_only = false\nallow_reboot=false # nights only\n"),
            Ok(LocalPolicy {
                allow_reboot: false,
                ..LocalPolicy::OPEN
            })
        );
        assert!(LocalPolicy::parse("scan_only = yes").is_err_and(|e| e.starts_with("line 1")));
        assert!(LocalPolicy::parse("allow_scripts = true").is_err());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "rubbish").unwrap();
        assert_eq!(LocalPolicy::read(file.path()).0, LocalPolicy::CLOSED);
        assert_eq!(
            LocalPolicy::read(Path::new("/nonexistent/policy")),
            (LocalPolicy::OPEN, None)
        );
    }
}
