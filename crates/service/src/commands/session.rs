//! Signing in and out.

use super::{checks, passwords};
use crate::{
    Actor, Error, Result, Service,
    audit::{Action, Record},
    events::Topic,
    store::{
        accounts::{self, LINK},
        audit, clock,
        sessions::{self, ABSOLUTE, Session, Throttle},
    },
};
use domain::{AccountId, Moment, Permission, Role, Span};
use protocol::sign::sha256;
use std::net::IpAddr;
use view::{Field, Me, Problem};

/// Uses of a session are written at most so often: a page costs no write.
const TOUCH: Span = Span::minutes(1);
/// Failures after which a quiet hour is forgiven.
const FORGIVEN: Span = Span::hours(1);
/// Characters of a browser's name that are kept.
const CLIENT: usize = 200;

/// A session that just began; the token goes into the cookie and is stored only as a hash.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Cookie value.
    pub token: String,
    /// Seconds until its absolute end.
    pub max_age: i64,
}

/// What failures are counted under.
struct Keys {
    account: String,
    peer: String,
}

impl Keys {
    fn new(name: &str, peer: IpAddr) -> Self {
        // One customer of a provider has a whole /64.
        let peer = match peer.to_canonical() {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => v6.segments()[..4]
                .iter()
                .map(|s| format!("{s:x}"))
                .collect::<Vec<_>>()
                .join(":"),
        };
        Self {
            account: account_key(name),
            peer: format!("peer:{peer}"),
        }
    }
}

/// Names are compared without case, so they are counted without it.
fn account_key(name: &str) -> String {
    format!(
        "account:{}",
        name.to_lowercase()
            .chars()
            .take(checks::MAX_NAME as usize)
            .collect::<String>()
    )
}

/// Exponential, never for ever: a stranger can slow an account's sign-in by minutes, and the host's link works all the same.
fn after(throttle: Throttle, now: Moment, free: u32, longest: i64) -> Throttle {
    let failures = if now.since(throttle.last) >= FORGIVEN {
        1
    } else {
        throttle.failures.saturating_add(1)
    };
    let wait = match failures.checked_sub(free) {
        None | Some(0) => 0,
        Some(over) => (1_i64 << over.min(20)).min(longest),
    };
    Throttle {
        failures,
        last: now,
        blocked_until: now + Span(wait),
    }
}

impl Service {
    /// Name and password. Slow on purpose (Argon2id), two at a time.
    ///
    /// # Errors
    /// Wrong credentials, throttled.
    pub async fn sign_in(&self, name: &str, password: &str, peer: IpAddr, client: &str) -> Result<NewSession> {
        let name = name.trim();
        let keys = Keys::new(name, peer);
        self.throttled(&[&keys.account, &keys.peer]).await?;
        let turn = passwords::turn()
            .await
            .map_err(|_| Error::Throttled { retry_after: 5 })?;
        // Again: many may have waited for their turn.
        self.throttled(&[&keys.account, &keys.peer]).await?;
        let account = accounts::by_name(&mut *self.store().read().await?, name)
            .await?
            .filter(|a| a.disabled.is_none());
        let sane = password.len() <= 4 * checks::MAX_PASSWORD as usize;
        let hash = account.as_ref().and_then(|a| a.password_hash.clone());
        let fits = turn.verify(if sane { password } else { "" }, hash.clone()).await && sane;
        let now = self.now();
        let mut tx = self.store().write().await?;
        // The account as it is now: it may have been disabled, or its password changed, while the hash was computed.
        let account = match account {
            Some(a) if fits => accounts::by_id(&mut tx, a.id)
                .await?
                .filter(|a| a.disabled.is_none() && a.password_hash == hash),
            _ => None,
        };
        let Some(account) = account else {
            let (account, peer) = (
                sessions::throttle(&mut tx, &keys.account).await?,
                sessions::throttle(&mut tx, &keys.peer).await?,
            );
            sessions::set_throttle(&mut tx, &keys.account, after(account, now, 3, 300)).await?;
            sessions::set_throttle(&mut tx, &keys.peer, after(peer, now, 10, 900)).await?;
            tx.commit().await?;
            tracing::warn!(name, peer = keys.peer, "sign-in failed");
            return Err(Error::WrongCredentials);
        };
        sessions::clear_throttle(&mut tx, &keys.account).await?;
        let session = begin(&mut tx, account.id, &account.name, client, "password", now).await?;
        tx.commit().await?;
        self.events().send(Topic::Accounts);
        Ok(session)
    }

    /// Refuses while one of the keys is closed.
    pub(super) async fn throttled(&self, keys: &[&str]) -> Result<()> {
        let (now, mut conn) = (self.now(), self.store().read().await?);
        let mut until = now;
        for key in keys {
            until = until.max(sessions::throttle(&mut conn, key).await?.blocked_until);
        }
        match u32::try_from(until.since(now).0) {
            Ok(0) => Ok(()),
            Ok(retry_after) => Err(Error::Throttled { retry_after }),
            Err(_) => Err(Error::Throttled { retry_after: u32::MAX }),
        }
    }

    /// Counts a wrong current password like a wrong sign-in: a stolen session must not guess faster.
    pub(super) async fn count_failure(&self, name: &str) -> Result<()> {
        let key = account_key(name);
        let mut tx = self.store().write().await?;
        let throttle = sessions::throttle(&mut tx, &key).await?;
        sessions::set_throttle(&mut tx, &key, after(throttle, self.now(), 3, 300)).await?;
        Ok(tx.commit().await?)
    }

    /// Refuses while the account is throttled.
    pub(super) async fn account_throttled(&self, name: &str) -> Result<()> {
        self.throttled(&[&account_key(name)]).await
    }

    /// A one-time link made on the host.
    ///
    /// # Errors
    /// The link is spent.
    pub async fn sign_in_by_link(&self, token: &str, peer: IpAddr, client: &str) -> Result<NewSession> {
        let (now, hash) = (self.now(), sha256(token.as_bytes()));
        // Unknown tokens cost no write: 256 bits cannot be guessed, but a stranger could fill the queue.
        if accounts::link(&mut *self.store().read().await?, &hash, now)
            .await?
            .is_none()
        {
            tracing::warn!(%peer, "sign-in link refused");
            return Err(Error::LinkSpent);
        }
        let mut tx = self.store().write().await?;
        let account = accounts::link(&mut tx, &hash, now).await?.ok_or(Error::LinkSpent)?;
        let account = accounts::by_id(&mut tx, account)
            .await?
            .filter(|a| a.disabled.is_none())
            .ok_or(Error::LinkSpent)?;
        accounts::use_link(&mut tx, &hash, now).await?;
        sessions::clear_throttle(&mut tx, &account_key(&account.name)).await?;
        let session = begin(&mut tx, account.id, &account.name, client, "link", now).await?;
        tx.commit().await?;
        self.events().send(Topic::Accounts);
        Ok(session)
    }

    /// Who a cookie speaks for; `None` when the session is unknown or over. Moves the idle end (at most one write a minute).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, token: &str) -> Result<Option<Actor>> {
        let now = self.now();
        let Some((session, actor)) = self.live_session(token, now).await? else {
            return Ok(None);
        };
        if now.since(session.last_seen) >= TOUCH {
            let touch = async {
                let mut tx = self.store().write().await?;
                sessions::touch(&mut tx, &session.id, now).await?;
                Ok(tx.commit().await?)
            };
            match touch.await {
                // Whoever cannot write can still read.
                Ok(()) | Err(Error::ReadOnly(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(actor))
    }

    /// As [`Self::session`], for what an open page asks by itself: that nobody sits before it does not keep its session alive.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_of_page(&self, token: &str) -> Result<Option<Actor>> {
        let found = self.live_session(token, self.now()).await?;
        Ok(found.map(|(_, actor)| actor))
    }

    /// A session that is not over, and who it speaks for.
    async fn live_session(&self, token: &str, now: Moment) -> Result<Option<(Session, Actor)>> {
        let found = sessions::by_hash(&mut *self.store().read().await?, &sha256(token.as_bytes())).await?;
        let live = found.filter(|(session, _, role)| session.ends(*role) > now);
        Ok(live.map(|(session, name, role)| {
            let actor = Actor {
                account: Some(session.account),
                name,
                role,
                session: Some(session.id.clone()),
            };
            (session, actor)
        }))
    }

    /// Who is signed in, for the page's head.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn me(&self, actor: &Actor) -> Result<Me> {
        let id = actor.account.ok_or(Error::NotSignedIn)?;
        let mut read = self.store().read().await?;
        let account = accounts::by_id(&mut read, id).await?.ok_or(Error::NotSignedIn)?;
        Ok(Me {
            clock_suspect: clock::is_suspect(&mut read).await?,
            id,
            name: account.name,
            role: account.role,
            needs_password: account.password_hash.is_none(),
            demo: self.settings().demo,
        })
    }

    /// Ends the actor's own session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_out(&self, actor: &Actor) -> Result<()> {
        let session = actor.session.clone().ok_or(Error::NotSignedIn)?;
        self.end_session(actor, &session).await
    }

    /// Makes a one-time sign-in link (15 minutes) for an account; only the host's command line may. Returns the token.
    ///
    /// # Errors
    /// No such account.
    pub async fn make_sign_in_link(&self, actor: &Actor, account: &str) -> Result<String> {
        actor.require(Permission::ManageAccounts)?;
        if actor.session.is_some() {
            return Err(Error::NotAllowed(Permission::ManageAccounts));
        }
        let mut tx = self.store().write().await?;
        let account = accounts::by_name(&mut tx, account.trim())
            .await?
            .filter(|a| a.disabled.is_none())
            .ok_or(Error::NotFound)?;
        let token = link(&mut tx, actor, account.id, self.now()).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// For the start of a server: when no administrator can sign in with a password, makes sure that there is one and returns the
    /// token of a sign-in link. There is no set-up page on the web.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ensure_first_administrator(&self) -> Result<Option<String>> {
        let (now, host) = (self.now(), Actor::host());
        let mut tx = self.store().write().await?;
        let known = accounts::an_administrator(&mut tx).await?;
        if known.as_ref().is_some_and(|a| a.password_hash.is_some()) {
            return Ok(None);
        }
        let id = match known {
            Some(account) => account.id,
            None => {
                let mut name = "admin".to_owned();
                for n in 2..100 {
                    if accounts::by_name(&mut tx, &name).await?.is_none() {
                        break;
                    }
                    name = format!("admin{n}");
                }
                super::accounts::create(&mut tx, &host, &name, Role::Administrator, None, now).await?
            }
        };
        let token = link(&mut tx, &host, id, now).await?;
        tx.commit().await?;
        Ok(Some(token))
    }
}

async fn link(tx: &mut sqlx::SqliteConnection, actor: &Actor, account: AccountId, now: Moment) -> Result<String> {
    let token = crate::random::secret();
    // The newest link is the only one: an older one may lie in a scroll-back.
    accounts::drop_links(tx, Some(account)).await?;
    accounts::insert_link(tx, &sha256(token.as_bytes()), account, now + LINK).await?;
    let record = Record {
        actor: actor.audit_name(),
        action: Action::SignInLink,
        object: format!("account:{account}"),
        before: None,
        after: Some(serde_json::json!({ "expires": now + LINK }).to_string()),
        reason: String::new(),
    };
    audit::append(tx, now, &record).await?;
    Ok(token)
}

async fn begin(
    tx: &mut sqlx::SqliteConnection,
    account: AccountId,
    name: &str,
    client: &str,
    by: &str,
    now: Moment,
) -> Result<NewSession> {
    let token = crate::random::secret();
    let client: String = client.chars().filter(|c| !c.is_control()).take(CLIENT).collect();
    let session = Session {
        id: hex::encode(crate::random::bytes::<8>()),
        account,
        created: now,
        last_seen: now,
        expires: now + ABSOLUTE,
        client,
    };
    sessions::insert(tx, &sha256(token.as_bytes()), &session).await?;
    let record = Record {
        actor: format!("account:{account} {name}"),
        action: Action::SignedIn,
        object: format!("account:{account} session:{}", session.id),
        before: None,
        after: Some(serde_json::json!({ "by": by, "client": session.client }).to_string()),
        reason: String::new(),
    };
    audit::append(tx, now, &record).await?;
    Ok(NewSession {
        token,
        max_age: ABSOLUTE.0,
    })
}

/// A name that can be used for an account.
pub(super) fn account_name(text: &str) -> Result<String> {
    let name = checks::name(Field::Name, text)?;
    // These would read as somebody else in the audit log.
    if ["host", "server"].contains(&name.to_lowercase().as_str()) {
        return Err(Error::invalid(Field::Name, Problem::Taken));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_and_ends() {
        let (mut throttle, now) = (Throttle::default(), Moment(1_000_000));
        let mut waits = Vec::new();
        for _ in 0..14 {
            throttle = after(throttle, now, 3, 300);
            waits.push(throttle.blocked_until.since(now).0);
        }
        assert_eq!(waits, [0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(
            after(throttle, now + FORGIVEN, 3, 300).failures,
            1,
            "a quiet hour is forgiven"
        );
        assert_eq!(
            after(
                Throttle {
                    failures: u32::MAX,
                    ..throttle
                },
                now,
                3,
                300
            )
            .blocked_until,
            now + Span(300)
        );
    }

    #[test]
    fn one_customer_is_one_peer() {
        let key = |ip: &str| Keys::new("Anna", ip.parse().unwrap()).peer;
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.7"), "peer:192.0.2.7");
        assert_eq!(Keys::new("Anna", "192.0.2.7".parse().unwrap()).account, "account:anna");
    }
}
