//! A token and a key become a device.

use super::{Answer, Refused, WireReply, ok};
use crate::{
    Service,
    audit::{Action, Record},
    events::Topic,
    store::{
        audit, catalog,
        devices::{self, Device, Token},
    },
};
use domain::{DeviceState, Moment};
use protocol::{
    limits, sign,
    v1::{ENROLL, EnrollReply, EnrollRequest, RefusalCode},
};
use sqlx::SqliteConnection;

/// Devices that may wait for acceptance at once, so that a leaked token makes noise and not work.
const MAX_PENDING: i64 = 500;
/// Characters of a token's secret: 256 bits in URL-safe base 64.
const SECRET_LENGTH: usize = 43;

impl Service {
    /// Takes a new device in, or answers again to one that lost the reply.
    pub(super) async fn enroll(&self, key_id: &str, signature: &str, body: &[u8]) -> Answer<WireReply> {
        let request: EnrollRequest = limits::parse(body)?;
        let public_key = public_key(&request.public_key)?;
        if sign::key_id(&public_key) != key_id {
            return Err(Refused::new(
                RefusalCode::BadSignature,
                "The key in the header is not the key in the message.",
            ));
        }
        sign::verify_request(&public_key, ENROLL, body, signature)
            .map_err(|e| Refused::new(RefusalCode::BadSignature, format!("{e}.")))?;
        check_shape(
            &request.token,
            &sign::key_id(&self.signing_key().verifying_key().to_bytes()),
        )?;
        let now = self.now();
        let mut tx = self.store().write().await?;
        let known = devices::token(&mut tx, &sign::sha256(request.token.as_bytes())).await?;
        let token = known.ok_or_else(|| unknown_token("This enrolment token is not known here. Make a new one."))?;
        if let Some(device) = devices::by_key(&mut tx, key_id).await? {
            return self.again(&mut tx, &device, &token, now).await;
        }
        check_token(&token, now)?;
        let os_release = catalog::os_release(&mut tx, &request.host).await?;
        let scan_only = token.scan_only || request.scan_only;
        let id = devices::insert(&mut tx, &token, &public_key, &request.host, os_release, scan_only, now).await?;
        let state = if token.accept {
            DeviceState::Active
        } else {
            DeviceState::Pending
        };
        let record = Record {
            actor: format!("device:{id}"),
            action: Action::DeviceEnrolled,
            object: format!("device:{id} token:{}", token.id),
            before: None,
            after: Some(
                serde_json::json!({ "hostname": request.host.hostname, "key_id": key_id, "state": state, "scan_only": scan_only }).to_string(),
            ),
            reason: String::new(),
        };
        audit::append(&mut tx, now, &record).await?;
        tx.commit().await?;
        self.events().send(Topic::Devices);
        ok(&self.enrolled(id, key_id, state, now))
    }

    /// The same token and key again: a lost reply costs no second use. Another token for a known key is not an enrolment.
    async fn again(
        &self,
        conn: &mut SqliteConnection,
        device: &Device,
        token: &Token,
        now: Moment,
    ) -> Answer<WireReply> {
        if device.state == DeviceState::Revoked {
            return Err(Refused::new(
                RefusalCode::Revoked,
                "This key belongs to a device that was revoked. Enrol with a new key.",
            ));
        }
        if devices::token_of(conn, device.id).await? != Some(token.id) {
            return Err(Refused::new(
                RefusalCode::Stale,
                "This key is enrolled already, by another token. Use that token, or run enroll with --again.",
            ));
        }
        ok(&self.enrolled(device.id, &device.key_id, device.state, now))
    }

    fn enrolled(&self, device: domain::DeviceId, key_id: &str, state: DeviceState, now: Moment) -> EnrollReply {
        EnrollReply {
            device,
            key_id: key_id.to_owned(),
            state,
            server_key: hex::encode(self.signing_key().verifying_key().to_bytes()),
            server_time: now,
        }
    }
}

fn public_key(text: &str) -> Answer<[u8; 32]> {
    let bytes = hex::decode(text).ok().and_then(|b| b.try_into().ok());
    bytes.ok_or_else(|| Refused::new(RefusalCode::Malformed, "The public key does not have 64 hex digits."))
}

fn unknown_token(detail: &str) -> Refused {
    Refused::new(RefusalCode::TokenUnknown, detail)
}

/// Tells a mistyped token, and one of another server, from an unknown one.
fn check_shape(token: &str, server: &str) -> Answer<()> {
    let rest = token.strip_prefix("pwe_");
    let parts = rest.and_then(|r| Some((r.get(..SECRET_LENGTH)?, r.get(SECRET_LENGTH..)?.strip_prefix('_')?)));
    let fits = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    match parts {
        Some((secret, key)) if fits(secret) && key == server => Ok(()),
        Some((secret, key)) if fits(secret) && key.len() == 32 && key.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Err(unknown_token("This enrolment token was made by another server."))
        }
        _ => Err(Refused::new(
            RefusalCode::Malformed,
            "This is not a whole enrolment token; copy it again, from pwe_ to the end.",
        )),
    }
}

fn check_token(token: &Token, now: Moment) -> Answer<()> {
    let refused = |code, detail: &str| Err(Refused::new(code, detail));
    if token.revoked {
        return refused(
            RefusalCode::TokenRevoked,
            "This enrolment token was revoked. Make a new one.",
        );
    }
    if token.expires <= now {
        return refused(
            RefusalCode::TokenExpired,
            "This enrolment token has expired. Make a new one.",
        );
    }
    if token.uses >= token.max_uses {
        return refused(
            RefusalCode::TokenUsedUp,
            "This enrolment token was used as often as it may be. Make a new one.",
        );
    }
    if !token.accept && token.pending >= MAX_PENDING {
        return refused(
            RefusalCode::TooMany,
            "Too many devices wait for acceptance. Accept or revoke some first.",
        );
    }
    Ok(())
}
