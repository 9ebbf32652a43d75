//! Rows of the patch's and the device's page, beyond what the lists show.

use super::{attempts::Stage, fleet::in_ring, lists::Group, states::state_of};
use crate::error::Result;
use domain::{AttemptId, DeviceId, HoldId, Moment, PatchId, PatchState};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection, sqlite::SqliteRow};
use std::collections::BTreeMap;
use view::{CountBucket, Counts, PAGE_SIZE, PackageLine, PatchDevices};

/// The exact packages of a patch.
///
/// # Errors
/// When the database fails.
pub async fn packages(conn: &mut SqliteConnection, patch: PatchId) -> Result<Vec<PackageLine>> {
    let rows = sqlx::query(
        "SELECT name, arch, version, size, fresh FROM patch_package WHERE patch_id = ? ORDER BY name, arch",
    )
    .bind(patch.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(PackageLine {
                name: row.try_get(0)?,
                arch: row.try_get(1)?,
                version: row.try_get(2)?,
                size: u64::try_from(row.try_get::<i64, _>(3)?).unwrap_or(0),
                fresh: row.try_get(4)?,
            })
        })
        .collect()
}

/// The older patches that a patch replaces, newest first.
///
/// # Errors
/// When the database fails.
pub async fn supersedes(conn: &mut SqliteConnection, patch: PatchId) -> Result<Vec<(PatchId, String)>> {
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT id, version FROM patch WHERE superseded_by = ? ORDER BY id DESC LIMIT 50")
            .bind(patch.0)
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|(id, version)| (PatchId(id), version)).collect())
}

/// A hold with the names that it mentions.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Hold.
    pub id: HoldId,
    /// Code of its cause.
    pub cause: i64,
    /// The device that caused it.
    pub device: Option<(DeviceId, String)>,
    /// What was seen or said.
    pub detail: String,
    /// When.
    pub opened_at: Moment,
    /// By whom, as in the audit log.
    pub opened_by: String,
    /// When, by whom and with which note it was resolved.
    pub resolved: Option<(Moment, Option<String>, String)>,
}

/// The holds of a patch: open ones first, then the newest.
///
/// # Errors
/// When the database fails.
pub async fn holds(conn: &mut SqliteConnection, patch: PatchId) -> Result<Vec<Hold>> {
    let rows = sqlx::query(
        "SELECT h.id, h.cause, h.device_id, d.hostname, h.detail, h.opened_at, h.opened_by, h.resolved_at, a.name, coalesce(h.note, '')
         FROM hold h LEFT JOIN device d ON d.id = h.device_id LEFT JOIN account a ON a.id = h.resolved_by
         WHERE h.patch_id = ? ORDER BY h.resolved_at IS NOT NULL, h.id DESC",
    )
    .bind(patch.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let device = match row.try_get::<Option<i64>, _>(2)? {
                Some(id) => Some((DeviceId(id), row.try_get::<Option<String>, _>(3)?.unwrap_or_default())),
                None => None,
            };
            let resolved = match row.try_get::<Option<i64>, _>(7)? {
                Some(at) => Some((Moment(at), row.try_get(8)?, row.try_get(9)?)),
                None => None,
            };
            Ok(Hold {
                id: HoldId(row.try_get(0)?),
                cause: row.try_get(1)?,
                device,
                detail: row.try_get(4)?,
                opened_at: Moment(row.try_get(5)?),
                opened_by: row.try_get(6)?,
                resolved,
            })
        })
        .collect()
}

/// The devices of each group by bucket; `None` = in no group.
///
/// # Errors
/// When the database fails.
pub async fn counts_by_group(conn: &mut SqliteConnection, patch: PatchId) -> Result<BTreeMap<Option<i64>, Counts>> {
    let rows = sqlx::query(
        "SELECT d.group_id, s.state, count(*) FROM device_patch s JOIN device d ON d.id = s.device_id WHERE s.patch_id = ? GROUP BY 1, 2",
    )
    .bind(patch.0)
    .fetch_all(conn)
    .await?;
    let mut groups: BTreeMap<Option<i64>, Counts> = BTreeMap::new();
    for row in rows {
        let (state, n): (PatchState, u32) = (state_of(row.try_get(1)?)?, row.try_get(2)?);
        let Some(bucket) = CountBucket::of(state) else { continue };
        *count_mut(groups.entry(row.try_get(0)?).or_default(), bucket) += n;
    }
    Ok(groups)
}

/// The count of a bucket, to change it.
pub(crate) fn count_mut(counts: &mut Counts, bucket: CountBucket) -> &mut u32 {
    match bucket {
        CountBucket::Missing => &mut counts.missing,
        CountBucket::Installed => &mut counts.installed,
        CountBucket::Failed => &mut counts.failed,
        CountBucket::Pending => &mut counts.pending,
        CountBucket::Unknown => &mut counts.unknown,
        CountBucket::Superseded => &mut counts.superseded,
        CountBucket::RolledBack => &mut counts.rolled_back,
    }
}

/// Only the devices that are asked for, whatever the page.
fn narrow(query: &mut QueryBuilder<Sqlite>, shown: &PatchDevices, groups: &[Group]) {
    if let Some(ring) = shown.ring {
        query.push(" AND device_id IN (SELECT d.id FROM device d WHERE true");
        in_ring(query, ring, groups);
        query.push(")");
    }
    let bucket = shown.state;
    query.push(" AND state IN (");
    let mut list = query.separated(", ");
    for state in PatchState::ALL {
        let of = CountBucket::of(*state);
        if of.is_some() && (bucket.is_none() || of == bucket) {
            list.push_bind(state.code());
        }
    }
    query.push(")");
}

/// How many devices a patch has in a bucket and a ring, or in any.
///
/// # Errors
/// When the database fails.
pub async fn count_devices(
    conn: &mut SqliteConnection,
    patch: PatchId,
    shown: &PatchDevices,
    groups: &[Group],
) -> Result<u32> {
    let mut query = QueryBuilder::new("SELECT count(*) FROM device_patch WHERE patch_id = ");
    query.push_bind(patch.0);
    narrow(&mut query, shown, groups);
    Ok(query.build_query_scalar().fetch_one(conn).await?)
}

/// One page of those devices, by state and number; `shown.page` is from 1.
///
/// # Errors
/// When the database fails.
pub async fn devices(
    conn: &mut SqliteConnection,
    patch: PatchId,
    shown: &PatchDevices,
    groups: &[Group],
) -> Result<Vec<DeviceId>> {
    let mut query = QueryBuilder::new("SELECT device_id FROM device_patch WHERE patch_id = ");
    query.push_bind(patch.0);
    narrow(&mut query, shown, groups);
    query
        .push(" ORDER BY state, device_id LIMIT ")
        .push_bind(PAGE_SIZE)
        .push(" OFFSET ")
        .push_bind(i64::from(shown.page.saturating_sub(1)) * i64::from(PAGE_SIZE));
    let ids: Vec<i64> = query.build_query_scalar().fetch_all(conn).await?;
    Ok(ids.into_iter().map(DeviceId).collect())
}

/// An attempt with what it left behind.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Attempt.
    pub id: AttemptId,
    /// Of which patch.
    pub patch: PatchId,
    /// It goes back.
    pub back: bool,
    /// How far it came.
    pub stage: Stage,
    /// When permitted.
    pub permitted: Moment,
    /// By when it had to start.
    pub start_by: Moment,
    /// When it started.
    pub started: Option<Moment>,
    /// When it ended.
    pub finished: Option<Moment>,
    /// When a later scan showed it.
    pub proven: Option<Moment>,
    /// JSON of the outcome.
    pub detail: String,
    /// The end of the log.
    pub log: String,
}

fn attempt(row: &SqliteRow) -> Result<Attempt> {
    let moment = |at: usize| -> Result<Option<Moment>> { Ok(row.try_get::<Option<i64>, _>(at)?.map(Moment)) };
    Ok(Attempt {
        id: AttemptId(row.try_get(0)?),
        patch: PatchId(row.try_get(1)?),
        back: row.try_get::<i64, _>(2)? == 2,
        stage: Stage::from_code(row.try_get(3)?)?,
        permitted: Moment(row.try_get(4)?),
        start_by: Moment(row.try_get(5)?),
        started: moment(6)?,
        finished: moment(7)?,
        proven: moment(8)?,
        detail: row.try_get(9)?,
        log: row.try_get(10)?,
    })
}

/// The last attempt of each of these devices at a patch.
///
/// # Errors
/// When the database fails.
pub async fn last_attempts(
    conn: &mut SqliteConnection,
    patch: PatchId,
    devices: &[DeviceId],
) -> Result<BTreeMap<DeviceId, Attempt>> {
    let rows = sqlx::query(
        "SELECT id, patch_id, kind, state, permitted_at, start_by, started_at, finished_at, proven_at, detail, log, device_id
         FROM attempt WHERE id IN (SELECT (SELECT max(id) FROM attempt WHERE device_id = v.value AND patch_id = ?2) FROM json_each(?1) AS v)",
    )
    .bind(super::states::json(&devices)?)
    .bind(patch.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok((DeviceId(row.try_get(11)?), attempt(row)?)))
        .collect()
}

/// The latest attempts of a device, newest first.
///
/// # Errors
/// When the database fails.
pub async fn attempts(conn: &mut SqliteConnection, device: DeviceId, most: u32) -> Result<Vec<Attempt>> {
    let rows = sqlx::query(
        "SELECT id, patch_id, kind, state, permitted_at, start_by, started_at, finished_at, proven_at, detail, log
         FROM attempt WHERE device_id = ? ORDER BY id DESC LIMIT ?",
    )
    .bind(device.0)
    .bind(most)
    .fetch_all(conn)
    .await?;
    rows.iter().map(attempt).collect()
}

/// The latest attempts of a device at these patches, newest first, without their logs.
///
/// # Errors
/// When the database fails.
pub async fn attempts_at(
    conn: &mut SqliteConnection,
    device: DeviceId,
    patches: &[PatchId],
    most: u32,
) -> Result<Vec<Attempt>> {
    let rows = sqlx::query(
        "SELECT id, patch_id, kind, state, permitted_at, start_by, started_at, finished_at, proven_at, detail, '' AS log
         FROM attempt WHERE device_id = ? AND patch_id IN (SELECT value FROM json_each(?)) ORDER BY id DESC LIMIT ?",
    )
    .bind(device.0)
    .bind(super::states::json(&patches)?)
    .bind(most)
    .fetch_all(conn)
    .await?;
    rows.iter().map(attempt).collect()
}

/// What only the device's own page shows.
#[derive(Clone, Debug)]
pub struct Details {
    /// Zone.
    pub zone: String,
    /// Agent's version.
    pub agent_version: String,
    /// Package manager.
    pub manager: Option<String>,
    /// What it complains of.
    pub manager_error: Option<String>,
    /// Enrolled.
    pub enrolled: Moment,
    /// JSON of the reboot reasons.
    pub reboot: String,
    /// JSON of the services on old files.
    pub services: String,
    /// JSON of the sources.
    pub sources: String,
    /// It runs on battery.
    pub on_battery: Option<bool>,
    /// Processes that it could not look at.
    pub processes_unread: Option<u32>,
}

/// The details of a device.
///
/// # Errors
/// When the database fails.
pub async fn details(conn: &mut SqliteConnection, device: DeviceId) -> Result<Option<Details>> {
    let row = sqlx::query(
        "SELECT zone, agent_version, manager, manager_error, enrolled_at, reboot_reasons, services, sources, on_battery,
                processes_unread FROM device WHERE id = ?",
    )
    .bind(device.0)
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Details {
        zone: row.try_get(0)?,
        agent_version: row.try_get(1)?,
        manager: row.try_get(2)?,
        manager_error: row.try_get(3)?,
        enrolled: Moment(row.try_get(4)?),
        reboot: row.try_get(5)?,
        services: row.try_get(6)?,
        sources: row.try_get(7)?,
        on_battery: row.try_get(8)?,
        processes_unread: row.try_get(9)?,
    }))
}

/// Product, version and severity code of a patch; `None` when it is unknown.
///
/// # Errors
/// When the database fails.
pub async fn title(conn: &mut SqliteConnection, patch: PatchId) -> Result<Option<(String, String, i64)>> {
    Ok(
        sqlx::query_as("SELECT source, version, severity FROM patch WHERE id = ?")
            .bind(patch.0)
            .fetch_optional(conn)
            .await?,
    )
}

/// The names of some devices.
///
/// # Errors
/// When the database fails.
pub async fn hostnames(conn: &mut SqliteConnection, ids: &[i64]) -> Result<BTreeMap<i64, String>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut query = QueryBuilder::new("SELECT id, hostname FROM device WHERE id IN (");
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(*id);
    }
    query.push(")");
    let rows: Vec<(i64, String)> = query.build_query_as().fetch_all(conn).await?;
    Ok(rows.into_iter().collect())
}
