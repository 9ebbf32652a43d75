//! Commands, queries and the store.
//!
//! `commands/` change something: each checks the actor's permission, validates, and writes state and audit record in one transaction.
//! `queries/` read: each fills a struct of `view`. `store/` holds every SQL text of the repository. `agents/` is the server's side of the
//! agent protocol. `snapshot` turns rows into the planner's facts.
//!
//! This crate may not know HTTP, pages or time zones (it asks `planner::calendar`), and reads the time only through [`Clock`].

pub mod actor;
pub mod agents;
pub mod audit;
pub mod clock;
pub mod commands;
pub mod error;
pub mod events;
mod facts;
pub mod forms;
pub mod line;
mod next_change;
pub mod policy;
pub mod queries;
pub mod random;
pub mod settings;
pub mod snapshot;
pub mod store;
mod watch;

pub use actor::Actor;
pub use clock::{Clock, SystemClock};
pub use error::{Error, Result};
pub use settings::Settings;

use ed25519_dalek::SigningKey;
use std::sync::Arc;
use store::Store;

/// Everything the server does, behind one handle. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) watch: watch::Watch,
    pub(crate) settings: Settings,
    pub(crate) key: SigningKey,
    pub(crate) events: events::Events,
    pub(crate) agents: agents::Memory,
    pub(crate) facts: facts::Known,
    pub(crate) next_change: next_change::NextChange,
}

impl Service {
    /// Opens the database (creating and migrating it), takes the lock against a second server, and loads the server's signing key.
    ///
    /// # Errors
    /// [`store::OpenError`]: the file is in use, newer than this binary, damaged, or cannot be written.
    pub async fn open(settings: Settings, clock: Arc<dyn Clock>) -> std::result::Result<Self, store::OpenError> {
        let key = settings.load_or_make_key()?;
        let store = Store::open(&settings).await?;
        let watch = watch::Watch::default();
        let left = async { store::clock::left(&mut *store.read().await?).await };
        let damaged = |e: Error| store::OpenError::Damaged(settings.database(), e.to_string());
        watch.take_up(&*clock, left.await.map_err(damaged)?);
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                clock,
                watch,
                settings,
                key,
                events: events::Events::new(),
                agents: agents::Memory::default(),
                facts: facts::Known::default(),
                next_change: next_change::NextChange::default(),
            }),
        })
    }

    /// The server's time, now: its clock's, as long as that did not jump.
    #[must_use]
    pub fn now(&self) -> domain::Moment {
        self.inner.watch.read(&*self.inner.clock).now()
    }

    /// Closes the database after the work at hand. Nothing may be asked of it afterwards.
    pub async fn close(&self) {
        self.inner.store.close().await;
    }

    /// How the server was set up.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// What changed: one event per committed change.
    #[must_use]
    pub fn events(&self) -> &events::Events {
        &self.inner.events
    }

    /// The key that signs replies to agents.
    #[must_use]
    pub fn signing_key(&self) -> &SigningKey {
        &self.inner.key
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }
}
