//! Carries out what the machine decides, one effect after the other, and tells it what came of it.

use crate::{
    config::{Home, LocalPolicy},
    device::Device,
    identity,
    installer::Progress,
    inventory::{os, services},
    journal::{Job, Journal},
    machine::{Call, Effect, End, Event, Failure, Finish, Kept, RESTART_WITHIN, Restart, Seen, State, Turn, step},
    restart::Step,
    transport::{CallError, Network, ROOM, Transport},
};
use domain::{AttemptId, Moment, Span};
use protocol::{
    ShortText, limits,
    v1::{
        self, AttemptEvent, AttemptRecord, CheckIn, CheckInReply, DeviceNotice, Digest, Inventory, InventoryDelta,
        NotStarted, Order, PackageVersion, Permit, PermitReply, PermitRequest, Report, ReportContent, ReportReply,
        Results, ResultsReply,
    },
};
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    io,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// What outlives the process, apart from journal, key and inventory.
pub const KEPT_FILE: &str = "state.json";
/// The inventory that the server acknowledged: the base of the next delta.
const BASE_FILE: &str = "inventory.json";
/// Notices for people at the device.
pub const NOTICES_FILE: &str = "notices.json";
/// The journal.
pub const JOURNAL_FILE: &str = "journal";
/// When the last check-in was answered, for `status`.
pub const CONTACT_FILE: &str = "contact.json";
/// Why a restart that is owed is given up before it was ordered.
const LATE: &str = "it was owed for an hour and could not be ordered; the time that allowed it may be over";
/// How often a running attempt is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long after a look that failed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The last answered check-in.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Contact {
    /// By the device's clock.
    pub at: Moment,
    /// By the server's.
    pub server_time: Moment,
}

/// The wall clock: shown and reported, never used to decide.
#[must_use]
pub fn wall_clock() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Seconds since boot, suspended time included: nobody can set it.
#[must_use]
pub fn boot_clock() -> Moment {
    Moment(rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec)
}

/// The agent at work.
pub struct Driver<N, D> {
    home: Home,
    transport: Transport<N>,
    device: D,
    journal: Journal,
    local: LocalPolicy,
    inventory: Option<Scanned>,
    base: Option<Inventory>,
    kept: Kept,
    /// Record of the start, and what was started.
    running: Option<(String, Job)>,
    /// Why the last look at it failed, and when the next one is due then.
    trouble: Option<String>,
    look_at: Option<Instant>,
    /// This process runs files that an attempt replaced.
    outdated: bool,
}

struct Scanned {
    inventory: Inventory,
    digest: Digest,
    at: Moment,
    took: Duration,
}

impl<N: Network, D: Device> Driver<N, D> {
    /// Opens journal and state.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn open(home: Home, transport: Transport<N>, device: D, local: LocalPolicy) -> io::Result<Self> {
        let journal = Journal::open(&home.path(JOURNAL_FILE))?;
        let kept = lenient(home.load::<Kept>(KEPT_FILE)).unwrap_or_default();
        // Without its base a delta cannot be made; the next report is then a full one.
        let base = lenient(home.load::<Inventory>(BASE_FILE)).filter(|b| Some(b.digest()) == kept.acknowledged);
        Ok(Self {
            home,
            transport,
            device,
            journal,
            local,
            inventory: None,
            base,
            kept,
            running: None,
            trouble: None,
            look_at: None,
            outdated: false,
        })
    }

    /// Works until it is asked to stop through `stop`, or until there is nothing left to do now with `once`.
    ///
    /// # Errors
    /// When randomness is not to be had.
    pub fn run(&mut self, once: bool, stop: &Receiver<()>) -> io::Result<End> {
        let mut state = State::new(self.kept.clone(), self.local, once);
        let mut events = VecDeque::from([Event::Born {
            open: self.journal.open_job().map(|(_, job)| job.permit.reboot),
            unsent: self.unsent(),
            restart: self.found_restart(&os::boot_id()),
        }]);
        loop {
            // Before what was done meanwhile is acted on: a download that was broken off for this is none that failed.
            if stop.try_recv().is_ok() {
                events.push_front(Event::Stop);
            }
            let event = match events.pop_front() {
                Some(event) => event,
                None if self.outdated && !once && state.at_rest() => return Ok(End::Renewed),
                None => self.wait(&state, stop),
            };
            let mut chance = [0; 2];
            getrandom::fill(&mut chance).map_err(io::Error::other)?;
            let turn = Turn {
                now: boot_clock(),
                jitter: u16::from_le_bytes(chance),
            };
            let (next, effects) = step(state, event, turn);
            state = next;
            for effect in effects {
                if let Effect::Exit(end) = effect {
                    return Ok(end);
                }
                events.extend(self.act(effect));
            }
        }
    }

    /// Until something is due, the running attempt has an end, or somebody asks to stop.
    fn wait(&mut self, state: &State, stop: &Receiver<()>) -> Event {
        loop {
            if self.look_at.is_none_or(|at| Instant::now() >= at)
                && let Some((started, job)) = self.running.clone()
                && let Some(Progress::Ended(seen)) = self.advance(&started, &job)
            {
                return Event::Ended(seen);
            }
            let due = u64::try_from(state.wake().since(boot_clock()).0).unwrap_or(0);
            let mut wait = Duration::from_secs(due.min(3_600));
            if self.running.is_some() {
                wait = wait.min(LOOK);
            }
            if due == 0 {
                // Due now and not done: something else has to end first.
                wait = if self.running.is_some() {
                    LOOK
                } else {
                    Duration::from_millis(50)
                };
            }
            match stop.recv_timeout(wait) {
                Ok(()) => return Event::Stop,
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(wait),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if state.wake() <= boot_clock() {
                return Event::Tick;
            }
        }
    }

    fn unsent(&self) -> u32 {
        u32::try_from(self.journal.unsettled().len()).unwrap_or(u32::MAX)
    }

    fn act(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::CheckIn => Some(self.check_in()),
            Effect::Report { full } => Some(self.report(full)),
            Effect::AskPermit { order, current } => Some(self.ask_permit(&order, current)),
            Effect::SendResults => Some(self.send_results()),
            Effect::Save(kept) => {
                if let Err(e) = self.home.publish(KEPT_FILE, &kept) {
                    tracing::error!(error = %e, "the agent's state cannot be stored");
                }
                self.kept = kept;
                None
            }
            Effect::Notices(notices) => {
                self.store_notices(&notices);
                None
            }
            Effect::Resend { epoch } => {
                tracing::info!(epoch, "the server was restored; everything that is kept is told again");
                if let Err(e) = self.journal.resend(epoch) {
                    tracing::error!(error = %e, "cannot mark the records to be told again");
                }
                Some(Event::Recounted { unsent: self.unsent() })
            }
            Effect::Scan { refresh } => Some(self.scan(refresh)),
            Effect::Prepare {
                order,
                rate_kib,
                forbidden,
            } => {
                let current = self.device.look(&order.packages);
                let ready = match forbidden {
                    Some(why) => Err(why),
                    None => self.device.prepare(&order, rate_kib),
                };
                if let Err(why) = &ready {
                    tracing::warn!(patch = %order.patch, ?why, "the order cannot start");
                }
                Some(Event::Prepared { current, ready })
            }
            Effect::Begin { order, permit } => Some(self.begin(order, permit)),
            Effect::Run { order, permit, until } => self.start(order, permit.attempt, until),
            Effect::Recover => Some(self.recover()),
            Effect::Finish(finish) => Some(self.finish(finish)),
            Effect::Reboot => self.reboot(),
            Effect::GiveUpReboot => {
                let minutes = RESTART_WITHIN.0 / 60;
                self.miss_restart(&format!("it was ordered and did not come within {minutes} minutes"));
                None
            }
            Effect::Exit(_) => None,
        }
    }

    /// What a new life has to do about the last attempt's restart.
    fn found_restart(&mut self, boot_id: &str) -> Restart {
        let found = self.journal.restart().map(|r| r.found(wall_clock(), boot_id));
        let found = found.unwrap_or(Restart::Nothing);
        match found {
            Restart::Nothing => {}
            Restart::Late => self.miss_restart(LATE),
            Restart::Owed => tracing::info!("the last attempt still asks for a restart of this device"),
            Restart::Ordered { left } => {
                tracing::warn!(wait_s = left.0, "a restart of this device is ordered; waiting for it")
            }
            Restart::Over { took } => {
                tracing::info!(took_s = took.map(|t| t.0), "the device has restarted as ordered");
                self.note_restart(Step::Seen);
            }
        }
        found
    }

    /// The order is in the journal before it is given: it is never given twice (not even when nobody knows whether it was given once).
    fn reboot(&mut self) -> Option<Event> {
        let owed = self.journal.restart().map(|r| r.found(wall_clock(), &os::boot_id()));
        if owed == Some(Restart::Late) {
            self.miss_restart(LATE);
            return Some(Event::RebootFailed);
        }
        if self.device.busy() {
            tracing::info!("a package manager runs, so the device is not restarted now; looking again");
            return Some(Event::RebootNotNoted);
        }
        if let Err(e) = self.journal.restarts(Step::Ordered, wall_clock()) {
            tracing::error!(error = %e, "the journal cannot be written, so the device is not restarted; trying again");
            return Some(Event::RebootNotNoted);
        }
        tracing::warn!("restarting this device, as its policy says");
        match self.device.reboot() {
            // The process ends with the device.
            Ok(()) => None,
            Err(why) => {
                self.miss_restart(&why);
                Some(Event::RebootFailed)
            }
        }
    }

    fn miss_restart(&mut self, why: &str) {
        tracing::error!(
            why,
            "the device has not restarted; it is not ordered again, and somebody has to restart it"
        );
        self.note_restart(Step::Missed {
            why: ShortText::fit(why),
        });
    }

    fn note_restart(&mut self, step: Step) {
        if let Err(e) = self.journal.restarts(step, wall_clock()) {
            tracing::error!(error = %e, "what came of the restart cannot be written");
        }
    }

    fn check_in(&mut self) -> Event {
        let message = CheckIn {
            agent_version: ShortText::fit(env!("CARGO_PKG_VERSION")),
            boot_id: ShortText::fit(&os::boot_id()),
            inventory: self.kept.acknowledged.clone().filter(|_| self.base.is_some()),
            policy_version: self.kept.policy.version,
            unacknowledged: self.unsent(),
            measured: self.kept.measured,
        };
        match self
            .transport
            .call::<_, CheckInReply>(v1::CHECK_IN, &message, wall_clock())
        {
            Ok(reply) => {
                tracing::info!(state = %reply.state, orders = reply.orders.len(), next_in_s = reply.poll_after, "checked in");
                let contact = Contact {
                    at: wall_clock(),
                    server_time: reply.server_time,
                };
                let _ = self.home.publish(CONTACT_FILE, &contact);
                Event::CheckedIn(reply)
            }
            Err(e) => failed(Call::CheckIn, &e),
        }
    }

    fn report(&mut self, full: bool) -> Event {
        let Some(scanned) = &self.inventory else {
            return Event::ScanFailed;
        };
        let delta = self.base.as_ref().filter(|_| !full).map(|base| {
            let changes = Box::new(InventoryDelta::between(base, &scanned.inventory));
            let base = base.digest();
            ReportContent::Delta { base, changes }
        });
        let content = match delta {
            // After an upgrade of everything it names every package twice; the whole is made to fit.
            Some(delta) if size(&delta) <= ROOM => delta,
            _ => ReportContent::Full {
                inventory: Box::new(scanned.inventory.clone()),
            },
        };
        let took_ms = u64::try_from(scanned.took.as_millis()).unwrap_or(u64::MAX);
        let message = Report {
            taken_at: scanned.at,
            took_ms,
            digest: scanned.digest.clone(),
            content,
        };
        let full = matches!(message.content, ReportContent::Full { .. });
        match self
            .transport
            .call::<_, ReportReply>(v1::REPORT, &message, wall_clock())
        {
            Ok(reply) => {
                tracing::info!(
                    full,
                    packages = scanned.inventory.packages.len(),
                    updates = scanned.inventory.updates.len(),
                    "reported"
                );
                if reply.digest == scanned.digest {
                    if let Err(e) = self.home.save(BASE_FILE, &scanned.inventory) {
                        tracing::error!(error = %e, "the reported inventory cannot be stored; the next report is a full one");
                    }
                    self.base = Some(scanned.inventory.clone());
                }
                Event::Reported(reply.digest)
            }
            Err(e) => failed(Call::Report, &e),
        }
    }

    fn ask_permit(&mut self, order: &Order, current: Vec<PackageVersion>) -> Event {
        let message = PermitRequest {
            patch: order.patch,
            kind: order.kind,
            current,
        };
        match self
            .transport
            .call::<_, PermitReply>(v1::PERMIT, &message, wall_clock())
        {
            Ok(reply) => {
                match &reply {
                    PermitReply::Granted(p) => {
                        tracing::info!(patch = %order.patch, attempt = %p.attempt, "permit granted")
                    }
                    PermitReply::Refused { gate, reason, .. } => {
                        tracing::info!(patch = %order.patch, %gate, %reason, "permit refused");
                    }
                }
                Event::Answered(reply)
            }
            Err(e) => failed(Call::Permit, &e),
        }
    }

    fn send_results(&mut self) -> Event {
        let results = batch(&self.journal.unsettled());
        if results.is_empty() {
            return Event::Delivered { unsent: 0 };
        }
        match self
            .transport
            .call::<_, ResultsReply>(v1::RESULTS, &Results { results }, wall_clock())
        {
            Ok(reply) => {
                for id in &reply.refused {
                    tracing::error!(id, "the server refused a record for ever");
                }
                let ids = reply.acknowledged.into_iter().chain(reply.refused).collect();
                if let Err(e) = self.journal.settle(ids, wall_clock()) {
                    tracing::error!(error = %e, "cannot note what the server has taken; it is told again");
                }
                Event::Delivered { unsent: self.unsent() }
            }
            Err(e) => failed(Call::Results, &e),
        }
    }

    fn scan(&mut self, refresh: bool) -> Event {
        // A scan tells which processes run replaced files: the agent's own helper is none that anybody has to restart.
        self.transport.rest();
        let started = Instant::now();
        let interval = Span(i64::from(self.kept.policy.scan_interval));
        match self.device.scan(wall_clock(), interval, refresh) {
            Ok(inventory) => {
                let took = started.elapsed();
                let unread = inventory.sources.iter().filter(|s| s.error.is_some()).count();
                tracing::info!(
                    packages = inventory.packages.len(),
                    updates = inventory.updates.len(),
                    unread_sources = unread,
                    took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                    "scanned"
                );
                let digest = inventory.digest();
                self.inventory = Some(Scanned {
                    inventory,
                    digest: digest.clone(),
                    at: wall_clock(),
                    took,
                });
                Event::Scanned {
                    digest,
                    unread: unread > 0,
                }
            }
            Err(e) => {
                tracing::error!(error = e, "the scan failed");
                Event::ScanFailed
            }
        }
    }

    /// The last look, then `Started` on the disk.
    fn begin(&mut self, order: Order, permit: Permit) -> Event {
        let from = self.device.look(&order.packages);
        let automatic = match self.device.check(&order) {
            Ok(automatic) => automatic,
            Err(why) => return Event::NotBegun(why),
        };
        let (attempt, fence) = (permit.attempt, permit.fence);
        let job = Job {
            order,
            permit,
            from: from.clone(),
            automatic,
        };
        let written = made(attempt, fence, AttemptEvent::Started { from })
            .and_then(|record| self.journal.record(record, Some(job)));
        match written {
            Ok(()) => Event::Begun { unsent: self.unsent() },
            Err(e) => {
                let message = ShortText::fit(&format!("the journal cannot be written: {e}"));
                Event::NotBegun(NotStarted::ManagerBusy { message })
            }
        }
    }

    /// The journal decides what runs: only what is written there as started.
    fn start(&mut self, order: Order, attempt: AttemptId, until: Moment) -> Option<Event> {
        let open = self.journal.open_job().filter(|(record, _)| record.attempt == attempt);
        let Some((started, job)) = open.map(|(record, job)| (record.id.clone(), job.clone())) else {
            tracing::error!(%attempt, "the journal does not hold this attempt as started; it does not run");
            let message = ShortText::fit("the agent's journal does not hold the start");
            let never = Seen {
                message,
                wanted: order.packages,
                ..Seen::default()
            };
            return Some(Event::Ended(Box::new(never)));
        };
        tracing::info!(%attempt, patch = %job.order.patch, packages = job.order.packages.len(), "the package manager starts");
        if let Err(e) = self.device.start(&started, &job, until) {
            // The next look finds that nothing was begun and says so.
            tracing::error!(%attempt, error = %e, "the worker cannot be started");
        }
        self.running = Some((started, job));
        None
    }

    fn recover(&mut self) -> Event {
        let Some((started, job)) = self.journal.open_job().map(|(r, j)| (r.id.clone(), j.clone())) else {
            return Event::StillRunning;
        };
        let attempt = job.permit.attempt;
        if self.running.is_none() {
            tracing::warn!(%attempt, "an attempt was started and has no end; looking at what is installed");
            self.running = Some((started.clone(), job.clone()));
        }
        match self.advance(&started, &job) {
            Some(Progress::Ended(seen)) => Event::Ended(seen),
            Some(Progress::Running) | None => Event::StillRunning,
        }
    }

    /// Looks at a started attempt. What stands in the way of looking, a full disk perhaps, is told once, and given some time.
    fn advance(&mut self, started: &str, job: &Job) -> Option<Progress> {
        match self.device.advance(started, job) {
            Ok(progress) => {
                (self.trouble, self.look_at) = (None, None);
                Some(progress)
            }
            Err(e) => {
                let said = e.to_string();
                if self.trouble.as_ref() != Some(&said) {
                    tracing::error!(attempt = %job.permit.attempt, error = said, "cannot look at the running attempt; trying again");
                }
                (self.trouble, self.look_at) = (Some(said), Some(Instant::now() + LOOK_AGAIN));
                None
            }
        }
    }

    fn finish(&mut self, finish: Finish) -> Event {
        let open = self.journal.open_job().map(|(r, _)| (r.attempt, r.fence));
        let of = finish.permit.as_ref().map(|p| (p.attempt, p.fence)).or(open);
        self.running = None;
        self.outdated = services::own_is_stale();
        let Some((attempt, fence)) = of else {
            return Event::Noted { unsent: self.unsent() };
        };
        let Finish {
            outcome,
            observed,
            log,
            took,
            restart,
            ..
        } = finish;
        tracing::info!(%attempt, ?outcome, took_s = took, restart, "the attempt ended");
        let event = AttemptEvent::Finished {
            outcome,
            observed,
            log,
            took,
        };
        let restart_in = restart.then(os::boot_id);
        let written = made(attempt, fence, event).and_then(|record| self.journal.finish(record, restart_in));
        match written {
            Ok(()) => Event::Noted { unsent: self.unsent() },
            Err(e) => {
                tracing::error!(%attempt, error = %e, "the end of the attempt cannot be written; trying again");
                Event::NoteFailed
            }
        }
    }

    fn store_notices(&mut self, notices: &[DeviceNotice]) {
        let before: Vec<DeviceNotice> = lenient(self.home.load(NOTICES_FILE)).unwrap_or_default();
        if before != notices
            && let Err(e) = self.home.publish(NOTICES_FILE, &notices)
        {
            tracing::warn!(error = %e, "the notices cannot be stored");
        }
    }
}

/// As many of the oldest records as one message holds, at least one.
fn batch(records: &[&AttemptRecord]) -> Vec<AttemptRecord> {
    let mut taken = 0;
    let fits = records
        .iter()
        .take(limits::MAX_RESULTS)
        .enumerate()
        .take_while(|(at, record)| {
            taken += size(record) + 1;
            *at == 0 || taken <= ROOM
        });
    fits.map(|(_, record)| (*record).clone()).collect()
}

/// Bytes on the wire.
fn size(part: &impl Serialize) -> usize {
    serde_json::to_vec(part).map_or(0, |json| json.len())
}

/// A record of now, under a new id.
fn made(attempt: AttemptId, fence: u64, event: AttemptEvent) -> io::Result<AttemptRecord> {
    Ok(AttemptRecord {
        id: identity::random_hex(16)?,
        attempt,
        fence,
        at: wall_clock(),
        event,
    })
}

/// A file that can be made again from the server is not worth stopping for.
fn lenient<T>(read: io::Result<Option<T>>) -> Option<T> {
    read.unwrap_or_else(|e| {
        tracing::warn!(error = %e, "a file of the agent cannot be read; it is made anew");
        None
    })
}

fn failed(call: Call, error: &CallError) -> Event {
    tracing::warn!(?call, %error, "the call failed");
    let failure = match error {
        CallError::Unreachable(_) | CallError::Unverified(_) => Failure::NoAnswer,
        CallError::Here(_) => Failure::Here,
        CallError::TooLarge(_) => Failure::TooLarge,
        CallError::Refused(refusal) => Failure::Refused(refusal.code),
    };
    Event::CallFailed(call, failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{LongText, v1::Outcome};

    #[test]
    fn records_with_long_logs_go_in_several_messages() {
        let record = |n: u32| AttemptRecord {
            id: format!("{n:032x}"),
            attempt: AttemptId(1),
            fence: 1,
            at: Moment(0),
            event: AttemptEvent::Finished {
                outcome: Outcome::Succeeded,
                observed: vec![],
                log: LongText::fit(&"\"".repeat(LongText::MAX)),
                took: 1,
            },
        };
        let records: Vec<AttemptRecord> = (0..100).map(record).collect();
        let all: Vec<&AttemptRecord> = records.iter().collect();
        let first = batch(&all);
        assert!((10..100).contains(&first.len()) && size(&Results { results: first.clone() }) <= ROOM);
        assert_eq!(first[..], records[..first.len()], "the oldest first");
        assert_eq!(batch(&all[..3]).len(), 3);
        assert!(batch(&[]).is_empty());
    }
}
