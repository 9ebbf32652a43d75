//! What a page says after something was done. A closed list: without JavaScript the notice travels in the address, and anybody can
//! craft an address, so it carries a word and numbers, never prose.

use crate::words::plural;
use leptos_router::params::ParamsMap;

/// The address parameter that names the notice.
pub const DONE: &str = "done";
/// Every address parameter that says what came of a form: the notice with its numbers, and a refusal.
pub const SAID: [&str; 6] = [DONE, "n", "left", "late", "__path", "__err"];

macro_rules! notices {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $text:literal;)+) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Notice { $($(#[$doc])* $name),+ }
        impl Notice {
            /// The word in the address.
            pub const fn word(self) -> &'static str { match self { $(Self::$name => $word),+ } }
            fn from_word(word: &str) -> Option<Self> { match word { $($word => Some(Self::$name),)+ _ => None } }
            const fn text(self) -> &'static str { match self { $(Self::$name => $text),+ } }
        }
    };
}

notices! {
    /// See its text.
    Approved = "approved", "approved";
    /// See its text.
    Denied = "denied", "denied";
    /// See its text.
    Withdrawn = "withdrawn", "withdrawn";
    /// See its text.
    Held = "held", "The rollout is held. No device starts to install until every hold is resolved.";
    /// See its text.
    Resumed = "resumed", "The hold is resolved.";
    /// See its text.
    Problem = "problem", "The problem is reported, and the rollout is held.";
    /// See its text.
    RollBack = "rollback", "The rollback is ordered. It counts as done when a scan has seen the earlier version.";
    /// See its text.
    Planned = "planned", "The rollback plan is saved.";
    /// See its text.
    PlanWaived = "plan_waived", "The patch goes without a rollback plan. The reason is kept with it.";
    /// See its text.
    Lifted = "lifted", "The block is lifted: the patch may be installed on the device again.";
    /// See its text.
    TriedAgain = "again", "The device may try again, as its gates allow.";
    /// See its text.
    Accepted = "accepted", "The device is accepted.";
    /// See its text.
    Revoked = "revoked", "The device is revoked.";
    /// See its text.
    Moved = "moved", "The device is moved.";
    /// See its text.
    Placed = "placed", "The device's location is changed.";
    /// See its text.
    ScanAsked = "scan", "The device scans at its next contact.";
    /// See its text.
    AccountMade = "account", "The account is made.";
    /// See its text.
    RoleSet = "role", "The role is changed, and the account's sessions are ended.";
    /// See its text.
    Disabled = "disabled", "The account is disabled, and its sessions are ended.";
    /// See its text.
    Enabled = "enabled", "The account is enabled.";
    /// See its text.
    PasswordSet = "password", "The password is set, and other sessions are ended.";
    /// See its text.
    SessionEnded = "session", "The session is ended.";
    /// See its text.
    TokenMade = "token", "The token is made.";
    /// See its text.
    TokenRevoked = "token_revoked", "The token is revoked. Devices that it enrolled stay.";
    /// See its text.
    Scheduled = "scheduled", "Saved. The server obeys it from this moment; devices learn of it at their next contact.";
    /// See its text.
    RingMoved = "ring_moved", "The ring is moved. The server obeys the new order from this moment.";
    /// See its text.
    Unscheduled = "unscheduled", "Deleted. The server goes without it from this moment.";
    /// See its text.
    ViewSaved = "view", "The view is saved. It stands beside the other views, for you alone.";
    /// See its text.
    ViewDeleted = "view_deleted", "The view is deleted.";
    /// See its text.
    SignedOut = "signed_out", "You are signed out.";
}

/// The notice in an address, if there is one that we know, and whether anything was done.
pub fn from_address(query: &ParamsMap) -> Option<(bool, String)> {
    let notice = Notice::from_word(query.get_str(DONE)?)?;
    let number = |name| query.get_str(name).and_then(|t| t.parse::<u32>().ok());
    let mut done = true;
    let text = match (notice, number("n")) {
        (Notice::Approved | Notice::Denied | Notice::Withdrawn, n) => {
            done = n > Some(0);
            let mut text = match n {
                Some(n) if done => format!("{}: {}.", plural(n, "patch", "patches"), notice.text()),
                _ => "Nothing was decided.".to_owned(),
            };
            if let Some(left) = number("left").filter(|n| *n > 0) {
                text.push_str(&format!(
                    " {} left out: decided so already, superseded, denied, or nothing to withdraw.",
                    plural(left, "patch", "patches")
                ));
            }
            if let Some(late) = number("late").filter(|n| *n > 0) {
                text.push_str(&format!(
                    " {} installed it before.",
                    plural(late, "device has", "devices have")
                ));
            }
            text
        }
        (Notice::RollBack, Some(n)) => format!("{} {}", plural(n, "device:", "devices:"), notice.text()),
        _ => notice.text().to_owned(),
    };
    Some((done, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pairs: &[(&str, &str)]) -> Option<(bool, String)> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        from_address(&pairs.collect())
    }

    #[test]
    fn a_decision_that_did_nothing_is_not_told_as_done() {
        let two = said(&[(DONE, "approved"), ("n", "2"), ("left", "0"), ("late", "0")]);
        assert_eq!(two, Some((true, "2 patches: approved.".to_owned())));
        let some = said(&[(DONE, "withdrawn"), ("n", "1"), ("left", "1"), ("late", "3")]);
        let words = "1 patch: withdrawn. 1 patch left out: decided so already, superseded, denied, or nothing to withdraw. 3 devices have \
                     installed it before.";
        assert_eq!(some, Some((true, words.to_owned())));
        let none = said(&[(DONE, "approved"), ("n", "0"), ("left", "1"), ("late", "0")]);
        let words =
            "Nothing was decided. 1 patch left out: decided so already, superseded, denied, or nothing to withdraw.";
        assert_eq!(none, Some((false, words.to_owned())));
        assert_eq!(said(&[(DONE, "held")]).map(|(done, _)| done), Some(true));
        assert_eq!(said(&[(DONE, "x")]), None);
    }
}
