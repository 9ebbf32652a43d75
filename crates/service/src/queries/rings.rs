//! The page of rings: the ladder, the tree of groups, places, and what counts for the whole fleet.

use super::{
    preview::{thinking, told},
    waiting::{Look, Waiting},
};
use crate::{
    Actor, Error, Result, Service,
    commands::{
        self,
        rings::{Draft, Now, rings_of, standing, warnings},
    },
    forms::{
        self,
        rings::{bars, fleet_form, group_form, location_form, ring_form},
    },
    snapshot,
    store::{
        self,
        rings::{self, GroupRule, Versioned},
    },
};
use domain::{DeviceId, GroupId, LocationId, Moment, OsReleaseId, PatchId, Permission, RingId};
use planner::{DeviceFacts, MissedWindows, Schedule, changes};
use sqlx::{Acquire as _, SqliteConnection};
use std::collections::BTreeMap;
use view::{
    CriticalProduct, GroupView, LocationView, RingView, RingsForm, RingsPage, RingsPreview, RingsStep, RingsStepPreview,
};

/// The groups as people read a tree: each after the one that it lies in, by name among its equals, with its depth. A circle, which is
/// refused when groups are saved, is shown at the end.
fn tree(groups: &[Versioned<GroupRule>]) -> Vec<(u32, &Versioned<GroupRule>)> {
    fn below<'g>(
        parent: Option<GroupId>,
        depth: u32,
        groups: &'g [Versioned<GroupRule>],
        found: &mut Vec<(u32, &'g Versioned<GroupRule>)>,
    ) {
        let mut here: Vec<_> = groups.iter().filter(|g| g.rule.group.parent == parent).collect();
        here.sort_by(|a, b| a.name.cmp(&b.name));
        for group in here {
            found.push((depth, group));
            below(Some(group.rule.group.id), depth + 1, groups, found);
        }
    }
    let mut found = Vec::with_capacity(groups.len());
    below(None, 0, groups, &mut found);
    for group in groups {
        if found
            .iter()
            .all(|(_, known)| known.rule.group.id != group.rule.group.id)
        {
            found.push((0, group));
        }
    }
    found
}

/// What counts for missed windows in a group: after so many it catches up.
fn catches_up_after(groups: &[Versioned<GroupRule>], group: &Versioned<GroupRule>) -> u32 {
    let mut next = Some(group);
    for _ in 0..groups.len() {
        match next.map(|g| (g.rule.group.missed, g.rule.group.parent)) {
            Some((Some(MissedWindows::CatchUp { after }), _)) => return after,
            Some((Some(MissedWindows::Wait), _)) | None => return 0,
            Some((None, parent)) => next = groups.iter().find(|g| Some(g.rule.group.id) == parent),
        }
    }
    0
}

fn sum<K: PartialEq>(rows: &[(K, u32)], wanted: impl Fn(&K) -> bool) -> u32 {
    rows.iter().filter(|(key, _)| wanted(key)).map(|(_, n)| n).sum()
}

async fn critical(
    conn: &mut SqliteConnection,
    state: &Now,
    ring_of: &BTreeMap<GroupId, RingId>,
) -> Result<Vec<CriticalProduct>> {
    let first = state.policy.rings().next().map(|r| r.id);
    let is_pilot = |group: &Option<GroupId>| {
        let ring = group.and_then(|g| ring_of.get(&g).copied());
        ring.is_some() && ring == first
    };
    Ok(rings::critical(conn)
        .await?
        .into_iter()
        .map(|(id, name, devices)| CriticalProduct {
            id,
            name,
            devices: sum(&devices, |_| true),
            pilots: sum(&devices, is_pilot),
        })
        .collect())
}

impl Service {
    /// The page of rings.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn rings(&self, actor: &Actor) -> Result<RingsPage> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        let state = Now::read(conn, now).await?;
        let ring_of = rings_of(&state.groups);
        let devices = rings::devices_by_group(conn).await?;
        let runs = rings::in_flight(conn).await?;
        let in_ring = |group: &Option<GroupId>, ring| group.and_then(|g| ring_of.get(&g)) == Some(&ring);
        let mut ladder = Vec::new();
        for row in rings::rings(conn).await? {
            let id = row.rule.id;
            let count = sum(&devices, |group| in_ring(group, id));
            let mut groups: Vec<String> = state
                .groups
                .iter()
                .filter(|g| ring_of.get(&g.rule.group.id) == Some(&id))
                .map(|g| g.name.clone())
                .collect();
            groups.sort();
            ladder.push(RingView {
                id,
                version: row.version,
                form: ring_form(&row.rule),
                devices: count,
                groups,
                decisions: rings::decisions_in(conn, id).await?,
                waves: bars(&row.rule, count),
                in_flight: sum(&runs, |ring| *ring == Some(id)),
            });
        }
        let group = |(depth, group): (u32, &Versioned<GroupRule>)| {
            let id = group.rule.group.id;
            let facts = DeviceFacts {
                groups: vec![id],
                ..DeviceFacts::new(DeviceId(0), OsReleaseId(0), RingId(0))
            };
            let ring = ring_of.get(&id).and_then(|ring| state.policy.ring(*ring));
            GroupView {
                id,
                version: group.version,
                form: group_form(group),
                depth,
                ring: ring.map(|r| r.name.clone()),
                catches_up_after: catches_up_after(&state.groups, group),
                devices: sum(&devices, |of| *of == Some(id)),
                windows: Schedule::new(&state.policy, &facts).windows(),
            }
        };
        let at = rings::at_locations(conn).await?;
        let places = rings::locations(conn).await?;
        let place = |location: &Versioned<planner::Location>| {
            let id: LocationId = location.rule.id;
            let (devices, in_flight) = at.iter().find(|(l, ..)| *l == id).map_or((0, 0), |(_, d, n)| (*d, *n));
            LocationView {
                id,
                version: location.version,
                form: location_form(location),
                devices,
                in_flight,
            }
        };
        let fleet = rings::fleet(conn).await?;
        let version = store::meta(conn, "policy_version").await?;
        let page = RingsPage {
            rings: ladder,
            groups: tree(&state.groups).into_iter().map(group).collect(),
            locations: places.iter().map(place).collect(),
            fleet: fleet_form(&fleet.rule),
            fleet_version: fleet.version,
            in_flight: sum(&runs, |_| true),
            critical: critical(conn, &state, &ring_of).await?,
            without_ring: sum(&devices, |g| g.is_none_or(|g| !ring_of.contains_key(&g))),
            warnings: standing(conn, &state, now).await?,
            version: u64::try_from(version).unwrap_or(0),
        };
        tx.commit().await?;
        Ok(page)
    }

    /// What saving a form would bring: the installs that would move, and what would be said about it.
    ///
    /// # Errors
    /// Not allowed, and whatever saving it would refuse.
    pub async fn foresee_rings(&self, actor: &Actor, form: &RingsForm) -> Result<RingsPreview> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let before = Now::read(&mut tx, now).await?;
        let mut draft = before.draft();
        put(&mut draft, form)?;
        let whom = match form {
            // What one ring shows decides about every later one.
            RingsForm::Ring { .. } | RingsForm::Fleet(_) => Concerned::All,
            RingsForm::Group { id, .. } => Concerned::Group(*id),
            RingsForm::Location { id, .. } => Concerned::Location(*id),
        };
        let preview = self.foresee(&mut tx, now, &before, draft, whom).await?;
        tx.commit().await?;
        Ok(preview)
    }

    /// What a step would bring. That it would be refused is part of the answer.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn foresee_step(&self, actor: &Actor, step: RingsStep) -> Result<RingsStepPreview> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        let before = Now::read(conn, now).await?;
        let (name, version) = about(conn, &before, step).await?;
        let devices = match step {
            RingsStep::RemoveLocation(id) => {
                let at = rings::at_locations(conn).await?;
                at.iter().find(|(l, ..)| *l == id).map_or(0, |(_, devices, _)| *devices)
            }
            RingsStep::Move { .. } | RingsStep::RemoveRing(_) | RingsStep::RemoveGroup(_) => 0,
        };
        let (order, preview) = match stepped(conn, &before, step, now).await {
            Ok((draft, whom)) => {
                let order = match step {
                    RingsStep::Move { .. } | RingsStep::RemoveRing(_) => {
                        draft.policy.rings.iter().map(|r| r.name.clone()).collect()
                    }
                    RingsStep::RemoveGroup(_) | RingsStep::RemoveLocation(_) => Vec::new(),
                };
                (order, self.foresee(conn, now, &before, draft, whom).await)
            }
            Err(refused) => (Vec::new(), Err(refused)),
        };
        tx.commit().await?;
        Ok(RingsStepPreview {
            step,
            name,
            version,
            order,
            devices,
            preview: match preview {
                Ok(preview) => Ok(preview),
                Err(refused @ (Error::Refused(_) | Error::Invalid { .. })) => Err(refused.to_ui()),
                Err(other) => return Err(other),
            },
        })
    }

    /// What a draft would bring to those concerned.
    async fn foresee(
        &self,
        conn: &mut SqliteConnection,
        now: Moment,
        before: &Now,
        draft: Draft,
        whom: Concerned,
    ) -> Result<RingsPreview> {
        let after = draft.check(conn, before, now).await?;
        let warnings = warnings(conn, before, &after, now).await?;
        let (old, new) = (rings_of(&before.groups), rings_of(&after.groups));
        let concerned = |device: &DeviceFacts| match whom {
            Concerned::All => true,
            Concerned::Group(id) => id.is_some_and(|id| before.policy.lies_in(device, id)),
            Concerned::Location(id) => id.is_some() && device.location == id,
        };
        let both = |device: &DeviceFacts| [ring_in(&old, device), ring_in(&new, device)];
        let waiting = Waiting::read_in(
            conn,
            &before.policy,
            now,
            Look::whole(&self.inner.facts),
            concerned,
            both,
        )
        .await?;
        let ids: Vec<PatchId> = waiting.patches();
        let mut words = snapshot::words(conn, now, &ids).await?;
        for ring in after.policy.rings() {
            words = words.with_ring(ring.id, &ring.name);
        }
        let (before, after) = (before.policy.clone(), after.policy);
        let (waiting, found) = thinking(move || {
            // Nobody has slept through windows that come from above only now.
            let was = |id: GroupId| before.policy().groups.iter().find(|g| g.id == id);
            let groups = after.policy().groups.iter();
            let turned: Vec<GroupId> = groups
                .filter(|new| was(new.id).is_some_and(|old| commands::groups::inherits_anew(old, new)))
                .map(|group| group.id)
                .collect();
            let anew = |device: &DeviceFacts| turned.iter().any(|group| before.lies_in(device, *group));
            let there = waiting.devices().map(|device| DeviceFacts {
                ring: ring_in(&new, &device),
                missed_windows: if anew(&device) { 0 } else { device.missed_windows },
                ..device
            });
            let found = changes(&waiting.input(&before, now)?, &waiting.input_with(&after, now, there)?);
            Ok((waiting, found))
        })
        .await?;
        Ok(RingsPreview {
            change: told(&waiting, found, &words),
            warnings,
        })
    }
}

/// The ring that counts for a device, among those of the groups.
fn ring_in(rings: &BTreeMap<GroupId, RingId>, device: &DeviceFacts) -> Option<RingId> {
    device.groups.iter().find_map(|group| rings.get(group).copied())
}

/// Whose installs a change may move.
#[derive(Clone, Copy)]
enum Concerned {
    /// Everybody's.
    All,
    /// Those of a group; none: a new one's, which has no devices.
    Group(Option<GroupId>),
    /// Those of a location.
    Location(Option<LocationId>),
}

/// The name and the version of what a step is about.
async fn about(conn: &mut SqliteConnection, state: &Now, step: RingsStep) -> Result<(String, u64)> {
    let found = match step {
        RingsStep::Move { ring: id, .. } | RingsStep::RemoveRing(id) => {
            let all = rings::rings(conn).await?;
            all.into_iter().find(|r| r.rule.id == id).map(|r| (r.name, r.version))
        }
        RingsStep::RemoveGroup(id) => {
            let group = state.groups.iter().find(|g| g.rule.group.id == id);
            group.map(|g| (g.name.clone(), g.version))
        }
        RingsStep::RemoveLocation(id) => {
            let all = rings::locations(conn).await?;
            all.into_iter().find(|l| l.rule.id == id).map(|l| (l.name, l.version))
        }
    };
    found.ok_or(Error::NotFound)
}

/// The policy after a step, by the same rules as when it is done.
async fn stepped(
    conn: &mut SqliteConnection,
    before: &Now,
    step: RingsStep,
    now: Moment,
) -> Result<(Draft, Concerned)> {
    let mut draft = before.draft();
    let whom = match step {
        RingsStep::Move { ring, earlier } => {
            let order = commands::rings::moved(&draft.policy, ring, earlier)?;
            draft.order(&order);
            Concerned::All
        }
        RingsStep::RemoveRing(id) => {
            commands::rings::is_free(conn, before, id).await?;
            draft.take_ring(id);
            Concerned::All
        }
        RingsStep::RemoveGroup(id) => {
            commands::groups::is_free(conn, before, id, now).await?;
            draft.policy.groups.retain(|g| g.id != id);
            draft.groups.retain(|g| g.rule.group.id != id);
            Concerned::Group(Some(id))
        }
        RingsStep::RemoveLocation(id) => {
            draft.policy.locations.retain(|l| l.id != id);
            Concerned::Location(Some(id))
        }
    };
    Ok((draft, whom))
}

/// Puts a form into a draft.
fn put(draft: &mut Draft, form: &RingsForm) -> Result<()> {
    match form {
        RingsForm::Ring { id, before, form } => {
            let known = |id: RingId| draft.policy.rings.iter().any(|r| r.id == id);
            if id.is_some_and(|id| !known(id)) {
                return Err(Error::NotFound);
            }
            let place = id
                .and_then(|id| draft.policy.rings.iter().find(|r| r.id == id))
                .map_or(0, |r| r.position);
            draft.put_ring(forms::rings::ring(form, id.unwrap_or(RingId(0)), place)?, *before)
        }
        RingsForm::Group { id, form } => draft.put_group(forms::rings::group(form, id.unwrap_or(GroupId(0)))?),
        RingsForm::Fleet(form) => {
            forms::rings::fleet(form)?.put(&mut draft.policy);
            Ok(())
        }
        RingsForm::Location { id, form } => {
            let new = forms::rings::location(form, id.unwrap_or(LocationId(0)))?.rule;
            draft.policy.locations.retain(|l| l.id != new.id);
            draft.policy.locations.push(new);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::RebootPolicy;
    use planner::Group;

    fn group(id: i64, parent: Option<i64>, missed: Option<u32>) -> Versioned<GroupRule> {
        Versioned {
            rule: GroupRule {
                group: Group {
                    id: GroupId(id),
                    parent: parent.map(GroupId),
                    blocks_inheritance: false,
                    missed: missed.map(|after| MissedWindows::CatchUp { after }),
                },
                ring: None,
                reboot: RebootPolicy::Never,
            },
            name: format!("g{}", 9 - id),
            version: 1,
        }
    }

    #[test]
    fn trees_read_from_the_top_and_circles_end() {
        let groups = [
            group(1, None, Some(3)),
            group(2, Some(1), None),
            group(3, None, None),
            group(4, Some(5), None),
            group(5, Some(4), None),
        ];
        let shown: Vec<(u32, i64)> = tree(&groups).iter().map(|(d, g)| (*d, g.rule.group.id.0)).collect();
        assert_eq!(shown, [(0, 3), (0, 1), (1, 2), (0, 4), (0, 5)]);
        assert_eq!(catches_up_after(&groups, &groups[1]), 3);
        assert_eq!(catches_up_after(&groups, &groups[3]), 0);
    }
}
