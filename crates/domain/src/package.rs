//! The grammar of what an agent may be asked to install. A text that does not fit never reaches a package manager (I-36).

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a text is not a package name, version or architecture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrammarError {
    /// Longer than the limit, or empty.
    #[error("{what} must have 1 to {max} characters, this has {len}")]
    Length {
        /// Which kind of text.
        what: &'static str,
        /// The limit.
        max: usize,
        /// What was given, in bytes.
        len: usize,
    },
    /// A character that the grammar does not have.
    #[error("{what} has a character at byte {at} that is not allowed")]
    Character {
        /// Which kind of text.
        what: &'static str,
        /// Byte offset.
        at: usize,
    },
}

macro_rules! grammar {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $first:expr, $rest:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text` against the grammar.
            ///
            /// # Errors
            /// [`GrammarError`] names the first thing that does not fit.
            pub fn parse(text: &str) -> Result<Self, GrammarError> {
                if text.is_empty() || text.len() > $max {
                    return Err(GrammarError::Length { what: $what, max: $max, len: text.len() });
                }
                let first: fn(u8) -> bool = $first;
                let rest: fn(u8) -> bool = $rest;
                match text.bytes().enumerate().find(|&(i, b)| !(if i == 0 { first(b) } else { rest(b) })) {
                    Some((at, _)) => Err(GrammarError::Character { what: $what, at }),
                    None => Ok(Self(text.to_owned())),
                }
            }
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
        }

        impl TryFrom<String> for $name {
            type Error = GrammarError;
            fn try_from(text: String) -> Result<Self, GrammarError> { Self::parse(&text) }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self { value.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
    };
}

grammar! {
    /// A package name: `[A-Za-z0-9][A-Za-z0-9+._-]{0,127}` (Debian policy 5.6.7; upper case for the rpm world). Never starts with a dash, never holds `=`, `/` or `:`.
    PackageName, "a package name", 128,
    |b| b.is_ascii_alphanumeric(),
    |b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'_' | b'-')
}

grammar! {
    /// An exact version: `[A-Za-z0-9][A-Za-z0-9.+~:^_-]{0,127}` (Debian policy 5.6.12).
    VersionText, "a version", 128,
    |b| b.is_ascii_alphanumeric(),
    |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'~' | b':' | b'^' | b'_' | b'-')
}

grammar! {
    /// An architecture such as `amd64` or `all`.
    Arch, "an architecture", 32,
    |b| b.is_ascii_lowercase() || b.is_ascii_digit(),
    |b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I-36.
    #[test]
    fn options_paths_and_assignments_are_refused() {
        for bad in ["", "-o", "a=1", "../x", "a b", "a;b", "a/b", "a\n", "libc6:amd64", "é"] {
            assert!(PackageName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(PackageName::parse("libstdc++6").is_ok() && PackageName::parse("0ad").is_ok());
        for bad in ["", "-1", "1 2", "1=2", "1/2", "$(id)", "1\u{0}"] {
            assert!(VersionText::parse(bad).is_err(), "{bad:?}");
        }
        assert!(VersionText::parse("2:8.39-15+deb12u1~bpo~1").is_ok());
        assert_eq!(
            PackageName::parse(&"a".repeat(129)),
            Err(GrammarError::Length {
                what: "a package name",
                max: 128,
                len: 129
            })
        );
    }
}
