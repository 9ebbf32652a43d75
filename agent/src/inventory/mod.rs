//! What a scan sees. Each part reads one thing; a part that cannot look says so and does not stop the others.

pub mod apt;
pub mod os;
pub mod power;
pub mod reboot;
pub mod services;

use crate::config::Home;
use domain::{Moment, Span};
use protocol::{
    ShortText, limits,
    v1::{HostFacts, Inventory, SourceStatus},
};
use serde::{Deserialize, Serialize};

/// What a scan may do and must know.
pub struct ScanSettings<'a> {
    /// The agent's folder: private caches, and what the last refresh said.
    pub home: &'a Home,
    /// The wall clock.
    pub now: Moment,
    /// Indexes older than this are fetched anew.
    pub interval: Span,
    /// Fetch them in any case.
    pub refresh: bool,
}

/// When the indexes were last fetched, and which sources failed then. A source that failed stays failed in every report until a later
/// fetch reads it, because what it would have offered is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshed {
    /// By the wall clock.
    pub at: Moment,
    /// Sources that could not be read.
    pub failed: Vec<SourceStatus>,
}

impl Refreshed {
    /// The file's name.
    pub const FILE: &'static str = "refreshed.json";
}

/// Which package manager this device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// dpkg and apt.
    Apt,
}

impl Manager {
    /// Looks for a supported package manager.
    #[must_use]
    pub fn find() -> Option<Self> {
        let all = ["/usr/bin/dpkg-query", "/usr/bin/apt-get", "/usr/bin/apt-cache"];
        all.iter()
            .all(|p| std::path::Path::new(p).exists())
            .then_some(Self::Apt)
    }

    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Apt => "apt",
        }
    }
}

/// The host's facts, without a scan.
#[must_use]
pub fn host() -> HostFacts {
    let manager = Manager::find();
    let arch = match manager {
        Some(Manager::Apt) => apt::native_arch(),
        None => None,
    };
    os::facts(manager, arch)
}

/// Scans the device.
///
/// # Errors
/// When the list of installed packages cannot be read: a report without it would clear everything that is known.
pub fn scan(settings: &ScanSettings) -> Result<Inventory, apt::ScanError> {
    let host = host();
    let mut inventory = Inventory {
        disk_free_mib: os::disk_free_mib(),
        on_battery: power::on_battery(),
        processes_unread: None,
        foreign: Vec::new(),
        reboot: Vec::new(),
        services: Vec::new(),
        packages: Vec::new(),
        updates: Vec::new(),
        sources: Vec::new(),
        manager_error: None,
        host,
    };
    if let Some(Manager::Apt) = Manager::find() {
        let seen = apt::scan(settings)?;
        (inventory.packages, inventory.updates) = (seen.packages, seen.updates);
        (inventory.sources, inventory.manager_error) = (seen.sources, seen.error);
        inventory.foreign = seen.foreign;
    }
    let processes = services::look();
    inventory.reboot = reboot::reasons(&inventory.packages, &inventory.host.kernel, &processes.core);
    inventory.services = processes.services;
    inventory.processes_unread = Some(processes.unread);
    inventory.normalize();
    fit(&mut inventory);
    Ok(inventory)
}

/// Keeps a report below the limit of one message: summaries go first, they are only shown.
fn fit(inventory: &mut Inventory) {
    /// Room for the seal around the report.
    const ROOM: usize = limits::MAX_BODY - 16 * 1024;
    let size = |i: &Inventory| serde_json::to_vec(i).map_or(0, |v| v.len());
    if size(inventory) > ROOM {
        for update in &mut inventory.updates {
            update.summary = ShortText::default();
        }
        tracing::warn!("the report is near the limit of one message; the one-line descriptions are left out");
    }
}
