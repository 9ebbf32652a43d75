//! Signing: Ed25519 over the exact bytes that travel, with the type of the message inside the signed text (as DSSE's
//! pre-authentication encoding does), so that bytes are signed and not objects, and no message can pass for another.
//!
//! A request carries `x-patchward-key` (the device's key id) and `x-patchward-signature`; the reply carries the server's signature over
//! the hash of the request and its own body, so that a reply belongs to one request and cannot be replayed (Omaha CUP, THREATS 1.2).

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// Header with the id of the device's key.
pub const KEY_HEADER: &str = "x-patchward-key";
/// Header with the signature, 128 hex digits.
pub const SIGNATURE_HEADER: &str = "x-patchward-signature";

/// A signature that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not 64 bytes in hex.
    #[error("the signature is not 128 hex digits")]
    Malformed,
    /// Not a point on the curve, or a weak one.
    #[error("the public key is not a valid Ed25519 key")]
    BadKey,
    /// Made by another key or over other bytes.
    #[error("the signature does not fit the message and key")]
    Mismatch,
}

/// The id of a public key: the first 32 hex digits of its SHA-256.
#[must_use]
pub fn key_id(public_key: &[u8; 32]) -> String {
    hex::encode(&Sha256::digest(public_key)[..16])
}

/// SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Signs a request to `path` with `body`; returns hex.
#[must_use]
pub fn sign_request(key: &SigningKey, path: &str, body: &[u8]) -> String {
    hex::encode(key.sign(&request_text(path, body)).to_bytes())
}

/// Checks a request's signature.
///
/// # Errors
/// [`SignatureError`] when it does not hold.
pub fn verify_request(public_key: &[u8; 32], path: &str, body: &[u8], signature: &str) -> Result<(), SignatureError> {
    verify(public_key, &request_text(path, body), signature)
}

/// Signs a reply with `status` and `body` to the request whose body had the hash `request`; returns hex.
#[must_use]
pub fn sign_reply(key: &SigningKey, request: &[u8; 32], status: u16, body: &[u8]) -> String {
    hex::encode(key.sign(&reply_text(request, status, body)).to_bytes())
}

/// Checks a reply's signature.
///
/// # Errors
/// [`SignatureError`] when it does not hold.
pub fn verify_reply(
    public_key: &[u8; 32],
    request: &[u8; 32],
    status: u16,
    body: &[u8],
    signature: &str,
) -> Result<(), SignatureError> {
    verify(public_key, &reply_text(request, status, body), signature)
}

fn request_text(path: &str, body: &[u8]) -> Vec<u8> {
    encode(&[b"patchward/request/v1", path.as_bytes(), body])
}

fn reply_text(request: &[u8; 32], status: u16, body: &[u8]) -> Vec<u8> {
    encode(&[b"patchward/reply/v1", request, &status.to_be_bytes(), body])
}

/// Length-prefixed parts: no two lists of parts give the same bytes.
fn encode(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|p| p.len() + 8).sum());
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

fn verify(public_key: &[u8; 32], text: &[u8], signature: &str) -> Result<(), SignatureError> {
    let bytes: [u8; 64] = hex::decode(signature)
        .ok()
        .and_then(|b| b.try_into().ok())
        .ok_or(SignatureError::Malformed)?;
    let key = VerifyingKey::from_bytes(public_key).map_err(|_| SignatureError::BadKey)?;
    key.verify_strict(text, &Signature::from_bytes(&bytes))
        .map_err(|_| SignatureError::Mismatch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_binds_path_body_request_and_status() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = key.verifying_key().to_bytes();
        let signature = sign_request(&key, "/agent/v1/check-in", b"{}");
        assert_eq!(verify_request(&public, "/agent/v1/check-in", b"{}", &signature), Ok(()));
        assert_eq!(
            verify_request(&public, "/agent/v1/report", b"{}", &signature),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            verify_request(&public, "/agent/v1/check-in", b"{ }", &signature),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            verify_request(&public, "/agent/v1/check-in", b"{}", "00"),
            Err(SignatureError::Malformed)
        );
        let request = sha256(b"{}");
        let reply = sign_reply(&key, &request, 200, b"ok");
        assert_eq!(verify_reply(&public, &request, 200, b"ok", &reply), Ok(()));
        assert_eq!(
            verify_reply(&public, &request, 500, b"ok", &reply),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            verify_reply(&public, &sha256(b"other"), 200, b"ok", &reply),
            Err(SignatureError::Mismatch)
        );
    }
}
