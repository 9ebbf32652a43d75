//! The forecast of the days shown, in figures: how many installs, how long, how much data, and what does not run in them.

use crate::components::icon::icon;
use crate::words::{bytes, length, number, plural};
use leptos::prelude::*;
use view::{CalendarPage, Load, NotForeseen};

/// The part of the calendar's page; nothing where nothing is told of these days.
pub fn forecast(page: &CalendarPage) -> AnyView {
    let Some(load) = page.load.filter(|_| page.waiting > 0) else {
        return ().into_any();
    };
    view! {
        <section aria-labelledby="forecast">
            <div class="section-head"><div>
                <h2 id="forecast">"Forecast in figures"</h2>
                <p class="sub">{said(load)}</p>
            </div></div>
            {days(page, load)}
            {waits(&page.not_foreseen)}
        </section>
    }
    .into_any()
}

fn said(load: Load) -> String {
    if load.installs == 0 {
        return "No approved install begins on these days.".to_owned();
    }
    format!(
        "{} on {} begin on these days: {} of work one after the other, {} to download.",
        plural(load.installs, "install", "installs"),
        plural(load.devices, "device", "devices"),
        work(load.seconds),
        bytes(load.bytes)
    )
}

/// Only days on which something begins.
fn days(page: &CalendarPage, sum: Load) -> AnyView {
    let busy: Vec<_> = page.days.iter().filter(|day| day.load.installs > 0).collect();
    if busy.is_empty() {
        return ().into_any();
    }
    let most = busy.iter().map(|day| day.load.bytes).max().unwrap_or(0).max(1);
    let rows = busy.iter().map(|day| {
        let width = format!("{}%", (day.load.bytes.saturating_mul(100) / most).max(2));
        view! {
            <tr>
                <th scope="row">{day.label.clone()}</th>
                {figures(day.load)}
                <td class="wide" aria-hidden="true"><svg class="bar" width="100%" height="8"><rect class="track" width="100%" height="8"></rect><rect width=width height="8" data-kind="install"></rect></svg></td>
            </tr>
        }
    });
    let rows = rows.collect::<Vec<_>>();
    let all = (busy.len() > 1).then(
        || view! { <tfoot><tr><th scope="row">"Together"</th> {figures(sum)} <td class="wide"></td></tr></tfoot> },
    );
    view! {
        <div class="table-box figures">
            <table class="table">
                <caption class="hide">"Installs, devices, time and data by day"</caption>
                <thead><tr>
                    <th scope="col">"Day"</th><th scope="col" class="num">"Installs"</th><th scope="col" class="num">"Devices"</th>
                    <th scope="col" class="num">"Time"</th><th scope="col" class="num">"Download"</th><td class="wide"></td>
                </tr></thead>
                <tbody>{rows}</tbody>
                {all}
            </table>
        </div>
    }
    .into_any()
}

/// The cells of a line; on a phone, where there is no head, each says what it counts.
fn figures(load: Load) -> AnyView {
    view! {
        <td class="num" data-label="Installs">{number(load.installs)}</td>
        <td class="num" data-label="Devices">{number(load.devices)}</td>
        <td class="num" data-label="Time">{work(load.seconds)}</td>
        <td class="num" data-label="Download">{bytes(load.bytes)}</td>
    }
    .into_any()
}

/// What does not run on these days, and why.
fn waits(all: &[NotForeseen]) -> AnyView {
    if all.is_empty() {
        return ().into_any();
    }
    let rows = all.iter().map(|one| {
        let named = one.examples.iter().map(|(device, host, patch, title)| {
            view! { <li><a href=format!("/patches/{patch}")>{title.clone()}</a> " on " <a href=format!("/devices/{device}")>{host.clone()}</a></li> }
        });
        let named = named.collect::<Vec<_>>();
        let more = one.installs.saturating_sub(u32::try_from(named.len()).unwrap_or(0));
        let more = (more > 0 && !named.is_empty()).then(|| view! { <li>{format!("and {} more", number(more))}</li> });
        let misfit = one.misfit.then(|| view! { <span class="badge" data-tone="warn">{icon("alert")} " does not fit"</span> });
        view! {
            <li>
                <b>{plural(one.installs, "install", "installs")}</b> ": " {one.reason.clone()} " " {misfit}
                <ul class="day-list">{named} {more}</ul>
            </li>
        }
    });
    view! { <h3>"Not on these days"</h3> <ul class="waits">{rows.collect::<Vec<_>>()}</ul> }.into_any()
}

/// `20 min`, `4 h 30 min`, `1 day`, `3 days 2 h`: rounded up to minutes; from a day on in whole hours.
fn work(seconds: i64) -> String {
    let minutes = u32::try_from(seconds.max(0).saturating_add(59) / 60).unwrap_or(u32::MAX);
    match (minutes / 1_440, minutes / 60 % 24) {
        (0, _) => length(minutes),
        (days, 0) => plural(days, "day", "days"),
        (days, hours) => format!("{} {hours} h", plural(days, "day", "days")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "ssr")]
    #[test]
    fn every_figure_says_what_it_counts() {
        let load = Load {
            installs: 3,
            devices: 2,
            seconds: 61,
            bytes: 5_000,
        };
        let html = figures(load).to_html();
        for (label, told) in [
            ("Installs", "3"),
            ("Devices", "2"),
            ("Time", "2 min"),
            ("Download", "5 kB"),
        ] {
            let cell = html.split_once(&format!("data-label=\"{label}\""));
            let cell = cell
                .and_then(|(_, rest)| rest.split_once('>'))
                .map_or("", |(_, rest)| rest);
            assert!(cell.starts_with(told), "{label}: {html}");
        }
    }

    #[test]
    fn lengths_are_rounded_up_to_minutes() {
        let said = [-5, 0, 61, 3_600, 16_200, 90_000, 266_400, 86_400].map(work);
        assert_eq!(
            said,
            [
                "0 min",
                "0 min",
                "2 min",
                "1 h",
                "4 h 30 min",
                "1 day 1 h",
                "3 days 2 h",
                "1 day"
            ]
        );
    }
}
