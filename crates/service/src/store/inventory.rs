//! Stored inventories: the normalised JSON, compressed.

use crate::error::{Error, Result};
use domain::DeviceId;
use protocol::v1::Inventory;
use sqlx::SqliteConnection;
use std::cell::RefCell;

/// zstd's quickest: each report is compressed once, and next to never read.
const LEVEL: i32 = 1;
/// An inventory came in a message of at most 1 MiB, but deltas may have let it grow; beyond this it is not ours.
const MAX_BYTES: usize = 16 * 1024 * 1024;

thread_local! {
    /// A compressor's tables take over a megabyte: made once a thread, not once a report.
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
}

fn compress(json: &[u8]) -> std::io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| match slot {
        Some(ready) => ready.compress(json),
        None => slot.insert(zstd::bulk::Compressor::new(LEVEL)?).compress(json),
    })
}

/// The inventory of a device.
///
/// # Errors
/// When the database fails or the stored bytes do not hold an inventory.
pub async fn load(conn: &mut SqliteConnection, device: DeviceId) -> Result<Option<Inventory>> {
    let body: Option<Vec<u8>> = sqlx::query_scalar("SELECT body FROM device_inventory WHERE device_id = ?")
        .bind(device.0)
        .fetch_optional(conn)
        .await?;
    let Some(body) = body else { return Ok(None) };
    let fault = |e: String| Error::Inconsistent(format!("the inventory of device {device}: {e}"));
    let size = zstd::zstd_safe::get_frame_content_size(&body)
        .ok()
        .flatten()
        .and_then(|n| usize::try_from(n).ok());
    let size = size
        .filter(|n| *n <= MAX_BYTES)
        .ok_or_else(|| fault("its size is not known".to_owned()))?;
    let json = zstd::bulk::decompress(&body, size).map_err(|e| fault(e.to_string()))?;
    serde_json::from_slice(&json)
        .map(Some)
        .map_err(|e| fault(e.to_string()))
}

/// Stores the JSON of a normalised inventory.
///
/// # Errors
/// When the database fails.
pub async fn save(conn: &mut SqliteConnection, device: DeviceId, json: &[u8]) -> Result<()> {
    let body = compress(json).map_err(|e| Error::Inconsistent(format!("compression: {e}")))?;
    sqlx::query("INSERT INTO device_inventory (device_id, body) VALUES (?, ?) ON CONFLICT (device_id) DO UPDATE SET body = excluded.body")
        .bind(device.0)
        .bind(body)
        .execute(conn)
        .await?;
    Ok(())
}
