//! Restarts of the device, and waiting.

use super::*;

/// The end of an attempt, noted and told, on a device that owes a restart.
fn ended_owing(life: &mut Life) {
    let seen = Seen {
        restart_owed: true,
        interrupted: true,
        ..seen(&order(ActionKind::Install))
    };
    life.give(Event::Ended(Box::new(seen)));
    life.give(Event::Noted { unsent: 1 });
    life.give(Event::Delivered { unsent: 0 });
}

/// An install that another life began restarts the device as its own permit says, and not as the policy of today.
#[test]
fn an_end_that_a_new_life_finds_restarts_as_its_permit_allows() {
    let closed = LocalPolicy {
        allow_reboot: false,
        ..LocalPolicy::OPEN
    };
    for (local, permit, restarts) in [
        (LocalPolicy::OPEN, RebootPolicy::IfNeeded, true),
        (LocalPolicy::OPEN, RebootPolicy::Never, false),
        (closed, RebootPolicy::IfNeeded, false),
    ] {
        let mut life = Life::new(local, Some(permit));
        life.state.kept.policy.reboot = RebootPolicy::IfNeeded;
        assert_eq!(life.effects, [Effect::Recover]);
        let seen = Seen {
            restart_owed: true,
            interrupted: true,
            ..seen(&order(ActionKind::Install))
        };
        let end = finish(life.give(Event::Ended(Box::new(seen)))).clone();
        assert_eq!((end.permit, end.restart), (None, restarts), "{permit:?}");
        life.give(Event::Noted { unsent: 1 });
        life.give(Event::Delivered { unsent: 0 });
        assert_eq!(life.effects.contains(&Effect::Reboot), restarts, "{permit:?}");
    }
}

#[test]
fn a_restart_that_was_not_ordered_before_a_crash_is_ordered_by_the_next_life() {
    let mut life = Life::born(LocalPolicy::OPEN, None, Restart::Owed);
    assert_eq!(life.effects, [Effect::Reboot], "before anything new begins");
    assert_eq!(life.give(Event::Tick), [], "and once only");
    let closed = Life::born(LocalPolicy::CLOSED, None, Restart::Owed);
    assert_eq!(closed.effects, [Effect::CheckIn], "the owner has forbidden it since");
    for restart in [Restart::Nothing, Restart::Over { took: Some(Span(95)) }] {
        let life = Life::born(LocalPolicy::OPEN, None, restart);
        assert_eq!(
            life.effects.last(),
            Some(&Effect::CheckIn),
            "{restart:?}: nothing to restart for"
        );
    }
}

/// While the device goes down the agent waits: it asks for no time of the processor, begins nothing, and ends when it is told to.
#[test]
fn an_ordered_restart_is_waited_for_calmly_and_given_up_in_the_end() {
    let rebooting = || {
        let mut life = Life::new(LocalPolicy::OPEN, Some(RebootPolicy::IfNeeded));
        // Long overdue, as after a long install.
        life.now += 10_000;
        ended_owing(&mut life);
        assert_eq!(life.effects, [Effect::Reboot]);
        life
    };
    let mut life = rebooting();
    let until = Moment(life.now) + RESTART_WITHIN;
    assert_eq!(life.state.wake(), until, "nothing is due before");
    assert_eq!(life.after(RESTART_WITHIN.0 - 1, Event::Tick), []);
    assert_eq!(life.after(1, Event::Tick), [Effect::GiveUpReboot]);
    assert!(life.state.wake() <= Moment(life.now), "it goes on at once");
    assert_eq!(life.give(Event::Tick), [Effect::CheckIn]);
    life.give(Event::CheckedIn(reply()));
    assert_eq!(
        life.effects.last(),
        Some(&Effect::Scan { refresh: false }),
        "the server hears that the restart is still owed"
    );
    life.give(scanned("a"));
    assert!(!life.effects.contains(&Effect::Reboot), "it is not ordered again");

    assert_eq!(
        rebooting().give(Event::Stop),
        [Effect::Exit(End::Stopped)],
        "the system goes down"
    );
    let mut refused = rebooting();
    assert_eq!(refused.give(Event::RebootFailed), [Effect::CheckIn]);

    // Another life in the same boot waits for what is left.
    let left = Span(240);
    let mut life = Life::born(LocalPolicy::OPEN, None, Restart::Ordered { left });
    assert_eq!(
        (life.state.wake(), &life.effects[..]),
        (Moment(life.now) + left, &[][..])
    );
    assert_eq!(life.after(left.0, Event::Tick), [Effect::GiveUpReboot]);
}

#[test]
fn a_restart_that_cannot_be_written_down_is_not_ordered_but_tried_again() {
    let mut life = Life::born(LocalPolicy::OPEN, None, Restart::Owed);
    assert_eq!(life.give(Event::RebootNotNoted), [Effect::CheckIn]);
    life.give(Event::CheckedIn(reply()));
    life.give(scanned("a"));
    life.give(Event::Reported(Digest("a".into())));
    life.give(Event::CheckedIn(reply()));
    assert_eq!(life.state.wake(), Moment(life.now) + WRITE_AGAIN);
    assert_eq!(life.after(WRITE_AGAIN.0, Event::Tick), [Effect::Reboot]);
}

/// Whatever waits, the moment to come back is one at which there is something to do: the process never spins.
#[test]
fn it_never_wakes_for_nothing() {
    let order = order(ActionKind::Install);
    let idle = |life: &Life| {
        let mut later = life.state.clone();
        let mut turns = 0;
        let mut now = life.now;
        // Each wake either does something or moves the next one on.
        while later.wake() <= Moment(now + 3_600) && turns < 3 {
            now = now.max(later.wake().0);
            let turn = Turn {
                now: Moment(now),
                jitter: 0,
            };
            let (next, effects) = step(later.clone(), Event::Tick, turn);
            if !effects.is_empty() {
                return true;
            }
            (later, turns) = (next, turns + 1);
        }
        turns == 0
    };
    let mut life = Life::asking(LocalPolicy::OPEN, &order, Ok(()));
    life.granted(&order, RebootPolicy::Never);
    life.give(Event::Begun { unsent: 1 });
    life.give(Event::Delivered { unsent: 0 });
    assert!(life.state.running() && idle(&life));
    life.after(5_000, Event::Stop);
    assert!(
        life.state.running() && idle(&life),
        "asked to stop while the package manager runs"
    );
    life.give(Event::Ended(Box::new(seen(&order))));
    life.give(Event::NoteFailed);
    assert!(idle(&life), "a full disk");
}

/// A download that was broken off because the agent ends is no attempt that failed: the server is asked for nothing and told nothing.
#[test]
fn asked_to_stop_during_a_download_it_ends_without_a_word() {
    let mut life = Life::settled(LocalPolicy::OPEN);
    life.after(900, Event::Tick);
    life.give(Event::CheckedIn(CheckInReply {
        orders: vec![order(ActionKind::Install)],
        ..reply()
    }));
    assert!(matches!(life.effects.last(), Some(Effect::Prepare { .. })));
    assert_eq!(life.give(Event::Stop), []);
    let why = NotStarted::Download {
        message: ShortText::fit("apt-get was ended, because the agent is"),
    };
    let broken_off = Event::Prepared {
        current: vec![],
        ready: Err(why),
    };
    assert_eq!(life.give(broken_off), [Effect::Exit(End::Stopped)]);
}
