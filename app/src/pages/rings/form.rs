//! The page on which a ring, a group, a location or what counts for the fleet is made, looked at and changed.

use super::words;
use crate::api::forms::Fields;
use crate::api::rings::{RingsFormPage, RingsKind, SaveRings, check_rings, rings_form};
use crate::components::form::post_kept;
use crate::components::section::{ask_here, failed, named, section};
use crate::pages::forms::inputs::{Inputs, Line, Shown, following};
use crate::pages::forms::look::panel;
use crate::pages::forms::words::problem;
use crate::pages::forms::{FORM, Sheet, address_of, anew, land, not_saved};
use domain::{Permission, RebootPolicy};
use leptos::prelude::*;
use leptos_meta::Title;
use view::{FormProblem, Me, UiError};

fn which(path: &str) -> Option<(RingsKind, Option<i64>)> {
    let mut words = path.strip_prefix("/rings/")?.split('/');
    let kind = RingsKind::from_word(words.next()?)?;
    match (kind, words.next()?) {
        // There is one, and its form comes back under the number that forms have.
        (RingsKind::Fleet, "all" | "new" | "0") | (_, "new") => Some((kind, None)),
        (RingsKind::Fleet, _) => None,
        (_, id) => id.parse().ok().map(|id| (kind, Some(id))),
    }
}

/// The page.
#[component]
pub fn FormPageOf() -> impl IntoView {
    let wanted = address_of(which);
    // Not live: nothing moves under the hands of who fills it in.
    let data = ask_here(
        move || wanted.get(),
        |wanted| async move {
            let (kind, id, typed) = named(wanted)?;
            rings_form(kind, id, typed).await
        },
    );
    view! {
        <Title text="Rings"/>
        {section(data, move |me, page| {
            if page.name.is_none() && !me.role.may(Permission::ManageDevices) {
                return failed(&UiError::NotAllowed { permission: Permission::ManageDevices });
            }
            anew(move || whole(&me, &page))
        })}
    }
}

fn whole(me: &Me, page: &RingsFormPage) -> AnyView {
    let shown = Shown::new(page.look.clone());
    let may = me.role.may(Permission::ManageDevices);
    let title = page
        .name
        .clone()
        .unwrap_or_else(|| format!("New {}", words::noun(page.kind)));
    let refusal = land(&page.fields);
    view! {
        <Title text=title.clone()/>
        <header class="page-head">
            <div>
                <p class="crumb"><a href="/rings">"Rings"</a></p>
                <h1>{title}</h1>
            </div>
        </header>
        {refusal.then(|| refused(page))}
        <div class="split planning">
            {the_form(page, shown, may)}
            {panel(shown)}
        </div>
    }
    .into_any()
}

/// Why it was not saved, above the form.
fn refused(page: &RingsFormPage) -> AnyView {
    let rows = page.look.problems.iter().map(|one| {
        let over = match &one.problem {
            FormProblem::Newer { version } => Some(view! {
                " " <button class="button" data-tone="danger" form=FORM name="over" value=version.to_string()>"Save mine over it"</button>
            }),
            _ => None,
        };
        view! { <li>{problem(&one.problem)} {over}</li> }.into_any()
    });
    not_saved(rows.collect(), None)
}

fn the_form(page: &RingsFormPage, shown: Shown, may: bool) -> AnyView {
    let form = Inputs {
        fields: &page.fields,
        shown,
    };
    let inputs = match page.kind {
        RingsKind::Ring => ring(&form, page),
        RingsKind::Group => group(&form, page),
        RingsKind::Location => location(&form),
        RingsKind::Fleet => fleet(&form),
    };
    let sheet = Sheet {
        what: page.kind.word(),
        back: "/rings",
        may,
        who: "An administrator changes it.",
    };
    let kind = page.kind;
    let typing = following(shown, move |fields: Fields, deep| {
        Box::pin(check_rings(kind, fields, deep))
    });
    let fields = sheet.fields(&form, inputs);
    view! { <div class="card" on:input=typing>{post_kept::<SaveRings>(FORM, "stack plan-form ring-form", fields)}</div> }.into_any()
}

fn name() -> Line {
    Line {
        name: "name",
        label: "Name",
        kind: "text",
        required: true,
        ..Line::default()
    }
}

fn count(
    form: &Inputs<'_>,
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    range: (&'static str, &'static str),
) -> AnyView {
    form.line(Line {
        name,
        label,
        kind: "number",
        hint,
        range: Some(range),
        ..Line::default()
    })
}

fn tick(form: &Inputs<'_>, name: &'static str, label: &'static str, small: &'static str) -> AnyView {
    form.tick(
        name.to_owned(),
        label.to_owned(),
        (!small.is_empty()).then(|| small.to_owned()),
    )
}

fn ring(form: &Inputs<'_>, page: &RingsFormPage) -> AnyView {
    let before = page.name.is_none().then(|| {
        let mut options = vec![(String::new(), "last".to_owned())];
        options.extend(
            page.rings
                .iter()
                .map(|(id, name)| (id.clone(), format!("before {name}"))),
        );
        form.select("before", "Place", options)
    });
    view! {
        {form.line(name())}
        {before}
        <fieldset class="choices">
            <legend>"Before the next ring opens"</legend>
            <div class="row">
                {count(form, "soak_days", "Soak, days", "7 are recommended", ("0", "365"))}
                {count(form, "soak_hours", "and hours", "", ("0", "23"))}
            </div>
            <div class="row">
                {count(form, "successes", "Devices that have it", "seen by a scan", ("1", "1000000"))}
                {count(form, "share", "Share of the ring, %", "of its devices that need the patch", ("0", "100"))}
            </div>
            {tick(form, "own", "One of them has the patch's own OS release", "")}
            {tick(form, "rebooted", "As many have rebooted since", "where the patch needs a reboot")}
            {tick(form, "critical", "Business-critical products of the target were on one of them", "as marked on the page of rings")}
        </fieldset>
        <fieldset class="choices">
            <legend>"Before a patch may be approved for it"</legend>
            {tick(form, "plan", "A rollback plan exists, or was waived with a reason", "written on the page of the patch; recommended for production")}
        </fieldset>
        <fieldset class="choices">
            <legend>"How the ring is filled"</legend>
            {form.line(Line {
                name: "waves",
                label: "Waves",
                kind: "text",
                hint: "Devices or shares that may have started by then; then all. The first device of each goes alone. Empty: everybody at once.",
                example: "1, 5 %, 25 %",
                ..Line::default()
            })}
            <div class="row">
                {count(form, "rest", "Minutes between waves", "", ("0", "43200"))}
                {count(form, "at_once", "Installs of one patch at once", "empty: no limit", ("1", "1000000"))}
            </div>
        </fieldset>
        <fieldset class="choices">
            <legend>"What stops a rollout by itself"</legend>
            <div class="row">
                {count(form, "failures", "Failed devices", "so many, and", ("1", "1000000"))}
                {count(form, "percent", "Share of finished ones, %", "at least this; 0: whatever the share", ("0", "100"))}
                {count(form, "vanished", "Or not heard of again", "devices that started", ("1", "1000000"))}
            </div>
        </fieldset>
    }
    .into_any()
}

fn group(form: &Inputs<'_>, page: &RingsFormPage) -> AnyView {
    let mut parents = vec![(String::new(), "none: at the top".to_owned())];
    parents.extend(page.groups.iter().cloned());
    let mut rings = vec![(String::new(), "that of the group above".to_owned())];
    rings.extend(page.rings.iter().cloned());
    let after = count(form, "after", "Missed windows in a row", "", ("1", "50"));
    view! {
        {form.line(name())}
        <div class="row">
            {form.select("parent", "Lies in", parents)}
            {form.select("ring", "Ring", rings)}
        </div>
        {tick(form, "blocks", "Windows of groups above do not count here", "freezes always do")}
        <fieldset class="choices" aria-describedby="wrong-missed">
            <legend>"A device that slept through its windows"</legend>
            {form.choice("missed", "inherit", "As the group above says", "at the top: waits", None)}
            {form.choice("missed", "wait", "Waits for the next one", "", None)}
            {form.choice("missed", "catch_up", "Catches up", "installs at its next contact, whatever the hour of the window", Some(after))}
            {form.wrong("missed")}
        </fieldset>
        <fieldset class="choices">
            <legend>"A device that owes a restart after an install"</legend>
            {form.choice("reboot", RebootPolicy::Never.word(), "Waits", "somebody else restarts it", None)}
            {form.choice("reboot", RebootPolicy::IfNeeded.word(), "Restarts by itself",
                "right after the install, unless the device's own settings forbid it; groups in this one have their own choice", None)}
        </fieldset>
    }
    .into_any()
}

fn location(form: &Inputs<'_>) -> AnyView {
    view! {
        {form.line(name())}
        {form.line(Line { name: "zone", label: "Time zone", kind: "text", required: true, example: "Europe/Berlin", ..Line::default() })}
        <div class="row">
            {count(form, "at_once", "Installs at once", "empty: no limit", ("1", "1000000"))}
            {count(form, "rate", "Downloads, KiB per second", "shared by the installs at once, or for each device if these have no limit; empty: no limit", ("1", "4294967295"))}
        </div>
    }
    .into_any()
}

fn fleet(form: &Inputs<'_>) -> AnyView {
    view! {
        {count(form, "at_once", "Installs at once", "in the whole fleet; empty: no limit", ("1", "1000000"))}
        <fieldset class="choices">
            <legend>"After a failure on a device"</legend>
            <div class="row">
                {count(form, "retries", "Tries", "then a person must look", ("1", "100"))}
                {count(form, "first", "Minutes after the first failure", "doubled each time", ("0", "43200"))}
                {count(form, "longest", "But at most, minutes", "", ("0", "43200"))}
            </div>
        </fieldset>
        <fieldset class="choices">
            <legend>"Expected until it was measured"</legend>
            <div class="row">
                {count(form, "install", "Install, minutes", "", ("1", "1440"))}
                {count(form, "reboot", "Reboot, minutes", "", ("0", "1440"))}
                {count(form, "rate", "Download, kB per second", "", ("1", "4294967295"))}
            </div>
        </fieldset>
    }
    .into_any()
}
