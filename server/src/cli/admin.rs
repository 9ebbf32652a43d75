//! From what was typed to what the server is asked.

use crate::cli::args::{Account, Admin, Clock, Device, Token};
use crate::cli::host::HostCommand;
use anyhow::{Context as _, Result, bail};
use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// The command to send. Reads a password from standard input where one is needed.
///
/// # Errors
/// When no password can be read.
pub fn command(typed: Admin) -> Result<HostCommand> {
    Ok(match typed {
        Admin::Account(account) => match account {
            Account::Add { name, role } => HostCommand::AccountAdd {
                name,
                role: role.into(),
            },
            Account::List => HostCommand::AccountList,
            Account::Role { name, role } => HostCommand::AccountRole {
                name,
                role: role.into(),
            },
            Account::Disable { name } => HostCommand::AccountDisabled { name, disabled: true },
            Account::Enable { name } => HostCommand::AccountDisabled { name, disabled: false },
            Account::Password { name } => HostCommand::AccountPassword {
                password: read_password(&name)?,
                name,
            },
            Account::SignInLink { name, plain } => HostCommand::SignInLink { name, plain },
        },
        Admin::Token(token) => match token {
            Token::New(new) => HostCommand::TokenNew {
                label: new.label,
                group: new.group,
                accept: new.accept,
                scan_only: new.scan_only,
                uses: new.uses,
                hours: new.hours,
                plain: new.plain,
            },
            Token::List => HostCommand::TokenList,
            Token::Revoke { id } => HostCommand::TokenRevoke { id },
        },
        Admin::Clock(Clock::Confirm { reason }) => HostCommand::ClockConfirm { reason },
        Admin::Device(device) => match device {
            Device::List { search } => HostCommand::DeviceList { search },
            Device::Accept { device, reason } => HostCommand::DeviceAccept { device, reason },
            Device::Revoke { device, reason } => HostCommand::DeviceRevoke { device, reason },
            Device::Move { device, group } => HostCommand::DeviceMove {
                device,
                group: (!group.eq_ignore_ascii_case("none")).then_some(group),
            },
        },
    })
}

/// Whether only the bare value is wanted.
#[must_use]
pub const fn wants_plain(command: &HostCommand) -> bool {
    matches!(
        command,
        HostCommand::TokenNew { plain: true, .. } | HostCommand::SignInLink { plain: true, .. }
    )
}

fn read_password(name: &str) -> Result<String> {
    let terminal = std::io::stdin().is_terminal();
    let first = ask(terminal, &format!("New password for {name} (at least 15 characters): "))?;
    if terminal && ask(terminal, "Once more: ")? != first {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(first)
}

fn ask(terminal: bool, question: &str) -> Result<String> {
    let stdin = std::io::stdin();
    let mut line = String::new();
    if terminal {
        eprint!("{question}");
        std::io::stderr().flush()?;
        let before = rustix::termios::tcgetattr(&stdin).context("cannot silence the terminal")?;
        let mut silent = before.clone();
        silent.local_modes.remove(rustix::termios::LocalModes::ECHO);
        rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Flush, &silent)?;
        let read = stdin.lock().read_line(&mut line);
        rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Flush, &before)?;
        eprintln!();
        read?;
    } else {
        stdin.lock().read_line(&mut line)?;
    }
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("no password was given on standard input");
    }
    Ok(password.to_owned())
}
