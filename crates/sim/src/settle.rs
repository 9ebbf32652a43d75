//! The looks at everything, once a day and at the end: counts, silence, and whether a world without faults comes to rest.

use crate::{Violation, queue::Happening, world::World};
use domain::{AttemptId, DeviceId, DeviceState, PatchId, PatchState, Span};
use protocol::v1::{ActionKind, AttemptRecord, NotStarted, Outcome, RefusalCode, Results, ResultsReply, Sealed};
use protocol::{sign, v1};
use service::Service;
use view::{DevicePatch, StepStatus};

/// In a world without faults something that may start does so within two days: each device calls four times a day.
const PATIENCE: Span = Span::hours(48);

impl World {
    /// The daily look.
    pub(crate) async fn audit(&mut self) -> Result<(), Violation> {
        self.queue.put(self.now + Span::days(1), Happening::Audit);
        let Some(service) = self.server.service() else {
            return Ok(());
        };
        self.recount(&service).await?;
        self.oracle.look_for_vanished(self.up_since, self.now);
        self.see_owed(&service).await?;
        if self.calm {
            self.audits += 1;
            // Every second day is enough to see who stands still for two, and asking every page is dear.
            if self.audits % 2 == 1 {
                self.look_for_stuck(&service).await?;
            }
            for place in 0..self.machines.len() {
                let computer = &self.machines[place].computer;
                if computer.run.is_none() && !computer.owes_restart.is_empty() {
                    self.power_off(place, 60, 300);
                }
            }
        } else {
            self.probe(&service).await?;
        }
        Ok(())
    }

    /// Looks at every hold that the server owes.
    pub(crate) async fn see_owed(&mut self, service: &Service) -> Result<(), Violation> {
        for patch in self.oracle.owed() {
            self.read_holds(service, patch).await?;
        }
        Ok(())
    }

    async fn recount(&mut self, service: &Service) -> Result<(), Violation> {
        match service.recount().await.map_err(Violation::world)?.first() {
            Some(first) => Err(Violation::new("counts", first.clone())),
            None => Ok(()),
        }
    }

    /// Sends an acknowledged record with other content, and one with a stale fence: both must be refused for ever (I-16, I-20, I-21).
    async fn probe(&mut self, service: &Service) -> Result<(), Violation> {
        let nth = usize::try_from(self.chance.below(1_000)).unwrap_or(0);
        let Some((device, taken)) = self.oracle.a_taken_record(nth) else {
            return Ok(());
        };
        if self
            .oracle
            .devices
            .get(&device)
            .is_none_or(|d| d.state != DeviceState::Active)
        {
            return Ok(());
        }
        let key = self
            .oracle
            .keys
            .iter()
            .find(|(_, d)| **d == device)
            .map(|(k, _)| k.clone());
        let idle = |m: &crate::agent::Machine| m.copy_of.is_none() && m.life.as_ref().is_some_and(|l| l.busy.is_none());
        let machine = self
            .machines
            .iter_mut()
            .find(|m| Some(&m.key_id) == key.as_ref() && idle(m));
        let Some(machine) = machine else { return Ok(()) };
        let other = AttemptRecord {
            at: taken.at + Span(1),
            ..taken.clone()
        };
        let stale = AttemptRecord {
            id: self.chance.hex(),
            fence: taken.fence + 1,
            ..taken.clone()
        };
        let foreign = AttemptRecord {
            id: self.chance.hex(),
            attempt: AttemptId(taken.attempt.0 + 1_000_000),
            ..taken.clone()
        };
        let results = vec![other, taken.clone(), stale, foreign];
        machine.disk.seq += 1;
        let sealed = Sealed {
            seq: machine.disk.seq,
            nonce: self.chance.hex(),
            sent_at: machine.wall(self.now),
            message: Results { results },
        };
        let body = serde_json::to_vec(&sealed).map_err(Violation::world)?;
        let signature = sign::sign_request(&machine.key, v1::RESULTS, &body);
        let reply = service.agent(v1::RESULTS, &machine.key_id, &signature, &body).await;
        if reply.status == RefusalCode::Stale.status() {
            return Ok(());
        }
        let reply: ResultsReply = crate::calls::parse(&reply.body)?;
        let acked = |id: &String| reply.acknowledged.contains(id);
        let ids: Vec<_> = sealed.message.results.iter().map(|r| &r.id).collect();
        if !reply.refused.contains(ids[0]) {
            return Err(Violation::new(
                "I-20",
                format!("result {} is taken with other content, or it was lost", ids[0]),
            ));
        }
        if !acked(ids[1]) {
            return Err(Violation::new(
                "I-21",
                format!("the server has forgotten result {}", ids[1]),
            ));
        }
        if acked(ids[2]) || acked(ids[3]) {
            return Err(Violation::new(
                "I-16",
                "a result with a wrong fence or of nobody's attempt is taken",
            ));
        }
        Ok(())
    }

    /// Devices whose state says that they miss what may start right now, for two days.
    async fn look_for_stuck(&mut self, service: &Service) -> Result<(), Violation> {
        let mut open = std::collections::BTreeMap::new();
        for device in self.oracle.in_state(DeviceState::Active) {
            if self.oracle.retired.contains(&device) {
                continue;
            }
            let page = service
                .device(&self.people.admin, device)
                .await
                .map_err(Violation::world)?;
            for patch in &page.patches {
                self.check_observed(device, patch)?;
                let may = patch.ladder.iter().all(|s| s.status == StepStatus::Open);
                let missing = matches!(
                    patch.state,
                    PatchState::Missing | PatchState::Failed | PatchState::Superseded
                );
                if may && missing && !self.has_stated_reason(device, patch.patch) {
                    let since = self.stuck.get(&(device, patch.patch)).copied().unwrap_or(self.now);
                    if self.now.since(since) >= PATIENCE {
                        let text = format!(
                            "device {device}, patch {}: {} although nothing is against it",
                            patch.patch, patch.state
                        );
                        return Err(Violation::new("liveness", text));
                    }
                    open.insert((device, patch.patch), since);
                }
            }
        }
        self.stuck = open;
        Ok(())
    }

    /// What the last report showed is what the page says (DESIGN principle 9).
    fn check_observed(&self, device: DeviceId, shown: &DevicePatch) -> Result<(), Violation> {
        let Some(book) = self.oracle.patches.get(&shown.patch) else {
            return Ok(());
        };
        let open = matches!(shown.state, PatchState::Missing | PatchState::Failed);
        if open && self.oracle.shows(device, book.what) && shown.since < self.now - Span::days(2) {
            return Err(Violation::new(
                "observed",
                format!(
                    "device {device} reported patch {} as there; shown is {}",
                    shown.patch, shown.state
                ),
            ));
        }
        Ok(())
    }

    /// The device itself said why it does not start.
    fn has_stated_reason(&self, device: DeviceId, patch: PatchId) -> bool {
        let last = self
            .oracle
            .attempts
            .values()
            .rfind(|a| (a.device, a.patch, a.kind) == (device, patch, ActionKind::Install));
        let why = last.and_then(|a| a.ended.as_ref());
        matches!(why, Some(Outcome::NotStarted { why }) if !matches!(why, NotStarted::AlreadyThere | NotStarted::PermitExpired))
    }

    /// The end: everything that happened is known to the server (I-22), and a second look finds the same.
    pub(crate) async fn finale(&mut self) -> Result<(), Violation> {
        let Some(service) = self.server.service() else {
            return Err(Violation::new("sim", "the server is down at the end"));
        };
        self.recount(&service).await?;
        for machine in self
            .machines
            .iter()
            .filter(|m| m.disk.enrolled && !m.gone && m.copy_of.is_none())
        {
            let Some(device) = self.oracle.keys.get(&machine.key_id) else {
                continue;
            };
            let Some(book) = self
                .oracle
                .devices
                .get(device)
                .filter(|b| b.state == DeviceState::Active)
            else {
                continue;
            };
            let name = &machine.computer.name;
            let unsent: Vec<_> = machine.disk.journal.unsettled().map(|r| (r.at, &r.id)).collect();
            // What was written a moment ago may still be on its way.
            let old = |at: &domain::Moment| *at + Span::hours(12) < machine.wall(self.now);
            if unsent.iter().any(|(at, _)| old(at)) {
                return Err(Violation::new(
                    "I-22",
                    format!("{name}: {} results never reached the server: {unsent:?}", unsent.len()),
                ));
            }
            if book.heard + Span::days(1) < self.now {
                return Err(Violation::new(
                    "liveness",
                    format!("{name}: not heard of since {}", book.heard.rfc3339()),
                ));
            }
            if book.known != machine.computer.installed
                && machine.computer.run.is_none()
                && book.known_at + Span::days(2) < self.now
            {
                return Err(Violation::new(
                    "observed",
                    format!("{name}: the server knows {:?}", book.known),
                ));
            }
        }
        service
            .verify_audit()
            .await
            .map_err(|e| Violation::new("I-24", format!("{e:?}")))?;
        Ok(())
    }
}
