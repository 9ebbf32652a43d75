//! Bounds on what is accepted (I-40). A message beyond a bound is refused whole and changes nothing.

/// Bytes of one request body.
pub const MAX_BODY: usize = 1024 * 1024;
/// Bytes of an enrolment: its sender is not known yet.
pub const MAX_ENROLL: usize = 64 * 1024;
/// Nesting of JSON arrays and objects.
pub const MAX_DEPTH: usize = 32;
/// Installed packages in one report. The largest real device seen has about 4,000.
pub const MAX_PACKAGES: usize = 20_000;
/// Available updates in one report.
pub const MAX_UPDATES: usize = 5_000;
/// Source packages that are told to bring in one new package: so many patches may start with it at once.
pub const MAX_BROUGHT_BY: usize = 8;
/// Results in one message; the agent sends the rest in the next.
pub const MAX_RESULTS: usize = 100;
/// Packages of one patch.
pub const MAX_PATCH_PACKAGES: usize = 500;

/// Why a body was refused before it was parsed or while it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More than [`MAX_BODY`] bytes.
    #[error("the message has {0} bytes; the limit is {MAX_BODY}")]
    TooLarge(usize),
    /// Deeper than [`MAX_DEPTH`].
    #[error("the message is nested deeper than {MAX_DEPTH} levels (at byte {0})")]
    TooDeep(usize),
    /// Not the JSON that was expected; the text names line, column and what was wrong.
    #[error("the message does not fit: {0}")]
    Malformed(String),
}

/// Parses one message under the limits above.
///
/// # Errors
/// [`BodyError`] says which limit or which part of the text was wrong; it never repeats the sender's text at length.
pub fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, BodyError> {
    if body.len() > MAX_BODY {
        return Err(BodyError::TooLarge(body.len()));
    }
    check_depth(body)?;
    serde_json::from_slice(body).map_err(|e| {
        let mut text: String = e.to_string().chars().filter(|c| !c.is_control()).collect();
        if let Some((at, _)) = text.char_indices().nth(300) {
            text.truncate(at);
        }
        BodyError::Malformed(text)
    })
}

/// One pass over the bytes, before any tree is built.
fn check_depth(body: &[u8]) -> Result<(), BodyError> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for (at, &byte) in body.iter().enumerate() {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'[' | b'{') => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(BodyError::TooDeep(at));
                }
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_large_and_malformed_bodies_are_told_apart() {
        let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
        assert_eq!(parse::<serde_json::Value>(deep.as_bytes()), Err(BodyError::TooDeep(32)));
        assert_eq!(
            parse::<serde_json::Value>(&vec![b' '; MAX_BODY + 1]),
            Err(BodyError::TooLarge(MAX_BODY + 1))
        );
        assert!(matches!(parse::<Vec<u8>>(b"[1,2,"), Err(BodyError::Malformed(_))));
        let quoted = format!("\"{}\\\"[\"", "[".repeat(99));
        assert!(
            parse::<String>(quoted.as_bytes()).is_ok(),
            "brackets inside text do not count"
        );
    }
}
