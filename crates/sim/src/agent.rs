//! A device's agent: the real state machine, and a model of the driver that carries out its effects in virtual time.

use crate::{
    Violation,
    archive::Archive,
    chance::Chance,
    computer::Computer,
    journal::Journal,
    queue::{Happening, Place},
    world::World,
};
use agent::{
    journal::Job,
    machine::{Call, Effect, End, Event, Fetched, Finish, Kept, Restart, State, Turn, step},
};
use domain::{AttemptId, Moment, Span};
use ed25519_dalek::SigningKey;
use protocol::{
    ShortText,
    v1::{AttemptEvent, AttemptRecord, Digest, Inventory, NotStarted, Order, PackageVersion, Permit},
};
use std::{collections::VecDeque, rc::Rc};

/// What outlives the process.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// The machine's memory.
    pub kept: Kept,
    /// The highest sequence number given out.
    pub seq: u64,
    /// The journal.
    pub journal: Journal,
    /// The inventory that the server acknowledged.
    pub base: Option<Inventory>,
    /// The agent has enrolled.
    pub enrolled: bool,
    /// The restart that the last end with such a wish asked for.
    pub restart: Option<Owed>,
}

/// A restart as the journal holds it: the boot that it is to end, and when it was ordered.
#[derive(Clone, Copy, Debug)]
pub struct Owed {
    boot: u64,
    ordered: Option<Moment>,
}

/// A message that got no answer: a repeat sends the same bytes.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) path: &'static str,
    pub(crate) inner: Vec<u8>,
    pub(crate) body: Rc<[u8]>,
}

/// What the process waits for: it does one thing at a time.
#[derive(Clone, Debug)]
pub(crate) enum Busy {
    /// An answer.
    Call { id: u64, call: Call, sent: Sent },
    /// Work on the device.
    Work { id: u64, work: Work },
}

/// Work that takes time.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Scan,
    Prepare {
        order: Order,
        forbidden: Option<NotStarted>,
    },
    Begin {
        order: Order,
        permit: Permit,
    },
    Finish(Finish),
}

/// One life of the process.
pub(crate) struct Life {
    pub(crate) id: u64,
    pub(crate) state: Option<State>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) effects: VecDeque<Effect>,
    pub(crate) busy: Option<Busy>,
    pub(crate) scanned: Option<(Inventory, Digest, Moment)>,
    pub(crate) unanswered: Option<Sent>,
    running: Option<AttemptId>,
    wakes: u64,
    idle: u32,
}

/// A device with its agent.
pub struct Machine {
    /// The computer.
    pub computer: Computer,
    /// The agent's files.
    pub disk: Disk,
    /// The agent's key.
    pub key: SigningKey,
    /// The key's id.
    pub key_id: String,
    /// The enrolment token, when it has one.
    pub token: Option<String>,
    /// Switched on.
    pub powered: bool,
    /// For ever switched off: a copy that was taken away, or a revoked device.
    pub gone: bool,
    /// Whose copy it is.
    pub copy_of: Option<Place>,
    /// How far its own clock is off.
    pub skew: Span,
    /// The version of its agent.
    pub version: u32,
    pub(crate) life: Option<Life>,
    pub(crate) lives: u64,
    pub(crate) calls: u64,
    pub(crate) chance: Chance,
    pub(crate) net: Chance,
    booted: Moment,
}

impl Machine {
    /// A device that was never enrolled.
    #[must_use]
    pub fn new(seed: u64, which: u64, computer: Computer, now: Moment) -> Self {
        let mut chance = Chance::new(seed, "device", which);
        let key = SigningKey::from_bytes(&chance.bytes());
        let skew = match chance.below(4) {
            0 => Span(chance.between(-86_400, 86_400)),
            1 => Span(chance.between(-400, 400) * 86_400),
            _ => Span(chance.between(-5, 5)),
        };
        Self {
            key_id: protocol::sign::key_id(&key.verifying_key().to_bytes()),
            computer,
            disk: Disk::default(),
            key,
            token: None,
            powered: true,
            gone: false,
            copy_of: None,
            skew,
            version: 1,
            life: None,
            lives: 0,
            calls: 0,
            net: Chance::new(seed, "network", which),
            chance,
            booted: now,
        }
    }

    /// A copy: the same key, the same files, a life of its own.
    #[must_use]
    pub fn copy(&self, seed: u64, which: u64, place: Place, now: Moment) -> Self {
        Self {
            computer: self.computer.copy(),
            disk: self.disk.clone(),
            key: self.key.clone(),
            key_id: self.key_id.clone(),
            token: None,
            powered: true,
            gone: false,
            copy_of: Some(place),
            skew: self.skew,
            version: self.version,
            life: None,
            lives: 0,
            calls: 0,
            chance: Chance::new(seed, "device", which),
            net: Chance::new(seed, "network", which),
            booted: now,
        }
    }

    /// Its own wall clock. It is reported and decides nothing (I-13): on many devices it is off by months.
    #[must_use]
    pub fn wall(&self, now: Moment) -> Moment {
        now + self.skew
    }

    /// Seconds since it was switched on.
    fn boot_clock(&self, now: Moment) -> Moment {
        Moment(now.since(self.booted).0 + 1)
    }

    /// Switches it on.
    pub fn power_on(&mut self, now: Moment) {
        (self.powered, self.booted) = (true, now);
        self.computer.boot();
    }

    /// The process starts.
    pub fn start(&mut self, now: Moment) {
        self.lives += 1;
        let born = Event::Born {
            open: self.disk.journal.open_job().map(|(_, job)| job.permit.reboot),
            unsent: self.disk.journal.unsent(),
            restart: self.found_restart(now),
        };
        self.life = Some(Life {
            id: self.lives,
            state: Some(State::new(self.disk.kept.clone(), self.computer.local, false)),
            events: VecDeque::from([born]),
            effects: VecDeque::new(),
            busy: None,
            scanned: None,
            unanswered: None,
            running: None,
            wakes: 0,
            idle: 0,
        });
    }

    fn found_restart(&mut self, now: Moment) -> Restart {
        let Some(Owed { boot, ordered }) = self.disk.restart else {
            return Restart::Nothing;
        };
        match ordered {
            None if boot == self.computer.boot => Restart::Owed,
            None => Restart::Nothing,
            Some(at) => {
                self.disk.restart = None;
                let took = Some(now.since(at));
                Restart::Over { took }
            }
        }
    }

    /// The agent's package is upgraded: the next start is of another version.
    pub fn upgrade(&mut self, now: Moment) {
        self.kill(now);
        self.version += 1;
    }

    /// Set up from the beginning: another key, an empty journal, other packages.
    pub fn set_up_anew(&mut self, archive: &Archive, now: Moment) {
        self.kill(now);
        self.computer.set_up_anew(archive);
        self.disk = Disk::default();
        self.key = SigningKey::from_bytes(&self.chance.bytes());
        self.key_id = protocol::sign::key_id(&self.key.verifying_key().to_bytes());
        self.token = None;
    }

    /// The process dies. What it was writing may be on the disk or not.
    pub fn kill(&mut self, now: Moment) {
        let Some(life) = self.life.take() else { return };
        if let Some(Busy::Work { work, .. }) = life.busy
            && self.chance.permille(500)
        {
            match work {
                Work::Begin { order, permit } => drop(self.write_started(order, permit, now)),
                Work::Finish(finish) => self.write_finished(finish, now),
                Work::Scan | Work::Prepare { .. } => {}
            }
        }
    }

    fn record(&mut self, attempt: AttemptId, fence: u64, event: AttemptEvent, job: Option<Job>, now: Moment) {
        let record = AttemptRecord {
            id: self.chance.hex(),
            attempt,
            fence,
            at: self.wall(now),
            event,
        };
        self.disk.journal.write(record, job);
    }

    fn write_started(&mut self, order: Order, permit: Permit, now: Moment) -> Result<(), NotStarted> {
        self.computer.check(&order)?;
        let from = self.computer.look(&order.packages);
        let (attempt, fence) = (permit.attempt, permit.fence);
        let job = Job {
            order,
            permit,
            from: from.clone(),
            automatic: Vec::new(),
        };
        self.record(attempt, fence, AttemptEvent::Started { from }, Some(job), now);
        Ok(())
    }

    fn write_finished(&mut self, finish: Finish, now: Moment) {
        let open = self.disk.journal.open_job().map(|(r, _)| (r.attempt, r.fence));
        let Some((attempt, fence)) = finish.permit.as_ref().map(|p| (p.attempt, p.fence)).or(open) else {
            return;
        };
        let Finish {
            outcome,
            observed,
            log,
            took,
            restart,
            ..
        } = finish;
        if restart {
            let boot = self.computer.boot;
            self.disk.restart = Some(Owed { boot, ordered: None });
        }
        self.record(
            attempt,
            fence,
            AttemptEvent::Finished {
                outcome,
                observed,
                log,
                took,
            },
            None,
            now,
        );
    }

    /// Packages as the driver's `look` sees them.
    fn look(&self, packages: &[PackageVersion]) -> Vec<PackageVersion> {
        self.computer.look(packages)
    }
}

impl World {
    /// Lets an agent go on until it has to wait for something.
    ///
    /// # Errors
    /// An invariant that broke.
    pub fn pump(&mut self, place: Place) -> Result<(), Violation> {
        loop {
            let now = self.now;
            let machine = &mut self.machines[place];
            let clock = machine.boot_clock(now);
            let Some(life) = &mut machine.life else { return Ok(()) };
            if life.busy.is_some() {
                return Ok(());
            }
            if let Some(effect) = life.effects.pop_front() {
                self.act(place, effect)?;
                continue;
            }
            if let Some(event) = life.events.pop_front() {
                let Some(state) = life.state.take() else { return Ok(()) };
                let tick = matches!(event, Event::Tick);
                let jitter = u16::try_from(machine.chance.below(65_536)).unwrap_or(0);
                let (state, effects) = step(state, event, Turn { now: clock, jitter });
                life.idle = if tick && effects.is_empty() {
                    (life.idle + 1).min(10)
                } else {
                    0
                };
                (life.state, life.effects) = (Some(state), effects.into());
                continue;
            }
            if let Some(attempt) = life.running {
                if let Some(seen) = machine.computer.seen(attempt) {
                    life.events.push_back(Event::Ended(Box::new(seen.clone())));
                    continue;
                }
                self.recover_again(place, attempt);
            }
            self.sleep(place);
            return Ok(());
        }
    }

    /// A run that died is followed by one that looks and repairs.
    fn recover_again(&mut self, place: Place, attempt: AttemptId) {
        let (now, machine) = (self.now, &mut self.machines[place]);
        let job = machine
            .disk
            .journal
            .open_job()
            .filter(|(r, _)| r.attempt == attempt)
            .map(|(_, j)| j.clone());
        if let Some(job) = job
            && let Some((run, span)) = machine.computer.start(attempt, &job, false, now)
        {
            self.queue.put(now + span, Happening::ManagerEnds(place, run));
        }
    }

    fn sleep(&mut self, place: Place) {
        let (now, machine) = (self.now, &mut self.machines[place]);
        let clock = machine.boot_clock(now);
        let Some(life) = &mut machine.life else { return };
        let due = life.state.as_ref().map_or(3_600, |s| s.wake().since(clock).0);
        // Due and not done: something else has to end first. The driver asks again soon; here rather later.
        let wait = due.clamp(1 << life.idle, 86_400);
        life.wakes += 1;
        let wake = Happening::Wake(place, life.id, life.wakes);
        self.queue.put(now + Span(wait), wake);
    }

    /// A waiting agent comes back.
    pub(crate) fn woken(&mut self, place: Place, id: u64, wake: u64) -> Result<(), Violation> {
        let now = self.now;
        let machine = &mut self.machines[place];
        let clock = machine.boot_clock(now);
        let Some(life) = machine
            .life
            .as_mut()
            .filter(|l| l.id == id && l.wakes == wake && l.busy.is_none())
        else {
            return Ok(());
        };
        if life.state.as_ref().is_some_and(|s| s.wake() <= clock) {
            life.events.push_back(Event::Tick);
        }
        self.pump(place)
    }

    fn work(&mut self, place: Place, work: Work, low: i64, high: i64) {
        let (now, machine) = (self.now, &mut self.machines[place]);
        machine.calls += 1;
        let (id, span) = (machine.calls, machine.chance.between(low, high));
        let Some(life) = &mut machine.life else { return };
        life.busy = Some(Busy::Work { id, work });
        let done = Happening::Done(place, life.id, id);
        self.queue.put(now + Span(span), done);
    }

    pub(crate) fn tell(&mut self, place: Place, event: Event) {
        if let Some(life) = &mut self.machines[place].life {
            life.events.push_back(event);
        }
    }

    fn act(&mut self, place: Place, effect: Effect) -> Result<(), Violation> {
        let now = self.now;
        match effect {
            Effect::CheckIn => self.check_in(place)?,
            Effect::Report { full } => self.report(place, full)?,
            Effect::AskPermit { order, current } => self.ask_permit(place, &order, current)?,
            Effect::SendResults => self.send_results(place)?,
            Effect::Save(kept) => {
                self.oracle
                    .saves(place, self.machines[place].disk.kept.epoch, kept.epoch)?;
                self.machines[place].disk.kept = kept;
            }
            Effect::Notices(_) => {}
            Effect::Resend { .. } => {
                let journal = &mut self.machines[place].disk.journal;
                journal.resend();
                let unsent = journal.unsent();
                self.tell(place, Event::Delivered { unsent });
            }
            Effect::Scan { .. } => self.work(place, Work::Scan, 5, 60),
            Effect::Prepare { order, forbidden, .. } => self.work(place, Work::Prepare { order, forbidden }, 2, 400),
            Effect::Begin { order, permit } => {
                // The last simulation and the synced record take a moment; on a device that swaps, minutes.
                let swaps = !self.calm && self.machines[place].chance.permille(60);
                let (low, high) = if swaps { (30, 420) } else { (0, 4) };
                self.work(place, Work::Begin { order, permit }, low, high);
            }
            Effect::Run { order, permit, .. } => self.start_manager(place, &order, &permit)?,
            Effect::Recover => self.recover(place),
            Effect::Finish(finish) => {
                if let Some(life) = &mut self.machines[place].life {
                    life.running = None;
                }
                self.work(place, Work::Finish(finish), 0, 2);
            }
            Effect::Reboot => {
                self.trace.add(
                    now,
                    format_args!("{} restarts as its policy says", self.machines[place].computer.name),
                );
                let machine = &mut self.machines[place];
                let boot = machine.computer.boot;
                match &mut machine.disk.restart {
                    Some(Owed { boot: b, ordered }) if *b == boot && ordered.is_none() => *ordered = Some(now),
                    other => {
                        let what = format!(
                            "{} orders a restart, the journal holds {other:?}",
                            machine.computer.name
                        );
                        return Err(Violation::new("restart", what));
                    }
                }
                self.power_off(place, 60, 300);
            }
            Effect::GiveUpReboot => {}
            Effect::Exit(end) => {
                self.trace.add(
                    now,
                    format_args!("{} agent ends: {end:?}", self.machines[place].computer.name),
                );
                self.machines[place].life = None;
                match end {
                    End::Revoked => self.machines[place].gone = true,
                    End::Stopped | End::Done | End::NoAnswer | End::Renewed => {
                        self.queue.put(now + Span(20), Happening::Start(place))
                    }
                }
            }
        }
        Ok(())
    }

    fn start_manager(&mut self, place: Place, order: &Order, permit: &Permit) -> Result<(), Violation> {
        let (now, machine) = (self.now, &mut self.machines[place]);
        self.trace.add(
            now,
            format_args!(
                "{} runs attempt {} patch {}",
                machine.computer.name, permit.attempt, order.patch
            ),
        );
        self.stats.runs += 1;
        self.oracle
            .runs(now, permit, order, &machine.disk.journal, &machine.computer)?;
        let job = machine
            .disk
            .journal
            .open_job()
            .filter(|(r, _)| r.attempt == permit.attempt)
            .map(|(_, j)| j.clone());
        let Some(job) = job else { return Ok(()) };
        if let Some((run, span)) = machine.computer.start(permit.attempt, &job, true, now) {
            self.queue.put(now + span, Happening::ManagerEnds(place, run));
        }
        if let Some(life) = &mut machine.life {
            life.running = Some(permit.attempt);
        }
        Ok(())
    }

    fn recover(&mut self, place: Place) {
        let machine = &mut self.machines[place];
        let open = machine.disk.journal.open_job().map(|(r, _)| r.attempt);
        let unsent = machine.disk.journal.unsent();
        let Some(attempt) = open else {
            return self.tell(place, Event::Noted { unsent });
        };
        if let Some(life) = &mut machine.life {
            life.running = Some(attempt);
        }
        match machine.computer.seen(attempt).cloned() {
            Some(seen) => self.tell(place, Event::Ended(Box::new(seen))),
            None => {
                self.recover_again(place, attempt);
                self.tell(place, Event::StillRunning);
            }
        }
    }

    /// The package manager of a device ends by itself.
    pub(crate) fn manager_ends(&mut self, place: Place, run: u64) -> Result<(), Violation> {
        let (now, archive, own) = (self.now, &self.archive, self.faults.install);
        let calm = self.calm;
        let fails = |os, product, number| {
            if calm {
                0
            } else {
                own + archive.fails(os, product, number)
            }
        };
        if let Some(attempt) = self.machines[place].computer.end(run, fails, now) {
            self.trace.add(
                now,
                format_args!(
                    "{} package manager ends for attempt {attempt}",
                    self.machines[place].computer.name
                ),
            );
            self.pump(place)?;
        }
        Ok(())
    }

    /// Work of a device is done.
    pub(crate) fn done(&mut self, place: Place, life: u64, id: u64) -> Result<(), Violation> {
        let (now, faults) = (self.now, self.faults.clone());
        let machine = &mut self.machines[place];
        let Some(own) = machine.life.as_mut().filter(|l| l.id == life) else {
            return Ok(());
        };
        let Some(Busy::Work { work, .. }) = own.busy.take_if(|b| matches!(b, Busy::Work { id: i, .. } if *i == id))
        else {
            return Ok(());
        };
        let full = machine.chance.permille(faults.disk);
        let event = match work {
            Work::Scan if full => Event::ScanFailed,
            Work::Scan => {
                machine.computer.fetch(&self.archive, faults.unread);
                let inventory = machine.computer.inventory();
                let digest = inventory.digest();
                let unread = inventory.sources.iter().any(|s| s.error.is_some());
                self.oracle.scanned(&digest, &machine.computer);
                if let Some(life) = &mut machine.life {
                    life.scanned = Some((inventory, digest.clone(), now));
                }
                Event::Scanned { digest, unread }
            }
            Work::Prepare { order, forbidden } => {
                let current = machine.look(&order.packages);
                let ready = forbidden
                    .map_or_else(|| machine.computer.prepare(&order, &self.archive, now), Err)
                    .map(|()| Fetched {
                        // Not every download is large enough to tell.
                        rate: machine
                            .chance
                            .permille(500)
                            .then(|| 1 << machine.chance.between(14, 26)),
                    });
                Event::Prepared { current, ready }
            }
            Work::Begin { .. } if full => Event::NotBegun(NotStarted::ManagerBusy {
                message: ShortText::fit("disk full"),
            }),
            Work::Begin { order, permit } => match machine.write_started(order, permit, now) {
                Ok(()) => Event::Begun {
                    unsent: machine.disk.journal.unsent(),
                },
                Err(why) => Event::NotBegun(why),
            },
            Work::Finish(_) if full => Event::NoteFailed,
            Work::Finish(finish) => {
                self.trace.add(
                    now,
                    format_args!("{} notes {:?}", machine.computer.name, finish.outcome),
                );
                machine.write_finished(finish, now);
                Event::Noted {
                    unsent: machine.disk.journal.unsent(),
                }
            }
        };
        self.tell(place, event);
        self.pump(place)
    }
}
