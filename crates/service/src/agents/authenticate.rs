//! Who sends this, is it new, and is there only one of them.

use super::{Answer, Refused, WireReply, memory::Turn};
use crate::{
    Result, Service,
    audit::{Action, Record},
    events::Topic,
    store::{
        audit,
        contacts::Contact,
        devices::{self, Device},
    },
};
use domain::{DeviceState, Moment};
use protocol::{
    limits::{self, BodyError},
    sign,
    v1::{RefusalCode, Sealed},
};
use serde::de::DeserializeOwned;
use sqlx::SqliteConnection;

/// The device that speaks.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) device: Device,
    pub(super) seq: u64,
    pub(super) now: Moment,
}

impl Caller {
    /// What a write transaction must leave behind of this message: its sequence number is on disk before any permit is.
    pub(super) fn contact(&self) -> Contact {
        Contact {
            device: self.device.id,
            seq: self.seq,
            at: self.now,
            said: None,
            hour: None,
        }
    }

    /// Its row as it is in a write transaction: while that was waited for, the device may have been revoked, and nothing that a revoked
    /// device says is taken.
    pub(super) async fn row(&self, conn: &mut SqliteConnection) -> Answer<Device> {
        let device = devices::by_id(conn, self.device.id).await?;
        device
            .filter(|device| device.state != DeviceState::Revoked)
            .ok_or_else(revoked)
    }

    /// The name in the audit log.
    pub(super) fn name(&self) -> String {
        format!("device:{}", self.device.id)
    }
}

/// A message to act on, or the reply to its repeat.
pub(super) enum Call<T> {
    New(Box<Caller>, T),
    Again(WireReply),
}

impl From<BodyError> for Refused {
    fn from(error: BodyError) -> Self {
        let code = match error {
            BodyError::TooLarge(_) => RefusalCode::TooLarge,
            BodyError::TooDeep(_) | BodyError::Malformed(_) => RefusalCode::Malformed,
        };
        Self::new(code, error.to_string())
    }
}

pub(super) fn revoked() -> Refused {
    Refused::new(
        RefusalCode::Revoked,
        "This device was revoked. To manage it again, enrol it anew.",
    )
}

fn unknown_device() -> Refused {
    Refused::new(
        RefusalCode::UnknownDevice,
        "No device has this key. Enrol again with a new token.",
    )
}

impl Service {
    /// What the sender of a message is told when no device has its key; `None` when one has. For the handler, before it reads the message: only
    /// a device's is worth memory.
    pub async fn refuse_stranger(&self, key_id: &str) -> Option<WireReply> {
        if self.inner.agents.is_known(key_id) {
            return None;
        }
        let known = async {
            let mut read = self.store().read().await?;
            devices::is_known(&mut read, key_id).await
        };
        match known.await {
            Ok(true) => {
                self.inner.agents.know(key_id);
                None
            }
            Ok(false) => Some(unknown_device().reply()),
            Err(error) => Some(Refused::from(error).reply()),
        }
    }

    /// Checks size, key, signature, format and place in the sequence, in this order.
    pub(super) async fn authenticate<T: DeserializeOwned>(
        &self,
        conn: &mut SqliteConnection,
        path: &str,
        key_id: &str,
        signature: &str,
        body: &[u8],
    ) -> Answer<Call<T>> {
        if body.len() > limits::MAX_BODY {
            return Err(BodyError::TooLarge(body.len()).into());
        }
        let device = devices::by_key(conn, key_id).await?;
        let device = device.ok_or_else(unknown_device)?;
        sign::verify_request(&device.public_key, path, body, signature)
            .map_err(|e| Refused::new(RefusalCode::BadSignature, format!("{e}.")))?;
        if device.state == DeviceState::Revoked {
            self.inner.agents.forget(device.id);
            return Err(revoked());
        }
        let sealed: Sealed<T> = limits::parse(body)?;
        let now = self.now();
        match self
            .inner
            .agents
            .take_turn(&device, sealed.seq, sealed.sent_at, sign::sha256(body), now)
        {
            Turn::Act => Ok(Call::New(
                Box::new(Caller {
                    device,
                    seq: sealed.seq,
                    now,
                }),
                sealed.message,
            )),
            Turn::Again(reply) => Ok(Call::Again(reply)),
            Turn::Stale => Err(Refused::new(RefusalCode::Stale, "A later message was taken already.")),
            Turn::Clone => {
                self.quarantine(&device, now).await?;
                Err(Refused::new(
                    RefusalCode::Stale,
                    "Two agents use this device's key. It is in quarantine until a person has looked.",
                ))
            }
        }
    }

    /// Two live copies of one key: no permit for either until a person has looked (I-38).
    async fn quarantine(&self, device: &Device, now: Moment) -> Result<()> {
        if device.state == DeviceState::Quarantined {
            return Ok(());
        }
        let why = "Two agents use the same key: messages came with the same or an older number but other content.";
        let mut tx = self.store().write().await?;
        let Some(device) = devices::by_key(&mut tx, &device.key_id)
            .await?
            .filter(|d| d.state != DeviceState::Revoked)
        else {
            return Ok(());
        };
        devices::set_state(&mut tx, device.id, DeviceState::Quarantined, why).await?;
        let record = Record {
            actor: "server".to_owned(),
            action: Action::DeviceState,
            object: format!("device:{}", device.id),
            before: Some(serde_json::json!({ "state": device.state }).to_string()),
            after: Some(serde_json::json!({ "state": DeviceState::Quarantined }).to_string()),
            reason: why.to_owned(),
        };
        audit::append(&mut tx, now, &record).await?;
        tx.commit().await?;
        tracing::warn!(device = %device.id, "quarantined: two agents use one key");
        self.events().send(Topic::Devices);
        Ok(())
    }
}
