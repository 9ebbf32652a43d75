//! What a device runs on, and how much of it nobody could see: told by full reports and by changes, shown, and obeyed.

use crate::support::*;
use protocol::v1::*;

fn scan(on_battery: Option<bool>, processes_unread: Option<u32>) -> Inventory {
    Inventory {
        on_battery,
        processes_unread,
        ..inventory(&[("a", "1")], &[("a", "2", true)])
    }
}

#[tokio::test]
async fn on_battery_nothing_starts_until_the_device_reports_mains() {
    for delta in [false, true] {
        let (server, mut device, patch) = approved().await;
        let tell = async |server: &Server, device: &mut Device, on_battery: Option<bool>| {
            if delta {
                let reply = device.report_delta(server, scan(on_battery, None)).await;
                assert_eq!(reply.status, 200);
            } else {
                device.report(server, scan(on_battery, None)).await;
            }
        };
        tell(&server, &mut device, Some(true)).await;
        let (gate, reason, opens_at) = device.refusal(&server, patch).await;
        assert_eq!((gate.as_str(), opens_at), ("ready", None));
        assert!(
            reason.contains("The device runs on battery") && reason.contains("reports that it is on mains power"),
            "{reason}"
        );
        assert!(device.check_in(&server).await.orders.is_empty());
        let page = server.service.device(&server.admin(), device.id).await.unwrap();
        assert_eq!(page.on_battery, Some(true));
        tell(&server, &mut device, Some(false)).await;
        assert_eq!(device.check_in(&server).await.orders.len(), 1);
        tell(&server, &mut device, Some(true)).await;
        assert!(device.check_in(&server).await.orders.is_empty());
        // An older agent, or a kernel that does not tell: nothing is held against it.
        tell(&server, &mut device, None).await;
        let page = server.service.device(&server.admin(), device.id).await.unwrap();
        assert_eq!(page.on_battery, None);
        device.permit(&server, patch).await;
    }
}

#[tokio::test]
async fn processes_that_nobody_could_look_at_are_counted_on_the_page() {
    let (server, mut device, _) = approved().await;
    let shown = async |server: &Server, device: &Device| {
        let page = server.service.device(&server.admin(), device.id).await.unwrap();
        page.processes_unread
    };
    assert_eq!(
        shown(&server, &device).await,
        None,
        "an older agent does not count them"
    );
    device.report(&server, scan(None, Some(12))).await;
    assert_eq!(shown(&server, &device).await, Some(12));
    assert_eq!(device.report_delta(&server, scan(None, Some(3))).await.status, 200);
    assert_eq!(shown(&server, &device).await, Some(3));
    assert_eq!(device.report_delta(&server, scan(None, Some(0))).await.status, 200);
    assert_eq!(shown(&server, &device).await, Some(0));
}
