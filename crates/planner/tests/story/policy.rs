//! Sentences that change the policy.
//!
//! `ring Early position=2 soak=3d min=2 share=10 [own=no] [rebooted] [critical]` (changes or adds) · `rings none` ·
//! `group berlin [in=germany] [blocks] [missed=wait|catch-up:2]` · `profiles none` ·
//! `profile night [everything] groups=… devices=… not-groups=… not-devices=… frame=22:00+8h days=Mon,Tue zone=… position=1 every=24h (scans)
//! installs=24h only=security without=Debian-11 reserve=2048` ·
//! `window w once=2026-11-07T22:00 | rule=FREQ=… start=… | nth=2 day=Tue plus=3 at=02:00 length=4h zone=device|UTC|Europe/Berlin groups=…` ·
//! `freeze f from=2026-12-20 to=2027-01-04 zone=… groups=…` · `exception e device=|group=|all patch=|product= until=… by=…` ·
//! `location site cap=2 rate=125000 zone=…` · `set retry=3,1h,24h waves=none|1,5%,25% rest=1h fleet=10 ring-cap=5 rollback=plan package=required
//! install=10m hold=2,5` · `remove window w`.

use super::{Sentence, Told, World, minute, span};
use domain::*;
use planner::*;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

fn day(name: &str) -> Told<u8> {
    DAYS.iter()
        .position(|d| *d == name)
        .map(|i| i as u8)
        .ok_or_else(|| format!("{name} is no weekday"))
}

fn zone(s: &Sentence) -> ZoneRule {
    match s.option("zone") {
        None | Some("device") => ZoneRule::Device,
        Some("UTC") => ZoneRule::Utc,
        Some(name) => ZoneRule::Fixed(name.to_owned()),
    }
}

fn local(text: &str) -> Told<Local> {
    let text = if text.contains('T') {
        text.to_owned()
    } else {
        format!("{text}T00:00")
    };
    Local::parse(&text).ok_or_else(|| format!("{text} is no moment"))
}

/// Puts `new` in the place of the one with the same id, or at the end.
fn put<T>(list: &mut Vec<T>, new: T, same: impl Fn(&T) -> bool) {
    match list.iter().position(same) {
        Some(i) => list[i] = new,
        None => list.push(new),
    }
}

impl World {
    pub fn policy_sentence(&mut self, s: &Sentence) -> Told<()> {
        match s.verb {
            "rings" => self.policy.rings.clear(),
            "profiles" => self.policy.profiles.clear(),
            "ring" => self.ring_sentence(s)?,
            "group" => {
                let id = GroupId(self.id("group", s.name(0)?));
                let parent = s.option("in").map(|name| GroupId(self.id("group", name)));
                let missed = match s.option("missed") {
                    None => None,
                    Some("wait") => Some(MissedWindows::Wait),
                    Some(text) => {
                        let n = text.strip_prefix("catch-up:").and_then(|n| n.parse().ok());
                        Some(MissedWindows::CatchUp {
                            after: n.ok_or_else(|| format!("missed={text}"))?,
                        })
                    }
                };
                put(
                    &mut self.policy.groups,
                    Group {
                        id,
                        parent,
                        blocks_inheritance: s.has("blocks"),
                        missed,
                    },
                    |g| g.id == id,
                );
            }
            "profile" => self.profile_sentence(s)?,
            "window" => self.window_sentence(s)?,
            "freeze" => {
                let id = FreezeId(self.id("freeze", s.name(0)?));
                let ends = (s.option("from").unwrap_or_default(), s.option("to").unwrap_or_default());
                let groups = self.groups(s.option("groups"));
                let new = Freeze {
                    id,
                    zone: zone(s),
                    from: local(ends.0)?,
                    to: local(ends.1)?,
                    groups,
                };
                put(&mut self.policy.freezes, new, |f| f.id == id);
            }
            "exception" => self.exception_sentence(s)?,
            "location" => {
                let id = LocationId(self.id("location", s.name(0)?));
                let new = Location {
                    id,
                    zone: s.option("zone").unwrap_or("UTC").to_owned(),
                    max_in_flight: s.option("cap").and_then(|n| n.parse().ok()),
                    bytes_per_second: s.option("rate").and_then(|n| n.parse().ok()),
                };
                put(&mut self.policy.locations, new, |l| l.id == id);
            }
            "remove" => {
                let (kind, name) = (s.name(0)?, s.name(1)?);
                match kind {
                    "window" => {
                        let id = self.known("window", name)?;
                        self.policy.windows.retain(|w| w.id.0 != id);
                    }
                    "freeze" => {
                        let id = self.known("freeze", name)?;
                        self.policy.freezes.retain(|f| f.id.0 != id);
                    }
                    "exception" => {
                        let id = self.known("exception", name)?;
                        self.policy.exceptions.retain(|e| e.id.0 != id);
                    }
                    _ => return Err(format!("cannot remove a {kind}")),
                }
            }
            _ => self.set_sentence(s)?,
        }
        Ok(())
    }

    fn ring_sentence(&mut self, s: &Sentence) -> Told<()> {
        let name = s.name(0)?;
        let id = RingId(self.id("ring", name));
        let old = self.policy.rings.iter().find(|r| r.id == id);
        let mut new = old.cloned().unwrap_or_else(|| Ring {
            waves: self.waves.clone(),
            holds: self.holds,
            max_in_flight: self.ring_cap,
            rollback: self.rollback,
            ..Ring::new(id, name, id.0 as u32)
        });
        let evidence = &mut new.evidence;
        evidence.min_successes = s.number("min", evidence.min_successes)?;
        evidence.min_share_percent = s.number("share", evidence.min_share_percent)?;
        evidence.own_release &= s.option("own") != Some("no");
        evidence.rebooted |= s.has("rebooted");
        evidence.critical_products |= s.has("critical");
        new.soak = s.option("soak").map_or(Ok(new.soak), span)?;
        new.position = s.number("position", new.position)?;
        put(&mut self.policy.rings, new, |r| r.id == id);
        Ok(())
    }

    fn profile_sentence(&mut self, s: &Sentence) -> Told<()> {
        let id = ProfileId(self.id("profile", s.name(0)?));
        let devices = |key: &str| -> Told<Vec<DeviceId>> {
            s.option(key).map_or(Ok(Vec::new()), |names| {
                names.split(',').map(|n| Ok(self.device(n)?.id)).collect()
            })
        };
        let (named, not_devices) = (devices("devices")?, devices("not-devices")?);
        let frame = match s.option("frame") {
            None => None,
            Some(text) => {
                let (from, length) = text.split_once('+').ok_or("frame=22:00+8h")?;
                let days = match s.option("days") {
                    None => Days::ALL,
                    Some(names) => Days(
                        names
                            .split(',')
                            .map(day)
                            .try_fold(0, |set, d| d.map(|d| set | 1 << d))?,
                    ),
                };
                let minutes = (span(length)?.0 / 60) as u16;
                Some(Frame {
                    zone: zone(s),
                    days,
                    from_minute: minute(from)?,
                    minutes,
                })
            }
        };
        let scope = Scope {
            everything: s.has("everything"),
            groups: self.groups(s.option("groups")),
            devices: named,
            not_groups: self.groups(s.option("not-groups")),
            not_devices,
        };
        let new = Profile {
            id,
            position: s.number("position", 0)?,
            scan_every: s.option("every").map_or(Ok(Span::hours(24)), span)?,
            install_every: s.option("installs").map_or(Ok(Span::hours(24)), span)?,
            frame,
            scope,
            coverage: Coverage {
                categories: s.option("only").map_or(Ok(Vec::new()), categories)?,
                left_out: s.option("without").map_or_else(Vec::new, |names| self.releases(names)),
            },
            disk_reserve_mib: s.number("reserve", Profile::default().disk_reserve_mib as u32)?.into(),
        };
        put(&mut self.policy.profiles, new, |p| p.id == id);
        Ok(())
    }

    fn releases(&mut self, names: &str) -> Vec<OsReleaseId> {
        names
            .split(',')
            .map(|name| OsReleaseId(self.id("release", name)))
            .collect()
    }

    fn window_sentence(&mut self, s: &Sentence) -> Told<()> {
        let id = WindowId(self.id("window", s.name(0)?));
        let recurrence = if let Some(start) = s.option("once") {
            Recurrence::Once { start: local(start)? }
        } else if let Some(rule) = s.option("rule") {
            Recurrence::Rule {
                start: local(s.option("start").unwrap_or_default())?,
                rule: rule.to_owned(),
            }
        } else {
            Recurrence::NthWeekday {
                nth: s.number("nth", 1)?,
                weekday: day(s.option("day").unwrap_or_default())?,
                plus_days: s.number("plus", 0)?,
                at_minute: minute(s.option("at").unwrap_or("00:00"))?,
            }
        };
        let length = span(s.option("length").unwrap_or("4h"))?;
        let new = Window {
            id,
            zone: zone(s),
            recurrence,
            length,
            groups: self.groups(s.option("groups")),
        };
        put(&mut self.policy.windows, new, |w| w.id == id);
        Ok(())
    }

    fn exception_sentence(&mut self, s: &Sentence) -> Told<()> {
        let id = ExceptionId(self.id("exception", s.name(0)?));
        let covers = match (s.option("device"), s.option("group")) {
            (Some(device), _) => ExceptionFor::Device(self.device(device)?.id),
            (None, Some(group)) => ExceptionFor::Group(GroupId(self.id("group", group))),
            (None, None) => ExceptionFor::All,
        };
        let of = match s.option("patch") {
            Some(patch) => ExceptionOf::Patch(self.patch(patch)?.id),
            None => ExceptionOf::Product(ProductId(self.id("product", s.option("product").unwrap_or_default()))),
        };
        let (owner, expires) = (self.by(s), self.moment(s.option("until").unwrap_or_default())?);
        put(
            &mut self.policy.exceptions,
            Exception {
                id,
                covers,
                of,
                owner,
                expires,
            },
            |e| e.id == id,
        );
        Ok(())
    }

    fn set_sentence(&mut self, s: &Sentence) -> Told<()> {
        for (key, value) in &s.options {
            let parts: Vec<&str> = value.split(',').collect();
            let number = |i: usize| -> Told<u32> {
                parts
                    .get(i)
                    .and_then(|n| n.parse().ok())
                    .ok_or_else(|| format!("{key}={value}"))
            };
            match *key {
                "retry" => {
                    let last = parts.get(2).copied().unwrap_or("24h");
                    self.policy.retry = RetryPolicy {
                        max: number(0)?,
                        first: span(parts[1])?,
                        longest: span(last)?,
                    };
                }
                "waves" if *value == "none" => self.waves.steps.clear(),
                "waves" => self.waves.steps = parts.iter().map(|part| step(part)).collect::<Told<_>>()?,
                "rest" => self.waves.rest = span(value)?,
                "fleet" => self.policy.permits.fleet_in_flight = Some(number(0)?),
                "ring-cap" => self.ring_cap = Some(number(0)?),
                "rollback" if *value == "plan" => self.rollback = RollbackPolicy::Plan,
                "rollback" => self.rollback = RollbackPolicy::Readiness,
                "package" => self.policy.package = PackagePolicy::Required,
                "install" => self.policy.durations.install = span(value)?,
                "hold" => {
                    self.holds = HoldPolicy {
                        failures: number(0)?,
                        percent: number(1)? as u8,
                        vanished: 2,
                    }
                }
                _ => return Err(format!("there is no setting {key}")),
            }
        }
        for ring in &mut self.policy.rings {
            ring.waves = self.waves.clone();
            ring.holds = self.holds;
            ring.max_in_flight = self.ring_cap;
            ring.rollback = self.rollback;
        }
        Ok(())
    }
}

fn categories(words: &str) -> Told<Vec<Category>> {
    let parsed = words
        .split(',')
        .map(|word| word.parse().map_err(|_| format!("{word} is no category")));
    parsed.collect()
}

fn step(text: &str) -> Told<WaveStep> {
    let percent = text
        .strip_suffix('%')
        .and_then(|n| n.parse().ok())
        .map(WaveStep::Percent);
    percent
        .or_else(|| text.parse().ok().map(WaveStep::Devices))
        .ok_or_else(|| format!("{text} is no wave"))
}
