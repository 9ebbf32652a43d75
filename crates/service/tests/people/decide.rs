//! Approve, deny, withdraw: one by one and in bulk.

use crate::support::*;
use domain::{PatchId, PatchState, RingId, Severity, Urgency};
use service::{
    Error,
    commands::decide::{Done, Selection, Shown, Verb, urgency},
};
use view::{Approval, ApprovalFilter, Field, PatchFilter, Problem, Why};

const APPROVE: Verb = Verb::Approve {
    urgent: Urgency::Normal,
};
const URGENT: Verb = Verb::Approve {
    urgent: Urgency::SkipSoak,
};

async fn one(w: &World, patch: PatchId, verb: Verb, reason: &str) -> Result<Done, Error> {
    w.service
        .decide(
            &w.administrator,
            Selection::These(vec![(patch, None)]),
            PILOT,
            verb,
            reason,
            false,
        )
        .await
}

async fn approval(w: &World, patch: PatchId) -> Approval {
    w.service
        .patch(&w.administrator, patch, &view::PatchDevices::default())
        .await
        .unwrap()
        .row
        .approvals[0]
        .approval
}

#[tokio::test]
async fn you_approve_what_you_saw() {
    let w = world().await;
    let (a, b) = (w.patch("a", "1").await, w.patch("b", "1").await);
    let seen = w.revision(b).await;
    w.service.hold(&w.administrator, b, "wait").await.unwrap();
    let before = w.dump().await;
    let selection = || Selection::These(vec![(a, Some(w_revision())), (b, Some(seen))]);
    fn w_revision() -> i64 {
        1
    }
    let stale = w
        .service
        .decide(&w.administrator, selection(), PILOT, APPROVE, "usual", false)
        .await;
    assert!(matches!(stale, Err(Error::Changed)));
    assert_eq!(w.dump().await, before, "nothing of it was done");
    let selection = Selection::These(vec![(a, Some(1)), (b, Some(w.revision(b).await)), (a, Some(1))]);
    let done = w
        .service
        .decide(&w.administrator, selection, PILOT, APPROVE, "usual", false)
        .await
        .unwrap();
    assert_eq!(
        done,
        Done {
            decided: vec![a, b],
            ..Done::default()
        }
    );
    assert_eq!(w.revision(a).await, 2);
    assert_eq!(
        approval(&w, a).await,
        Approval::Approved {
            urgent: Urgency::Normal
        }
    );
}

#[tokio::test]
async fn reasons_are_asked_for_where_somebody_will_ask_later() {
    let w = world().await;
    let patch = w.patch("a", "1").await;
    one(&w, patch, APPROVE, "usual").await.unwrap();
    let before = w.dump().await;
    for verb in [APPROVE, Verb::Deny, Verb::Withdraw, URGENT] {
        let missing = one(&w, patch, verb, " \n").await;
        assert!(
            matches!(
                missing,
                Err(Error::Invalid {
                    field: Field::Reason,
                    problem: Problem::Missing
                })
            ),
            "{verb:?}"
        );
        let long = one(&w, patch, verb, &"x".repeat(1_001)).await;
        assert!(matches!(
            long,
            Err(Error::Invalid {
                problem: Problem::TooLong { max: 1_000 },
                ..
            })
        ));
        let control = one(&w, patch, verb, "a\u{1b}[31mb").await;
        assert!(matches!(
            control,
            Err(Error::Invalid {
                problem: Problem::Control,
                ..
            })
        ));
    }
    assert_eq!(w.dump().await, before);
    one(&w, patch, URGENT, "exploited in the wild").await.unwrap();
    assert_eq!(
        approval(&w, patch).await,
        Approval::Approved {
            urgent: Urgency::SkipSoak
        }
    );
    let same = one(&w, patch, APPROVE, "usual").await.unwrap();
    assert_eq!(
        same.left_out,
        [(patch, Why::AlreadyDone)],
        "urgency is not lost by the way"
    );
    let outside = Verb::Approve {
        urgent: Urgency::SkipSoakAndWindows,
    };
    one(&w, patch, outside, "even by day").await.unwrap();
    assert_eq!(
        one(&w, patch, URGENT, "only the soak").await.unwrap().left_out,
        [(patch, Why::AlreadyDone)],
        "nor is a part of it"
    );
    let urgent = Urgency::SkipSoakAndWindows;
    assert_eq!(approval(&w, patch).await, Approval::Approved { urgent });
    let stored = w.number("SELECT urgent FROM decision WHERE withdrawn_at IS NULL").await;
    assert_eq!(stored, urgent.code());
}

#[test]
fn nobody_goes_outside_windows_without_being_urgent() {
    assert_eq!(urgency(false, false).unwrap(), Urgency::Normal);
    assert_eq!(urgency(true, false).unwrap(), Urgency::SkipSoak);
    assert_eq!(urgency(true, true).unwrap(), Urgency::SkipSoakAndWindows);
    assert!(matches!(
        urgency(false, true),
        Err(Error::Invalid {
            field: Field::OutsideWindows,
            problem: Problem::OnlyUrgent
        })
    ));
}

#[tokio::test]
async fn deny_outranks_approve_until_it_is_withdrawn() {
    let w = world().await;
    let patch = w.patch("a", "1").await;
    one(&w, patch, APPROVE, "usual").await.unwrap();
    one(&w, patch, Verb::Deny, "breaks printing").await.unwrap();
    assert_eq!(approval(&w, patch).await, Approval::Denied);
    assert_eq!(
        w.number("SELECT count(*) FROM decision WHERE withdrawn_at IS NULL")
            .await,
        1
    );
    let records = w.records().await;
    assert_eq!(
        one(&w, patch, APPROVE, "usual").await.unwrap().left_out,
        [(patch, Why::Denied)]
    );
    assert_eq!(
        one(&w, patch, URGENT, "but now").await.unwrap().left_out,
        [(patch, Why::Denied)]
    );
    assert_eq!(
        one(&w, patch, Verb::Deny, "again").await.unwrap().left_out,
        [(patch, Why::AlreadyDone)]
    );
    assert_eq!(w.records().await, records, "nothing changed, nothing recorded");
    one(&w, patch, Verb::Withdraw, "fixed upstream").await.unwrap();
    assert_eq!(approval(&w, patch).await, Approval::None);
    assert_eq!(
        one(&w, patch, Verb::Withdraw, "again").await.unwrap().left_out,
        [(patch, Why::AlreadyDone)]
    );
    one(&w, patch, APPROVE, "usual").await.unwrap();
    let texts: Vec<String> = w
        .service
        .patch(&w.administrator, patch, &view::PatchDevices::default())
        .await
        .unwrap()
        .timeline
        .into_iter()
        .map(|t| t.text)
        .collect();
    assert_eq!(
        texts,
        [
            "Approved for Pilot",
            "Withdrew the denial for Pilot",
            "Denied for Pilot",
            "Approved for Pilot"
        ]
    );
}

#[tokio::test]
async fn superseded_patches_are_left_out_and_listed() {
    let w = world().await;
    let (old, new) = (w.patch("a", "1").await, w.patch("a", "2").await);
    w.supersede(old, new).await;
    let both = || Selection::These(vec![(old, None), (new, None)]);
    let done = w
        .service
        .decide(&w.administrator, both(), PILOT, APPROVE, "usual", false)
        .await
        .unwrap();
    assert_eq!((done.decided, done.left_out), (vec![new], vec![(old, Why::Superseded)]));
    let override_ = w
        .service
        .decide(&w.administrator, both(), PRODUCTION, APPROVE, "", true)
        .await;
    assert!(matches!(
        override_,
        Err(Error::Invalid {
            field: Field::Reason,
            problem: Problem::Missing
        })
    ));
    let done = w
        .service
        .decide(
            &w.administrator,
            both(),
            PRODUCTION,
            APPROVE,
            "2 breaks the driver",
            true,
        )
        .await
        .unwrap();
    assert_eq!(done.decided, [old, new]);
    assert_eq!(
        one(&w, old, Verb::Deny, "no").await.unwrap().decided,
        [old],
        "denying needs no override"
    );
}

#[tokio::test]
async fn all_that_match_as_long_as_they_are_those_that_were_shown() {
    let w = world().await;
    for n in 0..120 {
        w.patch_of(
            &format!("p{n:03}"),
            "1",
            if n % 2 == 0 { Severity::Critical } else { Severity::Low },
        )
        .await;
    }
    let (old, new) = (PatchId(1), w.patch_of("p000", "2", Severity::Critical).await);
    w.supersede(old, new).await;
    let filter = PatchFilter {
        severity: Some(Severity::Critical),
        ..PatchFilter::default()
    };
    let list = w.service.patches(&w.administrator, &filter).await.unwrap();
    assert_eq!((list.total, list.rows.len(), list.pages), (60, 50, 2));
    let look = async |filter: &PatchFilter| {
        let (list, shown) = w.service.patches_to_decide(&w.administrator, filter).await.unwrap();
        assert_eq!(list.total, shown.count);
        shown
    };
    let decide = async |shown: Shown, filter: PatchFilter| {
        let matching = Selection::Matching(filter, shown);
        w.service
            .decide(&w.administrator, matching, PILOT, APPROVE, "usual", false)
            .await
    };
    let before = w.dump().await;
    let shown = look(&filter).await;
    let wrong = |count, fingerprint: &str| Shown {
        count,
        fingerprint: fingerprint.to_owned(),
    };
    for stale in [wrong(59, &shown.fingerprint), wrong(60, "")] {
        assert!(matches!(decide(stale, filter.clone()).await, Err(Error::Changed)));
    }
    assert!(matches!(
        decide(wrong(0, &shown.fingerprint), filter.clone()).await,
        Err(Error::Invalid {
            field: Field::Selection,
            ..
        })
    ));
    assert_eq!(w.dump().await, before);
    // A version that nobody saw takes the place of one that was shown: they are as many as before.
    let newest = w.patch_of("p000", "3", Severity::Critical).await;
    w.supersede(new, newest).await;
    let before = w.dump().await;
    assert_eq!(look(&filter).await.count, shown.count);
    assert!(matches!(decide(shown, filter.clone()).await, Err(Error::Changed)));
    // They are the same, but something was done about one of them.
    let shown = look(&filter).await;
    assert_eq!(w.dump().await, before);
    w.service.hold(&w.administrator, newest, "wait").await.unwrap();
    let before = w.dump().await;
    assert!(matches!(decide(shown, filter.clone()).await, Err(Error::Changed)));
    assert_eq!(w.dump().await, before);
    let records = w.records().await;
    let done = decide(look(&filter).await, filter.clone()).await.unwrap();
    assert_eq!(
        (done.decided.len(), done.left_out.len()),
        (60, 0),
        "beyond the page, and not the superseded one"
    );
    assert_eq!(w.records().await, records + 60);
    let with = PatchFilter {
        superseded: true,
        ..filter.clone()
    };
    let done = decide(look(&with).await, with.clone()).await.unwrap();
    assert_eq!(done.left_out.len(), 62);
    assert!(done.left_out.contains(&(old, Why::Superseded)) && done.decided.is_empty());
    let approved = PatchFilter {
        approval: Some(ApprovalFilter::Approved),
        ring: Some(PILOT),
        ..PatchFilter::default()
    };
    assert_eq!(w.service.patches(&w.administrator, &approved).await.unwrap().total, 60);
    let none = PatchFilter {
        approval: Some(ApprovalFilter::None),
        ..PatchFilter::default()
    };
    assert_eq!(w.service.patches(&w.administrator, &none).await.unwrap().total, 60);
}

#[tokio::test]
async fn a_withdrawal_says_who_has_it_already() {
    let w = world().await;
    let patch = w.patch("a", "1").await;
    for (group, host, state) in [
        (1, "p1", PatchState::Installed),
        (1, "p2", PatchState::PendingReboot),
        (1, "p3", PatchState::Missing),
        (2, "w1", PatchState::Installed),
    ] {
        let device = w.device(group, host).await;
        w.state(device, patch, state, true).await;
    }
    one(&w, patch, APPROVE, "usual").await.unwrap();
    assert_eq!(one(&w, patch, Verb::Withdraw, "breaks").await.unwrap().too_late, 2);
}

#[tokio::test]
async fn nothing_and_nowhere_are_refused() {
    let w = world().await;
    let patch = w.patch("a", "1").await;
    let before = w.dump().await;
    let decide = async |selection, ring| {
        w.service
            .decide(&w.administrator, selection, ring, APPROVE, "usual", false)
            .await
    };
    let missing = decide(Selection::These(Vec::new()), PILOT).await;
    assert!(matches!(
        missing,
        Err(Error::Invalid {
            field: Field::Selection,
            problem: Problem::Missing
        })
    ));
    assert!(matches!(
        decide(Selection::These(vec![(PatchId(99), None)]), PILOT).await,
        Err(Error::NotFound)
    ));
    let ring = decide(Selection::These(vec![(patch, None)]), RingId(9)).await;
    assert!(matches!(
        ring,
        Err(Error::Invalid {
            field: Field::Ring,
            problem: Problem::Unknown
        })
    ));
    assert_eq!(w.dump().await, before);
}
