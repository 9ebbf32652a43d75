//! Windows that a device slept through: what catching up is counted in (GRP-1, MWN-1).

use crate::calendar::{Open, Zone};
use crate::compile::Compiled;
use crate::decide::Schedule;
use crate::expand::next_spans;
use crate::facts::DeviceFacts;
use domain::Moment;

/// More are not counted: no rule asks for more.
const MOST: usize = 60;

/// Whether a window of the device is open at `at`, or none limits it: who is heard of then has not slept through any.
#[must_use]
pub fn window_open(policy: &Compiled, device: &DeviceFacts, at: Moment) -> bool {
    let schedule = Schedule::new(policy, device);
    schedule.windows.is_empty()
        || schedule
            .windows
            .iter()
            .any(|i| schedule.window_spans(*i).iter().any(|span| span.has(at)))
}

/// The windows of the device that opened after `present`, when it was last heard of in one, and are over by `now`; windows that overlap are
/// one. At most 60, and none for a device that never catches up.
#[must_use]
pub fn missed_windows(policy: &Compiled, device: &DeviceFacts, present: Moment, now: Moment) -> u32 {
    if !policy.catches_up(device) {
        return 0;
    }
    let zone = Zone::or_utc(&device.zone);
    let mut spans: Vec<Open> = policy
        .windows_of(device)
        .iter()
        .flat_map(|i| next_spans(&policy.policy().windows[*i], zone, present, MOST + 1))
        .filter(|span| span.from > present && span.to <= now)
        .collect();
    spans.sort_unstable_by_key(|span| (span.from, span.to));
    let (mut missed, mut end) = (0_usize, None);
    for span in spans {
        if end.is_none_or(|end| span.from > end) {
            missed += 1;
        }
        end = end.max(Some(span.to));
    }
    u32::try_from(missed.min(MOST)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Group, MissedWindows, Policy};
    use crate::schedule::{Recurrence, Window, ZoneRule};
    use domain::{DeviceId, GroupId, OsReleaseId, RingId, Span, WindowId};

    /// 00:00 UTC on a Monday.
    const NOW: Moment = Moment(1_761_523_200);

    fn policy(missed: Option<MissedWindows>) -> Compiled {
        let weekly = |id, hour: i64| Window {
            id: WindowId(id),
            zone: ZoneRule::Utc,
            recurrence: Recurrence::Rule {
                start: crate::schedule::Local(NOW.0 - 70 * 86_400 + hour * 3_600),
                rule: "FREQ=WEEKLY".to_owned(),
            },
            length: Span::hours(4),
            groups: vec![GroupId(1)],
        };
        let policy = Policy {
            groups: vec![Group {
                id: GroupId(1),
                parent: None,
                blocks_inheritance: false,
                missed,
            }],
            // Two windows of one night that overlap, once a week.
            windows: vec![weekly(1, 20), weekly(2, 22)],
            ..Policy::default()
        };
        policy.compile(NOW, [])
    }

    #[test]
    fn windows_since_the_last_presence_count_once_a_night() {
        let device = DeviceFacts {
            groups: vec![GroupId(1)],
            ..DeviceFacts::new(DeviceId(1), OsReleaseId(1), RingId(1))
        };
        let rule = policy(Some(MissedWindows::CatchUp { after: 3 }));
        let missed = |days: i64| missed_windows(&rule, &device, NOW - Span::days(days), NOW);
        assert_eq!((missed(6), missed(7), missed(21), missed(28)), (0, 1, 3, 4));
        let present = NOW - Span::days(7) + Span::hours(21);
        assert!(window_open(&rule, &device, present) && !window_open(&rule, &device, NOW));
        assert_eq!(
            missed_windows(&rule, &device, present, NOW),
            1,
            "the later one of that night"
        );
        let waits = policy(Some(MissedWindows::Wait));
        assert_eq!(missed_windows(&waits, &device, NOW - Span::days(28), NOW), 0);
    }
}
