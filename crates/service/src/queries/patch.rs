//! The page of a patch: its lanes, its holds, its history, its devices.

use super::words::{self, Teller};
use crate::{
    Actor, Error, Result, Service,
    commands::rollback::{is_there, way_back_of},
    snapshot::{self, Words},
    store::{
        accounts,
        attempts::{self, Attempt},
        decisions,
        lists::{self, Group},
        log,
        pages::{self, count_mut},
        rollback_plans, rollouts, states,
        tries::{self, Tried},
        waiting,
    },
};
use domain::{DeviceId, Moment, PatchId, Permission, RingId};
use planner::{
    Compiled, Evidence, GateStatus, Load, PatchFacts, Ring, RollbackPolicy, decide, evidence::unseen_failure_permille,
    words as gates,
};
use sqlx::{Acquire as _, SqliteConnection};
use std::collections::BTreeMap;
use view::{
    CountBucket, Counts, Part, PatchDevice, PatchDevices, PatchPage, RingLane, RingName, SoakView, Text, WayBack,
};

/// Records that the page shows.
const HISTORY: u32 = 100;

/// What all parts of the page need.
struct Page<'a> {
    now: Moment,
    facts: &'a PatchFacts,
    policy: &'a Compiled,
    teller: Teller<'a>,
    words: &'a Words,
    groups: &'a [Group],
    rings: &'a [RingName],
}

impl Page<'_> {
    /// One lane per ring.
    async fn lanes(&self, conn: &mut SqliteConnection) -> Result<Vec<RingLane>> {
        let by_group = pages::counts_by_group(conn, self.facts.id).await?;
        let decisions = decisions::in_force(conn, self.facts.id).await?;
        let rows: Vec<&Ring> = self.policy.rings().collect();
        let lanes = rows.iter().enumerate().map(|(at, ring)| {
            let mut counts = Counts::default();
            for group in self.groups.iter().filter(|g| g.ring == Some(ring.id)) {
                for bucket in CountBucket::ALL {
                    *count_mut(&mut counts, *bucket) += by_group.get(&Some(group.id.0)).map_or(0, |c| c.get(*bucket));
                }
            }
            let (headline, opens_at) = self.headline(ring.id, &counts);
            RingLane {
                ring: ring.id,
                name: ring.name.clone(),
                decision: decisions.iter().find(|(id, _)| *id == ring.id).map(|(_, d)| d.clone()),
                counts,
                // The last ring proves nothing for another one.
                soak: (at + 1 < rows.len()).then(|| self.soak(ring)),
                headline,
                opens_at,
            }
        });
        Ok(lanes.collect())
    }

    /// The rollback plan, and what a rollback would find.
    async fn way_back(&self, conn: &mut SqliteConnection, actor: &Actor) -> Result<WayBack> {
        let (known, installed) = rollback_plans::ways_back(conn, self.facts.id).await?;
        Ok(WayBack {
            plan: rollback_plans::of_patch(conn, self.facts.id).await?,
            asked_by: asking_for_a_plan(self.policy),
            installed,
            known,
            people: if actor.role.may(Permission::Decide) {
                accounts::active(conn).await?
            } else {
                Vec::new()
            },
        })
    }

    /// What the planner says to a healthy device of the ring that lacks the patch; or that there is none.
    fn headline(&self, ring: RingId, counts: &Counts) -> (Text, Option<Moment>) {
        let has = counts.installed + counts.pending;
        if counts.missing + counts.failed + counts.unknown + counts.rolled_back == 0 {
            let text = match has {
                0 => "No device of this ring needs it".to_owned(),
                1 => "On the one device that needs it".to_owned(),
                n => format!("On all {n} devices that need it"),
            };
            return (Text(vec![Part::Words(text)]), None);
        }
        let decision = snapshot::patch_lane(self.now, self.policy, self.facts, ring);
        let opens = decision.headline().and_then(|report| match report.status {
            GateStatus::OpensAt { at, .. } => Some(at),
            GateStatus::Open { .. } | GateStatus::Closed { .. } => None,
        });
        let opens_at = if decision.installs() {
            None
        } else {
            decision.earliest.or(opens)
        };
        let text = self.teller.tell(|names| gates::headline(&decision, names));
        (text, opens_at)
    }

    fn soak(&self, ring: &Ring) -> SoakView {
        let none = Evidence::default();
        let evidence = self.facts.evidence.get(&ring.id).unwrap_or(&none);
        // An open hold stops the clock; the time of resolved ones does not count either.
        let until = self
            .facts
            .holds
            .iter()
            .map(|h| h.at)
            .min()
            .map_or(self.now, |held| held.min(self.now));
        let elapsed = evidence
            .first_success
            .map_or(0, |first| until.since(first).0 - evidence.paused.0);
        let clean = evidence.clean();
        SoakView {
            started: evidence.first_success,
            needed: ring.soak.0,
            elapsed: elapsed.clamp(0, ring.soak.0.max(0)),
            successes: clean,
            min_successes: ring.evidence.min_successes,
            rebooted: self.facts.needs_reboot.then_some(evidence.rebooted),
            unseen_per_mille: (clean > 0).then(|| unseen_failure_permille(clean)),
        }
    }

    /// The lines of these devices, in their order.
    async fn devices(&self, conn: &mut SqliteConnection, ids: &[DeviceId]) -> Result<Vec<PatchDevice>> {
        let patch = self.facts.id;
        let loads = rollouts::loads(conn).await?;
        let states = states::of_patch(conn, patch, ids).await?;
        let (in_vain, nothing) = (tries::of_devices(conn, ids).await?, Tried::default());
        let blocked = waiting::blocked(conn).await?;
        let last = pages::last_attempts(conn, patch, ids).await?;
        let targets = rollouts::packages(conn, patch).await?;
        let mut tried: BTreeMap<DeviceId, Vec<Attempt>> = BTreeMap::new();
        for attempt in attempts::at_patch(conn, patch, ids).await? {
            tried.entry(attempt.device).or_default().push(attempt);
        }
        let mut lines = BTreeMap::new();
        for (device, mut facts) in snapshot::devices_facts(conn, self.policy, self.now, ids).await? {
            let id = device.id;
            let state = states
                .get(&id)
                .ok_or_else(|| Error::Inconsistent(format!("device {id} has no state of patch {patch}")))?;
            facts.load = Load {
                fleet: loads.values().sum(),
                location: facts.location.and_then(|at| loads.get(&Some(at)).copied()).unwrap_or(0),
            };
            let blocked = blocked.binary_search(&(id, patch)).is_ok();
            let in_vain = in_vain.get(&(id, patch)).unwrap_or(&nothing);
            let pair = snapshot::pair_of(state, in_vain, blocked)?;
            let decision = decide(self.policy, &facts, self.facts, &pair, self.now);
            let teller = Teller::on_device(self.words, &facts.zone);
            let tried = tried.get(&id).map_or(&[][..], Vec::as_slice);
            lines.insert(
                id,
                PatchDevice {
                    device: id,
                    hostname: device.hostname,
                    ring: device
                        .ring
                        .and_then(|ring| self.rings.iter().find(|r| r.id == ring))
                        .map(|r| r.name.clone()),
                    state: state.state,
                    since: state.since,
                    headline: teller.tell(|names| gates::headline(&decision, names)),
                    earliest: decision.earliest.map(|at| teller.instant(at)),
                    attempt: last.get(&id).map(|a| words::attempt(a, teller)),
                    can_roll_back: is_there(state.state) && !blocked && way_back_of(tried, &targets).is_some(),
                    blocked,
                },
            );
        }
        Ok(ids.iter().filter_map(|id| lines.remove(id)).collect())
    }
}

/// The rings that ask for a rollback plan, in order.
fn asking_for_a_plan(policy: &Compiled) -> Vec<RingName> {
    let asking = policy
        .rings()
        .filter(|ring| ring.rollback != RollbackPolicy::NotRequired);
    let named = asking.map(|ring| RingName {
        id: ring.id,
        name: ring.name.clone(),
    });
    named.collect()
}

impl Service {
    /// The rings that ask for a rollback plan before a patch is approved for them, in order.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn rings_asking_for_a_plan(&self, actor: &Actor) -> Result<Vec<RingName>> {
        actor.require(Permission::ReadFleet)?;
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let policy = snapshot::policy(&mut tx, self.now()).await?;
        tx.commit().await?;
        Ok(asking_for_a_plan(&policy))
    }

    /// The page of a patch; `shown` narrows its device list.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn patch(&self, actor: &Actor, patch: PatchId, shown: &PatchDevices) -> Result<PatchPage> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        let (groups, rings) = (lists::groups(conn).await?, lists::rings(conn).await?);
        let row = lists::patch(conn, patch, &rings).await?.ok_or(Error::NotFound)?;
        let facts = self.inner.facts.read(conn, &[patch]).await?;
        let facts = facts.get(&patch).ok_or(Error::NotFound)?;
        let policy = snapshot::policy(conn, now).await?;
        let ids: Vec<PatchId> = [Some(patch), facts.superseded_by].into_iter().flatten().collect();
        let words = snapshot::words(conn, now, &ids).await?;
        let about = Page {
            now,
            facts,
            policy: &policy,
            teller: Teller::new(&words),
            words: &words,
            groups: &groups,
            rings: &rings,
        };
        let lanes = about.lanes(conn).await?;
        let records = log::of(conn, &format!("patch:{patch}"), HISTORY, 0).await?;
        let holds = pages::holds(conn, patch).await?;
        let mut ids = words::devices_of(&records);
        ids.extend(
            holds
                .iter()
                .filter_map(|h| h.opened_by.strip_prefix("device:")?.parse::<i64>().ok()),
        );
        let hosts = pages::hostnames(conn, &ids).await?;
        let total = pages::count_devices(conn, patch, shown, &groups).await?;
        let (page, _) = super::pages(shown.page, total);
        let ids = pages::devices(conn, patch, &PatchDevices { page, ..*shown }, &groups).await?;
        let devices = about.devices(conn, &ids).await?;
        let result = PatchPage {
            packages: pages::packages(conn, patch).await?,
            supersedes: pages::supersedes(conn, patch).await?,
            lanes,
            way_back: about.way_back(conn, actor).await?,
            holds: holds
                .into_iter()
                .map(|h| words::hold(h, &hosts))
                .collect::<Result<_>>()?,
            timeline: records
                .iter()
                .map(|r| words::entry(r, words::Page::Patch, &hosts, &BTreeMap::new(), &words))
                .collect(),
            devices,
            devices_total: total,
            row,
        };
        tx.commit().await?;
        Ok(result)
    }
}
