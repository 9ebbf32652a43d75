//! Letting one device try again what it has tried in vain too often.

use super::checks;
use crate::{
    Actor, Error, Result, Service,
    agents::MAX_ROLLBACK_TRIES,
    audit::{Action, Record},
    events::Topic,
    snapshot,
    store::{
        attempts, audit, decisions, rollouts, states,
        tries::{self, Given},
    },
};
use domain::{AttemptId, DeviceId, Moment, PatchId, PatchState, Permission};
use protocol::v1::ActionKind;
use serde_json::json;
use sqlx::SqliteConnection;
use view::{Again, Tries, Why};

/// As attempts name it.
const fn kind_of(what: Tries) -> ActionKind {
    match what {
        Tries::Install => ActionKind::Install,
        Tries::RollBack => ActionKind::RollBack,
    }
}

/// The right that it takes: for an install that of letting a stopped rollout go on, for going back that of ordering it.
const fn right(what: Tries) -> Permission {
    match what {
        Tries::Install => Permission::Resume,
        Tries::RollBack => Permission::RollBack,
    }
}

/// What a device has tried too often at a patch, if anything: going back where that is ordered, or else the install.
pub(crate) async fn used_up(
    conn: &mut SqliteConnection,
    device: DeviceId,
    patch: PatchId,
    now: Moment,
) -> Result<Option<Again>> {
    let orders = rollouts::orders(conn, device).await?;
    let failed = if let Some(order) = orders.iter().find(|order| order.patch == patch) {
        let failed = tries::back(conn, device, patch).await?.failed.len();
        (!order.done && failed >= MAX_ROLLBACK_TRIES).then_some((Tries::RollBack, failed))
    } else {
        let state = states::of_pair(conn, device, patch).await?.map(|state| state.state);
        let failed = tries::of_pair(conn, device, patch).await?.failed.len();
        let most = snapshot::policy(conn, now).await?.policy().retry.max;
        let open = matches!(
            state,
            Some(PatchState::Missing | PatchState::Failed | PatchState::Superseded)
        );
        let used = failed > 0 && u32::try_from(failed).is_ok_and(|failed| failed >= most);
        (open && used).then_some((Tries::Install, failed))
    };
    let Some((what, failed)) = failed else { return Ok(None) };
    let latest = attempts::of_pair(conn, device, patch).await?.last().map(|a| a.id);
    Ok(latest.map(|latest| Again {
        what,
        failed: u32::try_from(failed).unwrap_or(u32::MAX),
        latest,
    }))
}

impl Service {
    /// Gives a device its tries at a patch anew, where they are used up. `latest` is the latest attempt that the person saw.
    ///
    /// # Errors
    /// Not allowed, not found, tried again since it was shown, not used up, reason missing.
    pub async fn try_again(
        &self,
        actor: &Actor,
        device: DeviceId,
        patch: PatchId,
        (what, latest): (Tries, AttemptId),
        reason: &str,
    ) -> Result<()> {
        actor.require(right(what))?;
        let by = actor.account.ok_or(Error::NotSignedIn)?;
        let reason = checks::reason(reason, true)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        states::of_pair(&mut tx, device, patch).await?.ok_or(Error::NotFound)?;
        let used = used_up(&mut tx, device, patch, now).await?;
        let used = used
            .filter(|used| used.what == what)
            .ok_or(Error::Refused(Why::AlreadyDone))?;
        if used.latest != latest {
            return Err(Error::Changed);
        }
        let given = Given {
            device,
            patch,
            kind: kind_of(what),
            by,
            reason: &reason,
        };
        tries::give(&mut tx, given, now).await?;
        decisions::touch(&mut tx, patch).await?;
        let record = Record {
            actor: actor.audit_name(),
            action: Action::TriesGiven,
            object: format!("patch:{patch} device:{device}"),
            before: Some(json!({ "kind": given.kind, "failed": used.failed, "attempt": latest }).to_string()),
            after: None,
            reason: reason.clone(),
        };
        audit::append(&mut tx, now, &record).await?;
        tx.commit().await?;
        self.events().send(Topic::Patches);
        self.events().send(Topic::Devices);
        Ok(())
    }
}
