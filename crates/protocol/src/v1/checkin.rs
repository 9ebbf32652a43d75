//! The check-in: small, frequent, and nearly always without news.

use super::{Order, inventory::Digest};
use crate::ShortText;
use domain::{DeviceState, Measured, Moment, PatchId, RebootPolicy};
use serde::{Deserialize, Serialize};

/// The body of `check-in`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckIn {
    /// The agent's version, e.g. `0.1.0`.
    pub agent_version: ShortText,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: ShortText,
    /// Digest of the inventory last acknowledged by the server; absent when there is none.
    #[serde(default)]
    pub inventory: Option<Digest>,
    /// Version of the policy the device follows.
    #[serde(default)]
    pub policy_version: u64,
    /// Results in the journal that the server has not acknowledged.
    #[serde(default)]
    pub unacknowledged: u32,
    /// What the device has measured of itself, with every check-in, so that a lost one loses nothing; left out while there is nothing.
    #[serde(default, skip_serializing_if = "Measured::is_nothing")]
    pub measured: Measured,
}

/// The reply to `check-in`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckInReply {
    /// The server's clock, the only clock that decides.
    pub server_time: Moment,
    /// Grows when the server was restored from a backup; the agent then sends results of the last 90 days again.
    pub epoch: u64,
    /// Where the device stands.
    pub state: DeviceState,
    /// Seconds until the next check-in, jitter included.
    pub poll_after: u32,
    /// The digest the server holds differs or it holds none: send a full report.
    pub want_full_report: bool,
    /// Scan again now, whatever the interval.
    #[serde(default)]
    pub scan_now: bool,
    /// The policy, when it differs from the one the device follows.
    #[serde(default)]
    pub policy: Option<DevicePolicy>,
    /// What to make ready and ask a permit for. Empty unless the planner says that it may start now.
    #[serde(default)]
    pub orders: Vec<Order>,
    /// Upcoming installs for the people at the device.
    #[serde(default)]
    pub notices: Vec<DeviceNotice>,
}

/// What a device must know of its policy. The device's own local policy may narrow it and is never widened by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicePolicy {
    /// Grows with every change.
    pub version: u64,
    /// Seconds between scans.
    pub scan_interval: u32,
    /// KiB per second for downloads; absent = no limit.
    #[serde(default)]
    pub rate_kib: Option<u32>,
    /// When the device may restart.
    pub reboot: RebootPolicy,
}

/// One upcoming install, for a person at the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceNotice {
    /// Which patch.
    pub patch: PatchId,
    /// E.g. `openssl 3.0.17-1~deb12u3`.
    pub title: ShortText,
    /// The earliest start, as the planner sees it now.
    pub earliest: Moment,
    /// Where to report a problem.
    pub link: ShortText,
}
