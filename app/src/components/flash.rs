//! What the last form brought: a refusal or a notice. With JavaScript a refusal comes from memory, without it from the address; the words
//! are ours in both cases.

use super::icon::icon;
use crate::error::AppError;
use crate::{notice, words};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_query_map};
use server_fn::error::ServerFnUrlError;
use view::UiError;

/// The last refusal.
#[derive(Clone, Copy)]
pub struct Flash(pub RwSignal<Option<UiError>>);

/// Provides [`Flash`]. Needs: nothing.
pub fn provide_flash() {
    provide_context(Flash(RwSignal::new(None)));
}

/// The banner under the page's head.
#[component]
pub fn FlashBanner() -> impl IntoView {
    let flash = expect_context::<Flash>().0;
    let (query, path) = (use_query_map(), use_location().pathname);
    // A refusal belongs to the page it happened on.
    Effect::new(move |before: Option<String>| {
        let now = path.get();
        if before.is_some_and(|b| b != now) {
            flash.set(None);
        }
        now
    });
    let refused = move || {
        flash.get().or_else(|| {
            query.with(|q| {
                q.get_str("__err")
                    .map(|e| ServerFnUrlError::<AppError>::decode_err(e).0)
            })
        })
    };
    let banner = move || {
        match (refused(), query.with(notice::from_address)) {
        (Some(error), _) => {
            view! { <p class="flash" data-tone="bad" role="alert">{icon("alert")} <span>{words::refusal(&error)}</span></p> }.into_any()
        }
        (None, Some(text)) => view! { <p class="flash" data-tone="good" role="status">{icon("check")} <span>{text}</span></p> }.into_any(),
        (None, None) => ().into_any(),
    }
    };
    view! { <div class="flash-place">{banner}</div> }
}
