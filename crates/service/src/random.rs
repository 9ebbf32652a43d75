//! Randomness from the operating system, for secrets and ids.

/// `N` random bytes.
///
/// # Panics
/// When the operating system has no randomness to give: nothing that follows would be safe.
#[must_use]
#[expect(clippy::expect_used, reason = "no secret can be made without randomness")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    getrandom::fill(&mut out).expect("the operating system gives randomness");
    out
}

/// A random number that JavaScript can hold exactly; for correlation ids.
#[must_use]
pub fn number() -> u64 {
    u64::from_le_bytes(bytes::<8>()) >> 12
}

/// 256 random bits as 43 URL-safe characters.
#[must_use]
pub fn secret() -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes::<32>())
}
