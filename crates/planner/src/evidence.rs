//! What results prove, in whole numbers.

use crate::facts::{Evidence, HoldCause};
use crate::policy::Ring;

/// The 95 % upper bound of the failure rate after `clean` devices without a failure, in tenths of a percent, to the nearest:
/// 1 - 0.05^(1/n), e.g. 5 devices: 451, 30: 95, 59: 50, 300: 10. Bisection in 62-bit fixed point, because floats are not for decisions.
#[must_use]
pub fn unseen_failure_permille(clean: u32) -> u32 {
    const ONE: u128 = 1 << 62;
    const STEPS: u32 = 100_000;
    if clean == 0 {
        return 1000;
    }
    // Beyond this the bound is below 0.15 %; it never becomes nothing.
    if clean > 2_000 {
        return 1;
    }
    // The smallest bound b (in 1/100,000) with (1 - b)^n <= 0.05.
    let holds = |bound: u32| {
        let keep = ONE * u128::from(STEPS - bound) / u128::from(STEPS);
        let mut left = ONE;
        for _ in 0..clean {
            left = (left * keep) >> 62;
        }
        left * 20 <= ONE
    };
    let (mut low, mut high) = (0, STEPS);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle }
    }
    ((high + 50) / 100).max(1)
}

/// What the devices of one ring brought since a person last let the rollout go on. Counts are of devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Results {
    /// Failed, with those that vanished.
    pub failed: u32,
    /// Started and not heard of within their time.
    pub vanished: u32,
    /// With a result, good or bad.
    pub finished: u32,
    /// The latest of them is of a wave in which no device has succeeded yet: [`first_failed`].
    pub unproven: bool,
}

/// Whether a ring's latest result, a failure, is of a wave in which nobody has succeeded: of its first device, which went alone, or of one
/// that went alone after that.
#[must_use]
pub fn first_failed(ring: &Ring, evidence: &Evidence) -> bool {
    let before = evidence.finished.saturating_sub(1);
    let targets = evidence.targets.max(evidence.finished);
    let caps = ring.waves.steps.iter().map(|step| step.of(targets).min(targets));
    let done_before = caps.filter(|cap| *cap <= before).max().unwrap_or(0);
    let proven = evidence.finished.saturating_sub(evidence.failed_since);
    !ring.waves.steps.is_empty() && evidence.failed_since > 0 && proven <= done_before
}

/// Whether results stop the rollout in a ring by themselves, and why (THREATS 4). A wave sends one device at a time
/// until one of it has succeeded, and there the first failure stops it.
#[must_use]
pub fn must_hold(ring: &Ring, results: Results) -> Option<HoldCause> {
    let (policy, failed) = (ring.holds, results.failed);
    if failed == 0 {
        return None;
    }
    if results.vanished >= policy.vanished.max(1) {
        return Some(HoldCause::Vanished {
            devices: results.vanished,
        });
    }
    if results.unproven && !ring.waves.steps.is_empty() {
        return Some(HoldCause::FirstDevice);
    }
    let finished = results.finished.max(failed);
    let share = u64::from(failed) * 100 >= u64::from(finished) * u64::from(policy.percent);
    (failed >= policy.failures && share).then_some(HoldCause::Failures { failed, finished })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::RingId;

    #[test]
    fn bound_is_the_published_table() {
        for (clean, permille) in [
            (0, 1000),
            (1, 950),
            (5, 451),
            (10, 259),
            (30, 95),
            (59, 50),
            (300, 10),
            (100_000, 1),
        ] {
            assert_eq!(unseen_failure_permille(clean), permille, "{clean} clean devices");
        }
        assert!((1..3_000).all(|n| unseen_failure_permille(n) >= unseen_failure_permille(n + 1)));
    }

    #[test]
    fn failures_hold_at_the_threshold() {
        let ring = Ring::new(RingId(2), "Production", 2);
        let hold = |finished, failed, vanished| {
            let unproven = failed == finished;
            must_hold(
                &ring,
                Results {
                    failed,
                    vanished,
                    finished,
                    unproven,
                },
            )
        };
        assert_eq!(hold(0, 0, 0), None);
        assert_eq!(hold(1, 1, 0), Some(HoldCause::FirstDevice));
        assert_eq!(hold(10, 1, 0), None);
        assert_eq!(
            hold(40, 2, 0),
            Some(HoldCause::Failures {
                failed: 2,
                finished: 40
            })
        );
        assert_eq!(hold(41, 2, 0), None, "2 of 41 are less than 5 %");
        assert_eq!(hold(100, 2, 2), Some(HoldCause::Vanished { devices: 2 }));
        let mut at_once = ring.clone();
        at_once.waves.steps.clear();
        let first = Results {
            failed: 1,
            finished: 1,
            unproven: true,
            ..Results::default()
        };
        assert_eq!(must_hold(&at_once, first), None, "nobody went alone");
    }
}
