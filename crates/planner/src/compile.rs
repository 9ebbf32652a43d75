//! A policy made ready for many decisions: schedules expanded into spans of UTC, the tree of groups flattened.

use crate::calendar::{Open, Zone};
use crate::expand;
use crate::facts::{DeviceFacts, PairFacts, PatchFacts};
use crate::policy::{Location, MissedWindows, Policy, Ring};
use crate::schedule::{Profile, Scope, ZoneRule};
use domain::{GroupId, LocationId, Measured, Moment, RingId, Span, WindowId};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// How far back spans are kept: the clock of a server may be set back a little, and "open since" needs the beginning.
const BEHIND: Span = Span::days(8);
/// How far ahead schedules are worked out: over a year, so that a yearly window has a next time.
const AHEAD: Span = Span::days(400);

/// A download is expected to be so many times slower than stated at most, however slow the last one was.
const WORST_DOWNLOAD: u64 = 10;
/// A restart is expected to take so many times as long as stated at most.
const WORST_RESTART: i64 = 3;

/// A policy made ready for many decisions. Make a new one when the policy changes, and once a day.
#[derive(Clone, Debug)]
pub struct Compiled {
    policy: Policy,
    horizon: Open,
    /// Indices of the rings by position.
    ring_order: Vec<usize>,
    lines: BTreeMap<GroupId, Line>,
    /// Windows and freezes that are for every device.
    everybody: Vec<usize>,
    frozen_everybody: Vec<usize>,
    /// Spans that do not depend on the device's zone.
    fixed: Tables,
    /// Spans that do, for the zones that were named.
    zones: BTreeMap<String, Tables>,
    /// Whether anything depends on the device's zone.
    by_device: bool,
    recipes: expand::Recipes,
}

/// A group with what it inherits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    /// Itself and the groups above.
    pub chain: Vec<GroupId>,
    /// Indices of the windows that count, with those for every device unless inheritance is blocked.
    pub windows: Vec<usize>,
    /// Indices of the freezes that count, without those for every device.
    pub freezes: Vec<usize>,
    /// The group that says what happens after missed windows.
    pub missed: Option<(GroupId, MissedWindows)>,
    /// How each profile names this line.
    pub profiles: Vec<Fit>,
}

/// How a profile names a line of groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fit {
    pub deepest: Option<(u32, GroupId)>,
    pub excluded: bool,
}

/// Spans by index of window, profile, freeze; empty where another table has them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    pub windows: Vec<Vec<Open>>,
    pub frames: Vec<Vec<Open>>,
    pub freezes: Vec<Option<Open>>,
}

impl Policy {
    /// Makes the policy ready for decisions around `now` (8 days back, 400 ahead) in these zones. Other zones cost an expansion per
    /// decision, but decide the same.
    #[must_use]
    pub fn compile<'z>(self, now: Moment, zones: impl IntoIterator<Item = &'z str>) -> Compiled {
        Compiled::new(
            self,
            Open {
                from: now - BEHIND,
                to: (now + AHEAD).min(Moment::MAX),
            },
            zones,
        )
    }
}

impl Compiled {
    /// Makes `policy` ready for decisions inside `horizon`.
    #[must_use]
    pub fn new<'z>(policy: Policy, horizon: Open, zones: impl IntoIterator<Item = &'z str>) -> Self {
        let recipes = expand::Recipes::new(&policy, horizon);
        let mut ring_order: Vec<usize> = (0..policy.rings.len()).collect();
        ring_order.sort_by_key(|i| (policy.rings[*i].position, policy.rings[*i].id));
        let device = ZoneRule::Device;
        let by_device = policy.windows.iter().any(|w| w.zone == device)
            || policy.freezes.iter().any(|f| f.zone == device)
            || policy
                .profiles
                .iter()
                .any(|p| p.frame.as_ref().is_some_and(|f| f.zone == device));
        let mut compiled = Self {
            horizon,
            ring_order,
            lines: BTreeMap::new(),
            everybody: (0..policy.windows.len())
                .filter(|i| policy.windows[*i].groups.is_empty())
                .collect(),
            frozen_everybody: (0..policy.freezes.len())
                .filter(|i| policy.freezes[*i].groups.is_empty())
                .collect(),
            fixed: recipes.tables(&policy, horizon, None),
            zones: BTreeMap::new(),
            by_device,
            recipes,
            policy,
        };
        compiled.lines = compiled
            .policy
            .groups
            .iter()
            .map(|g| (g.id, compiled.draw(g.id)))
            .collect();
        if by_device {
            let names: BTreeSet<&str> = zones.into_iter().collect();
            compiled.zones = names
                .into_iter()
                .map(|name| (name.to_owned(), compiled.expand(name)))
                .collect();
        }
        compiled
    }

    /// The policy as it was written.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The time for which schedules are worked out.
    #[must_use]
    pub const fn horizon(&self) -> Open {
        self.horizon
    }

    /// The ring of this id.
    #[must_use]
    pub fn ring(&self, id: RingId) -> Option<&Ring> {
        self.policy.rings.iter().find(|ring| ring.id == id)
    }

    /// The rings in the order in which a rollout goes through them.
    pub fn rings(&self) -> impl Iterator<Item = &Ring> {
        self.ring_order.iter().map(|i| &self.policy.rings[*i])
    }

    /// The rings before a position, first one first.
    pub(crate) fn rings_before(&self, position: u32) -> impl Iterator<Item = &Ring> {
        self.rings().take_while(move |ring| ring.position < position)
    }

    /// The location of this id.
    #[must_use]
    pub fn location(&self, id: LocationId) -> Option<&Location> {
        self.policy.locations.iter().find(|location| location.id == id)
    }

    /// Whether the device lies in the group, itself or by nesting.
    #[must_use]
    pub fn lies_in(&self, device: &DeviceFacts, group: GroupId) -> bool {
        device
            .groups
            .iter()
            .any(|own| *own == group || self.line(*own).is_some_and(|line| line.chain.contains(&group)))
    }

    /// How long downloading, installing and rebooting are expected to take, each as measured, or as the policy states until it was:
    /// the install on other devices, download and reboot on this one. No download is faster than the device's share of its
    /// location's rate (SCH-2, BWL-1). One bad day of a device counts only so far, because what fits no window is never measured again.
    #[must_use]
    pub fn expected(&self, patch: &PatchFacts, pair: &PairFacts, device: &DeviceFacts) -> Span {
        self.expected_at(patch, pair.download(patch), device.measured, device.location)
    }

    /// As [`Self::expected`], on a device of which nothing is known.
    pub(crate) fn expected_anywhere(&self, patch: &PatchFacts) -> Span {
        self.expected_at(patch, patch.size, Measured::default(), None)
    }

    fn expected_at(&self, patch: &PatchFacts, bytes: u64, measured: Measured, location: Option<LocationId>) -> Span {
        let d = self.policy.durations;
        let of_location = location.and_then(|id| self.location(id)).and_then(Location::share);
        let slowest = d.bytes_per_second / WORST_DOWNLOAD;
        let rate = measured
            .download_rate
            .map_or(d.bytes_per_second, |rate| rate.max(slowest));
        let rate = of_location.map_or(rate, |most| most.min(rate)).max(1);
        let install = patch.measured_install.unwrap_or(d.install);
        let longest = d.reboot.0.saturating_mul(WORST_RESTART);
        let reboot = match measured.restart {
            _ if !patch.needs_reboot => 0,
            Some(measured) => measured.0.clamp(0, longest),
            None => d.reboot.0,
        };
        let download = i64::try_from(bytes.div_ceil(rate)).unwrap_or(i64::MAX);
        Span(install.0.saturating_add(reboot).saturating_add(download))
    }

    pub(crate) fn line(&self, group: GroupId) -> Option<&Line> {
        self.lines.get(&group)
    }

    /// The windows that count for the device: of all its groups together; those for every device where it is in no group.
    pub(crate) fn windows_of(&self, device: &DeviceFacts) -> Cow<'_, [usize]> {
        let mut lines = device.groups.iter().filter_map(|group| self.line(*group));
        match (lines.next(), lines.next()) {
            (None, _) => Cow::Borrowed(&self.everybody),
            (Some(only), None) => Cow::Borrowed(&only.windows),
            (Some(first), Some(second)) => {
                let mut all: Vec<usize> = first.windows.iter().chain(&second.windows).copied().collect();
                all.extend(lines.flat_map(|line| &line.windows));
                all.sort_unstable();
                all.dedup();
                Cow::Owned(all)
            }
        }
    }

    /// Whether a window counts for the device: what is inherited, and not beyond a group that blocks inheritance.
    #[must_use]
    pub fn window_counts(&self, device: &DeviceFacts, window: WindowId) -> bool {
        let windows = &self.policy.windows;
        self.windows_of(device).iter().any(|index| windows[*index].id == window)
    }

    /// The freezes that count for the device.
    pub(crate) fn freezes_of<'a>(&'a self, device: &'a DeviceFacts) -> impl Iterator<Item = usize> + 'a {
        let own = device
            .groups
            .iter()
            .filter_map(|group| self.line(*group))
            .flat_map(|line| &line.freezes);
        self.frozen_everybody.iter().chain(own).copied()
    }

    /// Who says that the device may catch up now, and after how many misses: the most generous of its groups.
    pub(crate) fn catch_up(&self, device: &DeviceFacts) -> Option<GroupId> {
        let rules = device.groups.iter().filter_map(|group| self.line(*group)?.missed);
        let mut after = rules.filter_map(|(group, missed)| match missed {
            MissedWindows::CatchUp { after } => Some((after.max(1), group)),
            MissedWindows::Wait => None,
        });
        let first = after.next()?;
        let (least, group) = after.fold(first, std::cmp::min);
        (device.missed_windows >= least).then_some(group)
    }

    /// Whether a group of the device says that it catches up after missed windows.
    pub(crate) fn catches_up(&self, device: &DeviceFacts) -> bool {
        let mut rules = device.groups.iter().filter_map(|group| self.line(*group)?.missed);
        rules.any(|(_, missed)| matches!(missed, MissedWindows::CatchUp { .. }))
    }

    /// The spans that do not depend on the device's zone.
    pub(crate) const fn fixed(&self) -> &Tables {
        &self.fixed
    }

    /// The spans in the device's zone; `None` where nothing depends on it.
    pub(crate) fn in_zone(&self, zone: &str) -> Option<Cow<'_, Tables>> {
        if !self.by_device {
            return None;
        }
        Some(
            self.zones
                .get(zone)
                .map_or_else(|| Cow::Owned(self.expand(zone)), Cow::Borrowed),
        )
    }

    fn expand(&self, zone: &str) -> Tables {
        self.recipes
            .tables(&self.policy, self.horizon, Some(Zone::or_utc(zone)))
    }

    /// A group with what it inherits. A circle, which is refused when groups are saved, ends where it began.
    fn draw(&self, id: GroupId) -> Line {
        let find = |id: GroupId| self.policy.groups.iter().find(|group| group.id == id);
        let mut line = Line::default();
        let (mut next, mut inherits) = (find(id), true);
        while let Some(group) = next.filter(|group| !line.chain.contains(&group.id)) {
            line.chain.push(group.id);
            if inherits {
                let own = self
                    .policy
                    .windows
                    .iter()
                    .enumerate()
                    .filter(|(_, w)| w.groups.contains(&group.id));
                line.windows.extend(own.map(|(i, _)| i));
            }
            inherits &= !group.blocks_inheritance;
            line.missed = line.missed.or(group.missed.map(|missed| (group.id, missed)));
            let frozen = self
                .policy
                .freezes
                .iter()
                .enumerate()
                .filter(|(_, f)| f.groups.contains(&group.id));
            line.freezes.extend(frozen.map(|(i, _)| i));
            next = group.parent.and_then(find);
        }
        if inherits {
            line.windows.extend(&self.everybody);
        }
        line.windows.sort_unstable();
        line.windows.dedup();
        line.profiles = self
            .policy
            .profiles
            .iter()
            .map(|Profile { scope, .. }| fit(&line.chain, scope))
            .collect();
        line
    }
}

/// How a scope names a chain of groups, whose depth is counted from the top.
fn fit(chain: &[GroupId], scope: &Scope) -> Fit {
    let depth = |i: usize| u32::try_from(chain.len() - i).unwrap_or(u32::MAX / 2);
    Fit {
        deepest: chain
            .iter()
            .enumerate()
            .find(|(_, id)| scope.groups.contains(id))
            .map(|(i, id)| (depth(i), *id)),
        excluded: chain.iter().any(|id| scope.not_groups.contains(id)),
    }
}

/// The hours of the profile at this place in the policy, for a device in `zone`, joined and in order; none: all day. For schedule pages.
#[must_use]
pub fn frame_spans_of(policy: &Compiled, profile: usize, zone: &str) -> Vec<Open> {
    let Some(frame) = policy.policy.profiles.get(profile).and_then(|p| p.frame.as_ref()) else {
        return Vec::new();
    };
    if frame.zone == ZoneRule::Device {
        policy
            .in_zone(zone)
            .map_or_else(Vec::new, |tables| tables.frames[profile].clone())
    } else {
        policy.fixed.frames[profile].clone()
    }
}
