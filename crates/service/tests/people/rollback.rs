//! Holding, resuming, reporting, going back.

use crate::support::*;
use domain::{PatchState, Role, Span};
use service::Error;
use view::{Field, Problem, Why};

#[tokio::test]
async fn a_hold_ends_with_a_note() {
    let w = world().await;
    let patch = w.patch("a", "1").await;
    let no_reason = w.service.hold(&w.administrator, patch, "").await;
    assert!(matches!(
        no_reason,
        Err(Error::Invalid {
            field: Field::Reason,
            problem: Problem::Missing
        })
    ));
    let hold = w.service.hold(&w.administrator, patch, "odd\nnoise").await.unwrap();
    assert!(
        w.service
            .patches(&w.administrator, &view::PatchFilter::default())
            .await
            .unwrap()
            .rows[0]
            .held
    );
    assert!(matches!(
        w.service.resume(&w.administrator, hold, None, "").await,
        Err(Error::Invalid { .. })
    ));
    w.pass(Span::hours(1));
    w.service
        .resume(&w.administrator, hold, None, "was the fan")
        .await
        .unwrap();
    let page = w
        .service
        .patch(&w.administrator, patch, &view::PatchDevices::default())
        .await
        .unwrap();
    let view = &page.holds[0];
    assert_eq!(
        (view.cause.as_str(), view.detail.as_str(), view.opened_by.as_str()),
        ("Stopped by a person", "odd noise", "anna")
    );
    assert_eq!(
        view.resolved,
        Some((START + Span::hours(1), "anna".to_owned(), "was the fan".to_owned()))
    );
    assert!(!page.row.held);
}

#[tokio::test]
async fn a_problem_report_holds_in_the_same_breath() {
    let w = world().await;
    let (patch, device) = (w.patch("a", "1").await, w.device(1, "web1").await);
    w.state(device, patch, PatchState::Installed, true).await;
    let pilot = w.person(Role::PilotUser).await;
    let hold = w
        .service
        .report_problem(&pilot, device, patch, "it beeps")
        .await
        .unwrap();
    assert_eq!(w.number("SELECT count(*) FROM problem_report").await, 1);
    let page = w
        .service
        .patch(&w.administrator, patch, &view::PatchDevices::default())
        .await
        .unwrap();
    assert!(page.row.held);
    assert_eq!(page.holds[0].device, Some((device, "web1".to_owned())));
    assert!(
        matches!(
            w.service.resume(&pilot, hold, None, "never mind").await,
            Err(Error::NotAllowed(_))
        ),
        "halting is easy, resuming is not"
    );
    assert!(
        page.timeline
            .iter()
            .any(|t| t.text == "Reported a problem: web1" && t.reason == "it beeps")
    );
}

#[tokio::test]
async fn going_back_needs_a_recorded_way_and_holds_forward() {
    let w = world().await;
    let (patch, device, other) = (
        w.patch("a", "2").await,
        w.device(2, "web1").await,
        w.device(2, "web2").await,
    );
    w.installed(device, patch, 2).await;
    w.state(other, patch, PatchState::Installed, false).await;
    let refused = w.service.roll_back(&w.administrator, other, patch, "why").await;
    assert!(
        matches!(refused, Err(Error::Refused(Why::NothingToRollBack))),
        "not by us: nothing recorded"
    );
    assert!(matches!(
        w.service.roll_back(&w.administrator, device, patch, "").await,
        Err(Error::Invalid { .. })
    ));
    let line = w
        .service
        .patch(&w.administrator, patch, &view::PatchDevices::default())
        .await
        .unwrap()
        .devices;
    assert_eq!(
        line.iter().map(|d| (d.can_roll_back, d.blocked)).collect::<Vec<_>>(),
        [(true, false), (false, false)]
    );
    w.service
        .roll_back(&w.administrator, device, patch, "breaks printing")
        .await
        .unwrap();
    assert_eq!(
        w.number("SELECT count(*) FROM hold WHERE cause = 6 AND resolved_at IS NULL")
            .await,
        1
    );
    assert!(
        w.dump()
            .await
            .contains(r#"[{"name":"a","arch":"amd64","version":"1"}]"#)
    );
    let again = w.service.roll_back(&w.administrator, device, patch, "again").await;
    assert!(matches!(again, Err(Error::Refused(Why::RollbackInForce))));
    let line = &w
        .service
        .patch(&w.administrator, patch, &view::PatchDevices::default())
        .await
        .unwrap()
        .devices[0];
    assert!(line.blocked && !line.can_roll_back);

    w.state(device, patch, PatchState::RolledBack, true).await;
    w.service
        .lift_block(&w.administrator, device, patch, "fixed by a new driver")
        .await
        .unwrap();
    let row = w.service.explain(&w.administrator, device, patch).await.unwrap();
    assert_eq!((row.state, row.blocked), (PatchState::Missing, false));
    let page = w
        .service
        .patch(&w.administrator, patch, &view::PatchDevices::default())
        .await
        .unwrap();
    assert_eq!((page.row.counts.rolled_back, page.row.counts.missing), (0, 1));
    let again = w.service.lift_block(&w.administrator, device, patch, "again").await;
    assert!(matches!(again, Err(Error::Refused(Why::AlreadyDone))));
}

#[tokio::test]
async fn a_ring_goes_back_as_a_whole() {
    let w = world().await;
    let patch = w.patch("a", "2").await;
    for (group, host) in [(1, "p1"), (2, "w1"), (2, "w2"), (2, "w3")] {
        let device = w.device(group, host).await;
        w.installed(device, patch, group).await;
    }
    w.service
        .roll_back(&w.administrator, domain::DeviceId(2), patch, "first")
        .await
        .unwrap();
    let records = w.records().await;
    assert_eq!(
        w.service
            .roll_back_ring(&w.administrator, PRODUCTION, patch, "all")
            .await
            .unwrap(),
        2
    );
    assert_eq!(w.records().await, records + 2, "one a device; the hold is open already");
    assert_eq!(w.number("SELECT count(*) FROM rollback_order").await, 3);
    assert_eq!(w.number("SELECT count(*) FROM hold WHERE resolved_at IS NULL").await, 1);
    let again = w
        .service
        .roll_back_ring(&w.administrator, PRODUCTION, patch, "all")
        .await;
    assert!(matches!(again, Err(Error::Refused(Why::NothingToRollBack))));
}

#[tokio::test]
async fn a_revoked_device_leaves_every_count() {
    let w = world().await;
    let (patch, device) = (w.patch("a", "1").await, w.device(1, "web1").await);
    for (_, state) in STATE_OF {
        w.state(device, patch, state, false).await;
    }
    w.state(device, patch, PatchState::Missing, false).await;
    w.run("INSERT INTO attempt (device_id, patch_id, ring_id, kind, fence, state, permitted_at, start_by, deadline) VALUES (1,1,1,1,1,2,1,1,1)")
        .await
        .unwrap();
    w.service
        .revoke_device(&w.administrator, device, "stolen")
        .await
        .unwrap();
    assert_eq!(w.number("SELECT count(*) FROM attempt WHERE state IN (1, 2)").await, 0);
    let list = w
        .service
        .patches(&w.administrator, &view::PatchFilter::default())
        .await
        .unwrap();
    assert_eq!((list.rows[0].counts, list.devices), (view::Counts::default(), 0));
    let row = w.service.device(&w.administrator, device).await.unwrap().row;
    assert_eq!((row.open, row.security, row.failed, row.pending), (0, 0, 0, 0));
    assert!(
        matches!(
            w.service.accept_device(&w.administrator, device, "").await,
            Err(Error::Refused(Why::Revoked))
        ),
        "final"
    );
    assert!(matches!(
        w.service.move_device(&w.administrator, device, None).await,
        Err(Error::Refused(Why::Revoked))
    ));
}

#[tokio::test]
async fn moving_a_device_changes_its_ring_and_the_policy_it_follows() {
    let w = world().await;
    let device = w.device(1, "web1").await;
    let version = w
        .number("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'policy_version'")
        .await;
    w.service
        .move_device(&w.administrator, device, Some(domain::GroupId(2)))
        .await
        .unwrap();
    assert_eq!(
        w.number("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'policy_version'")
            .await,
        version + 1
    );
    let page = w.service.device(&w.administrator, device).await.unwrap();
    assert_eq!(page.row.ring.as_deref(), Some("Production"));
    assert_eq!(page.timeline[0].text, "Moved to Production");
    let unknown = w
        .service
        .move_device(&w.administrator, device, Some(domain::GroupId(9)))
        .await;
    assert!(matches!(
        unknown,
        Err(Error::Invalid {
            field: Field::Group,
            problem: Problem::Unknown
        })
    ));
    w.service.move_device(&w.administrator, device, None).await.unwrap();
    assert_eq!(w.service.device(&w.administrator, device).await.unwrap().row.ring, None);
}
