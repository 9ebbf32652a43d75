//! The demonstration's devices: what they do on a visit.

use super::people::People;
use anyhow::{Result, bail};
use domain::{Moment, Span};
use fleet::{Device, Message, Os, Releases, mix};
use protocol::{
    LongText, ShortText,
    v1::{
        self, ActionKind, AttemptEvent, AttemptRecord, CheckInReply, Order, Outcome, Permit, PermitReply,
        PermitRequest, Results,
    },
};
use serde::de::DeserializeOwned;
use service::Service;
use view::Demonstration;

/// The three places: name, time zone, KiB per second, tenths of the devices, and what their host names begin with.
pub(super) const PLACES: [(&str, &str, Option<u32>, u32, &str); 3] = [
    ("Head office", "Europe/Helsinki", None, 5, "hq"),
    ("Warehouse", "Europe/Berlin", Some(2_048), 3, "wh"),
    ("Branch office", "America/New_York", Some(512), 2, "br"),
];
/// Share of devices in the pilot group: one in ten.
const PILOT_EVERY: u32 = 10;
/// Days between scans of one device.
const SCAN_DAYS: i64 = 2;
/// One install in so many fails.
const FAILS_ONE_IN: u64 = 150;
/// Packages that never change.
const FILLER: usize = 180;

/// Hours that the places are ahead of UTC in winter: when people there come to work.
const AHEAD: [i64; 3] = [2, 1, -5];

struct Member {
    device: Device,
    place: usize,
    pilot: bool,
    server: bool,
    last_scan: Moment,
    /// From this moment the device is silent: a laptop in a drawer.
    silent_from: Option<Moment>,
    records: u64,
}

/// How many devices are at each place; the first has what the others leave.
fn shares(devices: u32) -> [u32; 3] {
    let [_, second, third] = PLACES.map(|(_, _, _, tenths, _)| (devices * tenths / 10).max(1));
    [devices.saturating_sub(second + third), second, third]
}

/// All devices.
pub(super) struct Fleet {
    members: Vec<Member>,
    releases: Releases,
}

impl Fleet {
    /// The devices as they were set up some weeks before `start`.
    pub(super) fn build(start: Moment, size: Demonstration) -> Self {
        let releases = Releases::real();
        // In a drawer for the last sixth of the time.
        let silence = start + Span::days(i64::from(size.days) * 5 / 6);
        let mut members = Vec::new();
        for ((place, (_, zone, _, _, prefix)), count) in PLACES.iter().enumerate().zip(shares(size.devices)) {
            for n in 0..count {
                let seed = mix(place as u64 + 1, u64::from(n));
                let server = n.is_multiple_of(3);
                let os = if seed % 5 < 2 { Os::Ubuntu2404 } else { Os::Debian12 };
                let hostname = format!("{prefix}-{}-{:02}", if server { "srv" } else { "ws" }, n + 1);
                let built = start - Span::days(20 + i64::try_from(seed % 60).unwrap_or(0));
                members.push(Member {
                    device: Device::new(seed, &hostname, os, zone, &releases, built, FILLER),
                    place,
                    server,
                    pilot: n % PILOT_EVERY == 1,
                    last_scan: Moment(0),
                    silent_from: (seed.is_multiple_of(29)).then_some(silence),
                    records: 0,
                });
            }
        }
        Self { members, releases }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_pilot(&self, index: usize) -> bool {
        self.members.get(index).is_some_and(|m| m.pilot)
    }

    /// Whether the device is switched on: servers always, others while somebody works with them.
    pub(super) fn is_on(&self, index: usize, now: Moment) -> bool {
        let Some(member) = self.members.get(index) else {
            return false;
        };
        let wall = now.0 + AHEAD.get(member.place).copied().unwrap_or(0) * 3_600;
        // 1970-01-01 was a Thursday.
        let (weekday, hour) = (
            (wall.div_euclid(86_400) + 3).rem_euclid(7),
            wall.rem_euclid(86_400) / 3_600,
        );
        let habit = i64::try_from(index % 4).unwrap_or(0);
        member.server || (weekday < 5 && (7 + habit..15 + habit).contains(&hour))
    }

    /// Enrols every device into its group and place.
    pub(super) async fn enroll(&mut self, service: &Service, people: &People) -> Result<()> {
        for member in &mut self.members {
            let token = people.token(member.pilot);
            let reply: v1::EnrollReply = call(service, &member.device.enroll(token)).await?;
            people.place(service, reply.device, member.place).await?;
        }
        Ok(())
    }

    /// One visit: check in, scan when due, and carry out what is ordered.
    pub(super) async fn visit(&mut self, service: &Service, index: usize, now: Moment) -> Result<()> {
        let releases = &self.releases;
        let Some(member) = self.members.get_mut(index) else {
            return Ok(());
        };
        if member.silent_from.is_some_and(|from| now >= from) {
            return Ok(());
        }
        let reply: CheckInReply = call(service, &member.device.check_in(now)).await?;
        let due = now.since(member.last_scan) >= Span::days(SCAN_DAYS);
        if due || reply.want_full_report || reply.scan_now {
            member.scan(service, releases, now, reply.want_full_report).await?;
        }
        for order in &reply.orders {
            member.carry_out(service, releases, order, now).await?;
        }
        Ok(())
    }
}

impl Member {
    async fn scan(&mut self, service: &Service, releases: &Releases, now: Moment, full: bool) -> Result<()> {
        let inventory = self.device.inventory(releases, now);
        let message = self.device.report(&inventory, now, full);
        let _: v1::ReportReply = call(service, &message).await?;
        self.device.reported(inventory);
        self.last_scan = now;
        Ok(())
    }

    async fn carry_out(&mut self, service: &Service, releases: &Releases, order: &Order, now: Moment) -> Result<()> {
        let current = self.device.current(releases, &order.packages);
        let request = PermitRequest {
            patch: order.patch,
            kind: order.kind,
            current: current.clone(),
        };
        let message = self.device.seal(v1::PERMIT, request, now);
        let reply: PermitReply = call(service, &message).await?;
        let PermitReply::Granted(permit) = reply else {
            return Ok(());
        };
        let fails = order.kind == ActionKind::Install
            && mix(permit.fence, permit.attempt.0.unsigned_abs()).is_multiple_of(FAILS_ONE_IN);
        let (outcome, log) = if fails {
            let message = ShortText::fit("the post-installation script exited with status 1");
            (
                Outcome::Failed {
                    exit: Some(100),
                    message,
                },
                LongText::fit("dpkg: error processing package (--configure)"),
            )
        } else {
            self.device.install(releases, &permit.packages);
            (Outcome::Succeeded, LongText::default())
        };
        let observed = self.device.current(releases, &order.packages);
        let events = [
            AttemptEvent::Started { from: current },
            AttemptEvent::Finished {
                outcome,
                observed,
                log,
                took: 40,
            },
        ];
        let results = events
            .into_iter()
            .map(|event| self.record(&permit, event, now))
            .collect();
        let message = self.device.seal(v1::RESULTS, Results { results }, now);
        let _: v1::ResultsReply = call(service, &message).await?;
        // Proof is a scan, not the command's return.
        self.scan(service, releases, now, false).await
    }

    fn record(&mut self, permit: &Permit, event: AttemptEvent, at: Moment) -> AttemptRecord {
        self.records += 1;
        let id = format!("{}{:016x}", &self.device.key_id()[..16], self.records);
        AttemptRecord {
            id,
            attempt: permit.attempt,
            fence: permit.fence,
            at,
            event,
        }
    }
}

/// Through the same door as over the network.
async fn call<T: DeserializeOwned>(service: &Service, message: &Message) -> Result<T> {
    let reply = service
        .agent(message.path, &message.key_id, &message.signature, &message.body)
        .await;
    if reply.status != 200 {
        bail!(
            "{} was refused with {}: {}",
            message.path,
            reply.status,
            String::from_utf8_lossy(&reply.body)
        );
    }
    Ok(serde_json::from_slice(&reply.body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fleet_has_all_its_devices_and_pilots_among_them() {
        assert_eq!(shares(120), [60, 36, 24]);
        for devices in [6, 7, 30, 99, 1_000] {
            let size = Demonstration { devices, days: 14 };
            let fleet = Fleet::build(Moment(1_800_000_000), size);
            assert_eq!(fleet.len(), devices as usize);
            assert!((0..fleet.len()).any(|n| fleet.is_pilot(n)), "{devices}");
            assert!((0..fleet.len()).any(|n| !fleet.is_pilot(n)), "{devices}");
        }
    }
}
