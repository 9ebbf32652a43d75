//! Free text from a device. It is shown to people, so it may hold anything printable, and nothing that moves a terminal or a log line.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a text was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Too many bytes.
    #[error("a text of {len} bytes where {max} are allowed")]
    TooLong {
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A control character.
    #[error("a text with the control character U+{0:04X}")]
    Control(u32),
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $max:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Bytes at most.
            pub const MAX: usize = $max;

            /// Checks a text.
            ///
            /// # Errors
            /// [`TextError`] when it is too long or holds a control character.
            pub fn parse(text: &str) -> Result<Self, TextError> {
                if text.len() > Self::MAX {
                    return Err(TextError::TooLong { len: text.len(), max: Self::MAX });
                }
                let allowed: fn(char) -> bool = $allowed;
                match text.chars().find(|&c| c.is_control() && !allowed(c)) {
                    Some(c) => Err(TextError::Control(c as u32)),
                    None => Ok(Self(text.to_owned())),
                }
            }

            /// Makes any text fit: control characters become spaces, the end is cut. For senders, never for checking input.
            #[must_use]
            pub fn fit(text: &str) -> Self {
                let allowed: fn(char) -> bool = $allowed;
                let mut out = String::new();
                for c in text.chars() {
                    let c = if c.is_control() && !allowed(c) { ' ' } else { c };
                    if out.len() + c.len_utf8() > Self::MAX {
                        break;
                    }
                    out.push(c);
                }
                Self(out)
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
        }

        impl TryFrom<String> for $name {
            type Error = TextError;
            fn try_from(text: String) -> Result<Self, TextError> { Self::parse(&text) }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self { value.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
    };
}

text! {
    /// One line of at most 300 bytes: a host name, a title, a reason.
    ShortText, 300, |_| false
}

text! {
    /// Several lines of at most 16 KiB: the end of a package manager's log.
    LongText, 16_384, |c| c == '\n' || c == '\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_refused_and_html_is_text() {
        assert_eq!(ShortText::parse("a\u{1b}[2J"), Err(TextError::Control(0x1b)));
        assert!(ShortText::parse("a\nb").is_err() && LongText::parse("a\nb").is_ok());
        assert!(ShortText::parse("<script>alert(1)</script>").is_ok());
        assert_eq!(ShortText::fit("a\u{7}b\n").as_str(), "a b ");
        assert_eq!(ShortText::fit(&"é".repeat(400)).as_str().len(), 300);
    }
}
