//! Names: what people name in forms, and what pages call things.

use crate::error::Result;
use domain::{DeviceState, PatchId};
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

/// Names by number.
#[derive(Clone, Debug, Default)]
pub struct NameRows {
    /// Rings.
    pub rings: Vec<(i64, String)>,
    /// Accounts.
    pub accounts: Vec<(i64, String)>,
    /// OS releases.
    pub releases: Vec<(i64, String)>,
    /// The patches asked for, and those that replace them.
    pub patches: Vec<(i64, String)>,
    /// Profiles, windows and freezes.
    pub schedule: Vec<(i64, String)>,
    /// Groups.
    pub groups: Vec<(i64, String)>,
    /// Products that somebody named.
    pub products: Vec<(i64, String)>,
    /// Locations.
    pub locations: Vec<(i64, String)>,
}

/// The names of rings, accounts and releases, and of these patches and the newer versions of their sources.
///
/// # Errors
/// When the database fails.
pub async fn names(conn: &mut SqliteConnection, patches: &[PatchId]) -> Result<NameRows> {
    Ok(NameRows {
        rings: sqlx::query_as("SELECT id, name FROM ring").fetch_all(&mut *conn).await?,
        accounts: sqlx::query_as("SELECT id, name FROM account").fetch_all(&mut *conn).await?,
        releases: sqlx::query_as("SELECT id, name FROM os_release").fetch_all(&mut *conn).await?,
        schedule: sqlx::query_as("SELECT id, name FROM schedule WHERE kind <> 4").fetch_all(&mut *conn).await?,
        groups: sqlx::query_as("SELECT id, name FROM device_group").fetch_all(&mut *conn).await?,
        products: sqlx::query_as("SELECT id, name FROM product").fetch_all(&mut *conn).await?,
        locations: sqlx::query_as("SELECT id, name FROM location").fetch_all(&mut *conn).await?,
        patches: sqlx::query_as(
            "SELECT n.id, n.source || ' ' || n.version FROM patch p JOIN patch n ON n.os_release_id = p.os_release_id AND n.source = p.source
             WHERE p.id IN (SELECT value FROM json_each(?))",
        )
        .bind(super::states::json(&patches)?)
        .fetch_all(conn)
        .await?,
    })
}
