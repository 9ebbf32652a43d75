//! The hours of the device's profile (SCH-2, SCH-3). The install must end inside them.

use super::Ctx;
use crate::calendar::Open;
use crate::reason::{GateStatus, Reason};
use domain::{Moment, Span};

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    let Some((index, why)) = ctx.schedule.profile else {
        return GateStatus::Closed {
            reason: Reason::NoProfile,
        };
    };
    if let Some(d) = ctx.outside_windows() {
        return GateStatus::noted(Reason::UrgentSkipsWindows {
            decision: d.id,
            by: d.by,
        });
    }
    let profile = ctx.policy.policy().profiles[index].id;
    let Some(spans) = ctx.schedule.frame_spans(index) else {
        return GateStatus::noted(Reason::ByProfile {
            profile,
            why,
            until: None,
        });
    };
    if !ctx.policy.horizon().has(ctx.now) {
        return GateStatus::Closed {
            reason: Reason::BeyondHorizon,
        };
    }
    match fitting(spans, ctx.now, ctx.needed) {
        Some(span) if span.from <= ctx.now => GateStatus::Open {
            since: Some(span.from),
            note: Some(Reason::ByProfile {
                profile,
                why,
                until: Some(span.to),
            }),
        },
        Some(span) => GateStatus::OpensAt {
            at: span.from,
            reason: Reason::OutsideFrame {
                profile,
                why,
                opens: span.from,
            },
        },
        None => GateStatus::Closed {
            reason: Reason::FrameTooShort {
                profile,
                needed: ctx.needed,
            },
        },
    }
}

/// The first span in which an install of length `needed` can start at `from` or later.
pub(crate) fn fitting(spans: &[Open], from: Moment, needed: Span) -> Option<Open> {
    let first = spans.partition_point(|span| span.to <= from);
    spans[first..]
        .iter()
        .find(|span| span.to.since(span.from.max(from)).0 >= needed.0)
        .copied()
}

/// The spans that limit this install, if any do.
fn limits<'a>(ctx: &'a Ctx) -> Option<&'a [Open]> {
    let (index, _) = ctx.schedule.profile?;
    if ctx.outside_windows().is_some() {
        None
    } else {
        ctx.schedule.frame_spans(index)
    }
}

/// The hours around `at`, where they limit this install.
pub(crate) fn around_of(ctx: &Ctx, at: Moment) -> Option<Open> {
    let spans = limits(ctx)?;
    let span = spans.get(spans.partition_point(|span| span.to <= at))?;
    span.has(at).then_some(*span)
}

/// The first moment from `from` on at which the hours have room.
pub(crate) fn next_start(ctx: &Ctx, from: Moment) -> Option<Moment> {
    ctx.schedule.profile?;
    match limits(ctx) {
        None => Some(from),
        Some(spans) => fitting(spans, from, ctx.needed).map(|span| span.from.max(from)),
    }
}

/// The last moment at which the hours that are open now have room.
pub(crate) fn latest_start(ctx: &Ctx) -> Option<Moment> {
    let span = fitting(limits(ctx)?, ctx.now, ctx.needed)?;
    Some((span.to - ctx.needed).min(ctx.policy.horizon().to - Span(1)))
}

/// Moments at which this gate may change.
pub(crate) fn edges(ctx: &Ctx) -> impl Iterator<Item = Moment> {
    let spans = limits(ctx);
    let horizon = spans
        .map(|_| ctx.policy.horizon())
        .into_iter()
        .flat_map(|h| [h.from, h.to]);
    horizon.chain(around(spans.unwrap_or(&[]), ctx.now, ctx.needed))
}

/// The edges of the spans around `now`, and the moments after which there is too little left of them.
pub(crate) fn around(spans: &[Open], now: Moment, needed: Span) -> impl Iterator<Item = Moment> {
    let first = spans.partition_point(|span| span.to <= now);
    let near = spans[first..].iter().take(2).copied();
    near.flat_map(move |span| [span.from, span.to, span.to - needed + Span(1)])
}
