//! Numbers for Prometheus, from rows that are kept for pages anyway: scraping costs no walk over the fleet.

use crate::{Result, Service, store::lists};
use domain::{DeviceState, Severity};

/// What `/metrics` shows of the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Devices by state.
    pub devices: Vec<(DeviceState, u32)>,
    /// Active devices without a scan or silent.
    pub silent: u32,
    /// Current patches that at least one device misses, by severity.
    pub open_patches: Vec<(Severity, u32)>,
    /// Holds that nobody has resolved.
    pub open_holds: u32,
    /// Attempts by the word of their state.
    pub attempts: Vec<(&'static str, u32)>,
    /// Audit records.
    pub audit_records: u32,
}

impl Service {
    /// The gauges. For the operator's own scraper: the handler decides who may ask.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn gauges(&self) -> Result<Gauges> {
        let mut conn = self.store().read().await?;
        lists::gauges(&mut conn).await
    }
}
