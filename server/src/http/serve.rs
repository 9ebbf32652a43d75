//! Accepting connections. axum's own loop has no limit on their number and waits for ever for a request's head, so this one does not use it.

use crate::state::Stop;
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
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
/// A pause after an error of `accept`, e.g. no file descriptors left.
const BREATHE: Duration = Duration::from_millis(100);

/// Serves until `stop` is given, then lets running requests finish.
pub async fn serve(listener: TcpListener, router: Router, stop: Stop) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut running = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.wait() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let router = router.clone();
                let stop = stop.clone();
                running.spawn(async move {
                    connection(stream, ConnectInfo(peer), router, stop).await;
                    drop(place);
                });
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
    let service = router.map_request(move |mut request: axum::http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        request.map(axum::body::Body::new)
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
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
