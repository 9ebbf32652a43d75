//! The connections that read. They come back to the pool as they are and at once: the pool of sqlx asks each one, in a task of its own,
//! whether it still answers, and the threads that this wakes cost as much as a small query. A connection to a file in this process has nobody
//! who could have hung up; what can go wrong with one is looked at when it is lent again.

use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolConfig, PoolError, QueueMode, RecycleError, RecycleResult,
};
use deadpool::{Runtime, managed::Timeouts};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::time::Duration;

/// At most so many at a time.
const MOST: usize = 4;
/// Who waits longer is refused.
const WAIT: Duration = Duration::from_secs(30);
/// An older one is opened anew: whatever is wrong with one does not stay for good.
const OLDEST: Duration = Duration::from_secs(30 * 60);

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

    /// What was begun and not ended is rolled back by the connection's own thread, which takes one command after the other. Where SQLite had
    /// ended it by itself (a failed read, no room to sort in), there is nothing to roll back and the driver takes the connection to be inside
    /// one for ever: it would go on seeing what was there then.
    async fn recycle(&self, connection: &mut SqliteConnection, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        if metrics.age() > OLDEST {
            return Err(RecycleError::message("old"));
        }
        if connection.is_in_transaction() {
            // Answered after the rollback that was ordered when the transaction was dropped.
            connection.ping().await?;
            if connection.is_in_transaction() {
                return Err(RecycleError::message("in a transaction for ever"));
            }
        }
        Ok(())
    }
}

/// The pool.
#[derive(Clone)]
pub struct Readers(Pool<Reads>);

impl Readers {
    /// Opens one, to see that it can be.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn open(options: SqliteConnectOptions) -> sqlx::Result<Self> {
        let pool = Pool::builder(Reads(options))
            .config(PoolConfig {
                max_size: MOST,
                timeouts: Timeouts {
                    wait: Some(WAIT),
                    ..Timeouts::default()
                },
                // Where nobody waits any more for a long answer, its connection comes back before that is found: the others are lent first.
                queue_mode: QueueMode::Fifo,
            })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|e| sqlx::Error::Configuration(e.into()))?;
        let readers = Self(pool);
        drop(readers.get().await?);
        Ok(readers)
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

    /// Closes all of them, each when it has come back.
    pub async fn close(&self) {
        let open = self.0.status().size;
        // No further ones are opened.
        self.0.resize(open);
        let mut all = Vec::with_capacity(open);
        for _ in 0..open {
            match self.get().await {
                Ok(connection) => all.push(connection),
                Err(error) => tracing::warn!(%error, "a connection to the database did not come back"),
            }
        }
        self.0.close();
        for connection in all {
            if let Err(error) = Object::take(connection).close().await {
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
        let readers = Readers::open(options.pragma("query_only", "ON")).await.unwrap();
        (writer, readers)
    }

    async fn add_line(writer: &mut SqliteConnection) {
        sqlx::query("INSERT INTO line VALUES (1)")
            .execute(writer)
            .await
            .unwrap();
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
        add_line(&mut writer).await;
        let mut second = readers.get().await.unwrap();
        assert_eq!(readers.0.status().size, 1, "the same connection again");
        assert_eq!(lines(&mut second).await, 1, "and not what it saw before");
    }

    #[tokio::test]
    async fn one_whose_transaction_sqlite_ended_by_itself_is_not_lent_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, readers) = database(&folder).await;
        let mut broken = readers.get().await.unwrap();
        let mut transaction = broken.begin().await.unwrap();
        assert_eq!(lines(&mut transaction).await, 0);
        // As SQLite does after a failed read: the driver does not hear of it.
        sqlx::query("ROLLBACK").execute(&mut *transaction).await.unwrap();
        drop(transaction);
        drop(broken);
        add_line(&mut writer).await;
        // A transaction that is dropped, as pages drop theirs: inside another one it would end nothing.
        let mut next = readers.get().await.unwrap();
        let mut transaction = next.begin().await.unwrap();
        assert_eq!(lines(&mut transaction).await, 1);
        drop(transaction);
        drop(next);
        add_line(&mut writer).await;
        let mut last = readers.get().await.unwrap();
        assert_eq!(lines(&mut last).await, 2, "it sees what is there now");
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
        let closing = readers.close();
        tokio::pin!(closing);
        let early = tokio::time::timeout(Duration::from_millis(1), closing.as_mut()).await;
        assert!(early.is_err(), "it waits for those that are lent");
        drop((late, lent));
        closing.await;
        assert!(matches!(readers.get().await, Err(sqlx::Error::PoolClosed)));
    }
}
