//! What a form would do: what it says, when it occurs next, what it would move.

use super::inputs::Shown;
use super::words;
use crate::api::forms::Look;
use crate::components::icon::icon;
use crate::components::when::when;
use crate::words::{number, plural};
use leptos::prelude::*;
use view::{Moved, MovedInstall, Occurrence, WhatWouldChange};

/// Installs that are shown at once; the others are folded away.
const AT_ONCE: usize = 6;

/// The part of the page that says what the form would do. It follows what is typed.
pub fn panel(shown: Shown) -> AnyView {
    let said = move || {
        shown.with(|look| match (look.problems.len(), look.next.first()) {
            (0, Some(next)) => format!("Begins next {}.", next.from_text),
            (0, None) => look.summary.clone(),
            (n, _) => plural(
                u32::try_from(n).unwrap_or(u32::MAX),
                "thing is to be mended.",
                "things are to be mended.",
            ),
        })
    };
    view! {
        <section class="card look" id="check" tabindex="-1" aria-labelledby="check-title">
            <h2 id="check-title">"What it would do"</h2>
            <p class="hide" role="status">{move || shown.typed.with(Option::is_some).then(said)}</p>
            {move || shown.with(body)}
        </section>
    }
    .into_any()
}

fn body(look: &Look) -> AnyView {
    let warnings = look
        .warnings
        .iter()
        .map(|one| view! { <li class="caution">{icon("alert")} <span>{words::warning(one)}</span></li> });
    let rings = look
        .rings
        .iter()
        .map(|one| view! { <li class="caution">{icon("alert")} <span>{crate::pages::rings::words::warning(one)}</span></li> });
    let warnings = warnings.chain(rings).collect::<Vec<_>>();
    let warnings = (!warnings.is_empty()).then(|| view! { <ul class="cautions">{warnings}</ul> });
    let next = (!look.next.is_empty()).then(|| occurrences(&look.next, look.own_clock));
    let moved = match (&look.change, look.problems.is_empty()) {
        (Some(change), _) => view! { <h3>"Approved installs that would move"</h3> {changes(change)} }.into_any(),
        (None, true) => {
            view! { <p class="sub">"“Check” shows which approved installs would move. Nothing is saved by it."</p> }
                .into_any()
        }
        (None, false) => ().into_any(),
    };
    let summary = (!look.summary.is_empty()).then(|| view! { <p class="says">{look.summary.clone()}</p> });
    let stopped = (!look.problems.is_empty()).then(|| {
        view! { <p class="wrong">"It cannot be saved as it stands: see the note beside the field."</p> }
    });
    view! { {summary} {stopped} {warnings} {next} {moved} }.into_any()
}

/// The next times. On each device's own clock they are no moments, so only the wall's time is told.
pub fn occurrences(next: &[Occurrence], own_clock: bool) -> AnyView {
    let rows = next.iter().map(|one| {
        let here = (!own_clock).then(|| view! { <small>{when(one.from)} " where you are"</small> });
        view! { <li><b>{one.from_text.clone()}</b> " to " {one.to_text.clone()} {here}</li> }
    });
    let title = match next.len() {
        1 => "The only time to come",
        2..5 => "The times to come",
        _ => "The next five times",
    };
    let own = own_clock.then(|| view! { <p class="sub">"on each device's own clock"</p> });
    view! { <h3>{title}</h3> <ol class="times">{rows.collect::<Vec<_>>()}</ol> {own} }.into_any()
}

/// What would move, counted and listed.
pub fn changes(change: &WhatWouldChange) -> AnyView {
    let looked = plural(change.devices, "device", "devices");
    let cut = if change.cut {
        format!("Only {looked} with approved patches were looked at. There are more, which are not counted here.")
    } else {
        format!("{looked} with approved patches looked at.")
    };
    let counts = [
        (change.earlier, "earlier", "earlier"),
        (change.later, "later", "later"),
        (change.blocked, "blocked", "newly blocked"),
        (change.possible, "possible", "newly possible"),
        (change.other, "other", "wait for something else first"),
    ];
    let total: u32 = counts.iter().map(|(n, ..)| n).sum();
    if total == 0 {
        return view! { <p class="none">"None: every approved install may start when it might have started anyway."</p> <p class="sub">{cut}</p> }.into_any();
    }
    let numbers = counts.into_iter().filter(|(n, ..)| *n > 0).map(|(n, word, label)| {
        view! { <li data-moved=word><b>{number(n)}</b> " " {label}</li> }
    });
    let mut rows = change.installs.iter().map(row).collect::<Vec<_>>();
    let rest = rows.split_off(rows.len().min(AT_ONCE));
    let unlisted = total.saturating_sub(u32::try_from(change.installs.len()).unwrap_or(u32::MAX));
    let rest = (!rest.is_empty()).then(|| {
        let more = format!("{} more", rest.len());
        view! { <details class="past"><summary>{more}</summary><ul class="moves">{rest}</ul></details> }
    });
    let unlisted = (unlisted > 0)
        .then(|| view! { <p class="sub">{format!("and {} more that are not listed", number(unlisted))}</p> });
    view! {
        <ul class="moved">{numbers.collect::<Vec<_>>()}</ul>
        <ul class="moves">{rows}</ul>
        {rest}
        {unlisted}
        <p class="sub">{cut}</p>
    }
    .into_any()
}

fn row(install: &MovedInstall) -> AnyView {
    let (word, said) = match &install.moved {
        Moved::Earlier { before, after } => (
            "earlier",
            view! { {when(*after)} " instead of " {when(*before)} }.into_any(),
        ),
        Moved::Later { before, after } => (
            "later",
            view! { {when(*after)} " instead of " {when(*before)} }.into_any(),
        ),
        Moved::Blocked { before, reason } => (
            "blocked",
            view! { {reason.clone()} " (might have started " {when(*before)} ")" }.into_any(),
        ),
        Moved::Possible { after } => ("possible", view! { "may start " {when(*after)} }.into_any()),
        Moved::OtherReason { after, .. } => (
            "other",
            view! { "waits as before, but first: " {after.clone()} }.into_any(),
        ),
    };
    view! {
        <li data-moved=word>
            <span><a href=format!("/patches/{}", install.patch)>{install.title.clone()}</a> " on "
                <a href=format!("/devices/{}", install.device)>{install.hostname.clone()}</a></span>
            <small>{said}</small>
        </li>
    }
    .into_any()
}
