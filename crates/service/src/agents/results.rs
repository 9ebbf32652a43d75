//! Results: each id is taken once, in any order and number of repeats with the same end (I-19, I-20, I-21).

use super::{Answer, Refused, WireReply, authenticate::Caller, ok};
use crate::{
    Result, Service,
    audit::{Action, Record},
    commands::hold::Cause,
    events::Topic,
    snapshot,
    store::{
        attempts::{self, Attempt, End, Stage},
        audit, contacts, decisions, evidence, holds, problems, rings, rollouts, states,
    },
};
use domain::{Moment, PatchState};
use planner::{
    HoldCause,
    evidence::{Results as RingResults, first_failed, must_hold},
};
use protocol::{
    limits, sign,
    v1::{
        ActionKind, AttemptEvent, AttemptRecord, NotStarted, Outcome, PackageVersion, RefusalCode, Results,
        ResultsReply,
    },
};
use sqlx::SqliteConnection;

impl Service {
    /// Takes the records of a device's journal.
    pub(super) async fn results(&self, caller: &Caller, message: &Results) -> Answer<WireReply> {
        if message.results.len() > limits::MAX_RESULTS {
            let detail = format!(
                "{} results; the limit is {}.",
                message.results.len(),
                limits::MAX_RESULTS
            );
            return Err(Refused::new(RefusalCode::Malformed, detail));
        }
        if let Some(bad) = message
            .results
            .iter()
            .find(|r| !is_id(&r.id) || lists(r).any(|l| l.len() > limits::MAX_PATCH_PACKAGES))
        {
            return Err(Refused::new(
                RefusalCode::Malformed,
                format!("The result of attempt {} does not fit.", bad.attempt),
            ));
        }
        let mut tx = self.store().write().await?;
        caller.row(&mut tx).await?;
        contacts::write(&mut tx, &[caller.contact()]).await?;
        let mut reply = ResultsReply {
            acknowledged: Vec::new(),
            refused: Vec::new(),
        };
        for record in &message.results {
            if take(&mut tx, caller, record).await? {
                reply.acknowledged.push(record.id.clone());
            } else {
                reply.refused.push(record.id.clone());
            }
        }
        tx.commit().await?;
        if !reply.acknowledged.is_empty() {
            self.events().send(Topic::Patches);
            self.events().send(Topic::Devices);
        }
        let reply = ok(&reply)?;
        self.inner.agents.answered(caller.device.id, caller.seq, &reply);
        Ok(reply)
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn lists(record: &AttemptRecord) -> impl Iterator<Item = &Vec<PackageVersion>> {
    match &record.event {
        AttemptEvent::Started { from } => std::iter::once(from),
        AttemptEvent::Finished { observed, .. } => std::iter::once(observed),
    }
}

/// Takes one record; `false` = refused for ever.
async fn take(conn: &mut SqliteConnection, caller: &Caller, record: &AttemptRecord) -> Result<bool> {
    let hash = sign::sha256(states::json(record)?.as_bytes());
    if let Some((device, taken)) = attempts::result_hash(conn, &record.id).await? {
        let same = device == caller.device.id && taken == hash;
        if !same {
            tracing::warn!(device = %caller.device.id, id = record.id, "a result came again with other content");
        }
        return Ok(same);
    }
    let attempt = attempts::by_id(conn, record.attempt).await?;
    let Some(attempt) = attempt.filter(|a| a.device == caller.device.id && a.fence == record.fence) else {
        tracing::warn!(device = %caller.device.id, attempt = %record.attempt, fence = record.fence, "a result of no attempt of this device");
        return Ok(false);
    };
    attempts::take_result(conn, &record.id, &hash, caller.device.id, attempt.id, caller.now).await?;
    match &record.event {
        AttemptEvent::Started { from } => started(conn, caller, &attempt, from).await?,
        AttemptEvent::Finished {
            outcome,
            observed,
            log,
            took,
        } if is_undecided(&attempt) => {
            let stage = judge(conn, &attempt, outcome, observed).await?;
            let end = End {
                stage,
                detail: &states::json(outcome)?,
                log: log.as_str(),
                took: measured(&attempt, outcome, *took),
            };
            finished(conn, caller, &attempt, outcome, end).await?;
        }
        AttemptEvent::Finished { .. } => {}
    }
    Ok(true)
}

/// Seconds that an install took, where that tells how long the next one will: not what was interrupted, nor what took longer than a device
/// may be silent.
fn measured(attempt: &Attempt, outcome: &Outcome, took: u32) -> Option<u32> {
    let most = attempt.deadline.since(attempt.permitted_at).0;
    let tells = matches!(outcome, Outcome::Succeeded) && (1..=most).contains(&i64::from(took));
    tells.then_some(took)
}

/// Only an attempt without an end can start: a `started` that comes after its `finished` changes nothing but what was installed before.
async fn started(
    conn: &mut SqliteConnection,
    caller: &Caller,
    attempt: &Attempt,
    from: &[PackageVersion],
) -> Result<()> {
    match attempt.stage {
        Stage::Permitted => {
            attempts::start(conn, attempt.id, from, caller.now).await?;
            if attempt.kind == ActionKind::Install {
                states::set(conn, attempt.device, attempt.patch, PatchState::Installing, caller.now).await?;
            }
        }
        _ => attempts::set_previous(conn, attempt.id, from, caller.now).await?,
    }
    Ok(())
}

/// Whether an end may still be recorded: an attempt without one, or one that the server had given up on (I-30), that no scan has shown.
const fn is_undecided(attempt: &Attempt) -> bool {
    let given_up = matches!(attempt.stage, Stage::Lapsed | Stage::Vanished);
    (attempt.stage.is_open() || given_up) && attempt.proven_at.is_none()
}

async fn finished(
    conn: &mut SqliteConnection,
    caller: &Caller,
    attempt: &Attempt,
    outcome: &Outcome,
    end: End<'_>,
) -> Result<()> {
    let stage = end.stage;
    attempts::finish(conn, attempt.id, end, caller.now).await?;
    let record = Record {
        actor: caller.name(),
        action: Action::AttemptEnded,
        object: format!(
            "attempt:{} device:{} patch:{}",
            attempt.id, attempt.device, attempt.patch
        ),
        before: None,
        after: Some(
            serde_json::json!({ "kind": attempt.kind, "judged": format!("{stage:?}"), "outcome": outcome }).to_string(),
        ),
        reason: String::new(),
    };
    audit::append(conn, caller.now, &record).await?;
    if attempt.kind == ActionKind::Install {
        settle(conn, attempt, stage, caller.now).await?;
    }
    if stage.is_failure() && attempt.kind == ActionKind::Install {
        hold(conn, attempt, stage, &sentence(stage, outcome), caller.now).await?;
    }
    Ok(())
}

/// An end is what was observed, never what was claimed (DESIGN principle 9).
async fn judge(
    conn: &mut SqliteConnection,
    attempt: &Attempt,
    outcome: &Outcome,
    observed: &[PackageVersion],
) -> Result<Stage> {
    Ok(match outcome {
        Outcome::Succeeded | Outcome::InterruptedRecovered => {
            if shows(conn, attempt, observed).await? {
                Stage::Succeeded
            } else {
                Stage::Failed
            }
        }
        Outcome::NotStarted {
            why: NotStarted::AlreadyThere,
        } if shows(conn, attempt, observed).await? => Stage::Succeeded,
        Outcome::NotStarted {
            why: NotStarted::PermitExpired,
        } => Stage::Lapsed,
        Outcome::NotStarted { .. } => Stage::NotStarted,
        Outcome::Failed { .. } => Stage::Failed,
        Outcome::Broken { .. } => Stage::Broken,
    })
}

/// Whether what was observed is what the permit named, or the rollback order. The versions are those of the binary packages, which need not be
/// the source's, and where it was rebuilt not the same on every device.
async fn shows(conn: &mut SqliteConnection, attempt: &Attempt, observed: &[PackageVersion]) -> Result<bool> {
    if observed.is_empty() {
        return Ok(false);
    }
    if attempt.kind == ActionKind::RollBack {
        let orders = rollouts::orders(conn, attempt.device).await?;
        let order = orders.iter().find(|o| o.patch == attempt.patch);
        return Ok(order.is_none_or(|o| o.packages.iter().all(|p| observed.contains(p))));
    }
    if !attempt.asked.is_empty() {
        return Ok(attempt.asked.iter().all(|p| observed.contains(p)));
    }
    let packages = rollouts::packages(conn, attempt.patch).await?;
    Ok(observed.iter().all(|o| {
        packages.iter().any(|(name, arch, version, _)| {
            o.name.as_str() == name
                && o.arch.as_str() == arch
                && o.version.as_ref().is_some_and(|v| v.as_str() == version)
        })
    }))
}

/// The state on the page, until the next scan shows it.
async fn settle(conn: &mut SqliteConnection, attempt: &Attempt, stage: Stage, now: Moment) -> Result<()> {
    let Some(state) = states::of_pair(conn, attempt.device, attempt.patch).await? else {
        return Ok(());
    };
    let to = match stage {
        Stage::Succeeded if state.state.is_open() => PatchState::Installed,
        Stage::Failed | Stage::Broken | Stage::Vanished if state.state.is_open() => PatchState::Failed,
        Stage::NotStarted | Stage::Lapsed if state.state == PatchState::Installing => PatchState::Missing,
        _ => return Ok(()),
    };
    let ours = to == PatchState::Installed;
    let change = states::Change {
        from: Some(state.state),
        to: states::State {
            state: to,
            since: now,
            ours,
            ..state
        },
    };
    states::apply(conn, attempt.device, &[change]).await
}

fn sentence(stage: Stage, outcome: &Outcome) -> String {
    match (stage, outcome) {
        (Stage::Vanished, _) => "The device started the install and was not heard of again.".to_owned(),
        (
            _,
            Outcome::Failed {
                exit: Some(exit),
                message,
            },
        ) => format!("The install failed with exit code {exit}: {message}"),
        (_, Outcome::Failed { exit: None, message }) => format!("The install failed: {message}"),
        (_, Outcome::Broken { message }) => format!("The package manager is broken: {message}"),
        _ => "The device said that it succeeded, but does not show the versions asked for.".to_owned(),
    }
}

/// Stops the rollout when failures reach the ring's thresholds, or before any device of a ring has succeeded, in the same transaction (I-29).
pub(super) async fn hold(
    conn: &mut SqliteConnection,
    attempt: &Attempt,
    stage: Stage,
    detail: &str,
    now: Moment,
) -> Result<()> {
    let recent = evidence::recent_results(conn, attempt.patch, attempt.ring).await?;
    let rings = rings::rings(conn).await?;
    let ring = rings.into_iter().find(|r| Some(r.rule.id) == attempt.ring);
    let facts = snapshot::patch_facts(conn, attempt.patch).await?;
    let shown = facts.as_ref().and_then(|facts| facts.evidence.get(&attempt.ring?));
    let results = RingResults {
        failed: recent.failed,
        vanished: recent.vanished,
        finished: recent.finished,
        unproven: ring
            .as_ref()
            .zip(shown)
            .is_some_and(|(ring, shown)| first_failed(&ring.rule, shown)),
    };
    // A ring that was removed meanwhile has no thresholds: what it began is looked at by a person at once.
    let why = match ring {
        Some(ring) => must_hold(&ring.rule, results),
        None => Some(HoldCause::Failures {
            failed: results.failed,
            finished: results.finished,
        }),
    };
    let cause = match why {
        None => return Ok(()),
        Some(HoldCause::Vanished { .. }) => Cause::Vanished,
        Some(_) if stage == Stage::Vanished => Cause::Vanished,
        Some(_) => Cause::Failure,
    };
    // A hold stops the patch in every ring, and resolving it lets all that failed before it pass: a second one would only be one more to
    // resolve. But whoever is about to resolve the first has not seen this.
    let known = problems::open_hold(conn, attempt.patch, &[Cause::Failure, Cause::Vanished]).await?;
    let id = match known {
        Some(id) => {
            decisions::touch(conn, attempt.patch).await?;
            id
        }
        None => holds::open(conn, attempt.patch, cause, Some(attempt.device), detail, now, "server").await?,
    };
    let record = Record {
        actor: "server".to_owned(),
        action: Action::Held,
        object: format!(
            "hold:{id} patch:{} device:{} attempt:{}",
            attempt.patch, attempt.device, attempt.id
        ),
        before: None,
        after: Some(
            serde_json::json!({
                "failed": results.failed, "vanished": results.vanished, "finished": results.finished, "first_of_wave": results.unproven,
                "again": known.is_some(),
            })
            .to_string(),
        ),
        reason: detail.to_owned(),
    };
    audit::append(conn, now, &record).await?;
    Ok(())
}
