//! A server in a folder of its own, with a clock that stands still.

use domain::{DeviceId, Moment, PatchId, PatchState, Role, Severity, Span};
use service::{
    Actor, Service, Settings,
    clock::ManualClock,
    store::states::{self, Change, State},
};
use sqlx::{ConnectOptions as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{net::IpAddr, sync::Arc};
use tempfile::TempDir;
use view::CountBucket;

pub const START: Moment = Moment(1_795_428_000);
pub const PILOT: domain::RingId = domain::RingId(1);
pub const PRODUCTION: domain::RingId = domain::RingId(2);
pub const PASSWORD: &str = "violet tram under seven lamps";

pub struct World {
    pub folder: TempDir,
    pub clock: Arc<ManualClock>,
    pub service: Service,
    pub administrator: Actor,
}

pub fn settings(folder: &TempDir) -> Settings {
    Settings::new(folder.path().to_owned())
}

pub fn peer(n: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, n])
}

pub async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(START));
    let service = Service::open(settings(&folder), clock.clone()).await.unwrap();
    let id = service
        .create_account(&Actor::host(), "anna", Role::Administrator, None)
        .await
        .unwrap();
    let administrator = Actor {
        account: Some(id),
        name: "anna".to_owned(),
        role: Role::Administrator,
        session: None,
    };
    let world = World {
        folder,
        clock,
        service,
        administrator,
    };
    // Production asks for rollback plans in a new installation; most tests are about something else.
    world.run("UPDATE ring SET rollback_plan = 0").await.unwrap();
    world
}

impl World {
    pub fn pass(&self, span: Span) {
        self.clock.advance(span);
    }

    pub async fn conn(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.folder.path().join("patchward.db"));
        options
            .foreign_keys(true)
            .busy_timeout(std::time::Duration::from_secs(5))
            .connect()
            .await
            .unwrap()
    }

    pub async fn run(&self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(sql).execute(&mut self.conn().await).await.map(|_| ())
    }

    pub async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.conn().await).await.unwrap()
    }

    pub async fn records(&self) -> i64 {
        self.number("SELECT count(*) FROM audit").await
    }

    /// Every row of every table, as text.
    pub async fn dump(&self) -> String {
        let mut conn = self.conn().await;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        let mut text = String::new();
        for table in tables {
            let columns: Vec<String> = sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA table_info({table})")))
                .fetch_all(&mut conn)
                .await
                .unwrap()
                .iter()
                .map(|row| format!("quote(\"{}\")", row.get::<String, _>(1)))
                .collect();
            let sql = format!("SELECT {} FROM {table} ORDER BY 1", columns.join(" || ',' || "));
            let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                .fetch_all(&mut conn)
                .await
                .unwrap();
            text.push_str(&format!("{table}\n{}\n", rows.join("\n")));
        }
        text
    }

    /// An actor of a role, with an account and a session.
    pub async fn person(&self, role: Role) -> Actor {
        let name = format!("{role}-{}", self.number("SELECT count(*) FROM account").await);
        let id = self
            .service
            .create_account(&Actor::host(), &name, role, None)
            .await
            .unwrap();
        let link = self.service.make_sign_in_link(&Actor::host(), &name).await.unwrap();
        let session = self.service.sign_in_by_link(&link, peer(9), "test").await.unwrap();
        let actor = self.service.session(&session.token).await.unwrap().unwrap();
        assert_eq!(actor.account, Some(id));
        actor
    }

    /// An active device of a group (1 = Pilot, 2 = Production).
    pub async fn device(&self, group: i64, hostname: &str) -> DeviceId {
        let mut conn = self.conn().await;
        sqlx::query("INSERT OR IGNORE INTO os_release (id, os_id, version, codename, name) VALUES (1, 'debian', '12', 'bookworm', 'Debian 12')")
            .execute(&mut conn)
            .await
            .unwrap();
        let id = sqlx::query_scalar(
            "INSERT INTO device (key_id, public_key, state, scan_only, hostname, os_release_id, arch, zone, group_id, enrolled_at, last_scan_at, disk_free_mib)
             VALUES (?, zeroblob(32), 1, 0, ?, 1, 'amd64', 'UTC', ?, ?, ?, 100000) RETURNING id",
        )
        .bind(format!("key-of-{hostname}"))
        .bind(hostname)
        .bind(group)
        .bind(START.0)
        .bind(START.0)
        .fetch_one(&mut conn)
        .await
        .unwrap();
        DeviceId(id)
    }

    pub async fn patch(&self, source: &str, version: &str) -> PatchId {
        self.patch_of(source, version, Severity::Important).await
    }

    pub async fn patch_of(&self, source: &str, version: &str, severity: Severity) -> PatchId {
        let mut conn = self.conn().await;
        sqlx::query("INSERT OR IGNORE INTO os_release (id, os_id, version, codename, name) VALUES (1, 'debian', '12', 'bookworm', 'Debian 12')")
            .execute(&mut conn)
            .await
            .unwrap();
        let id = sqlx::query_scalar(
            "INSERT INTO patch (os_release_id, source, version, origin, vendor, summary, severity, category, category_basis, released_at, first_seen_at, size)
             VALUES (1, ?, ?, 'Debian-Security bookworm-security', 'Debian', 'words', ?, 1, 0, ?, ?, 1000) RETURNING id",
        )
        .bind(source)
        .bind(version)
        .bind(severity.code())
        .bind(START.0)
        .bind(START.0)
        .fetch_one(&mut conn)
        .await
        .unwrap();
        PatchId(id)
    }

    /// Sets a state through the one writer of states and counts.
    pub async fn state(&self, device: DeviceId, patch: PatchId, state: PatchState, ours: bool) {
        let mut conn = self.conn().await;
        let before = states::of_pair(&mut conn, device, patch)
            .await
            .unwrap()
            .map(|s| s.state);
        let to = State {
            patch,
            state,
            since: self.service.now(),
            ours,
            brake: None,
            security: true,
            bytes: None,
        };
        states::apply(&mut conn, device, &[Change { to, from: before }])
            .await
            .unwrap();
    }

    /// An install by us that succeeded and was proven, with what was there before.
    pub async fn installed(&self, device: DeviceId, patch: PatchId, ring: i64) {
        let now = self.service.now().0;
        sqlx::query(
            r#"INSERT INTO attempt (device_id, patch_id, ring_id, kind, fence, state, permitted_at, start_by, deadline, started_at, finished_at, proven_at, previous, detail)
               VALUES (?1, ?2, ?3, 1, 1, 3, ?4, ?4, ?4, ?4, ?4, ?4, '[{"name":"a","arch":"amd64","version":"1"}]', '{"kind":"succeeded"}')"#,
        )
        .bind(device.0)
        .bind(patch.0)
        .bind(ring)
        .bind(now)
        .execute(&mut self.conn().await)
        .await
        .unwrap();
        self.state(device, patch, PatchState::Installed, true).await;
    }

    pub async fn supersede(&self, old: PatchId, new: PatchId) {
        sqlx::query("UPDATE patch SET superseded_by = ? WHERE id = ?")
            .bind(new.0)
            .bind(old.0)
            .execute(&mut self.conn().await)
            .await
            .unwrap();
    }

    pub async fn revision(&self, patch: PatchId) -> i64 {
        sqlx::query_scalar("SELECT revision FROM patch WHERE id = ?")
            .bind(patch.0)
            .fetch_one(&mut self.conn().await)
            .await
            .unwrap()
    }
}

/// A state of each bucket.
pub const STATE_OF: [(CountBucket, PatchState); 7] = [
    (CountBucket::Missing, PatchState::Missing),
    (CountBucket::Installed, PatchState::Installed),
    (CountBucket::Failed, PatchState::Failed),
    (CountBucket::Pending, PatchState::PendingReboot),
    (CountBucket::Unknown, PatchState::Unknown),
    (CountBucket::Superseded, PatchState::Superseded),
    (CountBucket::RolledBack, PatchState::RolledBack),
];
