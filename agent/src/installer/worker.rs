//! The process that runs the package manager for one attempt: its own session, its output in files, and the whole way to an end that
//! can be told: run, look, repair, go back. The agent only waits for the file it leaves.

use super::{apt, attempt_folder, rollback_store::Store};
use crate::{config::Home, driver::boot_clock, files, inventory, journal::Job, machine::Seen};
use domain::Moment;
use protocol::{
    LongText, ShortText,
    v1::{ActionKind, Order, PackageVersion},
};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use std::{
    cell::Cell,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Held while a worker lives.
pub const LOCK: &str = "manager.lock";
/// What is to be done.
pub const PLAN: &str = "plan.json";
/// What was seen at the end.
pub const SEEN: &str = "seen.json";
/// Written and synced right before the package manager starts.
const BEGUN: &str = "begun";
/// The package manager's own exit code, when it came to one.
const EXIT: &str = "exit";
/// Everything that the package manager said.
const LOG: &str = "log";
/// Rounds of repair (ENGINES 1.5: one was enough for every one of eight kill points).
const ROUNDS: u32 = 3;
/// Between two looks at a lock that somebody else holds.
const LOOK: Duration = Duration::from_millis(500);
/// Seconds that apt itself waits for a lock at most.
const LOCK_WAIT: i64 = 120;
/// apt's exit code when it gave up.
const GAVE_UP: i32 = 100;

/// What the agent hands over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The attempt.
    pub job: Job,
    /// Whether a failed attempt may be taken back.
    pub may_go_back: bool,
    /// By the boot clock: the package manager does not begin later.
    #[serde(default)]
    pub begin_by: Option<Moment>,
}

/// The part of [`Seen`] that is written down.
#[derive(Debug, Serialize, Deserialize)]
struct Wire {
    observed: Vec<PackageVersion>,
    #[serde(default)]
    not_begun: Option<ShortText>,
    disorder: Option<ShortText>,
    interrupted: bool,
    repaired: bool,
    exit: Option<i32>,
    message: ShortText,
    log: LongText,
    took: u32,
    restart_owed: bool,
    /// The boot in which it was seen.
    #[serde(default)]
    boot_id: String,
}

/// Reads what a worker wrote, in this boot. What another boot owed was done by its end.
#[must_use]
pub fn parse_seen(bytes: &[u8], job: &Job, boot_id: &str) -> Option<Seen> {
    let w: Wire = serde_json::from_slice(bytes).ok()?;
    Some(Seen {
        wanted: job.order.packages.clone(),
        observed: w.observed,
        not_begun: w.not_begun,
        disorder: w.disorder,
        interrupted: w.interrupted,
        repaired: w.repaired,
        exit: w.exit,
        message: w.message,
        log: w.log,
        took: w.took,
        restart_owed: w.restart_owed && w.boot_id == boot_id,
    })
}

/// The body of the hidden `worker` command. `fresh` may start the package manager; otherwise it only finishes what was begun.
///
/// # Errors
/// When the plan cannot be read or the result cannot be written; the agent then sends another worker.
pub fn main(home: &Home, started: &str, fresh: bool) -> io::Result<()> {
    // Fails only for the leader of a group, which then is nobody's child to be killed with.
    let _ = rustix::process::setsid();
    let folder = attempt_folder(home, started);
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(home.path(LOCK))?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    // Another worker may have come to the end between the agent's look and this lock.
    if folder.join(SEEN).exists() {
        return Ok(());
    }
    let plan = files::read(&folder.join(PLAN))?.ok_or_else(|| io::Error::other("the attempt has no plan"))?;
    let plan: Plan = serde_json::from_slice(&plan).map_err(io::Error::other)?;
    let worker = Worker {
        home,
        folder,
        plan,
        ran: Cell::new(Duration::ZERO),
    };
    let seen = worker.work(fresh)?;
    let bytes = serde_json::to_vec(&seen).map_err(io::Error::other)?;
    files::replace(&worker.folder.join(SEEN), &bytes, 0o600)
}

struct Worker<'a> {
    home: &'a Home,
    folder: PathBuf,
    plan: Plan,
    /// How long its programs ran.
    ran: Cell<Duration>,
}

impl Worker<'_> {
    fn work(&self, fresh: bool) -> io::Result<Wire> {
        let Job { order, from, .. } = &self.plan.job;
        let begun = self.folder.join(BEGUN);
        let begins = fresh && !begun.exists();
        let begin_by = self.plan.begin_by.filter(|_| begins).unwrap_or(Moment::MAX);
        if !wait_for(apt::unlocked, boot_clock, begin_by) {
            return Ok(self.not_begun());
        }
        if begins {
            files::replace(&begun, b"", 0o600)?;
            if order.kind == ActionKind::RollBack {
                self.note_remarks();
            }
            // Somebody may take the lock in between.
            let left = begin_by.since(boot_clock()).0.clamp(1, LOCK_WAIT);
            let code = self.run(apt::waiting(apt::run_args(self.home, order), left))?;
            if let Some(code) = code {
                files::replace(&self.folder.join(EXIT), code.to_string().as_bytes(), 0o600)?;
            }
        }
        let exit: Option<i32> =
            files::read(&self.folder.join(EXIT))?.and_then(|b| String::from_utf8_lossy(&b).parse().ok());
        let interrupted = exit.is_none();
        let mut state = self.look();
        let mut message = self.complaint();
        let mut repaired = false;
        if exit == Some(GAVE_UP) && state.as_before() && !state.reached && apt::found_locked(&self.log_tail()) {
            return Ok(Wire {
                exit,
                log: self.log_end(),
                ..self.not_begun()
            });
        }
        if state.half_done() {
            let rounds = if interrupted { ROUNDS } else { 1 };
            for _ in 0..rounds {
                repaired = true;
                self.repair(interrupted)?;
                state = self.look();
                if state.reached {
                    break;
                }
            }
            if state.half_done() && self.plan.may_go_back {
                // Half a patch is nothing that anybody approved.
                self.go_back(from)?;
                state = self.look();
            }
        } else if interrupted && !state.reached {
            message = ShortText::fit("interrupted before anything was changed");
        }
        self.restore_marks();
        self.tidy(state.reached);
        Ok(Wire {
            restart_owed: state.reached && inventory::apt::restart_owed(),
            boot_id: inventory::os::boot_id(),
            observed: state.observed,
            not_begun: None,
            disorder: state.disorder,
            interrupted,
            repaired,
            exit,
            message,
            log: self.log_end(),
            took: self.took(),
        })
    }

    /// Somebody else's package manager ran all the time.
    fn not_begun(&self) -> Wire {
        Wire {
            observed: apt::observe(&self.plan.job.order.packages),
            not_begun: Some(ShortText::fit(apt::BUSY)),
            disorder: None,
            interrupted: false,
            repaired: false,
            exit: None,
            message: ShortText::default(),
            log: LongText::default(),
            took: 0,
            restart_owed: false,
            boot_id: inventory::os::boot_id(),
        }
    }

    fn look(&self) -> Look {
        let Job { order, from, .. } = &self.plan.job;
        let observed = apt::observe(&order.packages);
        let disorder = inventory::apt::audit();
        let reached = disorder.is_none() && apt::same(&observed, &order.packages);
        Look {
            untouched: apt::same(&observed, from),
            reached,
            observed,
            disorder,
        }
    }

    /// ENGINES 1.5. The codes say little (0 without repair, 100 although the next step heals), so they are not looked at.
    fn repair(&self, interrupted: bool) -> io::Result<()> {
        let Job { order, .. } = &self.plan.job;
        self.run((
            "dpkg",
            apt::words(&["--force-confdef", "--force-confold", "--configure", "-a"]),
        ))?;
        if interrupted {
            if apt::fix_changes_only(self.home, &order.packages) {
                self.run(apt::fix_args(self.home))?;
            }
            self.run(apt::run_args(self.home, order))?;
        }
        Ok(())
    }

    fn go_back(&self, from: &[PackageVersion]) -> io::Result<()> {
        let back = Order {
            patch: self.plan.job.order.patch,
            kind: ActionKind::RollBack,
            packages: from.to_vec(),
        };
        self.note("going back to the versions from before");
        match apt::prepare_back(self.home, &back) {
            Ok(()) => {
                self.note_remarks();
                self.run(apt::run_args(self.home, &back))?;
            }
            Err(why) => self.note(&format!("cannot go back: {why:?}")),
        }
        Ok(())
    }

    /// Which kept copies were not good enough.
    fn note_remarks(&self) {
        for line in Store::at(self.home).remarks() {
            self.note(&line);
        }
    }

    /// Naming a package on a command line marks it as wanted by a person; the marks are put back.
    fn restore_marks(&self) {
        let Job {
            order, from, automatic, ..
        } = &self.plan.job;
        let mut names = automatic.clone();
        if order.kind == ActionKind::Install {
            let new = |p: &&PackageVersion| p.version.is_none();
            names.extend(from.iter().filter(new).map(|p| p.name.to_string()));
        }
        if !names.is_empty() {
            let mut args = apt::words(&["auto", "--"]);
            args.extend(names);
            let _ = crate::command::ask("apt-mark", args, Duration::from_secs(60));
        }
    }

    /// Downloads that served their end take space.
    fn tidy(&self, reached: bool) {
        if reached {
            apt::clean_archives(self.home, &self.plan.job.order.packages);
        }
    }

    /// Runs one program with its output in the log. Returns its exit code, none when a signal ended it.
    fn run(&self, (program, args): (&str, Vec<String>)) -> io::Result<Option<i32>> {
        self.note(&format!("$ {program} {}", args.join(" ")));
        let log = self.log()?;
        let started = Instant::now();
        let mut command: Command = crate::command::clean(program);
        let status = command
            .args(args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()?;
        self.ran.set(self.ran.get() + started.elapsed());
        self.note(&format!("{status} after {} s", started.elapsed().as_secs()));
        Ok(status.code())
    }

    fn log(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(self.folder.join(LOG))
    }

    fn note(&self, text: &str) {
        use io::Write;
        // A log that cannot be written is no reason to stop in the middle.
        let _ = self.log().and_then(|mut f| writeln!(f, "{text}"));
    }

    fn log_end(&self) -> LongText {
        LongText::fit(&tail(&self.folder.join(LOG), LongText::MAX))
    }

    fn log_tail(&self) -> String {
        tail(&self.folder.join(LOG), 64 * 1024)
    }

    fn complaint(&self) -> ShortText {
        let log = self.log_tail();
        // A maintainer script's failure says more than apt's last line about it.
        let script = log.lines().rev().find_map(|l| l.strip_prefix("pmerror:"));
        let dpkg = log
            .lines()
            .rev()
            .find(|l| l.starts_with("dpkg: error") || l.contains("subprocess returned error"));
        let line = script
            .or(dpkg)
            .map(|l| l.trim().to_owned())
            .or_else(|| crate::command::complaint(&log));
        ShortText::fit(&line.unwrap_or_default())
    }

    /// Seconds that this worker's programs ran, begun ones counted whole; 0 when it ran none. By a clock that stands still while the device
    /// sleeps and that nobody can set: the next install is expected to take as long.
    fn took(&self) -> u32 {
        u32::try_from(self.ran.get().as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
    }
}

struct Look {
    observed: Vec<PackageVersion>,
    disorder: Option<ShortText>,
    reached: bool,
    untouched: bool,
}

impl Look {
    /// Where it began, in good order.
    fn as_before(&self) -> bool {
        self.untouched && self.disorder.is_none()
    }

    /// Neither where it should come to, nor where it began in good order.
    fn half_done(&self) -> bool {
        !(self.reached || self.as_before())
    }
}

/// Waits while somebody's package manager runs, perhaps ours that outlived its worker: it is never killed. Says whether it ended before the
/// clock had passed `until`.
fn wait_for(free: impl Fn() -> bool, clock: impl Fn() -> Moment, until: Moment) -> bool {
    loop {
        if clock() > until {
            return false;
        }
        if free() {
            return true;
        }
        std::thread::sleep(LOOK);
    }
}

/// The end of a text file, at most `most` bytes, from the start of a line.
fn tail(path: &Path, most: usize) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    if bytes.len() <= most {
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let end = &bytes[bytes.len() - most..];
    let from = end.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
    String::from_utf8_lossy(&end[from..]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal;

    /// A worker came to its end, then the device restarted before the agent read it: nothing is owed any more.
    #[test]
    fn a_restart_that_was_owed_in_another_boot_is_not_owed_in_this_one() {
        let job = journal::tests::started(0).1.unwrap();
        let seen = |restart_owed| {
            let wire = Wire {
                observed: vec![],
                not_begun: None,
                disorder: None,
                interrupted: false,
                repaired: false,
                exit: Some(0),
                message: ShortText::default(),
                log: LongText::default(),
                took: 3,
                restart_owed,
                boot_id: "a".to_owned(),
            };
            serde_json::to_vec(&wire).unwrap()
        };
        let owed = |bytes: &[u8], boot| parse_seen(bytes, &job, boot).unwrap().restart_owed;
        assert!(owed(&seen(true), "a") && !owed(&seen(true), "b") && !owed(&seen(false), "a"));
        let earlier = String::from_utf8(seen(true)).unwrap().replace(r#","boot_id":"a""#, "");
        assert!(
            !owed(earlier.as_bytes(), "a"),
            "an earlier worker did not say in which boot"
        );
    }

    /// A worker waits for somebody else's package manager only as long as the permit allows, and says then that nothing was begun.
    #[test]
    fn a_lock_that_is_not_given_back_in_time_is_no_failure() {
        let clock = Cell::new(0);
        let time = || {
            clock.set(clock.get() + 1);
            Moment(clock.get())
        };
        assert!(wait_for(|| true, time, Moment(1)));
        assert!(!wait_for(|| true, time, Moment(1)), "free, and too late");
        clock.set(0);
        assert!(!wait_for(|| false, time, Moment(2)));
        assert!(wait_for(|| clock.get() > 5, time, Moment::MAX), "a recovery waits on");

        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let worker = Worker {
            home: &home,
            folder: folder.path().to_owned(),
            plan: Plan {
                job: journal::tests::started(0).1.unwrap(),
                may_go_back: true,
                begin_by: Some(boot_clock() - domain::Span(1)),
            },
            ran: Cell::new(Duration::ZERO),
        };
        let seen = serde_json::to_vec(&worker.work(true).unwrap()).unwrap();
        let seen = parse_seen(&seen, &worker.plan.job, "a").unwrap();
        assert_eq!(seen.not_begun, Some(ShortText::fit(apt::BUSY)));
        assert!(!folder.path().join(BEGUN).exists() && seen.log.as_str().is_empty());
    }

    #[test]
    fn apts_own_word_for_a_lock_is_known() {
        let said = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (unattended-upgr)\nE: Unable to \
                    acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?\n";
        assert!(apt::found_locked(said) && !apt::found_locked("E: Unable to locate package x\n"));
        let home = Home::at(Path::new("/x"));
        let order = &journal::tests::started(0).1.unwrap().order;
        let (_, args) = apt::waiting(apt::run_args(&home, order), 7);
        let waits: Vec<_> = args.iter().filter(|a| a.contains("Lock::Timeout")).collect();
        assert_eq!(waits, ["-oDPkg::Lock::Timeout=7"]);
    }
}
