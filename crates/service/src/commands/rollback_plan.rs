//! The plan for the way back, before it is needed: who, how, when; or the reason why there is none (RBK-1).

use super::checks;
use crate::{
    Actor, Error, Result, Service,
    audit::{Action, Record},
    events::Topic,
    store::{
        accounts, audit, decisions,
        rollback_plans::{self, Write},
    },
};
use domain::{AccountId, Moment, PatchId, Permission};
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use view::{Field, PlanContent, PlanForm, Problem};

fn recorded(content: &PlanContent) -> Value {
    match content {
        PlanContent::Plan {
            owner, how, use_when, ..
        } => json!({ "plan": { "owner": owner, "how": how, "use_when": use_when } }),
        PlanContent::Waived { reason } => json!({ "waived": reason }),
    }
}

/// Goes without a plan, with its audit record, inside the transaction of an approval.
pub(super) async fn waive(
    tx: &mut SqliteConnection,
    actor: &Actor,
    by: AccountId,
    patch: PatchId,
    reason: &str,
    now: Moment,
) -> Result<()> {
    let new = Write {
        owner: None,
        how: "",
        use_when: "",
        reason,
    };
    rollback_plans::put(tx, patch, new, by, now).await?;
    let after = PlanContent::Waived {
        reason: reason.to_owned(),
    };
    record(tx, actor, patch, None, &after, now).await
}

async fn record(
    tx: &mut SqliteConnection,
    actor: &Actor,
    patch: PatchId,
    before: Option<&PlanContent>,
    after: &PlanContent,
    now: Moment,
) -> Result<()> {
    let (action, reason) = match after {
        PlanContent::Plan { .. } => (Action::RollbackPlanned, String::new()),
        PlanContent::Waived { reason } => (Action::RollbackPlanWaived, reason.clone()),
    };
    let record = Record {
        actor: actor.audit_name(),
        action,
        object: format!("patch:{patch}"),
        before: before.map(|content| recorded(content).to_string()),
        after: Some(recorded(after).to_string()),
        reason,
    };
    audit::append(tx, now, &record).await?;
    Ok(())
}

impl Service {
    /// Writes the rollback plan of a patch, or the waiver in its place. `seen` is the version of what was shown, 0 where there was nothing.
    ///
    /// # Errors
    /// Not allowed, not found, changed since shown, a text missing or too long, an owner without an enabled account.
    pub async fn save_rollback_plan(&self, actor: &Actor, patch: PatchId, seen: i64, form: &PlanForm) -> Result<i64> {
        actor.require(Permission::Decide)?;
        let by = actor.account.ok_or(Error::NotSignedIn)?;
        let content = match form {
            PlanForm::Plan { owner, how, use_when } => PlanContent::Plan {
                owner: owner.unwrap_or(by),
                owner_name: String::new(),
                how: checks::sentences(Field::How, how)?,
                use_when: checks::sentences(Field::UseWhen, use_when)?,
            },
            PlanForm::Waive { reason } => PlanContent::Waived {
                reason: checks::reason(reason, true)?,
            },
        };
        let (now, mut tx) = (self.now(), self.store().write().await?);
        if !decisions::exists(&mut tx, patch).await? {
            return Err(Error::NotFound);
        }
        let before = rollback_plans::of_patch(&mut tx, patch).await?;
        if before.as_ref().map_or(0, |plan| plan.version) != seen {
            return Err(Error::Changed);
        }
        let new = match &content {
            PlanContent::Plan {
                owner, how, use_when, ..
            } => {
                if !accounts::active(&mut tx).await?.iter().any(|(id, _)| id == owner) {
                    return Err(Error::invalid(Field::Owner, Problem::Unknown));
                }
                Write {
                    owner: Some(*owner),
                    how,
                    use_when,
                    reason: "",
                }
            }
            PlanContent::Waived { reason } => Write {
                owner: None,
                how: "",
                use_when: "",
                reason,
            },
        };
        let version = rollback_plans::put(&mut tx, patch, new, by, now).await?;
        record(
            &mut tx,
            actor,
            patch,
            before.as_ref().map(|plan| &plan.content),
            &content,
            now,
        )
        .await?;
        tx.commit().await?;
        self.events().send(Topic::Patches);
        Ok(version)
    }
}
