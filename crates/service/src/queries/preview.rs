//! What a form would change before it is saved, over the whole fleet.

use super::{
    schedule::concerns,
    waiting::{Look, Waiting},
};
use crate::{
    Actor, Error, Result, Service,
    commands::{exceptions, schedule::refusal},
    facts::Known,
    forms, policy,
    snapshot::{self, Words},
    store::schedule::{self, Item},
};
use domain::{AccountId, ExceptionId, Moment, PatchId, Permission, ProductId};
use planner::{Change, Compiled, DeviceFacts, Exception, ExceptionOf, changes, words};
use sqlx::{Acquire as _, SqliteConnection};
use std::sync::Arc;
use view::{Checked, ExceptionAbout, ExceptionForm, Moved, MovedInstall, ScheduleForm, WhatWouldChange};

/// Installs that are listed; all are counted.
const MOST_LISTED: usize = 50;

/// The exception of a form, for a look ahead only: a product that has no number yet gets 0.
async fn exception(conn: &mut SqliteConnection, actor: &Actor, form: &ExceptionForm) -> Result<Checked<Exception>> {
    let expires = match forms::schedule::expiry(&form.expires) {
        Ok(at) => at,
        Err(problem) => return Ok(Err(problem)),
    };
    let covers = match exceptions::covers(conn, form.covers).await? {
        Ok(covers) => covers,
        Err(problem) => return Ok(Err(problem)),
    };
    let of = match &form.about {
        ExceptionAbout::Patch(id) => ExceptionOf::Patch(*id),
        ExceptionAbout::Product(name) => {
            ExceptionOf::Product(schedule::find_product(conn, name.trim()).await?.unwrap_or(ProductId(0)))
        }
    };
    Ok(Ok(Exception {
        id: ExceptionId(0),
        covers,
        of,
        owner: form.owner.or(actor.account).unwrap_or(AccountId(0)),
        expires,
    }))
}

fn moved(change: Change, words: &Words) -> Moved {
    match change {
        Change::Earlier { before, after } => Moved::Earlier { before, after },
        Change::Later { before, after } => Moved::Later { before, after },
        Change::NewlyBlocked { before, reason } => Moved::Blocked {
            before,
            reason: words::reason(&reason, words),
        },
        Change::NewlyPossible { after } => Moved::Possible { after },
        Change::OtherReason { before, after } => Moved::OtherReason {
            before: words::reason(&before, words),
            after: words::reason(&after, words),
        },
    }
}

/// Changes, counted, and the first of them in words.
pub(super) fn told(waiting: &Waiting, found: Vec<(planner::Pair, Change)>, words: &Words) -> WhatWouldChange {
    let mut all = WhatWouldChange {
        devices: u32::try_from(waiting.devices.len()).unwrap_or(u32::MAX),
        cut: waiting.is_cut(),
        ..WhatWouldChange::default()
    };
    for ((device, patch), change) in found {
        *match change {
            Change::Earlier { .. } => &mut all.earlier,
            Change::Later { .. } => &mut all.later,
            Change::NewlyBlocked { .. } => &mut all.blocked,
            Change::NewlyPossible { .. } => &mut all.possible,
            Change::OtherReason { .. } => &mut all.other,
        } += 1;
        if all.installs.len() < MOST_LISTED {
            all.installs.push(MovedInstall {
                device,
                hostname: waiting.host(device),
                patch,
                title: waiting.title(patch),
                moved: moved(change, words),
            });
        }
    }
    all
}

/// Runs what takes long for a large fleet beside the work of the server, not instead of it.
pub(crate) async fn thinking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::Inconsistent(format!("planning stopped: {error}")))?
}

/// The rule of a form, for a look ahead only.
pub(super) async fn item_of(conn: &mut SqliteConnection, actor: &Actor, form: &ScheduleForm) -> Result<Checked<Item>> {
    Ok(match form {
        ScheduleForm::Profile(form) => forms::schedule::profile(form).map(Item::Profile),
        ScheduleForm::Window(form) => forms::schedule::window(form).map(Item::Window),
        ScheduleForm::Freeze(form) => forms::schedule::freeze(form).map(Item::Freeze),
        ScheduleForm::Exception(form) => exception(conn, actor, form).await?.map(Item::Exception),
    })
}

/// A change of the schedule, before it is made.
pub(super) struct Step {
    /// As it is.
    pub before: Arc<Compiled>,
    /// As it would be.
    pub after: Arc<Compiled>,
    /// What goes.
    pub old: Option<Item>,
    /// What comes.
    pub new: Option<Item>,
    /// The name of the product that an exception is about: it may have no number yet.
    pub product: Option<String>,
}

impl Step {
    /// Whether a device is among those that what goes or comes is for.
    fn concerns(&self, device: &DeviceFacts) -> bool {
        let (old, new) = (self.old.as_ref(), self.new.as_ref());
        new.is_some_and(|item| concerns(&self.after, item, device))
            || old.is_some_and(|item| concerns(&self.before, item, device))
    }

    /// Installs that it moves.
    pub async fn changes(&self, conn: &mut SqliteConnection, known: &Known, now: Moment) -> Result<WhatWouldChange> {
        let concerned = |device: &DeviceFacts| self.concerns(device);
        let mut waiting = Waiting::read(conn, &self.before, now, Look::whole(known), concerned).await?;
        if let (
            Some(name),
            Some(Item::Exception(Exception {
                of: ExceptionOf::Product(id),
                ..
            })),
        ) = (&self.product, &self.new)
        {
            for (patch, facts) in &mut waiting.patches {
                if waiting.titles.get(patch).is_some_and(|(source, _)| source == name) {
                    Arc::make_mut(facts).product = Some(*id);
                }
            }
        }
        let ids: Vec<PatchId> = waiting.patches.keys().copied().collect();
        let words = snapshot::words(conn, now, &ids).await?;
        let (before, after) = (self.before.clone(), self.after.clone());
        let (waiting, found) = thinking(move || {
            let input = waiting.input(&before, now)?;
            let found = changes(&input, &input.under(&after));
            drop(input);
            Ok((waiting, found))
        })
        .await?;
        Ok(told(&waiting, found, &words))
    }
}

/// The product that a form names.
pub(super) fn product_of(form: &ScheduleForm) -> Option<String> {
    match form {
        ScheduleForm::Exception(ExceptionForm {
            about: ExceptionAbout::Product(name),
            ..
        }) => Some(name.trim().to_owned()),
        ScheduleForm::Exception(_) | ScheduleForm::Profile(_) | ScheduleForm::Window(_) | ScheduleForm::Freeze(_) => {
            None
        }
    }
}

impl Service {
    /// What saving a form would change about approved installs; `replaces` is the number of what it would replace.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn what_would_change(
        &self,
        actor: &Actor,
        form: &ScheduleForm,
        replaces: Option<i64>,
    ) -> Result<Checked<WhatWouldChange>> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        let item = match item_of(conn, actor, form).await? {
            Ok(item) => item.numbered(replaces.unwrap_or(0)),
            Err(problem) => return Ok(Err(problem)),
        };
        let old = match replaces {
            Some(id) => schedule::one(conn, item.kind(), id).await?.map(|row| row.item),
            None => None,
        };
        let before = snapshot::policy(conn, now).await?;
        let mut after = before.policy().clone();
        item.clone().put(&mut after);
        if let Some(problem) = refusal(before.policy(), &after, now) {
            return Ok(Err(problem));
        }
        let step = Step {
            after: Arc::new(policy::compile(conn, after, now).await?),
            before,
            old,
            new: Some(item),
            product: product_of(form),
        };
        let all = step.changes(conn, &self.inner.facts, now).await?;
        tx.commit().await?;
        Ok(Ok(all))
    }
}
