//! Rows of decisions, and what a decision has to know of its patch.

use super::lists::approval;
use crate::error::Result;
use domain::{AccountId, DecisionId, Moment, PatchId, RingId, Urgency};
use sqlx::{QueryBuilder, Row as _, SqliteConnection};
use view::{Approval, DecisionView};

/// A patch as a decision sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Patch.
    pub id: PatchId,
    /// "Approve what you saw".
    pub revision: i64,
    /// A newer one replaces it.
    pub superseded_by: Option<PatchId>,
    /// The decision in force for the ring.
    pub in_force: Option<(DecisionId, Approval)>,
}

/// A patch with the decision in force for a ring; `None` when there is no such patch.
///
/// # Errors
/// When the database fails.
pub async fn subject(conn: &mut SqliteConnection, patch: PatchId, ring: RingId) -> Result<Option<Subject>> {
    let row = sqlx::query(
        "SELECT p.revision, p.superseded_by, d.id, d.kind, d.urgent FROM patch p
         LEFT JOIN decision d ON d.patch_id = p.id AND d.ring_id = ? AND d.withdrawn_at IS NULL WHERE p.id = ?",
    )
    .bind(ring.0)
    .bind(patch.0)
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let in_force = match row.try_get::<Option<i64>, _>(2)? {
        Some(id) => Some((DecisionId(id), approval(row.try_get(3)?, row.try_get(4)?)?)),
        None => None,
    };
    Ok(Some(Subject {
        id: patch,
        revision: row.try_get(0)?,
        superseded_by: row.try_get::<Option<i64>, _>(1)?.map(PatchId),
        in_force,
    }))
}

/// Adds a decision.
///
/// # Errors
/// When the database fails; also when one is in force already.
pub async fn insert(
    conn: &mut SqliteConnection,
    patch: PatchId,
    ring: RingId,
    decided: Approval,
    reason: &str,
    by: AccountId,
    now: Moment,
) -> Result<DecisionId> {
    let (kind, urgent) = match decided {
        Approval::Approved { urgent } => (1, urgent),
        Approval::Denied | Approval::None => (2, Urgency::Normal),
    };
    let id = sqlx::query_scalar(
        "INSERT INTO decision (patch_id, ring_id, kind, urgent, reason, at, account_id) VALUES (?,?,?,?,?,?,?) RETURNING id",
    )
    .bind(patch.0)
    .bind(ring.0)
    .bind(kind)
    .bind(urgent.code())
    .bind(reason)
    .bind(now.0)
    .bind(by.0)
    .fetch_one(conn)
    .await?;
    Ok(DecisionId(id))
}

/// Takes a decision back.
///
/// # Errors
/// When the database fails.
pub async fn withdraw(
    conn: &mut SqliteConnection,
    id: DecisionId,
    reason: &str,
    by: AccountId,
    now: Moment,
) -> Result<()> {
    sqlx::query("UPDATE decision SET withdrawn_at = ?, withdrawn_by = ?, withdraw_reason = ? WHERE id = ?")
        .bind(now.0)
        .bind(by.0)
        .bind(reason)
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Lets a patch's revision grow: whoever saw it before must look again.
///
/// # Errors
/// When the database fails.
pub async fn touch(conn: &mut SqliteConnection, patch: PatchId) -> Result<()> {
    sqlx::query("UPDATE patch SET revision = revision + 1 WHERE id = ?")
        .bind(patch.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// The revision of a patch; `None` when there is no such patch.
///
/// # Errors
/// When the database fails.
pub async fn revision(conn: &mut SqliteConnection, patch: PatchId) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar("SELECT revision FROM patch WHERE id = ?")
        .bind(patch.0)
        .fetch_optional(conn)
        .await?)
}

/// Whether a patch exists.
///
/// # Errors
/// When the database fails.
pub async fn exists(conn: &mut SqliteConnection, patch: PatchId) -> Result<bool> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM patch WHERE id = ?")
        .bind(patch.0)
        .fetch_one(conn)
        .await?)
}

/// Devices of some groups that have a patch already.
///
/// # Errors
/// When the database fails.
pub async fn installed_in(conn: &mut SqliteConnection, patch: PatchId, groups: &[i64]) -> Result<u32> {
    let mut query = QueryBuilder::new(
        "SELECT count(*) FROM device_patch s JOIN device d ON d.id = s.device_id WHERE s.state IN (8, 9, 10) AND s.patch_id = ",
    );
    query.push_bind(patch.0).push(" AND d.group_id IN (");
    let mut list = query.separated(", ");
    for group in groups {
        list.push_bind(*group);
    }
    query.push(")");
    Ok(query.build_query_scalar().fetch_one(conn).await?)
}

/// The decisions in force about a patch, with the names of those who made them.
///
/// # Errors
/// When the database fails.
pub async fn in_force(conn: &mut SqliteConnection, patch: PatchId) -> Result<Vec<(RingId, DecisionView)>> {
    let rows = sqlx::query(
        "SELECT d.ring_id, d.id, d.kind, d.urgent, a.name, d.at, d.reason FROM decision d JOIN account a ON a.id = d.account_id
         WHERE d.patch_id = ? AND d.withdrawn_at IS NULL",
    )
    .bind(patch.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let view = DecisionView {
                id: DecisionId(row.try_get(1)?),
                approval: approval(row.try_get(2)?, row.try_get(3)?)?,
                by: row.try_get(4)?,
                at: Moment(row.try_get(5)?),
                reason: row.try_get(6)?,
            };
            Ok((RingId(row.try_get(0)?), view))
        })
        .collect()
}
