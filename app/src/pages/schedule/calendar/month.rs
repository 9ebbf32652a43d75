//! A month: each day as a strip like those of a week, small, with its sums; a day leads to its week.

use super::week::{percent, place, times};
use crate::components::html::piece;
use crate::components::icon::icon_html;
use crate::words::{bytes, number, plural};
use leptos::prelude::*;
use maud::{Markup, html};
use view::{Band, BandKind, CalendarDay, CalendarPage};

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The month; `week` is the address of a date's week.
pub fn month(page: &CalendarPage, week: &dyn Fn(&str) -> String) -> AnyView {
    let rows = page.days.chunks(7).map(|days| {
        let cells = days
            .iter()
            .map(|day| cell(page, day, &week(&day.date)))
            .collect::<Vec<_>>();
        view! { <tr>{cells}</tr> }
    });
    let rows = rows.collect::<Vec<_>>();
    let heads = html! { @for day in WEEKDAYS { th scope="col" { (day) } } };
    view! {
        <table class="month">
            <caption class="hide">{page.title.clone()}</caption>
            <thead><tr {..piece(heads)}></tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn cell(page: &CalendarPage, day: &CalendarDay, week: &str) -> AnyView {
    let today = day.date == page.today;
    let (weekday, date) = day.label.split_once(' ').unwrap_or(("", &day.label));
    let load = day.load;
    let freezes = || day.bands.iter().filter(|band| band.kind == BandKind::Freeze);
    let closed = freezes().any(|band| band.of.is_none()).then_some("true");
    let inner = html! {
        p.date {
            a href=(week) { span.weekday { (weekday) " " } (date) }
            @if today { " today" }
        }
        (strip(day))
        @if load.installs > 0 {
            p.installs { b { (number(load.installs)) } (if load.installs == 1 { " install" } else { " installs" }) ", " (bytes(load.bytes)) }
        }
        @if let Some(minutes) = day.open_minutes.filter(|n| *n > 0) { p.open { (length(minutes)) " open" } }
        @for band in freezes() {
            p.frozen {
                (icon_html("lock")) " " span.hide { "Frozen by " }
                a href={ "/schedule/freezes/" (band.id) } { (band.name) }
                @if let Some(of) = &band.of { " (" (of) ")" }
            }
        }
        (said(day))
    };
    let (today, outside) = (today.then_some("true"), (!day.inside).then_some("true"));
    view! { <td data-today=today data-outside=outside data-frozen={closed} {..piece(inner)}></td> }.into_any()
}

/// Allowed hours, windows and installs, a line each from top to bottom; a freeze lies behind them all. The words beside it say the same.
fn strip(day: &CalendarDay) -> Markup {
    if day.bands.is_empty() && day.busy.is_empty() {
        return html! {};
    }
    let bar = |(from, to), y: u8, height: u8, kind: &'static str, below: bool| {
        let (from, to) = (place(day, from), place(day, to));
        // Wide enough to be seen, and inside the day.
        let width = (to - from).max(200);
        let from = from.min(10_000 - width);
        html! { rect x=(percent(from)) y=(y) width=(percent(width)) height=(height) data-kind=(kind) data-below=[below.then_some("true")] {} }
    };
    let lines = [
        (BandKind::Freeze, 0, 26, "freeze"),
        (BandKind::Hours, 2, 4, "hours"),
        (BandKind::Window, 8, 7, "window"),
    ];
    html! {
        svg.strip-day.strip-month width="100%" height="26" aria-hidden="true" {
            @for (kind, y, height, word) in lines {
                @for band in day.bands.iter().filter(|band| band.kind == kind) {
                    (bar((band.from, band.to), y, height, word, band.of.is_some()))
                }
            }
            @for span in &day.busy { (bar(*span, 17, 7, "install", false)) }
        }
    }
}

/// What the strip draws, in words for whoever does not see it; freezes have their line anyway.
fn said(day: &CalendarDay) -> Markup {
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
    html! { @if !all.is_empty() { p.hide { (all) } } }
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
