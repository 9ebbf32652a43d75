//! A maintenance window is open for long enough, and there is no freeze (MWN-1, I-9). Windows limit installs, never scans.

use super::Ctx;
use super::frame::{around, fitting};
use crate::calendar::Open;
use crate::reason::{GateStatus, Reason};
use domain::{FreezeId, Moment, Span, WindowId};

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    let (limited, note) = limited(ctx);
    let frozen = freeze_in(ctx, ctx.now);
    if !limited && frozen.is_none() {
        return GateStatus::noted(note);
    }
    if limited && !ctx.policy.horizon().has(ctx.now) {
        return GateStatus::Closed {
            reason: Reason::BeyondHorizon,
        };
    }
    let at = next_start(ctx, ctx.now);
    if let Some((freeze, span)) = frozen {
        let reason = if span.has(ctx.now) {
            Reason::Frozen { freeze, until: span.to }
        } else {
            Reason::FreezeNear {
                freeze,
                from: span.from,
                until: span.to,
            }
        };
        return at.map_or(GateStatus::Closed { reason }, |at| GateStatus::OpensAt { at, reason });
    }
    match (current(ctx), at) {
        (Some((window, span)), Some(at)) if at == ctx.now => GateStatus::Open {
            since: Some(span.from),
            note: Some(Reason::InWindow { window, until: span.to }),
        },
        (Some((window, span)), Some(next)) => GateStatus::OpensAt {
            at: next,
            reason: Reason::TooLittleLeft {
                window,
                until: span.to,
                needed: ctx.needed,
                next,
            },
        },
        (None, Some(at)) => {
            let window = best(ctx, at).map_or(WindowId(0), |(window, _)| window);
            GateStatus::OpensAt {
                at,
                reason: Reason::OutsideWindow { window, opens: at },
            }
        }
        (_, None) => {
            let window = ctx
                .schedule
                .windows
                .first()
                .map_or(WindowId(0), |i| ctx.policy.policy().windows[*i].id);
            GateStatus::Closed {
                reason: Reason::NoWindowFits {
                    window,
                    needed: ctx.needed,
                },
            }
        }
    }
}

/// Whether windows limit this install, and what to say where they do not.
fn limited(ctx: &Ctx) -> (bool, Reason) {
    if ctx.schedule.windows.is_empty() {
        (false, Reason::NoWindow)
    } else if let Some(d) = ctx.outside_windows() {
        (
            false,
            Reason::UrgentSkipsWindows {
                decision: d.id,
                by: d.by,
            },
        )
    } else if let Some(group) = ctx.policy.catch_up(ctx.device) {
        (
            false,
            Reason::CatchUp {
                group,
                missed: ctx.device.missed_windows,
            },
        )
    } else {
        (true, Reason::NoWindow)
    }
}

/// The windows of the device with their spans.
fn windows<'a>(ctx: &'a Ctx) -> impl Iterator<Item = (WindowId, &'a [Open])> {
    ctx.schedule
        .windows
        .iter()
        .map(|i| (ctx.policy.policy().windows[*i].id, ctx.schedule.window_spans(*i)))
}

/// The window that is open now; of several the one that stays open longest.
fn current(ctx: &Ctx) -> Option<(WindowId, Open)> {
    let open =
        windows(ctx).filter_map(|(id, spans)| Some((id, *spans.get(spans.partition_point(|s| s.to <= ctx.now))?)));
    open.filter(|(_, span)| span.has(ctx.now))
        .max_by_key(|(id, span)| (span.to, std::cmp::Reverse(*id)))
}

/// The window in which the install can start first from `at` on; of several the one that stays open longest.
fn best(ctx: &Ctx, at: Moment) -> Option<(WindowId, Open)> {
    let fits = windows(ctx).filter_map(|(id, spans)| Some((id, fitting(spans, at, ctx.needed)?)));
    fits.min_by_key(|(id, span)| (span.from.max(at), std::cmp::Reverse(span.to), *id))
}

/// The freeze that an install started at `at` would meet; of several the one that ends last.
fn freeze_in(ctx: &Ctx, at: Moment) -> Option<(FreezeId, Open)> {
    let end = at + Span(ctx.needed.0.max(1));
    let all = ctx.policy.freezes_of(ctx.device);
    let met = all.filter_map(|i| Some((ctx.policy.policy().freezes[i].id, ctx.schedule.freeze_span(i)?)));
    met.filter(|(_, span)| span.from < end && at < span.to)
        .max_by_key(|(id, span)| (span.to, std::cmp::Reverse(*id)))
}

/// The time around `at` in which windows of the device are open without a break; not all of it where it is longer than `most`.
pub(crate) fn around_of(ctx: &Ctx, at: Moment, most: Span) -> Option<Open> {
    let near = |at: Moment| {
        windows(ctx).filter_map(move |(_, spans)| {
            let first = spans.partition_point(|span| span.to < at);
            spans[first..]
                .iter()
                .take_while(|span| span.from <= at)
                .copied()
                .reduce(|a, b| Open {
                    from: a.from.min(b.from),
                    to: a.to.max(b.to),
                })
        })
    };
    let mut open = near(at).filter(|span| span.has(at)).min()?;
    // Windows that touch or overlap are one time.
    loop {
        let from = near(open.from)
            .map(|span| span.from)
            .min()
            .map_or(open.from, |at| at.min(open.from));
        let to = near(open.to)
            .map(|span| span.to)
            .max()
            .map_or(open.to, |at| at.max(open.to));
        if (from, to) == (open.from, open.to) || open.to.since(open.from) > most {
            return Some(open);
        }
        open = Open { from, to };
    }
}

/// The first moment from `from` on at which a window has room and no freeze is met.
pub(crate) fn next_start(ctx: &Ctx, from: Moment) -> Option<Moment> {
    let limited = limited(ctx).0;
    let mut at = from;
    loop {
        if let Some((_, freeze)) = freeze_in(ctx, at) {
            at = freeze.to;
            continue;
        }
        if !limited {
            return Some(at);
        }
        let start = best(ctx, at)?.1.from.max(at);
        if start == at {
            return Some(at);
        }
        at = start;
    }
}

/// The last moment at which the window that is open now has room before its end and before the next freeze.
pub(crate) fn latest_start(ctx: &Ctx) -> Option<Moment> {
    let limited = limited(ctx).0;
    let window = if limited {
        best(ctx, ctx.now).map(|(_, span)| span.to)
    } else {
        None
    };
    let spans = ctx
        .policy
        .freezes_of(ctx.device)
        .filter_map(|i| ctx.schedule.freeze_span(i));
    let freeze = spans.filter(|span| span.from > ctx.now).map(|span| span.from).min();
    let last = window.into_iter().chain(freeze).min().map(|end| end - ctx.needed);
    let known = limited.then(|| ctx.policy.horizon().to - Span(1));
    last.into_iter().chain(known).min()
}

/// Moments at which this gate may change.
pub(crate) fn edges(ctx: &Ctx) -> impl Iterator<Item = Moment> {
    let horizon = ctx.policy.horizon();
    let limited = limited(ctx).0;
    let spans = windows(ctx)
        .filter(move |_| limited)
        .flat_map(|(_, spans)| around(spans, ctx.now, ctx.needed));
    let freezes = ctx
        .policy
        .freezes_of(ctx.device)
        .filter_map(|i| ctx.schedule.freeze_span(i));
    let freezes = freezes.flat_map(|span| [span.from, span.to, span.from - Span(ctx.needed.0.max(1)) + Span(1)]);
    spans
        .chain(freezes)
        .chain(limited.then_some([horizon.from, horizon.to]).into_iter().flatten())
}
