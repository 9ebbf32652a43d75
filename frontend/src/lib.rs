//! The browser entry point: hydrates the application. Nothing else, ever.
#![recursion_limit = "256"]

use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the hydration script once the module is loaded.
#[wasm_bindgen]
pub async fn hydrate() {
    console_error_panic_hook::set_once();
    // Before, not while: hydration then never pauses half-way, with links that the router has taken and cannot follow yet.
    app::load_page_shown().await;
    leptos::mount::hydrate_body(app::App);
}
