//! Orders that were handed out and have not become a permit yet. A device downloads before it asks for its permit, so that for a while the one
//! free place of a wave is promised and not taken: without this every other device would download for it, too, and be refused.
//!
//! Only what is handed out next looks at it, never a permit: a device that was handed an order and is gone holds nobody up for longer than
//! [`HELD_FOR`]. It is kept in memory; losing it costs some downloads.

use domain::{DeviceId, LocationId, Moment, PatchId, RingId, Span};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How long an order counts that no permit was asked for: as long as a device usually takes to download and to check it.
pub(super) const HELD_FOR: Span = Span::minutes(10);
/// Devices that are remembered. The orders of more count as if they had not been handed out.
const MOST: usize = 10_000;

/// The order that a device takes up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    pub(super) patch: PatchId,
    pub(super) ring: Option<RingId>,
    pub(super) location: Option<LocationId>,
}

/// What was handed out to other devices.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Others {
    /// In the fleet.
    pub(super) fleet: u32,
    /// In the device's location.
    pub(super) location: u32,
    /// By patch, in the device's ring.
    pub(super) ring: BTreeMap<PatchId, u32>,
}

/// The orders by device, each with the moment until which it counts.
#[derive(Debug, Default)]
pub(super) struct Handed(Mutex<HashMap<DeviceId, (First, Moment)>>);

impl Handed {
    fn all(&self) -> MutexGuard<'_, HashMap<DeviceId, (First, Moment)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what was handed to a device just now, in the place of what was handed to it before.
    pub(super) fn hand(&self, device: DeviceId, first: First, now: Moment) {
        let mut all = self.all();
        if all.len() >= MOST {
            all.retain(|_, (_, until)| now < *until);
        }
        if all.len() < MOST || all.contains_key(&device) {
            all.insert(device, (first, now + HELD_FOR));
        }
    }

    /// A device has asked for its permit, or has nothing to do any more.
    pub(super) fn forget(&self, device: DeviceId) {
        self.all().remove(&device);
    }

    /// Nothing was handed out: the clock was set.
    pub(super) fn clear(&self) {
        self.all().clear();
    }

    /// What other devices were handed and may still ask for.
    pub(super) fn others(
        &self,
        device: DeviceId,
        (ring, location): (Option<RingId>, Option<LocationId>),
        now: Moment,
    ) -> Others {
        let mut others = Others::default();
        for (other, (first, until)) in self.all().iter() {
            if *other == device || now >= *until {
                continue;
            }
            others.fleet += 1;
            others.location += u32::from(location.is_some() && first.location == location);
            if first.ring == ring {
                *others.ring.entry(first.patch).or_default() += 1;
            }
        }
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(1_000_000);

    fn first(patch: i64, ring: i64, location: i64) -> First {
        First {
            patch: PatchId(patch),
            ring: Some(RingId(ring)),
            location: Some(LocationId(location)),
        }
    }

    #[test]
    fn orders_count_for_others_and_for_a_while() {
        let handed = Handed::default();
        handed.hand(DeviceId(1), first(7, 1, 1), NOW);
        handed.hand(DeviceId(2), first(7, 1, 2), NOW);
        handed.hand(DeviceId(3), first(7, 2, 1), NOW);
        let place = (Some(RingId(1)), Some(LocationId(1)));
        let seen = |device: i64, at: Moment| handed.others(DeviceId(device), place, at);
        let others = seen(9, NOW);
        assert_eq!((others.fleet, others.location, others.ring[&PatchId(7)]), (3, 2, 2));
        assert_eq!(
            seen(1, NOW).ring[&PatchId(7)],
            1,
            "its own order is none of another device"
        );
        assert_eq!(seen(9, NOW + HELD_FOR), Others::default());
        handed.forget(DeviceId(1));
        handed.hand(DeviceId(2), first(8, 1, 2), NOW);
        let left = seen(9, NOW).ring;
        assert_eq!(left.into_iter().collect::<Vec<_>>(), [(PatchId(8), 1)]);
    }

    #[test]
    fn memory_is_bounded() {
        let handed = Handed::default();
        let most = i64::try_from(MOST).unwrap();
        for id in 0..most + 5 {
            handed.hand(DeviceId(id), first(1, 1, 1), NOW);
        }
        assert_eq!(handed.all().len(), MOST);
        handed.hand(DeviceId(most + 9), first(1, 1, 1), NOW + HELD_FOR);
        assert_eq!(handed.all().len(), 1, "what does not count any more makes room");
    }
}
