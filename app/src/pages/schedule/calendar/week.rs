//! A week: a strip for each day, as long as that day is, and beneath it the same as a list.

use crate::components::html::piece;
use crate::components::icon::icon_html;
use crate::words::number;
use domain::Moment;
use leptos::prelude::*;
use maud::{Markup, html};
use view::{Band, BandKind, Block, CalendarDay, CalendarPage};

/// Pixels from line to line.
const LINE: usize = 20;
/// Lines of installs that are drawn; the list has them all.
const MOST_LINES: usize = 6;
/// A label needs so much of a day, in ten-thousandths.
const LABEL: u32 = 2_600;

/// The week.
pub fn week(page: &CalendarPage) -> AnyView {
    let days = page.days.iter().map(|day| one(page, day)).collect::<Vec<_>>();
    view! { <ol class="week">{days}</ol> }.into_any()
}

fn one(page: &CalendarPage, day: &CalendarDay) -> AnyView {
    let today = day.date == page.today;
    let hours = (day.to.0 - day.from.0) / 3_600;
    let inner = html! {
        h3 {
            (day.label) " "
            @if today { span.badge data-tone="good" { "today" } } " "
            @if hours != 24 { span.badge { (hours) " hours" } }
        }
        div { (strip(page.now, day)) (list(day)) }
    };
    let today = today.then_some("true");
    view! { <li class="day" data-today={today} {..piece(inner)}></li> }.into_any()
}

/// Where a moment lies on the day, in ten-thousandths.
pub(super) fn place(day: &CalendarDay, at: Moment) -> u32 {
    let share = (at.0 - day.from.0) * 10_000 / (day.to.0 - day.from.0).max(1);
    u32::try_from(share.clamp(0, 10_000)).unwrap_or(0)
}

pub(super) fn percent(place: u32) -> String {
    format!("{}.{:02}%", place / 100, place % 100)
}

/// Puts spans into lines so that none covers another; gives each its line. They come by their beginning.
fn lines(spans: &[(u32, u32)]) -> Vec<usize> {
    let mut ends: Vec<u32> = Vec::new();
    spans
        .iter()
        .map(|(from, to)| {
            let free = ends.iter().position(|end| end <= from).unwrap_or(ends.len());
            if free == ends.len() {
                ends.push(*to);
            } else {
                ends[free] = *to;
            }
            free
        })
        .collect()
}

/// What a block with its label covers: to the right of its beginning, or, late on the day, to the left of its end.
fn covered(from: u32, to: u32) -> (u32, u32, bool) {
    if from + LABEL <= 10_000 {
        (from, to.max(from + LABEL), false)
    } else {
        (from.min(to.saturating_sub(LABEL)), to, true)
    }
}

/// The drawing. Everything on it is in the list, which is what screen readers and keyboards use.
fn strip(now: Moment, day: &CalendarDay) -> Markup {
    let at = |moment| place(day, moment);
    let of = |kind| move |band: &&Band| band.kind == kind;
    let windows: Vec<&Band> = day.bands.iter().filter(of(BandKind::Window)).collect();
    let window_lines = lines(&windows.iter().map(|b| (at(b.from), at(b.to))).collect::<Vec<_>>());
    let blocks_at: Vec<(&Block, (u32, u32, bool))> =
        day.blocks.iter().map(|b| (b, covered(at(b.from), at(b.to)))).collect();
    let mut order: Vec<usize> = (0..blocks_at.len()).collect();
    order.sort_by_key(|i| blocks_at[*i].1.0);
    let block_lines = lines(
        &order
            .iter()
            .map(|i| (blocks_at[*i].1.0, blocks_at[*i].1.1))
            .collect::<Vec<_>>(),
    );
    let count = |lines: &[usize], least: usize| lines.iter().map(|l| l + 1).max().unwrap_or(0).max(least);
    let first = 26 + count(&window_lines, 1) * LINE;
    let height = first + count(&block_lines, 0).min(MOST_LINES) * LINE + 2;
    let band = |band: &Band, y: usize, height: usize, kind: &'static str| {
        let (from, to) = (at(band.from), at(band.to));
        let below = band.of.is_some().then_some("true");
        html! { rect x=(percent(from)) width=(percent(to - from)) y=(y) height=(height) data-kind=(kind) data-below=[below] {} }
    };
    let windows = windows.iter().zip(window_lines).map(|(b, line)| {
        let y = 25 + line * LINE;
        let (from, to) = (at(b.from), at(b.to));
        let name =
            b.of.as_ref()
                .map_or_else(|| b.name.clone(), |of| format!("{of}: {}", b.name));
        html! {
            g {
                (band(b, y, LINE - 2, "window"))
                @if to - from >= 600 { text x=(percent(from)) dx="4" y=(y + 13) { (shorten(&name, 24)) } }
            }
        }
    });
    let blocks = order.iter().zip(block_lines).filter(|(_, line)| *line < MOST_LINES);
    let blocks = blocks.map(|(i, line)| {
        let (block, (_, _, left)) = blocks_at[*i];
        let y = first + line * LINE;
        let (from, to) = (at(block.from), at(block.to));
        let (x, dx, anchor) = if left { (to, "-4", "end") } else { (from, "4", "start") };
        html! {
            g {
                a href=(address(block)) tabindex="-1" {
                    rect.block x=(percent(from)) width=(percent((to - from).max(40))) y=(y) height=(LINE - 2) rx="2" data-kind="install" {}
                    text x=(percent(x)) dx=(dx) y=(y + 13) text-anchor=(anchor) { (label(block)) }
                }
            }
        }
    });
    html! {
        svg.strip-day width="100%" height=(height) aria-hidden="true" {
            @for b in day.bands.iter().filter(of(BandKind::Freeze)) { (band(b, 0, height, "freeze")) }
            @for (moment, text) in &day.ticks {
                @let x = percent(at(*moment));
                g { line.tick x1=(x) x2=(x) y1="0" y2=(height) {} " " text.tick x=(x) dx="3" y="11" { (text) } }
            }
            @for b in day.bands.iter().filter(of(BandKind::Hours)) { (band(b, 15, 7, "hours")) }
            @for window in windows { (window) }
            @for block in blocks { (block) }
            @if day.from <= now && now < day.to {
                @let x = percent(at(now));
                line.now x1=(x) x2=(x) y1="0" y2=(height) {}
            }
        }
    }
}

/// One device: its page; several: the patch's.
fn address(block: &Block) -> String {
    match (&block.devices[..], block.count) {
        ([(device, _)], 1) => format!("/devices/{device}"),
        _ => format!("/patches/{}", block.patch),
    }
}

fn label(block: &Block) -> String {
    let title = shorten(&block.title, 26);
    match (&block.devices[..], block.count) {
        ([(_, host)], 1) => format!("{title} · {}", shorten(host, 14)),
        _ => format!("{title} · {} devices", number(block.count)),
    }
}

fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        text.to_owned()
    } else {
        text.chars().take(most - 1).chain(['…']).collect()
    }
}

fn list(day: &CalendarDay) -> Markup {
    if day.bands.is_empty() && day.blocks.is_empty() {
        return html! { p.none { "Nothing on this day." } };
    }
    html! {
        ul.day-list {
            @for band in &day.bands { (band_line(band)) }
            @for block in &day.blocks { (block_line(block)) }
            @if day.more > 0 { li { "and " (day.more) " more" } }
        }
    }
}

pub(super) fn times(from: &str, to: &str) -> String {
    if (from, to) == ("00:00", "24:00") {
        "all day".to_owned()
    } else {
        format!("{from}–{to}")
    }
}

fn band_line(band: &Band) -> Markup {
    let (kind, words, folder) = match band.kind {
        BandKind::Window => ("window", "Window ", "windows"),
        BandKind::Hours => ("hours", "Hours of ", "profiles"),
        BandKind::Freeze => ("freeze", "Frozen by ", "freezes"),
    };
    html! {
        li data-kind=(kind) data-below=[band.of.is_some().then_some("true")] {
            (words) a href={ "/schedule/" (folder) "/" (band.id) } { (band.name) } " "
            @if let Some(of) = &band.of { span.sub { "(only group " (of) ") " } }
            (times(&band.from_text, &band.to_text))
        }
    }
}

fn block_line(block: &Block) -> Markup {
    let more = block
        .count
        .saturating_sub(u32::try_from(block.devices.len()).unwrap_or(0));
    html! {
        li data-kind="install" {
            (icon_html("down")) " " (times(&block.from_text, &block.to_text)) " "
            a href={ "/patches/" (block.patch) } { (block.title) } " on "
            @for (i, (device, host)) in block.devices.iter().enumerate() {
                @if i > 0 { ", " }
                a href={ "/devices/" (device) } { (host) }
            }
            @if more > 0 { " and " (number(more)) " more" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_covers_anything() {
        assert_eq!(lines(&[(0, 10), (5, 8), (8, 20), (10, 12)]), [0, 1, 1, 0]);
        assert_eq!(covered(100, 200), (100, 2_700, false));
        assert_eq!(
            covered(9_900, 10_000),
            (7_400, 10_000, true),
            "its label is to the left"
        );
        assert_eq!(
            (percent(0), percent(1_234), percent(10_000)),
            ("0.00%".into(), "12.34%".into(), "100.00%".into())
        );
    }

    #[test]
    fn long_names_are_cut_between_letters() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöüß", 3), "äö…");
    }
}
