//! What a form would change before it is saved. It looks at so many devices and says when there are more.

use super::{
    schedule::concerns,
    waiting::{Look, Waiting},
};
use crate::{
    Actor, Result, Service,
    commands::{exceptions, schedule::refusal},
    forms, policy,
    snapshot::{self, Words},
    store::schedule::{self, Item},
};
use domain::{AccountId, ExceptionId, PatchId, Permission, ProductId};
use planner::{Change, DeviceFacts, Exception, ExceptionOf, changes, words};
use sqlx::{Acquire as _, SqliteConnection};
use view::{Checked, ExceptionAbout, ExceptionForm, Moved, MovedInstall, ScheduleForm, WhatWouldChange};

/// Devices that are looked at.
pub(super) const MOST_DEVICES: usize = 100;
/// Installs that are listed; all are counted.
const MOST_LISTED: usize = 50;

/// The exception of a form, for a look ahead only: a product that has no number yet gets 0.
async fn exception(conn: &mut SqliteConnection, actor: &Actor, form: &ExceptionForm) -> Result<Checked<Exception>> {
    let expires = match forms::expiry(&form.expires) {
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
        let item = match form {
            ScheduleForm::Profile(form) => forms::profile(form).map(Item::Profile),
            ScheduleForm::Window(form) => forms::window(form).map(Item::Window),
            ScheduleForm::Freeze(form) => forms::freeze(form).map(Item::Freeze),
            ScheduleForm::Exception(form) => exception(conn, actor, form).await?.map(Item::Exception),
        };
        let item = match item {
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
        let after = policy::compile(conn, after, now).await?;
        let concerned = |device: &DeviceFacts| {
            concerns(&after, &item, device) || old.as_ref().is_some_and(|old| concerns(&before, old, device))
        };
        let mut waiting = Waiting::read(conn, &before, now, Look::first(MOST_DEVICES), concerned).await?;
        if let ScheduleForm::Exception(ExceptionForm {
            about: ExceptionAbout::Product(name),
            ..
        }) = form
            && let Item::Exception(Exception {
                of: ExceptionOf::Product(id),
                ..
            }) = item
        {
            for (patch, facts) in &mut waiting.patches {
                if waiting
                    .titles
                    .get(patch)
                    .is_some_and(|(source, _)| source == name.trim())
                {
                    facts.product = Some(id);
                }
            }
        }
        let input = waiting.input(&before, now)?;
        let found = changes(&input, &input.under(&after));
        let ids: Vec<PatchId> = waiting.patches.keys().copied().collect();
        let words = snapshot::words(conn, now, &ids).await?;
        tx.commit().await?;
        Ok(Ok(told(&waiting, found, &words)))
    }
}
