//! Backups that were read back, restores that let nothing run (I-27, I-28), and databases that must not be opened.

use crate::support::*;
use domain::{PatchState, Role, Span, Urgency};
use service::{
    Service,
    clock::ManualClock,
    commands::{
        backup::{BackupError, restore},
        decide::{Selection, Verb},
    },
    store::OpenError,
};
use std::{path::PathBuf, sync::Arc};

/// A fleet with one patch approved and one denied, and somebody signed in.
async fn fleet() -> (World, String) {
    let w = world().await;
    let (good, bad) = (w.patch("a", "1").await, w.patch("b", "1").await);
    let device = w.device(1, "p1").await;
    for patch in [good, bad] {
        w.state(device, patch, PatchState::Missing, false).await;
    }
    for (patch, verb) in [
        (
            good,
            Verb::Approve {
                urgent: Urgency::Normal,
            },
        ),
        (bad, Verb::Deny),
    ] {
        w.service
            .decide(
                &w.administrator,
                Selection::These(vec![(patch, None)]),
                PILOT,
                verb,
                "why",
                false,
            )
            .await
            .unwrap();
    }
    let link = w
        .service
        .make_sign_in_link(&service::Actor::host(), "anna")
        .await
        .unwrap();
    let token = w.service.sign_in_by_link(&link, peer(1), "").await.unwrap().token;
    (w, token)
}

fn names(folder: &tempfile::TempDir) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

async fn open(folder: &tempfile::TempDir) -> Result<Service, OpenError> {
    Service::open(settings(folder), Arc::new(ManualClock::at(START))).await
}

/// Stops the server; the folder stays.
async fn stop(w: World) -> tempfile::TempDir {
    let World { folder, service, .. } = w;
    service.close().await;
    drop(service);
    folder
}

#[tokio::test]
async fn a_backup_comes_back_with_everything_held() {
    let (w, token) = fleet().await;
    let to = w.folder.path().join("nightly.backup");
    let report = w.service.backup(&to).await.unwrap();
    let (records, head) = w.service.verify_audit().await.unwrap();
    assert_eq!(
        (report.devices, report.patches, report.audit_records, &report.audit_head),
        (1, 2, records, &head)
    );
    assert_eq!(report.bytes, std::fs::metadata(&to).unwrap().len());
    assert!(
        !names(&w.folder).iter().any(|n| n.contains(".new-")),
        "{:?}",
        names(&w.folder)
    );
    // What happened since is lost, and the old file keeps it.
    let lost = w.patch("lost", "1").await;
    w.service
        .hold(&w.administrator, lost, "after the backup")
        .await
        .unwrap();
    let admin = w.administrator.clone();
    let refused = restore(&settings(&w.folder), &to, START).await;
    assert!(
        matches!(refused, Err(BackupError::Open(OpenError::InUse(_)))),
        "a server runs"
    );
    let folder = stop(w).await;

    let back = restore(&settings(&folder), &to, START + Span::hours(1)).await.unwrap();
    assert_eq!((back.devices, back.patches, back.audit_records), (1, 2, records + 2));
    assert!(
        names(&folder).contains(&"patchward.db.before-restore-2026-11-23T110000Z".to_owned()),
        "{:?}",
        names(&folder)
    );
    let service = open(&folder).await.unwrap();
    assert_eq!(service.verify_audit().await.unwrap().0, records + 2);
    let list = service.patches(&admin, &view::PatchFilter::default()).await.unwrap();
    let held: Vec<(&str, bool)> = list.rows.iter().map(|r| (r.product.as_str(), r.held)).collect();
    assert_eq!(
        held,
        [("a", true), ("b", false)],
        "whatever may install is held; a denial holds by itself"
    );
    let page = service
        .patch(&admin, list.rows[0].id, &view::PatchDevices::default())
        .await
        .unwrap();
    assert_eq!(
        (page.holds[0].cause.as_str(), page.holds[0].opened_by.as_str()),
        ("Database restored", "host")
    );
    assert!(service.session(&token).await.unwrap().is_none(), "nobody is signed in");
    assert!(
        page.timeline
            .iter()
            .any(|t| t.text == "Held after the database was restored")
    );
    let (epoch, policy) = numbers(&folder).await;
    assert!(
        epoch > 1 && policy > 1,
        "agents send everything again and follow the policy anew"
    );
    let resumed = service
        .resume(&admin, page.holds[0].id, None, "compared with the devices")
        .await;
    resumed.unwrap();
}

/// Epoch and policy version.
async fn numbers(folder: &tempfile::TempDir) -> (i64, i64) {
    sqlx::query_as(
        "SELECT max(CASE key WHEN 'epoch' THEN CAST(value AS INTEGER) END), max(CASE key WHEN 'policy_version' THEN CAST(value AS INTEGER) END)
         FROM meta",
    )
    .fetch_one(&mut service_conn(folder).await)
    .await
    .unwrap()
}

/// Agents take a number that they know for what they have heard already.
#[tokio::test]
async fn the_same_backup_restored_again_has_numbers_of_its_own() {
    let (w, _) = fleet().await;
    let admin = w.administrator.clone();
    let to = w.folder.path().join("b.backup");
    w.service.backup(&to).await.unwrap();
    let folder = stop(w).await;
    restore(&settings(&folder), &to, START + Span::hours(1)).await.unwrap();
    let first = numbers(&folder).await;
    let service = open(&folder).await.unwrap();
    let device = view::DeviceFilter::default();
    let device = service.devices(&admin, &device).await.unwrap().rows[0].id;
    for group in [None, Some(domain::GroupId(2))] {
        service.move_device(&admin, device, group).await.unwrap();
    }
    service.close().await;
    drop(service);
    let used = numbers(&folder).await;
    assert_eq!(used, (first.0, first.1 + 2), "the policy changed twice meanwhile");
    restore(&settings(&folder), &to, START + Span::hours(2)).await.unwrap();
    let again = numbers(&folder).await;
    assert!(again.0 > used.0 && again.1 > used.1, "{used:?} {again:?}");
}

async fn service_conn(folder: &tempfile::TempDir) -> sqlx::SqliteConnection {
    use sqlx::ConnectOptions as _;
    sqlx::sqlite::SqliteConnectOptions::new()
        .filename(folder.path().join("patchward.db"))
        .connect()
        .await
        .unwrap()
}

#[tokio::test]
async fn what_does_not_hold_is_not_restored() {
    let (w, _) = fleet().await;
    let to = w.folder.path().join("b.backup");
    w.service.backup(&to).await.unwrap();
    let folder = stop(w).await;
    let before = std::fs::read(folder.path().join("patchward.db")).unwrap();
    let spoil = async |sql: &'static str| -> PathBuf {
        use sqlx::{ConnectOptions as _, Connection as _};
        let path = folder.path().join("spoilt.backup");
        std::fs::copy(&to, &path).unwrap();
        let mut conn = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(&path)
            .connect()
            .await
            .unwrap();
        for statement in sql.split("; ") {
            sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()))
                .execute(&mut conn)
                .await
                .unwrap();
        }
        conn.close().await.unwrap();
        path
    };
    let changed = spoil("DROP TRIGGER audit_no_update; UPDATE audit SET reason = 'nothing' WHERE seq = 2").await;
    assert!(matches!(
        restore(&settings(&folder), &changed, START).await,
        Err(BackupError::Verify(_))
    ));
    let newer =
        spoil("UPDATE _sqlx_migrations SET version = 9999 WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
            .await;
    assert!(matches!(
        restore(&settings(&folder), &newer, START).await,
        Err(BackupError::Open(OpenError::Newer(_, 9999, _)))
    ));
    let cut = folder.path().join("cut.backup");
    std::fs::write(&cut, &std::fs::read(&to).unwrap()[..20_000]).unwrap();
    assert!(restore(&settings(&folder), &cut, START).await.is_err());
    let other = folder.path().join("other.backup");
    std::fs::write(&other, "not a database at all, only words ".repeat(200)).unwrap();
    assert!(restore(&settings(&folder), &other, START).await.is_err());
    let missing = restore(&settings(&folder), &folder.path().join("missing"), START).await;
    assert!(matches!(missing, Err(BackupError::File(..))));
    assert_eq!(std::fs::read(folder.path().join("patchward.db")).unwrap(), before);
    assert!(
        !names(&folder)
            .iter()
            .any(|n| n.contains(".new-") || n.contains("before-restore")),
        "{:?}",
        names(&folder)
    );
    open(&folder).await.unwrap();
}

#[tokio::test]
async fn a_restore_into_an_empty_folder_makes_the_database() {
    let (w, _) = fleet().await;
    let to = w.folder.path().join("b.backup");
    w.service.backup(&to).await.unwrap();
    let empty = tempfile::tempdir().unwrap();
    restore(&settings(&empty), &to, START).await.unwrap();
    let service = open(&empty).await.unwrap();
    assert_eq!(
        service
            .patches(&w.administrator, &view::PatchFilter::default())
            .await
            .unwrap()
            .total,
        2
    );
}

#[tokio::test]
async fn a_backup_that_cannot_be_written_leaves_the_old_one() {
    let (w, _) = fleet().await;
    let folder = w.folder.path().join("missing");
    assert!(w.service.backup(&folder.join("b")).await.is_err());
    let to = w.folder.path().join("b.backup");
    std::fs::write(&to, "yesterday's").unwrap();
    sqlx::query("DROP TRIGGER audit_no_update")
        .execute(&mut w.conn().await)
        .await
        .unwrap();
    w.run("UPDATE audit SET reason = 'x' WHERE seq = 1").await.unwrap();
    assert!(
        matches!(w.service.backup(&to).await, Err(BackupError::Verify(_))),
        "a broken chain is no backup"
    );
    assert_eq!(std::fs::read(&to).unwrap(), b"yesterday's");
}

#[tokio::test]
async fn a_second_server_and_a_newer_schema_are_refused() {
    let w = world().await;
    assert!(matches!(open(&w.folder).await, Err(OpenError::InUse(_))));
    w.person(Role::Auditor).await;
    let folder = stop(w).await;
    drop(open(&folder).await.unwrap());
    {
        let mut conn = service_conn(&folder).await;
        sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)")
            .execute(&mut conn)
            .await
            .unwrap();
    }
    let refused = open(&folder).await;
    assert!(matches!(&refused, Err(OpenError::Newer(_, 9999, _))));
    let text = refused.err().unwrap().to_string();
    assert!(text.contains("newer version"), "{text}");
}
