//! The way back from a patch: who takes it back, how and when, or why nobody planned that (RBK-1).

use crate::api::patches::SavePlan;
use crate::components::confirm::{Act, act, panel};
use crate::components::field::hidden;
use crate::components::form::post;
use crate::components::select::select;
use crate::components::when::when;
use crate::words::{number, plural};
use domain::AccountId;
use leptos::prelude::*;
use view::{Me, PatchPage, PlanContent, PlanView, WayBack};

/// Where links to it lead.
pub const ANCHOR: &str = "rollback-plan";

/// The section of the page.
pub fn way_back(me: &Me, page: &PatchPage) -> AnyView {
    let back = &page.way_back;
    let may = me.role.may(domain::Permission::Decide);
    view! {
        <section class="card" id=ANCHOR aria-labelledby="way-back">
            <h2 id="way-back">"Way back"</h2>
            {standing(back)}
            <p class="sub">{on_record(back)}</p>
            {may.then(|| acts(page))}
        </section>
    }
    .into_any()
}

fn standing(back: &WayBack) -> AnyView {
    match &back.plan {
        Some(plan) => {
            let written = view! { {when(plan.at)} " by " <b>{plan.by.clone()}</b> };
            match &plan.content {
                PlanContent::Plan {
                    owner_name,
                    how,
                    use_when,
                    ..
                } => view! {
                    <dl class="facts">
                        <dt>"Who"</dt><dd>{owner_name.clone()}</dd>
                        <dt>"How"</dt><dd>{how.clone()}</dd>
                        <dt>"When"</dt><dd>{use_when.clone()}</dd>
                        <dt>"Written"</dt><dd>{written}</dd>
                    </dl>
                }
                .into_any(),
                PlanContent::Waived { reason } => view! {
                    <p><b>"Goes without a rollback plan:"</b> " " <q>{reason.clone()}</q></p>
                    <p class="sub">"decided " {written}</p>
                }
                .into_any(),
            }
        }
        None if back.asked_by.is_empty() => {
            view! { <p>"No rollback plan is written, and no ring asks for one."</p> }.into_any()
        }
        None => {
            let rings = back
                .asked_by
                .iter()
                .map(|ring| ring.name.clone())
                .collect::<Vec<_>>()
                .join(", ");
            let text =
                format!("No rollback plan. Without one, or a reason to go without, it cannot be approved for {rings}.");
            view! { <p>{text}</p> }.into_any()
        }
    }
}

/// What a rollback would find.
fn on_record(back: &WayBack) -> String {
    if back.installed == 0 {
        return "No device has it yet. Each keeps the packages of the version that it had, and goes back from that copy or from the vendor’s archive."
            .to_owned();
    }
    let mut text = format!(
        "The versions that were there before are on record for {} of {} that {} it.",
        number(back.known),
        plural(back.installed, "device", "devices"),
        if back.installed == 1 { "has" } else { "have" }
    );
    if back.known < back.installed {
        text.push_str(" The others did not get it from here, or had nothing older.");
    }
    text
}

fn acts(page: &PatchPage) -> AnyView {
    let (id, plan) = (page.row.id, page.way_back.plan.as_ref());
    let version = plan.map_or(0, |plan| plan.version).to_string();
    let waived = plan.is_some_and(|plan| matches!(plan.content, PlanContent::Waived { .. }));
    let label = if plan.is_none() || waived {
        "Write the plan"
    } else {
        "Change the plan"
    };
    let waive = (!waived).then(|| {
        act::<SavePlan>(Act {
            label: "Go without a plan",
            icon: "cross",
            tone: "plain",
            explain: "The patch may be approved for rings that ask for a plan, although nobody planned the way back. Every device’s \
                      ladder says so, and by whom."
                .to_owned(),
            reason: Some(("Reason", true)),
            fields: vec![
                ("patch", id.to_string()),
                ("version", version.clone()),
                ("what", "waive".to_owned()),
            ],
        })
    });
    let fields = fields(id.to_string(), version.clone(), label, plan, &page.way_back.people);
    view! { <div class="acts">{panel(label, "undo", "plain", post::<SavePlan>("act-form", fields))} {waive}</div> }
        .into_any()
}

fn fields(
    patch: String,
    version: String,
    label: &'static str,
    plan: Option<&PlanView>,
    people: &[(AccountId, String)],
) -> AnyView {
    let (owner, how, use_when) = match plan.map(|plan| &plan.content) {
        Some(PlanContent::Plan {
            owner, how, use_when, ..
        }) => (owner.to_string(), how.clone(), use_when.clone()),
        Some(PlanContent::Waived { .. }) | None => Default::default(),
    };
    let mut options = vec![(String::new(), "Who saves it".to_owned())];
    options.extend(people.iter().map(|(id, name)| (id.to_string(), name.clone())));
    view! {
        {hidden("patch", patch)}
        {hidden("version", version)}
        {hidden("what", "plan".to_owned())}
        {select("owner", "Who carries it out", options, &owner)}
        {line("how", "How it is taken back", "E.g. roll the ring back from this page; restore the virtual machine", how)}
        {line("use_when", "When it is used", "E.g. more than two devices fail, or the shop’s till does not start", use_when)}
        <button class="button">{label}</button>
    }
    .into_any()
}

fn line(name: &'static str, label: &'static str, hint: &'static str, value: String) -> AnyView {
    view! {
        <label class="field">
            <span>{label}</span>
            <input type="text" name=name value=value maxlength="1000" required/>
            <small>{hint}</small>
        </label>
    }
    .into_any()
}
