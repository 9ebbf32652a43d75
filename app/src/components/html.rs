//! What is only shown, as HTML in one piece (ADR 12). A list has hundreds of marks, moments and gates: what the framework knows of, it
//! makes node by node, with a marker beside each, and walks through once more in the browser. `maud` escapes every text that it is given,
//! and nothing but what it made gets here: text of a device is never markup.

use crate::live::live;
use leptos::attr::Attribute;
use leptos::prelude::*;
use leptos::tachys::html::element::inner_html;
use maud::Markup;
use std::sync::Arc;

/// The content of an element: `<span {..piece(html! { … })}></span>`.
pub fn piece(html: Markup) -> impl Attribute {
    inner_html(html.into_string())
}

/// The same with moments in it: first as the server tells them, then by the browser's clock. `html` is given whether the browser runs the
/// page by now.
pub fn timed(html: impl Fn(bool) -> Markup + Send + Sync + 'static) -> impl Attribute {
    let awake = live().awake;
    let html: Arc<dyn Fn() -> String + Send + Sync> = Arc::new(move || match awake.get() {
        // In a browser that wakes up the element is there already, as the server made it.
        false if cfg!(not(feature = "ssr")) => String::new(),
        awake => html(awake).into_string(),
    });
    inner_html(html)
}
