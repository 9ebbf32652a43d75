//! Why not yet: ladders, lanes, soak.

use crate::support::*;
use domain::{DeviceId, PatchId, PatchState, RingId, Span, Urgency};
use service::commands::decide::{Selection, Verb};
use view::{Part, PatchShow, RingLane, StepStatus};

async fn approve(w: &World, patch: PatchId, ring: RingId, urgent: Urgency) {
    let these = Selection::These(vec![(patch, None)]);
    w.service
        .decide(
            &w.administrator,
            these,
            ring,
            Verb::Approve { urgent },
            "because",
            false,
        )
        .await
        .unwrap();
}

async fn lanes(w: &World, patch: PatchId) -> Vec<RingLane> {
    w.service
        .patch(&w.administrator, patch, &view::PatchDevices::default())
        .await
        .unwrap()
        .lanes
}

/// One pilot and one production device that miss the same patch.
async fn two() -> (World, PatchId, DeviceId, DeviceId) {
    let w = world().await;
    let (patch, pilot, production) = (
        w.patch("openssl", "3.0.17").await,
        w.device(1, "p1").await,
        w.device(2, "w1").await,
    );
    for device in [pilot, production] {
        w.state(device, patch, PatchState::Missing, false).await;
    }
    (w, patch, pilot, production)
}

#[tokio::test]
async fn the_ladder_shows_every_gate_and_the_headline_is_the_first_closed_one() {
    let (w, patch, pilot, production) = two().await;
    let page = w.service.device(&w.administrator, pilot).await.unwrap();
    assert_eq!(page.patches.len(), 1);
    let line = &page.patches[0];
    assert_eq!(line.ladder.len(), planner::Gate::ALL.len());
    let first = line.ladder.iter().find(|s| s.status != StepStatus::Open).unwrap();
    assert_eq!((first.gate.as_str(), first.status), ("approved", StepStatus::Closed));
    assert!(
        line.headline
            .to_string()
            .starts_with(first.text.to_string().split(';').next().unwrap()),
        "{} / {}",
        line.headline,
        first.text
    );
    assert_eq!(
        line.headline.to_string(),
        "Not approved for Pilot; waits until a security officer approves it for Pilot"
    );
    assert_eq!(*line, w.service.explain(&w.administrator, pilot, patch).await.unwrap());

    assert_eq!(
        first.until.as_ref().map(ToString::to_string).as_deref(),
        Some("a security officer approves it for Pilot")
    );
    assert_eq!(
        (&first.since, &first.by),
        (&None, &None),
        "nobody has done anything yet"
    );

    approve(&w, patch, PILOT, Urgency::Normal).await;
    let line = w.service.explain(&w.administrator, pilot, patch).await.unwrap();
    let approved = line.ladder.iter().find(|s| s.gate == "approved").unwrap();
    assert_eq!(
        (
            approved.since.as_ref().map(|at| at.at),
            approved.by.as_deref(),
            &approved.until
        ),
        (Some(START), Some("anna"), &None)
    );
    assert_eq!(
        (line.headline.to_string().as_str(), line.earliest.is_some()),
        ("May be installed now", true)
    );
    approve(&w, patch, PRODUCTION, Urgency::Normal).await;
    let line = w.service.explain(&w.administrator, production, patch).await.unwrap();
    assert!(
        line.headline.to_string().contains("No device in Pilot has it yet"),
        "{}",
        line.headline
    );
    w.service.move_device(&w.administrator, production, None).await.unwrap();
    let line = w.service.explain(&w.administrator, production, patch).await.unwrap();
    assert!(
        line.headline.to_string().starts_with("The device is in no ring"),
        "{}",
        line.headline
    );
}

#[tokio::test]
async fn soak_counts_from_the_first_proof_stops_at_a_hold_and_opens_production() {
    let (w, patch, pilot, production) = two().await;
    approve(&w, patch, PILOT, Urgency::Normal).await;
    approve(&w, patch, PRODUCTION, Urgency::Normal).await;
    let soak = lanes(&w, patch).await[0].soak.unwrap();
    assert_eq!(
        (soak.started, soak.needed, soak.elapsed, soak.unseen_per_mille),
        (None, 604_800, 0, None)
    );
    w.installed(pilot, patch, 1).await;
    w.pass(Span::days(5));
    let now = lanes(&w, patch).await;
    let soak = now[0].soak.unwrap();
    assert_eq!(
        (soak.started, soak.elapsed, soak.successes, soak.unseen_per_mille),
        (Some(START), 5 * 86_400, 1, Some(950))
    );
    assert_eq!(now[0].headline.to_string(), "On the one device that needs it");
    assert_eq!((now[1].soak, now[1].opens_at), (None, Some(START + Span::days(7))));
    assert!(
        now[1].headline.to_string().starts_with("Soaking in Pilot: 5 of 7 days"),
        "{}",
        now[1].headline
    );
    assert_eq!(now[1].decision.as_ref().map(|d| d.by.as_str()), Some("anna"));

    let hold = w.service.hold(&w.administrator, patch, "odd noise").await.unwrap();
    w.pass(Span::days(3));
    let now = lanes(&w, patch).await;
    assert_eq!(now[0].soak.unwrap().elapsed, 5 * 86_400, "a hold stops the clock");
    assert_eq!(now[1].opens_at, None, "a person must come first");
    w.service
        .resume(&w.administrator, hold, None, "was the fan")
        .await
        .unwrap();
    let now = lanes(&w, patch).await;
    assert_eq!(
        (now[0].soak.unwrap().elapsed, now[1].opens_at),
        (5 * 86_400, Some(START + Span::days(10)))
    );
    w.pass(Span::days(2));
    let line = w.service.explain(&w.administrator, production, patch).await.unwrap();
    assert_eq!(line.headline.to_string(), "May be installed now");
    assert_eq!(lanes(&w, patch).await[0].soak.unwrap().elapsed, 604_800);
}

#[tokio::test]
async fn moments_are_told_on_the_devices_clock_and_in_utc() {
    let (w, patch, pilot, production) = two().await;
    w.run("UPDATE device SET zone = 'Europe/Helsinki' WHERE group_id = 2")
        .await
        .unwrap();
    approve(&w, patch, PRODUCTION, Urgency::Normal).await;
    w.installed(pilot, patch, 1).await;
    let line = w.service.explain(&w.administrator, production, patch).await.unwrap();
    let soaked = line.ladder.iter().find(|s| s.gate == "soaked").unwrap();
    let over = START + Span::days(7);
    let told = "2026-11-30 12:00 EET (10:00 UTC)";
    assert_eq!(soaked.opens.as_ref().map(ToString::to_string).as_deref(), Some(told));
    assert_eq!(line.earliest, soaked.opens);
    assert_eq!(
        soaked.since.as_ref().map(|at| at.at),
        Some(START),
        "it soaks since the first proof"
    );
    assert!(
        soaked.text.to_string().contains(&format!("until {told};")),
        "{}",
        soaked.text
    );
    // A page shows it in the viewer's zone: the moment is still one.
    let at = |part: &Part| matches!(part, Part::At(instant) if instant.at == over);
    assert!(soaked.text.0.iter().any(at) && line.headline.0.iter().any(at));
    let lane = &lanes(&w, patch).await[1];
    assert!(
        lane.headline.to_string().contains("until 2026-11-30 10:00 UTC"),
        "{}",
        lane.headline
    );
}

#[tokio::test]
async fn an_urgent_approval_skips_the_soak_where_everybody_sees_it() {
    let (w, patch, _, production) = two().await;
    approve(&w, patch, PRODUCTION, Urgency::SkipSoak).await;
    let line = w.service.explain(&w.administrator, production, patch).await.unwrap();
    assert_eq!(line.headline.to_string(), "May be installed now");
    let soaked = line.ladder.iter().find(|s| s.gate == "soaked").unwrap();
    assert_eq!(
        (soaked.status, soaked.text.to_string().as_str()),
        (StepStatus::Open, "Skipped by the urgent approval of anna")
    );
    let timeline = w
        .service
        .patch(&w.administrator, patch, &view::PatchDevices::default())
        .await
        .unwrap()
        .timeline;
    assert_eq!(timeline[0].text, "Approved for Production, urgent: the soak is skipped");
}

#[tokio::test]
async fn an_approval_outside_windows_says_so_at_every_gate_that_it_passes() {
    let (w, patch, _, production) = two().await;
    let window = view::WindowForm {
        name: "Thursday night".into(),
        when: view::WindowWhen::Weekly { days: vec![3] },
        at: "02:00".into(),
        minutes: 240,
        zone: view::ZoneChoice::Utc,
        groups: Vec::new(),
    };
    w.service
        .save_window(&w.administrator, None, &window)
        .await
        .unwrap()
        .unwrap();
    let gates = async || {
        let line = w.service.explain(&w.administrator, production, patch).await.unwrap();
        let of = |gate: &str| {
            let step = line.ladder.iter().find(|s| s.gate == gate).unwrap();
            (step.status, step.text.to_string())
        };
        (line.headline.to_string(), of("approved").1, of("soaked"), of("window"))
    };
    approve(&w, patch, PRODUCTION, Urgency::SkipSoak).await;
    let (headline, _, soaked, window) = gates().await;
    assert_eq!(
        soaked,
        (StepStatus::Open, "Skipped by the urgent approval of anna".into())
    );
    assert_eq!(window.0, StepStatus::Opens, "it still waits for its window: {headline}");
    approve(&w, patch, PRODUCTION, Urgency::SkipSoakAndWindows).await;
    let (headline, approved, soaked, window) = gates().await;
    assert_eq!(headline, "May be installed now");
    assert!(approved.ends_with(", urgent, outside windows too"), "{approved}");
    for gate in [soaked, window] {
        assert_eq!(
            gate,
            (StepStatus::Open, "Skipped by the urgent approval of anna".into())
        );
    }
    let page = w
        .service
        .patch(&w.administrator, patch, &view::PatchDevices::default())
        .await
        .unwrap();
    assert_eq!(
        page.timeline[0].text,
        "Approved for Production, urgent: the soak and the windows are skipped"
    );
    let shown = page.lanes[1].decision.as_ref().map(|d| d.approval);
    let urgent = Urgency::SkipSoakAndWindows;
    assert_eq!(shown, Some(view::Approval::Approved { urgent }));

    let freeze = view::FreezeForm {
        name: "Stocktaking".into(),
        from: "2026-11-01".into(),
        to: "2026-12-31".into(),
        zone: view::ZoneChoice::Utc,
        groups: Vec::new(),
    };
    w.service
        .save_freeze(&w.administrator, None, &freeze)
        .await
        .unwrap()
        .unwrap();
    let (headline, _, _, window) = gates().await;
    assert_eq!(window.0, StepStatus::Opens, "a freeze wins: {headline}");
    assert!(window.1.contains("Stocktaking"), "{}", window.1);
}

#[tokio::test]
async fn what_a_device_did_is_told_in_sentences() {
    let (w, patch, pilot, _) = two().await;
    w.run(
        r#"UPDATE device SET reboot_reasons = '[{"kind":"kernel","running":"6.1.0-1","installed":"6.1.0-2"}]',
             services = '[{"unit":"ssh.service","pid":7,"file":"/usr/lib/libssl.so.3"}]',
             sources = '[{"name":"bookworm"},{"name":"bookworm-security","error":"Temporary failure resolving"}]'"#,
    )
    .await
    .unwrap();
    w.run(r#"INSERT INTO attempt (device_id, patch_id, ring_id, kind, fence, state, permitted_at, start_by, deadline, finished_at, detail, log)
             VALUES (1, 1, 1, 1, 1, 4, 100, 200, 300, 250, '{"kind":"failed","exit":100,"message":"E: broken"}', 'the log')"#)
        .await
        .unwrap();
    w.state(pilot, patch, PatchState::Failed, false).await;
    let page = w.service.device(&w.administrator, pilot).await.unwrap();
    assert_eq!(page.reboot, ["Kernel 6.1.0-1 runs, 6.1.0-2 is installed"]);
    assert_eq!(
        page.services,
        ["ssh.service (process 7) still runs /usr/lib/libssl.so.3, which was replaced"]
    );
    assert_eq!(
        page.sources[1],
        (
            "bookworm-security".to_owned(),
            Some("Temporary failure resolving".to_owned())
        )
    );
    let (of, title, attempt) = &page.attempts[0];
    assert_eq!(
        (*of, title.as_str(), attempt.outcome.to_string().as_str()),
        (patch, "openssl 3.0.17", "Failed: exit 100, E: broken")
    );
    let devices = w
        .service
        .patch(&w.administrator, patch, &view::PatchDevices::default())
        .await
        .unwrap()
        .devices;
    let line = devices.iter().find(|d| d.device == pilot).unwrap();
    assert_eq!(line.attempt.as_ref().unwrap().log, "the log");
}

#[tokio::test]
async fn settled_patches_are_found_on_their_device_with_what_was_tried() {
    let (w, patch, pilot, _) = two().await;
    approve(&w, patch, PILOT, Urgency::Normal).await;
    w.run(r#"INSERT INTO attempt (device_id, patch_id, ring_id, kind, fence, state, permitted_at, start_by, deadline, finished_at, detail, log)
             VALUES (1, 1, 1, 1, 1, 4, 100, 200, 300, 250, '{"kind":"failed","exit":100,"message":"E: broken"}', 'the log')"#)
        .await
        .unwrap();
    w.installed(pilot, patch, 2).await;
    let list = async |show: PatchShow| {
        let asked = view::DevicePatches { show, page: 1 };
        let page = w.service.device_with(&w.administrator, pilot, asked).await.unwrap();
        let count = page.counts.iter().find(|(one, _)| *one == show).unwrap().1;
        assert_eq!(count as usize, page.patches.len(), "{}", show.word());
        page.patches
    };
    assert!(list(PatchShow::All).await.is_empty());
    let installed = list(PatchShow::Installed).await;
    let line = &installed[0];
    assert_eq!(
        (line.patch, line.state, line.ladder.len()),
        (patch, PatchState::Installed, 0)
    );
    let tried: Vec<String> = line.attempts.iter().map(|a| a.outcome.to_string()).collect();
    assert!(
        tried.iter().any(|text| text == "Failed: exit 100, E: broken"),
        "{tried:?}"
    );
    assert!(
        line.attempts.iter().all(|a| a.log.is_empty()),
        "logs are with the attempts"
    );

    w.state(pilot, patch, PatchState::Missing, false).await;
    assert!(list(PatchShow::Denied).await.is_empty());
    let these = Selection::These(vec![(patch, None)]);
    w.service
        .decide(&w.administrator, these, PILOT, Verb::Deny, "breaks the shop", false)
        .await
        .unwrap();
    assert_eq!(list(PatchShow::Denied).await.len(), 1);
    assert_eq!(
        list(PatchShow::Open).await.len(),
        1,
        "what is denied is still not there"
    );
    w.state(pilot, patch, PatchState::Superseded, false).await;
    assert_eq!(list(PatchShow::Superseded).await.len(), 1);
    assert!(list(PatchShow::Denied).await.is_empty());
}
