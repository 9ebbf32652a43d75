//! The policy in force: rows into the planner's `Policy`, made ready for decisions once for as long as nothing in it changes.

use crate::{
    error::Result,
    store::{
        self, rings,
        schedule::{self, Item},
    },
};
use domain::Moment;
use planner::{Compiled, Policy, ZoneRule};
use sqlx::SqliteConnection;
use std::sync::{Arc, Mutex, PoisonError};

/// The day for which schedules are worked out, and everything that a policy is made of, as it is stored.
type Written = (i64, String);

/// The last policies that were made ready, newest last. What was read is compared whole, so nothing can be forgotten when something changes;
/// there are several for tests and simulations, which run several services in one process.
static LAST: Mutex<Vec<(Written, Arc<Compiled>)>> = Mutex::new(Vec::new());
const KEPT: usize = 4;

/// The policy in force, ready for decisions around `now`. `conn` is inside a transaction: the text and the rows belong together.
///
/// # Errors
/// When the database fails.
pub async fn load(conn: &mut SqliteConnection, now: Moment) -> Result<Arc<Compiled>> {
    let written = (now.0.div_euclid(86_400), store::policy::written(conn).await?);
    {
        let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, compiled)) = last.iter().find(|(known, _)| *known == written) {
            return Ok(Arc::clone(compiled));
        }
    }
    let mut policy = Policy {
        rings: rings::rings(conn).await?.into_iter().map(|r| r.rule).collect(),
        groups: rings::groups(conn).await?.into_iter().map(|g| g.rule.group).collect(),
        locations: rings::locations(conn).await?.into_iter().map(|l| l.rule).collect(),
        profiles: Vec::new(),
        ..Policy::default()
    };
    rings::fleet(conn).await?.rule.put(&mut policy);
    for (id, kind, rule) in schedule::rules(conn).await? {
        Item::read(id, kind, &rule)?.put(&mut policy);
    }
    let compiled = Arc::new(compile(conn, policy, now).await?);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.len() == KEPT {
        last.remove(0);
    }
    last.push((written, Arc::clone(&compiled)));
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
