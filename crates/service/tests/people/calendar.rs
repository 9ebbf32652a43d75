//! The calendar: what is drawn for whom, on which clock, and what is forecast in it.

use crate::{
    schedule::{freeze, profile, window},
    support::*,
};
use domain::{DeviceId, GroupId, LocationId, PatchId, PatchState, ProfileId, RingId, Span, Urgency};
use service::{
    Error,
    commands::decide::{Selection, Verb},
};
use view::*;

async fn approve(w: &World, patch: PatchId) {
    let these = Selection::These(vec![(patch, None)]);
    let verb = Verb::Approve {
        urgent: Urgency::Normal,
    };
    w.service
        .decide(&w.administrator, these, PILOT, verb, "usual", false)
        .await
        .unwrap();
}

/// A device in the pilot group that lacks an approved patch.
async fn waiting(w: &World) -> (DeviceId, PatchId) {
    let device = w.device(1, "web1").await;
    let patch = w.patch("openssl", "3").await;
    w.state(device, patch, PatchState::Missing, false).await;
    approve(w, patch).await;
    (device, patch)
}

async fn ask(w: &World, ask: CalendarAsk) -> CalendarPage {
    w.service.calendar(&w.administrator, &ask).await.unwrap()
}

fn of(of: ScheduleOf) -> CalendarAsk {
    CalendarAsk {
        of,
        ..CalendarAsk::default()
    }
}

#[tokio::test]
async fn installs_lie_in_the_windows_of_whom_it_is_drawn_for() {
    let w = world().await;
    let (device, patch) = waiting(&w).await;
    let everybody = [
        ScheduleOf::All,
        ScheduleOf::Group(GroupId(1)),
        ScheduleOf::Device(device),
    ];
    for who in everybody {
        let week = ask(&w, of(who)).await;
        assert_eq!(
            (week.days.len(), week.days[0].date.as_str()),
            (7, "2026-11-23"),
            "{who:?}"
        );
        let today = &week.days[0];
        assert!(
            today.bands.is_empty() && today.open_minutes.is_none(),
            "nothing limits it"
        );
        assert_eq!((today.load.installs, today.blocks[0].from), (1, START), "{who:?}");
        assert_eq!(today.blocks[0].devices, [(device, "web1".to_owned())]);
    }
    w.service
        .save_window(&w.administrator, None, &window())
        .await
        .unwrap()
        .unwrap();
    for who in everybody {
        let week = ask(&w, of(who)).await;
        let bands: Vec<_> = week.days.iter().map(|d| d.bands.len()).collect();
        // Saturday and Sunday 21:00 UTC to 01:00 of the next day.
        assert_eq!(bands, [1, 0, 0, 0, 0, 1, 2], "{who:?}");
        let saturday = &week.days[5];
        let band = &saturday.bands[0];
        let said = (
            band.kind,
            band.name.as_str(),
            band.from_text.as_str(),
            band.to_text.as_str(),
        );
        assert_eq!(said, (BandKind::Window, "Weekend", "21:00", "24:00"), "{who:?}");
        assert_eq!(
            (saturday.open_minutes, saturday.load.installs),
            (Some(180), 1),
            "{who:?}"
        );
        let block = &saturday.blocks[0];
        assert_eq!((block.patch, block.count, block.from), (patch, 1, band.from));
        assert_eq!((block.from_text.as_str(), block.to_text.as_str()), ("21:00", "21:10"));
    }
    let other = ask(&w, of(ScheduleOf::Group(GroupId(2)))).await;
    assert_eq!(
        (other.waiting, other.days[5].load.installs),
        (0, 0),
        "another group's installs"
    );
    let nobody = CalendarAsk {
        of: ScheduleOf::Group(GroupId(99)),
        ..CalendarAsk::default()
    };
    let nobody = w.service.calendar(&w.administrator, &nobody).await;
    assert!(matches!(nobody, Err(Error::NotFound)));
}

#[tokio::test]
async fn a_month_sums_up_its_days_and_ends_where_the_calendar_does() {
    let w = world().await;
    let (device, _) = waiting(&w).await;
    for made in [
        w.service.save_window(&w.administrator, None, &window()).await,
        w.service.save_freeze(&w.administrator, None, &freeze()).await,
    ] {
        made.unwrap().unwrap();
    }
    let month = |from: &str| CalendarAsk {
        of: ScheduleOf::Device(device),
        span: CalendarSpan::Month,
        from: Some(from.to_owned()),
        ..CalendarAsk::default()
    };
    let november = ask(&w, month("2026-11-09")).await;
    assert_eq!((november.title.as_str(), november.days.len()), ("November 2026", 42));
    assert_eq!(november.days.iter().filter(|d| d.inside).count(), 30);
    assert_eq!(november.days.iter().map(|d| d.load.installs).sum::<u32>(), 1);
    assert!(november.days.iter().all(|d| d.blocks.is_empty()));
    let drawn = |day: &CalendarDay| day.bands.iter().map(|b| b.name.clone()).collect::<Vec<_>>();
    let saturday = november.days.iter().find(|d| d.date == "2026-11-28").unwrap();
    assert_eq!(drawn(saturday), ["Weekend"], "a month draws its windows");
    let busy: Vec<_> = november.days.iter().flat_map(|d| d.busy.clone()).collect();
    assert_eq!(
        busy,
        [(
            saturday.bands[0].from,
            saturday.bands[0].from + Span::minutes(10) + Span(1)
        )],
        "the install and its download"
    );
    let open: u32 = november.days.iter().filter_map(|d| d.open_minutes).sum();
    // Five Saturdays and Sundays and what the Sunday before the first Monday left, without a time change among them.
    assert_eq!(open, 12 * 240 - 180 + 180, "{open}");
    let december = ask(&w, month("2026-12-01")).await;
    let frozen: Vec<&str> = december
        .days
        .iter()
        .filter(|d| d.bands.iter().any(|b| b.kind == BandKind::Freeze))
        .map(|d| d.date.as_str())
        .collect();
    assert_eq!(
        (frozen[0], frozen.len()),
        ("2026-12-20", 15),
        "until the end of 3 January"
    );
    let last = ask(&w, month("2099-12-31")).await;
    assert_eq!((last.previous.as_deref(), last.next), (Some("2099-11-01"), None));
    let nonsense = ask(&w, month("2026-02-31")).await;
    assert_eq!(nonsense.from, "2026-11-23", "today");
}

#[tokio::test]
async fn a_groups_calendar_names_what_only_its_subgroups_have() {
    let w = world().await;
    w.run("INSERT INTO device_group (id, name, parent_id, ring_id) VALUES (3, 'Harbour', 1, 1), (4, 'Crane', 3, 1)")
        .await
        .unwrap();
    let only = |name: &str, group: i64| WindowForm {
        name: name.to_owned(),
        groups: vec![GroupId(group)],
        ..window()
    };
    for form in [
        window(),
        only("Harbour nights", 3),
        only("Crane nights", 4),
        only("Others", 2),
    ] {
        w.service
            .save_window(&w.administrator, None, &form)
            .await
            .unwrap()
            .unwrap();
    }
    let saturday = async |group: i64| {
        let week = ask(&w, of(ScheduleOf::Group(GroupId(group)))).await;
        let day = week.days[5].clone();
        let mut bands: Vec<_> = day.bands.into_iter().map(|b| (b.name, b.of)).collect();
        bands.sort();
        (bands, day.open_minutes)
    };
    let own = |name: &str| (name.to_owned(), None);
    let theirs = |name: &str, of: &str| (name.to_owned(), Some(of.to_owned()));
    let pilot = vec![
        theirs("Crane nights", "Crane"),
        theirs("Harbour nights", "Harbour"),
        own("Weekend"),
    ];
    assert_eq!(
        saturday(1).await,
        (pilot, Some(180)),
        "only its own windows count as open"
    );
    let harbour = vec![theirs("Crane nights", "Crane"), own("Harbour nights"), own("Weekend")];
    assert_eq!(saturday(3).await.0, harbour);
    assert_eq!(
        saturday(4).await.0,
        [own("Crane nights"), own("Harbour nights"), own("Weekend")]
    );
}

#[tokio::test]
async fn it_is_drawn_on_the_clock_of_most_devices_or_the_one_asked_for() {
    let w = world().await;
    for (host, zone) in [
        ("a", "Europe/Berlin"),
        ("b", "America/New_York"),
        ("c", "Europe/Berlin"),
    ] {
        let device = w.device(1, host).await;
        sqlx::query("UPDATE device SET zone = ? WHERE id = ?")
            .bind(zone)
            .bind(device.0)
            .execute(&mut w.conn().await)
            .await
            .unwrap();
    }
    w.service
        .save_window(&w.administrator, None, &window())
        .await
        .unwrap()
        .unwrap();
    let week = ask(&w, of(ScheduleOf::All)).await;
    assert_eq!(week.zone, "Europe/Berlin");
    assert_eq!(
        week.zones,
        [("Europe/Berlin".to_owned(), 2), ("America/New_York".to_owned(), 1)]
    );
    assert_eq!(week.days[5].bands[0].from_text, "22:00");
    let asked = |zone: &str, from: &str| CalendarAsk {
        zone: Some(zone.to_owned()),
        from: Some(from.to_owned()),
        ..CalendarAsk::default()
    };
    let there = ask(&w, asked("America/New_York", "2026-11-23")).await;
    assert_eq!(
        (there.zone.as_str(), there.days[5].bands[0].from_text.as_str()),
        ("America/New_York", "16:00")
    );
    assert_eq!(ask(&w, asked("Mars/Olympus", "2026-11-23")).await.zone, "Europe/Berlin");
    let spring = ask(&w, asked("Europe/Berlin", "2027-03-28")).await;
    let day = &spring.days[6];
    assert_eq!(day.to.since(day.from), Span::hours(23));
    assert_eq!(
        day.ticks[1].0.since(day.from),
        Span::hours(2),
        "03:00 comes after two hours"
    );
    let autumn = ask(&w, asked("Europe/Berlin", "2026-10-25")).await;
    let day = &autumn.days[6];
    assert_eq!(day.to.since(day.from), Span::hours(25));
}

#[tokio::test]
async fn hours_are_judged_by_what_waits() {
    let w = world().await;
    let (device, _) = waiting(&w).await;
    let night = ProfileForm {
        frame: Some(FrameForm {
            zone: ZoneChoice::Device,
            days: (0..7).collect(),
            from: "22:00".into(),
            to: "22:15".into(),
        }),
        ..profile()
    };
    let made = w
        .service
        .save_profile(&w.administrator, None, &night)
        .await
        .unwrap()
        .unwrap();
    let text = async || {
        let hours = w
            .service
            .profile_hours(&w.administrator, ProfileId(made.id))
            .await
            .unwrap();
        (hours.devices, hours.waiting, hours.profiles[0].text.clone())
    };
    let one = "15 min have room for one install of 10 min, but for little delay (the one that waits)";
    assert_eq!(text().await, (1, 1, one.to_owned()));
    for source in ["bash", "curl"] {
        let patch = w.patch(source, "1").await;
        w.state(device, patch, PatchState::Missing, false).await;
        approve(&w, patch).await;
    }
    let three = "15 min have room for one install of 10 min, but for little delay (the longest of 3 that wait); \
                 the 3 that wait on one device take 30 min together, so at least 3 times";
    assert_eq!(text().await, (1, 3, three.to_owned()));
    let everybody = w.service.profile_hours(&w.administrator, ProfileId(1)).await.unwrap();
    assert_eq!(
        (everybody.devices, everybody.profiles.len()),
        (0, 0),
        "the other one is more specific"
    );
    let week = ask(&w, of(ScheduleOf::Device(device))).await;
    assert!(
        week.days
            .iter()
            .all(|d| d.bands.len() == 1 && d.bands[0].kind == BandKind::Hours)
    );
    assert_eq!(
        (week.days[0].load.installs, week.days[1].load.installs),
        (1, 1),
        "one an evening"
    );
}

#[tokio::test]
async fn a_ring_a_location_and_a_patch_have_a_forecast_with_sums() {
    let w = world().await;
    let (pilot, openssl) = waiting(&w).await;
    let bash = w.patch("bash", "5").await;
    w.state(pilot, bash, PatchState::Missing, false).await;
    approve(&w, bash).await;
    let production = w.device(2, "db1").await;
    w.state(production, openssl, PatchState::Missing, false).await;
    for sql in [
        "INSERT INTO location (id, name, zone) VALUES (7, 'Graz', 'UTC')",
        "UPDATE device SET location_id = 7 WHERE hostname = 'web1'",
        "UPDATE patch SET size = 3000000 WHERE source = 'openssl'",
        "UPDATE patch SET size = 500000 WHERE source = 'bash'",
    ] {
        sqlx::query(sql).execute(&mut w.conn().await).await.unwrap();
    }
    let both = Load {
        installs: 2,
        devices: 1,
        // Twice the assumed ten minutes, and the download.
        seconds: 1_204,
        bytes: 3_500_000,
    };
    let one = Load {
        installs: 1,
        seconds: 603,
        bytes: 3_000_000,
        ..both
    };
    for (who, name, load) in [
        (ScheduleOf::All, "All devices", both),
        (ScheduleOf::Ring(PILOT), "Ring Pilot", both),
        (ScheduleOf::Ring(PRODUCTION), "Ring Production", Load::default()),
        (ScheduleOf::Location(LocationId(7)), "Location Graz", both),
        (ScheduleOf::Patch(openssl), "openssl 3", one),
    ] {
        let week = ask(&w, of(who)).await;
        assert_eq!((week.name.as_str(), week.load), (name, Some(load)), "{who:?}");
        assert_eq!(
            week.days.iter().map(|d| d.load.bytes).sum::<u64>(),
            load.bytes,
            "{who:?}"
        );
        let drawn: u32 = week.days.iter().flat_map(|d| &d.blocks).map(|b| b.count).sum();
        assert_eq!(drawn, load.installs, "{who:?}: what is drawn is what is counted");
        assert!(week.not_foreseen.is_empty(), "{who:?}");
    }
    let past = CalendarAsk {
        from: Some("2026-11-01".to_owned()),
        ..of(ScheduleOf::All)
    };
    assert_eq!(
        ask(&w, past).await.load,
        None,
        "nothing is foretold of days that are over"
    );
    for nobody in [
        ScheduleOf::Ring(RingId(99)),
        ScheduleOf::Location(LocationId(99)),
        ScheduleOf::Patch(PatchId(99)),
    ] {
        let none = w.service.calendar(&w.administrator, &of(nobody)).await;
        assert!(matches!(none, Err(Error::NotFound)), "{nobody:?}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_named_with_its_reason() {
    let w = world().await;
    let (device, patch) = waiting(&w).await;
    let short = WindowForm { minutes: 5, ..window() };
    w.service
        .save_window(&w.administrator, None, &short)
        .await
        .unwrap()
        .unwrap();
    for who in [ScheduleOf::All, ScheduleOf::Ring(PILOT), ScheduleOf::Patch(patch)] {
        let week = ask(&w, of(who)).await;
        assert_eq!(week.load, Some(Load::default()), "{who:?}");
        let [one] = &week.not_foreseen[..] else {
            panic!("{who:?}: {:?}", week.not_foreseen);
        };
        assert!(one.misfit && one.installs == 1, "{who:?}: {one:?}");
        assert_eq!(
            one.examples,
            [(device, "web1".to_owned(), patch, "openssl 3".to_owned())]
        );
        assert!(one.reason.contains("min"), "{}", one.reason);
    }
    let other = ask(&w, of(ScheduleOf::Ring(PRODUCTION))).await;
    assert!(other.not_foreseen.is_empty());
}

/// What runs takes its slot in the forecast, too, although nothing else waits on its device.
#[tokio::test]
async fn the_forecast_waits_for_what_runs() {
    let w = world().await;
    waiting(&w).await;
    let page = w.service.rings(&w.administrator).await.unwrap();
    let limited = FleetForm {
        max_in_flight: Some(1),
        ..page.fleet
    };
    let saved = w
        .service
        .save_fleet_policy(&w.administrator, page.fleet_version, &limited)
        .await;
    saved.unwrap();
    assert_eq!(ask(&w, of(ScheduleOf::All)).await.days[0].blocks[0].from, START);
    let (busy, patch) = (w.device(2, "web2").await, w.patch("curl", "8").await);
    w.state(busy, patch, PatchState::Installing, false).await;
    sqlx::query(
        "INSERT INTO attempt (device_id, patch_id, ring_id, kind, fence, state, permitted_at, start_by, deadline)
         VALUES (?, ?, 1, 1, 1, 2, ?3, ?3, ?3)",
    )
    .bind(busy.0)
    .bind(patch.0)
    .bind(START.0)
    .execute(&mut w.conn().await)
    .await
    .unwrap();
    let page = ask(&w, of(ScheduleOf::All)).await;
    assert_eq!(page.waiting, 1, "nothing waits on the one that installs");
    assert_eq!(page.days[0].blocks[0].from, START + planner::RUNNING);
}
