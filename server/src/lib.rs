//! The patchward server: pages, agent API, command line.
//!
//! May not: know SQL.
#![recursion_limit = "256"]

pub mod assets;
pub mod pages;

use axum::Router;

/// The whole router.
pub fn router() -> Router {
    let options = assets::leptos_options();
    pages::routes(&options, || {})
        .merge(assets::routes())
        .with_state(options)
}
