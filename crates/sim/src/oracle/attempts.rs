//! What devices do with permits, and what the server takes of it.

use super::{Oracle, PILOT, UNNOTICED, Violation, schedule::CORRECTED};
use crate::{computer::Computer, journal::Journal};
use domain::{AttemptId, DeviceId, DeviceState, Moment, RingId};
use protocol::v1::{
    ActionKind, AttemptEvent, AttemptRecord, NotStarted, Order, Outcome, Permit, Results, ResultsReply,
};

/// So many failed devices stop a rollout, by ring, as a new installation has it.
const fn threshold(ring: RingId) -> usize {
    if ring.0 == PILOT.0 { 1 } else { 2 }
}

impl Oracle {
    /// An agent starts the package manager.
    ///
    /// # Errors
    /// I-6, I-9, I-14, I-15, I-17, I-18.
    pub fn runs(
        &mut self,
        now: Moment,
        permit: &Permit,
        order: &Order,
        journal: &Journal,
        computer: &Computer,
    ) -> Result<(), Violation> {
        let say = |invariant, text: &str| {
            Err(Violation::new(
                invariant,
                format!("attempt {} on {}: {text}", permit.attempt, computer.name),
            ))
        };
        let Some(book) = self.attempts.get_mut(&permit.attempt) else {
            return say("I-14", "nobody permitted it");
        };
        let age = now.since(book.granted).0;
        if age > self.permit_seconds + UNNOTICED.0 {
            return say("I-14", &format!("it starts {age} s after its permit"));
        }
        if now > book.latest + CORRECTED {
            let text = format!("it starts after {}, when its window had room", book.latest.rfc3339());
            return say("I-9", &text);
        }
        let same =
            book.packages.len() == order.packages.len() && order.packages.iter().all(|p| book.packages.contains(p));
        if !same || book.patch != order.patch {
            return say("I-1", "it runs other packages than were permitted");
        }
        if computer.run.is_some() {
            return say("I-15", "a package manager runs already");
        }
        let started =
            |r: &&AttemptRecord| r.attempt == permit.attempt && matches!(r.event, AttemptEvent::Started { .. });
        if journal.records().filter(started).count() != 1 {
            return say("I-17", "the journal does not hold it as started once");
        }
        book.runs += 1;
        if book.runs > 1 {
            return say("I-18", "it runs for the second time");
        }
        Ok(())
    }

    /// The server has answered a message with results.
    ///
    /// # Errors
    /// I-16, I-20, I-21.
    pub fn takes(
        &mut self,
        device: DeviceId,
        sent: &Results,
        reply: &ResultsReply,
        now: Moment,
    ) -> Result<(), Violation> {
        for id in &reply.acknowledged {
            let Some(record) = sent.results.iter().find(|r| r.id == *id) else {
                return Err(Violation::new(
                    "I-21",
                    format!("result {id} is acknowledged and was not sent"),
                ));
            };
            let bytes = serde_json::to_vec(record).map_err(Violation::world)?;
            match self.taken.get(id) {
                Some(before) if *before != bytes => {
                    return Err(Violation::new(
                        "I-20",
                        format!("result {id} is acknowledged with other content"),
                    ));
                }
                Some(_) => {}
                None => {
                    self.taken.insert(id.clone(), bytes);
                    self.first_time(device, record, now)?;
                }
            }
        }
        Ok(())
    }

    fn first_time(&mut self, device: DeviceId, record: &AttemptRecord, now: Moment) -> Result<(), Violation> {
        let Some(book) = self.attempts.get_mut(&record.attempt) else {
            return Err(Violation::new(
                "I-16",
                format!(
                    "a result of attempt {}, which nobody permitted, is taken",
                    record.attempt
                ),
            ));
        };
        if book.device != device || book.fence != record.fence {
            let text = format!(
                "a result of attempt {} with fence {} is taken from device {device}",
                record.attempt, record.fence
            );
            return Err(Violation::new("I-16", text));
        }
        let AttemptEvent::Finished { outcome, .. } = &record.event else {
            book.started = true;
            return Ok(());
        };
        if book.ended.is_some() {
            return Ok(());
        }
        book.ended = Some(outcome.clone());
        let (patch, kind, ring) = (book.patch, book.kind, book.ring);
        let Some(what) = self.patches.get(&patch).map(|p| p.what) else {
            return Ok(());
        };
        let there = matches!(
            outcome,
            Outcome::Succeeded
                | Outcome::InterruptedRecovered
                | Outcome::NotStarted {
                    why: NotStarted::AlreadyThere
                }
        );
        if let (ActionKind::Install, true, Some(ring)) = (kind, there, ring) {
            self.first.entry((ring, what)).or_insert(now);
        }
        let failed = matches!(outcome, Outcome::Failed { .. } | Outcome::Broken { .. });
        // A scan that shows the version has the last word.
        if kind == ActionKind::Install && failed && !self.shows(device, what) {
            self.fails(record.attempt, "I-29", now);
        }
        Ok(())
    }

    /// A failure that counts; at the ring's threshold the server owes a hold.
    fn fails(&mut self, attempt: AttemptId, invariant: &'static str, now: Moment) {
        let Some(a) = self.attempts.get(&attempt) else { return };
        let (patch, device, Some(ring)) = (a.patch, a.device, a.ring) else {
            return;
        };
        let Some(book) = self.patches.get_mut(&patch) else {
            return;
        };
        let failed = book.failed.entry(ring).or_default();
        failed.insert(device);
        let count = failed.len();
        if count >= threshold(ring) {
            self.owe(
                patch,
                invariant,
                format!("{count} devices of ring {ring} have failed, the last in attempt {attempt}"),
                now,
            );
        }
    }

    /// I-30: attempts that started and whose devices have not been heard of since, long after the deadline. The server has had time to look.
    pub fn look_for_vanished(&mut self, up_since: Moment, now: Moment) {
        let limit = self.vanish_seconds;
        // The server looks after the deadline and after as long a silence, and it looks every twenty minutes.
        let late = |since: Moment| now.since(since.max(up_since)).0 > limit + 3_600;
        let heard = |d: DeviceId| self.devices.get(&d).map_or(now, |d| d.heard);
        let due: Vec<AttemptId> = self
            .attempts
            .iter()
            .filter(|(_, a)| {
                a.started && a.ended.is_none() && !a.vanished && !a.closed && a.kind == ActionKind::Install
            })
            .filter(|(_, a)| late(a.granted) && late(heard(a.device)))
            .map(|(id, _)| *id)
            .collect();
        for attempt in due {
            if let Some(a) = self.attempts.get_mut(&attempt) {
                a.vanished = true;
            }
            self.fails(attempt, "I-30", now);
        }
    }

    /// A device is revoked: its attempts are closed.
    pub fn revoked(&mut self, device: DeviceId) {
        if let Some(book) = self.devices.get_mut(&device) {
            book.state = DeviceState::Revoked;
        }
        for a in self.attempts.values_mut().filter(|a| a.device == device) {
            a.closed = true;
        }
    }

    /// A record that the server has acknowledged, for a probe.
    #[must_use]
    pub fn a_taken_record(&self, nth: usize) -> Option<(DeviceId, AttemptRecord)> {
        let bytes = self.taken.values().nth(nth % self.taken.len().max(1))?;
        let record: AttemptRecord = serde_json::from_slice(bytes).ok()?;
        let device = self.attempts.get(&record.attempt)?.device;
        Some((device, record))
    }
}
