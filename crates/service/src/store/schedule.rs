//! Profiles, windows, freezes and exceptions as rows, and which devices they are for.

use super::states::open_states;
use crate::error::{Error, Result};
use domain::{
    AccountId, DeviceId, DeviceState, ExceptionId, FreezeId, GroupId, LocationId, Moment, PatchId, ProductId,
    ProfileId, WindowId,
};
use planner::{Exception, Freeze, Policy, Profile, Window};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A scan and install schedule.
    Profile = 1,
    /// A maintenance window.
    Window = 2,
    /// A span without installs.
    Freeze = 3,
    /// A waiver.
    Exception = 4,
}

impl Kind {
    /// The word in audit records.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Window => "window",
            Self::Freeze => "freeze",
            Self::Exception => "exception",
        }
    }

    fn from_code(code: i64) -> Result<Self> {
        [Self::Profile, Self::Window, Self::Freeze, Self::Exception]
            .into_iter()
            .find(|k| *k as i64 == code)
            .ok_or_else(|| Error::Inconsistent(format!("schedule kind {code}")))
    }
}

/// A rule as the planner reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A scan and install schedule.
    Profile(Profile),
    /// A maintenance window.
    Window(Window),
    /// A span without installs.
    Freeze(Freeze),
    /// A waiver.
    Exception(Exception),
}

impl Item {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Profile(_) => Kind::Profile,
            Self::Window(_) => Kind::Window,
            Self::Freeze(_) => Kind::Freeze,
            Self::Exception(_) => Kind::Exception,
        }
    }

    /// Reads a row's rule; the row's number counts, not the one in the JSON.
    ///
    /// # Errors
    /// A rule that this version does not know.
    pub fn read(id: i64, kind: i64, rule: &str) -> Result<Self> {
        let bad = |e: serde_json::Error| Error::Inconsistent(format!("schedule {id}: {e}"));
        Ok(match Kind::from_code(kind)? {
            Kind::Profile => Self::Profile(serde_json::from_str(rule).map_err(bad)?),
            Kind::Window => Self::Window(serde_json::from_str(rule).map_err(bad)?),
            Kind::Freeze => Self::Freeze(serde_json::from_str(rule).map_err(bad)?),
            Kind::Exception => Self::Exception(serde_json::from_str(rule).map_err(bad)?),
        }
        .numbered(id))
    }

    /// The same under another number.
    #[must_use]
    pub fn numbered(mut self, id: i64) -> Self {
        match &mut self {
            Self::Profile(p) => p.id = ProfileId(id),
            Self::Window(w) => w.id = WindowId(id),
            Self::Freeze(f) => f.id = FreezeId(id),
            Self::Exception(e) => e.id = ExceptionId(id),
        }
        self
    }

    /// As it is stored.
    ///
    /// # Errors
    /// Never for what the planner can read.
    pub fn json(&self) -> Result<String> {
        match self {
            Self::Profile(p) => serde_json::to_string(p),
            Self::Window(w) => serde_json::to_string(w),
            Self::Freeze(f) => serde_json::to_string(f),
            Self::Exception(e) => serde_json::to_string(e),
        }
        .map_err(|e| Error::Inconsistent(e.to_string()))
    }

    /// Puts it into a policy, in the place of what has its number.
    pub fn put(self, policy: &mut Policy) {
        match self {
            Self::Profile(new) => {
                policy.profiles.retain(|old| old.id != new.id);
                policy.profiles.push(new);
            }
            Self::Window(new) => {
                policy.windows.retain(|old| old.id != new.id);
                policy.windows.push(new);
            }
            Self::Freeze(new) => {
                policy.freezes.retain(|old| old.id != new.id);
                policy.freezes.push(new);
            }
            Self::Exception(new) => {
                policy.exceptions.retain(|old| old.id != new.id);
                policy.exceptions.push(new);
            }
        }
    }
}

/// Takes what has this number out of a policy.
pub fn take_out(policy: &mut Policy, kind: Kind, id: i64) {
    match kind {
        Kind::Profile => policy.profiles.retain(|old| old.id.0 != id),
        Kind::Window => policy.windows.retain(|old| old.id.0 != id),
        Kind::Freeze => policy.freezes.retain(|old| old.id.0 != id),
        Kind::Exception => policy.exceptions.retain(|old| old.id.0 != id),
    }
}

/// A row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its number.
    pub id: i64,
    /// Its name; empty for exceptions.
    pub name: String,
    /// The rule.
    pub item: Item,
    /// Why, for exceptions.
    pub note: String,
    /// The policy version that brought it as it is.
    pub version: u64,
    /// Changed when.
    pub updated: Moment,
    /// By whom, as in the audit log.
    pub updated_by: String,
}

fn row(row: &SqliteRow) -> Result<Row> {
    let id = row.try_get(0)?;
    let version: i64 = row.try_get(5)?;
    Ok(Row {
        id,
        name: row.try_get(2)?,
        item: Item::read(id, row.try_get(1)?, row.try_get(3)?)?,
        note: row.try_get(4)?,
        version: u64::try_from(version).unwrap_or(0),
        updated: Moment(row.try_get(6)?),
        updated_by: row.try_get(7)?,
    })
}

/// Every rule as it is stored, as (number, kind, JSON).
///
/// # Errors
/// When the database fails.
pub async fn rules(conn: &mut SqliteConnection) -> Result<Vec<(i64, i64, String)>> {
    Ok(sqlx::query_as("SELECT id, kind, rule FROM schedule ORDER BY id")
        .fetch_all(conn)
        .await?)
}

/// When a window was last changed.
///
/// # Errors
/// When the database fails.
pub async fn windows_changed(conn: &mut SqliteConnection) -> Result<Moment> {
    let at: Option<i64> = sqlx::query_scalar("SELECT max(updated_at) FROM schedule WHERE kind = 2")
        .fetch_one(conn)
        .await?;
    Ok(Moment(at.unwrap_or(0)))
}

/// Every row, by name.
///
/// # Errors
/// When the database fails.
pub async fn all(conn: &mut SqliteConnection) -> Result<Vec<Row>> {
    let rows = sqlx::query(
        "SELECT id, kind, name, rule, note, version, updated_at, updated_by FROM schedule ORDER BY kind, name, id",
    )
    .fetch_all(conn)
    .await?;
    rows.iter().map(row).collect()
}

/// One row.
///
/// # Errors
/// When the database fails.
pub async fn one(conn: &mut SqliteConnection, kind: Kind, id: i64) -> Result<Option<Row>> {
    let found = sqlx::query(
        "SELECT id, kind, name, rule, note, version, updated_at, updated_by FROM schedule WHERE id = ? AND kind = ?",
    )
    .bind(id)
    .bind(kind as i64)
    .fetch_optional(conn)
    .await?;
    found.as_ref().map(row).transpose()
}

/// Whether another row of the kind has the name.
///
/// # Errors
/// When the database fails.
pub async fn is_taken(conn: &mut SqliteConnection, kind: Kind, name: &str, except: i64) -> Result<bool> {
    Ok(
        sqlx::query_scalar("SELECT count(*) > 0 FROM schedule WHERE kind = ? AND kind <> 4 AND name = ? AND id <> ?")
            .bind(kind as i64)
            .bind(name)
            .bind(except)
            .fetch_one(conn)
            .await?,
    )
}

/// What is written of a row.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// Its name; empty for exceptions.
    pub name: &'a str,
    /// The rule.
    pub item: &'a Item,
    /// Why, for exceptions.
    pub note: &'a str,
    /// The policy version that it brings.
    pub version: i64,
    /// By whom, as in the audit log.
    pub by: &'a str,
}

/// Adds a row.
///
/// # Errors
/// When the database fails.
pub async fn insert(conn: &mut SqliteConnection, new: Write<'_>, now: Moment) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "INSERT INTO schedule (kind, name, rule, note, version, created_at, created_by, updated_at, updated_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?7) RETURNING id",
    )
    .bind(new.item.kind() as i64)
    .bind(new.name)
    .bind(new.item.json()?)
    .bind(new.note)
    .bind(new.version)
    .bind(now.0)
    .bind(new.by)
    .fetch_one(conn)
    .await?)
}

/// Changes a row.
///
/// # Errors
/// When the database fails.
pub async fn update(conn: &mut SqliteConnection, id: i64, new: Write<'_>, now: Moment) -> Result<()> {
    sqlx::query(
        "UPDATE schedule SET name = ?, rule = ?, note = ?, version = ?, updated_at = ?, updated_by = ? WHERE id = ?",
    )
    .bind(new.name)
    .bind(new.item.json()?)
    .bind(new.note)
    .bind(new.version)
    .bind(now.0)
    .bind(new.by)
    .bind(id)
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes a row; the audit log keeps what it said.
///
/// # Errors
/// When the database fails.
pub async fn delete(conn: &mut SqliteConnection, id: i64) -> Result<()> {
    sqlx::query("DELETE FROM schedule WHERE id = ?")
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// The product of a name that some patch has; its number is made when it is first asked for.
///
/// # Errors
/// When the database fails.
pub async fn product(conn: &mut SqliteConnection, name: &str) -> Result<Option<ProductId>> {
    sqlx::query(
        "INSERT INTO product (name) SELECT source FROM patch WHERE source = ? LIMIT 1 ON CONFLICT (name) DO NOTHING",
    )
    .bind(name)
    .execute(&mut *conn)
    .await?;
    find_product(conn, name).await
}

/// The product of a name, if it has a number already.
///
/// # Errors
/// When the database fails.
pub async fn find_product(conn: &mut SqliteConnection, name: &str) -> Result<Option<ProductId>> {
    let id: Option<i64> = sqlx::query_scalar("SELECT id FROM product WHERE name = ?")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    Ok(id.map(ProductId))
}

/// The names of the products that have numbers.
///
/// # Errors
/// When the database fails.
pub async fn products(conn: &mut SqliteConnection) -> Result<Vec<(i64, String)>> {
    Ok(sqlx::query_as("SELECT id, name FROM product").fetch_all(conn).await?)
}

/// Whether there is such an account that may still sign in.
///
/// # Errors
/// When the database fails.
pub async fn account_exists(conn: &mut SqliteConnection, id: AccountId) -> Result<bool> {
    Ok(
        sqlx::query_scalar("SELECT count(*) > 0 FROM account WHERE id = ? AND disabled_at IS NULL")
            .bind(id.0)
            .fetch_one(conn)
            .await?,
    )
}

/// The zones that devices are in.
///
/// # Errors
/// When the database fails.
pub async fn zones(conn: &mut SqliteConnection) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar("SELECT DISTINCT zone FROM device")
        .fetch_all(conn)
        .await?)
}

/// Active devices that no rule of the schedule tells apart, and that follow the same policy version.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// One of them.
    pub device: DeviceId,
    /// Their group.
    pub group: Option<GroupId>,
    /// Their zone.
    pub zone: String,
    /// Their location.
    pub location: Option<LocationId>,
    /// The policy version that they follow.
    pub follows: u64,
    /// How many.
    pub devices: u32,
}

/// The active devices by group, zone and policy version; those in `named` by themselves.
///
/// # Errors
/// When the database fails.
pub async fn clusters(conn: &mut SqliteConnection, named: &[DeviceId]) -> Result<Vec<Cluster>> {
    let rows = sqlx::query(
        "SELECT min(id), group_id, zone, min(location_id), policy_version, count(*) FROM device
         WHERE state = ?1 GROUP BY group_id, zone, policy_version, CASE WHEN id IN (SELECT value FROM json_each(?2)) THEN id ELSE 0 END
         ORDER BY 1",
    )
    .bind(DeviceState::Active.code())
    .bind(super::states::json(&named)?)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let follows: i64 = row.try_get(4)?;
            Ok(Cluster {
                device: DeviceId(row.try_get(0)?),
                group: row.try_get::<Option<i64>, _>(1)?.map(GroupId),
                zone: row.try_get(2)?,
                location: row.try_get::<Option<i64>, _>(3)?.map(LocationId),
                follows: u64::try_from(follows).unwrap_or(0),
                devices: row.try_get(5)?,
            })
        })
        .collect()
}

/// An active device on which an approved patch waits.
#[derive(Clone, Debug)]
pub struct WaitingDevice {
    /// Device.
    pub id: DeviceId,
    /// Its group.
    pub group: Option<GroupId>,
    /// Its zone.
    pub zone: String,
    /// Its location.
    pub location: Option<LocationId>,
}

/// Active devices that still need a patch that somebody approved, by number.
///
/// # Errors
/// When the database fails.
pub async fn waiting_devices(conn: &mut SqliteConnection) -> Result<Vec<WaitingDevice>> {
    let rows = sqlx::query(concat!(
        "SELECT v.id, v.group_id, v.zone, v.location_id FROM device v WHERE v.state = ? AND v.id IN (
            SELECT s.device_id FROM decision d JOIN device_patch s ON s.patch_id = d.patch_id AND s.state IN ",
        open_states!(),
        "
            WHERE d.withdrawn_at IS NULL AND d.kind = 1) ORDER BY v.id"
    ))
    .bind(DeviceState::Active.code())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(WaitingDevice {
                id: DeviceId(row.try_get(0)?),
                group: row.try_get::<Option<i64>, _>(1)?.map(GroupId),
                zone: row.try_get(2)?,
                location: row.try_get::<Option<i64>, _>(3)?.map(LocationId),
            })
        })
        .collect()
}

/// Whether there is such a device.
///
/// # Errors
/// When the database fails.
pub async fn device_exists(conn: &mut SqliteConnection, id: DeviceId) -> Result<bool> {
    Ok(sqlx::query_scalar("SELECT count(*) > 0 FROM device WHERE id = ?")
        .bind(id.0)
        .fetch_one(conn)
        .await?)
}

/// Whether there is such a patch.
///
/// # Errors
/// When the database fails.
pub async fn patch_exists(conn: &mut SqliteConnection, id: PatchId) -> Result<bool> {
    Ok(sqlx::query_scalar("SELECT count(*) > 0 FROM patch WHERE id = ?")
        .bind(id.0)
        .fetch_one(conn)
        .await?)
}
