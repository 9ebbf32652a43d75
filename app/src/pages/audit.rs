//! The audit log.

use crate::address::{audit_filter, audit_query};
use crate::api::audit::audit;
use crate::components::form::get;
use crate::components::icon::icon;
use crate::components::opened::{Opened, folded};
use crate::components::pager::pager;
use crate::components::section::{ask, empty, section};
use crate::components::when::when;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use view::{AuditFilter, AuditPage, AuditRow};

/// Search and pages of the log.
#[component]
pub fn AuditLogPage() -> impl IntoView {
    let query = use_query_map();
    let filter = Memo::new(move |_| query.with(audit_filter));
    let data = ask(move || filter.get(), audit);
    let opened = Opened::new();
    view! {
        <Title text="Audit"/>
        {section(data, move |_, page| log(&filter.get_untracked(), page, opened))}
    }
}

fn log(filter: &AuditFilter, page: AuditPage, opened: Opened) -> AnyView {
    let search = view! {
        <label class="search">{icon("search")} <span class="hide">"Search"</span>
            <input type="search" name="q" value=filter.q.clone() prop:value=filter.q.clone() placeholder="Who, what, to what, why"/>
        </label>
        <button class="button">"Search"</button>
    };
    let address = |page| audit_query(&AuditFilter { page, ..filter.clone() }).on("/audit");
    let rows = page.rows.iter().map(|r| row(r, opened)).collect::<Vec<_>>();
    let list = if rows.is_empty() {
        empty(
            "No records match",
            view! { <p><a href="/audit">"Show all"</a></p> }.into_any(),
        )
    } else {
        view! {
            <div class="table-box">
                <table class="table audit">
                    <thead><tr>
                        <th scope="col">"When"</th><th scope="col">"Who"</th><th scope="col">"What"</th>
                        <th scope="col">"To what"</th><th scope="col">"Why"</th><th scope="col">"Record"</th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! {
        <header class="page-head">
            <div><h1>"Audit"</h1> <p class="sub">"Every change, with who, why, before and after. Each record carries the hash of the one before it."</p></div>
        </header>
        {get("/audit", "filters", "Search the log", false, search.into_any())}
        {list}
        {pager(page.page, page.pages, page.total, "record", "records", &address)}
    }
    .into_any()
}

fn row(row: &AuditRow, opened: Opened) -> AnyView {
    let change = (row.before.is_some() || row.after.is_some()).then(|| {
        let side = |label: &'static str, text: &Option<String>| {
            text.clone()
                .map(|text| view! { <p>{label} " " <code>{text}</code></p> })
        };
        let sides = view! { {side("before", &row.before)} {side("after", &row.after)} };
        folded(opened, row.seq, "before and after", sides.into_any())
    });
    view! {
        <tr>
            <td data-label="When" class="nowrap">{when(row.at)}</td>
            <td data-label="Who">{row.actor.clone()}</td>
            <td data-label="What"><code>{row.action.clone()}</code></td>
            <td data-label="To what">{row.object.split(' ').map(object).collect::<Vec<_>>()} {change}</td>
            <td data-label="Why">{row.reason.clone()}</td>
            <td data-label="Record" class="nowrap"><span class="num">{row.seq.to_string()}</span> " " <code class="hash">{row.hash.clone()}</code></td>
        </tr>
    }
    .into_any()
}

/// `patch:12` as a link to it.
fn object(word: &str) -> AnyView {
    let word = word.to_owned();
    let page = match word.split_once(':') {
        Some(("patch", id)) => Some(format!("/patches/{id}")),
        Some(("device", id)) => Some(format!("/devices/{id}")),
        _ => None,
    };
    match page {
        Some(page) => view! { <a href=page>{word}</a> " " }.into_any(),
        None => view! { <span>{word}</span> " " }.into_any(),
    }
}
