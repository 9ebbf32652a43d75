//! The command line.

use crate::{
    command,
    config::{Enrolment, Home, LOCAL_POLICY, LocalPolicy, STATE_DIR},
    courier::{self, Courier},
    device::ThisDevice,
    driver::{self, Contact, Driver},
    enroll::{self, Wish},
    files,
    identity::Identity,
    installer::worker,
    inventory::{self, Manager, ScanSettings},
    journal::Journal,
    machine::{End, Kept},
    restart::Step,
    transport::{self, Transport},
};
use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use domain::Span;
use protocol::v1::{Brake, DeviceNotice, Inventory, RebootReason};
use rustix::fs::FlockOperation;
use std::{
    fs::OpenOptions,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc,
};

/// Scans this device for missing updates, installs exactly the permitted versions, and can go back.
#[derive(Parser)]
#[command(name = "patchward-agent", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Folder {
    /// Where the agent keeps its key, journal and copies.
    #[arg(long, default_value = STATE_DIR, env = "PATCHWARD_AGENT_STATE")]
    state_dir: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Make this device known to a server, with a one-time token from its page or from `patchward admin`.
    Enroll {
        /// Address of the server, e.g. https://patchward.example
        url: String,
        /// The token (pwe_...); it also names the server's key, so that no other server is believed.
        token: String,
        #[command(flatten)]
        folder: Folder,
        /// Never install here, whatever the server says.
        #[arg(long)]
        scan_only: bool,
        /// Enrol anew with a new key, e.g. after the device was revoked.
        #[arg(long)]
        again: bool,
    },
    /// Work: check in, scan, report, install what is permitted. This is what the service runs.
    Run {
        #[command(flatten)]
        folder: Folder,
        /// Stop when there is nothing left to do now.
        #[arg(long)]
        once: bool,
    },
    /// Show what a report would say. Asks no server.
    Scan {
        #[command(flatten)]
        folder: Folder,
        /// The whole report as JSON.
        #[arg(long)]
        json: bool,
        /// Fetch the indexes first, whatever their age (needs root).
        #[arg(long)]
        refresh: bool,
    },
    /// Show where this device stands.
    Status {
        #[command(flatten)]
        folder: Folder,
    },
    /// Show upcoming installs.
    Notices {
        #[command(flatten)]
        folder: Folder,
    },
    /// Runs the package manager for one attempt.
    #[command(hide = true)]
    Worker {
        /// `run` or `recover`.
        mode: String,
        /// The journal's record of the start: 32 hex digits.
        started: String,
        #[command(flatten)]
        folder: Folder,
    },
    /// Carries messages between the agent and its server; started by the agent, without rights.
    #[command(hide = true)]
    Courier {
        /// Address of the server.
        server: String,
    },
}

const NO_MANAGER: &str =
    "no supported package manager on this device (dpkg with apt); only the device's facts are reported";

/// Parses the command line and runs it. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the server has revoked this device.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("PATCHWARD_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .init();
    match dispatch(cli.command) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("patchward-agent: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode> {
    match command {
        Command::Enroll {
            url,
            token,
            folder,
            scan_only,
            again,
        } => make_known(&url, &token, &folder.home(), scan_only, again)?,
        Command::Run { folder, once } => return run(&folder.home(), once),
        Command::Scan { folder, json, refresh } => scan(&folder.home(), json, refresh)?,
        Command::Status { folder } => status(&folder.home())?,
        Command::Notices { folder } => notices(&folder.home())?,
        Command::Worker { mode, started, folder } => worker::main(&folder.home(), &started, mode == "run")?,
        Command::Courier { server } => courier::work::main(&server)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Folder {
    fn home(&self) -> Home {
        Home::at(&self.state_dir)
    }
}

fn make_known(url: &str, token: &str, home: &Home, scan_only: bool, again: bool) -> Result<()> {
    transport::token_key_id(token).map_err(anyhow::Error::msg)?;
    let mut network = Courier::new(url).map_err(anyhow::Error::msg)?;
    home.create()?;
    let _only = lock(home)?;
    if url.starts_with("http://") && !["//127.", "//localhost", "//[::1]"].iter().any(|l| url.contains(l)) {
        eprintln!(
            "note: {url} is not encrypted; others on the way can read the token and the reports (they cannot change them)"
        );
    }
    let wish = Wish {
        server: url,
        token,
        scan_only,
        again,
    };
    let reply = enroll::enroll(&mut network, home, wish)?;
    println!(
        "enrolled as device {} ({}), key {}",
        reply.device, reply.state, reply.key_id
    );
    if reply.state == domain::DeviceState::Pending {
        println!("compare that key with the one on the server's page before you accept the device there");
    }
    if Manager::find().is_none() {
        println!("{NO_MANAGER}");
    }
    Ok(())
}

/// One agent per folder: two would use one key and one sequence of numbers.
fn lock(home: &Home) -> Result<std::fs::File> {
    let path = home.path("agent.lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|e| files::named("cannot open", &path, &e))?;
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let folder = home.folder().display();
        bail!("another patchward-agent works in {folder}; stop it first: systemctl stop patchward-agent");
    }
    Ok(file)
}

fn run(home: &Home, once: bool) -> Result<ExitCode> {
    if enroll::unfinished(home) {
        let _only = lock(home)?;
        enroll::finish(home)?;
    }
    let Some(enrolment) = home
        .load::<Enrolment>(Enrolment::FILE)
        .with_context(|| "cannot read the enrolment")?
    else {
        bail!("this device is not enrolled; run: patchward-agent enroll <url> <token>");
    };
    let _only = lock(home)?;
    let identity = Identity::find(home)?.context("the device's key is gone; enrol again with --again")?;
    let server_key = enrolment
        .server_key()
        .context("the enrolment holds no server key; enrol again with --again")?;
    let (mut local, complaint) = LocalPolicy::read(Path::new(LOCAL_POLICY));
    if let Some(complaint) = complaint {
        tracing::error!("{complaint}");
    }
    local.scan_only |= enrolment.scan_only;
    if Manager::find().is_none() {
        tracing::warn!("{NO_MANAGER}");
    }
    let network = Courier::new(&enrolment.server).map_err(anyhow::Error::msg)?;
    let transport = Transport::open(network, home.clone(), identity, server_key)?;
    let device = ThisDevice::new(home.clone(), local);
    let mut driver = Driver::open(home.clone(), transport, device, local)?;
    let (send, stop) = mpsc::channel();
    ctrlc::set_handler(move || {
        // First the word, then the end of what it waits for: the end alone would look like a failed download.
        let _ = send.send(());
        command::stop_downloads();
    })?;
    tracing::info!(device = %enrolment.device, server = enrolment.server, scan_only = local.scan_only, "started");
    let end = driver.run(once, &stop)?;
    // Ends its courier with it: a new program in this process would not know of that child.
    drop(driver);
    Ok(match end {
        End::Stopped | End::Done => ExitCode::SUCCESS,
        End::Renewed => return renew(),
        End::NoAnswer => ExitCode::FAILURE,
        End::Revoked => {
            tracing::error!(
                "the server has revoked this device; it does nothing any more. To come back: enroll --again"
            );
            ExitCode::from(3)
        }
    })
}

/// Goes on as a new process with the files that are installed now; the service manager sees the same process id.
fn renew() -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    tracing::info!("an update replaced files that the agent runs; it starts anew");
    let own = std::env::current_exe()?;
    let own = own.to_string_lossy();
    let error = std::process::Command::new(own.trim_end_matches(" (deleted)"))
        .args(std::env::args_os().skip(1))
        .exec();
    Err(error).context("cannot start anew")
}

fn scan(home: &Home, json: bool, refresh: bool) -> Result<()> {
    if Manager::find().is_none() {
        tracing::warn!("no supported package manager on this device (dpkg with apt)");
    }
    if let Err(e) = home.create() {
        tracing::debug!(error = %e, "without a folder of its own: nothing is cached");
    }
    let interval = Span(i64::from(Kept::default().policy.scan_interval));
    let inventory = inventory::scan(&ScanSettings {
        home,
        now: driver::wall_clock(),
        interval,
        refresh,
    })?;
    if json {
        println!("{}", serde_json::to_string_pretty(&inventory)?);
    } else {
        print_inventory(&inventory);
    }
    Ok(())
}

fn print_inventory(i: &Inventory) {
    let security = i.updates.iter().filter(|u| u.security).count();
    println!(
        "{} ({}, kernel {}): {} packages installed",
        i.host.hostname,
        i.host.os_name,
        i.host.kernel,
        i.packages.len()
    );
    println!("{} updates, {security} from a security origin", i.updates.len());
    for u in &i.updates {
        let from = u
            .installed
            .as_ref()
            .map_or_else(|| "new".to_owned(), ToString::to_string);
        let brake = match &u.brake {
            None => String::new(),
            Some(Brake::Held) => "  [held]".to_owned(),
            Some(Brake::Phased { percent }) => format!("  [phased: {percent} %]"),
            Some(Brake::Pinned { priority }) => format!("  [pinned: {priority}]"),
        };
        println!(
            "  {}{} {from} -> {}{brake}",
            if u.security { "! " } else { "  " },
            u.name,
            u.version
        );
    }
    for s in i.sources.iter().filter(|s| s.error.is_some()) {
        println!(
            "source {} could not be read: {}",
            s.name,
            s.error.as_ref().map_or("", |e| e.as_str())
        );
    }
    for reason in &i.reboot {
        match reason {
            RebootReason::FlagFile { .. } => println!("restart owed: /run/reboot-required exists"),
            RebootReason::Kernel { running, installed } => {
                println!("restart owed: kernel {running} runs, {installed} is installed")
            }
            RebootReason::CoreProcess { process, file } => println!("restart owed: {process} runs a replaced {file}"),
        }
    }
    if i.on_battery == Some(true) {
        println!("runs on battery");
    }
    if let Some(unread) = i.processes_unread.filter(|n| *n > 0) {
        println!("{unread} processes could not be looked at; services on old files may be missing here");
    }
    for s in &i.services {
        println!(
            "restart of {} owed: process {} runs a replaced {}",
            s.unit, s.pid, s.file
        );
    }
    if let Some(error) = &i.manager_error {
        println!("the package manager is not in order: {error}");
    }
}

fn status(home: &Home) -> Result<()> {
    let Some(enrolment) = home.load::<Enrolment>(Enrolment::FILE)? else {
        println!("not enrolled");
        return Ok(());
    };
    let kept: Kept = home.load(driver::KEPT_FILE)?.unwrap_or_default();
    let standing = kept.standing.map_or("not told yet", |s| s.label());
    println!("device {} at {}: {standing}", enrolment.device, enrolment.server);
    println!("key {}", enrolment.key_id);
    match home.load::<Contact>(driver::CONTACT_FILE)? {
        Some(contact) => println!("last answer from the server {}", contact.at.rfc3339()),
        None => println!("the server has not answered yet"),
    }
    if kept.unreported {
        println!(
            "the last report was not taken, and the server holds an earlier one or none; the agent's log says why"
        );
    }
    let (local, complaint) = LocalPolicy::read(Path::new(LOCAL_POLICY));
    println!(
        "local policy: scan_only {}, allow_reboot {}, allow_rollback {}",
        local.scan_only || enrolment.scan_only,
        local.allow_reboot,
        local.allow_rollback
    );
    if let Some(complaint) = complaint {
        println!("{complaint}");
    }
    let limit = kept
        .policy
        .rate_kib
        .map_or_else(|| "no limit".to_owned(), |k| format!("{k} KiB/s"));
    println!(
        "server policy {}: scan every {} s, downloads {limit}, restart {}",
        kept.policy.version,
        kept.policy.scan_interval,
        kept.policy.reboot.label().to_lowercase()
    );
    match Journal::peek(&home.path(driver::JOURNAL_FILE)) {
        Ok(journal) => print_journal(&journal),
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        // It holds what the package manager said, paths of this device among it.
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            println!("what it is doing now, and which results wait for the server, is told to root only");
        }
        Err(e) => return Err(e).context(format!("cannot read {}", home.path(driver::JOURNAL_FILE).display())),
    }
    Ok(())
}

fn print_journal(journal: &Journal) {
    println!("{} results not yet taken by the server", journal.unsettled().len());
    if let Some((record, job)) = journal.open_job() {
        println!(
            "attempt {} on patch {} is open since {}",
            record.attempt,
            job.order.patch,
            record.at.rfc3339()
        );
    }
    if let Some(restart) = journal.restart() {
        let at = restart.at.rfc3339();
        match &restart.step {
            Step::Owed if restart.boot_id != inventory::os::boot_id() => {}
            Step::Owed => println!("the last attempt asks for a restart since {at}"),
            Step::Ordered => println!("the restart that the last attempt asks for was ordered at {at}"),
            Step::Missed { why } => println!("the device was not restarted by the agent ({at}): {why}"),
            Step::Seen => {}
        }
    }
}

fn notices(home: &Home) -> Result<()> {
    let all: Vec<DeviceNotice> = home.load(driver::NOTICES_FILE)?.unwrap_or_default();
    if all.is_empty() {
        println!("nothing is planned");
    }
    for notice in all {
        println!(
            "{}: not before {}; to report a problem: {}",
            notice.title,
            notice.earliest.rfc3339(),
            notice.link
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// Every command and every argument says what it is for.
    fn explained(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        assert!(command.get_about().is_some(), "{path} has no description");
        for arg in command.get_arguments() {
            assert!(arg.get_help().is_some(), "{path}: {} is not explained", arg.get_id());
        }
        command.get_subcommands().for_each(|c| explained(c, &path));
    }

    #[test]
    fn who_may_not_or_has_to_wait_is_told_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let _only = lock(&home).unwrap();
        let said = lock(&home).unwrap_err().to_string();
        assert!(
            said.ends_with("stop it first: systemctl stop patchward-agent"),
            "{said}"
        );
        let denied = std::io::Error::from(ErrorKind::PermissionDenied);
        let said = files::named("cannot open", &home.path("agent.lock"), &denied).to_string();
        assert!(
            said.contains("agent.lock: ") && said.ends_with("(try again as root)"),
            "{said}"
        );
    }

    #[test]
    fn every_command_explains_itself() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        let names: Vec<_> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
        for name in ["enroll", "run", "scan", "status", "notices"] {
            assert!(names.iter().any(|n| n == name), "{name}");
        }
        command
            .get_subcommands()
            .filter(|c| c.get_name() != "help")
            .for_each(|c| explained(c, ""));
    }

    /// The people in front of a device ask how it stands; its secrets are the agent's alone.
    #[test]
    fn how_a_device_stands_is_read_by_everybody_and_its_secrets_are_not() {
        use std::os::unix::fs::{PermissionsExt, chown};
        use std::os::unix::process::CommandExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let home = Home::at(folder.path());
        let identity = Identity::open(&home).unwrap();
        drop(identity);
        drop(Journal::open(&home.path(driver::JOURNAL_FILE)).unwrap());
        let enrolment = Enrolment {
            server: "https://patchward.example".to_owned(),
            server_key: hex::encode([7; 32]),
            device: domain::DeviceId(1),
            key_id: "ab".repeat(32),
            scan_only: false,
        };
        // What a crash left of an earlier, private write does not keep the file private.
        std::fs::write(home.path("enrolment.new"), "half").unwrap();
        std::fs::set_permissions(home.path("enrolment.new"), std::fs::Permissions::from_mode(0o600)).unwrap();
        home.publish(Enrolment::FILE, &enrolment).unwrap();
        home.publish(driver::KEPT_FILE, &Kept::default()).unwrap();
        let mode = |name: &str| home.path(name).metadata().unwrap().permissions().mode() & 0o777;
        for (name, bits) in [
            (Enrolment::FILE, 0o644),
            (driver::KEPT_FILE, 0o644),
            ("device.key", 0o600),
            (driver::JOURNAL_FILE, 0o600),
        ] {
            assert_eq!(mode(name), bits, "{name}");
        }
        if !rustix::process::geteuid().is_root() {
            return;
        }
        // As somebody else: what is meant for all is read, the key is not.
        chown(home.path("device.key"), Some(0), Some(0)).unwrap();
        let cat = |name: &str| {
            let mut cat = std::process::Command::new("cat");
            cat.arg(home.path(name))
                .uid(65_534)
                .gid(65_534)
                .output()
                .unwrap()
                .status
        };
        assert!(cat(Enrolment::FILE).success() && cat(driver::KEPT_FILE).success());
        assert!(!cat("device.key").success() && !cat(driver::JOURNAL_FILE).success());
    }
}
