//! Approve, deny, withdraw.

use super::{checks, rollback_plan};
use crate::{
    Actor, Error, Result, Service,
    audit::{Action, Record},
    events::Topic,
    store::{
        audit,
        decisions::{self, Subject},
        lists, rollback_plans,
    },
};
use domain::{AccountId, DecisionId, Moment, PatchId, Permission, RingId, Urgency};
use planner::RollbackPlan;
use protocol::sign::sha256;
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use std::collections::BTreeSet;
use view::{Approval, Field, PatchFilter, Problem, Why};

/// Most patches of one order: it is one transaction, and nobody else can write meanwhile.
pub(crate) const MAX_SELECTION: u32 = 20_000;

/// Which patches a decision is for.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Exactly these, with the revision that was shown ("approve what you saw"); `None` = not checked (command line).
    These(Vec<(PatchId, Option<i64>)>),
    /// All that match, as long as they are those that were shown; otherwise `Changed`.
    Matching(PatchFilter, Shown),
}

/// What a filter matched when a person looked at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// So many.
    pub count: u32,
    /// [`fingerprint`] of their numbers and revisions. The count alone would not do: a version that replaces another keeps it.
    pub fingerprint: String,
}

/// One short text for a list of patches, each at its revision.
#[must_use]
pub fn fingerprint(patches: &[(PatchId, i64)]) -> String {
    let bytes: Vec<u8> = patches
        .iter()
        .flat_map(|(patch, revision)| [patch.0.to_be_bytes(), revision.to_be_bytes()])
        .flatten()
        .collect();
    hex::encode(sha256(&bytes))
}

/// What to do with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Approve; an urgent approval sets the soak aside, or the soak and the windows, visibly (APR-2). Freezes win over both.
    Approve {
        /// What it sets aside.
        urgent: Urgency,
    },
    /// Deny: outranks approval, also a later bulk one.
    Deny,
    /// Take the decision in force back.
    Withdraw,
}

/// What the two ticks of an approval ask for.
///
/// # Errors
/// Outside windows without being urgent.
pub fn urgency(skip_soak: bool, outside_windows: bool) -> Result<Urgency> {
    Urgency::of(skip_soak, outside_windows).ok_or_else(|| Error::invalid(Field::OutsideWindows, Problem::OnlyUrgent))
}

/// What an approval takes on itself besides, each for the reason that is given with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Also {
    /// Superseded patches are approved, too.
    pub superseded: bool,
    /// Where the ring asks for a rollback plan, patches without one go without (RBK-1).
    pub without_plan: bool,
}

/// What happened to a bulk order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Decided.
    pub decided: Vec<PatchId>,
    /// Left out because superseded, denied, or nothing to withdraw.
    pub left_out: Vec<(PatchId, view::Why)>,
    /// For a withdrawal: devices that have installed it already.
    pub too_late: u32,
}

/// One order, checked.
struct Order<'a> {
    actor: &'a Actor,
    by: AccountId,
    ring: RingId,
    verb: Verb,
    reason: &'a str,
    also: Also,
    /// The ring asks for a rollback plan.
    asks_for_plan: bool,
    now: Moment,
}

impl Service {
    /// Decides for one ring; one transaction, one audit record a patch. Superseded patches are left out unless `with_superseded`.
    ///
    /// # Errors
    /// Not allowed, nothing selected, changed since shown, reason missing or too long.
    pub async fn decide(
        &self,
        actor: &Actor,
        selection: Selection,
        ring: RingId,
        verb: Verb,
        reason: &str,
        with_superseded: bool,
    ) -> Result<Done> {
        let also = Also {
            superseded: with_superseded,
            ..Also::default()
        };
        self.decide_also(actor, selection, ring, verb, reason, also).await
    }

    /// As [`Self::decide`], with everything that an approval may take on itself.
    ///
    /// # Errors
    /// As [`Self::decide`]; [`Why::NoRollbackPlan`] where the ring asks for a plan that a patch does not have.
    pub async fn decide_also(
        &self,
        actor: &Actor,
        selection: Selection,
        ring: RingId,
        verb: Verb,
        reason: &str,
        also: Also,
    ) -> Result<Done> {
        actor.require(Permission::Decide)?;
        // A decision is somebody's: the host's command line names the account that it acts as.
        let by = actor.account.ok_or(Error::NotSignedIn)?;
        let approves = matches!(verb, Verb::Approve { .. });
        let also = if approves { also } else { Also::default() };
        let reason = checks::reason(reason, true)?;
        let mut tx = self.store().write().await?;
        if !lists::rings(&mut tx).await?.iter().any(|r| r.id == ring) {
            return Err(Error::invalid(Field::Ring, Problem::Unknown));
        }
        let order = Order {
            actor,
            by,
            ring,
            verb,
            reason: &reason,
            also,
            asks_for_plan: approves && rollback_plans::asked_in(&mut tx, ring).await?,
            now: self.now(),
        };
        let mut done = Done::default();
        for subject in selected(&mut tx, selection, ring).await? {
            match order.carry_out(&mut tx, &subject).await? {
                Ok(()) => done.decided.push(subject.id),
                Err(why) => done.left_out.push((subject.id, why)),
            }
        }
        if verb == Verb::Withdraw && !done.decided.is_empty() {
            let groups = lists::groups(&mut tx).await?;
            let groups: Vec<i64> = groups.iter().filter(|g| g.ring == Some(ring)).map(|g| g.id.0).collect();
            for patch in &done.decided {
                done.too_late += decisions::installed_in(&mut tx, *patch, &groups).await?;
            }
        }
        tx.commit().await?;
        if !done.decided.is_empty() {
            self.events().send(Topic::Patches);
        }
        Ok(done)
    }
}

/// The patches of a selection as they are now, if they still are what was shown.
async fn selected(tx: &mut SqliteConnection, selection: Selection, ring: RingId) -> Result<Vec<Subject>> {
    let nothing = || Error::invalid(Field::Selection, Problem::Missing);
    let chosen = match selection {
        Selection::These(list) => {
            if list.len() > MAX_SELECTION as usize {
                return Err(Error::invalid(
                    Field::Selection,
                    Problem::OutOfRange {
                        min: 1,
                        max: MAX_SELECTION,
                    },
                ));
            }
            list
        }
        Selection::Matching(filter, shown) => {
            if shown.count == 0 {
                return Err(nothing());
            }
            if shown.count > MAX_SELECTION {
                return Err(Error::invalid(
                    Field::Selection,
                    Problem::OutOfRange {
                        min: 1,
                        max: MAX_SELECTION,
                    },
                ));
            }
            let found = lists::matching(tx, &filter, MAX_SELECTION + 1).await?;
            if found.len() != shown.count as usize || fingerprint(&found) != shown.fingerprint {
                return Err(Error::Changed);
            }
            found
                .into_iter()
                .map(|(patch, revision)| (patch, Some(revision)))
                .collect()
        }
    };
    if chosen.is_empty() {
        return Err(nothing());
    }
    let (mut seen, mut subjects) = (BTreeSet::new(), Vec::with_capacity(chosen.len()));
    for (patch, shown) in chosen {
        let subject = decisions::subject(tx, patch, ring).await?.ok_or(Error::NotFound)?;
        if shown.is_some_and(|revision| revision != subject.revision) {
            return Err(Error::Changed);
        }
        if seen.insert(patch) {
            subjects.push(subject);
        }
    }
    Ok(subjects)
}

impl Order<'_> {
    /// Decides about one patch, or says why it is left out.
    async fn carry_out(&self, tx: &mut SqliteConnection, subject: &Subject) -> Result<std::result::Result<(), Why>> {
        let now_in_force = subject.in_force.map(|(_, approval)| approval);
        let new = match (self.verb, now_in_force) {
            (Verb::Approve { .. }, Some(Approval::Denied)) => return Ok(Err(Why::Denied)),
            (Verb::Approve { .. }, _) if subject.superseded_by.is_some() && !self.also.superseded => {
                return Ok(Err(Why::Superseded));
            }
            // An approval is not made a less urgent one by the way: that is withdrawn and approved anew.
            (Verb::Approve { urgent }, Some(Approval::Approved { urgent: already })) if urgent <= already => {
                return Ok(Err(Why::AlreadyDone));
            }
            (Verb::Deny, Some(Approval::Denied)) | (Verb::Withdraw, None) => return Ok(Err(Why::AlreadyDone)),
            (Verb::Approve { urgent }, _) => Some(Approval::Approved { urgent }),
            (Verb::Deny, _) => Some(Approval::Denied),
            (Verb::Withdraw, Some(_)) => None,
        };
        if self.asks_for_plan && rollback_plans::fact(tx, subject.id).await? == RollbackPlan::Missing {
            // Nothing of the order is done: whoever ticked fifty patches learns it before the first one is approved.
            if !self.also.without_plan {
                return Err(Error::Refused(Why::NoRollbackPlan));
            }
            rollback_plan::waive(tx, self.actor, self.by, subject.id, self.reason, self.now).await?;
        }
        if let Some((id, _)) = subject.in_force {
            decisions::withdraw(tx, id, self.reason, self.by, self.now).await?;
        }
        let made = match new {
            Some(approval) => {
                Some(decisions::insert(tx, subject.id, self.ring, approval, self.reason, self.by, self.now).await?)
            }
            None => None,
        };
        decisions::touch(tx, subject.id).await?;
        let record = Record {
            actor: self.actor.audit_name(),
            action: match self.verb {
                Verb::Approve { .. } => Action::Approved,
                Verb::Deny => Action::Denied,
                Verb::Withdraw => Action::Withdrawn,
            },
            object: format!("patch:{} ring:{}", subject.id, self.ring),
            before: subject
                .in_force
                .map(|(id, approval)| describe(id, approval, None).to_string()),
            after: made
                .zip(new)
                .map(|(id, approval)| describe(id, approval, subject.superseded_by).to_string()),
            reason: self.reason.to_owned(),
        };
        audit::append(tx, self.now, &record).await?;
        Ok(Ok(()))
    }
}

fn describe(id: DecisionId, approval: Approval, superseded_by: Option<PatchId>) -> Value {
    let mut value = match approval {
        // Two yes-or-no values: records from before there was a second one read the same.
        Approval::Approved { urgent } => json!({
            "decision": id,
            "kind": "approve",
            "urgent": urgent != Urgency::Normal,
            "outside_windows": urgent == Urgency::SkipSoakAndWindows,
        }),
        Approval::Denied | Approval::None => json!({ "decision": id, "kind": "deny" }),
    };
    if let Some(by) = superseded_by {
        value["superseded_by"] = json!(by);
    }
    value
}
