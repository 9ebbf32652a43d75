//! Forms without JavaScript: what they ask for, what is refused, and what is said about it.

use crate::world::{FORM, HOST, ORIGIN, World, own, page};
use axum::http::{Method, StatusCode, header};
use domain::{DeviceId, Moment, PatchId, Role};
use fleet::{Device, Os, Releases};
use service::Actor;

/// One device of the pilot ring that misses a patch.
pub(crate) async fn with_a_patch() -> World {
    let world = World::new().await;
    let releases = Releases::synthetic(Os::Debian12, 1);
    let now = Moment(1_900_000_000);
    let mut device = Device::new(7, "web-1", Os::Debian12, "Etc/UTC", &releases, Moment(0), 1);
    let messages = [device.enroll(&world.token().await), {
        let inventory = device.inventory(&releases, now);
        device.report(&inventory, now, true)
    }];
    for message in messages {
        let reply = world
            .service
            .agent(message.path, &message.key_id, &message.signature, &message.body)
            .await;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    }
    let host = Actor::host();
    let group = Some(domain::GroupId(1));
    world
        .service
        .move_device(&host, DeviceId(1), group)
        .await
        .expect("a group");
    world
}

/// Sends a form as a browser does, and follows it to the page on which it lands.
async fn sent(world: &World, cookie: &str, from: &str, to: &str, body: &str) -> (String, String) {
    let mut request = own(Method::POST, to, Some(cookie), "text/html", FORM, body);
    let referer = format!("{ORIGIN}{from}").parse().expect("an address");
    request.headers_mut().insert(header::REFERER, referer);
    let answer = world.send(request).await;
    assert_eq!(answer.status, StatusCode::FOUND, "{to}: {}", answer.text());
    let at = answer.header("location").replace(&format!("http://{HOST}"), "");
    let shown = world.send(page(&at, Some(cookie))).await;
    (at, shown.text())
}

/// The words of a page without its tags.
fn words(html: &str) -> String {
    let body = html.split_once("<body").map_or(html, |(_, body)| body);
    let pieces = body
        .split('<')
        .map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text));
    pieces.collect::<Vec<_>>().concat().replace("&#39;", "'")
}

#[tokio::test]
async fn an_approval_goes_outside_windows_only_together_with_urgent() {
    let world = with_a_patch().await;
    let cookie = world.session(Role::SecurityOfficer).await;
    let address = "/patches/decide?verb=urgent&sel=1.1&for=1";
    let form = world.send(page(address, Some(&cookie))).await.text();
    for name in [
        "name=\"urgent\"",
        "name=\"outside_windows\"",
        "name=\"verb\" value=\"approve\"",
    ] {
        assert!(form.contains(name), "{name} in {form}");
    }
    assert!(
        !form.contains("disabled"),
        "without JavaScript both boxes can be ticked"
    );
    let plain = "verb=approve&ring=1&selection=1.1&reason=exploited&back=/patches/1";
    let records = world.records().await;
    let send = async |extra: &str| {
        sent(
            &world,
            &cookie,
            address,
            "/api/patches/decide",
            &format!("{plain}{extra}"),
        )
        .await
    };
    let (at, text) = send("&outside_windows=1").await;
    assert!(at.starts_with("/patches/decide?"), "{at}");
    let refusal = "Outside maintenance windows: only an urgent approval can; tick that, too, or neither.";
    assert!(words(&text).contains(refusal), "{}", words(&text));
    assert_eq!(world.records().await, records, "nothing was decided");

    let (at, text) = send("&urgent=1&outside_windows=1").await;
    assert!(at.starts_with("/patches/1"), "{at}");
    let text = words(&text);
    for said in [
        "approved, urgent, outside windows too",
        "urgent: the soak and the windows are skipped",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    let line = world.service.explain(&Actor::host(), DeviceId(1), PatchId(1)).await;
    let line = line.expect("a missing patch");
    let window = line.ladder.iter().find(|step| step.gate == "window").expect("a gate");
    assert_eq!(window.text.to_string(), "No window limits this device");
}

/// What was typed into a form of the schedule, sent by the button "Check" or "Save" without JavaScript.
pub(crate) async fn typed(world: &World, cookie: &str, what: &str, act: &str, fields: &str) -> (String, String) {
    let from = format!("/schedule/{what}/new");
    let body = format!("what={what}&act={act}&{fields}");
    let (at, html) = sent(world, cookie, &from, "/api/schedule/save", &body).await;
    (at, words(&html))
}

#[tokio::test]
async fn a_check_says_without_javascript_what_a_form_would_do() {
    let world = with_a_patch().await;
    let cookie = world.session(Role::Administrator).await;
    let window = "name=Saturdays&when=weekly&day5=1&at=22:00&hours=4&minutes=0&zone=utc";
    let (at, _) = typed(&world, &cookie, "windows", "save", window).await;
    assert!(at.ends_with("?done=scheduled"), "{at}");
    let hours = "name=Mornings&scan=24&scan_unit=hours&install=24&install_unit=hours&hours=some&from=08:00&to=10:00\
                 &day0=1&day3=1&zone=utc&scope=some&group1=1&position=5";
    let (at, text) = typed(&world, &cookie, "profiles", "check", hours).await;
    assert!(
        at.starts_with("/schedule/profiles/new?") && at.ends_with("#check"),
        "{at}"
    );
    // 1,900,000,000 is a Sunday evening.
    for said in [
        "The next five times",
        "Mon 18 Mar 2030 08:00 UTC to Mon 18 Mar 2030 10:00 UTC",
        "Thu 21 Mar 2030 08:00 UTC",
        "Mon 1 Apr 2030 08:00 UTC",
        "never meet in the coming year: nothing is installed there.",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
}

#[tokio::test]
async fn what_contradicts_or_lies_too_far_ahead_is_said_on_the_form() {
    let world = with_a_patch().await;
    let cookie = world.session(Role::Administrator).await;
    let exception = "about=patch&patch=%231&covers=all&reason=known+fault";
    let first = format!("{exception}&expires=2030-05-01T00:00");
    let (at, _) = typed(&world, &cookie, "exceptions", "save", &first).await;
    assert!(at.ends_with("?done=scheduled"), "{at}");
    let other = format!("{exception}&expires=2030-06-01T00:00");
    let (_, text) = typed(&world, &cookie, "exceptions", "check", &other).await;
    let differs = "Another exception about the same ends at another time. The later end counts.";
    assert!(text.contains(differs), "{text}");

    let records = world.records().await;
    let far = format!("{exception}&expires=9999-12-31T00:00");
    let freeze = "name=Far&from=2030-04-01T00:00&to=9999-12-31T00:00&zone=utc";
    let window = "name=Far&when=once&once_date=9999-12-01&at=22:00&hours=4&minutes=0&zone=utc";
    for (what, fields) in [("exceptions", far.as_str()), ("freezes", freeze), ("windows", window)] {
        let (at, text) = typed(&world, &cookie, what, "save", fields).await;
        assert!(at.starts_with(&format!("/schedule/{what}/new?")), "{at}");
        for said in [
            "Not saved",
            "Nothing that you typed is lost.",
            "is not between 2000 and 2099.",
        ] {
            assert!(text.contains(said), "{said} in {text}");
        }
    }
    assert_eq!(world.records().await, records, "nothing was saved");
}

/// The elements of a page that begin with `start`, each up to its end.
fn elements<'a>(html: &'a str, start: &str) -> Vec<&'a str> {
    html.match_indices(start)
        .filter_map(|(at, _)| html[at..].split('>').next())
        .collect()
}

/// The value of a page's hidden field.
fn hidden(html: &str, name: &str) -> String {
    let start = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
    let (_, rest) = html.split_once(&start).unwrap_or_else(|| panic!("no {name} in {html}"));
    rest.split('"').next().unwrap_or_default().replace("&amp;", "&")
}

#[tokio::test]
async fn a_refused_approval_comes_back_as_it_was_filled_in() {
    let world = with_a_patch().await;
    let cookie = world.session(Role::SecurityOfficer).await;
    let address = "/patches/decide?verb=urgent&sel=1.1";
    let form = world.send(page(address, Some(&cookie))).await.text();
    let rings = elements(&form, "<input type=\"radio\" name=\"ring\"");
    assert!(
        rings.len() == 2 && rings.iter().all(|ring| ring.contains("required")),
        "{rings:?}"
    );
    assert!(
        rings.iter().all(|ring| !ring.contains("checked")),
        "nobody chose one: {rings:?}"
    );

    // Production asks for a rollback plan, and there is none.
    let body = "verb=approve&ring=2&selection=1.1&reason=%3C%2Ftextarea%3E+%26+%22x%22&back=/patches&outside_windows=&with_superseded=1";
    let (at, html) = sent(&world, &cookie, address, "/api/patches/decide", body).await;
    assert!(
        at.starts_with("/patches/decide?verb=urgent&sel=1.1&for=2&urgent=0&"),
        "{at}"
    );
    assert!(
        words(&html).contains("The ring asks for a rollback plan"),
        "{}",
        words(&html)
    );
    let chosen = elements(&html, "<input type=\"radio\" name=\"ring\"")
        .into_iter()
        .filter(|ring| ring.contains("checked"))
        .collect::<Vec<_>>();
    assert!(chosen.len() == 1 && chosen[0].contains("value=\"2\""), "{chosen:?}");
    let urgent = elements(&html, "<input type=\"checkbox\" name=\"urgent\"");
    assert!(
        urgent.len() == 1 && !urgent[0].contains("checked"),
        "it was taken off: {urgent:?}"
    );
    assert!(html.contains(">&lt;/textarea> &amp; \"x\"</textarea>"), "{html}");

    // Sent again from there, with the tick: decided, and nothing of the refusal is left.
    let body = format!("{body}&without_plan=1");
    let (again, html) = sent(&world, &cookie, &at, "/api/patches/decide", &body).await;
    assert!(again.starts_with("/patches?done=approved&n=1"), "{again}");
    assert!(words(&html).contains("1 patch: approved."), "{}", words(&html));

    let long = format!("{}&reason={}", "verb=approve&ring=9&selection=1.1", "x".repeat(1_000));
    let from = format!("{at}&q={}", "y".repeat(900));
    let (at, html) = sent(&world, &cookie, &from, "/api/patches/decide", &long).await;
    assert!(at.len() < 1_600 && at.contains("for=9"), "{at}");
    assert!(
        words(&html).contains("The reason was too long to be brought back"),
        "{}",
        words(&html)
    );
}

#[tokio::test]
async fn all_that_match_are_those_that_the_page_showed() {
    let world = with_a_patch().await;
    let cookie = world.session(Role::SecurityOfficer).await;
    let address = "/patches/decide?verb=approve&all=1&state=missing";
    let form = world.send(page(address, Some(&cookie))).await.text();
    let [matching, count, seen] = ["matching", "count", "fingerprint"].map(|name| hidden(&form, name));
    assert_eq!(
        (matching.as_str(), count.as_str(), seen.len()),
        ("state=missing", "1", 64)
    );
    let send = async |seen: &str| {
        let body =
            format!("verb=approve&ring=1&matching=state%3Dmissing&count=1&fingerprint={seen}&reason=a&back=/patches");
        sent(&world, &cookie, address, "/api/patches/decide", &body).await
    };
    let (_, html) = send(&seen.replace(|c: char| c.is_ascii_digit(), "e")).await;
    assert!(
        words(&html).contains("This changed since the page was made."),
        "{}",
        words(&html)
    );
    let (_, html) = send(&seen).await;
    assert!(words(&html).contains("1 patch: approved."), "{}", words(&html));
    let (_, html) = send(&seen).await;
    assert!(
        words(&html).contains("This changed since the page was made."),
        "its revision did"
    );

    // What is looked at now is approved already: nothing happens, and nothing is told as done.
    let form = world.send(page(address, Some(&cookie))).await.text();
    let (at, html) = send(&hidden(&form, "fingerprint")).await;
    assert!(at.contains("done=approved&n=0&left=1"), "{at}");
    let said = "Nothing was decided. 1 patch left out: decided so already,";
    assert!(words(&html).contains(said), "{}", words(&html));
    assert!(
        html.contains("data-tone=\"warn\" role=\"status\" class=\"flash\""),
        "{html}"
    );
}

#[tokio::test]
async fn an_act_leads_back_to_the_list_as_it_was_shown() {
    let world = with_a_patch().await;
    let cookie = world.session(Role::Administrator).await;
    for (address, back) in [
        ("/patches/1?state=missing&ring=1", "/patches/1?state=missing&ring=1"),
        ("/patches/1", "/patches/1"),
        ("/devices/1?show=security", "/devices/1?show=security"),
    ] {
        let html = world.send(page(address, Some(&cookie))).await.text();
        let (_, act) = html
            .split_once("action=\"/api/patches/problem\"")
            .unwrap_or_else(|| panic!("{address}: {html}"));
        assert_eq!(hidden(act, "back"), back);
    }
    let body = "device=1&patch=1&reason=x&back=/patches/1%3Fstate%3Dmissing%23devices";
    let (at, _) = sent(&world, &cookie, "/patches/1", "/api/patches/problem", body).await;
    assert_eq!(at, "/patches/1?state=missing&done=problem#devices");
}

#[tokio::test]
async fn ones_own_password_is_changed_where_the_current_one_is_asked() {
    let world = World::new().await;
    let cookie = world.session(Role::Administrator).await;
    let forms = async || {
        let page = world.send(page("/accounts", Some(&cookie))).await.text();
        let row = page.split("<tbody").last().unwrap_or_default().to_owned();
        (
            row.matches("action=\"/api/accounts/password\"").count(),
            row.contains("href=\"/password\""),
        )
    };
    assert_eq!(forms().await, (0, true), "the own row");
    world.session(Role::Auditor).await;
    assert_eq!(forms().await, (1, true), "somebody else's");
}

#[tokio::test]
async fn a_new_token_says_what_its_command_needs() {
    let world = World::new().await;
    let cookie = world.session(Role::Administrator).await;
    let shown = async |address: &str| {
        let kept = format!("pwe_x\npatchward-agent enroll {address} pwe_x\n1900003600");
        let cookie = format!("{cookie}; patchward-once={}", hex::encode(kept));
        let page = words(&world.send(page("/accounts", Some(&cookie))).await.text());
        assert!(page.contains("The program patchward-agent has to be on the device."));
        page.contains(
            "This address works on the server itself only: for other devices start the server with --public-url.",
        )
    };
    assert!(!shown("https://patch.example").await);
    for local in ["http://127.0.0.1:7677", "http://localhost:80", "http://[::1]:7677"] {
        assert!(shown(local).await, "{local}");
    }
}
