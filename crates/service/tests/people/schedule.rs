//! The schedule pages: who may change what, what is refused, what is recorded, and how many devices follow it.

use crate::support::*;
use domain::{ExceptionId, FreezeId, GroupId, PatchState, Permission, ProfileId, Role, Span, Urgency, WindowId};
use service::{
    Actor, Error,
    commands::decide::{Selection, Verb},
};
use view::*;

pub(crate) fn window() -> WindowForm {
    WindowForm {
        name: "Weekend".into(),
        when: WindowWhen::Weekly { days: vec![5, 6] },
        at: "22:00".into(),
        minutes: 240,
        zone: ZoneChoice::Named("Europe/Berlin".into()),
        groups: Vec::new(),
    }
}

pub(crate) fn freeze() -> FreezeForm {
    FreezeForm {
        name: "Year's end".into(),
        from: "2026-12-20".into(),
        to: "2027-01-04".into(),
        zone: ZoneChoice::Device,
        groups: Vec::new(),
    }
}

pub(crate) fn profile() -> ProfileForm {
    ProfileForm {
        name: "Pilots".into(),
        position: 1,
        scan_minutes: 1_440,
        install_minutes: 1_440,
        frame: None,
        everything: false,
        groups: vec![GroupId(1)],
        devices: Vec::new(),
        not_groups: Vec::new(),
        not_devices: Vec::new(),
        coverage: view::CoverageForm::default(),
    }
}

async fn exception(w: &World) -> ExceptionForm {
    ExceptionForm {
        covers: ExceptionCovers::Group(GroupId(1)),
        about: ExceptionAbout::Patch(w.patch("openssl", "3").await),
        owner: None,
        reason: "known fault".into(),
        expires: "2026-12-31".into(),
    }
}

#[tokio::test]
async fn every_change_is_one_version_with_its_record() {
    let w = world().await;
    let (service, admin) = (&w.service, &w.administrator);
    w.device(1, "web1").await;
    let made = service.save_window(admin, None, &window()).await.unwrap().unwrap();
    assert_eq!(made.version, 2, "one more than a new server's");
    let page = service.schedule_window(admin, WindowId(made.id)).await.unwrap();
    assert_eq!((page.form, page.next.len()), (window(), 5));
    assert_eq!(page.next[0].from_text, "Sat 28 Nov 2026 22:00 CET");
    assert_eq!(
        page.line.summary,
        "Every Saturday and Sunday at 22:00 for 4 h, Europe/Berlin time"
    );
    let longer = WindowForm {
        minutes: 300,
        ..window()
    };
    let id = WindowId(made.id);
    let changed = service
        .save_window(admin, Some((id, made.version)), &longer)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((changed.id, changed.version), (made.id, 3));
    let stale = service.save_window(admin, Some((id, made.version)), &longer).await;
    assert!(matches!(stale, Err(Error::Changed)), "{stale:?}");
    let taken = service.save_window(admin, None, &window()).await;
    assert!(
        matches!(
            taken,
            Err(Error::Invalid {
                problem: Problem::Taken,
                ..
            })
        ),
        "{taken:?}"
    );
    assert!(matches!(service.delete_window(admin, id, 2).await, Err(Error::Changed)));
    service.delete_window(admin, id, 3).await.unwrap();
    assert!(matches!(service.schedule_window(admin, id).await, Err(Error::NotFound)));
    assert_eq!(
        w.number("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'policy_version'")
            .await,
        4
    );
    let recorded = w
        .number(
            "SELECT count(*) FROM audit WHERE object LIKE 'window:%' AND (
                (action = 'schedule.created' AND before IS NULL AND after ->> '$.name' = 'Weekend')
                OR (action = 'schedule.changed' AND before ->> '$.rule.length' = 14400 AND after ->> '$.rule.length' = 18000)
                OR (action = 'schedule.deleted' AND before ->> '$.rule.length' = 18000 AND after IS NULL))",
        )
        .await;
    assert_eq!(recorded, 3, "I-24");
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let w = world().await;
    let (service, admin) = (&w.service, &w.administrator);
    let before = w.dump().await;
    let rule = |rule: &str| WindowForm {
        when: WindowWhen::Rule {
            date: "2026-12-01".into(),
            rule: rule.into(),
        },
        ..window()
    };
    let zone = ZoneChoice::Named("Mars/Olympus".into());
    let past = WindowWhen::Once {
        date: "2025-01-01".into(),
    };
    let cases = [
        (WindowForm { minutes: 0, ..window() }, ScheduleProblem::NoLength),
        (
            WindowForm {
                minutes: 60 * 24 * 32,
                ..window()
            },
            ScheduleProblem::TooLong,
        ),
        (WindowForm { when: past, ..window() }, ScheduleProblem::NeverOccurs),
        (rule("FREQ=SECONDLY"), ScheduleProblem::TooOften),
        (
            WindowForm { zone, ..window() },
            ScheduleProblem::UnknownZone("Mars/Olympus".into()),
        ),
        (
            WindowForm {
                groups: vec![GroupId(99)],
                ..window()
            },
            ScheduleProblem::UnknownGroup(GroupId(99)),
        ),
        (
            WindowForm {
                at: "25:00".into(),
                ..window()
            },
            ScheduleProblem::BadTime("25:00".into()),
        ),
        (
            WindowForm {
                when: WindowWhen::Weekly { days: vec![] },
                ..window()
            },
            ScheduleProblem::NoDay,
        ),
    ];
    for (form, problem) in cases {
        assert_eq!(
            service.preview_occurrences(admin, &form).await.unwrap(),
            Err(problem.clone())
        );
        assert_eq!(service.save_window(admin, None, &form).await.unwrap(), Err(problem));
    }
    let unreadable = service
        .save_window(admin, None, &rule("FREQ=WEEKLY;BYDAY=XX"))
        .await
        .unwrap();
    assert!(matches!(unreadable, Err(ScheduleProblem::BadRule(_))), "{unreadable:?}");
    let backwards = FreezeForm {
        to: "2026-12-01".into(),
        ..freeze()
    };
    let refused = service.save_freeze(admin, None, &backwards).await.unwrap();
    assert_eq!(refused, Err(ScheduleProblem::EndsBeforeItBegins));
    let often = ProfileForm {
        scan_minutes: 1,
        ..profile()
    };
    let refused = service.save_profile(admin, None, &often).await.unwrap();
    assert_eq!(refused, Err(ScheduleProblem::IntervalTooShort));
    for install_minutes in [0, 59, 43_201] {
        let form = ProfileForm {
            install_minutes,
            ..profile()
        };
        let refused = service.save_profile(admin, None, &form).await.unwrap();
        assert_eq!(
            refused,
            Err(ScheduleProblem::RoundsOutOfRange),
            "SCH-1: {install_minutes}"
        );
    }
    let unknown = ExceptionForm {
        covers: ExceptionCovers::All,
        about: ExceptionAbout::Product("nothing".into()),
        owner: None,
        reason: "why".into(),
        expires: "2026-12-31".into(),
    };
    let refused = service.save_exception(admin, None, &unknown).await.unwrap();
    assert_eq!(refused, Err(ScheduleProblem::UnknownProduct("nothing".into())));
    assert_eq!(w.dump().await, before);
}

#[tokio::test]
async fn a_window_that_has_had_its_day_does_not_stop_other_changes() {
    let w = world().await;
    let (service, admin) = (&w.service, &w.administrator);
    let once = WindowForm {
        name: "Move".into(),
        when: WindowWhen::Once {
            date: "2026-11-24".into(),
        },
        ..window()
    };
    service.save_window(admin, None, &once).await.unwrap().unwrap();
    w.pass(Span::days(10));
    service.save_window(admin, None, &window()).await.unwrap().unwrap();
    service.save_freeze(admin, None, &freeze()).await.unwrap().unwrap();
}

#[tokio::test]
async fn only_the_roles_with_the_right_change_the_schedule() {
    let w = world().await;
    let seen = exception(&w).await;
    for role in [
        Role::Administrator,
        Role::SecurityOfficer,
        Role::PilotUser,
        Role::Auditor,
    ] {
        let actor: Actor = w.person(role).await;
        let before = w.dump().await;
        let (schedule, waive) = (role.may(Permission::ManageSchedule), role.may(Permission::Decide));
        let service = &w.service;
        let results = [
            (schedule, service.save_profile(&actor, None, &profile()).await),
            (schedule, service.save_window(&actor, None, &window()).await),
            (schedule, service.save_freeze(&actor, None, &freeze()).await),
            (waive, service.save_exception(&actor, None, &seen).await),
        ];
        let mut made = Vec::new();
        for (may, result) in results {
            match result {
                Ok(saved) => made.push(saved.unwrap()),
                Err(error) => assert!(matches!(error, Error::NotAllowed(_)), "{role}: {error}"),
            }
            assert_eq!(may, made.last().is_some_and(|_| may), "{role}");
        }
        assert_eq!(made.len(), 3 * usize::from(schedule) + usize::from(waive), "{role}");
        service.schedule(&actor).await.unwrap();
        if made.is_empty() {
            assert_eq!(w.dump().await, before, "{role}: a refusal changes nothing");
        }
        let id = |n: usize| made.get(n).map_or((1, 1), |m| (m.id, m.version));
        if schedule {
            service
                .delete_profile(&actor, ProfileId(id(0).0), id(0).1)
                .await
                .unwrap();
            service.delete_window(&actor, WindowId(id(1).0), id(1).1).await.unwrap();
            service.delete_freeze(&actor, FreezeId(id(2).0), id(2).1).await.unwrap();
        } else {
            assert!(matches!(
                service.delete_profile(&actor, ProfileId(1), 1).await,
                Err(Error::NotAllowed(_))
            ));
            assert!(matches!(
                service.delete_window(&actor, WindowId(1), 1).await,
                Err(Error::NotAllowed(_))
            ));
            assert!(matches!(
                service.delete_freeze(&actor, FreezeId(1), 1).await,
                Err(Error::NotAllowed(_))
            ));
        }
        match (waive, made.last()) {
            (true, Some(last)) => {
                service
                    .delete_exception(&actor, ExceptionId(last.id), last.version)
                    .await
                    .unwrap();
            }
            _ => assert!(matches!(
                service.delete_exception(&actor, ExceptionId(1), 1).await,
                Err(Error::NotAllowed(_))
            )),
        }
    }
}

#[tokio::test]
async fn a_window_shows_how_many_devices_follow_it() {
    let w = world().await;
    let (service, admin) = (&w.service, &w.administrator);
    for (group, host) in [(1, "a"), (1, "b"), (1, "c"), (2, "d")] {
        w.device(group, host).await;
    }
    let pilots = WindowForm {
        groups: vec![GroupId(1)],
        ..window()
    };
    let made = service.save_window(admin, None, &pilots).await.unwrap().unwrap();
    let count = async || {
        let page = service.schedule_window(admin, WindowId(made.id)).await.unwrap();
        (page.line.follow, page.line.concerned)
    };
    assert_eq!(count().await, (0, 3));
    w.run("UPDATE device SET policy_version = 2 WHERE hostname IN ('a', 'd')")
        .await
        .unwrap();
    assert_eq!(count().await, (1, 3), "MWN-2");
    w.run("UPDATE device SET policy_version = 9 WHERE hostname = 'b'")
        .await
        .unwrap();
    assert_eq!(count().await, (2, 3));
    let page = service.schedule(admin).await.unwrap();
    assert_eq!((page.windows[0].follow, page.windows[0].concerned), (2, 3));
    assert_eq!((page.profiles[0].concerned, page.without_profile), (4, 0));
    let gone = service.delete_profile(admin, ProfileId(1), 1).await.unwrap();
    assert_eq!(gone.warnings, [ScheduleWarning::DevicesWithoutProfile { devices: 4 }]);
    assert_eq!(service.schedule(admin).await.unwrap().without_profile, 4);
}

#[tokio::test]
async fn what_would_change_and_the_week_are_seen_before_it_is_saved() {
    let w = world().await;
    let (service, admin) = (&w.service, &w.administrator);
    let device = w.device(1, "web1").await;
    let patch = w.patch("openssl", "3").await;
    w.state(device, patch, PatchState::Missing, false).await;
    let these = Selection::These(vec![(patch, None)]);
    service
        .decide(
            admin,
            these,
            PILOT,
            Verb::Approve {
                urgent: Urgency::Normal,
            },
            "usual",
            false,
        )
        .await
        .unwrap();
    let form = ScheduleForm::Window(window());
    let before = w.dump().await;
    let change = service.what_would_change(admin, &form, None).await.unwrap().unwrap();
    assert_eq!((change.later, change.devices, change.cut), (1, 1, false));
    let first = service.preview_occurrences(admin, &window()).await.unwrap().unwrap()[0].from;
    let expected = MovedInstall {
        device,
        hostname: "web1".into(),
        patch,
        title: "openssl 3".into(),
        moved: Moved::Later {
            before: START,
            after: first,
        },
    };
    assert_eq!(change.installs, [expected]);
    assert_eq!(w.dump().await, before, "a look changes nothing");
}
