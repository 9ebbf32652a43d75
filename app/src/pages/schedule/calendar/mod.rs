//! The calendar: windows, allowed hours, freezes, and the installs forecast in them, for a week or a month.

mod forecast;
pub(super) mod heat;
mod month;
mod week;

use crate::address::{calendar_ask, calendar_query};
use crate::api::schedule::calendar;
use crate::components::form::get;
use crate::components::icon::icon;
use crate::components::section::{ask, section};
use crate::components::select::select;
use crate::words::plural;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use view::{CalendarAsk, CalendarPage, CalendarSpan, Me, ScheduleOf};

/// Where it is.
const PATH: &str = "/schedule/calendar";

/// The page.
#[component]
pub fn CalendarPageOf() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| query.with(calendar_ask));
    let data = ask(move || asked.get(), calendar);
    view! {
        <Title text="Calendar"/>
        {section(data, move |me, page| whole(&me, asked.get_untracked().zone.is_some(), &page))}
    }
}

/// The same calendar with something else in its address. The clock stays in it only where a person chose it.
fn ask_of(page: &CalendarPage, zone_chosen: bool) -> CalendarAsk {
    CalendarAsk {
        of: page.of,
        device: None,
        span: page.span,
        from: Some(page.from.clone()),
        zone: zone_chosen.then(|| page.zone.clone()),
    }
}

fn whole(me: &Me, zone_chosen: bool, page: &CalendarPage) -> AnyView {
    let here = ask_of(page, zone_chosen);
    let to_week = |date: &str| {
        let ask = CalendarAsk {
            span: CalendarSpan::Week,
            from: Some(date.to_owned()),
            ..here.clone()
        };
        calendar_query(&ask).on(PATH)
    };
    let drawn = match page.span {
        CalendarSpan::Week => week::week(page),
        CalendarSpan::Month => month::month(page, &to_week),
    };
    let device = match page.of {
        ScheduleOf::Device(id) => {
            Some(view! { <p class="sub"><a href=format!("/devices/{id}")>"The page of this device"</a></p> })
        }
        ScheduleOf::Patch(id) => {
            Some(view! { <p class="sub"><a href=format!("/patches/{id}")>"The page of this patch"</a></p> })
        }
        ScheduleOf::Ring(_) | ScheduleOf::Location(_) => {
            Some(view! { <p class="sub"><a href="/rings".to_owned()>"Rings and locations"</a></p> })
        }
        ScheduleOf::All | ScheduleOf::Group(_) => None,
    };
    view! {
        <header class="page-head">
            <div>
                <p class="crumb"><a href="/schedule">"Schedule"</a></p>
                <h1>"Calendar: " {page.name.clone()}</h1>
                {device}
            </div>
            {turn(page, &here)}
        </header>
        {choose(page, &here)}
        <section aria-labelledby="drawn">
            <div class="section-head">
                <div><h2 id="drawn">{page.title.clone()}</h2> <p class="sub">{clock(page)}</p></div>
                {legend()}
            </div>
            {notes(page)}
            {drawn}
        </section>
        {forecast::forecast(page)}
        {heat::heat(me, page)}
    }
    .into_any()
}

/// Week or month, before, today, after.
fn turn(page: &CalendarPage, here: &CalendarAsk) -> AnyView {
    let to = |from: Option<String>, span| {
        calendar_query(&CalendarAsk {
            from,
            span,
            ..here.clone()
        })
        .on(PATH)
    };
    let spans = [(CalendarSpan::Week, "Week"), (CalendarSpan::Month, "Month")].map(|(span, words)| {
        let address = to(here.from.clone(), span);
        view! { <a href=address aria-current=(page.span == span).then_some("page")>{words}</a> }
    });
    let step = |date: &Option<String>, sign: &'static str, words: &'static str| {
        date.clone().map(|date| {
            let what = page.span.word();
            view! { <a class="button" href=to(Some(date), page.span)><span aria-hidden="true">{sign}</span> <span class="hide">{format!("{words} {what}")}</span></a> }
        })
    };
    view! {
        <div class="acts">
            <nav class="tabs" aria-label="How much">{spans.into_iter().collect::<Vec<_>>()}</nav>
            <nav class="turn" aria-label="Other dates">
                {step(&page.previous, "‹", "Previous")}
                <a class="button" href=to(None, page.span)>"Today"</a>
                {step(&page.next, "›", "Next")}
            </nav>
        </div>
    }
    .into_any()
}

/// For whom, from when, on whose clock.
fn choose(page: &CalendarPage, here: &CalendarAsk) -> AnyView {
    let mut of = vec![("all".to_owned(), "All devices".to_owned())];
    of.extend(
        page.groups
            .iter()
            .map(|g| (format!("group:{}", g.id), format!("Group {}", g.name))),
    );
    let rings = page.rings.iter();
    of.extend(rings.map(|r| (ScheduleOf::Ring(r.id).word(), format!("Ring {}", r.name))));
    let places = page.locations.iter();
    of.extend(places.map(|l| (ScheduleOf::Location(l.id).word(), format!("Location {}", l.name))));
    match page.of {
        ScheduleOf::Device(_) => of.push((page.of.word(), format!("Device {}", page.name))),
        ScheduleOf::Patch(_) => of.push((page.of.word(), format!("Patch {}", page.name))),
        ScheduleOf::All | ScheduleOf::Group(_) | ScheduleOf::Ring(_) | ScheduleOf::Location(_) => {}
    }
    let mut zones = vec![(String::new(), "Of most devices".to_owned())];
    if let ScheduleOf::Device(_) = page.of {
        zones[0].1 = "The device's own".to_owned();
    }
    zones.extend(page.zones.iter().map(|(zone, _)| (zone.clone(), zone.clone())));
    for more in [page.zone.as_str(), "UTC"] {
        if zones.iter().all(|(zone, _)| zone != more) {
            zones.push((more.to_owned(), more.to_owned()));
        }
    }
    let missing = page.no_device.as_ref().map(|text| {
        view! { <p class="finding" role="alert">"There is no device " <b>{text.clone()}</b> "."</p> }
    });
    let from = page.from.clone();
    let fields = view! {
        {crate::components::field::hidden("view", page.span.word().to_owned())}
        {select("of", "For", of, &page.of.word())}
        <label class="search">{icon("device")} <span class="hide">"A device by its name"</span>
            <input type="search" name="device" value="" autocomplete="off" placeholder="or a device by name"/>
        </label>
        <label class="field"><span>"Day"</span><input type="date" name="from" value=from.clone() prop:value=from/></label>
        {select("zone", "On the clock", zones, here.zone.as_deref().unwrap_or_default())}
        <button class="button">"Show"</button>
        {missing}
    };
    get(PATH, "filters", "What to show", true, fields.into_any())
}

/// On which clock everything is drawn, said clearly.
fn clock(page: &CalendarPage) -> AnyView {
    let own = |page: &CalendarPage| page.zones.first().is_some_and(|(zone, _)| *zone == page.zone);
    let same = page
        .zones
        .iter()
        .find(|(zone, _)| *zone == page.zone)
        .map_or(0, |(_, n)| *n);
    let all = page.zones.iter().map(|(_, n)| n).sum::<u32>();
    let whose = match page.of {
        ScheduleOf::Device(_) if own(page) => ", the device's own clock".to_owned(),
        ScheduleOf::Device(_) => ", not the device's own clock".to_owned(),
        _ if all == 0 => String::new(),
        _ if same == all => {
            format!(", the clock of {}", plural(all, "device", "devices"))
        }
        _ => {
            let rest = "what runs on each device's own clock is drawn as it is there";
            format!(", the clock of {same} of {}; {rest}", plural(all, "device", "devices"))
        }
    };
    view! { "Times of " <b>{page.zone.clone()}</b> {whose} ". Installs are a forecast: each takes its expected time, and nobody decides anything." }
        .into_any()
}

fn legend() -> AnyView {
    let kinds = [
        ("window", "window"),
        ("hours", "allowed hours"),
        ("freeze", "freeze"),
        ("install", "installs forecast"),
    ];
    let kinds = kinds.map(|(kind, words)| {
        view! {
            <li><svg class="swatch" width="14" height="10" aria-hidden="true"><rect width="14" height="10" rx="2" data-kind=kind></rect></svg> {words}</li>
        }
    });
    view! { <ul class="legend" aria-label="Colours">{kinds.into_iter().collect::<Vec<_>>()}</ul> }.into_any()
}

/// What the drawing leaves out.
fn notes(page: &CalendarPage) -> AnyView {
    let cut = page.cut.then(|| {
        let words = format!(
            "Installs wait on {}; the forecast looked at {} of them.",
            plural(page.waiting, "device", "devices"),
            crate::words::number(page.looked)
        );
        view! { <p class="sub" role="note">{icon("alert")} " " {words}</p> }
    });
    let none = (page.waiting == 0).then(|| view! { <p class="sub">"No approved install waits here."</p> });
    view! { {cut} {none} }.into_any()
}
