//! Room among what runs at once: one attempt per device (I-15), waves with a lone first device (I-31, I-32), limits of ring, location and fleet.

use super::Ctx;
use crate::facts::Evidence;
use crate::reason::{GateStatus, Reason};

/// What runs just now, as far as it takes a slot from this install.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InUse {
    /// Of this patch in the device's ring.
    pub ring: u32,
    /// In the device's location.
    pub location: u32,
    /// In the fleet.
    pub fleet: u32,
}

pub(super) fn gate(ctx: &Ctx) -> GateStatus {
    let load = ctx.device.load;
    let ring = ctx.own_evidence().map_or(0, |evidence| evidence.in_flight);
    room(
        ctx,
        InUse {
            ring,
            location: load.location,
            fleet: load.fleet,
        },
    )
}

/// The gate's word when this much is in use.
pub(crate) fn room(ctx: &Ctx, used: InUse) -> GateStatus {
    if let Some(attempt) = ctx.device.open_attempt {
        return GateStatus::Closed {
            reason: Reason::DeviceBusy { attempt },
        };
    }
    beside(ctx, used)
}

/// As [`room`], on a device on which nothing runs.
pub(crate) fn beside(ctx: &Ctx, used: InUse) -> GateStatus {
    let waves = wave(ctx, used.ring);
    if matches!(waves, GateStatus::Closed { .. }) {
        return waves;
    }
    limits(ctx, used).map_or(waves, |reason| GateStatus::Closed { reason })
}

/// Limits that end when something that runs ends.
fn limits(ctx: &Ctx, used: InUse) -> Option<Reason> {
    let permits = ctx.policy.policy().permits;
    if let Some(ring) = ctx.ring
        && let Some(cap) = ring.max_in_flight
        && used.ring >= cap
    {
        return Some(Reason::RingFull { ring: ring.id, cap });
    }
    if let Some(location) = ctx.device.location
        && let Some(cap) = ctx.policy.location(location).and_then(|l| l.max_in_flight)
        && used.location >= cap
    {
        return Some(Reason::LocationFull { location, cap });
    }
    permits
        .fleet_in_flight
        .filter(|cap| used.fleet >= *cap)
        .map(|cap| Reason::FleetFull { cap })
}

/// Where the ring's waves stand. A device that has had its turn (it failed and tries again) does not take another place in a wave.
fn wave(ctx: &Ctx, in_flight: u32) -> GateStatus {
    // A ring about which nothing was counted yet is filled as carefully as one of one device.
    let nothing = Evidence::default();
    let Some(ring) = ctx.ring else { return GateStatus::OPEN };
    let policy = &ring.waves;
    let evidence = ctx.own_evidence().unwrap_or(&nothing);
    if policy.steps.is_empty() || ctx.pair.attempts_failed > 0 {
        return GateStatus::OPEN;
    }
    // Nobody has succeeded yet: one at a time, because waves advance on success only (I-32). Not none at all, or a ring whose first
    // device failed could never be tried again.
    if evidence.finished > 0 && evidence.clean() == 0 {
        return if in_flight > 0 {
            GateStatus::Closed {
                reason: Reason::FirstGoesAlone { ring: ring.id, wave: 1 },
            }
        } else {
            GateStatus::OPEN
        };
    }
    // Results up to the latest success: a wave that has none of them has not gone well yet.
    let proven = evidence.finished.saturating_sub(evidence.failed_since);
    let started = evidence.finished.saturating_add(in_flight);
    let targets = evidence.targets.max(started.saturating_add(1));
    let mut done_before = 0;
    let mut wave = 0;
    let steps = policy
        .steps
        .iter()
        .map(|step| step.of(targets).min(targets))
        .chain(std::iter::once(targets));
    for cap in steps.filter(|cap| *cap > 0) {
        if cap <= done_before {
            continue;
        }
        wave += 1;
        if evidence.finished >= cap && proven > done_before {
            done_before = cap;
            continue;
        }
        // This is the wave that is under way: the ones before have finished. Until one of it has succeeded it is one at a time (I-32).
        if proven <= done_before && evidence.finished > done_before {
            return if in_flight > 0 {
                GateStatus::Closed {
                    reason: Reason::FirstGoesAlone { ring: ring.id, wave },
                }
            } else {
                GateStatus::OPEN
            };
        }
        if started >= cap {
            return GateStatus::Closed {
                reason: Reason::WaveFull {
                    ring: ring.id,
                    wave,
                    started,
                    cap,
                },
            };
        }
        if evidence.finished == done_before {
            if in_flight > 0 {
                return GateStatus::Closed {
                    reason: Reason::FirstGoesAlone { ring: ring.id, wave },
                };
            }
            return rest(ctx, wave, policy.rest, evidence.last_finished);
        }
        return GateStatus::OPEN;
    }
    GateStatus::OPEN
}

/// The rest before a wave's first device.
fn rest(ctx: &Ctx, wave: u32, rest: domain::Span, last: Option<domain::Moment>) -> GateStatus {
    let (Some(last), Some(ring), true) = (last, ctx.ring, wave > 1) else {
        return GateStatus::OPEN;
    };
    let until = last + rest;
    if ctx.now < until {
        GateStatus::OpensAt {
            at: until,
            reason: Reason::WaveRest {
                ring: ring.id,
                wave,
                until,
            },
        }
    } else {
        GateStatus::Open {
            since: Some(until),
            note: None,
        }
    }
}
