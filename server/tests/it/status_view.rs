//! The status view as a browser without JavaScript and a spreadsheet get it (STA-1).

use crate::explain::request;
use crate::world::{Answer, FORM, JSON, World, function, own, page};
use axum::http::{Method, StatusCode};
use domain::{Moment, Role};
use fleet::{Device, Os, Releases};

const NOW: Moment = Moment(1_900_000_000);

/// A device that misses `n` patches.
async fn missing(world: &World, n: usize) {
    let releases = Releases::synthetic(Os::Debian12, n);
    let mut device = Device::new(7, "web-1", Os::Debian12, "Europe/Helsinki", &releases, Moment(0), 3);
    let enrolled = world.send(request(&device.enroll(&world.token().await))).await;
    assert_eq!(enrolled.status, StatusCode::OK, "{}", enrolled.text());
    let mut inventory = device.inventory(&releases, NOW);
    assert_eq!(inventory.updates.len(), n);
    // What a spreadsheet would take for a formula, were it not marked as text.
    if let Some(update) = inventory.updates.first_mut() {
        update.summary = protocol::ShortText::fit("=HYPERLINK(\"http://evil.example\")");
    }
    let reported = world.send(request(&device.report(&inventory, NOW, true))).await;
    assert_eq!(reported.status, StatusCode::OK, "{}", reported.text());
}

#[tokio::test]
async fn the_export_has_the_rows_of_the_page_under_the_same_address() {
    let world = World::new().await;
    missing(&world, 60).await;
    let cookie = world.session(Role::Auditor).await;
    let get = async |query: &str| {
        let path = format!("{}{query}", server::http::export::PATH);
        let file = world.send(page(&path, Some(&cookie))).await;
        assert_eq!(file.status, StatusCode::OK, "{}", file.text());
        file
    };
    let whole = get("").await;
    assert_eq!(whole.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(whole.header("cache-control"), "no-store");
    assert!(whole.header("content-disposition").starts_with("attachment"));
    let rows = rows(&whole);
    assert_eq!(rows.len(), 60);
    assert!(
        rows.iter()
            .all(|row| row.len() == 24 && row[13] == "1" && row[20] == "no")
    );
    assert!(rows.iter().any(|row| row[3].starts_with("'=HYPERLINK(\"http")));

    let product = &rows[5][1];
    let narrow = get(&format!("?product={product}&sort=product&nonsense=%FF")).await;
    let same = rows.iter().filter(|row| row[1] == *product).count();
    assert_eq!(crate::status_view::rows(&narrow).len(), same);
    assert_eq!(crate::status_view::rows(&get("?state=failed").await).len(), 0);
}

fn rows(file: &Answer) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(file.body.as_slice());
    assert_eq!(reader.headers().expect("a header").get(22), Some("approval in Pilot"));
    let rows = reader
        .records()
        .map(|row| row.expect("a row").iter().map(str::to_owned).collect());
    rows.collect()
}

#[tokio::test]
async fn a_view_is_saved_found_and_deleted_without_javascript() {
    let world = World::new().await;
    missing(&world, 3).await;
    let (cookie, other) = (world.session(Role::Auditor).await, world.session(Role::Auditor).await);
    let here = "/patches?q=a%20b&severity=important";
    let before = world.send(page(here, Some(&cookie))).await.text();
    assert!(before.contains("/api/patches/save_view") && !before.contains("/api/patches/delete_view"));

    let body = "name=Worst%20%3Cb%3E&matching=q%3Da%2520b%26severity%3Dimportant";
    let post = own(
        Method::POST,
        "/api/patches/save_view",
        Some(&cookie),
        "text/html",
        FORM,
        body,
    );
    let answer = world.send(post).await;
    assert!(answer.status.is_redirection(), "{} {}", answer.status, answer.text());
    assert_eq!(answer.header("location"), format!("{here}&done=view"));
    let after = world.send(page(here, Some(&cookie))).await.text();
    assert!(after.contains("Worst &lt;b&gt;") && !after.contains("Worst <b>"));
    assert!(after.contains("/api/patches/delete_view") && !after.contains("/api/patches/save_view"));
    let theirs = world.send(page(here, Some(&other))).await.text();
    assert!(!theirs.contains("Worst &lt;b&gt;"), "a view is a person's own");

    let answer = world
        .send(function("/api/patches/delete_view", Some(&cookie), "view=1"))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let gone = world.send(page(here, Some(&cookie))).await.text();
    assert!(!gone.contains("Worst &lt;b&gt;"));
    let again = own(
        Method::POST,
        "/api/patches/delete_view",
        Some(&cookie),
        JSON,
        FORM,
        "view=1",
    );
    assert_eq!(world.send(again).await.text(), "\"not_found\"");
}

#[tokio::test]
async fn an_empty_status_view_says_no_more_than_is_known() {
    let world = World::new().await;
    let (administrator, auditor) = (
        world.session(Role::Administrator).await,
        world.session(Role::Auditor).await,
    );
    let shown = async |cookie: &str| world.send(page("/patches", Some(cookie))).await.text();
    let new = shown(&auditor).await;
    assert!(new.contains("No devices yet") && new.contains("An administrator enrols devices."));
    assert!(!new.contains("/accounts#enrolment"), "a way to a refusal");
    let new = shown(&administrator).await;
    assert!(new.contains("href=\"/accounts#enrolment\"") && !new.contains("An administrator enrols"));
    world.device().await;
    let unseen = shown(&auditor).await;
    assert!(unseen.contains("Nothing is known yet") && !unseen.contains("Nothing is missing"));
    missing(&world, 0).await;
    let seen = shown(&auditor).await;
    assert!(seen.contains("Nothing is missing") && !seen.contains("Nothing is known yet"));
}
