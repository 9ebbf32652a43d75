//! The only place that writes a text area. The server does not escape what stands inside one, so nothing ever does: it starts empty.

use leptos::prelude::*;

/// Room for a few lines.
pub fn text_area(name: &'static str, label: &'static str, required: bool) -> AnyView {
    view! {
        <label class="field">
            <span>{label} {(!required).then_some(" (optional)")}</span>
            <textarea name=name rows="2" maxlength="1000" required=required></textarea>
        </label>
    }
    .into_any()
}
