//! Questions and their answers.

use super::{Sentence, Told, World};
use domain::*;
use planner::calendar::Zone;
use planner::words::{self, Names};
use planner::*;

impl Names for World {
    fn now(&self) -> Moment {
        self.now
    }
    fn time(&self, at: Moment) -> String {
        self.zone.text_with_zone(at)
    }
    fn patch(&self, id: PatchId) -> String {
        self.name_of("patch", id.0)
    }
    fn ring(&self, id: RingId) -> String {
        self.name_of("ring", id.0)
    }
    fn account(&self, id: AccountId) -> String {
        self.name_of("account", id.0)
    }
    fn group(&self, id: GroupId) -> String {
        self.name_of("group", id.0)
    }
    fn location(&self, id: LocationId) -> String {
        self.name_of("location", id.0)
    }
    fn window(&self, id: WindowId) -> String {
        self.name_of("window", id.0)
    }
    fn freeze(&self, id: FreezeId) -> String {
        self.name_of("freeze", id.0)
    }
    fn profile(&self, id: ProfileId) -> String {
        self.name_of("profile", id.0)
    }
    fn exception(&self, id: ExceptionId) -> String {
        format!("Exception {}", self.name_of("exception", id.0))
    }
    fn release(&self, id: OsReleaseId) -> String {
        self.name_of("release", id.0)
    }
    fn product(&self, id: ProductId) -> String {
        self.name_of("product", id.0)
    }
}

impl World {
    pub fn question(&mut self, s: &Sentence) -> Told<()> {
        let lines = match s.verb {
            "ask" | "explain" | "next" => self.decision_lines(s)?,
            "occurrences" => {
                let id = self.known("window", s.name(0)?)?;
                let window = self
                    .policy
                    .windows
                    .iter()
                    .find(|w| w.id.0 == id)
                    .ok_or("no such window")?;
                let zone: Zone = s
                    .option("zone")
                    .map_or(Ok(self.zone), |z| z.parse().map_err(|_| "unknown zone".to_owned()))?;
                let count = s.name(1)?.parse().map_err(|_| "how many?".to_owned())?;
                let spans = next_spans(window, zone, self.now, count);
                spans
                    .iter()
                    .map(|span| format!("{} - {}", zone.text_with_zone(span.from), zone.text_with_zone(span.to)))
                    .collect()
            }
            "draw" => {
                let policy = self.compiled(&self.policy);
                let device = self.device(s.name(0)?)?;
                let range = calendar::Open {
                    from: self.now,
                    to: self.now + super::span(s.name(1)?)?,
                };
                let drawn = Schedule::new(&policy, device).drawn(range);
                let text = |what: String, span: &calendar::Open| {
                    format!("{what}: {} - {}", self.time(span.from), self.time(span.to))
                };
                let windows = drawn
                    .windows
                    .iter()
                    .map(|(id, span)| text(self.name_of("window", id.0), span));
                let freezes = drawn
                    .freezes
                    .iter()
                    .map(|(id, span)| text(self.name_of("freeze", id.0), span));
                let frames = drawn.frames.iter().flatten().map(|span| text("hours".to_owned(), span));
                frames.chain(windows).chain(freezes).collect()
            }
            "plan" => self.plan_lines()?,
            "forecast" => self.forecast_lines(s)?,
            "change" => {
                self.before = Some(self.policy.clone());
                Vec::new()
            }
            "end" => self.change_lines()?,
            "save" => self.save_lines(),
            verb => return Err(format!("{verb} is no question")),
        };
        for line in lines {
            self.out.push_str("    ");
            self.out.push_str(&line);
            self.out.push('\n');
        }
        Ok(())
    }

    fn decision_lines(&self, s: &Sentence) -> Told<Vec<String>> {
        let key = self.key(s)?;
        let pair = self
            .pairs
            .get(&key)
            .copied()
            .unwrap_or_else(|| PairFacts::new(PatchState::NotApplicable));
        let (policy, patches) = (self.compiled(&self.policy), self.facts());
        let mut device = self.device(s.name(0)?)?.clone();
        let busy = |d: &&DeviceFacts| d.open_attempt.is_some();
        device.load.fleet = self.devices.values().filter(busy).count() as u32;
        device.load.location = self
            .devices
            .values()
            .filter(busy)
            .filter(|d| d.location.is_some() && d.location == device.location)
            .count() as u32;
        let schedule = Schedule::new(&policy, &device);
        let decision = schedule.decide(&patches[&key.1], &pair, self.now);
        let mut lines = Vec::new();
        if s.verb == "next" {
            let at = schedule.next_change_at(&patches[&key.1], &pair, self.now);
            lines.push(at.map_or_else(|| "never by itself".to_owned(), |at| self.time(at)));
            return Ok(lines);
        }
        lines.push(format!("{}: {}", self.time(self.now), words::headline(&decision, self)));
        if s.verb == "explain" {
            lines.extend(
                decision
                    .ladder
                    .iter()
                    .map(|r| format!("  {:<22} {}", r.gate.label(), words::status(&r.status, self))),
            );
        }
        Ok(lines)
    }

    fn input<'a>(&self, policy: &'a Compiled) -> Told<PlanInput<'a>> {
        let pairs = self.pairs.iter().map(|(pair, facts)| (*pair, *facts));
        PlanInput::new(
            policy,
            self.now,
            self.devices.values().cloned(),
            self.facts().into_values(),
            pairs,
        )
        .map_err(|e| e.to_string())
    }

    fn pair_name(&self, pair: Pair) -> String {
        format!(
            "{} {}",
            self.name_of("device", pair.0.0),
            self.name_of("patch", pair.1.0)
        )
    }

    /// Who starts now and what everybody else waits for.
    fn plan_lines(&self) -> Told<Vec<String>> {
        let policy = self.compiled(&self.policy);
        let input = self.input(&policy)?;
        let made = plan(&input);
        assert_eq!(check(&input, &made), [], "the second path agrees");
        let mut lines: Vec<String> = made
            .starts
            .iter()
            .map(|pair| format!("start {}", self.pair_name(*pair)))
            .collect();
        for (pair, decision) in &made.decisions {
            if matches!(decision.verdict, Verdict::Hold { .. }) {
                lines.push(format!(
                    "wait  {}: {}",
                    self.pair_name(*pair),
                    words::headline(decision, self)
                ));
            }
        }
        lines.push(made.next_change_at.map_or_else(
            || "stays so".to_owned(),
            |at| format!("stays so until {}", self.time(at)),
        ));
        Ok(lines)
    }

    fn forecast_lines(&self, s: &Sentence) -> Told<Vec<String>> {
        let policy = self.compiled(&self.policy);
        let days = u32::try_from(super::span(s.name(0)?)?.0 / 86_400).map_err(|e| e.to_string())?;
        let found = forecast(&self.input(&policy)?, days);
        let mut lines: Vec<String> = found
            .runs
            .iter()
            .map(|run| {
                let length = words::span(run.end.since(run.start));
                format!(
                    "{}  {} ({length}, {} MB)",
                    self.time(run.start),
                    self.pair_name(run.pair),
                    run.bytes / 1_000_000
                )
            })
            .collect();
        lines.extend(
            found
                .waits
                .iter()
                .map(|(pair, reason)| format!("not    {}: {}", self.pair_name(*pair), words::reason(reason, self))),
        );
        lines.extend(
            found
                .waits
                .iter()
                .filter(|(_, reason)| reason.is_misfit())
                .map(|(pair, _)| format!("misfit {}", self.pair_name(*pair))),
        );
        Ok(lines)
    }

    fn change_lines(&mut self) -> Told<Vec<String>> {
        let before = self.before.take().ok_or("end of what?")?;
        let (before, after) = (self.compiled(&before), self.compiled(&self.policy));
        let input = self.input(&before)?;
        let found = changes(&input, &input.under(&after));
        let line = |(pair, change): &(Pair, Change)| {
            let change = match change {
                Change::Earlier { before, after } => {
                    format!("earlier: {} instead of {}", self.time(*after), self.time(*before))
                }
                Change::Later { before, after } => {
                    format!("later: {} instead of {}", self.time(*after), self.time(*before))
                }
                Change::NewlyBlocked { before, reason } => {
                    format!(
                        "newly blocked, was {}: {}",
                        self.time(*before),
                        words::reason(reason, self)
                    )
                }
                Change::NewlyPossible { after } => format!("newly possible: {}", self.time(*after)),
                Change::OtherReason { before, after } => {
                    format!(
                        "other reason: {} instead of {}",
                        words::reason(after, self),
                        words::reason(before, self)
                    )
                }
            };
            format!("{} {change}", self.pair_name(*pair))
        };
        let lines: Vec<String> = found.iter().map(line).collect();
        Ok(if lines.is_empty() {
            vec!["nothing would change".to_owned()]
        } else {
            lines
        })
    }

    fn save_lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = validate(&self.policy, self.now)
            .iter()
            .map(|r| format!("refused: {r}"))
            .collect();
        if lines.is_empty() {
            let devices: Vec<DeviceFacts> = self.devices.values().cloned().collect();
            lines.push("saved".to_owned());
            lines.extend(
                warnings(&self.compiled(&self.policy), &devices, self.now)
                    .iter()
                    .map(|w| format!("warning: {w}")),
            );
        }
        lines
    }
}
