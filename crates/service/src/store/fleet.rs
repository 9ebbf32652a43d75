//! The device list's rows.

use super::{
    lists::{Group, like},
    states::{self, Change, State},
};
use crate::error::{Error, Result};
use domain::{DeviceId, DeviceState, GroupId, Moment, PatchState, RingId};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection, sqlite::SqliteRow};
use view::{DeviceFilter, DeviceRow, DeviceShow, PAGE_SIZE, RingName};

/// Devices that no profile covers. Profiles tell devices apart by their groups, and name some by themselves.
#[derive(Debug, Default)]
pub struct Uncovered {
    /// Groups whose devices none covers, `None` for devices in no group; says nothing of those that a profile names.
    pub groups: Vec<Option<GroupId>>,
    /// The devices that profiles name.
    pub named: Vec<DeviceId>,
    /// Of these, the ones that none covers.
    pub devices: Vec<DeviceId>,
}

/// Where a list of devices looks beside the rows of the devices.
#[derive(Debug)]
pub struct Around<'a> {
    /// All groups, with their rings.
    pub groups: &'a [Group],
    /// What no profile covers; read by [`DeviceShow::NoProfile`] only.
    pub uncovered: &'a Uncovered,
}

fn narrow(query: &mut QueryBuilder<Sqlite>, filter: &DeviceFilter, around: &Around<'_>) {
    query.push(match filter.show {
        DeviceShow::All => " WHERE d.state <> 3",
        DeviceShow::Active | DeviceShow::NoRing | DeviceShow::NoProfile => " WHERE d.state = 1",
        DeviceShow::Pending => " WHERE d.state = 0",
        DeviceShow::Silent => " WHERE d.state = 1 AND (d.silent <> 0 OR d.last_scan_at IS NULL)",
        DeviceShow::Reboot => " WHERE d.state <> 3 AND d.reboot_since IS NOT NULL",
        DeviceShow::Failed => " WHERE d.state <> 3 AND d.n_failed > 0",
        DeviceShow::Stopped => " WHERE d.state IN (2, 3)",
    });
    match filter.show {
        DeviceShow::NoRing => {
            query.push(" AND coalesce(d.group_id, 0) NOT IN");
            among(query, around.groups.iter().filter(|g| g.ring.is_some()).map(|g| g.id.0));
        }
        DeviceShow::NoProfile => {
            let Uncovered { groups, named, devices } = around.uncovered;
            query.push(" AND CASE WHEN d.id IN");
            among(query, named.iter().map(|d| d.0));
            query.push(" THEN d.id IN");
            among(query, devices.iter().map(|d| d.0));
            query.push(" ELSE coalesce(d.group_id, 0) IN");
            among(query, groups.iter().map(|g| g.map_or(0, |g| g.0)));
            query.push(" END");
        }
        _ => {}
    }
    let text = filter.q.trim();
    if !text.is_empty() {
        let pattern = like(text);
        query
            .push(" AND (d.hostname LIKE ")
            .push_bind(pattern.clone())
            .push(" ESCAPE '\\' OR d.key_id LIKE ");
        query
            .push_bind(pattern.clone())
            .push(" ESCAPE '\\' OR d.os_release_id IN (SELECT id FROM os_release WHERE name LIKE ");
        query.push_bind(pattern).push(" ESCAPE '\\'))");
    }
    if let Some(ring) = filter.ring {
        in_ring(query, ring, around.groups);
    }
}

/// A list of numbers in brackets; nothing is in an empty one. No row has the number 0.
fn among(query: &mut QueryBuilder<Sqlite>, numbers: impl Iterator<Item = i64>) {
    query.push(" (");
    let mut list = query.separated(", ");
    for number in numbers {
        list.push_bind(number);
    }
    query.push(")");
}

/// Only devices whose group counts for `ring`.
pub(super) fn in_ring(query: &mut QueryBuilder<Sqlite>, ring: RingId, groups: &[Group]) {
    query.push(" AND d.group_id IN");
    among(query, groups.iter().filter(|g| g.ring == Some(ring)).map(|g| g.id.0));
}

/// How many devices match.
///
/// # Errors
/// When the database fails.
pub async fn count(conn: &mut SqliteConnection, filter: &DeviceFilter, around: &Around<'_>) -> Result<u32> {
    let mut query = QueryBuilder::new("SELECT count(*) FROM device d");
    narrow(&mut query, filter, around);
    Ok(query.build_query_scalar().fetch_one(conn).await?)
}

const COLUMNS: &str = "SELECT d.id, d.hostname, d.state, d.state_reason, d.key_id, d.group_id, d.scan_only,
    (SELECT last_contact_at FROM device_contact k WHERE k.device_id = d.id), d.last_scan_at, d.silent, d.n_open, d.n_security, d.n_failed,
    d.n_pending, d.reboot_since, (SELECT name FROM os_release o WHERE o.id = d.os_release_id)
    FROM device d";

/// One page of the devices that match, by name.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut SqliteConnection,
    filter: &DeviceFilter,
    page: u32,
    around: &Around<'_>,
    rings: &[RingName],
) -> Result<Vec<DeviceRow>> {
    let mut query = QueryBuilder::new(COLUMNS);
    narrow(&mut query, filter, around);
    query
        .push(" ORDER BY d.hostname, d.id LIMIT ")
        .push_bind(PAGE_SIZE)
        .push(" OFFSET ");
    query.push_bind(i64::from(page.saturating_sub(1)) * i64::from(PAGE_SIZE));
    query
        .build()
        .fetch_all(conn)
        .await?
        .iter()
        .map(|row| device_row(row, around.groups, rings))
        .collect()
}

/// One device as in the list.
///
/// # Errors
/// When the database fails.
pub async fn one(
    conn: &mut SqliteConnection,
    id: DeviceId,
    groups: &[Group],
    rings: &[RingName],
) -> Result<Option<DeviceRow>> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push(" WHERE d.id = ").push_bind(id.0);
    query
        .build()
        .fetch_optional(conn)
        .await?
        .map(|row| device_row(&row, groups, rings))
        .transpose()
}

fn device_row(row: &SqliteRow, groups: &[Group], rings: &[RingName]) -> Result<DeviceRow> {
    let code: i64 = row.try_get(2)?;
    let group = row
        .try_get::<Option<i64>, _>(5)?
        .and_then(|id| groups.iter().find(|g| g.id.0 == id));
    let ring = group
        .and_then(|g| g.ring)
        .and_then(|id| rings.iter().find(|r| r.id == id));
    let moment = |at: usize| -> Result<Option<Moment>> { Ok(row.try_get::<Option<i64>, _>(at)?.map(Moment)) };
    Ok(DeviceRow {
        id: DeviceId(row.try_get(0)?),
        hostname: row.try_get(1)?,
        os: row.try_get(15)?,
        state: DeviceState::from_code(code).ok_or_else(|| Error::Inconsistent(format!("device state {code}")))?,
        state_reason: row.try_get(3)?,
        key_id: row.try_get(4)?,
        group: group.map(|g| g.name.clone()),
        ring: ring.map(|r| r.name.clone()),
        scan_only: row.try_get(6)?,
        last_contact: Moment(row.try_get(7)?),
        last_scan: moment(8)?,
        silent: row.try_get(9)?,
        open: row.try_get(10)?,
        security: row.try_get(11)?,
        failed: row.try_get(12)?,
        pending: row.try_get(13)?,
        reboot_since: moment(14)?,
    })
}

/// Moves a device to a group or none. It has not slept through the windows that it did not have until now.
///
/// # Errors
/// When the database fails.
pub async fn set_group(conn: &mut SqliteConnection, id: DeviceId, group: Option<GroupId>, now: Moment) -> Result<()> {
    sqlx::query("UPDATE device SET group_id = ? WHERE id = ?")
        .bind(group.map(|g| g.0))
        .bind(id.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query("UPDATE device_contact SET in_window_at = max(in_window_at, ?) WHERE device_id = ?")
        .bind(now.0)
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// The devices in a group and below it get other windows from above, and have not slept through them until now.
///
/// # Errors
/// When the database fails.
pub async fn other_windows(conn: &mut SqliteConnection, group: GroupId, now: Moment) -> Result<()> {
    sqlx::query(
        "WITH RECURSIVE below(id) AS (SELECT ?1 UNION SELECT g.id FROM device_group g JOIN below b ON g.parent_id = b.id)
         UPDATE device_contact SET in_window_at = max(in_window_at, ?2)
         WHERE device_id IN (SELECT id FROM device WHERE group_id IN (SELECT id FROM below))",
    )
    .bind(group.0)
    .bind(now.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that a person wants a scan.
///
/// # Errors
/// When the database fails.
pub async fn ask_scan(conn: &mut SqliteConnection, id: DeviceId, now: Moment) -> Result<()> {
    sqlx::query("UPDATE device SET scan_asked_at = ? WHERE id = ?")
        .bind(now.0)
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets a device's states, and takes them out of every count.
///
/// # Errors
/// When the database fails.
pub async fn drop_states(conn: &mut SqliteConnection, id: DeviceId, now: Moment) -> Result<()> {
    let changes: Vec<Change> = states::of_device(conn, id)
        .await?
        .into_values()
        .map(|s| Change {
            from: Some(s.state),
            to: State {
                state: PatchState::NotApplicable,
                since: now,
                ..s
            },
        })
        .collect();
    states::apply(conn, id, &changes).await?;
    sqlx::query("DELETE FROM device_patch WHERE device_id = ?")
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}
