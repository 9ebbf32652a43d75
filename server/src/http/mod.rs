//! Three routers: what is open, what people use, what agents use. They share no state of a request: agents have no session, people have no
//! device key, and nothing under one prefix is reachable by the other.

mod again;
pub mod agent_v1;
pub mod bodies;
pub mod explain;
pub mod export;
pub mod limits;
pub mod openapi;
pub mod serve;
pub mod statuses;

use crate::security::{csrf, headers, peer, session};
use crate::state::AppState;
use crate::{assets, health, live, metrics, pages};
use app::ctx::{ClientName, PeerAddr};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use leptos::prelude::{provide_context, use_context};
use service::Actor;
use std::any::Any;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

/// A form that selects patches one by one has some ten bytes a patch.
const FORM_MAX: usize = 256 * 1024;
/// The slowest honest answer is a sign-in waiting behind others.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Addresses that are neither pages, server functions nor assets: method, path, what guards it. The matrix test walks this list.
pub const PLAIN_ROUTES: [(&str, &str, Guard); 11] = [
    ("GET", "/healthz", Guard::Open),
    ("GET", "/openapi.json", Guard::Open),
    ("GET", "/metrics", Guard::Metrics),
    ("GET", "/events", Guard::Session),
    ("GET", explain::PATH, Guard::Fleet),
    ("GET", export::PATH, Guard::Fleet),
    ("POST", protocol::v1::ENROLL, Guard::Agent),
    ("POST", protocol::v1::CHECK_IN, Guard::Agent),
    ("POST", protocol::v1::REPORT, Guard::Agent),
    ("POST", protocol::v1::PERMIT, Guard::Agent),
    ("POST", protocol::v1::RESULTS, Guard::Agent),
];

/// What stands in front of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Nothing: it says nothing about the fleet.
    Open,
    /// A session of any role.
    Session,
    /// A session that may read the fleet.
    Fleet,
    /// A session that may read the audit log, or a program on this host.
    Metrics,
    /// A device's signature, or an enrolment token.
    Agent,
}

/// The whole server.
pub fn router(state: AppState) -> Router {
    let open = assets::routes()
        .route("/healthz", get(health::healthz))
        .route("/openapi.json", get(openapi::serve));
    // Numbers are for people with the right, and for programs on this host that have no session: the handler decides.
    let numbers = Router::new()
        .route("/metrics", get(health::metrics))
        .layer(from_fn_with_state(state.clone(), session::look));
    let agents = agent_v1::routes()
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            ANSWER_WITHIN,
        ))
        .layer(CatchPanicLayer::custom(agent_v1::panicked));
    Router::new()
        .merge(people(&state))
        .merge(open)
        .merge(numbers)
        .nest("/agent", agents)
        .layer(from_fn_with_state(state.clone(), peer::layer))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), headers::layer))
        .layer(from_fn_with_state(state.clone(), metrics::layer))
        .with_state(state)
}

/// Pages, server functions and events, behind the session.
fn people(state: &AppState) -> Router<AppState> {
    let provided = state.clone();
    let context = move || provide(&provided);
    pages::routes(state, context)
        .layer(from_fn(statuses::layer))
        .route(explain::PATH, get(explain::serve))
        .route(export::PATH, get(export::serve))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            ANSWER_WITHIN,
        ))
        // Added after the time limit: a stream of events has none.
        .route(live::EVENTS, get(live::events))
        .layer(from_fn_with_state(state.clone(), session::layer))
        .layer(from_fn_with_state(state.clone(), csrf::layer))
        .layer(DefaultBodyLimit::max(FORM_MAX))
        .layer(RequestBodyLimitLayer::new(FORM_MAX))
}

/// What pages and server functions may ask for. Also runs once at the start without a request, to list the routes.
fn provide(state: &AppState) {
    provide_context(state.service.clone());
    provide_context(state.cookie);
    let parts = use_context::<Parts>();
    let of_request = parts.as_ref().map(|parts| &parts.extensions);
    let actor: Option<Actor> = of_request
        .and_then(|extensions| extensions.get::<session::SignedIn>())
        .and_then(|signed_in| signed_in.0.clone());
    provide_context(actor);
    if let Some(extensions) = of_request {
        if let Some(peer) = extensions.get::<PeerAddr>() {
            provide_context(*peer);
        }
        if let Some(client) = extensions.get::<ClientName>() {
            provide_context(client.clone());
        }
    }
}

/// A fault in a handler ends its own request only. What it was is in the log (the panic hook) under the id of the request, which every
/// answer carries, and not in the answer.
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    drop(panic);
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        "Something went wrong on the server. Its log says what, under the id in this answer's x-request-id header.\n",
    )
        .into_response()
}
