//! What a page or server function may ask about its request. The server puts these values into the Leptos context before it renders
//! anything; on the browser's side none of this exists.

use http::{HeaderValue, StatusCode, header};
use leptos::prelude::{expect_context, use_context};
use leptos_axum::ResponseOptions;
use service::{Actor, Service, commands::session::NewSession};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use view::UiError;

/// The address at the other end of the connection. Never taken from a header that the other end can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub IpAddr);

/// How the browser names itself; shown in the list of sessions. Cut to a line of printable text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientName(pub String);

/// How the session's cookie is named and sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookiePolicy {
    /// `__Host-sid` over https; the prefix is refused by browsers without TLS, so `sid` on a loopback address.
    pub name: &'static str,
    /// Only over TLS.
    pub secure: bool,
}

impl CookiePolicy {
    /// For a console that people reach at this address.
    #[must_use]
    pub fn for_url(public_url: &str) -> Self {
        if public_url.starts_with("https://") {
            Self {
                name: "__Host-sid",
                secure: true,
            }
        } else {
            Self {
                name: "sid",
                secure: false,
            }
        }
    }

    /// The value of a `set-cookie` header; `max_age` 0 removes the cookie.
    #[must_use]
    pub fn header(self, token: &str, max_age: i64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!(
            "{}={token}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}",
            self.name
        )
    }
}

/// For each file that [`crate::lazy`] names: the `link` header with which a browser loads it beside the main file, not after it.
#[derive(Clone, Debug, Default)]
pub struct Preloads(pub Arc<HashMap<String, HeaderValue>>);

/// The page that is rendered has its code in this file.
pub(crate) fn load_at_once(file: &str) {
    if let (Some(preloads), Some(response)) = (use_context::<Preloads>(), use_context::<ResponseOptions>())
        && let Some(link) = preloads.0.get(file)
    {
        response.insert_header(header::LINK, link.clone());
    }
}

/// The page says this instead of its content, and its status says so too. A redirect that is on its way stays one.
pub(crate) fn refuse(error: &UiError) {
    if *error != UiError::NotSignedIn
        && let (Some(response), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(error.status()))
    {
        response.set_status(status);
    }
}

/// The service behind every page.
///
/// # Panics
/// Outside a request: the server provides it for every page and server function.
#[must_use]
pub fn service() -> Service {
    expect_context::<Service>()
}

/// Who is signed in. The first line of every server function but those of the sign-in page.
///
/// # Errors
/// [`UiError::NotSignedIn`].
pub fn actor() -> Result<Actor, UiError> {
    use_context::<Option<Actor>>().flatten().ok_or(UiError::NotSignedIn)
}

/// How many changes the server has told so far.
#[must_use]
pub fn changes() -> u64 {
    use_context::<Service>().map_or(0, |service| service.events().sent())
}

/// Where the request came from.
///
/// # Panics
/// Outside a request.
#[must_use]
pub fn peer() -> IpAddr {
    expect_context::<PeerAddr>().0
}

/// How the browser names itself.
#[must_use]
pub fn client() -> String {
    use_context::<ClientName>().unwrap_or_default().0
}

/// Sends the cookie of a session that just began.
pub fn set_session_cookie(session: &NewSession) {
    send_cookie(&session.token, session.max_age);
}

/// Removes the session's cookie.
pub fn clear_session_cookie() {
    send_cookie("", 0);
}

fn send_cookie(token: &str, max_age: i64) {
    let (Some(policy), Some(response)) = (use_context::<CookiePolicy>(), use_context::<ResponseOptions>()) else {
        return;
    };
    if let Ok(value) = HeaderValue::from_str(&policy.header(token, max_age)) {
        response.append_header(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_never_readable_by_scripts_nor_sent_across_sites() {
        let https = CookiePolicy::for_url("https://patch.example").header("t", 60);
        assert_eq!(
            https,
            "__Host-sid=t; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure"
        );
        let local = CookiePolicy::for_url("http://127.0.0.1:7677").header("", 0);
        assert_eq!(local, "sid=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    }
}
