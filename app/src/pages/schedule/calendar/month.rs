//! A month: each day with its sums; a day leads to its week.

use crate::components::icon::icon;
use crate::words::{bytes, number, plural};
use leptos::prelude::*;
use view::{CalendarDay, CalendarPage};

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The month; `week` is the address of a date's week.
pub fn month(page: &CalendarPage, week: &dyn Fn(&str) -> String) -> AnyView {
    let most = page.days.iter().map(|d| d.load.installs).max().unwrap_or(0).max(1);
    let rows = page.days.chunks(7).map(|days| {
        let cells = days
            .iter()
            .map(|day| cell(page, day, most, week(&day.date)))
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

fn cell(page: &CalendarPage, day: &CalendarDay, most: u32, week: String) -> AnyView {
    let today = day.date == page.today;
    let (weekday, date) = day.label.split_once(' ').unwrap_or(("", &day.label));
    let (weekday, date) = (format!("{weekday} "), date.to_owned());
    let load = day.load;
    let installs = (load.installs > 0).then(|| {
        let width = format!("{}%", (u64::from(load.installs) * 100 / u64::from(most)).max(4));
        view! {
            <p class="installs"><b>{number(load.installs)}</b> {if load.installs == 1 { " install" } else { " installs" }} ", " {bytes(load.bytes)}</p>
            <svg class="bar" width="100%" height="8" aria-hidden="true"><rect class="track" width="100%" height="8"></rect><rect width=width height="8" data-kind="install"></rect></svg>
        }
    });
    let open = day
        .open_minutes
        .filter(|n| *n > 0)
        .map(|n| view! { <p class="open">{length(n)} " open"</p> });
    let frozen = day.bands.iter().map(|band| {
        let to = format!("/schedule/freezes/{}", band.id);
        view! { <p class="frozen">{icon("lock")} " " <span class="hide">"Frozen by "</span><a href=to>{band.name.clone()}</a></p> }
    });
    let frozen = frozen.collect::<Vec<_>>();
    let closed = (!frozen.is_empty()).then_some("true");
    view! {
        <td data-today=today.then_some("true") data-outside=(!day.inside).then_some("true") data-frozen=closed>
            <p class="date"><a href=week><span class="weekday">{weekday}</span> {date}</a> {today.then_some(" today")}</p>
            {installs}
            {open}
            {frozen}
        </td>
    }
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
