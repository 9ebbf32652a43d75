//! Every number is a query: a count equals the list that it links to.

use crate::support::*;
use domain::{DeviceState, PatchState, Severity, Span};
use view::*;

/// A fleet in which every state occurs, in different numbers.
async fn fleet() -> World {
    let w = world().await;
    let mut patches = Vec::new();
    for n in 0..9 {
        patches.push(w.patch_of(&format!("p{n}"), "1", Severity::ALL[n % 5]).await);
    }
    for n in 0..23_i64 {
        let device = w.device(if n % 3 == 0 { 1 } else { 2 }, &format!("host{n:02}")).await;
        for (at, patch) in patches.iter().enumerate() {
            let all = PatchState::ALL;
            let state = all[(n as usize * 5 + at * 3) % all.len()];
            w.state(device, *patch, PatchState::Missing, false).await;
            w.state(device, *patch, state, false).await;
        }
    }
    w.run("UPDATE device SET silent = 1 WHERE id % 7 = 0").await.unwrap();
    w.run("UPDATE device SET last_scan_at = NULL WHERE id % 11 = 0")
        .await
        .unwrap();
    w.run("UPDATE device SET state = 0 WHERE id IN (3, 4)").await.unwrap();
    w.run("UPDATE device SET state = 2 WHERE id = 5").await.unwrap();
    w.run("UPDATE device SET reboot_since = 1 WHERE id % 5 = 0")
        .await
        .unwrap();
    w
}

#[tokio::test]
async fn a_patch_counts_what_its_lists_hold() {
    let w = fleet().await;
    let filter = PatchFilter {
        superseded: true,
        ..PatchFilter::default()
    };
    let list = w.service.patches(&w.administrator, &filter).await.unwrap();
    assert_eq!(list.total, 9);
    for row in &list.rows {
        let mut sum = 0;
        let mut by_ring = [0, 0];
        for bucket in CountBucket::ALL {
            let page = w
                .service
                .patch(
                    &w.administrator,
                    row.id,
                    &view::PatchDevices {
                        state: Some(*bucket),
                        ..view::PatchDevices::default()
                    },
                )
                .await
                .unwrap();
            let count = row.counts.get(*bucket);
            assert_eq!(
                (page.devices_total, page.devices.len() as u32),
                (count, count),
                "{} {}",
                row.product,
                bucket.word()
            );
            assert!(page.devices.iter().all(|d| CountBucket::of(d.state) == Some(*bucket)));
            sum += count;
            for (at, lane) in page.lanes.iter().enumerate() {
                let of_ring = page
                    .devices
                    .iter()
                    .filter(|d| d.ring.as_deref() == Some(lane.name.as_str()))
                    .count() as u32;
                assert_eq!(
                    lane.counts.get(*bucket),
                    of_ring,
                    "{} {} {}",
                    row.product,
                    bucket.word(),
                    lane.name
                );
                let shown = view::PatchDevices {
                    state: Some(*bucket),
                    ring: Some(lane.ring),
                    page: 1,
                };
                let narrowed = w.service.patch(&w.administrator, row.id, &shown).await.unwrap();
                assert_eq!(
                    (narrowed.devices_total, narrowed.devices.len() as u32),
                    (of_ring, of_ring)
                );
                assert!(
                    narrowed
                        .devices
                        .iter()
                        .all(|d| d.ring.as_deref() == Some(lane.name.as_str()))
                );
                by_ring[at] += of_ring;
            }
        }
        let all = w
            .service
            .patch(&w.administrator, row.id, &view::PatchDevices::default())
            .await
            .unwrap();
        assert_eq!((all.devices_total, by_ring.iter().sum::<u32>()), (sum, sum));
    }
}

#[tokio::test]
async fn filters_find_exactly_the_patches_that_they_name() {
    let w = fleet().await;
    let ask = async |filter: PatchFilter| w.service.patches(&w.administrator, &filter).await.unwrap();
    let all = ask(PatchFilter {
        superseded: true,
        ..PatchFilter::default()
    })
    .await
    .rows;
    for bucket in CountBucket::ALL {
        let found = ask(PatchFilter {
            state: Some(*bucket),
            ..PatchFilter::default()
        })
        .await;
        let expected = all.iter().filter(|r| r.counts.get(*bucket) > 0).count();
        assert_eq!(
            (found.total as usize, found.rows.len()),
            (expected, expected),
            "{}",
            bucket.word()
        );
    }
    for severity in Severity::ALL {
        let found = ask(PatchFilter {
            severity: Some(*severity),
            ..PatchFilter::default()
        })
        .await;
        assert_eq!(
            found.total as usize,
            all.iter().filter(|r| r.severity >= *severity).count()
        );
    }
    for sort in PatchSort::ALL {
        let rows = ask(PatchFilter {
            sort: *sort,
            ..PatchFilter::default()
        })
        .await
        .rows;
        assert_eq!(rows.len(), 9);
        let ordered = |by: &dyn Fn(&PatchRow, &PatchRow) -> bool| rows.windows(2).all(|p| by(&p[0], &p[1]));
        assert!(match sort {
            PatchSort::Severity => ordered(&|a, b| (a.severity, a.counts.missing) >= (b.severity, b.counts.missing)),
            PatchSort::Missing => ordered(&|a, b| a.counts.missing >= b.counts.missing),
            PatchSort::Released => ordered(&|a, b| a.released >= b.released),
            PatchSort::Product => ordered(&|a, b| a.product <= b.product),
            PatchSort::Failed => ordered(&|a, b| a.counts.failed >= b.counts.failed),
        });
    }
    assert_eq!(
        ask(PatchFilter {
            q: "P3".into(),
            ..PatchFilter::default()
        })
        .await
        .total,
        1
    );
    assert_eq!(
        ask(PatchFilter {
            q: "%".into(),
            ..PatchFilter::default()
        })
        .await
        .total,
        0,
        "a sign is a sign"
    );
    assert_eq!(
        ask(PatchFilter {
            q: "' OR 1=1 --".into(),
            ..PatchFilter::default()
        })
        .await
        .total,
        0
    );
    assert_eq!(
        ask(PatchFilter {
            product: "p3".into(),
            ..PatchFilter::default()
        })
        .await
        .total,
        1
    );
    assert_eq!(
        ask(PatchFilter {
            product: "p".into(),
            ..PatchFilter::default()
        })
        .await
        .total,
        0
    );
    assert_eq!(
        ask(PatchFilter {
            page: 999,
            ..PatchFilter::default()
        })
        .await
        .page,
        1
    );
}

#[tokio::test]
async fn superseded_patches_are_out_of_sight_until_asked_for() {
    let w = fleet().await;
    w.supersede(domain::PatchId(1), domain::PatchId(2)).await;
    let ask = async |filter: PatchFilter| w.service.patches(&w.administrator, &filter).await.unwrap();
    assert_eq!(ask(PatchFilter::default()).await.total, 8);
    let with = ask(PatchFilter {
        superseded: true,
        ..PatchFilter::default()
    })
    .await;
    assert_eq!(with.total, 9);
    let row = with.rows.iter().find(|r| r.id.0 == 1).unwrap();
    assert_eq!(row.superseded_by, Some((domain::PatchId(2), "1".to_owned())));
    let bucket = ask(PatchFilter {
        state: Some(CountBucket::Superseded),
        ..PatchFilter::default()
    })
    .await;
    assert!(
        bucket.rows.iter().any(|r| r.id.0 == 1),
        "the count of superseded devices links to it"
    );
    let page = w
        .service
        .patch(&w.administrator, domain::PatchId(2), &view::PatchDevices::default())
        .await
        .unwrap();
    assert_eq!(page.supersedes, [(domain::PatchId(1), "1".to_owned())]);
}

#[tokio::test]
async fn the_fleets_numbers_equal_the_device_list() {
    let w = fleet().await;
    let list = w
        .service
        .patches(&w.administrator, &PatchFilter::default())
        .await
        .unwrap();
    let show = async |show| {
        let filter = DeviceFilter {
            show,
            ..DeviceFilter::default()
        };
        w.service.devices(&w.administrator, &filter).await.unwrap()
    };
    for (count, of) in [
        (list.devices, DeviceShow::Active),
        (list.silent, DeviceShow::Silent),
        (list.pending_devices, DeviceShow::Pending),
    ] {
        let found = show(of).await;
        assert_eq!((found.total, found.rows.len() as u32), (count, count), "{}", of.word());
        assert!(count > 0);
    }
    for row in show(DeviceShow::All).await.rows {
        let page = w.service.device(&w.administrator, row.id).await.unwrap();
        let open = page.patches.iter().filter(|p| p.state.is_open()).count() as u32;
        let in_bucket = |b| {
            page.patches
                .iter()
                .filter(|p| CountBucket::of(p.state) == Some(b))
                .count() as u32
        };
        assert_eq!((row.open, row.security), (open, open), "{}", row.hostname);
        assert_eq!(
            (row.failed, row.pending),
            (in_bucket(CountBucket::Failed), in_bucket(CountBucket::Pending))
        );
        assert_eq!(page.row, row);
        // Every count of the page is the length of the list behind it, page by page; none but the settled ones has a second page.
        for (show, count) in page.counts {
            let mut found = 0;
            for number in 1..=count.div_ceil(view::PAGE_SIZE).max(1) {
                let asked = view::DevicePatches { show, page: number };
                let list = w.service.device_with(&w.administrator, row.id, asked).await.unwrap();
                found += list.patches.len() as u32;
                assert!(list.patches.iter().all(|p| p.ladder.is_empty() == show.is_past()));
                if !show.is_past() {
                    break;
                }
            }
            assert_eq!(found, count, "{} of {}", show.word(), row.hostname);
        }
    }
    assert!(show(DeviceShow::Failed).await.rows.iter().all(|r| r.failed > 0));
    assert!(
        show(DeviceShow::Reboot)
            .await
            .rows
            .iter()
            .all(|r| r.reboot_since.is_some())
    );
    assert!(
        show(DeviceShow::Stopped)
            .await
            .rows
            .iter()
            .all(|r| r.state == DeviceState::Quarantined)
    );
    let ring = DeviceFilter {
        ring: Some(PILOT),
        ..DeviceFilter::default()
    };
    let pilots = w.service.devices(&w.administrator, &ring).await.unwrap();
    assert!(pilots.total == 8 && pilots.rows.iter().all(|r| r.ring.as_deref() == Some("Pilot")));
    let q = |q: &str| DeviceFilter {
        q: q.into(),
        ..DeviceFilter::default()
    };
    for (text, expected) in [("HOST01", 1), ("key-of-host0", 10), ("debian", 23), ("_", 0)] {
        assert_eq!(
            w.service.devices(&w.administrator, &q(text)).await.unwrap().total,
            expected,
            "{text}"
        );
    }
}

#[tokio::test]
async fn devices_in_no_ring_and_with_no_profile_are_listed_as_they_are_counted() {
    let w = world().await;
    let (service, admin) = (&w.service, &w.administrator);
    w.run(
        "INSERT INTO device_group (id, name, parent_id) VALUES (3, 'Kiosks', 1), (4, 'Lobby', 3), (5, 'Loose', NULL)",
    )
    .await
    .unwrap();
    for (group, host) in [
        (1, "pilot1"),
        (4, "kiosk1"),
        (2, "web1"),
        (5, "loose1"),
        (5, "alone1"),
        (5, "gone1"),
    ] {
        w.device(group, host).await;
    }
    let (left_out, named) = (w.device(1, "pilot2").await, w.device(2, "web2").await);
    w.run("UPDATE device SET group_id = NULL WHERE hostname = 'alone1'")
        .await
        .unwrap();
    w.run("UPDATE device SET state = 3 WHERE hostname = 'gone1'")
        .await
        .unwrap();
    let listed = async |show, ring| {
        let filter = DeviceFilter {
            show,
            ring,
            ..DeviceFilter::default()
        };
        let list = service.devices(admin, &filter).await.unwrap();
        assert_eq!(list.total as usize, list.rows.len());
        list.rows.into_iter().map(|r| r.hostname).collect::<Vec<_>>()
    };
    assert_eq!(listed(DeviceShow::NoRing, None).await, ["alone1", "loose1"]);
    assert_eq!(service.rings(admin).await.unwrap().without_ring, 2);
    assert_eq!(listed(DeviceShow::NoRing, Some(PILOT)).await, [""; 0]);
    assert_eq!(listed(DeviceShow::NoProfile, None).await, [""; 0]);

    // Groups, a group in one that is left out, a device that is left out, and one that is named.
    let form = view::ProfileForm {
        devices: vec![named],
        not_groups: vec![domain::GroupId(3)],
        not_devices: vec![left_out],
        ..crate::schedule::profile()
    };
    service.save_profile(admin, None, &form).await.unwrap().unwrap();
    service.delete_profile(admin, domain::ProfileId(1), 1).await.unwrap();
    let uncovered = listed(DeviceShow::NoProfile, None).await;
    assert_eq!(uncovered, ["alone1", "kiosk1", "loose1", "pilot2", "web1"]);
    assert_eq!(service.schedule(admin).await.unwrap().without_profile, 5);
    let pilots = view::CalendarAsk {
        of: view::ScheduleOf::Ring(PILOT),
        ..view::CalendarAsk::default()
    };
    let seen = service.calendar(admin, &pilots).await.unwrap().seen;
    assert_eq!(listed(DeviceShow::NoProfile, Some(PILOT)).await, ["kiosk1", "pilot2"]);
    assert_eq!(seen.without_profile, 2);
}

#[tokio::test]
async fn gauges_are_the_same_numbers() {
    let w = fleet().await;
    w.service
        .hold(&w.administrator, domain::PatchId(1), "wait")
        .await
        .unwrap();
    let gauges = w.service.gauges().await.unwrap();
    let list = w
        .service
        .patches(&w.administrator, &PatchFilter::default())
        .await
        .unwrap();
    assert_eq!(gauges.devices[DeviceState::Active as usize].1, list.devices);
    assert_eq!((gauges.silent, gauges.open_holds), (list.silent, 1));
    let open = list.rows.iter().filter(|r| r.counts.missing > 0).count() as u32;
    assert_eq!(gauges.open_patches.iter().map(|(_, _, n)| n).sum::<u32>(), open);
    assert_eq!(i64::from(gauges.audit_records), w.records().await);
}

/// The table of attempts only grows: what a scrape says of it comes from a kept count and an index of the few that matter.
#[tokio::test]
async fn attempts_are_counted_without_reading_them() {
    let w = fleet().await;
    let told = async || {
        let gauges = w.service.gauges().await.unwrap();
        let some = gauges.attempts.into_iter().filter(|(_, n)| *n > 0);
        (some.collect::<Vec<_>>(), gauges.unproven)
    };
    assert_eq!(told().await, (vec![], 0));
    w.run(
        "INSERT INTO attempt (device_id, patch_id, ring_id, kind, fence, state, permitted_at, start_by, deadline)
         SELECT id, 1, 1, 1, 1, CASE id WHEN 1 THEN 2 ELSE 3 END, 1, 1, 1 FROM device WHERE id <= 5",
    )
    .await
    .unwrap();
    assert_eq!(told().await, (vec![("started", 1), ("succeeded", 4)], 4));
    w.run("UPDATE attempt SET state = 4 WHERE device_id = 1").await.unwrap();
    w.run("UPDATE attempt SET proven_at = 2 WHERE device_id > 2")
        .await
        .unwrap();
    assert_eq!(told().await, (vec![("succeeded", 4), ("failed", 1)], 1));
    let attempts = async || {
        let all = w.service.recount().await.unwrap();
        all.into_iter()
            .filter(|d| d.starts_with("attempts"))
            .collect::<Vec<_>>()
    };
    assert!(attempts().await.is_empty());
    w.run("UPDATE attempt_count SET n = 9 WHERE state = 3").await.unwrap();
    assert_eq!(attempts().await, ["attempts in state 3: kept 9, counted 4"]);
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "EXPLAIN QUERY PLAN SELECT count(*) FROM attempt WHERE kind = 1 AND state = 3 AND proven_at IS NULL",
    )
    .fetch_all(&mut w.conn().await)
    .await
    .unwrap();
    assert!(plan.iter().any(|step| step.3.contains("attempt_unproven")), "{plan:?}");
}

#[tokio::test]
async fn a_group_in_a_group_has_its_ring() {
    let w = world().await;
    w.run(
        "INSERT INTO device_group (id, name, parent_id) VALUES (3, 'Kiosks', 1), (4, 'Lobby', 3), (5, 'Loose', NULL)",
    )
    .await
    .unwrap();
    let (device, loose) = (w.device(4, "kiosk1").await, w.device(5, "loose1").await);
    let ring = DeviceFilter {
        ring: Some(PILOT),
        ..DeviceFilter::default()
    };
    let found = w.service.devices(&w.administrator, &ring).await.unwrap();
    assert_eq!(
        found
            .rows
            .iter()
            .map(|r| (r.id, r.group.as_deref()))
            .collect::<Vec<_>>(),
        [(device, Some("Lobby"))]
    );
    assert_eq!(w.service.device(&w.administrator, loose).await.unwrap().row.ring, None);
    assert_eq!(
        found
            .groups
            .iter()
            .filter(|g| g.ring.as_deref() == Some("Pilot"))
            .count(),
        3
    );
    w.pass(Span(1));
}
