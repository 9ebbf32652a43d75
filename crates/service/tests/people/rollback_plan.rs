//! No production approval without a plan for the way back, or a reason to go without (RBK-1, I-43).

use crate::support::*;
use domain::{DeviceId, PatchId, PatchState, Role, Urgency};
use service::{
    Error,
    commands::decide::{Also, Selection, Verb},
};
use view::{Field, PatchDevices, PlanContent, PlanForm, Problem, StepStatus, Why};

const APPROVE: Verb = Verb::Approve {
    urgent: Urgency::Normal,
};

fn plan() -> PlanForm {
    PlanForm::Plan {
        owner: None,
        how: "Roll the ring back from the page".into(),
        use_when: "More than two tills do not start".into(),
    }
}

fn waiver(reason: &str) -> PlanForm {
    PlanForm::Waive { reason: reason.into() }
}

/// As a new installation, with a production device that misses a patch.
async fn asking() -> (World, DeviceId, PatchId) {
    let w = world().await;
    w.run("UPDATE ring SET rollback_plan = 1 WHERE id = 2").await.unwrap();
    let device = w.device(2, "till-1").await;
    let patch = w.patch("openssl", "3").await;
    w.state(device, patch, PatchState::Missing, false).await;
    (w, device, patch)
}

impl World {
    async fn approve(&self, patch: PatchId, verb: Verb, without_plan: bool) -> Result<usize, Error> {
        let also = Also {
            without_plan,
            ..Also::default()
        };
        let these = Selection::These(vec![(patch, None)]);
        let decided = self
            .service
            .decide_also(&self.administrator, these, PRODUCTION, verb, "as usual", also)
            .await;
        decided.map(|done| done.decided.len())
    }

    /// What the device's ladder says about the way back.
    async fn rung(&self, device: DeviceId, patch: PatchId) -> (StepStatus, String) {
        let told = self.service.explain(&self.administrator, device, patch).await.unwrap();
        let step = told.ladder.into_iter().find(|step| step.gate == "rollback").unwrap();
        (step.status, step.text.to_string())
    }
}

#[tokio::test]
async fn production_is_approved_with_a_plan_or_a_waiver_only() {
    let (w, device, patch) = asking().await;
    let urgent = Verb::Approve {
        urgent: Urgency::SkipSoakAndWindows,
    };
    for verb in [APPROVE, urgent] {
        let (before, records) = (w.dump().await, w.records().await);
        let refused = w.approve(patch, verb, false).await;
        assert!(
            matches!(refused, Err(Error::Refused(Why::NoRollbackPlan))),
            "{refused:?}"
        );
        assert_eq!(
            (w.dump().await, w.records().await),
            (before, records),
            "a refusal changes nothing"
        );
    }
    let (status, text) = w.rung(device, patch).await;
    assert!(
        status == StepStatus::Closed && text.starts_with("There is no rollback plan"),
        "{text}"
    );

    // The pilots' ring does not ask, and neither do denials.
    let these = || Selection::These(vec![(patch, None)]);
    let pilots = w
        .service
        .decide(&w.administrator, these(), PILOT, APPROVE, "as usual", false)
        .await;
    assert_eq!(pilots.unwrap().decided, [patch]);
    let denied = w
        .service
        .decide(&w.administrator, these(), PRODUCTION, Verb::Deny, "not now", false)
        .await;
    assert_eq!(denied.unwrap().decided, [patch]);
    let back = w
        .service
        .decide(&w.administrator, these(), PRODUCTION, Verb::Withdraw, "now", false)
        .await;
    assert_eq!(back.unwrap().decided, [patch]);

    let records = w.records().await;
    assert_eq!(
        w.service
            .save_rollback_plan(&w.administrator, patch, 0, &plan())
            .await
            .unwrap(),
        1
    );
    assert_eq!(w.records().await, records + 1, "I-24");
    assert_eq!(w.approve(patch, APPROVE, false).await.unwrap(), 1);
    assert_eq!(w.rung(device, patch).await, (StepStatus::Open, String::new()));
    w.service.verify_audit().await.unwrap();
}

#[tokio::test]
async fn going_without_is_a_reason_in_the_same_transaction() {
    let (w, device, patch) = asking().await;
    let records = w.records().await;
    assert_eq!(w.approve(patch, APPROVE, true).await.unwrap(), 1);
    assert_eq!(w.records().await, records + 2, "the waiver and the approval");
    let (status, text) = w.rung(device, patch).await;
    assert!(
        status == StepStatus::Open && text.contains("anna decided to go without"),
        "{text}"
    );
    let page = w
        .service
        .patch(&w.administrator, patch, &PatchDevices::default())
        .await
        .unwrap();
    let waived = page.way_back.plan.expect("a waiver");
    assert_eq!(
        waived.content,
        PlanContent::Waived {
            reason: "as usual".into()
        }
    );
    assert_eq!((waived.by.as_str(), page.way_back.asked_by.len()), ("anna", 1));
    let texts: Vec<&str> = page.timeline.iter().map(|entry| entry.text.as_str()).collect();
    assert!(texts.contains(&"Went without a rollback plan"), "{texts:?}");

    // A ring that does not ask is given no waiver, and a reason is needed where one is.
    let other = w.patch("vim", "9").await;
    let also = Also {
        without_plan: true,
        ..Also::default()
    };
    let these = || Selection::These(vec![(other, None)]);
    w.service
        .decide_also(&w.administrator, these(), PILOT, APPROVE, "as usual", also)
        .await
        .unwrap();
    assert_eq!(w.number("SELECT count(*) FROM rollback_plan").await, 1);
    let silent = w
        .service
        .decide_also(&w.administrator, these(), PRODUCTION, APPROVE, "", also)
        .await;
    assert!(
        matches!(
            silent,
            Err(Error::Invalid {
                field: Field::Reason,
                ..
            })
        ),
        "{silent:?}"
    );
}

#[tokio::test]
async fn a_plan_is_changed_as_it_was_seen_and_fits() {
    let (w, _, patch) = asking().await;
    let (service, admin) = (&w.service, &w.administrator);
    service
        .save_rollback_plan(admin, patch, 0, &waiver("a test machine"))
        .await
        .unwrap();
    for stale in [0, 2, -1] {
        let refused = service.save_rollback_plan(admin, patch, stale, &plan()).await;
        assert!(matches!(refused, Err(Error::Changed)), "{stale}: {refused:?}");
    }
    assert_eq!(service.save_rollback_plan(admin, patch, 1, &plan()).await.unwrap(), 2);
    let page = service.patch(admin, patch, &PatchDevices::default()).await.unwrap();
    let written = page.way_back.plan.expect("a plan");
    assert!(
        matches!(&written.content, PlanContent::Plan { owner_name, .. } if owner_name == "anna"),
        "who writes it carries it out: {written:?}"
    );
    let gone = w.person(Role::SecurityOfficer).await;
    service.set_disabled(admin, gone.account.unwrap(), true).await.unwrap();
    let before = w.dump().await;
    for (form, field, problem) in [
        (waiver(" "), Field::Reason, Problem::Missing),
        (
            waiver(&"x".repeat(1_001)),
            Field::Reason,
            Problem::TooLong { max: 1_000 },
        ),
        (
            PlanForm::Plan {
                owner: None,
                how: String::new(),
                use_when: "then".into(),
            },
            Field::How,
            Problem::Missing,
        ),
        (
            PlanForm::Plan {
                owner: None,
                how: "so".into(),
                use_when: "\u{7}".into(),
            },
            Field::UseWhen,
            Problem::Control,
        ),
        (
            PlanForm::Plan {
                owner: gone.account,
                how: "so".into(),
                use_when: "then".into(),
            },
            Field::Owner,
            Problem::Unknown,
        ),
    ] {
        let refused = service.save_rollback_plan(admin, patch, 2, &form).await;
        let Err(Error::Invalid { field: f, problem: p }) = refused else {
            panic!("{form:?}: {refused:?}");
        };
        assert_eq!((f, p), (field, problem), "{form:?}");
    }
    assert_eq!(w.dump().await, before, "a refusal changes nothing");
    let missing = service.save_rollback_plan(admin, PatchId(999), 0, &plan()).await;
    assert!(matches!(missing, Err(Error::NotFound)));
}

#[tokio::test]
async fn the_page_counts_the_ways_back_that_are_on_record() {
    let (w, _, patch) = asking().await;
    let two = [w.device(2, "till-2").await, w.device(2, "till-3").await];
    w.installed(two[0], patch, 2).await;
    w.state(two[1], patch, PatchState::Installed, false).await;
    let page = w
        .service
        .patch(&w.administrator, patch, &PatchDevices::default())
        .await
        .unwrap();
    assert_eq!((page.way_back.known, page.way_back.installed), (1, 2));
}

#[tokio::test]
async fn only_a_new_installation_asks_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let clock = std::sync::Arc::new(service::clock::ManualClock::at(START));
    let service = service::Service::open(settings(&folder), clock).await.unwrap();
    let page = service.rings(&service::Actor::host()).await.unwrap();
    let asks: Vec<bool> = page.rings.iter().map(|ring| ring.form.rollback_plan).collect();
    assert_eq!(asks, [false, true]);
}
