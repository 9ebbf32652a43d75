//! Accounts, sessions and enrolment tokens.

use crate::GroupName;
use domain::{AccountId, Moment, Role, TokenId};
use serde::{Deserialize, Serialize};

/// How big the made-up fleet of a demonstration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demonstration {
    /// Devices.
    pub devices: u32,
    /// Days of history.
    pub days: u32,
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// Account.
    pub id: AccountId,
    /// Name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Has no password yet.
    pub needs_password: bool,
    /// The database is a demonstration.
    pub demo: Option<Demonstration>,
    /// The server's clock jumped: no permits until an administrator confirms it.
    pub clock_suspect: bool,
}

/// An account in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// Account.
    pub id: AccountId,
    /// Name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Created.
    pub created: Moment,
    /// Disabled.
    pub disabled: Option<Moment>,
    /// Has a password.
    pub has_password: bool,
    /// Its sessions.
    pub sessions: Vec<SessionRow>,
}

/// A session in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Names it.
    pub id: String,
    /// Since.
    pub created: Moment,
    /// Last used.
    pub last_seen: Moment,
    /// Browser, as it names itself.
    pub client: String,
    /// The one that asks.
    pub current: bool,
}

/// An enrolment token in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// Token.
    pub id: TokenId,
    /// Label.
    pub label: String,
    /// Group that its devices join.
    pub group: Option<String>,
    /// Devices become active at once.
    pub accept: bool,
    /// Devices never install.
    pub scan_only: bool,
    /// Uses so far and at most.
    pub uses: (u32, u32),
    /// Created.
    pub created: Moment,
    /// By.
    pub created_by: String,
    /// Valid until.
    pub expires: Moment,
    /// Revoked.
    pub revoked: Option<Moment>,
}

/// The page of accounts and enrolment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountsPage {
    /// Accounts.
    pub accounts: Vec<AccountRow>,
    /// Tokens, newest first.
    pub tokens: Vec<TokenRow>,
    /// Groups that a token can put devices into.
    pub groups: Vec<GroupName>,
}

/// A new token; shown once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewToken {
    /// The token's text.
    pub token: String,
    /// The command to run on the device.
    pub command: String,
    /// Valid until.
    pub expires: Moment,
}

impl NewToken {
    /// Whether the command names an address that leads every other computer to itself.
    #[must_use]
    pub fn is_local(&self) -> bool {
        ["//127.", "//localhost", "//[::1]"]
            .iter()
            .any(|to| self.command.contains(to))
    }
}
