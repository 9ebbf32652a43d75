//! Stopping a rollout and letting it go on.

use super::checks;
use crate::{
    Actor, Error, Result, Service,
    audit::{Action, Record},
    events::Topic,
    store::{audit, decisions, holds, problems, states},
};
use domain::{DeviceId, HoldId, Moment, PatchId, Permission};
use serde_json::json;
use sqlx::SqliteConnection;
use view::Why;

/// Why a rollout is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A person stopped it.
    Person = 1,
    /// A problem was reported.
    Problem = 2,
    /// Installs failed.
    Failure = 3,
    /// A device started and vanished.
    Vanished = 4,
    /// The database was restored from a backup.
    Restored = 5,
    /// A device was rolled back.
    RolledBack = 6,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 6] = [
        Self::Person,
        Self::Problem,
        Self::Failure,
        Self::Vanished,
        Self::Restored,
        Self::RolledBack,
    ];

    /// The word in audit records.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Problem => "problem",
            Self::Failure => "failure",
            Self::Vanished => "vanished",
            Self::Restored => "restored",
            Self::RolledBack => "rolled_back",
        }
    }

    /// The words on pages.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Person => "Stopped by a person",
            Self::Problem => "Problem reported",
            Self::Failure => "Install failed",
            Self::Vanished => "Device vanished",
            Self::Restored => "Database restored",
            Self::RolledBack => "Rolled back",
        }
    }

    /// The cause stored under a code.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|c| *c as i64 == code)
    }
}

/// Opens a hold with its audit record, inside the caller's transaction.
pub(super) async fn open(
    tx: &mut SqliteConnection,
    actor: &Actor,
    patch: PatchId,
    cause: Cause,
    device: Option<DeviceId>,
    detail: &str,
    now: Moment,
) -> Result<HoldId> {
    let by = actor.audit_name();
    let hold = holds::open(tx, patch, cause, device, detail, now, &by).await?;
    let on = device.map_or_else(String::new, |d| format!(" device:{d}"));
    let record = Record {
        actor: by,
        action: Action::Held,
        object: format!("patch:{patch} hold:{hold}{on}"),
        before: None,
        after: Some(json!({ "cause": cause.word() }).to_string()),
        reason: detail.to_owned(),
    };
    audit::append(tx, now, &record).await?;
    Ok(hold)
}

impl Service {
    /// Stops a rollout in all rings.
    ///
    /// # Errors
    /// Not allowed, not found, reason missing.
    pub async fn hold(&self, actor: &Actor, patch: PatchId, reason: &str) -> Result<HoldId> {
        actor.require(Permission::Hold)?;
        let reason = checks::reason(reason, true)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        if !decisions::exists(&mut tx, patch).await? {
            return Err(Error::NotFound);
        }
        let hold = open(&mut tx, actor, patch, Cause::Person, None, &reason, now).await?;
        tx.commit().await?;
        self.events().send(Topic::Patches);
        Ok(hold)
    }

    /// Resolves a hold; takes a note. With `seen`, only while the patch is at the revision that was shown: more may have failed since.
    ///
    /// # Errors
    /// Not allowed, not found, already resolved, changed since, note missing.
    pub async fn resume(&self, actor: &Actor, hold: HoldId, seen: Option<i64>, note: &str) -> Result<()> {
        actor.require(Permission::Resume)?;
        let note = checks::reason(note, true)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let (patch, resolved) = problems::hold(&mut tx, hold).await?.ok_or(Error::NotFound)?;
        if resolved.is_some() {
            return Err(Error::Refused(Why::AlreadyDone));
        }
        if let Some(seen) = seen
            && decisions::revision(&mut tx, patch).await? != Some(seen)
        {
            return Err(Error::Changed);
        }
        problems::resolve(&mut tx, hold, actor.account, &note, now).await?;
        decisions::touch(&mut tx, patch).await?;
        let record = Record {
            actor: actor.audit_name(),
            action: Action::Resumed,
            object: format!("patch:{patch} hold:{hold}"),
            before: None,
            after: None,
            reason: note,
        };
        audit::append(&mut tx, now, &record).await?;
        tx.commit().await?;
        self.events().send(Topic::Patches);
        Ok(())
    }

    /// Reports a problem with a patch on a device: holds the rollout in the same transaction.
    ///
    /// # Errors
    /// Not allowed, not found, text missing.
    pub async fn report_problem(&self, actor: &Actor, device: DeviceId, patch: PatchId, text: &str) -> Result<HoldId> {
        actor.require(Permission::ReportProblem)?;
        let by = actor.account.ok_or(Error::NotSignedIn)?;
        let text = checks::reason(text, true)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        if states::of_pair(&mut tx, device, patch).await?.is_none() {
            return Err(Error::NotFound);
        }
        let hold = open(&mut tx, actor, patch, Cause::Problem, Some(device), &text, now).await?;
        let problem = problems::insert(&mut tx, device, patch, by, &text, hold, now).await?;
        let record = Record {
            actor: actor.audit_name(),
            action: Action::Problem,
            object: format!("patch:{patch} device:{device} hold:{hold}"),
            before: None,
            after: Some(json!({ "problem": problem }).to_string()),
            reason: text,
        };
        audit::append(&mut tx, now, &record).await?;
        tx.commit().await?;
        self.events().send(Topic::Patches);
        self.events().send(Topic::Devices);
        Ok(hold)
    }
}
