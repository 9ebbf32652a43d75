//! What can be typed. Every command explains itself with `--help`.

use clap::{Args, Parser, Subcommand, ValueEnum};
use domain::Role;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Patchward: what is missing, what will be installed where and when, why not yet, and can we go back?
#[derive(Debug, Parser)]
#[command(
    name = "patchward",
    version,
    propagate_version = true,
    after_help = "Examples:\n  patchward serve\n  patchward admin token new --label office --group Pilot\n  patchward explain web-1 openssl"
)]
pub struct Cli {
    /// Folder of the database, the server's key and the administration socket
    #[arg(
        long,
        global = true,
        env = "PATCHWARD_DATA",
        default_value = "./patchward-data",
        value_name = "DIR"
    )]
    pub data: PathBuf,
    /// Print replies as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the console
    ///
    /// The first start makes the database and prints a one-time link for the first administrator.
    #[command(
        after_help = "Examples:\n  patchward serve\n  patchward serve --data /var/lib/patchward --public-url https://patch.example --behind-proxy\n\nStop it with Ctrl-C or SIGTERM: running requests are finished first."
    )]
    Serve(Serve),
    /// Manage accounts, enrolment tokens and devices, also while the server runs
    #[command(subcommand)]
    Admin(Admin),
    /// Write a backup, also while the server runs
    ///
    /// The file is read back and checked before it gets its name. The server's key (server.key) is not part of it: keep a copy elsewhere.
    #[command(after_help = "Example:\n  patchward backup /backup/patchward-$(date +%F).db")]
    Backup {
        /// Where to write it
        file: PathBuf,
    },
    /// Put a backup in place of the database of a stopped server
    ///
    /// Every rollout is held afterwards, because decisions made after the backup are gone.
    #[command(after_help = "Example:\n  patchward restore /backup/patchward-2030-01-31.db --data /var/lib/patchward")]
    Restore {
        /// The backup
        file: PathBuf,
    },
    /// Check the audit log
    #[command(subcommand)]
    Audit(Audit),
    /// Say why a patch is or is not installed on a device: every gate, in order
    #[command(after_help = "Examples:\n  patchward explain web-1 openssl\n  patchward explain 7 42")]
    Explain {
        /// Number or host name
        device: String,
        /// Number or product
        patch: String,
    },
    /// Look around: devices in three places with months of history, in a database that is thrown away
    ///
    /// The devices are made up, the release histories are real. The devices go on living while it runs. Fewer devices and days are
    /// ready sooner.
    #[command(
        after_help = "Examples:\n  patchward demo --listen 127.0.0.1:7700\n  patchward demo --devices 30 --days 40"
    )]
    Demo(Demo),
    /// Print the numbers that /metrics serves
    #[command(
        after_help = "Example (for node_exporter's textfile collector):\n  patchward metrics > /var/lib/node_exporter/patchward.prom"
    )]
    Metrics,
    /// Print the description of the agent API (OpenAPI 3.1)
    Openapi,
}

/// How to serve.
#[derive(Args, Debug)]
pub struct Serve {
    /// Address and port; port 0 takes a free one
    #[arg(
        long,
        env = "PATCHWARD_LISTEN",
        default_value = "127.0.0.1:7677",
        value_name = "ADDR:PORT"
    )]
    pub listen: SocketAddr,
    /// The address that people and agents use, e.g. https://patch.example [default: http://ADDR:PORT]
    #[arg(long, env = "PATCHWARD_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// A proxy on this host adds TLS: visitors' addresses are taken from the end of X-Forwarded-For
    #[arg(long, env = "PATCHWARD_BEHIND_PROXY")]
    pub behind_proxy: bool,
    /// Listen on plain http beyond this host. Passwords and sessions can be read on the way
    #[arg(long, env = "PATCHWARD_INSECURE_HTTP")]
    pub insecure_http: bool,
    /// Seconds between the check-ins of an agent
    #[arg(long, env = "PATCHWARD_POLL_SECONDS", default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub poll_seconds: u32,
    /// Form of the log on standard error; PATCHWARD_LOG sets its level, e.g. `debug` or `warn`
    #[arg(long, env = "PATCHWARD_LOG_FORM", default_value = "text")]
    pub log: Log,
}

/// How to show the demonstration.
#[derive(Args, Debug)]
pub struct Demo {
    /// Address and port on this host; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:7677", value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
    /// Devices in the made-up fleet
    #[arg(long, default_value_t = 120, value_name = "N", value_parser = clap::value_parser!(u32).range(6..=1_000))]
    pub devices: u32,
    /// Days of history
    #[arg(long, default_value_t = 180, value_name = "N", value_parser = clap::value_parser!(u32).range(14..=730))]
    pub days: u32,
}

impl Demo {
    /// The same as for a real console.
    #[must_use]
    pub const fn serve(&self) -> Serve {
        Serve {
            listen: self.listen,
            public_url: None,
            behind_proxy: false,
            insecure_http: false,
            poll_seconds: 60,
            log: Log::Text,
        }
    }
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Log {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Audit log.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Walk the chain of records; name the first one that does not hold
    #[command(
        after_help = "Example:\n  patchward audit verify\n\nKeep the printed head elsewhere: it changes with every record and proves them all."
    )]
    Verify,
}

/// Administration.
#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Accounts of people
    #[command(subcommand)]
    Account(Account),
    /// Enrolment tokens
    #[command(subcommand)]
    Token(Token),
    /// Devices
    #[command(subcommand)]
    Device(Device),
    /// The server's clock, after it jumped
    #[command(subcommand)]
    Clock(Clock),
}

/// The server's clock.
#[derive(Debug, Subcommand)]
pub enum Clock {
    /// Say that the clock is right now: permits are given again
    ///
    /// After a jump no permit is given, because a wrong clock could complete a soak or open a window.
    #[command(
        after_help = "Example:\n  patchward admin clock confirm --reason \"time server was wrong, is right now\""
    )]
    Confirm {
        /// Why it jumped; goes to the audit log
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// A role as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Sets up accounts, tokens, groups, schedules; decides too
    Administrator,
    /// Approves, denies, holds, rolls back
    SecurityOfficer,
    /// Tests patches first and reports problems
    PilotUser,
    /// Reads everything, changes nothing
    Auditor,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Administrator => Self::Administrator,
            RoleName::SecurityOfficer => Self::SecurityOfficer,
            RoleName::PilotUser => Self::PilotUser,
            RoleName::Auditor => Self::Auditor,
        }
    }
}

/// Accounts.
#[derive(Debug, Subcommand)]
pub enum Account {
    /// Make an account and print its one-time sign-in link
    #[command(after_help = "Example:\n  patchward admin account add anna security-officer")]
    Add {
        /// Name
        name: String,
        /// Role
        role: RoleName,
    },
    /// List accounts
    List,
    /// Change a role; ends the account's sessions
    #[command(after_help = "Example:\n  patchward admin account role anna auditor")]
    Role {
        /// Name
        name: String,
        /// Role
        role: RoleName,
    },
    /// Disable an account; ends its sessions
    Disable {
        /// Name
        name: String,
    },
    /// Enable an account again
    Enable {
        /// Name
        name: String,
    },
    /// Set a password; it is read from standard input, not echoed on a terminal
    #[command(after_help = "Example:\n  patchward admin account password anna")]
    Password {
        /// Name
        name: String,
    },
    /// Print a one-time sign-in link (15 minutes), e.g. after a lost password
    #[command(after_help = "Example:\n  patchward admin account sign-in-link anna --plain")]
    SignInLink {
        /// Name
        name: String,
        /// Print the link and nothing else
        #[arg(long)]
        plain: bool,
    },
}

/// Enrolment tokens.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token; it is shown once
    #[command(
        after_help = "Examples:\n  patchward admin token new --label \"web servers\" --group Production --uses 20 --hours 2\n  patchward-agent enroll https://patch.example \"$(patchward admin token new --plain)\""
    )]
    New(TokenNew),
    /// List tokens
    List,
    /// Revoke a token; devices that used it stay
    Revoke {
        /// Number from the list
        id: i64,
    },
}

/// A new token.
#[derive(Args, Debug)]
pub struct TokenNew {
    /// What it is for
    #[arg(long, default_value = "command line")]
    pub label: String,
    /// Name of the group that its devices join [default: none, so they only scan]
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
    /// Its devices never install anything
    #[arg(long)]
    pub scan_only: bool,
    /// Its devices need no acceptance by a person
    #[arg(long)]
    pub accept: bool,
    /// How many devices may use it
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub uses: u32,
    /// How long it is valid, at most 24
    #[arg(long, default_value_t = 24, value_name = "N")]
    pub hours: u32,
    /// Print the token and nothing else
    #[arg(long)]
    pub plain: bool,
}

/// Devices.
#[derive(Debug, Subcommand)]
pub enum Device {
    /// List devices
    List {
        /// Part of the host name, OS or key id
        #[arg(default_value = "")]
        search: String,
    },
    /// Accept a device that waits, or let a quarantined one back. Compare the fingerprint first
    #[command(after_help = "Example:\n  patchward admin device accept web-1 --reason \"set up by Anna\"")]
    Accept {
        /// Number or host name
        device: String,
        /// Why, for the audit log
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Revoke a device for ever, e.g. when it is lost
    Revoke {
        /// Number or host name
        device: String,
        /// Why, for the audit log
        #[arg(long)]
        reason: String,
    },
    /// Move a device to a group
    #[command(
        after_help = "Examples:\n  patchward admin device move web-1 Pilot\n  patchward admin device move web-1 none"
    )]
    Move {
        /// Number or host name
        device: String,
        /// Name of the group, or `none`
        group: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, CommandFactory as _};

    fn unexplained(command: &Command, path: &str, found: &mut Vec<String>) {
        let path = format!("{path} {}", command.get_name());
        if command.get_about().is_none() {
            found.push(path.clone());
        }
        let arguments = command.get_arguments().filter(|a| a.get_help().is_none());
        found.extend(arguments.map(|a| format!("{path} <{}>", a.get_id())));
        for below in command.get_subcommands().filter(|c| c.get_name() != "help") {
            unexplained(below, &path, found);
        }
    }

    #[test]
    fn every_command_and_argument_explains_itself() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        let names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
        for name in ["serve", "demo", "explain", "backup", "restore", "audit", "admin"] {
            assert!(names.contains(&name), "{name}");
        }
        let mut found = Vec::new();
        unexplained(&command, "", &mut found);
        assert_eq!(found, [""; 0]);
    }
}
