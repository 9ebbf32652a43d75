//! Accounts.

use super::{checks, passwords, session::account_name};
use crate::{
    Actor, Error, Result, Service,
    audit::{Action, Record},
    events::Topic,
    store::{accounts, audit, sessions},
};
use domain::{AccountId, Moment, Permission, Role};
use serde_json::json;
use sqlx::SqliteConnection;
use view::{Field, Problem, Why};

fn record(actor: &Actor, action: Action, account: AccountId) -> Record {
    Record {
        actor: actor.audit_name(),
        action,
        object: format!("account:{account}"),
        before: None,
        after: None,
        reason: String::new(),
    }
}

/// Adds an account inside the caller's transaction.
pub(super) async fn create(
    tx: &mut SqliteConnection,
    actor: &Actor,
    name: &str,
    role: Role,
    password_hash: Option<&str>,
    now: Moment,
) -> Result<AccountId> {
    if accounts::by_name(tx, name).await?.is_some() {
        return Err(Error::invalid(Field::Name, Problem::Taken));
    }
    let id = accounts::insert(tx, name, role, password_hash, now).await?;
    let after = json!({ "name": name, "role": role, "password": password_hash.is_some() }).to_string();
    audit::append(
        tx,
        now,
        &Record {
            after: Some(after),
            ..record(actor, Action::AccountCreated, id)
        },
    )
    .await?;
    Ok(id)
}

impl Service {
    /// Makes an account without a password; it signs in by a link from the host, or gets a password by `set_password`.
    ///
    /// # Errors
    /// Not allowed, invalid or taken name.
    pub async fn create_account(
        &self,
        actor: &Actor,
        name: &str,
        role: Role,
        password: Option<&str>,
    ) -> Result<AccountId> {
        actor.require(Permission::ManageAccounts)?;
        let name = account_name(name)?;
        let hash = match password {
            Some(password) => {
                checks::password(password, &name)?;
                Some(hash(password).await?)
            }
            None => None,
        };
        let mut tx = self.store().write().await?;
        let id = create(&mut tx, actor, &name, role, hash.as_deref(), self.now()).await?;
        tx.commit().await?;
        self.events().send(Topic::Accounts);
        Ok(id)
    }

    /// Changes a role; ends the account's sessions.
    ///
    /// # Errors
    /// Not allowed, last administrator.
    pub async fn set_role(&self, actor: &Actor, account: AccountId, role: Role) -> Result<()> {
        actor.require(Permission::ManageAccounts)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let before = accounts::by_id(&mut tx, account).await?.ok_or(Error::NotFound)?;
        if before.role == role {
            return Ok(());
        }
        let administers = before.role == Role::Administrator && before.disabled.is_none();
        if administers && accounts::other_administrators(&mut tx, account).await? == 0 {
            return Err(Error::Refused(Why::LastAdministrator));
        }
        accounts::set_role(&mut tx, account, role).await?;
        let ended = sessions::delete_of(&mut tx, account, None).await?;
        let change = Record {
            before: Some(json!({ "role": before.role }).to_string()),
            after: Some(json!({ "role": role, "sessions_ended": ended }).to_string()),
            ..record(actor, Action::AccountRole, account)
        };
        audit::append(&mut tx, now, &change).await?;
        tx.commit().await?;
        self.events().send(Topic::Accounts);
        Ok(())
    }

    /// Disables (ends all sessions in the same transaction) or enables an account.
    ///
    /// # Errors
    /// Not allowed, last administrator.
    pub async fn set_disabled(&self, actor: &Actor, account: AccountId, disabled: bool) -> Result<()> {
        actor.require(Permission::ManageAccounts)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let before = accounts::by_id(&mut tx, account).await?.ok_or(Error::NotFound)?;
        if before.disabled.is_some() == disabled {
            return Ok(());
        }
        let administers = disabled && before.role == Role::Administrator;
        if administers && accounts::other_administrators(&mut tx, account).await? == 0 {
            return Err(Error::Refused(Why::LastAdministrator));
        }
        accounts::set_disabled(&mut tx, account, disabled.then_some(now)).await?;
        let ended = sessions::delete_of(&mut tx, account, None).await?;
        accounts::drop_links(&mut tx, Some(account)).await?;
        let change = Record {
            before: Some(json!({ "disabled": !disabled }).to_string()),
            after: Some(json!({ "disabled": disabled, "sessions_ended": ended }).to_string()),
            ..record(actor, Action::AccountDisabled, account)
        };
        audit::append(&mut tx, now, &change).await?;
        tx.commit().await?;
        self.events().send(Topic::Accounts);
        Ok(())
    }

    /// Sets a password: one's own (with the current one, if there is one), or anybody's as administrator. Ends the other sessions.
    ///
    /// # Errors
    /// Not allowed, wrong current password, too short (15), too long (128), too common.
    pub async fn set_password(
        &self,
        actor: &Actor,
        account: AccountId,
        current: Option<&str>,
        new: &str,
    ) -> Result<()> {
        let own = actor.account == Some(account);
        if !own {
            actor.require(Permission::ManageAccounts)?;
        }
        let before = accounts::by_id(&mut *self.store().read().await?, account)
            .await?
            .ok_or(Error::NotFound)?;
        checks::password(new, &before.name)?;
        if own && before.password_hash.is_some() {
            self.account_throttled(&before.name).await?;
            let current = current
                .filter(|c| c.len() <= 4 * checks::MAX_PASSWORD as usize)
                .unwrap_or_default();
            if !turn().await?.verify(current, before.password_hash.clone()).await {
                self.count_failure(&before.name).await?;
                return Err(Error::WrongCredentials);
            }
        }
        let hash = hash(new).await?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let still = accounts::by_id(&mut tx, account).await?.ok_or(Error::NotFound)?;
        if still.password_hash != before.password_hash {
            return Err(Error::Changed);
        }
        accounts::set_password(&mut tx, account, &hash).await?;
        let keep = if own { actor.session.as_deref() } else { None };
        let ended = sessions::delete_of(&mut tx, account, keep).await?;
        accounts::drop_links(&mut tx, Some(account)).await?;
        let change = Record {
            before: Some(json!({ "password": before.password_hash.is_some() }).to_string()),
            after: Some(json!({ "password": true, "sessions_ended": ended }).to_string()),
            ..record(actor, Action::AccountPassword, account)
        };
        audit::append(&mut tx, now, &change).await?;
        tx.commit().await?;
        self.events().send(Topic::Accounts);
        Ok(())
    }

    /// Ends one session by its id.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn end_session(&self, actor: &Actor, session: &str) -> Result<()> {
        let own = actor.session.as_deref() == Some(session);
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let found = sessions::by_id(&mut tx, session).await?;
        let mine = own || found.as_ref().is_some_and(|s| actor.account == Some(s.account));
        if !mine {
            actor.require(Permission::ManageAccounts)?;
        }
        let found = found.ok_or(Error::NotFound)?;
        sessions::delete(&mut tx, session).await?;
        let change = Record {
            object: format!("account:{} session:{session}", found.account),
            ..record(actor, Action::SignedOut, found.account)
        };
        audit::append(&mut tx, now, &change).await?;
        tx.commit().await?;
        self.events().send(Topic::Accounts);
        Ok(())
    }
}

async fn turn() -> Result<passwords::Turn> {
    passwords::turn().await.map_err(|_| Error::Throttled { retry_after: 5 })
}

async fn hash(password: &str) -> Result<String> {
    turn()
        .await?
        .hash(password)
        .await
        .ok_or_else(|| Error::Inconsistent("the password could not be hashed".to_owned()))
}
