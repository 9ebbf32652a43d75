//! Profiles, maintenance windows, freezes and exceptions, each with what it says, whom it concerns and how many devices know of it.

use crate::api::schedule::schedule;
use crate::components::icon::icon;
use crate::components::marks::badge;
use crate::components::section::{ask, section};
use crate::components::when::when;
use crate::words::{number, plural};
use domain::{Moment, Permission};
use leptos::prelude::*;
use leptos_meta::Title;
use view::{ExceptionAbout, ExceptionCovers, ExceptionLine, Me, ScheduleKind, ScheduleLine, SchedulePage};

/// The page.
#[component]
pub fn ListPage() -> impl IntoView {
    let data = ask(|| (), |()| schedule());
    view! {
        <Title text="Schedule"/>
        {section(data, |me, page| all(&me, &page))}
    }
}

fn all(me: &Me, page: &SchedulePage) -> AnyView {
    let may = me.role.may(Permission::ManageSchedule);
    let lines =
        |lines: &[ScheduleLine], folder: &'static str| lines.iter().map(|one| line(one, folder)).collect::<Vec<_>>();
    view! {
        <header class="page-head">
            <div>
                <h1>"Schedule"</h1>
                <p class="sub">"When devices look for patches and when they may install approved ones. A freeze wins over everything."</p>
            </div>
            <div class="acts"><a class="button" href="/schedule/calendar">{icon("clock")} <span>"Calendar"</span></a></div>
        </header>
        {finding(page.without_profile)}
        {kind("profiles", "Profiles", "How often devices scan and ask what they may install, and in which hours. Each device follows one.",
            "Without a profile no device installs anything.", lines(&page.profiles, "profiles"), may)}
        {kind("windows", "Maintenance windows", "Installs start in one of them only, and scans at any time. A device without any window \
              may install at any time inside its profile's hours.", "No device waits for a window.", lines(&page.windows, "windows"), may)}
        {kind("freezes", "Freezes", "Between these dates nothing is installed, whatever a window or an urgent approval says.",
            "No dates are closed.", lines(&page.freezes, "freezes"), may)}
        {kind("exceptions", "Exceptions", "What is not installed where, until when, and who answers for it.", "Nothing is excepted.",
            page.exceptions.iter().map(exception).collect(), me.role.may(Permission::Decide))}
    }
    .into_any()
}

fn finding(devices: u32) -> AnyView {
    if devices == 0 {
        return ().into_any();
    }
    let words = plural(devices, "device follows", "devices follow");
    view! {
        <p class="finding" role="note">{icon("alert")} <span><b><a href="/devices?show=no_profile">{words}" no profile"</a>":"</b> " nothing is installed there."</span></p>
    }
    .into_any()
}

/// What a kind of thing is called above its list.
pub const fn title_of(kind: ScheduleKind) -> &'static str {
    match kind {
        ScheduleKind::Profile => "Profiles",
        ScheduleKind::Window => "Maintenance windows",
        ScheduleKind::Freeze => "Freezes",
        ScheduleKind::Exception => "Exceptions",
    }
}

/// One kind of thing; the first word of its address is its element's id too.
fn kind(
    id: &'static str,
    title: &'static str,
    explain: &'static str,
    none: &'static str,
    cards: Vec<AnyView>,
    may: bool,
) -> AnyView {
    let one = id.trim_end_matches('s');
    let new = may.then(|| {
        view! { <a class="button" href=format!("/schedule/{id}/new")>{format!("New {one}")}</a> }
    });
    let body = if cards.is_empty() {
        view! { <p class="none">{none}</p> }.into_any()
    } else {
        view! { <ul class="plans">{cards}</ul> }.into_any()
    };
    view! {
        <section aria-labelledby=id>
            <div class="section-head">
                <div><h2 id=id>{title}</h2> <p class="sub">{explain}</p></div>
                {new}
            </div>
            {body}
        </section>
    }
    .into_any()
}

fn line(line: &ScheduleLine, folder: &'static str) -> AnyView {
    let next = line.next.as_ref().map(|next| {
        view! { <p class="next">{icon("clock")} <span>"Next: " <b>{next.from_text.clone()}</b> " to " {next.to_text.clone()}</span></p> }
    });
    view! {
        <li class="plan">
            <h3><a href=format!("/schedule/{folder}/{}", line.id)>{line.name.clone()}</a></h3>
            <p>{line.summary.clone()}</p>
            {groups(&line.groups, folder != "profiles")}
            {next}
            {follow(line)}
            {changed(line.updated, &line.updated_by)}
        </li>
    }
    .into_any()
}

/// Its groups; a profile without any may have other devices, anything else without any is for all.
fn groups(names: &[String], none_is_all: bool) -> AnyView {
    if names.is_empty() {
        return none_is_all
            .then(|| view! { <p class="sub">"for every device"</p> })
            .into_any();
    }
    let names = names
        .iter()
        .map(|name| view! { <li class="badge">{name.clone()}</li> })
        .collect::<Vec<_>>();
    view! { <ul class="marks" aria-label="Groups">{names}</ul> }.into_any()
}

/// Who changed it last, and when.
pub fn changed(at: Moment, by: &str) -> AnyView {
    if at == Moment(0) {
        return view! { <p class="sub">"as a new server has it"</p> }.into_any();
    }
    view! { <p class="sub">"changed " {when(at)} " by " {by.to_owned()}</p> }.into_any()
}

/// How many of the devices that it concerns have said that they know of it.
pub fn follow(line: &ScheduleLine) -> AnyView {
    if line.concerned == 0 {
        return view! { <p class="none">"concerns no active device"</p> }.into_any();
    }
    let words = format!(
        "followed by {} of {}",
        number(line.follow),
        plural(line.concerned, "device", "devices")
    );
    view! {
        <label class="meter"><span>{words}</span><progress max=line.concerned.to_string() value=line.follow.to_string()></progress></label>
    }
    .into_any()
}

fn exception(line: &ExceptionLine) -> AnyView {
    let about = match &line.about {
        ExceptionAbout::Patch(id) => {
            view! { <a href=format!("/patches/{id}")>{line.about_text.clone()}</a> }.into_any()
        }
        ExceptionAbout::Product(_) => view! { "every patch of " <b>{line.about_text.clone()}</b> }.into_any(),
    };
    let covers = match line.covers {
        ExceptionCovers::All => "every device".to_owned().into_any(),
        ExceptionCovers::Device(id) => {
            view! { <a href=format!("/devices/{id}")>{line.covers_text.clone()}</a> }.into_any()
        }
        ExceptionCovers::Group(_) => view! { "group " <b>{line.covers_text.clone()}</b> }.into_any(),
    };
    let over = line.over.then(|| badge("quiet", "clock", "over".to_owned()));
    view! {
        <li class="plan">
            <h3><a href=format!("/schedule/exceptions/{}", line.id)>{format!("{}: {}", line.about_text, line.covers_text)}</a> " " {over}</h3>
            <p>"Not installed: " {about} " on " {covers} ", until " {when(line.expires)}</p>
            <p><q>{line.reason.clone()}</q></p>
            <p class="sub">{line.owner_name.clone()} " answers for it; changed " {when(line.updated)} " by " {line.updated_by.clone()}</p>
        </li>
    }
    .into_any()
}
