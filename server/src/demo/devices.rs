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

/// The three places: name, time zone, KiB per second, devices, and what their host names begin with.
pub(super) const PLACES: [(&str, &str, Option<u32>, u32, &str); 3] = [
    ("Head office", "Europe/Helsinki", None, 60, "hq"),
    ("Warehouse", "Europe/Berlin", Some(2_048), 36, "wh"),
    ("Branch office", "America/New_York", Some(512), 24, "br"),
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

/// All devices.
pub(super) struct Fleet {
    members: Vec<Member>,
    releases: Releases,
}

impl Fleet {
    /// 120 devices as they were set up some weeks before `start`.
    pub(super) fn build(start: Moment) -> Self {
        let releases = Releases::real();
        let mut members = Vec::new();
        for (place, (_, zone, _, count, prefix)) in PLACES.iter().enumerate() {
            for n in 0..*count {
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
                    silent_from: (seed.is_multiple_of(29)).then(|| start + Span::days(150)),
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
