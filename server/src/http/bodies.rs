//! How much of the messages on their way is held in memory. Who knows no device's key has nothing of a message held at all, and whoever knows
//! one but cannot sign gets no more than a device needs: signatures can only be checked over the whole of a message.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use protocol::limits::{MAX_BODY, MAX_ENROLL};
use protocol::v1::{ENROLL, RefusalCode};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So much of a body that is not taken is read and thrown away, so that its sender is still there to read why. More is cut off.
const DRAIN: usize = 4 * MAX_BODY;
/// Room is given in pieces of this size.
const PIECE: usize = 1024;
/// What bodies of devices take at most: reports of 64 at a time, or check-ins of thousands.
const DEVICES: usize = 64 * MAX_BODY / PIECE;
/// What enrolments take at most.
const ENROLMENTS: usize = 8 * MAX_BODY / PIECE;
/// Messages that claim one key at a time: a device sends one after the other, but may have given up on one that is still on its way.
const OF_ONE_KEY: u32 = 2;
/// How long a message waits for room before its sender is put off.
const WAIT: Duration = Duration::from_secs(10);

/// Room for bodies.
pub struct Bodies {
    devices: Arc<Semaphore>,
    enrolments: Arc<Semaphore>,
    of_key: Arc<Mutex<HashMap<String, u32>>>,
    wait: Duration,
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            devices: Arc::new(Semaphore::new(DEVICES)),
            enrolments: Arc::new(Semaphore::new(ENROLMENTS)),
            of_key: Arc::default(),
            wait: WAIT,
        }
    }
}

/// Room that is given back when the message has been dealt with.
pub struct Room {
    most: usize,
    _taken: OwnedSemaphorePermit,
    _turn: Option<Turn>,
}

/// One of the messages that claim a key.
struct Turn {
    key: String,
    of_key: Arc<Mutex<HashMap<String, u32>>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut of_key = self.of_key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n) = of_key.get_mut(&self.key) {
            *n -= 1;
            if *n == 0 {
                of_key.remove(&self.key);
            }
        }
    }
}

impl Bodies {
    /// Room for a message to `path` that claims `key`; waits a little where there is none.
    ///
    /// # Errors
    /// What the sender is told.
    pub async fn room(&self, path: &str, key: &str, headers: &HeaderMap) -> Result<Room, (RefusalCode, &'static str)> {
        let (pool, most, turn) = if path == ENROLL {
            (&self.enrolments, MAX_ENROLL, None)
        } else {
            let turn = self.turn(key).ok_or((
                RefusalCode::TooMany,
                "too many messages with this key at a time; try again in a minute",
            ))?;
            (&self.devices, MAX_BODY, Some(turn))
        };
        let size = announced(headers).unwrap_or(most).min(most);
        let pieces = u32::try_from(size.div_ceil(PIECE)).unwrap_or(u32::MAX);
        let taken = tokio::time::timeout(self.wait, Arc::clone(pool).acquire_many_owned(pieces)).await;
        match taken {
            Ok(Ok(taken)) => Ok(Room {
                most: size,
                _taken: taken,
                _turn: turn,
            }),
            _ => Err((
                RefusalCode::TooMany,
                "too many messages at a time; try again in a minute",
            )),
        }
    }

    fn turn(&self, key: &str) -> Option<Turn> {
        let mut of_key = self.of_key.lock().unwrap_or_else(PoisonError::into_inner);
        let n = of_key.entry(key.to_owned()).or_default();
        if *n >= OF_ONE_KEY {
            return None;
        }
        *n += 1;
        Some(Turn {
            key: key.to_owned(),
            of_key: Arc::clone(&self.of_key),
        })
    }

    /// Bytes that messages may hold in memory now.
    #[must_use]
    pub fn held(&self) -> usize {
        let free = self.devices.available_permits() + self.enrolments.available_permits();
        (DEVICES + ENROLMENTS - free) * PIECE
    }
}

/// What a body was, whether it was kept or not: replies are signed over it.
pub type Hash = [u8; 32];

/// Reads a body into its room; what does not fit is not kept.
///
/// # Errors
/// What was read of it, and what the sender is told.
pub async fn read(
    body: Body,
    room: &Room,
    headers: &HeaderMap,
) -> Result<(Hash, Vec<u8>), (Hash, RefusalCode, &'static str)> {
    let mut kept = Vec::with_capacity(room.most);
    let mut fits = true;
    let (hash, ended) = through(body, headers, |data| {
        fits &= kept.len() + data.len() <= room.most;
        if fits {
            kept.extend_from_slice(data);
        } else {
            kept = Vec::new();
        }
    })
    .await;
    match ended {
        Ended::Whole if fits => Ok((hash, kept)),
        Ended::Early => Err((hash, RefusalCode::Malformed, "the message ended early")),
        Ended::Whole | Ended::Cut => Err((
            hash,
            RefusalCode::TooLarge,
            "the message is larger than such a message may be",
        )),
    }
}

/// Reads a body without keeping anything of it.
pub async fn drain(body: Body, headers: &HeaderMap) -> Hash {
    through(body, headers, |_| ()).await.0
}

/// How a body ended.
enum Ended {
    Whole,
    /// The sender went away.
    Early,
    /// There was too much of it.
    Cut,
}

async fn through(mut body: Body, headers: &HeaderMap, mut take: impl FnMut(&Bytes)) -> (Hash, Ended) {
    let mut hash = Sha256::new();
    let mut read = 0_usize;
    let mut ended = Ended::Whole;
    if announced(headers).is_some_and(|length| length > DRAIN) {
        return (hash.finalize().into(), Ended::Cut);
    }
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            ended = Ended::Early;
            break;
        };
        let Ok(data) = frame.into_data() else { continue };
        hash.update(&data);
        take(&data);
        read += data.len();
        if read > DRAIN {
            ended = Ended::Cut;
            break;
        }
    }
    (hash.finalize().into(), ended)
}

/// How large the sender says that the body is.
fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use protocol::v1::REPORT;

    fn of_size(bytes: usize) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_LENGTH, HeaderValue::from(bytes))])
    }

    #[tokio::test]
    async fn a_key_has_two_messages_at_a_time() {
        let bodies = Bodies::default();
        let first = bodies.room(REPORT, "a", &of_size(2_000)).await.ok();
        let second = bodies.room(REPORT, "a", &of_size(10)).await.ok();
        assert_eq!(bodies.held(), 3 * PIECE);
        let third = bodies.room(REPORT, "a", &of_size(10)).await;
        assert_eq!(third.err().map(|(code, _)| code), Some(RefusalCode::TooMany));
        assert!(bodies.room(REPORT, "b", &of_size(10)).await.is_ok());
        drop(first);
        assert!(bodies.room(REPORT, "a", &of_size(10)).await.is_ok());
        drop(second);
        assert_eq!(bodies.held(), 0);
        assert!(bodies.of_key.lock().expect("unshared").is_empty());
    }

    #[tokio::test]
    async fn room_is_bounded_and_enrolments_have_their_own() {
        let bodies = Bodies {
            wait: Duration::ZERO,
            ..Bodies::default()
        };
        let mut all = Vec::new();
        for n in 0..64 {
            // What does not say how large it is may be as large as any.
            let key = n.to_string();
            all.push(bodies.room(REPORT, &key, &HeaderMap::new()).await.expect("room"));
        }
        assert_eq!(bodies.held(), 64 * MAX_BODY);
        let late = bodies.room(REPORT, "late", &of_size(1)).await;
        assert_eq!(late.err().map(|(code, _)| code), Some(RefusalCode::TooMany));
        let enrolment = bodies.room(ENROLL, "new", &of_size(usize::MAX)).await;
        assert_eq!(enrolment.ok().map(|room| room.most), Some(MAX_ENROLL));
        all.pop();
        assert!(bodies.room(REPORT, "late", &of_size(1)).await.is_ok());
    }

    #[tokio::test]
    async fn what_does_not_fit_is_hashed_and_not_kept() {
        let bodies = Bodies::default();
        let body = vec![7; 3_000];
        let hash = protocol::sign::sha256(&body);
        let room = bodies.room(REPORT, "a", &of_size(3_000)).await.expect("room");
        let read_whole = read(Body::from(body.clone()), &room, &of_size(3_000)).await;
        assert_eq!(read_whole.ok(), Some((hash, body.clone())));
        // A sender that said less than it sends.
        let room = bodies.room(REPORT, "a", &of_size(1_000)).await.expect("room");
        let cut = read(Body::from(body.clone()), &room, &of_size(1_000)).await;
        assert_eq!(cut.err().map(|e| (e.0, e.1)), Some((hash, RefusalCode::TooLarge)));
        assert_eq!(drain(Body::from(body), &of_size(3_000)).await, hash);
    }
}
