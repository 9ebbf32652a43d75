//! Rows of holds: what stops a rollout.

use crate::{commands::hold::Cause, error::Result};
use domain::{DeviceId, HoldId, Moment, PatchId};
use sqlx::SqliteConnection;

/// Opens a hold and lets the patch's revision grow, so that nobody resumes or approves what they have not seen. The caller writes the
/// audit record in the same transaction.
///
/// # Errors
/// When the database fails.
pub async fn open(
    conn: &mut SqliteConnection,
    patch: PatchId,
    cause: Cause,
    device: Option<DeviceId>,
    detail: &str,
    at: Moment,
    by: &str,
) -> Result<HoldId> {
    let id = sqlx::query_scalar(
        "INSERT INTO hold (patch_id, cause, device_id, detail, opened_at, opened_by) VALUES (?,?,?,?,?,?) RETURNING id",
    )
    .bind(patch.0)
    .bind(cause as i64)
    .bind(device.map(|d| d.0))
    .bind(detail)
    .bind(at.0)
    .bind(by)
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query("UPDATE patch SET revision = revision + 1 WHERE id = ?")
        .bind(patch.0)
        .execute(conn)
        .await?;
    Ok(HoldId(id))
}
