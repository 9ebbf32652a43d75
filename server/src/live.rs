//! `/events`: tells open pages that something of a topic changed. It carries no data; a page asks again by its usual, authorised way.

use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use service::events::Topic;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::{broadcast::error::RecvError, mpsc};
use tokio_stream::wrappers::ReceiverStream;

/// Where the stream is.
pub const EVENTS: &str = "/events";
/// A stream ends after so long and the browser opens the next one, which looks at the session again: nobody listens longer than this
/// after an account was disabled.
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// Shorter than the idle limit of usual proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a browser waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);
/// Streams at a time; each costs a connection.
const MOST: i64 = 2_000;

/// Counts a stream as open for as long as it lives.
struct Open(AppState);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.metrics.streams.dec();
    }
}

/// The stream. The session was checked in front of it.
pub async fn events(State(state): State<AppState>) -> Response {
    let before = state.metrics.streams.inc();
    let open = Open(state.clone());
    if before >= MOST || state.stop.given() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let mut topics = state.service.events().listen();
    let changes = state.service.events().sent();
    let (send, receive) = mpsc::channel::<Result<Event, Infallible>>(16);
    tokio::spawn(async move {
        let _open = open;
        let end = tokio::time::sleep(LONGEST);
        tokio::pin!(end);
        // A page that was made before the latest change asks again: what happened before the stream opened was not heard.
        let mut news = vec![
            Event::default()
                .retry(RETRY)
                .event(app::CHANGES)
                .data(changes.to_string()),
        ];
        loop {
            for event in news.drain(..) {
                if send.send(Ok(event)).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                topic = topics.recv() => match topic {
                    Ok(topic) => news.push(event(topic)),
                    // Which ones were missed is unknown, so all of them.
                    Err(RecvError::Lagged(_)) => news.extend(Topic::ALL.map(event)),
                    Err(RecvError::Closed) => return,
                },
                () = state.stop.wait() => return,
                () = send.closed() => return,
                () = &mut end => return,
            }
        }
    });
    Sse::new(ReceiverStream::new(receive))
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response()
}

fn event(topic: Topic) -> Event {
    // The words are our own and need no escaping.
    Event::default().data(format!("{{\"topic\":\"{}\"}}", topic.word()))
}
