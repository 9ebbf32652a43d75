//! Every command × every role: who may, may; who may not, changes nothing (I-7). A change leaves its records, a refusal none (I-24).

use crate::support::*;
use domain::{DeviceId, GroupId, HoldId, LocationId, PatchId, PatchState, Permission, Role, TokenId, Urgency};
use service::{
    Actor, Error,
    commands::{decide::*, tokens::TokenRequest},
};
use view::{AuditFilter, DeviceFilter, LocationForm, PatchFilter, PlanForm};

#[derive(Clone, Copy, Debug)]
enum Command {
    CreateAccount,
    SetRole,
    Disable,
    SetPassword,
    EndSession,
    CreateToken,
    RevokeToken,
    Accept,
    Revoke,
    Move,
    Place,
    AskScan,
    Approve,
    Deny,
    Withdraw,
    Hold,
    Resume,
    Problem,
    RollBack,
    RollBackRing,
    Lift,
    Plan,
    Again,
}

use Command::*;

const ALL: [(Command, Permission, i64); 23] = [
    (CreateAccount, Permission::ManageAccounts, 1),
    (SetRole, Permission::ManageAccounts, 1),
    (Disable, Permission::ManageAccounts, 1),
    (SetPassword, Permission::ManageAccounts, 1),
    (EndSession, Permission::ManageAccounts, 1),
    (CreateToken, Permission::ManageDevices, 1),
    (RevokeToken, Permission::ManageDevices, 1),
    (Accept, Permission::ManageDevices, 1),
    (Revoke, Permission::ManageDevices, 1),
    (Move, Permission::ManageDevices, 1),
    (Place, Permission::ManageDevices, 1),
    (AskScan, Permission::ManageDevices, 1),
    (Approve, Permission::Decide, 1),
    (Deny, Permission::Decide, 1),
    (Withdraw, Permission::Decide, 1),
    (Hold, Permission::Hold, 1),
    (Resume, Permission::Resume, 1),
    (Problem, Permission::ReportProblem, 2),
    (RollBack, Permission::RollBack, 2),
    (RollBackRing, Permission::RollBack, 2),
    (Lift, Permission::RollBack, 1),
    (Plan, Permission::Decide, 1),
    (Again, Permission::Resume, 1),
];

struct Scene {
    world: World,
    victim: Actor,
    token: TokenId,
    pending: DeviceId,
    device: DeviceId,
    installed: PatchId,
    taken_back: PatchId,
    open: PatchId,
    approved: PatchId,
    hold: HoldId,
    location: LocationId,
}

async fn scene() -> Scene {
    let world = world().await;
    let admin = world.administrator.clone();
    let victim = world.person(Role::Auditor).await;
    let request = TokenRequest {
        label: "t".into(),
        group: None,
        accept: false,
        scan_only: false,
        max_uses: 1,
        hours: 1,
    };
    world.service.create_token(&admin, request).await.unwrap();
    let (pending, device) = (world.device(1, "new").await, world.device(1, "web1").await);
    world
        .run("UPDATE device SET state = 0 WHERE hostname = 'new'")
        .await
        .unwrap();
    let [installed, taken_back, open, approved] = [
        world.patch("a", "1").await,
        world.patch("b", "1").await,
        world.patch("c", "1").await,
        world.patch("d", "1").await,
    ];
    for patch in [open, approved] {
        world.state(device, patch, PatchState::Missing, false).await;
    }
    for patch in [installed, taken_back] {
        world.installed(device, patch, 1).await;
    }
    world
        .service
        .roll_back(&admin, device, taken_back, "why")
        .await
        .unwrap();
    for _ in 0..3 {
        world
            .run(
                "INSERT INTO attempt (device_id, patch_id, ring_id, kind, fence, state, permitted_at, start_by, deadline, finished_at)
                 SELECT d.id, p.id, 1, 1, 1, 4, 1, 1, 1, 1 FROM device d JOIN patch p ON p.source = 'c' WHERE d.hostname = 'web1'",
            )
            .await
            .unwrap();
    }
    let these = Selection::These(vec![(approved, None)]);
    world
        .service
        .decide(
            &admin,
            these,
            PILOT,
            Verb::Approve {
                urgent: Urgency::Normal,
            },
            "usual",
            false,
        )
        .await
        .unwrap();
    let hold = world.service.hold(&admin, approved, "why").await.unwrap();
    let place = LocationForm {
        name: "Harbour".into(),
        zone: "UTC".into(),
        rate_kib: None,
        max_in_flight: None,
    };
    let location = world.service.save_location(&admin, None, &place).await.unwrap();
    let token = TokenId(world.number("SELECT max(id) FROM enrol_token").await);
    Scene {
        world,
        victim,
        token,
        pending,
        device,
        installed,
        taken_back,
        open,
        approved,
        hold,
        location: LocationId(location.id),
    }
}

async fn run(scene: &Scene, command: Command, actor: &Actor) -> Result<(), Error> {
    let service = &scene.world.service;
    let victim = scene.victim.account.unwrap();
    let one = |patch| Selection::These(vec![(patch, None)]);
    let ok = |_| ();
    match command {
        CreateAccount => service
            .create_account(actor, "carl", Role::Auditor, None)
            .await
            .map(ok2),
        SetRole => service.set_role(actor, victim, Role::PilotUser).await,
        Disable => service.set_disabled(actor, victim, true).await,
        SetPassword => service.set_password(actor, victim, None, PASSWORD).await,
        EndSession => {
            service
                .end_session(actor, scene.victim.session.as_deref().unwrap())
                .await
        }
        CreateToken => {
            let request = TokenRequest {
                label: "x".into(),
                group: Some(GroupId(1)),
                accept: true,
                scan_only: true,
                max_uses: 10_000,
                hours: 24,
            };
            service.create_token(actor, request).await.map(ok3)
        }
        RevokeToken => service.revoke_token(actor, scene.token).await,
        Accept => service.accept_device(actor, scene.pending, "").await,
        Revoke => service.revoke_device(actor, scene.device, "stolen").await,
        Move => service.move_device(actor, scene.device, Some(GroupId(2))).await,
        Place => service.place_device(actor, scene.device, Some(scene.location)).await,
        AskScan => service.ask_scan(actor, scene.device).await,
        Approve => service
            .decide(
                actor,
                one(scene.open),
                PILOT,
                Verb::Approve {
                    urgent: Urgency::Normal,
                },
                "usual",
                false,
            )
            .await
            .map(ok),
        Deny => service
            .decide(actor, one(scene.open), PILOT, Verb::Deny, "why", false)
            .await
            .map(ok),
        Withdraw => service
            .decide(actor, one(scene.approved), PILOT, Verb::Withdraw, "why", false)
            .await
            .map(ok),
        Hold => service.hold(actor, scene.open, "why").await.map(|_| ()),
        Resume => service.resume(actor, scene.hold, None, "looked into it").await,
        Problem => service
            .report_problem(actor, scene.device, scene.open, "it beeps")
            .await
            .map(|_| ()),
        RollBack => {
            service
                .roll_back(actor, scene.device, scene.installed, "it beeps")
                .await
        }
        RollBackRing => service
            .roll_back_ring(actor, PILOT, scene.installed, "it beeps")
            .await
            .map(|_| ()),
        Lift => service.lift_block(actor, scene.device, scene.taken_back, "fixed").await,
        Plan => {
            let form = PlanForm::Waive {
                reason: "a test machine".into(),
            };
            service
                .save_rollback_plan(actor, scene.open, 0, &form)
                .await
                .map(|_| ())
        }
        Again => {
            let latest = scene.world.number("SELECT max(id) FROM attempt").await;
            let shown = (view::Tries::Install, domain::AttemptId(latest));
            service
                .try_again(actor, scene.device, scene.open, shown, "the disk was full")
                .await
        }
    }
}

fn ok2(_: domain::AccountId) {}
fn ok3(_: view::NewToken) {}

#[tokio::test]
async fn every_command_for_every_role() {
    for (command, permission, records) in ALL {
        for role in Role::ALL {
            let scene = scene().await;
            let actor = scene.world.person(*role).await;
            let (before, count) = (scene.world.dump().await, scene.world.records().await);
            let result = run(&scene, command, &actor).await;
            if role.may(permission) {
                assert!(result.is_ok(), "{command:?} as {role}: {result:?}");
                assert_eq!(scene.world.records().await, count + records, "{command:?} as {role}");
                assert_ne!(scene.world.dump().await, before);
                scene.world.service.verify_audit().await.unwrap();
            } else {
                assert!(
                    matches!(result, Err(Error::NotAllowed(p)) if p == permission),
                    "{command:?} as {role}: {result:?}"
                );
                assert_eq!(scene.world.dump().await, before, "{command:?} as {role}");
            }
        }
    }
}

#[tokio::test]
async fn what_was_done_is_not_done_twice_and_what_is_not_there_is_not_found() {
    for (command, _, _) in ALL {
        let scene = scene().await;
        let admin = scene.world.administrator.clone();
        run(&scene, command, &admin).await.unwrap();
        let before = scene.world.dump().await;
        let again = run(&scene, command, &admin).await;
        // A second hold, problem report, password, token or account is another one.
        if !matches!(command, Hold | Problem | SetPassword | CreateToken) {
            assert_eq!(scene.world.dump().await, before, "{command:?} again: {again:?}");
        }
        if matches!(
            command,
            CreateAccount | EndSession | RevokeToken | Accept | Revoke | Resume | RollBack | RollBackRing | Lift
        ) {
            assert!(again.is_err(), "{command:?}");
        }
    }
    let scene = scene().await;
    let (admin, service) = (&scene.world.administrator, &scene.world.service);
    let before = scene.world.dump().await;
    let (device, patch) = (DeviceId(999), PatchId(999));
    for result in [
        service.set_role(admin, domain::AccountId(999), Role::Auditor).await,
        service.set_disabled(admin, domain::AccountId(999), true).await,
        service
            .set_password(admin, domain::AccountId(999), None, PASSWORD)
            .await,
        service.end_session(admin, "999").await,
        service.revoke_token(admin, TokenId(999)).await,
        service.accept_device(admin, device, "").await,
        service.revoke_device(admin, device, "").await,
        service.move_device(admin, device, None).await,
        service.ask_scan(admin, device).await,
        service.hold(admin, patch, "why").await.map(|_| ()),
        service.resume(admin, HoldId(999), None, "why").await,
        service
            .report_problem(admin, scene.device, patch, "why")
            .await
            .map(|_| ()),
        service.roll_back(admin, device, scene.open, "why").await,
        service.roll_back_ring(admin, PILOT, patch, "why").await.map(|_| ()),
        service.lift_block(admin, scene.device, scene.open, "why").await,
    ] {
        assert!(matches!(result, Err(Error::NotFound)), "{result:?}");
    }
    assert_eq!(scene.world.dump().await, before);
}

#[tokio::test]
async fn every_page_for_every_role() {
    let scene = scene().await;
    for role in Role::ALL {
        let actor = scene.world.person(*role).await;
        let service = &scene.world.service;
        let results = [
            (
                Permission::ReadFleet,
                service.patches(&actor, &PatchFilter::default()).await.err(),
            ),
            (
                Permission::ReadFleet,
                service
                    .patch(&actor, scene.open, &view::PatchDevices::default())
                    .await
                    .err(),
            ),
            (
                Permission::ReadFleet,
                service.devices(&actor, &DeviceFilter::default()).await.err(),
            ),
            (Permission::ReadFleet, service.device(&actor, scene.device).await.err()),
            (
                Permission::ReadFleet,
                service.explain(&actor, scene.device, scene.open).await.err(),
            ),
            (
                Permission::ReadAudit,
                service.audit(&actor, &AuditFilter::default()).await.err(),
            ),
            (Permission::ManageAccounts, service.accounts(&actor).await.err()),
        ];
        for (at, (permission, refused)) in results.into_iter().enumerate() {
            match refused {
                None => assert!(role.may(permission), "{at} {role}"),
                Some(Error::NotAllowed(p)) => assert!(p == permission && !role.may(permission), "{at} {role}"),
                Some(other) => panic!("{at} {role}: {other}"),
            }
        }
    }
}

#[tokio::test]
async fn people_may_end_their_own_sessions_and_nobody_elses() {
    let w = world().await;
    let (bert, carl) = (w.person(Role::Auditor).await, w.person(Role::PilotUser).await);
    let of_carl = carl.session.clone().unwrap();
    assert!(matches!(
        w.service.end_session(&bert, &of_carl).await,
        Err(Error::NotAllowed(Permission::ManageAccounts))
    ));
    let unknown = w.service.end_session(&bert, "unknown").await;
    assert!(
        matches!(unknown, Err(Error::NotAllowed(_))),
        "whether a session exists is nobody's business"
    );
    w.service.end_session(&carl, &of_carl).await.unwrap();
}

#[tokio::test]
async fn a_decision_is_somebodys() {
    let scene = scene().await;
    let before = scene.world.dump().await;
    for command in [Approve, Deny, Withdraw, Problem, RollBack, RollBackRing, Lift] {
        assert!(
            matches!(run(&scene, command, &Actor::host()).await, Err(Error::NotSignedIn)),
            "{command:?}"
        );
    }
    assert_eq!(scene.world.dump().await, before);
}

#[tokio::test]
async fn tokens_keep_to_their_ranges_and_are_stored_as_hashes() {
    let w = world().await;
    let good = TokenRequest {
        label: "Lab".into(),
        group: Some(GroupId(2)),
        accept: true,
        scan_only: false,
        max_uses: 1,
        hours: 24,
    };
    let token = w.service.create_token(&w.administrator, good.clone()).await.unwrap();
    let (start, key) = token.token.rsplit_once('_').unwrap();
    assert_eq!(
        (start.len(), key.len(), token.expires),
        (47, 32, START + domain::Span::hours(24))
    );
    assert_eq!(
        token.command,
        format!("patchward-agent enroll http://127.0.0.1:7677 {}", token.token)
    );
    assert!(!w.dump().await.contains(&start[4..]));
    let before = w.dump().await;
    for bad in [
        TokenRequest {
            hours: 0,
            ..good.clone()
        },
        TokenRequest {
            hours: 25,
            ..good.clone()
        },
        TokenRequest {
            max_uses: 0,
            ..good.clone()
        },
        TokenRequest {
            max_uses: 10_001,
            ..good.clone()
        },
        TokenRequest {
            label: " ".into(),
            ..good.clone()
        },
        TokenRequest {
            group: Some(GroupId(99)),
            ..good.clone()
        },
    ] {
        assert!(matches!(
            w.service.create_token(&w.administrator, bad).await,
            Err(Error::Invalid { .. })
        ));
    }
    assert_eq!(w.dump().await, before);
    let page = w.service.accounts(&w.administrator).await.unwrap();
    assert_eq!(
        (page.tokens[0].uses, page.tokens[0].group.as_deref()),
        ((0, 1), Some("Production"))
    );
}
