//! Two live copies of one key (I-38).

use super::{Oracle, Violation};
use crate::queue::Place;
use domain::{DeviceId, DeviceState};
use std::collections::BTreeMap;

/// A key that two agents use, or used once.
#[derive(Clone, Debug, Default)]
pub struct CopyBook {
    live: bool,
    found: bool,
    /// Check-ins that the server answered, by place.
    heard: BTreeMap<Place, u32>,
}

impl CopyBook {
    pub(super) fn forget(&mut self) {
        self.heard.clear();
    }
}

impl Oracle {
    /// A copy is made.
    pub fn copied(&mut self, key: &str) {
        self.copies.insert(
            key.to_owned(),
            CopyBook {
                live: true,
                ..CopyBook::default()
            },
        );
    }

    /// A copy is taken away.
    pub fn copy_gone(&mut self, key: &str) {
        if let Some(book) = self.copies.get_mut(key) {
            book.live = false;
        }
    }

    /// Whether a copy of a device's key is live.
    #[must_use]
    pub fn has_live_copy(&self, device: DeviceId) -> bool {
        self.copies
            .iter()
            .any(|(key, c)| c.live && self.keys.get(key) == Some(&device))
    }

    pub(super) fn is_found_copy(&self, device: DeviceId) -> bool {
        self.copies
            .iter()
            .any(|(key, c)| c.found && self.keys.get(key) == Some(&device))
    }

    /// A check-in is answered with where the device stands.
    ///
    /// # Errors
    /// I-38: two copies have each been answered twice and nobody noticed; or a device is in quarantine that never was copied. I-8: the
    /// server says another state than people gave it.
    pub fn checks_in(&mut self, key: &str, place: Place, state: DeviceState) -> Result<(), Violation> {
        let Some(device) = self.keys.get(key).copied() else {
            return Ok(());
        };
        let copy = self.copies.get_mut(key);
        if state == DeviceState::Quarantined {
            let Some(copy) = copy else {
                return Err(Violation::new(
                    "I-38",
                    format!("device {device} is in quarantine and was never copied"),
                ));
            };
            copy.found = true;
            if let Some(book) = self.devices.get_mut(&device) {
                book.state = state;
            }
            return Ok(());
        }
        if let Some(copy) = copy.filter(|c| c.live && !c.found) {
            *copy.heard.entry(place).or_default() += 1;
            if copy.heard.len() > 1 && copy.heard.values().all(|n| *n > 2) {
                return Err(Violation::new(
                    "I-38",
                    format!("two agents use the key of device {device} and both are answered"),
                ));
            }
        }
        match self.devices.get(&device) {
            Some(book) if book.state != state => Err(Violation::new(
                "I-8",
                format!(
                    "device {device} is told that it is {state}; people made it {}",
                    book.state
                ),
            )),
            _ => Ok(()),
        }
    }

    /// People let a device back in.
    pub fn accepted(&mut self, device: DeviceId) {
        if let Some(book) = self.devices.get_mut(&device) {
            book.state = DeviceState::Active;
        }
        for (key, copy) in &mut self.copies {
            if self.keys.get(key) == Some(&device) {
                copy.found = false;
                copy.heard.clear();
            }
        }
    }
}
