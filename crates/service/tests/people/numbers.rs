//! What pages cost at 10,000 devices × 30 missing patches.

use crate::support::*;
use sqlx::Row as _;
use std::time::Instant;
use view::*;

/// 10,000 devices that each miss 30 of 3,000 patches, by plain rows: only reading is measured.
async fn large() -> World {
    let w = world().await;
    w.device(1, "first").await;
    w.run("WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
           INSERT INTO device (key_id, public_key, state, scan_only, hostname, os_release_id, arch, zone, group_id, enrolled_at, last_scan_at, disk_free_mib)
           SELECT printf('key%d', i), zeroblob(32), 1, 0, printf('host%05d', i), 1, 'amd64', 'UTC', 1 + (i % 10 > 0), 1, 1, 1000 FROM n")
        .await
        .unwrap();
    w.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
           INSERT INTO patch (os_release_id, source, version, origin, vendor, summary, severity, category, category_basis, released_at, first_seen_at, size)
           SELECT 1, printf('source%d', i % 600), printf('1.%d', i), 'Debian-Security bookworm-security', 'Debian', 'some words that say what it is', i % 5, 1, 0, i, i, 1000 FROM n")
        .await
        .unwrap();
    w.run("WITH RECURSIVE d(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM d WHERE i < 10000), p(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM p WHERE j < 29)
           INSERT INTO device_patch (device_id, patch_id, state, since) SELECT i, CASE WHEN j = 0 THEN 1 ELSE 2 + (i * 7 + j * 100) % 2999 END, 4, 1 FROM d, p")
        .await
        .unwrap();
    w.run("UPDATE patch SET n_missing = (SELECT count(*) FROM device_patch s WHERE s.patch_id = patch.id)")
        .await
        .unwrap();
    w
}

/// The middle of several runs, in microseconds.
async fn median<F: AsyncFn()>(what: &str, run: F) -> u128 {
    let mut times = Vec::new();
    for _ in 0..21 {
        let start = Instant::now();
        run().await;
        times.push(start.elapsed().as_micros());
    }
    times.sort_unstable();
    println!("{what}: {} µs (fastest {})", times[10], times[0]);
    times[10]
}

/// `cargo test --release -p service --test people numbers -- --ignored --nocapture`
#[tokio::test]
#[ignore = "measures; takes a minute"]
async fn pages_cost_their_rows_not_the_fleet() {
    let w = large().await;
    let admin = &w.administrator;
    let patches = async |what: &str, filter: PatchFilter| {
        median(what, async || {
            assert!(!w.service.patches(admin, &filter).await.unwrap().rows.is_empty())
        })
        .await
    };
    let first = patches("status view", PatchFilter::default()).await;
    patches(
        "status view, last page",
        PatchFilter {
            page: 60,
            ..PatchFilter::default()
        },
    )
    .await;
    patches(
        "status view, search",
        PatchFilter {
            q: "source59".into(),
            ..PatchFilter::default()
        },
    )
    .await;
    patches(
        "status view, not approved",
        PatchFilter {
            approval: Some(ApprovalFilter::None),
            ..PatchFilter::default()
        },
    )
    .await;
    for sort in PatchSort::ALL {
        patches(
            sort.word(),
            PatchFilter {
                sort: *sort,
                ..PatchFilter::default()
            },
        )
        .await;
    }
    median("device list", async || {
        drop(w.service.devices(admin, &DeviceFilter::default()).await.unwrap())
    })
    .await;
    median("device list, search", async || {
        let filter = DeviceFilter {
            q: "09999".into(),
            ..DeviceFilter::default()
        };
        drop(w.service.devices(admin, &filter).await.unwrap());
    })
    .await;
    median("device", async || {
        drop(w.service.device(admin, domain::DeviceId(77)).await.unwrap())
    })
    .await;
    median("patch on every device", async || {
        drop(
            w.service
                .patch(admin, domain::PatchId(1), &view::PatchDevices::default())
                .await
                .unwrap(),
        )
    })
    .await;
    median("patch on 100 devices", async || {
        drop(
            w.service
                .patch(admin, domain::PatchId(2), &view::PatchDevices::default())
                .await
                .unwrap(),
        )
    })
    .await;
    median("gauges", async || drop(w.service.gauges().await.unwrap())).await;
    assert!(first < 25_000, "{first} µs even without optimisation");
}

/// As above, with an account, 600 approvals in both rings, hours of every device, and a window.
#[tokio::test]
#[ignore = "measures; takes a minute"]
async fn a_calendar_looks_at_so_many_devices() {
    let w = large().await;
    let admin = &w.administrator;
    w.run(
        "INSERT INTO decision (patch_id, ring_id, kind, urgent, reason, at, account_id)
           SELECT p.id, r.id, 1, 0, '', 1, (SELECT min(id) FROM account) FROM patch p JOIN ring r WHERE p.id <= 600",
    )
    .await
    .unwrap();
    w.run("UPDATE device SET last_scan_at = 1795428000, disk_free_mib = 100000")
        .await
        .unwrap();
    w.run("INSERT INTO device_seen (device_id, since_hour, last_hour, weeks) SELECT id, 1, 498800 - id % 400, randomblob(168) FROM device")
        .await
        .unwrap();
    let window = crate::schedule::window();
    w.service.save_window(admin, None, &window).await.unwrap().unwrap();
    let calendar = async |what: &str, of: ScheduleOf, span: CalendarSpan| {
        let ask = CalendarAsk {
            of,
            span,
            ..CalendarAsk::default()
        };
        median(what, async || {
            let page = w.service.calendar(admin, &ask).await.unwrap();
            assert!(page.waiting > 0 && page.days.iter().any(|d| d.load.installs > 0));
        })
        .await
    };
    calendar("month of everything", ScheduleOf::All, CalendarSpan::Month).await;
    calendar("week of everything", ScheduleOf::All, CalendarSpan::Week).await;
    let pilots = ScheduleOf::Group(domain::GroupId(1));
    calendar("week of a group", pilots, CalendarSpan::Week).await;
    let one = ScheduleOf::Device(domain::DeviceId(10));
    calendar("week of a device", one, CalendarSpan::Week).await;
    let page = w.service.calendar(admin, &CalendarAsk::default()).await.unwrap();
    let bytes = serde_json::to_vec(&page).unwrap().len();
    println!("{} of {} devices, {bytes} bytes", page.looked, page.waiting);
    assert!(page.cut);
}

#[tokio::test]
async fn the_status_views_orders_are_answered_by_indexes() {
    let w = world().await;
    let mut conn = w.conn().await;
    for (order, index) in [
        ("severity DESC, n_missing DESC, id", "patch_severity"),
        ("n_missing DESC, id", "patch_missing"),
        ("released_at DESC, id", "patch_released"),
        ("source, id", "patch_source"),
    ] {
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT * FROM patch WHERE true AND superseded_by IS NULL ORDER BY {order} LIMIT 50"
        );
        let plan: Vec<String> = sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_all(&mut conn)
            .await
            .unwrap()
            .iter()
            .map(|row| row.get::<String, _>(3))
            .collect();
        assert!(plan.len() == 1 && plan[0].contains(index), "{order}: {plan:?}");
    }
}
