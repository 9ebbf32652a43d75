//! `patchward serve`: the console, from start to orderly end.

use crate::cli::args::{Log, Serve};
use crate::cli::{clock, private_files, socket};
use crate::http::serve::serve;
use crate::state::{AppState, Reach, Stop};
use anyhow::{Context as _, Result, bail};
use domain::Role;
use service::{Actor, Service, Settings};
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Last contacts are written together this often; a crash forgets at most so many seconds of them.
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// What time brings is looked at least this often, whatever the last look said.
const TICK_AT_LEAST: Duration = Duration::from_secs(30);
/// And not more often than this.
const TICK_AT_MOST: Duration = Duration::from_secs(1);
/// The account that the first start makes.
const FIRST_ACCOUNT: &str = "admin";

/// Serves until SIGTERM or Ctrl-C.
///
/// # Errors
/// Why it could not start.
pub async fn run(data: PathBuf, arguments: Serve) -> Result<()> {
    start_log(arguments.log);
    run_with(Settings::new(data), arguments, |_| std::future::ready(())).await
}

/// The same on settings of the caller's, with something that lives beside the server until it stops.
///
/// # Errors
/// Why it could not start.
pub async fn run_with<F>(mut settings: Settings, arguments: Serve, beside: impl FnOnce(Service) -> F) -> Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    check_reach(&arguments)?;
    private_files();
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}; is another program using it?", arguments.listen))?;
    let address = listener.local_addr()?;
    settings.public_url = public_url(arguments.public_url.as_deref(), address)?;
    settings.poll_seconds = arguments.poll_seconds;
    let service = Service::open(settings, clock()).await?;
    let state = AppState::new(
        service.clone(),
        Reach {
            behind_proxy: arguments.behind_proxy,
        },
    );
    let commands = socket::listen(&service.settings().data)?;

    stop_on_signal(state.stop().clone())?;
    let background = tokio::spawn(keep_working(state.clone()));
    let administration = tokio::spawn(socket::serve(commands, state.clone()));
    let link = first_sign_in(&service)
        .await
        .context("cannot make the first administrator")?;
    announce(address, link.as_deref())?;
    tracing::info!(%address, public_url = %service.settings().public_url, data = %service.settings().data.display(), "serving");

    let beside = tokio::spawn(beside(service.clone()));
    serve(listener, crate::router(state.clone()), state.stop().clone()).await;
    beside.abort();

    // Both end on the same signal; neither may write after the last flush.
    let _ = background.await;
    let _ = administration.await;
    socket::remove(&service.settings().data);
    service
        .flush_contacts()
        .await
        .context("the last contacts of some devices were not written")?;
    service.close().await;
    tracing::info!("stopped");
    Ok(())
}

pub(crate) fn start_log(form: Log) {
    let filter = EnvFilter::try_from_env("PATCHWARD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match form {
        Log::Json => log.json().flatten_event(true).init(),
        Log::Text => log.with_target(false).with_ansi(std::io::stderr().is_terminal()).init(),
    }
    // A fault in a handler is caught there; this is how the log learns of it.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "fault: {}", panic.payload_as_str().unwrap_or("(no text)"));
    }));
}

/// Plain http beyond this host only when somebody says so.
fn check_reach(arguments: &Serve) -> Result<()> {
    let beyond = !arguments.listen.ip().is_loopback();
    if !beyond {
        return Ok(());
    }
    if !arguments.insecure_http {
        bail!(
            "{} can be reached from other machines, and passwords would travel unencrypted. Listen on 127.0.0.1 behind a proxy that adds TLS \
             (--public-url https://… --behind-proxy), or accept the risk with --insecure-http",
            arguments.listen
        );
    }
    if arguments.listen.ip().is_unspecified() && arguments.public_url.is_none() {
        bail!(
            "say under which address people and agents reach this machine: --public-url http://NAME:{}",
            arguments.listen.port()
        );
    }
    tracing::warn!(listen = %arguments.listen, "INSECURE: plain http beyond this host; passwords and sessions can be read on the way");
    Ok(())
}

fn public_url(given: Option<&str>, address: SocketAddr) -> Result<String> {
    let Some(url) = given else {
        return Ok(format!("http://{address}"));
    };
    let url = url.trim_end_matches('/');
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => Ok(url.to_owned()),
        _ => bail!("{url:?} is not an address such as https://patch.example (no path after the name)"),
    }
}

/// On a database without people: an administrator, and the link by which somebody becomes that person. Also when that link was never used,
/// because otherwise a console stopped too early could never be entered from the page.
async fn first_sign_in(service: &Service) -> Result<Option<String>> {
    let host = Actor::host();
    let accounts = service.accounts(&host).await?.accounts;
    let name = match accounts.as_slice() {
        [] => {
            service
                .create_account(&host, FIRST_ACCOUNT, Role::Administrator, None)
                .await?;
            FIRST_ACCOUNT
        }
        [only] if !only.has_password && only.sessions.is_empty() && only.disabled.is_none() => only.name.as_str(),
        // In a demonstration there are people already, and nobody knows a password.
        _ if service.settings().demo.is_some() => FIRST_ACCOUNT,
        _ => return Ok(None),
    };
    let token = service.make_sign_in_link(&host, name).await?;
    Ok(Some(format!("{}/sign-in/link/{token}", service.settings().public_url)))
}

fn announce(address: SocketAddr, link: Option<&str>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{address}")?;
    if let Some(link) = link {
        writeln!(
            out,
            "first administrator: sign in at {link} (works once, within 15 minutes)"
        )?;
    }
    out.flush()?;
    Ok(())
}

fn stop_on_signal(stop: Stop) -> Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        stop.give();
        // A second one does not wait for anybody.
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::warn!("stopped at once");
        std::process::exit(1);
    });
    Ok(())
}

/// A fault in one step must not end all background work: it is logged, and the work begins again.
async fn keep_working(state: AppState) {
    while !state.stop().given() {
        if tokio::spawn(background(state.clone())).await.is_err() {
            state.health.wrote(false);
            tokio::select! {
                () = tokio::time::sleep(TICK_AT_LEAST) => {}
                () = state.stop.wait() => {}
            }
        }
    }
}

/// Writes last contacts and does what time brings, until the stop.
async fn background(state: AppState) {
    let mut flush = tokio::time::interval(FLUSH_EVERY);
    flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut next = tokio::time::Instant::now();
    loop {
        tokio::select! {
            _ = flush.tick() => note(&state, "last contacts", state.service.flush_contacts().await.map(|()| None)),
            () = tokio::time::sleep_until(next) => {
                let result = state.service.tick().await;
                let wait = result.as_ref().ok().map_or(TICK_AT_LEAST, |at| {
                    let seconds = at.0.saturating_sub(state.service.now().0);
                    Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).clamp(TICK_AT_MOST, TICK_AT_LEAST)
                });
                next = tokio::time::Instant::now() + wait;
                note(&state, "background work", result.map(Some));
            }
            () = state.stop.wait() => return,
        }
    }
}

/// Logs the first failure and the recovery, not every try in between.
fn note(state: &AppState, what: &str, result: service::Result<Option<domain::Moment>>) {
    let news = state.health.wrote(result.is_ok());
    match result {
        Err(error) if news => {
            tracing::error!(what, %error, source = ?std::error::Error::source(&error), "cannot write; unhealthy until it succeeds")
        }
        Err(error) => tracing::debug!(what, %error, "still cannot write"),
        Ok(_) if news => tracing::info!(what, "writing works again"),
        Ok(_) => {}
    }
}
