//! Accepting connections. axum's own loop has no limit on their number and waits for ever for a request's head, so this one does not use it.

use super::again::Again;
use crate::state::Stop;
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

/// A file descriptor each; well below the usual limit of 1,024 a process would be too few for a fleet that keeps connections.
const CONNECTIONS: usize = 4_096;
/// From the first byte of a request to the end of its head; also how long an idle connection is kept.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// Requests that run at the stop get so long.
const FINISH_WITHIN: Duration = Duration::from_secs(8);
/// At the stop, a connection without a running request is left after so long; the end of an answer may still be on its way.
const SILENCE: Duration = Duration::from_secs(1);
/// A pause after an error of `accept`, e.g. no file descriptors left.
const BREATHE: Duration = Duration::from_millis(100);

/// Serves until `stop` is given, then lets running requests finish.
pub async fn serve(listener: TcpListener, router: Router, stop: Stop) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut running = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.wait() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let router = router.clone();
                let stop = stop.clone();
                running.spawn(Again::new(async move {
                    connection(stream, ConnectInfo(peer), router, stop).await;
                    drop(place);
                }));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(BREATHE).await;
            }
        }
        while running.try_join_next().is_some() {}
    }
    drop(listener);
    let all = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(FINISH_WITHIN, all).await.is_err() {
        tracing::warn!("some requests did not finish in time and are cut off");
    }
}

async fn connection(stream: TcpStream, peer: ConnectInfo<std::net::SocketAddr>, router: Router, stop: Stop) {
    // Small answers must not wait for more to send. If the option cannot be set they are only slower.
    let _ = stream.set_nodelay(true);
    let running = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&running);
    let service = tower::service_fn(move |mut request: axum::http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        let answer = router.clone().oneshot(request.map(axum::body::Body::new));
        let one = Running::begin(&count);
        async move {
            let answer = answer.await;
            drop(one);
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.wait() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = silent(&running) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

/// A request between its head and the head of its answer.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Ends when nobody has asked for anything on this connection for a while: browsers keep connections ready on which they never say a
/// word, and a stop must not wait for those.
async fn silent(running: &AtomicUsize) {
    loop {
        tokio::time::sleep(SILENCE).await;
        if running.load(Ordering::Relaxed) == 0 {
            return;
        }
    }
}
