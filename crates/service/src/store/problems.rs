//! Rows of problem reports, of holds as people resolve them, and of rollback orders.

use crate::{commands::hold::Cause, error::Result};
use domain::{AccountId, DeviceId, HoldId, Moment, PatchId, ProblemId, RingId};
use sqlx::{QueryBuilder, Row as _, SqliteConnection};

use super::lists::Group;

/// The patch of a hold, and when it was resolved.
///
/// # Errors
/// When the database fails.
pub async fn hold(conn: &mut SqliteConnection, id: HoldId) -> Result<Option<(PatchId, Option<Moment>)>> {
    let row = sqlx::query("SELECT patch_id, resolved_at FROM hold WHERE id = ?")
        .bind(id.0)
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((
        PatchId(row.try_get(0)?),
        row.try_get::<Option<i64>, _>(1)?.map(Moment),
    )))
}

/// Resolves a hold. The caller writes the audit record in the same transaction, so that what ends later has a later place in the order.
///
/// # Errors
/// When the database fails.
pub async fn resolve(
    conn: &mut SqliteConnection,
    id: HoldId,
    by: Option<AccountId>,
    note: &str,
    now: Moment,
) -> Result<()> {
    sqlx::query(
        "UPDATE hold SET resolved_at = ?, resolved_by = ?, note = ?, resolved_after = (SELECT max(seq) FROM audit) WHERE id = ?",
    )
        .bind(now.0)
        .bind(by.map(|a| a.0))
        .bind(note)
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// The first open hold of a patch with one of these causes, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn open_hold(conn: &mut SqliteConnection, patch: PatchId, causes: &[Cause]) -> Result<Option<HoldId>> {
    let codes: Vec<i64> = causes.iter().map(|cause| *cause as i64).collect();
    let id: Option<i64> = sqlx::query_scalar(
        "SELECT min(id) FROM hold WHERE patch_id = ? AND cause IN (SELECT value FROM json_each(?)) AND resolved_at IS NULL",
    )
    .bind(patch.0)
    .bind(super::states::json(&codes)?)
    .fetch_one(conn)
    .await?;
    Ok(id.map(HoldId))
}

/// Adds a problem report that opened a hold.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut SqliteConnection,
    device: DeviceId,
    patch: PatchId,
    by: AccountId,
    text: &str,
    hold: HoldId,
    now: Moment,
) -> Result<ProblemId> {
    let id = sqlx::query_scalar(
        "INSERT INTO problem_report (device_id, patch_id, account_id, at, text, hold_id) VALUES (?,?,?,?,?,?) RETURNING id",
    )
    .bind(device.0)
    .bind(patch.0)
    .bind(by.0)
    .bind(now.0)
    .bind(text)
    .bind(hold.0)
    .fetch_one(conn)
    .await?;
    Ok(ProblemId(id))
}

/// Orders a rollback; the order blocks the patch on the device until it is lifted.
///
/// # Errors
/// When the database fails; also when one is in force already.
pub async fn order(
    conn: &mut SqliteConnection,
    device: DeviceId,
    patch: PatchId,
    packages: &str,
    reason: &str,
    by: AccountId,
    now: Moment,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO rollback_order (device_id, patch_id, packages, reason, ordered_at, ordered_by) VALUES (?,?,?,?,?,?)",
    )
    .bind(device.0)
    .bind(patch.0)
    .bind(packages)
    .bind(reason)
    .bind(now.0)
    .bind(by.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// How the orders of a pair stand: `None` never any, `Some(true)` one is in force.
///
/// # Errors
/// When the database fails.
pub async fn ordered(conn: &mut SqliteConnection, device: DeviceId, patch: PatchId) -> Result<Option<bool>> {
    Ok(sqlx::query_scalar(
        "SELECT CASE count(*) WHEN 0 THEN NULL ELSE sum(lifted_at IS NULL) > 0 END FROM rollback_order WHERE device_id = ? AND patch_id = ?",
    )
    .bind(device.0)
    .bind(patch.0)
    .fetch_one(conn)
    .await?)
}

/// Lifts the order in force.
///
/// # Errors
/// When the database fails.
pub async fn lift(
    conn: &mut SqliteConnection,
    device: DeviceId,
    patch: PatchId,
    reason: &str,
    by: AccountId,
    now: Moment,
) -> Result<()> {
    sqlx::query(
        "UPDATE rollback_order SET lifted_at = ?, lifted_by = ?, lift_reason = ? WHERE device_id = ? AND patch_id = ? AND lifted_at IS NULL",
    )
    .bind(now.0)
    .bind(by.0)
    .bind(reason)
    .bind(device.0)
    .bind(patch.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// The active devices of a ring that have a patch by us and no block in force, in their order.
///
/// # Errors
/// When the database fails.
pub async fn installed_by_us(
    conn: &mut SqliteConnection,
    patch: PatchId,
    ring: RingId,
    groups: &[Group],
) -> Result<Vec<DeviceId>> {
    let mut query = QueryBuilder::new(
        "SELECT s.device_id FROM device_patch s JOIN device d ON d.id = s.device_id
         WHERE s.state IN (8, 9, 10) AND s.ours = 1 AND d.state <> 3
         AND NOT EXISTS (SELECT 1 FROM rollback_order o WHERE o.device_id = s.device_id AND o.patch_id = s.patch_id AND o.lifted_at IS NULL)
         AND s.patch_id = ",
    );
    query.push_bind(patch.0);
    super::fleet::in_ring(&mut query, ring, groups);
    query.push(" ORDER BY s.device_id");
    let ids: Vec<i64> = query.build_query_scalar().fetch_all(conn).await?;
    Ok(ids.into_iter().map(DeviceId).collect())
}
