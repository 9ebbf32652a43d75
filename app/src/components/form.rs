//! Forms. Each is a plain HTML form that works without JavaScript; in the browser one handler for all of them sends it in the background
//! and moves on by client navigation.
//!
//! Why not `ActionForm`: it is compiled anew for each of some twenty-five server functions, which costs more bytes than the rest of this folder.

use super::flash::Flash;
use crate::address::Query;
use crate::live::{Live, live};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use server_fn::ServerFn;
use view::UiError;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Element, Event, FormData, HtmlElement, HtmlFormElement, HtmlInputElement, RequestInit, Response, SubmitEvent,
    UrlSearchParams,
};

/// A form that posts to a server function.
pub fn post<F: ServerFn>(class: &'static str, fields: AnyView) -> AnyView {
    post_to(F::PATH, class, fields, None)
}

/// As [`post`], but what was typed stays in the form until the next page is there. `id` lets a button outside the form send it.
pub fn post_kept<F: ServerFn>(id: &'static str, class: &'static str, fields: AnyView) -> AnyView {
    post_to(F::PATH, class, fields, Some(id))
}

fn post_to(path: &'static str, class: &'static str, fields: AnyView, kept: Option<&'static str>) -> AnyView {
    let submit = sender(path, kept.is_some());
    view! { <form method="post" action=path id=kept class=class on:submit=submit>{fields}</form> }.into_any()
}

/// What sends a form in the background. `kept`: what was typed stays in it until the next page is there.
pub fn sender(path: &'static str, kept: bool) -> impl FnMut(SubmitEvent) + 'static {
    let (live, flash, navigate) = (live(), expect_context::<Flash>(), use_navigate());
    move |event: SubmitEvent| {
        let Some((form, data)) = read(&event) else { return };
        event.prevent_default();
        // Pressed twice: the first answer is still on its way.
        if form.has_attribute(BUSY) {
            return;
        }
        let navigate = navigate.clone();
        let busy = [Some(form.clone().unchecked_into()), event.submitter()];
        let busy = move |is| busy.iter().flatten().for_each(|element| mark(element, is));
        busy(true);
        flash.begin();
        spawn_local(async move {
            let refusal = match send(path, &data).await {
                Ok(location) => {
                    if !kept {
                        close(&form);
                    }
                    move_on(live, &location, navigate);
                    None
                }
                Err(error) => {
                    // Looked at again in place: the form keeps what was typed, and gets the revisions of what is shown now.
                    if error == UiError::Changed {
                        live.stale.update(|n| *n += 1);
                    }
                    Some(error)
                }
            };
            busy(false);
            // Last: until the address is the new one, it holds the notice of what was done before.
            flash.end(refusal);
        });
    }
}

/// Set on a form, and on the button that sent it, until the server has answered.
const BUSY: &str = "aria-busy";

fn mark(element: &HtmlElement, busy: bool) {
    let _ = if busy {
        element.set_attribute(BUSY, "true")
    } else {
        element.remove_attribute(BUSY)
    };
}

/// A form that only changes the address: filters, and choices for a page that follows. Empty fields stay out of the address.
pub fn get(action: &'static str, class: &'static str, label: &'static str, at_once: bool, fields: AnyView) -> AnyView {
    let navigate = use_navigate();
    let submit = move |event: SubmitEvent| {
        let Some((_, data)) = read(&event) else { return };
        event.prevent_default();
        let mut query = Query::default();
        for (name, value) in entries(&data) {
            query.some(&name, &value);
        }
        navigate(
            &query.on(action),
            NavigateOptions {
                scroll: !at_once,
                ..NavigateOptions::default()
            },
        );
    };
    // Choosing is enough; the button is for the keyboard and for browsers without JavaScript.
    let change = move |event: Event| {
        let Some(target) = event.target().and_then(|t| t.dyn_into::<Element>().ok()) else {
            return;
        };
        if at_once
            && target.get_attribute("type").as_deref() != Some("search")
            && let Ok(Some(form)) = target
                .closest("form")
                .map(|f| f.and_then(|f| f.dyn_into::<HtmlFormElement>().ok()))
        {
            let _ = form.request_submit();
        }
    };
    view! { <form method="get" action=action class=class aria-label=label on:submit=submit on:change=change>{fields}</form> }.into_any()
}

fn entries(data: &UrlSearchParams) -> Vec<(String, String)> {
    let pairs = js_sys::Array::from(data).into_iter();
    let pairs = pairs.map(|pair| {
        let pair = js_sys::Array::from(&pair);
        let text = |i| pair.get(i).as_string().unwrap_or_default();
        (text(0), text(1))
    });
    pairs.collect()
}

/// The form's fields, with the button that sent it.
fn read(event: &SubmitEvent) -> Option<(HtmlFormElement, UrlSearchParams)> {
    if event.default_prevented() {
        return None;
    }
    let form = event.target()?.dyn_into::<HtmlFormElement>().ok()?;
    let data = FormData::new_with_form(&form).ok()?;
    let params = UrlSearchParams::new_with_str_sequence_sequence(&data).ok()?;
    if let Some(button) = event.submitter()
        && let (Some(name), Some(value)) = (button.get_attribute("name"), button.get_attribute("value"))
    {
        params.append(&name, &value);
    }
    Some((form, params))
}

/// The form that an event happened in.
pub fn form_of(event: &Event) -> Option<HtmlFormElement> {
    let element = event.target()?.dyn_into::<Element>().ok()?;
    element.closest("form").ok()??.dyn_into().ok()
}

/// What stands in a form, by the fields' names.
pub fn pairs(form: &HtmlFormElement) -> Vec<(String, String)> {
    let data = FormData::new_with_form(form).and_then(|data| UrlSearchParams::new_with_str_sequence_sequence(&data));
    data.map(|data| entries(&data)).unwrap_or_default()
}

/// Sends a form; where to go next, or why it was refused.
async fn send(path: &str, data: &UrlSearchParams) -> Result<String, UiError> {
    let response = fetch(path, data).await.map_err(|_| UiError::Transport)?;
    // A session that ended is told with a way to the sign-in page, too: that is a refusal, and what was typed stays where it is.
    if response.ok()
        && let Ok(Some(location)) = response.headers().get("location")
    {
        return Ok(location);
    }
    let text = match response.text() {
        Ok(text) => JsFuture::from(text).await.ok().and_then(|t| t.as_string()),
        Err(_) => None,
    };
    Err(text
        .and_then(|t| serde_json::from_str(&t).ok())
        .unwrap_or(UiError::Transport))
}

async fn fetch(path: &str, data: &UrlSearchParams) -> Result<Response, JsValue> {
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(data);
    let headers = web_sys::Headers::new()?;
    // Not HTML: the server then names the next page instead of redirecting to it.
    headers.set("accept", "application/json")?;
    init.set_headers(&headers);
    JsFuture::from(window().fetch_with_str_and_init(path, &init))
        .await?
        .dyn_into()
}

fn close(form: &HtmlFormElement) {
    form.reset();
    if let Ok(Some(details)) = form.closest("details.act") {
        let _ = details.remove_attribute("open");
        // What was pressed in it is not seen any more.
        if let Ok(Some(summary)) = details.query_selector("summary") {
            let _ = summary.unchecked_into::<HtmlElement>().focus();
        }
    }
}

fn move_on(live: Live, location: &str, navigate: impl Fn(&str, NavigateOptions)) {
    let here = window().location().pathname().unwrap_or_default();
    let same = location.split('?').next() == Some(here.as_str());
    navigate(
        location,
        NavigateOptions {
            replace: same,
            scroll: !same,
            ..NavigateOptions::default()
        },
    );
    live.acts.update(|n| *n += 1);
}

/// Whether a box is ticked after a change.
pub fn ticked(event: &Event) -> bool {
    event
        .target()
        .and_then(|t| t.dyn_into::<HtmlInputElement>().ok())
        .is_some_and(|box_| box_.checked())
}
