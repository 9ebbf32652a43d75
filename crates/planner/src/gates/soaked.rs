//! Every earlier ring has shown enough for long enough: evidence, not the calendar (DESIGN 1.7, PIL-1, I-2).

use super::Ctx;
use crate::facts::Evidence;
use crate::policy::Ring;
use crate::reason::{GateStatus, Reason};
use domain::{Moment, Urgency};

pub(crate) fn gate(ctx: &Ctx) -> GateStatus {
    if let Some((d, Urgency::SkipSoak | Urgency::SkipSoakAndWindows)) = ctx.approval {
        return GateStatus::Open {
            since: Some(d.at),
            note: Some(Reason::UrgentSkipsSoak {
                decision: d.id,
                by: d.by,
            }),
        };
    }
    let Some(own) = ctx.ring else {
        return GateStatus::Closed {
            reason: ctx
                .device
                .ring
                .map_or(Reason::NoRing, |ring| Reason::UnknownRing { ring }),
        };
    };
    // What waits for a person or an event comes before what time alone opens; then the latest.
    let mut latest: Option<(Moment, GateStatus)> = None;
    for ring in ctx.policy.rings_before(own.position) {
        match one(ctx, ring) {
            closed @ GateStatus::Closed { .. } => return closed,
            status @ (GateStatus::OpensAt { at, .. } | GateStatus::Open { since: Some(at), .. }) => {
                if latest.is_none_or(|(other, _)| at >= other) {
                    latest = Some((at, status));
                }
            }
            GateStatus::Open { since: None, .. } => {}
        }
    }
    latest.map_or(GateStatus::noted(Reason::FirstRing { ring: own.id }), |(_, status)| {
        status
    })
}

/// How one earlier ring stands.
fn one(ctx: &Ctx, ring: &Ring) -> GateStatus {
    let nothing = Evidence::default();
    let evidence = ctx.patch.evidence.get(&ring.id).unwrap_or(&nothing);
    let id = ring.id;
    let Some(since) = evidence.first_success else {
        return GateStatus::Closed {
            reason: Reason::NoSuccessYet {
                ring: id,
                targets: evidence.targets,
            },
        };
    };
    if let Some(hold) = ctx
        .patch
        .holds
        .iter()
        .filter(|h| h.ring.is_none_or(|r| r == id))
        .min_by_key(|h| (h.at, h.id))
    {
        return GateStatus::Closed {
            reason: Reason::SoakPaused {
                ring: id,
                hold: hold.id,
                at: hold.at,
            },
        };
    }
    if let Some(reason) = missing_evidence(ctx, ring, evidence, since) {
        return GateStatus::Closed { reason };
    }
    let until = since + ring.soak + evidence.paused;
    let clean = evidence.clean();
    if ctx.now < until {
        let reason = Reason::Soaking {
            ring: id,
            since,
            needed: ring.soak,
            paused: evidence.paused,
            until,
            clean,
            rebooted: ctx.patch.needs_reboot.then_some(evidence.rebooted),
        };
        GateStatus::OpensAt { at: until, reason }
    } else {
        GateStatus::Open {
            since: Some(until),
            note: Some(Reason::Soaked {
                ring: id,
                at: until,
                clean,
            }),
        }
    }
}

/// What the ring has not shown yet, whatever the time.
fn missing_evidence(ctx: &Ctx, ring: &Ring, evidence: &Evidence, since: Moment) -> Option<Reason> {
    let (asked, id, clean) = (ring.evidence, ring.id, evidence.clean());
    let release = ctx.patch.os_release;
    if clean < asked.min_successes {
        return Some(Reason::TooFewSuccesses {
            ring: id,
            clean,
            needed: asked.min_successes,
        });
    }
    if asked.own_release && evidence.successes.get(&release).is_none_or(|n| *n == 0) {
        return Some(Reason::ReleaseNotProven { ring: id, release });
    }
    if u64::from(clean) * 100 < u64::from(evidence.targets) * u64::from(asked.min_share_percent) {
        return Some(Reason::ShareTooSmall {
            ring: id,
            clean,
            targets: evidence.targets,
            percent: asked.min_share_percent,
        });
    }
    if asked.rebooted && ctx.patch.needs_reboot && evidence.rebooted < asked.min_successes.max(1) {
        return Some(Reason::TooFewReboots {
            ring: id,
            rebooted: evidence.rebooted,
            needed: asked.min_successes.max(1),
            clean,
            since,
            soak: ring.soak,
            paused: evidence.paused,
        });
    }
    let product = asked
        .critical_products
        .then(|| ctx.device.critical.iter().find(|p| !evidence.critical.contains(p)))??;
    Some(Reason::ProductNotProven {
        ring: id,
        product: *product,
    })
}
