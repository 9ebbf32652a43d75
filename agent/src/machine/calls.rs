//! What comes of calls to the server: a call that fails waits by itself, and none silences the others.

use super::{Activity, Call, Effect, End, Failure, State, Turn};
use domain::{Moment, Span};
use protocol::v1::RefusalCode;

/// Seconds before the first retry of a call; doubled each time.
const BACKOFF_FIRST: i64 = 5;
/// Seconds between retries at most.
const BACKOFF_MOST: i64 = 3_600;
/// Messages that the server will never take as they are: not sent again for this long.
const REFUSED_FOR: Span = Span::hours(6);

impl State {
    pub(super) fn link_works(&mut self) {
        self.calling = None;
        self.failures = 0;
        self.link_at = Moment(i64::MIN);
        self.answered = true;
    }

    pub(super) fn failed(&mut self, call: Call, failure: Failure, turn: Turn, effects: &mut Vec<Effect>) {
        let now = turn.now;
        self.calling = None;
        match failure {
            Failure::Refused(RefusalCode::Revoked) => self.end(End::Revoked, effects),
            Failure::Refused(RefusalCode::DigestMismatch) if call == Call::Report => {
                // Twice in a row would be a fault on one side; then it waits like any other.
                if self.kept.acknowledged.take().is_some() {
                    effects.push(Effect::Save(self.kept.clone()));
                } else {
                    self.put_off(call, turn);
                }
                self.report_full = Some(true);
            }
            Failure::TooLarge
            | Failure::Refused(RefusalCode::Malformed | RefusalCode::TooLarge | RefusalCode::NotActive) => match call {
                Call::Report => {
                    self.report_full = None;
                    self.scan_at = self.scan_at.max(now + self.interval());
                    self.given_up(true, effects);
                }
                Call::Results => self.results_at = now + REFUSED_FOR,
                Call::CheckIn => self.back_off(turn),
                Call::Permit => {}
            },
            Failure::Refused(_) | Failure::NoAnswer | Failure::Here => {
                // A server that refuses is there: then only this call waits.
                if call == Call::CheckIn || !matches!(failure, Failure::Refused(_)) {
                    self.back_off(turn);
                }
                self.put_off(call, turn);
                if call == Call::Report && self.report_full.is_none() {
                    self.report_full = Some(self.kept.acknowledged.is_none());
                }
            }
        }
        match call {
            // The next check-in brings the order again, if it still stands.
            Call::Permit if matches!(self.activity, Activity::Asking { .. }) => self.activity = Activity::Idle,
            Call::Results => self.told(now),
            Call::CheckIn | Call::Report | Call::Permit => {}
        }
    }

    /// Notes for people at the device whether the server holds the last report.
    pub(super) fn given_up(&mut self, unreported: bool, effects: &mut Vec<Effect>) {
        if self.kept.unreported != unreported {
            self.kept.unreported = unreported;
            effects.push(Effect::Save(self.kept.clone()));
        }
    }

    /// A call that failed waits by itself, however well others go.
    fn put_off(&mut self, call: Call, turn: Turn) {
        let (failed, at) = match call {
            Call::Report => (&mut self.reports_failed, &mut self.report_at),
            Call::Results => (&mut self.results_failed, &mut self.results_at),
            // A check-in waits for the link, and brings a refused permit's order again.
            Call::CheckIn | Call::Permit => return,
        };
        *failed = failed.saturating_add(1);
        *at = turn.now + wait(*failed, turn);
    }

    /// Nothing is sent for a while.
    fn back_off(&mut self, turn: Turn) {
        self.failures = self.failures.saturating_add(1);
        self.link_at = turn.now + wait(self.failures, turn);
    }

    /// Whether a check-in goes before a call that failed so often in a row.
    pub(super) fn check_in_before(&self, failed: u32, now: Moment) -> bool {
        failed > 0 && now >= self.check_in_at
    }

    /// Results first, then a check-in; both are also sent while the package manager runs.
    pub(super) fn talk(&mut self, now: Moment) -> Option<Effect> {
        let results = self.unsent > 0 && now >= self.results_at;
        let (call, effect) = if results && !self.check_in_before(self.results_failed, now) {
            (Call::Results, Effect::SendResults)
        } else if now >= self.check_in_at {
            (Call::CheckIn, Effect::CheckIn)
        } else {
            return None;
        };
        self.calling = Some(call);
        Some(effect)
    }
}

/// Before a call is tried again: doubles each time up to an hour; half of it is chance.
fn wait(failures: u32, turn: Turn) -> Span {
    let whole = (BACKOFF_FIRST << failures.saturating_sub(1).min(16)).min(BACKOFF_MOST);
    let wait = whole / 2 + whole * i64::from(turn.jitter) / (2 * 65_536);
    Span(wait.max(1))
}
