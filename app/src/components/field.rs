//! Labelled inputs.

use leptos::prelude::*;

/// A line of text.
pub fn text(
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    autocomplete: &'static str,
    required: bool,
) -> AnyView {
    view! {
        <label class="field">
            <span>{label} {(!required).then_some(" (optional)")}</span>
            <input type=kind name=name autocomplete=autocomplete required=required spellcheck="false" autocapitalize="none"/>
        </label>
    }
    .into_any()
}

/// A whole number in a range.
pub fn count(name: &'static str, label: &'static str, value: &'static str, max: &'static str) -> AnyView {
    view! {
        <label class="field">
            <span>{label}</span>
            <input type="number" name=name value=value min="1" max=max required inputmode="numeric"/>
        </label>
    }
    .into_any()
}

/// A box to tick; it sends `1` when ticked.
pub fn tick(name: &'static str, label: &'static str, note: &'static str, checked: bool) -> AnyView {
    view! {
        <label class="tick">
            <input type="checkbox" name=name value="1" checked=checked/>
            <span>{label} <small>{note}</small></span>
        </label>
    }
    .into_any()
}

/// A value that the person does not see.
pub fn hidden(name: &'static str, value: String) -> AnyView {
    view! { <input type="hidden" name=name value=value/> }.into_any()
}
