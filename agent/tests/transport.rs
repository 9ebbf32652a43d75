//! The line to the server: who is believed, what is repeated, what is on the disk before anything is sent.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod stub;

use agent::{
    config::{Enrolment, Home},
    enroll::{self, Wish},
    identity::Identity,
    transport::{self, CallError, Http, Transport},
};
use domain::Moment;
use protocol::v1::*;
use std::sync::atomic::{AtomicU32, Ordering};
use stub::{Answer, Stub, enrolled, ok, refuse};

fn home() -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    (folder, home)
}

fn enroll(stub: &Stub, token: &str, home: &Home) -> Result<Enrolment, CallError> {
    let mut network = Http::new(&stub.url).unwrap();
    let identity = Identity::open(home).unwrap();
    transport::enroll(
        &mut network,
        &stub.url,
        token,
        &identity,
        agent::inventory::host(),
        false,
    )
    .map(|(e, _)| e)
}

fn line(stub: &Stub, home: &Home) -> Transport<Http> {
    let identity = Identity::open(home).unwrap();
    let key = stub.key.verifying_key().to_bytes();
    Transport::open(Http::new(&stub.url).unwrap(), home.clone(), identity, key).unwrap()
}

fn acknowledged() -> Answer {
    ok(&ResultsReply {
        acknowledged: vec![],
        refused: vec![],
    })
}

fn call(line: &mut Transport<Http>) -> Result<ResultsReply, CallError> {
    line.call(RESULTS, &Results { results: vec![] }, Moment(1_700_000_000))
}

fn seq(body: &[u8]) -> u64 {
    serde_json::from_slice::<serde_json::Value>(body).unwrap()["seq"]
        .as_u64()
        .unwrap()
}

#[test]
fn enrolling_believes_only_the_server_that_the_token_names() {
    let (_folder, home) = home();
    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let stub = Stub::start(move |r| enrolled(r, &key));
    let enrolment = enroll(&stub, &stub.token(), &home).unwrap();
    assert_eq!(enrolment.server_key(), Some(stub.key.verifying_key().to_bytes()));
    assert_eq!(enrolment.key_id, Identity::open(&home).unwrap().id());

    let other = stub.token().replace(&stub.key_id(), &"0".repeat(32));
    assert!(matches!(enroll(&stub, &other, &home), Err(CallError::Unverified(why)) if why.contains("not the one")));
    for bad in [
        "",
        "pwe_",
        "pwe_short_00",
        &stub.token()[..70],
        &stub.token().replace("pwe_", "abc_"),
    ] {
        assert!(transport::token_key_id(bad).is_err(), "{bad:?}");
    }
}

fn wish<'a>(stub: &'a Stub, token: &'a str, again: bool) -> Wish<'a> {
    Wish {
        server: &stub.url,
        token,
        scan_only: false,
        again,
    }
}

/// A device that works keeps everything until the server has taken it anew: an expired token unenrols nobody.
#[test]
fn an_enrolment_anew_that_fails_leaves_the_old_one_in_place() {
    let (_folder, home) = home();
    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let turn = AtomicU32::new(0);
    let stub = Stub::start(move |r| match turn.fetch_add(1, Ordering::SeqCst) {
        0 => enrolled(r, &key),
        1 => refuse(RefusalCode::TokenExpired, "the token has expired"),
        _ => enrolled(r, &key),
    });
    let (token, mut network) = (stub.token(), Http::new(&stub.url).unwrap());
    enroll::enroll(&mut network, &home, wish(&stub, &token, false)).unwrap();
    let files = [
        "seq",
        "state.json",
        "journal",
        "inventory.json",
        "device.key",
        Enrolment::FILE,
    ];
    for name in &files[..4] {
        std::fs::write(home.path(name), "7").unwrap();
    }
    let all = || files.map(|name| std::fs::read(home.path(name)).ok());
    let before = all();
    let said = enroll::enroll(&mut network, &home, wish(&stub, &token, false)).unwrap_err();
    assert!(said.to_string().contains("add --again"), "{said}");
    assert!(enroll::enroll(&mut network, &home, wish(&stub, &token, true)).is_err());
    assert_eq!(all(), before);
    enroll::enroll(&mut network, &home, wish(&stub, &token, true)).unwrap();
    let after = all();
    assert!(after[..4].iter().all(Option::is_none), "a new start: {after:?}");
    let enrolment: Enrolment = home.load(Enrolment::FILE).unwrap().unwrap();
    assert_eq!(enrolment.key_id, Identity::open(&home).unwrap().id());
    assert_ne!(after[4], before[4]);
    assert_eq!(
        std::fs::read(home.path("device.key.old")).ok(),
        before[4],
        "kept beside"
    );
}

/// The reply is lost, and the next try is with another token, even where nothing was enrolled before: there is a way on.
#[test]
fn a_lost_reply_is_no_dead_end() {
    let (_folder, home) = home();
    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let mut taken = std::collections::BTreeMap::new();
    let stub = Stub::start(move |r| {
        let asked: EnrollRequest = protocol::limits::parse(&r.body).unwrap();
        let tries = taken.len();
        let by = taken.entry(asked.public_key).or_insert_with(|| asked.token.clone());
        match tries {
            0 | 1 if *by == asked.token => Answer::Broken,
            _ if *by != asked.token => refuse(RefusalCode::Stale, "enrolled already, by another token"),
            _ => enrolled(r, &key),
        }
    });
    let tokens = ["A", "B", "C"].map(|c| stub.token().replacen("A-_4", &c.repeat(4), 1));
    let mut network = Http::new(&stub.url).unwrap();
    let mut go = |token: &str, again| enroll::enroll(&mut network, &home, wish(&stub, token, again));
    assert!(go(&tokens[0], false).is_err(), "lost");
    assert!(go(&tokens[1], false).unwrap_err().to_string().contains("another token"));
    assert!(go(&tokens[1], true).is_err(), "lost again");
    go(&tokens[2], true).unwrap();
    let enrolment: Enrolment = home.load(Enrolment::FILE).unwrap().unwrap();
    assert_eq!(enrolment.key_id, Identity::open(&home).unwrap().id());
}

/// Cut off at any point between the server's answer and the end, the next start goes on to the new enrolment.
#[test]
fn a_crash_while_the_enrolment_changes_loses_nothing() {
    let (_folder, made) = home();
    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let stub = Stub::start(move |r| enrolled(r, &key));
    let mut network = Http::new(&stub.url).unwrap();
    enroll::enroll(&mut network, &made, wish(&stub, &stub.token(), false)).unwrap();
    let old = std::fs::read(made.path(Identity::FILE)).unwrap();
    let enrolment = std::fs::read(made.path(Enrolment::FILE)).unwrap();
    for cut in 0..5 {
        let (_folder, home) = home();
        let put = |name: &str, bytes: &[u8]| std::fs::write(home.path(name), bytes).unwrap();
        put("enrolment.next", &enrolment);
        // What of the steps was done before the power went.
        put(if cut < 1 { "seq" } else { "seq.old" }, b"7");
        put(if cut < 2 { Enrolment::FILE } else { "enrolment.json.old" }, b"{}");
        put(if cut < 3 { Identity::FILE } else { "device.key.old" }, &old);
        put(if cut < 4 { Identity::NEXT } else { Identity::FILE }, b"new");
        enroll::finish(&home).unwrap();
        assert!(!enroll::unfinished(&home) && !home.path("seq").exists(), "{cut}");
        let read = |name: &str| std::fs::read(home.path(name)).unwrap();
        assert_eq!(
            (read(Enrolment::FILE), read(Identity::FILE)),
            (enrolment.clone(), b"new".to_vec())
        );
        assert_eq!(read("device.key.old"), old);
    }
}

#[test]
fn a_refused_token_says_what_the_server_said() {
    let (_folder, home) = home();
    let stub = Stub::start(|_| refuse(RefusalCode::TokenUsedUp, "the token was used up; make a new one"));
    let said = enroll(&stub, &stub.token(), &home).unwrap_err().to_string();
    assert!(said.contains("make a new one"), "{said}");
}

/// I-35.
#[test]
fn replies_that_the_pinned_key_did_not_sign_for_this_request_are_not_believed() {
    let (_folder, home) = home();
    let turn = AtomicU32::new(0);
    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let stranger = ed25519_dalek::SigningKey::from_bytes(&[8; 32]);
    let stub = Stub::start(move |r| {
        let body = serde_json::to_vec(&ResultsReply {
            acknowledged: vec![],
            refused: vec![],
        })
        .unwrap();
        let hash = protocol::sign::sha256(&r.body);
        let sign = |key, hash: &[u8; 32], status| protocol::sign::sign_reply(key, hash, status, &body);
        let signature = match turn.fetch_add(1, Ordering::SeqCst) {
            0 => String::new(),
            1 => sign(&stranger, &hash, 200),
            2 => sign(&key, &[0; 32], 200),
            3 => sign(&key, &hash, 500),
            _ => sign(&key, &hash, 200),
        };
        Answer::Raw(200, body, signature)
    });
    let mut line = line(&stub, &home);
    for _ in 0..4 {
        assert!(matches!(call(&mut line), Err(CallError::Unverified(_))));
    }
    assert!(call(&mut line).is_ok());
}

#[test]
fn a_retry_sends_the_same_bytes_and_a_new_message_a_higher_number() {
    let (_folder, home) = home();
    let turn = AtomicU32::new(0);
    let stub = Stub::start(move |_| match turn.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Answer::Broken,
        _ => acknowledged(),
    });
    {
        let mut line = line(&stub, &home);
        while call(&mut line).is_err() {}
        call(&mut line).unwrap();
    }
    // The number outlives the process.
    call(&mut line(&stub, &home)).unwrap();
    let bodies: Vec<Vec<u8>> = stub.taken().into_iter().map(|r| r.body).collect();
    let numbers: Vec<u64> = bodies.iter().map(|b| seq(b)).collect();
    assert_eq!(bodies[0], bodies[1]);
    assert!(
        numbers.windows(2).all(|w| w[0] <= w[1]) && *numbers.last().unwrap() == 3,
        "{numbers:?}"
    );
    for request in stub.taken() {
        let public = Identity::open(&home).unwrap().public();
        protocol::sign::verify_request(&public, RESULTS, &request.body, &request.signature).unwrap();
    }
}

#[test]
fn a_stale_number_is_jumped_over() {
    let (_folder, home) = home();
    let turn = AtomicU32::new(0);
    let stub = Stub::start(move |_| match turn.fetch_add(1, Ordering::SeqCst) {
        0 => refuse(RefusalCode::Stale, "seen before"),
        _ => acknowledged(),
    });
    let mut line = line(&stub, &home);
    assert!(matches!(call(&mut line), Err(CallError::Refused(r)) if r.code == RefusalCode::Stale));
    call(&mut line).unwrap();
    assert!(
        seq(&stub.taken()[1].body) > 1_700_000_000,
        "beyond anything that was counted one by one"
    );
}

#[test]
fn nothing_is_sent_when_the_number_cannot_be_stored() {
    let (folder, home) = home();
    let stub = Stub::start(|_| acknowledged());
    let mut line = line(&stub, &home);
    drop(folder);
    assert!(matches!(call(&mut line), Err(CallError::Here(_))));
    assert!(stub.taken().is_empty());
}

#[test]
fn a_proxys_error_page_and_a_closed_port_are_no_answers() {
    let (_folder, home) = home();
    let stub = Stub::start(|_| Answer::Raw(502, b"<html>Bad Gateway".to_vec(), String::new()));
    assert!(matches!(call(&mut line(&stub, &home)), Err(CallError::Unverified(_))));
    let identity = Identity::open(&home).unwrap();
    let nobody = Http::new("http://127.0.0.1:9").unwrap();
    let mut line = Transport::open(nobody, home, identity, [0; 32]).unwrap();
    assert!(matches!(call(&mut line), Err(CallError::Unreachable(_))));
    assert!(Http::new("ftp://server").is_err());
}
