//! Sentences for what is stored as data: attempts, reasons for a restart, records of the audit log. Gates have theirs in
//! `planner::words`.

use crate::{
    audit::Action,
    commands::hold::Cause,
    error::{Error, Result},
    snapshot::Words,
    store::{attempts::Stage, pages},
};
use domain::{AccountId, DeviceId, LocationId, Moment, PatchId, RingId};
use planner::{calendar::Zone, words::Names};
use protocol::v1::{NotStarted, Outcome, RebootReason, SourceStatus, StaleService};
use std::collections::BTreeMap;
use view::{AttemptView, AuditRow, DeviceClock, Instant, Part, Text, TimelineEntry};

/// `account:3 anna` as people know it.
pub(super) fn who(actor: &str) -> String {
    match actor.split_once(' ') {
        Some((account, name)) if account.starts_with("account:") => name.to_owned(),
        _ => match actor.split_once(':') {
            Some(("device", id)) => format!("device {id}"),
            _ => actor.to_owned(),
        },
    }
}

/// Makes sentences about what happens on a device, or on none in particular.
#[derive(Clone, Copy)]
pub(super) struct Teller<'a> {
    words: &'a Words,
    /// The device's zone.
    zone: Option<Zone>,
}

impl<'a> Teller<'a> {
    /// For a device in this zone.
    pub(super) fn on_device(words: &'a Words, zone: &str) -> Self {
        let zone = Some(Zone::or_utc(zone));
        Self { words, zone }
    }

    /// For no device in particular.
    pub(super) const fn new(words: &'a Words) -> Self {
        Self { words, zone: None }
    }

    /// A moment with the device's clock.
    pub(super) fn instant(&self, at: Moment) -> Instant {
        let clock = |zone: Zone| {
            let ahead = i32::try_from(zone.offset(at)).unwrap_or(0);
            let zone = zone.abbreviation(at);
            (ahead != 0 || zone != "UTC").then_some(DeviceClock { ahead, zone })
        };
        Instant {
            at,
            device: self.zone.and_then(clock),
        }
    }

    /// A person's name.
    pub(super) fn account(&self, id: AccountId) -> String {
        self.words.account(id)
    }

    /// A sentence: `make` is one of the planner's words.
    pub(super) fn tell(&self, make: impl FnOnce(&dyn Names) -> String) -> Text {
        let parts = planner::words::parts(self.words, make).into_iter();
        Text(
            parts
                .map(|part| match part {
                    planner::words::Part::Words(words) => Part::Words(words),
                    planner::words::Part::At(at) => Part::At(self.instant(at)),
                })
                .collect(),
        )
    }
}

pub(super) fn attempt(attempt: &pages::Attempt, teller: Teller<'_>) -> AttemptView {
    AttemptView {
        id: attempt.id,
        kind: if attempt.back { "Roll back" } else { "Install" }.to_owned(),
        outcome: teller.tell(|names| outcome(attempt, names)),
        at: attempt.permitted,
        finished: attempt.finished,
        proven: attempt.proven,
        log: attempt.log.clone(),
    }
}

fn outcome(attempt: &pages::Attempt, words: &dyn Names) -> String {
    let told = serde_json::from_str::<Outcome>(&attempt.detail).ok();
    match (attempt.stage, told) {
        (Stage::Permitted, _) => format!("Permitted; must start by {}", words.time(attempt.start_by)),
        (Stage::Started, _) => match attempt.started {
            Some(at) => format!("Running since {}", words.time(at)),
            None => "Running".to_owned(),
        },
        (Stage::Succeeded, told) => {
            let how = if told == Some(Outcome::InterruptedRecovered) {
                "Interrupted and completed"
            } else {
                "Done"
            };
            match attempt.proven {
                Some(at) => format!("{how}; proven by the scan of {}", words.time(at)),
                None => format!("{how}; the next scan must prove it"),
            }
        }
        (Stage::Vanished, _) => "Started and not heard of again; counts as failed".to_owned(),
        (Stage::Lapsed, _) => "The permit ended before the start".to_owned(),
        (
            _,
            Some(Outcome::Failed {
                exit: Some(exit),
                message,
            }),
        ) => format!("Failed: exit {exit}, {message}"),
        (_, Some(Outcome::Failed { exit: None, message })) => format!("Failed: {message}"),
        (_, Some(Outcome::Broken { message })) => format!("The package manager is broken: {message}"),
        (_, Some(Outcome::NotStarted { why })) => not_started(&why),
        (Stage::NotStarted, _) => "Not started".to_owned(),
        (Stage::Broken, _) => "The package manager is broken".to_owned(),
        (Stage::Failed, _) => "Failed: the versions asked for were not seen afterwards".to_owned(),
    }
}

fn not_started(why: &NotStarted) -> String {
    match why {
        NotStarted::WouldAlsoChange { changes } => {
            let changes: Vec<&str> = changes.iter().map(protocol::ShortText::as_str).collect();
            format!("Not started: it would also {}", changes.join(", "))
        }
        NotStarted::Unavailable { message } => format!("Not started: the versions are not to be had ({message})"),
        NotStarted::Download { message } => format!("Not started: the download failed ({message})"),
        NotStarted::PermitExpired => "Not started: the permit's time was over".to_owned(),
        NotStarted::LocalPolicy { rule } => format!("Not started: the device's own policy forbids it ({rule})"),
        NotStarted::ManagerBusy { message } => format!("Not started: the package manager was busy ({message})"),
        NotStarted::AlreadyThere => "Nothing to do: already as asked for".to_owned(),
    }
}

fn stored<T: serde::de::DeserializeOwned>(what: &str, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|e| Error::Inconsistent(format!("{what}: {e}")))
}

/// Why a restart is owed, a sentence each.
pub(super) fn reboot(json: &str) -> Result<Vec<String>> {
    let reasons: Vec<RebootReason> = stored("reboot reasons", json)?;
    Ok(reasons
        .into_iter()
        .map(|reason| match reason {
            RebootReason::FlagFile { packages } if packages.is_empty() => "The system asks for a restart".to_owned(),
            RebootReason::FlagFile { packages } => {
                let names: Vec<&str> = packages.iter().map(protocol::ShortText::as_str).collect();
                format!("The system asks for a restart, for {}", names.join(", "))
            }
            RebootReason::Kernel { running, installed } => format!("Kernel {running} runs, {installed} is installed"),
            RebootReason::CoreProcess { process, file } => {
                format!("{process} still runs {file}, which was replaced; only a restart renews it")
            }
        })
        .collect())
}

/// Services on old files, a sentence each.
pub(super) fn services(json: &str) -> Result<Vec<String>> {
    let services: Vec<StaleService> = stored("services", json)?;
    Ok(services
        .into_iter()
        .map(|s| {
            format!(
                "{} (process {}) still runs {}, which was replaced",
                s.unit, s.pid, s.file
            )
        })
        .collect())
}

/// Sources, with what was wrong.
pub(super) fn sources(json: &str) -> Result<Vec<(String, Option<String>)>> {
    let sources: Vec<SourceStatus> = stored("sources", json)?;
    Ok(sources
        .into_iter()
        .map(|s| (s.name.to_string(), s.error.map(|e| e.to_string())))
        .collect())
}

/// Whose history is told: its own name is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Patch,
    Device,
}

/// The number of a kind of object that a record names.
pub(super) fn object(row: &AuditRow, kind: &str) -> Option<i64> {
    row.object
        .split(' ')
        .find_map(|word| word.strip_prefix(kind)?.strip_prefix(':')?.parse().ok())
}

/// One record as a line of a history.
pub(super) fn entry(
    row: &AuditRow,
    page: Page,
    hosts: &BTreeMap<i64, String>,
    groups: &BTreeMap<i64, String>,
    words: &Words,
) -> TimelineEntry {
    let json = |text: &Option<String>| {
        text.as_deref()
            .and_then(|t| serde_json::from_str(t).ok())
            .unwrap_or(serde_json::Value::Null)
    };
    let (before, after): (serde_json::Value, serde_json::Value) = (json(&row.before), json(&row.after));
    let device = object(row, "device").map(|id| hosts.get(&id).cloned().unwrap_or_else(|| format!("device {id}")));
    let patch = object(row, "patch").map(|id| words.patch(PatchId(id)));
    let ring = object(row, "ring").map_or_else(String::new, |id| format!(" for {}", words.ring(RingId(id))));
    // The other party of what happens between a patch and a device.
    let other = match page {
        Page::Patch => device.clone(),
        Page::Device => patch.clone(),
    };
    let about = |text: &str| {
        other
            .as_ref()
            .map_or_else(|| text.to_owned(), |o| format!("{text}: {o}"))
    };
    let is = |action: Action| row.action == action.word();
    let of_patch = if page == Page::Device {
        patch.map_or_else(String::new, |p| format!(": {p}"))
    } else {
        String::new()
    };
    let text = if is(Action::Approved) {
        let urgent = if after["outside_windows"] == true {
            ", urgent: the soak and the windows are skipped"
        } else if after["urgent"] == true {
            ", urgent: the soak is skipped"
        } else {
            ""
        };
        let superseded = if after["superseded_by"].is_number() {
            ", although it is superseded"
        } else {
            ""
        };
        format!("Approved{ring}{urgent}{superseded}")
    } else if is(Action::Denied) {
        format!("Denied{ring}")
    } else if is(Action::Withdrawn) {
        let what = if before["kind"] == "deny" { "denial" } else { "approval" };
        format!("Withdrew the {what}{ring}")
    } else if is(Action::Held) && after["again"] == true {
        about("Another failure while it was held")
    } else if is(Action::Held) {
        let cause = Cause::ALL.into_iter().find(|c| after["cause"] == c.word());
        about(cause.map_or("Held after a failure", |c| match c {
            Cause::Person => "Held",
            Cause::Problem => "Held by a problem report",
            Cause::Failure => "Held by a failed install",
            Cause::Vanished => "Held by a device that vanished",
            Cause::Restored => "Held after the database was restored",
            Cause::RolledBack => "Held by a rollback",
        }))
    } else if is(Action::Resumed) {
        format!("Let the rollout go on{of_patch}")
    } else if is(Action::Problem) {
        about("Reported a problem")
    } else if is(Action::Permitted) {
        about(if after["kind"] == "roll_back" {
            "Permit to roll back"
        } else {
            "Permit to install"
        })
    } else if is(Action::AttemptEnded) {
        about(&ended(&after))
    } else if is(Action::RollbackOrdered) {
        about("Ordered a rollback")
    } else if is(Action::BlockLifted) {
        about("Lifted the block after a rollback")
    } else if is(Action::RollbackPlanned) {
        format!("Wrote the rollback plan{of_patch}")
    } else if is(Action::RollbackPlanWaived) {
        format!("Went without a rollback plan{of_patch}")
    } else if is(Action::TriesGiven) {
        about(if before["kind"] == "roll_back" {
            "Let going back be tried again"
        } else {
            "Let the install be tried again"
        })
    } else {
        of_the_device(row, &before, &after, groups, words)
    };
    TimelineEntry {
        at: row.at,
        actor: actor(&row.actor, hosts),
        text,
        reason: row.reason.clone(),
    }
}

fn actor(text: &str, hosts: &BTreeMap<i64, String>) -> String {
    let device = text
        .strip_prefix("device:")
        .and_then(|id| id.parse().ok())
        .and_then(|id: i64| hosts.get(&id));
    device.cloned().unwrap_or_else(|| who(text))
}

fn ended(after: &serde_json::Value) -> String {
    let kind = if after["kind"] == "roll_back" {
        "Rollback"
    } else {
        "Install"
    };
    let told = after["outcome"]["kind"].as_str().or_else(|| after["outcome"].as_str());
    // What the server judged outranks what the device told: an attempt has one outcome, on every page.
    let text = match (after["judged"].as_str(), told) {
        (None | Some("Succeeded"), Some("interrupted_recovered")) => "interrupted and completed",
        (Some("Succeeded"), _) | (None, Some("succeeded")) => "done",
        (Some("Failed"), _) | (None, Some("failed")) => "failed",
        (Some("Broken"), _) | (None, Some("broken")) => "failed, and the package manager is broken",
        (Some("NotStarted"), _) | (None, Some("not_started")) => "not started",
        (Some("Lapsed"), _) | (None, Some("lapsed")) => "not started in time",
        (Some("Vanished"), _) | (None, Some("vanished")) => "started and not heard of again",
        _ => "ended",
    };
    format!("{kind} {text}")
}

fn of_the_device(
    row: &AuditRow,
    before: &serde_json::Value,
    after: &serde_json::Value,
    groups: &BTreeMap<i64, String>,
    names: &dyn Names,
) -> String {
    let is = |action: Action| row.action == action.word();
    if is(Action::DeviceEnrolled) {
        "Enrolled".to_owned()
    } else if is(Action::DeviceState) {
        match (before["state"].as_str(), after["state"].as_str()) {
            (Some("quarantined"), Some("active")) => "Let back from quarantine",
            (_, Some("active")) => "Accepted",
            (_, Some("quarantined")) => "Put into quarantine",
            (_, Some("revoked")) => "Revoked",
            _ => "State changed",
        }
        .to_owned()
    } else if is(Action::DeviceGroup) {
        match after["group"].as_i64() {
            Some(id) => format!(
                "Moved to {}",
                groups.get(&id).cloned().unwrap_or_else(|| format!("group {id}"))
            ),
            None => "Taken out of its group".to_owned(),
        }
    } else if is(Action::DevicePlaced) {
        match after["location"].as_i64() {
            Some(id) => format!("Put into {}", names.location(LocationId(id))),
            None => "Taken out of its location".to_owned(),
        }
    } else if is(Action::ScanAsked) {
        "Asked for a scan".to_owned()
    } else {
        row.action.clone()
    }
}

/// The devices that records name, as objects or as actors.
pub(super) fn devices_of(rows: &[AuditRow]) -> Vec<i64> {
    let mut ids: Vec<i64> = rows
        .iter()
        .flat_map(|row| {
            [
                object(row, "device"),
                row.actor.strip_prefix("device:").and_then(|id| id.parse().ok()),
            ]
        })
        .flatten()
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// A hold as people read it.
pub(super) fn hold(hold: pages::Hold, hosts: &BTreeMap<i64, String>) -> Result<view::HoldView> {
    let cause =
        Cause::from_code(hold.cause).ok_or_else(|| Error::Inconsistent(format!("hold cause {}", hold.cause)))?;
    let resolved: Option<(Moment, String, String)> = hold
        .resolved
        .map(|(at, by, note)| (at, by.unwrap_or_else(|| "host".to_owned()), note));
    let device: Option<(DeviceId, String)> = hold.device;
    Ok(view::HoldView {
        id: hold.id,
        cause: cause.label().to_owned(),
        device,
        detail: hold.detail,
        opened_at: hold.opened_at,
        opened_by: actor(&hold.opened_by, hosts),
        resolved,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_are_shown_by_name() {
        assert_eq!(who("account:3 anna of the north"), "anna of the north");
        assert_eq!(who("device:7"), "device 7");
        assert_eq!(who("host"), "host");
        assert_eq!(who("server"), "server");
    }

    #[test]
    fn an_attempt_has_one_outcome() {
        let text = |json: &str| ended(&serde_json::from_str(json).unwrap());
        assert_eq!(
            text(r#"{"kind":"install","judged":"Failed","outcome":{"kind":"succeeded"}}"#),
            "Install failed"
        );
        assert_eq!(
            text(r#"{"kind":"roll_back","judged":"Succeeded","outcome":{"kind":"succeeded"}}"#),
            "Rollback done"
        );
        assert_eq!(
            text(r#"{"outcome":"vanished"}"#),
            "Install started and not heard of again"
        );
    }

    #[test]
    fn evidence_of_a_restart_becomes_sentences() {
        let text = reboot(
            r#"[{"kind":"kernel","running":"6.1.0-1","installed":"6.1.0-2"},{"kind":"flag_file","packages":[]}]"#,
        )
        .unwrap();
        assert_eq!(
            text,
            [
                "Kernel 6.1.0-1 runs, 6.1.0-2 is installed",
                "The system asks for a restart"
            ]
        );
        assert!(reboot("nonsense").is_err() && services("[]").unwrap().is_empty());
    }
}
