//! Approved installs that wait, with the planner's facts, of so many devices at once.

use crate::{
    Error, Result,
    facts::Known,
    snapshot,
    store::{
        rollouts, schedule,
        tries::{self, Tried},
        waiting,
    },
};
use domain::{DeviceId, LocationId, Moment, PatchId, RingId};
use planner::{Compiled, DeviceFacts, PairFacts, PatchFacts, PlanInput};
use sqlx::SqliteConnection;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Pairs of device and patch that are looked at: all of a fleet of ten thousand devices that lack forty approved patches each. It bounds the
/// memory of one look, no more.
const MOST_PAIRS: u32 = 400_000;

/// At how much of the fleet is looked, with what is remembered of patches.
#[derive(Clone, Copy)]
pub(crate) struct Look<'k> {
    known: &'k Known,
    most: usize,
    others: bool,
}

impl<'k> Look<'k> {
    /// At every wanted device.
    pub(crate) const fn whole(known: &'k Known) -> Self {
        Self::first(known, usize::MAX)
    }

    /// At the first `most` wanted devices.
    pub(crate) const fn first(known: &'k Known, most: usize) -> Self {
        Self {
            known,
            most,
            others: false,
        }
    }

    /// At these and, where there is room, at the rest of the fleet, whose turn may come before theirs.
    pub(crate) const fn around(known: &'k Known, most: usize) -> Self {
        Self {
            known,
            most,
            others: true,
        }
    }
}

/// Approved installs that wait, with their facts.
#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) devices: Vec<DeviceFacts>,
    pub(super) hosts: BTreeMap<DeviceId, String>,
    pub(super) patches: BTreeMap<PatchId, Arc<PatchFacts>>,
    pub(super) titles: BTreeMap<PatchId, (String, String)>,
    pub(super) pairs: Vec<((DeviceId, PatchId), PairFacts)>,
    /// The wanted devices that were looked at.
    pub(super) wanted: BTreeSet<DeviceId>,
    /// How many wanted devices there are.
    pub(super) all: usize,
    /// There are more pairs than were looked at.
    cut: bool,
    /// What runs in the whole fleet, by location: also on devices on which nothing waits, and what is taken back.
    running: BTreeMap<Option<LocationId>, u32>,
}

impl Waiting {
    /// Reads the approved installs of devices that `wanted` takes; it is given number, group, zone and location only. `conn` is inside a read
    /// transaction.
    pub(crate) async fn read(
        conn: &mut SqliteConnection,
        policy: &Compiled,
        now: Moment,
        look: Look<'_>,
        wanted: impl Fn(&DeviceFacts) -> bool,
    ) -> Result<Self> {
        Self::read_in(conn, policy, now, look, wanted, |device| [device.ring, None]).await
    }

    /// As [`Self::read`], with what is approved for any of the rings that `rings` gives for a device.
    pub(super) async fn read_in(
        conn: &mut SqliteConnection,
        policy: &Compiled,
        now: Moment,
        look: Look<'_>,
        wanted: impl Fn(&DeviceFacts) -> bool,
        rings: impl Fn(&DeviceFacts) -> [Option<RingId>; 2],
    ) -> Result<Self> {
        let (mut ids, mut rest) = (Vec::new(), Vec::new());
        for device in schedule::waiting_devices(conn).await? {
            let facts = DeviceFacts {
                groups: device.group.into_iter().collect(),
                zone: device.zone,
                location: device.location,
                ..DeviceFacts::new(device.id, domain::OsReleaseId(0), RingId(0))
            };
            if wanted(&facts) {
                ids.push(device.id);
            } else if look.others {
                rest.push(device.id);
            }
        }
        let all = ids.len();
        ids.truncate(look.most);
        let wanted: BTreeSet<DeviceId> = ids.iter().copied().collect();
        rest.truncate(look.most - ids.len());
        ids.extend(rest);
        let mut read = Self {
            wanted,
            all,
            running: rollouts::loads(conn).await?,
            ..Self::default()
        };
        let of_device = read.devices_of(conn, policy, now, &ids, rings).await?;
        read.fill(conn, look.known, &ids, &of_device).await?;
        Ok(read)
    }

    /// Reads the devices; the rings that count for each.
    async fn devices_of(
        &mut self,
        conn: &mut SqliteConnection,
        policy: &Compiled,
        now: Moment,
        ids: &[DeviceId],
        rings: impl Fn(&DeviceFacts) -> [Option<RingId>; 2],
    ) -> Result<BTreeMap<DeviceId, [Option<RingId>; 2]>> {
        let mut of_device = BTreeMap::new();
        for (row, facts) in snapshot::devices_facts(conn, policy, now, ids).await? {
            let rings = rings(&facts);
            if rings != [None, None] {
                of_device.insert(row.id, rings);
                self.hosts.insert(row.id, row.hostname);
                self.devices.push(facts);
            }
        }
        Ok(of_device)
    }

    async fn fill(
        &mut self,
        conn: &mut SqliteConnection,
        known: &Known,
        ids: &[DeviceId],
        rings: &BTreeMap<DeviceId, [Option<RingId>; 2]>,
    ) -> Result<()> {
        let (tried, nothing) = (tries::of_devices(conn, ids).await?, Tried::default());
        let blocked = waiting::blocked(conn).await?;
        let open = waiting::patches(conn, ids, MOST_PAIRS).await?;
        self.cut = open.len() >= usize::try_from(MOST_PAIRS).unwrap_or(usize::MAX);
        let approved = waiting::approved(conn).await?;
        let counts = |open: &waiting::WaitingPatch| {
            let rings = rings.get(&open.device).into_iter().flatten().flatten();
            rings
                .into_iter()
                .any(|ring| approved.contains(&(open.state.patch, *ring)))
        };
        let concerned: BTreeSet<PatchId> = open.iter().filter(|o| counts(o)).map(|o| o.state.patch).collect();
        let concerned: Vec<PatchId> = concerned.into_iter().collect();
        self.patches = known.read(conn, &concerned).await?;
        self.titles = waiting::titles(conn, &concerned).await?;
        for open in open {
            let pair = (open.device, open.state.patch);
            if !counts(&open) || !self.patches.contains_key(&pair.1) {
                continue;
            }
            let tried = tried.get(&pair).unwrap_or(&nothing);
            let facts = snapshot::pair_of(&open.state, tried, blocked.binary_search(&pair).is_ok())?;
            self.pairs.push((pair, facts));
        }
        Ok(())
    }

    /// There is more than was looked at.
    pub(super) fn is_cut(&self) -> bool {
        self.cut || self.all > self.wanted.len()
    }

    pub(crate) fn input<'p>(&self, policy: &'p Compiled, now: Moment) -> Result<PlanInput<'p>> {
        self.input_with(policy, now, self.devices())
    }

    /// The same installs on devices of which something else is known.
    pub(super) fn input_with<'p>(
        &self,
        policy: &'p Compiled,
        now: Moment,
        devices: impl Iterator<Item = DeviceFacts>,
    ) -> Result<PlanInput<'p>> {
        PlanInput::new(
            policy,
            now,
            devices,
            self.patches.values().map(|facts| (**facts).clone()),
            self.pairs.clone(),
        )
        .map(|input| input.among(&self.running))
        .map_err(|e| Error::Inconsistent(e.to_string()))
    }

    pub(super) fn devices(&self) -> impl Iterator<Item = DeviceFacts> + '_ {
        self.devices.iter().cloned()
    }

    pub(super) fn patches(&self) -> Vec<PatchId> {
        self.patches.keys().copied().collect()
    }

    pub(super) fn title(&self, patch: PatchId) -> String {
        self.titles
            .get(&patch)
            .map_or_else(String::new, |(source, version)| format!("{source} {version}"))
    }

    pub(super) fn host(&self, device: DeviceId) -> String {
        self.hosts.get(&device).cloned().unwrap_or_default()
    }
}
