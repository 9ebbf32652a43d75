//! The schedule's forms while they are filled in: everything that saving would say, said without saving.

use super::{
    preview::{Step, item_of, product_of},
    schedule::{groups, hours_to_come, occurrences, who},
};
use crate::{
    Actor, Error, Result, Service,
    commands::{
        checks,
        schedule::{refusal, warnings},
    },
    forms, policy, snapshot,
    store::{
        accounts, lists, names,
        schedule::{self, Item, Kind, Row},
    },
};
use domain::{AccountId, DeviceId, OsReleaseId, PatchId, Permission};
use planner::{ExceptionOf, calendar::Zone};
use sqlx::{Acquire as _, SqliteConnection};
use std::{collections::BTreeMap, sync::Arc};
use view::{
    Checked, Field, FormCheck, FormProblem, NewerVersion, Problem, ScheduleChoices, ScheduleForm, ScheduleKind,
    ScheduleProblem, WhatWouldChange,
};

/// Occurrences that a form shows.
const SHOWN: usize = 5;
/// Names that a form suggests of one kind.
const MOST_NAMES: u32 = 300;

const fn kind_of(form: &ScheduleForm) -> Kind {
    match form {
        ScheduleForm::Profile(_) => Kind::Profile,
        ScheduleForm::Window(_) => Kind::Window,
        ScheduleForm::Freeze(_) => Kind::Freeze,
        ScheduleForm::Exception(_) => Kind::Exception,
    }
}

const fn kind(kind: ScheduleKind) -> Kind {
    match kind {
        ScheduleKind::Profile => Kind::Profile,
        ScheduleKind::Window => Kind::Window,
        ScheduleKind::Freeze => Kind::Freeze,
        ScheduleKind::Exception => Kind::Exception,
    }
}

fn summary(item: &Item) -> String {
    match item {
        Item::Profile(profile) => forms::schedule::profile_words(profile),
        Item::Window(window) => forms::schedule::window_words(window),
        Item::Freeze(freeze) => forms::schedule::freeze_words(freeze),
        Item::Exception(exception) => format!("Until {}", Zone::UTC.text_with_zone(exception.expires)),
    }
}

/// A name or a reason that saving would refuse.
async fn of_words(conn: &mut SqliteConnection, form: &ScheduleForm, number: i64) -> Result<Option<FormProblem>> {
    let name = match form {
        ScheduleForm::Profile(form) => checks::name(Field::Label, &form.name),
        ScheduleForm::Window(form) => checks::name(Field::Label, &form.name),
        ScheduleForm::Freeze(form) => checks::name(Field::Label, &form.name),
        ScheduleForm::Exception(form) => checks::reason(&form.reason, true).map(|_| String::new()),
    };
    match name {
        Ok(name) => Ok(schedule::is_taken(conn, kind_of(form), &name, number)
            .await?
            .then_some(FormProblem::Field {
                field: Field::Label,
                problem: Problem::Taken,
            })),
        Err(Error::Invalid { field, problem }) => Ok(Some(FormProblem::Field { field, problem })),
        Err(other) => Err(other),
    }
}

/// What saving an exception looks up.
async fn of_exception(
    conn: &mut SqliteConnection,
    actor: &Actor,
    item: &Item,
    form: &ScheduleForm,
) -> Result<Checked<()>> {
    let Item::Exception(exception) = item else {
        return Ok(Ok(()));
    };
    let known = match (&exception.of, product_of(form)) {
        (ExceptionOf::Patch(id), _) if !schedule::patch_exists(conn, *id).await? => {
            Err(ScheduleProblem::UnknownPatch(*id))
        }
        (ExceptionOf::Product(_), Some(name)) if !names::product_seen(conn, &name).await? => {
            Err(ScheduleProblem::UnknownProduct(name.chars().take(40).collect()))
        }
        (ExceptionOf::Patch(_) | ExceptionOf::Product(_), _) => Ok(()),
    };
    let owner = exception.owner != AccountId(0) && schedule::account_exists(conn, exception.owner).await?;
    // Who is on the host itself has no account and must name one.
    Ok(known.and(if owner || (actor.account == Some(exception.owner)) {
        Ok(())
    } else {
        Err(ScheduleProblem::NoOwner)
    }))
}

fn newer(row: &Row) -> FormProblem {
    FormProblem::Changed(NewerVersion {
        at: row.updated,
        by: who(&row.updated_by),
        version: row.version,
        summary: match &row.item {
            Item::Exception(_) => format!("{}: {}", summary(&row.item), row.note),
            item => format!("{}: {}", row.name, summary(item)),
        },
    })
}

impl Service {
    /// Everything that saving a form would say; `seen` is the number and version that it was made from. With `deep` also what it would
    /// change about approved installs, which takes longer.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn check_schedule(
        &self,
        actor: &Actor,
        form: &ScheduleForm,
        seen: Option<(i64, u64)>,
        deep: bool,
    ) -> Result<FormCheck> {
        actor.require(Permission::ReadFleet)?;
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        let mut check = FormCheck::default();
        let old = match seen {
            Some((id, version)) => {
                let row = schedule::one(conn, kind_of(form), id).await?;
                match &row {
                    Some(row) if row.version != version => check.problems.push(newer(row)),
                    Some(_) => {}
                    None => check.problems.push(FormProblem::Gone),
                }
                row
            }
            None => None,
        };
        let number = old.as_ref().map_or(0, |row| row.id);
        check.problems.extend(of_words(conn, form, number).await?);
        match item_of(conn, actor, form).await? {
            Ok(item) => {
                let item = item.numbered(number);
                check.summary = summary(&item);
                self.check_item(conn, actor, (form, old, item), deep, &mut check)
                    .await?;
            }
            Err(problem) => check.problems.push(FormProblem::Schedule(problem)),
        }
        tx.commit().await?;
        Ok(check)
    }

    /// The part of a check for which the form could be read.
    async fn check_item(
        &self,
        conn: &mut SqliteConnection,
        actor: &Actor,
        (form, old, item): (&ScheduleForm, Option<Row>, Item),
        deep: bool,
        check: &mut FormCheck,
    ) -> Result<()> {
        let now = self.now();
        if let Err(problem) = of_exception(conn, actor, &item, form).await? {
            check.problems.push(FormProblem::Schedule(problem));
        }
        let before = snapshot::policy(conn, now).await?;
        let mut after = before.policy().clone();
        item.clone().put(&mut after);
        if let Some(problem) = refusal(before.policy(), &after, now) {
            check.problems.push(FormProblem::Schedule(problem));
            return Ok(());
        }
        let after = policy::compile(conn, after, now).await?;
        check.next = match &item {
            Item::Window(window) => occurrences(window, now, SHOWN),
            Item::Profile(profile) => {
                let frame = profile.frame.as_ref();
                frame.map_or_else(Vec::new, |frame| hours_to_come(frame, now, SHOWN))
            }
            Item::Freeze(_) | Item::Exception(_) => Vec::new(),
        };
        let number = old.as_ref().map_or(0, |row| row.id);
        check.warnings = warnings(conn, &before, &after, (item.kind(), number), now).await?;
        let refused = |problem: &FormProblem| matches!(problem, FormProblem::Schedule(_));
        if deep && !check.problems.iter().any(refused) {
            let step = Step {
                before,
                after: Arc::new(after),
                old: old.map(|row| row.item),
                new: Some(item),
                product: product_of(form),
            };
            check.change = Some(step.changes(conn, &self.inner.facts, now).await?);
        }
        Ok(())
    }

    /// What deleting would change about approved installs.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn what_would_change_without(
        &self,
        actor: &Actor,
        what: ScheduleKind,
        id: i64,
    ) -> Result<WhatWouldChange> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        let row = schedule::one(conn, kind(what), id).await?.ok_or(Error::NotFound)?;
        let before = snapshot::policy(conn, now).await?;
        let mut after = before.policy().clone();
        schedule::take_out(&mut after, kind(what), id);
        let step = Step {
            after: Arc::new(policy::compile(conn, after, now).await?),
            before,
            old: Some(row.item),
            new: None,
            product: None,
        };
        let all = step.changes(conn, &self.inner.facts, now).await?;
        tx.commit().await?;
        Ok(all)
    }

    /// What can be chosen in a form of this kind.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn schedule_choices(&self, actor: &Actor, what: ScheduleKind) -> Result<ScheduleChoices> {
        actor.require(Permission::ReadFleet)?;
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        let mut choices = ScheduleChoices {
            groups: groups(conn).await?,
            ..ScheduleChoices::default()
        };
        if what == ScheduleKind::Exception {
            if actor.role.may(Permission::Decide) {
                choices.people = accounts::active(conn).await?;
            }
            choices.products = names::products(conn, MOST_NAMES).await?;
            choices.patches = names::newest_patches(conn, MOST_NAMES).await?;
        } else {
            choices.releases = lists::releases(conn)
                .await?
                .into_iter()
                .map(|(id, name)| (OsReleaseId(id), name))
                .collect();
            choices.releases.sort_by(|a, b| a.1.cmp(&b.1));
            choices.zones = schedule::zones(conn).await?;
            choices.zones.retain(|zone| zone.parse::<Zone>().is_ok());
            choices.zones.sort_unstable();
            // Places only: the database's other names (`US/Eastern`, `Etc/GMT+5`, `EST`) are old spellings or surprises.
            const OLD: [&str; 8] = [
                "Etc/", "US/", "Canada/", "Brazil/", "Chile/", "Mexico/", "SystemV/", "posix/",
            ];
            let places =
                Zone::names().filter(|name| name.contains('/') && !OLD.iter().any(|old| name.starts_with(old)));
            let more: Vec<String> = places
                .filter(|name| !choices.zones.iter().any(|zone| zone == name))
                .map(str::to_owned)
                .collect();
            choices.zones.extend(more);
        }
        tx.commit().await?;
        Ok(choices)
    }

    /// The device that somebody means: its name, or `#` and its number.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn find_device(&self, actor: &Actor, text: &str) -> Result<Checked<DeviceId>> {
        actor.require(Permission::ReadFleet)?;
        let mut read = self.store().read().await?;
        let found = match number(text) {
            Some(id) => vec![id],
            None => names::devices(&mut read, text.trim()).await?,
        };
        Ok(only(&found, text).map(DeviceId))
    }

    /// The patch that somebody means: product and version, or `#` and its number.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn find_patch(&self, actor: &Actor, text: &str) -> Result<Checked<PatchId>> {
        actor.require(Permission::ReadFleet)?;
        let mut read = self.store().read().await?;
        let found = match number(text) {
            Some(id) => vec![id],
            None => names::patches(&mut read, text.trim()).await?,
        };
        Ok(only(&found, text).map(PatchId))
    }

    /// The names of devices.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn device_names(&self, actor: &Actor, ids: &[DeviceId]) -> Result<BTreeMap<i64, String>> {
        actor.require(Permission::ReadFleet)?;
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let mut read = self.store().read().await?;
        crate::store::pages::hostnames(&mut read, &ids).await
    }
}

/// The number in `#12 openssl 3.0.17`.
fn number(text: &str) -> Option<i64> {
    text.trim().strip_prefix('#')?.split_whitespace().next()?.parse().ok()
}

fn only(found: &[i64], text: &str) -> Checked<i64> {
    let text = || text.trim().chars().take(60).collect();
    match found {
        [one] => Ok(*one),
        [] => Err(ScheduleProblem::UnknownName(text())),
        _ => Err(ScheduleProblem::AmbiguousName(text())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_needs_its_sign() {
        assert_eq!(number(" #12 openssl 3"), Some(12));
        assert_eq!(number("12"), None, "a device may be called 12");
        assert_eq!(number("#x"), None);
    }
}
