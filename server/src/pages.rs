//! The pages: Leptos routes with the headers that every page carries.

use app::{App, shell};
use axum::Router;
use axum::extract::FromRef;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use leptos::config::LeptosOptions;
use leptos::nonce::use_nonce;
use leptos::prelude::{provide_context, use_context};
use leptos_axum::{LeptosRoutes, ResponseOptions, generate_route_list, render_app_async_with_context};

/// Everything that is not an asset or an API: pages, server functions, and the page that says "there is no such page".
/// `context` runs for every page and server function, before anything is rendered.
pub fn routes<S>(state: &S, context: impl Fn() + Clone + Send + Sync + 'static) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    LeptosOptions: FromRef<S>,
{
    let options = LeptosOptions::from_ref(state);
    let document = move || shell(options.clone(), app::ctx::changes());
    let preloads = crate::assets::preloads();
    let page_context = {
        let context = context.clone();
        move || {
            protect();
            provide_context(preloads.clone());
            context();
        }
    };
    let missing_context = {
        let state = state.clone();
        move || {
            provide_context(state.clone());
            protect();
            context();
            if let Some(response) = use_context::<ResponseOptions>() {
                response.set_status(StatusCode::NOT_FOUND);
            }
        }
    };
    Router::new()
        .leptos_routes_with_context(state, generate_route_list(App), page_context, document.clone())
        .fallback(render_app_async_with_context(missing_context, document))
}

/// Sets the headers of a page. The nonce is made anew for every response, and only our own inline scripts carry it.
fn protect() {
    let Some(response) = use_context::<ResponseOptions>() else {
        return;
    };
    let nonce = use_nonce().map(|nonce| format!(" 'nonce-{nonce}'")).unwrap_or_default();
    if let Ok(policy) = HeaderValue::from_str(&content_security_policy(&nonce)) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in PAGE_HEADERS {
        response.insert_header(name, HeaderValue::from_static(value));
    }
}

const PAGE_HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not `no-referrer`: forms without JavaScript find their way back by the referrer.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

fn content_security_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'{nonce} 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; \
         frame-ancestors 'none'"
    )
}
