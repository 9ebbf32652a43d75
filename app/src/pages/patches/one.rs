//! One patch: how it goes through the rings, on which devices it is, who decided.

use super::rollback_plan::way_back;
use super::rollout::{holds, lane_acts, top_acts};
use super::table::flags;
use crate::address::{device_patch_at, patch_at, patch_devices, patch_devices_at};
use crate::api::patches::patch;
use crate::components::html::{piece, timed};
use crate::components::icon::icon;
use crate::components::lane::lanes;
use crate::components::marks;
use crate::components::pager::pager;
use crate::components::section::{ask, named, section};
use crate::components::timeline::timeline;
use crate::components::when::{instant_html, told_html, when, when_html, when_or};
use crate::pages::devices::acts::device_patch_acts;
use crate::words::{bytes, number};
use domain::{PatchId, Permission, RingId};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use maud::html;
use view::{CountBucket, Me, PAGE_SIZE, PackageLine, PatchDevice, PatchDevices, PatchPage};

/// The page.
#[component]
pub fn OnePage() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let id = Memo::new(move |_| params.with(|p| p.get_str("id").and_then(|t| t.parse::<PatchId>().ok())));
    let shown = Memo::new(move |_| query.with(patch_devices));
    let data = ask(
        move || (id.get(), shown.get()),
        |(id, shown)| async move { patch(named(id)?, shown).await },
    );
    view! {
        <Title text="Patch"/>
        // Anew for each patch: what is typed into the forms of one must not come to stand in those of another.
        {move || { id.track(); section(data, move |me, page| one(&me, &page, &shown.get_untracked())) }}
    }
}

fn one(me: &Me, page: &PatchPage, shown: &PatchDevices) -> AnyView {
    let row = &page.row;
    let product = row.product.clone();
    let title = format!("{product} {}", row.version);
    view! {
        <Title text=title/>
        <header class="page-head">
            <div>
                <p class="crumb"><a href="/patches">"Patches"</a></p>
                <h1>{product} " " <code>{row.version.clone()}</code></h1>
                <p class="marks">{marks::severity(row.severity)} <span>{row.category.label()} " " <small>{row.basis.label()}</small></span> {flags(row)}</p>
                <p>{row.summary.clone()}</p>
            </div>
            <div class="acts"><a class="button" href=format!("/schedule/calendar?of=patch:{}", row.id)>{icon("clock")} <span>"Calendar"</span></a> {except(me, page)} {top_acts(me, page)}</div>
        </header>
        {holds(me, page)}
        <section aria-labelledby="rings">
            <h2 id="rings">"Through the rings"</h2>
            {lanes(&page.lanes, row.id, &|lane| lane_acts(me, page, lane))}
        </section>
        <section id="devices" aria-labelledby="devices-title">
            <h2 id="devices-title">"Devices"</h2>
            {devices(me, page, shown)}
        </section>
        <div class="columns">
            <section class="card" aria-labelledby="facts"><h2 id="facts">"Facts"</h2>{facts(page)}</section>
            <section class="card" aria-labelledby="history"><h2 id="history">"What happened"</h2>{timeline(&page.timeline)}</section>
        </div>
        {way_back(me, page)}
        <section class="card" aria-labelledby="packages">
            <h2 id="packages">"Exactly these packages"</h2>
            {packages(&page.packages)}
        </section>
    }
    .into_any()
}

/// The way to an exception from this patch.
fn except(me: &Me, page: &PatchPage) -> AnyView {
    let to = format!("/schedule/exceptions/new?about=patch&patch=%23{}", page.row.id);
    let may = me.role.may(Permission::Decide);
    may.then(|| view! { <a class="button" href=to>{icon("cross")} <span>"Except devices"</span></a> })
        .into_any()
}

fn facts(page: &PatchPage) -> AnyView {
    let row = &page.row;
    let replaces = (!page.supersedes.is_empty()).then(|| {
        let older = page
            .supersedes
            .iter()
            .map(|(id, version)| view! { <a href=format!("/patches/{id}")>{version.clone()}</a> " " });
        view! { <dt>"Replaces"</dt><dd>{older.collect::<Vec<_>>()}</dd> }
    });
    view! {
        <dl class="facts">
            <dt>"Vendor"</dt><dd>{row.vendor.clone()}</dd>
            <dt>"Origin"</dt><dd>{row.origin.clone()}</dd>
            <dt>"For"</dt><dd>{row.os.clone()}</dd>
            <dt>"Released"</dt><dd>{when_or(row.released, "not known")}</dd>
            <dt>"First seen"</dt><dd>{when(row.first_seen)}</dd>
            <dt>"Size"</dt><dd>{bytes(row.size)}</dd>
            {replaces}
        </dl>
    }
    .into_any()
}

/// What the list of devices is narrowed to, and the ways to another: by state within the ring, by ring within the state.
fn narrowed(page: &PatchPage, shown: &PatchDevices) -> AnyView {
    let tab = |state: Option<CountBucket>, ring: Option<RingId>, words: String| {
        let to = patch_devices_at(page.row.id, &PatchDevices { state, ring, page: 1 });
        let here = (state, ring) == (shown.state, shown.ring);
        view! { <a href=to aria-current=here.then_some("page")>{words}</a> }
    };
    let of_ring = |ring: RingId| {
        let lane = page.lanes.iter().find(|l| l.ring == ring);
        lane.map(|l| l.counts).unwrap_or_default()
    };
    let counts = shown.ring.map_or(page.row.counts, of_ring);
    let mut states = vec![tab(None, shown.ring, "All".to_owned())];
    for bucket in CountBucket::ALL {
        let n = counts.get(*bucket);
        if n > 0 || shown.state == Some(*bucket) {
            let words = format!("{} {}", bucket.label(), number(n));
            states.push(tab(Some(*bucket), shown.ring, words));
        }
    }
    let mut rings = vec![tab(shown.state, None, "All rings".to_owned())];
    for lane in &page.lanes {
        let n = match shown.state {
            Some(bucket) => lane.counts.get(bucket),
            None => CountBucket::ALL.iter().map(|b| lane.counts.get(*b)).sum(),
        };
        rings.push(tab(
            shown.state,
            Some(lane.ring),
            format!("{} {}", lane.name, number(n)),
        ));
    }
    view! {
        <nav class="tabs" aria-label="Devices by state">{states}</nav>
        <nav class="tabs" aria-label="Devices by ring">{rings}</nav>
    }
    .into_any()
}

fn devices(me: &Me, page: &PatchPage, shown: &PatchDevices) -> AnyView {
    // Where an act leads back to: what is shown now.
    let back = patch_at(page.row.id, shown);
    let rows = page
        .devices
        .iter()
        .map(|d| device(me, page.row.id, d, &back))
        .collect::<Vec<_>>();
    let body = if rows.is_empty() {
        view! { <p class="none">"No device here."</p> }.into_any()
    } else {
        view! {
            <div class="table-box">
                <table class="table">
                    <caption class="hide">"Devices of this patch"</caption>
                    <thead><tr>
                        <th scope="col">"Device"</th><th scope="col">"Ring"</th><th scope="col">"State"</th>
                        <th scope="col">"Why not yet, or since when"</th><th scope="col"><span class="hide">"Acts"</span></th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    let pages = page.devices_total.div_ceil(PAGE_SIZE).max(1);
    let address = |n: u32| patch_devices_at(page.row.id, &PatchDevices { page: n, ..*shown });
    view! {
        {narrowed(page, shown)}
        {body}
        {pager(shown.page, pages, page.devices_total, "device", "devices", &address)}
    }
    .into_any()
}

fn device(me: &Me, patch: PatchId, device: &PatchDevice, back: &str) -> AnyView {
    let (state, since) = (device.state, device.since);
    let state =
        timed(move |awake| html! { (marks::patch_state_html(state)) p.sub { "since " (when_html(since, awake)) } });
    let (headline, earliest) = (device.headline.clone(), device.earliest.clone());
    let attempt = device.attempt.as_ref().map(|a| (a.kind.clone(), a.outcome.clone()));
    let why = timed(move |awake| {
        html! {
            (told_html(&headline, awake))
            @if let Some(at) = &earliest { p.sub { "earliest " (instant_html(at, awake)) } }
            @if let Some((kind, outcome)) = &attempt { p.sub { (kind) ": " (told_html(outcome, awake)) } }
        }
    });
    view! {
        <tr>
            <th scope="row" class="what"><a href=device_patch_at(device.device, patch, device.state)>{device.hostname.clone()}</a></th>
            <td data-label="Ring">{device.ring.clone().unwrap_or_else(|| "no ring".to_owned())}</td>
            <td data-label="State" {..state}></td>
            <td data-label="Why" {..why}></td>
            <td class="acts">{device_patch_acts(me, device.device, patch, device.can_roll_back, device.blocked, back)}</td>
        </tr>
    }
    .into_any()
}

fn packages(packages: &[PackageLine]) -> AnyView {
    let rows = packages.iter().map(|p| {
        html! {
            tr {
                th.what scope="row" { (p.name) @if p.fresh { " " small { "new" } } }
                td data-label="Architecture" { (p.arch) }
                td data-label="Version" { code { (p.version) } }
                td.nowrap data-label="Size" { (bytes(p.size)) }
            }
        }
    });
    let rows = html! { @for row in rows { (row) } };
    view! {
        <div class="table-box">
            <table class="table">
                <thead><tr>
                    <th scope="col">"Package"</th><th scope="col">"Architecture"</th><th scope="col">"Version"</th><th scope="col">"Size"</th>
                </tr></thead>
                <tbody {..piece(rows)}></tbody>
            </table>
        </div>
    }
    .into_any()
}
