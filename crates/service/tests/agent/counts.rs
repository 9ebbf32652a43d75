//! Counts equal the rows they stand for, after any sequence of reports, results and silences.

use crate::support::*;
use domain::Span;
use proptest::prelude::*;
use protocol::v1::*;

/// One thing that happens to one of three devices.
#[derive(Clone, Debug)]
enum Step {
    /// A report: installed versions of four packages (0 = none), offered versions (0 = none), whether the sources were read, restart owed.
    Report(usize, [u8; 4], [u8; 4], bool, bool),
    /// A restart of the server.
    Restart,
    /// Four days pass, the server looks for silent devices.
    Silence,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let report = (
        0..3_usize,
        prop::array::uniform4(0..4_u8),
        prop::array::uniform4(0..5_u8),
        prop::bool::weighted(0.8),
        prop::bool::ANY,
    )
        .prop_map(|(d, i, o, read, owed)| Step::Report(d, i, o, read, owed));
    prop::collection::vec(
        prop_oneof![8 => report, 1 => Just(Step::Restart), 1 => Just(Step::Silence)],
        1..14,
    )
}

fn scan(installed: [u8; 4], offered: [u8; 4], read: bool, owed: bool) -> Inventory {
    const NAMES: [&str; 4] = ["a", "b", "libc6", "d"];
    let mut scan = inventory(&[], &[]);
    for (at, name) in NAMES.iter().enumerate().filter(|(at, _)| installed[*at] > 0) {
        scan.packages.push(package(name, &installed[at].to_string()));
        if offered[at] > installed[at] {
            let security = offered[at].is_multiple_of(2);
            scan.updates.push(update(
                name,
                &installed[at].to_string(),
                &offered[at].to_string(),
                security,
            ));
        }
    }
    if !read {
        scan.sources[1].error = Some(short("unreachable"));
    }
    if owed {
        scan.reboot.push(RebootReason::CoreProcess {
            process: short("systemd"),
            file: short("/usr/lib/libc.so.6"),
        });
    }
    scan.normalize();
    scan
}

async fn run(steps: Vec<Step>) {
    let mut server = server().await;
    let mut devices = [
        server.device(1, PILOT).await,
        server.device(2, PILOT).await,
        server.device(3, PRODUCTION).await,
    ];
    for step in steps {
        match step {
            Step::Report(at, installed, offered, read, owed) => {
                let scan = scan(installed, offered, read, owed);
                if devices[at].inventory.packages.is_empty() {
                    devices[at].report(&server, scan.clone()).await;
                } else {
                    assert_eq!(devices[at].report_delta(&server, scan.clone()).await.status, 200);
                }
                let before = server.dump().await;
                devices[at].report(&server, scan).await;
                let rows = |dump: &str| -> Vec<String> {
                    dump.lines()
                        .filter(|l| {
                            !["device:", "device_contact:", "audit"]
                                .iter()
                                .any(|table| l.starts_with(table))
                        })
                        .map(str::to_owned)
                        .collect()
                };
                assert_eq!(
                    rows(&server.dump().await),
                    rows(&before),
                    "the same scan again changes no row"
                );
            }
            Step::Restart => server = server.restart().await,
            Step::Silence => {
                server.pass(Span::days(4));
                server.service.tick().await.unwrap();
            }
        }
        server.recount().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 40, ..ProptestConfig::default() })]
    #[test]
    fn counts_equal_a_naive_recount(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
