//! Who sent a request, and what is open to people who are not signed in.

use crate::live::EVENTS;
use crate::state::AppState;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use service::Actor;

/// Server functions that work without a session. Everything else under `/api` needs one.
pub const OPEN_FUNCTIONS: [&str; 2] = ["/api/session/sign_in", "/api/session/follow_link"];

/// Says that an open page asks by itself, without a person.
const LIVE: HeaderName = HeaderName::from_static("x-patchward-live");

/// Tells the caller of a server function to go to `location`.
const SERVER_FN_REDIRECT: HeaderName = HeaderName::from_static("serverfnredirect");

/// Who sent the request; put into every request that passes the gate.
#[derive(Clone, Debug)]
pub struct SignedIn(pub Option<Actor>);

/// Lets people with a session pass, and everybody to the sign-in pages.
pub async fn layer(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let token = cookie(request.headers(), state.cookie.name);
    let actor = match &token {
        None => None,
        Some(token) => {
            let found = if is_by_itself(&request) {
                state.service.session_of_page(token).await
            } else {
                state.service.session(token).await
            };
            match found {
                Ok(actor) => actor,
                Err(error) => {
                    tracing::error!(%error, "cannot look up a session");
                    return (
                        StatusCode::SERVICE_UNAVAILABLE,
                        "The database cannot be read now. Try again in a moment.\n",
                    )
                        .into_response();
                }
            }
        }
    };
    if actor.is_none() && !open_to_all(request.method(), request.uri().path()) {
        let mut response = refuse(&request);
        // The browser may forget a cookie whose session is over; but one that was only withheld by SameSite was never seen here.
        if token.is_some()
            && let Ok(gone) = HeaderValue::from_str(&state.cookie.header("", 0))
        {
            response.headers_mut().append(header::SET_COOKIE, gone);
        }
        return response;
    }
    request.extensions_mut().insert(SignedIn(actor));
    next.run(request).await
}

/// Whether an open page asks and nobody has to sit before it: its stream of events, which it opens again every few minutes, and what it
/// reads anew when something changed. Neither moves the end of an idle session.
fn is_by_itself(request: &Request) -> bool {
    request.uri().path() == EVENTS || request.headers().contains_key(LIVE)
}

/// Only looks who it is; the handler decides.
pub async fn look(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let actor = match cookie(request.headers(), state.cookie.name) {
        Some(token) => state.service.session(&token).await.ok().flatten(),
        None => None,
    };
    request.extensions_mut().insert(SignedIn(actor));
    next.run(request).await
}

/// The one list of what anybody may ask for. Exact text: no decoding, no other case, nothing after.
fn open_to_all(method: &Method, path: &str) -> bool {
    match *method {
        Method::GET | Method::HEAD => {
            path == "/sign-in"
                || path
                    .strip_prefix("/sign-in/link/")
                    .is_some_and(|token| is_secret(token.as_bytes()))
        }
        Method::POST => OPEN_FUNCTIONS.contains(&path),
        _ => false,
    }
}

/// Whether a text could be a token that the service made.
fn is_secret(text: &[u8]) -> bool {
    (20..=128).contains(&text.len())
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The session's cookie, if it is there once and could be ours.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let pairs = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut found = pairs
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let token = found.next()?;
    (found.next().is_none() && is_secret(token.as_bytes())).then(|| token.to_owned())
}

fn refuse(request: &Request) -> Response {
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let page = header(header::ACCEPT.as_str()).contains("text/html");
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    if !page {
        // The closed error of the pages, as they expect it from a server function, and where to go (the browser's side of Leptos follows
        // this header). What is not a function call ignores both.
        let to = sign_in(&path_of(header(header::REFERER.as_str())));
        let headers = [(header::LOCATION, to), (SERVER_FN_REDIRECT, String::new())];
        return (
            StatusCode::UNAUTHORIZED,
            headers,
            axum::Json(view::UiError::NotSignedIn),
        )
            .into_response();
    }
    if !reading {
        return Redirect::to(&sign_in(&path_of(header(header::REFERER.as_str())))).into_response();
    }
    if matches!(header("sec-fetch-site"), "cross-site" | "same-site") {
        // Somebody followed a link in a mail: the browser withheld the cookie. Asked again by our own page, it sends it.
        return Html("<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0\"><title>Patchward</title>")
            .into_response();
    }
    let asked = request.uri().path_and_query().map_or("/", |asked| asked.as_str());
    Redirect::to(&sign_in(asked)).into_response()
}

/// The sign-in page, with the way back to the page that was wanted, without what that page said about a form: of a form that is refused
/// now, the notice of the one before would be taken for its answer.
fn sign_in(wanted: &str) -> String {
    if wanted == "/" || wanted.starts_with("/sign-in") {
        return "/sign-in".to_owned();
    }
    let (path, query) = wanted.split_once('?').unwrap_or((wanted, ""));
    let asked = query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !name.is_empty() && !app::notice::SAID.contains(&name)
    });
    let asked = asked.collect::<Vec<_>>().join("&");
    let mark = if asked.is_empty() { "" } else { "?" };
    format!("/sign-in?next={}", encode(&format!("{path}{mark}{asked}")))
}

/// Path and query of a page of ours: a foreign `referer` was removed in front of this.
fn path_of(url: &str) -> String {
    url.splitn(4, '/')
        .nth(3)
        .map_or_else(|| "/".to_owned(), |rest| format!("/{rest}"))
}

/// Percent-encodes everything but letters, digits and `/-_.`.
fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&hex::encode_upper([byte]));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";

    #[test]
    fn only_the_exact_sign_in_addresses_are_open() {
        let get = |path: &str| open_to_all(&Method::GET, path);
        assert!(get("/sign-in") && get(&format!("/sign-in/link/{TOKEN}")));
        for path in [
            "/",
            "/sign-in/",
            "/Sign-in",
            "/sign-in/link/",
            "/sign-in/../patches",
            "/%73ign-in",
            "//sign-in",
            "/sign-in;x",
        ] {
            assert!(!get(path), "{path}");
        }
        assert!(!get(&format!("/sign-in/link/{TOKEN}/more")) && !get("/sign-in/link/..%2f..%2fpatches%2fxxxxxxxxxx"));
        assert!(!open_to_all(&Method::POST, "/sign-in") && !open_to_all(&Method::PUT, OPEN_FUNCTIONS[0]));
        assert!(open_to_all(&Method::POST, OPEN_FUNCTIONS[0]) && !get(OPEN_FUNCTIONS[0]));
    }

    #[test]
    fn a_cookie_counts_when_it_is_alone() {
        let map =
            |value: &str| HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(value).expect("plain text"))]);
        assert_eq!(
            cookie(&map(&format!("a=1; sid={TOKEN}")), "sid").as_deref(),
            Some(TOKEN)
        );
        assert_eq!(cookie(&map(&format!("sid={TOKEN}; sid=other")), "sid"), None);
        assert_eq!(cookie(&map(&format!("xsid={TOKEN}")), "sid"), None);
        assert_eq!(cookie(&map("sid=short"), "sid"), None);
    }

    #[test]
    fn the_way_back_cannot_leave_its_parameter() {
        assert_eq!(
            sign_in("/patches?q=a&b=c d"),
            "/sign-in?next=/patches%3Fq%3Da%26b%3Dc%20d"
        );
        assert_eq!(
            sign_in(&path_of("https://own.example/devices?page=2")),
            "/sign-in?next=/devices%3Fpage%3D2"
        );
        assert_eq!(
            sign_in("/patches?q=a&done=approved&n=1&left=2&late=3&__path=x&__err=y&page=2"),
            "/sign-in?next=/patches%3Fq%3Da%26page%3D2"
        );
        assert_eq!(sign_in("/patches/7?done=held"), "/sign-in?next=/patches/7");
        assert_eq!(sign_in(&path_of("https://own.example")), "/sign-in");
        assert_eq!(sign_in(&path_of("")), "/sign-in");
    }
}
