//! Last contacts with devices, and what devices say in them: written in batches, a narrow row each.

use super::devices::signed;
use crate::error::Result;
use domain::{DeviceId, Measured, Moment};
use sqlx::SqliteConnection;

/// What a check-in says of the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Of the running kernel.
    pub boot: String,
    /// The agent's version.
    pub agent: String,
    /// The policy that it follows.
    pub policy: u64,
    /// How fast it was the last time.
    pub measured: Measured,
}

impl Said {
    /// Whether a row that says `known` says all of it. What was measured once and is not said again holds on.
    #[must_use]
    pub fn is_in(&self, known: &Self) -> bool {
        let (said, before) = (self.measured, known.measured);
        (&self.boot, &self.agent, self.policy) == (&known.boot, &known.agent, known.policy)
            && (said.download_rate.is_none() || said.download_rate == before.download_rate)
            && (said.restart.is_none() || said.restart == before.restart)
    }
}

/// What one contact leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Who.
    pub device: DeviceId,
    /// Its sequence number.
    pub seq: u64,
    /// When.
    pub at: Moment,
    /// What it said, when that was not written yet.
    pub said: Option<Said>,
    /// The hour on the device's wall, when it was not written yet.
    pub hour: Option<planner::WallHour>,
}

/// Writes contacts. A sequence number never goes back. What devices say changes rarely: most contacts leave the wide rows of `device` alone.
///
/// # Errors
/// When the database fails.
pub async fn write(conn: &mut SqliteConnection, contacts: &[Contact]) -> Result<()> {
    let rows: Vec<(i64, i64, i64)> = contacts.iter().map(|c| (c.device.0, signed(c.seq), c.at.0)).collect();
    sqlx::query(
        "UPDATE device_contact AS k SET seq = max(k.seq, c.seq), last_contact_at = max(k.last_contact_at, c.at)
         FROM (SELECT value ->> 0 AS id, value ->> 1 AS seq, value ->> 2 AS at FROM json_each(?)) AS c WHERE k.device_id = c.id",
    )
    .bind(super::states::json(&rows)?)
    .execute(&mut *conn)
    .await?;
    let said: Vec<serde_json::Value> = contacts
        .iter()
        .filter_map(|c| {
            let said = c.said.as_ref()?;
            let rate = said.measured.download_rate.map(signed);
            Some(serde_json::json!([
                c.device.0,
                said.boot,
                said.agent,
                signed(said.policy),
                rate,
                said.measured.restart
            ]))
        })
        .collect();
    if said.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE device SET boot_id = c.boot, agent_version = c.agent, policy_version = c.policy,
                download_rate = coalesce(c.rate, download_rate), restart_took = coalesce(c.restart, restart_took)
         FROM (SELECT value ->> 0 AS id, value ->> 1 AS boot, value ->> 2 AS agent, value ->> 3 AS policy, value ->> 4 AS rate,
                      value ->> 5 AS restart
               FROM json_each(?)) AS c WHERE device.id = c.id",
    )
    .bind(serde_json::Value::Array(said).to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a contact of the batch comes from another boot than the last one.
///
/// # Errors
/// When the database fails.
pub async fn any_rebooted(conn: &mut SqliteConnection, contacts: &[Contact]) -> Result<bool> {
    let boots: Vec<(i64, &str)> = contacts
        .iter()
        .filter_map(|c| Some((c.device.0, c.said.as_ref()?.boot.as_str())))
        .collect();
    if boots.is_empty() {
        return Ok(false);
    }
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM json_each(?) c JOIN device d ON d.id = c.value ->> 0 WHERE d.boot_id <> c.value ->> 1)",
    )
    .bind(super::states::json(&boots)?)
    .fetch_one(conn)
    .await?)
}

/// Records devices that were heard of while a window of theirs was open.
///
/// # Errors
/// When the database fails.
pub async fn write_presence(conn: &mut SqliteConnection, present: &[(DeviceId, Moment)]) -> Result<()> {
    if present.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE device_contact AS k SET in_window_at = max(k.in_window_at, c.at)
         FROM (SELECT value ->> 0 AS id, value ->> 1 AS at FROM json_each(?)) AS c WHERE k.device_id = c.id",
    )
    .bind(super::states::json(&present)?)
    .execute(conn)
    .await?;
    Ok(())
}
