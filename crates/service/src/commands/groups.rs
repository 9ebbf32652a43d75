//! The tree of groups: made, changed, moved, removed (GRP-1).

use super::rings::{Now, recorded};
use crate::{
    Actor, Error, Result, Service,
    audit::{Action, Record},
    forms,
    store::{
        fleet,
        rings::{self, GroupRule, Versioned},
    },
};
use domain::{GroupId, Moment, Permission};
use planner::{ExceptionFor, Group};
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use view::{Field, GroupForm, Problem, RingsSaved, Why};

impl super::rings::Draft {
    /// Puts a group in the place of the one of its number, or adds it.
    pub(crate) fn put_group(&mut self, new: Versioned<GroupRule>) -> Result<()> {
        let id = new.rule.group.id;
        if let Some(ring) = new.rule.ring
            && self.policy.rings.iter().all(|r| r.id != ring)
        {
            return Err(Error::invalid(Field::Ring, Problem::Unknown));
        }
        self.policy.groups.retain(|g| g.id != id);
        self.policy.groups.push(new.rule.group.clone());
        self.groups.retain(|g| g.rule.group.id != id);
        self.groups.push(new);
        Ok(())
    }
}

/// Whether a group would get other windows from above than it has.
pub(crate) fn inherits_anew(old: &Group, new: &Group) -> bool {
    (old.parent, old.blocks_inheritance) != (new.parent, new.blocks_inheritance)
}

fn group_json(group: &Versioned<GroupRule>) -> Value {
    json!({ "name": group.name, "ring": group.rule.ring, "group": group.rule.group, "reboot": group.rule.reboot })
}

/// The group as somebody saw it.
fn seen_group(state: &Now, id: GroupId, version: u64) -> Result<Versioned<GroupRule>> {
    let row = state
        .groups
        .iter()
        .find(|g| g.rule.group.id == id)
        .ok_or(Error::NotFound)?;
    if row.version == version {
        Ok(row.clone())
    } else {
        Err(Error::Changed)
    }
}

/// Whether windows, freezes, profiles or exceptions name a group.
fn is_scheduled(state: &Now, id: GroupId) -> bool {
    let policy = state.policy.policy();
    policy.windows.iter().any(|w| w.groups.contains(&id))
        || policy.freezes.iter().any(|f| f.groups.contains(&id))
        || policy
            .profiles
            .iter()
            .any(|p| p.scope.groups.contains(&id) || p.scope.not_groups.contains(&id))
        || policy.exceptions.iter().any(|e| e.covers == ExceptionFor::Group(id))
}

/// Refuses to remove a group that something uses.
pub(crate) async fn is_free(conn: &mut SqliteConnection, state: &Now, id: GroupId, now: Moment) -> Result<()> {
    if rings::group_in_use(conn, id, now).await? || is_scheduled(state, id) {
        return Err(Error::Refused(Why::GroupInUse));
    }
    Ok(())
}

impl Service {
    /// Saves a group; with `seen`, in the place of the one of that number and version. Its devices follow its ring, windows and rules at once.
    ///
    /// # Errors
    /// Not allowed, a field that does not fit, not found, changed since.
    pub async fn save_group(
        &self,
        actor: &Actor,
        seen: Option<(GroupId, u64)>,
        form: &GroupForm,
    ) -> Result<RingsSaved> {
        actor.require(Permission::ManageDevices)?;
        let new = forms::rings::group(form, seen.map_or(GroupId(0), |(id, _)| id))?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let old = Now::read(&mut tx, now).await?;
        let was = seen.map(|(id, version)| seen_group(&old, id, version)).transpose()?;
        let id = new.rule.group.id;
        if old.groups.iter().any(|g| g.name == new.name && g.rule.group.id != id) {
            return Err(Error::invalid(Field::Label, Problem::Taken));
        }
        let mut draft = old.draft();
        draft.put_group(new.clone())?;
        draft.check(&mut tx, &old, now).await?;
        let version = Self::next_version(&mut tx).await?;
        let id = rings::put_group(&mut tx, &new.name, &new.rule, version).await?;
        if was
            .as_ref()
            .is_some_and(|was| inherits_anew(&was.rule.group, &new.rule.group))
        {
            fleet::other_windows(&mut tx, id, now).await?;
        }
        let record = Record {
            actor: actor.audit_name(),
            action: was.as_ref().map_or(Action::GroupCreated, |_| Action::GroupChanged),
            object: format!("group:{id}"),
            before: was.as_ref().map(|g| group_json(g).to_string()),
            after: Some(group_json(&new).to_string()),
            reason: String::new(),
        };
        let saved = recorded(&mut tx, &old, now, (id.0, version), &record).await?;
        tx.commit().await?;
        self.rings_changed();
        Ok(saved)
    }

    /// Removes a group that nothing uses.
    ///
    /// # Errors
    /// Not allowed, not found, changed since, in use.
    pub async fn remove_group(&self, actor: &Actor, id: GroupId, version: u64) -> Result<RingsSaved> {
        actor.require(Permission::ManageDevices)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let old = Now::read(&mut tx, now).await?;
        let was = seen_group(&old, id, version)?;
        is_free(&mut tx, &old, id, now).await?;
        let version = Self::next_version(&mut tx).await?;
        rings::remove_group(&mut tx, id).await?;
        let record = Record {
            actor: actor.audit_name(),
            action: Action::GroupRemoved,
            object: format!("group:{id}"),
            before: Some(group_json(&was).to_string()),
            after: None,
            reason: String::new(),
        };
        let saved = recorded(&mut tx, &old, now, (id.0, version), &record).await?;
        tx.commit().await?;
        self.rings_changed();
        Ok(saved)
    }
}
