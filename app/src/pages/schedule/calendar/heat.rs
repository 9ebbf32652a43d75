//! In which hours of the week devices are seen, hours that would suit, and whether those of their profiles are long enough.

use crate::address::Query;
use crate::components::html::piece;
use crate::components::icon::icon;
use crate::words::{number, plural};
use domain::Permission;
use leptos::prelude::*;
use maud::html;
use view::{CalendarPage, Me, ScheduleOf, SeenHours, SuggestedHours};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The part of the calendar's page.
pub fn heat(me: &Me, page: &CalendarPage) -> AnyView {
    let may = me.role.may(Permission::ManageSchedule);
    let link = |hours: &SuggestedHours| may.then(|| new_profile(page.of, hours)).flatten();
    view! {
        <section aria-labelledby="seen" class="seen">
            <div class="section-head">
                <div><h2 id="seen">"When these devices are on"</h2> <p class="sub">{basis(&page.seen)}</p></div>
            </div>
            {strip(&page.seen)}
            {suggestions(&page.seen, &link)}
            {enough(&page.seen, without_profile(page))}
        </section>
    }
    .into_any()
}

/// Devices that follow no profile; where the device list can be narrowed to just those, a link to them.
fn without_profile(page: &CalendarPage) -> Option<AnyView> {
    if page.seen.without_profile == 0 {
        return None;
    }
    let devices = plural(page.seen.without_profile, "device follows", "devices follow");
    let ring = match page.of {
        ScheduleOf::All => Some(String::new()),
        ScheduleOf::Ring(id) => Some(format!("&ring={id}")),
        ScheduleOf::Group(_) | ScheduleOf::Location(_) | ScheduleOf::Device(_) | ScheduleOf::Patch(_) => None,
    };
    let devices = match ring {
        Some(ring) => {
            view! { <a href=format!("/devices?show=no_profile{ring}")>{devices} " no profile"</a> }.into_any()
        }
        None => format!("{devices} no profile").into_any(),
    };
    Some(view! { <li>{devices} ": nothing is installed there."</li> }.into_any())
}

/// The part of a profile's page: the same for the devices that follow it.
pub fn of_profile(seen: &SeenHours) -> AnyView {
    view! {
        <section aria-labelledby="seen" class="seen">
            <h2 id="seen">"When its devices are on"</h2>
            <p class="sub">{basis(seen)}</p>
            {strip(seen)}
            {suggestions(seen, &|_| None)}
            {enough(seen, None)}
        </section>
    }
    .into_any()
}

fn basis(seen: &SeenHours) -> String {
    let devices = plural(seen.devices, "active device", "active devices");
    if seen.known == 0 {
        return format!("Nothing is known yet of {devices}: hours are counted from each contact on.");
    }
    let known = if seen.known == seen.devices {
        devices
    } else {
        format!("{} of {devices}", number(seen.known))
    };
    format!("In which hours {known} were in contact over the last four weeks, each on its own clock.")
}

/// The heat strip of the week.
pub fn strip(seen: &SeenHours) -> AnyView {
    if seen.known == 0 {
        return ().into_any();
    }
    let inner = html! {
        caption.hide { "Share of devices in contact, by day and hour" }
        thead { tr { td {} @for hour in 0..24 { th scope="col" { (format!("{hour:02}")) } } } }
        tbody {
            @for (hours, day) in seen.shares.chunks(24).zip(DAYS) {
                tr {
                    th scope="row" { (day) }
                    @for share in hours {
                        td data-level=(share.div_ceil(20)) title={ (share) " %" } { span.hide { (share) " %" } }
                    }
                }
            }
        }
    };
    view! { <table class="heat" {..piece(inner)}></table> }.into_any()
}

/// The form of a new profile with these hours filled in; none where a profile cannot be for those.
fn new_profile(of: ScheduleOf, hours: &SuggestedHours) -> Option<String> {
    let mut query = Query::default();
    query.add("hours", "some");
    query.add("from", &hours.from);
    query.add("to", &hours.to);
    query.add("zone", "device");
    for day in 0..7 {
        query.add(&format!("day{day}"), "1");
    }
    let whom = match of {
        ScheduleOf::All => None,
        ScheduleOf::Group(id) => Some(format!("group{id}")),
        ScheduleOf::Device(id) => Some(format!("device{id}")),
        ScheduleOf::Ring(_) | ScheduleOf::Location(_) | ScheduleOf::Patch(_) => return None,
    };
    query.add("scope", if whom.is_some() { "some" } else { "all" });
    if let Some(whom) = whom {
        query.add(&whom, "1");
    }
    Some(query.on("/schedule/profiles/new"))
}

/// Hours that would suit; `link` is where they are made a profile of.
pub fn suggestions(seen: &SeenHours, link: &dyn Fn(&SuggestedHours) -> Option<String>) -> AnyView {
    if seen.suggested.is_empty() {
        return ().into_any();
    }
    let hours = seen.suggested.iter().map(|hours| {
        let name = format!("Every day {}–{}", hours.from, hours.to);
        let name = match link(hours) {
            Some(to) => view! { <a class="button" href=to>{icon("clock")} <span>{name}</span></a> }.into_any(),
            None => view! { <b>{name}</b> }.into_any(),
        };
        view! { <li>{name} " " <span>{format!("{} % of the devices are on then. ", hours.share)} {hours.text.clone()} "."</span></li> }
    });
    let hours = hours.collect::<Vec<_>>();
    view! { <h3>"Hours that would suit"</h3> <ul class="suits">{hours}</ul> }.into_any()
}

/// Whether the hours of their profiles are long enough; last, what is to be said of devices without one.
fn enough(seen: &SeenHours, without: Option<AnyView>) -> AnyView {
    let profiles = seen.profiles.iter().map(|profile| {
        let followed = plural(profile.devices, "device follows", "devices follow");
        view! {
            <li>
                <a href=format!("/schedule/profiles/{}", profile.profile)>{profile.name.clone()}</a> ": " {profile.text.clone()} ". "
                <span class="sub">{followed} " it."</span>
            </li>
        }
    });
    let profiles = profiles.collect::<Vec<_>>();
    if profiles.is_empty() && without.is_none() {
        return ().into_any();
    }
    view! { <h3>"Are the allowed hours long enough?"</h3> <ul class="suits">{profiles} {without}</ul> }.into_any()
}
