//! Going back.

use super::{
    checks,
    hold::{self, Cause},
};
use crate::{
    Actor, Error, Result, Service,
    audit::{Action, Record},
    events::Topic,
    store::{
        attempts::{self, Attempt, Stage},
        audit, decisions, lists, problems, rollouts, states, tries,
    },
};
use domain::{
    AccountId, Arch, DeviceId, Moment, PackageName, PatchId, PatchState, Permission, RingId, VersionText,
    compare_debian,
};
use protocol::v1::{ActionKind, PackageVersion};
use serde_json::json;
use sqlx::SqliteConnection;
use std::collections::BTreeMap;
use view::{Field, Problem, Why};

/// Whether a state says that exactly this patch is on the device.
#[must_use]
pub const fn is_there(state: PatchState) -> bool {
    matches!(
        state,
        PatchState::Installed | PatchState::PendingReboot | PatchState::RestartNeeded
    )
}

/// Where a device can go back to from a patch that it has by us, if that was recorded.
pub(crate) async fn way_back(
    conn: &mut SqliteConnection,
    device: DeviceId,
    patch: PatchId,
) -> Result<Option<Vec<PackageVersion>>> {
    let tried = attempts::of_pair(conn, device, patch).await?;
    let targets = rollouts::packages(conn, patch).await?;
    Ok(way_back_of(&tried, &targets))
}

/// As [`way_back`], from the device's attempts at the patch, oldest first, and the packages of the patch.
pub(crate) fn way_back_of(
    tried: &[Attempt],
    targets: &[(String, String, String, bool)],
) -> Option<Vec<PackageVersion>> {
    let did = |kind| move |a: &Attempt| a.kind == kind && a.stage == Stage::Succeeded;
    let last = tried.iter().rposition(did(ActionKind::Install))?;
    let since = tried[..last]
        .iter()
        .rposition(did(ActionKind::RollBack))
        .map_or(0, |at| at + 1);
    let tried = &tried[since..=last];
    let of = |p: &PackageVersion, a: &Attempt| {
        let asked = a.asked.iter().find(|q| (&q.name, &q.arch) == (&p.name, &p.arch));
        asked.and_then(|q| q.version.as_ref().map(|v| v.as_str().to_owned()))
    };
    let listed = |p: &PackageVersion| {
        let mut all = targets.iter();
        let found = all.find(|(name, arch, ..)| p.name.as_str() == name && p.arch.as_str() == arch);
        found.map(|(_, _, version, _)| version.clone())
    };
    // Before the patch is before every rebuild of it. Where the device had one already, there is only that to go back to.
    let first = |p: &PackageVersion| {
        let all = tried.iter().filter_map(|a| of(p, a)).chain(listed(p));
        all.min_by(|a, b| compare_debian(a, b))
    };
    let latest = |p: &PackageVersion| tried.last().and_then(|a| of(p, a));
    before(tried, first).or_else(|| before(tried, latest))
}

/// What was installed before the patch: of each package the last recorded version that is older than `target` says.
fn before(tried: &[Attempt], target: impl Fn(&PackageVersion) -> Option<String>) -> Option<Vec<PackageVersion>> {
    let is_older = |p: &&PackageVersion| {
        let older = |v: &VersionText| target(p).is_none_or(|target| compare_debian(v.as_str(), &target).is_lt());
        p.version.as_ref().is_none_or(older)
    };
    // An attempt that failed may have left a part of it behind, which the next one found there already: what was before that part is
    // recorded with the attempt that brought it.
    let mut back: BTreeMap<(PackageName, Arch), PackageVersion> = BTreeMap::new();
    for p in tried.iter().rev().flat_map(|a| &a.previous).filter(is_older) {
        back.entry((p.name.clone(), p.arch.clone()))
            .or_insert_with(|| p.clone());
    }
    // A package that was not there before has no version to go back to, but without any other there is nothing to go back to at all.
    let packages: Vec<PackageVersion> = back.into_values().collect();
    Some(packages).filter(|packages| packages.iter().any(|p| p.version.is_some()))
}

struct Order<'a> {
    actor: &'a Actor,
    by: AccountId,
    patch: PatchId,
    reason: &'a str,
    now: Moment,
}

impl Order<'_> {
    /// Orders it on one device, with its audit record.
    async fn on(&self, tx: &mut SqliteConnection, device: DeviceId, packages: &[PackageVersion]) -> Result<()> {
        let text = states::json(&packages)?;
        problems::order(tx, device, self.patch, &text, self.reason, self.by, self.now).await?;
        // What was tried for an earlier order does not use up this one's tries.
        let given = tries::Given {
            device,
            patch: self.patch,
            kind: ActionKind::RollBack,
            by: self.by,
            reason: self.reason,
        };
        tries::give(tx, given, self.now).await?;
        let record = Record {
            actor: self.actor.audit_name(),
            action: Action::RollbackOrdered,
            object: format!("patch:{} device:{device}", self.patch),
            before: None,
            after: Some(json!({ "packages": packages }).to_string()),
            reason: self.reason.to_owned(),
        };
        audit::append(tx, self.now, &record).await?;
        Ok(())
    }

    /// Nobody else gets what somebody had to take back, until a person has looked (I-33). One hold is enough.
    async fn hold_forward(&self, tx: &mut SqliteConnection, device: Option<DeviceId>) -> Result<()> {
        if problems::open_hold(tx, self.patch, &[Cause::RolledBack])
            .await?
            .is_none()
        {
            hold::open(
                tx,
                self.actor,
                self.patch,
                Cause::RolledBack,
                device,
                self.reason,
                self.now,
            )
            .await?;
        } else {
            decisions::touch(tx, self.patch).await?;
        }
        Ok(())
    }
}

impl Service {
    /// Orders the rollback of a patch on one device to the recorded previous versions; holds the rollout forward.
    ///
    /// # Errors
    /// Not allowed, not found, nothing recorded, in force already, reason missing.
    pub async fn roll_back(&self, actor: &Actor, device: DeviceId, patch: PatchId, reason: &str) -> Result<()> {
        actor.require(Permission::RollBack)?;
        let by = actor.account.ok_or(Error::NotSignedIn)?;
        let reason = checks::reason(reason, true)?;
        let mut tx = self.store().write().await?;
        let order = Order {
            actor,
            by,
            patch,
            reason: &reason,
            now: self.now(),
        };
        let state = states::of_pair(&mut tx, device, patch).await?.ok_or(Error::NotFound)?;
        if problems::ordered(&mut tx, device, patch).await? == Some(true) {
            return Err(Error::Refused(Why::RollbackInForce));
        }
        let packages = way_back(&mut tx, device, patch)
            .await?
            .filter(|_| is_there(state.state));
        let packages = packages.ok_or(Error::Refused(Why::NothingToRollBack))?;
        order.on(&mut tx, device, &packages).await?;
        order.hold_forward(&mut tx, Some(device)).await?;
        tx.commit().await?;
        self.events().send(Topic::Patches);
        self.events().send(Topic::Devices);
        Ok(())
    }

    /// Orders it on every device of a ring that has it installed by us; returns how many.
    ///
    /// # Errors
    /// As `roll_back`.
    pub async fn roll_back_ring(&self, actor: &Actor, ring: RingId, patch: PatchId, reason: &str) -> Result<u32> {
        actor.require(Permission::RollBack)?;
        let by = actor.account.ok_or(Error::NotSignedIn)?;
        let reason = checks::reason(reason, true)?;
        let mut tx = self.store().write().await?;
        let order = Order {
            actor,
            by,
            patch,
            reason: &reason,
            now: self.now(),
        };
        if !decisions::exists(&mut tx, patch).await? {
            return Err(Error::NotFound);
        }
        if !lists::rings(&mut tx).await?.iter().any(|r| r.id == ring) {
            return Err(Error::invalid(Field::Ring, Problem::Unknown));
        }
        let groups = lists::groups(&mut tx).await?;
        let mut ordered = 0;
        for device in problems::installed_by_us(&mut tx, patch, ring, &groups).await? {
            if let Some(packages) = way_back(&mut tx, device, patch).await? {
                order.on(&mut tx, device, &packages).await?;
                ordered += 1;
            }
        }
        if ordered == 0 {
            return Err(Error::Refused(Why::NothingToRollBack));
        }
        order.hold_forward(&mut tx, None).await?;
        tx.commit().await?;
        self.events().send(Topic::Patches);
        self.events().send(Topic::Devices);
        Ok(ordered)
    }

    /// Lifts the block that a rollback left on a device.
    ///
    /// # Errors
    /// Not allowed, not found, reason missing.
    pub async fn lift_block(&self, actor: &Actor, device: DeviceId, patch: PatchId, reason: &str) -> Result<()> {
        actor.require(Permission::RollBack)?;
        let by = actor.account.ok_or(Error::NotSignedIn)?;
        let reason = checks::reason(reason, true)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        match problems::ordered(&mut tx, device, patch).await? {
            None => return Err(Error::NotFound),
            Some(false) => return Err(Error::Refused(Why::AlreadyDone)),
            Some(true) => {}
        }
        problems::lift(&mut tx, device, patch, &reason, by, now).await?;
        // What was taken back is missing again; the next scan has the last word.
        let state = states::of_pair(&mut tx, device, patch).await?;
        if state.is_some_and(|s| s.state == PatchState::RolledBack) {
            states::set(&mut tx, device, patch, PatchState::Missing, now).await?;
        }
        decisions::touch(&mut tx, patch).await?;
        let record = Record {
            actor: actor.audit_name(),
            action: Action::BlockLifted,
            object: format!("patch:{patch} device:{device}"),
            before: None,
            after: None,
            reason,
        };
        audit::append(&mut tx, now, &record).await?;
        tx.commit().await?;
        self.events().send(Topic::Patches);
        self.events().send(Topic::Devices);
        Ok(())
    }
}
