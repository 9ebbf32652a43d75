//! A refusal that whoever asked can mend has a status of 4xx; 5xx is for faults of the server. No text in an address or a form makes one.

use crate::forms::with_a_patch;
use crate::matrix::{FUNCTIONS, Needs};
use crate::world::{Answer, FORM, JSON, World, function, own, page, pages};
use axum::http::{Method, StatusCode};
use domain::Role;
use view::{ScheduleKind, UiError};

/// What nothing is called, and what is no number at all.
const STRANGE: [&str; 12] = [
    "999999",
    "0",
    "-1",
    "abc",
    "1e9",
    "1.5",
    "9223372036854775807",
    "99999999999999999999",
    "%00",
    "%FF",
    "1%2F2",
    "%3Cscript%3E",
];

/// Whether a page has the product's frame.
fn framed(answer: &Answer) -> bool {
    let text = answer.text();
    text.contains("class=\"top\"") && text.contains("aria-label=\"Main\"") && text.contains("Sign out")
}

#[tokio::test]
async fn an_address_that_names_nothing_is_a_page_that_says_so() {
    let world = World::new().await;
    let cookie = world.session(Role::Administrator).await;
    let mut addresses = vec![
        "/nothing".to_owned(),
        "/rings/77".to_owned(),
        "/rings/ring".to_owned(),
        "/devices/1/2".to_owned(),
        "/api/nothing".to_owned(),
        "/schedule/windows".to_owned(),
        "/patches/decide?sel=999.1&verb=approve".to_owned(),
    ];
    addresses
        .extend(["device", "group", "ring", "location", "patch"].map(|of| format!("/schedule/calendar?of={of}:999")));
    for pattern in pages().await {
        let kinds: Vec<&str> = match pattern.split('/').nth(1) {
            Some("schedule") => ScheduleKind::ALL
                .iter()
                .map(|kind| kind.folder())
                .chain(["nothing"])
                .collect(),
            Some("rings") => vec!["ring", "group", "location", "fleet", "nothing"],
            _ => vec![""],
        };
        for kind in kinds {
            let path = pattern.replace("{kind}", kind);
            if path.contains("{id}") {
                // What counts for the whole fleet has the number 0.
                let strange = STRANGE.iter().filter(|id| kind != "fleet" || **id != "0");
                addresses.extend(strange.map(|id| path.replace("{id}", id)));
            }
        }
    }
    assert!(addresses.len() > 120, "{}", addresses.len());
    for address in addresses {
        let answer = world.send(page(&address, Some(&cookie))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{address}: {}", answer.text());
        assert!(framed(&answer), "{address} without the frame: {}", answer.text());
        let words = ["There is nothing here", "There is no such page"];
        assert!(
            words.iter().any(|w| answer.text().contains(w)),
            "{address}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn a_page_that_a_role_may_not_see_says_so_with_its_status() {
    let world = World::new().await;
    let cookie = world.session(Role::Auditor).await;
    for address in [
        "/schedule/windows/new",
        "/rings/ring/new",
        "/patches/decide?ring=1&verb=approve",
    ] {
        let answer = world.send(page(address, Some(&cookie))).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{address}");
        assert!(
            framed(&answer) && answer.text().contains("Not for this role"),
            "{address}"
        );
    }
    let nonsense = "/patches?severity=huge&page=-1&ring=x&sort=1e9&state=%00&q=%3Cscript%3E";
    assert_eq!(world.send(page(nonsense, Some(&cookie))).await.status, StatusCode::OK);
}

/// The values of a form's or of a JSON body's fields, one after the other replaced by something that does not fit.
fn spoiled(body: &str) -> Vec<String> {
    let long = "x".repeat(5_000);
    if let Ok(good) = serde_json::from_str::<serde_json::Value>(body) {
        let mut all: Vec<String> = ["", "{", "[]", "null", "0", "\"x\"", "{\"a\":1}", "\u{0}"]
            .map(str::to_owned)
            .to_vec();
        let fields = good
            .as_object()
            .map(|fields| fields.keys().cloned().collect::<Vec<_>>());
        for name in fields.unwrap_or_default() {
            let strange = [
                "null",
                "-1",
                "1e400",
                "9223372036854775807",
                "99999999999999999999",
                "[]",
                "{}",
                "\"\\u0000\"",
                "true",
            ];
            for value in strange.into_iter().map(str::to_owned).chain([format!("\"{long}\"")]) {
                let rest = good.as_object().into_iter().flatten().filter(|(key, _)| **key != name);
                let rest: String = rest.map(|(key, value)| format!(",\"{key}\":{value}")).collect();
                all.push(format!("{{\"{name}\":{value}{rest}}}"));
            }
        }
        return all;
    }
    let fields: Vec<&str> = body.split('&').filter(|field| !field.is_empty()).collect();
    let mut all = vec![
        "%".to_owned(),
        "=&=".to_owned(),
        "a[b]=1".to_owned(),
        body.replace('=', ""),
    ];
    for (i, field) in fields.iter().enumerate() {
        let name = field.split('=').next().unwrap_or_default();
        for value in [
            "",
            "%00",
            "%FF",
            "-1",
            "1e9",
            "9223372036854775807",
            "99999999999999999999",
            "%3Cscript%3E",
            long.as_str(),
        ] {
            let spoiled = format!("{name}={value}");
            let mut changed = fields.clone();
            changed[i] = &spoiled;
            all.push(changed.join("&"));
        }
        let mut fewer = fields.clone();
        fewer.remove(i);
        all.push(fewer.join("&"));
        all.push(format!("{body}&{field}"));
    }
    all
}

#[tokio::test]
async fn nothing_that_is_sent_to_a_function_is_a_fault_of_the_server() {
    let world = World::new().await;
    for (name, needs, body) in FUNCTIONS {
        let kind = if body.starts_with('{') { JSON } else { FORM };
        let mut cookie = world.session(Role::Administrator).await;
        for body in spoiled(body) {
            let answer = world
                .send(own(Method::POST, name, Some(&cookie), JSON, kind, &body))
                .await;
            let status = answer.status.as_u16();
            assert!(
                status < 500 && status != 408,
                "{name} {body:.200}: {status} {}",
                answer.text()
            );
            if answer.status.is_client_error() {
                let refusal = serde_json::from_slice::<UiError>(&answer.body).expect("a refusal");
                assert_eq!(status, refusal.status(), "{name} {body:.200}");
            }
            if *needs == Needs::Session || answer.status == StatusCode::UNAUTHORIZED {
                cookie = world.session(Role::Administrator).await;
            }
        }
    }
}

#[tokio::test]
async fn far_pages_and_dates_are_no_faults() {
    let world = with_a_patch().await;
    let cookie = world.session(Role::Administrator).await;
    let far = u32::MAX;
    for (name, body) in [
        (
            "/api/patches/list",
            format!(r#"{{"filter":{{"sort":"severity","page":{far}}}}}"#),
        ),
        ("/api/devices/list", format!(r#"{{"filter":{{"page":{far}}}}}"#)),
        ("/api/audit/list", format!(r#"{{"filter":{{"page":{far}}}}}"#)),
        ("/api/patches/one", format!(r#"{{"id":1,"shown":{{"page":{far}}}}}"#)),
        ("/api/devices/one", format!(r#"{{"id":1,"shown":{{"page":{far}}}}}"#)),
    ] {
        let answer = world.send(function(name, Some(&cookie), &body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{name} {body}: {}", answer.text());
    }
    for from in ["9999-12-31", "0000-00-00", "-1", "2026-02-30", "x"] {
        for zone in ["Nowhere/Land", "Etc/UTC", "\\u0000"] {
            let ask =
                format!(r#"{{"of":{{"device":1}},"device":null,"span":"month","from":"{from}","zone":"{zone}"}}"#);
            let answer = world
                .send(function(
                    "/api/schedule/calendar",
                    Some(&cookie),
                    &format!(r#"{{"ask":{ask}}}"#),
                ))
                .await;
            assert!(
                answer.status.as_u16() < 500,
                "{from} {zone}: {} {}",
                answer.status,
                answer.text()
            );
        }
    }
}

#[tokio::test]
async fn each_kind_of_refusal_has_its_status() {
    let world = with_a_patch().await;
    let officer = world.session(Role::SecurityOfficer).await;
    let admin = world.session(Role::Administrator).await;
    let auditor = world.session(Role::Auditor).await;
    let approve = "/api/patches/decide";
    let rows = [
        (&officer, "/api/patches/one", r#"{"id":"x"}"#, 400),
        (&officer, approve, "verb=approve", 400),
        (&auditor, approve, "verb=approve&ring=1&selection=1.1&reason=a", 403),
        (
            &officer,
            "/api/patches/preview",
            r#"{"ids":[999],"matching":null}"#,
            404,
        ),
        (&officer, approve, "verb=approve&ring=1&selection=999.1&reason=a", 404),
        (&officer, approve, "verb=approve&ring=1&selection=1.99&reason=a", 409),
        (&admin, "/api/rings/move", "ring=1&version=999", 409),
        (&officer, approve, "verb=approve&ring=77&selection=1.1&reason=a", 422),
        (&officer, approve, "verb=deny&ring=1&selection=1.1", 422),
        (&officer, "/api/patches/roll_back", "device=1&patch=1&reason=a", 422),
        (&admin, "/api/devices/revoke", "device=999&reason=a", 404),
        (&admin, "/api/devices/place", "device=1&location=999", 404),
        (
            &admin,
            "/api/session/follow_link",
            "token=abcdefghijklmnopqrstuvwxyz0123456789",
            410,
        ),
        (
            &admin,
            "/api/session/sign_in",
            "name=nobody&password=not+the+password",
            403,
        ),
    ];
    let records = world.records().await;
    for (cookie, name, body, status) in rows {
        let answer = world.send(function(name, Some(cookie), body)).await;
        assert_eq!(answer.status.as_u16(), status, "{name} {body}: {}", answer.text());
        let refusal = serde_json::from_slice::<UiError>(&answer.body).expect("a refusal");
        assert_eq!(refusal.status(), status, "{name} {body}");
    }
    let nobody = world
        .send(function(approve, None, "verb=approve&ring=1&selection=1.1"))
        .await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    // Without JavaScript the answer is the way back, with the refusal in the address.
    let body = "verb=approve&ring=1&selection=999.1&reason=a";
    let answer = world
        .send(own(Method::POST, approve, Some(&officer), "text/html", FORM, body))
        .await;
    assert!(answer.status.is_redirection(), "{}", answer.status);
    assert!(
        world.records().await <= records + 1,
        "at most the failed sign-in is on record"
    );
}
