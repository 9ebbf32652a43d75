//! The status view: every known patch, the most severe and most missing first.

use super::filters::{filters, keep, tabs};
use super::table::{Picked, table};
use crate::address::{patch_filter, patch_query};
use crate::api::patches::patches;
use crate::components::icon::icon;
use crate::components::pager::pager;
use crate::components::section::{ask, empty, section};
use crate::words::plural;
use domain::Permission;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use view::{Me, PatchFilter, PatchList};

/// The status view.
#[component]
pub fn ListPage() -> impl IntoView {
    let query = use_query_map();
    let filter = Memo::new(move |_| query.with(patch_filter));
    let data = ask(move || filter.get(), patches);
    let picked = Picked::new();
    // What was ticked on another page or under another filter is not seen any more, so it is not meant any more.
    Effect::new(move |_| {
        filter.track();
        picked.clear();
    });
    view! {
        <Title text="Patches"/>
        {section(data, move |me, list| status(&me, &filter.get_untracked(), list, picked))}
    }
}

fn status(me: &Me, filter: &PatchFilter, list: PatchList, picked: Picked) -> AnyView {
    let address = |page| patch_query(&PatchFilter { page, ..filter.clone() }).on("/patches");
    let body = if list.rows.is_empty() {
        nothing(me, filter, &list)
    } else {
        table(filter, &list, picked, me.role.may(Permission::Decide))
    };
    view! {
        <header class="page-head">
            <div>
                <h1>"Patches"</h1>
                <p class="sub">{fleet(&list)}</p>
            </div>
            {notes(&list, me)}
            {keep(filter, &list.views)}
        </header>
        {tabs(filter, &list.views)}
        {filters(filter, &list.rings)}
        {body}
        {pager(list.page, list.pages, list.total, "patch", "patches", &address)}
    }
    .into_any()
}

fn fleet(list: &PatchList) -> AnyView {
    view! { "on " <a href="/devices?show=active">{plural(list.devices, "device", "devices")}</a> }.into_any()
}

/// What the numbers below do not know.
fn notes(list: &PatchList, me: &Me) -> AnyView {
    let silent = (list.silent > 0).then(|| {
        view! {
            <a class="note" data-tone="unknown" href="/devices?show=silent">
                {icon("unknown")} <span>{plural(list.silent, "device", "devices")} " without a recent scan: counted as unknown"</span>
            </a>
        }
    });
    let waiting = (list.pending_devices > 0 && me.role.may(Permission::ManageDevices)).then(|| {
        view! {
            <a class="note" data-tone="warn" href="/devices?show=pending">
                {icon("clock")} <span>{plural(list.pending_devices, "device waits", "devices wait")} " for acceptance"</span>
            </a>
        }
    });
    view! { <div class="notes">{silent} {waiting}</div> }.into_any()
}

fn nothing(me: &Me, filter: &PatchFilter, list: &PatchList) -> AnyView {
    let plain = PatchFilter {
        sort: filter.sort,
        page: filter.page,
        ..PatchFilter::default()
    };
    if *filter != plain {
        return empty(
            "No patch matches these filters",
            view! { <p><a class="button" href="/patches">"Show all patches"</a></p> }.into_any(),
        );
    }
    if list.devices == 0 {
        let enrol = if me.role.may(Permission::ManageDevices) {
            view! { <a class="button" data-tone="main" href="/accounts#enrolment">"Enrol a device"</a> }.into_any()
        } else {
            "An administrator enrols devices.".into_any()
        };
        let text = view! {
            <p>"Patches appear with the first scan of the first device."</p>
            <p>{enrol}</p>
        };
        return empty("No devices yet", text.into_any());
    }
    // Silence is not health: where nobody has looked lately, nothing is said to be well.
    if list.silent >= list.devices {
        let text = view! { <p>"No device has a recent scan. The first one comes within minutes of a device's first contact."</p> };
        return empty("Nothing is known yet", text.into_any());
    }
    empty(
        "Nothing is missing",
        view! { <p>"No device has reported a missing patch."</p> }.into_any(),
    )
}
