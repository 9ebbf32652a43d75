//! One device, one patch, one moment: one decision.

use crate::calendar::Open;
use crate::compile::{Compiled, Tables};
use crate::facts::{DeviceFacts, PairFacts, PatchFacts};
use crate::gates::interval::Round;
use crate::gates::{Ctx, RULES, frame, interval, window};
use crate::profile::{WhyProfile, winner};
use crate::reason::{Decision, Gate, GateReport, GateStatus, Verdict};
use crate::schedule::ZoneRule;
use domain::{FreezeId, Moment, PatchState, WindowId};
use std::borrow::Cow;

/// Decides about one patch on one device at `now`. Total: every input gets exactly one decision with every gate's word.
#[must_use]
pub fn decide(policy: &Compiled, device: &DeviceFacts, patch: &PatchFacts, pair: &PairFacts, now: Moment) -> Decision {
    Schedule::new(policy, device).decide(patch, pair, now)
}

/// What counts for one device: its profile, windows and freezes. Make it once and ask it about many patches.
#[derive(Debug)]
pub struct Schedule<'a> {
    pub(crate) policy: &'a Compiled,
    pub(crate) device: &'a DeviceFacts,
    pub(crate) profile: Option<(usize, WhyProfile)>,
    pub(crate) windows: Cow<'a, [usize]>,
    tables: Option<Cow<'a, Tables>>,
}

/// What a calendar page draws for one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Its windows; none at all: no window limits it.
    pub windows: Vec<(WindowId, Open)>,
    /// Its profile's hours; `None`: all day, or no profile covers it.
    pub frames: Option<Vec<Open>>,
    /// Its freezes.
    pub freezes: Vec<(FreezeId, Open)>,
}

impl<'a> Schedule<'a> {
    /// Looks up what counts for `device`.
    #[must_use]
    pub fn new(policy: &'a Compiled, device: &'a DeviceFacts) -> Self {
        Self {
            policy,
            device,
            profile: winner(policy, device),
            windows: policy.windows_of(device),
            tables: policy.in_zone(&device.zone),
        }
    }

    /// Knows nothing of profiles, windows and zones: only for gates that do not ask.
    pub(crate) fn without_calendar(policy: &'a Compiled, device: &'a DeviceFacts) -> Self {
        Self {
            policy,
            device,
            profile: None,
            windows: Cow::Borrowed(&[]),
            tables: None,
        }
    }

    /// How many windows limit this device; none: it may install at any time inside its profile's hours.
    #[must_use]
    pub fn windows(&self) -> u32 {
        u32::try_from(self.windows.len()).unwrap_or(u32::MAX)
    }

    /// Decides about one patch at `now`.
    #[must_use]
    pub fn decide(&self, patch: &PatchFacts, pair: &PairFacts, now: Moment) -> Decision {
        let ctx = Ctx::new(self, patch, pair, now);
        let mut ladder = Vec::with_capacity(RULES.len());
        ladder.extend(RULES.iter().map(|(gate, rule)| GateReport {
            gate: *gate,
            status: rule(&ctx),
        }));
        if is_settled(pair.state) {
            return Decision {
                verdict: Verdict::Settled { how: pair.state },
                ladder,
                earliest: None,
            };
        }
        if ladder.iter().all(|report| report.status.is_open()) {
            let not_before = ladder.iter().filter_map(since).max().unwrap_or(Moment(0));
            let not_after = latest_start(&ctx);
            return Decision {
                verdict: Verdict::Install { not_before, not_after },
                ladder,
                earliest: Some(not_before),
            };
        }
        let mut reasons = Vec::with_capacity(2);
        reasons.extend(
            ladder
                .iter()
                .filter(|r| !r.status.is_open())
                .filter_map(|r| r.status.reason().copied()),
        );
        let earliest = earliest(&ctx, &ladder);
        Decision {
            verdict: Verdict::Hold { reasons },
            ladder,
            earliest,
        }
    }

    /// The round of installs that a permit for this patch at `now` begins on the device, if it begins one. Whoever gives the permit writes
    /// that down as `round_started` and `round_counts_from`, in the same transaction (SCH-1, I-41).
    #[must_use]
    pub fn begins_round(&self, patch: &PatchFacts, pair: &PairFacts, now: Moment) -> Option<Round> {
        interval::begins(&Ctx::new(self, patch, pair, now), now)
    }

    /// The next moment after `now` at which the decision about this patch can change although no fact does; `None`: never inside the
    /// horizon, or settled. Every moment before it gives the same decision.
    #[must_use]
    pub fn next_change_at(&self, patch: &PatchFacts, pair: &PairFacts, now: Moment) -> Option<Moment> {
        self.next_change(&self.decide(patch, pair, now), patch, pair, now)
    }

    /// As [`Self::next_change_at`], for a decision that was made at `now`.
    pub(crate) fn next_change(
        &self,
        decision: &Decision,
        patch: &PatchFacts,
        pair: &PairFacts,
        now: Moment,
    ) -> Option<Moment> {
        if is_settled(pair.state) {
            return None;
        }
        let ctx = Ctx::new(self, patch, pair, now);
        let gates = decision.ladder.iter().filter_map(|report| match report.status {
            GateStatus::OpensAt { at, .. } => Some(at),
            GateStatus::Open { .. } | GateStatus::Closed { .. } => None,
        });
        let edges = interval::edges(&ctx)
            .chain(frame::edges(&ctx))
            .chain(window::edges(&ctx));
        gates.chain(edges).filter(|at| *at > now).min()
    }

    /// Whether installs on this device are limited to windows, open or not.
    #[must_use]
    pub fn has_windows(&self) -> bool {
        !self.windows.is_empty()
    }

    /// What a calendar page draws for this device in `range`.
    #[must_use]
    pub fn drawn(&self, range: Open) -> Drawn {
        let meets = |span: &&Open| span.from < range.to && range.from < span.to;
        let policy = self.policy.policy();
        let windows = self.windows.iter().flat_map(|i| {
            let id = policy.windows[*i].id;
            self.window_spans(*i).iter().filter(meets).map(move |span| (id, *span))
        });
        let frames = self.profile.and_then(|(index, _)| self.frame_spans(index));
        let freezes = self
            .policy
            .freezes_of(self.device)
            .filter_map(|i| Some((policy.freezes[i].id, self.freeze_span(i)?)));
        Drawn {
            windows: windows.collect(),
            frames: frames.map(|spans| spans.iter().filter(meets).copied().collect()),
            freezes: freezes.filter(|(_, span)| meets(&span)).collect(),
        }
    }

    /// The spans of a window of the policy, for this device.
    pub(crate) fn window_spans(&self, index: usize) -> &[Open] {
        let by_device = self.policy.policy().windows[index].zone == ZoneRule::Device;
        self.table(by_device).map_or(&[], |tables| &tables.windows[index])
    }

    /// The profile's hours for this device; `None`: all day.
    pub(crate) fn frame_spans(&self, profile: usize) -> Option<&[Open]> {
        let frame = self.policy.policy().profiles[profile].frame.as_ref()?;
        Some(
            self.table(frame.zone == ZoneRule::Device)
                .map_or(&[], |tables| &tables.frames[profile]),
        )
    }

    /// A freeze's span for this device.
    pub(crate) fn freeze_span(&self, index: usize) -> Option<Open> {
        let by_device = self.policy.policy().freezes[index].zone == ZoneRule::Device;
        self.table(by_device).and_then(|tables| tables.freezes[index])
    }

    fn table(&self, by_device: bool) -> Option<&Tables> {
        if by_device {
            self.tables.as_deref()
        } else {
            Some(self.policy.fixed())
        }
    }
}

/// States in which there is nothing to decide: it is there, it is not needed, or it runs.
pub(crate) const fn is_settled(state: PatchState) -> bool {
    match state {
        PatchState::NotApplicable
        | PatchState::InstalledBySuperseding
        | PatchState::Downloading
        | PatchState::Staged
        | PatchState::Installing
        | PatchState::PendingReboot
        | PatchState::RestartNeeded
        | PatchState::Installed => true,
        PatchState::Unknown
        | PatchState::Superseded
        | PatchState::Missing
        | PatchState::Failed
        | PatchState::RolledBack => false,
    }
}

fn since(report: &GateReport) -> Option<Moment> {
    match report.status {
        GateStatus::Open { since, .. } => since,
        GateStatus::OpensAt { .. } | GateStatus::Closed { .. } => None,
    }
}

/// The last moment at which an install that may start now may start.
fn latest_start(ctx: &Ctx) -> Option<Moment> {
    [
        interval::latest_start(ctx),
        frame::latest_start(ctx),
        window::latest_start(ctx),
    ]
    .into_iter()
    .flatten()
    .min()
}

/// The earliest moment at which time alone opens every gate: after the last gate that time opens, where a round, the profile's
/// hours and a window meet.
fn earliest(ctx: &Ctx, ladder: &[GateReport]) -> Option<Moment> {
    let mut at = ctx.now;
    for report in ladder {
        match report.status {
            GateStatus::Closed { .. } => return None,
            GateStatus::OpensAt { at: opens, .. }
                if !matches!(report.gate, Gate::Interval | Gate::Frame | Gate::Window) =>
            {
                at = at.max(opens)
            }
            GateStatus::OpensAt { .. } | GateStatus::Open { .. } => {}
        }
    }
    meet(ctx, at)
}

/// The first moment from `at` on at which a round is open or may begin, and the profile's hours and the windows have room.
pub(crate) fn meet(ctx: &Ctx, mut at: Moment) -> Option<Moment> {
    loop {
        let round = interval::next_start(ctx, at);
        let start = window::next_start(ctx, frame::next_start(ctx, round)?)?;
        if start == round {
            return Some(start);
        }
        at = start;
    }
}

/// Whether the device's hours and windows ever have room for the shortest install before the horizon.
pub(crate) fn ever_meets(policy: &Compiled, device: &DeviceFacts, now: Moment) -> bool {
    let schedule = Schedule::new(policy, device);
    let patch = PatchFacts::new(domain::PatchId(0), device.os_release);
    let pair = PairFacts::new(PatchState::Missing);
    meet(&Ctx::new(&schedule, &patch, &pair, now), now).is_some()
}
