//! The server's side of the agent protocol: authenticate, then enroll, check in, report, permit, results.

use crate::Service;
use protocol::v1::Refusal;

/// What is remembered of devices between writes: last sequence numbers, last replies, last contacts waiting for their batch.
#[derive(Debug, Default)]
pub struct Memory {}

/// A reply as it goes over the wire; the handler adds the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireReply {
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: Vec<u8>,
}

impl Service {
    /// One agent request: `path` is one of `protocol::v1`'s constants, `key_id` and `signature` come from the headers, `body` is at most
    /// 1 MiB. Checks, acts, answers; every refusal is a [`Refusal`] as JSON with its status. The handler signs the reply.
    pub async fn agent(&self, path: &str, key_id: &str, signature: &str, body: &[u8]) -> WireReply {
        let _ = (path, key_id, signature, body);
        todo!()
    }

    /// Writes the batched last contacts. Called every few seconds and at the end.
    ///
    /// # Errors
    /// When the database cannot be written; the batch is kept.
    pub async fn flush_contacts(&self) -> crate::Result<()> {
        todo!()
    }

    /// Work that time brings: silent devices, vanished attempts, lapsed permits, rows to forget. Small steps; safe to repeat.
    /// Returns the moment at which it wants to be called again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tick(&self) -> crate::Result<domain::Moment> {
        todo!()
    }
}

#[expect(dead_code, reason = "signature stub")]
fn refuse(_: Refusal) -> WireReply {
    todo!()
}
