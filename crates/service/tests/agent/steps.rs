//! What moving or removing a ring or a location would bring, told before it is done.

use crate::{rings::fleet, support::*};
use domain::LocationId;
use service::Error;
use view::*;

#[tokio::test]
async fn moving_and_removing_a_ring_is_foreseen_by_the_rules_by_which_it_is_done() {
    let server = server().await;
    let admin = server.admin();
    let (_, mut production, patch) = fleet(&server, 1).await;
    assert_eq!(production.refusal(&server, patch).await.0, "soaked");
    let page = server.service.rings(&admin).await.unwrap();
    let (pilot, last) = (page.rings[0].clone(), page.rings[1].clone());
    let step = RingsStep::Move {
        ring: last.id,
        earlier: true,
    };
    let foreseen = server.service.foresee_step(&admin, step).await.unwrap();
    assert_eq!(
        (foreseen.order.as_slice(), foreseen.version),
        (["Production".to_owned(), "Pilot".to_owned()].as_slice(), last.version)
    );
    let brings = foreseen.preview.unwrap();
    assert!(
        brings.change.possible > 0,
        "production need not wait any more: {brings:?}"
    );
    let used = RingsStep::RemoveRing(pilot.id);
    let used = server.service.foresee_step(&admin, used).await.unwrap();
    assert!(used.preview.is_err(), "it is refused before anybody presses: {used:?}");
    // Only looked at: nothing has moved.
    assert_eq!(production.refusal(&server, patch).await.0, "soaked");
}

#[tokio::test]
async fn a_location_goes_and_its_devices_stay() {
    let server = server().await;
    let admin = server.admin();
    let (_, production, _) = fleet(&server, 1).await;
    let form = LocationForm {
        name: "Harbour".into(),
        zone: "Europe/Vienna".into(),
        rate_kib: Some(64),
        max_in_flight: None,
    };
    let saved = server.service.save_location(&admin, None, &form).await.unwrap();
    let id = LocationId(saved.id);
    server
        .service
        .place_device(&admin, production.id, Some(id))
        .await
        .unwrap();
    let seen = server
        .service
        .foresee_step(&admin, RingsStep::RemoveLocation(id))
        .await
        .unwrap();
    assert_eq!(
        (seen.name.as_str(), seen.devices, seen.preview.is_ok()),
        ("Harbour", 1, true)
    );
    let stale = server.service.remove_location(&admin, id, saved.version + 1).await;
    assert!(matches!(stale, Err(Error::Changed)), "{stale:?}");
    server.service.remove_location(&admin, id, saved.version).await.unwrap();
    let there = server
        .number("SELECT count(*) FROM device WHERE location_id IS NOT NULL")
        .await;
    assert_eq!(
        (server.service.rings(&admin).await.unwrap().locations.len(), there),
        (0, 0)
    );
    let again = server.service.remove_location(&admin, id, saved.version).await;
    assert!(matches!(again, Err(Error::NotFound)), "{again:?}");
}
