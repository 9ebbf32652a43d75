//! What devices have tried in vain since the last success or since a person last looked, and the tries that persons give anew.

use super::attempts::kind_code;
use crate::error::Result;
use domain::{AccountId, DeviceId, Moment, PatchId};
use protocol::v1::ActionKind;
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

/// Tries in vain at one patch on one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// When each failure was, oldest first.
    pub failed: Vec<Moment>,
    /// When the device had leave and did not start, since its last start.
    pub not_started: Vec<Moment>,
}

impl Tried {
    /// Tries by state and moment, in their order.
    fn of(rows: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let mut tried = Self::default();
        for (state, at) in rows {
            tried.add(state, at);
        }
        tried
    }

    fn add(&mut self, state: i64, at: i64) {
        if state == super::attempts::Stage::NotStarted as i64 {
            self.not_started.push(Moment(at));
        } else {
            self.failed.push(Moment(at));
            self.not_started.clear();
        }
    }
}

/// Installs that count: in vain, after the last success, after the last resolved hold of the patch, after the last tries given.
macro_rules! counts {
    ($whose:literal) => {
        concat!(
            "SELECT a.device_id, a.patch_id, a.state, coalesce(a.finished_at, a.deadline) FROM attempt a WHERE ",
            $whose,
            " AND a.kind = 1 AND a.state IN (4, 5, 6, 8)
               AND a.id > coalesce((SELECT max(id) FROM attempt WHERE device_id = a.device_id AND patch_id = a.patch_id AND state = 3), 0)
               AND coalesce(a.ended_after, 0) > coalesce((SELECT max(resolved_after) FROM hold WHERE patch_id = a.patch_id), -1)
               AND coalesce(a.ended_after, 0) > coalesce((SELECT max(given_after) FROM tries_given g
                     WHERE g.device_id = a.device_id AND g.patch_id = a.patch_id AND g.kind = 1), -1)
             ORDER BY a.id"
        )
    };
}

type Row = (i64, i64, i64, i64);

fn by_pair(rows: Vec<Row>) -> BTreeMap<(DeviceId, PatchId), Tried> {
    let mut all: BTreeMap<(DeviceId, PatchId), Tried> = BTreeMap::new();
    for (device, patch, state, at) in rows {
        all.entry((DeviceId(device), PatchId(patch)))
            .or_default()
            .add(state, at);
    }
    all
}

/// Of one patch on one device.
///
/// # Errors
/// When the database fails.
pub async fn of_pair(conn: &mut SqliteConnection, device: DeviceId, patch: PatchId) -> Result<Tried> {
    let rows: Vec<Row> = sqlx::query_as(counts!("a.device_id = ?1 AND a.patch_id = ?2"))
        .bind(device.0)
        .bind(patch.0)
        .fetch_all(conn)
        .await?;
    Ok(Tried::of(rows.into_iter().map(|(_, _, state, at)| (state, at))))
}

/// Of every patch on these devices that was tried in vain.
///
/// # Errors
/// When the database fails.
pub async fn of_devices(
    conn: &mut SqliteConnection,
    devices: &[DeviceId],
) -> Result<BTreeMap<(DeviceId, PatchId), Tried>> {
    let rows = sqlx::query_as(counts!("a.device_id IN (SELECT value FROM json_each(?1))"))
        .bind(super::states::json(&devices)?)
        .fetch_all(conn)
        .await?;
    Ok(by_pair(rows))
}

/// At going back from a patch, since it was last installed and since a person last ordered it or gave tries anew.
///
/// # Errors
/// When the database fails.
pub async fn back(conn: &mut SqliteConnection, device: DeviceId, patch: PatchId) -> Result<Tried> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT a.state, coalesce(a.finished_at, a.deadline) FROM attempt a
         WHERE a.device_id = ?1 AND a.patch_id = ?2 AND a.kind = 2 AND a.state IN (4, 5, 6, 8)
           AND a.id > coalesce((SELECT max(id) FROM attempt WHERE device_id = ?1 AND patch_id = ?2 AND (kind = 1 OR state = 3)), 0)
           AND coalesce(a.ended_after, 0) > coalesce((SELECT max(given_after) FROM tries_given WHERE device_id = ?1 AND patch_id = ?2 AND kind = 2), -1)
         ORDER BY a.id",
    )
    .bind(device.0)
    .bind(patch.0)
    .fetch_all(conn)
    .await?;
    Ok(Tried::of(rows))
}

/// A person lets a device try again: what ended before now does not count any more.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// On which device.
    pub device: DeviceId,
    /// Which patch.
    pub patch: PatchId,
    /// Installing it or going back from it.
    pub kind: ActionKind,
    /// Who.
    pub by: AccountId,
    /// Why.
    pub reason: &'a str,
}

/// Writes that down.
///
/// # Errors
/// When the database fails.
pub async fn give(conn: &mut SqliteConnection, given: Given<'_>, now: Moment) -> Result<()> {
    sqlx::query(
        "INSERT INTO tries_given (device_id, patch_id, kind, given_at, given_by, reason, given_after)
         VALUES (?, ?, ?, ?, ?, ?, (SELECT coalesce(max(seq), 0) FROM audit))",
    )
    .bind(given.device.0)
    .bind(given.patch.0)
    .bind(kind_code(given.kind))
    .bind(now.0)
    .bind(given.by.0)
    .bind(given.reason)
    .execute(conn)
    .await?;
    Ok(())
}
