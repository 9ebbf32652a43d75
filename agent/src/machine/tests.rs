use super::*;
use domain::{Arch, AttemptId, PackageName, PatchId, VersionText};
use protocol::v1::{ActionKind, DevicePolicy, RefusalCode};

mod calls;
mod restarts;

fn package(name: &str, version: Option<&str>) -> PackageVersion {
    PackageVersion {
        name: PackageName::parse(name).unwrap(),
        arch: Arch::parse("amd64").unwrap(),
        version: version.map(|v| VersionText::parse(v).unwrap()),
    }
}

fn order(kind: ActionKind) -> Order {
    Order {
        patch: PatchId(5),
        kind,
        packages: vec![package("openssl", Some("2")), package("libssl3", Some("2"))],
    }
}

fn permit(order: &Order, reboot: RebootPolicy) -> Permit {
    let packages = order.packages.clone();
    Permit {
        attempt: AttemptId(3),
        fence: 8,
        start_within: 60,
        server_time: Moment(0),
        packages,
        reboot,
    }
}

fn reply() -> CheckInReply {
    CheckInReply {
        server_time: Moment(0),
        epoch: 1,
        state: DeviceState::Active,
        poll_after: 900,
        want_full_report: false,
        scan_now: false,
        policy: None,
        orders: vec![],
        notices: vec![],
    }
}

/// A whole scan.
fn scanned(digest: &str) -> Event {
    Event::Scanned {
        digest: Digest(digest.into()),
        unread: false,
    }
}

fn seen(wanted: &Order) -> Seen {
    Seen {
        wanted: wanted.packages.clone(),
        observed: wanted.packages.clone(),
        exit: Some(0),
        ..Seen::default()
    }
}

/// Feeds events and keeps the effects of the last one.
struct Life {
    state: State,
    now: i64,
    effects: Vec<Effect>,
}

impl Life {
    fn new(local: LocalPolicy, open: Option<RebootPolicy>) -> Self {
        Self::born(local, open, Restart::Nothing)
    }

    fn born(local: LocalPolicy, open: Option<RebootPolicy>, restart: Restart) -> Self {
        let state = State::new(Kept::default(), local, false);
        let mut life = Self {
            state,
            now: 1_000,
            effects: vec![],
        };
        life.give(Event::Born {
            open,
            unsent: 0,
            restart,
        });
        life
    }

    fn give(&mut self, event: Event) -> &[Effect] {
        let turn = Turn {
            now: Moment(self.now),
            jitter: 32_768,
        };
        let (state, effects) = step(self.state.clone(), event, turn);
        (self.state, self.effects) = (state, effects);
        &self.effects
    }

    fn after(&mut self, seconds: i64, event: Event) -> &[Effect] {
        self.now += seconds;
        self.give(event)
    }

    /// Checked in, scanned and reported; nothing is due.
    fn settled(local: LocalPolicy) -> Self {
        let mut life = Self::new(local, None);
        life.give(Event::CheckedIn(reply()));
        life.give(scanned("a"));
        life.give(Event::Reported(Digest("a".into())));
        life.give(Event::CheckedIn(reply()));
        assert_eq!(life.state.activity, Activity::Idle);
        life
    }

    /// As far as the permit request.
    fn asking(local: LocalPolicy, order: &Order, ready: Result<(), NotStarted>) -> Self {
        let mut life = Self::settled(local);
        let reply = CheckInReply {
            orders: vec![order.clone()],
            ..reply()
        };
        life.after(900, Event::Tick);
        life.give(Event::CheckedIn(reply));
        assert!(
            matches!(life.effects.last(), Some(Effect::Prepare { .. })),
            "{:?}",
            life.effects
        );
        let current = vec![package("openssl", Some("1")), package("libssl3", Some("1"))];
        let ready = ready.map(|()| Fetched { rate: Some(2_000_000) });
        life.give(Event::Prepared { current, ready });
        let asks = |effect: &Effect| matches!(effect, Effect::AskPermit { .. });
        assert_eq!(life.effects.iter().filter(|e| asks(e)).count(), 1);
        life
    }

    fn granted(&mut self, order: &Order, reboot: RebootPolicy) -> &[Effect] {
        self.give(Event::Answered(PermitReply::Granted(permit(order, reboot))))
    }
}

fn finish(effects: &[Effect]) -> &Finish {
    match effects {
        [.., Effect::Finish(finish)] => finish,
        other => panic!("no end in {other:?}"),
    }
}

#[test]
fn a_first_life_checks_in_scans_reports_fully_and_then_waits() {
    let mut life = Life::new(LocalPolicy::OPEN, None);
    assert_eq!(life.effects, [Effect::CheckIn]);
    let reply = CheckInReply {
        want_full_report: true,
        ..reply()
    };
    assert!(matches!(
        life.give(Event::CheckedIn(reply.clone()))[..],
        [Effect::Save(_), Effect::Notices(_), Effect::Scan { refresh: false }]
    ));
    assert_eq!(life.give(scanned("a")), [Effect::Report { full: true }]);
    life.give(Event::Reported(Digest("a".into())));
    assert_eq!(
        life.effects.last(),
        Some(&Effect::CheckIn),
        "what is new may be answered with orders"
    );
    // A server that wants the same again and again gets it at its own pace.
    life.give(Event::CheckedIn(reply));
    assert_eq!(life.effects.last(), Some(&Effect::Report { full: true }));
    life.give(Event::Reported(Digest("a".into())));
    assert_eq!(life.effects.last(), Some(&Effect::CheckIn));
    life.give(Event::CheckedIn(self::reply()));
    assert!(matches!(life.effects[..], [Effect::Notices(_)]));
    assert_eq!(life.state.wake(), Moment(life.now + 900));
    life.after(4 * 3_600, Event::Tick);
    life.give(Event::CheckedIn(self::reply()));
    assert_eq!(life.effects.last(), Some(&Effect::Scan { refresh: false }));
    assert_eq!(
        life.give(scanned("a")),
        [Effect::Report { full: false }],
        "told that it looked"
    );
}

#[test]
fn an_install_is_prepared_permitted_written_told_run_noted_and_proved() {
    let order = order(ActionKind::Install);
    let mut life = Life::asking(LocalPolicy::OPEN, &order, Ok(()));
    assert!(matches!(
        life.granted(&order, RebootPolicy::IfNeeded)[..],
        [Effect::Begin { .. }]
    ));
    assert_eq!(life.give(Event::Tick), [], "nothing is begun twice");
    assert_eq!(life.give(Event::Begun { unsent: 1 }), [Effect::SendResults]);
    assert!(matches!(
        life.give(Event::Delivered { unsent: 0 })[..],
        [Effect::Run { .. }]
    ));
    assert!(life.state.running() && life.give(Event::Tick).is_empty());
    // Check-ins go on while the package manager runs.
    assert_eq!(life.after(901, Event::Tick), [Effect::CheckIn]);
    let more = CheckInReply {
        orders: vec![order.clone()],
        ..reply()
    };
    assert!(
        matches!(life.give(Event::CheckedIn(more))[..], [Effect::Notices(_)]),
        "one attempt at a time"
    );
    let seen = Seen {
        restart_owed: true,
        ..seen(&order)
    };
    assert_eq!(
        finish(life.give(Event::Ended(Box::new(seen)))).outcome,
        Outcome::Succeeded
    );
    assert_eq!(life.give(Event::Noted { unsent: 1 }), [Effect::SendResults]);
    assert_eq!(
        life.give(Event::Delivered { unsent: 0 }),
        [Effect::Reboot],
        "after the result is told"
    );
}

#[test]
fn without_permission_to_restart_it_rescans_at_once() {
    let order = order(ActionKind::Install);
    for (policy, local) in [
        (RebootPolicy::Never, LocalPolicy::OPEN),
        (
            RebootPolicy::IfNeeded,
            LocalPolicy {
                allow_reboot: false,
                ..LocalPolicy::OPEN
            },
        ),
    ] {
        let mut life = Life::asking(local, &order, Ok(()));
        life.granted(&order, policy);
        life.give(Event::Begun { unsent: 1 });
        life.give(Event::Delivered { unsent: 0 });
        life.give(Event::Ended(Box::new(Seen {
            restart_owed: true,
            ..seen(&order)
        })));
        life.give(Event::Noted { unsent: 1 });
        life.give(Event::Delivered { unsent: 0 });
        assert_eq!(life.effects.last(), Some(&Effect::CheckIn));
        life.give(Event::CheckedIn(reply()));
        assert_eq!(life.effects.last(), Some(&Effect::Scan { refresh: false }));
    }
}

/// I-14, I-35.
#[test]
fn nothing_starts_after_the_permits_time_or_with_other_packages() {
    let order = order(ActionKind::Install);
    let expired = Outcome::NotStarted {
        why: NotStarted::PermitExpired,
    };
    let mut life = Life::asking(LocalPolicy::OPEN, &order, Ok(()));
    life.now += 61;
    assert_eq!(finish(life.granted(&order, RebootPolicy::Never)).outcome, expired);

    let mut life = Life::asking(LocalPolicy::OPEN, &order, Ok(()));
    life.granted(&order, RebootPolicy::Never);
    life.give(Event::Begun { unsent: 1 });
    life.now += 61;
    assert_eq!(
        finish(life.give(Event::CallFailed(Call::Results, Failure::NoAnswer))).outcome,
        expired
    );

    let mut life = Life::asking(LocalPolicy::OPEN, &order, Ok(()));
    let mut other = permit(&order, RebootPolicy::Never);
    other.packages.push(package("sudo", Some("1")));
    let outcome = &finish(life.give(Event::Answered(PermitReply::Granted(other)))).outcome;
    assert!(matches!(
        outcome,
        Outcome::NotStarted {
            why: NotStarted::LocalPolicy { .. }
        }
    ));

    // The server is not there to be told of the start: it starts all the same.
    let mut life = Life::asking(LocalPolicy::OPEN, &order, Ok(()));
    life.granted(&order, RebootPolicy::Never);
    life.give(Event::Begun { unsent: 1 });
    assert!(matches!(
        life.give(Event::CallFailed(Call::Results, Failure::NoAnswer))[..],
        [Effect::Run { .. }]
    ));
}

#[test]
fn the_local_policy_narrows_and_the_server_is_told() {
    for (local, kind, rule) in [
        (LocalPolicy::CLOSED, ActionKind::Install, "scan_only"),
        (
            LocalPolicy {
                allow_rollback: false,
                ..LocalPolicy::OPEN
            },
            ActionKind::RollBack,
            "allow_rollback",
        ),
    ] {
        let mut life = Life::settled(local);
        let order = order(kind);
        life.after(900, Event::Tick);
        life.give(Event::CheckedIn(CheckInReply {
            orders: vec![order.clone()],
            ..reply()
        }));
        let Some(Effect::Prepare {
            forbidden: Some(why), ..
        }) = life.effects.last().cloned()
        else {
            panic!("{:?}", life.effects)
        };
        assert_eq!(
            why,
            NotStarted::LocalPolicy {
                rule: ShortText::fit(rule)
            }
        );
        life.give(Event::Prepared {
            current: vec![],
            ready: Err(why.clone()),
        });
        assert_eq!(
            finish(life.granted(&order, RebootPolicy::Never)).outcome,
            Outcome::NotStarted { why }
        );
    }
}

/// SCH-2.
#[test]
fn what_was_measured_is_kept_for_every_check_in() {
    let order = order(ActionKind::Install);
    let life = Life::asking(LocalPolicy::OPEN, &order, Ok(()));
    let kept = life.state.kept().measured;
    assert_eq!((kept.download_rate, kept.restart), (Some(2_000_000), None));
    let again = |took| {
        let born = Event::Born {
            open: None,
            unsent: 0,
            restart: Restart::Over { took },
        };
        let state = State::new(life.state.kept().clone(), LocalPolicy::OPEN, false);
        let turn = Turn {
            now: Moment(1),
            jitter: 0,
        };
        let (state, effects) = step(state, born, turn);
        let saved = effects.iter().any(|e| matches!(e, Effect::Save(_)));
        (state.kept().measured, saved)
    };
    assert_eq!(again(None), (kept, false), "nothing new to save");
    let restart = Some(Span(95));
    assert_eq!(again(restart), (Measured { restart, ..kept }, true));
}

/// I-35.
#[test]
fn orders_of_a_wrong_shape_or_for_a_device_that_is_not_active_are_not_taken() {
    let twice = Order {
        packages: vec![package("a", Some("1")), package("a", Some("2"))],
        ..order(ActionKind::Install)
    };
    let empty = Order {
        packages: vec![],
        ..order(ActionKind::Install)
    };
    let none = Order {
        packages: vec![package("a", None)],
        ..order(ActionKind::Install)
    };
    for (orders, state) in [
        (vec![twice], DeviceState::Active),
        (vec![empty], DeviceState::Active),
        (vec![none], DeviceState::Active),
        (vec![order(ActionKind::Install)], DeviceState::Pending),
        (vec![order(ActionKind::Install)], DeviceState::Quarantined),
    ] {
        let mut life = Life::settled(LocalPolicy::OPEN);
        life.after(900, Event::Tick);
        life.give(Event::CheckedIn(CheckInReply {
            orders,
            state,
            ..reply()
        }));
        assert!(
            !life.effects.iter().any(|e| matches!(e, Effect::Prepare { .. })),
            "{:?}",
            life.effects
        );
    }
    let gone = Order {
        packages: vec![package("a", None)],
        ..order(ActionKind::RollBack)
    };
    assert!(acceptable(&gone), "going back may mean that a package is not there");
}

#[test]
fn a_life_that_finds_an_open_attempt_looks_before_anything_else_and_runs_nothing() {
    let mut life = Life::new(LocalPolicy::OPEN, Some(RebootPolicy::Never));
    assert_eq!(life.effects, [Effect::Recover]);
    life.give(Event::StillRunning);
    assert_eq!(life.effects, [Effect::CheckIn], "the server hears from it meanwhile");
    let wanted = order(ActionKind::Install);
    life.give(Event::CheckedIn(CheckInReply {
        orders: vec![wanted.clone()],
        ..reply()
    }));
    assert_eq!(life.after(5, Event::Tick), [Effect::Recover]);
    let seen = Seen {
        interrupted: true,
        repaired: true,
        ..seen(&wanted)
    };
    let end = finish(life.give(Event::Ended(Box::new(seen)))).clone();
    assert_eq!((end.permit, end.outcome), (None, Outcome::InterruptedRecovered));
}

#[test]
fn an_end_that_cannot_be_written_is_tried_again_and_nothing_else_is_done_before() {
    let order = order(ActionKind::Install);
    let mut life = Life::asking(LocalPolicy::OPEN, &order, Err(NotStarted::AlreadyThere));
    life.granted(&order, RebootPolicy::Never);
    assert_eq!(life.give(Event::NoteFailed), []);
    assert_eq!(life.give(Event::Tick), []);
    assert!(matches!(life.after(30, Event::Tick)[..], [Effect::Finish(_)]));
    assert_eq!(life.give(Event::Noted { unsent: 1 }), [Effect::SendResults]);
}

#[test]
fn a_restored_server_is_told_everything_again() {
    let mut life = Life::settled(LocalPolicy::OPEN);
    life.after(900, Event::Tick);
    life.give(Event::CheckedIn(CheckInReply {
        epoch: 2,
        want_full_report: true,
        ..reply()
    }));
    assert_eq!(life.effects[0], Effect::Resend { epoch: 2 });
    assert!(life.effects.contains(&Effect::Report { full: true }));
}

#[test]
fn asked_to_stop_it_waits_for_the_package_manager_and_writes_the_end() {
    let order = order(ActionKind::Install);
    let mut life = Life::asking(LocalPolicy::OPEN, &order, Ok(()));
    life.granted(&order, RebootPolicy::Never);
    life.give(Event::Begun { unsent: 1 });
    life.give(Event::Delivered { unsent: 0 });
    assert_eq!(life.give(Event::Stop), []);
    finish(life.give(Event::Ended(Box::new(seen(&order)))));
    assert_eq!(life.give(Event::Noted { unsent: 1 }), [Effect::Exit(End::Stopped)]);
    let mut idle = Life::settled(LocalPolicy::OPEN);
    assert_eq!(idle.give(Event::Stop), [Effect::Exit(End::Stopped)]);
}

#[test]
fn outcomes_are_judged_by_what_is_there() {
    let order = order(ActionKind::Install);
    let good = seen(&order);
    assert_eq!(
        judge(&Seen {
            exit: Some(100),
            ..good.clone()
        }),
        Outcome::Succeeded,
        "whatever the code says"
    );
    let interrupted = Seen {
        interrupted: true,
        exit: None,
        ..good.clone()
    };
    assert_eq!(
        judge(&interrupted),
        Outcome::Succeeded,
        "the package manager outlived the agent"
    );
    assert_eq!(
        judge(&Seen {
            repaired: true,
            ..interrupted
        }),
        Outcome::InterruptedRecovered
    );
    let old = Seen {
        observed: vec![package("openssl", Some("1"))],
        exit: Some(0),
        ..good.clone()
    };
    assert!(
        matches!(judge(&old), Outcome::Failed { exit: Some(0), .. }),
        "exit 0 proves nothing"
    );
    let disorder = Some(ShortText::fit("dpkg --audit names openssl"));
    assert!(matches!(judge(&Seen { disorder, ..good }), Outcome::Broken { .. }));
}

/// Any order of events, at any moments: it never runs what was not begun, begins one attempt at a time, and never panics.
#[test]
fn any_events_in_any_order_keep_the_rules() {
    let order = order(ActionKind::Install);
    let all = |n: u32| -> Event {
        match n % 20 {
            0 => Event::Tick,
            1 => Event::CheckedIn(CheckInReply {
                orders: vec![order.clone()],
                ..reply()
            }),
            2 => Event::Reported(Digest(format!("{}", n % 3))),
            3 => Event::Answered(PermitReply::Granted(permit(&order, RebootPolicy::IfNeeded))),
            4 => Event::Answered(PermitReply::Refused {
                gate: ShortText::default(),
                reason: ShortText::default(),
                opens_at: None,
            }),
            5 => Event::Delivered { unsent: n % 2 },
            6 => Event::CallFailed(Call::CheckIn, Failure::NoAnswer),
            7 => Event::CallFailed(Call::Report, Failure::Refused(RefusalCode::DigestMismatch)),
            8 => Event::CallFailed(Call::Permit, Failure::NoAnswer),
            9 => Event::CallFailed(Call::Results, Failure::Refused(RefusalCode::Malformed)),
            10 => Event::Scanned {
                digest: Digest(format!("{}", n % 3)),
                unread: n.is_multiple_of(5),
            },
            11 => Event::ScanFailed,
            12 => Event::Prepared {
                current: vec![],
                ready: if n.is_multiple_of(2) {
                    Ok(Fetched::default())
                } else {
                    Err(NotStarted::AlreadyThere)
                },
            },
            13 => Event::Begun { unsent: 1 },
            14 => Event::NotBegun(NotStarted::AlreadyThere),
            15 => Event::Ended(Box::new(seen(&order))),
            16 => Event::Noted { unsent: 1 },
            17 => Event::CheckedIn(CheckInReply {
                policy: Some(DevicePolicy {
                    version: 2,
                    scan_interval: 0,
                    rate_kib: None,
                    reboot: RebootPolicy::IfNeeded,
                }),
                ..reply()
            }),
            18 => Event::RebootNotNoted,
            _ => Event::RebootFailed,
        }
    };
    for seed in 0..200_u32 {
        let mut life = Life::new(LocalPolicy::OPEN, None);
        let mut chance = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let (mut begun, mut runs) = (0, 0);
        for _ in 0..400 {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let event = all(chance >> 12);
            let was_running = life.state.running();
            let ends = matches!(event, Event::Ended(_));
            let was_beginning = matches!(life.state.activity, Activity::Beginning { .. });
            begun += i32::from(was_beginning && matches!(event, Event::Begun { .. }));
            let effects = life.after(i64::from(chance >> 28), event).to_vec();
            runs += i32::try_from(effects.iter().filter(|e| matches!(e, Effect::Run { .. })).count()).unwrap();
            let waits = life.state.waits_for_manager();
            assert!(!was_running || ends || waits, "seed {seed}: {effects:?}");
            assert!(runs <= begun, "seed {seed}: {runs} runs of {begun} begun");
        }
    }
}

/// Sources that could not be read, or a scan that could not be made, are looked at again long before the interval is over.
#[test]
fn a_scan_that_did_not_see_everything_is_soon_repeated_and_later_each_time() {
    let short = |failed: bool| {
        if failed {
            return Event::ScanFailed;
        }
        Event::Scanned {
            digest: Digest("a".into()),
            unread: true,
        }
    };
    for failed in [true, false] {
        let mut life = Life::settled(LocalPolicy::OPEN);
        for minutes in [15, 30, 60, 120, 240, 240] {
            life.state.scan_at = Moment(life.now);
            life.give(short(failed));
            assert_eq!(life.state.scan_at, Moment(life.now + minutes * 60));
        }
        life.give(scanned("a"));
        assert_eq!(life.state.scan_at, Moment(life.now + 4 * 3_600), "all is well again");
    }
}
