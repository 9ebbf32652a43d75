//! How a server function answers a form: with a way back and a notice, and once in a while with a secret that is shown once. Server only.

use crate::address::Query;
use crate::ctx::CookiePolicy;
use crate::error::AppError;
use crate::notice::{DONE, Notice};
use http::{HeaderMap, HeaderValue, header, request::Parts};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use leptos_router::params::ParamsMap;
use std::str::FromStr;
use view::{Field, Problem, UiError};

impl From<service::Error> for AppError {
    fn from(error: service::Error) -> Self {
        Self(error.to_ui())
    }
}

/// An id or word from a form's hidden field. A form of ours always carries a good one.
pub fn parse<T: FromStr>(text: &str) -> Result<T, AppError> {
    text.parse().map_err(|_| AppError(UiError::NotFound))
}

/// As [`parse`], for a field that people fill in.
pub fn parse_field<T: FromStr>(text: &str, field: Field) -> Result<T, AppError> {
    let problem = if text.trim().is_empty() {
        Problem::Missing
    } else {
        Problem::Unknown
    };
    text.trim()
        .parse()
        .map_err(|_| AppError(UiError::Invalid { field, problem }))
}

/// `path` if it stays on this server, else the home page.
pub fn local(path: &str) -> &str {
    let inside = path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\n', '\r', '\t']);
    if inside && path.is_ascii() { path } else { "/patches" }
}

/// Back to `path` with a notice.
pub fn finish(path: &str, notice: Notice) {
    finish_with(path, notice, &[]);
}

/// Back to `path` with a notice and its numbers.
pub fn finish_with(path: &str, notice: Notice, numbers: &[(&'static str, usize)]) {
    let mut query = Query::default();
    query.add(DONE, notice.word());
    for (name, number) in numbers {
        query.add(name, &number.to_string());
    }
    leptos_axum::redirect(&with(local(path), &query));
}

/// `path` with more in its query: in front of the place on the page, if it names one.
fn with(path: &str, query: &Query) -> String {
    let (path, place) = path.split_at(path.find('#').unwrap_or(path.len()));
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}{}{place}", query.text())
}

/// The request is a browser's own, without JavaScript: the answer is a page to go to.
pub fn without_script() -> bool {
    use_context::<Parts>().is_some_and(|parts| text(&parts.headers, header::ACCEPT).contains("text/html"))
}

/// The page that a request is about: its own address, or for a server function the page that called it.
pub fn wanted_page() -> String {
    let Some(parts) = use_context::<Parts>() else {
        return "/patches".to_owned();
    };
    let own = parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
    if !own.starts_with("/api/") {
        return local(&own).to_owned();
    }
    let referrer = text(&parts.headers, header::REFERER);
    let path = referrer
        .splitn(4, '/')
        .nth(3)
        .map_or_else(|| "/patches".to_owned(), |rest| format!("/{rest}"));
    local(&path).to_owned()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> String {
    headers
        .get(name)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}

/// A query that [`Query`] wrote, read again.
pub fn params(text: &str) -> ParamsMap {
    let mut map = ParamsMap::new();
    for pair in text.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        map.insert(name.to_owned(), unescape(value));
    }
    map
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail
            .get(..2)
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match hex.filter(|_| *first == b'%') {
            Some(byte) => (bytes.push(byte), rest = &tail[2..]).0,
            None => (bytes.push(*first), rest = tail).0,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A cookie that carries a new token's text over one redirect, so that it never stands in an address or a log.
const ONCE: &str = "patchward-once";

/// Keeps `parts` for the next page; they may not contain the separator, a line break.
pub fn keep_once(parts: [&str; 3]) {
    let hex: String = parts.join("\n").bytes().map(|b| format!("{b:02x}")).collect();
    set_once(&hex, 120);
}

/// What the request before this one kept; it is forgotten now.
pub fn take_once() -> Option<[String; 3]> {
    let parts = use_context::<Parts>()?;
    let cookies = text(&parts.headers, header::COOKIE);
    let hex = cookies
        .split("; ")
        .find_map(|c| c.strip_prefix(ONCE)?.strip_prefix('='))?;
    set_once("", 0);
    let bytes = (0..hex.len() / 2)
        .map(|i| {
            hex.get(2 * i..2 * i + 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        })
        .collect::<Option<Vec<u8>>>()?;
    let text = String::from_utf8(bytes).ok()?;
    let mut lines = text.split('\n').map(str::to_owned);
    Some([lines.next()?, lines.next()?, lines.next()?])
}

fn set_once(value: &str, max_age: u32) {
    let secure = use_context::<CookiePolicy>().is_some_and(|p| p.secure);
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!("{ONCE}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}");
    if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(&cookie)) {
        response.append_header(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address;
    use domain::{RingId, Severity};
    use view::{ApprovalFilter, CountBucket, PatchFilter, PatchSort};

    #[test]
    fn a_filter_survives_the_address_bar() {
        let filter = PatchFilter {
            q: "open ssl&=é".to_owned(),
            severity: Some(Severity::Important),
            state: Some(CountBucket::RolledBack),
            ring: Some(RingId(2)),
            approval: Some(ApprovalFilter::None),
            superseded: true,
            sort: PatchSort::Released,
            page: 3,
            ..PatchFilter::default()
        };
        let written = address::patch_query(&filter);
        assert!(
            written
                .text()
                .starts_with("q=open%20ssl%26%3D%C3%A9&severity=important"),
            "{}",
            written.text()
        );
        assert_eq!(address::patch_filter(&params(written.text())), filter);
    }

    #[test]
    fn a_notice_stands_in_the_query_and_not_in_the_place_on_the_page() {
        let mut said = Query::default();
        said.add(DONE, "held");
        for (path, whole) in [
            ("/patches/1", "/patches/1?done=held"),
            ("/patches/1?state=missing", "/patches/1?state=missing&done=held"),
            (
                "/devices/1?show=failed#patches",
                "/devices/1?show=failed&done=held#patches",
            ),
        ] {
            assert_eq!(with(path, &said), whole);
        }
    }

    #[test]
    fn a_way_back_never_leaves_the_server() {
        for bad in [
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "",
            "patches",
            "/a\r\nset-cookie: x",
        ] {
            assert_eq!(local(bad), "/patches", "{bad:?}");
        }
        assert_eq!(local("/devices?q=a"), "/devices?q=a");
    }
}
