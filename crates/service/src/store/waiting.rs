//! Approved installs that wait, of many devices at once: what a forecast is made from.

use super::states::{self, State, open_states};
use crate::error::Result;
use domain::{AttemptId, Category, DeviceId, Moment, PatchId, ProductId, RingId};
use sqlx::{Row as _, SqliteConnection};
use std::collections::{BTreeMap, BTreeSet};

/// One patch that some ring approved, on a device that still needs it.
#[derive(Clone, Debug)]
pub struct WaitingPatch {
    /// Device.
    pub device: DeviceId,
    /// The ring that approved it.
    pub ring: RingId,
    /// Its state on the device.
    pub state: State,
    /// Source package.
    pub source: String,
    /// Exact version.
    pub version: String,
}

/// The approved patches that these devices still need, by device and patch, at most `most`.
///
/// # Errors
/// When the database fails.
pub async fn patches(conn: &mut SqliteConnection, devices: &[DeviceId], most: u32) -> Result<Vec<WaitingPatch>> {
    let rows = sqlx::query(concat!(
        "SELECT s.device_id, d.ring_id, s.patch_id, s.state, s.since, s.ours, s.brake, p.category, p.source, p.version
         FROM json_each(?) AS v CROSS JOIN device_patch s ON s.device_id = v.value AND s.state IN ",
        open_states!(),
        "
         JOIN decision d ON d.patch_id = s.patch_id AND d.kind = 1 AND d.withdrawn_at IS NULL
         JOIN patch p ON p.id = s.patch_id ORDER BY s.device_id, s.patch_id, d.ring_id LIMIT ?"
    ))
    .bind(states::json(&devices)?)
    .bind(most)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let state = State {
                patch: PatchId(row.try_get(2)?),
                state: states::state_of(row.try_get(3)?)?,
                since: Moment(row.try_get(4)?),
                ours: row.try_get(5)?,
                brake: row.try_get(6)?,
                security: row.try_get::<i64, _>(7)? == Category::Security.code(),
            };
            Ok(WaitingPatch {
                device: DeviceId(row.try_get(0)?),
                ring: RingId(row.try_get(1)?),
                state,
                source: row.try_get(8)?,
                version: row.try_get(9)?,
            })
        })
        .collect()
}

/// The devices that lack a patch, approved or not.
///
/// # Errors
/// When the database fails.
pub async fn lacking(conn: &mut SqliteConnection, patch: PatchId) -> Result<BTreeSet<DeviceId>> {
    let rows: Vec<i64> = sqlx::query_scalar(concat!(
        "SELECT device_id FROM device_patch WHERE patch_id = ? AND state IN ",
        open_states!()
    ))
    .bind(patch.0)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(DeviceId).collect())
}

/// The attempts that are open, by device.
///
/// # Errors
/// When the database fails.
pub async fn open_attempts(conn: &mut SqliteConnection) -> Result<BTreeMap<DeviceId, AttemptId>> {
    let rows: Vec<(i64, i64)> = sqlx::query_as("SELECT device_id, id FROM attempt WHERE state IN (1, 2)")
        .fetch_all(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(device, id)| (DeviceId(device), AttemptId(id)))
        .collect())
}

/// As `evidence::failures`, of every pair of these devices.
///
/// # Errors
/// When the database fails.
pub async fn failures(
    conn: &mut SqliteConnection,
    devices: &[DeviceId],
) -> Result<BTreeMap<(DeviceId, PatchId), Vec<Moment>>> {
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
        "SELECT a.device_id, a.patch_id, coalesce(a.finished_at, a.deadline) FROM attempt a
         WHERE a.device_id IN (SELECT value FROM json_each(?)) AND a.kind = 1 AND a.state IN (4, 5, 8)
           AND a.id > coalesce((SELECT max(id) FROM attempt WHERE device_id = a.device_id AND patch_id = a.patch_id AND state = 3), 0)
           AND coalesce(a.ended_after, 0) > coalesce((SELECT max(resolved_after) FROM hold WHERE patch_id = a.patch_id), -1) ORDER BY a.id",
    )
    .bind(states::json(&devices)?)
    .fetch_all(conn)
    .await?;
    let mut all: BTreeMap<(DeviceId, PatchId), Vec<Moment>> = BTreeMap::new();
    for (device, patch, at) in rows {
        all.entry((DeviceId(device), PatchId(patch)))
            .or_default()
            .push(Moment(at));
    }
    Ok(all)
}

/// The pairs that a rollback blocks.
///
/// # Errors
/// When the database fails.
pub async fn blocked(conn: &mut SqliteConnection) -> Result<Vec<(DeviceId, PatchId)>> {
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("SELECT device_id, patch_id FROM rollback_order WHERE lifted_at IS NULL ORDER BY 1, 2")
            .fetch_all(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(device, patch)| (DeviceId(device), PatchId(patch)))
        .collect())
}

/// As `evidence::critical_on`, of these devices.
///
/// # Errors
/// When the database fails.
pub async fn critical(conn: &mut SqliteConnection, devices: &[DeviceId]) -> Result<BTreeMap<DeviceId, Vec<ProductId>>> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT DISTINCT s.device_id, c.id FROM json_each(?) AS v CROSS JOIN device_patch s ON s.device_id = v.value AND s.state <> 1
         CROSS JOIN patch p ON p.id = s.patch_id CROSS JOIN product c ON c.name = p.source AND c.critical = 1
         WHERE EXISTS (SELECT 1 FROM product WHERE critical = 1) ORDER BY 1, 2",
    )
    .bind(states::json(&devices)?)
    .fetch_all(conn)
    .await?;
    let mut all: BTreeMap<DeviceId, Vec<ProductId>> = BTreeMap::new();
    for (device, product) in rows {
        all.entry(DeviceId(device)).or_default().push(ProductId(product));
    }
    Ok(all)
}
