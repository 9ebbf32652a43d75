//! Every route for every principal, what is allowed and what is refused. The rows are compared with what the server really has: a route
//! without a row fails, and so does a row without a route.

use crate::world::{JSON, World, function, functions, own, page, pages, signed, signed_check_in};
use axum::http::{Method, StatusCode};
use domain::{Permission, Role};
use server::http::{Guard, PLAIN_ROUTES};
use std::collections::BTreeSet;
use view::UiError;

/// What a route asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Needs {
    Nothing,
    Session,
    Right(Permission),
}

use Needs::{Nothing, Right, Session};
use Permission::{
    Decide, Hold, ManageAccounts, ManageDevices, ManageSchedule, ReadAudit, ReadFleet, ReportProblem, Resume, RollBack,
};

/// Pages: address, the address to ask for, needs. Without the right a page is shown with a refusal in place of its content.
const PAGES: &[(&str, &str, Needs)] = &[
    ("/", "/", Session),
    ("/sign-in", "/sign-in", Nothing),
    (
        "/sign-in/link/{token}",
        "/sign-in/link/abcdefghijklmnopqrstuvwxyz0123456789",
        Nothing,
    ),
    ("/patches", "/patches", Right(ReadFleet)),
    (
        "/patches/decide",
        "/patches/decide?ring=1&verb=approve&q=x",
        Right(ReadFleet),
    ),
    ("/patches/{id}", "/patches/999", Right(ReadFleet)),
    ("/devices", "/devices", Right(ReadFleet)),
    ("/devices/{id}", "/devices/999", Right(ReadFleet)),
    ("/schedule", "/schedule", Right(ReadFleet)),
    (
        "/schedule/calendar",
        "/schedule/calendar?of=device:999&view=month&from=2026-11-23",
        Right(ReadFleet),
    ),
    ("/schedule/{kind}/{id}", "/schedule/profiles/1", Right(ReadFleet)),
    (
        "/schedule/{kind}/{id}",
        "/schedule/windows/new?act=save&name=a",
        Right(ManageSchedule),
    ),
    ("/schedule/{kind}/{id}", "/schedule/exceptions/new", Right(Decide)),
    (
        "/schedule/{kind}/{id}/delete",
        "/schedule/profiles/1/delete",
        Right(ManageSchedule),
    ),
    ("/rings", "/rings", Right(ReadFleet)),
    ("/rings/{kind}/{id}", "/rings/ring/999", Right(ReadFleet)),
    ("/rings/{kind}/{id}/{step}", "/rings/ring/999/remove", Right(ReadFleet)),
    ("/audit", "/audit", Right(ReadAudit)),
    ("/accounts", "/accounts", Right(ManageAccounts)),
    ("/password", "/password", Session),
];

/// Server functions: address, needs, a body whose fields fit (the things it names do not exist).
pub(crate) const FUNCTIONS: &[(&str, Needs, &str)] = &[
    ("/api/session/me", Session, "{}"),
    ("/api/session/sign_in", Nothing, "name=nobody&password=not+the+password"),
    (
        "/api/session/follow_link",
        Nothing,
        "token=abcdefghijklmnopqrstuvwxyz0123456789",
    ),
    ("/api/session/sign_out", Session, ""),
    (
        "/api/patches/list",
        Right(ReadFleet),
        r#"{"filter":{"sort":"severity"}}"#,
    ),
    ("/api/patches/one", Right(ReadFleet), r#"{"id":999,"shown":{}}"#),
    (
        "/api/patches/preview",
        Right(ReadFleet),
        r#"{"ids":[999],"matching":null}"#,
    ),
    (
        "/api/patches/decide",
        Right(Decide),
        "verb=approve&ring=1&selection=999.1&reason=a+reason",
    ),
    ("/api/patches/hold", Right(Hold), "patch=999&reason=a+reason"),
    (
        "/api/patches/resume",
        Right(Resume),
        "patch=999&hold=999&revision=1&reason=a+reason",
    ),
    (
        "/api/patches/problem",
        Right(ReportProblem),
        "device=999&patch=999&reason=a+reason",
    ),
    (
        "/api/patches/roll_back",
        Right(RollBack),
        "device=999&patch=999&reason=a+reason",
    ),
    (
        "/api/patches/roll_back_ring",
        Right(RollBack),
        "ring=1&patch=999&reason=a+reason",
    ),
    (
        "/api/patches/lift_block",
        Right(RollBack),
        "device=999&patch=999&reason=a+reason",
    ),
    (
        "/api/patches/save_plan",
        Right(Decide),
        "patch=999&version=0&what=plan&how=a+way&use_when=a+time",
    ),
    (
        "/api/patches/try_again",
        Right(Resume),
        "device=999&patch=999&what=install&latest=1&reason=a+reason",
    ),
    (
        "/api/patches/try_again",
        Right(RollBack),
        "device=999&patch=999&what=roll_back&latest=1&reason=a+reason",
    ),
    ("/api/patches/save_view", Right(ReadFleet), "name=&matching="),
    ("/api/patches/delete_view", Right(ReadFleet), "view=999"),
    ("/api/devices/list", Right(ReadFleet), r#"{"filter":{}}"#),
    ("/api/devices/one", Right(ReadFleet), r#"{"id":999,"shown":{}}"#),
    (
        "/api/devices/accept",
        Right(ManageDevices),
        "device=999&reason=a+reason",
    ),
    (
        "/api/devices/revoke",
        Right(ManageDevices),
        "device=999&reason=a+reason",
    ),
    ("/api/devices/move", Right(ManageDevices), "device=999&group=1"),
    ("/api/devices/place", Right(ManageDevices), "device=999&location=1"),
    ("/api/devices/scan", Right(ManageDevices), "device=999"),
    ("/api/schedule/list", Right(ReadFleet), "{}"),
    (
        "/api/schedule/calendar",
        Right(ReadFleet),
        r#"{"ask":{"of":{"group":999},"device":null,"span":"week","from":null,"zone":null}}"#,
    ),
    (
        "/api/schedule/form",
        Right(ReadFleet),
        r#"{"kind":"window","id":null,"typed":{}}"#,
    ),
    (
        "/api/schedule/check",
        Right(ReadFleet),
        r#"{"kind":"window","typed":{"name":"a"},"deep":true}"#,
    ),
    (
        "/api/schedule/removal",
        Right(ReadFleet),
        r#"{"kind":"profile","id":1}"#,
    ),
    (
        "/api/schedule/save",
        Right(ManageSchedule),
        "what=windows&act=save&name=a&when=weekly&day5=1&at=22%3A00&hours=4&zone=utc",
    ),
    (
        "/api/schedule/save",
        Right(ManageSchedule),
        "what=profiles&act=save&name=a&scan=24&scan_unit=hours&install=24&install_unit=hours&scope=some&group1=1",
    ),
    (
        "/api/schedule/save",
        Right(ManageSchedule),
        "what=freezes&act=save&name=a&from=2026-12-20&to=2026-12-27&zone=utc",
    ),
    (
        "/api/schedule/save",
        Right(Decide),
        "what=exceptions&act=save&covers=all&about=patch&patch=%23999&reason=a+reason&expires=2026-12-31",
    ),
    // Checking is a step towards saving: it takes the same right.
    (
        "/api/schedule/save",
        Right(ManageSchedule),
        "what=windows&act=check&name=a",
    ),
    (
        "/api/schedule/delete",
        Right(ManageSchedule),
        "what=windows&id=999&version=1",
    ),
    (
        "/api/schedule/delete",
        Right(ManageSchedule),
        "what=profiles&id=999&version=1",
    ),
    (
        "/api/schedule/delete",
        Right(ManageSchedule),
        "what=freezes&id=999&version=1",
    ),
    (
        "/api/schedule/delete",
        Right(Decide),
        "what=exceptions&id=999&version=1",
    ),
    ("/api/rings/list", Right(ReadFleet), "{}"),
    (
        "/api/rings/form",
        Right(ReadFleet),
        r#"{"kind":"ring","id":999,"typed":{}}"#,
    ),
    (
        "/api/rings/check",
        Right(ReadFleet),
        r#"{"kind":"ring","typed":{},"deep":false}"#,
    ),
    (
        "/api/rings/foresee",
        Right(ReadFleet),
        r#"{"step":{"remove_ring":999}}"#,
    ),
    ("/api/rings/save", Right(ManageDevices), "what=ring&act=save"),
    ("/api/rings/move", Right(ManageDevices), "ring=999&version=1"),
    ("/api/rings/remove", Right(ManageDevices), "what=ring&id=999&version=1"),
    (
        "/api/rings/critical",
        Right(ManageDevices),
        "product=nothing&critical=1",
    ),
    ("/api/audit/list", Right(ReadAudit), r#"{"filter":{}}"#),
    ("/api/accounts/list", Right(ManageAccounts), "{}"),
    ("/api/accounts/new_token", Session, "{}"),
    (
        "/api/accounts/create",
        Right(ManageAccounts),
        "name=new-person&role=auditor",
    ),
    ("/api/accounts/role", Right(ManageAccounts), "account=999&role=auditor"),
    (
        "/api/accounts/disabled",
        Right(ManageAccounts),
        "account=999&disabled=1",
    ),
    (
        "/api/accounts/password",
        Right(ManageAccounts),
        "account=999&password=a+long+enough+passphrase",
    ),
    ("/api/accounts/end_session", Right(ManageAccounts), "session=nobodys"),
    (
        "/api/accounts/create_token",
        Right(ManageDevices),
        "label=a&max_uses=1&hours=1",
    ),
    ("/api/accounts/revoke_token", Right(ManageDevices), "token=999"),
];

#[tokio::test]
async fn every_route_has_a_row() {
    let _world = World::new().await;
    let set = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(
        set(pages().await),
        set(PAGES.iter().map(|row| row.0.to_owned()).collect()),
        "pages"
    );
    let real = functions();
    assert_eq!(
        set(real.iter().map(|function| function.0.clone()).collect()),
        set(FUNCTIONS.iter().map(|row| row.0.to_owned()).collect()),
        "server functions"
    );
    assert!(
        real.iter().all(|function| function.1 == Method::POST),
        "no link may reach a server function: {real:?}"
    );
    let agent: BTreeSet<_> = PLAIN_ROUTES
        .iter()
        .filter(|route| route.2 == Guard::Agent)
        .map(|route| route.1)
        .collect();
    assert_eq!(agent.len(), 5);
}

/// An address to ask for: nothing has the number 999.
fn concrete(path: &str) -> String {
    path.replace("{device}", "999").replace("{patch}", "999")
}

#[tokio::test]
async fn strangers_reach_the_sign_in_pages_only() {
    let world = World::new().await;
    let before = world.records().await;
    for (name, address, needs) in PAGES {
        let answer = world.send(page(address, None)).await;
        if *needs == Nothing {
            assert_eq!(answer.status, StatusCode::OK, "{name}");
        } else {
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{name}");
            assert!(answer.header("location").starts_with("/sign-in"), "{name}");
            assert!(answer.body.is_empty(), "{name}");
        }
    }
    for (name, needs, body) in FUNCTIONS {
        let answer = world.send(function(name, None, body)).await;
        if *needs == Nothing {
            assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{name} must be reachable");
        } else {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}");
            assert_eq!(answer.text(), "\"not_signed_in\"", "{name}");
        }
    }
    for (method, path, guard) in PLAIN_ROUTES {
        let path = &concrete(path);
        let request = own(method.parse().expect("a method"), path, None, "*/*", JSON, "{}");
        let status = world.call(request).await.status();
        match guard {
            Guard::Open => assert_eq!(status, StatusCode::OK, "{path}"),
            Guard::Session | Guard::Fleet | Guard::Metrics => assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}"),
            Guard::Agent => assert!([400, 401].contains(&status.as_u16()), "{path}: {status}"),
        }
    }
    assert_eq!(
        world.records().await,
        before,
        "nothing was recorded, so nothing was done"
    );
}

#[tokio::test]
async fn every_role_may_what_its_rights_say_and_nothing_else() {
    let world = World::new().await;
    for &role in Role::ALL {
        for (name, needs, body) in FUNCTIONS {
            // A session of its own for each: signing out and passwords end it.
            let cookie = world.session(role).await;
            let before = world.records().await;
            let answer = world.send(function(name, Some(&cookie), body)).await;
            let refusal = serde_json::from_slice::<UiError>(&answer.body)
                .ok()
                .filter(|refusal| answer.status.as_u16() == refusal.status());
            match needs {
                Right(right) if !role.may(*right) => {
                    let Some(UiError::NotAllowed { permission }) = refusal else {
                        panic!(
                            "{name} as {role}: {} {} instead of a refusal",
                            answer.status,
                            answer.text()
                        );
                    };
                    assert!(!role.may(permission), "{name} as {role}");
                    assert_eq!(world.records().await, before, "{name} as {role} left a record");
                }
                _ => {
                    let wrong = matches!(
                        refusal,
                        Some(
                            UiError::NotAllowed { .. }
                                | UiError::NotSignedIn
                                | UiError::Transport
                                | UiError::Internal { .. }
                        )
                    );
                    assert!(!wrong, "{name} as {role}: {} {}", answer.status, answer.text());
                    let understood = answer.status.is_success() || answer.status.is_redirection() || refusal.is_some();
                    assert!(understood, "{name} as {role}: {} {}", answer.status, answer.text());
                }
            }
        }
    }
}

#[tokio::test]
async fn every_role_sees_its_pages_and_no_others() {
    let world = World::new().await;
    let marker = "zz-marker-account";
    world
        .service
        .create_account(&service::Actor::host(), marker, Role::Auditor, None)
        .await
        .expect("a new name");
    for &role in Role::ALL {
        let cookie = world.session(role).await;
        for (name, address, needs) in PAGES {
            let answer = world.send(page(address, Some(&cookie))).await;
            if *name == "/" {
                assert!(
                    answer.status.is_redirection() || answer.status.is_success(),
                    "{name} as {role}: {}",
                    answer.status
                );
                continue;
            }
            // Deciding has a page that everybody may read who reads the fleet, and a form on it that not everybody may use.
            let form = *name == "/patches/decide" && !role.may(Decide);
            let status = answer.status.as_u16();
            let expected = match needs {
                Right(right) if !role.may(*right) || form => status == 403,
                _ => [200, 404].contains(&status),
            };
            assert!(expected, "{name} as {role}: {status} {}", answer.text());
            let shows = answer.text().contains(marker);
            let may_see = match needs {
                // Who decides chooses who answers for an exception.
                Right(right @ (ReadAudit | ManageAccounts | Decide)) => role.may(*right),
                _ => false,
            };
            assert_eq!(shows, may_see, "{name} as {role}");
        }
        let metrics = world.send(page("/metrics", Some(&cookie))).await.status;
        let expected = if role.may(ReadAudit) {
            StatusCode::OK
        } else {
            StatusCode::FORBIDDEN
        };
        assert_eq!(metrics, expected, "/metrics as {role}");
        let ladder = concrete(server::http::explain::PATH);
        let answer = world
            .send(own(Method::GET, &ladder, Some(&cookie), "application/json", JSON, ""))
            .await;
        let expected = if role.may(ReadFleet) {
            (StatusCode::NOT_FOUND, UiError::NotFound)
        } else {
            (StatusCode::FORBIDDEN, UiError::NotAllowed { permission: ReadFleet })
        };
        let refusal = serde_json::from_slice(&answer.body).expect("a refusal");
        assert_eq!((answer.status, refusal), expected, "{ladder} as {role}");
        let file = world.send(page(server::http::export::PATH, Some(&cookie))).await;
        if role.may(ReadFleet) {
            assert_eq!(file.status, StatusCode::OK, "export as {role}");
        } else {
            let refusal = serde_json::from_slice(&file.body).expect("a refusal");
            assert_eq!((file.status, refusal), expected, "export as {role}");
        }
        assert_eq!(
            world.call(page("/events", Some(&cookie))).await.status(),
            StatusCode::OK,
            "/events as {role}"
        );
    }
}

#[tokio::test]
async fn people_and_devices_cannot_use_each_others_doors() {
    let world = World::new().await;
    let device = world.device().await;
    let allowed = world.send(signed_check_in(&device, 1)).await;
    assert_eq!(allowed.status, StatusCode::OK, "{}", allowed.text());

    // A device's signature opens no page and no function, whatever it signs.
    for (name, needs, body) in FUNCTIONS.iter().filter(|row| row.1 != Nothing) {
        let mut request = signed(&device, name, body.as_bytes().to_vec());
        request
            .headers_mut()
            .insert("sec-fetch-site", "same-origin".parse().expect("a value"));
        assert_eq!(
            world.send(request).await.status,
            StatusCode::UNAUTHORIZED,
            "{name} needs {needs:?}"
        );
    }
    for path in ["/events", "/metrics", "/patches"] {
        let mut request = signed(&device, path, Vec::new());
        *request.method_mut() = Method::GET;
        assert_eq!(world.send(request).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    // An administrator's session is no device, and a device with somebody's cookie is still only the device.
    let cookie = world.session(Role::Administrator).await;
    for (_, path, _) in PLAIN_ROUTES.iter().filter(|route| route.2 == Guard::Agent) {
        let answer = world.send(function(path, Some(&cookie), "{}")).await;
        assert!(
            [400, 401].contains(&answer.status.as_u16()),
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
        assert!(answer.headers.get("set-cookie").is_none(), "{path}");
    }
    let mut with_cookie = signed_check_in(&device, 2);
    with_cookie
        .headers_mut()
        .insert("cookie", cookie.parse().expect("a value"));
    let answer = world.send(with_cookie).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.headers.get("set-cookie").is_none());
}

/// Other spellings of an address, as were used against others (THREATS 1.1).
fn variants(path: &str) -> Vec<String> {
    let (head, tail) = path.split_at(1);
    vec![
        format!("{path}/"),
        format!("{path}/anything"),
        format!("/{path}"),
        format!("{path};x=1"),
        format!("{path}%00"),
        format!("{path}%2f"),
        format!("/sign-in/..{path}"),
        format!("/sign-in/%2e%2e{path}"),
        format!("/sign-in/link/..%2f..{path}"),
        format!("/pkg/..{path}"),
        format!("/pkg/%2e%2e{path}"),
        format!("/agent/v1/..{path}"),
        format!("{head}{}", tail.to_ascii_uppercase()),
        format!(
            "{head}%{:02x}{}",
            tail.as_bytes().first().copied().unwrap_or(b'x'),
            tail.get(1..).unwrap_or_default()
        ),
    ]
}

#[tokio::test]
async fn other_spellings_open_nothing() {
    let world = World::new().await;
    let before = world.records().await;
    let guarded = FUNCTIONS
        .iter()
        .filter(|row| row.1 != Nothing)
        .map(|row| (row.0, row.2));
    let guarded = guarded.chain(
        PAGES
            .iter()
            .filter(|row| row.2 != Nothing && row.0.len() > 1)
            .map(|row| (row.1, "")),
    );
    let ladder = concrete(server::http::explain::PATH);
    for (path, body) in guarded.chain([("/events", ""), ("/metrics", ""), (ladder.as_str(), "")]) {
        for variant in variants(path) {
            for method in [
                Method::GET,
                Method::POST,
                Method::HEAD,
                Method::PUT,
                Method::DELETE,
                Method::OPTIONS,
            ] {
                let mut request = own(method.clone(), &variant, None, "*/*", crate::world::FORM, body);
                for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
                    request.headers_mut().insert(name, "POST".parse().expect("a value"));
                }
                for name in ["x-original-url", "x-rewrite-url", "x-forwarded-prefix"] {
                    request.headers_mut().insert(name, "/sign-in".parse().expect("a value"));
                }
                let answer = world.send(request).await;
                assert!(
                    [401, 404, 405].contains(&answer.status.as_u16()),
                    "{method} {variant}: {} {}",
                    answer.status,
                    answer.text()
                );
            }
        }
    }
    // Another method on the real address is refused too, whoever asks.
    let cookie = world.session(Role::Administrator).await;
    for (name, _, body) in FUNCTIONS {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let status = world
                .send(own(method.clone(), name, Some(&cookie), "*/*", JSON, body))
                .await
                .status;
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {name}");
        }
    }
    // The session above made its own records.
    assert!(world.records().await <= before + 3);
}
