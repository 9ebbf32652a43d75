//! Approved installs that wait, of many devices at once: what a forecast is made from.

use super::states::{self, State, open_states};
use crate::error::Result;
use domain::{AttemptId, DeviceId, Moment, PatchId, ProductId, RingId};
use sqlx::{Row as _, SqliteConnection};
use std::collections::{BTreeMap, BTreeSet};

/// One patch that some ring approved, on a device that still needs it.
#[derive(Clone, Debug)]
pub struct WaitingPatch {
    /// Device.
    pub device: DeviceId,
    /// Its state on the device.
    pub state: State,
}

/// Which rings approved which patches.
///
/// # Errors
/// When the database fails.
pub async fn approved(conn: &mut SqliteConnection) -> Result<BTreeSet<(PatchId, RingId)>> {
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("SELECT patch_id, ring_id FROM decision WHERE kind = 1 AND withdrawn_at IS NULL")
            .fetch_all(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(patch, ring)| (PatchId(patch), RingId(ring)))
        .collect())
}

/// Source package and exact version of these patches.
///
/// # Errors
/// When the database fails.
pub async fn titles(conn: &mut SqliteConnection, patches: &[PatchId]) -> Result<BTreeMap<PatchId, (String, String)>> {
    let rows: Vec<(i64, String, String)> =
        sqlx::query_as("SELECT id, source, version FROM patch WHERE id IN (SELECT value FROM json_each(?))")
            .bind(states::json(&patches)?)
            .fetch_all(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(patch, source, version)| (PatchId(patch), (source, version)))
        .collect())
}

/// The patches that any ring approved and that these devices still need, by device and patch, at most `most`.
///
/// # Errors
/// When the database fails.
pub async fn patches(conn: &mut SqliteConnection, devices: &[DeviceId], most: u32) -> Result<Vec<WaitingPatch>> {
    let rows = sqlx::query(concat!(
        "SELECT s.device_id, s.patch_id, s.state, s.since, s.ours, s.brake, s.bytes
         FROM json_each(?1) AS v CROSS JOIN device_patch s ON s.device_id = v.value AND s.state IN ",
        open_states!(),
        "
         WHERE s.patch_id IN (SELECT patch_id FROM decision WHERE kind = 1 AND withdrawn_at IS NULL)
         ORDER BY s.device_id, s.patch_id LIMIT ?2"
    ))
    .bind(states::json(&devices)?)
    .bind(most)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let state = State {
                patch: PatchId(row.try_get(1)?),
                state: states::state_of(row.try_get(2)?)?,
                since: Moment(row.try_get(3)?),
                ours: row.try_get(4)?,
                brake: row.try_get(5)?,
                bytes: states::bytes_of(row.try_get(6)?),
                // Nobody asks.
                security: false,
            };
            Ok(WaitingPatch {
                device: DeviceId(row.try_get(0)?),
                state,
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
