//! Exceptions: what is not installed where, until when, why, and who answers for it.

use super::{checks, schedule::Draft};
use crate::{
    Actor, Result, Service, forms,
    store::{
        lists,
        schedule::{self, Item, Kind},
    },
};
use domain::{AccountId, ExceptionId, Permission};
use planner::{Exception, ExceptionFor, ExceptionOf};
use sqlx::SqliteConnection;
use view::{Checked, ExceptionAbout, ExceptionCovers, ExceptionForm, Saved, ScheduleProblem};

/// Whom an exception covers, if there is such a thing.
pub(crate) async fn covers(conn: &mut SqliteConnection, covers: ExceptionCovers) -> Result<Checked<ExceptionFor>> {
    Ok(match covers {
        ExceptionCovers::All => Ok(ExceptionFor::All),
        ExceptionCovers::Device(id) if schedule::device_exists(conn, id).await? => Ok(ExceptionFor::Device(id)),
        ExceptionCovers::Device(id) => Err(ScheduleProblem::UnknownDevice(id)),
        ExceptionCovers::Group(id) if lists::group(conn, id).await?.is_some() => Ok(ExceptionFor::Group(id)),
        ExceptionCovers::Group(id) => Err(ScheduleProblem::UnknownGroup(id)),
    })
}

/// Who answers for an exception: whom the form names, or who saves it.
async fn owner(conn: &mut SqliteConnection, actor: &Actor, form: &ExceptionForm) -> Result<Checked<AccountId>> {
    match form.owner.or(actor.account) {
        Some(id) if schedule::account_exists(conn, id).await? => Ok(Ok(id)),
        Some(_) | None => Ok(Err(ScheduleProblem::NoOwner)),
    }
}

async fn exception(conn: &mut SqliteConnection, actor: &Actor, form: &ExceptionForm) -> Result<Checked<Exception>> {
    let expires = match forms::schedule::expiry(&form.expires) {
        Ok(at) => at,
        Err(problem) => return Ok(Err(problem)),
    };
    let covers = match covers(conn, form.covers).await? {
        Ok(covers) => covers,
        Err(problem) => return Ok(Err(problem)),
    };
    let owner = match owner(conn, actor, form).await? {
        Ok(owner) => owner,
        Err(problem) => return Ok(Err(problem)),
    };
    let of = match &form.about {
        ExceptionAbout::Patch(id) if schedule::patch_exists(conn, *id).await? => ExceptionOf::Patch(*id),
        ExceptionAbout::Patch(id) => return Ok(Err(ScheduleProblem::UnknownPatch(*id))),
        ExceptionAbout::Product(name) => match schedule::product(conn, name.trim()).await? {
            Some(id) => ExceptionOf::Product(id),
            None => return Ok(Err(ScheduleProblem::UnknownProduct(name.chars().take(40).collect()))),
        },
    };
    Ok(Ok(Exception {
        id: ExceptionId(0),
        covers,
        of,
        owner,
        expires,
    }))
}

impl Service {
    /// Saves an exception; with `seen`, in the place of the one of that number and version.
    ///
    /// # Errors
    /// Not allowed, reason missing, not found, changed since. What the schedule itself refuses is the inner error.
    pub async fn save_exception(
        &self,
        actor: &Actor,
        seen: Option<(ExceptionId, u64)>,
        form: &ExceptionForm,
    ) -> Result<Checked<Saved>> {
        actor.require(Permission::Decide)?;
        let note = checks::reason(&form.reason, true)?;
        let mut tx = self.store().write().await?;
        let item = match exception(&mut tx, actor, form).await? {
            Ok(exception) => Item::Exception(exception),
            Err(problem) => return Ok(Err(problem)),
        };
        let draft = Draft {
            name: String::new(),
            item,
            note,
            seen: seen.map(|(id, version)| (id.0, version)),
        };
        let saved = self.save(&mut tx, actor, draft).await?;
        if saved.is_ok() {
            tx.commit().await?;
            self.schedule_changed();
        }
        Ok(saved)
    }

    /// Ends an exception that was seen at a version before its time.
    ///
    /// # Errors
    /// Not allowed, not found, changed since.
    pub async fn delete_exception(&self, actor: &Actor, id: ExceptionId, version: u64) -> Result<Saved> {
        actor.require(Permission::Decide)?;
        self.take_out(actor, Kind::Exception, id.0, version).await
    }
}
