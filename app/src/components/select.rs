//! A choice from a list.

use leptos::prelude::*;

/// A labelled choice; `options` are values and their words, `chosen` is the value in force.
pub fn select(name: &'static str, label: &'static str, options: Vec<(String, String)>, chosen: &str) -> AnyView {
    let options = options
        .into_iter()
        .map(|(value, words)| {
            let selected = value == chosen;
            // Attribute for the server's page, property because a person may have chosen something else meanwhile.
            view! { <option value=value selected=selected prop:selected=selected>{words}</option> }
        })
        .collect::<Vec<_>>();
    view! { <label class="field"><span>{label}</span><select name=name>{options}</select></label> }.into_any()
}
