//! Rows of devices.

use super::{contacts::Said, states::open_states};
use crate::error::{Error, Result};
use domain::{
    DeviceId, DeviceState, GroupId, LocationId, Measured, Moment, OsReleaseId, RebootPolicy, RingId, Span, TokenId,
};
use protocol::v1::HostFacts;
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

/// A device as every contact and every decision needs it: its row, its group's ring and reboot policy, its location's rate.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its number.
    pub id: DeviceId,
    /// Hash of its public key.
    pub key_id: String,
    /// Its public key.
    pub public_key: [u8; 32],
    /// Where it stands with the server.
    pub state: DeviceState,
    /// Never installs.
    pub scan_only: bool,
    /// Host name, shown only.
    pub hostname: String,
    /// Its OS release.
    pub os_release: OsReleaseId,
    /// IANA zone.
    pub zone: String,
    /// Its group.
    pub group: Option<GroupId>,
    /// The ring of its group, or of the nearest group above that has one.
    pub ring: Option<RingId>,
    /// Where it is.
    pub location: Option<LocationId>,
    /// Its group's reboot policy.
    pub reboot: RebootPolicy,
    /// Last sequence number that was written.
    pub seq: u64,
    /// Last contact that was written.
    pub last_contact: Moment,
    /// What its check-ins said, as far as it was written.
    pub said: Said,
    /// Digest of the stored inventory.
    pub digest: Option<String>,
    /// Last complete scan.
    pub last_scan: Option<Moment>,
    /// No scan for too long.
    pub silent: bool,
    /// A restart is owed since.
    pub reboot_since: Option<Moment>,
    /// What the package manager complains of.
    pub manager_error: Option<String>,
    /// Free space.
    pub disk_free_mib: u64,
    /// It runs on battery, as it last said; a device that does not say so runs on mains.
    pub on_battery: bool,
    /// Last fence given.
    pub fence: u64,
    /// A person asked for a scan at.
    pub scan_asked: Option<Moment>,
    /// Grows with every restore of the database.
    pub epoch: u64,
    /// Version of the policy that devices must follow.
    pub policy_version: u64,
    /// The clock was seen to jump: no permits until a person confirms it.
    pub clock_suspect: bool,
    /// Last heard of while a window of it was open, or enrolled.
    pub in_window: Moment,
    /// When its latest round of installs began (SCH-1).
    pub round_started: Option<Moment>,
    /// From when on the interval to the next one counts; `None`: from its beginning.
    pub round_counts_from: Option<Moment>,
    /// Something that it lacks is approved in some ring, or was ordered to be taken back: its check-in is worth more questions. Looked up
    /// where a device speaks, and taken for granted elsewhere.
    pub has_work: bool,
}

/// Whether a device may have something to do, in one look at two indexes.
macro_rules! has_work {
    () => {
        concat!("EXISTS (SELECT 1 FROM rollback_order o WHERE o.device_id = d.id AND o.lifted_at IS NULL AND o.done_at IS NULL)
         OR EXISTS (SELECT 1 FROM device_patch s JOIN decision c ON c.patch_id = s.patch_id AND c.kind = 1 AND c.withdrawn_at IS NULL
                    WHERE s.device_id = d.id AND s.state IN ", open_states!(), ")")
    };
}

/// The columns of [`Device`], with what `WHERE` follows. The ring is that of the nearest group, from the device's own upwards.
macro_rules! device_sql {
    ($where:literal) => {
        device_sql!($where, "1")
    };
    ($where:literal, $has_work:expr) => {
        concat!(
            "SELECT d.id, d.key_id, d.public_key, d.state, d.scan_only, d.hostname, d.os_release_id, d.zone, d.group_id,
                    (WITH RECURSIVE up(ring, parent) AS (
                        SELECT ring_id, parent_id FROM device_group WHERE id = d.group_id
                        UNION SELECT g.ring_id, g.parent_id FROM up JOIN device_group g ON g.id = up.parent WHERE up.ring IS NULL)
                     SELECT ring FROM up WHERE ring IS NOT NULL), d.location_id, coalesce(g.reboot_policy, 0),
                    k.seq, k.last_contact_at, d.inventory_digest, d.last_scan_at, d.silent, d.reboot_since, d.manager_error,
                    d.disk_free_mib, d.fence, d.scan_asked_at,
                    (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'epoch'),
                    (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'policy_version'),
                    coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'clock_suspect'), 0),
                    k.in_window_at, d.download_rate, d.restart_took, d.round_started, d.round_counts_from,
                    coalesce(d.on_battery, 0), d.boot_id, d.agent_version, d.policy_version, ",
            $has_work,
            "
             FROM device d JOIN device_contact k ON k.device_id = d.id LEFT JOIN device_group g ON g.id = d.group_id WHERE ",
            $where
        )
    };
}

fn device(row: &SqliteRow) -> Result<Device> {
    let code: i64 = row.try_get(3)?;
    let reboot: i64 = row.try_get(11)?;
    let unknown = |what: &str, code: i64| Error::Inconsistent(format!("{what} {code}"));
    Ok(Device {
        id: DeviceId(row.try_get(0)?),
        key_id: row.try_get(1)?,
        public_key: row
            .try_get::<Vec<u8>, _>(2)?
            .try_into()
            .map_err(|_| Error::Inconsistent("a public key without 32 bytes".to_owned()))?,
        state: DeviceState::from_code(code).ok_or_else(|| unknown("device state", code))?,
        scan_only: row.try_get(4)?,
        hostname: row.try_get(5)?,
        os_release: OsReleaseId(row.try_get(6)?),
        zone: row.try_get(7)?,
        group: row.try_get::<Option<i64>, _>(8)?.map(GroupId),
        ring: row.try_get::<Option<i64>, _>(9)?.map(RingId),
        location: row.try_get::<Option<i64>, _>(10)?.map(LocationId),
        reboot: RebootPolicy::from_code(reboot).ok_or_else(|| unknown("reboot policy", reboot))?,
        seq: number(row, 12)?,
        last_contact: Moment(row.try_get(13)?),
        digest: row.try_get(14)?,
        last_scan: row.try_get::<Option<i64>, _>(15)?.map(Moment),
        silent: row.try_get(16)?,
        reboot_since: row.try_get::<Option<i64>, _>(17)?.map(Moment),
        manager_error: row.try_get(18)?,
        disk_free_mib: number(row, 19)?,
        fence: number(row, 20)?,
        scan_asked: row.try_get::<Option<i64>, _>(21)?.map(Moment),
        epoch: number(row, 22)?,
        policy_version: number(row, 23)?,
        clock_suspect: row.try_get(24)?,
        in_window: Moment(row.try_get(25)?),
        said: Said {
            boot: row.try_get(31)?,
            agent: row.try_get(32)?,
            policy: number(row, 33)?,
            measured: Measured {
                download_rate: row.try_get::<Option<i64>, _>(26)?.and_then(|r| u64::try_from(r).ok()),
                restart: row.try_get::<Option<i64>, _>(27)?.map(Span),
            },
        },
        round_started: row.try_get::<Option<i64>, _>(28)?.map(Moment),
        round_counts_from: row.try_get::<Option<i64>, _>(29)?.map(Moment),
        on_battery: row.try_get(30)?,
        has_work: row.try_get(34)?,
    })
}

fn number(row: &SqliteRow, at: usize) -> Result<u64> {
    let value: i64 = row.try_get(at)?;
    u64::try_from(value).map_err(|_| Error::Inconsistent(format!("a negative count {value}")))
}

/// Bound numbers are signed. What a device says may be larger, and is then the largest there is: a number that does not fit would be refused
/// with everything that is written beside it.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The device with a key.
///
/// # Errors
/// When the database fails.
pub async fn by_key(conn: &mut SqliteConnection, key_id: &str) -> Result<Option<Device>> {
    let row = sqlx::query(device_sql!("d.key_id = ?", has_work!()))
        .bind(key_id)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(device).transpose()
}

/// Whether a device has this key.
///
/// # Errors
/// When the database fails.
pub async fn is_known(conn: &mut SqliteConnection, key_id: &str) -> Result<bool> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM device WHERE key_id = ?)")
            .bind(key_id)
            .fetch_one(conn)
            .await?,
    )
}

/// The device with a number.
///
/// # Errors
/// When the database fails.
pub async fn by_id(conn: &mut SqliteConnection, id: DeviceId) -> Result<Option<Device>> {
    let row = sqlx::query(device_sql!("d.id = ?"))
        .bind(id.0)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(device).transpose()
}

/// The devices with these numbers, by number.
///
/// # Errors
/// When the database fails.
pub async fn by_ids(conn: &mut SqliteConnection, ids: &[DeviceId]) -> Result<Vec<Device>> {
    let rows = sqlx::query(device_sql!("d.id IN (SELECT value FROM json_each(?)) ORDER BY d.id"))
        .bind(super::states::json(&ids)?)
        .fetch_all(conn)
        .await?;
    rows.iter().map(device).collect()
}

/// The device of a name; the newest one where several have it.
///
/// # Errors
/// When the database fails.
pub async fn by_hostname(conn: &mut SqliteConnection, name: &str) -> Result<Option<DeviceId>> {
    let id: Option<i64> = sqlx::query_scalar("SELECT max(id) FROM device WHERE hostname = ?")
        .bind(name)
        .fetch_one(conn)
        .await?;
    Ok(id.map(DeviceId))
}

/// An enrolment token as it stands.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its number.
    pub id: TokenId,
    /// Group its devices join.
    pub group: Option<GroupId>,
    /// Its devices never install.
    pub scan_only: bool,
    /// Its devices become active at once.
    pub accept: bool,
    /// How often it may be used.
    pub max_uses: i64,
    /// How often it was.
    pub uses: i64,
    /// When it ends.
    pub expires: Moment,
    /// It was revoked.
    pub revoked: bool,
    /// Its devices that wait for acceptance.
    pub pending: i64,
}

/// The token whose text has this SHA-256.
///
/// # Errors
/// When the database fails.
pub async fn token(conn: &mut SqliteConnection, hash: &[u8]) -> Result<Option<Token>> {
    let row = sqlx::query(
        "SELECT t.id, t.group_id, t.scan_only, t.accept, t.max_uses, t.uses, t.expires_at, t.revoked_at IS NOT NULL,
                (SELECT count(*) FROM device WHERE device.state = 0) FROM enrol_token t WHERE t.token_hash = ?",
    )
    .bind(hash)
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Token {
        id: TokenId(row.try_get(0)?),
        group: row.try_get::<Option<i64>, _>(1)?.map(GroupId),
        scan_only: row.try_get(2)?,
        accept: row.try_get(3)?,
        max_uses: row.try_get(4)?,
        uses: row.try_get(5)?,
        expires: Moment(row.try_get(6)?),
        revoked: row.try_get(7)?,
        pending: row.try_get(8)?,
    }))
}

/// Which token a device enrolled with.
///
/// # Errors
/// When the database fails.
pub async fn token_of(conn: &mut SqliteConnection, id: DeviceId) -> Result<Option<TokenId>> {
    let token: Option<i64> = sqlx::query_scalar("SELECT token_id FROM device WHERE id = ?")
        .bind(id.0)
        .fetch_one(conn)
        .await?;
    Ok(token.map(TokenId))
}

/// Adds a device by a token and counts the token's use.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut SqliteConnection,
    token: &Token,
    public_key: &[u8; 32],
    host: &HostFacts,
    os_release: OsReleaseId,
    scan_only: bool,
    now: Moment,
) -> Result<DeviceId> {
    let state = if token.accept {
        DeviceState::Active
    } else {
        DeviceState::Pending
    };
    let id = sqlx::query_scalar(
        "INSERT INTO device (key_id, public_key, state, token_id, scan_only, hostname, os_release_id, arch, manager, zone, group_id,
                             enrolled_at, boot_id) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING id",
    )
    .bind(protocol::sign::key_id(public_key))
    .bind(&public_key[..])
    .bind(state.code())
    .bind(token.id.0)
    .bind(scan_only)
    .bind(host.hostname.as_str())
    .bind(os_release.0)
    .bind(host.arch.as_str())
    .bind(host.manager.as_ref().map(protocol::ShortText::as_str))
    .bind(host.time_zone.as_str())
    .bind(token.group.map(|g| g.0))
    .bind(now.0)
    .bind(host.boot_id.as_str())
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query("UPDATE enrol_token SET uses = uses + 1 WHERE id = ?")
        .bind(token.id.0)
        .execute(conn)
        .await?;
    Ok(DeviceId(id))
}

/// Changes where a device stands. The caller writes the audit record in the same transaction.
///
/// # Errors
/// When the database fails.
pub async fn set_state(conn: &mut SqliteConnection, id: DeviceId, state: DeviceState, reason: &str) -> Result<()> {
    sqlx::query("UPDATE device SET state = ?, state_reason = ? WHERE id = ?")
        .bind(state.code())
        .bind(reason)
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Group and zone of devices: what decides which windows they have.
///
/// # Errors
/// When the database fails.
pub async fn places(conn: &mut SqliteConnection, ids: &[DeviceId]) -> Result<Vec<(DeviceId, Option<GroupId>, String)>> {
    let rows: Vec<(i64, Option<i64>, String)> =
        sqlx::query_as("SELECT id, group_id, zone FROM device WHERE id IN (SELECT value FROM json_each(?))")
            .bind(super::states::json(&ids)?)
            .fetch_all(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(id, group, zone)| (DeviceId(id), group.map(GroupId), zone))
        .collect())
}

/// A permit begins a round of installs on the device.
///
/// # Errors
/// When the database fails.
pub async fn begin_round(conn: &mut SqliteConnection, device: DeviceId, round: planner::Round) -> Result<()> {
    sqlx::query("UPDATE device SET round_started = ?, round_counts_from = ? WHERE id = ?")
        .bind(round.began.0)
        .bind(round.counts_from.0)
        .bind(device.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// What a report says of the device itself.
#[derive(Clone, Debug)]
pub struct Reported<'a> {
    /// Host facts.
    pub host: &'a HostFacts,
    /// Its OS release.
    pub os_release: OsReleaseId,
    /// Digest of the inventory.
    pub digest: &'a str,
    /// JSON of the reboot reasons; `[]` = none.
    pub reboot: String,
    /// JSON of the services on old files.
    pub services: String,
    /// JSON of the sources.
    pub sources: String,
    /// What the package manager complains of.
    pub manager_error: Option<&'a str>,
    /// Free space.
    pub disk_free_mib: u64,
    /// It runs on battery.
    pub on_battery: Option<bool>,
    /// Processes that it could not look at.
    pub processes_unread: Option<u32>,
}

/// Writes what a report says; false = the device was revoked, nothing is written. A scan ends silence, and answers a request for one.
///
/// # Errors
/// When the database fails.
pub async fn write_report(conn: &mut SqliteConnection, id: DeviceId, now: Moment, said: &Reported<'_>) -> Result<bool> {
    let written = sqlx::query(
        "UPDATE device SET hostname = ?, os_release_id = ?, arch = ?, manager = ?, zone = ?, boot_id = ?, inventory_digest = ?,
                last_scan_at = ?, silent = 0, scan_asked_at = NULL,
                reboot_since = CASE WHEN ? THEN coalesce(reboot_since, ?) END, reboot_reasons = ?, services = ?, sources = ?,
                manager_error = ?, disk_free_mib = ?, on_battery = ?, processes_unread = ? WHERE id = ? AND state <> 3",
    )
    .bind(said.host.hostname.as_str())
    .bind(said.os_release.0)
    .bind(said.host.arch.as_str())
    .bind(said.host.manager.as_ref().map(protocol::ShortText::as_str))
    .bind(said.host.time_zone.as_str())
    .bind(said.host.boot_id.as_str())
    .bind(said.digest)
    .bind(now.0)
    .bind(said.reboot != "[]")
    .bind(now.0)
    .bind(&said.reboot)
    .bind(&said.services)
    .bind(&said.sources)
    .bind(said.manager_error)
    .bind(signed(said.disk_free_mib))
    .bind(said.on_battery)
    .bind(said.processes_unread)
    .bind(id.0)
    .execute(conn)
    .await?;
    Ok(written.rows_affected() > 0)
}

/// Devices that are not silent yet and were last scanned before a moment.
///
/// # Errors
/// When the database fails.
pub async fn fallen_silent(conn: &mut SqliteConnection, before: Moment, limit: i64) -> Result<Vec<DeviceId>> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM device WHERE last_scan_at < ? AND silent = 0 AND state <> 3 ORDER BY last_scan_at, id LIMIT ?",
    )
    .bind(before.0)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(DeviceId).collect())
}
