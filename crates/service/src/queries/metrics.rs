//! Numbers for Prometheus, from rows that are kept for pages anyway: scraping costs no walk over the fleet.

use crate::{Result, Service, store::gauges};
use domain::{DeviceState, Severity, Span};

/// What `/metrics` shows of the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Devices by state.
    pub devices: Vec<(DeviceState, u32)>,
    /// Active devices without a scan or silent.
    pub silent: u32,
    /// Current patches that at least one device misses, by severity and whether they are security updates.
    pub open_patches: Vec<(Severity, bool, u32)>,
    /// Installs that these patches stand for: each of them on each device that misses it.
    pub missing_installs: Vec<(Severity, bool, u64)>,
    /// Holds that nobody has resolved.
    pub open_holds: u32,
    /// Attempts by the word of their state.
    pub attempts: Vec<(&'static str, u32)>,
    /// Installs that ended well and that no scan has proven yet.
    pub unproven: u32,
    /// How long ago the active device that has been silent for longest was scanned, or enrolled if it never was.
    pub oldest_scan: Option<Span>,
    /// Audit records: the length of the chain.
    pub audit_records: u32,
    /// Bytes of the database, without its write-ahead log.
    pub database_bytes: u64,
    /// Of these, bytes that hold nothing.
    pub database_free_bytes: u64,
    /// The clock is taken to be right: permits are given.
    pub clock_trusted: bool,
}

impl Service {
    /// The gauges. For the operator's own scraper: the handler decides who may ask.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn gauges(&self) -> Result<Gauges> {
        let mut conn = self.store().read().await?;
        gauges::read(&mut conn, self.now()).await
    }
}
