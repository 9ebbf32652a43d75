//! The policy in force: rows into the planner's `Policy`, made ready for decisions once for as long as nothing in it changes.

use crate::{
    error::Result,
    store::{
        rollouts,
        schedule::{self, Item},
    },
};
use domain::{GroupId, LocationId, Moment, Span};
use planner::{Compiled, EvidencePolicy, Group, Location, Policy, Ring, ZoneRule};
use sqlx::SqliteConnection;
use std::sync::{Arc, Mutex, PoisonError};

/// Everything that a policy is made of, as it is stored, and the day for which its schedules are worked out.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    day: i64,
    rings: Vec<Ring>,
    groups: Vec<Group>,
    locations: Vec<Location>,
    rules: Vec<(i64, i64, String)>,
}

/// The last policy that was made ready. What was read is compared whole, so nothing can be forgotten when something changes; several
/// services in one process only take turns.
static LAST: Mutex<Option<(Written, Arc<Compiled>)>> = Mutex::new(None);

/// The policy in force, ready for decisions around `now`.
///
/// # Errors
/// When the database fails.
pub async fn load(conn: &mut SqliteConnection, now: Moment) -> Result<Arc<Compiled>> {
    let written = Written {
        day: now.0.div_euclid(86_400),
        rings: rings(conn).await?,
        groups: groups(conn).await?,
        locations: locations(conn).await?,
        rules: schedule::rules(conn).await?,
    };
    {
        let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, compiled)) = &*last
            && *known == written
        {
            return Ok(Arc::clone(compiled));
        }
    }
    let mut policy = Policy {
        rings: written.rings.clone(),
        groups: written.groups.clone(),
        locations: written.locations.clone(),
        profiles: Vec::new(),
        ..Policy::default()
    };
    for (id, kind, rule) in &written.rules {
        Item::read(*id, *kind, rule)?.put(&mut policy);
    }
    let compiled = Arc::new(compile(conn, policy, now).await?);
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some((written, Arc::clone(&compiled)));
    Ok(compiled)
}

/// Makes a policy ready, in the zones of the devices where it depends on them.
///
/// # Errors
/// When the database fails.
pub async fn compile(conn: &mut SqliteConnection, policy: Policy, now: Moment) -> Result<Compiled> {
    let device = ZoneRule::Device;
    let by_device = policy.windows.iter().any(|w| w.zone == device)
        || policy.freezes.iter().any(|f| f.zone == device)
        || policy
            .profiles
            .iter()
            .any(|p| p.frame.as_ref().is_some_and(|f| f.zone == device));
    let zones = if by_device {
        schedule::zones(conn).await?
    } else {
        Vec::new()
    };
    Ok(policy.compile(now, zones.iter().map(String::as_str)))
}

async fn rings(conn: &mut SqliteConnection) -> Result<Vec<Ring>> {
    let rings = rollouts::rings(conn).await?.into_iter().map(|r| Ring {
        id: r.id,
        name: r.name,
        position: count(r.position),
        soak: Span(r.soak),
        evidence: EvidencePolicy {
            min_successes: count(r.min_successes),
            own_release: r.per_os_release,
            ..EvidencePolicy::default()
        },
    });
    Ok(rings.collect())
}

async fn groups(conn: &mut SqliteConnection) -> Result<Vec<Group>> {
    let groups = rollouts::groups(conn).await?.into_iter().map(|(id, parent)| Group {
        id: GroupId(id),
        parent: parent.map(GroupId),
        blocks_inheritance: false,
        missed: None,
    });
    Ok(groups.collect())
}

async fn locations(conn: &mut SqliteConnection) -> Result<Vec<Location>> {
    let locations = schedule::locations(conn)
        .await?
        .into_iter()
        .map(|(id, zone, rate)| Location {
            id: LocationId(id),
            zone,
            max_in_flight: None,
            bytes_per_second: rate.and_then(|kib| u64::try_from(kib).ok()).map(|kib| kib * 1_024),
        });
    Ok(locations.collect())
}

fn count(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(if value < 0 { 0 } else { u32::MAX })
}
