//! Sentences that change facts.
//!
//! `device d1 ring=Pilot release=Debian-12 zone=… groups=… location=… critical=… disk=2000 missed=2 [scan-only] [broken] [battery]` (adds or changes;
//! `ring=none`, `round=2026-11-02T08:00`, `state=pending|quarantined|revoked`, `reboot-owed=since|no`, `attempt=5|no`) · `patch p release=… size=50MB product=… category=… install=20m [reboot]` ·
//! `supersede old by=new` · `approve p ring [urgent|urgent-outside-windows] by=…` · `deny p ring by=…` · `withdraw p ring` ·
//! `hold p [ring] [problem=3] by=…` · `resolve p` · `start d p` · `succeed d p [rebooted]` · `fail d p` · `vanish d p` · `not-started d p` · `reset d p` ·
//! `roll-back d p` · `pair d p state=… brake=held|pinned|phased:20 ready=yes|no` · `cache p fetching|at-hand` · `plan-back p [waived]`.

use super::{Record, Sentence, Told, World, span};
use domain::*;
use planner::*;

impl World {
    pub fn event(&mut self, s: &Sentence) -> Told<()> {
        match s.verb {
            "device" => self.device_sentence(s),
            "patch" => self.patch_sentence(s),
            "approve" | "deny" | "withdraw" => self.decision_sentence(s),
            "hold" | "resolve" => self.hold_sentence(s),
            "supersede" => {
                let by = self.patch(s.option("by").unwrap_or_default())?.id;
                self.patch_mut(s.name(0)?)?.superseded_by = Some(by);
                Ok(())
            }
            "cache" => {
                let package = if s.has("at-hand") {
                    PackageFact::AtHand { since: self.now }
                } else {
                    PackageFact::Fetching
                };
                self.patch_mut(s.name(0)?)?.package = package;
                Ok(())
            }
            "plan-back" => {
                let plan = if s.has("waived") {
                    RollbackPlan::Waived(self.by(s))
                } else {
                    RollbackPlan::Exists
                };
                self.patch_mut(s.name(0)?)?.rollback = plan;
                Ok(())
            }
            _ => self.attempt_sentence(s),
        }
    }

    fn patch_mut(&mut self, name: &str) -> Told<&mut PatchFacts> {
        self.patches
            .get_mut(name)
            .ok_or_else(|| format!("there is no patch {name}"))
    }

    fn device_sentence(&mut self, s: &Sentence) -> Told<()> {
        let name = s.name(0)?;
        let known = self.devices.contains_key(name);
        let id = DeviceId(self.id("device", name));
        let release = self.release(s);
        let ring = self.ring(s.option("ring").filter(|r| *r != "none").unwrap_or("Production"))?;
        let mut device = self
            .devices
            .get(name)
            .cloned()
            .unwrap_or_else(|| DeviceFacts::new(id, release, ring));
        match s.option("ring") {
            Some("none") => device.ring = None,
            Some(_) => device.ring = Some(ring),
            None => {}
        }
        if s.option("groups").is_some() {
            device.groups = self.groups(s.option("groups"));
        }
        device.scan_only |= s.has("scan-only");
        device.manager_broken |= s.has("broken");
        device.on_battery |= s.has("battery");
        device.disk_free_mib = s.number("disk", device.disk_free_mib)?;
        device.missed_windows = s.number("missed", device.missed_windows)?;
        for (key, value) in &s.options {
            match *key {
                "zone" => device.zone = (*value).to_owned(),
                "location" => device.location = Some(LocationId(self.id("location", value))),
                "critical" => device.critical = value.split(',').map(|p| ProductId(self.id("product", p))).collect(),
                "state" => device.state = value.parse().map_err(|_| format!("{value} is no state"))?,
                "last-scan" => device.last_scan = Some(self.moment(value)?),
                "reboot-owed" => {
                    device.reboot_owed = if *value == "no" {
                        None
                    } else {
                        Some(self.moment(value)?)
                    }
                }
                "attempt" => device.open_attempt = value.parse().ok(),
                "round" => device.round_started = Some(self.moment(value)?),
                "rate" => device.measured.download_rate = Some(value.parse().map_err(|_| "rate=1000000")?),
                "restart" => device.measured.restart = Some(span(value)?),
                _ => {}
            }
        }
        let now = self.now;
        if !known {
            for patch in self.patches.values().filter(|p| p.os_release == device.os_release) {
                self.pairs.insert(
                    (id, patch.id),
                    PairFacts {
                        since: Some(now),
                        ..PairFacts::new(PatchState::Missing)
                    },
                );
            }
        }
        self.devices.insert(name.to_owned(), device);
        Ok(())
    }

    fn patch_sentence(&mut self, s: &Sentence) -> Told<()> {
        let name = s.name(0)?;
        let known = self.patches.contains_key(name);
        let id = PatchId(self.id("patch", name));
        let release = self.release(s);
        let mut patch = self
            .patches
            .get(name)
            .cloned()
            .unwrap_or_else(|| PatchFacts::new(id, release));
        if let Some(size) = s.option("size") {
            patch.size = size
                .strip_suffix("MB")
                .and_then(|n| n.parse::<u64>().ok())
                .ok_or("size=50MB")?
                * 1_000_000;
        }
        if let Some(product) = s.option("product") {
            patch.product = Some(ProductId(self.id("product", product)));
        }
        if let Some(category) = s.option("category") {
            patch.category = category.parse().map_err(|_| format!("{category} is no category"))?;
        }
        patch.measured_install = s
            .option("install")
            .map_or(Ok(patch.measured_install), |text| span(text).map(Some))?;
        patch.needs_reboot |= s.has("reboot");
        if !known {
            for device in self.devices.values().filter(|d| d.os_release == patch.os_release) {
                self.pairs.insert(
                    (device.id, id),
                    PairFacts {
                        since: Some(self.now),
                        ..PairFacts::new(PatchState::Missing)
                    },
                );
            }
        }
        self.patches.insert(name.to_owned(), patch);
        Ok(())
    }

    fn decision_sentence(&mut self, s: &Sentence) -> Told<()> {
        let (now, by, ring) = (self.now, self.by(s), self.ring(s.name(1)?)?);
        if s.verb == "withdraw" {
            self.patch_mut(s.name(0)?)?.decisions.retain(|d| d.ring != ring);
            return Ok(());
        }
        let count = self.names.keys().filter(|(k, _)| *k == "decision").count();
        let id = DecisionId(self.id("decision", &count.to_string()));
        let kind = if s.verb == "deny" {
            DecisionKind::Deny
        } else if s.has("urgent-outside-windows") {
            DecisionKind::Approve {
                urgent: Urgency::SkipSoakAndWindows,
            }
        } else if s.has("urgent") {
            DecisionKind::Approve {
                urgent: Urgency::SkipSoak,
            }
        } else {
            DecisionKind::Approve {
                urgent: Urgency::Normal,
            }
        };
        let patch = self.patch_mut(s.name(0)?)?;
        patch.decisions.push(DecisionFact {
            id,
            ring,
            kind,
            at: now,
            by,
        });
        // A new approval lifts the block of a rollback (I-33).
        let patch = patch.id;
        let rings: Vec<(DeviceId, Option<RingId>)> = self.devices.values().map(|d| (d.id, d.ring)).collect();
        for (device, _) in rings
            .into_iter()
            .filter(|(_, r)| *r == Some(ring) && matches!(kind, DecisionKind::Approve { .. }))
        {
            if let Some(pair) = self.pairs.get_mut(&(device, patch)) {
                pair.rolled_back_block = false;
            }
        }
        Ok(())
    }

    fn hold_sentence(&mut self, s: &Sentence) -> Told<()> {
        let now = self.now;
        if s.verb == "resolve" {
            let patch = self.patch_mut(s.name(0)?)?;
            let (id, holds) = (patch.id, std::mem::take(&mut patch.holds));
            self.past_holds
                .extend(holds.into_iter().map(|h| (id, h.ring, h.at, now)));
            return Ok(());
        }
        let (by, ring) = (self.by(s), s.names.get(1).map(|name| self.ring(name)).transpose()?);
        let count = self.names.keys().filter(|(k, _)| *k == "hold").count();
        let id = HoldId(self.id("hold", &count.to_string()));
        let cause = s
            .option("problem")
            .and_then(|n| n.parse().ok())
            .map_or(HoldCause::Person, |n| HoldCause::Problem(ProblemId(n)));
        self.patch_mut(s.name(0)?)?.holds.push(HoldFact {
            id,
            ring,
            cause,
            at: now,
            by: Some(by),
        });
        Ok(())
    }

    fn attempt_sentence(&mut self, s: &Sentence) -> Told<()> {
        let (key, now) = (self.key(s)?, self.now);
        if s.verb == "start" {
            self.begin_round(s)?;
        }
        let place = self.records.values().map(|r| r.place).max().unwrap_or(0) + 1;
        let pair = self
            .pairs
            .entry(key)
            .or_insert_with(|| PairFacts::new(PatchState::Missing));
        let record = self.records.entry(key).or_default();
        match s.verb {
            "start" => {
                (pair.state, record.in_flight) = (PatchState::Installing, true);
                let attempt = AttemptId(self.records.len() as i64);
                self.set_attempt(s, Some(attempt))?;
            }
            "succeed" => {
                pair.state = PatchState::Installed;
                *record = Record {
                    succeeded: Some(record.succeeded.unwrap_or(now)),
                    rebooted: s.has("rebooted"),
                    place,
                    ..Record::default()
                };
                self.set_attempt(s, None)?;
            }
            "fail" | "vanish" => {
                (pair.state, pair.last_failed) = (PatchState::Failed, Some(now));
                pair.attempts_failed += 1;
                *record = Record {
                    failed: Some(now),
                    vanished: s.verb == "vanish",
                    place,
                    ..Record::default()
                };
                self.set_attempt(s, None)?;
            }
            "not-started" => {
                (pair.state, record.in_flight) = (PatchState::Missing, false);
                (pair.not_started, pair.last_not_started) = (pair.not_started + 1, Some(now));
                self.set_attempt(s, None)?;
            }
            "reset" => {
                (pair.attempts_failed, pair.last_failed) = (0, None);
                (pair.not_started, pair.last_not_started) = (0, None);
            }
            "roll-back" => (pair.state, pair.rolled_back_block) = (PatchState::RolledBack, true),
            "pair" => {
                for (key, value) in &s.options {
                    match (*key, *value) {
                        ("state", state) => pair.state = state.parse().map_err(|_| format!("{state} is no state"))?,
                        ("ready", said) => pair.rollback_ready = Some(said == "yes"),
                        ("brake", "held") => pair.brake = Some(Brake::Held),
                        ("brake", "pinned") => pair.brake = Some(Brake::Pinned),
                        ("brake", "none") => pair.brake = None,
                        ("brake", phased) => {
                            let percent = phased
                                .strip_prefix("phased:")
                                .and_then(|n| n.parse().ok())
                                .ok_or("brake=phased:20")?;
                            pair.brake = Some(Brake::Phased { percent });
                        }
                        _ => return Err(format!("pair has no {key}")),
                    }
                }
            }
            verb => return Err(format!("what is {verb}?")),
        }
        Ok(())
    }

    /// What a permit writes down.
    fn begin_round(&mut self, s: &Sentence) -> Told<()> {
        let (device, patch) = (self.device(s.name(0)?)?, self.patch(s.name(1)?)?);
        let pair = self.pairs.get(&(device.id, patch.id)).copied();
        let pair = pair.unwrap_or_else(|| PairFacts::new(PatchState::Missing));
        let policy = self.compiled(&self.policy);
        let begins = Schedule::new(&policy, device).begins_round(patch, &pair, self.now);
        if let (Some(device), Some(round)) = (self.devices.get_mut(s.name(0)?), begins) {
            (device.round_started, device.round_counts_from) = (Some(round.began), Some(round.counts_from));
        }
        Ok(())
    }

    fn set_attempt(&mut self, s: &Sentence, attempt: Option<AttemptId>) -> Told<()> {
        let name = s.name(0)?;
        self.devices
            .get_mut(name)
            .ok_or_else(|| format!("there is no device {name}"))?
            .open_attempt = attempt;
        Ok(())
    }

    /// The patches with what follows from the records: evidence, approved successors.
    pub fn facts(&self) -> std::collections::BTreeMap<PatchId, PatchFacts> {
        let mut all: std::collections::BTreeMap<PatchId, PatchFacts> =
            self.patches.values().map(|p| (p.id, p.clone())).collect();
        let approved = |patch: &PatchFacts| -> Vec<RingId> {
            let rings = self.policy.rings.iter().map(|r| r.id);
            rings
                .filter(|ring| {
                    let mut of_ring = patch.decisions.iter().filter(|d| d.ring == *ring);
                    of_ring.clone().next().is_some() && of_ring.all(|d| d.kind != DecisionKind::Deny)
                })
                .collect()
        };
        for (id, patch) in &mut all {
            let successor = patch
                .superseded_by
                .and_then(|by| self.patches.values().find(|p| p.id == by));
            patch.successor_approved = successor.map_or_else(Vec::new, approved);
            for device in self.devices.values() {
                let (Some(ring), Some(pair)) = (device.ring, self.pairs.get(&(device.id, *id))) else {
                    continue;
                };
                if pair.state != PatchState::NotApplicable {
                    let record = self.records.get(&(device.id, *id)).cloned().unwrap_or_default();
                    count(patch.evidence.entry(ring).or_default(), device, &record);
                }
            }
            for (ring, evidence) in &mut patch.evidence {
                let in_ring = self.devices.values().filter(|d| d.ring == Some(*ring));
                let records: Vec<&Record> = in_ring.filter_map(|d| self.records.get(&(d.id, *id))).collect();
                let good = records.iter().filter(|r| r.succeeded.is_some()).map(|r| r.place).max();
                let since = records.iter().filter(|r| r.failed.is_some() && Some(r.place) > good);
                evidence.failed_since = u32::try_from(since.count()).unwrap_or(u32::MAX);
                let Some(first) = evidence.first_success else { continue };
                let of_ring = self
                    .past_holds
                    .iter()
                    .filter(|(p, r, _, _)| p == id && r.is_none_or(|r| r == *ring));
                evidence.paused = Span(
                    of_ring
                        .map(|(_, _, from, to)| to.since((*from).max(first)).0.max(0))
                        .sum(),
                );
            }
        }
        all
    }
}

fn count(evidence: &mut Evidence, device: &DeviceFacts, record: &Record) {
    evidence.targets += 1;
    evidence.in_flight += u32::from(record.in_flight);
    evidence.failures += u32::from(record.failed.is_some());
    evidence.vanished += u32::from(record.vanished);
    if let Some(at) = record.succeeded {
        *evidence.successes.entry(device.os_release).or_default() += 1;
        evidence.first_success = Some(evidence.first_success.map_or(at, |first| first.min(at)));
        evidence.rebooted += u32::from(record.rebooted);
        evidence.critical.extend(&device.critical);
    }
    if let Some(at) = record.succeeded.or(record.failed) {
        evidence.finished += 1;
        evidence.last_finished = Some(evidence.last_finished.map_or(at, |last| last.max(at)));
    }
}
