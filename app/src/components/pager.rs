//! Pages of a list.

use crate::words::{number, plural};
use leptos::prelude::*;

/// How many there are, which page this is, and the way to the others. `address` writes the address of a page.
pub fn pager(
    page: u32,
    pages: u32,
    total: u32,
    one: &'static str,
    many: &'static str,
    address: &dyn Fn(u32) -> String,
) -> AnyView {
    let step = |to: u32, rel: &'static str, words: &'static str| {
        view! { <a class="button" rel=rel href=address(to)>{words}</a> }
    };
    let previous = (page > 1).then(|| step(page - 1, "prev", "Previous"));
    let next = (page < pages).then(|| step(page + 1, "next", "Next"));
    view! {
        <nav class="pager" aria-label="Pages">
            <span class="total">{plural(total, one, many)}</span>
            {(pages > 1).then(|| view! { <span>{format!("page {} of {}", number(page), number(pages))}</span> })}
            {previous}
            {next}
        </nav>
    }
    .into_any()
}
