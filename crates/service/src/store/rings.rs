//! Rings, the tree of groups, places and what counts for the whole fleet: rows into what the planner is told.

use crate::error::{Error, Result};
use domain::{GroupId, LocationId, Moment, ProductId, RebootPolicy, RingId, Span};
use planner::{
    Durations, EvidencePolicy, Group, HoldPolicy, Location, MissedWindows, PermitPolicy, RetryPolicy, Ring,
    RollbackPolicy, WavePolicy,
};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

/// Something with the policy version that brought it as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// What is decided by.
    pub rule: T,
    /// Its name; empty where it has none.
    pub name: String,
    /// Given back when it is changed.
    pub version: u64,
}

fn count(row: &SqliteRow, at: usize) -> Result<u32> {
    let value: i64 = row.try_get(at)?;
    u32::try_from(value).map_err(|_| Error::Inconsistent(format!("a count of {value}")))
}

fn percent(row: &SqliteRow, at: usize) -> Result<u8> {
    let value: i64 = row.try_get(at)?;
    u8::try_from(value).map_err(|_| Error::Inconsistent(format!("{value} percent")))
}

fn limit(row: &SqliteRow, at: usize) -> Result<Option<u32>> {
    Ok(row.try_get::<Option<u32>, _>(at)?)
}

fn version(row: &SqliteRow, at: usize) -> Result<u64> {
    let value: i64 = row.try_get(at)?;
    Ok(u64::try_from(value).unwrap_or(0))
}

/// The rings by position; those that were removed are not among them.
///
/// # Errors
/// When the database fails; waves that this version cannot read.
pub async fn rings(conn: &mut SqliteConnection) -> Result<Vec<Versioned<Ring>>> {
    let rows = sqlx::query(
        "SELECT id, name, position, soak_seconds, min_successes, min_share_percent, per_os_release, critical_products, rebooted,
                wave_steps, wave_rest_seconds, hold_failures, hold_percent, hold_vanished, max_in_flight, version, rollback_plan
         FROM ring WHERE removed_at IS NULL ORDER BY position",
    )
    .fetch_all(conn)
    .await?;
    rows.iter().map(ring).collect()
}

fn ring(row: &SqliteRow) -> Result<Versioned<Ring>> {
    let id: i64 = row.try_get(0)?;
    let name: String = row.try_get(1)?;
    let steps =
        serde_json::from_str(row.try_get(9)?).map_err(|e| Error::Inconsistent(format!("waves of ring {id}: {e}")))?;
    Ok(Versioned {
        rule: Ring {
            id: RingId(id),
            name: name.clone(),
            position: count(row, 2)?,
            soak: Span(row.try_get(3)?),
            evidence: EvidencePolicy {
                min_successes: count(row, 4)?,
                min_share_percent: percent(row, 5)?,
                own_release: row.try_get(6)?,
                critical_products: row.try_get(7)?,
                rebooted: row.try_get(8)?,
            },
            waves: WavePolicy {
                steps,
                rest: Span(row.try_get(10)?),
            },
            holds: HoldPolicy {
                failures: count(row, 11)?,
                percent: percent(row, 12)?,
                vanished: count(row, 13)?,
            },
            max_in_flight: limit(row, 14)?,
            rollback: if row.try_get(16)? {
                RollbackPolicy::Plan
            } else {
                RollbackPolicy::NotRequired
            },
        },
        name,
        version: version(row, 15)?,
    })
}

/// Writes a ring; its number 0 makes a new one.
///
/// # Errors
/// When the database fails.
pub async fn put_ring(conn: &mut SqliteConnection, ring: &Ring, version: i64) -> Result<RingId> {
    let steps = super::states::json(&ring.waves.steps)?;
    let id = sqlx::query_scalar(
        "INSERT INTO ring (id, name, position, soak_seconds, min_successes, min_share_percent, per_os_release, critical_products, rebooted,
                           wave_steps, wave_rest_seconds, hold_failures, hold_percent, hold_vanished, max_in_flight, version, rollback_plan)
         VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, position = excluded.position, soak_seconds = excluded.soak_seconds,
             min_successes = excluded.min_successes, min_share_percent = excluded.min_share_percent, per_os_release = excluded.per_os_release,
             critical_products = excluded.critical_products, rebooted = excluded.rebooted, wave_steps = excluded.wave_steps,
             wave_rest_seconds = excluded.wave_rest_seconds, hold_failures = excluded.hold_failures, hold_percent = excluded.hold_percent,
             hold_vanished = excluded.hold_vanished, max_in_flight = excluded.max_in_flight, version = excluded.version,
             rollback_plan = excluded.rollback_plan
         RETURNING id",
    )
    .bind((ring.id.0 != 0).then_some(ring.id.0))
    .bind(&ring.name)
    .bind(ring.position)
    .bind(ring.soak.0)
    .bind(ring.evidence.min_successes)
    .bind(ring.evidence.min_share_percent)
    .bind(ring.evidence.own_release)
    .bind(ring.evidence.critical_products)
    .bind(ring.evidence.rebooted)
    .bind(steps)
    .bind(ring.waves.rest.0)
    .bind(ring.holds.failures)
    .bind(ring.holds.percent)
    .bind(ring.holds.vanished)
    .bind(ring.max_in_flight)
    .bind(version)
    .bind(ring.rollback != RollbackPolicy::NotRequired)
    .fetch_one(conn)
    .await?;
    Ok(RingId(id))
}

/// Gives rings their places: the first of `order` goes first. Positions are unique, so they make room before they are given.
///
/// # Errors
/// When the database fails.
pub async fn order_rings(conn: &mut SqliteConnection, order: &[RingId], version: i64) -> Result<()> {
    sqlx::query("UPDATE ring SET position = position + 1000000 WHERE removed_at IS NULL")
        .execute(&mut *conn)
        .await?;
    for (position, ring) in (1_i64..).zip(order) {
        sqlx::query("UPDATE ring SET position = ?, version = ? WHERE id = ?")
            .bind(position)
            .bind(version)
            .bind(ring.0)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Removes a ring. Its row stays for the history that names it, under a name that leaves its own free.
///
/// # Errors
/// When the database fails.
pub async fn remove_ring(conn: &mut SqliteConnection, ring: RingId, now: Moment) -> Result<()> {
    sqlx::query(
        "UPDATE ring SET removed_at = ?, position = -id, name = name || ' (removed, ' || id || ')' WHERE id = ?",
    )
    .bind(now.0)
    .bind(ring.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether another ring has the name.
///
/// # Errors
/// When the database fails.
pub async fn ring_name_taken(conn: &mut SqliteConnection, name: &str, except: RingId) -> Result<bool> {
    Ok(
        sqlx::query_scalar("SELECT count(*) > 0 FROM ring WHERE name = ? AND id <> ?")
            .bind(name)
            .bind(except.0)
            .fetch_one(conn)
            .await?,
    )
}

/// Decisions in force for a ring.
///
/// # Errors
/// When the database fails.
pub async fn decisions_in(conn: &mut SqliteConnection, ring: RingId) -> Result<u32> {
    Ok(
        sqlx::query_scalar("SELECT count(*) FROM decision WHERE ring_id = ? AND withdrawn_at IS NULL")
            .bind(ring.0)
            .fetch_one(conn)
            .await?,
    )
}

/// A group with its own ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRule {
    /// What is decided by.
    pub group: Group,
    /// Its own ring; none: the parent's.
    pub ring: Option<RingId>,
    /// When its own devices may restart; the planner does not ask.
    pub reboot: RebootPolicy,
}

/// The tree of groups.
///
/// # Errors
/// When the database fails.
pub async fn groups(conn: &mut SqliteConnection) -> Result<Vec<Versioned<GroupRule>>> {
    let rows = sqlx::query(
        "SELECT id, name, parent_id, ring_id, blocks_inheritance, missed_after, reboot_policy, version FROM device_group ORDER BY id",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let missed = limit(row, 5)?.map(|after| match after {
                0 => MissedWindows::Wait,
                after => MissedWindows::CatchUp { after },
            });
            let reboot: i64 = row.try_get(6)?;
            Ok(Versioned {
                rule: GroupRule {
                    group: Group {
                        id: GroupId(row.try_get(0)?),
                        parent: row.try_get::<Option<i64>, _>(2)?.map(GroupId),
                        blocks_inheritance: row.try_get(4)?,
                        missed,
                    },
                    ring: row.try_get::<Option<i64>, _>(3)?.map(RingId),
                    reboot: RebootPolicy::from_code(reboot)
                        .ok_or_else(|| Error::Inconsistent(format!("reboot policy {reboot}")))?,
                },
                name: row.try_get(1)?,
                version: version(row, 7)?,
            })
        })
        .collect()
}

/// Writes a group; its number 0 makes a new one.
///
/// # Errors
/// When the database fails.
pub async fn put_group(conn: &mut SqliteConnection, name: &str, rule: &GroupRule, version: i64) -> Result<GroupId> {
    let missed = rule.group.missed.map(|missed| match missed {
        MissedWindows::Wait => 0,
        MissedWindows::CatchUp { after } => after,
    });
    let id = sqlx::query_scalar(
        "INSERT INTO device_group (id, name, parent_id, ring_id, blocks_inheritance, missed_after, reboot_policy, version)
         VALUES (?,?,?,?,?,?,?,?)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, parent_id = excluded.parent_id, ring_id = excluded.ring_id,
             blocks_inheritance = excluded.blocks_inheritance, missed_after = excluded.missed_after,
             reboot_policy = excluded.reboot_policy, version = excluded.version
         RETURNING id",
    )
    .bind((rule.group.id.0 != 0).then_some(rule.group.id.0))
    .bind(name)
    .bind(rule.group.parent.map(|p| p.0))
    .bind(rule.ring.map(|r| r.0))
    .bind(rule.group.blocks_inheritance)
    .bind(missed)
    .bind(rule.reboot.code())
    .bind(version)
    .fetch_one(conn)
    .await?;
    Ok(GroupId(id))
}

/// Whether devices, groups in it or tokens in force name a group.
///
/// # Errors
/// When the database fails.
pub async fn group_in_use(conn: &mut SqliteConnection, group: GroupId, now: Moment) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM device WHERE group_id = ?1 AND state <> 3) OR EXISTS (SELECT 1 FROM device_group WHERE parent_id = ?1)
             OR EXISTS (SELECT 1 FROM enrol_token WHERE group_id = ?1 AND revoked_at IS NULL AND expires_at > ?2)",
    )
    .bind(group.0)
    .bind(now.0)
    .fetch_one(conn)
    .await?)
}

/// Deletes a group that is not in use; revoked devices and spent tokens forget it.
///
/// # Errors
/// When the database fails.
pub async fn remove_group(conn: &mut SqliteConnection, group: GroupId) -> Result<()> {
    for statement in [
        "UPDATE device SET group_id = NULL WHERE group_id = ?",
        "UPDATE enrol_token SET group_id = NULL WHERE group_id = ?",
        "DELETE FROM device_group WHERE id = ?",
    ] {
        sqlx::query(statement).bind(group.0).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Every place.
///
/// # Errors
/// When the database fails.
pub async fn locations(conn: &mut SqliteConnection) -> Result<Vec<Versioned<Location>>> {
    let rows = sqlx::query("SELECT id, name, zone, rate_kib, max_in_flight, version FROM location ORDER BY id")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let rate: Option<i64> = row.try_get(3)?;
            Ok(Versioned {
                rule: Location {
                    id: LocationId(row.try_get(0)?),
                    zone: row.try_get(2)?,
                    max_in_flight: limit(row, 4)?,
                    bytes_per_second: rate.and_then(|kib| u64::try_from(kib).ok()).map(|kib| kib * 1_024),
                },
                name: row.try_get(1)?,
                version: version(row, 5)?,
            })
        })
        .collect()
}

/// What counts for the whole fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetPolicy {
    /// Open attempts at once; none: no limit.
    pub max_in_flight: Option<u32>,
    /// What happens after a failure.
    pub retry: RetryPolicy,
    /// Expected lengths until they were measured.
    pub durations: Durations,
}

impl FleetPolicy {
    /// Writes it into a policy.
    pub fn put(self, policy: &mut planner::Policy) {
        policy.permits = PermitPolicy {
            fleet_in_flight: self.max_in_flight,
            ..policy.permits
        };
        policy.retry = self.retry;
        policy.durations = self.durations;
    }
}

/// What counts for the whole fleet.
///
/// # Errors
/// When the database fails.
pub async fn fleet(conn: &mut SqliteConnection) -> Result<Versioned<FleetPolicy>> {
    let row = sqlx::query(
        "SELECT max_in_flight, retry_max, retry_first, retry_longest, install_seconds, reboot_seconds, bytes_per_second, version FROM fleet_policy",
    )
    .fetch_one(conn)
    .await?;
    let rate: i64 = row.try_get(6)?;
    Ok(Versioned {
        rule: FleetPolicy {
            max_in_flight: limit(&row, 0)?,
            retry: RetryPolicy {
                max: count(&row, 1)?,
                first: Span(row.try_get(2)?),
                longest: Span(row.try_get(3)?),
            },
            durations: Durations {
                install: Span(row.try_get(4)?),
                reboot: Span(row.try_get(5)?),
                bytes_per_second: u64::try_from(rate).unwrap_or(1),
            },
        },
        name: String::new(),
        version: version(&row, 7)?,
    })
}

/// Writes what counts for the whole fleet.
///
/// # Errors
/// When the database fails.
pub async fn put_fleet(
    conn: &mut SqliteConnection,
    new: FleetPolicy,
    version: i64,
    now: Moment,
    by: &str,
) -> Result<()> {
    sqlx::query(
        "UPDATE fleet_policy SET max_in_flight = ?, retry_max = ?, retry_first = ?, retry_longest = ?, install_seconds = ?,
                reboot_seconds = ?, bytes_per_second = ?, version = ?, updated_at = ?, updated_by = ?",
    )
    .bind(new.max_in_flight)
    .bind(new.retry.max)
    .bind(new.retry.first.0)
    .bind(new.retry.longest.0)
    .bind(new.durations.install.0)
    .bind(new.durations.reboot.0)
    .bind(super::devices::signed(new.durations.bytes_per_second))
    .bind(version)
    .bind(now.0)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

/// Says whether a product must not fail; `false` when it was said already.
///
/// # Errors
/// When the database fails.
pub async fn set_critical(conn: &mut SqliteConnection, product: ProductId, critical: bool) -> Result<bool> {
    let done = sqlx::query("UPDATE product SET critical = ?1 WHERE id = ?2 AND critical <> ?1")
        .bind(critical)
        .bind(product.0)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// The products that must not fail, with the groups of the active devices that have them, and how many of each.
///
/// # Errors
/// When the database fails.
pub async fn critical(conn: &mut SqliteConnection) -> Result<Vec<(ProductId, String, Vec<(Option<GroupId>, u32)>)>> {
    let products: Vec<(i64, String)> = sqlx::query_as("SELECT id, name FROM product WHERE critical = 1 ORDER BY name")
        .fetch_all(&mut *conn)
        .await?;
    let mut all = Vec::with_capacity(products.len());
    for (id, name) in products {
        let devices: Vec<(Option<i64>, u32)> = sqlx::query_as(
            "SELECT group_id, count(*) FROM device WHERE state = 1 AND id IN (
                SELECT s.device_id FROM patch p CROSS JOIN device_patch s ON s.patch_id = p.id AND s.state <> 1 WHERE p.source = ?)
             GROUP BY group_id",
        )
        .bind(&name)
        .fetch_all(&mut *conn)
        .await?;
        let devices = devices.into_iter().map(|(group, n)| (group.map(GroupId), n)).collect();
        all.push((ProductId(id), name, devices));
    }
    Ok(all)
}

/// Active devices by group.
///
/// # Errors
/// When the database fails.
pub async fn devices_by_group(conn: &mut SqliteConnection) -> Result<Vec<(Option<GroupId>, u32)>> {
    let rows: Vec<(Option<i64>, u32)> =
        sqlx::query_as("SELECT group_id, count(*) FROM device WHERE state = 1 GROUP BY group_id")
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|(group, n)| (group.map(GroupId), n)).collect())
}

/// Active devices and open attempts by location.
///
/// # Errors
/// When the database fails.
pub async fn at_locations(conn: &mut SqliteConnection) -> Result<Vec<(LocationId, u32, u32)>> {
    let rows: Vec<(i64, u32, u32)> = sqlx::query_as(
        "SELECT l.id, (SELECT count(*) FROM device d WHERE d.location_id = l.id AND d.state = 1),
                (SELECT count(*) FROM attempt a JOIN device d ON d.id = a.device_id WHERE a.state IN (1, 2) AND d.location_id = l.id)
         FROM location l",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, devices, runs)| (LocationId(id), devices, runs))
        .collect())
}

/// Open attempts by ring.
///
/// # Errors
/// When the database fails.
pub async fn in_flight(conn: &mut SqliteConnection) -> Result<Vec<(Option<RingId>, u32)>> {
    let rows: Vec<(Option<i64>, u32)> =
        sqlx::query_as("SELECT ring_id, count(*) FROM attempt WHERE state IN (1, 2) GROUP BY ring_id")
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|(ring, n)| (ring.map(RingId), n)).collect())
}
