//! Runs other programs: never through a shell, with a cleaned environment, and with a limit on time and output.

use std::{
    ffi::OsStr,
    io::Read,
    process::{Command, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

/// Most bytes kept of one program's output. `apt-cache show` of 5,000 updates has about 12 MiB.
const MAX_OUTPUT: u64 = 32 * 1024 * 1024;

/// How often a long wait looks whether the process is asked to end.
const LOOK: Duration = Duration::from_millis(100);

/// The process is asked to end. One for the whole process, as the signal is.
static STOPPING: AtomicBool = AtomicBool::new(false);

/// From now on no download is waited for. For a signal handler.
pub fn stop_downloads() {
    STOPPING.store(true, Ordering::Relaxed);
}

/// Whether the process is asked to end.
#[must_use]
pub fn stopping() -> bool {
    STOPPING.load(Ordering::Relaxed)
}

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("cannot run {program}: {error}")]
    Start {
        /// The program.
        program: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// It ran longer than allowed and was stopped. Only for programs that change nothing.
    #[error("{program} gave no answer within {seconds} s")]
    TimedOut {
        /// The program.
        program: String,
        /// The limit.
        seconds: u64,
    },
    /// The agent is asked to end, and ended it.
    #[error("{program} was ended, because the agent is")]
    Stopped {
        /// The program.
        program: String,
    },
}

/// What a program answered.
#[derive(Debug, Default)]
pub struct Answer {
    /// Exit code; absent when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// From its start to its end.
    pub took: Duration,
}

impl Answer {
    /// Exit code 0.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// The line that says what went wrong: the last `E:` line, else the last line of all.
    #[must_use]
    pub fn complaint(&self) -> String {
        complaint(&self.err)
            .or_else(|| complaint(&self.out))
            .unwrap_or_else(|| format!("exit code {:?}", self.code))
    }
}

/// The last `E:` line of a package manager's output, else its last line that says anything.
#[must_use]
pub fn complaint(text: &str) -> Option<String> {
    let lines = || text.lines().map(str::trim).filter(|l| !l.is_empty());
    lines()
        .rfind(|l| l.starts_with("E: ") || l.starts_with("dpkg: error"))
        .or(lines().next_back())
        .map(str::to_owned)
}

/// A command with a clean environment: nothing of whoever started the agent reaches a package manager, except the proxy settings
/// that the device's owner gave.
#[must_use]
pub fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null()).current_dir("/");
    command.envs([
        ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/root"),
        // The texts that are parsed here are stable in the C locale only.
        ("LC_ALL", "C.UTF-8"),
        ("DEBIAN_FRONTEND", "noninteractive"),
        // Both hook into apt, take seconds, print to its output and may ask.
        ("NEEDRESTART_SUSPEND", "1"),
        ("APT_LISTCHANGES_FRONTEND", "none"),
    ]);
    for name in ["http_proxy", "https_proxy", "no_proxy"] {
        if let Ok(value) = std::env::var(name) {
            command.env(name, value);
        }
    }
    command
}

/// Runs a program that changes nothing on the device (or only indexes) and collects what it says.
///
/// # Errors
/// [`CommandError`] when it cannot be started or takes longer than `limit`.
pub fn ask<S: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = S>,
    limit: Duration,
) -> Result<Answer, CommandError> {
    ask_in(program, args, limit, "/")
}

/// As [`ask`], in a folder.
///
/// # Errors
/// As [`ask`].
pub fn ask_in<S: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = S>,
    limit: Duration,
    folder: &str,
) -> Result<Answer, CommandError> {
    answer(program, args, limit, folder, false)
}

/// As [`ask_in`], for what may take hours and can be begun anew: it is ended when the agent is asked to end.
///
/// # Errors
/// As [`ask`].
pub fn download<S: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = S>,
    limit: Duration,
    folder: &str,
) -> Result<Answer, CommandError> {
    answer(program, args, limit, folder, true)
}

fn answer<S: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = S>,
    limit: Duration,
    folder: &str,
    stoppable: bool,
) -> Result<Answer, CommandError> {
    let began = Instant::now();
    let mut child = clean(program)
        .args(args)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| CommandError::Start {
            program: program.to_owned(),
            error,
        })?;
    let (send, receive) = mpsc::channel();
    let read = |pipe: Option<Box<dyn Read + Send>>, which: bool| {
        let send = send.clone();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                let _ = pipe.by_ref().take(MAX_OUTPUT).read_to_end(&mut bytes);
                // The rest is read and dropped, so that the program does not block on a full pipe.
                let _ = std::io::copy(&mut pipe, &mut std::io::sink());
            }
            let _ = send.send((which, bytes));
        });
    };
    read(child.stdout.take().map(|p| Box::new(p) as Box<dyn Read + Send>), true);
    read(child.stderr.take().map(|p| Box::new(p) as Box<dyn Read + Send>), false);
    let end = began + limit;
    let mut answer = Answer::default();
    for _ in 0..2 {
        let (is_out, bytes) = loop {
            let left = end.saturating_duration_since(Instant::now());
            if let Ok(said) = receive.recv_timeout(left.min(LOOK)) {
                break said;
            }
            let program = program.to_owned();
            let error = if stoppable && stopping() {
                CommandError::Stopped { program }
            } else if left.is_zero() {
                let seconds = limit.as_secs();
                CommandError::TimedOut { program, seconds }
            } else {
                continue;
            };
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        };
        let text = String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        if is_out {
            answer.out = text;
        } else {
            answer.err = text;
        }
    }
    answer.code = child.wait().ok().and_then(|s| s.code());
    answer.took = began.elapsed();
    Ok(answer)
}
