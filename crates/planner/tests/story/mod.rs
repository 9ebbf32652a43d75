//! The language of the stories: one sentence per line, `verb name… key=value…`; `#` starts a comment.
//!
//! Time: `at 2026-11-02T09:00` · `zone Europe/Berlin` (how moments are read and shown) · `wait 7d`.
//! Policy: `rings …` `ring` `group` `profile` `window` `freeze` `exception` `location` `set` `remove` (see `policy.rs`).
//! Facts: `device` `patch` `approve` `deny` `withdraw` `hold` `resolve` `start` `succeed` `fail` `vanish` `reset` `roll-back` `scan` `pair` (see `events.rs`).
//! Questions: `ask device patch` (the headline) · `explain device patch` (every gate) · `next device patch` (when the decision can change) ·
//! `draw device 7d` · `occurrences window n [zone=…]` · `plan` · `forecast 14d` · `change … end` (what a change of policy would move) · `save` (whether the policy would be saved).

mod events;
mod policy;
mod print;

use domain::*;
use planner::calendar::Zone;
use planner::*;
use std::collections::BTreeMap;

pub type Told<T> = Result<T, String>;

/// What became of one patch on one device.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub in_flight: bool,
    pub succeeded: Option<Moment>,
    pub failed: Option<Moment>,
    pub vanished: bool,
    pub rebooted: bool,
    /// Its place among all results; 0: none yet.
    pub place: usize,
}

pub struct World {
    pub now: Moment,
    pub zone: Zone,
    pub policy: Policy,
    /// What `set` says of every ring, and of rings to come.
    pub waves: WavePolicy,
    pub holds: HoldPolicy,
    pub ring_cap: Option<u32>,
    pub rollback: RollbackPolicy,
    pub devices: BTreeMap<String, DeviceFacts>,
    pub patches: BTreeMap<String, PatchFacts>,
    pub pairs: BTreeMap<(DeviceId, PatchId), PairFacts>,
    pub records: BTreeMap<(DeviceId, PatchId), Record>,
    /// Resolved holds: patch, ring, from, to.
    pub past_holds: Vec<(PatchId, Option<RingId>, Moment, Moment)>,
    pub names: BTreeMap<(&'static str, String), i64>,
    /// The policy before `change`.
    pub before: Option<Policy>,
    pub out: String,
}

/// Tells a story and gives its transcript.
pub fn tell(text: &str) -> Told<String> {
    let mut world = World {
        now: Moment(0),
        zone: Zone::UTC,
        policy: Policy::default(),
        waves: WavePolicy::default(),
        holds: HoldPolicy::default(),
        ring_cap: None,
        rollback: RollbackPolicy::default(),
        devices: BTreeMap::new(),
        patches: BTreeMap::new(),
        pairs: BTreeMap::new(),
        records: BTreeMap::new(),
        past_holds: Vec::new(),
        names: BTreeMap::new(),
        before: None,
        out: String::new(),
    };
    world.now = world.moment("2026-11-02T09:00")?;
    world.id("ring", "Pilot");
    world.id("ring", "Production");
    world.id("profile", "standard");
    for (number, line) in text.lines().enumerate() {
        world.out.push_str(line);
        world.out.push('\n');
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Some((verb, rest)) = words.split_first() {
            let sentence = Sentence::new(verb, rest);
            world.hear(&sentence).map_err(|e| format!("line {}: {e}", number + 1))?;
        }
    }
    Ok(world.out)
}

/// One line: its verb, names and options.
pub struct Sentence<'a> {
    pub verb: &'a str,
    pub names: Vec<&'a str>,
    pub options: Vec<(&'a str, &'a str)>,
}

impl<'a> Sentence<'a> {
    fn new(verb: &'a str, rest: &[&'a str]) -> Self {
        let (mut names, mut options) = (Vec::new(), Vec::new());
        for word in rest {
            match word.split_once('=') {
                Some(pair) => options.push(pair),
                None => names.push(*word),
            }
        }
        Self { verb, names, options }
    }

    pub fn name(&self, i: usize) -> Told<&'a str> {
        self.names
            .get(i)
            .copied()
            .ok_or_else(|| format!("{} needs a name in place {}", self.verb, i + 1))
    }

    pub fn option(&self, key: &str) -> Option<&'a str> {
        self.options.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)
    }

    pub fn has(&self, word: &str) -> bool {
        self.names.contains(&word)
    }

    pub fn number<T: std::str::FromStr>(&self, key: &str, otherwise: T) -> Told<T> {
        self.option(key).map_or(Ok(otherwise), |text| {
            text.parse().map_err(|_| format!("{key}={text} is no number"))
        })
    }
}

impl World {
    fn hear(&mut self, s: &Sentence) -> Told<()> {
        match s.verb {
            "at" => self.now = self.moment(s.name(0)?)?,
            "zone" => self.zone = s.name(0)?.parse().map_err(|_| "unknown zone".to_owned())?,
            "wait" => self.now = self.now + span(s.name(0)?)?,
            "ring" | "rings" | "group" | "profile" | "profiles" | "window" | "freeze" | "exception" | "location"
            | "set" | "remove" => {
                self.policy_sentence(s)?;
            }
            "ask" | "explain" | "next" | "occurrences" | "plan" | "forecast" | "change" | "end" | "save" | "draw" => {
                self.question(s)?
            }
            _ => self.event(s)?,
        }
        Ok(())
    }

    /// The id of a name; a new name gets the next one of its kind.
    pub fn id(&mut self, kind: &'static str, name: &str) -> i64 {
        let next = self.names.keys().filter(|(k, _)| *k == kind).count() as i64 + 1;
        *self.names.entry((kind, name.to_owned())).or_insert(next)
    }

    /// The id of a name that must be there.
    pub fn known(&self, kind: &'static str, name: &str) -> Told<i64> {
        self.names
            .get(&(kind, name.to_owned()))
            .copied()
            .ok_or_else(|| format!("there is no {kind} {name}"))
    }

    pub fn name_of(&self, kind: &'static str, id: i64) -> String {
        let found = self.names.iter().find(|((k, _), i)| *k == kind && **i == id);
        found.map_or_else(|| format!("{kind} {id}"), |((_, name), _)| name.clone())
    }

    pub fn moment(&self, text: &str) -> Told<Moment> {
        let text = if text.contains('T') {
            text.to_owned()
        } else {
            format!("{text}T00:00")
        };
        Local::parse(&text)
            .map(|local| self.zone.at(local))
            .ok_or_else(|| format!("{text} is no moment"))
    }

    pub fn ring(&self, name: &str) -> Told<RingId> {
        self.known("ring", name).map(RingId)
    }

    pub fn groups(&mut self, names: Option<&str>) -> Vec<GroupId> {
        names.map_or_else(Vec::new, |names| {
            names.split(',').map(|name| GroupId(self.id("group", name))).collect()
        })
    }

    pub fn release(&mut self, s: &Sentence) -> OsReleaseId {
        OsReleaseId(self.id("release", s.option("release").unwrap_or("Debian-12")))
    }

    pub fn by(&mut self, s: &Sentence) -> AccountId {
        AccountId(self.id("account", s.option("by").unwrap_or("Ada")))
    }

    pub fn device(&self, name: &str) -> Told<&DeviceFacts> {
        self.devices
            .get(name)
            .ok_or_else(|| format!("there is no device {name}"))
    }

    pub fn patch(&self, name: &str) -> Told<&PatchFacts> {
        self.patches
            .get(name)
            .ok_or_else(|| format!("there is no patch {name}"))
    }

    pub fn key(&self, s: &Sentence) -> Told<(DeviceId, PatchId)> {
        Ok((self.device(s.name(0)?)?.id, self.patch(s.name(1)?)?.id))
    }

    pub fn compiled(&self, policy: &Policy) -> Compiled {
        policy
            .clone()
            .compile(self.now, self.devices.values().map(|d| d.zone.as_str()))
    }
}

/// `7d`, `3h`, `20m`, `45s`.
pub fn span(text: &str) -> Told<Span> {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let n: i64 = number.parse().map_err(|_| format!("{text} is no length"))?;
    match unit {
        "d" => Ok(Span::days(n)),
        "h" => Ok(Span::hours(n)),
        "m" => Ok(Span::minutes(n)),
        "s" => Ok(Span(n)),
        _ => Err(format!("{text} is no length")),
    }
}

/// `22:30` as minutes after midnight.
pub fn minute(text: &str) -> Told<u16> {
    let (h, m) = text
        .split_once(':')
        .ok_or_else(|| format!("{text} is no time of day"))?;
    match (h.parse::<u16>(), m.parse::<u16>()) {
        (Ok(h), Ok(m)) => Ok(h * 60 + m),
        _ => Err(format!("{text} is no time of day")),
    }
}
