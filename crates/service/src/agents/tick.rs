//! What time brings: devices that fall silent, attempts that vanish, permits that lapse, and a clock that jumps.

use super::results;
use crate::{
    Actor, Result, Service,
    audit::{Action, Record},
    events::Topic,
    store::{
        attempts::{self, Attempt, End, Stage},
        audit,
        clock::{self, Left, Waits},
        devices, states,
    },
};
use domain::{Moment, PatchState, Permission, Span};
use protocol::v1::ActionKind;

/// How often there is something to look at.
const EVERY: Span = Span::minutes(1);
/// An attempt whose device talks without a result for so long after the deadline is given up, or it would block the device for ever.
const LOST: Span = Span::days(1);
/// Silent devices of one step; the next call goes on.
const BATCH: i64 = 50;

impl Service {
    /// Work that time brings: silent devices, vanished attempts, lapsed permits, decisions that open by themselves. Small steps; safe to repeat.
    /// Returns the moment at which it wants to be called again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tick(&self) -> Result<Moment> {
        let now = self.now();
        if self.watch_clock(now).await? {
            return Ok(now + EVERY);
        }
        self.flush_contacts().await?;
        let open = attempts::all_open(&mut *self.store().read().await?).await?;
        for attempt in open.iter().filter(|a| a.start_by < now || a.deadline < now) {
            self.give_up(attempt, now).await?;
        }
        if self.silence(now).await? {
            return Ok(now);
        }
        let change = self.changes_by_time(now).await.unwrap_or_else(|error| {
            // Pages are told a minute later; nothing else depends on it.
            tracing::warn!(%error, "cannot work out when the next decision changes");
            None
        });
        Ok(change.map_or(now + EVERY, |at| at.min(now + EVERY)))
    }

    /// Compares the clock with one that cannot be set. A jump freezes permits until an administrator confirms the clock (I-12).
    /// Returns whether the clock is suspect: nothing may be concluded from it then.
    async fn watch_clock(&self, now: Moment) -> Result<bool> {
        let (source, watch) = (&*self.inner.clock, &self.inner.watch);
        let reading = watch.read(source);
        let mut read = self.store().read().await?;
        let Left { high_water, off } = clock::left(&mut read).await?;
        let suspect = off.is_some();
        drop(read);
        // Before the first tick of a run nothing tells how much time has passed; but it never goes back.
        let jumped = reading.is_off() || reading.is_before(high_water);
        if suspect || jumped {
            if reading.expected.is_none() {
                watch.anchor(source, now.max(high_water));
            }
            if suspect {
                return Ok(true);
            }
        } else {
            watch.anchor(source, reading.shown);
        }
        let mut tx = self.store().write().await?;
        if jumped {
            let (expected, seen) = (reading.expected.unwrap_or(high_water), reading.shown);
            clock::suspect(&mut tx, reading.ahead(high_water)).await?;
            let record = Record {
                actor: "server".to_owned(),
                action: Action::ClockSuspect,
                object: "clock".to_owned(),
                before: Some(serde_json::json!({ "expected": expected }).to_string()),
                after: Some(serde_json::json!({ "seen": seen }).to_string()),
                reason: "The clock jumped. No permit is given until an administrator confirms it.".to_owned(),
            };
            audit::append(&mut tx, now, &record).await?;
            tracing::error!(
                expected = expected.rfc3339(),
                seen = seen.rfc3339(),
                "the clock jumped: no permits until an administrator confirms it"
            );
        } else if now > high_water {
            clock::was_right(&mut tx, now).await?;
        }
        tx.commit().await?;
        if jumped {
            self.events().send(Topic::Devices);
        }
        Ok(jumped)
    }

    /// An administrator has looked at the clock: permits go on, from the time that it shows now. What is dated later than that was dated by
    /// a wrong clock, and a step forward is no time that passed.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn confirm_clock(&self, actor: &Actor, reason: &str) -> Result<()> {
        actor.require(Permission::ManageSchedule)?;
        let reading = self.inner.watch.read(&*self.inner.clock);
        let now = reading.shown;
        let mut tx = self.store().write().await?;
        clock::confirmed(&mut tx, now).await?;
        let waits = Waits {
            permit: Span(i64::from(self.settings().permit_seconds)),
            vanish: Span(self.settings().vanish_seconds),
        };
        clock::clamp(&mut tx, now, waits).await?;
        if let Some(expected) = reading.expected.filter(|expected| reading.is_off() && *expected < now) {
            clock::stepped(&mut tx, expected, now).await?;
        }
        let record = Record {
            actor: actor.audit_name(),
            action: Action::ClockConfirmed,
            object: "clock".to_owned(),
            before: None,
            after: Some(serde_json::json!({ "confirmed": now }).to_string()),
            reason: reason.to_owned(),
        };
        audit::append(&mut tx, now, &record).await?;
        tx.commit().await?;
        self.inner.watch.anchor(&*self.inner.clock, now);
        self.inner.agents.set_back(now);
        self.inner.next_change.forget();
        self.events().send(Topic::Devices);
        Ok(())
    }

    /// Closes an attempt whose time is over: lapsed when it never started and the device has been heard of since, vanished when there was
    /// neither a result nor a contact by its deadline (I-30).
    async fn give_up(&self, seen: &Attempt, now: Moment) -> Result<()> {
        let mut tx = self.store().write().await?;
        let Some(attempt) = attempts::by_id(&mut tx, seen.id).await?.filter(|a| a.stage.is_open()) else {
            return Ok(());
        };
        let Some(device) = devices::by_id(&mut tx, attempt.device).await? else {
            return Ok(());
        };
        let contact = Some(device.last_contact).max(self.inner.agents.last_contact(device.id));
        let heard = contact.is_some_and(|at| at > attempt.start_by);
        let stage = match attempt.stage {
            Stage::Permitted if heard => Stage::Lapsed,
            _ if attempt.deadline < now && contact.is_none_or(|at| at + Span(self.settings().vanish_seconds) < now) => {
                Stage::Vanished
            }
            // It talks, but never of this attempt: its journal is gone.
            _ if attempt.deadline + LOST < now => Stage::Vanished,
            _ => return Ok(()),
        };
        attempts::finish(&mut tx, attempt.id, End::unsaid(stage), now).await?;
        if stage == Stage::Vanished {
            let record = Record {
                actor: "server".to_owned(),
                action: Action::AttemptEnded,
                object: format!(
                    "attempt:{} device:{} patch:{}",
                    attempt.id, attempt.device, attempt.patch
                ),
                before: None,
                after: Some(serde_json::json!({ "outcome": "vanished" }).to_string()),
                reason: "No result and no contact by the deadline.".to_owned(),
            };
            audit::append(&mut tx, now, &record).await?;
            if attempt.kind == ActionKind::Install {
                states::set(&mut tx, attempt.device, attempt.patch, PatchState::Failed, now).await?;
                let detail = "The device got a permit and was not heard of again.";
                results::hold(&mut tx, &attempt, stage, detail, now).await?;
            }
        }
        tx.commit().await?;
        self.events().send(Topic::Patches);
        Ok(())
    }

    /// Devices without a scan for too long: their patches count as unknown until they report. Returns whether there may be more.
    async fn silence(&self, now: Moment) -> Result<bool> {
        let before = now - Span(self.settings().silent_seconds);
        let silent = devices::fallen_silent(&mut *self.store().read().await?, before, BATCH).await?;
        if silent.is_empty() {
            return Ok(false);
        }
        let mut tx = self.store().write().await?;
        for device in &silent {
            states::forget(&mut tx, *device, now).await?;
        }
        tx.commit().await?;
        self.events().send(Topic::Devices);
        self.events().send(Topic::Patches);
        Ok(true)
    }
}
