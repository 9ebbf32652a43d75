//! What a device should make ready now, and what its people should know of.

use super::{catalog, handed::First};
use crate::{
    Result, Service, snapshot,
    store::{
        devices::Device,
        inventory as stored,
        rollouts::{self, OpenPatch},
    },
};
use domain::{Arch, Moment, PackageName, PatchId, VersionText, compare_debian};
use planner::{Decision, Schedule};
use protocol::{
    ShortText, limits,
    v1::{ActionKind, DeviceNotice, Inventory, Order, PackageVersion, Update},
};
use sqlx::{Acquire as _, SqliteConnection};
use std::sync::Arc;

/// Orders in one reply; the rest comes with the next.
const MAX_ORDERS: usize = 20;

/// What a check-in brings.
#[derive(Default)]
pub(super) struct Due {
    /// What may start now.
    pub orders: Vec<Order>,
    /// What is seen coming.
    pub notices: Vec<DeviceNotice>,
    /// When the next install may start that waits for time alone.
    pub next: Option<Moment>,
}

impl Service {
    /// Rollbacks that were ordered, installs that the planner would permit now, and notices of those that it sees coming.
    pub(super) async fn orders(&self, conn: &mut SqliteConnection, device: &Device, now: Moment) -> Result<Due> {
        let approved = match device.ring {
            Some(ring) => rollouts::approved_and_open(conn, device.id, ring).await?,
            None => Vec::new(),
        };
        let rollbacks = rollouts::orders(conn, device.id).await?;
        let handed = &self.inner.agents.handed;
        handed.forget(device.id);
        if approved.is_empty() && rollbacks.iter().all(|o| o.done) {
            return Ok(Due::default());
        }
        let mut tx = conn.begin().await?;
        let mut orders = Vec::new();
        let free = !device.clock_suspect && rollouts::open_attempt(&mut tx, device.id).await?.is_none();
        for order in rollbacks.into_iter().filter(|o| free && !o.done) {
            if !super::permit::is_restored(&mut tx, order.patch).await?
                && super::permit::rollback_wait(&mut tx, device.id, order.patch, now)
                    .await?
                    .is_none()
            {
                orders.push(Order {
                    patch: order.patch,
                    kind: ActionKind::RollBack,
                    packages: order.packages,
                });
            }
        }
        // Going back comes before going on.
        let may_start = free && orders.is_empty();
        let decided = if approved.is_empty() {
            Vec::new()
        } else {
            self.decide_all(&mut tx, device, now, &approved).await?
        };
        let notices = decided
            .iter()
            .filter_map(|(open, decision)| Some(self.notice(open, decision.earliest?.max(now))))
            .take(MAX_ORDERS)
            .collect();
        let waits = decided.iter().filter(|(_, decision)| !decision.installs());
        let next = waits
            .filter_map(|(_, decision)| decision.earliest.filter(|at| *at > now))
            .min();
        let ready = decided.iter().filter(|(_, decision)| may_start && decision.installs());
        installs(&mut tx, device, ready.map(|(open, _)| *open), &mut orders).await?;
        tx.commit().await?;
        // One at a time: it downloads and asks for the next ones after the first has ended.
        if let Some(first) = orders.first().filter(|order| order.kind == ActionKind::Install) {
            let first = First {
                patch: first.patch,
                ring: device.ring,
                location: device.location,
            };
            handed.hand(device.id, first, now);
        }
        Ok(Due { orders, notices, next })
    }

    /// The planner's answer for every patch that is approved for the device's ring.
    async fn decide_all<'p>(
        &self,
        conn: &mut SqliteConnection,
        device: &Device,
        now: Moment,
        approved: &'p [OpenPatch],
    ) -> Result<Vec<(&'p OpenPatch, Decision)>> {
        let policy = snapshot::policy(conn, now).await?;
        let mut facts = snapshot::device_facts(conn, &policy, now, device).await?;
        let place = (device.ring, device.location);
        let others = self.inner.agents.handed.others(device.id, place, now);
        facts.load.fleet = facts.load.fleet.saturating_add(others.fleet);
        facts.load.location = facts.load.location.saturating_add(others.location);
        let schedule = Schedule::new(&policy, &facts);
        let pairs = snapshot::pairs(conn, device.id).await?;
        let ids: Vec<PatchId> = approved.iter().map(|open| open.patch).collect();
        let mut patches = self.inner.facts.read(conn, &ids).await?;
        for (patch, devices) in others.ring {
            if let (Some(facts), Some(ring)) = (patches.get_mut(&patch), device.ring) {
                Arc::make_mut(facts).evidence.entry(ring).or_default().in_flight += devices;
            }
        }
        let decided = approved.iter().filter_map(|open| {
            let (patch, pair) = (patches.get(&open.patch)?, pairs.get(&open.patch)?);
            Some((open, schedule.decide(patch, pair, now)))
        });
        Ok(decided.collect())
    }

    fn notice(&self, open: &OpenPatch, earliest: Moment) -> DeviceNotice {
        DeviceNotice {
            patch: open.patch,
            title: ShortText::fit(&format!("{} {}", open.source, open.version)),
            earliest,
            link: ShortText::fit(&format!("{}/patches/{}", self.settings().public_url, open.patch)),
        }
    }
}

/// Orders for what may start now, with the packages as the device's last scan offers them.
async fn installs(
    conn: &mut SqliteConnection,
    device: &Device,
    ready: impl Iterator<Item = &OpenPatch>,
    orders: &mut Vec<Order>,
) -> Result<()> {
    let mut inventory = None;
    for open in ready.take(MAX_ORDERS) {
        if inventory.is_none() {
            inventory = stored::load(conn, device.id).await?;
        }
        let Some(inventory) = &inventory else { return Ok(()) };
        let packages = packages(conn, inventory, open.patch, &open.source, &open.version).await?;
        if !packages.is_empty() {
            orders.push(Order {
                patch: open.patch,
                kind: ActionKind::Install,
                packages,
            });
        }
    }
    Ok(())
}

/// The exact packages of a patch for one device: what it offers of it and what comes in anew with that from other sources, or, when its engine offers something newer by now, the patch's packages
/// that it has in an older version. Empty = nothing that can be installed.
pub(super) async fn packages(
    conn: &mut SqliteConnection,
    inventory: &Inventory,
    patch: PatchId,
    source: &str,
    version: &str,
) -> Result<Vec<PackageVersion>> {
    let is_own = |u: &Update| u.source.as_str() == source && u.source_version.as_str() == version;
    let exact = |u: &Update| PackageVersion {
        name: u.name.clone(),
        arch: u.arch.clone(),
        version: Some(u.version.clone()),
    };
    let offered: Vec<PackageVersion> = inventory.updates.iter().filter(|u| is_own(u)).map(exact).collect();
    if !offered.is_empty() {
        let new = inventory
            .updates
            .iter()
            .filter(|u| !is_own(u) && catalog::brings(source, u));
        let offered: Vec<PackageVersion> = offered.into_iter().chain(new.map(exact)).collect();
        return Ok(if offered.len() > limits::MAX_PATCH_PACKAGES {
            Vec::new()
        } else {
            offered
        });
    }
    let mut older = Vec::new();
    for (name, arch, version, fresh) in rollouts::packages(conn, patch).await? {
        let has_older = inventory.packages.iter().any(|p| {
            p.name.as_str() == name && p.arch.as_str() == arch && compare_debian(p.version.as_str(), &version).is_lt()
        });
        let parsed = (
            PackageName::parse(&name),
            Arch::parse(&arch),
            VersionText::parse(&version),
        );
        if let (true, false, (Ok(name), Ok(arch), Ok(version))) = (has_older, fresh, parsed) {
            older.push(PackageVersion {
                name,
                arch,
                version: Some(version),
            });
        }
    }
    Ok(older)
}
