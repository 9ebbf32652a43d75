//! What a scan sees. Each part reads one thing; a part that cannot look says so and does not stop the others.

pub mod apt;
mod fit;
pub mod os;
pub mod power;
pub mod reboot;
pub mod services;

use crate::{config::Home, machine::again_after};
use domain::{Moment, Span};
use protocol::v1::{HostFacts, Inventory, SourceStatus};
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
    /// How often in a row some could not.
    #[serde(default)]
    pub failures: u32,
}

impl Refreshed {
    /// The file's name.
    pub const FILE: &'static str = "refreshed.json";

    /// Whether they are to be fetched again: after the interval, and sooner after a failure.
    #[must_use]
    pub fn due(&self, now: Moment, interval: Span) -> bool {
        let age = now.since(self.at);
        // A clock that was set back says nothing of their age.
        age.0 < 0 || age >= again_after(self.failures, interval)
    }

    /// What comes of fetching them now.
    #[must_use]
    pub fn next(&self, now: Moment, failed: Vec<SourceStatus>) -> Self {
        let failures = if failed.is_empty() {
            0
        } else {
            self.failures.saturating_add(1)
        };
        Self {
            at: now,
            failed,
            failures,
        }
    }
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
        disk_free_mib: os::disk_free_mib(settings.home),
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
    fit::fit(&mut inventory);
    Ok(inventory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ShortText;

    #[test]
    fn a_source_that_failed_is_asked_again_soon_and_later_each_time() {
        let day = Span::days(1);
        let failed = || {
            vec![SourceStatus {
                name: ShortText::fit("bookworm"),
                error: Some(ShortText::fit("no network")),
            }]
        };
        let mut last = Refreshed::default().next(Moment(1_000_000), Vec::new());
        let waits = |last: &Refreshed| -> i64 {
            let due = |after: i64| last.due(last.at + Span(after), day);
            (0..).map(|n| n * 300).find(|after| due(*after)).unwrap()
        };
        assert_eq!(waits(&last), day.0);
        for minutes in [15, 30, 60, 120, 240, 480, 960, 24 * 60, 24 * 60] {
            last = last.next(last.at + Span(60), failed());
            assert_eq!(waits(&last), minutes * 60);
        }
        last.failures = u32::MAX;
        assert_eq!(waits(&last.next(last.at, failed())), day.0, "for ever");
        assert_eq!(waits(&last.next(last.at, Vec::new())), day.0, "all is well again");
        assert!(last.due(last.at - Span(1), day), "the clock was set back");
        let short = Span(600);
        assert!(
            last.next(last.at, failed()).due(last.at + short, short),
            "never later than the interval"
        );
        let earlier: Refreshed = serde_json::from_str(r#"{"at":5,"failed":[]}"#).unwrap();
        assert_eq!(earlier.failures, 0, "a file of an earlier agent");
    }
}
