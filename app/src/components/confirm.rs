//! Acts that need a second look: a button that opens, in place, what will happen and the form that does it. Works without JavaScript.

use super::field::hidden;
use super::form::{post, sender};
use super::html::piece;
use super::icon::{icon, icon_html};
use super::text_area::{text_area, text_area_html};
use leptos::prelude::*;
use maud::html;
use server_fn::ServerFn;

/// An act.
pub struct Act {
    /// The button that opens it and the one that does it.
    pub label: &'static str,
    /// Icon.
    pub icon: &'static str,
    /// `plain` or `danger`.
    pub tone: &'static str,
    /// What will happen.
    pub explain: String,
    /// Label of the reason field, and whether it must be given.
    pub reason: Option<(&'static str, bool)>,
    /// Hidden fields.
    pub fields: Vec<(&'static str, String)>,
}

/// The act as a button with a panel.
pub fn act<F: ServerFn>(act: Act) -> AnyView {
    let (label, icon_name, tone) = (act.label, act.icon, act.tone);
    panel(label, icon_name, tone, body::<F>(act))
}

/// As [`act`], in one piece, for pages that have it in each of their rows. What was typed is gone when anything of it changes with what the page
/// shows: only for acts of which nothing does.
pub fn act_of_row<F: ServerFn>(act: Act) -> AnyView {
    let html = html! {
        summary.button data-tone=(act.tone) { (icon_html(act.icon)) " " span { (act.label) } }
        div.act-panel {
            form class=(FORM) method="post" action=(F::PATH) {
                @for (name, value) in &act.fields { input type="hidden" name=(name) value=(value); }
                p { (act.explain) }
                @if let Some((label, required)) = act.reason { (text_area_html("reason", label, required)) }
                button.button data-tone=(act.tone) { (act.label) }
            }
        }
    };
    view! { <details class="act" on:submit=sender(F::PATH, false) {..piece(html)}></details> }.into_any()
}

const FORM: &str = "act-form";

/// The act's form, open.
pub fn body<F: ServerFn>(act: Act) -> AnyView {
    let hidden = act
        .fields
        .into_iter()
        .map(|(name, value)| hidden(name, value))
        .collect::<Vec<_>>();
    let fields = view! {
        {hidden}
        <p>{act.explain}</p>
        {act.reason.map(|(label, required)| text_area("reason", label, required))}
        <button class="button" data-tone=act.tone>{act.label}</button>
    };
    post::<F>(FORM, fields.into_any())
}

/// A button that opens a panel.
pub fn panel(label: &'static str, icon_name: &'static str, tone: &'static str, body: AnyView) -> AnyView {
    view! {
        <details class="act">
            <summary class="button" data-tone=tone>{icon(icon_name)} <span>{label}</span></summary>
            <div class="act-panel">{body}</div>
        </details>
    }
    .into_any()
}
