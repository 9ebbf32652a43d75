//! In which hours of the week devices were seen (SCH-2).

use super::contacts::Contact;
use crate::error::{Error, Result};
use domain::{DeviceId, DeviceState, GroupId, LocationId};
use planner::{DeviceFacts, Presence, WallHour};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use std::collections::BTreeMap;

fn presence(row: &SqliteRow, at: usize) -> Result<Presence> {
    let weeks: Vec<u8> = row.try_get(at + 2)?;
    Ok(Presence {
        since: WallHour(row.try_get(at)?),
        last: WallHour(row.try_get(at + 1)?),
        weeks: weeks
            .try_into()
            .map_err(|_| Error::Inconsistent("hours of a week without 168 bytes".to_owned()))?,
    })
}

/// Writes the hours of those contacts that were the first of their hour.
///
/// # Errors
/// When the database fails.
pub async fn write(conn: &mut SqliteConnection, contacts: &[Contact]) -> Result<()> {
    let fresh: BTreeMap<i64, WallHour> = contacts.iter().filter_map(|c| Some((c.device.0, c.hour?))).collect();
    if fresh.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = fresh.keys().copied().collect();
    let rows = sqlx::query(
        "SELECT device_id, since_hour, last_hour, weeks FROM device_seen WHERE device_id IN (SELECT value FROM json_each(?))",
    )
    .bind(super::states::json(&ids)?)
    .fetch_all(&mut *conn)
    .await?;
    let mut before: BTreeMap<i64, Presence> = BTreeMap::new();
    for row in &rows {
        before.insert(row.try_get(0)?, presence(row, 1)?);
    }
    let after = fresh.into_iter().map(|(id, hour)| {
        let seen = match before.remove(&id) {
            Some(mut seen) => {
                seen.saw(hour);
                seen
            }
            None => Presence::new(hour),
        };
        serde_json::json!([id, seen.since.0, seen.last.0, hex::encode(seen.weeks)])
    });
    sqlx::query(
        "INSERT INTO device_seen (device_id, since_hour, last_hour, weeks)
         SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3) FROM json_each(?) WHERE true
         ON CONFLICT (device_id) DO UPDATE SET since_hour = excluded.since_hour, last_hour = excluded.last_hour, weeks = excluded.weeks",
    )
    .bind(serde_json::Value::Array(after.collect()).to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// An active device with what its schedule depends on, and its hours.
#[derive(Clone, Debug)]
pub struct SeenDevice {
    /// Number, group, zone and location only.
    pub facts: DeviceFacts,
    /// Its hours; none: not seen since they are kept.
    pub seen: Option<Presence>,
}

/// Every active device, by number.
///
/// # Errors
/// When the database fails.
pub async fn all(conn: &mut SqliteConnection) -> Result<Vec<SeenDevice>> {
    let rows = sqlx::query(
        "SELECT d.id, d.group_id, d.zone, s.since_hour, s.last_hour, s.weeks, d.location_id FROM device d
         LEFT JOIN device_seen s ON s.device_id = d.id WHERE d.state = ? ORDER BY d.id",
    )
    .bind(DeviceState::Active.code())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let since: Option<i64> = row.try_get(3)?;
            let facts = DeviceFacts {
                groups: row.try_get::<Option<i64>, _>(1)?.map(GroupId).into_iter().collect(),
                zone: row.try_get(2)?,
                location: row.try_get::<Option<i64>, _>(6)?.map(LocationId),
                ..DeviceFacts::new(DeviceId(row.try_get(0)?), domain::OsReleaseId(0), domain::RingId(0))
            };
            let seen = since.map(|_| presence(row, 3)).transpose()?;
            Ok(SeenDevice { facts, seen })
        })
        .collect()
}
