//! Signing in, staying in, being out again.

use crate::support::*;
use domain::{Role, Span};
use service::{Actor, Error};
use view::{Field, Problem, Why};

#[tokio::test]
async fn passwords_open_and_wrong_ones_do_not_say_which_half_was_wrong() {
    let w = world().await;
    w.service
        .create_account(&w.administrator, "Bert", Role::Auditor, Some(PASSWORD))
        .await
        .unwrap();
    let records = w.records().await;
    let session = w
        .service
        .sign_in("bert", PASSWORD, peer(1), "Firefox\n\u{7}")
        .await
        .unwrap();
    assert_eq!(session.max_age, 12 * 3_600);
    assert_eq!(w.records().await, records + 1);
    let actor = w.service.session(&session.token).await.unwrap().unwrap();
    assert_eq!((actor.name.as_str(), actor.role), ("Bert", Role::Auditor));
    assert!(!w.service.me(&actor).await.unwrap().needs_password);
    for (name, password) in [
        ("bert", "wrong"),
        ("nobody", PASSWORD),
        ("", ""),
        ("anna", ""),
        ("bert", &"x".repeat(100_000)),
    ] {
        assert!(
            matches!(
                w.service.sign_in(name, password, peer(2), "").await,
                Err(Error::WrongCredentials)
            ),
            "{name}"
        );
    }
    assert_eq!(w.records().await, records + 1, "failures are no change of state");
    let stored = w.dump().await;
    assert!(!stored.contains(&session.token) && !stored.contains(PASSWORD), "I-39");
}

#[tokio::test]
async fn guessing_gets_slower_for_the_account_and_for_the_peer() {
    let w = world().await;
    w.service
        .create_account(&w.administrator, "bert", Role::Auditor, Some(PASSWORD))
        .await
        .unwrap();
    for n in 1..=4 {
        assert!(matches!(
            w.service.sign_in("bert", "wrong", peer(n), "").await,
            Err(Error::WrongCredentials)
        ));
    }
    let blocked = w.service.sign_in("bert", PASSWORD, peer(9), "").await;
    assert!(
        matches!(blocked, Err(Error::Throttled { retry_after: 2 })),
        "also the right password waits: {blocked:?}"
    );
    w.pass(Span(2));
    assert!(matches!(
        w.service.sign_in("BERT", "wrong", peer(5), "").await,
        Err(Error::WrongCredentials)
    ));
    assert!(matches!(
        w.service.sign_in("bert", PASSWORD, peer(9), "").await,
        Err(Error::Throttled { retry_after: 4 })
    ));
    w.pass(Span(4));
    w.service.sign_in("bert", PASSWORD, peer(9), "").await.unwrap();
    w.service.sign_in("bert", PASSWORD, peer(9), "").await.unwrap();

    for n in 0..11 {
        assert!(matches!(
            w.service.sign_in(&format!("guess{n}"), "wrong", peer(7), "").await,
            Err(Error::WrongCredentials)
        ));
    }
    assert!(matches!(
        w.service.sign_in("bert", PASSWORD, peer(7), "").await,
        Err(Error::Throttled { .. })
    ));
    w.service.sign_in("bert", PASSWORD, peer(8), "").await.unwrap();
    w.pass(Span::hours(1));
    w.service.sign_in("bert", PASSWORD, peer(7), "").await.unwrap();
}

#[tokio::test]
async fn a_link_works_once_within_its_quarter_of_an_hour() {
    let w = world().await;
    let host = Actor::host();
    let records = w.records().await;
    let link = w.service.make_sign_in_link(&host, "ANNA").await.unwrap();
    assert_eq!(w.records().await, records + 1);
    let session = w.service.sign_in_by_link(&link, peer(1), "").await.unwrap();
    assert_eq!(w.records().await, records + 2);
    let anna = w.service.session(&session.token).await.unwrap().unwrap();
    assert!(w.service.me(&anna).await.unwrap().needs_password);
    assert!(
        matches!(
            w.service.sign_in_by_link(&link, peer(1), "").await,
            Err(Error::LinkSpent)
        ),
        "single use"
    );
    assert!(matches!(
        w.service.sign_in_by_link("nonsense", peer(1), "").await,
        Err(Error::LinkSpent)
    ));

    let first = w.service.make_sign_in_link(&host, "anna").await.unwrap();
    let second = w.service.make_sign_in_link(&host, "anna").await.unwrap();
    assert!(
        matches!(
            w.service.sign_in_by_link(&first, peer(1), "").await,
            Err(Error::LinkSpent)
        ),
        "only the newest"
    );
    w.pass(Span::minutes(15));
    assert!(
        matches!(
            w.service.sign_in_by_link(&second, peer(1), "").await,
            Err(Error::LinkSpent)
        ),
        "too late"
    );

    assert!(
        matches!(
            w.service.make_sign_in_link(&anna, "anna").await,
            Err(Error::NotAllowed(_))
        ),
        "not from a page"
    );
    assert!(matches!(
        w.service.make_sign_in_link(&host, "nobody").await,
        Err(Error::NotFound)
    ));
    let bert = w
        .service
        .create_account(&host, "bert", Role::Auditor, None)
        .await
        .unwrap();
    let link = w.service.make_sign_in_link(&host, "bert").await.unwrap();
    w.service.set_disabled(&anna, bert, true).await.unwrap();
    assert!(
        matches!(
            w.service.sign_in_by_link(&link, peer(1), "").await,
            Err(Error::LinkSpent)
        ),
        "disabled"
    );
    assert!(matches!(
        w.service.make_sign_in_link(&host, "bert").await,
        Err(Error::NotFound)
    ));
}

#[tokio::test]
async fn sessions_end_when_idle_and_after_half_a_day() {
    let w = world().await;
    for (role, idle) in [
        (Role::Administrator, 15),
        (Role::SecurityOfficer, 15),
        (Role::PilotUser, 30),
        (Role::Auditor, 30),
    ] {
        let name = format!("{role}");
        w.service
            .create_account(&w.administrator, &name, role, None)
            .await
            .unwrap();
        let sign_in = async || {
            let link = w.service.make_sign_in_link(&Actor::host(), &name).await.unwrap();
            w.service.sign_in_by_link(&link, peer(1), "").await.unwrap().token
        };
        let token = sign_in().await;
        w.pass(Span(idle * 60 - 1));
        assert!(w.service.session(&token).await.unwrap().is_some(), "{role}");
        w.pass(Span(idle * 60 - 1));
        assert!(
            w.service.session(&token).await.unwrap().is_some(),
            "{role}: use moves the end"
        );
        w.pass(Span::minutes(idle));
        assert!(w.service.session(&token).await.unwrap().is_none(), "{role}: idle");
        let token = sign_in().await;
        for _ in 0..71 {
            w.pass(Span::minutes(10));
            assert!(w.service.session(&token).await.unwrap().is_some());
        }
        w.pass(Span::minutes(10));
        assert!(
            w.service.session(&token).await.unwrap().is_none(),
            "{role}: twelve hours"
        );
    }
}

#[tokio::test]
async fn a_busy_session_is_written_at_most_once_a_minute() {
    let w = world().await;
    let link = w.service.make_sign_in_link(&Actor::host(), "anna").await.unwrap();
    let token = w.service.sign_in_by_link(&link, peer(1), "").await.unwrap().token;
    w.pass(Span(59));
    w.service.session(&token).await.unwrap().unwrap();
    assert_eq!(w.number("SELECT last_seen_at FROM session").await, START.0);
    w.pass(Span(1));
    w.service.session(&token).await.unwrap().unwrap();
    assert_eq!(w.number("SELECT last_seen_at FROM session").await, START.0 + 60);
    assert!(
        w.service.session("").await.unwrap().is_none()
            && w.service.session(&"x".repeat(9_999)).await.unwrap().is_none()
    );
}

#[tokio::test]
async fn signing_out_disabling_and_a_new_role_end_sessions_at_once() {
    let w = world().await;
    let bert = w
        .service
        .create_account(&w.administrator, "bert", Role::Auditor, None)
        .await
        .unwrap();
    let sign_in = async || {
        let link = w.service.make_sign_in_link(&Actor::host(), "bert").await.unwrap();
        let token = w.service.sign_in_by_link(&link, peer(1), "").await.unwrap().token;
        let actor = w.service.session(&token).await.unwrap().unwrap();
        (token, actor)
    };
    let (token, actor) = sign_in().await;
    w.service.sign_out(&actor).await.unwrap();
    assert!(w.service.session(&token).await.unwrap().is_none());
    assert!(matches!(w.service.sign_out(&actor).await, Err(Error::NotFound)));
    let (token, actor) = sign_in().await;
    w.service
        .set_role(&w.administrator, bert, Role::PilotUser)
        .await
        .unwrap();
    assert!(w.service.session(&token).await.unwrap().is_none());
    let (token, _) = sign_in().await;
    w.service.set_disabled(&w.administrator, bert, true).await.unwrap();
    assert!(w.service.session(&token).await.unwrap().is_none());
    assert!(matches!(
        w.service.sign_out(&Actor { session: None, ..actor }).await,
        Err(Error::NotSignedIn)
    ));
    w.service.set_disabled(&w.administrator, bert, false).await.unwrap();
    let (one, first) = sign_in().await;
    let (two, _) = sign_in().await;
    w.service
        .end_session(&w.administrator, first.session.as_deref().unwrap())
        .await
        .unwrap();
    assert!(w.service.session(&one).await.unwrap().is_none() && w.service.session(&two).await.unwrap().is_some());
}

#[tokio::test]
async fn passwords_are_changed_with_the_current_one_and_end_other_sessions() {
    let w = world().await;
    let bert = w
        .service
        .create_account(&w.administrator, "bert", Role::Auditor, Some(PASSWORD))
        .await
        .unwrap();
    let other = w.service.sign_in("bert", PASSWORD, peer(1), "").await.unwrap();
    let mine = w.service.sign_in("bert", PASSWORD, peer(1), "").await.unwrap();
    let actor = w.service.session(&mine.token).await.unwrap().unwrap();
    let new = "seven other lamps over a tram";
    for current in [None, Some("wrong")] {
        assert!(matches!(
            w.service.set_password(&actor, bert, current, new).await,
            Err(Error::WrongCredentials)
        ));
    }
    let short = w.service.set_password(&actor, bert, Some(PASSWORD), "short").await;
    assert!(matches!(
        short,
        Err(Error::Invalid {
            field: Field::Password,
            problem: Problem::TooShort { min: 15 }
        })
    ));
    let records = w.records().await;
    w.service.set_password(&actor, bert, Some(PASSWORD), new).await.unwrap();
    assert_eq!(w.records().await, records + 1);
    assert!(
        w.service.session(&mine.token).await.unwrap().is_some()
            && w.service.session(&other.token).await.unwrap().is_none()
    );
    w.service.sign_in("bert", new, peer(1), "").await.unwrap();
    assert!(matches!(
        w.service.sign_in("bert", PASSWORD, peer(1), "").await,
        Err(Error::WrongCredentials)
    ));
    w.service
        .set_password(&w.administrator, bert, None, PASSWORD)
        .await
        .unwrap();
    assert!(
        w.service.session(&mine.token).await.unwrap().is_none(),
        "somebody else's change ends them all"
    );
}

#[tokio::test]
async fn there_is_always_an_administrator() {
    let w = world().await;
    let anna = w.administrator.account.unwrap();
    let last = |r: Result<(), Error>| matches!(r, Err(Error::Refused(Why::LastAdministrator)));
    let before = w.dump().await;
    assert!(last(w.service.set_disabled(&w.administrator, anna, true).await));
    assert!(last(w.service.set_role(&w.administrator, anna, Role::Auditor).await));
    assert!(
        last(w.service.set_disabled(&Actor::host(), anna, true).await),
        "not even from the host"
    );
    assert_eq!(w.dump().await, before);
    let bert = w
        .service
        .create_account(&w.administrator, "bert", Role::Administrator, None)
        .await
        .unwrap();
    w.service.set_disabled(&w.administrator, bert, true).await.unwrap();
    assert!(
        last(w.service.set_role(&w.administrator, anna, Role::Auditor).await),
        "a disabled one does not count"
    );
    w.service.set_disabled(&w.administrator, bert, false).await.unwrap();
    w.service.set_role(&w.administrator, anna, Role::Auditor).await.unwrap();
}

#[tokio::test]
async fn the_first_administrator_comes_from_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let clock = std::sync::Arc::new(service::clock::ManualClock::at(START));
    let service = service::Service::open(settings(&folder), clock).await.unwrap();
    let first = service.ensure_first_administrator().await.unwrap().unwrap();
    let link = service.ensure_first_administrator().await.unwrap().unwrap();
    assert!(matches!(
        service.sign_in_by_link(&first, peer(1), "").await,
        Err(Error::LinkSpent)
    ));
    let session = service.sign_in_by_link(&link, peer(1), "").await.unwrap();
    let admin = service.session(&session.token).await.unwrap().unwrap();
    assert_eq!((admin.name.as_str(), admin.role), ("admin", Role::Administrator));
    service
        .set_password(&admin, admin.account.unwrap(), None, PASSWORD)
        .await
        .unwrap();
    assert_eq!(service.ensure_first_administrator().await.unwrap(), None);
    assert_eq!(service.accounts(&admin).await.unwrap().accounts.len(), 1);
}

#[tokio::test]
async fn names_are_unique_and_cannot_pass_for_the_server() {
    let w = world().await;
    let create = async |name: &str| {
        w.service
            .create_account(&w.administrator, name, Role::Auditor, None)
            .await
    };
    for (name, problem) in [
        ("ANNA", Problem::Taken),
        ("host", Problem::Taken),
        ("Server", Problem::Taken),
        ("  ", Problem::Missing),
        ("a\u{202e}b", Problem::Control),
        (&"x".repeat(65), Problem::TooLong { max: 64 }),
    ] {
        let before = w.dump().await;
        let refused = create(name).await;
        assert!(
            matches!(&refused, Err(Error::Invalid { field: Field::Name, problem: p }) if *p == problem),
            "{name}: {refused:?}"
        );
        assert_eq!(w.dump().await, before);
    }
    create("Örjan O'Neill <b>").await.unwrap();
}
