//! What of a profile's devices is managed: security updates only, OS releases left out, a disk reserve (SCH-1, COV-1, COV-5).

use crate::support::*;
use domain::{DeviceId, OsReleaseId, PatchId, PatchState, ProfileId, Urgency};
use service::commands::decide::{Selection, Verb};
use view::{CoverageForm, Moved, ProfileForm, ScheduleForm, StepStatus};

/// A device of the pilot ring that misses an approved patch which is no security update.
async fn with_an_approved_bugfix(w: &World) -> (DeviceId, PatchId) {
    let device = w.device(1, "web1").await;
    let patch = w.patch("vim", "3").await;
    w.run("UPDATE patch SET category = 2").await.unwrap();
    w.state(device, patch, PatchState::Missing, false).await;
    let urgent = Urgency::Normal;
    let these = Selection::These(vec![(patch, None)]);
    let verb = Verb::Approve { urgent };
    let decided = w
        .service
        .decide(&w.administrator, these, PILOT, verb, "usual", false)
        .await;
    decided.unwrap();
    (device, patch)
}

#[tokio::test]
async fn the_scope_of_a_profile_is_previewed_kept_and_explained() {
    let w = world().await;
    let (service, admin) = (&w.service, &w.administrator);
    let (device, patch) = with_an_approved_bugfix(&w).await;
    let page = service.schedule_profile(admin, ProfileId(1)).await.unwrap();
    assert_eq!(
        page.form.coverage,
        CoverageForm::default(),
        "as before there was a scope"
    );
    assert_eq!(
        service
            .schedule_choices(admin, view::ScheduleKind::Profile)
            .await
            .unwrap()
            .releases,
        [(OsReleaseId(1), "Debian 12".to_owned())]
    );
    let mut version = page.line.version;
    let coverages = [
        (
            CoverageForm {
                security_only: true,
                ..CoverageForm::default()
            },
            "covered",
            "Patches of the kind bug fix are not covered by profile Every device",
            "; security updates only",
        ),
        (
            CoverageForm {
                left_out: vec![OsReleaseId(1)],
                ..CoverageForm::default()
            },
            "covered",
            "Debian 12 is left out by profile Every device",
            "; leaves out 1 OS release",
        ),
        (
            CoverageForm {
                reserve_mib: 200_000,
                ..CoverageForm::default()
            },
            "device_ready",
            "100000 MiB are free, 200000 MiB are needed, 200000 MiB of them as reserve",
            "; keeps 200000 MiB free",
        ),
    ];
    for (coverage, gate, words, summary) in coverages {
        let leaves_out = !coverage.left_out.is_empty();
        let form = ProfileForm {
            coverage: coverage.clone(),
            ..page.form.clone()
        };
        let seen = Some((1, version));
        let check = service
            .check_schedule(admin, &ScheduleForm::Profile(form.clone()), seen, true)
            .await
            .unwrap();
        assert_eq!(check.problems, []);
        assert!(check.summary.ends_with(summary), "{}", check.summary);
        let change = check.change.expect("a look ahead");
        // The first blocks what was possible; the others give another reason for it.
        assert_eq!((change.blocked + change.other, change.devices), (1, 1), "{words}");
        let said = match &change.installs[0].moved {
            Moved::Blocked { reason, .. } => reason,
            Moved::OtherReason { after, .. } => after,
            moved => panic!("{words}: {moved:?}"),
        };
        assert_eq!(said, words);
        let saved = service
            .save_profile(admin, Some((ProfileId(1), version)), &form)
            .await
            .unwrap()
            .unwrap();
        version = saved.version;
        let kept = service.schedule_profile(admin, ProfileId(1)).await.unwrap();
        assert_eq!(kept.form.coverage, coverage);
        let told = service.explain(admin, device, patch).await.unwrap();
        let step = told.ladder.iter().find(|step| step.gate == gate).expect("a gate");
        assert_eq!(step.status, StepStatus::Closed, "{words}");
        assert!(step.text.to_string().starts_with(words), "{}", step.text);
        let page = service.device(admin, device).await.unwrap();
        assert_eq!(
            page.left_out.as_deref(),
            leaves_out.then_some(words),
            "COV-1: never silently ignored"
        );
    }
    let open = ScheduleForm::Profile(page.form.clone());
    let check = service
        .check_schedule(admin, &open, Some((1, version)), true)
        .await
        .unwrap();
    assert_eq!(check.change.expect("a look ahead").possible, 1, "and back");
}
