//! A month: each day as a strip like those of a week, small, with its sums; a day leads to its week.

use super::week::{percent, place, times};
use crate::components::icon::icon;
use crate::words::{bytes, number, plural};
use leptos::prelude::*;
use view::{Band, BandKind, CalendarDay, CalendarPage};

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The month; `week` is the address of a date's week.
pub fn month(page: &CalendarPage, week: &dyn Fn(&str) -> String) -> AnyView {
    let rows = page.days.chunks(7).map(|days| {
        let cells = days
            .iter()
            .map(|day| cell(page, day, week(&day.date)))
            .collect::<Vec<_>>();
        view! { <tr>{cells}</tr> }
    });
    let rows = rows.collect::<Vec<_>>();
    let heads = WEEKDAYS
        .map(|day| view! { <th scope="col">{day}</th> })
        .into_iter()
        .collect::<Vec<_>>();
    view! {
        <table class="month">
            <caption class="hide">{page.title.clone()}</caption>
            <thead><tr>{heads}</tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn cell(page: &CalendarPage, day: &CalendarDay, week: String) -> AnyView {
    let today = day.date == page.today;
    let (weekday, date) = day.label.split_once(' ').unwrap_or(("", &day.label));
    let (weekday, date) = (format!("{weekday} "), date.to_owned());
    let load = day.load;
    let installs = (load.installs > 0).then(|| {
        view! { <p class="installs"><b>{number(load.installs)}</b> {if load.installs == 1 { " install" } else { " installs" }} ", " {bytes(load.bytes)}</p> }
    });
    let open = day
        .open_minutes
        .filter(|n| *n > 0)
        .map(|n| view! { <p class="open">{length(n)} " open"</p> });
    let freezes = || day.bands.iter().filter(|band| band.kind == BandKind::Freeze);
    let frozen = freezes().map(|band| {
        let to = format!("/schedule/freezes/{}", band.id);
        let of = band.of.as_ref().map(|of| format!(" ({of})"));
        view! { <p class="frozen">{icon("lock")} " " <span class="hide">"Frozen by "</span><a href=to>{band.name.clone()}</a> {of}</p> }
    });
    let frozen = frozen.collect::<Vec<_>>();
    let closed = freezes().any(|band| band.of.is_none()).then_some("true");
    view! {
        <td data-today=today.then_some("true") data-outside=(!day.inside).then_some("true") data-frozen=closed>
            <p class="date"><a href=week><span class="weekday">{weekday}</span> {date}</a> {today.then_some(" today")}</p>
            {strip(day)}
            {installs}
            {open}
            {frozen}
            {said(day)}
        </td>
    }
    .into_any()
}

/// Allowed hours, windows and installs, a line each from top to bottom; a freeze lies behind them all. The words beside it say the same.
fn strip(day: &CalendarDay) -> AnyView {
    if day.bands.is_empty() && day.busy.is_empty() {
        return ().into_any();
    }
    let bar = |(from, to), y: &'static str, height: &'static str, kind: &'static str, below: bool| {
        let (from, to) = (place(day, from), place(day, to));
        // Wide enough to be seen, and inside the day.
        let width = (to - from).max(200);
        let from = from.min(10_000 - width);
        view! { <rect x=percent(from) y=y width=percent(width) height=height data-kind=kind data-below=below.then_some("true")></rect> }
    };
    let of = |kind: BandKind, y: &'static str, height: &'static str, word: &'static str| {
        let bands = day.bands.iter().filter(move |band| band.kind == kind);
        bands
            .map(|band| bar((band.from, band.to), y, height, word, band.of.is_some()))
            .collect::<Vec<_>>()
    };
    let busy = day.busy.iter().map(|span| bar(*span, "17", "7", "install", false));
    view! {
        <svg class="strip-day strip-month" width="100%" height="26" aria-hidden="true">
            {of(BandKind::Freeze, "0", "26", "freeze")} {of(BandKind::Hours, "2", "4", "hours")} {of(BandKind::Window, "8", "7", "window")} {busy.collect::<Vec<_>>()}
        </svg>
    }
    .into_any()
}

/// What the strip draws, in words for whoever does not see it; freezes have their line anyway.
fn said(day: &CalendarDay) -> AnyView {
    let line = |band: &Band| {
        let what = match band.kind {
            BandKind::Window => "Window",
            BandKind::Hours => "Hours of",
            BandKind::Freeze => return None,
        };
        let of = band
            .of
            .as_ref()
            .map_or_else(String::new, |of| format!(" (only group {of})"));
        Some(format!(
            "{what} {}{of}, {}.",
            band.name,
            times(&band.from_text, &band.to_text)
        ))
    };
    let all = day.bands.iter().filter_map(line).collect::<Vec<_>>().join(" ");
    (!all.is_empty())
        .then(|| view! { <p class="hide">{all}</p> })
        .into_any()
}

/// `4 h`, `4 h 30 min`, `20 min`.
fn length(minutes: u32) -> String {
    match (minutes / 60, minutes % 60) {
        (0, m) => format!("{m} min"),
        (24.., _) => "all day".to_owned(),
        (h, 0) => plural(h, "hour", "hours"),
        (h, m) => format!("{h} h {m} min"),
    }
}
