//! Time, in order: takes what happens next, lets it happen, asks the oracle.

use crate::{
    Violation,
    agent::Machine,
    archive::{Archive, PRODUCTS},
    chance::Chance,
    computer::Computer,
    network::Faults,
    oracle::Oracle,
    people::People,
    queue::{Happening, Letter, Place, Queue},
    server::Server,
    trace::Trace,
};
use domain::{DeviceId, DeviceState, Moment, PatchId, Span};
use protocol::{
    limits, sign,
    v1::{self, CheckInReply, EnrollReply, PermitReply, PermitRequest, ReportReply, Results, ResultsReply, Sealed},
};
use service::{Service, agents::WireReply};
use std::collections::{BTreeMap, BTreeSet};

/// Monday 2027-03-01: a month with a change to summer time in it.
const START: Moment = Moment(1_803_859_200);
/// The server looks at what time brings; a real one does every minute.
const TICK: Span = Span::minutes(45);

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// Days, the calm ones at the end included.
    pub days: i64,
    /// Devices.
    pub devices: usize,
    /// Every device's own clock is right; otherwise some are off by months, which must change nothing (I-13).
    pub right_clocks: bool,
    /// Print each line.
    pub verbose: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Things that happened.
    pub steps: u64,
    /// Hash of the history.
    pub hash: u64,
    /// Messages, permits and so on.
    pub stats: Stats,
    /// The broken promise and the last lines before it.
    pub violation: Option<(Violation, Vec<String>)>,
}

/// How much happened, so that nobody takes an idle world for a good one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages that the server answered.
    pub messages: u64,
    /// Permits.
    pub permits: u64,
    /// Package managers started.
    pub runs: u64,
    /// Results taken.
    pub results: u64,
    /// Deaths of the server.
    pub crashes: u64,
    /// Clock jumps.
    pub jumps: u64,
    /// Copies of devices.
    pub copies: u64,
    /// Times that a hold was open when people looked.
    pub holds: u64,
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.permits += other.permits;
        self.runs += other.runs;
        self.results += other.results;
        self.crashes += other.crashes;
        self.jumps += other.jumps;
        self.copies += other.copies;
        self.holds += other.holds;
    }
}

/// The world.
pub struct World {
    pub(crate) seed: u64,
    pub(crate) now: Moment,
    pub(crate) calm: bool,
    pub(crate) queue: Queue,
    pub(crate) trace: Trace,
    pub(crate) faults: Faults,
    pub(crate) archive: Archive,
    pub(crate) machines: Vec<Machine>,
    pub(crate) server: Server,
    pub(crate) people: People,
    pub(crate) oracle: Oracle,
    pub(crate) chance: Chance,
    pub(crate) stats: Stats,
    pub(crate) up_since: Moment,
    pub(crate) jump_unseen: bool,
    pub(crate) stuck: BTreeMap<(DeviceId, PatchId), Moment>,
    pub(crate) audits: u32,
    pub(crate) copy: Option<Place>,
    seen: BTreeSet<[u8; 32]>,
    steps: u64,
}

/// Runs a plan to its end or to the first broken promise.
///
/// # Errors
/// When the world cannot be made at all.
pub async fn run(plan: &Plan) -> Result<Outcome, Violation> {
    let mut world = World::new(plan).await?;
    let broken = world.live(plan).await.err();
    let last = world.trace.last().map(str::to_owned).collect();
    Ok(Outcome {
        steps: world.steps,
        hash: world.trace.hash(),
        stats: world.stats,
        violation: broken.map(|v| (v, last)),
    })
}

impl World {
    async fn new(plan: &Plan) -> Result<Self, Violation> {
        let seed = plan.seed;
        let server = Server::new(seed, START).await?;
        let service = server.service().ok_or_else(|| Violation::new("sim", "no server"))?;
        let people = People::hire(seed, &service).await?;
        let archive = Archive::new(seed, START);
        let mut world = Self {
            seed,
            now: START,
            calm: false,
            queue: Queue::default(),
            trace: Trace::new(plan.verbose),
            faults: Faults::of(seed),
            machines: Vec::new(),
            oracle: Oracle::new(server.settings()),
            server,
            people,
            chance: Chance::new(seed, "world", 0),
            stats: Stats::default(),
            up_since: START,
            jump_unseen: false,
            stuck: BTreeMap::new(),
            audits: 0,
            copy: None,
            seen: BTreeSet::new(),
            steps: 0,
            archive,
        };
        world.arrange(&service).await?;
        for place in 0..plan.devices {
            let which = place as u64;
            let computer = Computer::new(seed, which, &world.archive);
            let mut machine = Machine::new(seed, which, computer, START);
            if plan.right_clocks {
                machine.skew = Span(0);
            }
            // Most come on the first day, some later.
            let late = if machine.chance.permille(800) {
                20_000
            } else {
                8 * 86_400
            };
            let first = Span(machine.chance.between(10, late));
            world.queue.put(START + first, Happening::Enroll(place));
            let mishap = machine.chance.gap(world.faults.mishap);
            world.queue.put(START + mishap, Happening::Mishap(place));
            world.machines.push(machine);
        }
        world.plan_server();
        world.plan_rest();
        Ok(world)
    }

    /// What the server does by itself in this life of its process.
    fn plan_server(&mut self) {
        let life = self.server.life;
        self.queue.put(self.now + Span(1), Happening::ServerTick(life));
        self.queue.put(self.now + Span(300), Happening::ServerFlush(life));
        if let Some(mean) = self.faults.server_crash {
            let gap = self.chance.gap(mean);
            self.queue.put(self.now + gap, Happening::ServerCrash);
        }
    }

    fn plan_rest(&mut self) {
        self.queue.put(self.now + Span::hours(2), Happening::People);
        self.queue.put(self.now + Span::hours(24), Happening::Audit);
        let release = self.chance.gap(Span::hours(14));
        self.queue.put(self.now + release, Happening::Release);
        for (mean, what) in [
            (self.faults.clock_jump, Happening::ClockJump),
            (self.faults.copy, Happening::Copy),
        ] {
            if let Some(mean) = mean {
                let gap = self.chance.gap(mean);
                self.queue.put(self.now + gap, what);
            }
        }
    }

    async fn live(&mut self, plan: &Plan) -> Result<(), Violation> {
        let end = START + Span::days(plan.days);
        let calm_from = end - Span::days((plan.days / 3).clamp(1, 9));
        loop {
            let until = if self.calm { end } else { calm_from };
            match self.queue.next(until) {
                Some((at, what)) => {
                    self.move_to(at);
                    self.steps += 1;
                    self.happen(what).await?;
                }
                None if self.calm => break,
                None => {
                    self.move_to(calm_from);
                    self.calm_down().await?;
                }
            }
        }
        self.move_to(end);
        self.finale().await
    }

    fn move_to(&mut self, at: Moment) {
        self.server.advance(Span(at.since(self.now).0.max(0)));
        self.now = self.now.max(at);
    }

    /// From here on there are no faults, and people clean up.
    async fn calm_down(&mut self) -> Result<(), Violation> {
        self.trace.add(self.now, format_args!("--- no more faults ---"));
        (self.calm, self.faults) = (true, Faults::none());
        if let Some(place) = self.copy.take() {
            self.take_copy_away(place);
        }
        if self.server.service().is_none() {
            self.start_server().await?;
        }
        for place in 0..self.machines.len() {
            let machine = &mut self.machines[place];
            if machine.gone || !machine.disk.enrolled {
                continue;
            }
            (machine.computer.broken, machine.computer.held) = (false, None);
            machine.computer.on_battery = false;
            if !machine.powered {
                self.queue.put(self.now + Span(60), Happening::PowerOn(place));
            } else if machine.life.is_none() {
                self.queue.put(self.now + Span(60), Happening::Start(place));
            }
        }
        self.queue.put(self.now + Span(1), Happening::People);
        Ok(())
    }

    async fn happen(&mut self, what: Happening) -> Result<(), Violation> {
        match what {
            Happening::Enroll(place) => self.enroll(place).await,
            Happening::Arrive(letter) => self.arrive(letter).await,
            Happening::Answer(letter, status, body) => self.answer(&letter, status, &body),
            Happening::Silence(place, life, call) => self.silence(place, life, call),
            Happening::Done(place, life, id) => self.done(place, life, id),
            Happening::Wake(place, life, wake) => self.woken(place, life, wake),
            Happening::ManagerEnds(place, run) => self.manager_ends(place, run),
            Happening::Start(place) => self.start_agent(place),
            Happening::PowerOn(place) => {
                let machine = &mut self.machines[place];
                if machine.powered || machine.gone {
                    return Ok(());
                }
                machine.power_on(self.now);
                self.queue.put(self.now + Span(15), Happening::Start(place));
                Ok(())
            }
            Happening::Mishap(place) => self.mishap(place),
            Happening::Copy => {
                self.copy_or_take_away();
                Ok(())
            }
            Happening::ServerTick(life) => self.tick(life).await,
            Happening::ServerFlush(life) => self.flush(life).await,
            Happening::ServerCrash => {
                self.crash();
                Ok(())
            }
            Happening::ServerStart => self.start_server().await,
            Happening::ClockJump => {
                self.jump();
                Ok(())
            }
            Happening::People => self.people().await,
            Happening::Release => {
                let gap = self.chance.gap(Span::hours(14));
                self.queue.put(self.now + gap, Happening::Release);
                if !self.calm {
                    let (os, product, number) = self.archive.release(self.now);
                    self.trace.add(
                        self.now,
                        format_args!("vendor releases {} 1.{number} for {os}", PRODUCTS[product].source),
                    );
                }
                Ok(())
            }
            Happening::Audit => self.audit().await,
        }
    }

    fn start_agent(&mut self, place: Place) -> Result<(), Violation> {
        let machine = &mut self.machines[place];
        if !machine.powered || machine.gone || machine.life.is_some() || !machine.disk.enrolled {
            return Ok(());
        }
        machine.start(self.now);
        self.pump(place)
    }

    async fn tick(&mut self, life: u64) -> Result<(), Violation> {
        let Some(service) = self.server.service().filter(|_| self.server.life == life) else {
            return Ok(());
        };
        service
            .tick()
            .await
            .map_err(|e| Violation::world(format!("tick: {e:?}")))?;
        self.jump_unseen = false;
        self.queue.put(self.now + TICK, Happening::ServerTick(life));
        Ok(())
    }

    async fn flush(&mut self, life: u64) -> Result<(), Violation> {
        let Some(service) = self.server.service().filter(|_| self.server.life == life) else {
            return Ok(());
        };
        service
            .flush_contacts()
            .await
            .map_err(|e| Violation::world(format!("flush: {e:?}")))?;
        self.queue.put(self.now + Span(3_000), Happening::ServerFlush(life));
        Ok(())
    }

    async fn start_server(&mut self) -> Result<(), Violation> {
        if self.server.service().is_some() {
            return Ok(());
        }
        self.trace.add(self.now, format_args!("server starts"));
        self.server.start().await?;
        self.up_since = self.now;
        self.plan_server();
        Ok(())
    }

    /// A message reaches the server.
    async fn arrive(&mut self, letter: Letter) -> Result<(), Violation> {
        let now = self.now;
        let Some(service) = self.server.service() else {
            if !letter.again && letter.path != v1::ENROLL {
                self.queue
                    .put(now + Span(1), Happening::Silence(letter.from, letter.life, letter.call));
            }
            return Ok(());
        };
        let reply = service
            .agent(letter.path, &letter.signed.0, &letter.signed.1, &letter.body)
            .await;
        self.stats.messages += 1;
        self.note(&letter, &reply, &service).await?;
        let chance = &mut self.machines[letter.from].net;
        let (lost, delay) = (chance.permille(self.faults.answer_lost), Span(chance.between(0, 2)));
        if !letter.again && !lost {
            self.queue
                .put(now + delay, Happening::Answer(letter, reply.status, reply.body.into()));
        }
        Ok(())
    }

    /// What the server said, into the trace and the oracle's books.
    async fn note(&mut self, letter: &Letter, reply: &WireReply, service: &Service) -> Result<(), Violation> {
        let (now, place) = (self.now, letter.from);
        let name = self.machines[place].computer.name.clone();
        let word = letter.path.rsplit('/').next().unwrap_or_default();
        let again = if letter.again { " (copy)" } else { "" };
        if reply.status != 200 {
            let said = String::from_utf8_lossy(&reply.body);
            self.trace
                .add(now, format_args!("{name} {word}{again} -> {} {said}", reply.status));
            return if reply.status >= 500 {
                Err(Violation::world(format!("{word}: {said}")))
            } else {
                Ok(())
            };
        }
        // The answer to a repeat speaks of the time of the first one.
        let repeat = !self.seen.insert(sign::sha256(&letter.body));
        let key = &letter.signed.0;
        if letter.path == v1::ENROLL {
            let said: EnrollReply = crate::calls::parse(&reply.body)?;
            self.trace
                .add(now, format_args!("{name} enrolls{again} -> device {}", said.device));
            return self
                .oracle
                .enrolled(key, said.device, said.state, self.group_of(place), now);
        }
        let Some(device) = self.oracle.keys.get(key).copied() else {
            return Err(Violation::new("I-8", "an unknown key is answered"));
        };
        if let Some(book) = self.oracle.devices.get_mut(&device) {
            book.heard = now;
        }
        match letter.path {
            v1::CHECK_IN => {
                let said: CheckInReply = crate::calls::parse(&reply.body)?;
                self.trace.add(
                    now,
                    format_args!("{name} checks in{again}: {} orders {}", said.state, said.orders.len()),
                );
                if !repeat {
                    self.oracle.checks_in(key, place, said.state)?;
                }
            }
            v1::REPORT => {
                let said: ReportReply = crate::calls::parse(&reply.body)?;
                self.trace
                    .add(now, format_args!("{name} reports{again} {}", &said.digest.0[..8]));
                if !repeat {
                    let os = self.machines[place].computer.os;
                    self.oracle.reported(device, &said.digest, os, now)?;
                }
            }
            v1::PERMIT => {
                let request: Sealed<PermitRequest> = limits::parse(&letter.body).map_err(Violation::world)?;
                match crate::calls::parse(&reply.body)? {
                    PermitReply::Granted(permit) => {
                        let (patch, kind) = (request.message.patch, request.message.kind);
                        self.trace.add(
                            now,
                            format_args!(
                                "{name} permit{again} {} fence {} {kind:?} patch {patch}",
                                permit.attempt, permit.fence
                            ),
                        );
                        self.stats.permits += 1;
                        self.oracle.grants(device, &request.message, &permit, now)?;
                    }
                    PermitReply::Refused { gate, reason, .. } => {
                        self.trace.add(
                            now,
                            format_args!(
                                "{name} no permit{again} for patch {}: {gate}: {reason}",
                                request.message.patch
                            ),
                        );
                    }
                }
            }
            _ => {
                let sent: Sealed<Results> = limits::parse(&letter.body).map_err(Violation::world)?;
                let said: ResultsReply = crate::calls::parse(&reply.body)?;
                self.trace.add(
                    now,
                    format_args!(
                        "{name} results{again}: {} taken, {} refused",
                        said.acknowledged.len(),
                        said.refused.len()
                    ),
                );
                self.stats.results += said.acknowledged.len() as u64;
                self.oracle.takes(device, &sent.message, &said, now)?;
                self.see_owed(service).await?;
            }
        }
        let state = self.oracle.devices.get(&device).map(|d| d.state);
        if state == Some(DeviceState::Revoked) {
            return Err(Violation::new(
                "I-8",
                format!("device {device} is revoked and answered"),
            ));
        }
        Ok(())
    }
}
