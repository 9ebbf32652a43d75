//! What happened, newest first.

use super::when::when;
use leptos::prelude::*;
use view::TimelineEntry;

/// A history.
pub fn timeline(entries: &[TimelineEntry]) -> AnyView {
    if entries.is_empty() {
        return view! { <p class="none">"Nothing yet."</p> }.into_any();
    }
    let entries = entries.iter().map(|entry| {
        let reason = (!entry.reason.is_empty()).then(|| view! { <q>{entry.reason.clone()}</q> });
        view! { <li>{when(entry.at)} <p><b>{entry.actor.clone()}</b> " " {entry.text.clone()} " " {reason}</p></li> }
    });
    view! { <ol class="timeline">{entries.collect::<Vec<_>>()}</ol> }.into_any()
}
