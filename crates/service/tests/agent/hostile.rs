//! Whatever does not fit is refused with a reason and changes nothing, byte for byte (I-40).

use crate::support::*;
use domain::Span;
use protocol::{limits, v1::*};

#[tokio::test]
async fn hostile_bodies_change_nothing() {
    let server = server().await;
    let mut device = server
        .scanned(1, PILOT, inventory(&[("a", "1")], &[("a", "2", true)]))
        .await;
    let before = server.dump().await;
    let report = full(&device.inventory);
    let good = String::from_utf8(device.seal(report)).unwrap();
    let send = |body: Vec<u8>, path: &'static str| {
        let (device, server) = (&device, &server);
        async move { refused(&device.send_raw(server, path, &body).await) }
    };
    let paths = [CHECK_IN, REPORT, PERMIT, RESULTS, ENROLL];
    for path in paths {
        assert_eq!(
            send(vec![b' '; limits::MAX_BODY + 1], path).await,
            RefusalCode::TooLarge,
            "{path}"
        );
        assert_eq!(
            send(format!("{}1{}", "[".repeat(40), "]".repeat(40)).into_bytes(), path).await,
            RefusalCode::Malformed,
            "{path}"
        );
        for bad in [
            "",
            "{",
            "null",
            "[]",
            "\u{0}",
            "{\"seq\":1}",
            "{\"seq\":-1,\"nonce\":\"\",\"sent_at\":0,\"message\":{}}",
        ] {
            assert_eq!(
                send(bad.as_bytes().to_vec(), path).await,
                RefusalCode::Malformed,
                "{path} {bad:?}"
            );
        }
    }
    let mutations = [
        ("\"hostname\":\"host\"", "\"hostname\":\"ho\\u0007st\""),
        ("\"hostname\":\"host\"", "\"hostname\":\"ho\\nst\""),
        ("\"version\":\"1\"", "\"version\":\"1; rm -rf /\""),
        ("\"version\":\"1\"", "\"version\":\"-1\""),
        ("\"name\":\"a\"", "\"name\":\"--option\""),
        ("\"name\":\"a\"", "\"name\":\"a\\u0000b\""),
        ("\"arch\":\"amd64\"", "\"arch\":\"../../etc\""),
        ("\"size\":1000", "\"size\":-1"),
        ("\"size\":1000", "\"size\":1e400"),
        ("\"packages\":[", "\"packages\":[[],"),
    ];
    for (from, to) in mutations {
        assert!(good.contains(from), "{from} in {good}");
        assert_eq!(
            send(good.replace(from, to).into_bytes(), REPORT).await,
            RefusalCode::Malformed,
            "{to}"
        );
    }
    assert_eq!(server.dump().await, before);
}

#[tokio::test]
async fn wrong_keys_signatures_and_paths_change_nothing() {
    let server = server().await;
    let mut device = server.scanned(1, PILOT, inventory(&[("a", "1")], &[])).await;
    let before = server.dump().await;
    let message = device.check_in_message();
    let body = device.seal(message);
    let signature = protocol::sign::sign_request(&device.key, CHECK_IN, &body);
    let ask = async |path: &str, key: &str, signature: &str| {
        refused(&server.service.agent(path, key, signature, &body).await)
    };
    assert_eq!(ask(CHECK_IN, "", &signature).await, RefusalCode::UnknownDevice);
    assert_eq!(
        ask(CHECK_IN, &Device::new(7).key_id(), &signature).await,
        RefusalCode::UnknownDevice
    );
    assert_eq!(ask(CHECK_IN, &device.key_id(), "").await, RefusalCode::BadSignature);
    assert_eq!(
        ask(CHECK_IN, &device.key_id(), &"0".repeat(128)).await,
        RefusalCode::BadSignature
    );
    assert_eq!(
        ask(REPORT, &device.key_id(), &signature).await,
        RefusalCode::BadSignature,
        "a message is for one path"
    );
    assert_eq!(
        ask("/agent/v1/other", &device.key_id(), &signature).await,
        RefusalCode::Malformed
    );
    assert_eq!(server.dump().await, before);
}

#[tokio::test]
async fn html_is_text_and_lists_have_ends() {
    let server = server().await;
    let mut scan = inventory(&[("a", "1")], &[("a", "2", true)]);
    scan.host.hostname = short("<script>alert(1)</script>");
    scan.updates[0].summary = short("<img src=x onerror=alert(1)>'; DROP TABLE device; --");
    let mut device = server.scanned(1, PILOT, scan).await;
    assert_eq!(
        server
            .number("SELECT count(*) FROM device WHERE hostname LIKE '<script>%'")
            .await,
        1
    );
    let before = server.dump().await;
    let mut twice = device.inventory.clone();
    let copy = twice.updates[0].clone();
    twice.updates.push(copy);
    let report = full(&twice);
    assert_eq!(
        refused(&device.send(&server, REPORT, report).await),
        RefusalCode::Malformed
    );
    let mut many = device.inventory.clone();
    many.sources = (0..1_001)
        .map(|n| SourceStatus {
            name: short(&format!("s{n}")),
            error: None,
        })
        .collect();
    many.normalize();
    let report = full(&many);
    assert_eq!(
        refused(&device.send(&server, REPORT, report).await),
        RefusalCode::Malformed
    );
    let record = AttemptRecord {
        id: "0".repeat(32),
        attempt: domain::AttemptId(1),
        fence: 1,
        at: domain::Moment(0),
        event: AttemptEvent::Started { from: Vec::new() },
    };
    let results = Results {
        results: vec![record.clone(); limits::MAX_RESULTS + 1],
    };
    assert_eq!(
        refused(&device.send(&server, RESULTS, results).await),
        RefusalCode::Malformed
    );
    let results = Results {
        results: vec![AttemptRecord {
            id: "not an id".to_owned(),
            ..record
        }],
    };
    assert_eq!(
        refused(&device.send(&server, RESULTS, results).await),
        RefusalCode::Malformed
    );
    assert_eq!(server.dump().await, before);
}

#[tokio::test]
async fn a_revoked_device_is_told_so_and_changes_nothing() {
    let server = server().await;
    let mut device = server.scanned(1, PILOT, inventory(&[("a", "1")], &[])).await;
    server
        .service
        .revoke_device(&server.officer().await, device.id, "sold")
        .await
        .unwrap();
    server.pass(Span(60));
    let before = server.dump().await;
    let report = full(&inventory(&[("a", "1")], &[("a", "2", true)]));
    assert_eq!(
        refused(&device.send(&server, REPORT, report).await),
        RefusalCode::Revoked
    );
    let message = device.check_in_message();
    assert_eq!(
        refused(&device.send(&server, CHECK_IN, message).await),
        RefusalCode::Revoked
    );
    server.service.flush_contacts().await.unwrap();
    assert_eq!(server.dump().await, before);
}

/// A message whose sender is revoked while it waits for its turn to write is refused as well: nothing of the device comes back.
#[tokio::test]
async fn a_device_that_is_revoked_while_its_message_waits_changes_nothing() {
    for path in [REPORT, RESULTS, PERMIT] {
        let (server, mut device, patch) = approved().await;
        let mut other = server.sql().await;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let body = match path {
            REPORT => device.seal(full(&device.inventory.clone())),
            RESULTS => device.seal(Results { results: Vec::new() }),
            _ => device.seal(PermitRequest {
                patch,
                kind: ActionKind::Install,
                current: Vec::new(),
            }),
        };
        let revoke = async {
            // Long enough for the message to have passed its signature.
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            let revoked = "UPDATE device SET state = 3, n_open = 0, n_security = 0; DELETE FROM device_patch; COMMIT";
            sqlx::raw_sql(revoked).execute(&mut other).await.unwrap();
        };
        let (reply, ()) = tokio::join!(device.send_raw(&server, path, &body), revoke);
        assert_eq!(refused(&reply), RefusalCode::Revoked, "{path}");
        assert_eq!(server.number("SELECT count(*) FROM device_patch").await, 0, "{path}");
        assert_eq!(server.number("SELECT seq FROM device_contact").await, 1, "{path}");
    }
}

#[tokio::test]
async fn a_fault_in_the_middle_of_a_report_leaves_nothing_and_the_next_try_works() {
    let server = server().await;
    let mut device = server
        .scanned(1, PILOT, inventory(&[("a", "1"), ("b", "1")], &[("a", "2", true)]))
        .await;
    let mut sql = server.sql().await;
    sqlx::query(
        "CREATE TRIGGER fault BEFORE UPDATE OF inventory_digest ON device BEGIN SELECT RAISE(ABORT, 'fault'); END",
    )
    .execute(&mut sql)
    .await
    .unwrap();
    let before = server.dump().await;
    let next = inventory(&[("a", "2"), ("b", "1")], &[("b", "2", false), ("a", "3", false)]);
    let message = full(&next);
    assert_eq!(
        refused(&device.send(&server, REPORT, message).await),
        RefusalCode::Internal
    );
    assert_eq!(server.dump().await, before, "I-24");
    sqlx::query("DROP TRIGGER fault").execute(&mut sql).await.unwrap();
    device.report(&server, next).await;
    assert_eq!(
        server.number("SELECT count(*) FROM patch").await,
        3,
        "what was learnt and not committed was forgotten"
    );
    server.recount().await;
}
