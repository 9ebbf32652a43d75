//! How often a device installs (SCH-1). It installs in rounds: a round begins with the first permit after the last
//! round is over, and is open for [`ROUND`]; whatever is due in it runs in it. The next one may begin once the
//! profile's `install_every` has gone by since the last one began; an interval that is not longer than a round means no
//! waiting.
//!
//! Neither held back nor counted: urgent approvals, because an emergency does not wait for a day; rollbacks, which pass
//! no gate; and tries after a failure, which have a wait of their own and finish a change that the round has begun.
//! Catching up after missed windows is an ordinary install.

use super::Ctx;
use crate::reason::{GateStatus, Reason};
use domain::{Moment, ProfileId, Span, Urgency};

/// How long a round is open. Long enough for what a profile's evening gives a device to do, one patch after the other
/// with downloads and a restart between them; short enough that somebody who was promised one disturbance a day sees
/// one.
pub const ROUND: Span = Span::hours(4);

/// The latest round of a device as its profile counts it.
struct Latest {
    profile: ProfileId,
    began: Moment,
    every: Span,
}

impl Latest {
    /// The first moment that is not in it.
    fn over(&self) -> Moment {
        self.began + ROUND
    }

    /// When the next one may begin.
    fn next(&self) -> Moment {
        self.over().max(self.began + self.every)
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
    let (began, over, next) = (latest.began, latest.over(), latest.next());
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
    let (began, (index, _)) = (ctx.round?, ctx.schedule.profile?);
    let profile = &ctx.policy.policy().profiles[index];
    exempt(ctx).is_none().then_some(Latest {
        profile: profile.id,
        began,
        every: profile.install_every,
    })
}

/// Whether a permit for this install at `at` begins a round.
pub(crate) fn begins(ctx: &Ctx, at: Moment) -> bool {
    exempt(ctx).is_none() && ctx.round.is_none_or(|began| at >= began + ROUND)
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
