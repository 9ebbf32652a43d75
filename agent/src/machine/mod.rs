//! Decides what the agent does next. Pure: no I/O, no clock, no randomness; the same events at the same moments give the same effects,
//! so that a simulation can drive it through crashes and years in seconds.
//!
//! `now` must never go backwards within one life of the process; the driver counts it with a clock that no one sets.

mod calls;
mod judge;
mod orders;
mod words;

pub use judge::{Seen, judge};
pub use words::{Call, Effect, End, Event, Failure, Fetched, Finish, Kept, Restart, Turn};

use crate::config::LocalPolicy;
use domain::{DeviceState, Measured, Moment, RebootPolicy, Span};
use orders::{acceptable, same_packages};
use protocol::{
    LongText, ShortText,
    v1::{CheckInReply, Digest, NotStarted, Order, Outcome, PackageVersion, Permit, PermitReply},
};
use std::collections::VecDeque;

/// Bounds on the server's wish for the next check-in: neither a flood nor a device that is never seen again.
const POLL: (u32, u32) = (1, 86_400);
/// Seconds before the first look after one that could not see everything.
const LOOK_AGAIN_FIRST: i64 = 900;
/// Seconds between looks at a package manager that still runs from before the agent's start.
const LOOK_AGAIN: Span = Span(5);
/// Seconds before a journal record that could not be written is tried again.
const WRITE_AGAIN: Span = Span(30);
/// How long an ordered restart is waited for. A system that goes down asks the agent to stop long before.
pub const RESTART_WITHIN: Span = Span(600);

/// How long after a look the next one is due: where it could not see everything, sooner than `interval`, and later each time up to that.
/// A laptop that wakes before its network does would otherwise not know of an update until tomorrow.
#[must_use]
pub fn again_after(failures: u32, interval: Span) -> Span {
    match failures {
        0 => interval,
        n => Span(LOOK_AGAIN_FIRST << (n - 1).min(16)).min(interval),
    }
}

/// What the device is busy with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Activity {
    Idle,
    Scanning,
    Preparing(Order),
    Asking {
        order: Order,
        current: Vec<PackageVersion>,
        ready: Result<(), NotStarted>,
        asked: Moment,
    },
    Beginning {
        order: Order,
        permit: Permit,
        current: Vec<PackageVersion>,
        until: Moment,
        asked: bool,
    },
    /// `Started` is written; one try to tell the server, then the package manager starts.
    Begun {
        order: Order,
        permit: Permit,
        current: Vec<PackageVersion>,
        until: Moment,
    },
    Running {
        order: Order,
        permit: Permit,
        until: Moment,
    },
    Recovering {
        again: Option<Moment>,
    },
    Noting {
        finish: Finish,
        again: Option<Moment>,
    },
    Rebooting {
        until: Moment,
    },
}

/// The agent's mind.
#[derive(Clone, Debug)]
pub struct State {
    kept: Kept,
    local: LocalPolicy,
    once: bool,
    activity: Activity,
    calling: Option<Call>,
    check_in_at: Moment,
    scan_at: Moment,
    refresh: bool,
    /// Scans in a row that could not look at everything.
    scans_short: u32,
    latest: Option<Digest>,
    report_full: Option<bool>,
    report_at: Moment,
    /// Reports, and deliveries of results, that failed in a row: then a check-in that is due goes first, so that one call that never works
    /// does not silence the device.
    reports_failed: u32,
    results_failed: u32,
    unsent: u32,
    results_at: Moment,
    orders: VecDeque<Order>,
    failures: u32,
    link_at: Moment,
    /// A restart is owed, and may be ordered from then on.
    reboot: Option<Moment>,
    /// What the permit of the attempt that has no end says of a restart.
    open: Option<RebootPolicy>,
    stopping: bool,
    answered: bool,
    ended: bool,
}

impl State {
    /// A new life. `once` ends it when nothing is left to do.
    #[must_use]
    pub fn new(kept: Kept, local: LocalPolicy, once: bool) -> Self {
        let zero = Moment(i64::MIN);
        Self {
            kept,
            local,
            once,
            activity: Activity::Idle,
            calling: None,
            check_in_at: zero,
            scan_at: zero,
            refresh: false,
            scans_short: 0,
            latest: None,
            report_full: None,
            report_at: zero,
            reports_failed: 0,
            results_failed: 0,
            unsent: 0,
            results_at: zero,
            orders: VecDeque::new(),
            failures: 0,
            link_at: zero,
            reboot: None,
            open: None,
            stopping: false,
            answered: false,
            ended: false,
        }
    }

    /// What outlives the process.
    #[must_use]
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Records that the server has not acknowledged.
    #[must_use]
    pub fn unsent(&self) -> u32 {
        self.unsent
    }

    /// When to come back with [`Event::Tick`] if nothing happens before: never earlier than something can be done then.
    #[must_use]
    pub fn wake(&self) -> Moment {
        let talk = || {
            let results = if self.unsent > 0 { self.results_at } else { Moment::MAX };
            let due = self.check_in_at.min(results);
            if self.stopping {
                Moment::MAX
            } else {
                due.max(self.link_at)
            }
        };
        match &self.activity {
            _ if self.ended || self.calling.is_some() => Moment::MAX,
            Activity::Idle => {
                let report = self
                    .report_full
                    .map_or(Moment::MAX, |_| self.link_at.max(self.report_at));
                let reboot = self.reboot.unwrap_or(Moment::MAX);
                talk().min(self.scan_at).min(report).min(reboot)
            }
            Activity::Running { .. } => talk(),
            Activity::Recovering { again } => talk().min(again.unwrap_or(Moment::MAX)),
            Activity::Noting { again, .. } => again.unwrap_or(Moment::MAX),
            Activity::Rebooting { until } => *until,
            Activity::Scanning
            | Activity::Preparing(_)
            | Activity::Asking { .. }
            | Activity::Beginning { .. }
            | Activity::Begun { .. } => Moment::MAX,
        }
    }

    /// Whether nothing is under way or owed, so that the process may be replaced.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        let restarts = self.reboot.is_some() || self.open.is_some();
        let owed = self.unsent > 0 || self.report_full.is_some() || restarts || !self.orders.is_empty();
        self.activity == Activity::Idle && self.calling.is_none() && !owed
    }

    /// Whether it waits for the package manager, which must never be stopped.
    #[must_use]
    pub fn running(&self) -> bool {
        matches!(self.activity, Activity::Running { .. })
    }
}

/// One step.
#[must_use]
pub fn step(mut state: State, event: Event, turn: Turn) -> (State, Vec<Effect>) {
    let mut effects = Vec::new();
    state.take(event, turn, &mut effects);
    effects.extend(state.next(turn.now));
    (state, effects)
}

impl State {
    fn take(&mut self, event: Event, turn: Turn, effects: &mut Vec<Effect>) {
        let now = turn.now;
        match event {
            Event::Born { open, unsent, restart } => {
                (self.open, self.unsent) = (open, unsent);
                match restart {
                    Restart::Nothing | Restart::Late => {}
                    Restart::Owed => self.owe_restart(now),
                    Restart::Ordered { left } => self.activity = Activity::Rebooting { until: now + left },
                    Restart::Over { took } => self.measure(|m| m.restart = took.or(m.restart), effects),
                }
            }
            Event::Tick => {}
            Event::Stop => self.stopping = true,
            Event::CheckedIn(reply) => self.checked_in(reply, now, effects),
            Event::Reported(digest) => {
                self.link_works();
                (self.reports_failed, self.report_at) = (0, Moment(i64::MIN));
                self.given_up(false, effects);
                if self.kept.acknowledged.as_ref() != Some(&digest) {
                    self.kept.acknowledged = Some(digest);
                    effects.push(Effect::Save(self.kept.clone()));
                    // What is new to the server may be answered with orders.
                    self.check_in_at = now;
                }
            }
            Event::Answered(reply) => self.answered(reply, now),
            Event::Delivered { unsent } => {
                self.link_works();
                self.results_failed = 0;
                // A server that acknowledges nothing is not asked in a circle.
                if unsent >= self.unsent {
                    self.results_at = now + Span(60);
                }
                self.unsent = unsent;
                self.told(now);
            }
            Event::Recounted { unsent } => self.unsent = unsent,
            Event::CallFailed(call, failure) => self.failed(call, failure, turn, effects),
            Event::Scanned { digest, unread } => {
                self.scan_ended(now, !unread);
                self.latest = Some(digest);
                self.report_full = Some(self.kept.acknowledged.is_none());
            }
            Event::ScanFailed => self.scan_ended(now, false),
            Event::Prepared { current, ready } => {
                let rate = ready.as_ref().ok().and_then(|fetched| fetched.rate);
                self.measure(|m| m.download_rate = rate.or(m.download_rate), effects);
                let ready = ready.map(|_| ());
                if let Activity::Preparing(order) = self.activity.clone() {
                    if self.stopping {
                        self.activity = Activity::Idle;
                        return;
                    }
                    self.calling = Some(Call::Permit);
                    effects.push(Effect::AskPermit {
                        order: order.clone(),
                        current: current.clone(),
                    });
                    self.activity = Activity::Asking {
                        order,
                        current,
                        ready,
                        asked: now,
                    };
                }
            }
            Event::Begun { unsent } => {
                self.unsent = unsent;
                if let Activity::Beginning {
                    order,
                    permit,
                    current,
                    until,
                    ..
                } = self.activity.clone()
                {
                    self.activity = Activity::Begun {
                        order,
                        permit,
                        current,
                        until,
                    };
                    self.calling = Some(Call::Results);
                    effects.push(Effect::SendResults);
                }
            }
            Event::NotBegun(why) => {
                if let Activity::Beginning { permit, current, .. } = self.activity.clone() {
                    self.not_started(permit, current, why);
                }
            }
            Event::Ended(seen) if self.waits_for_manager() => self.run_ended(*seen),
            Event::StillRunning if self.waits_for_manager() => {
                self.activity = Activity::Recovering {
                    again: Some(now + LOOK_AGAIN),
                }
            }
            Event::Ended(_) | Event::StillRunning => {}
            Event::Noted { unsent } => self.noted(unsent, now),
            Event::NoteFailed => {
                if let Activity::Noting { again, .. } = &mut self.activity {
                    *again = Some(now + WRITE_AGAIN);
                }
            }
            Event::RebootNotNoted | Event::RebootFailed if !matches!(self.activity, Activity::Rebooting { .. }) => {}
            Event::RebootNotNoted => {
                self.activity = Activity::Idle;
                self.owe_restart(now + WRITE_AGAIN);
            }
            Event::RebootFailed => self.activity = Activity::Idle,
        }
    }

    /// Notes what was measured, for the next check-in.
    fn measure(&mut self, change: impl FnOnce(&mut Measured), effects: &mut Vec<Effect>) {
        let before = self.kept.measured;
        change(&mut self.kept.measured);
        if self.kept.measured != before {
            effects.push(Effect::Save(self.kept.clone()));
        }
    }

    fn checked_in(&mut self, reply: CheckInReply, now: Moment, effects: &mut Vec<Effect>) {
        self.link_works();
        if reply.state == DeviceState::Revoked {
            self.end(End::Revoked, effects);
            return;
        }
        let before = self.kept.clone();
        self.kept.standing = Some(reply.state);
        if reply.epoch > self.kept.epoch {
            // The first epoch that is heard of is no restore.
            if self.kept.epoch > 0 {
                effects.push(Effect::Resend { epoch: reply.epoch });
            }
            self.kept.epoch = reply.epoch;
        }
        if let Some(policy) = reply.policy {
            self.kept.policy = policy;
            self.scan_at = self.scan_at.min(now + self.interval());
        }
        if reply.want_full_report {
            self.kept.acknowledged = None;
            match &self.latest {
                Some(_) => self.report_full = Some(true),
                None => self.scan_at = now,
            }
        }
        if reply.scan_now {
            (self.scan_at, self.refresh) = (now, true);
        }
        self.check_in_at = now + Span(i64::from(reply.poll_after.clamp(POLL.0, POLL.1)));
        self.orders = match reply.state {
            DeviceState::Active => reply.orders.into_iter().filter(acceptable).collect(),
            DeviceState::Pending | DeviceState::Quarantined | DeviceState::Revoked => VecDeque::new(),
        };
        if self.kept != before {
            effects.push(Effect::Save(self.kept.clone()));
        }
        effects.push(Effect::Notices(reply.notices));
    }

    fn answered(&mut self, reply: PermitReply, now: Moment) {
        self.link_works();
        let Activity::Asking {
            order,
            current,
            ready,
            asked,
        } = self.activity.clone()
        else {
            return;
        };
        self.activity = Activity::Idle;
        match reply {
            // The server says when it opens; the next check-in brings the order again.
            PermitReply::Refused { .. } => {}
            PermitReply::Granted(permit) => {
                // Counted from before the question, so that a slow answer never lengthens the permit.
                let until = asked + Span(i64::from(permit.start_within));
                match ready {
                    Err(why) => self.not_started(permit, current, why),
                    Ok(()) if !same_packages(&permit.packages, &order.packages) => {
                        let rule = ShortText::fit("the permit names other packages than the order");
                        self.not_started(permit, current, NotStarted::LocalPolicy { rule });
                    }
                    Ok(()) if now > until || self.stopping => {
                        self.not_started(permit, current, NotStarted::PermitExpired)
                    }
                    Ok(()) => {
                        self.activity = Activity::Beginning {
                            order,
                            permit,
                            current,
                            until,
                            asked: false,
                        }
                    }
                }
            }
        }
    }

    /// After the one try to tell the server that it starts.
    fn told(&mut self, now: Moment) {
        if let Activity::Begun {
            order,
            permit,
            current,
            until,
        } = self.activity.clone()
        {
            if now > until || self.stopping {
                self.not_started(permit, current, NotStarted::PermitExpired);
            } else {
                self.activity = Activity::Running { order, permit, until };
            }
        }
    }

    fn run_ended(&mut self, seen: Seen) {
        let permit = match &self.activity {
            Activity::Running { permit, .. } => Some(permit.clone()),
            _ => None,
        };
        let allowed = self.open.take() == Some(RebootPolicy::IfNeeded);
        let outcome = judge(&seen);
        let worked = matches!(outcome, Outcome::Succeeded | Outcome::InterruptedRecovered);
        let restart = worked && seen.restart_owed && allowed && self.may_restart();
        let Seen {
            observed, log, took, ..
        } = seen;
        self.activity = Activity::Noting {
            finish: Finish {
                permit,
                outcome,
                observed,
                log,
                took,
                restart,
            },
            again: None,
        };
    }

    /// Whether the owner of the device lets the server's policy restart it.
    fn may_restart(&self) -> bool {
        self.local.allow_reboot && !self.local.scan_only
    }

    fn owe_restart(&mut self, from: Moment) {
        self.reboot = self.may_restart().then_some(from);
    }

    fn not_started(&mut self, permit: Permit, current: Vec<PackageVersion>, why: NotStarted) {
        let outcome = Outcome::NotStarted { why };
        let finish = Finish {
            permit: Some(permit),
            outcome,
            observed: current,
            log: LongText::default(),
            took: 0,
            restart: false,
        };
        self.activity = Activity::Noting { finish, again: None };
    }

    fn noted(&mut self, unsent: u32, now: Moment) {
        if let Activity::Noting { finish, .. } = self.activity.clone() {
            self.activity = Activity::Idle;
            if !matches!(finish.outcome, Outcome::NotStarted { .. }) {
                // A later scan is the proof.
                self.scan_at = now;
                self.check_in_at = now;
            }
            if finish.restart {
                self.owe_restart(now);
            }
        }
        self.unsent = unsent;
        self.results_at = now;
    }

    /// Whether it waits for the end of a package manager.
    fn waits_for_manager(&self) -> bool {
        matches!(self.activity, Activity::Running { .. } | Activity::Recovering { .. })
    }

    /// Idle again, if it was this that kept it busy.
    fn leave(&mut self, activity: &Activity) {
        if self.activity == *activity {
            self.activity = Activity::Idle;
        }
    }

    /// `whole`: everything could be looked at.
    fn scan_ended(&mut self, now: Moment, whole: bool) {
        self.leave(&Activity::Scanning);
        self.refresh = false;
        self.scans_short = if whole { 0 } else { self.scans_short.saturating_add(1) };
        self.scan_at = now + again_after(self.scans_short, self.interval());
    }

    /// The server's interval, within reason.
    fn interval(&self) -> Span {
        Span(i64::from(self.kept.policy.scan_interval.clamp(60, 7 * 86_400)))
    }

    fn end(&mut self, end: End, effects: &mut Vec<Effect>) {
        self.ended = true;
        effects.push(Effect::Exit(end));
    }

    /// The one next thing, in order of urgency.
    fn next(&mut self, now: Moment) -> Option<Effect> {
        if self.ended || self.calling.is_some() {
            return None;
        }
        let link = now >= self.link_at && !self.stopping;
        match self.activity.clone() {
            Activity::Idle => {}
            Activity::Beginning {
                order,
                permit,
                current,
                until,
                asked: false,
            } => {
                self.activity = Activity::Beginning {
                    order: order.clone(),
                    permit: permit.clone(),
                    current,
                    until,
                    asked: true,
                };
                return Some(Effect::Begin { order, permit });
            }
            Activity::Noting { finish, again } if again.is_none_or(|at| now >= at) => {
                self.activity = Activity::Noting {
                    finish: finish.clone(),
                    again: Some(Moment::MAX),
                };
                return Some(Effect::Finish(finish));
            }
            Activity::Running { order, permit, until } if self.open.is_none() => {
                // Marked as open from here on: what was started once is not started again.
                self.open = Some(permit.reboot);
                return Some(Effect::Run { order, permit, until });
            }
            // The package manager goes on by itself; the next life looks at it again. A device that restarts ends its processes.
            Activity::Recovering { again: Some(_) } | Activity::Rebooting { .. } if self.stopping => {
                self.ended = true;
                return Some(Effect::Exit(End::Stopped));
            }
            Activity::Recovering { again } if again.is_some_and(|at| now >= at) => {
                self.activity = Activity::Recovering { again: None };
                return Some(Effect::Recover);
            }
            Activity::Running { .. } | Activity::Recovering { .. } if link => return self.talk(now),
            Activity::Rebooting { until } if now >= until => {
                self.activity = Activity::Idle;
                // The server hears from a new look that the restart is still owed.
                self.scan_at = now;
                return Some(Effect::GiveUpReboot);
            }
            _ => return None,
        }
        if self.stopping {
            self.ended = true;
            return Some(Effect::Exit(End::Stopped));
        }
        if self.open.is_some() {
            self.activity = Activity::Recovering { again: None };
            return Some(Effect::Recover);
        }
        if link && self.unsent > 0 && now >= self.results_at {
            return self.talk(now);
        }
        if self.reboot.is_some_and(|from| now >= from) {
            self.reboot = None;
            self.activity = Activity::Rebooting {
                until: now + RESTART_WITHIN,
            };
            return Some(Effect::Reboot);
        }
        let may_report = link && now >= self.report_at && !self.check_in_before(self.reports_failed, now);
        if may_report && let Some(full) = self.report_full.take() {
            self.calling = Some(Call::Report);
            return Some(Effect::Report { full });
        }
        if link && now >= self.check_in_at {
            return self.talk(now);
        }
        if now >= self.scan_at {
            self.activity = Activity::Scanning;
            return Some(Effect::Scan { refresh: self.refresh });
        }
        if let Some(order) = self.orders.pop_front() {
            self.activity = Activity::Preparing(order.clone());
            let forbidden = orders::forbidden(self.local, order.kind);
            return Some(Effect::Prepare {
                order,
                rate_kib: self.kept.policy.rate_kib,
                forbidden,
            });
        }
        if self.once && (self.answered || self.failures > 0) {
            self.ended = true;
            let failures = self.failures.max(self.reports_failed).max(self.results_failed);
            return Some(Effect::Exit(if failures == 0 { End::Done } else { End::NoAnswer }));
        }
        None
    }
}

#[cfg(test)]
mod tests;
