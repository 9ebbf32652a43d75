//! `cargo xtask run`: from a fresh checkout to a running console with this machine as its first device.

use crate::RunArgs;
use crate::process::{cargo, must_succeed, output_of, root, stop, target_dir};
use crate::site::{self, Profile};
use crate::steps::Steps;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A first start migrates an empty database: seconds. Longer means that something is wrong.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// A demonstration makes its history first, and says how far it is: so long it may stay without a word.
const DEMO_PATIENCE: Duration = Duration::from_secs(300);
/// How often a waiting loop looks whether Ctrl-C was pressed or a child has ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The last lines of a log that are shown when a program ends by itself.
const LAST_LINES: usize = 15;
/// Says that this machine is enrolled already, so that a second start does not ask for a second device.
const ENROLLED: &str = "enrolled";

/// Children that must not outlive us.
#[derive(Default)]
struct Children(Mutex<Vec<(&'static str, Child)>>);

impl Children {
    fn add(&self, name: &'static str, child: Child) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((name, child));
    }

    /// The last started first: the agent may still say goodbye to the server.
    fn stop_all(&self) {
        let mut children = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((_, mut child)) = children.pop() {
            stop(&mut child);
        }
    }

    /// The name of a child that has ended by itself, once.
    fn ended(&self) -> Option<&'static str> {
        let mut children = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = children
            .iter_mut()
            .position(|(_, child)| matches!(child.try_wait(), Ok(Some(_))))?;
        Some(children.remove(index).0)
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.stop_all();
    }
}

/// What the server says about itself on stdout.
enum Said {
    Listening(String),
    SignIn(String),
    /// How far it is with what it makes first.
    Making(String),
}

pub(crate) fn run(args: &RunArgs) -> Result<ExitCode> {
    let stopping = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stopping);
    ctrlc::set_handler(move || seen.store(true, Ordering::SeqCst)).context("cannot watch for Ctrl-C")?;

    let enrols = !args.no_enrol && !args.demo;
    let mut steps = Steps::new(if enrols { 4 } else { 3 });
    // Debug by default: on a bare machine it is ready a little sooner than an optimised build, and every later start
    // after a change takes seconds instead of a minute. `--release` builds what one would install.
    let profile = Profile::of(args.release);
    let site = steps.step("Building the browser part", || site::build(profile))?;
    if site.fresh {
        println!("      nothing changed since the last build");
    }
    steps.step(
        if enrols {
            "Building server and agent"
        } else {
            "Building the server"
        },
        || {
            let mut build = cargo(["build", "-p", "server"]);
            if enrols {
                build.args(["-p", "agent"]);
            }
            if args.release {
                build.arg("--release");
            }
            must_succeed(&mut build)
        },
    )?;
    let bin = target_dir().join(if args.release { "release" } else { "debug" });
    let data = root().join(&args.data);
    let logs = data.join("logs");
    std::fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;

    let children = Children::default();
    let (tell, said) = channel();
    let (url, mut sign_in) = steps.step("Starting the server", || {
        let mut server = Command::new(bin.join("patchward"));
        if args.demo {
            server.arg("demo");
            for (name, number) in [("--devices", args.devices), ("--days", args.days)] {
                if let Some(number) = number {
                    server.arg(name).arg(number.to_string());
                }
            }
        } else {
            server.arg("serve").arg("--data").arg(&data);
        }
        server.arg("--listen").arg(format!("127.0.0.1:{}", args.port));
        let child = start(&mut server, &logs.join("server.log"), args.open_log, Some(tell))?;
        children.add("the server", child);
        let patience = if args.demo { DEMO_PATIENCE } else { START_PATIENCE };
        wait_for_server(&said, &children, &stopping, &logs.join("server.log"), patience)
    })?;
    if enrols && !stopping.load(Ordering::SeqCst) {
        steps.step("Enrolling this machine (scan only)", || {
            enrol(&bin, &data, &url)?;
            let mut agent = Command::new(bin.join("patchward-agent"));
            agent.arg("run").arg("--state-dir").arg(agent_state(&data));
            children.add(
                "the agent",
                start(&mut agent, &logs.join("agent.log"), args.open_log, None)?,
            );
            Ok(())
        })?;
    }

    while let Ok(Said::SignIn(link)) = said.try_recv() {
        sign_in = Some(link);
    }
    println!("\nPatchward is running:  {url}");
    if let Some(link) = &sign_in {
        println!("Sign in (first admin): {link}");
    }
    if args.demo {
        println!("A demonstration: nothing of it stays.   Logs: {}", logs.display());
    } else {
        println!("Data: {}   Logs: {}", data.display(), logs.display());
        // Pages tell commands as they are on a server where it was installed.
        println!(
            "For `patchward` type:  {} --data {}",
            bin.join("patchward").display(),
            data.display()
        );
    }
    println!("Stop with Ctrl-C.");
    std::io::stdout().flush()?;

    while !stopping.load(Ordering::SeqCst) {
        if let Ok(Said::SignIn(link)) = said.try_recv() {
            println!("Sign in (first admin): {link}");
        }
        if let Some(name) = children.ended() {
            let log = logs.join(if name == "the agent" { "agent.log" } else { "server.log" });
            eprintln!("{name} has stopped by itself; the end of its log:\n{}", tail(&log));
            if name == "the server" {
                return Ok(ExitCode::FAILURE);
            }
        }
        std::thread::sleep(LOOK_EVERY);
    }
    println!("\nStopping ...");
    children.stop_all();
    Ok(ExitCode::SUCCESS)
}

fn agent_state(data: &Path) -> PathBuf {
    data.join("this-machine")
}

/// Gets a one-time token from the server's own command line and enrols with it; once.
fn enrol(bin: &Path, data: &Path, url: &str) -> Result<()> {
    let state = agent_state(data);
    std::fs::create_dir_all(&state)?;
    if state.join(ENROLLED).exists() {
        println!("      already enrolled");
        return Ok(());
    }
    let mut admin = Command::new(bin.join("patchward"));
    admin.args(["admin", "token", "new", "--data"]).arg(data);
    admin.args(["--scan-only", "--accept", "--label", "this machine", "--plain"]);
    let token = output_of(&mut admin)?;
    let mut agent = Command::new(bin.join("patchward-agent"));
    agent
        .args(["enroll", url, token.trim(), "--state-dir"])
        .arg(&state)
        .arg("--scan-only");
    must_succeed(&mut agent)?;
    std::fs::write(state.join(ENROLLED), "")?;
    Ok(())
}

/// Starts a program in a process group of its own (Ctrl-C then reaches only us, and we stop it in order), with its
/// output in a log file.
fn start(command: &mut Command, log: &Path, show: bool, tell: Option<Sender<Said>>) -> Result<Child> {
    use std::os::unix::process::CommandExt;
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if let Some(stdout) = child.stdout.take() {
        copy_lines(stdout, file.try_clone()?, show, tell);
    }
    if let Some(stderr) = child.stderr.take() {
        copy_lines(stderr, file, show, None);
    }
    Ok(child)
}

fn copy_lines(from: impl std::io::Read + Send + 'static, mut log: File, show: bool, tell: Option<Sender<Said>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _log_full = writeln!(log, "{line}");
            if show {
                println!("{line}");
            }
            if let Some(tell) = &tell
                && let Some(said) = understand(&line)
            {
                let _nobody_listens = tell.send(said);
            }
        }
    });
}

fn understand(line: &str) -> Option<Said> {
    if line.starts_with("Making ") {
        return Some(Said::Making(line.to_owned()));
    }
    let link = line
        .split_whitespace()
        .find(|word| word.starts_with("http"))?
        .trim_end_matches(['.', ',']);
    if line.contains("/sign-in/link/") {
        Some(Said::SignIn(link.to_owned()))
    } else if line.contains("listening on ") {
        Some(Said::Listening(link.trim_end_matches('/').to_owned()))
    } else {
        None
    }
}

fn wait_for_server(
    said: &Receiver<Said>,
    children: &Children,
    stopping: &AtomicBool,
    log: &Path,
    patience: Duration,
) -> Result<(String, Option<String>)> {
    let mut deadline = Instant::now() + patience;
    let mut sign_in = None;
    loop {
        match said.recv_timeout(LOOK_EVERY) {
            Ok(Said::Listening(url)) => return Ok((url, sign_in)),
            Ok(Said::SignIn(link)) => sign_in = Some(link),
            Ok(Said::Making(line)) => {
                println!("      {line}");
                deadline = Instant::now() + patience;
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        if children.ended().is_some() {
            bail!("the server did not start; the end of its log:\n{}", tail(log));
        }
        if stopping.load(Ordering::SeqCst) {
            bail!("stopped");
        }
        if Instant::now() > deadline {
            bail!(
                "the server did not say that it listens; the end of its log:\n{}",
                tail(log)
            );
        }
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_understood() {
        assert!(
            matches!(understand("listening on http://127.0.0.1:8480"), Some(Said::Listening(url)) if url == "http://127.0.0.1:8480")
        );
        let line = "first administrator: sign in at http://127.0.0.1:8480/sign-in/link/abc (once, one hour)";
        assert!(matches!(understand(line), Some(Said::SignIn(link)) if link.ends_with("/abc")));
        let line = "Making 40 days of history for 30 devices: 10 %";
        assert!(matches!(understand(line), Some(Said::Making(said)) if said == line));
        assert!(understand("ready").is_none());
    }
}
