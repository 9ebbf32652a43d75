//! Rows of enrolment tokens, as people manage them.

use crate::error::Result;
use domain::{GroupId, Moment, TokenId};
use sqlx::{Row as _, SqliteConnection};
use view::TokenRow;

/// A token that is about to be stored.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// SHA-256 of its whole text.
    pub hash: [u8; 32],
    /// Label.
    pub label: &'a str,
    /// Group its devices join.
    pub group: Option<GroupId>,
    /// Its devices never install.
    pub scan_only: bool,
    /// Its devices become active at once.
    pub accept: bool,
    /// How often it may be used.
    pub max_uses: u32,
    /// Made.
    pub created: Moment,
    /// By whom, as in the audit log.
    pub created_by: &'a str,
    /// Ends.
    pub expires: Moment,
}

/// Adds a token.
///
/// # Errors
/// When the database fails.
pub async fn insert(conn: &mut SqliteConnection, draft: &Draft<'_>) -> Result<TokenId> {
    let id = sqlx::query_scalar(
        "INSERT INTO enrol_token (token_hash, label, group_id, scan_only, accept, max_uses, created_at, created_by, expires_at)
         VALUES (?,?,?,?,?,?,?,?,?) RETURNING id",
    )
    .bind(&draft.hash[..])
    .bind(draft.label)
    .bind(draft.group.map(|g| g.0))
    .bind(draft.scan_only)
    .bind(draft.accept)
    .bind(draft.max_uses)
    .bind(draft.created.0)
    .bind(draft.created_by)
    .bind(draft.expires.0)
    .fetch_one(conn)
    .await?;
    Ok(TokenId(id))
}

/// Whether a token exists, and when it was revoked.
///
/// # Errors
/// When the database fails.
pub async fn revoked(conn: &mut SqliteConnection, id: TokenId) -> Result<Option<Option<Moment>>> {
    let row = sqlx::query("SELECT revoked_at FROM enrol_token WHERE id = ?")
        .bind(id.0)
        .fetch_optional(conn)
        .await?;
    Ok(row
        .map(|row| row.try_get::<Option<i64>, _>(0))
        .transpose()?
        .map(|at| at.map(Moment)))
}

/// Revokes a token.
///
/// # Errors
/// When the database fails.
pub async fn revoke(conn: &mut SqliteConnection, id: TokenId, now: Moment) -> Result<()> {
    sqlx::query("UPDATE enrol_token SET revoked_at = ? WHERE id = ?")
        .bind(now.0)
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// The newest tokens first.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut SqliteConnection) -> Result<Vec<TokenRow>> {
    let rows = sqlx::query(
        "SELECT t.id, t.label, g.name, t.accept, t.scan_only, t.uses, t.max_uses, t.created_at, t.created_by, t.expires_at, t.revoked_at
         FROM enrol_token t LEFT JOIN device_group g ON g.id = t.group_id ORDER BY t.id DESC LIMIT 200",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(TokenRow {
                id: TokenId(row.try_get(0)?),
                label: row.try_get(1)?,
                group: row.try_get(2)?,
                accept: row.try_get(3)?,
                scan_only: row.try_get(4)?,
                uses: (row.try_get(5)?, row.try_get(6)?),
                created: Moment(row.try_get(7)?),
                created_by: row.try_get(8)?,
                expires: Moment(row.try_get(9)?),
                revoked: row.try_get::<Option<i64>, _>(10)?.map(Moment),
            })
        })
        .collect()
}
