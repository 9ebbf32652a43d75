//! Moments. The server writes UTC; the browser shows its own zone and keeps UTC in the tooltip.

use crate::live::{live, local_text, local_zone};
use domain::Moment;
use leptos::prelude::*;

/// A moment.
pub fn when(at: Moment) -> AnyView {
    let exact = at.rfc3339();
    let utc = format!("{} UTC", exact[..16].replace('T', " "));
    let shown = utc.clone();
    let awake = live().awake;
    let text = move || if awake.get() { local_text(at) } else { shown.clone() };
    let title = move || {
        if awake.get() {
            format!("{utc} (shown in {})", local_zone())
        } else {
            utc.clone()
        }
    };
    view! { <time datetime=exact title=title>{text}</time> }.into_any()
}

/// A moment, or a dash with a word for screen readers.
pub fn when_or(at: Option<Moment>, none: &'static str) -> AnyView {
    match at {
        Some(at) => when(at),
        None => view! { <span class="none">{none}</span> }.into_any(),
    }
}
