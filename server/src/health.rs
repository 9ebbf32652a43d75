//! `/healthz` for whoever watches the process, `/metrics` for Prometheus.
//!
//! `/metrics` is open to sessions that may read the audit log, and to programs on this host that come directly: over loopback, naming a
//! loopback host, without a proxy's headers, and only while the console itself is plain http on this machine. Behind a proxy every visitor
//! comes over loopback, so there `patchward metrics` prints the same text through the administration socket.

use crate::security::{is_loopback, session::SignedIn};
use crate::state::AppState;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::Permission;
use std::net::SocketAddr;

/// Headers that only a proxy adds.
const FORWARDED: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
/// No session has this token.
const NOBODY: &str = "healthz";

/// 200 when the database answers and the last write succeeded; 503 with the reason otherwise.
pub async fn healthz(State(state): State<AppState>) -> Response {
    if state.stop.given() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    if !state.health.can_write() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the database cannot be written\n").into_response();
    }
    // The cheapest question that reaches the database.
    match state.service.session(NOBODY).await {
        Ok(_) => "ok\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "unhealthy");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

/// The numbers, for those who may see them.
pub async fn metrics(State(state): State<AppState>, request: Request) -> Response {
    let connection = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let direct = !state.origins.https() && !state.reach.behind_proxy && is_direct(connection, request.headers());
    let actor = request
        .extensions()
        .get::<SignedIn>()
        .and_then(|signed_in| signed_in.0.as_ref());
    if !direct {
        let Some(actor) = actor else {
            return (StatusCode::UNAUTHORIZED, "Sign in, or ask from this host itself.\n").into_response();
        };
        if actor.require(Permission::ReadAudit).is_err() {
            return (StatusCode::FORBIDDEN, "This account may not read the numbers.\n").into_response();
        }
    }
    match state.metrics.text(&state.service).await {
        Ok(text) => (
            [(
                header::CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            )],
            text,
        )
            .into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot count");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn is_direct(connection: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    connection.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .is_some_and(is_loopback)
        && !FORWARDED.iter().any(|name| headers.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    #[test]
    fn a_proxy_on_this_host_does_not_open_the_numbers() {
        let local = Some(SocketAddr::from(([127, 0, 0, 1], 50_000)));
        let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("127.0.0.1:7677"))]);
        assert!(is_direct(local, &headers));
        assert!(!is_direct(Some(SocketAddr::from(([192, 0, 2, 1], 1))), &headers) && !is_direct(None, &headers));
        headers.insert(
            HeaderName::from_static("x-forwarded-for"),
            HeaderValue::from_static("127.0.0.1"),
        );
        assert!(!is_direct(local, &headers));
        let named = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("patch.example"))]);
        assert!(!is_direct(local, &named));
    }
}
