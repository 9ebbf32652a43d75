//! A part of a page that waits for its data: keeps what it shows while it asks again, and says what went wrong in its own place.

use super::icon::icon;
use crate::error::AppError;
use crate::words;
use leptos::prelude::*;
use view::{Me, UiError};

/// Who is signed in, for every page. `None` on pages that ask nobody to sign in.
#[derive(Clone, Copy)]
pub struct Session(pub Resource<Option<Result<Me, AppError>>>);

/// Shows `data` with `render` once it and the session are there.
pub fn section<T>(data: Resource<Result<T, AppError>>, render: impl Fn(Me, T) -> AnyView + Clone + Send + Sync + 'static) -> AnyView
where
    T: Clone + Send + Sync + 'static,
{
    let session = expect_context::<Session>().0;
    view! {
        <Transition fallback=loading>
            {move || {
                let render = render.clone();
                Suspend::new(async move {
                    match (session.await, data.await) {
                        (Some(Ok(me)), Ok(data)) => render(me, data),
                        (Some(Err(error)), _) | (_, Err(error)) => failed(&error.0),
                        (None, Ok(_)) => failed(&UiError::NotSignedIn),
                    }
                })
            }}
        </Transition>
    }
    .into_any()
}

fn loading() -> AnyView {
    view! { <p class="loading" role="status">"Loading"</p> }.into_any()
}

/// A refusal in place of the data.
pub fn failed(error: &UiError) -> AnyView {
    let title = match error {
        UiError::NotFound => "There is nothing here",
        UiError::NotSignedIn => "Please sign in",
        UiError::NotAllowed { .. } => "Not for this role",
        _ => "That did not work",
    };
    let sign_in = matches!(error, UiError::NotSignedIn).then(|| view! { <p><a class="button" href="/sign-in">"Sign in"</a></p> });
    view! {
        <div class="failed" role="alert">
            <h1>{icon("alert")} " " {title}</h1>
            <p>{words::refusal(error)}</p>
            {sign_in}
        </div>
    }
    .into_any()
}

/// A list without entries.
pub fn empty(title: &'static str, text: AnyView) -> AnyView {
    view! { <div class="empty"><p><strong>{title}</strong></p> {text}</div> }.into_any()
}
