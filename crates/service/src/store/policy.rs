//! Everything that the policy is made of, as one text: whether it is still the one that was made ready.

use crate::error::Result;
use sqlx::SqliteConnection;

/// Every column that the policy is read from. Most questions ask whether anything changed, and nothing did: one statement for that
/// instead of one a table.
pub const WRITTEN: &str = "SELECT json_array(
    (SELECT json_group_array(json_array(id, name, position, soak_seconds, min_successes, min_share_percent, per_os_release,
            critical_products, rebooted, wave_steps, wave_rest_seconds, hold_failures, hold_percent, hold_vanished, max_in_flight, rollback_plan,
            version))
     FROM ring WHERE removed_at IS NULL),
    (SELECT json_group_array(json_array(id, name, parent_id, ring_id, reboot_policy, blocks_inheritance, missed_after, version))
     FROM device_group),
    (SELECT json_group_array(json_array(id, name, zone, rate_kib, max_in_flight, version)) FROM location),
    (SELECT json_group_array(json_array(id, max_in_flight, retry_max, retry_first, retry_longest, install_seconds, reboot_seconds,
            bytes_per_second, version))
     FROM fleet_policy),
    (SELECT json_group_array(json_array(id, kind, rule, version)) FROM schedule))";

/// The policy as it is written.
///
/// # Errors
/// When the database fails.
pub async fn written(conn: &mut SqliteConnection) -> Result<String> {
    Ok(sqlx::query_scalar(WRITTEN).fetch_one(conn).await?)
}
