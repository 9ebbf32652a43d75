//! What the planner asks of a rollout: decisions, holds, rollback orders, what is open.

use super::lists::urgency;
use super::states::open_states;
use crate::error::{Error, Result};
use domain::{AttemptId, DeviceId, LocationId, Moment, OsReleaseId, PatchId, RingId, Urgency};
use protocol::v1::PackageVersion;
use sqlx::{Row as _, SqliteConnection};
use std::collections::BTreeMap;

/// An order to take a patch back, in force until a person lifts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackOrder {
    /// Its number.
    pub id: i64,
    /// Of which patch.
    pub patch: PatchId,
    /// Where to go back to.
    pub packages: Vec<PackageVersion>,
    /// A scan has shown it.
    pub done: bool,
}

/// The rollback orders in force on a device.
///
/// # Errors
/// When the database fails.
pub async fn orders(conn: &mut SqliteConnection, device: DeviceId) -> Result<Vec<RollbackOrder>> {
    let rows = sqlx::query(
        "SELECT id, patch_id, packages, done_at IS NOT NULL FROM rollback_order WHERE device_id = ? AND lifted_at IS NULL ORDER BY id",
    )
    .bind(device.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let id = row.try_get(0)?;
            let packages = serde_json::from_str(row.try_get(2)?)
                .map_err(|e| Error::Inconsistent(format!("rollback order {id}: {e}")))?;
            Ok(RollbackOrder {
                id,
                patch: PatchId(row.try_get(1)?),
                packages,
                done: row.try_get(3)?,
            })
        })
        .collect()
}

/// Records that a scan showed the previous versions.
///
/// # Errors
/// When the database fails.
pub async fn order_done(conn: &mut SqliteConnection, order: i64, now: Moment) -> Result<()> {
    sqlx::query("UPDATE rollback_order SET done_at = ? WHERE id = ?")
        .bind(now.0)
        .bind(order)
        .execute(conn)
        .await?;
    Ok(())
}

/// Names the state of everything that the facts about a patch are made of (migration 0005).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    patch: i64,
    fleet: i64,
    /// Whether facts may be kept by it at all: which critical products a device has is not stamped.
    pub keeps: bool,
}

/// The stamps of these patches; unknown ones are left out.
///
/// # Errors
/// When the database fails.
pub async fn stamps(conn: &mut SqliteConnection, patches: &[PatchId]) -> Result<Vec<(PatchId, Stamp)>> {
    let rows: Vec<(i64, i64, i64, bool)> = sqlx::query_as(
        "SELECT id, facts, (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'facts'), NOT EXISTS (SELECT 1 FROM product WHERE critical = 1)
         FROM patch WHERE id IN (SELECT value FROM json_each(?))",
    )
    .bind(super::states::json(&patches)?)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, patch, fleet, keeps)| (PatchId(id), Stamp { patch, fleet, keeps }))
        .collect())
}

/// The patch itself, as the planner needs it.
#[derive(Clone, Debug)]
pub struct PatchRow {
    /// Its number.
    pub id: PatchId,
    /// For which release.
    pub os_release: OsReleaseId,
    /// Source package.
    pub source: String,
    /// Exact version.
    pub version: String,
    /// Where it comes from.
    pub origin: String,
    /// Category code.
    pub category: i64,
    /// Bytes.
    pub size: i64,
    /// The newest patch that replaces it.
    pub superseded_by: Option<PatchId>,
    /// The number of its product, if an exception or a person ever named it.
    pub product: Option<i64>,
    /// Some device owed a reboot for it.
    pub needs_reboot: bool,
}

/// The patch with a number.
///
/// # Errors
/// When the database fails.
pub async fn patch(conn: &mut SqliteConnection, id: PatchId) -> Result<Option<PatchRow>> {
    let row =
        sqlx::query("SELECT os_release_id, source, version, category, size, superseded_by, (SELECT p.id FROM product p WHERE p.name = source), needs_reboot, origin FROM patch WHERE id = ?")
            .bind(id.0)
            .fetch_optional(conn)
            .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(PatchRow {
        id,
        os_release: OsReleaseId(row.try_get(0)?),
        source: row.try_get(1)?,
        version: row.try_get(2)?,
        category: row.try_get(3)?,
        size: row.try_get(4)?,
        superseded_by: row.try_get::<Option<i64>, _>(5)?.map(PatchId),
        product: row.try_get(6)?,
        needs_reboot: row.try_get(7)?,
        origin: row.try_get(8)?,
    }))
}

/// A patch that a ring approves.
#[derive(Clone, Debug)]
pub struct Approved {
    /// Its number.
    pub patch: PatchId,
    /// Exact version.
    pub version: String,
    /// Where it comes from.
    pub origin: String,
    /// The ring.
    pub ring: RingId,
}

/// The patches of a release's source package that rings approve; denied ones are not among them.
///
/// # Errors
/// When the database fails.
pub async fn approved_versions(
    conn: &mut SqliteConnection,
    release: OsReleaseId,
    source: &str,
) -> Result<Vec<Approved>> {
    let rows: Vec<(i64, String, String, i64)> = sqlx::query_as(
        "SELECT p.id, p.version, p.origin, d.ring_id FROM patch p JOIN decision d ON d.patch_id = p.id
         WHERE p.os_release_id = ? AND p.source = ? AND d.withdrawn_at IS NULL AND d.kind = 1",
    )
    .bind(release.0)
    .bind(source)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(patch, version, origin, ring)| Approved {
            patch: PatchId(patch),
            version,
            origin,
            ring: RingId(ring),
        })
        .collect())
}

/// A decision in force.
#[derive(Clone, Copy, Debug)]
pub struct DecisionRow {
    /// Its number.
    pub id: i64,
    /// Ring.
    pub ring: i64,
    /// 1 approve, 2 deny.
    pub kind: i64,
    /// What it sets aside, if it approves.
    pub urgent: Urgency,
    /// When.
    pub at: i64,
    /// Who.
    pub account: i64,
}

/// The decisions in force about a patch.
///
/// # Errors
/// When the database fails.
pub async fn decisions(conn: &mut SqliteConnection, patch: PatchId) -> Result<Vec<DecisionRow>> {
    let rows = sqlx::query("SELECT id, ring_id, kind, urgent, at, account_id FROM decision WHERE patch_id = ? AND withdrawn_at IS NULL ORDER BY id")
        .bind(patch.0)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|r| {
            Ok(DecisionRow {
                id: r.try_get(0)?,
                ring: r.try_get(1)?,
                kind: r.try_get(2)?,
                urgent: urgency(r.try_get(3)?)?,
                at: r.try_get(4)?,
                account: r.try_get(5)?,
            })
        })
        .collect()
}

/// A hold, open or resolved.
#[derive(Clone, Debug)]
pub struct HoldRow {
    /// Its number.
    pub id: i64,
    /// Code of its cause.
    pub cause: i64,
    /// When.
    pub opened_at: i64,
    /// By whom, as in the audit log.
    pub opened_by: String,
    /// When it was resolved.
    pub resolved_at: Option<i64>,
    /// The problem report that opened it.
    pub problem: Option<i64>,
}

/// The holds of a patch, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn holds(conn: &mut SqliteConnection, patch: PatchId) -> Result<Vec<HoldRow>> {
    let rows = sqlx::query(
        "SELECT h.id, h.cause, h.opened_at, h.opened_by, h.resolved_at,
                CASE WHEN h.cause = 2 THEN (SELECT min(id) FROM problem_report WHERE hold_id = h.id) END
         FROM hold h WHERE h.patch_id = ? ORDER BY h.id",
    )
    .bind(patch.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|r| {
            Ok(HoldRow {
                id: r.try_get(0)?,
                cause: r.try_get(1)?,
                opened_at: r.try_get(2)?,
                opened_by: r.try_get(3)?,
                resolved_at: r.try_get(4)?,
                problem: r.try_get(5)?,
            })
        })
        .collect()
}

/// Open attempts in the fleet and in one location.
///
/// # Errors
/// When the database fails.
pub async fn load(conn: &mut SqliteConnection, location: Option<LocationId>) -> Result<(u32, u32)> {
    Ok(sqlx::query_as(
        "SELECT count(*), coalesce(sum(d.location_id IS NOT NULL AND d.location_id = ?), 0)
         FROM attempt a JOIN device d ON d.id = a.device_id WHERE a.state IN (1, 2)",
    )
    .bind(location.map(|l| l.0))
    .fetch_one(conn)
    .await?)
}

/// Open attempts by location; their sum is that of the fleet.
///
/// # Errors
/// When the database fails.
pub async fn loads(conn: &mut SqliteConnection) -> Result<BTreeMap<Option<LocationId>, u32>> {
    let rows: Vec<(Option<i64>, u32)> = sqlx::query_as(
        "SELECT d.location_id, count(*) FROM attempt a JOIN device d ON d.id = a.device_id WHERE a.state IN (1, 2) GROUP BY 1",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(location, n)| (location.map(LocationId), n))
        .collect())
}

/// A patch that a device still needs and that is approved for its ring.
#[derive(Clone, Debug)]
pub struct OpenPatch {
    /// Patch.
    pub patch: PatchId,
    /// Source package.
    pub source: String,
    /// Exact version.
    pub version: String,
}

/// The device's patches that are approved for its ring and still needed, most urgent first: what is worth asking the planner about.
///
/// # Errors
/// When the database fails.
pub async fn approved_and_open(conn: &mut SqliteConnection, device: DeviceId, ring: RingId) -> Result<Vec<OpenPatch>> {
    let rows: Vec<(i64, String, String)> = sqlx::query_as(concat!(
        "SELECT s.patch_id, p.source, p.version
         FROM device_patch s
         JOIN decision d ON d.patch_id = s.patch_id AND d.ring_id = ?2 AND d.kind = 1 AND d.withdrawn_at IS NULL
         JOIN patch p ON p.id = s.patch_id
         WHERE s.device_id = ?1 AND s.state IN ",
        open_states!(),
        " ORDER BY d.urgent DESC, p.severity DESC, p.category = 1 DESC, s.patch_id"
    ))
    .bind(device.0)
    .bind(ring.0)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(patch, source, version)| OpenPatch {
            patch: PatchId(patch),
            source,
            version,
        })
        .collect())
}

/// An open attempt of any patch.
///
/// # Errors
/// When the database fails.
pub async fn open_attempt(conn: &mut SqliteConnection, device: DeviceId) -> Result<Option<AttemptId>> {
    let id: Option<i64> = sqlx::query_scalar("SELECT id FROM attempt WHERE device_id = ? AND state IN (1, 2)")
        .bind(device.0)
        .fetch_optional(conn)
        .await?;
    Ok(id.map(AttemptId))
}

/// The packages of a patch, as (name, architecture, version, brought in anew).
///
/// # Errors
/// When the database fails.
pub async fn packages(conn: &mut SqliteConnection, patch: PatchId) -> Result<Vec<(String, String, String, bool)>> {
    Ok(
        sqlx::query_as("SELECT name, arch, version, fresh FROM patch_package WHERE patch_id = ? ORDER BY name, arch")
            .bind(patch.0)
            .fetch_all(conn)
            .await?,
    )
}
