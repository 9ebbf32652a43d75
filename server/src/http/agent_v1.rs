//! The agent API over HTTP: bounded bodies in, signed replies out. What a message means is decided in `service::agents`.
//!
//! Cookies are not looked at, and nothing here can make a session.

use crate::http::bodies;
use crate::http::limits::Network;
use crate::state::AppState;
use app::ctx::PeerAddr;
use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use protocol::ShortText;
use protocol::sign::{KEY_HEADER, SIGNATURE_HEADER, sign_reply};
use protocol::v1::{CHECK_IN, ENROLL, PERMIT, REPORT, RESULTS, Refusal, RefusalCode};
use std::any::Any;
use std::time::Instant;

/// Longer key ids and signatures than any that fit are not even compared.
const HEADER_MAX: usize = 200;

/// The routes below `/agent`. Anything else there is unknown, whoever asks.
pub fn routes() -> Router<AppState> {
    let below = |path: &'static str| path.strip_prefix("/agent").unwrap_or(path);
    [ENROLL, CHECK_IN, REPORT, PERMIT, RESULTS]
        .into_iter()
        .fold(Router::new(), |router, path| {
            let handler =
                async move |State(state): State<AppState>, Extension(peer): Extension<PeerAddr>, request: Request| {
                    handle(&state, peer, path, request).await
                };
            router.route(below(path), post(handler).fallback(not_allowed))
        })
        .fallback(unknown)
}

async fn handle(state: &AppState, peer: PeerAddr, path: &'static str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let (key, signature) = (value(headers, KEY_HEADER), value(headers, SIGNATURE_HEADER));
    let (now, network) = (Instant::now(), Network::from(peer.0));
    let limits = &state.limits;
    let claimed = (network, key.to_owned());
    let within = limits.failed.has_left(&network, now)
        && limits.failed_key.has_left(&claimed, now)
        && (path != ENROLL || limits.enroll.take(network, now));
    if !within {
        let hash = bodies::drain(body, headers).await;
        return reply(
            state,
            &hash,
            RefusalCode::TooMany,
            "too many messages from this address; try again in a minute",
        );
    }
    let stranger = if path == ENROLL {
        None
    } else {
        state.service.refuse_stranger(key).await
    };
    let (hash, answer) = match stranger {
        Some(refusal) => (bodies::drain(body, headers).await, refusal),
        None => match limits.bodies.room(path, key, headers).await {
            Err((code, detail)) => return reply(state, &bodies::drain(body, headers).await, code, detail),
            Ok(room) => match bodies::read(body, &room, headers).await {
                Err((hash, code, detail)) => return reply(state, &hash, code, detail),
                Ok((hash, body)) => (hash, state.service.agent(path, key, signature, &body).await),
            },
        },
    };
    if answer.status == StatusCode::UNAUTHORIZED.as_u16() {
        limits.failed.take(network, now);
        limits.failed_key.take(claimed, now);
    }
    signed(state, &hash, answer.status, answer.body)
}

/// A header that stands there once; anything else is as good as none.
fn value<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if value.len() <= HEADER_MAX => value.to_str().unwrap_or_default(),
        _ => "",
    }
}

fn refusal(code: RefusalCode, detail: &str) -> Vec<u8> {
    // A struct of an enum and a text always has a JSON form.
    serde_json::to_vec(&Refusal {
        code,
        detail: ShortText::fit(detail),
    })
    .unwrap_or_default()
}

fn reply(state: &AppState, hash: &[u8; 32], code: RefusalCode, detail: &str) -> Response {
    signed(state, hash, code.status(), refusal(code, detail))
}

fn signed(state: &AppState, hash: &[u8; 32], status: u16, body: Vec<u8>) -> Response {
    let signature = sign_reply(state.service.signing_key(), hash, status, &body);
    let mut response = json(
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        body,
    );
    if let Ok(signature) = HeaderValue::from_str(&signature) {
        response.headers_mut().insert(SIGNATURE_HEADER, signature);
    }
    response
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn unknown() -> Response {
    json(
        StatusCode::NOT_FOUND,
        br#"{"code":"malformed","detail":"there is no such address in this version of the agent API"}"#.to_vec(),
    )
}

async fn not_allowed() -> Response {
    let body = br#"{"code":"malformed","detail":"send messages with POST"}"#.to_vec();
    let mut response = json(StatusCode::METHOD_NOT_ALLOWED, body);
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

/// A fault while a message was handled: not signed, so the agent keeps its message and sends it again.
pub fn panicked(panic: Box<dyn Any + Send>) -> Response {
    drop(panic);
    json(
        StatusCode::INTERNAL_SERVER_ERROR,
        refusal(RefusalCode::Internal, "the server failed; its log says why"),
    )
}
