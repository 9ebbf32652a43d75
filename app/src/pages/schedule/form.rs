//! The page on which something of the schedule is made, looked at and changed.

use super::calendar::heat::of_profile;
use super::list::{changed, follow};
use super::{profile, window, words};
use crate::api::forms::Fields;
use crate::api::schedule::{FormPage, SaveSchedule, check_form, schedule_form};
use crate::components::form::post_kept;
use crate::components::icon::icon;
use crate::components::section::{ask_here, failed, named, section};
use crate::components::when::when;
use crate::pages::forms::inputs::{Inputs, Shown, following};
use crate::pages::forms::look::panel;
use crate::pages::forms::words::problem as problem_words;
use crate::pages::forms::{FORM, Sheet, address_of, anew, land, not_saved};
use domain::Permission;
use leptos::prelude::*;
use leptos_meta::Title;
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

/// The page.
#[component]
pub fn FormPageOf() -> impl IntoView {
    let wanted = address_of(which);
    // Not live: nothing moves under the hands of who fills it in. That somebody else saved meanwhile is found by the check.
    let data = ask_here(
        move || wanted.get(),
        |wanted| async move {
            let (kind, id, typed) = named(wanted)?;
            schedule_form(kind, id, typed).await
        },
    );
    view! {
        <Title text="Schedule"/>
        {section(data, move |me, page| {
            if page.line.is_none() && !me.role.may(words::right(page.kind)) {
                return failed(&UiError::NotAllowed { permission: words::right(page.kind) });
            }
            anew(move || whole(&me, &page))
        })}
    }
}

fn whole(me: &Me, page: &FormPage) -> AnyView {
    let shown = Shown::new(page.look.clone());
    let may = me.role.may(words::right(page.kind));
    let noun = words::noun(page.kind);
    let title = page
        .line
        .as_ref()
        .map_or_else(|| format!("New {noun}"), |line| line.name.clone());
    let refusal = land(&page.fields);
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
        {refusal.then(|| refused(page))}
        <div class="split planning">
            {the_form(page, shown, may)}
            {panel(shown)}
        </div>
        {page.seen.as_ref().map(of_profile)}
    }
    .into_any()
}

/// Why it was not saved, above the form.
fn refused(page: &FormPage) -> AnyView {
    let newer = page.look.problems.iter().find_map(|one| match &one.problem {
        FormProblem::Changed(newer) => Some(conflict(page, newer)),
        _ => None,
    });
    let others = page.look.problems.iter().map(|one| &one.problem);
    let rows = others
        .filter(|problem| !matches!(problem, FormProblem::Changed(_)))
        .map(|problem| view! { <li>{problem_words(problem)}</li> }.into_any());
    not_saved(rows.collect(), newer)
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
            <button class="button" data-tone="danger" form=FORM name="over" value=newer.version.to_string()>"Save mine over it"</button>
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
    let sheet = Sheet {
        what: page.kind.folder(),
        back: "/schedule",
        may,
        who: match words::right(page.kind) {
            Permission::Decide => "A security officer or administrator changes it.",
            _ => "An administrator changes it.",
        },
    };
    let kind = page.kind;
    let typing = following(shown, move |fields: Fields, deep| {
        Box::pin(check_form(kind, fields, deep))
    });
    let fields = sheet.fields(&form, inputs);
    view! { <div class="card" on:input=typing>{post_kept::<SaveSchedule>(FORM, "stack plan-form", fields)}</div> }
        .into_any()
}
