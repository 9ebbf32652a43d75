//! Names come from devices and people. Whatever they are called, a page shows them as text: in its title, in its content, in the data that
//! it carries for the browser, and in what the event stream tells.

use crate::forms::typed;
use crate::world::{World, function, page};
use axum::http::StatusCode;
use domain::{DeviceId, GroupId, Moment, Role};
use fleet::{Device, Os, Releases};
use http_body_util::BodyExt as _;
use protocol::ShortText;
use service::Actor;
use service::commands::tokens::TokenRequest;
use std::time::Duration;
use view::{GroupForm, LocationForm, MissedChoice, UiError};

/// Leaves a title and an attribute, if it can. With a number before it, as long as a name may be.
const HOSTILE: &str = "</title><script>alert(1)</script>\"><img src=x onerror=z> &lt;";
/// None of these may stand in a document: as text they are written otherwise.
const MARKUP: [&str; 4] = ["<script>alert", "</title><script", "<img src=x", "\"><img"];

fn hostile(n: u32) -> String {
    format!("n{n} {HOSTILE}")
}

/// A fleet in which everything that has a name has a hostile one.
async fn hostile_fleet() -> (World, String) {
    let world = World::new().await;
    let host = Actor::host();
    let (now, service) = (Moment(1_900_000_000), &world.service);
    service
        .create_account(&host, &hostile(1), Role::Auditor, None)
        .await
        .expect("a name");
    let group = GroupForm {
        name: hostile(2),
        parent: Some(GroupId(1)),
        ring: None,
        blocks_inheritance: false,
        missed: MissedChoice::Inherit,
        reboot: domain::RebootPolicy::Never,
    };
    let group = service.save_group(&host, None, &group).await.expect("a group").id;
    let place = LocationForm {
        name: hostile(3),
        zone: "Europe/Helsinki".to_owned(),
        rate_kib: None,
        max_in_flight: None,
    };
    let place = service.save_location(&host, None, &place).await.expect("a location").id;
    let request = TokenRequest {
        label: hostile(4),
        group: Some(GroupId(group)),
        accept: true,
        scan_only: false,
        max_uses: 1,
        hours: 1,
    };
    let token = service.create_token(&host, request).await.expect("a token").token;

    let releases = Releases::synthetic(Os::Debian12, 1);
    let mut device = Device::new(7, &hostile(5), Os::Debian12, "Etc/UTC", &releases, Moment(0), 1);
    let mut inventory = device.inventory(&releases, now);
    for update in &mut inventory.updates {
        update.summary = ShortText::fit(&hostile(6));
        for origin in &mut update.origins {
            origin.label = ShortText::fit(&hostile(7));
        }
    }
    for message in [device.enroll(&token), device.report(&inventory, now, true)] {
        let reply = service
            .agent(message.path, &message.key_id, &message.signature, &message.body)
            .await;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    }
    service
        .place_device(&host, DeviceId(1), Some(domain::LocationId(place)))
        .await
        .expect("a place");

    let cookie = world.session(Role::Administrator).await;
    let name = form_encoded(&hostile(8));
    for (what, fields) in [
        ("windows", "when=weekly&day5=1&at=22:00&hours=4&minutes=0&zone=utc"),
        ("freezes", "from=2030-04-01T00:00&to=2030-05-01T00:00&zone=utc"),
        (
            "profiles",
            "scan=24&scan_unit=hours&install=24&install_unit=hours&scope=some&group1=1&position=5",
        ),
    ] {
        let (at, said) = typed(&world, &cookie, what, "save", &format!("name={name}&{fields}")).await;
        assert!(at.ends_with("?done=scheduled"), "{at}: {said}");
    }
    let exception = format!("about=patch&patch=%231&covers=all&reason={name}&expires=2030-05-01T00:00");
    let (at, said) = typed(&world, &cookie, "exceptions", "save", &exception).await;
    assert!(at.ends_with("?done=scheduled"), "{at}: {said}");
    for (path, body) in [
        ("/api/patches/hold", format!("patch=1&reason={name}")),
        ("/api/patches/problem", format!("device=1&patch=1&reason={name}")),
        (
            "/api/patches/save_view",
            format!("name={}&matching=", form_encoded("<script>alert(1)</script>")),
        ),
    ] {
        let answer = world.send(function(path, Some(&cookie), &body)).await;
        assert!(
            answer.status.is_redirection() || answer.status.is_success(),
            "{path}: {}",
            answer.text()
        );
    }
    (world, cookie)
}

fn form_encoded(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

/// Every page that shows something of this fleet.
const PAGES: [&str; 22] = [
    "/patches",
    "/patches/1",
    "/patches/decide?verb=approve&sel=1.1&for=1",
    "/devices",
    "/devices/1",
    "/schedule",
    "/schedule/windows/2",
    "/schedule/windows/2/delete",
    "/schedule/freezes/3",
    "/schedule/profiles/4",
    "/schedule/profiles/4/delete",
    "/schedule/exceptions/5",
    "/schedule/exceptions/new?about=patch&patch=%231",
    "/schedule/calendar?of=device:1",
    "/schedule/calendar?of=patch:1",
    "/schedule/calendar?of=location:1&view=month",
    "/rings",
    "/rings/group/3",
    "/rings/location/1",
    "/audit",
    "/accounts",
    "/password",
];

#[tokio::test]
async fn no_name_is_markup_on_any_page() {
    let (world, cookie) = hostile_fleet().await;
    let mut in_titles = 0;
    for address in PAGES {
        let answer = world.send(page(address, Some(&cookie))).await;
        assert_eq!(answer.status, StatusCode::OK, "{address}: {}", answer.text());
        let text = answer.text();
        for markup in MARKUP {
            assert!(!text.contains(markup), "{address} has {markup}: {text}");
        }
        let title = text
            .split("<title>")
            .nth(1)
            .and_then(|rest| rest.split("</title>").next());
        let title = title.expect("a title");
        assert!(
            !title.contains('<') && title.ends_with(" · Patchward"),
            "{address}: {title}"
        );
        in_titles += usize::from(title.contains("&lt;script&gt;alert(1)"));
        // The name was really there, and what looked escaped already is not taken for what it looks like.
        if address.starts_with("/devices") {
            assert!(
                text.contains("&lt;script&gt;alert(1)") && text.contains("&amp;lt;"),
                "{address}: {text}"
            );
        }
    }
    assert!(
        in_titles >= 5,
        "a device, a group, a location, a window and a profile have titles: {in_titles}"
    );
    // What a stranger writes into an address comes back as text, too.
    let typed = form_encoded(HOSTILE);
    for address in [
        format!("/patches?q={typed}&product={typed}"),
        format!("/devices?q={typed}"),
        format!("/audit?q={typed}"),
        format!("/schedule/windows/new?act=check&name={typed}&zone={typed}"),
        format!("/rings/ring/new?act=check&name={typed}&waves={typed}"),
        format!("/schedule/calendar?device={typed}&zone={typed}"),
        format!("/nothing/{typed}"),
        format!("/devices/{typed}"),
    ] {
        let text = world.send(page(&address, Some(&cookie))).await.text();
        for markup in MARKUP {
            assert!(!text.contains(markup), "{address} has {markup}: {text}");
        }
    }
    let text = world.send(page(&format!("/sign-in?next={typed}"), None)).await.text();
    assert!(MARKUP.iter().all(|markup| !text.contains(markup)), "{text}");
}

#[tokio::test]
async fn the_event_stream_and_refusals_carry_no_names() {
    let (world, cookie) = hostile_fleet().await;
    let mut stream = world.call(page("/events", Some(&cookie))).await.into_body();
    let held = world
        .send(function(
            "/api/patches/hold",
            Some(&cookie),
            &format!("patch=1&reason={}", form_encoded(HOSTILE)),
        ))
        .await;
    assert!(
        held.status.is_redirection() || held.status.is_success(),
        "{}",
        held.text()
    );
    let mut heard = String::new();
    while !heard.contains("topic") {
        let frame = tokio::time::timeout(Duration::from_secs(5), stream.frame())
            .await
            .expect("in time");
        let data = frame.expect("a frame").expect("no error").into_data().expect("data");
        heard.push_str(&String::from_utf8_lossy(&data));
    }
    assert!(!heard.contains("alert") && !heard.contains('<'), "{heard}");

    let body = format!("product={}&critical=1", form_encoded(HOSTILE));
    let refused = world.send(function("/api/rings/critical", Some(&cookie), &body)).await;
    let said = serde_json::from_slice::<UiError>(&refused.body);
    assert!(said.is_ok() && !refused.text().contains("alert"), "{}", refused.text());
}
