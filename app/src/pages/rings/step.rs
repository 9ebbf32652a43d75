//! The page that asks before a ring is moved, or a ring, a group or a location is removed: what would change, and the button that does it.

use super::words;
use crate::api::rings::{MoveRing, RemoveRing, RingsKind, before_step};
use crate::components::field::hidden;
use crate::components::form::post;
use crate::components::icon::icon;
use crate::components::section::{ask_once, failed, named, section};
use crate::pages::forms::look::changes;
use crate::words::{plural, refusal};
use domain::{GroupId, LocationId, Permission, RingId};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use view::{RingsPreview, RingsStep, RingsStepPreview, UiError};

fn which(kind: &str, id: &str, step: &str) -> Option<RingsStep> {
    let id = id.parse().ok()?;
    match (RingsKind::from_word(kind)?, step) {
        (RingsKind::Ring, "earlier" | "later") => Some(RingsStep::Move {
            ring: RingId(id),
            earlier: step == "earlier",
        }),
        (RingsKind::Ring, "remove") => Some(RingsStep::RemoveRing(RingId(id))),
        (RingsKind::Group, "remove") => Some(RingsStep::RemoveGroup(GroupId(id))),
        (RingsKind::Location, "remove") => Some(RingsStep::RemoveLocation(LocationId(id))),
        _ => None,
    }
}

/// The page.
#[component]
pub fn StepPage() -> impl IntoView {
    let params = use_params_map();
    let step = Memo::new(move |_| params.with(|p| which(p.get_str("kind")?, p.get_str("id")?, p.get_str("step")?)));
    // Once: after it is done there is nothing to ask about.
    let data = ask_once(
        move || step.get(),
        |step| async move { before_step(named(step)?).await },
    );
    view! {
        <Title text="Rings"/>
        {section(data, |me, it| {
            if me.role.may(Permission::ManageDevices) {
                page(&it)
            } else {
                failed(&UiError::NotAllowed { permission: Permission::ManageDevices })
            }
        })}
    }
}

const fn explain(step: RingsStep) -> &'static str {
    match step {
        RingsStep::Move { .. } => {
            "A patch goes through the rings in their order. What a ring has shown so far counts for every ring that stands behind it."
        }
        RingsStep::RemoveRing(_) => {
            "Later rings no longer wait for what it would have shown. Its history stays. It comes back only as a new ring."
        }
        RingsStep::RemoveGroup(_) => "No device, group, token or schedule uses it, so nothing is decided by it.",
        RingsStep::RemoveLocation(_) => {
            "Its limit of installs at once and its download rate end. Its devices keep their own time zones."
        }
    }
}

fn page(it: &RingsStepPreview) -> AnyView {
    let (title, button) = match it.step {
        RingsStep::Move { earlier, .. } => {
            let to = if earlier { "earlier" } else { "later" };
            (format!("Move the ring “{}” {to}?", it.name), format!("Move it {to}"))
        }
        RingsStep::RemoveRing(_) => (format!("Remove the ring “{}”?", it.name), "Remove this ring".to_owned()),
        RingsStep::RemoveGroup(_) => (
            format!("Remove the group “{}”?", it.name),
            "Remove this group".to_owned(),
        ),
        RingsStep::RemoveLocation(_) => (
            format!("Remove the location “{}”?", it.name),
            "Remove this location".to_owned(),
        ),
    };
    let order = (!it.order.is_empty()).then(|| {
        let rings = it.order.iter().map(|name| view! { <li>{name.clone()}</li> });
        view! { <h2>"The order would be"</h2> <ol class="ring-order">{rings.collect::<Vec<_>>()}</ol> }
    });
    let emptied = (it.devices > 0).then(|| {
        view! { <p>{plural(it.devices, "device is", "devices are")} " there now and would be in no location."</p> }
    });
    let act = match &it.preview {
        Ok(_) => form(it, button),
        Err(error) => view! {
            <p class="wrong" role="note">{refusal(error)}</p>
            <p><a class="button" href="/rings">"Back"</a></p>
        }
        .into_any(),
    };
    view! {
        <header class="page-head">
            <div>
                <p class="crumb"><a href="/rings">"Rings"</a></p>
                <h1>{title}</h1>
            </div>
        </header>
        <div class="split planning">
            <section class="card">
                <p>{explain(it.step)}</p>
                {emptied}
                {order}
                {act}
            </section>
            {it.preview.as_ref().ok().map(brings)}
        </div>
    }
    .into_any()
}

fn form(it: &RingsStepPreview, button: String) -> AnyView {
    let version = hidden("version", it.version.to_string());
    let (tone, about) = match it.step {
        RingsStep::Move { ring, earlier } => {
            let word = if earlier { "1" } else { "" };
            (
                "main",
                view! { {hidden("ring", ring.to_string())} {hidden("earlier", word.to_owned())} }.into_any(),
            )
        }
        RingsStep::RemoveRing(id) => ("danger", gone(RingsKind::Ring, id.to_string())),
        RingsStep::RemoveGroup(id) => ("danger", gone(RingsKind::Group, id.to_string())),
        RingsStep::RemoveLocation(id) => ("danger", gone(RingsKind::Location, id.to_string())),
    };
    let fields = view! {
        {about}
        {version}
        <p class="row">
            <button class="button" data-tone=tone>{button}</button>
            <a class="button" href="/rings">"Leave it"</a>
        </p>
    };
    match it.step {
        RingsStep::Move { .. } => post::<MoveRing>("stack", fields.into_any()),
        RingsStep::RemoveRing(_) | RingsStep::RemoveGroup(_) | RingsStep::RemoveLocation(_) => {
            post::<RemoveRing>("stack", fields.into_any())
        }
    }
}

fn gone(kind: RingsKind, id: String) -> AnyView {
    view! { {hidden("what", kind.word().to_owned())} {hidden("id", id)} }.into_any()
}

fn brings(preview: &RingsPreview) -> AnyView {
    let warnings = preview
        .warnings
        .iter()
        .map(|one| view! { <li class="caution">{icon("alert")} <span>{words::warning(one)}</span></li> })
        .collect::<Vec<_>>();
    let warnings = (!warnings.is_empty()).then(|| view! { <ul class="cautions">{warnings}</ul> });
    view! {
        <section class="card look" aria-labelledby="moved-title">
            <h2 id="moved-title">"Approved installs that would move"</h2>
            {warnings}
            {changes(&preview.change)}
        </section>
    }
    .into_any()
}
