//! The device list.

use super::acts::admit_acts;
use crate::address::{device_filter, device_patches_at, device_query};
use crate::api::devices::devices;
use crate::components::form::get;
use crate::components::html::{piece, timed};
use crate::components::icon::icon;
use crate::components::marks;
use crate::components::pager::pager;
use crate::components::section::{ask, empty, section};
use crate::components::select::select;
use crate::components::when::{when, when_html, when_or_html};
use crate::words::number;
use domain::{DeviceState, Permission};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use maud::{Markup, html};
use view::{DeviceFilter, DeviceList, DevicePatches, DeviceRow, DeviceShow, Me, PatchShow};

/// The list.
#[component]
pub fn ListPage() -> impl IntoView {
    let query = use_query_map();
    let filter = Memo::new(move |_| query.with(device_filter));
    let data = ask(move || filter.get(), devices);
    view! {
        <Title text="Devices"/>
        {section(data, move |me, list| fleet(&me, &filter.get_untracked(), &list))}
    }
}

fn fleet(me: &Me, filter: &DeviceFilter, list: &DeviceList) -> AnyView {
    // Where an act leads back to: what is shown now.
    let back = device_query(filter).on("/devices");
    let waiting = list
        .rows
        .iter()
        .filter(|r| r.state == DeviceState::Pending)
        .map(|r| waiting(me, r, &back))
        .collect::<Vec<_>>();
    let waiting = (!waiting.is_empty()).then(|| {
        view! {
            <section class="waiting" aria-labelledby="waiting">
                <h2 id="waiting">{icon("clock")} " Waiting for acceptance"</h2>
                <ul>{waiting}</ul>
            </section>
        }
    });
    let rows = list
        .rows
        .iter()
        .filter(|r| r.state != DeviceState::Pending)
        .map(row)
        .collect::<Vec<_>>();
    let body = if !rows.is_empty() {
        table(rows)
    } else if waiting.is_some() {
        ().into_any()
    } else if *filter
        == (DeviceFilter {
            page: filter.page,
            ..DeviceFilter::default()
        })
    {
        let enrol = me.role.may(Permission::ManageDevices).then(
            || view! { <p><a class="button" data-tone="main" href="/accounts#enrolment">"Enrol a device"</a></p> },
        );
        empty("No devices yet", enrol.into_any())
    } else {
        empty(
            "No device matches",
            view! { <p><a class="button" href="/devices">"Show all devices"</a></p> }.into_any(),
        )
    };
    let address = |page| device_query(&DeviceFilter { page, ..filter.clone() }).on("/devices");
    let enrol = me
        .role
        .may(Permission::ManageDevices)
        .then(|| view! { <a class="button" href="/accounts#enrolment">"Enrol a device"</a> });
    view! {
        <header class="page-head"><div><h1>"Devices"</h1></div> <div class="acts">{enrol}</div></header>
        {tabs(filter)}
        {search(filter, list)}
        {waiting}
        {body}
        {pager(list.page, list.pages, list.total, "device", "devices", &address)}
    }
    .into_any()
}

fn tabs(filter: &DeviceFilter) -> AnyView {
    let links = DeviceShow::ALL.iter().map(|show| {
        let to = device_query(&DeviceFilter {
            show: *show,
            page: 0,
            ..filter.clone()
        })
        .on("/devices");
        view! { <a href=to aria-current=(filter.show == *show).then_some("page")>{show.label()}</a> }
    });
    view! { <nav class="tabs" aria-label="Views">{links.collect::<Vec<_>>()}</nav> }.into_any()
}

fn search(filter: &DeviceFilter, list: &DeviceList) -> AnyView {
    let mut rings = vec![(String::new(), "Any".to_owned())];
    rings.extend(list.rings.iter().map(|r| (r.id.to_string(), r.name.clone())));
    let ring = filter.ring.map_or_else(String::new, |r| r.to_string());
    let show = if filter.show == DeviceShow::default() {
        ""
    } else {
        filter.show.word()
    };
    let fields = view! {
        {crate::components::field::hidden("show", show.to_owned())}
        <label class="search">{icon("search")} <span class="hide">"Search"</span>
            <input type="search" name="q" value=filter.q.clone() prop:value=filter.q.clone() placeholder="Name, system, fingerprint"/>
        </label>
        {select("ring", "Ring", rings, &ring)}
        <button class="button">"Apply"</button>
    };
    get("/devices", "filters", "Filter devices", true, fields.into_any())
}

fn waiting(me: &Me, row: &DeviceRow, back: &str) -> AnyView {
    view! {
        <li>
            <div>
                <p><a href=format!("/devices/{}", row.id)>{row.hostname.clone()}</a> " " <span class="sub">{row.os.clone()}</span></p>
                <p class="sub">"fingerprint " <code class="key">{row.key_id.clone()}</code> ", first contact " {when(row.last_contact)}</p>
            </div>
            <div class="acts">{admit_acts(me, row, back)}</div>
        </li>
    }
    .into_any()
}

fn table(rows: Vec<AnyView>) -> AnyView {
    view! {
        <div class="table-box">
            <table class="table devices">
                <caption class="hide">"Devices"</caption>
                <thead><tr>
                    <th scope="col">"Device"</th><th scope="col">"State"</th><th scope="col">"Group and ring"</th>
                    <th scope="col">"Patches"</th><th scope="col">"Restart"</th><th scope="col">"Last scan"</th><th scope="col">"Last contact"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(row: &DeviceRow) -> AnyView {
    let what = html! {
        a href={ "/devices/" (row.id) } { (row.hostname) }
        @if row.scan_only { (marks::badge_html("quiet", "search", "scan only")) }
        p.sub { (row.os) }
    };
    let state = html! { (marks::device_state_html(row.state)) p.sub { (row.state_reason) } };
    let group = html! {
        (row.group.as_deref().unwrap_or("no group"))
        p.sub { @match &row.ring { Some(ring) => { "ring " (ring) }, None => "no ring" } }
    };
    let (reboot_since, scan, silent, contact) = (row.reboot_since, row.last_scan, row.silent, row.last_contact);
    let restart = timed(move |awake| match reboot_since {
        Some(at) => html! { (marks::badge_html("warn", "restart", "owed")) p.sub { "since " (when_html(at, awake)) } },
        None => html! { span.none { "no" } },
    });
    let scan = timed(move |awake| {
        html! {
            (when_or_html(scan, "never", awake)) " "
            @if silent { (marks::badge_html("unknown", "unknown", "too long ago")) }
        }
    });
    let contact = timed(move |awake| when_html(contact, awake));
    view! {
        <tr>
            <th scope="row" class="what" {..piece(what)}></th>
            <td data-label="State" {..piece(state)}></td>
            <td data-label="Group and ring" {..piece(group)}></td>
            <td data-label="Patches" {..piece(open(row))}></td>
            <td data-label="Restart" {..restart}></td>
            <td data-label="Last scan" {..scan}></td>
            <td data-label="Last contact" class="nowrap" {..contact}></td>
        </tr>
    }
    .into_any()
}

/// Patches of a device as numbers that link to the list of just those.
fn open(row: &DeviceRow) -> Markup {
    let numbers = [
        (row.failed, PatchShow::Failed, "failed", "failed"),
        (row.open, PatchShow::Open, "missing", "to install"),
        (row.security, PatchShow::Security, "missing", "security"),
        (row.pending, PatchShow::Pending, "pending", "pending"),
    ];
    html! {
        ul.numbers {
            @for (n, show, bucket, words) in numbers.into_iter().filter(|(n, ..)| *n > 0) {
                li data-bucket=(bucket) {
                    a href=(device_patches_at(row.id, &DevicePatches { show, page: 1 })) { b { (number(n)) } " " (words) }
                }
            }
            @if row.open + row.pending + row.failed == 0 {
                li.none { @if row.last_scan.is_none() || row.silent { "unknown" } @else { "nothing to install" } }
            }
        }
    }
}
