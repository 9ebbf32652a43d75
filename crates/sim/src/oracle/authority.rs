//! Every permit, against the oracle's own books.

use super::{AttemptBook, Oracle, PatchBook, RINGS, Ruling, UNNOTICED, Violation, What};
use crate::computer::{number_of, product_of};
use domain::{DeviceId, DeviceState, Moment, PatchId, RingId, Urgency};
use protocol::v1::{ActionKind, Permit, PermitRequest};

impl Oracle {
    /// The server grants a permit.
    ///
    /// # Errors
    /// Whatever invariant that breaks.
    pub fn grants(
        &mut self,
        device: DeviceId,
        request: &PermitRequest,
        permit: &Permit,
        now: Moment,
    ) -> Result<(), Violation> {
        let say = |invariant, text: String| {
            Err(Violation::new(
                invariant,
                format!("permit {} for device {device}: {text}", permit.attempt),
            ))
        };
        let Some(book) = self.devices.get(&device) else {
            return say("I-8", "no such device".to_owned());
        };
        if book.state != DeviceState::Active {
            return say("I-8", format!("it is {}", book.state));
        }
        if self.clock_wrong {
            return say("I-12", "the clock was set and nobody has confirmed it".to_owned());
        }
        if self.is_found_copy(device) {
            return say("I-38", "two agents use its key".to_owned());
        }
        let (ring, fence) = (self.ring_of(device), book.fence);
        self.is_alone_on_device(device, permit, now)?;
        let latest = match request.kind {
            ActionKind::Install => self.may_install(device, ring, request.patch, permit, now)?,
            ActionKind::RollBack => {
                self.may_go_back(device, request.patch, permit)?;
                Moment::MAX
            }
        };
        if let Some(known) = self.attempts.get_mut(&permit.attempt) {
            // The agent may hold either answer.
            known.latest = known.latest.max(latest);
            if (known.device, known.patch, known.kind, known.fence)
                != (device, request.patch, request.kind, permit.fence)
            {
                return say("I-16", "it is somebody else's attempt or has another fence".to_owned());
            }
            let until = now.since(known.granted).0 + i64::from(permit.start_within);
            if until > self.permit_seconds + UNNOTICED.0 {
                return say(
                    "I-6",
                    format!("repeated, it may start {until} s after it was first granted"),
                );
            }
            if request.kind == ActionKind::Install {
                self.may_begin(device, now);
            }
            return Ok(());
        }
        if permit.fence <= fence {
            return say("I-16", format!("fence {} after {fence}", permit.fence));
        }
        if i64::from(permit.start_within) > self.permit_seconds {
            return say("I-6", format!("it may start {} s from now", permit.start_within));
        }
        if request.kind == ActionKind::Install {
            self.installs(device, ring, request.patch, now)?;
        }
        if let Some(book) = self.devices.get_mut(&device) {
            book.fence = permit.fence;
        }
        let book = AttemptBook {
            device,
            patch: request.patch,
            kind: request.kind,
            fence: permit.fence,
            ring,
            granted: now,
            packages: permit.packages.clone(),
            current: request.current.clone(),
            latest,
            started: false,
            ended: None,
            runs: 0,
            closed: false,
            vanished: false,
        };
        self.attempts.insert(permit.attempt, book);
        Ok(())
    }

    /// Whether an attempt may still have no end as far as the server can know.
    fn is_open(&self, a: &AttemptBook, now: Moment) -> bool {
        let age = now.since(a.granted).0;
        let limit = if a.started {
            self.vanish_seconds
        } else {
            self.permit_seconds
        };
        !a.closed && a.ended.is_none() && age <= limit - UNNOTICED.0
    }

    /// I-15.
    fn is_alone_on_device(&self, device: DeviceId, permit: &Permit, now: Moment) -> Result<(), Violation> {
        match self
            .attempts
            .iter()
            .find(|(id, a)| **id != permit.attempt && a.device == device && self.is_open(a, now))
        {
            Some((id, _)) => Err(Violation::new(
                "I-15",
                format!("device {device} gets attempt {} beside {id}", permit.attempt),
            )),
            None => Ok(()),
        }
    }

    fn may_install(
        &self,
        device: DeviceId,
        ring: Option<RingId>,
        patch: PatchId,
        permit: &Permit,
        now: Moment,
    ) -> Result<Moment, Violation> {
        let say = |invariant, text: String| {
            Err(Violation::new(
                invariant,
                format!("device {device}, patch {patch}: {text}"),
            ))
        };
        let (Some(book), Some(ring)) = (self.patches.get(&patch), ring) else {
            return say("I-1", "nobody has ever seen it, or the device has no ring".to_owned());
        };
        let urgent = match book.rulings.get(&ring) {
            Some(Ruling::Approved { urgent }) => *urgent,
            other => return say("I-1", format!("ring {ring} says {other:?}")),
        };
        // I-3: exactly the version that was approved, and nothing of anything else.
        let fits = |name: &str, version: Option<&str>| {
            product_of(name).map(|(at, _)| at) == Some(book.what.1) && version.and_then(number_of) == Some(book.what.2)
        };
        if let Some(p) = permit
            .packages
            .iter()
            .find(|p| !fits(p.name.as_str(), p.version.as_ref().map(|v| v.as_str())))
        {
            return say(
                "I-3",
                format!("{:?} is approved, {} {:?} is permitted", book.what, p.name, p.version),
            );
        }
        if book.stopped.is_some() {
            return say("I-4", format!("it is held: {:?} {:?}", book.holds, book.owed));
        }
        if self.devices.get(&device).is_some_and(|d| d.blocked.contains(&patch)) {
            return say("I-33", "it was rolled back here and nobody has lifted that".to_owned());
        }
        if urgent == Urgency::Normal {
            self.has_soaked(book, ring, now)
                .map_err(|why| Violation::new("I-2", format!("device {device}, patch {patch}: {why}")))?;
        }
        let successor = |other: &&PatchBook| {
            let (os, product, number) = other.what;
            (os, product) == (book.what.0, book.what.1)
                && number > book.what.2
                && matches!(other.rulings.get(&ring), Some(Ruling::Approved { .. }))
        };
        if let Some(by) = self.patches.values().find(successor) {
            return say("I-34", format!("its successor {:?} is approved", by.what));
        }
        self.goes_alone(device, ring, patch, book.what, now)?;
        self.may_start(device, patch, book.what, urgent, now)
    }

    /// I-2, by the oracle's own arithmetic in true time: every earlier ring has had it for long enough.
    fn has_soaked(&self, book: &PatchBook, ring: RingId, now: Moment) -> Result<(), String> {
        for (earlier, soak) in RINGS.iter().take_while(|(r, _)| *r != ring) {
            let Some(since) = self.first.get(&(*earlier, book.what)) else {
                return Err(format!("nobody in ring {earlier} has it"));
            };
            let mut reached = *since;
            let mut paused = 0;
            for (from, to) in &book.pauses {
                let from = (*from).max(reached);
                paused += to.since(from).0.max(0);
                reached = reached.max(*to);
            }
            let soaked = now.since(*since).0 - paused;
            if soaked + UNNOTICED.0 < soak.0 {
                return Err(format!(
                    "it has soaked for {soaked} s since {} in ring {earlier}",
                    since.rfc3339()
                ));
            }
        }
        Ok(())
    }

    /// I-31, I-32: until a device of the ring has succeeded, they go one by one.
    fn goes_alone(
        &self,
        device: DeviceId,
        ring: RingId,
        patch: PatchId,
        what: What,
        now: Moment,
    ) -> Result<(), Violation> {
        let of_ring = || {
            self.attempts
                .iter()
                .filter(|(_, a)| a.patch == patch && a.ring == Some(ring) && a.kind == ActionKind::Install)
        };
        // Only success lets a second one beside it (I-32). A device that has had its turn and tries again is not counted.
        let again = of_ring().any(|(_, a)| a.device == device && (a.ended.is_some() || a.vanished));
        if self.first.contains_key(&(ring, what)) || again {
            return Ok(());
        }
        let invariant = if of_ring().any(|(_, a)| a.ended.is_some() || a.vanished || a.closed) {
            "I-32"
        } else {
            "I-31"
        };
        match of_ring().find(|(_, a)| a.device != device && self.is_open(a, now)) {
            Some((id, a)) => {
                let text = format!(
                    "patch {patch}, ring {ring}: device {device} starts although nobody has succeeded, beside device {} attempt {id}",
                    a.device
                );
                Err(Violation::new(invariant, text))
            }
            None => Ok(()),
        }
    }

    /// I-33: a rollback goes where the install came from, and nowhere else.
    fn may_go_back(&self, device: DeviceId, patch: PatchId, permit: &Permit) -> Result<(), Violation> {
        let say = |text: &str| {
            Err(Violation::new(
                "I-33",
                format!("device {device}, patch {patch}: {text}"),
            ))
        };
        if !self.devices.get(&device).is_some_and(|d| d.blocked.contains(&patch)) {
            return say("nobody ordered to go back");
        }
        let came_from = |p: &protocol::v1::PackageVersion| {
            self.attempts
                .values()
                .filter(|a| (a.device, a.patch, a.kind) == (device, patch, ActionKind::Install))
                .any(|a| a.current.contains(p))
        };
        if permit.packages.iter().all(came_from) {
            Ok(())
        } else {
            say("it goes to a version that was not there before")
        }
    }
}
