//! What pages listen to: "something of this topic changed". Events carry no data; the page asks again by its usual, authorised way.

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
}

impl Topic {
    /// The word in the event stream.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Patches => "patches",
            Self::Devices => "devices",
            Self::Accounts => "accounts",
        }
    }
}

/// The bus. A listener that falls behind loses events, which is harmless: the next one makes it ask again.
#[derive(Debug)]
pub struct Events(broadcast::Sender<Topic>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(256).0)
    }
    /// Tells every page; called after the commit.
    pub fn send(&self, topic: Topic) {
        // No listener is not an error.
        let _ = self.0.send(topic);
    }
    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Topic> {
        self.0.subscribe()
    }
}
