//! What the driver does to the device, behind a trait: tests and the simulation put another device there.

use crate::{
    config::{Home, LocalPolicy},
    installer::{self, Installer, Progress},
    inventory::{self, Manager, ScanSettings},
    journal::Job,
    machine::Fetched,
};
use domain::{Moment, Span};
use protocol::{
    ShortText,
    v1::{Inventory, NotStarted, Order, PackageVersion},
};
use std::{io, time::Duration};

/// One device.
pub trait Device {
    /// Looks at everything.
    ///
    /// # Errors
    /// When there is nothing that a report could be made of.
    fn scan(&mut self, now: Moment, interval: Span, refresh: bool) -> Result<Inventory, String>;
    /// What is installed of these packages.
    fn look(&mut self, packages: &[PackageVersion]) -> Vec<PackageVersion>;
    /// Makes an order ready; says how fast the download was.
    ///
    /// # Errors
    /// Why it cannot start.
    fn prepare(&mut self, order: &Order, rate_kib: Option<u32>) -> Result<Fetched, NotStarted>;
    /// The last look before the start; returns the packages marked as automatically installed.
    ///
    /// # Errors
    /// Why it cannot start.
    fn check(&mut self, order: &Order) -> Result<Vec<String>, NotStarted>;
    /// Starts the package manager for the attempt with this record of its start, by the boot clock not after `until`.
    ///
    /// # Errors
    /// When that failed before anything was changed.
    fn start(&mut self, started: &str, job: &Job, until: Moment) -> io::Result<()>;
    /// How far a started attempt is.
    ///
    /// # Errors
    /// When that cannot be found out now.
    fn advance(&mut self, started: &str, job: &Job) -> io::Result<Progress>;
    /// Whether somebody's package manager runs, which a restart would kill.
    fn busy(&mut self) -> bool;
    /// Restarts the device.
    ///
    /// # Errors
    /// When the system refused.
    fn reboot(&mut self) -> Result<(), String>;
}

/// The device that the agent runs on.
pub struct ThisDevice {
    home: Home,
    installer: Installer,
}

impl ThisDevice {
    /// With the agent's folder.
    #[must_use]
    pub fn new(home: Home, local: LocalPolicy) -> Self {
        Self {
            installer: Installer::new(home.clone(), local),
            home,
        }
    }
}

fn supported() -> Result<(), NotStarted> {
    let no = |text: &str| {
        Err(NotStarted::ManagerBusy {
            message: ShortText::fit(text),
        })
    };
    if Manager::find().is_none() {
        return no("no supported package manager on this device");
    }
    if !rustix::process::geteuid().is_root() {
        return no("the agent does not run as root here and can only scan");
    }
    Ok(())
}

impl Device for ThisDevice {
    fn scan(&mut self, now: Moment, interval: Span, refresh: bool) -> Result<Inventory, String> {
        let settings = ScanSettings {
            home: &self.home,
            now,
            interval,
            refresh,
        };
        inventory::scan(&settings).map_err(|e| e.to_string())
    }
    fn look(&mut self, packages: &[PackageVersion]) -> Vec<PackageVersion> {
        self.installer.look(packages)
    }
    fn prepare(&mut self, order: &Order, rate_kib: Option<u32>) -> Result<Fetched, NotStarted> {
        supported()?;
        self.installer.prepare(order, rate_kib)
    }
    fn check(&mut self, order: &Order) -> Result<Vec<String>, NotStarted> {
        supported()?;
        self.installer.check(order)
    }
    fn start(&mut self, started: &str, job: &Job, until: Moment) -> io::Result<()> {
        self.installer.start(started, job, until)
    }
    fn advance(&mut self, started: &str, job: &Job) -> io::Result<Progress> {
        self.installer.advance(started, job)
    }
    fn busy(&mut self) -> bool {
        !installer::apt::unlocked()
    }
    fn reboot(&mut self) -> Result<(), String> {
        let systemd = std::path::Path::new("/run/systemd/system").exists();
        let (program, args): (_, &[&str]) = if systemd {
            ("systemctl", &["reboot"])
        } else {
            ("shutdown", &["-r", "now"])
        };
        match crate::command::ask(program, args, Duration::from_secs(60)) {
            Ok(answer) if answer.ok() => Ok(()),
            Ok(answer) => Err(answer.complaint()),
            Err(e) => Err(e.to_string()),
        }
    }
}
