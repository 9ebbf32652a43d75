//! The check-in. Without news it reads a few rows, writes nothing and answers.

use super::{Answer, WireReply, authenticate::Caller, ok, orders::Due};
use crate::{
    Service, snapshot,
    store::{contacts::Said, devices::Device},
};
use domain::{DeviceState, Measured, Moment, Span};
use planner::Location;
use protocol::v1::{CheckIn, CheckInReply, DevicePolicy};
use sqlx::{Acquire as _, SqliteConnection};

/// What [`crate::Settings::scan_seconds`] is when nobody sets it.
const DEFAULT_SCAN: u32 = 86_400;
/// Seconds within which a fleet comes when a window opens.
const SPREAD: u64 = 60;
/// After so long a device that ran on battery may have been plugged in.
const POWER_AGAIN: Span = Span::minutes(30);

impl Service {
    /// Answers what the device should do next.
    pub(super) async fn check_in(
        &self,
        conn: &mut SqliteConnection,
        caller: &Caller,
        message: &CheckIn,
    ) -> Answer<WireReply> {
        let device = &caller.device;
        let memory = &self.inner.agents;
        let said = Said {
            boot: message.boot_id.to_string(),
            agent: message.agent_version.to_string(),
            policy: message.policy_version,
            measured: Measured {
                download_rate: message.measured.download_rate,
                restart: message.measured.restart.filter(|took| Measured::is_restart(*took)),
            },
        };
        let news = !said.is_in(&device.said);
        memory.said(device.id, caller.seq, news.then_some(said));
        let policy = if message.policy_version == device.policy_version {
            None
        } else {
            Some(self.device_policy(conn, device, caller.now).await?)
        };
        let due = if device.state == DeviceState::Active && !device.scan_only && device.has_work {
            self.orders(conn, device, caller.now).await?
        } else {
            Due::default()
        };
        let poll = poll_after(self.settings().poll_seconds, &device.key_id, caller.now);
        let reply = ok(&CheckInReply {
            server_time: caller.now,
            epoch: device.epoch,
            state: device.state,
            poll_after: in_time(poll, due.next, &device.key_id, caller.now),
            want_full_report: message.inventory.as_ref().map(|d| d.0.as_str()) != device.digest.as_deref()
                || device.digest.is_none(),
            scan_now: device.scan_asked.is_some() || may_be_plugged_in(device, caller.now),
            policy,
            orders: due.orders,
            notices: due.notices,
        })?;
        memory.answered(device.id, caller.seq, &reply);
        Ok(reply)
    }
}

impl Service {
    /// What the device follows. It scans as often as its profile says; a setting shorter than the default is for trials, and wins where it is
    /// the shorter one. It downloads at its share of its location's rate, which the planner counts with, too (SCH-1, BWL-1).
    async fn device_policy(
        &self,
        conn: &mut SqliteConnection,
        device: &Device,
        now: Moment,
    ) -> crate::Result<DevicePolicy> {
        let mut tx = conn.begin().await?;
        let policy = snapshot::policy(&mut tx, now).await?;
        let facts = snapshot::device_facts(&mut tx, &policy, now, device).await?;
        tx.commit().await?;
        let setting = self.settings().scan_seconds;
        let profile = planner::profile_of(&policy, &facts)
            .and_then(|choice| policy.policy().profiles.iter().find(|p| p.id == choice.profile))
            .and_then(|profile| u32::try_from(profile.scan_every.0).ok());
        let share = device
            .location
            .and_then(|id| policy.location(id))
            .and_then(Location::share);
        Ok(DevicePolicy {
            version: device.policy_version,
            scan_interval: match profile {
                Some(profile) if setting >= DEFAULT_SCAN => profile,
                Some(profile) => profile.min(setting),
                None => setting,
            },
            rate_kib: share.map(|bytes| u32::try_from(bytes / 1_024).unwrap_or(u32::MAX).max(1)),
            reboot: device.reboot,
        })
    }
}

/// Whether a device that ran on battery when it last scanned is asked to look again: something waits for mains power, and its next scan of
/// its own may be a day away.
fn may_be_plugged_in(device: &Device, now: Moment) -> bool {
    device.on_battery && device.has_work && device.last_scan.is_none_or(|at| now >= at + POWER_AGAIN)
}

/// A number of the device's key and the hour, so that a fleet that started together spreads out and a test repeats.
fn chance(key_id: &str, now: Moment) -> u64 {
    let seed = key_id.bytes().fold(now.0.unsigned_abs() / 3_600, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    seed >> 20
}

/// Sooner than `poll` where the next install may start before: a device must not sleep over the first minutes of its window. A fleet with
/// one window comes within [`SPREAD`] seconds.
fn in_time(poll: u32, next: Option<Moment>, key_id: &str, now: Moment) -> u32 {
    let spread = i64::try_from(chance(key_id, now) % SPREAD).unwrap_or(0);
    let next = next.and_then(|at| u32::try_from(at.since(now).0.saturating_add(spread)).ok());
    next.map_or(poll, |next| poll.min(next.max(1)))
}

/// `poll` ± 20 %.
fn poll_after(poll: u32, key_id: &str, now: Moment) -> u32 {
    let permille = 800 + chance(key_id, now) % 401;
    u32::try_from(u64::from(poll) * permille / 1_000).unwrap_or(poll).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_spread_over_a_fifth_both_ways() {
        let polls: Vec<u32> = (0..1_000)
            .map(|n| poll_after(1_000, &format!("{n:032x}"), Moment(0)))
            .collect();
        assert!(polls.iter().all(|p| (800..=1_200).contains(p)));
        let (low, high) = (polls.iter().min().unwrap(), polls.iter().max().unwrap());
        assert!(*low < 820 && *high > 1_180, "{low} {high}");
        assert_eq!(poll_after(60, "ab", Moment(7)), poll_after(60, "ab", Moment(8)));
    }

    #[test]
    fn devices_come_when_their_window_opens_and_not_all_at_once() {
        let opens = Some(Moment(400));
        let polls: Vec<u32> = (0..1_000)
            .map(|n| in_time(3_600, opens, &format!("{n:032x}"), Moment(100)))
            .collect();
        assert!(polls.iter().all(|p| (300..360).contains(p)));
        assert!(polls.iter().min().unwrap() < &303 && polls.iter().max().unwrap() > &356);
        assert_eq!(in_time(200, opens, "ab", Moment(100)), 200);
        assert_eq!(in_time(200, None, "ab", Moment(100)), 200);
        assert_eq!(in_time(200, Some(Moment::MAX), "ab", Moment(100)), 200);
    }
}
