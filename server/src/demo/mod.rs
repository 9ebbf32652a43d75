//! `patchward demo`: a fleet in three places with months behind it, in a database that is thrown away.
//!
//! Nothing is inserted: the devices enrol, report, ask for permits and send results through the agent API, people decide through the same
//! commands as on the pages, and the clock is moved through all these days. The release histories are real, the devices are not. Afterwards the
//! devices go on living on the real clock, so that an approval on the page has its effect.

mod devices;
mod people;

use crate::cli::{args::Demo, private_files, serve};
use anyhow::{Context as _, Result};
use devices::Fleet;
use domain::{Moment, Span};
use people::People;
use service::{Clock as _, Service, Settings, SystemClock, clock::ManualClock};
use std::{
    io::{IsTerminal as _, Write as _},
    path::Path,
    sync::Arc,
};
use view::Demonstration;

/// Moments of a day at which devices visit: pilots at all of them, because the first goes alone and the others wait for it; everybody else
/// at one.
const VISITS_A_DAY: usize = 4;
/// Last days of the history, in which devices visit every hour that they are on: enough for every hour of a week to show who is on.
const HOURLY_DAYS: i64 = 7;

/// Makes the history, then serves it until it is stopped; the folder is removed at the end.
///
/// # Errors
/// What could not be made or served.
pub async fn run(arguments: Demo) -> Result<()> {
    private_files();
    let size = Demonstration {
        devices: arguments.devices,
        days: arguments.days,
    };
    let arguments = arguments.serve();
    serve::start_log(arguments.log);
    let folder = std::env::temp_dir().join(format!("patchward-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let remove = Remove(&folder);
    let fleet = history(&folder, size).await?;
    let mut settings = Settings::new(folder.clone());
    settings.demo = Some(size);
    serve::run_with(settings, arguments, move |service| live(service, fleet)).await?;
    drop(remove);
    Ok(())
}

/// Removes the folder, also when something failed.
struct Remove<'a>(&'a Path);

impl Drop for Remove<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.0);
    }
}

async fn history(folder: &Path, size: Demonstration) -> Result<Fleet> {
    let days = i64::from(size.days);
    let end = SystemClock.now();
    let start = end - Span::days(days);
    let clock = Arc::new(ManualClock::at(start));
    let mut settings = Settings::new(folder.to_owned());
    settings.demo = Some(size);
    let service = Service::open(settings, clock.clone()).await?;
    let mut people = People::arrive(&service, size.devices).await?;
    let mut fleet = Fleet::build(start, size);
    fleet.enroll(&service, &people).await?;
    let mut progress = Progress::new(size);
    for day in 0..days {
        let hourly = days - day <= HOURLY_DAYS;
        let visits = if hourly { 24 } else { VISITS_A_DAY };
        for visit in 0..visits {
            let at = start + Span::days(day) + Span(i64::try_from(visit * 86_400 / visits)?);
            clock.set(at.min(end));
            for device in 0..fleet.len() {
                let visits = if hourly {
                    fleet.is_on(device, at)
                } else {
                    fleet.is_pilot(device) || device % VISITS_A_DAY == visit
                };
                if visits {
                    fleet.visit(&service, device, at).await?;
                }
            }
            if hourly {
                service.flush_contacts().await?;
            }
        }
        service.tick().await?;
        service.flush_contacts().await?;
        people.work(&service, start + Span::days(day), day, end).await?;
        progress.tell((day + 1) * 100 / days)?;
    }
    clock.set(end);
    service.flush_contacts().await?;
    service.close().await;
    Ok(fleet)
}

/// How far the history is: one line that grows on a terminal, a line for each tenth where somebody else reads.
struct Progress {
    what: String,
    terminal: bool,
    told: i64,
}

impl Progress {
    fn new(size: Demonstration) -> Self {
        Self {
            what: format!("Making {} days of history for {} devices", size.days, size.devices),
            terminal: std::io::stdout().is_terminal(),
            told: -1,
        }
    }

    fn tell(&mut self, percent: i64) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if self.terminal {
            let end = if percent < 100 { "" } else { "\n" };
            write!(out, "\r{}: {percent} %{end}", self.what)?;
        } else if percent / 10 > self.told {
            self.told = percent / 10;
            writeln!(out, "{}: {percent} %", self.what)?;
        }
        Ok(out.flush()?)
    }
}

/// The devices' life on the real clock: each visits once a minute, as real agents do.
async fn live(service: Service, mut fleet: Fleet) {
    let mut next = 0;
    let mut beat = tokio::time::interval(std::time::Duration::from_millis(500));
    loop {
        beat.tick().await;
        let now: Moment = service.now();
        if let Err(error) = fleet.visit(&service, next, now).await {
            tracing::debug!(%error, "a demonstration device could not visit");
        }
        next = (next + 1) % fleet.len();
    }
}
