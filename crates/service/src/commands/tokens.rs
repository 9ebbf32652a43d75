//! Enrolment tokens.

use super::checks;
use crate::{
    Actor, Error, Result, Service,
    audit::{Action, Record},
    events::Topic,
    store::{audit, lists, tokens},
};
use domain::{GroupId, Permission, Span, TokenId};
use protocol::sign::{key_id, sha256};
use view::{Field, NewToken, Problem, Why};

/// Longest validity in hours.
const MAX_HOURS: u32 = 24;
/// Most devices by one token.
const MAX_USES: u32 = 10_000;

/// What a token is for.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// Label.
    pub label: String,
    /// Group its devices join.
    pub group: Option<GroupId>,
    /// Devices become active at once.
    pub accept: bool,
    /// Devices never install.
    pub scan_only: bool,
    /// 1 to 10,000.
    pub max_uses: u32,
    /// 1 to 24.
    pub hours: u32,
}

fn within(field: Field, value: u32, max: u32) -> Result<()> {
    if (1..=max).contains(&value) {
        Ok(())
    } else {
        Err(Error::invalid(field, Problem::OutOfRange { min: 1, max }))
    }
}

impl Service {
    /// Makes a token; its text `pwe_<secret>_<server key id>` is returned once and stored as a hash.
    ///
    /// # Errors
    /// Not allowed, invalid field.
    pub async fn create_token(&self, actor: &Actor, request: TokenRequest) -> Result<NewToken> {
        actor.require(Permission::ManageDevices)?;
        let label = checks::name(Field::Label, &request.label)?;
        within(Field::Uses, request.max_uses, MAX_USES)?;
        within(Field::Hours, request.hours, MAX_HOURS)?;
        let now = self.now();
        let expires = now + Span::hours(i64::from(request.hours));
        let token = format!(
            "pwe_{}_{}",
            crate::random::secret(),
            key_id(&self.inner.key.verifying_key().to_bytes())
        );
        let mut tx = self.store().write().await?;
        if let Some(group) = request.group
            && lists::group(&mut tx, group).await?.is_none()
        {
            return Err(Error::invalid(Field::Group, Problem::Unknown));
        }
        let by = actor.audit_name();
        let draft = tokens::Draft {
            hash: sha256(token.as_bytes()),
            label: &label,
            group: request.group,
            scan_only: request.scan_only,
            accept: request.accept,
            max_uses: request.max_uses,
            created: now,
            created_by: &by,
            expires,
        };
        let id = tokens::insert(&mut tx, &draft).await?;
        let after = serde_json::json!({
            "label": label, "group": request.group, "accept": request.accept, "scan_only": request.scan_only,
            "max_uses": request.max_uses, "expires": expires,
        });
        let record = Record {
            actor: by.clone(),
            action: Action::TokenCreated,
            object: format!("token:{id}"),
            before: None,
            after: Some(after.to_string()),
            reason: String::new(),
        };
        audit::append(&mut tx, now, &record).await?;
        tx.commit().await?;
        self.events().send(Topic::Accounts);
        let command = format!("patchward-agent enroll {} {token}", self.settings().public_url);
        Ok(NewToken {
            token,
            command,
            expires,
        })
    }

    /// Revokes a token; devices enrolled by it stay.
    ///
    /// # Errors
    /// Not allowed, not found, already revoked.
    pub async fn revoke_token(&self, actor: &Actor, token: TokenId) -> Result<()> {
        actor.require(Permission::ManageDevices)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        if tokens::revoked(&mut tx, token).await?.ok_or(Error::NotFound)?.is_some() {
            return Err(Error::Refused(Why::AlreadyDone));
        }
        tokens::revoke(&mut tx, token, now).await?;
        let record = Record {
            actor: actor.audit_name(),
            action: Action::TokenRevoked,
            object: format!("token:{token}"),
            before: None,
            after: None,
            reason: String::new(),
        };
        audit::append(&mut tx, now, &record).await?;
        tx.commit().await?;
        self.events().send(Topic::Accounts);
        Ok(())
    }
}
