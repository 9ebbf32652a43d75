//! One device: what it owes, and for each open patch every gate in its way.

use super::acts::{device_acts, patch_acts};
use super::facts::{concerns, facts};
use crate::address::{device_at, device_patches, device_patches_at};
use crate::api::devices::device;
use crate::components::html::{piece, timed};
use crate::components::icon::icon;
use crate::components::ladder::{ladder, strip};
use crate::components::marks;
use crate::components::opened::{Opened, folded};
use crate::components::pager::pager;
use crate::components::section::{ask, empty, named, section};
use crate::components::timeline::timeline;
use crate::components::when::{instant_html, told, told_html, when, when_html, when_or};
use crate::words::number;
use domain::{DeviceId, DeviceState, PatchId, PatchState};
use leptos::attr::any_attribute::{AnyAttribute, IntoAnyAttribute as _};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use maud::html;
use view::{AttemptView, DevicePage, DevicePatch, DevicePatches, Me, PAGE_SIZE, PatchShow};

/// The page.
#[component]
pub fn OnePage() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let id = Memo::new(move |_| params.with(|p| p.get_str("id").and_then(|t| t.parse::<DeviceId>().ok())));
    let shown = Memo::new(move |_| query.with(device_patches));
    let data = ask(
        move || (id.get(), shown.get()),
        |(id, shown)| async move { device(named(id)?, shown).await },
    );
    let opened = [Opened::new(), Opened::new()];
    view! {
        <Title text="Device"/>
        {section(data, move |me, page| one(&me, &page, shown.get_untracked().show, opened))}
    }
}

/// `opened`: which ladders are open, by patch, and which logs, by attempt.
fn one(me: &Me, page: &DevicePage, show: PatchShow, opened: [Opened; 2]) -> AnyView {
    let row = &page.row;
    let group = row.group.clone().unwrap_or_else(|| "no group".to_owned());
    let ring = row
        .ring
        .clone()
        .map_or_else(|| "no ring".to_owned(), |r| format!("ring {r}"));
    let attempts = (!page.attempts.is_empty()).then(|| {
        let lines = page.attempts.iter().map(|(patch, name, a)| attempt(*patch, name, a, opened[1])).collect::<Vec<_>>();
        view! { <section aria-labelledby="attempts"><h2 id="attempts">"Attempts"</h2><ol class="attempts">{lines}</ol></section> }
    });
    view! {
        <Title text=row.hostname.clone()/>
        <header class="page-head">
            <div>
                <p class="crumb"><a href="/devices">"Devices"</a></p>
                <h1>{row.hostname.clone()}</h1>
                <p class="marks">
                    {(row.state != DeviceState::Active).then(|| marks::device_state(row.state))}
                    {row.scan_only.then(|| marks::badge("quiet", "search", "scan only".to_owned()))}
                    <span>{row.os.clone()}</span> <span>{group} ", " {ring}</span>
                </p>
            </div>
            <div class="acts">
                <a class="button" href=format!("/schedule/calendar?of=device:{}", row.id)>{icon("clock")} <span>"Calendar"</span></a>
                {device_acts(me, page)}
            </div>
        </header>
        {concerns(page)}
        <section id="patches" aria-labelledby="patches-title">
            <h2 id="patches-title">"Patches"</h2>
            {patches(me, page, show, opened[0])}
        </section>
        {attempts}
        <div class="columns">
            <section class="card" aria-labelledby="facts"><h2 id="facts">"Facts"</h2>{facts(page)}</section>
            <section class="card" aria-labelledby="history"><h2 id="history">"What happened"</h2>{timeline(&page.timeline)}</section>
        </div>
    }
    .into_any()
}

/// Which patches are shown, and the ways to the others.
fn tabs(page: &DevicePage, show: PatchShow) -> AnyView {
    let shown = page
        .counts
        .iter()
        .filter(|(one, n)| *n > 0 || *one == PatchShow::All || *one == show);
    let links = shown.map(|(one, n)| {
        let words = format!("{} {}", one.label(), number(*n));
        let to = device_patches_at(page.row.id, &DevicePatches { show: *one, page: 1 });
        view! { <a href=to aria-current=(*one == show).then_some("page")>{words}</a> }
    });
    view! { <nav class="tabs" aria-label="Patches by state">{links.collect::<Vec<_>>()}</nav> }.into_any()
}

fn patches(me: &Me, page: &DevicePage, show: PatchShow, opened: Opened) -> AnyView {
    // Where an act leads back to: what is shown now.
    let shown = DevicePatches {
        show,
        page: page.patches_page,
    };
    let back = device_at(page.row.id, &shown);
    let lines = page
        .patches
        .iter()
        .map(|p| patch(me, page.row.id, p, opened, &back))
        .collect::<Vec<_>>();
    let none = lines.is_empty().then(|| nothing(page, show));
    let pages = show.is_past().then(|| {
        let total = page.counts.iter().find(|(one, _)| *one == show).map_or(0, |(_, n)| *n);
        let address = |page_no: u32| device_patches_at(page.row.id, &DevicePatches { show, page: page_no });
        pager(
            page.patches_page,
            total.div_ceil(PAGE_SIZE).max(1),
            total,
            "patch",
            "patches",
            &address,
        )
    });
    view! { {tabs(page, show)} {none} <div class="rungs">{lines}</div> {pages} }.into_any()
}

/// Why a list is empty.
fn nothing(page: &DevicePage, show: PatchShow) -> AnyView {
    let (title, text) = match (show, page.row.last_scan) {
        (_, None) => (
            "Nothing is known",
            "No scan has come from this device yet. Its first one comes with its first contact.",
        ),
        (PatchShow::All, Some(_)) => (
            "Nothing is open",
            "Its last scan found nothing missing. What was installed before is under “Installed”.",
        ),
        _ => ("No patch here", "None of this device's patches is in this state."),
    };
    empty(title, view! { <p>{text}</p> }.into_any())
}

/// One patch: the first closed gate in a line, all gates when opened.
fn patch(me: &Me, device: DeviceId, patch: &DevicePatch, opened: Opened, back: &str) -> AnyView {
    let id = patch.patch;
    let settled = patch.ladder.is_empty();
    let tried = (!patch.attempts.is_empty()).then(|| tried(&patch.attempts));
    let since = patch.since;
    let since = timed(move |awake| {
        html! { "in this state since " (when_html(since, awake)) " · " a href={ "/patches/" (id) } { "the patch and its rollout" } }
    });
    let name = html! { b { (patch.product) } " " code { (patch.version) } };
    view! {
        <details class="patch-line" id=format!("patch-{id}") prop:open=move || opened.has(id.0) on:toggle=move |event| opened.follow(id.0, &event)>
            <summary>
                <span class="name" {..piece(name)}></span>
                {marks::severity(patch.severity)}
                {marks::patch_state(patch.state)}
                <span class="headline" {..headline(patch)}></span>
                {(!settled).then(|| strip(&patch.ladder))}
            </summary>
            <div class="patch-body">
                {(!settled).then(|| ladder(&patch.ladder))}
                {tried}
                <p class="sub" {..since}></p>
                <div class="acts">{patch_acts(me, device, patch, back)}</div>
            </div>
        </details>
    }
    .into_any()
}

/// How a settled patch came to be so.
fn settled_words(patch: &DevicePatch) -> AnyAttribute {
    let how = match (patch.state, patch.ours) {
        (PatchState::Installed, true) => "by Patchward",
        (PatchState::Installed, false) => "not by Patchward: seen by a scan",
        (PatchState::InstalledBySuperseding, _) => "a newer patch brought it along",
        _ => "a newer patch takes its place",
    };
    let since = patch.since;
    timed(move |awake| html! { span.sub { (how) ", since " (when_html(since, awake)) } }).into_any_attr()
}

/// The first closed gate's sentence, or when it will be installed; how it was settled where it is.
fn headline(patch: &DevicePatch) -> AnyAttribute {
    if patch.ladder.is_empty() {
        return settled_words(patch);
    }
    let (text, earliest) = (patch.headline.clone(), patch.earliest.clone());
    timed(move |awake| {
        html! {
            (told_html(&text, awake)) " "
            @if let Some(at) = &earliest { span.sub { "earliest " (instant_html(at, awake)) } }
        }
    })
    .into_any_attr()
}

/// What was tried, newest first.
fn tried(attempts: &[AttemptView]) -> AnyView {
    let tries: Vec<_> = attempts
        .iter()
        .map(|a| (a.at, a.kind.clone(), a.outcome.clone()))
        .collect();
    let lines = timed(move |awake| {
        html! {
            @for (at, kind, outcome) in &tries {
                li { (when_html(*at, awake)) " " b { (kind) } ": " (told_html(outcome, awake)) }
            }
        }
    });
    view! { <div class="tried"><h3>"What was tried here"</h3> <ol {..lines}></ol></div> }.into_any()
}

fn attempt(patch: PatchId, name: &str, attempt: &AttemptView, opened: Opened) -> AnyView {
    let proof = match attempt.proven {
        Some(at) => view! { <span>{icon("check")} " proven by the scan of " {when(at)}</span> }.into_any(),
        None => view! { <span class="sub">"not proven by a scan yet"</span> }.into_any(),
    };
    let log = (!attempt.log.is_empty()).then(|| {
        let log = view! { <pre tabindex="0">{attempt.log.clone()}</pre> };
        folded(opened, attempt.id.0, "End of the log", log.into_any())
    });
    view! {
        <li>
            <p><b>{attempt.kind.clone()}</b> " " <a href=format!("/patches/{patch}")>{name.to_owned()}</a> ": " {told(&attempt.outcome)}</p>
            <p class="sub">"permitted " {when(attempt.at)} ", finished " {when_or(attempt.finished, "not yet")} " · " {proof}</p>
            {log}
        </li>
    }
    .into_any()
}
