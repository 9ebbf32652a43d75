//! The coming days by deciding again and again: no queues, nothing remembered, the whole plan at every instant.

use super::{Fleet, Rounds};
use domain::*;
use planner::*;

/// States in which there is nothing to forecast.
pub fn is_settled(state: PatchState) -> bool {
    !matches!(
        state,
        PatchState::Unknown
            | PatchState::Superseded
            | PatchState::Missing
            | PatchState::Failed
            | PatchState::RolledBack
    )
}

/// What starts in the next `days` days, by time, when every install takes its expected time and succeeds, and what runs already is over after
/// its time.
pub fn starts(fleet: &Fleet, policy: &Compiled, days: i64) -> Vec<(Moment, Pair)> {
    let (mut now, until) = (fleet.clone(), fleet.now + Span::days(days));
    let mut rounds = Rounds::of(fleet);
    let mut found = Vec::new();
    let mut running: Vec<(Moment, Pair)> = Vec::new();
    let busy = fleet.devices.iter().filter(|d| d.open_attempt.is_some());
    let mut free: Vec<(Moment, DeviceId)> = busy.map(|d| (fleet.now + RUNNING, d.id)).collect();
    let anybody = |patch: &PatchFacts| DeviceFacts::new(DeviceId(0), patch.os_release, RingId(0));
    let mut unknown: Vec<(Moment, PatchId, RingId, u32)> = Vec::new();
    for patch in &fleet.patches {
        let nothing = PairFacts::new(PatchState::Missing);
        let over = fleet.now + policy.expected(patch, &nothing, &anybody(patch));
        let rings = patch.evidence.iter().filter(|(_, evidence)| evidence.in_flight > 0);
        unknown.extend(rings.map(|(ring, evidence)| (over, patch.id, *ring, evidence.in_flight)));
    }
    while now.now < until {
        let at = now.now;
        let over = |end: Moment| end <= at;
        for (_, pair) in running.extract_if(.., |(end, _)| over(*end)) {
            now.end(pair);
        }
        for (_, device) in free.extract_if(.., |(end, _)| over(*end)) {
            let device = now.devices.iter_mut().find(|d| d.id == device).expect("device");
            device.open_attempt = None;
        }
        if over(fleet.now + RUNNING) {
            now.elsewhere.clear();
        }
        for (_, patch, ring, devices) in unknown.extract_if(.., |(end, ..)| over(*end)) {
            let patch = now.patches.iter_mut().find(|p| p.id == patch).expect("patch");
            let (release, evidence) = (patch.os_release, patch.evidence.get_mut(&ring).expect("ring"));
            evidence.in_flight -= devices;
            evidence.finished += devices;
            *evidence.successes.entry(release).or_default() += devices;
            evidence.first_success = evidence.first_success.or(Some(now.now));
            evidence.last_finished = evidence.last_finished.max(Some(now.now));
        }
        // One after the other, as permits are given: what starts is a fact for the next one.
        let mut made = plan(&now.input(policy));
        while let Some(pair) = made.starts.first().copied() {
            rounds.installs(policy, pair, now.now);
            rounds.tell(&mut now.devices);
            now.start(pair);
            let device = now.devices.iter().find(|d| d.id == pair.0).expect("device");
            let patch = now.patches.iter().find(|p| p.id == pair.1).expect("patch");
            let facts = &now.pairs.iter().find(|(id, _)| *id == pair).expect("pair").1;
            running.push((now.now + policy.expected(patch, facts, device), pair));
            found.push((now.now, pair));
            made = plan(&now.input(policy));
        }
        let ends = running.iter().map(|(at, _)| *at);
        let others = free.iter().map(|(at, _)| *at).chain(unknown.iter().map(|(at, ..)| *at));
        let elsewhere = (!now.elsewhere.is_empty()).then_some(fleet.now + RUNNING);
        let Some(next) = ends.chain(others).chain(elsewhere).chain(made.next_change_at).min() else {
            break;
        };
        now.now = next;
    }
    found.sort_unstable();
    found
}
