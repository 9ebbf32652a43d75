//! The description of the agent API, for people who write another agent or look at the traffic.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// OpenAPI 3.1, kept by hand beside the code; `tests/openapi.rs` compares it with the messages.
pub const AGENT_V1: &str = include_str!("../../openapi/agent-v1.json");

/// `GET /openapi.json`.
pub async fn serve() -> Response {
    (
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "public, max-age=3600"),
        ],
        AGENT_V1,
    )
        .into_response()
}
