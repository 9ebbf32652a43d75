//! The page of a device: what it lacks, and for each patch every gate.

use super::{
    group_names,
    words::{self, Teller},
};
use crate::{
    Actor, Error, Result, Service,
    commands::{
        retries::used_up,
        rollback::{is_there, way_back},
    },
    snapshot::{self, Words},
    store::{
        devices, fleet, lists, log, pages, rollouts,
        states::{self, State},
    },
};
use domain::{DeviceId, Moment, PatchId, Permission, Severity};
use planner::{
    Compiled, Decision, DeviceFacts, Gate, GateReport, GateStatus, PairFacts, PatchFacts, Reason, decide,
    words as gates,
};
use sqlx::{Acquire as _, SqliteConnection};
use std::{collections::BTreeMap, sync::Arc};
use view::{DevicePage, DevicePatch, DevicePatches, LadderStep, PAGE_SIZE, PatchShow, StepStatus};

/// Attempts and records that the page shows.
const HISTORY: u32 = 100;
/// Attempts at the patches of a list, at most.
const TRIED: u32 = 500;

/// A decision as the page shows it.
fn ladder(decision: &Decision, teller: Teller<'_>) -> Vec<LadderStep> {
    decision.ladder.iter().map(|report| step(report, teller)).collect()
}

fn step(report: &GateReport, teller: Teller<'_>) -> LadderStep {
    let standing = &report.status;
    let status = match standing {
        GateStatus::Open { .. } => StepStatus::Open,
        GateStatus::OpensAt { .. } => StepStatus::Opens,
        GateStatus::Closed { .. } => StepStatus::Closed,
    };
    let reason = standing.reason();
    let until = reason
        .filter(|_| status == StepStatus::Closed)
        .map(|reason| teller.tell(|names| gates::remedy(reason, names).unwrap_or_default()));
    LadderStep {
        gate: report.gate.word().to_owned(),
        label: report.gate.label().to_owned(),
        status,
        text: teller.tell(|names| reason.map(|r| gates::reason(r, names)).unwrap_or_default()),
        since: standing.since().map(|at| teller.instant(at)),
        opens: standing.opens().map(|at| teller.instant(at)),
        until: until.filter(|text| !text.is_empty()),
        by: standing.by().map(|id| teller.account(id)),
    }
}

/// What decides about one patch on the device.
struct Line {
    state: State,
    patch: Arc<PatchFacts>,
    pair: PairFacts,
    /// Newest first.
    attempts: Vec<pages::Attempt>,
}

impl Service {
    /// What decides about each of these states of a device.
    async fn lines(&self, conn: &mut SqliteConnection, device: DeviceId, states: Vec<State>) -> Result<Vec<Line>> {
        let ids: Vec<PatchId> = states.iter().map(|state| state.patch).collect();
        let mut patches = self.inner.facts.read(conn, &ids).await?;
        let pairs = snapshot::pairs(conn, device).await?;
        let mut tried: BTreeMap<PatchId, Vec<pages::Attempt>> = BTreeMap::new();
        for attempt in pages::attempts_at(conn, device, &ids, TRIED).await? {
            tried.entry(attempt.patch).or_default().push(attempt);
        }
        let line = |state: State| {
            let patch = patches.remove(&state.patch);
            let patch = patch.ok_or_else(|| Error::Inconsistent(format!("patch {} is gone", state.patch)))?;
            let pair = pairs.get(&state.patch).copied();
            let pair = pair.unwrap_or_else(|| PairFacts::new(state.state));
            let attempts = tried.remove(&state.patch).unwrap_or_default();
            Ok(Line {
                state,
                patch,
                pair,
                attempts,
            })
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
        ours: line.state.ours,
        ladder: ladder(&decision, teller),
        attempts: line.attempts.iter().map(|a| words::attempt(a, teller)).collect(),
        can_roll_back,
        blocked,
        again: used_up(conn, device.id, patch, now).await?,
    })
}

/// Whether an open patch is among those to show.
fn has(show: PatchShow, line: &DevicePatch, goes_back: &[PatchId]) -> bool {
    if goes_back.contains(&line.patch) && PatchShow::is_settled(line.state) {
        return show == PatchShow::All;
    }
    let denied = |step: &LadderStep| step.gate == Gate::NotDenied.word() && step.status != StepStatus::Open;
    show.has(line.state, line.security, line.ladder.iter().any(denied))
}

fn count<T>(of: impl Iterator<Item = T>) -> u32 {
    u32::try_from(of.count()).unwrap_or(u32::MAX)
}

/// Of settled patches the page asked for, latest first; how many there are of each kind; and which page it is.
fn past(mut settled: Vec<State>, asked: DevicePatches) -> (Vec<State>, BTreeMap<PatchShow, u32>, u32) {
    let of = |show: PatchShow| move |s: &State| show.has(s.state, s.security, false);
    let kinds = PatchShow::ALL.iter().filter(|show| show.is_past());
    let counts: BTreeMap<PatchShow, u32> = kinds
        .map(|show| (*show, count(settled.iter().filter(|s| of(*show)(s)))))
        .collect();
    let (page, _) = super::pages(asked.page, counts.get(&asked.show).copied().unwrap_or(0));
    if !asked.show.is_past() {
        return (Vec::new(), counts, page);
    }
    settled.retain(of(asked.show));
    settled.sort_by_key(|s| std::cmp::Reverse((s.since, s.patch)));
    let before = (page - 1).saturating_mul(PAGE_SIZE) as usize;
    let shown = settled.into_iter().skip(before).take(PAGE_SIZE as usize).collect();
    (shown, counts, page)
}

/// The patches whose names the reasons may need.
fn named<'a>(lines: impl Iterator<Item = &'a Line>) -> Vec<PatchId> {
    let mut ids: Vec<PatchId> = lines
        .flat_map(|l| [Some(l.state.patch), l.patch.superseded_by])
        .flatten()
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// That the device's profile leaves its OS release out, in the planner's words.
fn left_out(policy: &Compiled, device: &DeviceFacts, names: &Words) -> Option<String> {
    let (release, profile) = (device.os_release, planner::profile_of(policy, device)?.profile);
    let leaving = policy.policy().profiles.iter().find(|p| p.id == profile)?;
    let reason = Reason::ReleaseLeftOut { release, profile };
    leaving
        .coverage
        .left_out
        .contains(&release)
        .then(|| gates::reason(&reason, names))
}

impl Service {
    /// The page of a device, with every open patch's gate ladder.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn device(&self, actor: &Actor, device: DeviceId) -> Result<DevicePage> {
        self.device_with(actor, device, DevicePatches::default()).await
    }

    /// The page of a device, with the patches asked for.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn device_with(&self, actor: &Actor, device: DeviceId, asked: DevicePatches) -> Result<DevicePage> {
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
        // What is to be taken back is not settled, however well it is installed.
        let goes_back: Vec<PatchId> = rollouts::orders(conn, device)
            .await?
            .into_iter()
            .filter(|order| !order.done)
            .map(|order| order.patch)
            .collect();
        let (settled, open): (Vec<State>, Vec<State>) = states::of_device(conn, device)
            .await?
            .into_values()
            .partition(|s| PatchShow::is_settled(s.state) && !goes_back.contains(&s.patch));
        let (past, past_counts, patches_page) = past(settled, asked);
        let lines = self.lines(conn, device, open).await?;
        let past = self.lines(conn, device, past).await?;
        let attempts = pages::attempts(conn, device, HISTORY).await?;
        let records = log::of(conn, &format!("device:{device}"), HISTORY, 0).await?;
        let mut ids = named(lines.iter().chain(&past));
        ids.extend(attempts.iter().map(|a| a.patch));
        ids.extend(records.iter().filter_map(|r| words::object(r, "patch")).map(PatchId));
        let names = snapshot::words(conn, now, &ids).await?;
        let teller = Teller::on_device(&names, &facts.zone);
        let mut patches = Vec::with_capacity(lines.len());
        for line in &lines {
            patches.push(row(conn, line, &policy, &facts, teller, now).await?);
        }
        let mut counts = PatchShow::ALL
            .iter()
            .map(|show| (*show, count(patches.iter().filter(|line| has(*show, line, &goes_back)))))
            .collect::<Vec<_>>();
        for (show, n) in &mut counts {
            *n += past_counts.get(show).copied().unwrap_or(0);
        }
        if asked.show.is_past() {
            patches.clear();
            for line in &past {
                let row = row(conn, line, &policy, &facts, teller, now).await?;
                patches.push(DevicePatch {
                    // Every gate would only say that there is nothing to do.
                    ladder: Vec::new(),
                    ..row
                });
            }
        } else {
            patches.retain(|line| has(asked.show, line, &goes_back));
            patches.sort_by(|a, b| {
                b.severity
                    .cmp(&a.severity)
                    .then_with(|| a.product.cmp(&b.product))
                    .then(a.patch.cmp(&b.patch))
            });
        }
        let hosts = BTreeMap::from([(device.0, head.hostname.clone())]);
        let group_of: BTreeMap<i64, String> = groups.iter().map(|g| (g.id.0, g.name.clone())).collect();
        tx.commit().await?;
        Ok(DevicePage {
            zone: details.zone,
            agent_version: details.agent_version,
            manager: details.manager,
            manager_error: details.manager_error,
            left_out: left_out(&policy, &facts, &names),
            enrolled: details.enrolled,
            measured: stored.said.measured,
            reboot: words::reboot(&details.reboot)?,
            services: words::services(&details.services)?,
            sources: words::sources(&details.sources)?,
            on_battery: details.on_battery,
            processes_unread: details.processes_unread,
            groups: group_names(&groups, &rings),
            location: stored.location,
            locations,
            patches,
            counts,
            patches_page,
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
        let names = snapshot::words(conn, now, &named(lines.iter())).await?;
        let line = lines.first().ok_or(Error::NotFound)?;
        let teller = Teller::on_device(&names, &facts.zone);
        let row = row(conn, line, &policy, &facts, teller, now).await?;
        tx.commit().await?;
        Ok(row)
    }
}
