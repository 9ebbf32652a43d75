//! The courier itself: HTTP for somebody else, without rights. It ends when the agent closes the pipe.

use super::wire::{self, Ask};
use crate::transport::{Http, Network};
use anyhow::{Context, Result, bail};
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use std::io::{self, Write};

/// Memory that it may use: TLS and the largest reply need a small part of it.
const MEMORY: u64 = 1024 * 1024 * 1024;
/// Open files: two pipes, a connection, and what looking up a name takes.
const FILES: u64 = 64;

/// The body of the hidden `courier` command.
///
/// # Errors
/// When it has rights that it cannot give up, when the address is none, or when the agent writes what it does not know.
pub fn main(server: &str) -> Result<()> {
    give_up_rights()?;
    let mut network = Http::new(server).map_err(anyhow::Error::msg)?;
    let (mut input, mut out) = (io::stdin().lock(), io::stdout().lock());
    while let Some(ask) = Ask::read(&mut input)? {
        let came = network.post(ask.path, &ask.headers(), &ask.body);
        wire::write_came(&mut out, &came)?;
        out.flush()?;
    }
    Ok(())
}

/// What the agent took away at the start was user and groups, and with them all capabilities. Here: no way to win any back, no look into
/// its memory by others of the same user, no file that it could write, no core dump.
fn give_up_rights() -> Result<()> {
    if rustix::process::geteuid().is_root() {
        bail!("the courier does not work as root; it is started by the agent");
    }
    rustix::thread::set_no_new_privs(true).context("no_new_privs")?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).context("not dumpable")?;
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, FILES),
        (Resource::As, MEMORY),
    ] {
        // A limit of the device's owner may be lower still.
        let before = rustix::process::getrlimit(resource).maximum;
        let most = Some(before.map_or(most, |b| b.min(most)));
        let limit = Rlimit {
            current: most,
            maximum: most,
        };
        rustix::process::setrlimit(resource, limit).with_context(|| format!("limit {resource:?}"))?;
    }
    Ok(())
}
