//! Rollback plans of patches, and the waivers that stand in their place (RBK-1).

use crate::error::Result;
use domain::{AccountId, Moment, PatchId, RingId};
use planner::RollbackPlan;
use sqlx::{Row as _, SqliteConnection};
use view::{PlanContent, PlanView};

/// What is written of a plan or a waiver.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// Who carries it out; none of a waiver.
    pub owner: Option<AccountId>,
    /// How; empty of a waiver.
    pub how: &'a str,
    /// When it is to be used; empty of a waiver.
    pub use_when: &'a str,
    /// Why there is none; empty of a plan.
    pub reason: &'a str,
}

/// The plan or waiver of a patch, with the names of the people in it.
///
/// # Errors
/// When the database fails.
pub async fn of_patch(conn: &mut SqliteConnection, patch: PatchId) -> Result<Option<PlanView>> {
    let row = sqlx::query(
        "SELECT p.owner_id, o.name, p.how, p.use_when, p.reason, p.version, p.written_at, w.name FROM rollback_plan p
         LEFT JOIN account o ON o.id = p.owner_id JOIN account w ON w.id = p.written_by WHERE p.patch_id = ?",
    )
    .bind(patch.0)
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let content = match row.try_get::<Option<i64>, _>(0)? {
        Some(owner) => PlanContent::Plan {
            owner: AccountId(owner),
            owner_name: row.try_get(1)?,
            how: row.try_get(2)?,
            use_when: row.try_get(3)?,
        },
        None => PlanContent::Waived {
            reason: row.try_get(4)?,
        },
    };
    Ok(Some(PlanView {
        content,
        version: row.try_get(5)?,
        at: Moment(row.try_get(6)?),
        by: row.try_get(7)?,
    }))
}

/// What the planner is told of it.
///
/// # Errors
/// When the database fails.
pub async fn fact(conn: &mut SqliteConnection, patch: PatchId) -> Result<RollbackPlan> {
    let row: Option<(Option<i64>, i64)> =
        sqlx::query_as("SELECT owner_id, written_by FROM rollback_plan WHERE patch_id = ?")
            .bind(patch.0)
            .fetch_optional(conn)
            .await?;
    Ok(match row {
        None => RollbackPlan::Missing,
        Some((Some(_), _)) => RollbackPlan::Exists,
        Some((None, by)) => RollbackPlan::Waived(AccountId(by)),
    })
}

/// Writes a plan or waiver in the place of what was there.
///
/// # Errors
/// When the database fails; also for an owner without an account.
pub async fn put(
    conn: &mut SqliteConnection,
    patch: PatchId,
    new: Write<'_>,
    by: AccountId,
    now: Moment,
) -> Result<i64> {
    let version = sqlx::query_scalar(
        "INSERT INTO rollback_plan (patch_id, owner_id, how, use_when, reason, version, written_at, written_by)
         VALUES (?, ?, ?, ?, ?, 1, ?, ?)
         ON CONFLICT (patch_id) DO UPDATE SET owner_id = excluded.owner_id, how = excluded.how, use_when = excluded.use_when,
             reason = excluded.reason, version = version + 1, written_at = excluded.written_at, written_by = excluded.written_by
         RETURNING version",
    )
    .bind(patch.0)
    .bind(new.owner.map(|owner| owner.0))
    .bind(new.how)
    .bind(new.use_when)
    .bind(new.reason)
    .bind(now.0)
    .bind(by.0)
    .fetch_one(conn)
    .await?;
    Ok(version)
}

/// Whether approvals for a ring ask for a plan.
///
/// # Errors
/// When the database fails.
pub async fn asked_in(conn: &mut SqliteConnection, ring: RingId) -> Result<bool> {
    let asks: Option<bool> = sqlx::query_scalar("SELECT rollback_plan FROM ring WHERE id = ?")
        .bind(ring.0)
        .fetch_optional(conn)
        .await?;
    Ok(asks.unwrap_or(false))
}

/// Devices that have a patch, and how many of them have the versions on record that were there before: (known, all).
///
/// # Errors
/// When the database fails.
pub async fn ways_back(conn: &mut SqliteConnection, patch: PatchId) -> Result<(u32, u32)> {
    let row: (u32, u32) = sqlx::query_as(
        "SELECT coalesce(sum(EXISTS (SELECT 1 FROM attempt a WHERE a.device_id = s.device_id AND a.patch_id = s.patch_id
                    AND a.kind = 1 AND a.state = 3 AND a.previous <> '[]')), 0), count(*)
         FROM device_patch s WHERE s.patch_id = ? AND s.state IN (8, 9, 10)",
    )
    .bind(patch.0)
    .fetch_one(conn)
    .await?;
    Ok(row)
}
