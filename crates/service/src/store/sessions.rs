//! Rows of sessions, and of the throttle before them. Cookies are stored as hashes only.

use crate::error::Result;
use domain::{AccountId, Moment, Role, Span};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

/// The longest that any session lasts.
pub const ABSOLUTE: Span = Span::hours(12);

/// How long a session lasts without use: less for those who can do more.
#[must_use]
pub const fn idle(role: Role) -> Span {
    match role {
        Role::Administrator | Role::SecurityOfficer => Span::minutes(15),
        Role::PilotUser | Role::Auditor => Span::minutes(30),
    }
}

/// A session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Names it in lists and in the audit log.
    pub id: String,
    /// Whose.
    pub account: AccountId,
    /// Since.
    pub created: Moment,
    /// Last used, to the minute.
    pub last_seen: Moment,
    /// Its absolute end.
    pub expires: Moment,
    /// Browser, as it names itself.
    pub client: String,
}

impl Session {
    /// When it ends if it is not used.
    #[must_use]
    pub fn ends(&self, role: Role) -> Moment {
        self.expires.min(self.last_seen + idle(role))
    }
}

fn session(row: &SqliteRow) -> Result<Session> {
    Ok(Session {
        id: row.try_get(0)?,
        account: AccountId(row.try_get(1)?),
        created: Moment(row.try_get(2)?),
        last_seen: Moment(row.try_get(3)?),
        expires: Moment(row.try_get(4)?),
        client: row.try_get(5)?,
    })
}

/// Adds a session, and forgets those that are over anyway.
///
/// # Errors
/// When the database fails.
pub async fn insert(conn: &mut SqliteConnection, hash: &[u8; 32], session: &Session) -> Result<()> {
    sqlx::query("DELETE FROM session WHERE expires_at <= ?1 OR last_seen_at < ?1 - 1800")
        .bind(session.created.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "INSERT INTO session (token_hash, id, account_id, created_at, last_seen_at, expires_at, client) VALUES (?,?,?,?,?,?,?)",
    )
    .bind(&hash[..])
    .bind(&session.id)
    .bind(session.account.0)
    .bind(session.created.0)
    .bind(session.last_seen.0)
    .bind(session.expires.0)
    .bind(&session.client)
    .execute(conn)
    .await?;
    Ok(())
}

/// The session of a cookie, with the name and role of its account; none for a disabled one.
///
/// # Errors
/// When the database fails.
pub async fn by_hash(conn: &mut SqliteConnection, hash: &[u8; 32]) -> Result<Option<(Session, String, Role)>> {
    let row = sqlx::query(
        "SELECT s.id, s.account_id, s.created_at, s.last_seen_at, s.expires_at, s.client, a.name, a.role
         FROM session s JOIN account a ON a.id = s.account_id WHERE s.token_hash = ? AND a.disabled_at IS NULL",
    )
    .bind(&hash[..])
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((
        session(&row)?,
        row.try_get(6)?,
        super::accounts::role_of(row.try_get(7)?)?,
    )))
}

/// The session with an id.
///
/// # Errors
/// When the database fails.
pub async fn by_id(conn: &mut SqliteConnection, id: &str) -> Result<Option<Session>> {
    let row =
        sqlx::query("SELECT id, account_id, created_at, last_seen_at, expires_at, client FROM session WHERE id = ?")
            .bind(id)
            .fetch_optional(conn)
            .await?;
    row.as_ref().map(session).transpose()
}

/// All sessions, the most recently used first.
///
/// # Errors
/// When the database fails.
pub async fn all(conn: &mut SqliteConnection) -> Result<Vec<Session>> {
    let rows = sqlx::query(
        "SELECT id, account_id, created_at, last_seen_at, expires_at, client FROM session ORDER BY last_seen_at DESC, id",
    )
    .fetch_all(conn)
    .await?;
    rows.iter().map(session).collect()
}

/// Notes a use.
///
/// # Errors
/// When the database fails.
pub async fn touch(conn: &mut SqliteConnection, id: &str, now: Moment) -> Result<()> {
    sqlx::query("UPDATE session SET last_seen_at = max(last_seen_at, ?) WHERE id = ?")
        .bind(now.0)
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends one session.
///
/// # Errors
/// When the database fails.
pub async fn delete(conn: &mut SqliteConnection, id: &str) -> Result<()> {
    sqlx::query("DELETE FROM session WHERE id = ?")
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends an account's sessions but one; returns how many.
///
/// # Errors
/// When the database fails.
pub async fn delete_of(conn: &mut SqliteConnection, account: AccountId, but: Option<&str>) -> Result<u64> {
    let done = sqlx::query("DELETE FROM session WHERE account_id = ? AND id IS NOT ?")
        .bind(account.0)
        .bind(but)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

/// Ends every session.
///
/// # Errors
/// When the database fails.
pub async fn delete_all(conn: &mut SqliteConnection) -> Result<()> {
    sqlx::query("DELETE FROM session").execute(conn).await?;
    Ok(())
}

/// How often it went wrong under a key, and until when it is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttle {
    /// Failures in a row.
    pub failures: u32,
    /// The last of them.
    pub last: Moment,
    /// No further try before.
    pub blocked_until: Moment,
}

/// The throttle of a key.
///
/// # Errors
/// When the database fails.
pub async fn throttle(conn: &mut SqliteConnection, key: &str) -> Result<Throttle> {
    let row = sqlx::query("SELECT failures, last_at, blocked_until FROM sign_in_throttle WHERE key = ?")
        .bind(key)
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(Throttle::default()) };
    Ok(Throttle {
        failures: row.try_get(0)?,
        last: Moment(row.try_get(1)?),
        blocked_until: Moment(row.try_get(2)?),
    })
}

/// Stores a throttle, and forgets those of yesterday.
///
/// # Errors
/// When the database fails.
pub async fn set_throttle(conn: &mut SqliteConnection, key: &str, throttle: Throttle) -> Result<()> {
    sqlx::query("DELETE FROM sign_in_throttle WHERE last_at < ?")
        .bind(throttle.last.0 - 86_400)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "INSERT INTO sign_in_throttle (key, failures, last_at, blocked_until) VALUES (?,?,?,?)
         ON CONFLICT (key) DO UPDATE SET failures = excluded.failures, last_at = excluded.last_at, blocked_until = excluded.blocked_until",
    )
    .bind(key)
    .bind(throttle.failures)
    .bind(throttle.last.0)
    .bind(throttle.blocked_until.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets the failures of a key.
///
/// # Errors
/// When the database fails.
pub async fn clear_throttle(conn: &mut SqliteConnection, key: &str) -> Result<()> {
    sqlx::query("DELETE FROM sign_in_throttle WHERE key = ?")
        .bind(key)
        .execute(conn)
        .await?;
    Ok(())
}
