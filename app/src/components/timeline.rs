//! What happened, newest first.

use super::html::timed;
use super::when::when_html;
use leptos::prelude::*;
use maud::html;
use view::TimelineEntry;

/// A history.
pub fn timeline(entries: &[TimelineEntry]) -> AnyView {
    if entries.is_empty() {
        return view! { <p class="none">"Nothing yet."</p> }.into_any();
    }
    let entries = entries.to_vec();
    let lines = timed(move |awake| {
        html! {
            @for entry in &entries {
                li {
                    (when_html(entry.at, awake))
                    p { b { (entry.actor) } " " (entry.text) " " @if !entry.reason.is_empty() { q { (entry.reason) } } }
                }
            }
        }
    });
    view! { <ol class="timeline" {..lines}></ol> }.into_any()
}
