//! The server's side of the agent protocol: authenticate, then enroll, check in, report, permit, results.
//!
//! Everything a device sends is hostile until it has passed the signature, the limits and the grammar; whatever is refused changes nothing
//! (I-40). A reply says "taken" only after the commit (I-21).

mod authenticate;
mod catalog;
mod check_in;
mod derive;
mod enroll;
mod handed;
mod memory;
mod orders;
mod permit;
mod report;
mod results;
mod tick;

pub(crate) use permit::MAX_ROLLBACK_TRIES;

pub use memory::Memory;

use crate::{
    Error, Service,
    events::Topic,
    snapshot,
    store::{
        WriteTx,
        contacts::{self, Contact},
        devices,
    },
};
use authenticate::Call;
use protocol::{
    ShortText,
    v1::{self, Refusal, RefusalCode},
};
use serde::{Serialize, de::DeserializeOwned};

/// A reply as it goes over the wire; the handler adds the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireReply {
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: Vec<u8>,
}

/// A refusal on its way to the wire.
#[derive(Debug)]
struct Refused(RefusalCode, String);

impl Refused {
    fn new(code: RefusalCode, detail: impl Into<String>) -> Self {
        Self(code, detail.into())
    }

    fn reply(self) -> WireReply {
        let refusal = Refusal {
            code: self.0,
            detail: ShortText::fit(&self.1),
        };
        WireReply {
            status: self.0.status(),
            body: serde_json::to_vec(&refusal).unwrap_or_default(),
        }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        if let Error::ReadOnly(_) | Error::Database(sqlx::Error::PoolTimedOut) = error {
            tracing::error!(error = %error, source = ?std::error::Error::source(&error), "an agent's message could not be written");
            return Self::new(
                RefusalCode::Unavailable,
                "The server cannot write now. Nothing was taken; it will be asked for again.",
            );
        }
        let id = crate::random::number();
        tracing::error!(id, error = %error, source = ?std::error::Error::source(&error), "an agent's message failed");
        Self::new(
            RefusalCode::Internal,
            format!("The server failed; its log has the details under {id}."),
        )
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Error::from(error).into()
    }
}

type Answer<T> = std::result::Result<T, Refused>;

fn ok<T: Serialize>(reply: &T) -> Answer<WireReply> {
    let body = serde_json::to_vec(reply).map_err(|e| Error::Inconsistent(e.to_string()))?;
    Ok(WireReply { status: 200, body })
}

impl Service {
    /// One agent request: `path` is one of `protocol::v1`'s constants, `key_id` and `signature` come from the headers, `body` is at most
    /// 1 MiB. Checks, acts, answers; every refusal is a [`Refusal`] as JSON with its status. The handler signs the reply.
    pub async fn agent(&self, path: &str, key_id: &str, signature: &str, body: &[u8]) -> WireReply {
        let answer = match path {
            v1::ENROLL => self.enroll(key_id, signature, body).await,
            v1::CHECK_IN => self.on_check_in(key_id, signature, body).await,
            v1::REPORT => self.on_report(key_id, signature, body).await,
            v1::PERMIT => self.on_permit(key_id, signature, body).await,
            v1::RESULTS => self.on_results(key_id, signature, body).await,
            _ => Err(Refused::new(RefusalCode::Malformed, "There is no such request.")),
        };
        answer.unwrap_or_else(Refused::reply)
    }

    async fn on_check_in(&self, key_id: &str, signature: &str, body: &[u8]) -> Answer<WireReply> {
        // One connection for the whole of it: check-ins are what a server does most.
        let mut read = self.store().read().await?;
        match self
            .authenticate(&mut read, v1::CHECK_IN, key_id, signature, body)
            .await?
        {
            Call::Again(reply) => Ok(reply),
            Call::New(caller, message) => self.check_in(&mut read, &caller, &message).await,
        }
    }

    /// As [`Self::authenticate`], with a connection that is given back before the write lock is waited for.
    async fn known<T: DeserializeOwned>(
        &self,
        path: &str,
        key_id: &str,
        signature: &str,
        body: &[u8],
    ) -> Answer<Call<T>> {
        let mut read = self.store().read().await?;
        self.authenticate(&mut read, path, key_id, signature, body).await
    }

    async fn on_report(&self, key_id: &str, signature: &str, body: &[u8]) -> Answer<WireReply> {
        match self.known(v1::REPORT, key_id, signature, body).await? {
            Call::Again(reply) => Ok(reply),
            Call::New(caller, message) => self.report(&caller, message).await,
        }
    }

    async fn on_permit(&self, key_id: &str, signature: &str, body: &[u8]) -> Answer<WireReply> {
        match self.known(v1::PERMIT, key_id, signature, body).await? {
            Call::Again(reply) => Ok(reply),
            Call::New(caller, message) => self.permit(&caller, &message).await,
        }
    }

    async fn on_results(&self, key_id: &str, signature: &str, body: &[u8]) -> Answer<WireReply> {
        match self.known(v1::RESULTS, key_id, signature, body).await? {
            Call::Again(reply) => Ok(reply),
            Call::New(caller, message) => self.results(&caller, &message).await,
        }
    }

    /// Writes the batched last contacts. Called every few seconds and at the end.
    ///
    /// # Errors
    /// When the database cannot be written; the batch is kept.
    pub async fn flush_contacts(&self) -> crate::Result<()> {
        if !self.inner.agents.has_contacts() {
            return Ok(());
        }
        let tx = self.store().write().await?;
        // Taken while nobody else writes: whoever writes next finds what was said either in the database or still here.
        let batch = self.inner.agents.take_contacts();
        let written = self.write_contacts(tx, &batch).await;
        if written.is_err() {
            self.inner.agents.put_back(&batch);
        }
        written
    }

    async fn write_contacts(&self, mut tx: WriteTx, batch: &[Contact]) -> crate::Result<()> {
        let rebooted = contacts::any_rebooted(&mut tx, batch).await?;
        contacts::write(&mut tx, batch).await?;
        self.note_presence(&mut tx, batch).await?;
        crate::store::seen::write(&mut tx, batch).await?;
        tx.commit().await?;
        if rebooted {
            // A reboot is evidence, which pages show.
            self.events().send(Topic::Devices);
        }
        Ok(())
    }

    /// Whoever is heard of while a window of it is open, or has none, has not slept through it.
    async fn note_presence(&self, conn: &mut sqlx::SqliteConnection, batch: &[Contact]) -> crate::Result<()> {
        let policy = snapshot::policy(conn, self.now()).await?;
        if policy.policy().windows.is_empty() {
            return Ok(());
        }
        let heard: std::collections::HashMap<_, _> = batch.iter().map(|c| (c.device, c.at)).collect();
        let ids: Vec<domain::DeviceId> = heard.keys().copied().collect();
        let mut present = Vec::new();
        for (id, group, zone) in devices::places(conn, &ids).await? {
            let facts = planner::DeviceFacts {
                groups: group.into_iter().collect(),
                zone,
                ..planner::DeviceFacts::new(id, domain::OsReleaseId(0), domain::RingId(0))
            };
            if let Some(at) = heard.get(&id).filter(|at| planner::window_open(&policy, &facts, **at)) {
                present.push((id, *at));
            }
        }
        contacts::write_presence(conn, &present).await
    }
}
