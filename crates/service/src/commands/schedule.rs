//! Profiles, maintenance windows and freezes: made, changed and deleted (SCH-1..3, MWN-1). What the planner refuses is an answer, not a fault.

use super::checks;
use crate::{
    Actor, Error, Result, Service,
    audit::{Action, Record},
    events::Topic,
    forms, policy, snapshot,
    store::{
        self, audit,
        schedule::{self, Cluster, Item, Kind, Row, Write},
    },
};
use domain::{DeviceId, FreezeId, Moment, OsReleaseId, Permission, ProfileId, RingId, WindowId};
use planner::{Compiled, DeviceFacts, Policy, Refusal, Warning};
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use std::collections::BTreeSet;
use view::{Checked, Field, FreezeForm, Problem, ProfileForm, Saved, ScheduleProblem, ScheduleWarning, WindowForm};

/// What is about to be saved.
pub(super) struct Draft {
    /// Its name; empty for exceptions.
    pub name: String,
    /// The rule, without a number.
    pub item: Item,
    /// Why, for exceptions.
    pub note: String,
    /// Number and version of what it replaces.
    pub seen: Option<(i64, u64)>,
}

/// The facts about a cluster's devices that a schedule asks for.
pub(crate) fn facts_of(cluster: &Cluster) -> DeviceFacts {
    DeviceFacts {
        groups: cluster.group.into_iter().collect(),
        zone: cluster.zone.clone(),
        location: cluster.location,
        ..DeviceFacts::new(cluster.device, OsReleaseId(0), RingId(0))
    }
}

/// The devices that profiles name one by one.
pub(crate) fn named(policy: &Policy) -> Vec<DeviceId> {
    let scopes = policy.profiles.iter().map(|p| &p.scope);
    let named: BTreeSet<DeviceId> = scopes
        .flat_map(|s| s.devices.iter().chain(&s.not_devices))
        .copied()
        .collect();
    named.into_iter().collect()
}

/// What the planner refuses about `after` that it does not refuse about `before`: a window that has had its day must not stop other changes.
pub(crate) fn refusal(before: &Policy, after: &Policy, now: Moment) -> Option<ScheduleProblem> {
    let known: Vec<Refusal> = planner::validate(before, now);
    let new = planner::validate(after, now).into_iter().find(|r| !known.contains(r));
    new.map(forms::schedule::problem)
}

/// Whether a warning is about this very row.
fn is_about(warning: Warning, kind: Kind, id: i64) -> bool {
    match warning {
        Warning::ProfileMatchesNothing(p)
        | Warning::ShortInterval(p)
        | Warning::ShortRounds(p)
        | Warning::NeverMeets(p, _) => kind == Kind::Profile && p.0 == id,
        Warning::ExceptionsDiffer(one, other) => kind == Kind::Exception && (one.0 == id || other.0 == id),
        Warning::ExceptionOver(e) => kind == Kind::Exception && e.0 == id,
        Warning::FreezeOver(f) => kind == Kind::Freeze && f.0 == id,
        Warning::AlwaysOpen(w) | Warning::WindowTooShort(w) => kind == Kind::Window && w.0 == id,
        Warning::DeviceWithoutProfile(_)
        | Warning::RingWithoutDevices(_)
        | Warning::ShortSoak(_)
        | Warning::BlocksWithoutWindow(_) => false,
    }
}

/// What should be said about a change: what is new, and what is about the changed row.
pub(crate) async fn warnings(
    conn: &mut SqliteConnection,
    before: &Compiled,
    after: &Compiled,
    row: (Kind, i64),
    now: Moment,
) -> Result<Vec<ScheduleWarning>> {
    let mut ids = named(before.policy());
    ids.extend(named(after.policy()));
    let clusters = schedule::clusters(conn, &ids).await?;
    let facts: Vec<DeviceFacts> = clusters.iter().map(facts_of).collect();
    let known = planner::warnings(before, &facts, now);
    let new: Vec<Warning> = planner::warnings(after, &facts, now)
        .into_iter()
        .filter(|w| is_about(*w, row.0, row.1) || !known.contains(w))
        .collect();
    let uncovered = clusters
        .iter()
        .filter(|c| new.contains(&Warning::DeviceWithoutProfile(c.device)))
        .map(|c| c.devices)
        .sum();
    let mut said = Vec::new();
    for warning in new.into_iter().filter_map(|w| forms::schedule::warning(w, uncovered)) {
        if !said.contains(&warning) {
            said.push(warning);
        }
    }
    Ok(said)
}

fn recorded(name: &str, item: &Item, note: &str) -> Result<Value> {
    let rule: Value = serde_json::from_str(&item.json()?).map_err(|e| Error::Inconsistent(e.to_string()))?;
    Ok(json!({ "name": name, "rule": rule, "note": note }))
}

/// The row as somebody saw it.
async fn seen_row(conn: &mut SqliteConnection, kind: Kind, id: i64, version: u64) -> Result<Row> {
    let row = schedule::one(conn, kind, id).await?.ok_or(Error::NotFound)?;
    if row.version == version {
        Ok(row)
    } else {
        Err(Error::Changed)
    }
}

impl Service {
    /// Saves a profile; with `seen`, in the place of the one of that number and version.
    ///
    /// # Errors
    /// Not allowed, name missing or taken, not found, changed since. What the schedule itself refuses is the inner error.
    pub async fn save_profile(
        &self,
        actor: &Actor,
        seen: Option<(ProfileId, u64)>,
        form: &ProfileForm,
    ) -> Result<Checked<Saved>> {
        actor.require(Permission::ManageSchedule)?;
        let name = checks::name(Field::Label, &form.name)?;
        let seen = seen.map(|(id, version)| (id.0, version));
        self.save_form(actor, name, seen, forms::schedule::profile(form).map(Item::Profile))
            .await
    }

    /// Saves a maintenance window; with `seen`, in the place of the one of that number and version.
    ///
    /// # Errors
    /// As [`Self::save_profile`].
    pub async fn save_window(
        &self,
        actor: &Actor,
        seen: Option<(WindowId, u64)>,
        form: &WindowForm,
    ) -> Result<Checked<Saved>> {
        actor.require(Permission::ManageSchedule)?;
        let name = checks::name(Field::Label, &form.name)?;
        let seen = seen.map(|(id, version)| (id.0, version));
        self.save_form(actor, name, seen, forms::schedule::window(form).map(Item::Window))
            .await
    }

    /// Saves a freeze; with `seen`, in the place of the one of that number and version.
    ///
    /// # Errors
    /// As [`Self::save_profile`].
    pub async fn save_freeze(
        &self,
        actor: &Actor,
        seen: Option<(FreezeId, u64)>,
        form: &FreezeForm,
    ) -> Result<Checked<Saved>> {
        actor.require(Permission::ManageSchedule)?;
        let name = checks::name(Field::Label, &form.name)?;
        let seen = seen.map(|(id, version)| (id.0, version));
        self.save_form(actor, name, seen, forms::schedule::freeze(form).map(Item::Freeze))
            .await
    }

    /// Deletes a profile that was seen at a version. Its devices follow the next one that covers them, or get nothing.
    ///
    /// # Errors
    /// Not allowed, not found, changed since.
    pub async fn delete_profile(&self, actor: &Actor, id: ProfileId, version: u64) -> Result<Saved> {
        actor.require(Permission::ManageSchedule)?;
        self.take_out(actor, Kind::Profile, id.0, version).await
    }

    /// Deletes a window that was seen at a version. Devices without any window may install at any time.
    ///
    /// # Errors
    /// Not allowed, not found, changed since.
    pub async fn delete_window(&self, actor: &Actor, id: WindowId, version: u64) -> Result<Saved> {
        actor.require(Permission::ManageSchedule)?;
        self.take_out(actor, Kind::Window, id.0, version).await
    }

    /// Deletes a freeze that was seen at a version.
    ///
    /// # Errors
    /// Not allowed, not found, changed since.
    pub async fn delete_freeze(&self, actor: &Actor, id: FreezeId, version: u64) -> Result<Saved> {
        actor.require(Permission::ManageSchedule)?;
        self.take_out(actor, Kind::Freeze, id.0, version).await
    }

    async fn save_form(
        &self,
        actor: &Actor,
        name: String,
        seen: Option<(i64, u64)>,
        item: Checked<Item>,
    ) -> Result<Checked<Saved>> {
        let item = match item {
            Ok(item) => item,
            Err(problem) => return Ok(Err(problem)),
        };
        let draft = Draft {
            name,
            item,
            note: String::new(),
            seen,
        };
        let mut tx = self.store().write().await?;
        let saved = self.save(&mut tx, actor, draft).await?;
        if saved.is_ok() {
            tx.commit().await?;
            self.schedule_changed();
        }
        Ok(saved)
    }

    /// Writes a draft, its record and the new policy version into the caller's transaction, which a refusal must not commit.
    pub(super) async fn save(&self, tx: &mut SqliteConnection, actor: &Actor, draft: Draft) -> Result<Checked<Saved>> {
        let (now, kind) = (self.now(), draft.item.kind());
        let old = match draft.seen {
            Some((id, version)) => Some(seen_row(tx, kind, id, version).await?),
            None => None,
        };
        let number = old.as_ref().map_or(0, |row| row.id);
        if schedule::is_taken(tx, kind, &draft.name, number).await? {
            return Err(Error::invalid(Field::Label, Problem::Taken));
        }
        let before = snapshot::policy(tx, now).await?;
        let mut after = before.policy().clone();
        draft.item.clone().numbered(number).put(&mut after);
        if let Some(problem) = refusal(before.policy(), &after, now) {
            return Ok(Err(problem));
        }
        let version = store::meta(tx, "policy_version").await? + 1;
        let by = actor.audit_name();
        let new = Write {
            name: &draft.name,
            item: &draft.item,
            note: &draft.note,
            version,
            by: &by,
        };
        let id = match &old {
            Some(row) => {
                schedule::update(tx, row.id, new, now).await?;
                row.id
            }
            None => schedule::insert(tx, new, now).await?,
        };
        store::set_meta(tx, "policy_version", version).await?;
        let row = old.as_ref();
        let record = Record {
            actor: by.clone(),
            action: row.map_or(Action::ScheduleCreated, |_| Action::ScheduleChanged),
            object: format!("{}:{id}", kind.word()),
            before: row
                .map(|row| Ok::<_, Error>(recorded(&row.name, &row.item, &row.note)?.to_string()))
                .transpose()?,
            after: Some(recorded(&draft.name, &draft.item.clone().numbered(id), &draft.note)?.to_string()),
            reason: draft.note.clone(),
        };
        audit::append(tx, now, &record).await?;
        let after = snapshot::policy(tx, now).await?;
        Ok(Ok(Saved {
            id,
            version: u64::try_from(version).unwrap_or(0),
            warnings: warnings(tx, &before, &after, (kind, id), now).await?,
        }))
    }

    /// Deletes a row with its record and the new policy version.
    pub(super) async fn take_out(&self, actor: &Actor, kind: Kind, id: i64, version: u64) -> Result<Saved> {
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let row = seen_row(&mut tx, kind, id, version).await?;
        let before = snapshot::policy(&mut tx, now).await?;
        schedule::delete(&mut tx, id).await?;
        let version = store::meta(&mut tx, "policy_version").await? + 1;
        store::set_meta(&mut tx, "policy_version", version).await?;
        let record = Record {
            actor: actor.audit_name(),
            action: Action::ScheduleDeleted,
            object: format!("{}:{id}", kind.word()),
            before: Some(recorded(&row.name, &row.item, &row.note)?.to_string()),
            after: None,
            reason: String::new(),
        };
        audit::append(&mut tx, now, &record).await?;
        let mut after = before.policy().clone();
        schedule::take_out(&mut after, kind, id);
        let after = policy::compile(&mut tx, after, now).await?;
        let warnings = warnings(&mut tx, &before, &after, (kind, id), now).await?;
        tx.commit().await?;
        self.schedule_changed();
        Ok(Saved {
            id,
            version: u64::try_from(version).unwrap_or(0),
            warnings,
        })
    }

    /// Every page that shows a decision may show another one now.
    pub(super) fn schedule_changed(&self) {
        for topic in [Topic::Schedule, Topic::Patches, Topic::Devices] {
            self.events().send(topic);
        }
    }
}
