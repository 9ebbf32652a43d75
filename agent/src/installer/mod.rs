//! Brings packages to exact versions. What touches the package manager runs in a process of its own session (`worker`), so that neither
//! the end nor the death of the agent ends a running package manager (I-10).

pub mod apt;
pub mod rollback_store;
pub mod worker;

use crate::{
    config::{Home, LocalPolicy},
    driver::boot_clock,
    journal::Job,
    machine::{Fetched, Seen},
};
use domain::{Moment, Span};
use protocol::{
    ShortText,
    v1::{NotStarted, Order, PackageVersion},
};
use rustix::fs::FlockOperation;
use std::{
    fs::{self, OpenOptions},
    io,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// How often a worker that died is followed by another before the agent gives up and says what it sees.
const MOST_WORKERS: u32 = 5;
/// So much longer is waited after each worker that died.
const AGAIN: Span = Span(5);
/// How long a started attempt waits for somebody else's package manager, where its permit lasts as long: what was allowed now is not
/// done an hour later.
const BEGIN_WITHIN: Span = Span::minutes(2);

/// How far an attempt is.
#[derive(Debug)]
pub enum Progress {
    /// The package manager, or its recovery, runs.
    Running,
    /// It ended.
    Ended(Box<Seen>),
}

/// Folders of ended attempts that are kept, for people who look for a log.
const KEEP_FOLDERS: usize = 50;

/// The folder of one attempt: what is to be done, the log, and in the end what was seen. It is named after the journal's record of the
/// start, not after the attempt's number, which a server restored from a backup may give a second time.
#[must_use]
pub fn attempt_folder(home: &Home, started: &str) -> PathBuf {
    home.path("attempts").join(started)
}

/// Starts and follows workers.
pub struct Installer {
    home: Home,
    local: LocalPolicy,
    worker: Option<Child>,
    workers: u32,
    /// By the boot clock.
    next_worker: Moment,
}

impl Installer {
    /// For one agent.
    #[must_use]
    pub fn new(home: Home, local: LocalPolicy) -> Self {
        Self {
            home,
            local,
            worker: None,
            workers: 0,
            next_worker: boot_clock(),
        }
    }

    /// What is installed now of these packages.
    #[must_use]
    pub fn look(&self, packages: &[PackageVersion]) -> Vec<PackageVersion> {
        apt::observe(packages)
    }

    /// Simulates, keeps copies of what is installed, downloads; says how fast that was.
    ///
    /// # Errors
    /// Why the order cannot start.
    pub fn prepare(&self, order: &Order, rate_kib: Option<u32>) -> Result<Fetched, NotStarted> {
        apt::prepare(&self.home, order, rate_kib)
    }

    /// The last look before the start: the simulation again, and which packages are marked as automatically installed.
    ///
    /// # Errors
    /// Why the order cannot start.
    pub fn check(&self, order: &Order) -> Result<Vec<String>, NotStarted> {
        if !apt::unlocked() {
            let message = ShortText::fit(apt::BUSY);
            return Err(NotStarted::ManagerBusy { message });
        }
        apt::gate(&self.home, order)?;
        Ok(apt::automatic(&order.packages))
    }

    /// Starts the package manager for a journaled attempt, if that can be before `until` by the boot clock.
    ///
    /// # Errors
    /// When the worker cannot be started; nothing was changed then.
    pub fn start(&mut self, started: &str, job: &Job, until: Moment) -> io::Result<()> {
        (self.workers, self.next_worker) = (0, boot_clock());
        self.prune();
        self.put(started, job, Some(until.min(boot_clock() + BEGIN_WITHIN)))?;
        self.spawn(started, "run")
    }

    /// Looks at a started attempt; lets a new worker recover when the last one died. Waits as long as any package manager runs.
    ///
    /// # Errors
    /// When no worker can be started.
    pub fn advance(&mut self, started: &str, job: &Job) -> io::Result<Progress> {
        let folder = attempt_folder(&self.home, started);
        if let Some(bytes) = crate::files::read(&folder.join(worker::SEEN))? {
            self.reap();
            if let Some(seen) = worker::parse_seen(&bytes, job, &crate::inventory::os::boot_id()) {
                return Ok(Progress::Ended(Box::new(seen)));
            }
            tracing::error!(started, "what the worker saw cannot be read; another one looks anew");
            fs::rename(folder.join(worker::SEEN), folder.join("seen.unreadable"))?;
        }
        if let Some(child) = &mut self.worker {
            if child.try_wait()?.is_none() {
                return Ok(Progress::Running);
            }
            self.worker = None;
            // The first is followed at once; whatever ended more than one of them may need a while to go away, as a full disk does.
            self.next_worker = boot_clock() + Span(AGAIN.0 * i64::from(self.workers.saturating_sub(1)));
        }
        if boot_clock() < self.next_worker {
            return Ok(Progress::Running);
        }
        if !free(&self.home)? {
            return Ok(Progress::Running);
        }
        if self.workers >= MOST_WORKERS {
            let disorder = crate::inventory::apt::audit()
                .or_else(|| Some(ShortText::fit("recovery ended before its end, again and again")));
            let seen = Seen {
                wanted: job.order.packages.clone(),
                observed: self.look(&job.order.packages),
                disorder,
                interrupted: true,
                ..Seen::default()
            };
            return Ok(Progress::Ended(Box::new(seen)));
        }
        self.put(started, job, None)?;
        self.spawn(started, "recover")?;
        Ok(Progress::Running)
    }

    fn put(&self, started: &str, job: &Job, begin_by: Option<Moment>) -> io::Result<()> {
        let folder = attempt_folder(&self.home, started);
        // On a full disk it can be read and not be written again.
        if folder.join(worker::PLAN).exists() {
            return Ok(());
        }
        fs::create_dir_all(&folder)?;
        let plan = worker::Plan {
            job: job.clone(),
            may_go_back: self.local.allow_rollback,
            begin_by,
        };
        let bytes = serde_json::to_vec(&plan).map_err(io::Error::other)?;
        crate::files::replace(&folder.join(worker::PLAN), &bytes, 0o600)
    }

    fn spawn(&mut self, started: &str, mode: &str) -> io::Result<()> {
        use std::os::unix::process::CommandExt;
        self.workers += 1;
        // The running program's own file, even when an update has replaced it under its name.
        let child = Command::new("/proc/self/exe")
            .arg0("patchward-agent")
            .args(["worker", mode, started, "--state-dir"])
            .arg(self.home.folder())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        self.worker = Some(child);
        Ok(())
    }

    fn prune(&self) {
        let entries = fs::read_dir(self.home.path("attempts")).into_iter().flatten().flatten();
        let mut all: Vec<_> = entries
            .filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path())))
            .collect();
        all.sort();
        for (_, path) in all.iter().rev().skip(KEEP_FOLDERS) {
            let _ = fs::remove_dir_all(path);
        }
    }

    fn reap(&mut self) {
        if let Some(mut child) = self.worker.take() {
            // It has written its last file and is about to end.
            let _ = child.wait();
        }
    }
}

/// Whether neither a worker nor any package manager runs. Lock files stay for ever and are never deleted; only the locks on them count.
///
/// # Errors
/// Whatever the file system says.
pub fn free(home: &Home) -> io::Result<bool> {
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(home.path(worker::LOCK))?;
    Ok(rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() && apt::unlocked())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal;

    /// Half a file, as a full disk leaves it, is no reason to look at it for ever.
    #[test]
    fn what_a_worker_left_unreadable_is_put_aside_and_its_plan_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let job = journal::tests::started(0).1.unwrap();
        let mut installer = Installer::new(home.clone(), LocalPolicy::OPEN);
        installer.put("a", &job, Some(Moment(7))).unwrap();
        installer.put("a", &job, None).unwrap();
        let at = |name: &str| attempt_folder(&home, "a").join(name);
        let plan: worker::Plan = serde_json::from_slice(&fs::read(at(worker::PLAN)).unwrap()).unwrap();
        assert_eq!(plan.begin_by, Some(Moment(7)));

        // Somebody works, so that no worker is sent from here.
        let lock = fs::File::create(home.path(worker::LOCK)).unwrap();
        rustix::fs::flock(&lock, FlockOperation::LockExclusive).unwrap();
        fs::write(at(worker::SEEN), "{").unwrap();
        for _ in 0..2 {
            assert!(matches!(installer.advance("a", &job), Ok(Progress::Running)));
        }
        assert!(at("seen.unreadable").exists() && !at(worker::SEEN).exists());
    }
}
