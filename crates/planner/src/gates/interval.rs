//! How often a device installs (SCH-1). It installs in rounds: a round begins with the first permit after the last
//! round is over, and is open for [`ROUND`]; whatever is due in it runs in it. The next one may begin once the
//! profile's `install_every` has gone by since the last one began; an interval that is not longer than a round means no
//! waiting.
//!
//! The interval counts from the opening of the time in which the round began, where that time (the profile's hours and a
//! window together) is no longer than the interval: a nightly window and an interval of a day are one round each night, at
//! whatever minute it begins. Where it is longer, or nothing limits the device, it counts from the round's own beginning.
//! Counting from that in short windows would let each round begin later than the last one, until a night is missed
//! (docs/adr/0011).
//!
//! Neither held back nor counted: urgent approvals, because an emergency does not wait for a day; rollbacks, which pass
//! no gate; and tries after a failure, which have a wait of their own and finish a change that the round has begun.
//! Catching up after missed windows is an ordinary install.

use super::{Ctx, frame, window};
use crate::calendar::Open;
use crate::facts::DeviceFacts;
use crate::reason::{GateStatus, Reason};
use domain::{Moment, ProfileId, Span, Urgency};

/// How long a round is open. Long enough for what a profile's evening gives a device to do, one patch after the other
/// with downloads and a restart between them; short enough that somebody who was promised one disturbance a day sees
/// one.
pub const ROUND: Span = Span::hours(4);

/// A round of installs on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// When it began.
    pub began: Moment,
    /// From when on the interval to the next one counts.
    pub counts_from: Moment,
}

impl Round {
    /// The latest one of a device.
    pub(crate) fn of(device: &DeviceFacts) -> Option<Self> {
        let began = device.round_started?;
        let counts_from = device.round_counts_from.unwrap_or(began);
        Some(Self { began, counts_from })
    }
}

/// The latest round of a device as its profile counts it.
struct Latest {
    profile: ProfileId,
    round: Round,
    every: Span,
}

impl Latest {
    /// The first moment that is not in it.
    fn over(&self) -> Moment {
        self.round.began + ROUND
    }

    /// When the next one may begin.
    fn next(&self) -> Moment {
        self.over().max(self.round.counts_from + self.every)
    }
}

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    if ctx.round.is_some()
        && let Some(note) = exempt(ctx)
    {
        return GateStatus::noted(note);
    }
    let Some(latest) = latest(ctx) else {
        return GateStatus::OPEN;
    };
    let (began, over, next) = (latest.round.began, latest.over(), latest.next());
    if ctx.now < over {
        GateStatus::noted(Reason::InRound { began, until: over })
    } else if ctx.now < next {
        GateStatus::OpensAt {
            at: next,
            reason: Reason::IntervalNotOver {
                profile: latest.profile,
                began,
                every: latest.every,
                until: next,
            },
        }
    } else {
        GateStatus::Open {
            since: Some(next),
            note: None,
        }
    }
}

/// Why this install neither waits for a round nor begins one, if so.
fn exempt(ctx: &Ctx) -> Option<Reason> {
    match ctx.approval {
        Some((d, Urgency::SkipSoak | Urgency::SkipSoakAndWindows)) => Some(Reason::UrgentSkipsInterval {
            decision: d.id,
            by: d.by,
        }),
        _ => (ctx.pair.attempts_failed > 0).then_some(Reason::RetrySkipsInterval {
            failed: ctx.pair.attempts_failed,
        }),
    }
}

/// The round that this install has to look at, if any.
fn latest(ctx: &Ctx) -> Option<Latest> {
    let (round, (index, _)) = (ctx.round?, ctx.schedule.profile?);
    let profile = &ctx.policy.policy().profiles[index];
    exempt(ctx).is_none().then_some(Latest {
        profile: profile.id,
        round,
        every: profile.install_every,
    })
}

/// The round that a permit for this install at `at` begins, if it begins one.
pub(crate) fn begins(ctx: &Ctx, at: Moment) -> Option<Round> {
    let begins = exempt(ctx).is_none() && ctx.round.is_none_or(|round| at >= round.began + ROUND);
    begins.then(|| Round {
        began: at,
        counts_from: opening(ctx, at).unwrap_or(at),
    })
}

/// When the time opened that `at` lies in; `None` where nothing limits it, or where it is longer than the interval.
fn opening(ctx: &Ctx, at: Moment) -> Option<Moment> {
    let (index, _) = ctx.schedule.profile?;
    let every = ctx.policy.policy().profiles[index].install_every;
    let spans = [frame::around_of(ctx, at), window::around_of(ctx, at, every)];
    let both = spans.into_iter().flatten().reduce(|a, b| Open {
        from: a.from.max(b.from),
        to: a.to.min(b.to),
    })?;
    (both.to.since(both.from) <= every).then_some(both.from)
}

/// The first moment from `from` on that lies in the latest round or in one that may begin.
pub(crate) fn next_start(ctx: &Ctx, from: Moment) -> Moment {
    match latest(ctx) {
        Some(latest) if from >= latest.over() => from.max(latest.next()),
        _ => from,
    }
}

/// The last moment of the round that is open now, where the next one does not follow at once.
pub(crate) fn latest_start(ctx: &Ctx) -> Option<Moment> {
    let latest = latest(ctx).filter(|latest| ctx.now < latest.over() && latest.over() < latest.next())?;
    Some(latest.over() - Span(1))
}

/// Moments at which this gate may change.
pub(crate) fn edges(ctx: &Ctx) -> impl Iterator<Item = Moment> {
    latest(ctx)
        .into_iter()
        .flat_map(|latest| [latest.over(), latest.next()])
}
