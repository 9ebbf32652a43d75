//! No permit, no start: one transaction asks the planner with the facts of this very moment, and records what it grants
//! (I-1, I-6, I-9, I-41).

use super::{Answer, Refused, WireReply, authenticate::Caller, ok, orders::packages};
use crate::{
    Result, Service,
    audit::{Action, Record},
    commands::hold::Cause,
    events::Topic,
    facts::Known,
    snapshot::{self, Pair},
    store::{
        attempts::{self, Attempt, End, Stage},
        audit,
        contacts::{self, Contact},
        devices::{self, Device},
        inventory as stored, problems, rollouts, tries,
    },
};
use domain::{AttemptId, DeviceId, DeviceState, Moment, PatchId, Span};
use planner::{Decision, GateStatus, Round, Verdict, words};
use protocol::{
    ShortText, limits,
    v1::{ActionKind, PackageVersion, Permit, PermitReply, PermitRequest, RefusalCode},
};
use sqlx::SqliteConnection;
use std::sync::Arc;

/// Tries at going back after which a person must let it try again.
pub(crate) const MAX_ROLLBACK_TRIES: usize = 3;
/// Wait between them.
const ROLLBACK_WAIT: Span = Span::minutes(15);

/// What may start, and the last moment at which it may.
struct Leave {
    packages: Vec<PackageVersion>,
    not_after: Option<Moment>,
    /// The round of installs that it begins on the device (SCH-1).
    round: Option<Round>,
}

impl Leave {
    /// The end of a permit that would last until `latest`: never later than the window has room (I-9).
    fn start_by(&self, latest: Moment) -> Moment {
        self.not_after.map_or(latest, |at| at.min(latest))
    }
}

/// Why not now.
struct No {
    gate: &'static str,
    reason: String,
    opens_at: Option<Moment>,
}

fn no(gate: &'static str, reason: impl Into<String>) -> No {
    No {
        gate,
        reason: reason.into(),
        opens_at: None,
    }
}

impl Service {
    /// Grants or refuses one start.
    pub(super) async fn permit(&self, caller: &Caller, message: &PermitRequest) -> Answer<WireReply> {
        if message.current.len() > limits::MAX_PATCH_PACKAGES {
            return Err(Refused::new(
                RefusalCode::Malformed,
                "More packages than one patch may have.",
            ));
        }
        let mut tx = self.store().write().await?;
        let device = caller.row(&mut tx).await?;
        if device.state != DeviceState::Active {
            return Err(Refused::new(
                RefusalCode::NotActive,
                "A person must accept this device before it may install anything.",
            ));
        }
        // What it said a moment ago, too: the attempt is of the boot that it runs in now.
        let contact = Contact {
            said: self.inner.agents.unwritten(device.id),
            ..caller.contact()
        };
        let news = contact.said.is_some();
        contacts::write(&mut tx, &[contact]).await?;
        // From now on its attempt counts, or nothing does.
        self.inner.agents.handed.forget(device.id);
        let reply = match self.ask(&mut tx, &device, message, caller.now).await? {
            Ok(permit) => PermitReply::Granted(permit),
            Err(no) => PermitReply::Refused {
                gate: ShortText::fit(no.gate),
                reason: ShortText::fit(&no.reason),
                opens_at: no.opens_at,
            },
        };
        tx.commit().await?;
        if news {
            self.events().send(Topic::Devices);
        }
        if let PermitReply::Granted(_) = reply {
            self.events().send(Topic::Patches);
        }
        // Not remembered for repeats: the same question later must ask the planner again.
        ok(&reply)
    }

    async fn ask(
        &self,
        conn: &mut SqliteConnection,
        device: &Device,
        message: &PermitRequest,
        now: Moment,
    ) -> Result<std::result::Result<Permit, No>> {
        // Not only when the tick has seen it: a permit may be asked for right after the jump.
        if device.clock_suspect || self.inner.watch.read(&*self.inner.clock).is_off() {
            return Ok(Err(no(
                "clock",
                "The server's clock jumped; an administrator must confirm it first.",
            )));
        }
        let mut open = attempts::open_of(conn, device.id).await?;
        if let Some(late) = open.take_if(|a| a.stage == Stage::Permitted && a.start_by < now) {
            attempts::finish(conn, late.id, End::unsaid(Stage::Lapsed), now).await?;
        }
        let same = open.take_if(|a| a.stage == Stage::Permitted && a.patch == message.patch && a.kind == message.kind);
        let may = match message.kind {
            ActionKind::Install => {
                may_install(conn, &self.inner.facts, device, message.patch, same.as_ref(), now).await?
            }
            ActionKind::RollBack => may_roll_back(conn, device, message.patch, open.as_ref(), now).await?,
        };
        if let Some(round) = may.as_ref().ok().and_then(|leave| leave.round) {
            devices::begin_round(conn, device.id, round).await?;
        }
        match (may, same) {
            (Ok(leave), Some(same)) => {
                let start_by = leave.start_by(same.start_by);
                if same.asked != leave.packages {
                    attempts::ask(conn, same.id, &leave.packages).await?;
                }
                Ok(Ok(grant(Attempt { start_by, ..same }, leave.packages, device, now)))
            }
            (Err(no), Some(same)) => {
                attempts::finish(conn, same.id, End::unsaid(Stage::Lapsed), now).await?;
                Ok(Err(no))
            }
            (Err(no), None) => Ok(Err(no)),
            (Ok(leave), None) => {
                let attempt = self.record(conn, device, message, &leave, now).await?;
                Ok(Ok(grant(attempt, leave.packages, device, now)))
            }
        }
    }

    async fn record(
        &self,
        conn: &mut SqliteConnection,
        device: &Device,
        message: &PermitRequest,
        leave: &Leave,
        now: Moment,
    ) -> Result<Attempt> {
        let mut attempt = Attempt {
            id: AttemptId(0),
            device: device.id,
            patch: message.patch,
            ring: device.ring,
            kind: message.kind,
            fence: device.fence + 1,
            stage: Stage::Permitted,
            permitted_at: now,
            start_by: leave.start_by(now + Span(i64::from(self.settings().permit_seconds))),
            deadline: now + Span(self.settings().vanish_seconds),
            started_at: None,
            finished_at: None,
            proven_at: None,
            previous: message.current.clone(),
            asked: leave.packages.clone(),
        };
        attempt.id = attempts::insert(conn, &attempt).await?;
        let after = serde_json::json!({
            "kind": message.kind, "fence": attempt.fence, "start_by": attempt.start_by, "packages": leave.packages,
        });
        let record = Record {
            actor: format!("device:{}", device.id),
            action: Action::Permitted,
            object: format!("attempt:{} device:{} patch:{}", attempt.id, device.id, message.patch),
            before: None,
            after: Some(after.to_string()),
            reason: String::new(),
        };
        audit::append(conn, now, &record).await?;
        Ok(attempt)
    }
}

fn grant(attempt: Attempt, packages: Vec<PackageVersion>, device: &Device, now: Moment) -> Permit {
    Permit {
        attempt: attempt.id,
        fence: attempt.fence,
        start_within: u32::try_from(attempt.start_by.since(now).0).unwrap_or(0),
        server_time: now,
        packages,
        reboot: device.reboot,
    }
}

/// The planner's word, with the packages when it is yes. `same` is the open permit for this very thing: it must not stand in its own way.
async fn may_install(
    conn: &mut SqliteConnection,
    known: &Known,
    device: &Device,
    patch: PatchId,
    same: Option<&Attempt>,
    now: Moment,
) -> Result<std::result::Result<Leave, No>> {
    let Some(mut pair) = snapshot::pair(conn, known, now, device.id, patch).await? else {
        return Ok(Err(no("applicable", "There is no such patch.")));
    };
    if let Some(same) = same {
        without(&mut pair, same);
    }
    let decision = pair.decide(now);
    let Verdict::Install { not_after, .. } = decision.verdict else {
        let by: Vec<PatchId> = [Some(patch), pair.patch.superseded_by].into_iter().flatten().collect();
        let names = snapshot::words(conn, now, &by).await?;
        return Ok(Err(refusal(&decision, &names)));
    };
    let row = rollouts::patch(conn, patch).await?;
    let packages = match (row, stored::load(conn, device.id).await?) {
        (Some(row), Some(inventory)) => packages(conn, &inventory, patch, &row.source, &row.version).await?,
        _ => Vec::new(),
    };
    if packages.is_empty() {
        return Ok(Err(no(
            "applicable",
            "The last scan does not offer these versions; scan again.",
        )));
    }
    Ok(Ok(Leave {
        packages,
        not_after,
        round: pair.begins_round(now),
    }))
}

fn without(pair: &mut Pair, attempt: &Attempt) {
    let device = &mut pair.device;
    device.open_attempt = device.open_attempt.filter(|id| *id != attempt.id);
    device.load.fleet = device.load.fleet.saturating_sub(1);
    if device.location.is_some() {
        device.load.location = device.load.location.saturating_sub(1);
    }
    if let Some(evidence) = attempt
        .ring
        .and_then(|ring| Arc::make_mut(&mut pair.patch).evidence.get_mut(&ring))
    {
        evidence.in_flight = evidence.in_flight.saturating_sub(1);
    }
}

fn refusal(decision: &Decision, names: &dyn words::Names) -> No {
    let first = decision.headline();
    let opens_at = match first.map(|f| f.status) {
        Some(GateStatus::OpensAt { at, .. }) => Some(at),
        _ => decision.earliest,
    };
    No {
        gate: first.map_or("applicable", |f| f.gate.word()),
        reason: words::headline(decision, names),
        opens_at,
    }
}

/// Going back needs an order in force, and nothing else under way: neither approval nor soak, because it is a person's own decision.
async fn may_roll_back(
    conn: &mut SqliteConnection,
    device: &Device,
    patch: PatchId,
    open: Option<&Attempt>,
    now: Moment,
) -> Result<std::result::Result<Leave, No>> {
    if device.scan_only {
        return Ok(Err(no("covered", "This device is only looked at, never changed.")));
    }
    let order = rollouts::orders(conn, device.id)
        .await?
        .into_iter()
        .find(|o| o.patch == patch && !o.done);
    let Some(order) = order else {
        return Ok(Err(no(
            "rollback",
            "No rollback of this patch is ordered on this device.",
        )));
    };
    if let Some(open) = open {
        return Ok(Err(no("slot", format!("Attempt {} runs on this device.", open.id))));
    }
    if is_restored(conn, patch).await? {
        return Ok(Err(no(
            "not_held",
            "The database was restored from a backup, and this rollback may have been lifted since: a person must resolve the hold first.",
        )));
    }
    if let Some(until) = rollback_wait(conn, device.id, patch, now).await? {
        let reason = "Going back failed; the next try waits, or a person must let the device try again.";
        return Ok(Err(No {
            opens_at: until,
            ..no("retries", reason)
        }));
    }
    Ok(Ok(Leave {
        packages: order.packages,
        not_after: None,
        round: None,
    }))
}

/// Whether nobody has looked at a patch since the database was restored: then nothing is taken back that was ordered before. No other hold
/// stops going back, or it would stop itself.
pub(super) async fn is_restored(conn: &mut SqliteConnection, patch: PatchId) -> Result<bool> {
    Ok(problems::open_hold(conn, patch, &[Cause::Restored]).await?.is_some())
}

/// `None` = going back may be tried now; otherwise when it may be tried again, or `Some(None)` when a person must let it try again.
pub(super) async fn rollback_wait(
    conn: &mut SqliteConnection,
    device: DeviceId,
    patch: PatchId,
    now: Moment,
) -> Result<Option<Option<Moment>>> {
    let tried = tries::back(conn, device, patch).await?;
    if tried.failed.len() >= MAX_ROLLBACK_TRIES {
        return Ok(Some(None));
    }
    let times = u32::try_from(tried.not_started.len()).unwrap_or(u32::MAX);
    let unstarted = if let Some(last) = tried.not_started.last() {
        let retry = snapshot::policy(conn, now).await?.policy().retry;
        Some(*last + retry.wait_unstarted(times))
    } else {
        None
    };
    let failed = tried.failed.last().map(|at| *at + ROLLBACK_WAIT);
    Ok(failed.max(unstarted).filter(|until| now < *until).map(Some))
}
