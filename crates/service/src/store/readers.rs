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
