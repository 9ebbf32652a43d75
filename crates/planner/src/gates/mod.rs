//! One file per gate. Each is independent of the others: all of them always run, so that a person sees every reason.

mod applicable;
mod approved;
mod covered;
mod denied;
pub(crate) mod frame;
mod held;
pub(crate) mod interval;
mod package;
mod ready;
mod retries;
mod rollback;
pub(crate) mod slot;
pub(crate) mod soaked;
mod superseded;
pub(crate) mod window;

use crate::compile::Compiled;
use crate::decide::Schedule;
use crate::facts::{DecisionFact, DecisionKind, DeviceFacts, Evidence, PairFacts, PatchFacts};
use crate::policy::Ring;
use crate::reason::{Gate, GateStatus};
use crate::schedule::Profile;
use domain::{Moment, Span, Urgency};
use interval::Round;

/// What a gate may look at.
#[derive(Clone, Copy)]
pub(crate) struct Ctx<'a> {
    pub policy: &'a Compiled,
    pub device: &'a DeviceFacts,
    pub patch: &'a PatchFacts,
    pub pair: &'a PairFacts,
    pub now: Moment,
    pub schedule: &'a Schedule<'a>,
    /// The device's ring, when the policy has it.
    pub ring: Option<&'a Ring>,
    /// The approval that counts: the most urgent, then the earliest. Not looked for where there is a denial.
    pub approval: Option<(&'a DecisionFact, Urgency)>,
    /// The expected length of the install.
    pub needed: Span,
    /// The device's latest round of installs; a forecast puts those in its place that it has promised itself.
    pub round: Option<Round>,
}

impl<'a> Ctx<'a> {
    pub(crate) fn new(schedule: &'a Schedule<'a>, patch: &'a PatchFacts, pair: &'a PairFacts, now: Moment) -> Self {
        let (policy, device) = (schedule.policy, schedule.device);
        let ring = device.ring.and_then(|id| policy.ring(id));
        let approval = patch
            .decisions
            .iter()
            .filter(|d| Some(d.ring) == device.ring)
            .filter_map(|d| match d.kind {
                DecisionKind::Approve { urgent } => Some((d, urgent)),
                DecisionKind::Deny => None,
            })
            .min_by_key(|(d, urgent)| (std::cmp::Reverse(*urgent), d.at, d.id));
        Self {
            policy,
            device,
            patch,
            pair,
            now,
            schedule,
            ring,
            approval,
            needed: policy.expected(patch, pair, device),
            round: Round::of(device),
        }
    }

    /// The device's profile, when one covers it.
    pub(crate) fn profile(&self) -> Option<&'a Profile> {
        let (index, _) = self.schedule.profile?;
        Some(&self.policy.policy().profiles[index])
    }

    /// What the device's own ring has shown.
    pub(crate) fn own_evidence(&self) -> Option<&'a Evidence> {
        self.ring.and_then(|ring| self.patch.evidence.get(&ring.id))
    }

    /// Whether the approval goes outside frames and windows.
    pub(crate) fn outside_windows(&self) -> Option<&'a DecisionFact> {
        self.approval
            .filter(|(_, urgent)| *urgent == Urgency::SkipSoakAndWindows)
            .map(|(decision, _)| decision)
    }
}

/// What a gate says about a device and a patch at a moment.
pub(crate) type Rule = fn(&Ctx) -> GateStatus;

/// The gates with their rules, in [`Gate::ALL`]'s order.
pub(crate) const RULES: [(Gate, Rule); 15] = [
    (Gate::Covered, covered::gate),
    (Gate::Applicable, applicable::gate),
    (Gate::NotSuperseded, superseded::gate),
    (Gate::NotDenied, denied::gate),
    (Gate::Approved, approved::gate),
    (Gate::Soaked, soaked::gate),
    (Gate::NotHeld, held::gate),
    (Gate::Rollback, rollback::gate),
    (Gate::Package, package::gate),
    (Gate::Retries, retries::gate),
    (Gate::DeviceReady, ready::gate),
    (Gate::Interval, interval::gate),
    (Gate::Frame, frame::gate),
    (Gate::Window, window::gate),
    (Gate::Slot, slot::gate),
];
