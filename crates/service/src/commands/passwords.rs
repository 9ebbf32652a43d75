//! Slow hashes, two at a time: each takes 19 MiB and a tenth of a second on purpose.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use std::{sync::LazyLock, time::Duration};
use tokio::sync::Semaphore;

/// More at once would let a stranger fill the memory by signing in.
static HASHERS: Semaphore = Semaphore::const_new(2);
/// How long a sign-in waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// What an unknown account is compared with, so that it takes as long as a known one.
static NOBODY: LazyLock<String> = LazyLock::new(|| make(&crate::random::secret()).unwrap_or_default());

/// All hashers are busy.
#[derive(Debug)]
pub(super) struct Busy;

/// A turn at hashing. Whoever has it may look again at what changed while waiting.
pub(super) struct Turn(tokio::sync::SemaphorePermit<'static>);

/// Waits for a turn.
pub(super) async fn turn() -> Result<Turn, Busy> {
    match tokio::time::timeout(PATIENCE, HASHERS.acquire()).await {
        Ok(Ok(permit)) => Ok(Turn(permit)),
        Ok(Err(_)) | Err(_) => Err(Busy),
    }
}

impl Turn {
    /// Whether `password` gave `hash`; without a hash it takes as long and says no.
    pub(super) async fn verify(self, password: &str, hash: Option<String>) -> bool {
        let password = password.to_owned();
        // The turn goes along, so that a client that hangs up does not free it while the work goes on.
        let work = tokio::task::spawn_blocking(move || {
            let _turn = self.0;
            let known = hash.is_some();
            let text = hash.unwrap_or_else(|| NOBODY.clone());
            let parsed = PasswordHash::new(&text);
            parsed.is_ok_and(|h| Argon2::default().verify_password(password.as_bytes(), &h).is_ok()) && known
        });
        work.await.unwrap_or(false)
    }

    /// The hash of a new password.
    pub(super) async fn hash(self, password: &str) -> Option<String> {
        let password = password.to_owned();
        let work = tokio::task::spawn_blocking(move || {
            let _turn = self.0;
            make(&password)
        });
        work.await.ok().flatten()
    }
}

fn make(password: &str) -> Option<String> {
    let salt = crate::random::bytes::<16>();
    Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .ok()
        .map(|hash| hash.to_string())
}
