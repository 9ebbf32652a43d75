//! Rows of attempts and of their results.

use crate::error::{Error, Result};
use domain::{AttemptId, DeviceId, Moment, PatchId, PatchState, RingId};
use protocol::v1::{ActionKind, PackageVersion};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use std::collections::HashMap;

/// How far an attempt has come. The codes are the schema's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// May start.
    Permitted = 1,
    /// The package manager runs, or ran when last heard of.
    Started = 2,
    /// The versions asked for were observed.
    Succeeded = 3,
    /// Started, and they were not.
    Failed = 4,
    /// The package manager could not be repaired.
    Broken = 5,
    /// The package manager was not started.
    NotStarted = 6,
    /// The permit's time was over before the start, or the permit was taken back.
    Lapsed = 7,
    /// No result and no contact by the deadline; counts as failed until the device says otherwise (I-30).
    Vanished = 8,
}

impl Stage {
    /// The stage stored under a code.
    ///
    /// # Errors
    /// [`Error::Inconsistent`] for a code that this version does not know.
    pub fn from_code(code: i64) -> Result<Self> {
        use Stage::{Broken, Failed, Lapsed, NotStarted, Permitted, Started, Succeeded, Vanished};
        [
            Permitted, Started, Succeeded, Failed, Broken, NotStarted, Lapsed, Vanished,
        ]
        .into_iter()
        .find(|s| *s as i64 == code)
        .ok_or_else(|| Error::Inconsistent(format!("attempt state {code}")))
    }

    /// Without a result.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Permitted | Self::Started)
    }

    /// Counts as a failure of the patch.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Broken | Self::Vanished)
    }
}

/// The code of a kind.
#[must_use]
pub const fn kind_code(kind: ActionKind) -> i64 {
    match kind {
        ActionKind::Install => 1,
        ActionKind::RollBack => 2,
    }
}

fn kind_of(code: i64) -> Result<ActionKind> {
    match code {
        1 => Ok(ActionKind::Install),
        2 => Ok(ActionKind::RollBack),
        _ => Err(Error::Inconsistent(format!("attempt kind {code}"))),
    }
}

/// An attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its number.
    pub id: AttemptId,
    /// On which device.
    pub device: DeviceId,
    /// Of which patch.
    pub patch: PatchId,
    /// The device's ring when permitted.
    pub ring: Option<RingId>,
    /// What was to be done.
    pub kind: ActionKind,
    /// Its fence.
    pub fence: u64,
    /// How far it has come.
    pub stage: Stage,
    /// When it was permitted.
    pub permitted_at: Moment,
    /// By when it had to start.
    pub start_by: Moment,
    /// By when a result or a contact must have come.
    pub deadline: Moment,
    /// When it started, as the server heard.
    pub started_at: Option<Moment>,
    /// When it ended, as the server heard.
    pub finished_at: Option<Moment>,
    /// When a later scan showed it.
    pub proven_at: Option<Moment>,
    /// What was installed before.
    pub previous: Vec<PackageVersion>,
    /// What its permit named; empty where that was not kept.
    pub asked: Vec<PackageVersion>,
}

macro_rules! attempt_sql {
    ($rest:literal) => {
        concat!(
            "SELECT id, device_id, patch_id, ring_id, kind, fence, state, permitted_at, start_by, deadline, started_at, finished_at, proven_at, previous,
                    coalesce(asked, '[]')
             FROM attempt ",
            $rest
        )
    };
}

fn attempt(row: &SqliteRow) -> Result<Attempt> {
    let moment = |at: usize| -> Result<Option<Moment>> { Ok(row.try_get::<Option<i64>, _>(at)?.map(Moment)) };
    let id: i64 = row.try_get(0)?;
    let packages = |at: usize| -> Result<Vec<PackageVersion>> {
        let json: &str = row.try_get(at)?;
        serde_json::from_str(json).map_err(|e| Error::Inconsistent(format!("attempt {id}: {e}")))
    };
    Ok(Attempt {
        id: AttemptId(id),
        device: DeviceId(row.try_get(1)?),
        patch: PatchId(row.try_get(2)?),
        ring: row.try_get::<Option<i64>, _>(3)?.map(RingId),
        kind: kind_of(row.try_get(4)?)?,
        fence: u64::try_from(row.try_get::<i64, _>(5)?).unwrap_or(0),
        stage: Stage::from_code(row.try_get(6)?)?,
        permitted_at: Moment(row.try_get(7)?),
        start_by: Moment(row.try_get(8)?),
        deadline: Moment(row.try_get(9)?),
        started_at: moment(10)?,
        finished_at: moment(11)?,
        proven_at: moment(12)?,
        previous: packages(13)?,
        asked: packages(14)?,
    })
}

/// The attempt with a number.
///
/// # Errors
/// When the database fails.
pub async fn by_id(conn: &mut SqliteConnection, id: AttemptId) -> Result<Option<Attempt>> {
    let row = sqlx::query(attempt_sql!("WHERE id = ?"))
        .bind(id.0)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(attempt).transpose()
}

/// The open attempt of a device, if there is one (I-15: never two).
///
/// # Errors
/// When the database fails.
pub async fn open_of(conn: &mut SqliteConnection, device: DeviceId) -> Result<Option<Attempt>> {
    let row = sqlx::query(attempt_sql!("WHERE device_id = ? AND state IN (1, 2)"))
        .bind(device.0)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(attempt).transpose()
}

/// The attempts of a device at a patch, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_pair(conn: &mut SqliteConnection, device: DeviceId, patch: PatchId) -> Result<Vec<Attempt>> {
    let rows = sqlx::query(attempt_sql!("WHERE device_id = ? AND patch_id = ? ORDER BY id"))
        .bind(device.0)
        .bind(patch.0)
        .fetch_all(conn)
        .await?;
    rows.iter().map(attempt).collect()
}

/// The attempts of these devices at a patch, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn at_patch(conn: &mut SqliteConnection, patch: PatchId, devices: &[DeviceId]) -> Result<Vec<Attempt>> {
    let rows = sqlx::query(attempt_sql!(
        "WHERE patch_id = ? AND device_id IN (SELECT value FROM json_each(?)) ORDER BY id"
    ))
    .bind(patch.0)
    .bind(super::states::json(&devices)?)
    .fetch_all(conn)
    .await?;
    rows.iter().map(attempt).collect()
}

/// Every attempt of a device, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_device(conn: &mut SqliteConnection, device: DeviceId) -> Result<Vec<Attempt>> {
    let rows = sqlx::query(attempt_sql!("WHERE device_id = ? ORDER BY id"))
        .bind(device.0)
        .fetch_all(conn)
        .await?;
    rows.iter().map(attempt).collect()
}

/// Open attempts of the whole fleet, by the partial index of open ones.
///
/// # Errors
/// When the database fails.
pub async fn all_open(conn: &mut SqliteConnection) -> Result<Vec<Attempt>> {
    let rows = sqlx::query(attempt_sql!("WHERE state IN (1, 2) ORDER BY device_id"))
        .fetch_all(conn)
        .await?;
    rows.iter().map(attempt).collect()
}

/// Records a permit and raises the device's fence.
///
/// # Errors
/// When the database fails; also when the device has an open attempt (I-15).
pub async fn insert(conn: &mut SqliteConnection, new: &Attempt) -> Result<AttemptId> {
    sqlx::query("UPDATE device SET fence = ? WHERE id = ?")
        .bind(super::devices::signed(new.fence))
        .bind(new.device.0)
        .execute(&mut *conn)
        .await?;
    let id = sqlx::query_scalar(
        "INSERT INTO attempt (device_id, patch_id, ring_id, kind, fence, state, permitted_at, start_by, deadline, previous, asked, boot_id)
         VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,(SELECT boot_id FROM device WHERE id = ?1)) RETURNING id",
    )
    .bind(new.device.0)
    .bind(new.patch.0)
    .bind(new.ring.map(|r| r.0))
    .bind(kind_code(new.kind))
    .bind(super::devices::signed(new.fence))
    .bind(new.stage as i64)
    .bind(new.permitted_at.0)
    .bind(new.start_by.0)
    .bind(new.deadline.0)
    .bind(super::states::json(&new.previous)?)
    .bind(super::states::json(&new.asked)?)
    .fetch_one(conn)
    .await?;
    Ok(AttemptId(id))
}

/// Records what a repeated permit names: a scan may have come in between.
///
/// # Errors
/// When the database fails.
pub async fn ask(conn: &mut SqliteConnection, id: AttemptId, packages: &[PackageVersion]) -> Result<()> {
    sqlx::query("UPDATE attempt SET asked = ? WHERE id = ?")
        .bind(super::states::json(&packages)?)
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Records that an attempt started, and what was installed before.
///
/// # Errors
/// When the database fails.
pub async fn start(conn: &mut SqliteConnection, id: AttemptId, from: &[PackageVersion], now: Moment) -> Result<()> {
    sqlx::query("UPDATE attempt SET state = 2, started_at = coalesce(started_at, ?), previous = ? WHERE id = ?")
        .bind(now.0)
        .bind(super::states::json(&from)?)
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Records when an attempt started and what was installed before, of one that has ended already: its records came out of order.
///
/// # Errors
/// When the database fails.
pub async fn set_previous(
    conn: &mut SqliteConnection,
    id: AttemptId,
    from: &[PackageVersion],
    now: Moment,
) -> Result<()> {
    sqlx::query("UPDATE attempt SET started_at = coalesce(started_at, ?), previous = ? WHERE id = ?")
        .bind(now.0)
        .bind(super::states::json(&from)?)
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// Judged.
    pub stage: Stage,
    /// JSON of the outcome.
    pub detail: &'a str,
    /// The end of the package manager's log.
    pub log: &'a str,
    /// Seconds that the package manager ran, as the device says.
    pub took: Option<u32>,
}

impl End<'_> {
    /// An end of which the device said nothing.
    #[must_use]
    pub const fn unsaid(stage: Stage) -> Self {
        Self {
            stage,
            detail: "{}",
            log: "",
            took: None,
        }
    }
}

/// Records how an attempt ended. It cannot have taken longer than since its permit, whatever the device says; where the
/// clock was set back meanwhile, nothing tells how long.
///
/// # Errors
/// When the database fails.
pub async fn finish(conn: &mut SqliteConnection, id: AttemptId, end: End<'_>, now: Moment) -> Result<()> {
    sqlx::query(
        "UPDATE attempt SET state = ?1, finished_at = ?2, detail = ?3, log = ?4, took = CASE WHEN ?2 > permitted_at THEN min(?5, ?2 - permitted_at) END,
             ended_after = (SELECT max(seq) FROM audit) WHERE id = ?6",
    )
        .bind(end.stage as i64)
        .bind(now.0)
        .bind(end.detail)
        .bind(end.log)
        .bind(end.took)
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Records that a scan showed what an attempt had done.
///
/// # Errors
/// When the database fails.
pub async fn prove(conn: &mut SqliteConnection, id: AttemptId, now: Moment) -> Result<()> {
    sqlx::query(
        "UPDATE attempt SET state = 3, proven_at = ?, finished_at = coalesce(finished_at, ?),
             ended_after = coalesce(ended_after, (SELECT max(seq) FROM audit)) WHERE id = ?",
    )
    .bind(now.0)
    .bind(now.0)
    .bind(id.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Closes the open attempt of a device that is revoked; its results are no longer taken.
///
/// # Errors
/// When the database fails.
pub async fn close_all(conn: &mut SqliteConnection, device: DeviceId, now: Moment) -> Result<()> {
    sqlx::query("UPDATE attempt SET state = 7, finished_at = ? WHERE device_id = ? AND state IN (1, 2)")
        .bind(now.0)
        .bind(device.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// The hash under which a result was taken, if it was.
///
/// # Errors
/// When the database fails.
pub async fn result_hash(conn: &mut SqliteConnection, id: &str) -> Result<Option<(DeviceId, Vec<u8>)>> {
    let row = sqlx::query("SELECT device_id, hash FROM result WHERE id = ?")
        .bind(id)
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((DeviceId(row.try_get(0)?), row.try_get(1)?)))
}

/// Records that a result was taken.
///
/// # Errors
/// When the database fails.
pub async fn take_result(
    conn: &mut SqliteConnection,
    id: &str,
    hash: &[u8],
    device: DeviceId,
    attempt: AttemptId,
    now: Moment,
) -> Result<()> {
    sqlx::query("INSERT INTO result (id, hash, device_id, attempt_id, taken_at) VALUES (?,?,?,?,?)")
        .bind(id)
        .bind(hash)
        .bind(device.0)
        .bind(attempt.0)
        .bind(now.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// What attempts and orders left on one pair: what refines a state beyond what a scan shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The last install that started did not succeed.
    pub failed: bool,
    /// An install runs.
    pub running: bool,
    /// Installed by a permit of ours and not taken back.
    pub ours: bool,
    /// A rollback order is in force: the version stays blocked (I-33).
    pub blocked: bool,
}

impl History {
    /// A state that says "missing", as the attempts refine it.
    #[must_use]
    pub const fn refine(&self, missing: PatchState) -> PatchState {
        match (self.running, self.failed) {
            (true, _) => PatchState::Installing,
            (false, true) => PatchState::Failed,
            (false, false) => missing,
        }
    }

    /// From the attempts of one pair, oldest first.
    pub fn take(&mut self, attempt: &Attempt) {
        match (attempt.kind, attempt.stage) {
            (ActionKind::Install, Stage::Started) => self.running = true,
            (ActionKind::Install, Stage::Succeeded) => (self.failed, self.ours) = (false, true),
            (ActionKind::Install, stage) if stage.is_failure() => self.failed = true,
            (ActionKind::RollBack, Stage::Succeeded) => (self.failed, self.ours) = (false, false),
            _ => {}
        }
    }
}

/// What attempts and orders left on every pair of a device.
#[must_use]
pub fn histories(attempts: &[Attempt], blocked: impl IntoIterator<Item = PatchId>) -> HashMap<PatchId, History> {
    let mut all: HashMap<PatchId, History> = HashMap::new();
    for attempt in attempts {
        all.entry(attempt.patch).or_default().take(attempt);
    }
    for patch in blocked {
        all.entry(patch).or_default().blocked = true;
    }
    all
}
