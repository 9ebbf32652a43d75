//! What the last form brought: a refusal or a notice. With JavaScript a refusal comes from memory, without it from the address; the words
//! are ours in both cases.

use super::icon::icon;
use crate::error::AppError;
use crate::{notice, words};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_query_map};
use server_fn::error::ServerFnUrlError;
use view::UiError;

/// What came of the last form, and whether one is on its way.
#[derive(Clone, Copy)]
pub struct Flash {
    refusal: RwSignal<Option<UiError>>,
    /// Forms that were sent and are not answered.
    sent: RwSignal<u32>,
}

impl Flash {
    /// A form is sent: what was said about the one before is over, so that nobody takes it for the answer to this one.
    pub fn begin(self) {
        self.refusal.set(None);
        self.sent.update(|n| *n += 1);
    }

    /// It is answered.
    pub fn end(self, refusal: Option<UiError>) {
        self.refusal.set(refusal);
        self.sent.update(|n| *n = n.saturating_sub(1));
    }
}

/// Provides [`Flash`]. Needs: nothing.
pub fn provide_flash() {
    provide_context(Flash {
        refusal: RwSignal::new(None),
        sent: RwSignal::new(0),
    });
}

/// The banner under the page's head.
#[component]
pub fn FlashBanner() -> impl IntoView {
    let Flash { refusal, sent } = expect_context();
    let (query, path) = (use_query_map(), use_location().pathname);
    // A refusal belongs to the page it happened on.
    Effect::new(move |before: Option<String>| {
        let now = path.get();
        if before.is_some_and(|b| b != now) {
            refusal.set(None);
        }
        now
    });
    let refused = move || {
        refusal.get().or_else(|| {
            query.with(|q| {
                q.get_str("__err")
                    .map(|e| ServerFnUrlError::<AppError>::decode_err(e).0)
            })
        })
    };
    let banner = move || {
        if sent.get() > 0 {
            // The button that was pressed shows it to the eye.
            return view! { <p class="hide" role="status">"Sending"</p> }.into_any();
        }
        // The form keeps what was typed while its sender signs in elsewhere.
        let mut sign_in = None;
        let (tone, role, mark, text) = match (refused(), query.with(notice::from_address)) {
            (Some(error), _) => {
                sign_in = (error == UiError::NotSignedIn).then(|| {
                    view! { <a href="/sign-in" target="_blank">"Sign in in a new tab, then send it again"</a> }
                });
                ("bad", "alert", "alert", words::refusal(&error))
            }
            (None, Some((true, text))) => ("good", "status", "check", text),
            (None, Some((false, text))) => ("warn", "status", "alert", text),
            (None, None) => return ().into_any(),
        };
        view! { <p class="flash" data-tone=tone role=role>{icon(mark)} <span>{text}</span> {sign_in}</p> }.into_any()
    };
    // There before anything is said in it: what comes into the document together with its words is often not read out.
    view! { <div class="flash-place" aria-live="polite">{banner}</div> }
}
