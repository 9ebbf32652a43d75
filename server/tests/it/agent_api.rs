//! The agent API and what is thrown at it. Whatever is refused says why, is signed, and changes nothing (I-40).

use crate::world::{World, check_in, enrollment, signed, signed_check_in, unlisted};
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode};
use domain::{DeviceId, Moment, PatchId};
use ed25519_dalek::SigningKey;
use protocol::limits::{MAX_BODY, MAX_ENROLL};
use protocol::sign::{KEY_HEADER, SIGNATURE_HEADER, sha256, verify_reply};
use protocol::v1::{
    ActionKind, CHECK_IN, CheckInReply, ENROLL, EnrollReply, PERMIT, PermitRequest, REPORT, RESULTS, Refusal,
    RefusalCode, Report, ReportContent, Sealed,
};
use tokio::sync::mpsc::Sender;
use tokio_stream::wrappers::ReceiverStream;

const ALL: [&str; 5] = [ENROLL, CHECK_IN, REPORT, PERMIT, RESULTS];

/// The refusal in an answer whose signature holds.
fn refusal(world: &World, body: &[u8], answer: &crate::world::Answer) -> RefusalCode {
    let server = world.service.signing_key().verifying_key().to_bytes();
    let signature = answer.header(SIGNATURE_HEADER);
    verify_reply(&server, &sha256(body), answer.status.as_u16(), &answer.body, signature).expect("a signed refusal");
    let refusal: Refusal = serde_json::from_slice(&answer.body).expect("a refusal");
    assert_eq!(refusal.code.status(), answer.status.as_u16());
    assert!(!refusal.detail.as_str().is_empty());
    refusal.code
}

#[tokio::test]
async fn an_enrolment_and_a_check_in_are_answered_and_signed() {
    let world = World::new().await;
    let key = SigningKey::from_bytes(&[3; 32]);
    let body = serde_json::to_vec(&enrollment(&key, &world.token().await)).expect("JSON");
    let answer = world.send(signed(&key, ENROLL, body.clone())).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let server = world.service.signing_key().verifying_key().to_bytes();
    verify_reply(
        &server,
        &sha256(&body),
        200,
        &answer.body,
        answer.header(SIGNATURE_HEADER),
    )
    .expect("a signed reply");
    let reply: EnrollReply = serde_json::from_slice(&answer.body).expect("a reply");
    assert_eq!(reply.server_key, hex::encode(server));

    let answer = world.send(signed_check_in(&key, 1)).await;
    let reply: CheckInReply = serde_json::from_slice(&answer.body).expect("a reply");
    assert!(reply.want_full_report);
}

#[tokio::test]
async fn a_body_of_one_mebibyte_and_a_byte_is_refused() {
    let world = World::new().await;
    let device = world.device().await;
    let before = world.records().await;
    for path in ALL {
        // Who enrols is not known yet.
        let most = if path == ENROLL { MAX_ENROLL } else { MAX_BODY };
        let body = vec![b' '; most + 1];
        let answer = world.send(signed(&device, path, body.clone())).await;
        assert_eq!(refusal(&world, &body, &answer), RefusalCode::TooLarge, "{path}");
        // Just as large as allowed is looked at, and found to be nothing.
        let body = vec![b' '; most];
        let answer = world.send(signed(&device, path, body.clone())).await;
        assert_eq!(refusal(&world, &body, &answer), RefusalCode::Malformed, "{path}");
    }
    // Far too large is not even read.
    let mut request = signed(&device, CHECK_IN, Vec::new());
    let huge = HeaderValue::from_static("99999999999");
    request.headers_mut().insert("content-length", huge);
    assert_eq!(refusal(&world, b"", &world.send(request).await), RefusalCode::TooLarge);
    assert_eq!(world.records().await, before);
}

/// A request whose body comes piece by piece, when it is sent.
fn slow(key: &SigningKey, body: &[u8]) -> (Request<Body>, Sender<Result<Vec<u8>, std::io::Error>>) {
    let (send, receive) = tokio::sync::mpsc::channel(1);
    let request = signed(key, REPORT, body.to_vec());
    let length = HeaderValue::from(body.len());
    let mut request = request.map(|_| Body::from_stream(ReceiverStream::new(receive)));
    request.headers_mut().insert("content-length", length);
    (request, send)
}

#[tokio::test]
async fn nothing_of_a_strangers_message_is_held_in_memory() {
    let world = World::new().await;
    let device = world.device().await;
    let stranger = SigningKey::from_bytes(&[9; 32]);
    let body = vec![b' '; 8 * 64 * 1024];
    for (key, held) in [(&stranger, 0), (&device, body.len())] {
        let (request, pieces) = slow(key, &body);
        let send = async {
            for piece in body.chunks(64 * 1024) {
                // Room for one: when the third is in, the first was read.
                pieces.send(Ok(piece.to_vec())).await.expect("somebody reads");
            }
            let now = world.state.held_by_messages();
            drop(pieces);
            now
        };
        let (answer, seen) = tokio::join!(world.send(request), send);
        assert_eq!(seen, held);
        // The refusal is about the whole message, so that an honest sender can believe it.
        let code = refusal(&world, &body, &answer);
        let expected = if held == 0 {
            RefusalCode::UnknownDevice
        } else {
            RefusalCode::Malformed
        };
        assert_eq!(code, expected);
        assert_eq!(world.state.held_by_messages(), 0, "given back");
    }
}

#[tokio::test]
async fn who_knows_a_key_and_cannot_sign_gets_no_more_room_than_a_device() {
    let world = World::new().await;
    let device = world.device().await;
    let body = vec![b' '; 256 * 1024];
    let (one, first) = slow(&device, &body);
    let (two, second) = slow(&device, &body);
    let third = async {
        first.send(Ok(body[..1024].to_vec())).await.expect("somebody reads");
        second.send(Ok(body[..1024].to_vec())).await.expect("somebody reads");
        first.send(Ok(body[1024..2048].to_vec())).await.expect("somebody reads");
        second
            .send(Ok(body[1024..2048].to_vec()))
            .await
            .expect("somebody reads");
        let answer = world.send_beside(signed(&device, REPORT, body.clone())).await;
        let held = world.state.held_by_messages();
        drop((first, second));
        (answer, held)
    };
    let together = unlisted().await;
    let (_, _, (answer, held)) = tokio::join!(world.send_beside(one), world.send_beside(two), third);
    drop(together);
    assert_eq!(refusal(&world, &body, &answer), RefusalCode::TooMany);
    assert_eq!(held, 2 * body.len());
    assert_eq!(world.send(signed_check_in(&device, 1)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn bodies_that_do_not_fit_are_refused_whole() {
    let world = World::new().await;
    let device = world.device().await;
    let before = world.records().await;
    let good = serde_json::to_string(&check_in(5)).expect("JSON");
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    let bodies = [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{".to_owned(),
        "\u{0}".to_owned(),
        deep.clone(),
        good.replace("\"seq\":5", &format!("\"seq\":{deep}")),
        good.replace("\"seq\":5", "\"seq\":-1"),
        good.replace("\"seq\":5", "\"seq\":1e400"),
        good.replace("\"seq\":5", "\"seq\":18446744073709551616"),
        good.replace("\"seq\":5", "\"seq\":5,\"seq\":6"),
        good.replace("\"seq\":5", "\"seq\":5,\"extra\":true"),
        good.replace("0.1.0", "0.1.0\\u0007"),
        good.replace("0.1.0", "0.1.0\\r\\nlevel=error"),
        good.replace("0.1.0", &"9".repeat(301)),
        good.replace("0.1.0", "\\ud800"),
    ];
    for body in bodies {
        for path in ALL {
            let answer = world.send(signed(&device, path, body.clone().into_bytes())).await;
            let code = refusal(&world, body.as_bytes(), &answer);
            let expected = matches!(code, RefusalCode::Malformed | RefusalCode::TooMany);
            assert!(expected, "{path} {body:.80}: {code:?}");
        }
    }
    let answer = world.send(signed(&device, CHECK_IN, vec![0xff, 0xfe, b'{'])).await;
    assert_eq!(refusal(&world, &[0xff, 0xfe, b'{'], &answer), RefusalCode::Malformed);
    assert_eq!(world.records().await, before);
    // The device is as welcome as before.
    assert_eq!(world.send(signed_check_in(&device, 6)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn signatures_keys_and_sequence_numbers_are_checked() {
    let world = World::new().await;
    let device = world.device().await;
    let body = serde_json::to_vec(&check_in(7)).expect("JSON");
    let stranger = SigningKey::from_bytes(&[9; 32]);
    let answer = world.send(signed(&stranger, CHECK_IN, body.clone())).await;
    assert_eq!(refusal(&world, &body, &answer), RefusalCode::UnknownDevice);

    // Signed for another address, by another key, by nobody, twice.
    let mut elsewhere = signed(&device, REPORT, body.clone());
    *elsewhere.uri_mut() = CHECK_IN.parse().expect("an address");
    assert_eq!(
        refusal(&world, &body, &world.send(elsewhere).await),
        RefusalCode::BadSignature
    );
    let mut other = signed(&stranger, CHECK_IN, body.clone());
    let own = signed(&device, CHECK_IN, body.clone());
    other
        .headers_mut()
        .insert(KEY_HEADER, own.headers()[KEY_HEADER].clone());
    assert_eq!(
        refusal(&world, &body, &world.send(other).await),
        RefusalCode::BadSignature
    );
    let mut twice = signed(&device, CHECK_IN, body.clone());
    let signature = twice.headers()[SIGNATURE_HEADER].clone();
    twice.headers_mut().append(SIGNATURE_HEADER, signature);
    assert_eq!(
        refusal(&world, &body, &world.send(twice).await),
        RefusalCode::BadSignature
    );
    let mut none = signed(&device, CHECK_IN, body.clone());
    none.headers_mut().remove(KEY_HEADER);
    none.headers_mut().remove(SIGNATURE_HEADER);
    assert_eq!(world.send(none).await.status, StatusCode::UNAUTHORIZED);

    // In order, again the same (the reply was lost), then something older.
    let first = world.send(signed(&device, CHECK_IN, body.clone())).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text());
    assert_eq!(
        world.send(signed(&device, CHECK_IN, body.clone())).await.body,
        first.body
    );
    let answer = world.send(signed_check_in(&device, 3)).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text());
}

#[tokio::test]
async fn a_device_may_all_that_is_for_devices_until_it_is_revoked() {
    let world = World::new().await;
    let device = world.device().await;
    let inventory = crate::openapi::inventory(None);
    let report = Report {
        taken_at: Moment(0),
        took_ms: 900,
        digest: inventory.digest(),
        content: ReportContent::Full {
            inventory: Box::new(inventory),
        },
    };
    let permit = PermitRequest {
        patch: PatchId(999),
        kind: ActionKind::Install,
        current: Vec::new(),
    };
    let message = |seq: u64, message: serde_json::Value| {
        let nonce = hex::encode(service::random::bytes::<16>());
        serde_json::to_vec(&Sealed {
            seq,
            nonce,
            sent_at: Moment(0),
            message,
        })
        .expect("JSON")
    };
    let sent = [
        (REPORT, message(1, serde_json::to_value(&report).expect("JSON"))),
        (PERMIT, message(2, serde_json::to_value(&permit).expect("JSON"))),
        (RESULTS, message(3, serde_json::json!({ "results": [] }))),
        (
            CHECK_IN,
            message(4, serde_json::to_value(check_in(0).message).expect("JSON")),
        ),
    ];
    for (path, body) in sent {
        let answer = world.send(signed(&device, path, body)).await;
        assert!(
            ![401, 403].contains(&answer.status.as_u16()),
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
        assert!(
            answer.status.as_u16() < 500,
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
    }
    world
        .service
        .revoke_device(&service::Actor::host(), DeviceId(1), "lost")
        .await
        .expect("revoked");
    for (seq, path) in (5..).zip([REPORT, PERMIT, RESULTS, CHECK_IN]) {
        let body = message(seq, serde_json::json!({}));
        let answer = world.send(signed(&device, path, body.clone())).await;
        assert_eq!(refusal(&world, &body, &answer), RefusalCode::Revoked, "{path}");
    }
}

#[tokio::test]
async fn other_methods_and_addresses_are_refused() {
    let world = World::new().await;
    for path in ALL {
        for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .body(Body::empty())
                .expect("a request");
            let answer = world.send(request).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(answer.header("allow"), "POST");
        }
        for other in [
            format!("{path}/"),
            format!("{path}/x"),
            path.replace("v1", "v2"),
            path.replace("v1", "V1"),
            format!("{path}%00"),
        ] {
            let request = Request::post(&other).body(Body::from("{}")).expect("a request");
            assert_eq!(world.send(request).await.status, StatusCode::NOT_FOUND, "{other}");
        }
    }
    for path in ["/agent", "/agent/", "/agent/v1", "/agent/v1/packages/../enroll"] {
        let status = world
            .send(Request::post(path).body(Body::from("{}")).expect("a request"))
            .await
            .status;
        assert!([403, 404].contains(&status.as_u16()), "{path}: {status}");
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_and_neighbours_are_not() {
    let world = World::new().await;
    let neighbour = world.device().await;
    let stranger = SigningKey::from_bytes(&[9; 32]);
    let body = serde_json::to_vec(&check_in(1)).expect("JSON");
    let mut slowed = false;
    for _ in 0..60 {
        let answer = world.send(signed(&stranger, CHECK_IN, body.clone())).await;
        match refusal(&world, &body, &answer) {
            RefusalCode::UnknownDevice => {}
            RefusalCode::TooMany => slowed = true,
            other => panic!("{other:?}"),
        }
    }
    assert!(slowed, "a key that is refused again and again is put off");
    assert_eq!(
        world.send(signed_check_in(&neighbour, 1)).await.status,
        StatusCode::OK,
        "same address, another key"
    );
    // Tokens cannot be tried without end either.
    let mut put_off = false;
    for n in 0..100_u8 {
        let key = SigningKey::from_bytes(&[n; 32]);
        let body = serde_json::to_vec(&enrollment(&key, "pwe_nonsense_00")).expect("JSON");
        let answer = world.send(signed(&key, ENROLL, body.clone())).await;
        put_off |= refusal(&world, &body, &answer) == RefusalCode::TooMany;
    }
    assert!(put_off);
}
