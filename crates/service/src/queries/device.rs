//! The page of a device: what it lacks, and for each patch every gate.

use super::{
    group_names,
    words::{self, Teller},
};
use crate::{
    Actor, Error, Result, Service,
    commands::rollback::{is_there, way_back},
    snapshot,
    store::{
        devices, fleet, lists, log, pages,
        states::{self, State},
    },
};
use domain::{DeviceId, Moment, PatchId, PatchState, Permission, Severity};
use planner::{Compiled, Decision, DeviceFacts, GateReport, GateStatus, PairFacts, PatchFacts, decide, words as gates};
use sqlx::{Acquire as _, SqliteConnection};
use std::{collections::BTreeMap, sync::Arc};
use view::{DevicePage, DevicePatch, LadderStep, StepStatus};

/// Attempts and records that the page shows.
const HISTORY: u32 = 100;

/// Whether there is nothing left to do or to find out.
const fn is_settled(state: PatchState) -> bool {
    matches!(
        state,
        PatchState::Installed | PatchState::InstalledBySuperseding | PatchState::Superseded | PatchState::NotApplicable
    )
}

/// A decision as the page shows it.
fn ladder(decision: &Decision, teller: Teller<'_>) -> Vec<LadderStep> {
    decision.ladder.iter().map(|report| step(report, teller)).collect()
}

fn step(report: &GateReport, teller: Teller<'_>) -> LadderStep {
    let (status, at) = match report.status {
        GateStatus::Open { since, .. } => (StepStatus::Open, since),
        GateStatus::OpensAt { at, .. } => (StepStatus::Opens, Some(at)),
        GateStatus::Closed { .. } => (StepStatus::Closed, None),
    };
    let reason = report.status.reason();
    let text = |names: &dyn gates::Names| {
        let text = reason.map_or_else(|| "Nothing against it".to_owned(), |r| gates::reason(r, names));
        let remedy = reason.filter(|_| status == StepStatus::Closed);
        match remedy.and_then(|r| gates::remedy(r, names)) {
            Some(until) => format!("{text}; until {until}"),
            None => text,
        }
    };
    LadderStep {
        gate: report.gate.word().to_owned(),
        label: report.gate.label().to_owned(),
        status,
        text: teller.tell(text),
        at: at.map(|at| teller.instant(at)),
    }
}

/// What decides about one patch on the device.
struct Line {
    state: State,
    patch: Arc<PatchFacts>,
    pair: PairFacts,
}

impl Service {
    /// What decides about each of these states of a device.
    async fn lines(&self, conn: &mut SqliteConnection, device: DeviceId, states: Vec<State>) -> Result<Vec<Line>> {
        let ids: Vec<PatchId> = states.iter().map(|state| state.patch).collect();
        let mut patches = self.inner.facts.read(conn, &ids).await?;
        let pairs = snapshot::pairs(conn, device).await?;
        let line = |state: State| {
            let patch = patches.remove(&state.patch);
            let patch = patch.ok_or_else(|| Error::Inconsistent(format!("patch {} is gone", state.patch)))?;
            let pair = pairs.get(&state.patch).copied();
            let pair = pair.unwrap_or_else(|| PairFacts::new(state.state));
            Ok(Line { state, patch, pair })
        };
        states.into_iter().map(line).collect()
    }
}

async fn row(
    conn: &mut SqliteConnection,
    line: &Line,
    policy: &Compiled,
    device: &DeviceFacts,
    teller: Teller<'_>,
    now: Moment,
) -> Result<DevicePatch> {
    let decision = decide(policy, device, &line.patch, &line.pair, now);
    let patch = line.state.patch;
    let (product, version, severity) = pages::title(conn, patch)
        .await?
        .ok_or_else(|| Error::Inconsistent(format!("patch {patch} is gone")))?;
    let severity = Severity::from_code(severity).ok_or_else(|| Error::Inconsistent(format!("severity {severity}")))?;
    let blocked = line.pair.rolled_back_block;
    let can_roll_back =
        is_there(line.state.state) && !blocked && way_back(conn, device.id, line.state.patch).await?.is_some();
    Ok(DevicePatch {
        patch: line.state.patch,
        product,
        version,
        severity,
        security: line.state.security,
        state: line.state.state,
        since: line.state.since,
        headline: teller.tell(|names| gates::headline(&decision, names)),
        earliest: decision.earliest.map(|at| teller.instant(at)),
        ladder: ladder(&decision, teller),
        can_roll_back,
        blocked,
    })
}

/// The patches whose names the reasons may need.
fn named(lines: &[Line]) -> Vec<PatchId> {
    let mut ids: Vec<PatchId> = lines
        .iter()
        .flat_map(|l| [Some(l.state.patch), l.patch.superseded_by])
        .flatten()
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

impl Service {
    /// The page of a device, with every open patch's gate ladder.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn device(&self, actor: &Actor, device: DeviceId) -> Result<DevicePage> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        let (groups, rings) = (lists::groups(conn).await?, lists::rings(conn).await?);
        let locations = lists::locations(conn).await?;
        let head = fleet::one(conn, device, &groups, &rings)
            .await?
            .ok_or(Error::NotFound)?;
        let details = pages::details(conn, device).await?.ok_or(Error::NotFound)?;
        let stored = devices::by_id(conn, device).await?.ok_or(Error::NotFound)?;
        let policy = snapshot::policy(conn, now).await?;
        let facts = snapshot::device_facts(conn, &policy, now, &stored).await?;
        let (settled, open): (Vec<State>, Vec<State>) = states::of_device(conn, device)
            .await?
            .into_values()
            .partition(|s| is_settled(s.state));
        let settled = settled.iter().filter(|s| s.state != PatchState::NotApplicable).count();
        let lines = self.lines(conn, device, open).await?;
        let attempts = pages::attempts(conn, device, HISTORY).await?;
        let records = log::of(conn, &format!("device:{device}"), HISTORY, 0).await?;
        let mut ids = named(&lines);
        ids.extend(attempts.iter().map(|a| a.patch));
        ids.extend(records.iter().filter_map(|r| words::object(r, "patch")).map(PatchId));
        let names = snapshot::words(conn, now, &ids).await?;
        let teller = Teller::on_device(&names, &facts.zone);
        let mut patches = Vec::with_capacity(lines.len());
        for line in &lines {
            patches.push(row(conn, line, &policy, &facts, teller, now).await?);
        }
        patches.sort_by(|a, b| {
            b.severity
                .cmp(&a.severity)
                .then_with(|| a.product.cmp(&b.product))
                .then(a.patch.cmp(&b.patch))
        });
        let hosts = BTreeMap::from([(device.0, head.hostname.clone())]);
        let group_of: BTreeMap<i64, String> = groups.iter().map(|g| (g.id.0, g.name.clone())).collect();
        tx.commit().await?;
        Ok(DevicePage {
            zone: details.zone,
            agent_version: details.agent_version,
            manager: details.manager,
            manager_error: details.manager_error,
            enrolled: details.enrolled,
            measured: stored.measured,
            reboot: words::reboot(&details.reboot)?,
            services: words::services(&details.services)?,
            sources: words::sources(&details.sources)?,
            on_battery: details.on_battery,
            processes_unread: details.processes_unread,
            groups: group_names(&groups, &rings),
            location: stored.location,
            locations,
            patches,
            settled: u32::try_from(settled).unwrap_or(u32::MAX),
            attempts: attempts
                .iter()
                .map(|a| {
                    (
                        a.patch,
                        planner::words::Names::patch(&names, a.patch),
                        words::attempt(a, teller),
                    )
                })
                .collect(),
            timeline: records
                .iter()
                .map(|r| words::entry(r, words::Page::Device, &hosts, &group_of, &names))
                .collect(),
            row: head,
        })
    }

    /// One patch on one device: the ladder alone, for `patchward explain` and the API.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn explain(&self, actor: &Actor, device: DeviceId, patch: PatchId) -> Result<view::DevicePatch> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        let stored = devices::by_id(conn, device).await?.ok_or(Error::NotFound)?;
        let policy = snapshot::policy(conn, now).await?;
        let facts = snapshot::device_facts(conn, &policy, now, &stored).await?;
        let state = states::of_pair(conn, device, patch).await?.ok_or(Error::NotFound)?;
        let lines = self.lines(conn, device, vec![state]).await?;
        let names = snapshot::words(conn, now, &named(&lines)).await?;
        let line = lines.first().ok_or(Error::NotFound)?;
        let teller = Teller::on_device(&names, &facts.zone);
        let row = row(conn, line, &policy, &facts, teller, now).await?;
        tx.commit().await?;
        Ok(row)
    }
}
