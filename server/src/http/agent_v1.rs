//! The agent API over HTTP: bounded bodies in, signed replies out. What a message means is decided in `service::agents`.
//!
//! Cookies are not looked at, and nothing here can make a session.

use crate::http::limits::Network;
use crate::state::AppState;
use app::ctx::PeerAddr;
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::BodyExt as _;
use protocol::ShortText;
use protocol::limits::MAX_BODY;
use protocol::sign::{KEY_HEADER, SIGNATURE_HEADER, sha256, sign_reply};
use protocol::v1::{CHECK_IN, ENROLL, PERMIT, REPORT, RESULTS, Refusal, RefusalCode};
use std::any::Any;
use std::time::Instant;

/// So much of a body that is too large is read and thrown away, so that its sender is still there to read why. More is cut off.
const DRAIN: usize = 4 * MAX_BODY;
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
    let body = match read(body, &parts.headers).await {
        Ok(body) => body,
        Err(refused) => return reply(state, &refused.read, refused.code, refused.detail),
    };
    let hash = sha256(&body);
    let (key, signature) = (
        value(&parts.headers, KEY_HEADER),
        value(&parts.headers, SIGNATURE_HEADER),
    );
    let (now, network) = (Instant::now(), Network::from(peer.0));
    let limits = &state.limits;
    let claimed = (network, key.to_owned());
    let within = limits.failed.has_left(&network, now)
        && limits.failed_key.has_left(&claimed, now)
        && (path != ENROLL || limits.enroll.take(network, now));
    if !within {
        return reply(
            state,
            &hash,
            RefusalCode::TooMany,
            "too many messages from this address; try again in a minute",
        );
    }
    let answer = state.service.agent(path, key, signature, &body).await;
    if answer.status == StatusCode::UNAUTHORIZED.as_u16() {
        limits.failed.take(network, now);
        limits.failed_key.take(claimed, now);
    }
    signed(state, &hash, answer.status, answer.body)
}

/// A body that was not taken.
struct Refused {
    read: [u8; 32],
    code: RefusalCode,
    detail: &'static str,
}

/// Reads a body of at most [`MAX_BODY`] bytes.
async fn read(mut body: Body, headers: &HeaderMap) -> Result<Vec<u8>, Refused> {
    let too_large = |read: &[u8]| Refused {
        read: sha256(read),
        code: RefusalCode::TooLarge,
        detail: "the message is larger than 1 MiB",
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    if announced.is_some_and(|length: usize| length > DRAIN) {
        return Err(too_large(&[]));
    }
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0).min(MAX_BODY));
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(Refused {
                read: sha256(&bytes),
                code: RefusalCode::Malformed,
                detail: "the message ended early",
            });
        };
        let Ok(data) = frame.into_data() else { continue };
        bytes.extend_from_slice(&data);
        if bytes.len() > DRAIN {
            return Err(too_large(&bytes));
        }
    }
    if bytes.len() > MAX_BODY {
        Err(too_large(&bytes))
    } else {
        Ok(bytes)
    }
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
