//! The routes.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{ParentRoute, Route, Router, Routes};
use leptos_router::nested_router::Outlet;
use leptos_router::{SsrMode, path};

/// The whole application. It also runs once at start, without a request, to list the routes: nothing here may expect one.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title formatter=|text: String| if text.is_empty() { "Patchward".to_owned() } else { format!("{text} · Patchward") }/>
        <Router>
            <Routes fallback=NotFound>
                // `Async` on the root: without JavaScript the data are in the page, not a spinner.
                <ParentRoute path=path!("") view=Outlet ssr=SsrMode::Async>
                    <Route path=path!("") view=Hello/>
                </ParentRoute>
            </Routes>
        </Router>
    }
}

#[component]
fn Hello() -> impl IntoView {
    let hydrated = RwSignal::new(false);
    Effect::new(move |_| hydrated.set(true));
    view! {
        <Title text="Welcome"/>
        <main data-hydrated=move || hydrated.get().to_string()>
            <h1>"Patchward"</h1>
            <p>"What is missing, what will be installed where and when, why not yet, and can we go back?"</p>
        </main>
    }
}

#[component]
fn NotFound() -> impl IntoView {
    view! {
        <Title text="Not found"/>
        <main>
            <h1>"There is no such page"</h1>
            <p><a href="/">"To the overview"</a></p>
        </main>
    }
}
