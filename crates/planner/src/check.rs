//! A second, naive path: what must never be in a plan, worked out without the planner's gates, spans and tables.
//!
//! It runs in every test and before anything acts on a plan (found something: do nothing, raise the alarm).

use crate::calendar::Zone;
use crate::facts::{DecisionKind, DeviceFacts, PackageFact, PatchFacts, RollbackPlan};
use crate::fleet::{Pair, Plan, PlanInput};
use crate::policy::{ExceptionFor, ExceptionOf, Group, PackagePolicy, Policy, Ring, RollbackPolicy, WaveStep};
use crate::schedule::{Frame, Local, Profile, Recurrence, Window, ZoneRule};
use domain::{DeviceState, GroupId, Moment, PatchState, Span, Urgency};
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Violation {
    /// A pair has no decision, or a decision has no pair.
    #[error("patch {} on device {} has no decision or no facts", .0.1, .0.0)]
    NotTotal(Pair),
    /// It would be installed although a rule forbids that.
    #[error("patch {} on device {} would be installed although {}", .0.1, .0.0, .1)]
    Forbidden(Pair, &'static str),
    /// More starts at once than may.
    #[error("patch {} on device {} would start although {}", .0.1, .0.0, .1)]
    TooMany(Pair, &'static str),
}

/// Everything that is wrong with `plan` for `input`; empty when it may be acted on.
#[must_use]
pub fn check(input: &PlanInput, plan: &Plan) -> Vec<Violation> {
    let mut found = Vec::new();
    let given: BTreeSet<&Pair> = input.pairs.keys().collect();
    let decided: BTreeSet<&Pair> = plan.decisions.keys().collect();
    found.extend(
        given
            .symmetric_difference(&decided)
            .map(|pair| Violation::NotTotal(**pair)),
    );
    for (pair, decision) in &plan.decisions {
        if decision.installs() {
            found.extend(
                forbidden(input, *pair)
                    .into_iter()
                    .map(|why| Violation::Forbidden(*pair, why)),
            );
            if !plan.starts.contains(pair) {
                found.push(Violation::NotTotal(*pair));
            }
        }
    }
    found.extend(too_many(input, plan));
    found
}

/// Every rule that speaks against installing the pair now.
fn forbidden(input: &PlanInput, pair: Pair) -> Vec<&'static str> {
    let policy = input.policy.policy();
    let (Some(device), Some(patch), Some(facts)) = (
        input.devices.get(&pair.0),
        input.patches.get(&pair.1),
        input.pairs.get(&pair),
    ) else {
        return vec!["nothing is known of it"];
    };
    let mut against = Vec::new();
    let mut rule = |broken: bool, why: &'static str| {
        if broken {
            against.push(why);
        }
    };
    let ring = device
        .ring
        .and_then(|id| policy.rings.iter().find(|ring| ring.id == id));
    let own: Vec<DecisionKind> = patch
        .decisions
        .iter()
        .filter(|d| Some(d.ring) == device.ring)
        .map(|d| d.kind)
        .collect();
    let urgency = own
        .iter()
        .filter_map(|k| {
            if let DecisionKind::Approve { urgent } = k {
                Some(*urgent)
            } else {
                None
            }
        })
        .max();
    let in_groups = lineage(&policy.groups, &device.groups);
    rule(
        device.state != DeviceState::Active || device.scan_only,
        "the device may not be changed",
    );
    rule(
        !matches!(
            facts.state,
            PatchState::Missing | PatchState::Superseded | PatchState::Failed | PatchState::RolledBack
        ),
        "it is not missing",
    );
    rule(facts.brake.is_some(), "the device's own engine keeps it back");
    rule(own.contains(&DecisionKind::Deny), "it is denied");
    rule(urgency.is_none(), "it is not approved for the ring");
    rule(facts.rolled_back_block, "it was rolled back there");
    rule(
        patch.superseded_by.is_some() && device.ring.is_some_and(|r| patch.successor_approved.contains(&r)),
        "its successor is approved",
    );
    let excepted = policy.exceptions.iter().any(|e| {
        let there = match e.covers {
            ExceptionFor::Device(id) => id == device.id,
            ExceptionFor::Group(id) => in_groups.contains(&id),
            ExceptionFor::All => true,
        };
        there
            && e.expires > input.now
            && (e.of == ExceptionOf::Patch(patch.id) || patch.product.map(ExceptionOf::Product) == Some(e.of))
    });
    rule(excepted, "an exception covers it");
    rule(
        facts.attempts_failed >= policy.retry.max && facts.attempts_failed > 0,
        "it was tried often enough",
    );
    rule(
        device.manager_broken || device.reboot_owed.is_some() || device.on_battery,
        "the device is not ready",
    );
    let waited = facts
        .last_failed
        .is_none_or(|at| input.now >= at + policy.retry.wait_after(facts.attempts_failed));
    rule(facts.attempts_failed > 0 && !waited, "it failed not long ago");
    let left_alone = facts
        .last_not_started
        .is_none_or(|at| input.now >= at + policy.retry.wait_unstarted(facts.not_started));
    rule(
        facts.not_started > 0 && !left_alone,
        "the device did not start it not long ago",
    );
    rule(
        ring.is_some_and(|r| r.rollback != RollbackPolicy::NotRequired) && patch.rollback == RollbackPlan::Missing,
        "there is no way back",
    );
    let at_hand = policy.package == PackagePolicy::NotRequired || matches!(patch.package, PackageFact::AtHand { .. });
    rule(!at_hand, "the package is not at hand");
    rule(device.open_attempt.is_some(), "something runs on the device");
    match ring {
        None => rule(true, "the device is in no ring"),
        Some(ring) => {
            let before: Vec<&Ring> = policy.rings.iter().filter(|r| r.position < ring.position).collect();
            let stops = |h: Option<domain::RingId>| {
                h.is_none_or(|h| {
                    h == ring.id || before.iter().any(|r| r.id == h) || policy.rings.iter().all(|r| r.id != h)
                })
            };
            rule(patch.holds.iter().any(|h| stops(h.ring)), "a hold stops it");
            let proven = before.iter().all(|r| proven(patch, device, r, input.now));
            rule(
                urgency == Some(Urgency::Normal) && !proven,
                "an earlier ring has not soaked",
            );
        }
    }
    let follows = profile(policy, device);
    if let Some(scope) = follows {
        let covered = &scope.coverage;
        rule(covered.left_out.contains(&device.os_release), "the release is left out");
        rule(
            !covered.categories.is_empty() && !covered.categories.contains(&patch.category),
            "the category is not covered",
        );
        let room = (facts.bytes.unwrap_or(patch.size) >> 20)
            .saturating_mul(3)
            .saturating_add(scope.disk_reserve_mib);
        rule(device.disk_free_mib < room, "there is too little space");
    }
    // Rounds of installs, for what is neither urgent nor a try after a failure: in the first hours of the last one, or an interval later.
    if let (Some(began), Some(profile)) = (device.round_started, follows) {
        let counts = urgency == Some(Urgency::Normal) && facts.attempts_failed == 0;
        let since = device.round_counts_from.unwrap_or(began);
        let waited = input.now.0 - since.0 >= profile.install_every.0;
        rule(
            counts && input.now.0 - began.0 >= 4 * 3_600 && !waited,
            "the device installed not long ago",
        );
    }
    let needed = input.policy.expected(patch, facts, device);
    let frozen = policy.freezes.iter().any(|f| {
        let zone = zone_of(&f.zone, device);
        let counts = f.groups.is_empty() || f.groups.iter().any(|g| in_groups.contains(g));
        let end = input.now + Span(needed.0.max(1));
        counts && zone.at(f.from) < end && input.now < zone.at(f.to) && f.from < f.to
    });
    rule(frozen, "a freeze forbids it");
    let outside = urgency == Some(Urgency::SkipSoakAndWindows);
    rule(follows.is_none(), "no profile covers the device");
    let hours = follows.and_then(|p| p.frame.as_ref()).filter(|_| !outside);
    let in_hours = hours.is_none_or(|f| lasts(input.now, needed, |at| frame_end(f, zone_of(&f.zone, device), at)));
    rule(!in_hours, "the profile's hours do not have room");
    let mut windows = policy
        .windows
        .iter()
        .filter(|w| counts_for(&policy.groups, w, device))
        .peekable();
    let limited = windows.peek().is_some() && !outside && input.policy.catch_up(device).is_none();
    let open = windows.any(|w| lasts(input.now, needed, |at| window_end(w, zone_of(&w.zone, device), at)));
    rule(limited && !open, "no window is open for long enough");
    against
}

/// Whether a ring has shown enough, by the plainest reading of the rule.
fn proven(patch: &PatchFacts, device: &DeviceFacts, ring: &Ring, now: Moment) -> bool {
    let asked = ring.evidence;
    patch.evidence.get(&ring.id).is_some_and(|e| {
        let clean: u32 = e.successes.values().sum();
        e.first_success
            .is_some_and(|first| now.0 - first.0 - e.paused.0 >= ring.soak.0)
            && clean >= asked.min_successes
            && u64::from(clean) * 100 >= u64::from(e.targets) * u64::from(asked.min_share_percent)
            && (!asked.own_release || e.successes.get(&patch.os_release).copied().unwrap_or(0) > 0)
            && (!asked.rebooted || !patch.needs_reboot || e.rebooted >= asked.min_successes.max(1))
            && (!asked.critical_products || device.critical.iter().all(|p| e.critical.contains(p)))
    })
}

/// Groups with all those above them.
fn lineage(tree: &[Group], groups: &[GroupId]) -> BTreeSet<GroupId> {
    let mut all: BTreeSet<GroupId> = groups.iter().copied().collect();
    loop {
        let above: BTreeSet<GroupId> = tree
            .iter()
            .filter(|g| all.contains(&g.id))
            .filter_map(|g| g.parent)
            .collect();
        if above.is_subset(&all) {
            return all;
        }
        all.extend(above);
    }
}

/// Whether a window counts for a device, by walking up from each of its groups.
fn counts_for(tree: &[Group], window: &Window, device: &DeviceFacts) -> bool {
    let known: Vec<GroupId> = device
        .groups
        .iter()
        .copied()
        .filter(|id| tree.iter().any(|g| g.id == *id))
        .collect();
    if known.is_empty() {
        return window.groups.is_empty();
    }
    known.into_iter().any(|start| {
        let mut at = Some(start);
        for _ in 0..=tree.len() {
            let Some(id) = at else { return window.groups.is_empty() };
            if window.groups.contains(&id) {
                return true;
            }
            let Some(group) = tree.iter().find(|g| g.id == id) else {
                return window.groups.is_empty();
            };
            if group.blocks_inheritance {
                return false;
            }
            at = group.parent;
        }
        false
    })
}

fn zone_of(rule: &ZoneRule, device: &DeviceFacts) -> Zone {
    match rule {
        ZoneRule::Utc => Zone::UTC,
        ZoneRule::Fixed(name) => Zone::or_utc(name),
        ZoneRule::Device => Zone::or_utc(&device.zone),
    }
}

/// Whether `now` and the `needed` time after it are covered, going from one occurrence to the next one that touches it.
fn lasts(now: Moment, needed: Span, end_of_one_at: impl Fn(Moment) -> Option<Moment>) -> bool {
    let mut at = now;
    while let Some(end) = end_of_one_at(at) {
        if end >= now + needed {
            return true;
        }
        at = end;
    }
    false
}

/// When the occurrence of a window that holds `at` ends: tries every day on which it could have begun. Rules of RFC 5545 are not read a
/// second time here; the tests compare them with tables.
fn window_end(window: &Window, zone: Zone, at: Moment) -> Option<Moment> {
    let end = |start: Local| {
        let from = zone.at(start);
        (from <= at && at < from + window.length).then_some(from + window.length)
    };
    let today = zone.wall(at).0.div_euclid(86_400);
    let days_back = 2 + window.length.0 / 86_400;
    match &window.recurrence {
        Recurrence::Once { start } => end(*start),
        Recurrence::Rule { .. } => {
            let around = crate::calendar::Open {
                from: at - Span::days(2),
                to: at + Span::days(2),
            };
            crate::expand::beginnings(window, around)
                .into_iter()
                .filter_map(end)
                .max()
        }
        Recurrence::NthWeekday {
            nth,
            weekday,
            plus_days,
            at_minute,
        } => (today - days_back..=today + 1)
            .filter(|day| {
                let named = Local((day - i64::from(*plus_days)) * 86_400);
                named.weekday() == *weekday && is_nth(named, *nth)
            })
            .filter_map(|day| end(Local(day * 86_400 + i64::from(*at_minute) * 60)))
            .max(),
    }
}

/// When the hours of a frame that hold `at` end.
fn frame_end(frame: &Frame, zone: Zone, at: Moment) -> Option<Moment> {
    let today = zone.wall(at).0.div_euclid(86_400);
    let days = (today - 2..=today + 1).filter(|day| frame.days.has(Local(day * 86_400).weekday()));
    let spans = days.map(|day| {
        let start = day * 86_400 + i64::from(frame.from_minute) * 60;
        (
            zone.at(Local(start)),
            zone.at(Local(start + i64::from(frame.minutes) * 60)),
        )
    });
    spans
        .filter(|(from, to)| *from <= at && at < *to)
        .map(|(_, to)| to)
        .max()
}

/// The profile that a device follows, by sorting everything that covers it.
fn profile<'a>(policy: &'a Policy, device: &DeviceFacts) -> Option<&'a Profile> {
    let depth = |id: GroupId| lineage(&policy.groups, &[id]).len();
    let mine = lineage(&policy.groups, &device.groups);
    let covering = policy.profiles.iter().filter_map(|p| {
        let scope = &p.scope;
        let excluded = scope.not_devices.contains(&device.id) || scope.not_groups.iter().any(|g| mine.contains(g));
        let deepest = scope
            .groups
            .iter()
            .filter(|g| mine.contains(g))
            .map(|g| depth(*g))
            .max();
        let specific = match (scope.devices.contains(&device.id), deepest, scope.everything) {
            (true, _, _) => usize::MAX,
            (false, Some(depth), _) => depth,
            (false, None, true) => 0,
            (false, None, false) => return None,
        };
        (!excluded).then_some((std::cmp::Reverse(specific), p.position, p.id, p))
    });
    covering
        .min_by_key(|(specific, position, id, _)| (*specific, *position, *id))
        .map(|(_, _, _, p)| p)
}

/// Whether a date is the nth of its weekday in its month, counted by stepping from week to week.
fn is_nth(date: Local, nth: i8) -> bool {
    let week = |n: i64| Local(date.0 + n * 7 * 86_400);
    if nth < 0 {
        return week(1).month() != date.month();
    }
    let mut earlier = 0;
    while week(-earlier - 1).month() == date.month() {
        earlier += 1;
    }
    earlier + 1 == i64::from(nth)
}

/// Counts what would run and compares with the limits.
fn too_many(input: &PlanInput, plan: &Plan) -> Vec<Violation> {
    let mut found = Vec::new();
    let policy = input.policy.policy();
    let mut devices = BTreeSet::new();
    let mut in_location = input.in_location.clone();
    let mut in_ring: BTreeMap<_, u32> = BTreeMap::new();
    let mut fresh_in_ring: BTreeMap<_, u32> = BTreeMap::new();
    for (n, pair) in plan.starts.iter().enumerate() {
        let (Some(device), Some(patch)) = (input.devices.get(&pair.0), input.patches.get(&pair.1)) else {
            continue;
        };
        let mut rule = |broken: bool, why: &'static str| {
            if broken {
                found.push(Violation::TooMany(*pair, why));
            }
        };
        rule(
            !plan.decisions.get(pair).is_some_and(crate::reason::Decision::installs),
            "it was not decided so",
        );
        rule(!devices.insert(pair.0), "another one starts on the device");
        let running = u64::from(input.in_fleet) + n as u64 + 1;
        rule(
            policy
                .permits
                .fleet_in_flight
                .is_some_and(|cap| running > u64::from(cap)),
            "the fleet is full",
        );
        if let Some(location) = device.location {
            let here = in_location.entry(location).or_default();
            *here += 1;
            let cap = policy
                .locations
                .iter()
                .find(|l| l.id == location)
                .and_then(|l| l.max_in_flight);
            rule(cap.is_some_and(|cap| *here > cap), "the location is full");
        }
        if let Some(ring) = device.ring {
            let known = policy.rings.iter().find(|r| r.id == ring);
            let steps = known.map_or(&[][..], |r| r.waves.steps.as_slice());
            let before = patch.evidence.get(&ring).map_or(0, |e| e.in_flight);
            let here = in_ring.entry((pair.1, ring)).or_insert(before);
            *here += 1;
            rule(
                known.and_then(|r| r.max_in_flight).is_some_and(|cap| *here > cap),
                "the ring is full",
            );
            let first = patch.evidence.get(&ring).is_none_or(|e| e.finished == 0);
            let fresh = input.pairs.get(pair).is_some_and(|facts| facts.attempts_failed == 0);
            let alone = fresh_in_ring.entry((pair.1, ring)).or_insert(before);
            *alone += u32::from(fresh);
            let waves = steps.first() == Some(&WaveStep::Devices(1));
            rule(
                waves && fresh && first && *alone > 1,
                "the first device of a ring goes alone",
            );
            let unproven = patch
                .evidence
                .get(&ring)
                .is_some_and(|e| e.finished > 0 && e.successes.values().all(|n| *n == 0));
            rule(
                !steps.is_empty() && fresh && unproven && *alone > 1,
                "nobody has succeeded in the ring, so that one at a time goes",
            );
        }
    }
    found
}
