//! An oracle that says nothing proves nothing: each promise is broken once here.

use super::*;
use domain::{Arch, PackageName, RebootPolicy, Urgency, VersionText};
use protocol::v1::{AttemptEvent, AttemptRecord, Permit, PermitRequest, Results, ResultsReply};

const PATCH: PatchId = PatchId(5);
const WHAT: What = (0, 3, 8);
const DAY: i64 = 86_400;

fn package(number: u32) -> PackageVersion {
    PackageVersion {
        name: PackageName::parse("bash").unwrap(),
        arch: Arch::parse("amd64").unwrap(),
        version: Some(VersionText::parse(&crate::archive::version_text(0, number)).unwrap()),
    }
}

/// Device 1 in the pilot ring, devices 2 and 3 in production; the patch is approved for both.
fn world() -> Oracle {
    let settings = service::Settings::new("/nonexistent".into());
    let mut oracle = Oracle::new(&settings);
    for (id, group) in [(1, 1), (2, 2), (3, 2)] {
        oracle
            .enrolled(
                &format!("key{id}"),
                DeviceId(id),
                DeviceState::Active,
                Some(GroupId(group)),
                Moment(0),
            )
            .unwrap();
    }
    let book = oracle.meets(PATCH, WHAT);
    book.rulings.insert(
        PILOT,
        Ruling::Approved {
            urgent: Urgency::Normal,
        },
    );
    book.rulings.insert(
        PRODUCTION,
        Ruling::Approved {
            urgent: Urgency::Normal,
        },
    );
    oracle
}

fn ask(kind: ActionKind) -> PermitRequest {
    PermitRequest {
        patch: PATCH,
        kind,
        current: vec![package(7)],
    }
}

fn permit(attempt: i64, fence: u64, number: u32) -> Permit {
    Permit {
        attempt: AttemptId(attempt),
        fence,
        start_within: 600,
        server_time: Moment(0),
        packages: vec![package(number)],
        reboot: RebootPolicy::Never,
    }
}

fn broken(result: Result<(), Violation>) -> &'static str {
    result.err().map_or("", |v| v.invariant)
}

fn install(oracle: &mut Oracle, device: i64, attempt: i64, at: i64) -> &'static str {
    broken(oracle.grants(
        DeviceId(device),
        &ask(ActionKind::Install),
        &permit(attempt, u64::try_from(attempt).unwrap(), 8),
        Moment(at),
    ))
}

fn tell(oracle: &mut Oracle, device: i64, attempt: i64, id: &str, outcome: Outcome, at: i64) -> &'static str {
    let event = AttemptEvent::Finished {
        outcome,
        observed: vec![],
        log: Default::default(),
        took: 1,
    };
    let record = AttemptRecord {
        id: id.into(),
        attempt: AttemptId(attempt),
        fence: u64::try_from(attempt).unwrap(),
        at: Moment(at),
        event,
    };
    let reply = ResultsReply {
        acknowledged: vec![id.into()],
        refused: vec![],
    };
    broken(oracle.takes(DeviceId(device), &Results { results: vec![record] }, &reply, Moment(at)))
}

fn failed() -> Outcome {
    Outcome::Failed {
        exit: Some(1),
        message: Default::default(),
    }
}

/// A pilot has had the patch since second 100.
fn proven() -> Oracle {
    let mut oracle = world();
    assert_eq!(install(&mut oracle, 1, 1, 50), "");
    assert_eq!(tell(&mut oracle, 1, 1, "a", Outcome::Succeeded, 100), "");
    oracle
}

#[test]
fn authority_is_checked() {
    let mut oracle = world();
    oracle.patches.get_mut(&PATCH).unwrap().rulings.remove(&PILOT);
    assert_eq!(install(&mut oracle, 1, 1, 50), "I-1", "nobody approved it");
    let mut oracle = world();
    oracle
        .patches
        .get_mut(&PATCH)
        .unwrap()
        .rulings
        .insert(PILOT, Ruling::Denied);
    assert_eq!(install(&mut oracle, 1, 1, 50), "I-1", "denied");
    let mut oracle = world();
    let other = oracle.grants(DeviceId(1), &ask(ActionKind::Install), &permit(1, 1, 9), Moment(50));
    assert_eq!(broken(other), "I-3", "another version");
    let mut oracle = world();
    oracle.stop(PATCH, Some(HoldId(1)), Moment(10));
    assert_eq!(install(&mut oracle, 1, 1, 50), "I-4");
    oracle.resumes(PATCH, HoldId(1), Moment(60));
    assert_eq!(install(&mut oracle, 1, 1, 70), "");
    let mut oracle = world();
    oracle.devices.get_mut(&DeviceId(1)).unwrap().state = DeviceState::Pending;
    assert_eq!(install(&mut oracle, 1, 1, 50), "I-8");
    let mut oracle = world();
    oracle.clock_wrong = true;
    assert_eq!(install(&mut oracle, 1, 1, 50), "I-12");
    let mut oracle = world();
    oracle.meets(PatchId(6), (0, 3, 9)).rulings.insert(
        PILOT,
        Ruling::Approved {
            urgent: Urgency::Normal,
        },
    );
    assert_eq!(install(&mut oracle, 1, 1, 50), "I-34", "its successor is approved");
}

#[test]
fn what_is_scheduled_is_obeyed() {
    use super::schedule::{ExceptionBook, FreezeBook, Scheduled, Wall, Whom, WindowBook};
    let with = |scheduled: Scheduled, at: i64| {
        let mut oracle = world();
        oracle.schedule.insert(1, (1, scheduled));
        install(&mut oracle, 1, 1, at)
    };
    // 1970-01-01 was a Thursday.
    let window = |groups: &[i64]| {
        Scheduled::Window(WindowBook {
            days: vec![3],
            at: 60,
            minutes: 120,
            wall: Wall::Utc,
            groups: groups.iter().map(|g| GroupId(*g)).collect(),
        })
    };
    assert_eq!(with(window(&[]), 1_000), "I-9", "too early");
    assert_eq!(with(window(&[1]), 3_600), "");
    assert_eq!(with(window(&[1]), 3 * 3_600 - 300), "I-9", "too little left");
    assert_eq!(with(window(&[2]), 1_000), "", "another group's");
    let freeze = Scheduled::Freeze(FreezeBook {
        from: 10_000,
        to: 20_000,
        wall: Wall::Utc,
        groups: vec![],
    });
    assert_eq!(with(freeze.clone(), 9_000), "");
    assert_eq!(with(freeze.clone(), 9_700), "I-9", "it would run into the freeze");
    assert_eq!(with(freeze.clone(), 15_000), "I-9");
    assert_eq!(with(freeze.clone(), 20_000), "");
    let urgent = |urgent: Urgency, scheduled: Scheduled, at: i64| {
        let mut oracle = world();
        oracle.schedule.insert(1, (1, scheduled));
        let book = oracle.patches.get_mut(&PATCH).unwrap();
        book.rulings.insert(PILOT, Ruling::Approved { urgent });
        install(&mut oracle, 1, 1, at)
    };
    assert_eq!(urgent(Urgency::SkipSoak, window(&[]), 1_000), "I-9");
    assert_eq!(urgent(Urgency::SkipSoakAndWindows, window(&[]), 1_000), "");
    let frozen = urgent(Urgency::SkipSoakAndWindows, freeze, 15_000);
    assert_eq!(frozen, "I-9", "no urgency passes a freeze");
    let exception = |whom, patch| {
        Scheduled::Exception(ExceptionBook {
            whom,
            patch,
            product: WHAT.1,
            expires: Moment(5_000),
        })
    };
    assert_eq!(with(exception(Whom::All, None), 1_000), "exception");
    assert_eq!(
        with(exception(Whom::Device(DeviceId(1)), Some(PATCH)), 1_000),
        "exception"
    );
    assert_eq!(with(exception(Whom::Device(DeviceId(2)), None), 1_000), "");
    assert_eq!(with(exception(Whom::Group(GroupId(1)), Some(PatchId(6))), 1_000), "");
    assert_eq!(with(exception(Whom::All, None), 5_000), "");
}

#[test]
fn soak_is_counted_without_pauses() {
    let soaked = 100 + 7 * DAY;
    assert_eq!(install(&mut world(), 2, 2, soaked), "I-2", "no pilot has it");
    assert_eq!(install(&mut proven(), 2, 2, soaked - 1_000), "I-2");
    assert_eq!(install(&mut proven(), 2, 2, soaked), "");
    let mut paused = proven();
    paused.stop(PATCH, Some(HoldId(1)), Moment(DAY));
    paused.resumes(PATCH, HoldId(1), Moment(2 * DAY));
    assert_eq!(install(&mut paused, 2, 2, soaked), "I-2", "a day of it was held");
    assert_eq!(install(&mut paused, 2, 2, soaked + DAY), "");
    let mut urgent = proven();
    urgent.patches.get_mut(&PATCH).unwrap().rulings.insert(
        PRODUCTION,
        Ruling::Approved {
            urgent: Urgency::SkipSoak,
        },
    );
    assert_eq!(install(&mut urgent, 2, 2, 200), "");
}

#[test]
fn attempts_go_one_by_one() {
    let at = 100 + 8 * DAY;
    let mut oracle = proven();
    assert_eq!(install(&mut oracle, 2, 2, at), "");
    assert_eq!(install(&mut oracle, 2, 3, at + 10), "I-15");
    assert_eq!(
        install(&mut oracle, 3, 4, at + 10),
        "I-31",
        "the first of the ring is not done"
    );
    assert_eq!(tell(&mut oracle, 2, 2, "b", Outcome::Succeeded, at + 20), "");
    assert_eq!(install(&mut oracle, 3, 4, at + 30), "");
    let stale = oracle.grants(
        DeviceId(3),
        &ask(ActionKind::Install),
        &permit(9, 3, 8),
        Moment(at + 5_000),
    );
    assert_eq!(broken(stale), "I-16");
}

#[test]
fn results_are_taken_once() {
    let mut oracle = proven();
    assert_eq!(
        tell(&mut oracle, 1, 1, "a", Outcome::Succeeded, 100),
        "",
        "the same again"
    );
    assert_eq!(tell(&mut oracle, 1, 1, "a", failed(), 100), "I-20");
    assert_eq!(
        tell(&mut oracle, 2, 1, "c", failed(), 100),
        "I-16",
        "another device's attempt"
    );
    assert_eq!(tell(&mut oracle, 1, 77, "d", failed(), 100), "I-16", "nobody's attempt");
}

#[test]
fn failures_and_silence_owe_a_hold() {
    let mut oracle = world();
    assert_eq!(install(&mut oracle, 1, 1, 50), "");
    assert_eq!(tell(&mut oracle, 1, 1, "a", failed(), 60), "");
    assert_eq!(broken(oracle.reads_holds(PATCH, &BTreeSet::new())), "I-29");
    let mut oracle = world();
    assert_eq!(install(&mut oracle, 1, 1, 50), "");
    oracle.attempts.get_mut(&AttemptId(1)).unwrap().started = true;
    oracle.look_for_vanished(Moment(0), Moment(DAY));
    assert_eq!(broken(oracle.reads_holds(PATCH, &BTreeSet::new())), "I-30");
    let mut oracle = world();
    oracle.stop(PATCH, Some(HoldId(1)), Moment(10));
    assert_eq!(
        broken(oracle.reads_holds(PATCH, &BTreeSet::new())),
        "I-4",
        "a hold that nobody resolved is gone"
    );
}

#[test]
fn rollbacks_go_where_the_install_came_from() {
    let mut oracle = proven();
    let back = |oracle: &mut Oracle, number| {
        broken(oracle.grants(
            DeviceId(1),
            &ask(ActionKind::RollBack),
            &permit(2, 2, number),
            Moment(1_000),
        ))
    };
    assert_eq!(back(&mut oracle, 7), "I-33", "nobody ordered it");
    oracle.back(PATCH, &[DeviceId(1)], Moment(900));
    assert_eq!(back(&mut oracle, 6), "I-33", "it was never there");
    assert_eq!(back(&mut oracle, 7), "");
    assert_eq!(install(&mut oracle, 1, 3, 9_000), "I-4");
    oracle.reads_holds(PATCH, &BTreeSet::from([HoldId(1)])).unwrap();
    oracle.resumes(PATCH, HoldId(1), Moment(9_000));
    assert_eq!(install(&mut oracle, 1, 3, 90_000), "I-33", "blocked until it is lifted");
}

#[test]
fn copies_are_found() {
    let mut oracle = world();
    assert_eq!(
        broken(oracle.checks_in("key1", 0, DeviceState::Quarantined)),
        "I-38",
        "it was never copied"
    );
    let mut oracle = world();
    oracle.copied("key1");
    let last = (0..6)
        .map(|n| broken(oracle.checks_in("key1", n % 2, DeviceState::Active)))
        .last();
    assert_eq!(last, Some("I-38"), "both are answered three times");
    let mut oracle = world();
    oracle.copied("key1");
    assert_eq!(broken(oracle.checks_in("key1", 1, DeviceState::Quarantined)), "");
    assert_eq!(install(&mut oracle, 1, 1, 50), "I-8");
    oracle.accepted(DeviceId(1));
    assert_eq!(install(&mut oracle, 1, 1, 50), "");
}

#[test]
fn rounds_keep_their_interval() {
    const HOUR: i64 = 3_600;
    let other = PatchId(PATCH.0 + 1);
    let third = PatchId(PATCH.0 + 2);
    // Device 1 installs PATCH at 0; then another one after so many hours, and a third one.
    let second = |urgent: bool, every: Option<i64>, hours: i64, then: i64| {
        let mut oracle = world();
        oracle
            .intervals
            .extend(every.map(|hours| (GroupId(1), Span::hours(hours))));
        let start = Moment(10 * DAY);
        for (patch, urgent) in [(PATCH, false), (other, urgent), (third, false)] {
            let book = oracle.meets(patch, WHAT);
            let urgent = if urgent { Urgency::SkipSoak } else { Urgency::Normal };
            book.rulings.insert(PILOT, Ruling::Approved { urgent });
        }
        let mut asked =
            |patch, at| broken(oracle.installs(DeviceId(1), Some(PILOT), patch, Moment(start.0 + at * HOUR)));
        assert_eq!(asked(PATCH, 0), "");
        let first = asked(other, hours);
        (first, asked(third, then))
    };
    assert_eq!(second(false, None, 3, 25), ("", ""), "in the round, and a day later");
    assert_eq!(
        second(false, None, 3, 23),
        ("", "I-41"),
        "a round counts from its beginning"
    );
    assert_eq!(second(false, None, 5, 30).0, "I-41", "a day is the default");
    assert_eq!(second(false, Some(6), 5, 30).0, "I-41");
    assert_eq!(second(false, Some(6), 7, 10), ("", ""));
    assert_eq!(
        second(false, Some(1), 5, 10),
        ("", ""),
        "no longer than a round: no waiting"
    );
    assert_eq!(
        second(true, None, 5, 8),
        ("", ""),
        "an emergency does not wait, and may have begun one as far as is seen"
    );
    assert_eq!(second(true, None, 5, 12), ("", "I-41"), "but no later one");
}

#[test]
fn the_interval_counts_from_the_opening_of_the_window() {
    const HOUR: i64 = 3_600;
    let (second, third) = (PatchId(PATCH.0 + 1), PatchId(PATCH.0 + 2));
    // A window from midnight on, of so many hours; rounds at these hours.
    let rounds = |window: i64, hours: [i64; 3]| {
        let mut oracle = world();
        let every_night = schedule::Scheduled::Window(schedule::WindowBook {
            days: (0..7).collect(),
            at: 0,
            minutes: window * 60,
            wall: schedule::Wall::Utc,
            groups: Vec::new(),
        });
        oracle.schedule.insert(1, (1, every_night));
        let normal = Urgency::Normal;
        for patch in [PATCH, second, third] {
            let book = oracle.meets(patch, WHAT);
            book.rulings.insert(PILOT, Ruling::Approved { urgent: normal });
        }
        [PATCH, second, third]
            .into_iter()
            .zip(hours)
            .map(|(patch, hour)| {
                let at = Moment(10 * DAY + hour * HOUR);
                broken(oracle.installs(DeviceId(1), Some(PILOT), patch, at))
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(rounds(4, [3, 24, 48]), ["", "", ""], "each night, whenever in it");
    assert_eq!(rounds(4, [3, 23, 48]), ["", "I-41", ""], "not the day before");
    assert_eq!(rounds(4, [3, 27, 47]), ["", "", "I-41"]);
    assert_eq!(
        rounds(4, [5, 24, 48]),
        ["", "I-41", ""],
        "outside the window from its own beginning"
    );
}
