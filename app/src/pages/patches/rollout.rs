//! What can be done about a patch's rollout: decide for a ring, hold, resume, roll a ring back.

use super::decide::{VERBS, Verb};
use crate::api::patches::{Hold, Resume, RollBackRing};
use crate::components::confirm::{Act, act, body};
use crate::components::icon::icon;
use crate::components::when::when;
use crate::words::plural;
use domain::{Permission, Urgency};
use leptos::prelude::*;
use view::{Approval, HoldView, Me, PatchPage, RingLane};

/// Hold.
pub fn top_acts(me: &Me, page: &PatchPage) -> AnyView {
    if !me.role.may(Permission::Hold) || page.holds.iter().any(|h| h.resolved.is_none()) {
        return ().into_any();
    }
    act::<Hold>(Act {
        label: "Hold the rollout",
        icon: "pause",
        tone: "plain",
        explain: "From this moment no device of any ring starts to install this patch, until somebody resolves the hold with a note. \
                  Installs that have begun are not broken off."
            .to_owned(),
        reason: Some(("Reason", true)),
        fields: vec![("patch", page.row.id.to_string())],
    })
}

/// Holds: open ones with the way out, resolved ones as history.
pub fn holds(me: &Me, page: &PatchPage) -> AnyView {
    // Each hold has a place of its own for good, the oldest first, and a resolved one leaves its place empty: what is typed into the form of
    // one hold must not come to stand in the form of another when the page follows the server.
    let open = by_age(&page.holds)
        .into_iter()
        .map(|h| h.resolved.is_none().then(|| hold(me, page, h)))
        .collect::<Vec<_>>();
    let past = page
        .holds
        .iter()
        .filter_map(|h| h.resolved.as_ref().map(|(at, by, note)| (h, at, by, note)))
        .map(|(h, at, by, note)| {
            view! {
                <li>
                    <b>{h.cause.clone()}</b> " " {when(h.opened_at)} " by " {h.opened_by.clone()} ": " {h.detail.clone()}
                    <p>"resolved " {when(*at)} " by " <b>{by.clone()}</b> " " <q>{note.clone()}</q></p>
                </li>
            }
        })
        .collect::<Vec<_>>();
    let past = (!past.is_empty()).then(|| {
        let title = plural(
            u32::try_from(past.len()).unwrap_or(u32::MAX),
            "resolved hold",
            "resolved holds",
        );
        view! { <details class="past"><summary>{title}</summary><ul>{past}</ul></details> }
    });
    view! { {open} {past} }.into_any()
}

/// Every hold of a patch, resolved ones too, the oldest first.
fn by_age(holds: &[HoldView]) -> Vec<&HoldView> {
    let mut holds = holds.iter().collect::<Vec<_>>();
    holds.sort_unstable_by_key(|hold| hold.id);
    holds
}

fn hold(me: &Me, page: &PatchPage, hold: &HoldView) -> AnyView {
    let device = hold
        .device
        .clone()
        .map(|(id, name)| view! { " on " <a href=format!("/devices/{id}")>{name}</a> });
    let out = if me.role.may(Permission::Resume) {
        body::<Resume>(Act {
            label: "Resolve this hold",
            icon: "check",
            tone: "main",
            explain: "The rollout goes on when no other hold is open: devices get permits again as their gates allow."
                .to_owned(),
            reason: Some(("Note: what was found, why it may go on", true)),
            fields: vec![
                ("patch", page.row.id.to_string()),
                ("hold", hold.id.to_string()),
                ("revision", page.row.revision.to_string()),
            ],
        })
    } else {
        view! { <p class="sub">"A security officer or administrator resolves it with a note."</p> }.into_any()
    };
    view! {
        <section class="hold" role="group" aria-label="Open hold">
            <div>
                <h2>{icon("pause")} " Held: " {hold.cause.clone()} {device}</h2>
                <p>{hold.detail.clone()}</p>
                <p class="sub">"since " {when(hold.opened_at)} " by " <b>{hold.opened_by.clone()}</b></p>
            </div>
            {out}
        </section>
    }
    .into_any()
}

/// The buttons of one ring: those decisions that make sense from where it stands.
pub fn lane_acts(me: &Me, page: &PatchPage, lane: &RingLane) -> AnyView {
    let approval = lane.decision.as_ref().map_or(Approval::None, |d| d.approval);
    let fits = |verb: &&Verb| match approval {
        Approval::None => verb.word != "withdraw",
        // What is urgent already can still be let outside windows.
        Approval::Approved {
            urgent: Urgency::Normal | Urgency::SkipSoak,
        } => matches!(verb.word, "urgent" | "deny" | "withdraw"),
        Approval::Approved {
            urgent: Urgency::SkipSoakAndWindows,
        } => matches!(verb.word, "deny" | "withdraw"),
        Approval::Denied => verb.word == "withdraw",
    };
    let decide = me.role.may(Permission::Decide).then(|| {
        let links = VERBS.iter().filter(fits).map(|verb| {
            let to = format!("/patches/decide?verb={}&sel={}.{}&for={}", verb.word, page.row.id, page.row.revision, lane.ring);
            let label = format!("{} for {}", verb.label, lane.name);
            view! { <a class="button" data-tone=verb.tone href=to aria-label=label>{icon(verb.icon)} <span>{verb.label}</span></a> }
        });
        links.collect::<Vec<_>>()
    });
    let has = lane.counts.installed + lane.counts.pending;
    let back = (me.role.may(Permission::RollBack) && has > 0).then(|| {
        act::<RollBackRing>(Act {
            label: "Roll back",
            icon: "undo",
            tone: "danger",
            explain: format!(
                "On those of {} in {} that have the patch from Patchward, the earlier version on record is installed again at their next \
                 contact. The rollout is held, and the patch stays blocked on each of them until a person lifts that.",
                plural(has, "device", "devices"),
                lane.name
            ),
            reason: Some(("Reason", true)),
            fields: vec![("ring", lane.ring.to_string()), ("patch", page.row.id.to_string())],
        })
    });
    view! { {decide} {back} }.into_any()
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use domain::{HoldId, Moment};

    #[test]
    fn a_hold_keeps_its_place_when_others_come_and_are_resolved() {
        let hold = |id, resolved: bool| HoldView {
            id: HoldId(id),
            cause: "By a person".to_owned(),
            device: None,
            detail: String::new(),
            opened_at: Moment(0),
            opened_by: "anna".to_owned(),
            resolved: resolved.then(|| (Moment(1), "anna".to_owned(), "fine".to_owned())),
        };
        let place = |holds: &[HoldView]| by_age(holds).iter().position(|h| h.id == HoldId(5));
        // As the page gets them: open ones first, then the newest.
        assert_eq!(place(&[hold(5, false), hold(3, false)]), Some(1));
        assert_eq!(place(&[hold(9, false), hold(5, false), hold(3, false)]), Some(1));
        assert_eq!(place(&[hold(9, false), hold(5, false), hold(3, true)]), Some(1));
    }
}
