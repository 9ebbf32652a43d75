//! The place of a message in its sequence: repeats, late comers, restarts, and two agents with one key.

use crate::support::*;
use domain::{DeviceState, Measured, Span};
use protocol::v1::*;

#[tokio::test]
async fn a_repeat_gets_the_same_bytes_and_a_late_comer_is_stale() {
    let server = server().await;
    let mut device = server.device(1, PILOT).await;
    let message = device.check_in_message();
    let first = device.seal(message.clone());
    let reply = device.send_raw(&server, CHECK_IN, &first).await;
    server.pass(Span(30));
    assert_eq!(
        device.send_raw(&server, CHECK_IN, &first).await,
        reply,
        "the same question has the same answer"
    );
    device.check_in(&server).await;
    let before = server.dump().await;
    assert_eq!(
        refused(&device.send_raw(&server, CHECK_IN, &first).await),
        RefusalCode::Stale
    );
    assert_eq!(server.dump().await, before);
    assert_eq!(
        server.number("SELECT state FROM device").await,
        DeviceState::Active.code()
    );
}

#[tokio::test]
async fn two_agents_with_one_key_are_found_and_get_no_permit() {
    let (server, mut device, patch) = approved().await;
    let mut copy = device.clone();
    device.check_in(&server).await;
    let message = CheckIn {
        boot_id: short("another"),
        ..copy.check_in_message()
    };
    let reply = copy.send(&server, CHECK_IN, message).await;
    assert_eq!(
        refused(&reply),
        RefusalCode::Stale,
        "the same number with other content"
    );
    assert_eq!(
        server.number("SELECT state FROM device").await,
        DeviceState::Quarantined.code()
    );
    assert_eq!(
        server
            .number("SELECT count(*) FROM audit WHERE action = 'device.state'")
            .await,
        1
    );
    let permit = PermitRequest {
        patch,
        kind: ActionKind::Install,
        current: Vec::new(),
    };
    assert_eq!(
        refused(&device.send(&server, PERMIT, permit).await),
        RefusalCode::NotActive,
        "I-38"
    );
    assert_eq!(device.check_in(&server).await.state, DeviceState::Quarantined);
    server
        .service
        .accept_device(&server.officer().await, device.id, "looked")
        .await
        .unwrap();
    device.permit(&server, patch).await;
}

#[tokio::test]
async fn an_older_number_sent_later_is_a_copy_too() {
    let server = server().await;
    let mut device = server.device(1, PILOT).await;
    let mut copy = device.clone();
    for _ in 0..3 {
        device.check_in(&server).await;
    }
    copy.sent_at = device.sent_at + Span(60);
    let message = copy.check_in_message();
    assert_eq!(
        refused(&copy.send(&server, CHECK_IN, message).await),
        RefusalCode::Stale
    );
    assert_eq!(
        server.number("SELECT state FROM device").await,
        DeviceState::Quarantined.code()
    );
}

#[tokio::test]
async fn after_a_restart_nothing_old_is_taken_and_repeats_are_harmless() {
    let server = server().await;
    let mut device = server.device(1, PILOT).await;
    let old = device.check_in_message();
    let old = device.seal(old);
    device.send_raw(&server, CHECK_IN, &old).await;
    let mut inventory = inventory(&[("a", "1")], &[("a", "2", true)]);
    inventory.normalize();
    device.inventory = inventory.clone();
    let body = device.seal(full(&inventory));
    let reply = device.send_raw(&server, REPORT, &body).await;
    assert_eq!(reply.status, 200);
    let before = server.dump().await;
    let server = server.restart().await;
    assert_eq!(device.send_raw(&server, REPORT, &body).await, reply);
    assert_eq!(server.dump().await, before, "a repeat leads to the same rows");
    assert_eq!(
        refused(&device.send_raw(&server, CHECK_IN, &old).await),
        RefusalCode::Stale
    );
}

#[tokio::test]
async fn a_check_in_without_news_writes_only_in_its_batch() {
    let server = server().await;
    let mut device = server.scanned(1, PILOT, inventory(&[("a", "1")], &[])).await;
    let before = server.dump().await;
    server.pass(Span(60));
    let reply = device.check_in(&server).await;
    assert!(!reply.want_full_report && reply.policy.is_none() && reply.orders.is_empty() && !reply.scan_now);
    assert!((48..=72).contains(&reply.poll_after));
    assert_eq!(server.dump().await, before, "nothing is written for it");
    server.service.flush_contacts().await.unwrap();
    assert_eq!(
        server.number("SELECT last_contact_at FROM device_contact").await,
        server.service.now().0
    );
    assert_eq!(server.number("SELECT seq FROM device_contact").await, 2);
    server.service.flush_contacts().await.unwrap();
    let other = CheckIn {
        inventory: None,
        policy_version: 0,
        ..device.check_in_message()
    };
    let reply: CheckInReply = accepted(&device.send(&server, CHECK_IN, other).await);
    assert!(reply.want_full_report && reply.policy.is_some());
}

/// A fleet's check-ins cost one narrow row each: what a device says is written when it is news.
#[tokio::test]
async fn what_a_check_in_says_again_is_not_written_again() {
    let server = server().await;
    let mut device = server.scanned(1, PILOT, inventory(&[("a", "1")], &[])).await;
    let line = Measured {
        download_rate: Some(2_000),
        restart: Some(Span(40)),
    };
    let first = CheckIn {
        measured: line,
        ..device.check_in_message()
    };
    device.send(&server, CHECK_IN, first).await;
    server.service.flush_contacts().await.unwrap();
    let mut sql = server.sql().await;
    let closed = "CREATE TRIGGER closed BEFORE UPDATE ON device BEGIN SELECT RAISE(ABORT, 'a wide row'); END";
    sqlx::raw_sql(closed).execute(&mut sql).await.unwrap();
    // The same again, and without what was measured.
    for measured in [line, Measured::default()] {
        server.pass(Span(60));
        let again = CheckIn {
            measured,
            ..device.check_in_message()
        };
        device.send(&server, CHECK_IN, again).await;
        server.service.flush_contacts().await.unwrap();
    }
    assert_eq!(server.number("SELECT seq FROM device_contact").await, 4);
    let restarted = CheckIn {
        boot_id: short("another"),
        ..device.check_in_message()
    };
    device.send(&server, CHECK_IN, restarted).await;
    assert!(
        server.service.flush_contacts().await.is_err(),
        "news are written, or kept"
    );
    sqlx::raw_sql("DROP TRIGGER closed").execute(&mut sql).await.unwrap();
    server.service.flush_contacts().await.unwrap();
    let written =
        "SELECT count(*) FROM device WHERE boot_id = 'another' AND download_rate = 2000 AND restart_took = 40";
    assert_eq!(server.number(written).await, 1);
    // Said and taken back before it was written: what holds is the last word.
    for boot in ["a third", "another"] {
        let said = CheckIn {
            boot_id: short(boot),
            ..device.check_in_message()
        };
        device.send(&server, CHECK_IN, said).await;
    }
    server.service.flush_contacts().await.unwrap();
    assert_eq!(server.number(written).await, 1);
}
