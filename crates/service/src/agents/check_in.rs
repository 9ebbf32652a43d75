//! The check-in. Without news it reads a few rows, writes nothing and answers.

use super::{Answer, WireReply, authenticate::Caller, ok};
use crate::Service;
use domain::{DeviceState, Moment};
use protocol::v1::{CheckIn, CheckInReply, DevicePolicy};

impl Service {
    /// Answers what the device should do next.
    pub(super) async fn check_in(&self, caller: &Caller, message: &CheckIn) -> Answer<WireReply> {
        let device = &caller.device;
        let memory = &self.inner.agents;
        memory.said(
            device.id,
            message.boot_id.as_str(),
            message.agent_version.as_str(),
            message.policy_version,
        );
        let policy = (message.policy_version != device.policy_version).then(|| DevicePolicy {
            version: device.policy_version,
            scan_interval: self.settings().scan_seconds,
            rate_kib: device.rate_kib,
            reboot: device.reboot,
        });
        let (orders, notices) = if device.state == DeviceState::Active && !device.scan_only {
            self.orders(device, caller.now).await?
        } else {
            (Vec::new(), Vec::new())
        };
        let reply = ok(&CheckInReply {
            server_time: caller.now,
            epoch: device.epoch,
            state: device.state,
            poll_after: poll_after(self.settings().poll_seconds, &device.key_id, caller.now),
            want_full_report: message.inventory.as_ref().map(|d| d.0.as_str()) != device.digest.as_deref()
                || device.digest.is_none(),
            scan_now: device.scan_asked.is_some(),
            policy,
            orders,
            notices,
        })?;
        memory.answered(device.id, caller.seq, &reply);
        Ok(reply)
    }
}

/// `poll` ± 20 %, by the device's key and the hour, so that a fleet that started together spreads out and a test repeats.
fn poll_after(poll: u32, key_id: &str, now: Moment) -> u32 {
    let seed = key_id.bytes().fold(now.0.unsigned_abs() / 3_600, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    let permille = 800 + (seed >> 20) % 401;
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
}
