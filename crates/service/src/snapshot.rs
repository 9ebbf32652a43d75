//! Rows into the planner's facts, read in one transaction: what a permit decides on and what a page shows are the same facts.
//!
//! Begin a transaction (or use the write transaction of a permit), ask for what you need, and let `planner::decide` speak.

use crate::{
    commands::hold::Cause,
    error::{Error, Result},
    facts::Known,
    line::{Line, replaces},
    store::{
        clock,
        devices::{self, Device},
        evidence::{self, EvidenceRow},
        names, rollback_plans,
        rollouts::{self, HoldRow, PatchRow},
        schedule,
        states::{self, State},
        tries::{self, Tried},
        waiting,
    },
};
use domain::{
    AccountId, AttemptId, Category, DecisionId, DeviceId, ExceptionId, FreezeId, GroupId, HoldId, LocationId, Moment,
    OsReleaseId, PatchId, PatchState, ProblemId, ProductId, ProfileId, RingId, Span, WindowId, compare_debian,
};
use planner::{
    Brake, Compiled, Decision, DecisionFact, DecisionKind, DeviceFacts, Evidence, HoldCause, HoldFact, Load,
    MissedWindows, PairFacts, PatchFacts, Round, Schedule, decide, missed_windows,
};
use sqlx::SqliteConnection;
use std::{collections::BTreeMap, sync::Arc};

/// One patch on one device, with everything that decides about it.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The policy in force.
    pub policy: Arc<Compiled>,
    /// The device.
    pub device: DeviceFacts,
    /// The patch.
    pub patch: Arc<PatchFacts>,
    /// The two together.
    pub pair: PairFacts,
}

impl Pair {
    /// The planner's answer.
    #[must_use]
    pub fn decide(&self, now: Moment) -> Decision {
        decide(&self.policy, &self.device, &self.patch, &self.pair, now)
    }

    /// The round of installs that a permit now begins on the device, if any.
    #[must_use]
    pub fn begins_round(&self, now: Moment) -> Option<Round> {
        Schedule::new(&self.policy, &self.device).begins_round(&self.patch, &self.pair, now)
    }
}

/// The policy in force, ready for decisions around `now`.
///
/// # Errors
/// When the database fails.
pub async fn policy(conn: &mut SqliteConnection, now: Moment) -> Result<Arc<Compiled>> {
    crate::policy::load(conn, now).await
}

/// One patch on one device, inside a write transaction; `None` when either is unknown. A pair that no scan ever saw is not applicable.
///
/// # Errors
/// When the database fails.
pub(crate) async fn pair(
    conn: &mut SqliteConnection,
    known: &Known,
    now: Moment,
    device: DeviceId,
    patch: PatchId,
) -> Result<Option<Pair>> {
    let Some(row) = devices::by_id(conn, device).await? else {
        return Ok(None);
    };
    let Some(facts) = known.look(conn, patch).await? else {
        return Ok(None);
    };
    let state = states::of_pair(conn, device, patch).await?;
    let policy = policy(conn, now).await?;
    Ok(Some(Pair {
        device: device_facts(conn, &policy, now, &row).await?,
        policy,
        patch: facts,
        pair: pair_facts(conn, device, patch, state.as_ref()).await?,
    }))
}

/// What the planner would say of a patch to a healthy device of a ring that lacks it: the ring's lane on the patch's page.
#[must_use]
pub fn patch_lane(now: Moment, policy: &Compiled, facts: &PatchFacts, ring: RingId) -> Decision {
    let device = DeviceFacts {
        last_scan: Some(now),
        ..DeviceFacts::new(DeviceId(0), facts.os_release, ring)
    };
    decide(policy, &device, facts, &PairFacts::new(PatchState::Missing), now)
}

/// What is known of a device.
///
/// # Errors
/// When the database fails.
pub async fn device_facts(
    conn: &mut SqliteConnection,
    policy: &Compiled,
    now: Moment,
    row: &Device,
) -> Result<DeviceFacts> {
    let (fleet, location) = rollouts::load(conn, row.location).await?;
    let known = DeviceRows {
        open_attempt: rollouts::open_attempt(conn, row.id).await?,
        critical: evidence::critical_on(conn, row.id).await?,
        windows_changed: windows_changed(conn, policy).await?,
    };
    Ok(DeviceFacts {
        load: Load { fleet, location },
        ..device_facts_of(policy, now, row, known)
    })
}

/// What is known of these devices, with their rows, without what runs elsewhere.
///
/// # Errors
/// When the database fails.
pub(crate) async fn devices_facts(
    conn: &mut SqliteConnection,
    policy: &Compiled,
    now: Moment,
    ids: &[DeviceId],
) -> Result<Vec<(Device, DeviceFacts)>> {
    let attempts = waiting::open_attempts(conn).await?;
    let mut critical = waiting::critical(conn, ids).await?;
    let windows_changed = windows_changed(conn, policy).await?;
    let rows = devices::by_ids(conn, ids).await?;
    let with_facts = rows.into_iter().map(|row| {
        let known = DeviceRows {
            open_attempt: attempts.get(&row.id).copied(),
            critical: critical.remove(&row.id).unwrap_or_default(),
            windows_changed,
        };
        let facts = device_facts_of(policy, now, &row, known);
        (row, facts)
    });
    Ok(with_facts.collect())
}

/// What [`device_facts_of`] needs of other rows.
struct DeviceRows {
    open_attempt: Option<AttemptId>,
    critical: Vec<ProductId>,
    /// See [`windows_changed`].
    windows_changed: Option<Moment>,
}

/// When a window was last changed; `None` where nobody catches up, so that nothing is missed.
async fn windows_changed(conn: &mut SqliteConnection, policy: &Compiled) -> Result<Option<Moment>> {
    let catches_up = |group: &planner::Group| matches!(group.missed, Some(MissedWindows::CatchUp { .. }));
    Ok(if policy.policy().groups.iter().any(catches_up) {
        Some(schedule::windows_changed(conn).await?)
    } else {
        None
    })
}

/// What is known of a device whose rows were read, without what runs elsewhere.
fn device_facts_of(policy: &Compiled, now: Moment, row: &Device, known: DeviceRows) -> DeviceFacts {
    let mut facts = DeviceFacts {
        id: row.id,
        state: row.state,
        scan_only: row.scan_only,
        os_release: row.os_release,
        groups: row.group.into_iter().collect(),
        ring: row.ring,
        location: row.location,
        zone: row.zone.clone(),
        last_scan: row.last_scan,
        reboot_owed: row.reboot_since,
        manager_broken: row.manager_error.is_some(),
        disk_free_mib: row.disk_free_mib,
        on_battery: row.on_battery,
        measured: row.said.measured,
        round_started: row.round_started,
        round_counts_from: row.round_counts_from,
        open_attempt: known.open_attempt,
        critical: known.critical,
        ..DeviceFacts::new(row.id, row.os_release, RingId(0))
    };
    if let Some(changed) = known.windows_changed {
        // A window that was changed since is not held against the device, in whatever form it was before.
        facts.missed_windows = missed_windows(policy, &facts, changed.max(row.in_window), now);
    }
    facts
}

/// What is known of a patch; `None` when it is unknown.
///
/// # Errors
/// When the database fails.
pub async fn patch_facts(conn: &mut SqliteConnection, patch: PatchId) -> Result<Option<PatchFacts>> {
    let Some(row) = rollouts::patch(conn, patch).await? else {
        return Ok(None);
    };
    let (superseded_by, successor_approved) = successors(conn, &row).await?;
    let decisions = decisions(conn, patch).await?;
    let holds = rollouts::holds(conn, patch).await?;
    let evidence = evidence(conn, patch, &holds).await?;
    Ok(Some(PatchFacts {
        category: Category::from_code(row.category)
            .ok_or_else(|| Error::Inconsistent(format!("category {}", row.category)))?,
        product: row.product.map(ProductId),
        needs_reboot: row.needs_reboot,
        measured_install: evidence::measured_install(conn, patch).await?,
        size: u64::try_from(row.size).unwrap_or(0),
        superseded_by,
        successor_approved,
        holds: holds
            .iter()
            .filter(|h| h.resolved_at.is_none())
            .map(|h| hold(h, &evidence))
            .collect::<Result<_>>()?,
        decisions,
        evidence,
        rollback: rollback_plans::fact(conn, patch).await?,
        ..PatchFacts::new(patch, row.os_release)
    }))
}

/// The newer patch that counts, and the rings in which any newer one is approved: an approved one before the newest.
async fn successors(conn: &mut SqliteConnection, row: &PatchRow) -> Result<(Option<PatchId>, Vec<RingId>)> {
    let Some(newest) = row.superseded_by else {
        return Ok((None, Vec::new()));
    };
    let own = Line::of(row.os_release, &row.source, &row.version, &row.origin);
    let mut approved = rollouts::approved_versions(conn, row.os_release, &row.source).await?;
    approved.retain(|a| {
        let line = Line::of(row.os_release, &row.source, &a.version, &a.origin);
        replaces((line, &a.version), (own, &row.version))
    });
    let by = approved
        .iter()
        .max_by(|a, b| compare_debian(&a.version, &b.version))
        .map_or(newest, |a| a.patch);
    let mut rings: Vec<RingId> = approved.iter().map(|a| a.ring).collect();
    rings.sort_unstable();
    rings.dedup();
    Ok((Some(by), rings))
}

async fn decisions(conn: &mut SqliteConnection, patch: PatchId) -> Result<Vec<DecisionFact>> {
    let rows = rollouts::decisions(conn, patch).await?;
    rows.into_iter()
        .map(|d| {
            let kind = match d.kind {
                1 => DecisionKind::Approve { urgent: d.urgent },
                2 => DecisionKind::Deny,
                other => return Err(Error::Inconsistent(format!("decision kind {other}"))),
            };
            Ok(DecisionFact {
                id: DecisionId(d.id),
                ring: RingId(d.ring),
                kind,
                at: Moment(d.at),
                by: AccountId(d.account),
            })
        })
        .collect()
}

fn hold(row: &HoldRow, evidence: &BTreeMap<RingId, Evidence>) -> Result<HoldFact> {
    let sum = |of: fn(&Evidence) -> u32| evidence.values().map(of).sum::<u32>();
    let causes = [
        Cause::Person,
        Cause::Problem,
        Cause::Failure,
        Cause::Vanished,
        Cause::Restored,
        Cause::RolledBack,
    ];
    let cause = match causes.into_iter().find(|c| *c as i64 == row.cause) {
        Some(Cause::Problem) => HoldCause::Problem(ProblemId(row.problem.unwrap_or(0))),
        Some(Cause::Failure) => HoldCause::Failures {
            failed: sum(|e| e.failures),
            finished: sum(|e| e.finished),
        },
        Some(Cause::Vanished) => HoldCause::Vanished {
            devices: sum(|e| e.vanished),
        },
        Some(Cause::Person | Cause::Restored | Cause::RolledBack) => HoldCause::Person,
        None => return Err(Error::Inconsistent(format!("hold cause {}", row.cause))),
    };
    let by = row
        .opened_by
        .strip_prefix("account:")
        .and_then(|t| t.split(' ').next())
        .and_then(|t| t.parse().ok())
        .map(AccountId);
    Ok(HoldFact {
        id: HoldId(row.id),
        ring: None,
        cause,
        at: Moment(row.opened_at),
        by,
    })
}

/// What each ring has shown, and how long resolved holds stopped its soak.
async fn evidence(
    conn: &mut SqliteConnection,
    patch: PatchId,
    holds: &[HoldRow],
) -> Result<BTreeMap<RingId, Evidence>> {
    let mut rings: BTreeMap<RingId, Evidence> = BTreeMap::new();
    for row in evidence::evidence(conn, patch).await? {
        add(rings.entry(RingId(row.ring)).or_default(), &row);
    }
    for (ring, product) in evidence::critical_proven(conn, patch).await? {
        rings.entry(ring).or_default().critical.insert(product);
    }
    for (ring, targets) in evidence::targets(conn, patch).await? {
        rings.entry(RingId(ring)).or_default().targets = count(targets);
    }
    let steps = clock::steps(conn).await?;
    for evidence in rings.values_mut() {
        if let Some(since) = evidence.first_success {
            evidence.paused = paused(since, holds, &steps);
        }
    }
    Ok(rings)
}

fn add(evidence: &mut Evidence, row: &EvidenceRow) {
    let first = row.first_proven.map(Moment);
    evidence.first_success = evidence.first_success.into_iter().chain(first).min();
    evidence.last_finished = evidence.last_finished.max(row.last_finished.map(Moment));
    if row.proven > 0 {
        evidence.successes.insert(OsReleaseId(row.release), count(row.proven));
    }
    evidence.rebooted += count(row.rebooted);
    evidence.failures += count(row.failures);
    evidence.vanished += count(row.vanished);
    evidence.in_flight += count(row.in_flight);
    evidence.finished += count(row.finished);
    evidence.failed_since += count(row.failed_since);
}

/// The time since `since` during which at least one hold, now resolved, was open, or over which the clock stepped (I-12). It does not depend
/// on the time now, as nothing in a patch's facts may: a hold that was resolved at a later hour than the clock shows, because somebody set it
/// back, counts whole; one that was resolved before it was opened, from `since` on.
fn paused(since: Moment, holds: &[HoldRow], steps: &[(i64, i64)]) -> Span {
    let held = holds.iter().filter_map(|h| {
        let to = h.resolved_at?;
        Some((if h.opened_at > to { since.0 } else { h.opened_at }, to))
    });
    let mut spans: Vec<(i64, i64)> = held
        .chain(steps.iter().copied())
        .map(|(from, to)| (from.max(since.0), to))
        .filter(|(from, to)| from < to)
        .collect();
    spans.sort_unstable();
    let (mut total, mut reached) = (0, since.0);
    for (from, to) in spans {
        total += (to - from.max(reached)).max(0);
        reached = reached.max(to);
    }
    Span(total)
}

/// What is known of the two together.
///
/// # Errors
/// When the database fails.
pub async fn pair_facts(
    conn: &mut SqliteConnection,
    device: DeviceId,
    patch: PatchId,
    state: Option<&State>,
) -> Result<PairFacts> {
    let Some(state) = state else {
        return Ok(PairFacts::new(PatchState::NotApplicable));
    };
    let tried = tries::of_pair(conn, device, patch).await?;
    let blocked = rollouts::orders(conn, device).await?.iter().any(|o| o.patch == patch);
    pair_of(state, &tried, blocked)
}

/// As [`pair_facts`], for every patch of a device at once.
///
/// # Errors
/// When the database fails.
pub async fn pairs(conn: &mut SqliteConnection, device: DeviceId) -> Result<BTreeMap<PatchId, PairFacts>> {
    let (tried, nothing) = (tries::of_devices(conn, &[device]).await?, Tried::default());
    let orders = rollouts::orders(conn, device).await?;
    let states = states::of_device(conn, device).await?;
    let pair = |(patch, state): (PatchId, State)| {
        let tried = tried.get(&(device, patch)).unwrap_or(&nothing);
        let blocked = orders.iter().any(|o| o.patch == patch);
        Ok((patch, pair_of(&state, tried, blocked)?))
    };
    states.into_iter().map(pair).collect()
}

pub(crate) fn pair_of(state: &State, tried: &Tried, blocked: bool) -> Result<PairFacts> {
    let brake = match state.brake.as_deref() {
        None => None,
        Some(json) => Some(
            match serde_json::from_str(json).map_err(|e| Error::Inconsistent(format!("brake {json}: {e}")))? {
                protocol::v1::Brake::Held => Brake::Held,
                protocol::v1::Brake::Phased { percent } => Brake::Phased { percent },
                protocol::v1::Brake::Pinned { .. } => Brake::Pinned,
            },
        ),
    };
    Ok(PairFacts {
        since: Some(state.since),
        brake,
        bytes: state.bytes,
        attempts_failed: u32::try_from(tried.failed.len()).unwrap_or(u32::MAX),
        last_failed: tried.failed.last().copied(),
        not_started: u32::try_from(tried.not_started.len()).unwrap_or(u32::MAX),
        last_not_started: tried.not_started.last().copied(),
        rolled_back_block: blocked,
        ..PairFacts::new(state.state)
    })
}

/// The planner's words with the store's names in them; moments in UTC.
#[derive(Clone, Debug)]
pub struct Words {
    now: Moment,
    rings: BTreeMap<RingId, String>,
    accounts: BTreeMap<AccountId, String>,
    releases: BTreeMap<OsReleaseId, String>,
    patches: BTreeMap<PatchId, String>,
    /// Windows, freezes and profiles; their numbers are of one table.
    schedule: BTreeMap<i64, String>,
    groups: BTreeMap<i64, String>,
    products: BTreeMap<i64, String>,
    locations: BTreeMap<i64, String>,
}

/// Reads the names that the reasons of these patches may need.
///
/// # Errors
/// When the database fails.
pub async fn words(conn: &mut SqliteConnection, now: Moment, patches: &[PatchId]) -> Result<Words> {
    let names = names::names(conn, patches).await?;
    Ok(Words {
        now,
        rings: names.rings.into_iter().map(|(id, n)| (RingId(id), n)).collect(),
        accounts: names.accounts.into_iter().map(|(id, n)| (AccountId(id), n)).collect(),
        releases: names.releases.into_iter().map(|(id, n)| (OsReleaseId(id), n)).collect(),
        patches: names.patches.into_iter().map(|(id, n)| (PatchId(id), n)).collect(),
        schedule: names.schedule.into_iter().collect(),
        groups: names.groups.into_iter().collect(),
        products: names.products.into_iter().collect(),
        locations: names.locations.into_iter().collect(),
    })
}

impl Words {
    /// The same with the name of a ring that is not stored yet.
    #[must_use]
    pub fn with_ring(mut self, id: RingId, name: &str) -> Self {
        self.rings.insert(id, name.to_owned());
        self
    }

    /// `window Saturday night`, or by its number when it is gone.
    fn scheduled(&self, what: &str, id: i64) -> String {
        self.schedule
            .get(&id)
            .map_or_else(|| format!("{what} {id}"), |name| format!("{what} {name}"))
    }
}

impl planner::words::Names for Words {
    fn now(&self) -> Moment {
        self.now
    }
    fn time(&self, at: Moment) -> String {
        let text = at.rfc3339();
        format!("{} {} UTC", &text[..10], &text[11..16])
    }
    fn patch(&self, id: PatchId) -> String {
        self.patches.get(&id).cloned().unwrap_or_else(|| format!("patch {id}"))
    }
    fn ring(&self, id: RingId) -> String {
        self.rings.get(&id).cloned().unwrap_or_else(|| format!("ring {id}"))
    }
    fn account(&self, id: AccountId) -> String {
        self.accounts
            .get(&id)
            .cloned()
            .unwrap_or_else(|| format!("account {id}"))
    }
    fn window(&self, id: WindowId) -> String {
        self.scheduled("window", id.0)
    }
    fn freeze(&self, id: FreezeId) -> String {
        self.scheduled("freeze", id.0)
    }
    fn profile(&self, id: ProfileId) -> String {
        self.scheduled("profile", id.0)
    }
    fn exception(&self, id: ExceptionId) -> String {
        format!("exception {id}")
    }
    fn group(&self, id: GroupId) -> String {
        self.groups.get(&id.0).cloned().unwrap_or_else(|| format!("group {id}"))
    }
    fn product(&self, id: ProductId) -> String {
        self.products
            .get(&id.0)
            .cloned()
            .unwrap_or_else(|| format!("product {id}"))
    }
    fn location(&self, id: LocationId) -> String {
        self.locations
            .get(&id.0)
            .cloned()
            .unwrap_or_else(|| format!("location {id}"))
    }
    fn release(&self, id: OsReleaseId) -> String {
        self.releases
            .get(&id)
            .cloned()
            .unwrap_or_else(|| format!("release {id}"))
    }
}

fn count(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(if value < 0 { 0 } else { u32::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_holds_pause_the_soak_once() {
        let hold = |opened_at, resolved_at| HoldRow {
            id: 1,
            cause: 1,
            opened_at,
            opened_by: "host".to_owned(),
            resolved_at,
            problem: None,
        };
        let holds = [
            hold(50, Some(120)),
            hold(110, Some(130)),
            hold(115, Some(118)),
            hold(200, None),
            hold(10, Some(20)),
        ];
        assert_eq!(paused(Moment(100), &holds, &[]), Span(30));
        assert_eq!(paused(Moment(100), &[], &[]), Span(0));
        // Resolved before the clock was set back to 150: what is told of a patch does not change by itself.
        assert_eq!(paused(Moment(100), &[hold(120, Some(9_000))], &[]), Span(8_880));
        // Opened while the clock was ahead, resolved after it was set right.
        assert_eq!(paused(Moment(100), &[hold(9_000, Some(400))], &[]), Span(300));
        // A step of the clock counts like a hold, and once with one.
        assert_eq!(
            paused(Moment(100), &[hold(120, Some(200))], &[(150, 5_000), (20, 50)]),
            Span(4_880)
        );
    }
}
