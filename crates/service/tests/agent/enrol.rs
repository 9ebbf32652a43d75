//! Enrolment: one use a device, and every refusal says what to do.

use crate::support::*;
use domain::{DeviceState, Span};
use protocol::v1::*;

async fn try_with(server: &Server, seed: u8, token: &str) -> service::agents::WireReply {
    let device = Device::new(seed);
    let body = serde_json::to_vec(&device.enrol_request(token)).unwrap();
    device.send_raw(server, ENROLL, &body).await
}

#[tokio::test]
async fn every_bad_token_has_its_own_answer_and_changes_nothing() {
    let server = server().await;
    let token = server.token(None, false, 1).await;
    let before = server.dump().await;
    assert_eq!(refused(&try_with(&server, 1, "").await), RefusalCode::Malformed);
    assert_eq!(
        refused(&try_with(&server, 1, "pwe_short_x").await),
        RefusalCode::Malformed
    );
    assert_eq!(
        refused(&try_with(&server, 1, &token[..60]).await),
        RefusalCode::Malformed
    );
    let (start, key) = token.rsplit_once('_').unwrap();
    let other_server = format!("{start}_{}", "0".repeat(32));
    assert_eq!(
        refused(&try_with(&server, 1, &other_server).await),
        RefusalCode::TokenUnknown
    );
    let unknown = format!("pwe_{}_{key}", "x".repeat(43));
    assert_eq!(
        refused(&try_with(&server, 1, &unknown).await),
        RefusalCode::TokenUnknown
    );
    assert_eq!(server.dump().await, before);

    server.pass(Span::hours(24));
    assert_eq!(refused(&try_with(&server, 1, &token).await), RefusalCode::TokenExpired);
    let revoked = server.token(None, false, 1).await;
    let id = domain::TokenId(server.number("SELECT max(id) FROM enrol_token").await);
    server.service.revoke_token(&server.admin(), id).await.unwrap();
    assert_eq!(
        refused(&try_with(&server, 1, &revoked).await),
        RefusalCode::TokenRevoked
    );
    assert_eq!(server.number("SELECT count(*) FROM device").await, 0);
}

#[tokio::test]
async fn a_lost_reply_costs_no_second_use() {
    let server = server().await;
    let token = server.token(None, false, 1).await;
    let mut device = Device::new(1);
    let first = device.enrol(&server, &token).await;
    assert_eq!(first.state, DeviceState::Pending);
    assert_eq!(first.key_id, device.key_id());
    server.pass(Span::hours(48));
    let again = device.enrol(&server, &token).await;
    assert_eq!(
        (again.device, server.number("SELECT uses FROM enrol_token").await),
        (first.device, 1)
    );
    assert_eq!(
        server
            .number("SELECT count(*) FROM audit WHERE action = 'device.enrolled'")
            .await,
        1
    );
    assert_eq!(refused(&try_with(&server, 2, &token).await), RefusalCode::TokenExpired);

    let used = server.token(Some(1), true, 1).await;
    let mut active = Device::new(3);
    assert_eq!(active.enrol(&server, &used).await.state, DeviceState::Active);
    assert_eq!(refused(&try_with(&server, 4, &used).await), RefusalCode::TokenUsedUp);
    let other = server.token(None, true, 5).await;
    assert_eq!(
        refused(&try_with(&server, 3, &other).await),
        RefusalCode::Stale,
        "a known key does not enrol twice"
    );
}

#[tokio::test]
async fn a_key_must_be_held_by_who_enrols_it() {
    let server = server().await;
    let token = server.token(None, false, 1).await;
    let (victim, thief) = (Device::new(1), Device::new(2));
    let body = serde_json::to_vec(&victim.enrol_request(&token)).unwrap();
    let signature = protocol::sign::sign_request(&thief.key, ENROLL, &body);
    for key_id in [victim.key_id(), thief.key_id()] {
        assert_eq!(
            refused(&server.service.agent(ENROLL, &key_id, &signature, &body).await),
            RefusalCode::BadSignature
        );
    }
    assert_eq!(server.number("SELECT count(*) FROM device").await, 0);
}

#[tokio::test]
async fn pending_devices_report_and_get_no_permit_and_are_capped() {
    let server = server().await;
    let token = server.token(Some(1), false, 1_000).await;
    let mut device = Device::new(1);
    device.enrol(&server, &token).await;
    device
        .report(&server, inventory(&[("a", "1")], &[("a", "2", true)]))
        .await;
    let patch = server.patch("a", "2").await;
    server.approve(patch, PILOT).await;
    let reply = device.check_in(&server).await;
    assert_eq!(
        (reply.state, reply.orders.len(), reply.want_full_report),
        (DeviceState::Pending, 0, false)
    );
    let message = PermitRequest {
        patch,
        kind: ActionKind::Install,
        current: Vec::new(),
    };
    assert_eq!(
        refused(&device.send(&server, PERMIT, message).await),
        RefusalCode::NotActive
    );
    assert_eq!(server.number("SELECT count(*) FROM attempt").await, 0, "I-8");

    let mut sql = server.sql().await;
    sqlx::query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 499)
         INSERT INTO device (key_id, public_key, state, scan_only, hostname, os_release_id, arch, zone, enrolled_at)
         SELECT 'k' || i, zeroblob(32), 0, 0, 'x', 1, 'amd64', 'UTC', 0 FROM n",
    )
    .execute(&mut sql)
    .await
    .unwrap();
    assert_eq!(refused(&try_with(&server, 9, &token).await), RefusalCode::TooMany);
}
