//! The only SQL of the repository. One file per area; functions take a connection and plain arguments, return rows as structs.
//!
//! SQLite: WAL, synchronous FULL, one writer connection, a pool of read-only connections. Every write begins IMMEDIATE.

pub mod accounts;
pub mod attempts;
pub mod audit;
pub mod backup;
pub mod catalog;
pub mod clock;
pub mod contacts;
pub mod decisions;
pub mod devices;
pub mod evidence;
pub mod fleet;
pub mod gauges;
pub mod holds;
pub mod inventory;
pub mod lists;
pub mod log;
mod migrations;
pub mod names;
pub mod pages;
pub mod places;
pub mod policy;
pub mod problems;
pub mod readers;
pub mod recount;
pub mod rings;
pub mod rollback_plans;
pub mod rollouts;
pub mod schedule;
pub mod seen;
pub mod sessions;
pub mod states;
pub mod tokens;
pub mod tries;
pub mod views;
pub mod waiting;

pub use migrations::MIGRATIONS;
pub use readers::ReadConn;

use crate::{Settings, error::Result};
use readers::Readers;
use sqlx::{
    SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{fs::File, path::PathBuf, str::FromStr as _, sync::Arc, time::Duration};

/// Oldest SQLite without the WAL-reset fault (ADR 0003).
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// Pages kept in memory, as SQLite says it: minus KiB. SQLite's own 2 MB hold the inner pages of a few thousand devices; beyond that every
/// report would read them from the file again.
const WRITER_CACHE: &str = "-16384";
const READER_CACHE: &str = "-8192";

/// Why the database could not be opened. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data folder cannot be used.
    #[error("the data folder {0} cannot be used: {1}. Make it, or name another with --data")]
    Folder(PathBuf, #[source] std::io::Error),
    /// Another server has it.
    #[error("another server is running on {0}. Stop it first; two servers on one database would lose data")]
    InUse(PathBuf),
    /// The key file is not usable.
    #[error(
        "the server's key {0} cannot be used: {1}. Restore it from your backup; with a new key every device must enrol again"
    )]
    Key(PathBuf, String),
    /// Made by a newer version.
    #[error(
        "the database {0} was made by a newer version of Patchward (schema {1}, this binary knows {2}). Use that version, or restore a backup"
    )]
    Newer(PathBuf, i64, i64),
    /// Damaged.
    #[error("the database {0} is damaged: {1}. Restore a backup with `patchward restore`")]
    Damaged(PathBuf, String),
    /// The linked SQLite is too old.
    #[error("this binary links SQLite {0}, which can lose data; it needs 3.51.3 or newer")]
    OldSqlite(String),
    /// Anything else.
    #[error("the database {0} cannot be opened: {1}")]
    Database(PathBuf, #[source] sqlx::Error),
    /// A migration failed; the database is as before.
    #[error("the database {0} could not be brought to this version: {1}")]
    Migrate(PathBuf, #[source] sqlx::migrate::MigrateError),
}

/// The open database.
#[derive(Clone)]
pub struct Store {
    writer: SqlitePool,
    readers: Readers,
    _lock: Arc<File>,
}

/// A write transaction that has begun IMMEDIATE. Dropped without `commit` it changes nothing.
pub type WriteTx = sqlx::Transaction<'static, sqlx::Sqlite>;

impl Store {
    /// Opens, locks, checks and migrates.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(settings: &Settings) -> std::result::Result<Self, OpenError> {
        let path = settings.database();
        std::fs::create_dir_all(&settings.data).map_err(|e| OpenError::Folder(settings.data.clone(), e))?;
        let lock = lock(&settings.data)?;
        let fault = |e| OpenError::Database(path.clone(), e);
        let options = SqliteConnectOptions::from_str(&format!("sqlite://{}", path.display()))
            .map_err(fault)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(256)
            .pragma("trusted_schema", "OFF")
            .pragma("cell_size_check", "ON");
        // A connection to a file in this process needs no test before each use, which costs as much as a small query.
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .connect_with(options.clone().pragma("cache_size", WRITER_CACHE))
            .await
            .map_err(fault)?;
        check(&writer, &path).await?;
        MIGRATIONS
            .run(&writer)
            .await
            .map_err(|e| OpenError::Migrate(path.clone(), e))?;
        let reading = options.pragma("query_only", "ON").pragma("cache_size", READER_CACHE);
        let readers = Readers::open(reading).await.map_err(fault)?;
        Ok(Self {
            writer,
            readers,
            _lock: Arc::new(lock),
        })
    }

    /// Begins a write transaction. Waits for the one before; there is one writer.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn write(&self) -> Result<WriteTx> {
        const BEGIN: &str = "BEGIN IMMEDIATE";
        match self.writer.begin_with(BEGIN).await {
            // A full disk or a failed write makes SQLite end the transaction by itself. The driver then takes the connection to be inside
            // one for ever: only a new connection can write again.
            Err(sqlx::Error::InvalidSavePointStatement) => {
                tracing::warn!("the last write failed half way; the database is opened anew for writing");
                self.writer.acquire().await?.close().await?;
                Ok(self.writer.begin_with(BEGIN).await?)
            }
            begun => Ok(begun?),
        }
    }

    /// A read connection.
    ///
    /// # Errors
    /// When none can be had.
    pub async fn read(&self) -> Result<ReadConn> {
        Ok(self.readers.get().await?)
    }

    /// Closes all connections after their work is done.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Takes the lock against a second server; held until the file is closed, also by a crash.
fn lock(data: &std::path::Path) -> std::result::Result<File, OpenError> {
    let path = data.join("patchward.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| OpenError::Folder(data.to_owned(), e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(data.to_owned())),
        Err(std::fs::TryLockError::Error(e)) => Err(OpenError::Folder(data.to_owned(), e)),
    }
}

async fn check(pool: &SqlitePool, path: &std::path::Path) -> std::result::Result<(), OpenError> {
    let fault = |e| OpenError::Database(path.to_owned(), e);
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(pool)
        .await
        .map_err(fault)?;
    let mut numbers = version.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    if (next(), next(), next()) < OLDEST_SQLITE {
        return Err(OpenError::OldSqlite(version));
    }
    let health: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(pool)
        .await
        .map_err(fault)?;
    if health != "ok" {
        return Err(OpenError::Damaged(path.to_owned(), health));
    }
    let known = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
        .fetch_one(pool)
        .await
        .map_err(fault)?;
    if tables > 0 {
        let found: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
            .fetch_one(pool)
            .await
            .map_err(fault)?;
        if found > known {
            return Err(OpenError::Newer(path.to_owned(), found, known));
        }
    }
    Ok(())
}

/// A value of `meta`.
///
/// # Errors
/// When it is missing or the database fails.
pub async fn meta(conn: &mut SqliteConnection, key: &str) -> Result<i64> {
    let text: String = sqlx::query_scalar("SELECT value FROM meta WHERE key = ?")
        .bind(key)
        .fetch_one(conn)
        .await?;
    text.parse()
        .map_err(|_| crate::Error::Inconsistent(format!("meta {key} = {text:?}")))
}

/// Sets a value of `meta`.
///
/// # Errors
/// When the database fails.
pub async fn set_meta(conn: &mut SqliteConnection, key: &str, value: i64) -> Result<()> {
    sqlx::query("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .bind(key)
        .bind(value.to_string())
        .execute(conn)
        .await?;
    Ok(())
}
