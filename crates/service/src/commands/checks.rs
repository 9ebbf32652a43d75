//! What people type, checked and made one line before anything is written.

use crate::error::{Error, Result};
use view::{Field, Problem};

/// Most characters of a reason or note.
pub const MAX_REASON: u32 = 1_000;
/// Most characters of a name or label.
pub const MAX_NAME: u32 = 64;
/// Fewest characters of a password.
pub const MIN_PASSWORD: u32 = 15;
/// Most characters of a password: enough for any passphrase, and hashing stays cheap.
pub const MAX_PASSWORD: u32 = 128;

/// Trims, and turns line breaks and tabs into spaces, so that a record is one line in every log.
fn one_line(text: &str) -> String {
    text.split(['\r', '\n', '\t'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Control characters, and the invisible ones that reorder or hide text.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

fn count(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

fn bounded(field: Field, text: &str, max: u32, required: bool) -> Result<String> {
    // Long before it is looked at character by character.
    if text.len() > 16 * max as usize {
        return Err(Error::invalid(field, Problem::TooLong { max }));
    }
    let line = one_line(text);
    if line.chars().any(is_hidden) {
        return Err(Error::invalid(field, Problem::Control));
    }
    if required && line.is_empty() {
        return Err(Error::invalid(field, Problem::Missing));
    }
    if count(&line) > max {
        return Err(Error::invalid(field, Problem::TooLong { max }));
    }
    Ok(line)
}

/// A reason or note.
///
/// # Errors
/// Missing, too long, control characters.
pub fn reason(text: &str, required: bool) -> Result<String> {
    bounded(Field::Reason, text, MAX_REASON, required)
}

/// A text of a sentence or a few that must be there.
///
/// # Errors
/// Missing, too long, control characters.
pub fn sentences(field: Field, text: &str) -> Result<String> {
    bounded(field, text, MAX_REASON, true)
}

/// A name or label.
///
/// # Errors
/// Missing, too long, control characters.
pub fn name(field: Field, text: &str) -> Result<String> {
    bounded(field, text, MAX_NAME, true)
}

/// A new password of the account `name`.
///
/// # Errors
/// Too short, too long, too common, control characters.
pub fn password(text: &str, name: &str) -> Result<()> {
    let bad = |problem| Err(Error::invalid(Field::Password, problem));
    if text.is_empty() {
        return bad(Problem::Missing);
    }
    if text.len() > 4 * MAX_PASSWORD as usize || count(text) > MAX_PASSWORD {
        return bad(Problem::TooLong { max: MAX_PASSWORD });
    }
    if text.chars().any(char::is_control) {
        return bad(Problem::Control);
    }
    if count(text) < MIN_PASSWORD {
        return bad(Problem::TooShort { min: MIN_PASSWORD });
    }
    if is_common(text, name) {
        bad(Problem::TooCommon)
    } else {
        Ok(())
    }
}

/// The long ones among the most used passwords, without their digits and signs at the end. Shorter ones are refused by their length.
const COMMON: &[&str] = &[
    "abcdefghijklmno",
    "abcdefghijklmnopqrstuvwxyz",
    "administrator",
    "administratorpassword",
    "changemechangeme",
    "changemeplease",
    "correcthorsebatterystaple",
    "iloveyousomuch",
    "letmeinletmein",
    "mypasswordispassword",
    "passwordpassword",
    "patchmanagement",
    "patchwardpatchward",
    "qazwsxedcrfvtgb",
    "qazwsxedcrfvtgbyhnujm",
    "qwertyuiopasdfg",
    "qwertyuiopasdfghjkl",
    "qwertyuiopasdfghjklzxcvbnm",
    "thisismypassword",
    "welcomewelcome",
];

fn is_common(text: &str, name: &str) -> bool {
    let lower: Vec<char> = text.to_lowercase().chars().filter(|c| !c.is_whitespace()).collect();
    let distinct = lower.iter().collect::<std::collections::BTreeSet<_>>().len();
    // A short text again and again, also cut off at the end: `passwordpassword`, `abcabcabcabcabca`.
    let repeats = (1..=lower.len() / 2).any(|period| lower[period..] == lower[..lower.len() - period]);
    // Each character the neighbour of the one before: `123456789012345`.
    let steps = lower
        .windows(2)
        .filter(|w| (w[0] as i64 - w[1] as i64).abs() <= 1 || (w[0], w[1]) == ('9', '0'))
        .count();
    let letters: String = lower.iter().collect();
    let name = name.to_lowercase();
    let bare = letters.trim_end_matches(|c: char| !c.is_alphabetic());
    let without_name = if name.chars().count() >= 3 {
        letters.replace(&name, "")
    } else {
        letters.clone()
    };
    distinct < 5
        || repeats
        || steps * 4 >= lower.len() * 3
        || COMMON.contains(&bare)
        || COMMON.contains(&letters.as_str())
        || without_name.chars().count() < 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_and_not_common() {
        let problem = |text: &str| match password(text, "anna") {
            Err(Error::Invalid { problem, .. }) => Some(problem),
            _ => None,
        };
        assert_eq!(problem("short"), Some(Problem::TooShort { min: 15 }));
        assert_eq!(problem(&"ä".repeat(129)), Some(Problem::TooLong { max: 128 }));
        assert_eq!(problem("a\u{0}bcdefghijklmnop"), Some(Problem::Control));
        for common in [
            "passwordpassword",
            "Password Password1",
            "aaaaaaaaaaaaaaaa",
            "123456789012345",
            "abcdefghijklmnopq",
            "annaannaannaanna!!",
            "qwertyuiopasdfghjkl123!",
            "thisismypassword2026",
        ] {
            assert!(problem(common) == Some(Problem::TooCommon), "{common}");
        }
        for good in [
            "violet tram under seven lamps",
            "kYb2-vv9Q-xxT4-1m0p",
            "ääkkösiä täynnä oleva",
        ] {
            assert_eq!(problem(good), None, "{good}");
        }
    }

    #[test]
    fn reasons_become_one_line_without_hidden_characters() {
        assert_eq!(reason(" a\r\n b\tc ", true).unwrap(), "a b c");
        assert!(matches!(
            reason("a\u{202e}b", false),
            Err(Error::Invalid {
                problem: Problem::Control,
                ..
            })
        ));
        assert!(matches!(
            reason(" \n", true),
            Err(Error::Invalid {
                problem: Problem::Missing,
                ..
            })
        ));
        assert!(reason("", false).is_ok());
        assert!(reason(&"x".repeat(1_000), true).is_ok());
        assert!(matches!(
            reason(&"x".repeat(1_001), true),
            Err(Error::Invalid {
                problem: Problem::TooLong { max: 1_000 },
                ..
            })
        ));
    }
}
