//! The status view's rows, straight from indexed columns: a page costs its rows, not the fleet.

use crate::error::{Error, Result};
use domain::{Category, CategoryBasis, GroupId, LocationId, Moment, PatchId, RingId, Severity, Urgency};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection, sqlite::SqliteRow};
use std::collections::{BTreeMap, BTreeSet};
use view::{
    Approval, ApprovalFilter, CountBucket, Counts, LocationName, PatchFilter, PatchRow, PatchSort, RingApproval,
    RingName,
};

/// A group with the ring that counts for its devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// Its own ring, or that of the nearest group above that has one.
    pub ring: Option<RingId>,
}

/// All groups by name, with their rings.
///
/// # Errors
/// When the database fails.
pub async fn groups(conn: &mut SqliteConnection) -> Result<Vec<Group>> {
    let rows = sqlx::query("SELECT id, name, parent_id, ring_id FROM device_group ORDER BY name, id")
        .fetch_all(conn)
        .await?;
    let mut tree: BTreeMap<i64, (Option<i64>, Option<i64>)> = BTreeMap::new();
    for row in &rows {
        tree.insert(row.try_get(0)?, (row.try_get(2)?, row.try_get(3)?));
    }
    let ring_of = |mut id: i64| {
        // As many steps as there are groups: a circle, which nothing should make, ends without a ring.
        for _ in 0..tree.len() {
            match tree.get(&id) {
                Some((_, Some(ring))) => return Some(RingId(*ring)),
                Some((Some(parent), None)) => id = *parent,
                Some((None, None)) | None => return None,
            }
        }
        None
    };
    rows.iter()
        .map(|row| {
            Ok(Group {
                id: GroupId(row.try_get(0)?),
                name: row.try_get(1)?,
                ring: ring_of(row.try_get(0)?),
            })
        })
        .collect()
}

/// One group.
///
/// # Errors
/// When the database fails.
pub async fn group(conn: &mut SqliteConnection, id: GroupId) -> Result<Option<Group>> {
    Ok(groups(conn).await?.into_iter().find(|g| g.id == id))
}

/// All locations by name.
///
/// # Errors
/// When the database fails.
pub async fn locations(conn: &mut SqliteConnection) -> Result<Vec<LocationName>> {
    let rows: Vec<(i64, String)> = sqlx::query_as("SELECT id, name FROM location ORDER BY name, id")
        .fetch_all(conn)
        .await?;
    let name = |(id, name)| LocationName {
        id: LocationId(id),
        name,
    };
    Ok(rows.into_iter().map(name).collect())
}

/// The rings, in order.
///
/// # Errors
/// When the database fails.
pub async fn rings(conn: &mut SqliteConnection) -> Result<Vec<RingName>> {
    let rows = sqlx::query("SELECT id, name FROM ring WHERE removed_at IS NULL ORDER BY position")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(RingName {
                id: RingId(row.try_get(0)?),
                name: row.try_get(1)?,
            })
        })
        .collect()
}

/// How many devices are active, how many of those have no recent scan, how many wait for acceptance.
///
/// # Errors
/// When the database fails.
pub async fn fleet(conn: &mut SqliteConnection) -> Result<(u32, u32, u32)> {
    let row = sqlx::query(
        "SELECT coalesce(sum(n) FILTER (WHERE state = 1), 0), coalesce(sum(n) FILTER (WHERE state = 1 AND unseen = 1), 0),
                coalesce(sum(n) FILTER (WHERE state = 0), 0) FROM fleet_count",
    )
    .fetch_one(conn)
    .await?;
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}

/// The column that counts a bucket.
const fn column(bucket: CountBucket) -> &'static str {
    match bucket {
        CountBucket::Missing => "p.n_missing",
        CountBucket::Installed => "p.n_installed",
        CountBucket::Failed => "p.n_failed",
        CountBucket::Pending => "p.n_pending",
        CountBucket::Unknown => "p.n_unknown",
        CountBucket::Superseded => "p.n_superseded",
        CountBucket::RolledBack => "p.n_rolled_back",
    }
}

/// `text` anywhere, as a LIKE pattern with `\` as its escape.
pub(super) fn like(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars().take(200) {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

fn narrow(query: &mut QueryBuilder<Sqlite>, filter: &PatchFilter) {
    query.push(" WHERE true");
    // A patch has superseded devices only when it is superseded itself.
    if !filter.superseded && filter.state != Some(CountBucket::Superseded) {
        query.push(" AND p.superseded_by IS NULL");
    }
    let text = filter.q.trim();
    if !text.is_empty() {
        let pattern = like(text);
        for (at, column) in ["p.source", "p.version", "p.summary", "p.origin"]
            .into_iter()
            .enumerate()
        {
            query
                .push(if at == 0 { " AND (" } else { " OR " })
                .push(column)
                .push(" LIKE ")
                .push_bind(pattern.clone());
            query.push(" ESCAPE '\\'");
        }
        query.push(")");
    }
    if let Some(severity) = filter.severity {
        query.push(" AND p.severity >= ").push_bind(severity.code());
    }
    if let Some(category) = filter.category {
        query.push(" AND p.category = ").push_bind(category.code());
    }
    if let Some(bucket) = filter.state {
        query.push(" AND ").push(column(bucket)).push(" > 0");
    }
    let product = filter.product.trim();
    if !product.is_empty() {
        query.push(" AND p.source = ").push_bind(product.to_owned());
    }
    if let Some(approval) = filter.approval {
        narrow_approval(query, approval, filter.ring);
    }
}

fn narrow_approval(query: &mut QueryBuilder<Sqlite>, approval: ApprovalFilter, ring: Option<RingId>) {
    let kind = match approval {
        ApprovalFilter::Held => {
            query.push(" AND EXISTS (SELECT 1 FROM hold h WHERE h.patch_id = p.id AND h.resolved_at IS NULL)");
            return;
        }
        ApprovalFilter::None => None,
        ApprovalFilter::Approved => Some(1),
        ApprovalFilter::Denied => Some(2),
    };
    query.push(if kind.is_none() {
        " AND NOT EXISTS ("
    } else {
        " AND EXISTS ("
    });
    query.push("SELECT 1 FROM decision d WHERE d.patch_id = p.id AND d.withdrawn_at IS NULL");
    if let Some(ring) = ring {
        query.push(" AND d.ring_id = ").push_bind(ring.0);
    }
    if let Some(kind) = kind {
        query.push(" AND d.kind = ").push_bind(kind);
    }
    query.push(")");
}

const fn order(sort: PatchSort) -> &'static str {
    match sort {
        PatchSort::Severity => " ORDER BY p.severity DESC, p.n_missing DESC, p.id",
        PatchSort::Missing => " ORDER BY p.n_missing DESC, p.id",
        PatchSort::Released => " ORDER BY p.released_at DESC, p.id",
        PatchSort::Product => " ORDER BY p.source, p.id",
        PatchSort::Failed => " ORDER BY p.n_failed DESC, p.id",
    }
}

/// How many patches match.
///
/// # Errors
/// When the database fails.
pub async fn count_patches(conn: &mut SqliteConnection, filter: &PatchFilter) -> Result<u32> {
    let mut query = QueryBuilder::new("SELECT count(*) FROM patch p");
    narrow(&mut query, filter);
    Ok(query.build_query_scalar().fetch_one(conn).await?)
}

/// At most `most` patches that match, the most recent first (APR-1): id and revision.
///
/// # Errors
/// When the database fails.
pub async fn matching(conn: &mut SqliteConnection, filter: &PatchFilter, most: u32) -> Result<Vec<(PatchId, i64)>> {
    let mut query = QueryBuilder::new("SELECT p.id, p.revision FROM patch p");
    narrow(&mut query, filter);
    query
        .push(" ORDER BY coalesce(p.released_at, p.first_seen_at) DESC, p.id DESC LIMIT ")
        .push_bind(most);
    let rows = query.build().fetch_all(conn).await?;
    rows.iter()
        .map(|row| Ok((PatchId(row.try_get(0)?), row.try_get(1)?)))
        .collect()
}

const COLUMNS: &str = "SELECT p.id, p.source, p.version, p.summary, p.vendor, p.origin, p.os_release_id, p.severity, p.category, p.category_basis,
    p.released_at, p.first_seen_at, p.superseded_by, s.version, p.n_missing, p.n_installed, p.n_failed, p.n_pending, p.n_unknown,
    p.n_superseded, p.n_rolled_back, p.size, p.revision FROM patch p LEFT JOIN patch s ON s.id = p.superseded_by";

/// Patches that match, with approvals and holds: so many after so many (`part`: first, most).
///
/// # Errors
/// When the database fails.
pub async fn patches(
    conn: &mut SqliteConnection,
    filter: &PatchFilter,
    part: (u32, u32),
    rings: &[RingName],
) -> Result<Vec<PatchRow>> {
    let mut query = QueryBuilder::new(COLUMNS);
    narrow(&mut query, filter);
    query
        .push(order(filter.sort))
        .push(" LIMIT ")
        .push_bind(part.1)
        .push(" OFFSET ")
        .push_bind(part.0);
    let rows = query.build().fetch_all(&mut *conn).await?;
    finish(conn, &rows, rings).await
}

/// One patch as in the list.
///
/// # Errors
/// When the database fails.
pub async fn patch(conn: &mut SqliteConnection, id: PatchId, rings: &[RingName]) -> Result<Option<PatchRow>> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push(" WHERE p.id = ").push_bind(id.0);
    let rows = query.build().fetch_all(&mut *conn).await?;
    Ok(finish(conn, &rows, rings).await?.pop())
}

/// Names of OS releases.
///
/// # Errors
/// When the database fails.
pub async fn releases(conn: &mut SqliteConnection) -> Result<BTreeMap<i64, String>> {
    let rows = sqlx::query("SELECT id, name FROM os_release").fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// What the row alone does not say: the release's name, approvals and holds, each by one statement for all rows.
async fn finish(conn: &mut SqliteConnection, rows: &[SqliteRow], rings: &[RingName]) -> Result<Vec<PatchRow>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids = rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<std::result::Result<Vec<i64>, _>>()?;
    let releases = releases(conn).await?;
    let mut approvals: BTreeMap<(i64, i64), Approval> = BTreeMap::new();
    let mut query = QueryBuilder::new(
        "SELECT patch_id, ring_id, kind, urgent FROM decision WHERE withdrawn_at IS NULL AND patch_id IN (",
    );
    among(&mut query, &ids);
    for row in query.build().fetch_all(&mut *conn).await? {
        approvals.insert(
            (row.try_get(0)?, row.try_get(1)?),
            approval(row.try_get(2)?, row.try_get(3)?)?,
        );
    }
    let mut query = QueryBuilder::new("SELECT DISTINCT patch_id FROM hold WHERE resolved_at IS NULL AND patch_id IN (");
    among(&mut query, &ids);
    let held: BTreeSet<i64> = query.build_query_scalar().fetch_all(conn).await?.into_iter().collect();
    rows.iter()
        .map(|row| {
            let mut patch = patch_row(row, &releases)?;
            patch.held = held.contains(&patch.id.0);
            let of = |ring: &RingName| {
                approvals
                    .get(&(patch.id.0, ring.id.0))
                    .copied()
                    .unwrap_or(Approval::None)
            };
            patch.approvals = rings
                .iter()
                .map(|r| RingApproval {
                    ring: r.id,
                    name: r.name.clone(),
                    approval: of(r),
                })
                .collect();
            Ok(patch)
        })
        .collect()
}

/// A stored urgency: `decision.urgent` holds [`Urgency::code`].
pub(super) fn urgency(code: i64) -> Result<Urgency> {
    Urgency::from_code(code).ok_or_else(|| Error::Inconsistent(format!("urgency {code}")))
}

/// A stored decision.
pub(super) fn approval(kind: i64, urgent: i64) -> Result<Approval> {
    match kind {
        1 => Ok(Approval::Approved {
            urgent: urgency(urgent)?,
        }),
        2 => Ok(Approval::Denied),
        _ => Err(Error::Inconsistent(format!("decision kind {kind}"))),
    }
}

fn among(query: &mut QueryBuilder<Sqlite>, ids: &[i64]) {
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(*id);
    }
    query.push(")");
}

fn patch_row(row: &SqliteRow, releases: &BTreeMap<i64, String>) -> Result<PatchRow> {
    let unknown = |what: &str, code: i64| Error::Inconsistent(format!("{what} {code}"));
    let (severity, category, basis): (i64, i64, i64) = (row.try_get(7)?, row.try_get(8)?, row.try_get(9)?);
    let superseded_by = match row.try_get::<Option<i64>, _>(12)? {
        Some(id) => Some((PatchId(id), row.try_get::<Option<String>, _>(13)?.unwrap_or_default())),
        None => None,
    };
    let release: i64 = row.try_get(6)?;
    Ok(PatchRow {
        id: PatchId(row.try_get(0)?),
        product: row.try_get(1)?,
        version: row.try_get(2)?,
        summary: row.try_get(3)?,
        vendor: row.try_get(4)?,
        origin: row.try_get(5)?,
        os: releases.get(&release).cloned().unwrap_or_default(),
        severity: Severity::from_code(severity).ok_or_else(|| unknown("severity", severity))?,
        category: Category::from_code(category).ok_or_else(|| unknown("category", category))?,
        basis: CategoryBasis::from_code(basis).ok_or_else(|| unknown("category basis", basis))?,
        released: row.try_get::<Option<i64>, _>(10)?.map(Moment),
        first_seen: Moment(row.try_get(11)?),
        superseded_by,
        counts: Counts {
            missing: row.try_get(14)?,
            installed: row.try_get(15)?,
            failed: row.try_get(16)?,
            pending: row.try_get(17)?,
            unknown: row.try_get(18)?,
            superseded: row.try_get(19)?,
            rolled_back: row.try_get(20)?,
        },
        approvals: Vec::new(),
        held: false,
        size: u64::try_from(row.try_get::<i64, _>(21)?).unwrap_or(0),
        revision: row.try_get(22)?,
    })
}
