//! Rows of the audit log.

use crate::{
    audit::{Record, hash},
    error::{Error, Result},
};
use domain::Moment;
use sqlx::{Row as _, SqliteConnection};

/// Appends a record inside the caller's transaction, chained to the one before.
///
/// # Errors
/// When the database fails.
pub async fn append(conn: &mut SqliteConnection, at: Moment, record: &Record) -> Result<i64> {
    let last = sqlx::query("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
        .fetch_optional(&mut *conn)
        .await?;
    let (seq, previous): (i64, Vec<u8>) = match last {
        Some(row) => (row.try_get::<i64, _>(0)? + 1, row.try_get(1)?),
        None => (1, vec![0; 32]),
    };
    let hash = hash(
        &previous,
        seq,
        at.0,
        &record.actor,
        record.action.word(),
        &record.object,
        record.before.as_deref(),
        record.after.as_deref(),
        &record.reason,
    );
    sqlx::query(
        "INSERT INTO audit (seq, at, actor, action, object, before, after, reason, prev_hash, hash) VALUES (?,?,?,?,?,?,?,?,?,?)",
    )
    .bind(seq)
    .bind(at.0)
    .bind(&record.actor)
    .bind(record.action.word())
    .bind(&record.object)
    .bind(&record.before)
    .bind(&record.after)
    .bind(&record.reason)
    .bind(previous)
    .bind(&hash[..])
    .execute(&mut *conn)
    .await?;
    for word in record.object.split_whitespace() {
        sqlx::query("INSERT INTO audit_object (word, seq) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(word)
            .bind(seq)
            .execute(&mut *conn)
            .await?;
    }
    Ok(seq)
}

/// Walks the whole chain; returns how many records hold, and the head.
///
/// # Errors
/// [`Error::Inconsistent`] names the first record that does not hold.
pub async fn verify(conn: &mut SqliteConnection) -> Result<(i64, Vec<u8>)> {
    let mut previous = vec![0; 32];
    let mut count = 0;
    loop {
        let rows = sqlx::query(
            "SELECT seq, at, actor, action, object, before, after, reason, prev_hash, hash FROM audit WHERE seq > ? ORDER BY seq LIMIT 1000",
        )
        .bind(count)
        .fetch_all(&mut *conn)
        .await?;
        if rows.is_empty() {
            return Ok((count, previous));
        }
        for row in rows {
            let seq: i64 = row.try_get(0)?;
            let expected = hash(
                &previous,
                seq,
                row.try_get(1)?,
                row.try_get(2)?,
                row.try_get(3)?,
                row.try_get(4)?,
                row.try_get(5)?,
                row.try_get(6)?,
                row.try_get(7)?,
            );
            let stored: Vec<u8> = row.try_get(9)?;
            if seq != count + 1 || row.try_get::<Vec<u8>, _>(8)? != previous || stored != expected {
                return Err(Error::Inconsistent(format!(
                    "audit record {seq} does not follow from the one before"
                )));
            }
            (count, previous) = (seq, stored);
        }
    }
}
