//! The page on which something of the schedule is made, looked at and changed.
//!
//! Without JavaScript "Check" and a refused "Save" come back to this page with what was typed in its address. With JavaScript the part
//! beside the form follows what is typed.

use super::calendar::heat::of_profile;
use super::inputs::{Inputs, Shown, following};
use super::list::{changed, follow};
use super::look::panel;
use super::{profile, window, words};
use crate::api::schedule::{Fields, FormPage, SaveSchedule, check_form};
use crate::components::field::hidden;
use crate::components::form::post_kept;
use crate::components::icon::icon;
use crate::components::section::{Answer, Ask, ask_here, failed, section};
use crate::components::when::when;
use domain::Permission;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;
use leptos_router::params::ParamsMap;
use std::cell::Cell;
use view::{FormProblem, Me, NewerVersion, ScheduleKind, UiError};

/// What an address of the schedule is about: its kind, and its number unless it is new.
fn which(path: &str) -> Option<(ScheduleKind, Option<i64>)> {
    let mut words = path.strip_prefix("/schedule/")?.split('/');
    let kind = ScheduleKind::from_folder(words.next()?)?;
    match words.next()? {
        "new" => Some((kind, None)),
        id => id.parse().ok().map(|id| (kind, Some(id))),
    }
}

type Wanted = (ScheduleKind, Option<i64>, Fields);

/// What was typed, as it stands in the address. Names that no form has do no harm.
pub fn typed(query: &ParamsMap) -> Fields {
    let all = query.clone().into_iter();
    all.filter(|(name, _)| !name.starts_with("__") && name != crate::notice::DONE)
        .map(|(name, value)| (name.into_owned(), value))
        .collect()
}

/// The page.
#[component]
pub fn FormPageOf() -> impl IntoView {
    // Path and query of the browser's address, not of the route: from one window's page to another the router renews the route's
    // parameters and forgets its query. While the page is left for another one it keeps showing what it was about.
    let address = use_location();
    let wanted = Memo::new(move |old: Option<&Option<Wanted>>| {
        let which = address.pathname.with(|path| which(path));
        let now = which.map(|(kind, id)| (kind, id, address.query.with(typed)));
        now.or_else(|| old.cloned().flatten())
    });
    // Not live: nothing moves under the hands of who fills it in. That somebody else saved meanwhile is found by the check.
    let data = ask_here(move || match wanted.get() {
        Some((kind, id, typed)) => Ask::ScheduleForm(kind, id, typed),
        None => Ask::Nothing,
    });
    view! {
        <Title text="Schedule"/>
        {section(data, move |me, answer| match answer {
            Answer::ScheduleForm(page) if wanted.get_untracked().is_some_and(|(kind, ..)| kind == page.kind) => {
                if page.line.is_none() && !me.role.may(words::right(page.kind)) {
                    return Some(failed(&UiError::NotAllowed { permission: words::right(page.kind) }));
                }
                Some(anew(move || whole(&me, &page)))
            }
            _ => None,
        })}
    }
}

thread_local! {
    static SHOWN: Cell<u32> = const { Cell::new(0) };
}

/// New elements each time: what a browser remembers of the former ones must not hide what the server sent.
pub fn anew(render: impl Fn() -> AnyView + Send + Sync + Clone + 'static) -> AnyView {
    let number = SHOWN.with(|n| n.replace(n.get() + 1));
    view! { <For each=move || [number] key=|n| *n children=move |_| render()/> }.into_any()
}

fn whole(me: &Me, page: &FormPage) -> AnyView {
    let shown = Shown::new(page.look.clone());
    let may = me.role.may(words::right(page.kind));
    let noun = words::noun(page.kind);
    let title = page
        .line
        .as_ref()
        .map_or_else(|| format!("New {noun}"), |line| line.name.clone());
    let sent = page.fields.get("act").map(String::as_str);
    land_on(match sent {
        Some("check") => Some("check"),
        Some(_) => Some("refused"),
        None => None,
    });
    let crumb = format!("/schedule#{}", page.kind.folder());
    let told = page.line.as_ref().map(|line| {
        view! {
            {changed(line.updated, &line.updated_by)}
            {(page.kind != ScheduleKind::Exception).then(|| follow(line))}
        }
    });
    let delete = page.line.as_ref().filter(|_| may).map(|line| {
        let to = format!("/schedule/{}/{}/delete", page.kind.folder(), line.id);
        view! { <a class="button" data-tone="danger" href=to>{icon("cross")} <span>"Delete"</span></a> }
    });
    view! {
        <Title text=title.clone()/>
        <header class="page-head">
            <div>
                <p class="crumb"><a href="/schedule">"Schedule"</a> " › " <a href=crumb>{super::list::title_of(page.kind)}</a></p>
                <h1>{title}</h1>
                {told}
            </div>
            <div class="acts">{delete}</div>
        </header>
        {(sent == Some("save")).then(|| refused(page))}
        <div class="split planning">
            {the_form(page, shown, may)}
            {panel(shown)}
        </div>
        {page.seen.as_ref().map(of_profile)}
    }
    .into_any()
}

/// After a form was sent: to what was said about it.
pub fn land_on(id: Option<&'static str>) {
    let Some(id) = id else { return };
    // Effects run in the browser only, after the page stands.
    Effect::new(move |_| {
        request_animation_frame(move || {
            let found = document().get_element_by_id(id);
            if let Some(element) = found.and_then(|e| wasm_bindgen::JsCast::dyn_into::<web_sys::HtmlElement>(e).ok()) {
                let _ = element.focus();
            }
        });
    });
}

/// Why it was not saved, above the form.
fn refused(page: &FormPage) -> AnyView {
    let newer = page.look.problems.iter().find_map(|one| match &one.problem {
        FormProblem::Changed(newer) => Some(conflict(page, newer)),
        _ => None,
    });
    let rows = page
        .look
        .problems
        .iter()
        .filter(|one| !matches!(one.problem, FormProblem::Changed(_)))
        .map(|one| view! { <li>{words::problem(&one.problem)}</li> })
        .collect::<Vec<_>>();
    let none = (rows.is_empty() && newer.is_none())
        .then(|| view! { <p>"Something changed meanwhile, and nothing stands in the way any more. Save again."</p> });
    view! {
        <section class="refused" id="refused" role="alert" tabindex="-1">
            <h2>{icon("alert")} " Not saved"</h2>
            <p>"Nothing that you typed is lost."</p>
            <ul>{rows}</ul>
            {newer}
            {none}
        </section>
    }
    .into_any()
}

/// Somebody else was faster: their version, and the two ways on.
fn conflict(page: &FormPage, newer: &NewerVersion) -> AnyView {
    let id = page.line.as_ref().map_or(0, |line| line.id);
    let theirs = format!("/schedule/{}/{id}", page.kind.folder());
    view! {
        <p><b>{newer.by.clone()}</b> " saved a newer version " {when(newer.at)} " while you were typing:"</p>
        <p class="says">{newer.summary.clone()}</p>
        <p class="row">
            <a class="button" href=theirs>"Take the newer version"</a>
            <button class="button" data-tone="danger" form="planned" name="over" value=newer.version.to_string()>"Save mine over it"</button>
        </p>
    }
    .into_any()
}

fn the_form(page: &FormPage, shown: Shown, may: bool) -> AnyView {
    let form = Inputs {
        fields: &page.fields,
        shown,
    };
    let inputs = match page.kind {
        ScheduleKind::Window => window::window(&form, page),
        ScheduleKind::Freeze => window::freeze(&form, page),
        ScheduleKind::Profile => profile::profile(&form, page),
        ScheduleKind::Exception => profile::exception(&form, page),
    };
    let kept = ["id", "version"].map(|name| form.has(name).then(|| hidden(name, form.get(name))));
    let top = move || {
        let said = shown.with(|look| {
            let above = look.problems.iter().filter(|one| one.field.is_empty());
            above
                .map(|one| words::problem(&one.problem))
                .collect::<Vec<_>>()
                .join(" ")
        });
        (!said.is_empty()).then_some(said)
    };
    let buttons = if may {
        view! {
            // The first button is the one that Enter presses: it changes nothing.
            <p class="row">
                <button class="button" name="act" value="check" formnovalidate>{icon("search")} <span>"Check"</span></button>
                <button class="button" data-tone="main" name="act" value="save">"Save"</button>
                <a class="button" href="/schedule">"Cancel"</a>
            </p>
        }
        .into_any()
    } else {
        let who = match words::right(page.kind) {
            Permission::Decide => "A security officer or administrator changes it.",
            _ => "An administrator changes it.",
        };
        view! { <p class="sub">{who}</p> }.into_any()
    };
    let fields = view! {
        {hidden("what", page.kind.folder().to_owned())}
        {kept}
        <p class="wrong" aria-live="polite">{top}</p>
        <fieldset class="stack" disabled=!may>{inputs}</fieldset>
        {buttons}
    };
    let kind = page.kind;
    let typing = following(shown, move |fields: Fields, deep| {
        Box::pin(check_form(kind, fields, deep))
    });
    view! { <div class="card" on:input=typing>{post_kept::<SaveSchedule>("planned", "stack plan-form", fields.into_any())}</div> }.into_any()
}
