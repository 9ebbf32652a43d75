//! The page that asks before something of the schedule is deleted.

use super::words;
use crate::api::schedule::{DeleteSchedule, Removal, before_removal};
use crate::components::field::hidden;
use crate::components::form::post;
use crate::components::section::{ask_once, failed, named, section};
use crate::pages::forms::look::changes;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use view::{ScheduleKind, UiError};

/// The page.
#[component]
pub fn RemovePage() -> impl IntoView {
    let params = use_params_map();
    let which = Memo::new(move |_| {
        params.with(|p| {
            Some((
                ScheduleKind::from_folder(p.get_str("kind")?)?,
                p.get_str("id")?.parse().ok()?,
            ))
        })
    });
    // Once: deleting it is an act, after which there is nothing to ask about.
    let data = ask_once(
        move || which.get(),
        |which| async move {
            let (kind, id) = named(which)?;
            before_removal(kind, id).await
        },
    );
    view! {
        <Title text="Delete"/>
        {section(data, |me, it| {
            if me.role.may(words::right(it.kind)) {
                page(&it)
            } else {
                failed(&UiError::NotAllowed { permission: words::right(it.kind) })
            }
        })}
    }
}

const fn explain(kind: ScheduleKind) -> &'static str {
    match kind {
        ScheduleKind::Profile => {
            "Its devices follow the next profile that covers them. Where there is none, nothing is installed any more."
        }
        ScheduleKind::Window => {
            "Installs start in the other windows of its devices. Devices that are left without any window may install at any time inside \
             their profile's hours."
        }
        ScheduleKind::Freeze => "Installs may start between its dates again, as windows and hours allow.",
        ScheduleKind::Exception => "Approvals count again where it kept something back.",
    }
}

fn page(it: &Removal) -> AnyView {
    let (noun, line) = (words::noun(it.kind), &it.line);
    let back = format!("/schedule/{}/{}", it.kind.folder(), line.id);
    let fields = view! {
        {hidden("what", it.kind.folder().to_owned())}
        {hidden("id", line.id.to_string())}
        {hidden("version", line.version.to_string())}
        <p class="row">
            <button class="button" data-tone="danger">{format!("Delete this {noun}")}</button>
            <a class="button" href=back.clone()>"Keep it"</a>
        </p>
    };
    view! {
        <header class="page-head">
            <div>
                <p class="crumb"><a href="/schedule">"Schedule"</a> " › " <a href=back>{line.name.clone()}</a></p>
                <h1>{format!("Delete the {noun} “{}”?", line.name)}</h1>
            </div>
        </header>
        <div class="split planning">
            <section class="card">
                <p>{line.summary.clone()}</p>
                <p>{explain(it.kind)}</p>
                {post::<DeleteSchedule>("stack", fields.into_any())}
            </section>
            <section class="card look" aria-labelledby="moved-title">
                <h2 id="moved-title">"Approved installs that would move"</h2>
                {changes(&it.change)}
            </section>
        </div>
    }
    .into_any()
}
