//! What can be done about a device, and about one patch on it.

use crate::api::devices::{AcceptDevice, AskScan, MoveDevice, PlaceDevice, RevokeDevice};
use crate::api::patches::{LiftBlock, Problem, RollBack, TryAgain};
use crate::components::confirm::{Act, act, act_of_row, panel};
use crate::components::field::hidden;
use crate::components::form::post;
use crate::components::icon::icon;
use crate::components::select::select;
use domain::{DeviceId, DeviceState, PatchId, Permission};
use leptos::prelude::*;
use view::{Again, DevicePage, DevicePatch, DeviceRow, Me, Tries};

/// Report a problem, roll back, lift a block.
pub fn device_patch_acts(
    me: &Me,
    device: DeviceId,
    patch: PatchId,
    can_roll_back: bool,
    blocked: bool,
    back: &str,
) -> AnyView {
    let fields = || {
        vec![
            ("device", device.to_string()),
            ("patch", patch.to_string()),
            ("back", back.to_owned()),
        ]
    };
    let problem = me.role.may(Permission::ReportProblem).then(|| {
        act_of_row::<Problem>(Act {
            label: "Report a problem",
            icon: "alert",
            tone: "plain",
            explain:
                "The rollout of this patch is held at once, in every ring, until somebody resolves it with a note."
                    .to_owned(),
            reason: Some(("What went wrong", true)),
            fields: fields(),
        })
    });
    let undo = (can_roll_back && !blocked && me.role.may(Permission::RollBack)).then(|| {
        act_of_row::<RollBack>(Act {
            label: "Roll back",
            icon: "undo",
            tone: "danger",
            explain: "At its next contact the device installs the earlier version on record again. The rollout is held, and the patch stays \
                      blocked on this device until a person lifts that."
                .to_owned(),
            reason: Some(("Reason", true)),
            fields: fields(),
        })
    });
    let lift = (blocked && me.role.may(Permission::RollBack)).then(|| {
        act_of_row::<LiftBlock>(Act {
            label: "Lift the block",
            icon: "check",
            tone: "plain",
            explain: "The patch may be installed on this device again, as its gates allow.".to_owned(),
            reason: Some(("Reason", true)),
            fields: fields(),
        })
    });
    view! { {problem} {undo} {lift} }.into_any()
}

/// As [`device_patch_acts`], and letting the device try again what it has tried in vain too often.
pub fn patch_acts(me: &Me, device: DeviceId, patch: &DevicePatch, back: &str) -> AnyView {
    let again = patch.again.map(|again| try_again(me, device, patch.patch, again, back));
    let acts = device_patch_acts(me, device, patch.patch, patch.can_roll_back, patch.blocked, back);
    view! { {again} {acts} }.into_any()
}

fn try_again(me: &Me, device: DeviceId, patch: PatchId, again: Again, back: &str) -> AnyView {
    let (right, what) = match again.what {
        Tries::Install => (Permission::Resume, "Installing it"),
        Tries::RollBack => (Permission::RollBack, "Going back"),
    };
    if !me.role.may(right) {
        return ().into_any();
    }
    act::<TryAgain>(Act {
        label: "Try again",
        icon: "restart",
        tone: "main",
        explain: format!(
            "{what} failed {} times, which is all that is tried by itself. From its next contact on the device has as many tries again.",
            again.failed
        ),
        reason: Some(("Reason", true)),
        fields: vec![
            ("device", device.to_string()),
            ("patch", patch.to_string()),
            ("what", again.what.word().to_owned()),
            ("latest", again.latest.to_string()),
            ("back", back.to_owned()),
        ],
    })
}

/// Accept and revoke.
pub fn admit_acts(me: &Me, row: &DeviceRow, back: &str) -> AnyView {
    if !me.role.may(Permission::ManageDevices) || row.state == DeviceState::Revoked {
        return ().into_any();
    }
    let fields = || vec![("device", row.id.to_string()), ("back", back.to_owned())];
    let accept = (row.state != DeviceState::Active).then(|| {
        act::<AcceptDevice>(Act {
            label: "Accept",
            icon: "check",
            tone: "main",
            explain: format!(
                "Compare the fingerprint with the one that the device shows: {}. Its reports count from now on.",
                row.key_id
            ),
            reason: Some(("Reason", false)),
            fields: fields(),
        })
    });
    let revoke = act::<RevokeDevice>(Act {
        label: "Revoke",
        icon: "cross",
        tone: "danger",
        explain: format!(
            "{} is never let in again under this identity, and what it is doing for us ends. It can enrol anew.",
            row.hostname
        ),
        reason: Some(("Reason", true)),
        fields: fields(),
    });
    view! { {accept} {revoke} }.into_any()
}

/// Scan, move, put into a location, revoke.
pub fn device_acts(me: &Me, page: &DevicePage) -> AnyView {
    let admit = admit_acts(me, &page.row, &format!("/devices/{}", page.row.id));
    if !me.role.may(Permission::ManageDevices) || page.row.state == DeviceState::Revoked {
        return admit;
    }
    let id = || hidden("device", page.row.id.to_string());
    let scan = view! { {id()} <button class="button">{icon("restart")} <span>"Scan now"</span></button> };
    let mut groups = vec![(String::new(), "no group".to_owned())];
    groups.extend(page.groups.iter().map(|g| {
        let ring = g
            .ring
            .as_ref()
            .map_or_else(|| " (no ring)".to_owned(), |r| format!(" (ring {r})"));
        (g.id.to_string(), format!("{}{ring}", g.name))
    }));
    let current = page
        .groups
        .iter()
        .find(|g| Some(&g.name) == page.row.group.as_ref())
        .map_or_else(String::new, |g| g.id.to_string());
    let form = view! {
        {id()}
        <p>"The device follows the decisions of the group's ring from now on."</p>
        {select("group", "Group", groups, &current)}
        <button class="button" data-tone="main">"Move"</button>
    };
    view! {
        {post::<AskScan>("act-form inline", scan.into_any())}
        {panel("Move", "swap", "plain", post::<MoveDevice>("act-form", form.into_any()))}
        {place(page)}
        {admit}
    }
    .into_any()
}

/// The locations, and none, to put the device into.
fn place(page: &DevicePage) -> AnyView {
    let mut locations = vec![(String::new(), "no location".to_owned())];
    locations.extend(page.locations.iter().map(|l| (l.id.to_string(), l.name.clone())));
    let current = page.location.map_or_else(String::new, |id| id.to_string());
    let form = view! {
        {hidden("device", page.row.id.to_string())}
        <p>"The device shares the limits of its location: how many install there at once, and how fast they download."</p>
        {select("location", "Location", locations, &current)}
        <button class="button" data-tone="main">"Save"</button>
    };
    panel(
        "Location",
        "device",
        "plain",
        post::<PlaceDevice>("act-form", form.into_any()),
    )
}
