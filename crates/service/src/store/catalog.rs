//! Rows of the catalog: OS releases, patches, their packages.

use crate::error::Result;
use domain::{Category, CategoryBasis, Moment, OsReleaseId, PatchId, Severity};
use protocol::v1::HostFacts;
use sqlx::{Row as _, SqliteConnection};

/// The release that a device reports; added when it is new. Its name stays the first one seen: point releases name themselves anew, and
/// the name would change with every report of a mixed fleet.
///
/// # Errors
/// When the database fails.
pub async fn os_release(conn: &mut SqliteConnection, host: &HostFacts) -> Result<OsReleaseId> {
    let known: Option<i64> = sqlx::query_scalar("SELECT id FROM os_release WHERE os_id = ? AND version = ?")
        .bind(host.os_id.as_str())
        .bind(host.os_version.as_str())
        .fetch_optional(&mut *conn)
        .await?;
    if let Some(id) = known {
        return Ok(OsReleaseId(id));
    }
    let id =
        sqlx::query_scalar("INSERT INTO os_release (os_id, version, codename, name) VALUES (?,?,?,?) RETURNING id")
            .bind(host.os_id.as_str())
            .bind(host.os_version.as_str())
            .bind(host.os_codename.as_str())
            .bind(host.os_name.as_str())
            .fetch_one(conn)
            .await?;
    Ok(OsReleaseId(id))
}

/// A patch as reports need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its number.
    pub id: PatchId,
    /// Source package.
    pub source: String,
    /// Exact version.
    pub version: String,
    /// Where it comes from.
    pub origin: String,
    /// Whether it counts as security.
    pub security: bool,
    /// The patch that replaces it.
    pub superseded_by: Option<PatchId>,
    /// Its packages, as (name, architecture).
    pub packages: Vec<(String, String)>,
}

/// Every patch of a release, in order of id.
///
/// # Errors
/// When the database fails.
pub async fn of_release(conn: &mut SqliteConnection, release: OsReleaseId) -> Result<Vec<Known>> {
    let rows = sqlx::query(
        "SELECT id, source, version, origin, category, superseded_by FROM patch WHERE os_release_id = ? ORDER BY id",
    )
    .bind(release.0)
    .fetch_all(&mut *conn)
    .await?;
    let mut known = Vec::with_capacity(rows.len());
    for row in &rows {
        known.push(Known {
            id: PatchId(row.try_get(0)?),
            source: row.try_get(1)?,
            version: row.try_get(2)?,
            origin: row.try_get(3)?,
            security: row.try_get::<i64, _>(4)? == Category::Security.code(),
            superseded_by: row.try_get::<Option<i64>, _>(5)?.map(PatchId),
            packages: Vec::new(),
        });
    }
    let packages = sqlx::query(
        "SELECT k.patch_id, k.name, k.arch FROM patch_package k JOIN patch p ON p.id = k.patch_id WHERE p.os_release_id = ? ORDER BY k.patch_id",
    )
    .bind(release.0)
    .fetch_all(conn)
    .await?;
    let mut at = 0;
    for row in &packages {
        let patch: i64 = row.try_get(0)?;
        while at < known.len() && known[at].id.0 < patch {
            at += 1;
        }
        if let Some(known) = known.get_mut(at).filter(|k| k.id.0 == patch) {
            known.packages.push((row.try_get(1)?, row.try_get(2)?));
        }
    }
    Ok(known)
}

/// A patch that a device offers for the first time.
#[derive(Clone, Debug)]
pub struct NewPatch<'a> {
    /// For which release.
    pub release: OsReleaseId,
    /// Source package.
    pub source: &'a str,
    /// Exact version.
    pub version: &'a str,
    /// Where it comes from.
    pub origin: &'a str,
    /// Who made it.
    pub vendor: &'a str,
    /// One line.
    pub summary: &'a str,
    /// A security origin offers it.
    pub security: bool,
}

/// Adds a patch. Its severity is unknown until a source says it; its category follows the origin, and says so.
///
/// # Errors
/// When the database fails.
pub async fn insert(conn: &mut SqliteConnection, patch: &NewPatch<'_>, now: Moment) -> Result<PatchId> {
    let category = if patch.security {
        Category::Security
    } else {
        Category::Unknown
    };
    let id = sqlx::query_scalar(
        "INSERT INTO patch (os_release_id, source, version, origin, vendor, summary, severity, category, category_basis, first_seen_at, size)
         VALUES (?,?,?,?,?,?,?,?,?,?,0) RETURNING id",
    )
    .bind(patch.release.0)
    .bind(patch.source)
    .bind(patch.version)
    .bind(patch.origin)
    .bind(patch.vendor)
    .bind(patch.summary)
    .bind(Severity::Unknown.code())
    .bind(category.code())
    .bind(CategoryBasis::Origin.code())
    .bind(now.0)
    .fetch_one(conn)
    .await?;
    Ok(PatchId(id))
}

/// One package to add to a patch: patch, name, architecture, version, size, SHA-256, brought in anew.
pub type NewPackage<'a> = (i64, &'a str, &'a str, &'a str, u64, &'a str, bool);

/// Bytes of a package at most: what a device says may not grow beyond what can be added up.
pub(crate) const LARGEST: u64 = 1 << 40;

/// Adds packages and their sizes to their patches.
///
/// # Errors
/// When the database fails.
pub async fn insert_packages(conn: &mut SqliteConnection, packages: &[NewPackage<'_>]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let bounded = packages
        .iter()
        .map(|p| (p.0, p.1, p.2, p.3, p.4.min(LARGEST), p.5, p.6));
    let list = super::states::json(&bounded.collect::<Vec<_>>())?;
    sqlx::query(
        "INSERT INTO patch_package (patch_id, name, arch, version, size, sha256, fresh)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 FROM json_each(?)",
    )
    .bind(&list)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "UPDATE patch SET size = min(size + c.bytes, 1 << 60)
         FROM (SELECT value ->> 0 AS id, sum(value ->> 4) AS bytes FROM json_each(?) GROUP BY 1) AS c WHERE patch.id = c.id",
    )
    .bind(&list)
    .execute(conn)
    .await?;
    Ok(())
}

/// A security origin offers the patch now, too.
///
/// # Errors
/// When the database fails.
pub async fn make_security(conn: &mut SqliteConnection, patch: PatchId) -> Result<()> {
    sqlx::query("UPDATE patch SET category = ? WHERE id = ?")
        .bind(Category::Security.code())
        .bind(patch.0)
        .execute(&mut *conn)
        .await?;
    super::states::became_security(conn, patch).await
}

/// Says which patch replaces which.
///
/// # Errors
/// When the database fails.
pub async fn supersede(conn: &mut SqliteConnection, patch: PatchId, by: Option<PatchId>) -> Result<()> {
    sqlx::query("UPDATE patch SET superseded_by = ? WHERE id = ?")
        .bind(by.map(|p| p.0))
        .bind(patch.0)
        .execute(conn)
        .await?;
    Ok(())
}
