//! What the server remembers of its clock, and what becomes of rows that a wrong one has dated.

use super::{accounts, meta, sessions, set_meta};
use crate::error::Result;
use domain::{Moment, Span};
use sqlx::SqliteConnection;

/// What earlier runs of the server left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The latest moment that was seen while the clock was right.
    pub high_water: Moment,
    /// How far the clock is off, when it waits for an administrator's word.
    pub off: Option<Span>,
}

/// Whether the clock waits for an administrator's word.
///
/// # Errors
/// When the database fails.
pub async fn is_suspect(conn: &mut SqliteConnection) -> Result<bool> {
    let value: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'clock_suspect'")
        .fetch_optional(conn)
        .await?;
    Ok(value.is_some_and(|v| v != "0"))
}

/// What is remembered.
///
/// # Errors
/// When the database fails.
pub async fn left(conn: &mut SqliteConnection) -> Result<Left> {
    let high_water = Moment(meta(conn, "clock_high_water").await?);
    let off: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'clock_off'")
        .fetch_optional(&mut *conn)
        .await?;
    let off = off.and_then(|v| v.parse().ok()).map_or(Span(0), Span);
    let off = is_suspect(conn).await?.then_some(off);
    Ok(Left { high_water, off })
}

/// The clock is off by so much, and waits for an administrator's word.
///
/// # Errors
/// When the database fails.
pub async fn suspect(conn: &mut SqliteConnection, off: Span) -> Result<()> {
    set_meta(conn, "clock_off", off.0).await?;
    set_meta(conn, "clock_suspect", 1).await
}

/// The clock was right at `now`.
///
/// # Errors
/// When the database fails.
pub async fn was_right(conn: &mut SqliteConnection, now: Moment) -> Result<()> {
    set_meta(conn, "clock_high_water", now.0).await
}

/// An administrator says that the clock is right.
///
/// # Errors
/// When the database fails.
pub async fn confirmed(conn: &mut SqliteConnection, now: Moment) -> Result<()> {
    set_meta(conn, "clock_suspect", 0).await?;
    was_right(conn, now).await
}

/// Remembers a step forward. No window that it jumped over counts as missed, and no time that it jumped over as waited for
/// the next round of installs: that waits as long as it would have without the step.
///
/// # Errors
/// When the database fails.
pub async fn stepped(conn: &mut SqliteConnection, from: Moment, to: Moment) -> Result<()> {
    sqlx::query("INSERT INTO clock_step (from_at, to_at) VALUES (?, ?)")
        .bind(from.0)
        .bind(to.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "UPDATE device SET round_started = min(round_started + ?1 - ?2, ?1), round_counts_from = min(round_counts_from + ?1 - ?2, ?1)",
    )
    .bind(to.0)
    .bind(from.0)
    .execute(&mut *conn)
    .await?;
    sqlx::query("UPDATE device_contact SET in_window_at = ?")
        .bind(to.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// The steps forward that were confirmed.
///
/// # Errors
/// When the database fails.
pub async fn steps(conn: &mut SqliteConnection) -> Result<Vec<(i64, i64)>> {
    Ok(sqlx::query_as("SELECT from_at, to_at FROM clock_step")
        .fetch_all(conn)
        .await?)
}

/// How long what waits for time may wait, at most, from the moment at which the clock was set right.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// A permit for its use.
    pub permit: Span,
    /// An attempt for a word of its device.
    pub vanish: Span,
}

/// Nothing that has happened is later than now, and nothing waits longer than it would if it began now: a clock that was ahead has dated it.
/// Attempts that run get their whole time from now on, because their devices could not call while the clock jumped over it. What came after
/// what is not told by these dates (migration 0007). Holds keep theirs: they say how long a soak was stopped.
///
/// # Errors
/// When the database fails.
pub async fn clamp(conn: &mut SqliteConnection, now: Moment, waits: Waits) -> Result<()> {
    sqlx::query(
        "UPDATE attempt SET permitted_at = min(permitted_at, ?1), start_by = min(start_by, ?1 + ?2), deadline = ?1 + ?3 WHERE state IN (1, 2)",
    )
    .bind(now.0)
    .bind(waits.permit.0)
    .bind(waits.vanish.0)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "UPDATE attempt SET started_at = min(started_at, ?1), finished_at = min(finished_at, ?1), proven_at = min(proven_at, ?1)
         WHERE max(coalesce(started_at, 0), coalesce(finished_at, 0), coalesce(proven_at, 0)) > ?1",
    )
    .bind(now.0)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "UPDATE device SET last_scan_at = min(last_scan_at, ?1), round_started = min(round_started, ?1),
                round_counts_from = min(round_counts_from, ?1)",
    )
    .bind(now.0)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "UPDATE device_contact SET last_contact_at = min(last_contact_at, ?1), in_window_at = min(in_window_at, ?1)",
    )
    .bind(now.0)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "UPDATE session SET created_at = min(created_at, ?1), last_seen_at = min(last_seen_at, ?1), expires_at = min(expires_at, ?1 + ?2)",
    )
    .bind(now.0)
    .bind(sessions::ABSOLUTE.0)
    .execute(&mut *conn)
    .await?;
    sqlx::query("UPDATE sign_in_link SET expires_at = min(expires_at, ?1 + ?2)")
        .bind(now.0)
        .bind(accounts::LINK.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query("DELETE FROM sign_in_throttle WHERE last_at > ?")
        .bind(now.0)
        .execute(conn)
        .await?;
    Ok(())
}
