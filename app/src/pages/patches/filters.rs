//! Filters of the status view.

use crate::address::{patch_fields, patch_query};
use crate::api::patches::{DeleteView, SaveView};
use crate::components::confirm::{Act, act, panel};
use crate::components::field::{hidden, text};
use crate::components::form::{get, post};
use crate::components::icon::icon;
use crate::components::select::select;
use domain::{Category, Severity};
use leptos::prelude::*;
use view::{ApprovalFilter, CountBucket, PatchFilter, PatchSort, RingName, SavedView};

/// Views that are asked for most, and those that the person saved.
pub fn tabs(filter: &PatchFilter, saved: &[SavedView]) -> AnyView {
    let all = PatchFilter {
        sort: filter.sort,
        superseded: filter.superseded,
        ..PatchFilter::default()
    };
    let views = [
        ("All", all.clone()),
        (
            "Missing",
            PatchFilter {
                state: Some(CountBucket::Missing),
                ..all.clone()
            },
        ),
        (
            "Security",
            PatchFilter {
                category: Some(Category::Security),
                ..all.clone()
            },
        ),
        (
            "Not decided",
            PatchFilter {
                approval: Some(ApprovalFilter::None),
                ..all.clone()
            },
        ),
        (
            "Held",
            PatchFilter {
                approval: Some(ApprovalFilter::Held),
                ..all.clone()
            },
        ),
        (
            "Failed",
            PatchFilter {
                state: Some(CountBucket::Failed),
                ..all.clone()
            },
        ),
        (
            CountBucket::Pending.label(),
            PatchFilter {
                state: Some(CountBucket::Pending),
                ..all
            },
        ),
    ];
    let here = first_page(filter);
    let usual = views.into_iter().map(|(words, view)| (words.to_owned(), view));
    let own = saved.iter().map(|s| (s.name.clone(), s.filter.clone()));
    let links = usual.chain(own).map(|(words, view)| {
        let current = (here == view).then_some("page");
        view! { <a href=patch_query(&view).on("/patches") aria-current=current>{words}</a> }
    });
    view! { <nav class="tabs" aria-label="Views">{links.collect::<Vec<_>>()}</nav> }.into_any()
}

fn first_page(filter: &PatchFilter) -> PatchFilter {
    PatchFilter {
        page: 0,
        ..filter.clone()
    }
}

/// What can be done with the view as a whole: taken along as a file; saved under a name, or deleted when it was.
pub fn keep(filter: &PatchFilter, saved: &[SavedView]) -> AnyView {
    let here = first_page(filter);
    let query = patch_query(&here);
    let change = match saved.iter().find(|s| s.filter == here) {
        Some(view) => act::<DeleteView>(Act {
            label: "Delete view",
            icon: "cross",
            tone: "plain",
            explain: format!(
                "The view \u{201c}{}\u{201d} is forgotten. Patches stay as they are.",
                view.name
            ),
            reason: None,
            fields: vec![("view", view.id.to_string())],
        }),
        None if patch_fields(&here).is_empty() => ().into_any(),
        None => {
            let form = view! {
                {hidden("matching", query.text().to_owned())}
                {text("name", "Name", "text", "off", true)}
                <button class="button" data-tone="main">"Save view"</button>
            };
            panel(
                "Save view",
                "check",
                "plain",
                post::<SaveView>("act-form", form.into_any()),
            )
        }
    };
    view! {
        <div class="acts">
            <a class="button" href=query.on("/patches/export.csv") rel="external" download>{icon("down")} <span>"Export CSV"</span></a>
            {change}
        </div>
    }
    .into_any()
}

/// The form.
pub fn filters(filter: &PatchFilter, rings: &[RingName]) -> AnyView {
    let pair = |value: &str, words: &str| (value.to_owned(), words.to_owned());
    let mut severities = vec![pair("", "Any")];
    severities.extend(
        [
            Severity::Critical,
            Severity::Important,
            Severity::Moderate,
            Severity::Low,
        ]
        .map(|s| {
            let least = if s == Severity::Critical { "" } else { " or worse" };
            (s.word().to_owned(), format!("{}{least}", s.label()))
        }),
    );
    let mut categories = vec![pair("", "Any")];
    categories.extend(Category::ALL.iter().map(|c| pair(c.word(), c.label())));
    let mut states = vec![pair("", "Any")];
    states.extend(CountBucket::ALL.iter().map(|b| pair(b.word(), b.label())));
    let mut approvals = vec![pair("", "Any")];
    approvals.extend(ApprovalFilter::ALL.iter().map(|a| pair(a.word(), a.label())));
    let mut in_rings = vec![pair("", "Any ring")];
    in_rings.extend(rings.iter().map(|r| (r.id.to_string(), r.name.clone())));
    let sorts = PatchSort::ALL.iter().map(|s| pair(s.word(), s.label())).collect();
    let ring = filter.ring.map_or_else(String::new, |r| r.to_string());
    let product = (!filter.product.is_empty()).then(|| hidden("product", filter.product.clone()));
    let clear = (!patch_fields(filter).is_empty()).then(|| view! { <a class="clear" href="/patches">"Clear"</a> });
    let fields = view! {
        <label class="search">{icon("search")} <span class="hide">"Search"</span>
            <input type="search" name="q" value=filter.q.clone() prop:value=filter.q.clone() placeholder="Product, version, origin"/>
        </label>
        {product}
        {select("severity", "Severity", severities, filter.severity.map_or("", Severity::word))}
        {select("category", "Category", categories, filter.category.map_or("", Category::word))}
        {select("state", "Has devices", states, filter.state.map_or("", CountBucket::word))}
        {select("approval", "Approval", approvals, filter.approval.map_or("", ApprovalFilter::word))}
        {select("ring", "In ring", in_rings, &ring)}
        {select("sort", "Sort by", sorts, filter.sort.word())}
        <label class="tick">
            <input type="checkbox" name="superseded" value="1" checked=filter.superseded prop:checked=filter.superseded/>
            <span>"Superseded too"</span>
        </label>
        <button class="button">"Apply"</button>
        {clear}
    };
    get("/patches", "filters", "Filter patches", true, fields.into_any())
}
