//! What an agent says to the server, as its transport does: numbered, signed, repeated with the same bytes after silence.

use crate::{
    Violation,
    agent::{Busy, Sent},
    queue::{Happening, Letter, Place},
    world::World,
};
use agent::machine::{Call, Event, Failure};
use domain::Span;
use protocol::{
    ShortText, limits, sign,
    v1::{
        self, CheckIn, CheckInReply, EnrollReply, EnrollRequest, InventoryDelta, Order, PackageVersion, PermitReply,
        PermitRequest, Refusal, RefusalCode, Report, ReportContent, ReportReply, Results, ResultsReply, Sealed,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use std::rc::Rc;

/// Seconds after which a call has failed.
const TIMEOUT: Span = Span(60);

impl World {
    pub(crate) fn check_in(&mut self, place: Place) -> Result<(), Violation> {
        let machine = &self.machines[place];
        let kept = &machine.disk.kept;
        let message = CheckIn {
            agent_version: ShortText::fit(&format!("sim {}", machine.version)),
            boot_id: machine.computer.boot_id(),
            inventory: kept.acknowledged.clone().filter(|_| machine.disk.base.is_some()),
            policy_version: kept.policy.version,
            unacknowledged: machine.disk.journal.unsent(),
            measured: kept.measured,
        };
        self.call(place, Call::CheckIn, v1::CHECK_IN, &message)
    }

    pub(crate) fn report(&mut self, place: Place, full: bool) -> Result<(), Violation> {
        let machine = &self.machines[place];
        let scanned = machine.life.as_ref().and_then(|l| l.scanned.clone());
        let Some((inventory, digest, at)) = scanned else {
            self.tell(place, Event::ScanFailed);
            return Ok(());
        };
        let content = match &machine.disk.base {
            Some(base) if !full => {
                let changes = Box::new(InventoryDelta::between(base, &inventory));
                ReportContent::Delta {
                    base: base.digest(),
                    changes,
                }
            }
            _ => ReportContent::Full {
                inventory: Box::new(inventory),
            },
        };
        let message = Report {
            taken_at: machine.wall(at),
            took_ms: 1_000,
            digest,
            content,
        };
        self.call(place, Call::Report, v1::REPORT, &message)
    }

    pub(crate) fn ask_permit(
        &mut self,
        place: Place,
        order: &Order,
        current: Vec<PackageVersion>,
    ) -> Result<(), Violation> {
        let message = PermitRequest {
            patch: order.patch,
            kind: order.kind,
            current,
        };
        self.call(place, Call::Permit, v1::PERMIT, &message)
    }

    pub(crate) fn send_results(&mut self, place: Place) -> Result<(), Violation> {
        let results: Vec<_> = self.machines[place]
            .disk
            .journal
            .unsettled()
            .take(limits::MAX_RESULTS)
            .cloned()
            .collect();
        if results.is_empty() {
            self.tell(place, Event::Delivered { unsent: 0 });
            return Ok(());
        }
        self.call(place, Call::Results, v1::RESULTS, &Results { results })
    }

    fn call<M: Serialize>(
        &mut self,
        place: Place,
        call: Call,
        path: &'static str,
        message: &M,
    ) -> Result<(), Violation> {
        let inner = serde_json::to_vec(message).map_err(Violation::world)?;
        let (now, machine) = (self.now, &mut self.machines[place]);
        let wall = machine.wall(now);
        let Some(life) = &mut machine.life else { return Ok(()) };
        let repeat = life.unanswered.take().filter(|s| s.path == path && s.inner == inner);
        let sent = match repeat {
            Some(sent) => sent,
            None if machine.chance.permille(self.faults.disk) => {
                life.events.push_back(Event::CallFailed(call, Failure::Here));
                return Ok(());
            }
            None => {
                let before = machine.disk.seq;
                machine.disk.seq += 1;
                self.oracle.numbers(place, before, machine.disk.seq)?;
                let sealed = Sealed {
                    seq: machine.disk.seq,
                    nonce: machine.chance.hex(),
                    sent_at: wall,
                    message,
                };
                let body = serde_json::to_vec(&sealed).map_err(Violation::world)?;
                Sent {
                    path,
                    inner,
                    body: body.into(),
                }
            }
        };
        machine.calls += 1;
        let signature = sign::sign_request(&machine.key, path, &sent.body);
        let letter = Letter {
            from: place,
            life: life.id,
            call: machine.calls,
            path,
            signed: Rc::new((machine.key_id.clone(), signature)),
            body: sent.body.clone(),
            again: false,
        };
        life.busy = Some(Busy::Call {
            id: letter.call,
            call,
            sent,
        });
        self.queue
            .put(now + TIMEOUT, Happening::Silence(place, letter.life, letter.call));
        self.post(letter);
        Ok(())
    }

    /// Hands a letter to the network.
    fn post(&mut self, letter: Letter) {
        let (now, faults) = (self.now, &self.faults);
        let chance = &mut self.machines[letter.from].net;
        if chance.permille(faults.twice) {
            // The copy may come much later.
            let late = if chance.permille(200) {
                chance.between(60, 100_000)
            } else {
                chance.between(0, 10)
            };
            self.queue.put(
                now + Span(late),
                Happening::Arrive(Letter {
                    again: true,
                    ..letter.clone()
                }),
            );
        }
        let lost = chance.permille(faults.lost);
        let delay = faults.delay(chance);
        if !lost {
            self.queue.put(now + delay, Happening::Arrive(letter));
        }
    }

    /// Nobody answered.
    pub(crate) fn silence(&mut self, place: Place, life: u64, id: u64) -> Result<(), Violation> {
        let Some(own) = self.machines[place].life.as_mut().filter(|l| l.id == life) else {
            return Ok(());
        };
        let Some(Busy::Call { call, sent, .. }) =
            own.busy.take_if(|b| matches!(b, Busy::Call { id: i, .. } if *i == id))
        else {
            return Ok(());
        };
        own.unanswered = Some(sent);
        own.events.push_back(Event::CallFailed(call, Failure::NoAnswer));
        self.pump(place)
    }

    /// An answer reaches the device.
    pub(crate) fn answer(&mut self, letter: &Letter, status: u16, body: &[u8]) -> Result<(), Violation> {
        let place = letter.from;
        if letter.path == v1::ENROLL {
            return self.enrolled(place, status, body);
        }
        let Some(own) = self.machines[place].life.as_mut().filter(|l| l.id == letter.life) else {
            return Ok(());
        };
        let Some(Busy::Call { call, .. }) = own
            .busy
            .take_if(|b| matches!(b, Busy::Call { id, .. } if *id == letter.call))
        else {
            return Ok(());
        };
        let event = if status == 200 {
            self.said_yes(place, call, body)?
        } else {
            self.said_no(place, call, body)?
        };
        self.tell(place, event);
        self.pump(place)
    }

    fn said_no(&mut self, place: Place, call: Call, body: &[u8]) -> Result<Event, Violation> {
        let refusal: Refusal = parse(body)?;
        let (now, machine) = (self.now, &mut self.machines[place]);
        if refusal.code == RefusalCode::Stale {
            let clock = u64::try_from(machine.wall(now).0).unwrap_or(0);
            machine.disk.seq = machine.disk.seq.saturating_add(1_000).max(clock);
        }
        Ok(Event::CallFailed(call, Failure::Refused(refusal.code)))
    }

    fn said_yes(&mut self, place: Place, call: Call, body: &[u8]) -> Result<Event, Violation> {
        let machine = &mut self.machines[place];
        Ok(match call {
            Call::CheckIn => Event::CheckedIn(parse::<CheckInReply>(body)?),
            Call::Report => {
                let digest = parse::<ReportReply>(body)?.digest;
                if let Some((inventory, _, _)) = machine
                    .life
                    .as_ref()
                    .and_then(|l| l.scanned.as_ref())
                    .filter(|(_, d, _)| *d == digest)
                {
                    machine.disk.base = Some(inventory.clone());
                }
                Event::Reported(digest)
            }
            Call::Permit => Event::Answered(parse::<PermitReply>(body)?),
            Call::Results => {
                let reply: ResultsReply = parse(body)?;
                machine
                    .disk
                    .journal
                    .settle(reply.acknowledged.into_iter().chain(reply.refused));
                Event::Delivered {
                    unsent: machine.disk.journal.unsent(),
                }
            }
        })
    }

    /// A device tries to enrol.
    pub(crate) async fn enroll(&mut self, place: Place) -> Result<(), Violation> {
        let now = self.now;
        if self.machines[place].disk.enrolled {
            return Ok(());
        }
        // Until it has worked.
        self.queue.put(now + Span(600), Happening::Enroll(place));
        if self.machines[place].token.is_none() {
            let token = self.make_token(place).await?;
            self.machines[place].token = token;
        }
        let machine = &mut self.machines[place];
        let Some(token) = machine.token.clone() else {
            return Ok(());
        };
        let request = EnrollRequest {
            token,
            public_key: hex::encode(machine.key.verifying_key().to_bytes()),
            nonce: machine.chance.hex(),
            scan_only: machine.computer.local.scan_only,
            host: machine.computer.host(),
        };
        let body = serde_json::to_vec(&request).map_err(Violation::world)?;
        let signature = sign::sign_request(&machine.key, v1::ENROLL, &body);
        let signed = Rc::new((machine.key_id.clone(), signature));
        self.post(Letter {
            from: place,
            life: 0,
            call: 0,
            path: v1::ENROLL,
            signed,
            body: body.into(),
            again: false,
        });
        Ok(())
    }

    fn enrolled(&mut self, place: Place, status: u16, body: &[u8]) -> Result<(), Violation> {
        if status != 200 {
            // The token has run out, or was used up: another one.
            self.machines[place].token = None;
            return Ok(());
        }
        let reply: EnrollReply = parse(body)?;
        let machine = &mut self.machines[place];
        if !machine.disk.enrolled {
            machine.disk.enrolled = true;
            self.trace.add(
                self.now,
                format_args!("{} is device {} {}", machine.computer.name, reply.device, reply.state),
            );
            self.queue.put(self.now, Happening::Start(place));
        }
        Ok(())
    }
}

/// A reply that does not parse is a fault of the format.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Violation> {
    serde_json::from_slice(body).map_err(|e| Violation::new("I-40", format!("a reply does not parse: {e}")))
}
