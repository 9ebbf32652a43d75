//! Moments. The server writes UTC; the browser shows its own zone and keeps UTC in the tooltip.

use crate::live::{live, local_offset, local_text};
use domain::Moment;
use leptos::prelude::*;
use maud::{Markup, html};
use view::{Instant, Part, Text};

/// A moment.
pub fn when(at: Moment) -> AnyView {
    instant(&Instant { at, device: None })
}

/// A moment on a device: in the browser its own zone, with the device's clock beside it where that shows something else; without
/// JavaScript the device's clock and UTC.
pub fn instant(moment: &Instant) -> AnyView {
    let (text, title) = (moment.clone(), moment.clone());
    let awake = live().awake;
    view! {
        <time datetime=moment.at.rfc3339() title=move || hint(&title, awake.get())>{move || shown(&text, awake.get())}</time>
    }
    .into_any()
}

/// As HTML; `awake`: the browser runs the page.
pub fn when_html(at: Moment, awake: bool) -> Markup {
    instant_html(&Instant { at, device: None }, awake)
}

/// As HTML; `awake`: the browser runs the page.
pub fn instant_html(moment: &Instant, awake: bool) -> Markup {
    html! { time datetime=(moment.at.rfc3339()) title=(hint(moment, awake)) { (shown(moment, awake)) } }
}

fn shown(moment: &Instant, awake: bool) -> String {
    if !awake {
        return moment.to_string();
    }
    let here = local_text(moment.at);
    match (moment.on_device(), &moment.device) {
        (Some(wall), Some(clock)) if here != wall => {
            let there = format!("{wall} {}", clock.zone);
            let skip = if here[..10] == wall[..10] { 11 } else { 0 };
            format!("{here} ({} on the device)", &there[skip..])
        }
        _ => here,
    }
}

fn hint(moment: &Instant, awake: bool) -> String {
    let utc = moment.utc();
    if awake {
        format!("{utc} (shown in {})", local_offset(moment.at))
    } else {
        utc
    }
}

/// A sentence with its moments.
pub fn told(text: &Text) -> AnyView {
    let parts = text.0.iter().map(|part| match part {
        Part::Words(words) => words.clone().into_any(),
        Part::At(at) => instant(at),
    });
    parts.collect::<Vec<_>>().into_any()
}

/// As HTML; `awake`: the browser runs the page.
pub fn told_html(text: &Text, awake: bool) -> Markup {
    html! {
        @for part in &text.0 {
            @match part {
                Part::Words(words) => (words),
                Part::At(at) => (instant_html(at, awake)),
            }
        }
    }
}

/// As HTML; `awake`: the browser runs the page.
pub fn when_or_html(at: Option<Moment>, none: &'static str, awake: bool) -> Markup {
    html! { @match at { Some(at) => (when_html(at, awake)), None => span.none { (none) } } }
}

/// A moment, or a dash with a word for screen readers.
pub fn when_or(at: Option<Moment>, none: &'static str) -> AnyView {
    match at {
        Some(at) => when(at),
        None => view! { <span class="none">{none}</span> }.into_any(),
    }
}
