//! The server is killed in the middle of every kind of write: what it acknowledged is there afterwards, and nothing is installed twice
//! (I-6, I-20, I-21).

use super::{Server, command, good, start};
use domain::{Moment, PatchId, Permission};
use fleet::{Device, Message, Os, Releases};
use protocol::LongText;
use protocol::v1::{
    ActionKind, AttemptEvent, AttemptRecord, CheckInReply, EnrollReply, Outcome, PERMIT, PermitReply, PermitRequest,
    RESULTS, ReportReply, Results, ResultsReply,
};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Patches that the device needs: more than it can install before the last kill.
const PATCHES: usize = 60;
const ROUNDS: u64 = 8;

fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Moment(since.as_secs().try_into().expect("fits"))
}

/// What the server said it has taken.
#[derive(Default)]
struct Ledger {
    accounts: Vec<String>,
    devices: Vec<String>,
    tokens: Vec<String>,
    approved: BTreeSet<i64>,
    /// Records that were acknowledged, as sent.
    results: Vec<AttemptRecord>,
    /// Patches whose successful end was acknowledged.
    installed: BTreeSet<PatchId>,
    /// Permits to install, by patch.
    permits: BTreeMap<PatchId, BTreeSet<i64>>,
    /// Patches whose rollback was ordered.
    rolled_back: BTreeSet<PatchId>,
    /// Patches whose way back was planned, or waived.
    planned: BTreeSet<i64>,
    /// Reasons of acts on patches and devices: the audit log has them in the transaction of the act (I-24).
    reasons: Vec<String>,
    /// Names of what is scheduled, of rings and locations, and the pages that show them.
    named: Vec<(&'static str, String)>,
}

/// Whoever writes: an administrator's browser and devices.
struct Writer<'a> {
    data: &'a Path,
    server: &'a Server,
    /// For devices that a person must accept.
    unaccepted: &'a str,
    cookie: String,
    releases: &'a Releases,
    ledger: &'a mut Ledger,
    /// Requests so far.
    sent: &'a AtomicU64,
}

impl Writer<'_> {
    fn tell<T: DeserializeOwned>(&self, message: &Message) -> Result<T> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let (status, body) = self.server.agent(message)?;
        assert_eq!(status, 200, "{}: {}", message.path, String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).map_err(Error::from)
    }

    fn act(&self, path: &str, body: &str) -> Result<()> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let (status, _, text) = self.server.ask("POST", path, &self.cookie, body)?;
        assert!(status < 400, "{path}: {status} {text}");
        Ok(())
    }

    fn report(&self, device: &mut Device, full: bool) -> Result<()> {
        let inventory = device.inventory(self.releases, now());
        let message = device.report(&inventory, now(), full);
        let _: ReportReply = self.tell(&message)?;
        device.reported(inventory);
        Ok(())
    }

    /// One of everything.
    fn step(&mut self, device: &mut Device, token: &str, number: u64) -> Result<()> {
        let account = format!("person-{number}");
        self.act("/api/accounts/create", &format!("name={account}&role=auditor"))?;
        self.ledger.accounts.push(account);

        let label = format!("label-{number}");
        self.act(
            "/api/accounts/create_token",
            &format!("label={label}&max_uses=1&hours=1"),
        )?;
        self.ledger.tokens.push(label);

        let host = format!("host-{number}");
        let mut other = Device::new(
            number + 100,
            &host,
            Os::Debian12,
            "Etc/UTC",
            self.releases,
            Moment(0),
            3,
        );
        let enrolled: EnrollReply = self.tell(&other.enroll(token))?;
        self.ledger.devices.push(host);
        self.report(&mut other, true)?;
        if number % 3 == 1 {
            // Done or not, when the answer is lost: the list shows no revoked devices.
            self.ledger.devices.pop();
            self.reasoned("/api/devices/revoke", &format!("device={}", enrolled.device), number)?;
        }

        let mut waiting = Device::new(
            number + 10_000,
            "waiting",
            Os::Debian12,
            "Etc/UTC",
            self.releases,
            Moment(0),
            3,
        );
        let pending: EnrollReply = self.tell(&waiting.enroll(self.unaccepted))?;
        self.reasoned("/api/devices/accept", &format!("device={}", pending.device), number)?;
        self.report(&mut waiting, true)?;

        let patch = i64::try_from(number % PATCHES as u64).expect("fits") + 1;
        if !self.ledger.approved.contains(&patch) {
            let form = format!("verb=approve&ring=1&selection={patch}.1&reason=looks+good");
            self.act("/api/patches/decide", &form)?;
            self.ledger.approved.insert(patch);
        }
        self.carry_out(device)?;
        self.stop_and_go_on(patch, number)?;
        self.plan(patch, number)?;
        self.confirm_the_clock(number)
    }

    /// An act with a reason that nothing else has.
    fn reasoned(&mut self, path: &str, form: &str, number: u64) -> Result<()> {
        let verb = path.rsplit('/').next().unwrap_or_default();
        let reason = format!("{verb}-{number}-{}", self.sent.load(Ordering::Relaxed));
        self.act(path, &format!("{form}&reason={reason}"))?;
        self.ledger.reasons.push(reason);
        Ok(())
    }

    /// The number that stands behind some text on a patch's page.
    fn number_on(&self, patch: i64, text: &str) -> Result<i64> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let (_, _, html) = self.server.ask("GET", &format!("/patches/{patch}"), &self.cookie, "")?;
        let behind = html.split(text).nth(1).unwrap_or_default();
        let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().map_err(|_| {
            // Cut off by the kill, or never there.
            assert!(!html.contains("</html>"), "patch {patch} shows no {text}: {html}");
            ErrorKind::UnexpectedEof.into()
        })
    }

    /// A denial and its withdrawal, a hold and its end, and the way back from what is installed.
    fn stop_and_go_on(&mut self, patch: i64, number: u64) -> Result<()> {
        for verb in ["deny", "withdraw"] {
            let revision = self.number_on(patch, &format!("sel={patch}."))?;
            let form = format!("verb={verb}&ring=2&selection={patch}.{revision}");
            self.reasoned("/api/patches/decide", &form, number)?;
        }
        self.reasoned("/api/patches/hold", &format!("patch={patch}"), number)?;
        let hold = self.number_on(patch, "name=\"hold\" value=\"")?;
        let revision = self.number_on(patch, "name=\"revision\" value=\"")?;
        let form = format!("patch={patch}&hold={hold}&revision={revision}");
        self.reasoned("/api/patches/resume", &form, number)?;
        let back = self
            .ledger
            .installed
            .difference(&self.ledger.rolled_back)
            .next()
            .copied();
        if let Some(back) = back.filter(|_| number % 2 == 1) {
            // Ordered or not, when the answer is lost: it is not ordered a second time here.
            self.ledger.rolled_back.insert(back);
            let pair = format!("device=1&patch={back}");
            self.reasoned("/api/patches/roll_back", &pair, number)?;
            if number % 4 == 1 {
                // Before the device has heard of it: it keeps what it has.
                self.reasoned("/api/patches/lift_block", &pair, number)?;
            }
        }
        Ok(())
    }

    /// As an administrator on the host does. When the command fails, the server is gone.
    fn confirm_the_clock(&mut self, number: u64) -> Result<()> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let reason = format!("confirm-{number}-{}", self.sent.load(Ordering::Relaxed));
        let done = command(self.data, &["admin", "clock", "confirm", "--reason", &reason]).output()?;
        if done.status.success() {
            self.ledger.reasons.push(reason);
            Ok(())
        } else {
            Err(ErrorKind::ConnectionReset.into())
        }
    }

    /// A form of a page that shows what was saved by the name that stands in it.
    fn named(&mut self, path: &str, page: &'static str, form: &str, name: String) -> Result<()> {
        self.act(path, &form.replace("NAME", &name))?;
        self.ledger.named.push((page, name));
        Ok(())
    }

    /// What is scheduled, how a patch is taken back, and where devices are.
    fn plan(&mut self, patch: i64, number: u64) -> Result<()> {
        let schedule = "/api/schedule/save";
        // For production: the device that installs here is a pilot.
        let profile = "what=profiles&act=save&scan=24&scan_unit=hours&install=24&install_unit=hours&scope=some&group2=1&name=NAME";
        self.named(schedule, "/schedule", profile, format!("profile-{number}"))?;
        let exception = format!("what=exceptions&act=save&covers=group&covers_group=2&about=patch&patch=%23{patch}");
        let exception = format!("{exception}&expires=2090-01-01&reason=NAME");
        self.named(schedule, "/schedule", &exception, format!("exception-{number}"))?;
        if number.is_multiple_of(4) {
            let ring = "what=ring&act=save&soak_days=7&successes=1&failures=2&vanished=2&plan=1&name=NAME";
            self.named("/api/rings/save", "/rings", ring, format!("ring-{number}"))?;
        }
        if !self.ledger.planned.contains(&patch) {
            // Written or not, when the answer is lost: it is not written a second time here.
            self.ledger.planned.insert(patch);
            let form = format!("patch={patch}&version=0&what=waive");
            self.reasoned("/api/patches/save_plan", &form, number)?;
        }
        let window = "what=windows&act=save&when=weekly&day5=1&at=22%3A00&hours=4&zone=utc&group2=1&name=NAME";
        self.named(schedule, "/schedule", window, format!("window-{number}"))?;
        let place = "what=location&act=save&zone=Europe%2FVienna&name=NAME";
        self.named("/api/rings/save", "/rings", place, format!("place-{number}"))
    }

    /// What the device's agent does on a visit.
    fn carry_out(&mut self, device: &mut Device) -> Result<()> {
        let reply: CheckInReply = self.tell(&device.check_in(now()))?;
        if reply.want_full_report {
            self.report(device, true)?;
        }
        for order in &reply.orders {
            let installs = order.kind == ActionKind::Install;
            assert!(
                !installs || !self.ledger.installed.contains(&order.patch),
                "patch {} is ordered again",
                order.patch
            );
            let current = device.current(self.releases, &order.packages);
            let request = PermitRequest {
                patch: order.patch,
                kind: order.kind,
                current: current.clone(),
            };
            let message = device.seal(PERMIT, request, now());
            let PermitReply::Granted(permit) = self.tell(&message)? else {
                continue;
            };
            if installs {
                let permits = self.ledger.permits.entry(order.patch).or_default();
                permits.insert(permit.attempt.0);
            }
            device.install(self.releases, &permit.packages);
            let finished = AttemptEvent::Finished {
                outcome: Outcome::Succeeded,
                observed: device.current(self.releases, &order.packages),
                log: LongText::default(),
                took: 1,
            };
            let record = |half: u8, event| AttemptRecord {
                id: format!("{half:02x}{:030x}", permit.attempt.0),
                attempt: permit.attempt,
                fence: permit.fence,
                at: now(),
                event,
            };
            let results = vec![record(1, AttemptEvent::Started { from: current }), record(2, finished)];
            // As its journal would have it: whatever becomes of the server, the agent sends them until they are acknowledged.
            let message = device.seal(
                RESULTS,
                Results {
                    results: results.clone(),
                },
                now(),
            );
            let sent: Result<ResultsReply> = self.tell(&message);
            let Ok(reply) = sent else {
                self.ledger.results.extend(results);
                return Err(ErrorKind::ConnectionReset.into());
            };
            assert_eq!(reply.acknowledged.len(), 2, "{:?}", reply.refused);
            self.ledger.results.extend(results);
            if installs {
                self.ledger.installed.insert(order.patch);
            }
            self.report(device, false)?;
        }
        Ok(())
    }

    /// Everything that was acknowledged is there.
    fn check(&mut self, data: &Path, device: &mut Device) {
        let accounts = good(data, &["admin", "account", "list"]);
        for name in &self.ledger.accounts {
            assert!(accounts.contains(&format!("{name} ")), "account {name} is gone");
        }
        let devices = good(data, &["admin", "device", "list"]);
        for host in &self.ledger.devices {
            assert!(devices.contains(&format!("{host} ")), "device {host} is gone");
        }
        let tokens = good(data, &["admin", "token", "list"]);
        for label in &self.ledger.tokens {
            assert!(tokens.contains(&format!("{label} ")), "token {label} is gone");
        }
        for patch in &self.ledger.approved {
            let path = format!("/api/v1/devices/1/patches/{patch}");
            let (status, _, text) = self.server.ask("GET", &path, &self.cookie, "").expect("an answer");
            assert_eq!(status, 200, "{text}");
            let shown: view::DevicePatch = serde_json::from_str(&text).expect("a ladder");
            let approved = shown
                .ladder
                .iter()
                .find(|step| step.gate == "approved")
                .expect("its gate");
            assert_eq!(
                approved.status,
                view::StepStatus::Open,
                "the approval of patch {patch} is gone"
            );
        }
        for reason in &self.ledger.reasons {
            // The search box repeats what was searched for, the record has the rest too.
            let (half, _) = reason.rsplit_once('-').expect("three parts");
            let (status, _, html) = self
                .server
                .ask("GET", &format!("/audit?q={half}"), &self.cookie, "")
                .expect("an answer");
            assert!(status == 200 && html.contains(reason.as_str()), "{reason} is gone");
        }
        for (page, name) in &self.ledger.named {
            let (status, _, html) = self.server.ask("GET", page, &self.cookie, "").expect("an answer");
            assert!(
                status == 200 && html.contains(name.as_str()),
                "{name} is gone from {page}"
            );
        }
        // Records that were sent before: known already, or (their acknowledgement was lost) taken now; a forgery of one is refused.
        for known in self.ledger.results.chunks(2) {
            let message = device.seal(
                RESULTS,
                Results {
                    results: known.to_vec(),
                },
                now(),
            );
            let reply: ResultsReply = self.tell(&message).expect("an answer");
            assert_eq!(reply.acknowledged.len(), known.len(), "{:?}", reply.refused);
            let forged = AttemptRecord {
                at: Moment(known[0].at.0 - 1),
                ..known[0].clone()
            };
            let message = device.seal(RESULTS, Results { results: vec![forged] }, now());
            let reply: ResultsReply = self.tell(&message).expect("an answer");
            assert_eq!(reply.refused.len(), 1, "a record that the server had was replaced");
        }
        for (patch, attempts) in &self.ledger.permits {
            let ended = self.ledger.installed.contains(patch);
            assert!(
                !ended || attempts.len() == 1,
                "patch {patch} was permitted {} times",
                attempts.len()
            );
        }
        assert!(good(data, &["audit", "verify"]).contains("records hold"));
    }
}

/// Says so when the writer ends, also by a failed check: nobody then waits for it to go on.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn every_kind_of_write_survives_a_kill() {
    assert!(
        domain::Role::Administrator.may(Permission::Decide),
        "one person does everything here"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let releases = Releases::synthetic(Os::Debian12, PATCHES);
    let mut device = Device::new(1, "first", Os::Debian12, "Etc/UTC", &releases, Moment(0), 3);
    let mut ledger = Ledger::default();
    let (mut token, mut unaccepted) = (String::new(), String::new());
    let (mut number, sent) = (0, AtomicU64::new(0));
    for round in 0..=ROUNDS {
        let mut server = start(data);
        if round == 0 {
            let new = [
                "admin", "token", "new", "--plain", "--accept", "--uses", "1000", "--group", "Pilot",
            ];
            token = good(data, &new);
            let new = ["admin", "token", "new", "--plain", "--uses", "1000", "--group", "Pilot"];
            unaccepted = good(data, &new);
            let enrolled = server.agent(&device.enroll(&token)).expect("an answer");
            assert_eq!(enrolled.0, 200);
        }
        let link = good(data, &["admin", "account", "sign-in-link", "admin", "--plain"]);
        let cookie = server.sign_in(&link);
        let mut writer = Writer {
            data,
            server: &server,
            unaccepted: &unaccepted,
            cookie,
            releases: &releases,
            ledger: &mut ledger,
            sent: &sent,
        };
        writer.check(data, &mut device);
        if round == ROUNDS {
            break;
        }
        let pid = rustix::process::Pid::from_child(&server.child);
        // A step has about thirty requests: each round ends in another one, at another moment of it.
        let over = AtomicBool::new(false);
        let last = sent.load(Ordering::Relaxed) + 45 + 7 * round;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while sent.load(Ordering::Relaxed) < last && !over.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
                std::thread::park_timeout(Duration::from_micros(700 * round));
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("a signal");
            });
            let _over = Over(&over);
            // Until the server is gone.
            while writer.step(&mut device, &token, number).is_ok() {
                number += 1;
            }
        });
        number += 1;
        let _ = server.child.wait();
    }
    assert!(
        ledger.installed.len() > 2 && !ledger.rolled_back.is_empty(),
        "the kills came too early: {:?}",
        ledger.installed
    );
}

/// How long it takes on this machine when nobody disturbs it.
fn time(work: impl FnOnce() -> String) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// So many moments from the beginning of something to its end, and a little later.
fn spread(count: u32, whole: Duration) -> impl Iterator<Item = Duration> {
    (0..count).map(move |n| whole * n / (count - 2))
}

#[test]
fn a_restore_that_is_killed_leaves_one_of_the_two_databases() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let backup = data.join("backup.db");
    let backup = backup.to_str().expect("a path");
    start(data).terminate();
    good(data, &["admin", "account", "add", "before", "auditor"]);
    good(data, &["backup", backup]);
    let whole = time(|| good(data, &["restore", backup]));
    good(data, &["admin", "account", "add", "later", "auditor"]);
    let (mut old, mut new) = (0, 0);
    for delay in spread(24, whole) {
        let mut restore = command(data, &["restore", backup]).spawn().expect("the binary runs");
        std::thread::sleep(delay);
        let _ = restore.kill();
        let _ = restore.wait();
        let accounts = good(data, &["admin", "account", "list"]);
        assert!(accounts.contains("before "), "neither of the two: {accounts}");
        assert!(good(data, &["audit", "verify"]).contains("records hold"));
        if accounts.contains("later ") {
            old += 1;
        } else {
            new += 1;
            good(data, &["admin", "account", "add", "later", "auditor"]);
        }
    }
    assert!(old > 0, "every restore was over before it was killed");
    // An uninterrupted one still works beside what the others left.
    good(data, &["restore", backup]);
    assert!(
        !good(data, &["admin", "account", "list"]).contains("later "),
        "{old} {new}"
    );
}

#[test]
fn a_backup_that_is_killed_leaves_the_last_good_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let mut server = start(data);
    let target = data.join("backup.db");
    let path = target.to_str().expect("a path");
    let whole = time(|| good(data, &["backup", path]));
    let first = std::fs::read(&target).expect("a backup");
    good(data, &["admin", "account", "add", "later", "auditor"]);
    for delay in spread(8, whole) {
        let mut backup = command(data, &["backup", path]).spawn().expect("the binary runs");
        std::thread::sleep(delay);
        let _ = server.child.kill();
        let _ = server.child.wait();
        let _ = backup.wait();
        let found = std::fs::read(&target).expect("a backup");
        if found != first {
            break;
        }
        server = start(data);
    }
    // Whole, whichever it is.
    let other = tempfile::tempdir().expect("a folder");
    good(other.path(), &["restore", path]);
    assert!(good(other.path(), &["audit", "verify"]).contains("records hold"));
}
