//! A server on a temporary database, and devices that speak the real protocol to it.

use domain::{
    Arch, DeviceId, Measured, Moment, PackageName, PatchId, PatchState, ProfileId, RingId, Role, Span, Urgency,
    VersionText,
};
use ed25519_dalek::SigningKey;
use protocol::{ShortText, sign, v1::*};
use serde::{Serialize, de::DeserializeOwned};
use service::{
    Actor, Service, Settings,
    agents::WireReply,
    clock::ManualClock,
    commands::{
        decide::{Also, Selection, Verb},
        tokens::TokenRequest,
    },
};
use sqlx::{Connection as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::sync::Arc;

pub const PILOT: RingId = RingId(1);
pub const PRODUCTION: RingId = RingId(2);

pub struct Server {
    pub service: Service,
    pub clock: Arc<ManualClock>,
    pub settings: Settings,
    _folder: tempfile::TempDir,
}

pub async fn server() -> Server {
    server_that_polls(60).await
}

/// A server, a pilot that lacks version 2 of `a`, and that patch, approved for the pilots.
pub async fn approved() -> (Server, Device, PatchId) {
    let server = server().await;
    let scan = inventory(&[("a", "1")], &[("a", "2", true)]);
    let device = server.scanned(1, PILOT, scan).await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    (server, device, patch)
}

pub async fn server_that_polls(poll_seconds: u32) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        poll_seconds,
        ..Settings::new(folder.path().join("data"))
    };
    let clock = Arc::new(ManualClock::at(Moment(1_795_000_000)));
    let service = Service::open(settings.clone(), clock.clone()).await.unwrap();
    Server {
        service,
        clock,
        settings,
        _folder: folder,
    }
}

impl Server {
    /// Lets devices install as soon as everything else allows it: for tests of something else over several hours.
    pub async fn without_rounds(&self) {
        let officer = self.officer().await;
        let page = self.service.schedule_profile(&officer, ProfileId(1)).await.unwrap();
        let form = view::ProfileForm {
            install_minutes: 60,
            ..page.form
        };
        let seen = Some((ProfileId(1), page.line.version));
        let saved = self.service.save_profile(&officer, seen, &form).await.unwrap();
        saved.unwrap();
    }

    /// Stops the server without a farewell and starts it on the same folder.
    pub async fn restart(self) -> Self {
        let Self {
            service,
            clock,
            settings,
            _folder,
        } = self;
        drop(service);
        let service = Service::open(settings.clone(), clock.clone()).await.unwrap();
        Self {
            service,
            clock,
            settings,
            _folder,
        }
    }

    /// Stops the server, and starts it on what a backup holds.
    pub async fn restore(self, from: &std::path::Path) -> Self {
        let Self {
            service,
            clock,
            settings,
            _folder,
        } = self;
        let now = service.now();
        service.close().await;
        drop(service);
        service::commands::backup::restore(&settings, from, now).await.unwrap();
        let service = Service::open(settings.clone(), clock.clone()).await.unwrap();
        Self {
            service,
            clock,
            settings,
            _folder,
        }
    }

    pub fn admin(&self) -> Actor {
        Actor::host()
    }

    /// A person with an account: decisions name one.
    pub async fn officer(&self) -> Actor {
        let name = "anna";
        let found: Option<i64> = sqlx::query_scalar("SELECT id FROM account WHERE name = ?")
            .bind(name)
            .fetch_optional(&mut self.sql().await)
            .await
            .unwrap();
        let id = match found {
            Some(id) => domain::AccountId(id),
            None => self
                .service
                .create_account(&self.admin(), name, Role::Administrator, None)
                .await
                .unwrap(),
        };
        Actor {
            account: Some(id),
            name: name.to_owned(),
            role: Role::Administrator,
            session: None,
        }
    }

    /// A connection of our own to look at what was committed.
    pub async fn sql(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.settings.database());
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    pub async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar::<_, Option<i64>>(sql)
            .fetch_one(&mut self.sql().await)
            .await
            .unwrap()
            .unwrap_or(-1)
    }

    /// Every row of every table, as text.
    pub async fn dump(&self) -> String {
        let mut sql = self.sql().await;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name",
        )
        .fetch_all(&mut sql)
        .await
        .unwrap();
        let mut out = String::new();
        for table in tables {
            let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
                .bind(&table)
                .fetch_all(&mut sql)
                .await
                .unwrap();
            let list: Vec<String> = columns.iter().map(|c| format!("quote(\"{c}\")")).collect();
            let text = format!(
                "SELECT {} AS line FROM \"{table}\" ORDER BY 1",
                list.join(" || ',' || ")
            );
            for row in sqlx::query(sqlx::AssertSqlSafe(text))
                .fetch_all(&mut sql)
                .await
                .unwrap()
            {
                out.push_str(&format!("{table}: {}\n", row.get::<String, _>(0)));
            }
        }
        out
    }

    pub async fn token(&self, group: Option<i64>, accept: bool, max_uses: u32) -> String {
        let request = TokenRequest {
            label: "test".to_owned(),
            group: group.map(domain::GroupId),
            accept,
            scan_only: false,
            max_uses,
            hours: 24,
        };
        self.service.create_token(&self.admin(), request).await.unwrap().token
    }

    /// An active device of a ring's group, not scanned yet.
    pub async fn device(&self, seed: u8, ring: RingId) -> Device {
        let token = self.token(Some(ring.0), true, 1).await;
        let mut device = Device::new(seed);
        device.enrol(self, &token).await;
        device
    }

    /// An active device of a ring's group that has reported this inventory.
    pub async fn scanned(&self, seed: u8, ring: RingId, inventory: Inventory) -> Device {
        let mut device = self.device(seed, ring).await;
        device.report(self, inventory).await;
        device
    }

    pub async fn patch(&self, source: &str, version: &str) -> PatchId {
        let id: Option<i64> = sqlx::query_scalar("SELECT id FROM patch WHERE source = ? AND version = ?")
            .bind(source)
            .bind(version)
            .fetch_optional(&mut self.sql().await)
            .await
            .unwrap();
        PatchId(id.unwrap_or_else(|| panic!("no patch {source} {version}")))
    }

    pub async fn state(&self, device: &Device, patch: PatchId) -> Option<PatchState> {
        let code: Option<i64> =
            sqlx::query_scalar("SELECT state FROM device_patch WHERE device_id = ? AND patch_id = ?")
                .bind(device.id.0)
                .bind(patch.0)
                .fetch_optional(&mut self.sql().await)
                .await
                .unwrap();
        code.map(|c| PatchState::from_code(c).unwrap())
    }

    pub async fn approve(&self, patch: PatchId, ring: RingId) {
        self.decide(
            patch,
            ring,
            Verb::Approve {
                urgent: Urgency::Normal,
            },
        )
        .await;
    }

    pub async fn decide(&self, patch: PatchId, ring: RingId, verb: Verb) {
        let actor = self.officer().await;
        let selection = Selection::These(vec![(patch, None)]);
        let also = Also {
            superseded: true,
            without_plan: true,
        };
        let done = self
            .service
            .decide_also(&actor, selection, ring, verb, "test", also)
            .await
            .unwrap();
        assert_eq!(done.decided, [patch]);
    }

    pub fn pass(&self, span: Span) {
        self.clock.advance(span);
    }

    /// Every count against a naive recount of the rows that it stands for.
    pub async fn recount(&self) {
        let wrong_patches = self
            .number(
                "SELECT count(*) FROM patch p LEFT JOIN (SELECT patch_id,
                    sum(state IN (4,5,6,7)) AS missing, sum(state IN (3,10)) AS installed, sum(state = 11) AS failed,
                    sum(state IN (8,9)) AS pending, sum(state = 0) AS unknown, sum(state = 2) AS superseded, sum(state = 12) AS back
                    FROM device_patch GROUP BY patch_id) c ON c.patch_id = p.id
                 WHERE (p.n_missing, p.n_installed, p.n_failed, p.n_pending, p.n_unknown, p.n_superseded, p.n_rolled_back)
                    <> (coalesce(c.missing,0), coalesce(c.installed,0), coalesce(c.failed,0), coalesce(c.pending,0), coalesce(c.unknown,0),
                        coalesce(c.superseded,0), coalesce(c.back,0))",
            )
            .await;
        let wrong_devices = self
            .number(
                "SELECT count(*) FROM device d LEFT JOIN (SELECT device_id,
                    sum(s.state IN (4,5,6,7,11,12)) AS open, sum(s.state IN (4,5,6,7,11,12) AND p.category = 1) AS security,
                    sum(s.state = 11) AS failed, sum(s.state IN (8,9)) AS pending
                    FROM device_patch s JOIN patch p ON p.id = s.patch_id GROUP BY device_id) c ON c.device_id = d.id
                 WHERE (d.n_open, d.n_security, d.n_failed, d.n_pending)
                    <> (coalesce(c.open,0), coalesce(c.security,0), coalesce(c.failed,0), coalesce(c.pending,0))",
            )
            .await;
        assert_eq!((wrong_patches, wrong_devices), (0, 0), "counts differ from the rows");
    }
}

/// A device as the agent would be: a key, a sequence, the last inventory.
#[derive(Clone)]
pub struct Device {
    pub id: DeviceId,
    pub key: SigningKey,
    pub seq: u64,
    pub sent_at: Moment,
    pub inventory: Inventory,
    pub journal: u32,
}

pub fn short(text: &str) -> ShortText {
    ShortText::parse(text).unwrap()
}

impl Device {
    pub fn new(seed: u8) -> Self {
        Self {
            id: DeviceId(0),
            key: SigningKey::from_bytes(&[seed; 32]),
            seq: 0,
            sent_at: Moment(1_000),
            inventory: inventory(&[], &[]),
            journal: 0,
        }
    }

    pub fn key_id(&self) -> String {
        sign::key_id(&self.key.verifying_key().to_bytes())
    }

    pub fn enrol_request(&self, token: &str) -> EnrollRequest {
        EnrollRequest {
            token: token.to_owned(),
            public_key: hex::encode(self.key.verifying_key().to_bytes()),
            nonce: "0".repeat(32),
            scan_only: false,
            host: self.inventory.host.clone(),
        }
    }

    pub async fn send_raw(&self, server: &Server, path: &str, body: &[u8]) -> WireReply {
        let signature = sign::sign_request(&self.key, path, body);
        server.service.agent(path, &self.key_id(), &signature, body).await
    }

    pub async fn enrol(&mut self, server: &Server, token: &str) -> EnrollReply {
        let body = serde_json::to_vec(&self.enrol_request(token)).unwrap();
        let reply: EnrollReply = accepted(&self.send_raw(server, ENROLL, &body).await);
        self.id = reply.device;
        reply
    }

    /// The bytes of the next message.
    pub fn seal<T: Serialize>(&mut self, message: T) -> Vec<u8> {
        self.seq += 1;
        self.sent_at = self.sent_at + Span(1);
        let nonce = format!("{:032x}", self.seq);
        serde_json::to_vec(&Sealed {
            seq: self.seq,
            nonce,
            sent_at: self.sent_at,
            message,
        })
        .unwrap()
    }

    pub async fn send<T: Serialize>(&mut self, server: &Server, path: &str, message: T) -> WireReply {
        let body = self.seal(message);
        self.send_raw(server, path, &body).await
    }

    pub fn check_in_message(&self) -> CheckIn {
        CheckIn {
            agent_version: short("0.1.0"),
            boot_id: short("boot"),
            inventory: Some(self.inventory.digest()),
            policy_version: 1,
            unacknowledged: 0,
            measured: Measured::default(),
        }
    }

    pub async fn check_in(&mut self, server: &Server) -> CheckInReply {
        let message = self.check_in_message();
        accepted(&self.send(server, CHECK_IN, message).await)
    }

    pub async fn report(&mut self, server: &Server, mut inventory: Inventory) -> ReportReply {
        inventory.normalize();
        let report = full(&inventory);
        self.inventory = inventory;
        accepted(&self.send(server, REPORT, report).await)
    }

    pub async fn report_delta(&mut self, server: &Server, mut inventory: Inventory) -> WireReply {
        inventory.normalize();
        let changes = Box::new(InventoryDelta::between(&self.inventory, &inventory));
        let content = ReportContent::Delta {
            base: self.inventory.digest(),
            changes,
        };
        let report = Report {
            taken_at: Moment(5),
            took_ms: 1,
            digest: inventory.digest(),
            content,
        };
        let reply = self.send(server, REPORT, report).await;
        if reply.status == 200 {
            self.inventory = inventory;
        }
        reply
    }

    pub async fn ask(&mut self, server: &Server, patch: PatchId, kind: ActionKind) -> PermitReply {
        accepted(
            &self
                .send(
                    server,
                    PERMIT,
                    PermitRequest {
                        patch,
                        kind,
                        current: Vec::new(),
                    },
                )
                .await,
        )
    }

    pub async fn permit(&mut self, server: &Server, patch: PatchId) -> Permit {
        match self.ask(server, patch, ActionKind::Install).await {
            PermitReply::Granted(permit) => permit,
            PermitReply::Refused { gate, reason, .. } => panic!("{gate}: {reason}"),
        }
    }

    pub async fn refusal(&mut self, server: &Server, patch: PatchId) -> (String, String, Option<Moment>) {
        match self.ask(server, patch, ActionKind::Install).await {
            PermitReply::Granted(permit) => panic!("granted {permit:?}"),
            PermitReply::Refused { gate, reason, opens_at } => (gate.to_string(), reason.to_string(), opens_at),
        }
    }

    pub fn record(&mut self, permit: &Permit, event: AttemptEvent) -> AttemptRecord {
        self.journal += 1;
        let id = format!("{:016x}{:016x}", self.id.0, self.journal);
        AttemptRecord {
            id,
            attempt: permit.attempt,
            fence: permit.fence,
            at: Moment(9),
            event,
        }
    }

    pub async fn results(&mut self, server: &Server, results: Vec<AttemptRecord>) -> ResultsReply {
        accepted(&self.send(server, RESULTS, Results { results }).await)
    }

    pub async fn start(&mut self, server: &Server, permit: &Permit) {
        let from = permit
            .packages
            .iter()
            .map(|p| PackageVersion {
                version: VersionText::parse("1").ok(),
                ..p.clone()
            })
            .collect();
        let record = self.record(permit, AttemptEvent::Started { from });
        let id = record.id.clone();
        assert_eq!(self.results(server, vec![record]).await.acknowledged, [id]);
    }

    pub async fn finish(&mut self, server: &Server, permit: &Permit, outcome: Outcome) {
        self.finished(server, permit, outcome, 3).await;
    }

    async fn finished(&mut self, server: &Server, permit: &Permit, outcome: Outcome, took: u32) {
        let observed = permit.packages.clone();
        let record = self.record(
            permit,
            AttemptEvent::Finished {
                outcome,
                observed,
                log: protocol::LongText::default(),
                took,
            },
        );
        let id = record.id.clone();
        assert_eq!(self.results(server, vec![record]).await.acknowledged, [id]);
    }

    /// Permit, start, success, and the scan that proves it.
    pub async fn install(&mut self, server: &Server, patch: PatchId) {
        self.install_that_took(server, patch, 0).await;
    }

    /// As [`Self::install`]; the package manager ran for so many seconds.
    pub async fn install_that_took(&mut self, server: &Server, patch: PatchId, took: u32) {
        let permit = self.permit(server, patch).await;
        self.start(server, &permit).await;
        server.pass(Span(i64::from(took)));
        self.finished(server, &permit, Outcome::Succeeded, took).await;
        let inventory = installed(&self.inventory, &permit.packages);
        assert_eq!(self.report_delta(server, inventory).await.status, 200);
    }
}

/// The inventory after these packages are at their versions.
pub fn installed(before: &Inventory, packages: &[PackageVersion]) -> Inventory {
    let mut inventory = before.clone();
    for package in packages {
        let version = package.version.clone().unwrap();
        inventory
            .updates
            .retain(|u| (&u.name, &u.arch) != (&package.name, &package.arch));
        for p in inventory
            .packages
            .iter_mut()
            .filter(|p| (&p.name, &p.arch) == (&package.name, &package.arch))
        {
            p.version = version.clone();
        }
    }
    inventory
}

pub fn accepted<T: DeserializeOwned>(reply: &WireReply) -> T {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    serde_json::from_slice(&reply.body).unwrap()
}

pub fn refused(reply: &WireReply) -> RefusalCode {
    let refusal: Refusal =
        serde_json::from_slice(&reply.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&reply.body)));
    assert_eq!(reply.status, refusal.code.status());
    assert!(!refusal.detail.as_str().is_empty());
    refusal.code
}

pub fn full(inventory: &Inventory) -> Report {
    let content = ReportContent::Full {
        inventory: Box::new(inventory.clone()),
    };
    Report {
        taken_at: Moment(5),
        took_ms: 1,
        digest: inventory.digest(),
        content,
    }
}

pub fn package(name: &str, version: &str) -> InstalledPackage {
    InstalledPackage {
        name: PackageName::parse(name).unwrap(),
        arch: Arch::parse("amd64").unwrap(),
        version: VersionText::parse(version).unwrap(),
        source: PackageName::parse(name).unwrap(),
        source_version: None,
    }
}

pub fn update(name: &str, from: &str, to: &str, security: bool) -> Update {
    let origin = if security {
        Origin {
            label: short("Debian-Security"),
            archive: short("oldstable-security"),
            codename: short("bookworm-security"),
        }
    } else {
        Origin {
            label: short("Debian"),
            archive: short("oldstable"),
            codename: short("bookworm"),
        }
    };
    Update {
        name: PackageName::parse(name).unwrap(),
        arch: Arch::parse("amd64").unwrap(),
        installed: Some(VersionText::parse(from).unwrap()),
        version: VersionText::parse(to).unwrap(),
        source: PackageName::parse(name).unwrap(),
        source_version: VersionText::parse(to).unwrap(),
        origins: vec![origin],
        size: 1_000,
        sha256: short(&"ab".repeat(32)),
        summary: short("a package"),
        section: short("libs"),
        security,
        brake: None,
        previous_in_archive: true,
        brought_by: Vec::new(),
    }
}

/// `packages` as (name, version), `updates` as (name, to, security) of packages that are installed.
pub fn inventory(packages: &[(&str, &str)], updates: &[(&str, &str, bool)]) -> Inventory {
    let installed = |name: &str| packages.iter().find(|(n, _)| *n == name).map_or("0", |(_, v)| *v);
    let mut inventory = Inventory {
        host: HostFacts {
            hostname: short("host"),
            os_id: short("debian"),
            os_version: short("12"),
            os_codename: short("bookworm"),
            os_name: short("Debian GNU/Linux 12 (bookworm)"),
            arch: short("amd64"),
            manager: Some(short("apt")),
            kernel: short("6.1.0-40-amd64"),
            time_zone: short("Europe/Helsinki"),
            languages: Vec::new(),
            boot_id: short("boot"),
        },
        packages: packages.iter().map(|(name, version)| package(name, version)).collect(),
        updates: updates
            .iter()
            .map(|(name, to, security)| update(name, installed(name), to, *security))
            .collect(),
        sources: vec![
            SourceStatus {
                name: short("bookworm"),
                error: None,
            },
            SourceStatus {
                name: short("bookworm-security"),
                error: None,
            },
        ],
        reboot: Vec::new(),
        services: Vec::new(),
        manager_error: None,
        disk_free_mib: 10_240,
        on_battery: None,
        processes_unread: None,
        foreign: Vec::new(),
    };
    inventory.normalize();
    inventory
}
