//! The ladder of rings, the tree of groups, places, the fleet, and products that must not fail.

use super::words;
use crate::address::device_query;
use crate::api::rings::{SetCritical, rings};
use crate::components::field::{hidden, text};
use crate::components::form::post;
use crate::components::icon::icon;
use crate::components::section::{ask, section};
use crate::words::{length, number, plural};
use domain::{Permission, RebootPolicy};
use leptos::prelude::*;
use leptos_meta::Title;
use view::{
    DeviceFilter, DeviceShow, GroupView, LocationView, Me, MissedChoice, RingForm, RingView, RingsPage, RingsWarning,
    WaveBar,
};

/// The page.
#[component]
pub fn ListPage() -> impl IntoView {
    let data = ask(|| (), |()| rings());
    view! {
        <Title text="Rings"/>
        {section(data, |me, page| all(&me, &page))}
    }
}

fn all(me: &Me, page: &RingsPage) -> AnyView {
    let may = me.role.may(Permission::ManageDevices);
    let last = page.rings.len();
    let rings = page
        .rings
        .iter()
        .enumerate()
        .map(|(at, one)| ring(one, at, last, may))
        .collect::<Vec<_>>();
    let groups = page.groups.iter().map(|one| group(one, may)).collect::<Vec<_>>();
    let places = page.locations.iter().map(|one| place(one, may)).collect::<Vec<_>>();
    view! {
        <header class="page-head">
            <div>
                <h1>"Rings"</h1>
                <p class="sub">"A patch goes from left to right. A ring opens when every ring before it has shown enough for long enough, and nothing is held."</p>
            </div>
            <div class="acts">{new(may, "ring", "New ring")}</div>
        </header>
        {warnings(&page.warnings)}
        {without_ring(page.without_ring)}
        <ol class="rings">{rings}</ol>
        <section aria-labelledby="groups">
            {head("groups", "Groups", "A device follows the ring, the windows and the rules of its group and of the groups around it.", new(may, "group", "New group"))}
            <ul class="tree">{groups}</ul>
        </section>
        <div class="halves">
            {fleet(page, may)}
            {critical(page, may)}
        </div>
        <section aria-labelledby="places">
            {head("places", "Locations", "Devices of one location share its line: how many install at once, and how fast they download.", new(may, "location", "New location"))}
            {if places.is_empty() {
                view! { <p class="none">"There are no locations: nothing is shared."</p> }.into_any()
            } else {
                view! { <ul class="plans">{places}</ul> }.into_any()
            }}
        </section>
    }
    .into_any()
}

fn head(id: &'static str, title: &'static str, explain: &'static str, new: AnyView) -> AnyView {
    view! { <div class="section-head"><div><h2 id=id>{title}</h2> <p class="sub">{explain}</p></div> {new}</div> }
        .into_any()
}

fn new(may: bool, kind: &'static str, label: &'static str) -> AnyView {
    may.then(|| view! { <a class="button" href=format!("/rings/{kind}/new")>{label}</a> })
        .into_any()
}

fn warnings(all: &[RingsWarning]) -> AnyView {
    if all.is_empty() {
        return ().into_any();
    }
    let rows = all
        .iter()
        .map(|one| view! { <li class="caution">{icon("alert")} <span>{words::warning(one)}</span></li> })
        .collect::<Vec<_>>();
    view! { <ul class="cautions" aria-label="What should be looked at">{rows}</ul> }.into_any()
}

fn without_ring(devices: u32) -> AnyView {
    if devices == 0 {
        return ().into_any();
    }
    let words = plural(devices, "device is", "devices are");
    view! { <p class="finding" role="note">{icon("alert")} <span><b><a href="/devices?show=no_ring">{words}" in no ring"</a>":"</b> " nothing is installed there."</span></p> }.into_any()
}

/// `7 days`, `1 day 12 h`, `none`.
fn soak(form: &RingForm) -> String {
    match (form.soak_days, form.soak_hours) {
        (0, 0) => "none".to_owned(),
        (0, hours) => format!("{hours} h"),
        (days, 0) => plural(days, "day", "days"),
        (days, hours) => format!("{} {hours} h", plural(days, "day", "days")),
    }
}

/// What is asked of a ring, a sentence each.
fn asked(form: &RingForm) -> Vec<String> {
    let mut all = vec![plural(form.min_successes, "device has it", "devices have it")];
    if form.min_share_percent > 0 {
        all.push(format!("{} % of the ring's devices have it", form.min_share_percent));
    }
    if form.own_release {
        all.push("one of them with the patch's own OS release".to_owned());
    }
    if form.critical_products {
        all.push("every business-critical product of the target was on one".to_owned());
    }
    if form.rebooted {
        all.push("as many have rebooted, where the patch needs it".to_owned());
    }
    all
}

fn ring(ring: &RingView, at: usize, count: usize, may: bool) -> AnyView {
    let form = &ring.form;
    let groups = if ring.groups.is_empty() {
        "no group".to_owned()
    } else {
        ring.groups.join(", ")
    };
    // The last ring opens nothing: what it has to show does not matter.
    let proof = (at + 1 < count).then(|| {
        let asked = asked(form)
            .into_iter()
            .map(|text| view! { <li>{text}</li> })
            .collect::<Vec<_>>();
        view! {
            <h3>"Before the next ring opens"</h3>
            <p class="soak-line">{icon("clock")} <span>"Soak: " <b>{soak(form)}</b></span></p>
            <ul class="asked">{asked}</ul>
        }
    });
    let share = match form.hold_percent {
        0 => String::new(),
        n => format!(" and at least {n} % of the finished ones"),
    };
    let holds = format!(
        "{}{share}, or {}",
        plural(form.hold_failures, "failed device", "failed devices"),
        plural(
            form.hold_vanished,
            "device that is not heard of again",
            "devices that are not heard of again"
        ),
    );
    let limit = form.max_in_flight.map_or_else(
        || "no limit of its own".to_owned(),
        |n| format!("at most {} of one patch", number(n)),
    );
    let id = format!("ring-{}", ring.id);
    let active = DeviceFilter {
        show: DeviceShow::Active,
        ring: Some(ring.id),
        ..DeviceFilter::default()
    };
    let active = device_query(&active).on("/devices");
    view! {
        <li class="ring-step" id=id.clone() aria-labelledby=format!("{id}-name")>
            <p class="ring-place">{format!("{} of {count}", at + 1)}</p>
            <h2 id=format!("{id}-name")>{form.name.clone()}</h2>
            <p><a href=active><b>{plural(ring.devices, "device", "devices")}</b></a> <span class="sub">" · "{groups}</span></p>
            <p><a href=format!("/schedule/calendar?of=ring:{}", ring.id)>"Its calendar"</a></p>
            {form.rollback_plan.then(|| view! { <p class="sub">"Asks for a rollback plan before a patch is approved."</p> })}
            {proof}
            <h3>"How it is filled"</h3>
            {waves(&ring.waves, ring.devices)}
            <p class="sub">{rest(form)} "Installs at once: " {limit} {running(ring.in_flight)}</p>
            <h3>"What stops a rollout"</h3>
            <p>{holds}</p>
            {may.then(|| acts(ring, at, count))}
        </li>
    }
    .into_any()
}

fn rest(form: &RingForm) -> String {
    match form.rest_minutes {
        0 => String::new(),
        n => format!("{} between waves. ", plural(n, "minute", "minutes")),
    }
}

fn running(n: u32) -> String {
    match n {
        0 => String::new(),
        n => format!("; {} now", number(n)),
    }
}

/// Growing bars, one a wave; the words say the same.
fn waves(bars: &[WaveBar], devices: u32) -> AnyView {
    let rows = bars.iter().map(|bar| {
        let share = if devices == 0 { 0 } else { u64::from(bar.devices) * 100 / u64::from(devices) };
        let width = share.max(3).to_string();
        let said = plural(bar.devices, "device", "devices");
        view! {
            <li>
                <svg class="wave" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect x="0" y="0" height="8" rx="1" width=width></rect></svg>
                <span><b>{bar.label.clone()}</b> {(bar.label != said).then(|| format!(" · {said}"))}</span>
            </li>
        }
    });
    view! { <ol class="waves">{rows.collect::<Vec<_>>()}</ol> }.into_any()
}

/// Each leads to a page that shows what would change, and asks.
fn acts(ring: &RingView, at: usize, count: usize) -> AnyView {
    let name = &ring.form.name;
    let to = |step: &str| format!("/rings/ring/{}/{step}", ring.id);
    let step = |earlier: bool| {
        let (word, label, arrow) = if earlier {
            ("earlier", "Earlier", "←")
        } else {
            ("later", "Later", "→")
        };
        view! { <a class="button" href=to(word) aria-label=format!("Move {name} {word}")>{arrow} " " {label}</a> }
    };
    let remove = (count > 1).then(|| remove("danger", to("remove"), name));
    view! {
        <div class="acts">
            <a class="button" href=format!("/rings/ring/{}", ring.id) aria-label=format!("Change {name}")>"Change"</a>
            {(at > 0).then(|| step(true))}
            {(at + 1 < count).then(|| step(false))}
            {remove}
        </div>
    }
    .into_any()
}

fn remove(tone: &'static str, to: String, name: &str) -> AnyView {
    view! { <a class="button" data-tone=tone href=to aria-label=format!("Remove {name}")>{icon("cross")} <span>"Remove"</span></a> }
        .into_any()
}

fn group(group: &GroupView, may: bool) -> AnyView {
    let own = group.form.ring.is_some();
    let ring = match (&group.ring, own) {
        (Some(ring), true) => format!("ring {ring}"),
        (Some(ring), false) => format!("ring {ring}, from above"),
        (None, _) => "no ring: nothing is installed".to_owned(),
    };
    let windows = match group.windows {
        0 => "installs at any hour its profile allows".to_owned(),
        n => plural(n, "window", "windows"),
    };
    let missed = (group.windows > 0).then(|| {
        let inherited = if group.form.missed == MissedChoice::Inherit {
            ", as above"
        } else {
            ""
        };
        match group.catches_up_after {
            0 => format!("a missed window: wait for the next{inherited}"),
            n => format!(
                "catches up after {}{inherited}",
                plural(n, "missed window", "missed windows")
            ),
        }
    });
    let blocks = group
        .form
        .blocks_inheritance
        .then_some("windows from above do not count");
    let restarts = match group.form.reboot {
        RebootPolicy::Never => "restarts are left to others",
        RebootPolicy::IfNeeded => "restarts by itself where an install needs it",
    };
    let marks = [
        Some(ring),
        Some(windows),
        missed,
        blocks.map(str::to_owned),
        Some(restarts.to_owned()),
    ];
    let marks = marks
        .into_iter()
        .flatten()
        .map(|mark| view! { <li class="badge">{mark}</li> })
        .collect::<Vec<_>>();
    let acts = may.then(|| {
        let remove = remove("plain", format!("/rings/group/{}/remove", group.id), &group.form.name);
        view! {
            <div class="acts">
                <a class="button" href=format!("/rings/group/{}", group.id) aria-label=format!("Change {}", group.form.name)>"Change"</a>
                {(group.devices == 0).then_some(remove)}
            </div>
        }
    });
    view! {
        <li class="branch" data-depth=group.depth.min(5).to_string()>
            <div>
                <h3>{group.form.name.clone()} " " <span class="sub">{plural(group.devices, "device", "devices")}</span></h3>
                <ul class="marks">{marks}</ul>
            </div>
            {acts}
        </li>
    }
    .into_any()
}

fn fleet(page: &RingsPage, may: bool) -> AnyView {
    let form = &page.fleet;
    let at_once = form.max_in_flight.map_or_else(
        || format!("no limit; {} now", number(page.in_flight)),
        |n| format!("{} of at most {} now", number(page.in_flight), number(n)),
    );
    let full = form.max_in_flight.map(|most| {
        view! { <progress max=most.to_string() value=page.in_flight.to_string() aria-label="Installs under way"></progress> }
    });
    view! {
        <section class="card" aria-labelledby="fleet">
            {head("fleet", "The whole fleet", "", may.then(|| view! { <a class="button" href="/rings/fleet/all" aria-label="Change what counts for the whole fleet">"Change"</a> }).into_any())}
            <dl class="facts">
                <dt>"Installs at once"</dt><dd>{at_once} {full}</dd>
                <dt>"After a failure"</dt>
                <dd>{format!("{} on a device; the next {} after the first failure, then twice as long each time, at most {}",
                    plural(form.retries, "try", "tries"), length(form.first_minutes), length(form.longest_minutes))}</dd>
                <dt>"An install is expected to take"</dt>
                <dd>{format!("{} min, {} min more for a reboot, at {} kB/s", form.install_minutes, form.reboot_minutes, number(form.rate_kb))}</dd>
            </dl>
        </section>
    }
    .into_any()
}

fn critical(page: &RingsPage, may: bool) -> AnyView {
    let rows = page.critical.iter().map(|product| {
        let off = may.then(|| {
            let fields = view! {
                {hidden("product", product.name.clone())}
                <button class="link" aria-label=format!("{} is not business-critical", product.name)>"Not critical"</button>
            };
            post::<SetCritical>("act-form inline", fields.into_any())
        });
        let gap = (product.pilots == 0).then(|| view! { <span class="caution">{icon("alert")} " on no device of the first ring"</span> });
        let (all, first) = (number(product.devices), number(product.pilots));
        view! { <li class="product"><b>{product.name.clone()}</b> <span class="sub">{format!("on {all} devices, {first} of them in the first ring")}</span> {gap} {off}</li> }
    });
    let rows = rows.collect::<Vec<_>>();
    let list = if rows.is_empty() {
        view! { <p class="none">"No product is marked."</p> }.into_any()
    } else {
        view! { <ul class="products">{rows}</ul> }.into_any()
    };
    let add = may.then(|| {
        let fields = view! {
            {hidden("critical", "1".to_owned())}
            {text("product", "Source package", "text", "off", true)}
            <button class="button">"Mark as critical"</button>
        };
        post::<SetCritical>("row", fields.into_any())
    });
    view! {
        <section class="card" aria-labelledby="critical">
            {head("critical", "Business-critical products", "A ring may ask that each of them was on a device that took the patch, before a device with it gets the patch.", ().into_any())}
            {list}
            {add}
        </section>
    }
    .into_any()
}

fn place(place: &LocationView, may: bool) -> AnyView {
    let form = &place.form;
    let at_once = form.max_in_flight.map_or_else(
        || "any number of installs at once".to_owned(),
        |n| format!("at most {} at once", plural(n, "install", "installs")),
    );
    let rate = form.rate_kib.map_or_else(
        || "no limit for downloads".to_owned(),
        |n| {
            let whose = match form.max_in_flight {
                None => "for each device",
                Some(1) => "for its download",
                Some(_) => "shared equally by them",
            };
            format!("{} KiB/s {whose}", number(n))
        },
    );
    view! {
        <li class="plan">
            <h3><a href=format!("/rings/location/{}", place.id)>{form.name.clone()}</a></h3>
            <p>{plural(place.devices, "device", "devices")} ", " {form.zone.clone()}</p>
            <p class="sub">{at_once} ", " {rate} {running(place.in_flight)}</p>
            <p><a href=format!("/schedule/calendar?of=location:{}", place.id)>"Its calendar"</a></p>
            {may.then(|| view! { <div class="acts">{remove("plain", format!("/rings/location/{}/remove", place.id), &form.name)}</div> })}
        </li>
    }
    .into_any()
}
