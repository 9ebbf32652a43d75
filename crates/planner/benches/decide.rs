//! Issue 3's measures: 500,000 decisions per second on one core, a device page of 200 patches under 2 ms, the forecast of 10,000 devices
//! × 30 patches × 14 days under 2 s. `cargo bench -p planner`.
#![expect(
    clippy::expect_used,
    reason = "criterion's macro makes the main function; a bench without its input must stop"
)]

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use domain::*;
use planner::*;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

/// The processor's time of this thread instead of the clock on the wall: the measures are per core, whatever else the machine does.
struct CpuTime;

fn cpu_time() -> Duration {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(at.tv_sec).expect("positive"),
        u32::try_from(at.tv_nsec).expect("below a second"),
    )
}

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;
    fn start(&self) -> Duration {
        cpu_time()
    }
    fn end(&self, start: Duration) -> Duration {
        cpu_time() - start
    }
    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }
    fn zero(&self) -> Duration {
        Duration::ZERO
    }
    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }
    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// 2026-11-02T00:00:00Z.
const NOW: Moment = Moment(1_793_577_600);
const ZONES: [&str; 5] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Tokyo",
    "Australia/Sydney",
];

/// What a careful company of ten thousand devices has: nested groups, profiles with hours, windows in the devices' own zones, a freeze.
fn policy() -> Policy {
    let group = |id: i64, parent: Option<i64>| Group {
        id: GroupId(id),
        parent: parent.map(GroupId),
        blocks_inheritance: id == 7,
        missed: None,
    };
    let weekly = |id: i64, day: &str, groups: &[i64]| Window {
        id: WindowId(id),
        zone: ZoneRule::Device,
        recurrence: Recurrence::Rule {
            start: Local(NOW.0 - 300 * 86_400 + 22 * 3_600),
            rule: format!("FREQ=WEEKLY;BYDAY={day}"),
        },
        length: Span::hours(5),
        groups: groups.iter().copied().map(GroupId).collect(),
    };
    let mut policy = Policy {
        groups: vec![
            group(1, None),
            group(2, Some(1)),
            group(3, Some(1)),
            group(4, Some(2)),
            group(5, Some(2)),
            group(6, Some(3)),
            group(7, Some(3)),
        ],
        windows: vec![
            weekly(1, "SA", &[1]),
            weekly(2, "TU,TH", &[4]),
            weekly(3, "MO,WE,FR", &[6]),
            Window {
                recurrence: Recurrence::NthWeekday {
                    nth: 2,
                    weekday: 1,
                    plus_days: 3,
                    at_minute: 120,
                },
                ..weekly(4, "SU", &[3])
            },
        ],
        freezes: vec![Freeze {
            id: FreezeId(1),
            zone: ZoneRule::Device,
            from: Local(NOW.0 + 48 * 86_400),
            to: Local(NOW.0 + 62 * 86_400),
            groups: vec![],
        }],
        ..Policy::default()
    };
    let frame = Frame {
        zone: ZoneRule::Device,
        days: Days::ALL,
        from_minute: 18 * 60,
        minutes: 12 * 60,
    };
    let scope = Scope {
        groups: vec![GroupId(2)],
        ..Scope::default()
    };
    policy.profiles.push(Profile {
        id: ProfileId(2),
        frame: Some(frame),
        scope,
        ..Profile::default()
    });
    let whose = ExceptionFor::Group(GroupId(5));
    let exception = |id: i64| Exception {
        id: ExceptionId(id),
        covers: whose,
        of: ExceptionOf::Patch(PatchId(id)),
        owner: AccountId(1),
        expires: NOW + Span::days(30),
    };
    policy.exceptions = (1..6).map(exception).collect();
    policy
}

fn devices(n: i64) -> Vec<DeviceFacts> {
    let device = |id: i64| {
        let mut device = DeviceFacts::new(
            DeviceId(id),
            OsReleaseId(1 + id % 3),
            RingId(if id % 20 == 0 { 1 } else { 2 }),
        );
        device.groups = if id % 4 == 0 {
            vec![GroupId(1 + id % 7), GroupId(1 + id % 5)]
        } else {
            vec![GroupId(1 + id % 7)]
        };
        device.zone = ZONES[usize::try_from(id % 5).expect("small")].to_owned();
        device.location = Some(LocationId(id % 9));
        device
    };
    (1..=n).map(device).collect()
}

fn patches(n: i64) -> Vec<PatchFacts> {
    let approve = |id: i64, ring: i64, at: i64| DecisionFact {
        id: DecisionId(id),
        ring: RingId(ring),
        kind: DecisionKind::Approve {
            urgent: Urgency::Normal,
        },
        at: NOW - Span::days(at),
        by: AccountId(1),
    };
    let patch = |id: i64| {
        let mut patch = PatchFacts::new(PatchId(id), OsReleaseId(1 + id % 3));
        patch.size = 20_000_000;
        let age = id % 12;
        patch.decisions = if id % 10 == 0 {
            vec![]
        } else {
            vec![approve(id * 2, 1, age + 1), approve(id * 2 + 1, 2, age)]
        };
        let pilots = Evidence {
            targets: 500,
            first_success: (id % 7 != 0).then(|| NOW - Span::days(age)),
            successes: BTreeMap::from([(patch.os_release, 40)]),
            finished: 40,
            ..Evidence::default()
        };
        patch.evidence = BTreeMap::from([
            (RingId(1), pilots),
            (
                RingId(2),
                Evidence {
                    targets: 9_500,
                    ..Evidence::default()
                },
            ),
        ]);
        if id % 13 == 0 {
            let hold = HoldFact {
                id: HoldId(id),
                ring: Some(RingId(1)),
                cause: HoldCause::Person,
                at: NOW,
                by: Some(AccountId(1)),
            };
            patch.holds = vec![hold];
        }
        patch
    };
    (1..=n).map(patch).collect()
}

fn pair(device: &DeviceFacts, patch: &PatchFacts) -> PairFacts {
    let state = if device.os_release != patch.os_release {
        PatchState::NotApplicable
    } else if (device.id.0 + patch.id.0) % 9 == 0 {
        PatchState::Installed
    } else {
        PatchState::Missing
    };
    PairFacts::new(state)
}

fn bench(c: &mut Criterion<CpuTime>) {
    let policy = policy().compile(NOW, ZONES);
    let (devices, patches) = (devices(10_000), patches(30));
    let mix: Vec<(&DeviceFacts, &PatchFacts, PairFacts)> = devices
        .iter()
        .step_by(37)
        .flat_map(|d| {
            patches
                .iter()
                .filter(|p| p.os_release == d.os_release)
                .map(move |p| (d, p, pair(d, p)))
        })
        .collect();
    let mut group = c.benchmark_group("decide");
    group.throughput(Throughput::Elements(u64::try_from(mix.len()).expect("few")));
    group.bench_function("one by one", |b| {
        b.iter(|| {
            mix.iter()
                .filter(|(d, p, pair)| decide(&policy, d, p, pair, NOW).installs())
                .count()
        });
    });
    group.finish();

    let page: Vec<PatchFacts> = self::patches(200)
        .into_iter()
        .map(|mut p| {
            p.os_release = devices[3].os_release;
            p
        })
        .collect();
    c.bench_function("device page of 200 patches", |b| {
        b.iter(|| {
            let schedule = Schedule::new(&policy, &devices[3]);
            page.iter()
                .map(|p| schedule.decide(p, &pair(&devices[3], p), NOW))
                .filter(|d| black_box(d).installs())
                .count()
        });
    });
    c.bench_function("compile a policy", |b| {
        b.iter(|| black_box(self::policy()).compile(NOW, ZONES))
    });

    let pairs: Vec<(Pair, PairFacts)> = devices
        .iter()
        .flat_map(|d| patches.iter().map(move |p| ((d.id, p.id), pair(d, p))))
        .collect();
    let input = PlanInput::new(&policy, NOW, devices.clone(), patches.clone(), pairs).expect("fits");
    let mut group = c.benchmark_group("fleet of 10,000 x 30");
    group.sample_size(10);
    group.bench_function("plan", |b| b.iter(|| plan(black_box(&input)).starts.len()));
    group.bench_function("forecast of 14 days", |b| {
        b.iter(|| forecast(black_box(&input), 14).runs.len())
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = bench
}
criterion_main!(benches);
