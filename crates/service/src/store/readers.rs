//! The connections that read. They come back to the pool as they are and at once: the pool of sqlx asks each one, in a task of its own,
//! whether it still answers, and the threads that this wakes cost as much as a small query. A connection to a file in this process has nobody
//! who could have hung up.

use deadpool::managed::{Manager, Metrics, Object, Pool, PoolConfig, PoolError, QueueMode, RecycleResult};
use deadpool::{Runtime, managed::Timeouts};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::time::Duration;

/// At most so many at a time.
const MOST: usize = 4;
/// Who waits longer is refused.
const WAIT: Duration = Duration::from_secs(30);

/// A read connection.
pub type ReadConn = Object<Reads>;

/// How a read connection is made.
#[derive(Debug)]
pub struct Reads(SqliteConnectOptions);

impl Manager for Reads {
    type Type = SqliteConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<SqliteConnection> {
        self.0.connect().await
    }

    /// Whatever was begun and not ended is rolled back before the next command by the connection's own thread, which takes one after the
    /// other.
    async fn recycle(&self, _: &mut SqliteConnection, _: &Metrics) -> RecycleResult<sqlx::Error> {
        Ok(())
    }
}

/// The pool.
#[derive(Clone)]
pub struct Readers(Pool<Reads>);

impl Readers {
    /// None of them is open before it is needed.
    ///
    /// # Errors
    /// When there is no runtime to wait with.
    pub fn new(options: SqliteConnectOptions) -> sqlx::Result<Self> {
        let pool = Pool::builder(Reads(options))
            .config(PoolConfig {
                max_size: MOST,
                timeouts: Timeouts {
                    wait: Some(WAIT),
                    ..Timeouts::default()
                },
                // The one that was used last has the most in its cache.
                queue_mode: QueueMode::Lifo,
            })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|e| sqlx::Error::Configuration(e.into()))?;
        Ok(Self(pool))
    }

    /// One of them.
    ///
    /// # Errors
    /// When none comes free in time, or the database cannot be opened.
    pub async fn get(&self) -> sqlx::Result<ReadConn> {
        self.0.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Closed => sqlx::Error::PoolClosed,
            _ => sqlx::Error::PoolTimedOut,
        })
    }

    /// Closes those that are not in use; the others are when they come back.
    pub async fn close(&self) {
        let idle = self.0.retain(|_, _| false).removed;
        self.0.close();
        for connection in idle {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "a connection to the database did not close");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::sqlite::SqliteJournalMode;

    /// A database of one table, a connection that writes, and the pool.
    async fn database(folder: &tempfile::TempDir) -> (SqliteConnection, Readers) {
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("a.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let mut writer = options.connect().await.unwrap();
        sqlx::query("CREATE TABLE line (n INTEGER)")
            .execute(&mut writer)
            .await
            .unwrap();
        (writer, Readers::new(options.pragma("query_only", "ON")).unwrap())
    }

    async fn lines(connection: &mut SqliteConnection) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM line")
            .fetch_one(connection)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn what_was_left_open_is_over_for_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, readers) = database(&folder).await;
        let mut first = readers.get().await.unwrap();
        let mut left = first.begin().await.unwrap();
        assert_eq!(lines(&mut left).await, 0);
        drop(left);
        drop(first);
        sqlx::query("INSERT INTO line VALUES (1)")
            .execute(&mut writer)
            .await
            .unwrap();
        let mut second = readers.get().await.unwrap();
        assert_eq!(readers.0.status().size, 1, "the same connection again");
        assert_eq!(lines(&mut second).await, 1, "and not what it saw before");
    }

    #[tokio::test]
    async fn a_question_that_nobody_waits_for_any_more_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let (_writer, readers) = database(&folder).await;
        let mut first = readers.get().await.unwrap();
        let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT i FROM n";
        let long = sqlx::query(many).fetch_all(&mut *first);
        assert!(tokio::time::timeout(Duration::from_millis(1), long).await.is_err());
        drop(first);
        assert_eq!(lines(&mut *readers.get().await.unwrap()).await, 0);
    }

    #[tokio::test]
    async fn none_is_lent_twice_and_none_after_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let (_writer, readers) = database(&folder).await;
        let mut lent = Vec::new();
        for _ in 0..MOST {
            lent.push(readers.get().await.unwrap());
        }
        let soon = |wait| {
            let (pool, timeouts) = (
                readers.0.clone(),
                Timeouts {
                    wait: Some(wait),
                    ..Timeouts::default()
                },
            );
            async move { pool.timeout_get(&timeouts).await }
        };
        assert!(matches!(soon(Duration::ZERO).await, Err(PoolError::Timeout(_))));
        let waiting = soon(WAIT);
        tokio::pin!(waiting);
        assert!(
            tokio::time::timeout(Duration::from_millis(1), waiting.as_mut())
                .await
                .is_err()
        );
        lent.pop();
        let mut late = waiting.await.unwrap();
        assert_eq!(lines(&mut late).await, 0);
        readers.close().await;
        assert!(matches!(readers.get().await, Err(sqlx::Error::PoolClosed)));
    }
}
