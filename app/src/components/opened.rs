//! Which of the things on a page are folded open, by their numbers: rows move when the fleet does, and what is open must move along.

use leptos::ev::Event;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

/// Those that are open.
#[derive(Clone, Copy)]
pub struct Opened(RwSignal<Vec<i64>>);

impl Opened {
    /// None.
    pub fn new() -> Self {
        Self(RwSignal::new(Vec::new()))
    }

    /// Whether that one is: for `prop:open`.
    pub fn has(self, id: i64) -> bool {
        self.0.with(|ids| ids.contains(&id))
    }

    /// After it was opened or closed: for `on:toggle`.
    pub fn follow(self, id: i64, event: &Event) {
        let element = event.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok());
        self.set(id, element.is_some_and(|e| e.has_attribute("open")));
    }

    fn set(self, id: i64, open: bool) {
        self.0.update(|ids| {
            ids.retain(|i| *i != id);
            if open {
                ids.push(id);
            }
        });
    }
}

/// Something folded away under a line.
pub fn folded(opened: Opened, id: i64, line: &'static str, content: AnyView) -> AnyView {
    view! {
        <details prop:open=move || opened.has(id) on:toggle=move |event| opened.follow(id, &event)>
            <summary>{line}</summary>
            {content}
        </details>
    }
    .into_any()
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_known_by_its_number() {
        let owner = Owner::new();
        owner.set();
        let opened = Opened::new();
        for (id, open) in [(7, true), (8, true), (7, true), (8, false)] {
            opened.set(id, open);
        }
        assert!(opened.has(7) && !opened.has(8));
        opened.set(7, false);
        assert!(!opened.has(7), "however often it was opened");
    }
}
