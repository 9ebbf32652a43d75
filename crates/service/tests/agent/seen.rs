//! The hours in which devices are seen come from their messages, are written with the contacts, and once an hour at most.

use crate::support::*;
use domain::Span;
use service::{Actor, store::seen};
use view::{CalendarAsk, SeenHours};

/// The server starts on a Wednesday, 2026-11-18, at 11:06:40 UTC.
const START: usize = 2 * 24 + 11;

async fn hours(server: &Server) -> SeenHours {
    let calendar = server.service.calendar(&Actor::host(), &CalendarAsk::default()).await;
    calendar.unwrap().seen
}

async fn writes(server: &Server) -> i64 {
    server.number("SELECT n FROM writes").await
}

#[tokio::test]
async fn an_hour_is_written_once_and_in_the_devices_zone() {
    let server = server().await;
    for zone in ["UTC", "Asia/Kathmandu"] {
        let token = server.token(Some(1), true, 1).await;
        let mut device = Device::new(u8::try_from(zone.len()).unwrap());
        device.inventory.host.time_zone = short(zone);
        device.enrol(&server, &token).await;
        device.check_in(&server).await;
    }
    sqlx::raw_sql(
        "CREATE TABLE writes (n INTEGER NOT NULL); INSERT INTO writes VALUES (0);
         CREATE TRIGGER seen_first AFTER INSERT ON device_seen BEGIN UPDATE writes SET n = n + 1; END;
         CREATE TRIGGER seen_again AFTER UPDATE ON device_seen BEGIN UPDATE writes SET n = n + 1; END;",
    )
    .execute(&mut server.sql().await)
    .await
    .unwrap();
    server.service.flush_contacts().await.unwrap();
    assert_eq!(writes(&server).await, 2);
    let token = server.token(Some(1), true, 1).await;
    let mut device = Device::new(99);
    device.inventory.host.time_zone = short("UTC");
    device.enrol(&server, &token).await;
    for _ in 0..10 {
        server.pass(Span::minutes(5));
        device.check_in(&server).await;
        server.service.flush_contacts().await.unwrap();
    }
    assert_eq!(writes(&server).await, 3, "ten check-ins in one hour");
    server.pass(Span::minutes(5));
    device.check_in(&server).await;
    server.service.flush_contacts().await.unwrap();
    assert_eq!(writes(&server).await, 4, "the next hour");
    let seen = hours(&server).await;
    assert_eq!((seen.devices, seen.known), (3, 3));
    let busy: Vec<usize> = (0..168).filter(|slot| seen.shares[*slot] > 0).collect();
    // 11:06 UTC is 16:51 in Kathmandu.
    assert_eq!(busy, [START, START + 1, START + 5]);
    let again = server.restart().await;
    assert_eq!(hours(&again).await, seen, "kept");
    let stored = seen::all(&mut again.sql().await).await.unwrap();
    assert!(stored.iter().all(|d| d.seen.is_some()));
}

#[tokio::test]
async fn hours_are_suggested_from_the_ones_in_which_a_device_was_seen() {
    let server = server().await;
    let mut device = server.device(1, PILOT).await;
    assert!(hours(&server).await.suggested.is_empty(), "nothing is known yet");
    // Two weeks in which it is there from 18:00 to 23:00 in Helsinki, two hours ahead.
    for hour in 0..14 * 24 {
        if (18..23).contains(&((13 + hour) % 24)) {
            device.check_in(&server).await;
            server.service.flush_contacts().await.unwrap();
        }
        server.pass(Span::hours(1));
    }
    let seen = hours(&server).await;
    assert_eq!(
        seen.suggested.len(),
        2,
        "the hour before midnight is left: {:?}",
        seen.suggested
    );
    let best = &seen.suggested[0];
    assert_eq!(
        (best.from.as_str(), best.to.as_str(), best.share),
        ("18:00", "22:00", 100)
    );
    assert_eq!(best.text, "4 h are long enough for an install of 10 min");
}
