//! The fields of a profile and of an exception.

use crate::api::schedule::FormPage;
use crate::pages::forms::inputs::{Inputs, Line, suggestions};
use leptos::prelude::*;

/// A profile.
pub fn profile(form: &Inputs<'_>, page: &FormPage) -> AnyView {
    let hours = view! {
        <div class="row">
            {form.line(Line { name: "from", label: "From", kind: "time", ..Line::default() })}
            {form.line(Line { name: "to", label: "To", kind: "time", hint: "not after “from”: on the next day", ..Line::default() })}
        </div>
        {form.days("Days on which the hours begin")}
        {form.zone()}
    };
    let some = view! {
        {form.groups("group", "Groups", "with the groups in them", &page.choices.groups)}
        {devices(form, page, "device", "add_devices", "Devices")}
    };
    view! {
        {form.line(Line { name: "name", label: "Name", kind: "text", required: true, ..Line::default() })}
        <fieldset>
            <legend>"How often devices scan"</legend>
            <small>"Every 24 hours is recommended. More often is a load on devices and server."</small>
            {every(form, "scan", "scan_unit", "Scan every")}
        </fieldset>
        <fieldset>
            <legend>"How often devices install"</legend>
            <small>
                "A device installs in rounds: whatever is due within 4 hours of a round’s first install goes along. The \
                 next round begins no sooner than this after the opening of the window or hours in which the last one \
                 began; 4 hours or less mean no waiting. Urgent approvals, rollbacks and tries after a failure do not wait. \
                 Every 24 hours is recommended."
            </small>
            {every(form, "install", "install_unit", "Install at most every")}
        </fieldset>
        <fieldset class="choices" aria-describedby="wrong-hours">
            <legend>"In which hours installs may start"</legend>
            {form.choice("hours", "any", "Any hour", "maintenance windows may still limit it", None)}
            {form.choice("hours", "some", "Certain hours", "off-peak, but when the computers are on", Some(hours.into_any()))}
            {form.wrong("hours")}
        </fieldset>
        {coverage(form, page)}
        <fieldset class="choices">
            <legend>"Which devices follow it"</legend>
            {form.choice("scope", "all", "Every device", "that no more specific profile covers", None)}
            {form.choice("scope", "some", "Certain devices", "by group or by name", Some(some.into_any()))}
        </fieldset>
        <fieldset>
            <legend>"But not these"</legend>
            {form.groups("notgroup", "Groups", "with the groups in them", &page.choices.groups)}
            {devices(form, page, "notdevice", "add_not_devices", "Devices")}
        </fieldset>
        {form.line(Line {
            name: "position",
            label: "Rank",
            kind: "number",
            hint: "Where several profiles cover a device, the one that names the device wins, then the one of the closest group, then the lower rank.",
            range: Some(("0", "1000")),
            ..Line::default()
        })}
        {suggestions("zones", &page.choices.zones)}
    }
    .into_any()
}

/// What of the devices is managed.
fn coverage(form: &Inputs<'_>, page: &FormPage) -> AnyView {
    let releases = page
        .choices
        .releases
        .iter()
        .map(|(id, name)| form.tick(format!("without{id}"), name.clone(), None));
    let releases = releases.collect::<Vec<_>>();
    let left_out = (!releases.is_empty()).then(|| {
        view! {
            <fieldset>
                <legend>"OS releases that are left out"</legend>
                <small>"Devices on them are scanned and say so; nothing is installed on them."</small>
                <div class="boxes">{releases}</div>
            </fieldset>
        }
    });
    view! {
        <fieldset class="choices">
            <legend>"Which updates are installed"</legend>
            {form.choice("updates", "all", "Every update", "that is approved", None)}
            {form.choice("updates", "security", "Security updates only", "others are listed as missing and stay so", None)}
        </fieldset>
        {left_out}
        {form.line(Line {
            name: "reserve",
            label: "Disk reserve in MiB",
            kind: "number",
            hint: "No install starts where less than this would stay free after it. 512 is usual.",
            range: Some(("0", "1000000")),
            ..Line::default()
        })}
    }
    .into_any()
}

fn every(form: &Inputs<'_>, name: &'static str, unit: &'static str, label: &'static str) -> AnyView {
    let units = ["minutes", "hours", "days"].map(|word| (word.to_owned(), word.to_owned()));
    view! {
        <div class="row every">
            {form.line(Line { name, label, kind: "number", range: Some(("1", "1000")), ..Line::default() })}
            {form.select(unit, "Unit", units.into())}
        </div>
    }
    .into_any()
}

/// Devices in the form as boxes that can be unticked, and a line for more.
fn devices(
    form: &Inputs<'_>,
    page: &FormPage,
    prefix: &'static str,
    add: &'static str,
    legend: &'static str,
) -> AnyView {
    let boxes = form.fields.keys().filter_map(|name| {
        let id: i64 = name.strip_prefix(prefix)?.parse().ok()?;
        let host = page
            .devices
            .get(&id)
            .cloned()
            .unwrap_or_else(|| "no such device".to_owned());
        Some(form.tick(name.clone(), host, Some(format!("#{id}"))))
    });
    view! {
        <fieldset>
            <legend>{legend}</legend>
            <div class="boxes">{boxes.collect::<Vec<_>>()}</div>
            {form.line(Line {
                name: add,
                label: "Add devices",
                kind: "text",
                hint: "Names with commas between, or #12 for the device of that number.",
                ..Line::default()
            })}
        </fieldset>
    }
    .into_any()
}

/// An exception.
pub fn exception(form: &Inputs<'_>, page: &FormPage) -> AnyView {
    let mut people = vec![(String::new(), "Who saves it".to_owned())];
    people.extend(
        page.choices
            .people
            .iter()
            .map(|(id, name)| (id.to_string(), name.clone())),
    );
    let groups = page
        .choices
        .groups
        .iter()
        .map(|g| (g.id.to_string(), g.name.clone()))
        .collect();
    let named = |name, label, hint, list, example| {
        Some(form.line(Line {
            name,
            label,
            kind: "text",
            hint,
            list,
            example,
            ..Line::default()
        }))
    };
    view! {
        <fieldset class="choices">
            <legend>"What is not installed"</legend>
            {form.choice("about", "patch", "One patch", "exactly this version; a newer one is another patch",
                named("patch", "Patch", "Product and version, or # and the number.", Some("patches"), "#12 openssl 3.0.17"))}
            {form.choice("about", "product", "Every patch of a product", "those to come, too",
                named("product", "Product", "", Some("products"), "openssl"))}
        </fieldset>
        <fieldset class="choices">
            <legend>"Where"</legend>
            {form.choice("covers", "all", "On every device", "", None)}
            {form.choice("covers", "group", "In one group", "with the groups in it", Some(form.select("covers_group", "Group", groups)))}
            {form.choice("covers", "device", "On one device", "", named("device", "Device", "Its name, or # and its number.", None, "web-1"))}
        </fieldset>
        {form.line(Line { name: "reason", label: "Why", kind: "text", required: true, ..Line::default() })}
        <div class="row">
            {form.select("owner", "Who answers for it", people)}
            {form.line(Line { name: "expires", label: "Ends (UTC)", kind: "datetime-local", required: true, ..Line::default() })}
        </div>
        <small>"An exception outranks every approval, urgent ones too. When it ends, approvals count again by themselves."</small>
        {suggestions("patches", &page.choices.patches)}
        {suggestions("products", &page.choices.products)}
    }
    .into_any()
}
