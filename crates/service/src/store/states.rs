//! States of patches on devices, and the counts that follow from them. [`apply`] is the only writer of both, so that a count on a page
//! always equals the list it links to.

use crate::error::{Error, Result};
use domain::{Category, DeviceId, Moment, PatchId, PatchState};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use std::collections::BTreeMap;
use view::CountBucket;

/// The states of a patch that a device still lacks, as SQL.
macro_rules! open_states {
    () => {
        "(2, 4, 5, 6, 11)"
    };
}
pub(crate) use open_states;

/// A stored state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Of which patch.
    pub patch: PatchId,
    /// The state.
    pub state: PatchState,
    /// Since when.
    pub since: Moment,
    /// Installed by a permit of ours.
    pub ours: bool,
    /// JSON of [`protocol::v1::Brake`].
    pub brake: Option<String>,
    /// Bytes that the device would download, when it last offered the patch.
    pub bytes: Option<u64>,
    /// Whether the patch counts as security.
    pub security: bool,
}

/// One change of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it becomes.
    pub to: State,
    /// What it was; `None` = there was no row.
    pub from: Option<PatchState>,
}

/// The state stored under a code.
///
/// # Errors
/// [`Error::Inconsistent`] for a code that this version does not know.
pub fn state_of(code: i64) -> Result<PatchState> {
    PatchState::from_code(code).ok_or_else(|| Error::Inconsistent(format!("patch state {code}")))
}

/// What a device would download, as it is stored.
pub(super) fn bytes_of(stored: Option<i64>) -> Option<u64> {
    stored.and_then(|bytes| u64::try_from(bytes).ok())
}

fn state(row: &SqliteRow) -> Result<State> {
    Ok(State {
        patch: PatchId(row.try_get(0)?),
        state: state_of(row.try_get(1)?)?,
        since: Moment(row.try_get(2)?),
        ours: row.try_get(3)?,
        brake: row.try_get(4)?,
        security: row.try_get::<i64, _>(5)? == Category::Security.code(),
        bytes: bytes_of(row.try_get(6)?),
    })
}

/// All states of a device, by patch.
///
/// # Errors
/// When the database fails.
pub async fn of_device(conn: &mut SqliteConnection, device: DeviceId) -> Result<BTreeMap<PatchId, State>> {
    let rows = sqlx::query(
        "SELECT s.patch_id, s.state, s.since, s.ours, s.brake, p.category, s.bytes FROM device_patch s JOIN patch p ON p.id = s.patch_id
         WHERE s.device_id = ?",
    )
    .bind(device.0)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| state(row).map(|s| (s.patch, s))).collect()
}

/// The state of one patch on one device.
///
/// # Errors
/// When the database fails.
pub async fn of_pair(conn: &mut SqliteConnection, device: DeviceId, patch: PatchId) -> Result<Option<State>> {
    let row = sqlx::query(
        "SELECT s.patch_id, s.state, s.since, s.ours, s.brake, p.category, s.bytes FROM device_patch s JOIN patch p ON p.id = s.patch_id
         WHERE s.device_id = ? AND s.patch_id = ?",
    )
    .bind(device.0)
    .bind(patch.0)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(state).transpose()
}

/// The states of one patch on these devices.
///
/// # Errors
/// When the database fails.
pub async fn of_patch(
    conn: &mut SqliteConnection,
    patch: PatchId,
    devices: &[DeviceId],
) -> Result<BTreeMap<DeviceId, State>> {
    let rows = sqlx::query(
        "SELECT s.patch_id, s.state, s.since, s.ours, s.brake, p.category, s.bytes, s.device_id
         FROM json_each(?) AS v CROSS JOIN device_patch s ON s.device_id = v.value AND s.patch_id = ? JOIN patch p ON p.id = s.patch_id",
    )
    .bind(json(&devices)?)
    .bind(patch.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok((DeviceId(row.try_get(7)?), state(row)?)))
        .collect()
}

/// Sets the state of one patch on one device; does nothing when it is that already or there is no row.
///
/// # Errors
/// When the database fails.
pub async fn set(
    conn: &mut SqliteConnection,
    device: DeviceId,
    patch: PatchId,
    state: PatchState,
    now: Moment,
) -> Result<()> {
    let Some(before) = of_pair(conn, device, patch).await? else {
        return Ok(());
    };
    if before.state == state {
        return Ok(());
    }
    apply(
        conn,
        device,
        &[Change {
            from: Some(before.state),
            to: State {
                state,
                since: now,
                ..before
            },
        }],
    )
    .await
}

/// What one state adds to the counts of its patch: one column or none.
fn patch_counts(state: PatchState, sign: i64, counts: &mut [i64; 7]) {
    if let Some(bucket) = CountBucket::of(state) {
        counts[bucket as usize] += sign;
    }
}

/// What one state adds to the counts of its device: open, open and security, failed, pending.
fn device_counts(state: PatchState, security: bool, sign: i64, counts: &mut [i64; 4]) {
    counts[0] += if state.is_open() { sign } else { 0 };
    counts[1] += if state.is_open() && security { sign } else { 0 };
    counts[2] += if CountBucket::of(state) == Some(CountBucket::Failed) {
        sign
    } else {
        0
    };
    counts[3] += if CountBucket::of(state) == Some(CountBucket::Pending) {
        sign
    } else {
        0
    };
}

/// Writes changed states of a device and moves the counts of patches and device by exactly what changed: three statements, whatever the
/// number of changes and devices. `from` must be what is stored.
///
/// # Errors
/// When the database fails.
pub async fn apply(conn: &mut SqliteConnection, device: DeviceId, changes: &[Change]) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut of_device = [0_i64; 4];
    let (mut rows, mut counts) = (Vec::with_capacity(changes.len()), Vec::with_capacity(changes.len()));
    for change in changes {
        let State {
            patch,
            state,
            since,
            ours,
            brake,
            security,
            bytes,
        } = &change.to;
        rows.push((patch.0, state.code(), since.0, i64::from(*ours), brake, bytes));
        let mut of_patch = [0_i64; 7];
        if let Some(from) = change.from {
            patch_counts(from, -1, &mut of_patch);
            device_counts(from, *security, -1, &mut of_device);
        }
        patch_counts(*state, 1, &mut of_patch);
        device_counts(*state, *security, 1, &mut of_device);
        counts.push((patch.0, of_patch));
    }
    sqlx::query(
        "INSERT INTO device_patch (device_id, patch_id, state, since, ours, brake, bytes)
         SELECT ?, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each(?) WHERE true
         ON CONFLICT (device_id, patch_id) DO UPDATE SET state = excluded.state, since = excluded.since, ours = excluded.ours, brake = excluded.brake,
             bytes = excluded.bytes",
    )
    .bind(device.0)
    .bind(json(&rows)?)
    .execute(&mut *conn)
    .await?;
    // Whom a patch concerns is a fact about it, also where no count changes.
    sqlx::query(
            "UPDATE patch SET facts = facts + 1, n_missing = n_missing + (c.n ->> 0), n_installed = n_installed + (c.n ->> 1), n_failed = n_failed + (c.n ->> 2),
                    n_pending = n_pending + (c.n ->> 3), n_unknown = n_unknown + (c.n ->> 4), n_superseded = n_superseded + (c.n ->> 5),
                    n_rolled_back = n_rolled_back + (c.n ->> 6)
             FROM (SELECT value ->> 0 AS id, value -> 1 AS n FROM json_each(?)) AS c WHERE patch.id = c.id",
        )
        .bind(json(&counts)?)
        .execute(&mut *conn)
        .await?;
    let owed: Vec<i64> = changes
        .iter()
        .filter(|c| c.to.state == PatchState::PendingReboot)
        .map(|c| c.to.patch.0)
        .collect();
    if !owed.is_empty() {
        // What one device owes a reboot for needs one everywhere.
        sqlx::query(
            "UPDATE patch SET needs_reboot = 1 WHERE id IN (SELECT value FROM json_each(?)) AND needs_reboot = 0",
        )
        .bind(json(&owed)?)
        .execute(&mut *conn)
        .await?;
    }
    if of_device != [0; 4] {
        sqlx::query(
            "UPDATE device SET n_open = n_open + ?, n_security = n_security + ?, n_failed = n_failed + ?, n_pending = n_pending + ? WHERE id = ?",
        )
        .bind(of_device[0])
        .bind(of_device[1])
        .bind(of_device[2])
        .bind(of_device[3])
        .bind(device.0)
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Makes every state of a device unknown: nobody could look for too long (DESIGN principle 8). The next report restores them.
///
/// # Errors
/// When the database fails.
pub async fn forget(conn: &mut SqliteConnection, device: DeviceId, now: Moment) -> Result<()> {
    let states = of_device(conn, device).await?;
    let changes: Vec<Change> = states
        .into_values()
        .filter(|s| !matches!(s.state, PatchState::Unknown | PatchState::NotApplicable))
        .map(|s| Change {
            from: Some(s.state),
            to: State {
                state: PatchState::Unknown,
                since: now,
                ..s
            },
        })
        .collect();
    apply(conn, device, &changes).await?;
    sqlx::query("UPDATE device SET silent = 1 WHERE id = ?")
        .bind(device.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// A patch became a security patch: the devices that need it count it as one.
///
/// # Errors
/// When the database fails.
pub async fn became_security(conn: &mut SqliteConnection, patch: PatchId) -> Result<()> {
    sqlx::query(
        "UPDATE device SET n_security = n_security + 1
         WHERE id IN (SELECT device_id FROM device_patch WHERE patch_id = ? AND state IN (4, 5, 6, 7, 11, 12))",
    )
    .bind(patch.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// JSON for a bulk statement.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::Inconsistent(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_and_columns_are_in_the_same_order() {
        let columns = [
            "missing",
            "installed",
            "failed",
            "pending",
            "unknown",
            "superseded",
            "rolled_back",
        ];
        for (at, bucket) in CountBucket::ALL.iter().enumerate() {
            assert_eq!((*bucket as usize, bucket.word()), (at, columns[at]));
        }
        let open: Vec<i64> = PatchState::ALL
            .iter()
            .filter(|s| s.is_open())
            .map(|s| s.code())
            .collect();
        assert_eq!(open, [4, 5, 6, 7, 11, 12], "the codes in became_security");
    }
}
