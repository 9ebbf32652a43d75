//! Copies of the whole database, checked before they count.

use super::{MIGRATIONS, OpenError, audit, lock, meta, set_meta};
use crate::{
    Settings,
    audit::{Action, Record},
    commands::{
        backup::{BackupError, BackupReport},
        hold::Cause,
    },
    error::{Error, Result},
};
use domain::{Moment, PatchId};
use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

fn database(path: &Path) -> impl Fn(sqlx::Error) -> BackupError {
    let path = path.to_owned();
    move |e| BackupError::Open(OpenError::Database(path.clone(), e))
}

fn file(path: &Path) -> impl Fn(io::Error) -> BackupError {
    let path = path.to_owned();
    move |e| BackupError::File(path.clone(), e)
}

/// The path with `suffix` after its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn sync_folder(of: &Path) -> io::Result<()> {
    let folder = match of.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// A temporary file that goes with its database's companions unless it was renamed.
struct Draft(PathBuf);

impl Draft {
    /// Beside `target`, so that the rename stays on one file system.
    fn beside(target: &Path) -> std::result::Result<Self, BackupError> {
        let draft = Self(beside(
            target,
            &format!(".new-{}", hex::encode(crate::random::bytes::<4>())),
        ));
        remove(&draft.0).map_err(file(&draft.0))?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            // What cannot be removed is only in the way of nobody.
            let _ = remove(&beside(&self.0, suffix));
        }
    }
}

/// Copies the open database of `settings` to `to` by way of a checked temporary file.
///
/// # Errors
/// [`BackupError`]; `to` is untouched then.
pub async fn write(settings: &Settings, to: &Path) -> std::result::Result<BackupReport, BackupError> {
    let draft = Draft::beside(to)?;
    let path = settings.database();
    // A connection of its own: the pool's readers refuse every write, also to another file.
    let mut source = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(false)
        .busy_timeout(std::time::Duration::from_secs(5))
        .connect()
        .await
        .map_err(database(&path))?;
    let target = draft.0.to_string_lossy().into_owned();
    let copied = sqlx::query("VACUUM INTO ?")
        .bind(target)
        .execute(&mut source)
        .await
        .map(|_| ());
    source.close().await.map_err(database(&path))?;
    copied.map_err(database(to))?;
    File::open(&draft.0)
        .and_then(|f| f.sync_all())
        .map_err(file(&draft.0))?;
    let report = check(&draft.0).await?;
    fs::rename(&draft.0, to).map_err(file(to))?;
    sync_folder(to).map_err(file(to))?;
    Ok(report)
}

async fn open(path: &Path, read_only: bool) -> std::result::Result<SqliteConnection, BackupError> {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(read_only)
        // One file: nothing beside it that could be forgotten when it is moved.
        .journal_mode(SqliteJournalMode::Delete)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("trusted_schema", "OFF")
        .connect()
        .await
        .map_err(database(path))
}

/// Reads a backup back from the file itself: its pages, its schema, its audit chain (I-28).
///
/// # Errors
/// [`BackupError`].
pub async fn check(path: &Path) -> std::result::Result<BackupReport, BackupError> {
    let mut conn = open(path, false).await?;
    let report = read_back(&mut conn, path).await;
    conn.close().await.map_err(database(path))?;
    report
}

async fn read_back(conn: &mut SqliteConnection, path: &Path) -> std::result::Result<BackupReport, BackupError> {
    let verify = |e: &dyn std::fmt::Display| BackupError::Verify(e.to_string());
    let health: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(&mut *conn)
        .await
        .map_err(|e| verify(&e))?;
    if health != "ok" {
        return Err(BackupError::Verify(health));
    }
    let known = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
    let found: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(&mut *conn)
        .await
        .map_err(|_| BackupError::Verify("it is not a database of Patchward".to_owned()))?;
    if found > known {
        return Err(BackupError::Open(OpenError::Newer(path.to_owned(), found, known)));
    }
    let (audit_records, head) = audit::verify(conn).await.map_err(|e| verify(&e))?;
    let row: (i64, i64) = sqlx::query_as("SELECT (SELECT count(*) FROM device), (SELECT count(*) FROM patch)")
        .fetch_one(conn)
        .await
        .map_err(|e| verify(&e))?;
    Ok(BackupReport {
        devices: row.0,
        patches: row.1,
        audit_records,
        audit_head: hex::encode(head),
        bytes: fs::metadata(path).map_err(file(path))?.len(),
    })
}

/// Puts `from` in the place of the database of a stopped server.
///
/// # Errors
/// [`BackupError`]; the database is as before then.
pub async fn restore(settings: &Settings, from: &Path, now: Moment) -> std::result::Result<BackupReport, BackupError> {
    let path = settings.database();
    fs::create_dir_all(&settings.data).map_err(file(&settings.data))?;
    // Held until the end: no server can start in between.
    let _lock = lock(&settings.data)?;
    let draft = Draft::beside(&path)?;
    fs::copy(from, &draft.0).map_err(file(from))?;
    let mut report = check(&draft.0).await?;
    let mut conn = open(&draft.0, false).await?;
    let prepared = async {
        MIGRATIONS
            .run(&mut conn)
            .await
            .map_err(|e| OpenError::Migrate(from.to_owned(), e))?;
        prepare(&mut conn, from, now)
            .await
            .map_err(|e| BackupError::Verify(e.to_string()))
    };
    let prepared = prepared.await;
    conn.close().await.map_err(database(&draft.0))?;
    (report.audit_records, report.audit_head) = prepared?;
    File::open(&draft.0)
        .and_then(|f| f.sync_all())
        .map_err(file(&draft.0))?;
    put_aside(&path, now).await?;
    fs::rename(&draft.0, &path).map_err(file(&path))?;
    sync_folder(&path).map_err(file(&path))?;
    report.bytes = fs::metadata(&path).map_err(file(&path))?.len();
    Ok(report)
}

/// Keeps the old database under another name. It stays in place as well until the new one is renamed over it, so that a crash at any
/// point leaves one of the two.
async fn put_aside(path: &Path, now: Moment) -> std::result::Result<(), BackupError> {
    if !path.exists() {
        return Ok(());
    }
    let aside = beside(path, &format!(".before-restore-{}", now.rfc3339().replace(':', "")));
    // Fold what a killed server left in the write-ahead log into the file. A damaged file cannot: then its log is kept beside it.
    if let Ok(conn) = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .connect()
        .await
    {
        let _ = conn.close().await;
    }
    let log = beside(path, "-wal");
    if log.exists() {
        fs::rename(&log, beside(&aside, "-wal")).map_err(file(&log))?;
    }
    remove(&beside(path, "-shm")).map_err(file(path))?;
    remove(&aside).map_err(file(&aside))?;
    fs::hard_link(path, &aside)
        .or_else(|_| fs::copy(path, &aside).map(|_| ()))
        .map_err(file(&aside))?;
    sync_folder(path).map_err(file(path))
}

/// A number after one that a backup holds, and after every one that was given since: the backup may be restored more than once, and what
/// was counted in between is lost. Nothing counts as fast as seconds pass.
fn later(number: i64, now: Moment) -> i64 {
    (number + 1).max(now.0)
}

/// Makes a restored database safe to start (I-27): a new epoch, every rollout held, nobody signed in. Returns the audit chain's length and head.
async fn prepare(conn: &mut SqliteConnection, from: &Path, now: Moment) -> Result<(i64, String)> {
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
    let before = meta(&mut tx, "epoch").await?;
    let epoch = later(before, now);
    set_meta(&mut tx, "epoch", epoch).await?;
    let policy = meta(&mut tx, "policy_version").await?;
    set_meta(&mut tx, "policy_version", later(policy, now)).await?;
    super::sessions::delete_all(&mut tx).await?;
    super::accounts::drop_links(&mut tx, None).await?;
    // Whatever a device could be told to do: an approval may have been withdrawn since, and a rollback lifted.
    let acting: Vec<(i64, bool)> = sqlx::query_as(
        "SELECT patch_id, max(back) FROM (
            SELECT patch_id, 0 AS back FROM decision WHERE withdrawn_at IS NULL AND kind = 1
            UNION ALL SELECT patch_id, 1 FROM rollback_order WHERE done_at IS NULL AND lifted_at IS NULL) GROUP BY patch_id ORDER BY patch_id",
    )
    .fetch_all(&mut *tx)
    .await?;
    let detail = format!(
        "Restored from {}",
        from.file_name()
            .map_or_else(String::new, |n| n.to_string_lossy().into_owned())
    );
    let record = Record {
        actor: "host".to_owned(),
        action: Action::Restored,
        object: format!("epoch:{epoch}"),
        before: Some(serde_json::json!({ "epoch": before }).to_string()),
        after: Some(serde_json::json!({ "epoch": epoch, "held": acting.len() }).to_string()),
        reason: detail.clone(),
    };
    audit::append(&mut tx, now, &record).await?;
    for (patch, back) in acting {
        let detail = if back {
            format!(
                "{detail}. Rollbacks that were ordered before wait for this hold, too: they may have been lifted since."
            )
        } else {
            detail.clone()
        };
        let hold = super::holds::open(&mut tx, PatchId(patch), Cause::Restored, None, &detail, now, "host").await?;
        let held = Record {
            actor: "host".to_owned(),
            action: Action::Held,
            object: format!("patch:{patch} hold:{hold}"),
            before: None,
            after: Some(serde_json::json!({ "cause": Cause::Restored.word() }).to_string()),
            reason: detail,
        };
        audit::append(&mut tx, now, &held).await?;
    }
    let (count, head) = audit::verify(&mut tx).await?;
    tx.commit().await.map_err(Error::from)?;
    Ok((count, hex::encode(head)))
}
