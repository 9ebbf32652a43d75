//! What pages listen to: "something of this topic changed". Events carry no data; the page asks again by its usual, authorised way.

use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::broadcast;

/// What kind of thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Patches, their counts, decisions, holds.
    Patches,
    /// Devices.
    Devices,
    /// Accounts, tokens.
    Accounts,
    /// Profiles, windows, freezes, exceptions.
    Schedule,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Patches, Self::Devices, Self::Accounts, Self::Schedule];

    /// The word in the event stream.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Patches => "patches",
            Self::Devices => "devices",
            Self::Accounts => "accounts",
            Self::Schedule => "schedule",
        }
    }
}

/// The bus. A listener that falls behind loses events, which is harmless: the next one makes it ask again.
#[derive(Debug)]
pub struct Events {
    sender: broadcast::Sender<Topic>,
    sent: AtomicU64,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::channel(256).0,
            sent: AtomicU64::new(0),
        }
    }
    /// Tells every page; called after the commit.
    pub fn send(&self, topic: Topic) {
        self.sent.fetch_add(1, Ordering::SeqCst);
        // No listener is not an error.
        let _ = self.sender.send(topic);
    }
    /// Grows with every committed change: what was read at one number still holds while it is the same.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
    /// How many listen.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.sender.receiver_count()
    }
    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Topic> {
        self.sender.subscribe()
    }
}
