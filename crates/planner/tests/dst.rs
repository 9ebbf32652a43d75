//! I-11: every zone of the time-zone database × every change of its clocks from 2024 to 2037, against a second, naive implementation.
//!
//! The naive one looks at the wall clock minute by minute: a wall-clock time is the first minute that shows it, or, where none does, the
//! first minute that shows a later one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

use domain::{Moment, Span, WindowId};
use planner::calendar::{Open, Zone};
use planner::{Days, Frame, Local, Policy, Profile, Recurrence, Window, ZoneRule, next_spans};

const FROM: i64 = 1_704_067_200; // 2024-01-01
const TO: i64 = 2_145_916_800; // 2038-01-01
const HOUR: i64 = 3_600;

/// The moments at which a zone's offset changes, found by looking every twelve hours and then closing in.
fn changes(zone: Zone) -> Vec<i64> {
    let mut found = Vec::new();
    let mut at = FROM;
    let mut offset = zone.offset(Moment(at));
    while at < TO {
        let next = at + 12 * HOUR;
        let then = zone.offset(Moment(next));
        if then != offset {
            let (mut before, mut after) = (at, next);
            while after - before > 1 {
                let middle = before + (after - before) / 2;
                if zone.offset(Moment(middle)) == offset {
                    before = middle
                } else {
                    after = middle
                }
            }
            found.push(after);
        }
        (at, offset) = (next, then);
    }
    found
}

/// What the wall shows in the hours around a change, minute by minute, with the offsets before and after it.
fn walls(change: i64, before: i64, after: i64) -> Vec<(i64, i64)> {
    (change - 4 * HOUR..change + 4 * HOUR)
        .step_by(60)
        .map(|at| (at, at + if at < change { before } else { after }))
        .collect()
}

/// The first minute that shows `local`, or else the first one that shows a later time.
fn naive(walls: &[(i64, i64)], local: i64) -> i64 {
    let shown = walls.iter().find(|(_, wall)| *wall == local);
    let found = shown.or_else(|| walls.iter().find(|(_, wall)| *wall > local));
    let Some((at, _)) = found else {
        panic!("{local} is not within the hours around the change")
    };
    *at
}

#[test]
fn every_zone_and_every_change_of_a_decade() {
    let (mut zones, mut seen, mut skipped, mut doubled) = (0, 0, 0, 0);
    for name in Zone::names() {
        let zone: Zone = name.parse().expect("a name of the database");
        zones += 1;
        for change in changes(zone) {
            let (before, after) = (zone.offset(Moment(change - 1)), zone.offset(Moment(change)));
            assert_eq!(change.rem_euclid(60), 0, "{name}: changes happen on the minute");
            let walls = walls(change, before, after);
            let (low, high) = (change + before.min(after), change + before.max(after));
            for local in (low - HOUR / 2..=high + HOUR / 2).step_by(600) {
                assert_eq!(
                    zone.at(Local(local)).0,
                    naive(&walls, local),
                    "{name} at {}",
                    Local(local).iso()
                );
            }
            let inside = change + (before + after) / 2;
            once(name, zone, &walls, inside);
            if after > before {
                skipped += 1
            } else {
                doubled += 1
            }
            seen += 1;
        }
    }
    assert!(
        zones > 590 && seen > 5_000 && skipped > 2_000 && doubled > 2_000,
        "{zones} zones, {seen} changes, {skipped}, {doubled}"
    );
}

/// A daily window that begins in the skipped or doubled hour runs exactly once on that day, at the documented moment, for its whole length.
fn once(name: &str, zone: Zone, walls: &[(i64, i64)], inside: i64) {
    let inside = inside.div_euclid(60) * 60;
    let start = Local(inside - 86_400);
    let window = Window {
        id: WindowId(1),
        zone: ZoneRule::Device,
        recurrence: Recurrence::Once { start: Local(inside) },
        length: Span::minutes(15),
        groups: Vec::new(),
    };
    let spans = next_spans(&window, zone, zone.at(start), 3);
    let from = Moment(naive(walls, inside));
    assert_eq!(
        spans,
        [Open {
            from,
            to: from + Span::minutes(15)
        }],
        "{name}: {}",
        Local(inside).iso()
    );
}

/// The same through a recurrence and through a frame, for zones of every kind of change.
#[test]
fn recurrences_and_frames_keep_the_rule() {
    let names = [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "America/Santiago",
        "Asia/Gaza",
    ];
    for name in names {
        let zone: Zone = name.parse().expect("zone");
        for change in changes(zone).into_iter().take(6) {
            let (before, after) = (zone.offset(Moment(change - 1)), zone.offset(Moment(change)));
            let walls = walls(change, before, after);
            let inside = (change + (before + after) / 2).div_euclid(60) * 60;
            let window = Window {
                id: WindowId(1),
                zone: ZoneRule::Device,
                recurrence: Recurrence::Rule {
                    start: Local(inside - 20 * 86_400),
                    rule: "FREQ=DAILY".to_owned(),
                },
                length: Span::minutes(20),
                groups: Vec::new(),
            };
            let spans = next_spans(&window, zone, Moment(change - 6 * HOUR), 1);
            assert_eq!(
                spans[0].from.0,
                naive(&walls, inside),
                "{name}: {}",
                Local(inside).iso()
            );
            assert_eq!(
                spans[0].to.since(spans[0].from),
                Span::minutes(20),
                "{name}: a window keeps its length"
            );
            let frame = Frame {
                zone: ZoneRule::Device,
                days: Days::ALL,
                from_minute: Local(inside).minute(),
                minutes: 180,
            };
            let profile = Profile {
                frame: Some(frame),
                ..Profile::default()
            };
            let policy = Policy {
                profiles: vec![profile],
                ..Policy::default()
            }
            .compile(Moment(change), [name]);
            let spans = planner::frame_spans_of(&policy, 0, name);
            let from = naive(&walls, inside);
            let to = naive(&walls, inside + 3 * HOUR);
            assert!(
                spans.contains(&Open {
                    from: Moment(from),
                    to: Moment(to)
                }),
                "{name}: a frame ends by the wall, {}",
                Local(inside).iso()
            );
        }
    }
}

#[test]
fn over_midnight_belongs_to_the_day_it_starts() {
    let zone: Zone = "Europe/Berlin".parse().expect("zone");
    let window = Window {
        id: WindowId(1),
        zone: ZoneRule::Device,
        recurrence: Recurrence::Rule {
            start: Local::parse("2026-01-03T22:00").expect("local"),
            rule: "FREQ=WEEKLY;BYDAY=SA".to_owned(),
        },
        length: Span::hours(6),
        groups: Vec::new(),
    };
    let spans = next_spans(
        &window,
        zone,
        zone.at(Local::parse("2026-11-23T00:00").expect("local")),
        2,
    );
    let text: Vec<String> = spans
        .iter()
        .map(|s| format!("{} - {}", zone.text(s.from), zone.text(s.to)))
        .collect();
    assert_eq!(
        text,
        [
            "Sat 28 Nov 2026 22:00 - Sun 29 Nov 2026 04:00",
            "Sat 5 Dec 2026 22:00 - Sun 6 Dec 2026 04:00"
        ]
    );
}
