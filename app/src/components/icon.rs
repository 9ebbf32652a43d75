//! Icons: one sprite in the document, named from everywhere.

use super::html::piece;
use leptos::prelude::*;
use maud::{Markup, html};

/// An icon beside a text that says the same; screen readers skip it.
pub fn icon(name: &'static str) -> AnyView {
    view! { <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" {..piece(of_sprite(name))}></svg> }.into_any()
}

/// As HTML.
pub fn icon_html(name: &'static str) -> Markup {
    html! { svg.icon viewBox="0 0 16 16" aria-hidden="true" { (of_sprite(name)) } }
}

fn of_sprite(name: &'static str) -> Markup {
    html! { use href={ "#i-" (name) } {} }
}

/// The sprite. Written into the document by the server only, after the application.
#[component]
pub fn Sprite() -> impl IntoView {
    view! {
        <svg class="sprite" aria-hidden="true">
            <symbol id="i-shield" viewBox="0 0 16 16">
                <path class="fill" d="M8 .7 14 3v4.8c0 3.6-2.5 6.1-6 7.5-3.5-1.4-6-3.9-6-7.5V3Z"></path>
                <path class="cut" d="m5 8 2.2 2.3 3.9-4.8"></path>
            </symbol>
            <symbol id="i-check" viewBox="0 0 16 16"><path d="m3 8.5 3.2 3.3L13 4.5"></path></symbol>
            <symbol id="i-clock" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6"></circle><path d="M8 4.5V8l2.5 1.8"></path></symbol>
            <symbol id="i-cross" viewBox="0 0 16 16"><path d="m4 4 8 8m0-8-8 8"></path></symbol>
            <symbol id="i-lock" viewBox="0 0 16 16"><path d="M3.5 7.5h9v6h-9zM5.5 7V5a2.5 2.5 0 0 1 5 0v2"></path></symbol>
            <symbol id="i-pause" viewBox="0 0 16 16"><path d="M5.5 3.5v9m5-9v9"></path></symbol>
            <symbol id="i-dot" viewBox="0 0 16 16"><circle cx="8" cy="8" r="2.5"></circle></symbol>
            <symbol id="i-alert" viewBox="0 0 16 16"><path d="M8 2 14.5 13.5h-13zM8 6.5v3.2m0 1.8v.2"></path></symbol>
            <symbol id="i-unknown" viewBox="0 0 16 16">
                <circle cx="8" cy="8" r="6"></circle>
                <path d="M6.3 6.5c0-2.3 3.4-2.2 3.4-.2 0 1.3-1.7 1.3-1.7 2.7m0 2v.2"></path>
            </symbol>
            <symbol id="i-undo" viewBox="0 0 16 16"><path d="M3 6.5h6.5a3.5 3.5 0 0 1 0 7H6M5.5 3.5l-3 3 3 3"></path></symbol>
            <symbol id="i-restart" viewBox="0 0 16 16"><path d="M13 8a5 5 0 1 1-1.5-3.5L13 6m0-3.5V6H9.5"></path></symbol>
            <symbol id="i-bolt" viewBox="0 0 16 16"><path d="M9 1.5 3.5 9H8l-1 5.5L12.5 7H8z"></path></symbol>
            <symbol id="i-down" viewBox="0 0 16 16"><path d="M8 2.5v8m-3.5-3L8 11l3.5-3.5M3 13.5h10"></path></symbol>
            <symbol id="i-search" viewBox="0 0 16 16"><circle cx="7" cy="7" r="4.5"></circle><path d="m10.5 10.5 3.5 3.5"></path></symbol>
            <symbol id="i-swap" viewBox="0 0 16 16"><path d="M2.5 5.5h10m-2.5-3 3 3-3 3m3.5 2h-10m2.5-3-3 3 3 3"></path></symbol>
            <symbol id="steps-0" viewBox="0 0 15 12"></symbol>
            <symbol id="steps-1" viewBox="0 0 15 12"><path d="M0 8h3v4h-3z"></path></symbol>
            <symbol id="steps-2" viewBox="0 0 15 12"><path d="M0 8h3v4h-3zM4 5.5h3v6.5h-3z"></path></symbol>
            <symbol id="steps-3" viewBox="0 0 15 12"><path d="M0 8h3v4h-3zM4 5.5h3v6.5h-3zM8 3h3v9h-3z"></path></symbol>
            <symbol id="steps-4" viewBox="0 0 15 12"><path d="M0 8h3v4h-3zM4 5.5h3v6.5h-3zM8 3h3v9h-3zM12 0h3v12h-3z"></path></symbol>
            <symbol id="i-device" viewBox="0 0 16 16"><path d="M2 3h12v8H2zm4 11h4m-2-3v3"></path></symbol>
        </svg>
    }
}
