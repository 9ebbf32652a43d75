//! The step before a decision: what it is about, what will happen, what is left out. An address, so that it works without JavaScript.

use crate::address::{patch_fields, patch_filter, patch_query};
use crate::api::patches::{Decide, Preview, PreviewRow, preview_decision};
use crate::components::bar;
use crate::components::field::{hidden, tick};
use crate::components::form::post;
use crate::components::marks;
use crate::components::section::{ask_once, empty, failed, section};
use crate::components::text_area::filled;
use crate::words::plural;
use domain::{PatchId, Permission, RingId};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use leptos_router::params::ParamsMap;
use view::{Approval, PatchFilter, RingName, UiError};

/// One of the things that can be decided.
pub struct Verb {
    /// In addresses and forms.
    pub word: &'static str,
    /// On buttons.
    pub label: &'static str,
    /// Icon.
    pub icon: &'static str,
    /// Button's tone.
    pub tone: &'static str,
    /// What will happen.
    explain: &'static str,
}

/// Everything that can be decided.
pub const VERBS: [Verb; 4] = [
    Verb {
        word: "approve",
        label: "Approve",
        icon: "check",
        tone: "main",
        explain: "Devices of the ring that miss a patch install it in their next window, exactly this version. A later ring waits until \
                  the earlier ones have proved it: time of soak and successful installs.",
    },
    Verb {
        word: "urgent",
        label: "Approve, urgent",
        icon: "bolt",
        tone: "plain",
        explain: "As an approval, but without the soak in earlier rings; outside maintenance windows only where that is ticked, too. Every \
                  device's ladder shows what was skipped and by whom. Freezes are obeyed in any case.",
    },
    Verb {
        word: "deny",
        label: "Deny",
        icon: "cross",
        tone: "danger",
        explain: "No device of the ring installs it, and a later bulk approval does not change that: the denial must be withdrawn first. \
                  An install that has begun is not broken off.",
    },
    Verb {
        word: "withdraw",
        label: "Withdraw",
        icon: "undo",
        tone: "plain",
        explain: "The decision in force is taken back. From this moment no device gets a permit on its strength; devices that have \
                  installed the patch keep it. To take it off them, roll back.",
    },
];

/// What the address asks for.
#[derive(Clone, PartialEq)]
struct Wanted {
    verb: usize,
    ids: Vec<PatchId>,
    matching: Option<PatchFilter>,
    ring: Option<RingId>,
    filter: PatchFilter,
    /// What comes back of a form that was refused without JavaScript.
    typed: Typed,
}

/// What was ticked and written, as it stands in the address.
#[derive(Clone, PartialEq)]
struct Typed {
    urgent: bool,
    outside_windows: bool,
    with_superseded: bool,
    without_plan: bool,
    reason: String,
    reason_gone: bool,
}

fn typed(query: &ParamsMap, verb: &str) -> Typed {
    let ticked = |name| query.get_str(name) == Some("1");
    Typed {
        urgent: query.get_str("urgent").map_or(verb == "urgent", |tick| tick == "1"),
        outside_windows: ticked("outside_windows"),
        with_superseded: ticked("with_superseded"),
        without_plan: ticked("without_plan"),
        reason: query.get("reason").unwrap_or_default(),
        reason_gone: ticked("reason_gone"),
    }
}

fn wanted(query: &ParamsMap) -> Wanted {
    let word = query.get_str("verb").unwrap_or("approve");
    let ids = query.get_all("sel").unwrap_or_default();
    let filter = patch_filter(query);
    Wanted {
        verb: VERBS.iter().position(|v| v.word == word).unwrap_or(0),
        ids: ids.iter().filter_map(|s| s.split('.').next()?.parse().ok()).collect(),
        matching: query.get_str("all").map(|_| PatchFilter {
            page: 1,
            ..filter.clone()
        }),
        ring: query.get_str("for").and_then(|r| r.parse().ok()),
        filter,
        typed: typed(query, word),
    }
}

/// The page.
#[component]
pub fn DecidePage() -> impl IntoView {
    let query = use_query_map();
    let wanted = Memo::new(move |_| query.with(wanted));
    // Not live: what is decided here must not move while it is read. The revisions make sure that nothing changed meanwhile.
    let data = ask_once(
        move || {
            let wanted = wanted.get();
            (wanted.ids, wanted.matching)
        },
        |(ids, matching)| preview_decision(ids, matching),
    );
    view! {
        {move || { let label = VERBS[wanted.get().verb].label; view! { <Title text=label/> } }}
        {section(data, move |me, preview| {
            if me.role.may(Permission::Decide) {
                step(&wanted.get_untracked(), preview)
            } else {
                failed(&UiError::NotAllowed { permission: Permission::Decide })
            }
        })}
    }
}

fn step(wanted: &Wanted, preview: Preview) -> AnyView {
    let (verb, typed) = (&VERBS[wanted.verb], &wanted.typed);
    let back = match (wanted.matching.is_some(), wanted.ids.as_slice()) {
        (false, [one]) => format!("/patches/{one}"),
        _ => patch_query(&wanted.filter).on("/patches"),
    };
    if preview.rows.is_empty() {
        let text = view! { <p>"Go back and tick at least one."</p> <p><a class="button" href=back>"Back"</a></p> };
        return view! { <h1>{verb.label}</h1> {empty("No patch was ticked", text.into_any())} }.into_any();
    }
    let title = format!("{}: {}", verb.label, plural(preview.total, "patch", "patches"));
    let superseded = preview.rows.iter().filter(|r| r.row.superseded_by.is_some()).count();
    let selection = match wanted.matching {
        Some(_) => String::new(),
        None => preview
            .rows
            .iter()
            .map(|r| format!("{}.{}", r.row.id, r.row.revision))
            .collect::<Vec<_>>()
            .join(","),
    };
    let matching = wanted.matching.as_ref().map(|f| {
        view! {
            {hidden("matching", patch_query(f).text().to_owned())}
            {hidden("count", preview.total.to_string())}
            {hidden("fingerprint", preview.fingerprint.clone())}
        }
    });
    let approves = matches!(verb.word, "approve" | "urgent");
    let with_superseded = (approves && superseded > 0).then(|| {
        tick(
            "with_superseded",
            "Superseded ones too",
            "They are left out otherwise: a newer patch replaces them.",
            typed.with_superseded,
        )
    });
    let fields = view! {
        {hidden("verb", if approves { "approve" } else { verb.word }.to_owned())}
        {hidden("selection", selection)}
        {hidden("back", back.clone())}
        {matching}
        {rings(wanted, &preview)}
        {approves.then(|| urgency(typed.urgent, typed.outside_windows))}
        {with_superseded}
        {approves.then(|| without_plan(&preview, typed.without_plan))}
        {filled("reason", "Reason", &typed.reason)}
        {typed.reason_gone.then(|| view! { <p class="wrong">"The reason was too long to be brought back: write it once more."</p> })}
        <p class="row">
            <button class="button" data-tone=if verb.tone == "danger" { "danger" } else { "main" }>{title.clone()}</button>
            <a class="button" href=back>"Cancel"</a>
        </p>
    };
    let shown = u32::try_from(preview.rows.len()).unwrap_or(u32::MAX);
    let more = (preview.total > shown)
        .then(|| view! { <p class="sub">{format!("and {} more that match", preview.total - shown)}</p> });
    let filter = (wanted.matching.is_some()).then(|| {
        let words = patch_fields(&wanted.filter).into_iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>();
        view! { <p class="sub">"All that match: " {if words.is_empty() { "no filter".to_owned() } else { words.join(", ") }}</p> }
    });
    let asked = approves && !preview.plan_asked_by.is_empty();
    let rows = preview.rows.iter().map(|r| row(r, approves, asked)).collect::<Vec<_>>();
    view! {
        <header class="page-head"><div><h1>{title}</h1> {filter}</div></header>
        <div class="split">
            <section class="card">
                <h2>"What will happen"</h2>
                <p>{verb.explain}</p>
                {post::<Decide>("stack", fields.into_any())}
            </section>
            <section aria-labelledby="about">
                <h2 id="about">"About"</h2>
                <ul class="about">{rows}</ul>
                {more}
            </section>
        </div>
    }
    .into_any()
}

/// For rings that ask for a rollback plan, where a patch has none: the way to go without.
fn without_plan(preview: &Preview, ticked: bool) -> Option<AnyView> {
    let without = preview.rows.iter().filter(|r| r.planned == Some(false)).count();
    let unknown = preview.rows.iter().any(|r| r.planned.is_none());
    if preview.plan_asked_by.is_empty() || (without == 0 && !unknown) {
        return None;
    }
    let rings = preview
        .plan_asked_by
        .iter()
        .map(|ring| ring.name.clone())
        .collect::<Vec<_>>()
        .join(", ");
    let note = if unknown {
        format!("{rings}: asks for one. Patches that have none get this reason in its place.")
    } else {
        let n = u32::try_from(without).unwrap_or(u32::MAX);
        format!(
            "{rings}: asks for one, and {} none. The reason stands in its place.",
            plural(n, "patch has", "patches have")
        )
    };
    Some(
        view! {
            <label class="tick">
                <input type="checkbox" name="without_plan" value="1" checked=ticked/>
                <span>"Go without a rollback plan" <small>{note}</small></span>
            </label>
        }
        .into_any(),
    )
}

/// What an approval may set aside. With JavaScript the second box can be ticked only when the first one is; without it the server says so.
fn urgency(urgent: bool, outside_windows: bool) -> AnyView {
    let first = NodeRef::<leptos::html::Input>::new();
    // Not known before the page is alive: somebody may have ticked it meanwhile.
    let ticked = RwSignal::new(None);
    Effect::new(move |_| {
        if let Some(input) = first.get() {
            ticked.set(Some(input.checked()));
        }
    });
    view! {
        <fieldset class="choices">
            <legend>"What it sets aside"</legend>
            <label class="tick">
                <input type="checkbox" name="urgent" value="1" checked=urgent node_ref=first
                    on:change=move |ev| ticked.set(Some(event_target_checked(&ev)))/>
                <span>"Urgent: skip the soak" <small>"Earlier rings need not have proved it."</small></span>
            </label>
            <label class="tick">
                <input type="checkbox" name="outside_windows" value="1" checked=outside_windows prop:disabled=move || ticked.get() == Some(false)/>
                <span>
                    "Also install outside maintenance windows"
                    <small>"Only if it is urgent. The profile's hours do not count either; freezes are still obeyed."</small>
                </span>
            </label>
        </fieldset>
    }
    .into_any()
}

/// The rings to choose from, each with what it means there. Where there are several, nobody chooses by leaving it as it is.
fn rings(wanted: &Wanted, preview: &Preview) -> AnyView {
    let only = match preview.rings.as_slice() {
        [only] => Some(only.id),
        _ => None,
    };
    let choices = preview
        .rings
        .iter()
        .map(|ring| choice(ring, wanted.ring.or(only) == Some(ring.id), preview));
    view! { <fieldset class="choices"><legend>"For which ring"</legend>{choices.collect::<Vec<_>>()}</fieldset> }
        .into_any()
}

fn choice(ring: &RingName, chosen: bool, preview: &Preview) -> AnyView {
    let of_ring = |row: &PreviewRow| {
        row.lanes
            .iter()
            .find(|(id, _)| *id == ring.id)
            .map(|(_, counts)| *counts)
            .unwrap_or_default()
    };
    let missing: u32 = preview.rows.iter().map(|r| of_ring(r).missing).sum();
    let has: u32 = preview
        .rows
        .iter()
        .map(|r| of_ring(r).installed + of_ring(r).pending)
        .sum();
    let stands = |what: fn(Approval) -> bool| {
        preview
            .rows
            .iter()
            .filter(|r| r.row.approvals.iter().any(|a| a.ring == ring.id && what(a.approval)))
            .count()
    };
    let approved = stands(|a| matches!(a, Approval::Approved { .. }));
    let denied = stands(|a| a == Approval::Denied);
    let mut said = Vec::new();
    if preview.rows.iter().any(|r| !r.lanes.is_empty()) {
        said.push(format!(
            "missing on {}, installed on {}",
            plural(missing, "device", "devices"),
            crate::words::number(has)
        ));
    }
    if approved > 0 {
        said.push(format!("{approved} approved already"));
    }
    if denied > 0 {
        said.push(format!("{denied} denied"));
    }
    view! {
        <label class="tick">
            <input type="radio" name="ring" value=ring.id.to_string() checked=chosen required/>
            <span><b>{ring.name.clone()}</b> <small>{said.join("; ")}</small></span>
        </label>
    }
    .into_any()
}

fn row(row: &PreviewRow, approves: bool, plan_asked: bool) -> AnyView {
    let left_out = approves && row.row.superseded_by.is_some();
    let patch = &row.row;
    let plan = (plan_asked && row.planned == Some(false)).then(|| {
        let to = format!("/patches/{}#{}", patch.id, super::rollback_plan::ANCHOR);
        view! { <p class="sub">"No rollback plan yet. " <a href=to>"Write it"</a></p> }
    });
    view! {
        <li data-left-out=left_out.then_some("true")>
            <p>
                <a href=format!("/patches/{}", patch.id)>{patch.product.clone()}</a> " " <code>{patch.version.clone()}</code> " "
                {marks::severity(patch.severity)} " " {super::table::flags(patch)}
            </p>
            {bar::counts(&patch.counts, patch.id, None)}
            {marks::approvals(&patch.approvals)}
            {plan}
        </li>
    }
    .into_any()
}
