//! What every handler may reach.

use crate::http::limits::Limits;
use crate::metrics::Metrics;
use crate::security::Origins;
use app::ctx::CookiePolicy;
use axum::extract::FromRef;
use leptos::config::LeptosOptions;
use service::Service;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// How the server is reached, as far as handlers must know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reach {
    /// A proxy on this host stands in front: the last address of `x-forwarded-for` is the peer's.
    pub behind_proxy: bool,
}

/// Shared by all handlers; cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub(crate) options: Arc<LeptosOptions>,
    pub(crate) service: Service,
    pub(crate) cookie: CookiePolicy,
    pub(crate) origins: Arc<Origins>,
    pub(crate) reach: Reach,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) health: Arc<Health>,
    pub(crate) stop: Stop,
}

impl AppState {
    /// Everything follows from the service and how it is reached.
    #[must_use]
    pub fn new(service: Service, reach: Reach) -> Self {
        let public_url = &service.settings().public_url;
        Self {
            options: Arc::new(crate::assets::leptos_options()),
            cookie: CookiePolicy::for_url(public_url),
            origins: Arc::new(Origins::of(public_url)),
            reach,
            metrics: Arc::new(Metrics::default()),
            limits: Arc::new(Limits::default()),
            health: Arc::new(Health::default()),
            stop: Stop::default(),
            service,
        }
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Bytes that agents' messages may hold in memory now.
    #[must_use]
    pub fn held_by_messages(&self) -> usize {
        self.limits.bodies.held()
    }

    /// Ends event streams and tells `/healthz` to send new visitors elsewhere.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.stop
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        Self::clone(&state.options)
    }
}

/// What the background work last saw.
#[derive(Debug, Default)]
pub struct Health {
    cannot_write: AtomicBool,
}

impl Health {
    /// Remembers whether the last write succeeded; returns whether that is news.
    pub(crate) fn wrote(&self, succeeded: bool) -> bool {
        self.cannot_write.swap(!succeeded, Ordering::Relaxed) == succeeded
    }

    pub(crate) fn can_write(&self) -> bool {
        !self.cannot_write.load(Ordering::Relaxed)
    }
}

/// The signal to stop: given once, seen by everybody who holds a clone, also later.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// Gives the signal.
    pub fn give(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was given.
    #[must_use]
    pub fn given(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for it.
    pub async fn wait(&self) {
        let mut seen = self.0.subscribe();
        // The sender lives as long as `self`.
        let _ = seen.wait_for(|given| *given).await;
    }
}
