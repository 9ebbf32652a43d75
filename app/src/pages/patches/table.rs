//! The table of the status view, with boxes to pick patches for a decision.

use super::decide::VERBS;
use crate::address::{patch_fields, patch_query};
use crate::components::bar;
use crate::components::field::hidden;
use crate::components::form::{get, ticked};
use crate::components::html::piece;
use crate::components::icon::{icon, icon_html};
use crate::components::marks;
use crate::live::live;
use crate::words::{bytes, number, plural};
use domain::PatchId;
use leptos::prelude::*;
use maud::{Markup, html};
use view::{PatchFilter, PatchList, PatchRow, PatchSort};

/// Which patches are ticked. Kept by id: rows move when the fleet does.
#[derive(Clone, Copy)]
pub struct Picked {
    ids: RwSignal<Vec<PatchId>>,
    /// All that match, whatever their number.
    all: RwSignal<bool>,
}

impl Picked {
    /// None.
    pub fn new() -> Self {
        Self {
            ids: RwSignal::new(Vec::new()),
            all: RwSignal::new(false),
        }
    }
    /// None again.
    pub fn clear(self) {
        self.ids.set(Vec::new());
        self.all.set(false);
    }
    fn has(self, id: PatchId) -> bool {
        self.ids.with(|ids| ids.contains(&id))
    }
    /// Whoever ticks rows means these, and not all.
    fn set(self, ids: &[PatchId], on: bool) {
        self.all.set(false);
        self.ids.update(|picked| {
            picked.retain(|id| !ids.contains(id));
            if on {
                picked.extend(ids);
            }
        });
    }
    /// How many; `total` match.
    fn count(self, total: u32) -> u32 {
        if self.all.get() {
            total
        } else {
            u32::try_from(self.ids.with(Vec::len)).unwrap_or(u32::MAX)
        }
    }
}

/// Table and, for those who decide, what to do with the ticked rows.
pub fn table(filter: &PatchFilter, list: &PatchList, picked: Picked, may_decide: bool) -> AnyView {
    let rows = list
        .rows
        .iter()
        .map(|r| row(r, may_decide.then_some(picked)))
        .collect::<Vec<_>>();
    let ids = list.rows.iter().map(|r| r.id).collect::<Vec<_>>();
    let pick_all = may_decide.then(|| pick_all(ids, picked));
    let head = |sort: Option<PatchSort>, words: &'static str| column(filter, sort, words);
    let table = view! {
        <div class="table-box">
            <table class="table patches">
                <caption class="hide">"Patches"</caption>
                <thead>
                    <tr>
                        {pick_all}
                        {head(Some(PatchSort::Product), "Patch")}
                        {head(Some(PatchSort::Severity), "Severity")}
                        {head(None, "Category")}
                        {head(Some(PatchSort::Released), "Released")}
                        {head(Some(PatchSort::Missing), "Devices")}
                        {head(None, "Approval")}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any();
    if !may_decide {
        return table;
    }
    let kept = patch_fields(filter)
        .into_iter()
        .map(|(name, value)| hidden(name, value))
        .collect::<Vec<_>>();
    let fields = view! { {kept} {table} {toolbar(list, picked)} };
    get(
        "/patches/decide",
        "pick",
        "Decide about patches",
        false,
        fields.into_any(),
    )
}

/// A column's head. Sorting is a link, so it works everywhere and can be sent to somebody.
fn column(filter: &PatchFilter, sort: Option<PatchSort>, words: &'static str) -> AnyView {
    let Some(sort) = sort else {
        return view! { <th scope="col">{words}</th> }.into_any();
    };
    let on = filter.sort == sort;
    let order = if sort == PatchSort::Product {
        "ascending"
    } else {
        "descending"
    };
    let to = patch_query(&PatchFilter {
        sort,
        page: 0,
        ..filter.clone()
    })
    .on("/patches");
    view! { <th scope="col" aria-sort=on.then_some(order)><a href=to>{words}</a></th> }.into_any()
}

fn pick_all(ids: Vec<PatchId>, picked: Picked) -> AnyView {
    let awake = live().awake;
    let (seen, asked) = (ids.clone(), ids);
    let all = move || seen.iter().all(|id| picked.has(*id));
    view! {
        <th scope="col" class="pick-cell">
            // Without JavaScript it could do nothing; "all matching" below does not need it.
            <input type="checkbox" aria-label="Select all on this page" class:hide=move || !awake.get()
                prop:checked=all on:change=move |e| picked.set(&asked, ticked(&e))/>
        </th>
    }
    .into_any()
}

fn row(row: &PatchRow, picked: Option<Picked>) -> AnyView {
    let id = row.id;
    let category = html! { (row.category.label()) p.sub { (row.basis.label()) } };
    let pick = picked.map(|picked| {
        view! {
            <td class="pick-cell">
                <input type="checkbox" name="sel" value=format!("{id}.{}", row.revision)
                    aria-label=format!("Select {} {}", row.product, row.version)
                    prop:checked=move || picked.has(id) on:change=move |e| picked.set(&[id], ticked(&e))/>
            </td>
        }
    });
    view! {
        <tr>
            {pick}
            <th scope="row" class="what" {..piece(what(row))}></th>
            <td data-label="Severity">{marks::severity(row.severity)}</td>
            <td data-label="Category" class="nowrap" {..piece(category)}></td>
            <td data-label="Released" class="nowrap" {..piece(day(row))}></td>
            <td data-label="Devices">{bar::counts(&row.counts, row.id, None)}</td>
            <td data-label="Approval">{marks::approvals(&row.approvals)}</td>
        </tr>
    }
    .into_any()
}

fn what(row: &PatchRow) -> Markup {
    html! {
        a href={ "/patches/" (row.id) } { (row.product) } " " code { (row.version) }
        span.flags { (flag_marks(row)) }
        p.sub.clamp { (row.summary) }
        p.sub.one-line { (row.origin) " · " (bytes(row.size)) " · " (row.os) }
    }
}

fn day(row: &PatchRow) -> Markup {
    match row.released {
        // The date is enough here; the page of the patch has the minute.
        Some(at) => html! { time datetime=(at.rfc3339()) { (at.date()) } },
        None => html! { span.none { "not known" } p.sub { "seen " (row.first_seen.date()) } },
    }
}

/// Held, superseded.
pub fn flags(row: &PatchRow) -> AnyView {
    view! { <span class="flags" {..piece(flag_marks(row))}></span> }.into_any()
}

fn flag_marks(row: &PatchRow) -> Markup {
    html! {
        @if row.held { (marks::badge_html("bad", "pause", "held")) }
        @if let Some((id, version)) = &row.superseded_by {
            a.badge data-tone="quiet" href={ "/patches/" (id) } { (icon_html("swap")) span { "superseded by " (version) } }
        }
    }
}

fn toolbar(list: &PatchList, picked: Picked) -> AnyView {
    let total = list.total;
    let more = total > u32::try_from(list.rows.len()).unwrap_or(u32::MAX);
    let all = more.then(|| {
        view! {
            <label class="tick">
                <input type="checkbox" name="all" value=total.to_string()
                    prop:checked=move || picked.all.get() on:change=move |e| picked.all.set(ticked(&e))/>
                <span>"All " <b>{number(total)}</b> " that match"</span>
            </label>
        }
    });
    let said = move || match (picked.count(total), picked.all.get()) {
        (0, _) => "Tick patches, then:".to_owned(),
        (n, true) => format!("All {}:", plural(n, "patch", "patches")),
        (n, false) => format!("{} ticked:", plural(n, "patch", "patches")),
    };
    let buttons = VERBS.iter().map(|verb| {
        view! { <button class="button" name="verb" value=verb.word data-tone=verb.tone>{icon(verb.icon)} <span>{verb.label}</span></button> }
    });
    view! { <div class="toolbar"><span class="said" aria-live="polite">{said}</span> {all} {buttons.collect::<Vec<_>>()}</div> }.into_any()
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn all_that_match_are_meant_until_rows_are_ticked_or_the_filter_changes() {
        let owner = Owner::new();
        owner.set();
        let picked = Picked::new();
        picked.set(&[PatchId(1), PatchId(2)], true);
        assert_eq!(picked.count(300), 2);
        picked.all.set(true);
        assert_eq!(picked.count(300), 300);
        picked.set(&[PatchId(1)], false);
        assert_eq!((picked.all.get(), picked.count(300)), (false, 1));
        picked.all.set(true);
        picked.clear();
        assert_eq!((picked.all.get(), picked.count(300)), (false, 0));
    }
}
