//! What stands between a person's browser and other sites: origin of requests, content policy, cookies.

use crate::world::{FORM, ORIGIN, World, function, functions, own, page, pages};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use domain::Role;

#[tokio::test]
async fn another_site_reaches_no_server_function() {
    let world = World::new().await;
    let cookie = world.session(Role::Administrator).await;
    let before = world.records().await;
    let foreign: [&[(&str, &str)]; 7] = [
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        &[("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:8080")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "cross-site"), ("origin", ORIGIN)],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[],
    ];
    for (path, _) in functions() {
        for headers in foreign {
            let mut request = Request::post(&path)
                .header(header::COOKIE, &cookie)
                .header(header::CONTENT_TYPE, FORM);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = world
                .send(request.body(Body::from("name=x&role=auditor")).expect("a request"))
                .await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} with {headers:?}");
        }
    }
    assert_eq!(world.records().await, before);
    // The same from our own page, with either header.
    for own_site in [("sec-fetch-site", "same-origin"), ("origin", ORIGIN)] {
        let request = Request::post("/api/accounts/list")
            .header(header::COOKIE, &cookie)
            .header(header::CONTENT_TYPE, "application/json")
            .header(own_site.0, own_site.1);
        let answer = world.send(request.body(Body::from("{}")).expect("a request")).await;
        assert_eq!(answer.status, StatusCode::OK, "{own_site:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_form_is_never_sent_back_to_another_site() {
    let world = World::new().await;
    let cookie = world.session(Role::Administrator).await;
    let mut request = own(
        Method::POST,
        "/api/patches/hold",
        Some(&cookie),
        "text/html",
        FORM,
        "patch=999&reason=x",
    );
    request.headers_mut().insert(
        header::REFERER,
        "https://evil.example/collect".parse().expect("a value"),
    );
    let answer = world.send(request).await;
    assert!(!answer.header("location").contains("evil"), "{:?}", answer.headers);
}

#[tokio::test]
async fn every_page_allows_its_own_scripts_only() {
    let world = World::new().await;
    let cookie = world.session(Role::Administrator).await;
    let mut nonces = Vec::new();
    for path in pages().await.into_iter().chain(["/no/such/page".to_owned()]) {
        let address = path
            .replace("{id}", "999")
            .replace("{token}", "abcdefghijklmnopqrstuvwxyz0123456789");
        let answer = world.send(page(&address, Some(&cookie))).await;
        if answer.status.is_redirection() {
            continue;
        }
        assert!(
            [200, 404].contains(&answer.status.as_u16()),
            "{address}: {}",
            answer.status
        );
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "object-src 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{address}: {policy:?} lacks {part}");
        }
        assert!(
            !policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"),
            "{address}: {policy}"
        );
        let nonce = policy
            .split("'nonce-")
            .nth(1)
            .and_then(|rest| rest.split('\'').next())
            .unwrap_or_default()
            .to_owned();
        assert!(nonce.len() >= 16, "{address}: {policy}");
        let text = answer.text();
        let scripts = text.matches("<script").count();
        assert!(scripts > 0, "{address} has no script at all");
        let own = text.matches(&format!("nonce=\"{nonce}\"")).count();
        assert!(own >= scripts, "{address}: a script without the nonce");
        assert!(
            !text.contains(" style=\"") && !text.contains(" onclick="),
            "{address} has inline style or script"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), value, "{address}: {name}");
        }
        assert!(answer.header("permissions-policy").contains("camera=()"), "{address}");
        nonces.push(nonce);
    }
    let all = nonces.len();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), all, "a nonce was used twice");
}

#[tokio::test]
async fn data_is_never_kept_by_a_cache_and_never_run_as_a_page() {
    let world = World::new().await;
    let cookie = world.session(Role::Administrator).await;
    let answer = world.send(function("/api/accounts/list", Some(&cookie), "{}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(
        answer
            .header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(
        answer.headers.get("strict-transport-security").is_none(),
        "not on plain http"
    );
}

#[tokio::test]
async fn the_cookie_is_for_this_host_and_unreadable() {
    for (url, name) in [("https://patch.example", "__Host-sid="), (ORIGIN, "sid=")] {
        let world = World::at(url).await;
        let host = service::Actor::host();
        world
            .service
            .create_account(&host, "anna", Role::Auditor, None)
            .await
            .expect("a new name");
        let link = world.service.make_sign_in_link(&host, "anna").await.expect("a link");

        // Looking at the link, as mail scanners do, does not use it up.
        for _ in 0..2 {
            let look = world.send(page(&format!("/sign-in/link/{link}"), None)).await;
            assert_eq!(look.status, StatusCode::OK);
            assert!(look.headers.get("set-cookie").is_none());
        }
        let answer = world
            .send(function("/api/session/follow_link", None, &format!("token={link}")))
            .await;
        let cookie = answer.header("set-cookie").to_owned();
        assert!(cookie.starts_with(name), "{cookie:?} {}", answer.text());
        for part in ["; Path=/", "; HttpOnly", "; SameSite=Strict"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain="), "{cookie}");
        assert_eq!(cookie.contains("; Secure"), url.starts_with("https"), "{cookie}");
        assert_eq!(
            answer.headers.get("strict-transport-security").is_some(),
            url.starts_with("https")
        );

        let again = world
            .send(function("/api/session/follow_link", None, &format!("token={link}")))
            .await;
        assert!(
            again.headers.get("set-cookie").is_none() && again.text().contains("link_spent"),
            "{}",
            again.text()
        );

        let pair = cookie.split(';').next().unwrap_or_default();
        let me = world.send(function("/api/session/me", Some(pair), "{}")).await;
        assert!(me.text().contains("anna"), "{}", me.text());
        let out = world.send(function("/api/session/sign_out", Some(pair), "")).await;
        assert!(out.header("set-cookie").contains("Max-Age=0"), "{:?}", out.headers);
        let after = world.send(function("/api/session/me", Some(pair), "{}")).await;
        assert_eq!(after.status, StatusCode::UNAUTHORIZED);
        assert!(
            after.header("set-cookie").contains("Max-Age=0"),
            "the browser may forget it"
        );
    }
}

#[tokio::test]
async fn a_link_in_a_mail_leads_to_the_page_and_not_to_the_sign_in() {
    let world = World::new().await;
    let mut request = page("/patches/3?x=1", None);
    request
        .headers_mut()
        .insert("sec-fetch-site", "cross-site".parse().expect("a value"));
    let answer = world.send(request).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text().contains("http-equiv=\"refresh\"") && answer.headers.get("set-cookie").is_none());
    let answer = world.send(page("/patches/3?x=1", None)).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (StatusCode::SEE_OTHER, "/sign-in?next=/patches/3%3Fx%3D1")
    );
}

#[tokio::test]
async fn after_signing_in_nothing_is_said_that_was_said_before() {
    let world = World::new().await;
    let answer = world.send(page("/patches/7?done=held&q=x&n=1", None)).await;
    assert_eq!(answer.header("location"), "/sign-in?next=/patches/7%3Fq%3Dx");
    // A form that is sent when the session is over, from a page that says what the form before did.
    for (accept, status) in [
        ("text/html", StatusCode::SEE_OTHER),
        ("application/json", StatusCode::UNAUTHORIZED),
    ] {
        let mut form = own(
            Method::POST,
            "/api/patches/hold",
            None,
            accept,
            FORM,
            "patch=7&reason=x",
        );
        let from = format!("{ORIGIN}/patches/7?done=held&left=1&late=2&__path=x&__err=y");
        form.headers_mut()
            .insert(header::REFERER, from.parse().expect("a value"));
        let answer = world.send(form).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (status, "/sign-in?next=/patches/7")
        );
    }
}

#[tokio::test]
async fn a_form_that_is_too_large_is_refused() {
    let world = World::new().await;
    let cookie = world.session(Role::Administrator).await;
    let body = format!("patch=1&reason={}", "x".repeat(300 * 1024));
    let mut announced = function("/api/patches/hold", Some(&cookie), &body);
    announced
        .headers_mut()
        .insert(header::CONTENT_LENGTH, body.len().into());
    assert_eq!(world.send(announced).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    // Without a length the reading ends at the limit, and the function never sees its arguments.
    let answer = world.send(function("/api/patches/hold", Some(&cookie), &body)).await;
    assert_eq!(answer.text(), "\"transport\"");
}
