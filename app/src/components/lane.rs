//! A patch on its way through the rings: one lane a ring, with the proof that it has collected there.

use super::bar;
use super::icon::icon;
use super::marks::approval_look;
use super::when::{told, when};
use crate::words;
use domain::PatchId;
use leptos::prelude::*;
use view::{Approval, RingLane, SoakView};

/// The lanes; `acts` makes each lane's buttons.
pub fn lanes(lanes: &[RingLane], patch: PatchId, acts: &dyn Fn(&RingLane) -> AnyView) -> AnyView {
    let lanes = lanes.iter().map(|lane| {
        let approval = lane.decision.as_ref().map_or(Approval::None, |d| d.approval);
        let (tone, icon_name) = approval_look(approval);
        let decision = lane.decision.as_ref().map(|d| {
            let reason = (!d.reason.is_empty()).then(|| view! { <q>{d.reason.clone()}</q> });
            view! { <p class="sub">"by " <b>{d.by.clone()}</b> ", " {when(d.at)} " " {reason}</p> }
        });
        let opens = lane
            .opens_at
            .map(|at| view! { <p class="opens">{icon("clock")} " opens by itself " {when(at)}</p> });
        view! {
            <li class="lane" data-tone=tone>
                <h3>
                    <span class="lane-mark">{icon(icon_name)}</span>
                    {lane.name.clone()}
                    <span class="lane-word">{words::approval(approval)}</span>
                </h3>
                {decision}
                <p class="headline">{told(&lane.headline)}</p>
                {opens}
                {lane.soak.as_ref().map(soak)}
                {bar::counts(&lane.counts, patch, Some(lane.ring))}
                <div class="acts">{acts(lane)}</div>
            </li>
        }
    });
    view! { <ol class="lanes">{lanes.collect::<Vec<_>>()}</ol> }.into_any()
}

/// Soak: time and successes, and what they do not prove.
fn soak(soak: &SoakView) -> AnyView {
    let time = if soak.needed > 0 {
        let said = format!("{} of soak", words::share(soak.elapsed, soak.needed));
        view! { <label class="soak"><span>{said}</span><progress max=soak.needed.to_string() value=soak.elapsed.to_string()></progress></label> }
            .into_any()
    } else {
        view! { <p class="sub">"No soak is asked for here."</p> }.into_any()
    };
    let proof = format!(
        "{} of {} successful installs",
        words::number(soak.successes),
        words::number(soak.min_successes)
    );
    let rebooted = soak.rebooted.map(|n| {
        let have = if n == 1 { "has" } else { "have" };
        format!(
            "; {} of {} {have} rebooted since",
            words::number(n),
            words::number(soak.successes)
        )
    });
    let unseen = soak.unseen_per_mille.map(|n| {
        format!(
            "; with these a failure rate up to {} would go unseen",
            words::per_mille(n)
        )
    });
    let waits = (soak.started.is_none() && soak.needed > 0).then_some("; soak starts with the first one");
    view! { {time} <p class="sub">{proof} {rebooted} {unseen} {waits}</p> }.into_any()
}
