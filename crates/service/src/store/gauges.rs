//! What `/metrics` shows of the database.

use crate::{error::Result, queries::metrics::Gauges};
use domain::{DeviceState, Moment, Severity};
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

/// The states of attempts, in the order of their codes, which begin at 1.
const STAGES: [&str; 8] = [
    "permitted",
    "started",
    "succeeded",
    "failed",
    "broken",
    "not_started",
    "lapsed",
    "vanished",
];

/// Reads all of them.
///
/// # Errors
/// When the database fails.
pub async fn read(conn: &mut SqliteConnection, now: Moment) -> Result<Gauges> {
    let by_state = pairs(conn, "SELECT state, sum(n) FROM fleet_count GROUP BY state").await?;
    let by_stage = pairs(conn, "SELECT state, n FROM attempt_count").await?;
    let missing: Vec<(i64, bool, u32, u64)> = sqlx::query_as(
        "SELECT severity, category = 1, count(*), sum(n_missing) FROM patch WHERE superseded_by IS NULL AND n_missing > 0
         GROUP BY severity, category = 1",
    )
    .fetch_all(&mut *conn)
    .await?;
    let kinds = || {
        Severity::ALL
            .iter()
            .flat_map(|severity| [true, false].map(|security| (*severity, security)))
    };
    let of_kind = |severity: Severity, security| {
        let row = missing.iter().find(|row| (row.0, row.1) == (severity.code(), security));
        row.map_or((0, 0), |row| (row.2, row.3))
    };
    let of = |map: &BTreeMap<i64, u32>, code: i64| map.get(&code).copied().unwrap_or(0);
    let oldest: Option<i64> =
        sqlx::query_scalar("SELECT min(coalesce(last_scan_at, enrolled_at)) FROM device WHERE state = 1")
            .fetch_one(&mut *conn)
            .await?;
    let page: u64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *conn).await?;
    let pages: u64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *conn).await?;
    let free: u64 = sqlx::query_scalar("PRAGMA freelist_count")
        .fetch_one(&mut *conn)
        .await?;
    Ok(Gauges {
        devices: DeviceState::ALL.iter().map(|s| (*s, of(&by_state, s.code()))).collect(),
        silent: super::lists::fleet(conn).await?.1,
        open_patches: kinds()
            .map(|(severity, security)| (severity, security, of_kind(severity, security).0))
            .collect(),
        missing_installs: kinds()
            .map(|(severity, security)| (severity, security, of_kind(severity, security).1))
            .collect(),
        open_holds: count(conn, "SELECT count(*) FROM hold WHERE resolved_at IS NULL").await?,
        attempts: STAGES
            .into_iter()
            .zip(1..)
            .map(|(word, code)| (word, of(&by_stage, code)))
            .collect(),
        unproven: count(
            conn,
            "SELECT count(*) FROM attempt WHERE kind = 1 AND state = 3 AND proven_at IS NULL",
        )
        .await?,
        oldest_scan: oldest.map(|at| now.since(Moment(at))),
        audit_records: super::log::count(conn).await?,
        database_bytes: page * pages,
        database_free_bytes: page * free,
        clock_trusted: !super::clock::is_suspect(conn).await?,
    })
}

async fn count(conn: &mut SqliteConnection, sql: &'static str) -> Result<u32> {
    Ok(sqlx::query_scalar(sql).fetch_one(conn).await?)
}

async fn pairs(conn: &mut SqliteConnection, sql: &'static str) -> Result<BTreeMap<i64, u32>> {
    let rows: Vec<(i64, u32)> = sqlx::query_as(sql).fetch_all(conn).await?;
    Ok(rows.into_iter().collect())
}
