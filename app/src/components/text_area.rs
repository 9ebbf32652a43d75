//! The only place that writes a text area. The server does not escape what stands inside one: it starts empty, or with what is escaped here.

use super::html::piece;
use leptos::prelude::*;
use maud::{Markup, html};

/// Room for a few lines.
pub fn text_area(name: &'static str, label: &'static str, required: bool) -> AnyView {
    view! { <label class="field" {..piece(room_html(name, label, required))}></label> }.into_any()
}

/// As HTML.
pub fn text_area_html(name: &'static str, label: &'static str, required: bool) -> Markup {
    html! { label.field { (room_html(name, label, required)) } }
}

fn room_html(name: &'static str, label: &'static str, required: bool) -> Markup {
    html! {
        span { (label) @if !required { " (optional)" } }
        textarea name=(name) rows="2" maxlength="1000" required[required] {}
    }
}

/// As [`text_area`], for what must be given, with what was written in it before.
pub fn filled(name: &'static str, label: &'static str, written: &str) -> AnyView {
    // The browser's side sets it as text.
    let text = if cfg!(feature = "ssr") {
        written.replace('&', "&amp;").replace('<', "&lt;")
    } else {
        written.to_owned()
    };
    view! {
        <label class="field">
            <span>{label}</span>
            <textarea name=name rows="2" maxlength="1000" required>{text}</textarea>
        </label>
    }
    .into_any()
}
