//! The statuses of server functions. Leptos answers every refusal with 500; here a refusal says by its status whether whoever asked can
//! mend it (4xx) or whether it is a fault of the server (5xx), for programs, proxies and the numbers that operators watch.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use view::UiError;

/// Where server functions are.
const FUNCTIONS: &str = "/api/";
/// A refusal is a word and a few numbers.
const REFUSAL_MAX: usize = 4 * 1024;

/// The status that fits a refusal.
#[must_use]
pub fn of(error: &UiError) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Gives the refusals of server functions their statuses. Forms without JavaScript are answered with a way back: that stays.
pub async fn layer(request: Request, next: Next) -> Response {
    let function = request.uri().path().starts_with(FUNCTIONS);
    let response = next.run(request).await;
    if !function || response.status() != StatusCode::INTERNAL_SERVER_ERROR {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, REFUSAL_MAX).await.unwrap_or_default();
    if let Ok(refusal) = serde_json::from_slice::<UiError>(&body) {
        parts.status = of(&refusal);
        if let UiError::Throttled { retry_after } = refusal {
            parts.headers.insert(header::RETRY_AFTER, retry_after.into());
        }
    }
    Response::from_parts(parts, Body::from(body))
}
