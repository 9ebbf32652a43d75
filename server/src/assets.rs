//! What browsers load besides pages: the embedded copy of `target/site`. Debug builds read it from disk.

use app::ctx::Preloads;
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use leptos::config::LeptosOptions;
use rust_embed::{EmbeddedFile, RustEmbed};
use std::collections::HashMap;
use std::sync::Arc;

/// File names never change their content, because the build id in their path is a hash of all of them.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// For the few files with a fixed name at the root.
const A_DAY: HeaderValue = HeaderValue::from_static("public, max-age=86400");
/// Precompressed copies, best first.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

#[derive(RustEmbed)]
#[folder = "../target/site/"]
struct Site;

/// How Leptos names the files of the browser part. Built in code, so that the binary needs no file beside it.
#[must_use]
pub fn leptos_options() -> LeptosOptions {
    LeptosOptions::builder()
        .output_name("app")
        .site_root("")
        .site_pkg_dir(format!("pkg/{}", build_id()))
        .build()
}

/// The hash that names this build of the browser part; `none` when the server was built without one.
#[must_use]
pub fn build_id() -> String {
    Site::get("build-id")
        .and_then(|file| String::from_utf8(file.data.into_owned()).ok())
        .map_or_else(|| "none".to_owned(), |text| text.trim().to_owned())
}

/// What a page tells the browser to load at once: the files that the page's own code is in (`xtask/src/bind.rs` lists them). Nothing when
/// the server was built without a browser part.
#[must_use]
pub fn preloads() -> Preloads {
    let folder = format!("/pkg/{}", build_id());
    let parts: HashMap<String, Vec<String>> = Site::get(&format!("{}/parts.json", &folder[1..]))
        .and_then(|file| serde_json::from_slice(&file.data).ok())
        .unwrap_or_default();
    let link = |files: Vec<String>| {
        let mut links = vec![format!("<{folder}/parts.js>; rel=modulepreload")];
        links.extend(files.into_iter().map(|file| {
            format!("<{folder}/{file}.wasm>; rel=preload; as=fetch; type=\"application/wasm\"; crossorigin=anonymous")
        }));
        HeaderValue::try_from(links.join(", ")).ok()
    };
    let links = parts.into_iter().filter_map(|(part, files)| Some((part, link(files)?)));
    Preloads(Arc::new(links.collect()))
}

/// Serves `/pkg/…` and the files that browsers and robots ask for at the root.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/pkg/{*path}", get(pkg))
        .route(
            "/favicon.svg",
            get(async |headers: HeaderMap| at_root("favicon.svg", &headers)),
        )
        .route(
            "/robots.txt",
            get(async |headers: HeaderMap| at_root("robots.txt", &headers)),
        )
}

async fn pkg(Path(path): Path<String>, headers: HeaderMap) -> Response {
    serve(&format!("pkg/{path}"), &headers, FOR_EVER)
}

fn at_root(name: &str, headers: &HeaderMap) -> Response {
    serve(&format!("pkg/{}/{name}", build_id()), headers, A_DAY)
}

fn serve(path: &str, request: &HeaderMap, keep: HeaderValue) -> Response {
    let Some((file, encoding)) = find(path, request) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let etag = format!(
        "\"{}{}\"",
        hex::encode(&file.metadata.sha256_hash()[..16]),
        encoding.unwrap_or_default()
    );
    let mut response = Response::new(Body::empty());
    if request
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| names(known, &etag))
    {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Body::from(file.data);
    }
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    headers.insert(header::CACHE_CONTROL, keep);
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// The best copy that the browser accepts.
fn find(path: &str, request: &HeaderMap) -> Option<(EmbeddedFile, Option<&'static str>)> {
    for (encoding, ending) in ENCODINGS {
        if accepts(request, encoding)
            && let Some(file) = Site::get(&format!("{path}{ending}"))
        {
            return Some((file, Some(encoding)));
        }
    }
    Site::get(path).map(|file| (file, None))
}

/// Whether `accept-encoding` names this encoding without refusing it (`q=0`).
fn accepts(request: &HeaderMap, encoding: &str) -> bool {
    let values = request
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let refused = parts.any(|part| {
            part.strip_prefix("q=")
                .is_some_and(|weight| weight.trim_end_matches(['0', '.']).is_empty())
        });
        named && !refused
    })
}

/// Whether an `if-none-match` header names this tag.
fn names(known: &HeaderValue, etag: &str) -> bool {
    known.to_str().is_ok_and(|known| {
        known
            .split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_refused_encoding_is_not_sent() {
        assert!(accepts(&asking("gzip, deflate, br"), "br"));
        assert!(accepts(&asking("gzip;q=0.5, BR;q=1.0"), "br"));
        assert!(!accepts(&asking("gzip, br;q=0"), "br"));
        assert!(!accepts(&asking("gzip, br;q=0.000"), "br"));
        assert!(!accepts(&asking("gzip"), "br"));
        assert!(!accepts(&HeaderMap::new(), "gzip"));
    }

    #[test]
    fn a_known_tag_is_recognised() {
        assert!(names(&HeaderValue::from_static("\"a\", W/\"b\""), "\"b\""));
        assert!(!names(&HeaderValue::from_static("\"a\""), "\"b\""));
    }

    #[test]
    fn an_unknown_file_is_not_found() {
        let response = serve("pkg/none/../build-id.txt", &HeaderMap::new(), FOR_EVER);
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }
}
