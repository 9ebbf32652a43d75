//! A count is a promise: the list behind its link has exactly so many rows, and the page says what it is narrowed to.

use crate::world::{FORM, World, own, page};
use axum::http::{Method, StatusCode};
use domain::{GroupId, Moment, Role};
use fleet::{Device, Message, Os, Releases};
use protocol::v1::{
    self, ActionKind, AttemptEvent, AttemptRecord, CheckInReply, EnrollReply, Outcome, PermitReply, PermitRequest,
    RebootReason, Results,
};
use protocol::{LongText, ShortText};
use serde::de::DeserializeOwned;
use service::Actor;
use service::commands::tokens::TokenRequest;
use std::collections::BTreeSet;

const NOW: Moment = Moment(1_900_000_000);

async fn tell<T: DeserializeOwned>(world: &World, message: &Message) -> T {
    let reply = world
        .service
        .agent(message.path, &message.key_id, &message.signature, &message.body)
        .await;
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!(reply.status, 200, "{}: {text}", message.path);
    serde_json::from_str(&text).expect("an answer")
}

/// A device that enrolled; it waits for acceptance unless `accept`.
async fn enrolled(world: &World, mut device: Device, group: Option<i64>, accept: bool) -> Device {
    let request = TokenRequest {
        label: format!("for {}", device.key_id()),
        group: group.map(GroupId),
        accept,
        scan_only: false,
        max_uses: 1,
        hours: 1,
    };
    let token = world
        .service
        .create_token(&Actor::host(), request)
        .await
        .expect("a token");
    let _: EnrollReply = tell(world, &device.enroll(&token.token)).await;
    if accept {
        let _: CheckInReply = tell(world, &device.check_in(NOW)).await;
    }
    device
}

async fn report(world: &World, releases: &Releases, device: &mut Device, reboot: Option<&str>) {
    let mut inventory = device.inventory(releases, NOW);
    if let Some(package) = reboot {
        let packages = vec![ShortText::fit(package)];
        inventory.reboot.push(RebootReason::FlagFile { packages });
    }
    let message = device.report(&inventory, NOW, device.digest().is_none());
    let _: v1::ReportReply = tell(world, &message).await;
    device.reported(inventory);
}

/// Carries out the first order that the device gets; whose package it was.
async fn carry_out(world: &World, releases: &Releases, device: &mut Device, well: bool) -> String {
    let reply: CheckInReply = tell(world, &device.check_in(NOW)).await;
    let order = reply.orders.first().expect("an order").clone();
    let current = device.current(releases, &order.packages);
    let request = PermitRequest {
        patch: order.patch,
        kind: ActionKind::Install,
        current: current.clone(),
    };
    let message = device.seal(v1::PERMIT, request, NOW);
    let PermitReply::Granted(permit) = tell(world, &message).await else {
        panic!("no permit");
    };
    let outcome = if well {
        device.install(releases, &permit.packages);
        Outcome::Succeeded
    } else {
        Outcome::Failed {
            exit: Some(100),
            message: ShortText::fit("the post-installation script failed"),
        }
    };
    let finished = AttemptEvent::Finished {
        outcome,
        observed: device.current(releases, &order.packages),
        log: LongText::default(),
        took: 40,
    };
    let events = [AttemptEvent::Started { from: current }, finished];
    let results = events.into_iter().zip(1..).map(|(event, n)| AttemptRecord {
        id: format!("{}{n:016x}", &device.key_id()[..16]),
        attempt: permit.attempt,
        fence: permit.fence,
        at: NOW,
        event,
    });
    let results = results.collect();
    let message = device.seal(v1::RESULTS, Results { results }, NOW);
    let _: v1::ResultsReply = tell(world, &message).await;
    order.packages[0].name.as_str().to_owned()
}

/// A fleet in which every number that links to a list is there and differs from its neighbours.
async fn seeded() -> (World, String) {
    let world = World::new().await;
    let mut releases = Releases::synthetic(Os::Debian12, 4);
    let last = releases.0.values_mut().last().expect("a product");
    last.releases[1].security = false;
    let device = |seed, name: &str, built| {
        let zone = "Europe/Helsinki";
        Device::new(seed, name, Os::Debian12, zone, &releases, Moment(built), 1)
    };
    let mut first = enrolled(&world, device(1, "pilot-1", 0), Some(1), true).await;
    let mut second = enrolled(&world, device(2, "pilot-2", 0), Some(1), true).await;
    let mut others = vec![
        enrolled(&world, device(3, "pilot-3", 2), Some(1), true).await,
        enrolled(&world, device(4, "web-1", 0), Some(2), true).await,
        enrolled(&world, device(5, "alone-1", 0), None, true).await,
    ];
    enrolled(&world, device(6, "waits-1", 0), Some(2), false).await;
    enrolled(&world, device(7, "mute-1", 0), Some(2), true).await;
    report(&world, &releases, &mut first, None).await;
    report(&world, &releases, &mut second, None).await;
    for other in &mut others {
        report(&world, &releases, other, None).await;
    }
    let cookie = world.session(Role::Administrator).await;
    let body = "verb=approve&ring=1&selection=1.1,2.1,3.1&reason=usual&back=/patches";
    let decided = own(
        Method::POST,
        "/api/patches/decide",
        Some(&cookie),
        "text/html",
        FORM,
        body,
    );
    assert_eq!(world.send(decided).await.status, StatusCode::FOUND);
    carry_out(&world, &releases, &mut first, false).await;
    report(&world, &releases, &mut first, None).await;
    let done = carry_out(&world, &releases, &mut second, true).await;
    report(&world, &releases, &mut second, Some(&done)).await;
    (world, cookie)
}

async fn html(world: &World, cookie: &str, address: &str) -> String {
    let path = address.split('#').next().unwrap_or(address);
    let answer = world.send(page(path, Some(cookie))).await;
    assert_eq!(answer.status, StatusCode::OK, "{address}");
    // What the browser needs to wake the page is no part of what it shows.
    let text = answer.text();
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("<script") {
        shown.push_str(before);
        rest = after.split_once("</script>").map_or("", |(_, rest)| rest);
    }
    shown + rest
}

/// Address and words of every link.
fn links(html: &str) -> Vec<(String, String)> {
    let of = |part: &str| {
        let (tag, rest) = part.split_once('>')?;
        let href = tag.split_once("href=\"")?.1.split_once('"')?.0.replace("&amp;", "&");
        let mut words = String::new();
        for piece in rest
            .split_once("</a>")?
            .0
            .split('<')
            .map(|p| p.split_once('>').map_or(p, |(_, t)| t))
        {
            words.push_str(piece);
        }
        Some((href, words.split_whitespace().collect::<Vec<_>>().join(" ")))
    };
    html.split("<a ").skip(1).filter_map(of).collect()
}

/// The number that a link tells, when it is a count: `3 missing`, `Missing 3`.
fn count(href: &str, words: &str) -> Option<u32> {
    let list = ["/devices", "/patches"].iter().any(|path| {
        let rest = href.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('?') || href.contains('#'))
    });
    let number = |word: &str| word.replace(',', "").parse().ok();
    let all: Vec<&str> = words.split(' ').collect();
    let (first, last) = (all.first()?, all.last()?);
    (list && all.len() > 1).then(|| number(first).or_else(|| number(last)))?
}

/// How many things the list at an address shows.
fn rows(html: &str, address: &str) -> usize {
    let to_devices = |of: fn(&str) -> bool| {
        let found = links(html)
            .into_iter()
            .filter_map(|(href, _)| Some(href.strip_prefix("/devices/")?.to_owned()));
        found.filter(|rest| of(rest)).count()
    };
    match address.split_once('#') {
        Some((_, "devices")) => to_devices(|rest| rest.contains("#patch-")),
        Some((_, "patches")) => html.matches("class=\"patch-line\"").count(),
        _ if address.starts_with("/devices") => to_devices(|rest| rest.parse::<i64>().is_ok()),
        other => panic!("a count links to {other:?}"),
    }
}

#[tokio::test]
async fn every_count_equals_the_list_that_it_links_to() {
    let (world, cookie) = seeded().await;
    let mut pages: Vec<String> = [
        "/patches",
        "/patches?superseded=1",
        "/patches/decide?verb=urgent&sel=1.1&sel=2.1",
        "/devices",
        "/rings",
        "/schedule",
        "/schedule/calendar",
    ]
    .map(str::to_owned)
    .into();
    pages.extend((1..=4).map(|id| format!("/patches/{id}")));
    pages.extend((1..=7).map(|id| format!("/devices/{id}")));
    let mut followed = BTreeSet::new();
    let mut at = 0;
    while let Some(from) = pages.get(at).cloned() {
        at += 1;
        for (href, words) in links(&html(&world, &cookie, &from).await) {
            let Some(told) = count(&href, &words) else { continue };
            let list = html(&world, &cookie, &href).await;
            assert_eq!(rows(&list, &href), told as usize, "{from}: “{words}” links to {href}");
            let known: BTreeSet<String> = links(&list).into_iter().map(|(href, _)| href).collect();
            if let Some((path, fragment)) = href.split_once('#') {
                // The way out of each narrowing is on the page.
                let (path, query) = path.split_once('?').unwrap_or((path, ""));
                let parts: Vec<&str> = query.split('&').filter(|p| !p.is_empty()).collect();
                for without in &parts {
                    let rest: Vec<&str> = parts.iter().filter(|p| p != &without).copied().collect();
                    let mark = if rest.is_empty() { "" } else { "?" };
                    let wide = format!("{path}{mark}{}#{fragment}", rest.join("&"));
                    assert!(known.contains(&wide), "{href} does not lead to {wide}: {known:?}");
                }
                assert!(
                    list.contains("aria-current=\"page\">"),
                    "{href} does not say what it shows"
                );
            }
            // What is narrowed shows counts, too.
            if followed.insert(href.clone()) && followed.len() < 200 {
                pages.push(href);
            }
        }
    }
    // Each kind of count was there: by state, by ring, both; of a device; of a ring; of the fleet.
    for known in [
        "/patches/1?state=missing#devices",
        "/patches/1?ring=1#devices",
        "/patches/1?state=missing&ring=2#devices",
        "/patches/1?state=failed&ring=1#devices",
        "/devices/1?show=failed#patches",
        "/devices/1?show=open#patches",
        "/devices/1?show=security#patches",
        "/devices/2?show=pending#patches",
        "/devices?show=active&ring=1",
        "/devices?show=active",
        "/devices?show=silent",
        "/devices?show=pending",
        "/devices?show=no_ring",
    ] {
        assert!(followed.contains(known), "no count links to {known}: {followed:?}");
    }
}

#[tokio::test]
async fn a_number_and_the_tab_that_it_leads_to_have_one_word() {
    let (world, cookie) = seeded().await;
    let fleet = links(&html(&world, &cookie, "/devices").await);
    let mut seen = BTreeSet::new();
    for (href, words) in fleet.iter().filter(|(href, _)| href.ends_with("#patches")) {
        let list = html(&world, &cookie, href).await;
        let (number, word) = words.split_once(' ').expect("a number and its word");
        // The tab; the list's place in the main menu is marked as well.
        let here = list.split("aria-current=\"page\">").skip(1);
        let here = here.map(|rest| rest.split_once("</a>").map_or("", |(tab, _)| tab).to_lowercase());
        let told: Vec<String> = here.collect();
        assert!(
            told.iter().any(|tab| tab.starts_with(word) && tab.contains(number)),
            "{words} leads to {told:?}"
        );
        seen.insert(word.to_owned());
    }
    assert!(seen.contains("to install") && seen.contains("pending"), "{seen:?}");
}

#[tokio::test]
async fn devices_that_follow_no_profile_are_a_link_away() {
    let (world, cookie) = seeded().await;
    let host = Actor::host();
    let gone = world.service.delete_profile(&host, domain::ProfileId(1), 1).await;
    gone.expect("the only profile");
    for (from, expected) in [
        ("/schedule", 6),
        ("/schedule/calendar", 6),
        ("/schedule/calendar?of=ring:1", 3),
    ] {
        let links = links(&html(&world, &cookie, from).await);
        let found = links.iter().find(|(href, _)| href.contains("show=no_profile"));
        let (href, words) = found.unwrap_or_else(|| panic!("no link on {from}: {links:?}"));
        let list = html(&world, &cookie, href).await;
        assert_eq!(count(href, words), Some(expected), "{from}: {words}");
        assert_eq!(rows(&list, href), expected as usize, "{from}: {href}");
    }
    // The list cannot be narrowed to a group: there the number stands alone.
    let group = html(&world, &cookie, "/schedule/calendar?of=group:1").await;
    assert!(group.contains("3 devices follow no profile") && !group.contains("show=no_profile"));
}
