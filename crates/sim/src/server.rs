//! The real service on a database of its own, and its deaths: what is not in the database is gone then.

use crate::{Violation, chance::Chance};
use domain::{Moment, Span};
use service::{Service, Settings, clock::ManualClock};
use std::{path::Path, sync::Arc};
use tempfile::TempDir;

/// Seconds between check-ins. Long, because a month has to pass in a second.
pub const POLL: u32 = 6 * 3_600;
/// Seconds without a contact after which a started attempt counts as vanished.
pub const VANISH: i64 = 12 * 3_600;

/// The server.
pub struct Server {
    folder: TempDir,
    clock: Arc<ManualClock>,
    settings: Settings,
    service: Option<Service>,
    /// Grows with every start.
    pub life: u64,
    /// How far the server's clock is off.
    pub off: Span,
}

impl Server {
    /// A new server, started.
    ///
    /// # Errors
    /// When its folder cannot be made or it does not start.
    pub async fn new(seed: u64, now: Moment) -> Result<Self, Violation> {
        // Power is never really cut here, so that memory serves as well as a disk.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        let folder = folder.map_err(Violation::world)?;
        let key: [u8; 32] = Chance::new(seed, "server key", 0).bytes();
        std::fs::write(folder.path().join("server.key"), hex::encode(key)).map_err(Violation::world)?;
        let mut settings = Settings::new(folder.path().to_owned());
        (settings.poll_seconds, settings.vanish_seconds) = (POLL, VANISH);
        let clock = Arc::new(ManualClock::at(now));
        let mut server = Self {
            folder,
            clock,
            settings,
            service: None,
            life: 0,
            off: Span(0),
        };
        server.start().await?;
        Ok(server)
    }

    /// Starts the process.
    ///
    /// # Errors
    /// I-25 when it does not start without hand work.
    pub async fn start(&mut self) -> Result<(), Violation> {
        self.life += 1;
        let service = Service::open(self.settings.clone(), self.clock.clone()).await;
        self.service = Some(service.map_err(|e| Violation::new("I-25", format!("the server does not start: {e}")))?);
        Ok(())
    }

    /// The process dies.
    pub fn crash(&mut self) {
        self.service = None;
    }

    /// The service, when it runs.
    #[must_use]
    pub fn service(&self) -> Option<Service> {
        self.service.clone()
    }

    /// Lets time pass.
    pub fn advance(&self, span: Span) {
        self.clock.advance(span);
    }

    /// Somebody sets the clock to be `off` by so much.
    pub fn set_off(&mut self, off: Span) {
        self.clock.jump(Span(off.0 - self.off.0));
        self.off = off;
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How it was set up.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}
