//! Databases of earlier versions, with something in them, become databases of this one.

use domain::{DeviceId, Moment, PatchId};
use service::{
    Service,
    clock::ManualClock,
    store::{self, MIGRATIONS, policy::WRITTEN},
};
use sqlx::{Connection as _, SqliteConnection, migrate::Migrator, sqlite::SqliteConnectOptions};
use std::sync::Arc;
use view::MissedChoice;

use crate::support::{START, settings};
use service::Actor;

/// Two rings with settings of their own, a patch that a device owes a reboot for, and an attempt: as the second version left it.
const FILLED: &str = "
    UPDATE ring SET soak_seconds = 172800, min_successes = 3, per_os_release = 0, hold_failures = 4 WHERE id = 1;
    INSERT INTO device_group (id, name, parent_id, ring_id) VALUES (3, 'Labs', 1, NULL);
    INSERT INTO location (id, name, zone, rate_kib) VALUES (1, 'Harbour', 'UTC', 500);
    INSERT INTO os_release (id, os_id, version, codename, name) VALUES (1, 'debian', '12', 'bookworm', 'Debian 12');
    INSERT INTO device (id, key_id, public_key, state, scan_only, hostname, os_release_id, arch, zone, group_id, enrolled_at, last_contact_at, boot_id)
        VALUES (1, 'k', x'00', 1, 0, 'web1', 1, 'amd64', 'UTC', 3, 10, 20, 'b1');
    INSERT INTO patch (id, os_release_id, source, version, origin, vendor, summary, severity, category, category_basis, first_seen_at, size)
        VALUES (1, 1, 'linux', '6', 'o', 'v', '', 3, 1, 0, 10, 1), (2, 1, 'curl', '8', 'o', 'v', '', 3, 1, 0, 10, 1);
    INSERT INTO device_patch (device_id, patch_id, state, since) VALUES (1, 1, 8, 15), (1, 2, 4, 15);
    INSERT INTO attempt (device_id, patch_id, ring_id, kind, fence, state, permitted_at, start_by, deadline) VALUES (1, 1, 1, 1, 1, 3, 11, 12, 13);
    INSERT INTO product (name) VALUES ('linux');";

#[tokio::test]
async fn rings_of_earlier_versions_go_on_as_they_did() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let file = SqliteConnectOptions::new()
        .filename(settings.database())
        .create_if_missing(true)
        .foreign_keys(true);
    let mut old = SqliteConnection::connect_with(&file).await.unwrap();
    let early = MIGRATIONS.iter().filter(|m| m.version < 4).cloned().collect();
    Migrator::with_migrations(early).run(&mut old).await.unwrap();
    sqlx::raw_sql(FILLED).execute(&mut old).await.unwrap();
    old.close().await.unwrap();

    let service = Service::open(settings, Arc::new(ManualClock::at(START))).await.unwrap();
    let page = service.rings(&Actor::host()).await.unwrap();
    let (pilot, production) = (&page.rings[0].form, &page.rings[1].form);
    assert_eq!((pilot.soak_days, pilot.min_successes, pilot.own_release), (2, 3, false));
    assert_eq!(
        (pilot.hold_failures, pilot.hold_percent, pilot.hold_vanished),
        (4, 0, 4),
        "as careful as before: any share of failures counts"
    );
    assert_eq!((production.hold_failures, production.hold_vanished), (2, 2));
    assert!(!production.rollback_plan, "no rollout stops by an update");
    assert_eq!((pilot.waves.as_str(), pilot.max_in_flight), ("1, 5 %, 25 %", None));
    assert_eq!(page.rings[0].groups, ["Labs", "Pilot"]);
    let labs = page.groups.iter().find(|g| g.form.name == "Labs").unwrap();
    assert_eq!(
        (labs.depth, labs.form.missed, labs.form.blocks_inheritance),
        (1, MissedChoice::Inherit, false)
    );
    assert_eq!(page.locations[0].form.rate_kib, Some(500));
    assert_eq!(
        (page.fleet.retries, page.fleet.first_minutes, page.fleet.max_in_flight),
        (3, 60, None)
    );
    // What a new ring starts with is what the planner says.
    let default = planner::Policy::default();
    let fresh = service::forms::rings::ring_form(&default.rings[0]);
    let saved = service
        .save_ring(
            &Actor::host(),
            None,
            None,
            &view::RingForm {
                name: "New".into(),
                ..fresh.clone()
            },
        )
        .await
        .unwrap();
    let page = service.rings(&Actor::host()).await.unwrap();
    let new = page.rings.iter().find(|r| r.id.0 == saved.id).unwrap();
    assert_eq!(
        new.form,
        view::RingForm {
            name: "New".into(),
            ..fresh
        }
    );
    let fleet = service::forms::rings::fleet(&page.fleet).unwrap();
    assert_eq!((fleet.retry, fleet.durations), (default.retry, default.durations));

    let mut sql = SqliteConnection::connect_with(&file).await.unwrap();
    let reboot: Vec<(i64, i64)> = sqlx::query_as("SELECT id, needs_reboot FROM patch ORDER BY id")
        .fetch_all(&mut sql)
        .await
        .unwrap();
    assert_eq!(reboot, [(1, 1), (2, 0)], "seen before the update");
    let heard: i64 = sqlx::query_scalar("SELECT in_window_at FROM device_contact")
        .fetch_one(&mut sql)
        .await
        .unwrap();
    assert_eq!(heard, 20);
    // The columns' own defaults say the same as the planner, for a row that names none of them.
    sqlx::raw_sql("INSERT INTO ring (name, position, soak_seconds, min_successes, per_os_release, hold_failures) VALUES ('Bare', 90, 604800, 1, 1, 2)")
        .execute(&mut sql)
        .await
        .unwrap();
    let page = service.rings(&Actor::host()).await.unwrap();
    let bare = &page.rings.last().unwrap().form;
    assert_eq!(
        *bare,
        view::RingForm {
            name: "Bare".into(),
            ..service::forms::rings::ring_form(&default.rings[0])
        }
    );
}

/// SCH-1: intervals that nothing obeyed come into the range that is obeyed now, and no device waits for a round that nobody counted.
#[tokio::test]
async fn intervals_of_earlier_versions_count_from_now_on() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let file = SqliteConnectOptions::new()
        .filename(settings.database())
        .create_if_missing(true)
        .foreign_keys(true);
    let mut old = SqliteConnection::connect_with(&file).await.unwrap();
    let early = MIGRATIONS.iter().filter(|m| m.version < 9).cloned().collect();
    Migrator::with_migrations(early).run(&mut old).await.unwrap();
    sqlx::raw_sql(FILLED).execute(&mut old).await.unwrap();
    for (id, interval) in [
        (2, ""),
        (3, r#""install_every":900,"#),
        (4, r#""install_every":9000000,"#),
    ] {
        let rule = format!(
            r#"{{"id":{id},"position":0,"scan_every":86400,{interval}"frame":null,"scope":{{"devices":[{id}]}}}}"#
        );
        sqlx::query("INSERT INTO schedule (id, kind, name, rule, version, created_at, created_by, updated_at, updated_by) VALUES (?1, 1, ?1, ?2, 1, 0, '', 0, '')")
            .bind(id)
            .bind(rule)
            .execute(&mut old)
            .await
            .unwrap();
    }
    old.close().await.unwrap();

    let service = Service::open(settings, Arc::new(ManualClock::at(START))).await.unwrap();
    let mut found = Vec::new();
    for id in 1..=4 {
        let page = service
            .schedule_profile(&Actor::host(), domain::ProfileId(id))
            .await
            .unwrap();
        found.push(page.form.install_minutes);
    }
    assert_eq!(found, [1_440, 1_440, 60, 43_200]);
    let mut sql = SqliteConnection::connect_with(&file).await.unwrap();
    let round: Option<i64> = sqlx::query_scalar("SELECT round_started FROM device")
        .fetch_one(&mut sql)
        .await
        .unwrap();
    assert_eq!(round, None);
}

/// Whether the policy has changed is asked of one text: a column that is missing there would be a change that nobody follows.
#[tokio::test]
async fn nothing_of_the_policy_can_change_unseen() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let file = SqliteConnectOptions::new()
        .filename(settings.database())
        .create_if_missing(true);
    let mut fresh = SqliteConnection::connect_with(&file).await.unwrap();
    Migrator::with_migrations(MIGRATIONS.iter().cloned().collect())
        .run(&mut fresh)
        .await
        .unwrap();
    // Who and when, and words for people: they decide nothing, and what they stand beside has its version in the text.
    let told = [
        "removed_at",
        "name",
        "note",
        "created_at",
        "created_by",
        "updated_at",
        "updated_by",
    ];
    for table in ["ring", "device_group", "location", "fleet_policy", "schedule"] {
        let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
            .bind(table)
            .fetch_all(&mut fresh)
            .await
            .unwrap();
        assert!(columns.len() > 4, "{table}");
        let whole = WRITTEN
            .split("json_group_array")
            .find(|part| part.contains(&format!("FROM {table}")))
            .unwrap();
        for column in columns.iter().filter(|c| !told.contains(&c.as_str())) {
            let words = whole.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            assert!(words.into_iter().any(|word| word == column), "{table}.{column}");
        }
    }
}

/// A device failed, a person looked at it, another one failed; the first hold was resolved while the clock was ahead.
const ORDERED: &str = "
    INSERT INTO attempt (id, device_id, patch_id, ring_id, kind, fence, state, permitted_at, start_by, deadline, finished_at) VALUES
        (2, 1, 2, 1, 1, 2, 4, 11, 12, 13, 20), (3, 1, 2, 1, 1, 3, 4, 31, 32, 33, 40), (4, 1, 1, 1, 1, 4, 1, 50, 51, 52, NULL);
    INSERT INTO hold (id, patch_id, cause, detail, opened_at, opened_by, resolved_at) VALUES
        (1, 2, 3, '', 20, 'server', 9999), (2, 2, 3, '', 40, 'server', NULL);
    INSERT INTO audit (seq, at, actor, action, object, reason, prev_hash, hash) VALUES
        (1, 11, '', 'attempt.permitted', 'attempt:2', '', x'', x''), (2, 20, '', 'attempt.ended', 'attempt:2', '', x'', x''),
        (3, 20, '', 'rollout.held', 'hold:1 attempt:2', '', x'', x''), (4, 9999, '', 'rollout.resumed', 'hold:1', '', x'', x''),
        (5, 40, '', 'attempt.ended', 'attempt:3', '', x'', x''), (6, 40, '', 'rollout.held', 'hold:2 attempt:3', '', x'', x'');
    INSERT INTO audit_object (word, seq) VALUES
        ('attempt:2', 1), ('attempt:2', 2), ('attempt:2', 3), ('hold:1', 3), ('hold:1', 4), ('attempt:3', 5), ('attempt:3', 6), ('hold:2', 6);";

#[tokio::test]
async fn what_came_after_what_is_learnt_from_the_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteConnectOptions::new()
        .filename(settings(&folder).database())
        .create_if_missing(true);
    let mut conn = SqliteConnection::connect_with(&file).await.unwrap();
    let early = MIGRATIONS.iter().filter(|m| m.version < 4).cloned().collect();
    Migrator::with_migrations(early).run(&mut conn).await.unwrap();
    sqlx::raw_sql(FILLED).execute(&mut conn).await.unwrap();
    sqlx::raw_sql(ORDERED).execute(&mut conn).await.unwrap();
    Migrator::with_migrations(MIGRATIONS.iter().cloned().collect())
        .run(&mut conn)
        .await
        .unwrap();
    let ended: Vec<(i64, Option<i64>)> = sqlx::query_as("SELECT id, ended_after FROM attempt ORDER BY id")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    assert_eq!(ended, [(1, None), (2, Some(1)), (3, Some(4)), (4, None)]);
    let resolved: Vec<(i64, Option<i64>)> = sqlx::query_as("SELECT id, resolved_after FROM hold ORDER BY id")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    assert_eq!(resolved, [(1, Some(3)), (2, None)]);
    let tried = store::tries::of_pair(&mut conn, DeviceId(1), PatchId(2)).await.unwrap();
    assert_eq!(
        tried.failed,
        [Moment(40)],
        "only the one after the hold was resolved, whatever the clock said then"
    );
}

/// What was taken before an update is not taken again after it: the place in the sequence is kept.
#[tokio::test]
async fn contacts_of_earlier_versions_are_carried_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteConnectOptions::new()
        .filename(settings(&folder).database())
        .create_if_missing(true);
    let mut conn = SqliteConnection::connect_with(&file).await.unwrap();
    let early = MIGRATIONS.iter().filter(|m| m.version < 21).cloned().collect();
    Migrator::with_migrations(early).run(&mut conn).await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO os_release (id, os_id, version, codename, name) VALUES (1, 'debian', '12', 'bookworm', 'Debian 12');
         INSERT INTO device (id, key_id, public_key, state, scan_only, hostname, os_release_id, arch, zone, enrolled_at, seq, last_contact_at,
                             in_window_at)
             VALUES (1, 'k', x'00', 1, 0, 'web1', 1, 'amd64', 'UTC', 10, 7, 50, 60),
                    (2, 'l', x'01', 1, 0, 'web2', 1, 'amd64', 'UTC', 20, 3, NULL, NULL)",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    Migrator::with_migrations(MIGRATIONS.iter().cloned().collect())
        .run(&mut conn)
        .await
        .unwrap();
    let rows: Vec<(i64, i64, i64, i64)> =
        sqlx::query_as("SELECT device_id, seq, last_contact_at, in_window_at FROM device_contact ORDER BY 1")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    assert_eq!(rows, [(1, 7, 50, 60), (2, 3, 20, 20)]);
}
