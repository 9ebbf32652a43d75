//! What attempts have shown about a patch: the evidence that opens the next ring, the failures that hold, and how long it took.

use crate::error::Result;
use domain::{DeviceId, PatchId, ProductId, RingId, Span};
use sqlx::{Row as _, SqliteConnection};

/// What the latest relevant attempt of every device shows, added up by ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvidenceRow {
    /// Ring when permitted.
    pub ring: i64,
    /// The release that the patch is for, which is the one that its devices had then; they may have been upgraded to another one since.
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
    /// Of the failures, those that came after the ring's latest success.
    pub failed_since: i64,
    /// When the latest result came.
    pub last_finished: Option<i64>,
}

/// The evidence of a patch. Reads the patch's own attempts only; permits that never started do not count. A device that has left the patch's
/// release proves nothing more: not that it works there after a reboot, nor anything about the release that it has now.
///
/// # Errors
/// When the database fails.
pub async fn evidence(conn: &mut SqliteConnection, patch: PatchId) -> Result<Vec<EvidenceRow>> {
    let rows = sqlx::query(
        "WITH last AS (
            SELECT device_id, ring_id, state, proven_at, finished_at, boot_id, coalesce(ended_after, 0) AS ended, max(id) AS id FROM attempt
            WHERE patch_id = ?1 AND kind = 1 AND state IN (1, 2, 3, 4, 5, 8) GROUP BY device_id),
         kept AS (
            SELECT last.*, max(CASE WHEN last.state = 3 THEN last.ended ELSE -1 END) OVER (PARTITION BY last.ring_id) AS good, last.state = 3
                AND NOT EXISTS (SELECT 1 FROM rollback_order o WHERE o.device_id = last.device_id AND o.patch_id = ?1 AND o.lifted_at IS NULL)
                AND NOT EXISTS (SELECT 1 FROM attempt b WHERE b.device_id = last.device_id AND b.patch_id = ?1 AND b.kind = 2 AND b.state = 3 AND b.id > last.id)
                AS stands FROM last)
         SELECT kept.ring_id, p.os_release_id, sum(stands AND proven_at IS NOT NULL), min(CASE WHEN stands THEN proven_at END),
                sum(kept.state IN (4, 5, 8)), sum(kept.state = 8), sum(kept.state IN (1, 2)), sum(kept.state NOT IN (1, 2)),
                max(CASE WHEN kept.state NOT IN (1, 2) THEN kept.finished_at END),
                sum(stands AND proven_at IS NOT NULL AND kept.boot_id <> '' AND d.boot_id <> kept.boot_id AND d.os_release_id = p.os_release_id
                    AND coalesce(s.state, 0) <> 8),
                sum(kept.state IN (4, 5, 8) AND kept.ended >= kept.good)
         FROM kept JOIN patch p ON p.id = ?1 JOIN device d ON d.id = kept.device_id LEFT JOIN device_patch s ON s.device_id = d.id AND s.patch_id = ?1 WHERE kept.ring_id IS NOT NULL GROUP BY kept.ring_id",
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
                failed_since: r.try_get(10)?,
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

/// The business-critical products on devices that were seen to have a patch, by the ring in which they took it. What is on a device that has
/// been upgraded to another release since was not there then.
///
/// # Errors
/// When the database fails.
pub async fn critical_proven(conn: &mut SqliteConnection, patch: PatchId) -> Result<Vec<(RingId, ProductId)>> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "WITH proven AS (
            SELECT device_id, ring_id, proven_at, state, max(id) AS id FROM attempt
            WHERE patch_id = ?1 AND kind = 1 AND state IN (1, 2, 3, 4, 5, 8) AND EXISTS (SELECT 1 FROM product WHERE critical = 1)
            GROUP BY device_id)
         SELECT DISTINCT a.ring_id, c.id FROM proven a JOIN device d ON d.id = a.device_id
           AND d.os_release_id = (SELECT os_release_id FROM patch WHERE id = ?1) CROSS JOIN device_patch s ON s.device_id = a.device_id AND s.state <> 1
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
