//! A form or script on another site must not act with a person's cookie (THREATS 3). Leptos leaves this to us.

use crate::state::AppState;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const FETCH_SITE: &str = "sec-fetch-site";

/// Refuses what another site sent, and forgets a foreign `referer`: a form without JavaScript is sent back to it.
pub async fn layer(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let host = text(request.headers(), header::HOST.as_str());
    let own = |origin: &str| state.origins.own(origin, host.as_deref());
    if !allowed(request.method(), request.uri().path(), request.headers(), &own) {
        tracing::warn!(method = %request.method(), "refused: sent by another site");
        return (
            StatusCode::FORBIDDEN,
            "This was sent by a page of another site. Open the console itself and try again.\n",
        )
            .into_response();
    }
    let foreign = text(request.headers(), header::REFERER.as_str()).is_some_and(|from| !own(origin_of(&from)));
    if foreign {
        request.headers_mut().remove(header::REFERER);
    }
    next.run(request).await
}

/// Browsers say where a request comes from in `sec-fetch-site`, older ones (and plain http on a network) only in `origin`. What changes
/// something must carry one of them, and it must be ours. A server function that only reads may come without either.
fn allowed(method: &Method, path: &str, headers: &HeaderMap, own: &dyn Fn(&str) -> bool) -> bool {
    let safe = matches!(*method, Method::GET | Method::HEAD);
    if safe && !path.starts_with("/api/") {
        return true;
    }
    if headers.contains_key(FETCH_SITE) {
        return text(headers, FETCH_SITE).is_some_and(|site| site == "same-origin");
    }
    if headers.contains_key(header::ORIGIN) {
        return text(headers, header::ORIGIN.as_str()).is_some_and(|origin| own(&origin));
    }
    safe
}

/// A header that stands there exactly once and is plain text.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then(|| value.to_owned())
}

fn origin_of(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| after_scheme + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn with(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn post(pairs: &[(&'static str, &'static str)]) -> bool {
        allowed(&Method::POST, "/api/x", &with(pairs), &|origin| {
            origin == "https://own.example"
        })
    }

    #[test]
    fn what_changes_something_comes_from_our_own_pages() {
        assert!(post(&[("sec-fetch-site", "same-origin")]));
        assert!(post(&[("origin", "https://own.example")]));
        for site in ["cross-site", "same-site", "none", "", "same-origin, same-origin"] {
            let headers = HeaderMap::from_iter([
                (
                    HeaderName::from_static("sec-fetch-site"),
                    HeaderValue::from_static(site),
                ),
                (header::ORIGIN, HeaderValue::from_static("https://own.example")),
            ]);
            assert!(!allowed(&Method::POST, "/api/x", &headers, &|_| true), "{site:?}");
        }
        assert!(!post(&[("origin", "https://evil.example")]));
        assert!(!post(&[("origin", "null")]));
        assert!(!post(&[]), "neither header");
        let mut twice = with(&[("sec-fetch-site", "cross-site")]);
        twice.append(FETCH_SITE, HeaderValue::from_static("same-origin"));
        assert!(!allowed(&Method::POST, "/api/x", &twice, &|_| true), "said twice");
        assert!(!allowed(&Method::DELETE, "/", &HeaderMap::new(), &|_| true));
    }

    #[test]
    fn reading_is_free_but_for_server_functions() {
        let none = HeaderMap::new();
        assert!(allowed(
            &Method::GET,
            "/",
            &with(&[("sec-fetch-site", "cross-site")]),
            &|_| false
        ));
        assert!(allowed(&Method::GET, "/api/x", &none, &|_| false));
        assert!(!allowed(
            &Method::GET,
            "/api/x",
            &with(&[("sec-fetch-site", "cross-site")]),
            &|_| true
        ));
    }

    #[test]
    fn a_referer_is_cut_to_its_origin() {
        assert_eq!(origin_of("https://a.example:1/b?c"), "https://a.example:1");
        assert_eq!(origin_of("https://a.example"), "https://a.example");
        assert_eq!(origin_of("https://a.example?x=/"), "https://a.example");
    }
}
