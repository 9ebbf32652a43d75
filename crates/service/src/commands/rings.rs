//! Rings, what counts for the whole fleet, and products that must not fail: made, changed, ordered, removed (PIL-1, PIL-2, PIL-3, GRP-1).

use super::checks;
use crate::{
    Actor, Error, Result, Service,
    audit::{Action, Record},
    events::Topic,
    forms, policy, snapshot,
    store::{
        self, audit,
        rings::{self, FleetPolicy, GroupRule, Versioned},
        schedule,
    },
};
use domain::{Moment, Permission, ProductId, RingId};
use planner::{Compiled, DeviceFacts, Policy, Ring, Warning};
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use std::{collections::BTreeMap, sync::Arc};
use view::{Field, FleetForm, Problem, RingForm, RingsSaved, RingsWarning, Why};

/// The policy as it is, with the rings of groups, which are facts for the planner.
pub(crate) struct Now {
    /// The policy.
    pub policy: Arc<Compiled>,
    /// The tree.
    pub groups: Vec<Versioned<GroupRule>>,
}

/// The policy as it would be.
pub(crate) struct Draft {
    /// The policy.
    pub policy: Policy,
    /// The tree.
    pub groups: Vec<Versioned<GroupRule>>,
}

impl Now {
    pub async fn read(conn: &mut SqliteConnection, now: Moment) -> Result<Self> {
        Ok(Self {
            policy: snapshot::policy(conn, now).await?,
            groups: rings::groups(conn).await?,
        })
    }

    pub fn draft(&self) -> Draft {
        Draft {
            policy: self.policy.policy().clone(),
            groups: self.groups.clone(),
        }
    }
}

/// The rings in their order, without gaps.
pub(crate) fn in_order(policy: &Policy) -> Vec<RingId> {
    let mut order: Vec<(u32, RingId)> = policy.rings.iter().map(|r| (r.position, r.id)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, id)| id).collect()
}

/// The order with a ring one place earlier or later.
pub(crate) fn moved(policy: &Policy, id: RingId, earlier: bool) -> Result<Vec<RingId>> {
    let mut order = in_order(policy);
    let at = order.iter().position(|r| *r == id).ok_or(Error::NotFound)?;
    let to = if earlier { at.checked_sub(1) } else { Some(at + 1) };
    let to = to
        .filter(|to| *to < order.len())
        .ok_or(Error::Refused(Why::AlreadyDone))?;
    order.swap(at, to);
    Ok(order)
}

/// Refuses to remove a ring that a group uses or for which a decision is in force.
pub(crate) async fn is_free(conn: &mut SqliteConnection, state: &Now, id: RingId) -> Result<()> {
    let groups = state.groups.iter().filter(|g| g.rule.ring == Some(id)).count();
    let groups = u32::try_from(groups).unwrap_or(u32::MAX);
    let decisions = rings::decisions_in(conn, id).await?;
    if groups > 0 || decisions > 0 {
        return Err(Error::Refused(Why::RingInUse { groups, decisions }));
    }
    Ok(())
}

impl Draft {
    /// Takes a ring out; the others close the gap.
    pub fn take_ring(&mut self, id: RingId) {
        self.policy.rings.retain(|r| r.id != id);
        self.order(&in_order(&self.policy));
    }

    /// Puts a ring in the place of the one of its number, or a new one before another one or last.
    pub fn put_ring(&mut self, ring: Ring, before: Option<RingId>) -> Result<()> {
        let mut order = in_order(&self.policy);
        if !order.contains(&ring.id) {
            let at = match before {
                None => order.len(),
                Some(before) => order
                    .iter()
                    .position(|id| *id == before)
                    .ok_or(Error::invalid(Field::Ring, Problem::Unknown))?,
            };
            order.insert(at, ring.id);
        }
        self.policy.rings.retain(|r| r.id != ring.id);
        self.policy.rings.push(ring);
        self.order(&order);
        Ok(())
    }

    /// Gives the rings their places.
    pub fn order(&mut self, order: &[RingId]) {
        for (position, id) in (1_u32..).zip(order) {
            if let Some(ring) = self.policy.rings.iter_mut().find(|r| r.id == *id) {
                ring.position = position;
            }
        }
        self.policy.rings.sort_by_key(|r| r.position);
    }

    /// Refuses what the planner refuses, and makes the rest ready.
    pub async fn check(self, conn: &mut SqliteConnection, before: &Now, now: Moment) -> Result<Now> {
        let known = planner::validate(before.policy.policy(), now);
        if let Some(new) = planner::validate(&self.policy, now)
            .into_iter()
            .find(|r| !known.contains(r))
        {
            return Err(forms::rings::refused(&new));
        }
        Ok(Now {
            policy: Arc::new(policy::compile(conn, self.policy, now).await?),
            groups: self.groups,
        })
    }
}

/// The ring that counts for each group: its own or that of the nearest group above.
pub(crate) fn rings_of(groups: &[Versioned<GroupRule>]) -> BTreeMap<domain::GroupId, RingId> {
    let find = |id| groups.iter().find(|g| g.rule.group.id == id);
    let ring = |group: &Versioned<GroupRule>| {
        let mut next = Some(group);
        // As many steps as there are groups: a circle, which is refused, ends without a ring.
        for _ in 0..groups.len() {
            match next {
                Some(group) if group.rule.ring.is_some() => return group.rule.ring,
                Some(group) => next = group.rule.group.parent.and_then(find),
                None => return None,
            }
        }
        None
    };
    groups
        .iter()
        .filter_map(|g| Some((g.rule.group.id, ring(g)?)))
        .collect()
}

/// One device for each kind that the schedule tells apart, with its ring, and how many there are.
pub(crate) async fn devices(conn: &mut SqliteConnection, state: &Now) -> Result<Vec<(DeviceFacts, u32)>> {
    let ring_of = rings_of(&state.groups);
    let named = super::schedule::named(state.policy.policy());
    let clusters = schedule::clusters(conn, &named).await?;
    Ok(clusters
        .iter()
        .map(|cluster| {
            let facts = DeviceFacts {
                ring: cluster.group.and_then(|g| ring_of.get(&g).copied()),
                ..super::schedule::facts_of(cluster)
            };
            (facts, cluster.devices)
        })
        .collect())
}

/// What should be said about rings and groups as they are.
pub(crate) async fn standing(conn: &mut SqliteConnection, state: &Now, now: Moment) -> Result<Vec<RingsWarning>> {
    let devices = devices(conn, state).await?;
    let facts: Vec<DeviceFacts> = devices.iter().map(|(facts, _)| facts.clone()).collect();
    let ring = |id: RingId| state.policy.ring(id).map_or_else(String::new, |r| r.name.clone());
    let group = |id| {
        let found = state.groups.iter().find(|g| g.rule.group.id == id);
        found.map_or_else(String::new, |g| g.name.clone())
    };
    let mut said: Vec<RingsWarning> = planner::warnings(&state.policy, &facts, now)
        .into_iter()
        .filter_map(|warning| match warning {
            Warning::RingWithoutDevices(id) => Some(RingsWarning::RingWithoutDevices { ring: ring(id) }),
            Warning::ShortSoak(id) => Some(RingsWarning::ShortSoak { ring: ring(id) }),
            Warning::BlocksWithoutWindow(id) => Some(RingsWarning::BlocksWithoutWindow { group: group(id) }),
            _ => None,
        })
        .collect();
    let mut ringless: BTreeMap<domain::GroupId, u32> = BTreeMap::new();
    for (facts, n) in devices.iter().filter(|(facts, _)| facts.ring.is_none()) {
        for id in &facts.groups {
            *ringless.entry(*id).or_default() += n;
        }
    }
    said.extend(
        ringless
            .into_iter()
            .map(|(id, devices)| RingsWarning::GroupWithoutRing {
                group: group(id),
                devices,
            }),
    );
    Ok(said)
}

/// What should be said about a change: what was not true before it.
pub(crate) async fn warnings(
    conn: &mut SqliteConnection,
    before: &Now,
    after: &Now,
    now: Moment,
) -> Result<Vec<RingsWarning>> {
    let known = standing(conn, before, now).await?;
    let mut new: Vec<RingsWarning> = standing(conn, after, now)
        .await?
        .into_iter()
        .filter(|w| !known.contains(w))
        .collect();
    let first = |state: &Now| state.policy.rings().next().map(|r| (r.id, r.name.clone()));
    if let Some((id, ring)) = first(after)
        && first(before).is_none_or(|(old, _)| old != id)
    {
        let approved = rings::decisions_in(conn, id).await?;
        if approved > 0 {
            new.push(RingsWarning::NowFirst { ring, approved });
        }
    }
    Ok(new)
}

/// Writes a change into the audit log and says what its maker should know. The caller commits.
pub(super) async fn recorded(
    conn: &mut SqliteConnection,
    before: &Now,
    now: Moment,
    (id, version): (i64, i64),
    record: &Record,
) -> Result<RingsSaved> {
    audit::append(conn, now, record).await?;
    let after = Now::read(conn, now).await?;
    Ok(RingsSaved {
        id,
        version: u64::try_from(version).unwrap_or(0),
        warnings: warnings(conn, before, &after, now).await?,
    })
}

pub(crate) fn ring_json(ring: &Ring) -> Result<Value> {
    serde_json::to_value(ring).map_err(|e| Error::Inconsistent(e.to_string()))
}

impl Service {
    /// Raises the policy version, which every device must follow.
    pub(super) async fn next_version(conn: &mut SqliteConnection) -> Result<i64> {
        let version = store::meta(conn, "policy_version").await? + 1;
        store::set_meta(conn, "policy_version", version).await?;
        Ok(version)
    }

    /// Every page that shows a ring, a group or a decision may show another one now.
    pub(super) fn rings_changed(&self) {
        for topic in [Topic::Schedule, Topic::Patches, Topic::Devices] {
            self.events().send(topic);
        }
    }

    /// Saves a ring; with `seen`, in the place of the one of that number and version. A new one goes before `before`, or last.
    ///
    /// # Errors
    /// Not allowed, a field that does not fit, not found, changed since.
    pub async fn save_ring(
        &self,
        actor: &Actor,
        seen: Option<(RingId, u64)>,
        before: Option<RingId>,
        form: &RingForm,
    ) -> Result<RingsSaved> {
        actor.require(Permission::ManageDevices)?;
        let new = forms::rings::ring(form, seen.map_or(RingId(0), |(id, _)| id), 0)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let old = Now::read(&mut tx, now).await?;
        let was = match seen {
            Some((id, version)) => Some(seen_ring(&mut tx, id, version).await?),
            None => None,
        };
        if rings::ring_name_taken(&mut tx, &new.name, new.id).await? {
            return Err(Error::invalid(Field::Label, Problem::Taken));
        }
        let mut draft = old.draft();
        draft.put_ring(new.clone(), before)?;
        let mut order = in_order(&draft.policy);
        draft.check(&mut tx, &old, now).await?;
        let version = Self::next_version(&mut tx).await?;
        // A new ring goes behind all others first, because places are unique.
        let position = was.as_ref().map_or(999_999, |r| r.position);
        let id = rings::put_ring(
            &mut tx,
            &Ring {
                position,
                ..new.clone()
            },
            version,
        )
        .await?;
        if was.is_none() {
            for place in order.iter_mut().filter(|place| place.0 == 0) {
                *place = id;
            }
            rings::order_rings(&mut tx, &order, version).await?;
        }
        let record = Record {
            actor: actor.audit_name(),
            action: was.as_ref().map_or(Action::RingCreated, |_| Action::RingChanged),
            object: format!("ring:{id}"),
            before: was
                .as_ref()
                .map(|r| Ok::<_, Error>(ring_json(r)?.to_string()))
                .transpose()?,
            after: Some(ring_json(&Ring { id, ..new })?.to_string()),
            reason: String::new(),
        };
        let saved = recorded(&mut tx, &old, now, (id.0, version), &record).await?;
        tx.commit().await?;
        self.rings_changed();
        Ok(saved)
    }

    /// Moves a ring that was seen at a version one place earlier or later.
    ///
    /// # Errors
    /// Not allowed, not found, changed since, already at that end.
    pub async fn move_ring(&self, actor: &Actor, id: RingId, version: u64, earlier: bool) -> Result<RingsSaved> {
        actor.require(Permission::ManageDevices)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        seen_ring(&mut tx, id, version).await?;
        let old = Now::read(&mut tx, now).await?;
        let was = in_order(old.policy.policy());
        let order = moved(old.policy.policy(), id, earlier)?;
        let version = Self::next_version(&mut tx).await?;
        rings::order_rings(&mut tx, &order, version).await?;
        let record = Record {
            actor: actor.audit_name(),
            action: Action::RingsOrdered,
            object: format!("ring:{id}"),
            before: Some(json!({ "order": was }).to_string()),
            after: Some(json!({ "order": order }).to_string()),
            reason: String::new(),
        };
        let saved = recorded(&mut tx, &old, now, (id.0, version), &record).await?;
        tx.commit().await?;
        self.rings_changed();
        Ok(saved)
    }

    /// Removes a ring that no group uses and for which no decision is in force.
    ///
    /// # Errors
    /// Not allowed, not found, changed since, in use, the only one.
    pub async fn remove_ring(&self, actor: &Actor, id: RingId, version: u64) -> Result<RingsSaved> {
        actor.require(Permission::ManageDevices)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let was = seen_ring(&mut tx, id, version).await?;
        let old = Now::read(&mut tx, now).await?;
        is_free(&mut tx, &old, id).await?;
        let mut draft = old.draft();
        draft.take_ring(id);
        let order = in_order(&draft.policy);
        draft.check(&mut tx, &old, now).await?;
        let version = Self::next_version(&mut tx).await?;
        rings::remove_ring(&mut tx, id, now).await?;
        rings::order_rings(&mut tx, &order, version).await?;
        let record = Record {
            actor: actor.audit_name(),
            action: Action::RingRemoved,
            object: format!("ring:{id}"),
            before: Some(ring_json(&was)?.to_string()),
            after: None,
            reason: String::new(),
        };
        let saved = recorded(&mut tx, &old, now, (id.0, version), &record).await?;
        tx.commit().await?;
        self.rings_changed();
        Ok(saved)
    }

    /// Saves what counts for the whole fleet, in the place of what was seen at a version.
    ///
    /// # Errors
    /// Not allowed, a field that does not fit, changed since.
    pub async fn save_fleet_policy(&self, actor: &Actor, seen: u64, form: &FleetForm) -> Result<RingsSaved> {
        actor.require(Permission::ManageDevices)?;
        let new = forms::rings::fleet(form)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let was = rings::fleet(&mut tx).await?;
        if was.version != seen {
            return Err(Error::Changed);
        }
        let old = Now::read(&mut tx, now).await?;
        let mut draft = old.draft();
        new.put(&mut draft.policy);
        draft.check(&mut tx, &old, now).await?;
        let version = Self::next_version(&mut tx).await?;
        let by = actor.audit_name();
        rings::put_fleet(&mut tx, new, version, now, &by).await?;
        let record = Record {
            actor: by,
            action: Action::FleetPolicy,
            object: "fleet".to_owned(),
            before: Some(fleet_json(was.rule).to_string()),
            after: Some(fleet_json(new).to_string()),
            reason: String::new(),
        };
        audit::append(&mut tx, now, &record).await?;
        tx.commit().await?;
        self.rings_changed();
        Ok(RingsSaved {
            id: 0,
            version: u64::try_from(version).unwrap_or(0),
            warnings: Vec::new(),
        })
    }

    /// Says that a product must not fail, or no longer: rings that ask for it wait until a device with it has taken a patch (PIL-3).
    ///
    /// # Errors
    /// Not allowed, no such product in the catalog, nothing to change.
    pub async fn save_product_criticality(&self, actor: &Actor, name: &str, critical: bool) -> Result<ProductId> {
        actor.require(Permission::ManageDevices)?;
        let name = checks::name(Field::Product, name)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let id = schedule::product(&mut tx, &name)
            .await?
            .ok_or(Error::invalid(Field::Product, Problem::Unknown))?;
        if !rings::set_critical(&mut tx, id, critical).await? {
            return Err(Error::Refused(Why::AlreadyDone));
        }
        Self::next_version(&mut tx).await?;
        let record = Record {
            actor: actor.audit_name(),
            action: Action::ProductCriticality,
            object: format!("product:{id}"),
            before: Some(json!({ "name": name, "critical": !critical }).to_string()),
            after: Some(json!({ "name": name, "critical": critical }).to_string()),
            reason: String::new(),
        };
        audit::append(&mut tx, now, &record).await?;
        tx.commit().await?;
        self.rings_changed();
        Ok(id)
    }
}

fn fleet_json(fleet: FleetPolicy) -> Value {
    json!({ "max_in_flight": fleet.max_in_flight, "retry": fleet.retry, "durations": fleet.durations })
}

/// The ring as somebody saw it.
async fn seen_ring(conn: &mut SqliteConnection, id: RingId, version: u64) -> Result<Ring> {
    let row = rings::rings(conn)
        .await?
        .into_iter()
        .find(|r| r.rule.id == id)
        .ok_or(Error::NotFound)?;
    if row.version == version {
        Ok(row.rule)
    } else {
        Err(Error::Changed)
    }
}
