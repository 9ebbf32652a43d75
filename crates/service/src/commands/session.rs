//! Signing in and out.

use crate::{Actor, Result, Service};
use std::net::IpAddr;
use view::Me;

/// A session that just began; the token goes into the cookie and is stored only as a hash.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Cookie value.
    pub token: String,
    /// Seconds until its absolute end.
    pub max_age: i64,
}

impl Service {
    /// Name and password. Slow on purpose (Argon2id), two at a time.
    ///
    /// # Errors
    /// Wrong credentials, throttled.
    pub async fn sign_in(&self, name: &str, password: &str, peer: IpAddr, client: &str) -> Result<NewSession> {
        let _ = (name, password, peer, client);
        todo!()
    }
    /// A one-time link made on the host.
    ///
    /// # Errors
    /// The link is spent.
    pub async fn sign_in_by_link(&self, token: &str, peer: IpAddr, client: &str) -> Result<NewSession> {
        let _ = (token, peer, client);
        todo!()
    }
    /// Who a cookie speaks for; `None` when the session is unknown or over. Moves the idle end (at most one write a minute).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, token: &str) -> Result<Option<Actor>> {
        let _ = token;
        todo!()
    }
    /// Who is signed in, for the page's head.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn me(&self, actor: &Actor) -> Result<Me> {
        let _ = actor;
        todo!()
    }
    /// Ends the actor's own session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_out(&self, actor: &Actor) -> Result<()> {
        let _ = actor;
        todo!()
    }
    /// Makes a one-time sign-in link (15 minutes) for an account; only the host's command line may. Returns the token.
    ///
    /// # Errors
    /// No such account.
    pub async fn make_sign_in_link(&self, actor: &Actor, account: &str) -> Result<String> {
        let _ = (actor, account);
        todo!()
    }
}
