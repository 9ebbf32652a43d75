//! Rows of accounts and of the one-time links that sign them in.

use crate::error::{Error, Result};
use domain::{AccountId, Moment, Role, Span};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use view::{AccountRow, SessionRow};

/// How long a sign-in link works.
pub const LINK: Span = Span::minutes(15);

/// An account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Argon2id text; `None` = only links sign it in.
    pub password_hash: Option<String>,
    /// Since when it is disabled.
    pub disabled: Option<Moment>,
}

pub(super) fn role_of(code: i64) -> Result<Role> {
    Role::from_code(code).ok_or_else(|| Error::Inconsistent(format!("role {code}")))
}

fn account(row: &SqliteRow) -> Result<Account> {
    Ok(Account {
        id: AccountId(row.try_get(0)?),
        name: row.try_get(1)?,
        role: role_of(row.try_get(2)?)?,
        password_hash: row.try_get(3)?,
        disabled: row.try_get::<Option<i64>, _>(4)?.map(Moment),
    })
}

/// The account with a number.
///
/// # Errors
/// When the database fails.
pub async fn by_id(conn: &mut SqliteConnection, id: AccountId) -> Result<Option<Account>> {
    let row = sqlx::query("SELECT id, name, role, password_hash, disabled_at FROM account WHERE id = ?")
        .bind(id.0)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(account).transpose()
}

/// The account with a name, whatever its case.
///
/// # Errors
/// When the database fails.
pub async fn by_name(conn: &mut SqliteConnection, name: &str) -> Result<Option<Account>> {
    let row = sqlx::query("SELECT id, name, role, password_hash, disabled_at FROM account WHERE name = ?")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(account).transpose()
}

/// Adds an account.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut SqliteConnection,
    name: &str,
    role: Role,
    password_hash: Option<&str>,
    now: Moment,
) -> Result<AccountId> {
    let id =
        sqlx::query_scalar("INSERT INTO account (name, role, password_hash, created_at) VALUES (?,?,?,?) RETURNING id")
            .bind(name)
            .bind(role.code())
            .bind(password_hash)
            .bind(now.0)
            .fetch_one(conn)
            .await?;
    Ok(AccountId(id))
}

/// Sets the role.
///
/// # Errors
/// When the database fails.
pub async fn set_role(conn: &mut SqliteConnection, id: AccountId, role: Role) -> Result<()> {
    sqlx::query("UPDATE account SET role = ? WHERE id = ?")
        .bind(role.code())
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Disables it at a moment, or enables it.
///
/// # Errors
/// When the database fails.
pub async fn set_disabled(conn: &mut SqliteConnection, id: AccountId, at: Option<Moment>) -> Result<()> {
    sqlx::query("UPDATE account SET disabled_at = ? WHERE id = ?")
        .bind(at.map(|m| m.0))
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Sets the password's hash.
///
/// # Errors
/// When the database fails.
pub async fn set_password(conn: &mut SqliteConnection, id: AccountId, hash: &str) -> Result<()> {
    sqlx::query("UPDATE account SET password_hash = ? WHERE id = ?")
        .bind(hash)
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Accounts that may sign in, by name.
///
/// # Errors
/// When the database fails.
pub async fn active(conn: &mut SqliteConnection) -> Result<Vec<(AccountId, String)>> {
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT id, name FROM account WHERE disabled_at IS NULL ORDER BY name")
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|(id, name)| (AccountId(id), name)).collect())
}

/// Enabled administrators other than this account.
///
/// # Errors
/// When the database fails.
pub async fn other_administrators(conn: &mut SqliteConnection, than: AccountId) -> Result<i64> {
    Ok(
        sqlx::query_scalar("SELECT count(*) FROM account WHERE role = ? AND disabled_at IS NULL AND id <> ?")
            .bind(Role::Administrator.code())
            .bind(than.0)
            .fetch_one(conn)
            .await?,
    )
}

/// The enabled administrator that can sign in most easily: one with a password first, then the oldest.
///
/// # Errors
/// When the database fails.
pub async fn an_administrator(conn: &mut SqliteConnection) -> Result<Option<Account>> {
    let row = sqlx::query(
        "SELECT id, name, role, password_hash, disabled_at FROM account WHERE role = ? AND disabled_at IS NULL
         ORDER BY password_hash IS NULL, id LIMIT 1",
    )
    .bind(Role::Administrator.code())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(account).transpose()
}

/// Stores a sign-in link by the hash of its token.
///
/// # Errors
/// When the database fails.
pub async fn insert_link(
    conn: &mut SqliteConnection,
    hash: &[u8; 32],
    account: AccountId,
    expires: Moment,
) -> Result<()> {
    sqlx::query("INSERT INTO sign_in_link (token_hash, account_id, expires_at) VALUES (?,?,?)")
        .bind(&hash[..])
        .bind(account.0)
        .bind(expires.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// The account that a link signs in, if it is neither used nor too old.
///
/// # Errors
/// When the database fails.
pub async fn link(conn: &mut SqliteConnection, hash: &[u8; 32], now: Moment) -> Result<Option<AccountId>> {
    let id: Option<i64> = sqlx::query_scalar(
        "SELECT account_id FROM sign_in_link WHERE token_hash = ? AND used_at IS NULL AND expires_at > ?",
    )
    .bind(&hash[..])
    .bind(now.0)
    .fetch_optional(conn)
    .await?;
    Ok(id.map(AccountId))
}

/// Marks a link as used; links that nobody can use any more are forgotten.
///
/// # Errors
/// When the database fails.
pub async fn use_link(conn: &mut SqliteConnection, hash: &[u8; 32], now: Moment) -> Result<()> {
    sqlx::query("UPDATE sign_in_link SET used_at = ? WHERE token_hash = ?")
        .bind(now.0)
        .bind(&hash[..])
        .execute(&mut *conn)
        .await?;
    sqlx::query("DELETE FROM sign_in_link WHERE expires_at < ?")
        .bind(now.0 - 86_400)
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets every link of an account, and of every account without one.
///
/// # Errors
/// When the database fails.
pub async fn drop_links(conn: &mut SqliteConnection, account: Option<AccountId>) -> Result<()> {
    sqlx::query("DELETE FROM sign_in_link WHERE used_at IS NULL AND (account_id = ?1 OR ?1 IS NULL)")
        .bind(account.map(|a| a.0))
        .execute(conn)
        .await?;
    Ok(())
}

/// All accounts by name, with the sessions that are alive; `current` is the asker's own.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut SqliteConnection, current: Option<&str>, now: Moment) -> Result<Vec<AccountRow>> {
    let rows = sqlx::query(
        "SELECT id, name, role, created_at, disabled_at, password_hash IS NOT NULL FROM account ORDER BY name, id",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut accounts = rows
        .iter()
        .map(|row| {
            Ok(AccountRow {
                id: AccountId(row.try_get(0)?),
                name: row.try_get(1)?,
                role: role_of(row.try_get(2)?)?,
                created: Moment(row.try_get(3)?),
                disabled: row.try_get::<Option<i64>, _>(4)?.map(Moment),
                has_password: row.try_get(5)?,
                sessions: Vec::new(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    for session in super::sessions::all(conn).await? {
        let Some(owner) = accounts.iter_mut().find(|a| a.id == session.account) else {
            continue;
        };
        if owner.disabled.is_none() && session.ends(owner.role) > now {
            owner.sessions.push(SessionRow {
                current: current == Some(session.id.as_str()),
                id: session.id,
                created: session.created,
                last_seen: session.last_seen,
                client: session.client,
            });
        }
    }
    Ok(accounts)
}
