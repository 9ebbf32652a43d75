//! There is no such page.

use leptos::prelude::*;
use leptos_meta::Title;

/// For every address that is no page.
#[component]
pub fn NotFound() -> impl IntoView {
    view! {
        <Title text="Not found"/>
        <div class="failed">
            <h1>"There is no such page"</h1>
            <p>"The address may be mistyped, or what it named is gone."</p>
            <p><a class="button" href="/patches">"To the patches"</a></p>
        </div>
    }
}
