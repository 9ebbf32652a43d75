//! What is remembered of devices between writes. Losing it costs nothing but work: after a restart messages are taken again idempotently.

use super::{WireReply, catalog::Catalog, handed::Handed};
use crate::store::{
    contacts::{Contact, Said},
    devices::Device,
};
use domain::{DeviceId, Moment};
use planner::{WallHour, calendar::Zone};
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Last sequence numbers, last replies, last contacts waiting for their batch; the catalog.
#[derive(Debug, Default)]
pub struct Memory {
    seen: Mutex<HashMap<DeviceId, Seen>>,
    /// Locked only inside a write transaction, so that it changes with the database.
    pub(super) catalog: tokio::sync::Mutex<Catalog>,
    pub(super) handed: Handed,
    /// Keys that a device has: rows of devices are never deleted, so that what was known once is known for good.
    known: Mutex<HashSet<Box<str>>>,
}

/// The last message that was taken from a device.
#[derive(Debug)]
struct Seen {
    seq: u64,
    sent_at: Moment,
    body: [u8; 32],
    reply: Option<WireReply>,
    at: Moment,
    said: Option<Said>,
    /// Waits for its batch.
    waiting: bool,
    hour: SeenHour,
}

/// The hour on a device's wall in which it was last seen. It is written once, however often the device asks in it.
#[derive(Clone, Copy, Debug)]
struct SeenHour {
    hour: WallHour,
    /// When it is over.
    until: Moment,
    written: bool,
}

impl SeenHour {
    fn new(zone: &str, now: Moment) -> Self {
        let (hour, until) = WallHour::at(Zone::or_utc(zone), now);
        Self {
            hour,
            until,
            written: false,
        }
    }

    /// The hour at `now`; most often the same one, and then the zone is not looked up.
    fn at(self, zone: &str, now: Moment) -> Self {
        if now < self.until { self } else { Self::new(zone, now) }
    }
}

/// What a message's place in the sequence means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// New, or a repeat whose reply is not remembered: act on it.
    Act,
    /// A repeat: the same reply again.
    Again(WireReply),
    /// Overtaken by a later message on its way.
    Stale,
    /// Two agents use one key (I-38).
    Clone,
}

impl Memory {
    fn seen(&self) -> MutexGuard<'_, HashMap<DeviceId, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the database said before that a device has this key. No proof of anything: only a signature is.
    pub(super) fn is_known(&self, key_id: &str) -> bool {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(key_id)
    }

    /// Spares the database the same question for each of a device's messages.
    pub(super) fn know(&self, key_id: &str) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key_id.into());
    }

    /// Takes a message's turn. `body` is the hash of its exact bytes.
    pub(super) fn take_turn(&self, device: &Device, seq: u64, sent_at: Moment, body: [u8; 32], now: Moment) -> Turn {
        let mut seen = self.seen();
        if let Some(last) = seen.get_mut(&device.id) {
            if seq == last.seq {
                (last.at, last.waiting) = (now, true);
                last.hour = last.hour.at(&device.zone, now);
                return match &last.reply {
                    _ if body != last.body => Turn::Clone,
                    Some(reply) => Turn::Again(reply.clone()),
                    None => Turn::Act,
                };
            }
            if seq < last.seq {
                return if sent_at > last.sent_at {
                    Turn::Clone
                } else {
                    Turn::Stale
                };
            }
        } else if seq < device.seq {
            return Turn::Stale;
        }
        let last = seen.remove(&device.id);
        let hour = last
            .as_ref()
            .map_or_else(|| SeenHour::new(&device.zone, now), |s| s.hour.at(&device.zone, now));
        let said = last.and_then(|s| if s.waiting { s.said } else { None });
        seen.insert(
            device.id,
            Seen {
                seq,
                sent_at,
                body,
                reply: None,
                at: now,
                said,
                waiting: true,
                hour,
            },
        );
        Turn::Act
    }

    /// Remembers the reply to a message, for its repeats.
    pub(super) fn answered(&self, device: DeviceId, seq: u64, reply: &WireReply) {
        if let Some(last) = self.seen().get_mut(&device).filter(|s| s.seq == seq) {
            last.reply = Some(reply.clone());
        }
    }

    /// Remembers what a check-in said, for the batch: nothing when the database says so already.
    pub(super) fn said(&self, device: DeviceId, seq: u64, said: Option<Said>) {
        if let Some(last) = self.seen().get_mut(&device).filter(|s| s.seq == seq) {
            // A batch may have taken the contact since its turn.
            last.waiting |= said.is_some();
            last.said = said;
        }
    }

    /// What a device said that waits for its batch.
    pub(super) fn unwritten(&self, device: DeviceId) -> Option<Said> {
        self.seen()
            .get(&device)
            .filter(|s| s.waiting)
            .and_then(|s| s.said.clone())
    }

    /// Whether any contact waits for its batch.
    pub(super) fn has_contacts(&self) -> bool {
        self.seen().values().any(|s| s.waiting)
    }

    /// The last contact with a device, written or not.
    pub(super) fn last_contact(&self, device: DeviceId) -> Option<Moment> {
        self.seen().get(&device).map(|s| s.at)
    }

    /// No contact was later than now: those that say so were dated by a wrong clock.
    pub(super) fn set_back(&self, now: Moment) {
        self.handed.clear();
        for seen in self.seen().values_mut() {
            seen.at = seen.at.min(now);
        }
    }

    /// Takes the contacts that wait for their batch.
    pub(super) fn take_contacts(&self) -> Vec<Contact> {
        let mut seen = self.seen();
        let mut batch: Vec<Contact> = seen
            .iter_mut()
            .filter(|(_, s)| s.waiting)
            .map(|(&device, s)| {
                s.waiting = false;
                let written = std::mem::replace(&mut s.hour.written, true);
                Contact {
                    device,
                    seq: s.seq,
                    at: s.at,
                    said: s.said.clone(),
                    hour: (!written).then_some(s.hour.hour),
                }
            })
            .collect();
        batch.sort_by_key(|c| c.device);
        batch
    }

    /// Puts a batch back that could not be written.
    pub(super) fn put_back(&self, contacts: &[Contact]) {
        let mut seen = self.seen();
        for contact in contacts {
            if let Some(last) = seen.get_mut(&contact.device) {
                last.waiting = true;
                last.hour.written &= contact.hour != Some(last.hour.hour);
            }
        }
    }

    /// Forgets a device whose key is no longer taken.
    pub(super) fn forget(&self, device: DeviceId) {
        self.seen().remove(&device);
        self.handed.forget(device);
    }
}
