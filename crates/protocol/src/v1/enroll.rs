//! Enrolment: a one-time token and a key made on the device become a device known to the server.

use super::inventory::HostFacts;
use domain::{DeviceId, DeviceState, Moment};
use serde::{Deserialize, Serialize};

/// The body of `enroll`. The request is signed by the new key (header), which proves that the sender holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrollRequest {
    /// The token's text as the server printed it, e.g. `pwe_<43 characters>_<server key id>`.
    pub token: String,
    /// The device's Ed25519 public key, 64 hex digits. The same token and key may be sent again: a lost reply costs no second use.
    pub public_key: String,
    /// 32 hex digits.
    pub nonce: String,
    /// Asks never to be given installs. The server may not widen this later.
    #[serde(default)]
    pub scan_only: bool,
    /// What the device says of itself.
    pub host: HostFacts,
}

/// The reply to `enroll`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollReply {
    /// The device's number; never used again for another.
    pub device: DeviceId,
    /// The id of the device's key, to be compared by a person with what the device prints.
    pub key_id: String,
    /// Pending until accepted.
    pub state: DeviceState,
    /// The server's Ed25519 public key, 64 hex digits; its key id must be the one in the token.
    pub server_key: String,
    /// The server's clock.
    pub server_time: Moment,
}
