//! What the planner asks of a rollout: decisions, holds, evidence, rollback orders.

use super::states::open_states;
use crate::error::{Error, Result};
use domain::{AttemptId, DeviceId, LocationId, Moment, OsReleaseId, PatchId, ProductId, RingId, Span};
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
        sqlx::query("SELECT os_release_id, source, version, category, size, superseded_by, (SELECT p.id FROM product p WHERE p.name = source), needs_reboot FROM patch WHERE id = ?")
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
    }))
}

/// The rings that approve patches of a release's source package, as (patch, its version, ring); denied ones are not among them.
///
/// # Errors
/// When the database fails.
pub async fn approved_versions(
    conn: &mut SqliteConnection,
    release: OsReleaseId,
    source: &str,
) -> Result<Vec<(PatchId, String, RingId)>> {
    let rows: Vec<(i64, String, i64)> = sqlx::query_as(
        "SELECT p.id, p.version, d.ring_id FROM patch p JOIN decision d ON d.patch_id = p.id
         WHERE p.os_release_id = ? AND p.source = ? AND d.withdrawn_at IS NULL AND d.kind = 1",
    )
    .bind(release.0)
    .bind(source)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(p, version, ring)| (PatchId(p), version, RingId(ring)))
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
    /// Skips the soak.
    pub urgent: bool,
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
                urgent: r.try_get(3)?,
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

/// What the latest relevant attempt of every device shows, added up by ring and release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvidenceRow {
    /// Ring when permitted.
    pub ring: i64,
    /// Release.
    pub release: i64,
    /// Devices seen by a scan to have it, and not taken back since.
    pub proven: i64,
    /// When the first of them was.
    pub first_proven: Option<i64>,
    /// Of these, devices that have rebooted since, and owe no reboot for it.
    pub rebooted: i64,
    /// Devices whose last attempt failed.
    pub failures: i64,
    /// Of these, vanished.
    pub vanished: i64,
    /// Devices without a result yet.
    pub in_flight: i64,
    /// Devices with a result.
    pub finished: i64,
    /// When the latest result came.
    pub last_finished: Option<i64>,
}

/// The evidence of a patch. Reads the patch's own attempts only; permits that never started do not count.
///
/// # Errors
/// When the database fails.
pub async fn evidence(conn: &mut SqliteConnection, patch: PatchId) -> Result<Vec<EvidenceRow>> {
    let rows = sqlx::query(
        "WITH last AS (
            SELECT device_id, ring_id, state, proven_at, finished_at, boot_id, max(id) AS id FROM attempt
            WHERE patch_id = ?1 AND kind = 1 AND state IN (1, 2, 3, 4, 5, 8) GROUP BY device_id),
         kept AS (
            SELECT last.*, last.state = 3
                AND NOT EXISTS (SELECT 1 FROM rollback_order o WHERE o.device_id = last.device_id AND o.patch_id = ?1 AND o.lifted_at IS NULL)
                AND NOT EXISTS (SELECT 1 FROM attempt b WHERE b.device_id = last.device_id AND b.patch_id = ?1 AND b.kind = 2 AND b.state = 3 AND b.id > last.id)
                AS stands FROM last)
         SELECT kept.ring_id, d.os_release_id, sum(stands AND proven_at IS NOT NULL), min(CASE WHEN stands THEN proven_at END),
                sum(kept.state IN (4, 5, 8)), sum(kept.state = 8), sum(kept.state IN (1, 2)), sum(kept.state NOT IN (1, 2)),
                max(CASE WHEN kept.state NOT IN (1, 2) THEN kept.finished_at END),
                sum(stands AND proven_at IS NOT NULL AND kept.boot_id <> '' AND d.boot_id <> kept.boot_id AND coalesce(s.state, 0) <> 8)
         FROM kept JOIN device d ON d.id = kept.device_id LEFT JOIN device_patch s ON s.device_id = d.id AND s.patch_id = ?1 WHERE kept.ring_id IS NOT NULL GROUP BY kept.ring_id, d.os_release_id",
    )
    .bind(patch.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|r| {
            Ok(EvidenceRow {
                ring: r.try_get(0)?,
                release: r.try_get(1)?,
                proven: r.try_get(2)?,
                first_proven: r.try_get(3)?,
                failures: r.try_get(4)?,
                vanished: r.try_get(5)?,
                in_flight: r.try_get(6)?,
                finished: r.try_get(7)?,
                last_finished: r.try_get(8)?,
                rebooted: r.try_get(9)?,
            })
        })
        .collect()
}

/// How long the package manager ran at most in the latest successful installs of a patch but one, in whole minutes; `None` while fewer than
/// three were measured. Nearly the longest and not the middle one: whoever starts must be done when the window closes. But one odd device
/// must not shut a patch out of everybody's windows.
///
/// # Errors
/// When the database fails.
pub async fn measured_install(conn: &mut SqliteConnection, patch: PatchId) -> Result<Option<Span>> {
    let (seen, longest): (i64, Option<i64>) = sqlx::query_as(
        "WITH latest AS (SELECT took FROM attempt WHERE patch_id = ? AND kind = 1 AND state = 3 AND took IS NOT NULL ORDER BY id DESC LIMIT 20)
         SELECT count(*), (SELECT took FROM latest ORDER BY took DESC LIMIT 1 OFFSET 1) FROM latest",
    )
    .bind(patch.0)
    .fetch_one(conn)
    .await?;
    Ok(longest
        .filter(|_| seen >= 3)
        .map(|seconds| Span::minutes(seconds / 60 + 1)))
}

/// Devices that need a patch or have got it by us, by ring: the ring's targets.
///
/// # Errors
/// When the database fails.
pub async fn targets(conn: &mut SqliteConnection, patch: PatchId) -> Result<Vec<(i64, i64)>> {
    Ok(sqlx::query_as(
        "WITH RECURSIVE ring_of(group_id, ring_id) AS (
            SELECT id, ring_id FROM device_group WHERE ring_id IS NOT NULL
            UNION ALL SELECT c.id, r.ring_id FROM device_group c JOIN ring_of r ON c.parent_id = r.group_id WHERE c.ring_id IS NULL)
         SELECT r.ring_id, count(*) FROM device_patch s JOIN device d ON d.id = s.device_id JOIN ring_of r ON r.group_id = d.group_id
         WHERE s.patch_id = ? AND (s.state IN (4, 5, 6, 7, 8, 9, 11) OR s.ours = 1) AND d.state = 1 AND d.scan_only = 0 GROUP BY r.ring_id",
    )
    .bind(patch.0)
    .fetch_all(conn)
    .await?)
}

/// When the failures of one device at one patch were; failures before the last resolved hold of the patch were looked at by a person.
///
/// # Errors
/// When the database fails.
pub async fn failures(conn: &mut SqliteConnection, device: DeviceId, patch: PatchId) -> Result<Vec<Moment>> {
    let rows: Vec<i64> = sqlx::query_scalar(
        "SELECT coalesce(finished_at, deadline) FROM attempt WHERE device_id = ?1 AND patch_id = ?2 AND kind = 1 AND state IN (4, 5, 8)
           AND id > coalesce((SELECT max(id) FROM attempt WHERE device_id = ?1 AND patch_id = ?2 AND state = 3), 0)
           AND coalesce(ended_after, 0) > coalesce((SELECT max(resolved_after) FROM hold WHERE patch_id = ?2), -1) ORDER BY id",
    )
    .bind(device.0)
    .bind(patch.0)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Moment).collect())
}

/// As [`failures`], for every patch of a device.
///
/// # Errors
/// When the database fails.
pub async fn failures_of_device(conn: &mut SqliteConnection, device: DeviceId) -> Result<Vec<(PatchId, Moment)>> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT a.patch_id, coalesce(a.finished_at, a.deadline) FROM attempt a WHERE a.device_id = ?1 AND a.kind = 1 AND a.state IN (4, 5, 8)
           AND a.id > coalesce((SELECT max(id) FROM attempt WHERE device_id = ?1 AND patch_id = a.patch_id AND state = 3), 0)
           AND coalesce(a.ended_after, 0) > coalesce((SELECT max(resolved_after) FROM hold WHERE patch_id = a.patch_id), -1) ORDER BY a.id",
    )
    .bind(device.0)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(patch, at)| (PatchId(patch), Moment(at)))
        .collect())
}

/// Devices of a ring with a result since a person last let the patch go on: what the hold thresholds count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecentResults {
    /// Failed, with those that vanished.
    pub failed: u32,
    /// Vanished.
    pub vanished: u32,
    /// With a result, good or bad.
    pub finished: u32,
}

/// What a ring's devices brought since a person last let the patch go on.
///
/// # Errors
/// When the database fails.
pub async fn recent_results(
    conn: &mut SqliteConnection,
    patch: PatchId,
    ring: Option<RingId>,
) -> Result<RecentResults> {
    let (failed, vanished, finished) = sqlx::query_as(
        "SELECT count(DISTINCT CASE WHEN state IN (4, 5, 8) THEN device_id END), count(DISTINCT CASE WHEN state = 8 THEN device_id END),
                count(DISTINCT device_id)
         FROM attempt WHERE patch_id = ?1 AND kind = 1 AND state IN (3, 4, 5, 8) AND ring_id IS ?2
           AND coalesce(ended_after, 0) > coalesce((SELECT max(resolved_after) FROM hold WHERE patch_id = ?1), -1)",
    )
    .bind(patch.0)
    .bind(ring.map(|r| r.0))
    .fetch_one(conn)
    .await?;
    Ok(RecentResults {
        failed,
        vanished,
        finished,
    })
}

/// The business-critical products on a device: those of which it has some patch, needed or installed.
///
/// # Errors
/// When the database fails.
pub async fn critical_on(conn: &mut SqliteConnection, device: DeviceId) -> Result<Vec<ProductId>> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT DISTINCT c.id FROM device_patch s CROSS JOIN patch p ON p.id = s.patch_id CROSS JOIN product c ON c.name = p.source AND c.critical = 1
         WHERE s.device_id = ? AND s.state <> 1 AND EXISTS (SELECT 1 FROM product WHERE critical = 1) ORDER BY c.id",
    )
    .bind(device.0)
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(ProductId).collect())
}

/// The business-critical products on devices that were seen to have a patch, by the ring in which they took it.
///
/// # Errors
/// When the database fails.
pub async fn critical_proven(conn: &mut SqliteConnection, patch: PatchId) -> Result<Vec<(RingId, ProductId)>> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "WITH proven AS (
            SELECT device_id, ring_id, proven_at, state, max(id) AS id FROM attempt
            WHERE patch_id = ?1 AND kind = 1 AND state IN (1, 2, 3, 4, 5, 8) AND EXISTS (SELECT 1 FROM product WHERE critical = 1)
            GROUP BY device_id)
         SELECT DISTINCT a.ring_id, c.id FROM proven a CROSS JOIN device_patch s ON s.device_id = a.device_id AND s.state <> 1
         CROSS JOIN patch p ON p.id = s.patch_id CROSS JOIN product c ON c.name = p.source AND c.critical = 1
         WHERE a.state = 3 AND a.proven_at IS NOT NULL AND a.ring_id IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM rollback_order o WHERE o.device_id = a.device_id AND o.patch_id = ?1 AND o.lifted_at IS NULL)",
    )
    .bind(patch.0)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(ring, product)| (RingId(ring), ProductId(product)))
        .collect())
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
    /// When the device last said that it did not start it, since its last start.
    pub not_started: Option<Moment>,
}

impl OpenPatch {
    /// A device that could not start a moment ago (package not to be had, manager busy) is not asked again at every poll. A moment that the
    /// clock has yet to reach was written before the clock was set back, and says nothing.
    #[must_use]
    pub fn put_off(&self, now: Moment) -> bool {
        self.not_started
            .is_some_and(|at| at <= now && now < at + NOT_STARTED_WAIT)
    }
}

/// How long a device that did not start is left alone with the same patch.
const NOT_STARTED_WAIT: Span = Span::minutes(15);

/// The device's patches that are approved for its ring and still needed, most urgent first: what is worth asking the planner about.
///
/// # Errors
/// When the database fails.
pub async fn approved_and_open(conn: &mut SqliteConnection, device: DeviceId, ring: RingId) -> Result<Vec<OpenPatch>> {
    let rows: Vec<(i64, String, String, Option<i64>)> = sqlx::query_as(
        concat!("SELECT s.patch_id, p.source, p.version,
                (SELECT CASE WHEN a.state = 6 THEN a.finished_at END FROM attempt a WHERE a.device_id = ?1 AND a.patch_id = s.patch_id ORDER BY a.id DESC LIMIT 1)
         FROM device_patch s
         JOIN decision d ON d.patch_id = s.patch_id AND d.ring_id = ?2 AND d.kind = 1 AND d.withdrawn_at IS NULL
         JOIN patch p ON p.id = s.patch_id
         WHERE s.device_id = ?1 AND s.state IN ", open_states!(), " ORDER BY d.urgent DESC, p.severity DESC, p.category = 1 DESC, s.patch_id"),
    )
    .bind(device.0)
    .bind(ring.0)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(patch, source, version, at)| OpenPatch {
            patch: PatchId(patch),
            source,
            version,
            not_started: at.map(Moment),
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
