//! Locations, and which devices are there.

use crate::error::Result;
use domain::{DeviceId, LocationId};
use sqlx::SqliteConnection;

/// Adds a location; `None` when the name is in use.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut SqliteConnection,
    name: &str,
    zone: &str,
    rate_kib: Option<u32>,
) -> Result<Option<LocationId>> {
    let id: Option<i64> = sqlx::query_scalar(
        "INSERT INTO location (name, zone, rate_kib) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING RETURNING id",
    )
    .bind(name)
    .bind(zone)
    .bind(rate_kib)
    .fetch_optional(conn)
    .await?;
    Ok(id.map(LocationId))
}

/// Whether there is such a location.
///
/// # Errors
/// When the database fails.
pub async fn exists(conn: &mut SqliteConnection, location: LocationId) -> Result<bool> {
    Ok(sqlx::query_scalar("SELECT count(*) > 0 FROM location WHERE id = ?")
        .bind(location.0)
        .fetch_one(conn)
        .await?)
}

/// Puts a device into a location, or into none.
///
/// # Errors
/// When the database fails.
pub async fn put(conn: &mut SqliteConnection, device: DeviceId, location: Option<LocationId>) -> Result<()> {
    sqlx::query("UPDATE device SET location_id = ? WHERE id = ?")
        .bind(location.map(|l| l.0))
        .bind(device.0)
        .execute(conn)
        .await?;
    Ok(())
}
