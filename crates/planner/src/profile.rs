//! Which profile a device follows, and why (SCH-3).

use crate::compile::Compiled;
use crate::facts::DeviceFacts;
use domain::{GroupId, ProfileId};
use serde::{Deserialize, Serialize};

/// Why a profile won.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyProfile {
    /// It is the only one that covers the device.
    Only,
    /// It names the device.
    NamesDevice,
    /// It names the deepest group that the device lies in.
    DeepestGroup(GroupId),
    /// Equally specific as another one, but of lower position.
    Position,
    /// Equal in everything else, but of lower id.
    LowerId,
}

/// The profile of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileChoice {
    /// Its index in the policy.
    pub(crate) index: usize,
    /// Its id.
    pub profile: ProfileId,
    /// Why it won.
    pub why: WhyProfile,
    /// Those that cover the device, too, best first.
    pub over: Vec<ProfileId>,
}

/// Sorts best first: how specific, position, id.
type Rank = (u32, u32, ProfileId);

/// How well profile `index` fits; lower is better: 0 names the device, then deeper groups before higher ones, last everything.
fn rank(policy: &Compiled, index: usize, device: &DeviceFacts) -> Option<(Rank, Option<GroupId>)> {
    let profile = &policy.policy().profiles[index];
    let scope = &profile.scope;
    if scope.not_devices.contains(&device.id) {
        return None;
    }
    let mut deepest: Option<(u32, GroupId)> = None;
    for line in device.groups.iter().filter_map(|group| policy.line(*group)) {
        let fit = &line.profiles[index];
        if fit.excluded {
            return None;
        }
        if let Some(found) = fit.deepest {
            deepest = deepest.max(Some(found));
        }
    }
    let (class, group) = match (scope.devices.contains(&device.id), deepest, scope.everything) {
        (true, _, _) => (0, None),
        (false, Some((depth, group)), _) => (u32::MAX - 1 - depth, Some(group)),
        (false, None, true) => (u32::MAX, None),
        (false, None, false) => return None,
    };
    Some(((class, profile.position, profile.id), group))
}

/// The winner and why, without a list of the others: for decisions, of which there are many.
pub(crate) fn winner(policy: &Compiled, device: &DeviceFacts) -> Option<(usize, WhyProfile)> {
    let mut best: Option<(Rank, Option<GroupId>, usize)> = None;
    let mut second: Option<Rank> = None;
    for index in 0..policy.policy().profiles.len() {
        let Some((rank, group)) = rank(policy, index, device) else {
            continue;
        };
        match best {
            Some((leader, _, _)) if leader <= rank => second = Some(second.map_or(rank, |s| s.min(rank))),
            _ => {
                second = best.map(|b| b.0).or(second);
                best = Some((rank, group, index));
            }
        }
    }
    let (rank, group, index) = best?;
    let why = match second {
        None => WhyProfile::Only,
        Some(other) if other.0 == rank.0 && other.1 == rank.1 => WhyProfile::LowerId,
        Some(other) if other.0 == rank.0 => WhyProfile::Position,
        Some(_) => group.map_or(WhyProfile::NamesDevice, WhyProfile::DeepestGroup),
    };
    Some((index, why))
}

/// The profile that `device` follows, why, and which others it won over. `None`: no profile covers it, which is a finding.
#[must_use]
pub fn profile_of(policy: &Compiled, device: &DeviceFacts) -> Option<ProfileChoice> {
    let (index, why) = winner(policy, device)?;
    let profiles = &policy.policy().profiles;
    let mut over: Vec<Rank> = (0..profiles.len())
        .filter(|i| *i != index)
        .filter_map(|i| rank(policy, i, device))
        .map(|(rank, _)| rank)
        .collect();
    over.sort_unstable();
    Some(ProfileChoice {
        index,
        profile: profiles[index].id,
        why,
        over: over.into_iter().map(|rank| rank.2).collect(),
    })
}
