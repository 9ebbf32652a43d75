//! Acts that need a second look: a button that opens, in place, what will happen and the form that does it. Works without JavaScript.

use super::field::hidden;
use super::form::post;
use super::icon::icon;
use super::text_area::text_area;
use leptos::prelude::*;
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

/// The act's form, open.
pub fn body<F: ServerFn>(act: Act) -> AnyView {
    let fields = fields(act);
    post::<F>("act-form", fields)
}

fn fields(act: Act) -> AnyView {
    let hidden = act
        .fields
        .into_iter()
        .map(|(name, value)| hidden(name, value))
        .collect::<Vec<_>>();
    view! {
        {hidden}
        <p>{act.explain}</p>
        {act.reason.map(|(label, required)| text_area("reason", label, required))}
        <button class="button" data-tone=act.tone>{act.label}</button>
    }
    .into_any()
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
