//! The network in a process of its own (docs/adr/0009): TLS, HTTP and whatever a server answers are read by a courier that has no rights,
//! no key and no file. The agent signs what goes out, and believes nothing that comes back but what the pinned key has signed.

mod wire;
pub mod work;

use crate::transport::{self, HttpReply, Network};
use protocol::sign::{KEY_HEADER, SIGNATURE_HEADER};
use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, Sender},
    time::{Duration, Instant},
};
use wire::{Ask, Came};

/// The user that is made for it, where an owner wants one that nothing else uses.
const OWN_USER: &str = "patchward-courier";
/// The user of things without rights.
const NOBODY: &str = "nobody";
const NOBODY_ID: u32 = 65_534;
/// Beyond the courier's own limit for a call.
const GRACE: Duration = Duration::from_secs(10);
/// Longest pause before one that ended again and again is followed by another.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// What it may know of the environment: how the device's owner reaches the network.
const PROXY: [&str; 8] = [
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];

/// The agent's end of the line.
pub struct Courier {
    program: PathBuf,
    server: String,
    line: Option<Line>,
    /// How many ended in a row without having brought an answer.
    ended: u32,
    not_before: Option<Instant>,
}

/// A living courier. Its pipes are read and written by a thread, so that one that hangs does not hang the agent.
struct Line {
    child: Child,
    asks: Sender<Ask>,
    came: Receiver<io::Result<Came>>,
}

impl Drop for Line {
    fn drop(&mut self) {
        // It holds nothing that could be lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Courier {
    /// For one server; nothing is started yet.
    ///
    /// # Errors
    /// When the address is not http or https.
    pub fn new(server: &str) -> Result<Self, String> {
        // The running program's own file, even when an update has replaced it under its name.
        Self::with_program(Path::new("/proc/self/exe"), server)
    }

    /// As [`Courier::new`], with this program as the courier.
    ///
    /// # Errors
    /// As [`Courier::new`].
    pub fn with_program(program: &Path, server: &str) -> Result<Self, String> {
        transport::address(server)?;
        Ok(Self {
            program: program.to_owned(),
            server: server.to_owned(),
            line: None,
            ended: 0,
            not_before: None,
        })
    }

    /// The process id of the living courier.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.line.as_ref().map(|line| line.child.id())
    }

    /// The living courier, or a new one.
    fn line(&mut self) -> Result<&Line, String> {
        if let Some(line) = &mut self.line
            && let Ok(Some(status)) = line.child.try_wait()
        {
            self.lost(&format!("it ended by itself ({status})"));
        }
        let line = match self.line.take() {
            Some(line) => line,
            None => self.start()?,
        };
        Ok(self.line.insert(line))
    }

    fn start(&self) -> Result<Line, String> {
        let now = Instant::now();
        if let Some(pause) = self
            .not_before
            .map(|at| at.saturating_duration_since(now))
            .filter(|p| !p.is_zero())
        {
            let seconds = pause.as_secs() + 1;
            return Err(format!(
                "the courier ended {} times in a row; it is started again in {seconds} s",
                self.ended
            ));
        }
        let mut command = Command::new(&self.program);
        command
            .arg0("patchward-agent")
            .args(["courier", &self.server])
            .env_clear()
            .envs(PROXY.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if rustix::process::geteuid().is_root() {
            // Changing the user from root takes the further groups and all capabilities away as well.
            let (user, group) = without_rights(&fs::read_to_string("/etc/passwd").unwrap_or_default());
            command.uid(user).gid(group);
        }
        let mut child = command
            .spawn()
            .map_err(|e| format!("the courier cannot be started without rights: {e}"))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (mut stdin, mut stdout) = pipes.ok_or("the courier has no pipes")?;
        let (asks, asked) = mpsc::channel::<Ask>();
        let (send, came) = mpsc::channel();
        std::thread::spawn(move || {
            for ask in asked {
                let answer = ask.write(&mut stdin).and_then(|()| wire::read_came(&mut stdout));
                let over = answer.is_err();
                if send.send(answer).is_err() || over {
                    return;
                }
            }
        });
        Ok(Line { child, asks, came })
    }

    /// Ends what is left of it. The first is followed by another at once, later ones after a pause that doubles.
    fn lost(&mut self, why: &str) {
        tracing::warn!(why, "the courier is lost");
        self.line = None;
        self.ended = self.ended.saturating_add(1);
        let pause = Duration::from_secs((1 << self.ended.min(7)) - 2).min(LONGEST_PAUSE);
        self.not_before = Some(Instant::now() + pause);
    }
}

impl Network for Courier {
    fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<HttpReply, String> {
        debug_assert!(headers.iter().all(|(n, _)| [KEY_HEADER, SIGNATURE_HEADER].contains(n)));
        let ask = Ask::new(path, headers, body)?;
        let limit = transport::limit(path) + GRACE;
        let line = self.line()?;
        let came = match line.asks.send(ask) {
            Ok(()) => line.came.recv_timeout(limit),
            Err(_) => Err(mpsc::RecvTimeoutError::Disconnected),
        };
        let why = match came {
            Ok(Ok(came)) => {
                (self.ended, self.not_before) = (0, None);
                return came;
            }
            Ok(Err(e)) => format!("the courier broke off: {e}"),
            Err(mpsc::RecvTimeoutError::Timeout) => format!("the courier gave no answer within {} s", limit.as_secs()),
            Err(mpsc::RecvTimeoutError::Disconnected) => "the courier broke off".to_owned(),
        };
        self.lost(&why);
        Err(why)
    }

    fn rest(&mut self) {
        self.line = None;
    }
}

/// User and group of a process without rights, from the text of `/etc/passwd`.
fn without_rights(passwd: &str) -> (u32, u32) {
    let of = |name: &str| {
        let mut fields = passwd.lines().map(|l| l.split(':')).find_map(|mut fields| {
            let own = fields.next() == Some(name);
            own.then_some(fields)
        })?;
        let user = fields.nth(1)?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        // An entry that would give rights is not one to use.
        Some((user, group)).filter(|(user, group)| *user != 0 && *group != 0)
    };
    of(OWN_USER).or_else(|| of(NOBODY)).unwrap_or((NOBODY_ID, NOBODY_ID))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_its_own_or_nobody_and_never_root() {
        let root = "root:x:0:0:root:/root:/bin/bash\n";
        let nobody = "nobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin\n";
        let own = "patchward-courier:x:120:121::/nonexistent:/usr/sbin/nologin\n";
        assert_eq!(without_rights(&format!("{root}{nobody}{own}")), (120, 121));
        assert_eq!(without_rights(&format!("{root}{nobody}")), (65_534, 65_533));
        assert_eq!(without_rights(root), (NOBODY_ID, NOBODY_ID));
        assert_eq!(without_rights(""), (NOBODY_ID, NOBODY_ID));
        assert_eq!(without_rights("nobody:x:0:0::/:/bin/sh\n"), (NOBODY_ID, NOBODY_ID));
    }

    #[test]
    fn one_that_ends_again_and_again_is_started_less_and_less_often() {
        // A program that ends at once, whatever it is asked.
        let mut courier = Courier::with_program(Path::new("/bin/false"), "http://127.0.0.1:9").unwrap();
        let headers = [(KEY_HEADER, "a"), (SIGNATURE_HEADER, "b")];
        let mut post = || courier.post(protocol::v1::CHECK_IN, &headers, b"{}").unwrap_err();
        assert!(post().contains("broke off"));
        // Once may be chance; twice is not.
        assert!(post().contains("broke off"));
        assert!(post().contains("it is started again in"), "no third at once");
        assert_eq!((courier.ended, courier.pid()), (2, None));
        courier.ended = 40;
        courier.lost("test");
        let pause = courier.not_before.unwrap().saturating_duration_since(Instant::now());
        assert!(pause <= LONGEST_PAUSE && pause > LONGEST_PAUSE / 2, "{pause:?}");
    }
}
