//! The HTML document around the application.

use crate::App;
use crate::components::icon::Sprite;
use leptos::config::LeptosOptions;
use leptos::prelude::*;
use leptos_meta::MetaTags;

/// The document: everything the browser loads comes from this server, and every inline script carries the nonce.
/// `changes` is how many changes the server had told before the page read anything: one in between is then heard of twice, never missed.
pub fn shell(options: LeptosOptions, changes: u64) -> impl IntoView {
    let pkg = options.site_pkg_dir.clone();
    view! {
        <!DOCTYPE html>
        <html lang="en" data-changes=changes.to_string()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="stylesheet" href=format!("/{pkg}/main.css")/>
                <link rel="icon" type="image/svg+xml" href=format!("/{pkg}/favicon.svg")/>
                <HydrationScripts options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
                // After the application: hydration walks the body from its start.
                <Sprite/>
            </body>
        </html>
    }
}
