//! What the host's own command line can ask, and how it is answered: the same for a running server and for a database opened directly.

use crate::metrics::Metrics;
use domain::{DeviceId, GroupId, PatchId, Role, TokenId};
use serde::{Deserialize, Serialize};
use service::commands::{backup::BackupReport, tokens::TokenRequest};
use service::{Actor, Error, Service};
use std::path::PathBuf;
use view::{
    AccountRow, DeviceFilter, DevicePatch, DeviceRow, DeviceShow, Field, NewToken, Problem, TokenRow, UiError, Why,
};

/// A question from the command line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
#[expect(missing_docs, reason = "the fields are those of the command line, explained there")]
pub enum HostCommand {
    AccountAdd {
        name: String,
        role: Role,
    },
    AccountList,
    AccountRole {
        name: String,
        role: Role,
    },
    AccountDisabled {
        name: String,
        disabled: bool,
    },
    AccountPassword {
        name: String,
        password: String,
    },
    SignInLink {
        name: String,
        plain: bool,
    },
    TokenNew {
        label: String,
        group: Option<String>,
        accept: bool,
        scan_only: bool,
        uses: u32,
        hours: u32,
        plain: bool,
    },
    TokenList,
    TokenRevoke {
        id: i64,
    },
    DeviceList {
        search: String,
    },
    DeviceAccept {
        device: String,
        reason: String,
    },
    DeviceRevoke {
        device: String,
        reason: String,
    },
    ClockConfirm {
        reason: String,
    },
    DeviceMove {
        device: String,
        group: Option<String>,
    },
    Backup {
        to: PathBuf,
    },
    AuditVerify,
    Explain {
        device: String,
        patch: String,
    },
    Metrics,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reply", content = "value")]
pub enum HostReply {
    /// Done; the sentence says what.
    Done(String),
    /// Accounts.
    Accounts(Vec<AccountRow>),
    /// A one-time link.
    Link(String),
    /// A new token.
    Token(NewToken),
    /// Tokens.
    Tokens(Vec<TokenRow>),
    /// Devices.
    Devices(Vec<DeviceRow>),
    /// A backup was written or put back.
    Backup {
        /// Devices.
        devices: i64,
        /// Patches.
        patches: i64,
        /// Audit records.
        audit_records: i64,
        /// Head of the audit chain.
        audit_head: String,
        /// Bytes.
        bytes: u64,
    },
    /// The audit log holds.
    Audit {
        /// Records.
        records: i64,
        /// Head.
        head: String,
    },
    /// The gates of a patch on a device.
    Explained(Box<DevicePatch>),
    /// Text as it is.
    Text(String),
}

impl From<BackupReport> for HostReply {
    fn from(report: BackupReport) -> Self {
        Self::Backup {
            devices: report.devices,
            patches: report.patches,
            audit_records: report.audit_records,
            audit_head: report.audit_head,
            bytes: report.bytes,
        }
    }
}

/// Does what is asked, as the host.
///
/// # Errors
/// A sentence for the person at the terminal.
pub async fn run(service: &Service, command: HostCommand) -> Result<HostReply, String> {
    let host = Host {
        service,
        actor: Actor::host(),
    };
    match command {
        HostCommand::Backup { to } => {
            let report = service.backup(&to).await.map_err(|error| chain(&error))?;
            Ok(report.into())
        }
        command => host.run(command).await.map_err(|error| words(&error)),
    }
}

struct Host<'a> {
    service: &'a Service,
    actor: Actor,
}

impl Host<'_> {
    async fn run(&self, command: HostCommand) -> service::Result<HostReply> {
        let (service, actor) = (self.service, &self.actor);
        Ok(match command {
            HostCommand::AccountAdd { name, role } => {
                service.create_account(actor, &name, role, None).await?;
                HostReply::Link(self.link(&name).await?)
            }
            HostCommand::AccountList => HostReply::Accounts(service.accounts(actor).await?.accounts),
            HostCommand::AccountRole { name, role } => {
                service.set_role(actor, self.account(&name).await?.id, role).await?;
                HostReply::Done(format!("{name} is now: {}", role.label()))
            }
            HostCommand::AccountDisabled { name, disabled } => {
                service
                    .set_disabled(actor, self.account(&name).await?.id, disabled)
                    .await?;
                HostReply::Done(format!(
                    "{name} is {}",
                    if disabled {
                        "disabled; its sessions are over"
                    } else {
                        "enabled"
                    }
                ))
            }
            HostCommand::AccountPassword { name, password } => {
                service
                    .set_password(actor, self.account(&name).await?.id, None, &password)
                    .await?;
                HostReply::Done(format!("{name} has a new password"))
            }
            HostCommand::SignInLink { name, .. } => HostReply::Link(self.link(&name).await?),
            HostCommand::TokenNew {
                label,
                group,
                accept,
                scan_only,
                uses,
                hours,
                ..
            } => {
                let group = self.group(group.as_deref()).await?;
                let request = TokenRequest {
                    label,
                    group,
                    accept,
                    scan_only,
                    max_uses: uses,
                    hours,
                };
                HostReply::Token(service.create_token(actor, request).await?)
            }
            HostCommand::TokenList => HostReply::Tokens(service.accounts(actor).await?.tokens),
            HostCommand::TokenRevoke { id } => {
                service.revoke_token(actor, TokenId(id)).await?;
                HostReply::Done(format!("token {id} is revoked"))
            }
            HostCommand::DeviceList { search } => HostReply::Devices(self.devices(&search, DeviceShow::All).await?),
            HostCommand::DeviceAccept { device, reason } => {
                let device = self.device(&device).await?;
                service.accept_device(actor, device, &reason).await?;
                HostReply::Done(format!("device {device} is accepted"))
            }
            HostCommand::DeviceRevoke { device, reason } => {
                let device = self.device(&device).await?;
                service.revoke_device(actor, device, &reason).await?;
                HostReply::Done(format!("device {device} is revoked for ever"))
            }
            HostCommand::ClockConfirm { reason } => {
                service.confirm_clock(actor, &reason).await?;
                HostReply::Done("the clock is confirmed; permits are given again".to_owned())
            }
            HostCommand::DeviceMove { device, group } => {
                let device = self.device(&device).await?;
                service
                    .move_device(actor, device, self.group(group.as_deref()).await?)
                    .await?;
                HostReply::Done(format!(
                    "device {device} is in {}",
                    group.as_deref().unwrap_or("no group")
                ))
            }
            HostCommand::AuditVerify => {
                let (records, head) = service.verify_audit().await?;
                HostReply::Audit { records, head }
            }
            HostCommand::Explain { device, patch } => {
                let device = self.device(&device).await?;
                let patch = self.patch(device, &patch).await?;
                HostReply::Explained(Box::new(service.explain(actor, device, patch).await?))
            }
            // A running server answers this itself, with its own numbers.
            HostCommand::Metrics => HostReply::Text(Metrics::default().text(service).await?),
            HostCommand::Backup { .. } => return Err(Error::NotFound),
        })
    }

    async fn link(&self, name: &str) -> service::Result<String> {
        let token = self.service.make_sign_in_link(&self.actor, name).await?;
        Ok(format!("{}/sign-in/link/{token}", self.service.settings().public_url))
    }

    async fn account(&self, name: &str) -> service::Result<AccountRow> {
        let accounts = self.service.accounts(&self.actor).await?.accounts;
        accounts
            .into_iter()
            .find(|account| account.name.eq_ignore_ascii_case(name))
            .ok_or(Error::invalid(Field::Name, Problem::Unknown))
    }

    async fn group(&self, name: Option<&str>) -> service::Result<Option<GroupId>> {
        let Some(name) = name else { return Ok(None) };
        let groups = self.service.accounts(&self.actor).await?.groups;
        let found = groups.into_iter().find(|group| group.name.eq_ignore_ascii_case(name));
        found
            .map(|group| Some(group.id))
            .ok_or(Error::invalid(Field::Group, Problem::Unknown))
    }

    async fn devices(&self, search: &str, show: DeviceShow) -> service::Result<Vec<DeviceRow>> {
        let mut filter = DeviceFilter {
            q: search.to_owned(),
            show,
            page: 1,
            ..DeviceFilter::default()
        };
        let mut rows = Vec::new();
        loop {
            let list = self.service.devices(&self.actor, &filter).await?;
            rows.extend(list.rows);
            if filter.page >= list.pages {
                return Ok(rows);
            }
            filter.page += 1;
        }
    }

    /// A number, or a host name that one device alone has.
    async fn device(&self, text: &str) -> service::Result<DeviceId> {
        if let Ok(id) = text.parse::<DeviceId>() {
            return Ok(id);
        }
        let mut rows = self.devices(text, DeviceShow::All).await?;
        rows.extend(self.devices(text, DeviceShow::Stopped).await?);
        let mut ids: Vec<_> = rows
            .iter()
            .filter(|row| row.hostname.eq_ignore_ascii_case(text))
            .map(|row| row.id)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        match ids.as_slice() {
            [id] => Ok(*id),
            _ => Err(Error::NotFound),
        }
    }

    /// A number, or a product of which one patch alone is open on the device.
    async fn patch(&self, device: DeviceId, text: &str) -> service::Result<PatchId> {
        if let Ok(id) = text.parse::<PatchId>() {
            return Ok(id);
        }
        let page = self.service.device(&self.actor, device).await?;
        let mut found = page
            .patches
            .iter()
            .filter(|patch| patch.product == text)
            .map(|patch| patch.patch);
        match (found.next(), found.next()) {
            (Some(id), None) => Ok(id),
            _ => Err(Error::NotFound),
        }
    }
}

/// A refusal in words.
fn words(error: &Error) -> String {
    match error {
        Error::NotFound => {
            "there is no such thing, or more than one has this name; give its number from the list".to_owned()
        }
        Error::Invalid { field, problem } => format!("{}: {}", field_name(*field), problem_words(*problem)),
        Error::Refused(why) => why_words(*why).to_owned(),
        Error::ReadOnly(_) => "the database cannot be written (is the disk full?); nothing was changed".to_owned(),
        Error::Inconsistent(what) => what.clone(),
        Error::Database(_) => match error.to_ui() {
            UiError::Internal { id } => format!("the database failed ({}); log id {id}", chain(error)),
            _ => chain(error),
        },
        other => other.to_string(),
    }
}

fn field_name(field: Field) -> &'static str {
    match field {
        Field::Name => "name",
        Field::Password => "password",
        Field::Role => "role",
        Field::Reason => "reason",
        Field::Label => "label",
        Field::Uses => "uses",
        Field::Hours => "hours",
        Field::Group => "group",
        Field::Ring => "ring",
        Field::Selection => "selection",
        Field::Zone => "time zone",
        Field::Rate => "download rate",
        Field::Soak => "soak",
        Field::Successes => "successful devices",
        Field::Share => "share of the ring",
        Field::Waves => "waves",
        Field::Rest => "rest between waves",
        Field::Failures => "failed devices",
        Field::FailureShare => "share of failures",
        Field::Vanished => "devices not heard of again",
        Field::InFlight => "installs at once",
        Field::Parent => "group above",
        Field::Missed => "missed windows",
        Field::Retries => "tries",
        Field::Wait => "wait after a failure",
        Field::Install => "expected install time",
        Field::Reboot => "expected reboot time",
        Field::Product => "product",
        Field::ViewName => "name of the view",
        Field::OutsideWindows => "outside maintenance windows",
        Field::How => "how it is taken back",
        Field::UseWhen => "when the plan is used",
        Field::Owner => "who carries it out",
    }
}

fn problem_words(problem: Problem) -> String {
    match problem {
        Problem::OnlyUrgent => "only an urgent approval can".to_owned(),
        Problem::Missing => "is missing".to_owned(),
        Problem::TooShort { min } => format!("needs at least {min} characters"),
        Problem::TooLong { max } => format!("may have at most {max} characters"),
        Problem::OutOfRange { min, max } => format!("must be from {min} to {max}"),
        Problem::Unknown => "there is none of this name".to_owned(),
        Problem::Taken => "is in use already".to_owned(),
        Problem::TooCommon => "is too common".to_owned(),
        Problem::Circle => "the group would lie in itself".to_owned(),
        Problem::NotGrowing => "each step must be larger than the one before".to_owned(),
        Problem::Unreadable => "write steps such as 1, 5 %, 25 %".to_owned(),
        Problem::NoNumber => "must be a whole number".to_owned(),
        Problem::Shrinking => "the longest must not be shorter than the first".to_owned(),
        Problem::Control => "has a control character".to_owned(),
    }
}

const fn why_words(why: Why) -> &'static str {
    match why {
        Why::LastAdministrator => "this is the last administrator; make another one first",
        Why::AlreadyDone => "that is done already",
        Why::Superseded => "the patch is superseded",
        Why::Denied => "the patch is denied in this ring",
        Why::NothingToRollBack => "nothing is recorded to go back to",
        Why::RollbackInForce => "a rollback is in force already",
        Why::Revoked => "the device is revoked, and that is final",
        Why::RingInUse { .. } => "groups are in the ring, or decisions are in force for it",
        Why::OnlyRing => "it is the only ring",
        Why::GroupInUse => "devices, groups, tokens or the schedule use the group",
        Why::TooManyViews => "the account has as many saved views as fit on a page",
        Why::NoRing => "the device is in no group with a ring",
        Why::NoRollbackPlan => "the ring asks for a rollback plan, and the patch has neither a plan nor a waiver",
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
