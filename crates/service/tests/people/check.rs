//! The schedule's forms while they are filled in: a check says what saving would say, and changes nothing.

use crate::support::*;
use domain::{DeviceId, PatchState, Role, Urgency, WindowId};
use service::{
    Error,
    commands::decide::{Selection, Verb},
};
use view::*;

fn window(name: &str) -> ScheduleForm {
    ScheduleForm::Window(form(name))
}

fn form(name: &str) -> WindowForm {
    WindowForm {
        name: name.into(),
        when: WindowWhen::Weekly { days: vec![5] },
        at: "22:00".into(),
        minutes: 240,
        zone: ZoneChoice::Utc,
        groups: Vec::new(),
    }
}

fn exception(about: ExceptionAbout) -> ExceptionForm {
    ExceptionForm {
        covers: ExceptionCovers::All,
        about,
        owner: None,
        reason: "a reason".into(),
        expires: "2026-12-31".into(),
    }
}

async fn with_an_approval(w: &World) -> DeviceId {
    let device = w.device(1, "web1").await;
    let patch = w.patch("openssl", "3").await;
    w.state(device, patch, PatchState::Missing, false).await;
    let these = Selection::These(vec![(patch, None)]);
    let decided = w
        .service
        .decide(
            &w.administrator,
            these,
            PILOT,
            Verb::Approve {
                urgent: Urgency::Normal,
            },
            "usual",
            false,
        )
        .await;
    decided.unwrap();
    device
}

#[tokio::test]
async fn a_check_says_what_saving_would_say() {
    let w = world().await;
    let (service, admin) = (&w.service, &w.administrator);
    with_an_approval(&w).await;
    let made = service.save_window(admin, None, &form("Taken")).await.unwrap().unwrap();
    let before = w.dump().await;
    let none = WindowForm { minutes: 0, ..form("") };
    let unknown = WindowForm {
        zone: ZoneChoice::Named("Mars".into()),
        ..form("n")
    };
    let missing = FormProblem::Field {
        field: Field::Label,
        problem: Problem::Missing,
    };
    let taken = FormProblem::Field {
        field: Field::Label,
        problem: Problem::Taken,
    };
    let cases = [
        (
            ScheduleForm::Window(none),
            vec![missing, FormProblem::Schedule(ScheduleProblem::NoLength)],
        ),
        (
            ScheduleForm::Window(unknown),
            vec![FormProblem::Schedule(ScheduleProblem::UnknownZone("Mars".into()))],
        ),
        (window("Taken"), vec![taken]),
        (
            ScheduleForm::Exception(exception(ExceptionAbout::Product("nothing".into()))),
            vec![FormProblem::Schedule(ScheduleProblem::UnknownProduct("nothing".into()))],
        ),
        (
            ScheduleForm::Exception(exception(ExceptionAbout::Product("openssl".into()))),
            vec![],
        ),
        (window("Free"), vec![]),
    ];
    for (form, problems) in cases {
        let check = service.check_schedule(admin, &form, None, true).await.unwrap();
        assert_eq!(check.problems, problems, "{form:?}");
        let refused = problems.iter().any(|p| matches!(p, FormProblem::Schedule(_)));
        assert_eq!(check.change.is_none(), refused, "{form:?}");
    }
    let own = service
        .check_schedule(admin, &window("Taken"), Some((made.id, made.version)), false)
        .await
        .unwrap();
    assert_eq!((own.problems, own.next.len(), own.change), (vec![], 5, None));
    assert_eq!(w.dump().await, before, "a look changes nothing");
}

#[tokio::test]
async fn a_check_names_who_saved_a_newer_version_or_deleted_it() {
    let w = world().await;
    let (service, admin) = (&w.service, &w.administrator);
    let made = service.save_window(admin, None, &form("One")).await.unwrap().unwrap();
    let seen = Some((made.id, made.version));
    let longer = WindowForm {
        minutes: 300,
        ..form("One")
    };
    let newer = service
        .save_window(admin, Some((WindowId(made.id), made.version)), &longer)
        .await
        .unwrap()
        .unwrap();
    let check = service
        .check_schedule(admin, &window("One"), seen, false)
        .await
        .unwrap();
    let [FormProblem::Changed(found)] = &check.problems[..] else {
        panic!("{:?}", check.problems);
    };
    assert_eq!((found.version, found.by.as_str()), (newer.version, admin.name.as_str()));
    assert_eq!(found.summary, "One: Every Saturday at 22:00 for 5 h, UTC");
    service
        .delete_window(admin, WindowId(made.id), newer.version)
        .await
        .unwrap();
    let check = service
        .check_schedule(admin, &window("One"), seen, false)
        .await
        .unwrap();
    assert_eq!(check.problems, [FormProblem::Gone]);
}

#[tokio::test]
async fn deleting_says_first_what_it_moves() {
    let w = world().await;
    let (service, admin) = (&w.service, &w.administrator);
    with_an_approval(&w).await;
    let made = service.save_window(admin, None, &form("One")).await.unwrap().unwrap();
    let before = w.dump().await;
    let without = |kind, id| service.what_would_change_without(admin, kind, id);
    let change = without(ScheduleKind::Window, made.id).await.unwrap();
    assert_eq!((change.earlier, change.devices), (1, 1));
    let default = service.schedule(admin).await.unwrap().profiles[0].id;
    let change = without(ScheduleKind::Profile, default).await.unwrap();
    assert_eq!((change.blocked, change.devices), (1, 1), "no profile, no installs");
    assert!(matches!(
        without(ScheduleKind::Freeze, made.id).await,
        Err(Error::NotFound)
    ));
    assert_eq!(w.dump().await, before, "a look changes nothing");
}

#[tokio::test]
async fn people_name_devices_and_patches_as_they_know_them() {
    let w = world().await;
    let (service, admin) = (&w.service, &w.administrator);
    let one = w.device(1, "web1").await;
    let twins = [w.device(1, "twin").await, w.device(2, "other").await];
    w.run("UPDATE device SET hostname = 'twin' WHERE hostname = 'other'")
        .await
        .unwrap();
    let patch = w.patch("openssl", "3").await;
    let device = |text: &'static str| async move { service.find_device(admin, text).await.unwrap() };
    assert_eq!(device(" web1 ").await, Ok(one));
    assert_eq!(device("twin").await, Err(ScheduleProblem::AmbiguousName("twin".into())));
    let text = format!("#{} twin", twins[1]);
    assert_eq!(service.find_device(admin, &text).await.unwrap(), Ok(twins[1]));
    assert_eq!(device("").await, Err(ScheduleProblem::UnknownName(String::new())));
    assert_eq!(service.find_patch(admin, "openssl 3").await.unwrap(), Ok(patch));
    assert_eq!(
        service.find_patch(admin, "openssl").await.unwrap(),
        Err(ScheduleProblem::UnknownName("openssl".into()))
    );
}

#[tokio::test]
async fn only_who_may_make_exceptions_sees_who_may_answer_for_them() {
    let w = world().await;
    for (role, sees) in [(Role::SecurityOfficer, true), (Role::Auditor, false)] {
        let person = w.person(role).await;
        let choices = w
            .service
            .schedule_choices(&person, ScheduleKind::Exception)
            .await
            .unwrap();
        assert_eq!(!choices.people.is_empty(), sees, "{role}");
    }
}

fn hours(days: Vec<u8>, from: &str, to: &str, zone: ZoneChoice) -> ProfileForm {
    ProfileForm {
        frame: Some(FrameForm {
            zone,
            days,
            from: from.into(),
            to: to.into(),
        }),
        ..crate::schedule::profile()
    }
}

#[tokio::test]
async fn a_profile_shows_its_next_hours_before_it_is_saved() {
    // The clock stands on Monday, 2026-11-23.
    let w = world().await;
    let next = async |form: &ProfileForm| {
        let form = ScheduleForm::Profile(form.clone());
        let check = w.service.check_schedule(&w.administrator, &form, None, false);
        let check = check.await.unwrap();
        assert_eq!(check.problems, []);
        let texts = check.next.into_iter().map(|one| (one.from_text, one.to_text));
        texts.collect::<Vec<_>>()
    };
    let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let berlin = ZoneChoice::Named("Europe/Berlin".into());
    let nights = next(&hours(vec![4, 5], "22:00", "06:00", berlin)).await;
    assert_eq!(nights.len(), 5);
    assert_eq!(
        nights[0],
        pair("Fri 27 Nov 2026 22:00 CET", "Sat 28 Nov 2026 06:00 CET")
    );
    assert_eq!(nights[2], pair("Fri 4 Dec 2026 22:00 CET", "Sat 5 Dec 2026 06:00 CET"));
    let own = next(&hours(vec![2], "20:00", "23:00", ZoneChoice::Device)).await;
    assert_eq!(own[0], pair("Wed 25 Nov 2026 20:00", "Wed 25 Nov 2026 23:00"));
    let always = next(&hours((0..7).collect(), "00:00", "00:00", ZoneChoice::Utc)).await;
    assert_eq!(always, [], "hours that never end have no next time");
    assert_eq!(next(&crate::schedule::profile()).await, []);
}

#[tokio::test]
async fn hours_that_no_window_meets_are_said_before_and_after_saving() {
    let w = world().await;
    let (service, admin) = (&w.service, &w.administrator);
    let device = w.device(1, "web1").await;
    service
        .save_window(admin, None, &form("Saturdays"))
        .await
        .unwrap()
        .unwrap();
    let never = |warnings: &[ScheduleWarning]| {
        let of = |one: &&ScheduleWarning| matches!(one, ScheduleWarning::NeverMeets { device: d, .. } if *d == device);
        warnings.iter().filter(of).count()
    };
    let check = async |form: &ProfileForm| {
        let form = ScheduleForm::Profile(form.clone());
        service.check_schedule(admin, &form, None, false).await.unwrap()
    };
    let apart = hours(vec![0], "08:00", "10:00", ZoneChoice::Utc);
    let together = hours(vec![5], "22:00", "23:59", ZoneChoice::Utc);
    assert_eq!(never(&check(&apart).await.warnings), 1);
    assert_eq!(never(&check(&together).await.warnings), 0);
    let saved = service.save_profile(admin, None, &apart).await.unwrap().unwrap();
    assert_eq!(never(&saved.warnings), 1, "it may be saved, and that is said");
    let mondays = WindowForm {
        when: WindowWhen::Weekly { days: vec![0] },
        at: "08:00".into(),
        ..form("Mondays")
    };
    let both = ScheduleForm::Window(mondays);
    let check = service.check_schedule(admin, &both, None, false).await.unwrap();
    assert_eq!(never(&check.warnings), 0, "with this window they meet");
}

#[tokio::test]
async fn exceptions_that_end_at_different_times_are_said() {
    let w = world().await;
    let (service, admin) = (&w.service, &w.administrator);
    w.patch("openssl", "3").await;
    let until = |date: &str| ExceptionForm {
        owner: admin.account,
        expires: date.into(),
        ..exception(ExceptionAbout::Product("openssl".into()))
    };
    let first = service
        .save_exception(admin, None, &until("2026-12-31"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(first.warnings, []);
    let later = until("2027-01-31");
    let form = ScheduleForm::Exception(later.clone());
    let check = service.check_schedule(admin, &form, None, false).await.unwrap();
    assert!(
        matches!(check.warnings[..], [ScheduleWarning::ExceptionsDiffer { one, .. }] if one == first.id),
        "{:?}",
        check.warnings
    );
    let saved = service.save_exception(admin, None, &later).await.unwrap().unwrap();
    let (one, other) = (first.id, saved.id);
    assert_eq!(saved.warnings, [ScheduleWarning::ExceptionsDiffer { one, other }]);
}

#[tokio::test]
async fn dates_beyond_the_years_that_are_planned_are_refused() {
    let w = world().await;
    let (service, admin) = (&w.service, &w.administrator);
    w.patch("openssl", "3").await;
    let before = w.dump().await;
    let forms = [
        ScheduleForm::Window(WindowForm {
            when: WindowWhen::Once {
                date: "9999-12-01".into(),
            },
            ..form("Far")
        }),
        ScheduleForm::Freeze(FreezeForm {
            name: "Far".into(),
            from: "2026-12-01".into(),
            to: "9999-12-31".into(),
            zone: ZoneChoice::Utc,
            groups: Vec::new(),
        }),
        ScheduleForm::Exception(ExceptionForm {
            owner: admin.account,
            expires: "9999-12-31".into(),
            ..exception(ExceptionAbout::Product("openssl".into()))
        }),
    ];
    for form in forms {
        let check = service.check_schedule(admin, &form, None, true).await.unwrap();
        let [FormProblem::Schedule(problem)] = &check.problems[..] else {
            panic!("{form:?}: {:?}", check.problems);
        };
        assert!(matches!(problem, ScheduleProblem::DateOutOfRange(_)), "{problem:?}");
        let saved = match &form {
            ScheduleForm::Window(form) => service.save_window(admin, None, form).await,
            ScheduleForm::Freeze(form) => service.save_freeze(admin, None, form).await,
            ScheduleForm::Exception(form) => service.save_exception(admin, None, form).await,
            ScheduleForm::Profile(_) => unreachable!("none of them"),
        };
        assert_eq!(saved.unwrap().as_ref(), Err(problem), "the check says what saving says");
    }
    assert_eq!(w.dump().await, before);
}
