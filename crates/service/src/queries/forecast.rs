//! What is forecast for some days, summed up, and what does not begin in them, by reason.

use super::waiting::Waiting;
use crate::snapshot::Words;
use domain::{DeviceId, PatchId};
use planner::{Pair, Reason, Run, calendar::Open, words};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};
use view::{Load, NotForeseen};

/// Reasons that are told; the rest are one line.
const MOST_REASONS: usize = 12;
/// Installs that are named of what has no room.
const MOST_MISFITS: usize = 20;
/// Installs that are named of what waits for another reason.
const MOST_NAMED: usize = 3;

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The runs that begin in `open`, summed up.
pub(super) fn load(runs: &[Run], open: Open) -> Load {
    let mut load = Load::default();
    let mut devices: BTreeSet<DeviceId> = BTreeSet::new();
    for run in runs.iter().filter(|run| open.has(run.start)) {
        load.installs += 1;
        load.seconds = load.seconds.saturating_add(run.end.since(run.start).0);
        load.bytes = load.bytes.saturating_add(run.bytes);
        devices.insert(run.pair.0);
    }
    load.devices = count(devices.len());
    load
}

/// What waits, by reason: first what no hours and no window has room for, then most first.
pub(super) fn not_foreseen(waits: &[(Pair, Reason)], waiting: &Waiting, names: &Words) -> Vec<NotForeseen> {
    let mut by_reason: BTreeMap<(bool, String), Vec<(DeviceId, PatchId)>> = BTreeMap::new();
    for (pair, reason) in waits {
        let key = (reason.is_misfit(), words::reason(reason, names));
        by_reason.entry(key).or_default().push(*pair);
    }
    let mut all: Vec<_> = by_reason.into_iter().collect();
    all.sort_by_key(|((misfit, _), pairs)| (Reverse(*misfit), Reverse(pairs.len())));
    let rest = all.split_off(all.len().min(MOST_REASONS));
    let told = all.into_iter().map(|((misfit, reason), pairs)| NotForeseen {
        reason,
        installs: count(pairs.len()),
        misfit,
        examples: pairs
            .into_iter()
            .take(if misfit { MOST_MISFITS } else { MOST_NAMED })
            .map(|(device, patch)| (device, waiting.host(device), patch, waiting.title(patch)))
            .collect(),
    });
    let others = (!rest.is_empty()).then(|| NotForeseen {
        reason: "other reasons, each told on the page of its device".to_owned(),
        installs: count(rest.iter().map(|(_, pairs)| pairs.len()).sum()),
        misfit: false,
        examples: Vec::new(),
    });
    told.chain(others).collect()
}
