//! The command line. `serve` runs the console; everything else is asked of the running server through its administration socket, or of the
//! database itself when no server runs.

pub mod admin;
pub mod args;
pub mod host;
pub mod print;
pub mod serve;
pub mod socket;

pub use args::Cli;

use anyhow::{Context as _, Result, bail};
use args::Command;
use host::{HostCommand, HostReply};
use service::store::OpenError;
use service::{Clock, Service, Settings};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Does what the command line says.
///
/// # Errors
/// What went wrong and what to do, for the person at the terminal.
pub async fn run(cli: Cli) -> Result<()> {
    let data = cli.data;
    let command = match cli.command {
        Command::Serve(arguments) => return serve::run(data, arguments).await,
        Command::Demo(arguments) => return crate::demo::run(arguments).await,
        Command::Restore { file } => return restore(data, &file).await,
        Command::Openapi => {
            print!("{}", crate::http::openapi::AGENT_V1);
            return Ok(());
        }
        Command::Admin(command) => admin::command(command)?,
        Command::Backup { file } => HostCommand::Backup {
            to: std::path::absolute(&file).context("cannot tell where to write")?,
        },
        Command::Audit(args::Audit::Verify) => HostCommand::AuditVerify,
        Command::Explain { device, patch } => HostCommand::Explain { device, patch },
        Command::Metrics => HostCommand::Metrics,
    };
    let plain = admin::wants_plain(&command);
    let reply = ask(&data, command).await?;
    print::reply(
        &reply,
        if cli.json {
            print::Form::Json
        } else if plain {
            print::Form::Plain
        } else {
            print::Form::Words
        },
    )
}

/// Asks the running server; without one, opens the database.
async fn ask(data: &Path, command: HostCommand) -> Result<HostReply> {
    if !data.join("patchward.db").exists() {
        bail!(
            "there is no database in {}. Start `patchward serve` first, or name the right folder with --data",
            data.display()
        );
    }
    private_files();
    // Taken twice in turn: a server may start or stop in between.
    for _ in 0..2 {
        if let Some(reply) = socket::ask(data, &command).await? {
            return reply.map_err(anyhow::Error::msg);
        }
        match Service::open(settings(data), clock()).await {
            Ok(service) => {
                let reply = host::run(&service, command).await;
                let _ = service.flush_contacts().await;
                return reply.map_err(anyhow::Error::msg);
            }
            Err(OpenError::InUse(_)) => tokio::time::sleep(std::time::Duration::from_millis(500)).await,
            Err(error) => return Err(error.into()),
        }
    }
    bail!(
        "a server is running on {} but does not answer on its administration socket; are you the user it runs as?",
        data.display()
    );
}

async fn restore(data: PathBuf, file: &Path) -> Result<()> {
    private_files();
    let now = clock().now();
    let report = service::commands::backup::restore(&settings(&data), file, now)
        .await
        .with_context(|| format!("{} was not restored; the database is as before", file.display()))?;
    print::reply(&HostReply::from(report), print::Form::Words)?;
    println!("Every rollout is held now: look at each, then let it go on. Start the server with `patchward serve`.");
    Ok(())
}

/// How the database is opened without a server. The address that people use is known to the server only; `PATCHWARD_PUBLIC_URL` names it.
fn settings(data: &Path) -> Settings {
    let mut settings = Settings::new(data.to_owned());
    if let Ok(url) = std::env::var("PATCHWARD_PUBLIC_URL") {
        settings.public_url = url.trim_end_matches('/').to_owned();
    }
    settings
}

/// Database, key and socket are for this user only, from the first byte on.
pub(crate) fn private_files() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// The system's clock. A build for tests can be told to add an offset.
fn clock() -> Arc<dyn Clock> {
    #[cfg(feature = "test-clock")]
    if let Some(file) = std::env::var_os("PATCHWARD_TEST_CLOCK") {
        return Arc::new(service::clock::OffsetClock { file: file.into() });
    }
    Arc::new(service::SystemClock)
}
