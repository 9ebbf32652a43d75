//! Moments. The server writes UTC; the browser shows its own zone and keeps UTC in the tooltip.

use crate::live::{live, local_text, local_zone};
use domain::Moment;
use leptos::prelude::*;
use view::{Instant, Part, Text};

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

/// A moment on a device: in the browser its own zone, with the device's clock beside it where that shows something else; without
/// JavaScript the device's clock and UTC.
pub fn instant(moment: &Instant) -> AnyView {
    let (Some(wall), Some(clock)) = (moment.on_device(), &moment.device) else {
        return when(moment.at);
    };
    let (at, shown, utc) = (moment.at, moment.to_string(), moment.utc());
    let there = format!("{wall} {}", clock.zone);
    let awake = live().awake;
    let text = move || {
        if !awake.get() {
            return shown.clone();
        }
        let here = local_text(at);
        if here == wall {
            return here;
        }
        let skip = if here[..10] == wall[..10] { 11 } else { 0 };
        format!("{here} ({} on the device)", &there[skip..])
    };
    let title = move || {
        if awake.get() {
            format!("{utc} (shown in {})", local_zone())
        } else {
            utc.clone()
        }
    };
    view! { <time datetime=at.rfc3339() title=title>{text}</time> }.into_any()
}

/// A sentence with its moments.
pub fn told(text: &Text) -> AnyView {
    let parts = text.0.iter().map(|part| match part {
        Part::Words(words) => words.clone().into_any(),
        Part::At(at) => instant(at),
    });
    parts.collect::<Vec<_>>().into_any()
}

/// A moment, or a dash with a word for screen readers.
pub fn when_or(at: Option<Moment>, none: &'static str) -> AnyView {
    match at {
        Some(at) => when(at),
        None => view! { <span class="none">{none}</span> }.into_any(),
    }
}
