//! Calls that fail, and what the others do meanwhile.

use super::*;

#[test]
fn failures_back_off_up_to_an_hour_and_an_answer_ends_it() {
    let mut life = Life::new(LocalPolicy::OPEN, None);
    let mut waits = vec![];
    for _ in 0..14 {
        life.give(Event::CallFailed(Call::CheckIn, Failure::NoAnswer));
        if life.effects.iter().any(|e| matches!(e, Effect::Scan { .. })) {
            // A device that nobody answers still looks.
            life.give(scanned("a"));
        }
        let wait = life.state.link_at.since(Moment(life.now)).0;
        waits.push(wait);
        life.after(wait, Event::Tick);
        assert!(
            matches!(life.effects.last(), Some(Effect::CheckIn | Effect::Report { .. })),
            "{:?}",
            life.effects
        );
    }
    assert!(
        waits[0] < 5 && waits.windows(2).all(|w| w[0] <= w[1]) && (1_800..=3_600).contains(waits.last().unwrap()),
        "{waits:?}"
    );
    life.give(Event::CheckedIn(reply()));
    assert_eq!(life.state.failures, 0);
}

#[test]
fn refusals_do_what_they_mean() {
    let mut life = Life::settled(LocalPolicy::OPEN);
    life.after(4 * 3_600, Event::Tick);
    life.give(Event::CheckedIn(reply()));
    life.give(scanned("b"));
    assert_eq!(life.effects, [Effect::Report { full: false }]);
    let refused = |code| Event::CallFailed(Call::Report, Failure::Refused(code));
    assert!(matches!(
        life.give(refused(RefusalCode::DigestMismatch))[..],
        [Effect::Save(_), Effect::Report { full: true }]
    ));
    assert_eq!(life.give(refused(RefusalCode::DigestMismatch)), [], "not in a circle");
    life.after(60, Event::Tick);
    assert!(
        matches!(life.give(refused(RefusalCode::Malformed))[..], [Effect::Save(_)]),
        "not sent again as it is"
    );
    life.after(900, Event::Tick);
    let event = Event::CallFailed(Call::CheckIn, Failure::Refused(RefusalCode::Revoked));
    assert_eq!(life.give(event), [Effect::Exit(End::Revoked)]);
    assert_eq!(life.give(Event::Tick), [], "and nothing after that");
}

/// One call that never works, for whatever reason, costs the others a short wait at most: the server still hears of the device.
#[test]
fn a_call_that_keeps_failing_does_not_silence_the_device() {
    let internal = Failure::Refused(RefusalCode::Internal);
    for failing in [Call::Report, Call::Results] {
        for failure in [
            internal,
            Failure::NoAnswer,
            Failure::Refused(RefusalCode::DigestMismatch),
        ] {
            let mut life = Life::settled(LocalPolicy::OPEN);
            life.give(match failing {
                Call::Report => scanned("b"),
                _ => Event::Noted { unsent: 1 },
            });
            let (mut check_ins, mut tries) = (0, 0);
            let until = life.now + 24 * 3_600;
            while life.now < until {
                let event = match life.effects.last() {
                    Some(Effect::Report { .. }) if failing == Call::Results => Event::Reported(Digest("b".into())),
                    Some(Effect::Report { .. }) => Event::CallFailed(Call::Report, failure),
                    Some(Effect::SendResults) => Event::CallFailed(Call::Results, failure),
                    Some(Effect::CheckIn) => {
                        check_ins += 1;
                        Event::CheckedIn(reply())
                    }
                    Some(Effect::Scan { .. }) => scanned("b"),
                    _ => {
                        life.now = life.now.max(life.state.wake().0);
                        Event::Tick
                    }
                };
                tries += i32::from(matches!(event, Event::CallFailed(..)));
                life.give(event);
            }
            assert!(
                check_ins > 90,
                "{failing:?} {failure:?}: {check_ins} check-ins in a day"
            );
            assert!((20..60).contains(&tries), "{failing:?} {failure:?}: {tries} tries");
        }
    }
}

#[test]
fn a_report_that_is_too_large_waits_for_the_next_scan_and_people_are_told() {
    let mut life = Life::settled(LocalPolicy::OPEN);
    life.give(scanned("b"));
    let failed = Event::CallFailed(Call::Report, Failure::TooLarge);
    assert!(matches!(life.give(failed)[..], [Effect::Save(_)]));
    assert!(life.state.kept.unreported);
    assert_eq!(
        life.after(900, Event::Tick),
        [Effect::CheckIn],
        "and nothing waits for it"
    );
    life.give(Event::CheckedIn(reply()));
    life.after(4 * 3_600, Event::Tick);
    life.give(Event::CheckedIn(reply()));
    life.give(scanned("b"));
    life.give(Event::Reported(Digest("b".into())));
    assert!(!life.state.kept.unreported);
}
