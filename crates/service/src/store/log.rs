//! Reading the audit log.

use super::lists::like;
use crate::error::Result;
use domain::Moment;
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use view::{AuditRow, PAGE_SIZE};

fn audit_row(row: &SqliteRow) -> Result<AuditRow> {
    let hash: Vec<u8> = row.try_get(8)?;
    Ok(AuditRow {
        seq: row.try_get(0)?,
        at: Moment(row.try_get(1)?),
        actor: row.try_get(2)?,
        action: row.try_get(3)?,
        object: row.try_get(4)?,
        before: row.try_get(5)?,
        after: row.try_get(6)?,
        reason: row.try_get(7)?,
        hash: hex::encode(&hash[..hash.len().min(8)]),
    })
}

fn offset(page: u32) -> i64 {
    i64::from(page.saturating_sub(1)) * i64::from(PAGE_SIZE)
}

/// How many records there are. They are numbered without gaps.
///
/// # Errors
/// When the database fails.
pub async fn count(conn: &mut SqliteConnection) -> Result<u32> {
    Ok(sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM audit")
        .fetch_one(conn)
        .await?)
}

/// One page of the whole log, newest first.
///
/// # Errors
/// When the database fails.
pub async fn page(conn: &mut SqliteConnection, page: u32) -> Result<Vec<AuditRow>> {
    let rows = sqlx::query(
        "SELECT seq, at, actor, action, object, before, after, reason, hash FROM audit
         WHERE seq <= (SELECT max(seq) FROM audit) - ? ORDER BY seq DESC LIMIT ?",
    )
    .bind(offset(page))
    .bind(PAGE_SIZE)
    .fetch_all(conn)
    .await?;
    rows.iter().map(audit_row).collect()
}

/// How many records have `text` in actor, action, object or reason.
///
/// # Errors
/// When the database fails.
pub async fn count_matching(conn: &mut SqliteConnection, text: &str) -> Result<u32> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM audit WHERE actor LIKE ?1 ESCAPE '\\' OR action LIKE ?1 ESCAPE '\\' OR object LIKE ?1 ESCAPE '\\'
            OR reason LIKE ?1 ESCAPE '\\'",
    )
    .bind(like(text))
    .fetch_one(conn)
    .await?)
}

/// One page of those, newest first.
///
/// # Errors
/// When the database fails.
pub async fn page_matching(conn: &mut SqliteConnection, text: &str, page: u32) -> Result<Vec<AuditRow>> {
    let rows = sqlx::query(
        "SELECT seq, at, actor, action, object, before, after, reason, hash FROM audit
         WHERE actor LIKE ?1 ESCAPE '\\' OR action LIKE ?1 ESCAPE '\\' OR object LIKE ?1 ESCAPE '\\' OR reason LIKE ?1 ESCAPE '\\'
         ORDER BY seq DESC LIMIT ?2 OFFSET ?3",
    )
    .bind(like(text))
    .bind(PAGE_SIZE)
    .bind(offset(page))
    .fetch_all(conn)
    .await?;
    rows.iter().map(audit_row).collect()
}

/// How many records are about exactly this object, e.g. `patch:12`.
///
/// # Errors
/// When the database fails.
pub async fn count_of(conn: &mut SqliteConnection, word: &str) -> Result<u32> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM audit_object WHERE word = ?")
        .bind(word)
        .fetch_one(conn)
        .await?)
}

/// The newest records about an object, after the first `skip` of them.
///
/// # Errors
/// When the database fails.
pub async fn of(conn: &mut SqliteConnection, word: &str, most: u32, skip: u32) -> Result<Vec<AuditRow>> {
    let rows = sqlx::query(
        "SELECT a.seq, a.at, a.actor, a.action, a.object, a.before, a.after, a.reason, a.hash
         FROM audit_object o JOIN audit a ON a.seq = o.seq WHERE o.word = ? ORDER BY o.seq DESC LIMIT ? OFFSET ?",
    )
    .bind(word)
    .bind(most)
    .bind(skip)
    .fetch_all(conn)
    .await?;
    rows.iter().map(audit_row).collect()
}
