//! Forms that come back as they were typed (docs/adr/0008).
//!
//! Without JavaScript "Check" and a refused "Save" come back to the form's page with what was typed in its address. With JavaScript the
//! part beside the form follows what is typed.

pub mod inputs;
pub mod look;
pub mod words;

use crate::api::forms::Fields;
use crate::components::field::hidden;
use crate::components::icon::icon;
use inputs::Inputs;
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use leptos_router::params::ParamsMap;
use std::cell::Cell;

/// The form's id in its page.
pub const FORM: &str = "form";

/// What was typed, as it stands in the address. Names that no form has do no harm.
fn typed(query: &ParamsMap) -> Fields {
    let all = query.clone().into_iter();
    all.filter(|(name, _)| !name.starts_with("__") && name != crate::notice::DONE)
        .map(|(name, value)| (name.into_owned(), value))
        .collect()
}

/// Kind and number of what a form is about; a new one has no number.
pub type Which<K> = Option<(K, Option<i64>)>;
/// The same, with what was typed.
pub type Wanted<K> = Option<(K, Option<i64>, Fields)>;

/// What the browser's address is about: which form, by its kind and number, and what was typed in it.
///
/// Path and query of the browser, not of the route: from one form's page to another the router renews the route's parameters and forgets
/// its query. While the page is left for another one it keeps showing what it was about.
pub fn address_of<K>(which: fn(&str) -> Which<K>) -> Memo<Wanted<K>>
where
    K: Copy + PartialEq + Send + Sync + 'static,
{
    let address = use_location();
    Memo::new(move |old: Option<&Wanted<K>>| {
        let which = address.pathname.with(|path| which(path));
        let now = which.map(|(kind, id)| (kind, id, address.query.with(typed)));
        now.or_else(|| old.cloned().flatten())
    })
}

thread_local! {
    static SHOWN: Cell<u32> = const { Cell::new(0) };
}

/// New elements each time: what a browser remembers of the former ones must not hide what the server sent.
pub fn anew(render: impl Fn() -> AnyView + Send + Sync + Clone + 'static) -> AnyView {
    let number = SHOWN.with(|n| n.replace(n.get() + 1));
    view! { <For each=move || [number] key=|n| *n children=move |_| render()/> }.into_any()
}

/// After a form was sent: goes to what is said about it. Returns whether it was to be saved and was refused.
pub fn land(fields: &Fields) -> bool {
    match fields.get("act").map(String::as_str) {
        None => false,
        Some("check") => {
            land_on("check");
            false
        }
        Some(_) => {
            land_on("refused");
            true
        }
    }
}

fn land_on(id: &'static str) {
    // Effects run in the browser only, after the page stands.
    Effect::new(move |_| {
        request_animation_frame(move || {
            let found = document().get_element_by_id(id);
            if let Some(element) = found.and_then(|e| wasm_bindgen::JsCast::dyn_into::<web_sys::HtmlElement>(e).ok()) {
                let _ = element.focus();
            }
        });
    });
}

/// Why it was not saved, above the form: what is wrong, line by line, and what else there is to say.
pub fn not_saved(rows: Vec<AnyView>, more: Option<AnyView>) -> AnyView {
    let none = (rows.is_empty() && more.is_none())
        .then(|| view! { <p>"Something changed meanwhile, and nothing stands in the way any more. Save again."</p> });
    view! {
        <section class="refused" id="refused" role="alert" tabindex="-1">
            <h2>{icon("alert")} " Not saved"</h2>
            <p>"Nothing that you typed is lost."</p>
            <ul>{rows}</ul>
            {more}
            {none}
        </section>
    }
    .into_any()
}

/// What stands around the inputs of a form.
pub struct Sheet {
    /// The word for what it is a form of.
    pub what: &'static str,
    /// Where "Cancel" goes.
    pub back: &'static str,
    /// The reader may change it.
    pub may: bool,
    /// Who may, in a sentence.
    pub who: &'static str,
}

impl Sheet {
    /// The inside of the form.
    pub fn fields(&self, form: &Inputs<'_>, inputs: AnyView) -> AnyView {
        let (shown, may, back) = (form.shown, self.may, self.back);
        let kept = ["id", "version"].map(|name| form.has(name).then(|| hidden(name, form.get(name))));
        let top = move || {
            let said = shown.with(|look| {
                let above = look.problems.iter().filter(|one| one.field.is_empty());
                above
                    .map(|one| words::problem(&one.problem))
                    .collect::<Vec<_>>()
                    .join(" ")
            });
            (!said.is_empty()).then_some(said)
        };
        let buttons = if may {
            view! {
                // The first button is the one that Enter presses: it changes nothing.
                <p class="row">
                    <button class="button" name="act" value="check" formnovalidate>{icon("search")} <span>"Check"</span></button>
                    <button class="button" data-tone="main" name="act" value="save">"Save"</button>
                    <a class="button" href=back>"Cancel"</a>
                </p>
            }
            .into_any()
        } else {
            view! { <p class="sub">{self.who}</p> }.into_any()
        };
        view! {
            {hidden("what", self.what.to_owned())}
            {kept}
            <p class="wrong" aria-live="polite">{top}</p>
            <fieldset class="stack" disabled=!may>{inputs}</fieldset>
            {buttons}
        }
        .into_any()
    }
}
