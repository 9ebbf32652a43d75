//! The administration socket: how the command line reaches a server that holds the database. One line of JSON each way.
//!
//! Only processes of the server's own user (or root) are answered: whoever can read the database file could do the same to it directly.

use crate::cli::host::{self, HostCommand, HostReply};
use crate::state::AppState;
use anyhow::{Context as _, Result};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

const NAME: &str = "admin.sock";
/// A command is short; so much is read of it.
const COMMAND_MAX: u64 = 64 * 1024;
/// A client that connects and says nothing is left.
const SAY_WITHIN: Duration = Duration::from_secs(5);
/// A backup of a large database takes its time; everything else is quick.
const ANSWER_WITHIN: Duration = Duration::from_secs(15 * 60);

type Answer = std::result::Result<HostReply, String>;

/// The socket's path in a form that fits: the kernel takes at most 107 bytes, and data folders may lie deep.
struct Place {
    path: PathBuf,
    _folder: std::fs::File,
}

impl Place {
    fn of(data: &Path) -> std::io::Result<Self> {
        let folder = std::fs::File::open(data)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()));
        Ok(Self { path, _folder: folder })
    }
}

/// Opens the socket. The caller holds the database's lock, so a file that is left there belongs to nobody.
///
/// # Errors
/// When it cannot be made.
pub fn listen(data: &Path) -> Result<UnixListener> {
    let named = data.join(NAME);
    let what = || format!("cannot make the administration socket {}", named.display());
    match std::fs::remove_file(&named) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(what),
    }
    let place = Place::of(data).with_context(what)?;
    // The umask of `serve` makes it 0600 from its first moment.
    UnixListener::bind(&place.path).with_context(what)
}

/// Takes the socket away, at the end of a server that still holds the lock. A file left by a crash does no harm.
pub fn remove(data: &Path) {
    let _ = std::fs::remove_file(data.join(NAME));
}

/// Answers until the server stops.
pub async fn serve(listener: UnixListener, state: AppState) {
    let own = rustix::process::geteuid().as_raw();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept on the administration socket");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = state.stop.wait() => return,
        };
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == own || peer.uid() == 0 => {
                let state = state.clone();
                tokio::spawn(async move {
                    if let Err(error) = answer(stream, &state).await {
                        tracing::warn!(%error, "an administration command was not answered");
                    }
                });
            }
            Ok(peer) => tracing::warn!(uid = peer.uid(), "refused on the administration socket: another user"),
            Err(error) => tracing::warn!(%error, "refused on the administration socket: unknown user"),
        }
    }
}

async fn answer(stream: UnixStream, state: &AppState) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    tokio::time::timeout(SAY_WITHIN, (&mut stream).take(COMMAND_MAX).read_line(&mut line)).await??;
    let answer: Answer = match serde_json::from_str::<HostCommand>(&line) {
        Ok(HostCommand::Metrics) => state
            .metrics
            .text(&state.service)
            .await
            .map(HostReply::Text)
            .map_err(|error| error.to_string()),
        Ok(command) => host::run(&state.service, command).await,
        Err(error) => Err(format!(
            "this server does not know that command ({error}); is it of another version?"
        )),
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    stream.get_mut().write_all(&text).await?;
    stream.get_mut().shutdown().await?;
    Ok(())
}

/// Asks the running server; `None` when there is none.
///
/// # Errors
/// When one is there but does not answer as it should.
pub async fn ask(data: &Path, command: &HostCommand) -> Result<Option<Answer>> {
    let place = Place::of(data).with_context(|| format!("cannot open the data folder {}", data.display()))?;
    let stream = match UnixStream::connect(&place.path).await {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error).context("cannot reach the administration socket"),
    };
    let mut text = serde_json::to_vec(command)?;
    text.push(b'\n');
    let talk = async {
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(&text).await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        Ok::<_, std::io::Error>(line)
    };
    let line = tokio::time::timeout(ANSWER_WITHIN, talk)
        .await
        .context("the server did not answer in time")?
        .context("the server broke off; look into its log whether the command was carried out")?;
    if line.is_empty() {
        anyhow::bail!("the server closed the administration socket without an answer; are you the user it runs as?");
    }
    serde_json::from_str(&line)
        .map(Some)
        .context("the server's answer is not understood; is it of another version?")
}
