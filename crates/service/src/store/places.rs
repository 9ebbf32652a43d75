//! Locations, and which devices are there.

use crate::error::Result;
use domain::{DeviceId, LocationId};
use planner::Location;
use sqlx::SqliteConnection;

/// Writes a location; its number 0 makes a new one.
///
/// # Errors
/// When the database fails.
pub async fn put_location(
    conn: &mut SqliteConnection,
    name: &str,
    location: &Location,
    version: i64,
) -> Result<LocationId> {
    let id = sqlx::query_scalar(
        "INSERT INTO location (id, name, zone, rate_kib, max_in_flight, version) VALUES (?,?,?,?,?,?)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, zone = excluded.zone, rate_kib = excluded.rate_kib,
             max_in_flight = excluded.max_in_flight, version = excluded.version
         RETURNING id",
    )
    .bind((location.id.0 != 0).then_some(location.id.0))
    .bind(name)
    .bind(&location.zone)
    .bind(
        location
            .bytes_per_second
            .map(|rate| super::devices::signed(rate / 1_024)),
    )
    .bind(location.max_in_flight)
    .bind(version)
    .fetch_one(conn)
    .await?;
    Ok(LocationId(id))
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

/// Removes a location and takes its devices out of it; how many that were.
///
/// # Errors
/// When the database fails.
pub async fn remove(conn: &mut SqliteConnection, location: LocationId) -> Result<u64> {
    let emptied = sqlx::query("UPDATE device SET location_id = NULL WHERE location_id = ?")
        .bind(location.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query("DELETE FROM location WHERE id = ?")
        .bind(location.0)
        .execute(conn)
        .await?;
    Ok(emptied.rows_affected())
}
