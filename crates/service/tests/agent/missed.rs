//! Windows that a device could not sleep through, because they were not its own yet.

use crate::rings::{change_group, fleet, noon};
use crate::support::*;
use domain::{GroupId, PatchId, RebootPolicy};
use view::*;

fn window(name: &str, group: i64, days: Vec<u8>) -> WindowForm {
    WindowForm {
        name: name.into(),
        when: WindowWhen::Weekly { days },
        at: "22:00".into(),
        minutes: 240,
        zone: ZoneChoice::Utc,
        groups: vec![GroupId(group)],
    }
}

/// A pilot that is always on and whose only window opens on Wednesdays, and a group with a window every night, whose devices catch up after
/// three: five nights of that one ago.
async fn scene() -> (Server, Device, PatchId, GroupId) {
    let server = server().await;
    let admin = server.admin();
    let (mut pilots, _, patch) = fleet(&server, 1).await;
    let mut device = pilots.remove(0);
    let form = GroupForm {
        name: "Labs".into(),
        parent: None,
        ring: Some(PILOT),
        blocks_inheritance: false,
        missed: MissedChoice::CatchUp { after: 3 },
        reboot: RebootPolicy::Never,
    };
    let labs = GroupId(server.service.save_group(&admin, None, &form).await.unwrap().id);
    noon(&server, 1).await;
    for form in [window("Week", 1, vec![2]), window("Night", labs.0, (0..7).collect())] {
        server.service.save_window(&admin, None, &form).await.unwrap().unwrap();
    }
    noon(&server, 6).await;
    device.check_in(&server).await;
    server.service.flush_contacts().await.unwrap();
    assert_eq!(device.refusal(&server, patch).await.0, "window");
    (server, device, patch, labs)
}

/// Nothing is missed before the device had the window; from then on it counts.
async fn counts_from_now_on(server: &Server, device: &mut Device, patch: PatchId) {
    assert_eq!(
        device.refusal(server, patch).await.0,
        "window",
        "nothing to catch up on"
    );
    noon(server, 8).await;
    assert_eq!(device.refusal(server, patch).await.0, "window", "two were missed");
    noon(server, 9).await;
    device.permit(server, patch).await;
}

#[tokio::test]
async fn a_device_that_moves_has_missed_none_of_its_new_windows() {
    let (server, mut device, patch, labs) = scene().await;
    let admin = server.admin();
    server.service.move_device(&admin, device.id, Some(labs)).await.unwrap();
    counts_from_now_on(&server, &mut device, patch).await;
}

#[tokio::test]
async fn a_group_that_moves_has_missed_none_of_the_windows_above() {
    let (server, mut device, patch, labs) = scene().await;
    let admin = server.admin();
    let page = server.service.rings(&admin).await.unwrap();
    let pilots = page.groups.into_iter().find(|group| group.id.0 == 1).unwrap();
    let form = RingsForm::Group {
        id: Some(pilots.id),
        form: GroupForm {
            parent: Some(labs),
            ..pilots.form
        },
    };
    let preview = server.service.foresee_rings(&admin, &form).await.unwrap();
    let moved = &preview.change.installs[0].moved;
    assert!(
        matches!(moved, Moved::Earlier { after, .. } if *after > server.service.now()),
        "tonight, not now: {moved:?}"
    );
    change_group(&server, 1, |group| group.parent = Some(labs)).await;
    counts_from_now_on(&server, &mut device, patch).await;
}

#[tokio::test]
async fn windows_that_were_blocked_were_not_missed() {
    let (server, mut device, patch, labs) = scene().await;
    change_group(&server, 1, |group| {
        (group.parent, group.blocks_inheritance) = (Some(labs), true);
    })
    .await;
    noon(&server, 12).await;
    assert_eq!(device.refusal(&server, patch).await.0, "window");
    change_group(&server, 1, |group| group.blocks_inheritance = false).await;
    assert_eq!(
        device.refusal(&server, patch).await.0,
        "window",
        "nothing to catch up on"
    );
}
