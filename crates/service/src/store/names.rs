//! What people name in forms: devices, patches, products.

use crate::error::Result;
use domain::DeviceState;
use sqlx::SqliteConnection;

/// The devices of a name that are not revoked; at most two, because more than one is too many.
///
/// # Errors
/// When the database fails.
pub async fn devices(conn: &mut SqliteConnection, name: &str) -> Result<Vec<i64>> {
    Ok(
        sqlx::query_scalar("SELECT id FROM device WHERE hostname = ? AND state <> ? ORDER BY id LIMIT 2")
            .bind(name)
            .bind(DeviceState::Revoked.code())
            .fetch_all(conn)
            .await?,
    )
}

/// The patches of a product and version with a space between; at most two.
///
/// # Errors
/// When the database fails.
pub async fn patches(conn: &mut SqliteConnection, text: &str) -> Result<Vec<i64>> {
    let (source, version) = text.split_once(' ').unwrap_or((text, ""));
    Ok(
        sqlx::query_scalar("SELECT id FROM patch WHERE source = ? AND version = ? ORDER BY id LIMIT 2")
            .bind(source)
            .bind(version.trim())
            .fetch_all(conn)
            .await?,
    )
}

/// Whether a patch of the product was ever seen, or an exception names it.
///
/// # Errors
/// When the database fails.
pub async fn product_seen(conn: &mut SqliteConnection, name: &str) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM patch WHERE source = ?1) OR EXISTS (SELECT 1 FROM product WHERE name = ?1)",
    )
    .bind(name)
    .fetch_one(conn)
    .await?)
}

/// Products of which a patch was seen, by name.
///
/// # Errors
/// When the database fails.
pub async fn products(conn: &mut SqliteConnection, most: u32) -> Result<Vec<String>> {
    Ok(
        sqlx::query_scalar("SELECT DISTINCT source FROM patch ORDER BY source LIMIT ?")
            .bind(most)
            .fetch_all(conn)
            .await?,
    )
}

/// The newest patches, as `#12 openssl 3.0.17`.
///
/// # Errors
/// When the database fails.
pub async fn newest_patches(conn: &mut SqliteConnection, most: u32) -> Result<Vec<String>> {
    Ok(
        sqlx::query_scalar("SELECT '#' || id || ' ' || source || ' ' || version FROM patch ORDER BY id DESC LIMIT ?")
            .bind(most)
            .fetch_all(conn)
            .await?,
    )
}
