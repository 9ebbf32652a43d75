//! Messages as the first release wrote them. They parse for ever and mean the same for ever: a file here is never changed, a new shape
//! gets a new file. `PATCHWARD_BLESS=1` writes files that are not there yet.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use domain::*;
use protocol::{LongText, ShortText, v1::*};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, path::Path};

fn golden<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, value: &T) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v1/{name}.json"));
    if std::env::var_os("PATCHWARD_BLESS").is_some() && !path.exists() {
        std::fs::write(&path, serde_json::to_vec_pretty(value).unwrap()).unwrap();
    }
    let text = std::fs::read(&path).unwrap();
    let read: T = protocol::limits::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(&read, value, "{name} means something else now");
    let again: T = serde_json::from_slice(&serde_json::to_vec(value).unwrap()).unwrap();
    assert_eq!(&again, value, "{name} does not come back as it went");
}

fn short(text: &str) -> ShortText {
    ShortText::parse(text).unwrap()
}

fn name(text: &str) -> PackageName {
    PackageName::parse(text).unwrap()
}

fn version(text: &str) -> VersionText {
    VersionText::parse(text).unwrap()
}

fn arch(text: &str) -> Arch {
    Arch::parse(text).unwrap()
}

fn package(text: &str, at: Option<&str>) -> PackageVersion {
    PackageVersion {
        name: name(text),
        arch: arch("amd64"),
        version: at.map(version),
    }
}

fn host() -> HostFacts {
    HostFacts {
        hostname: short("web-1"),
        os_id: short("debian"),
        os_version: short("12"),
        os_codename: short("bookworm"),
        os_name: short("Debian GNU/Linux 12 (bookworm)"),
        arch: short("amd64"),
        manager: Some(short("apt")),
        kernel: short("6.1.0-40-amd64"),
        time_zone: short("Europe/Helsinki"),
        languages: vec![short("fi_FI.UTF-8"), short("en")],
        boot_id: short("0f8fad5b-d9cb-469f-a165-70867728950e"),
    }
}

fn sealed<T>(message: T) -> Sealed<T> {
    Sealed {
        seq: 7,
        nonce: "00112233445566778899aabbccddeeff".into(),
        sent_at: Moment(1_795_428_061),
        message,
    }
}

fn installed(text: &str, at: &str, source: &str, source_version: Option<&str>) -> InstalledPackage {
    InstalledPackage {
        name: name(text),
        arch: arch("amd64"),
        version: version(at),
        source: name(source),
        source_version: source_version.map(version),
    }
}

fn update(text: &str, brake: Option<Brake>, from: Option<&str>) -> Update {
    Update {
        name: name(text),
        arch: arch("amd64"),
        installed: from.map(version),
        version: version("3.0.22-1~deb12u2"),
        source: name("openssl"),
        source_version: version("3.0.22-1~deb12u2"),
        origins: vec![Origin {
            label: short("Debian-Security"),
            archive: short("oldstable-security"),
            codename: short("bookworm-security"),
        }],
        size: 2_036_016,
        sha256: short(&"ab".repeat(32)),
        summary: short("Secure Sockets Layer toolkit <&\"'>"),
        section: short("utils"),
        security: true,
        brake,
        previous_in_archive: true,
        brought_by: Vec::new(),
    }
}

fn inventory() -> Inventory {
    Inventory {
        host: host(),
        packages: vec![
            installed("bash", "5.2.15-2+b13", "bash", Some("5.2.15-2")),
            installed("openssl", "3.0.20-1~deb12u2", "openssl", None),
        ],
        updates: vec![
            update("libnew", None, None),
            update("libssl3", Some(Brake::Held), Some("3.0.20-1~deb12u2")),
            update("openssl", Some(Brake::Phased { percent: 10 }), Some("3.0.20-1~deb12u2")),
            update(
                "openssl-doc",
                Some(Brake::Pinned { priority: -1 }),
                Some("3.0.20-1~deb12u2"),
            ),
        ],
        sources: vec![
            SourceStatus {
                name: short("bookworm"),
                error: None,
            },
            SourceStatus {
                name: short("gone"),
                error: Some(short("Could not connect")),
            },
        ],
        reboot: vec![
            RebootReason::FlagFile {
                packages: vec![short("linux-image-6.1.0-41-amd64")],
            },
            RebootReason::Kernel {
                running: short("6.1.0-40-amd64"),
                installed: short("6.1.0-41-amd64"),
            },
            RebootReason::CoreProcess {
                process: short("systemd"),
                file: short("/usr/lib/x86_64-linux-gnu/libc.so.6"),
            },
        ],
        services: vec![StaleService {
            unit: short("ssh.service"),
            pid: 812,
            file: short("/usr/lib/libcrypto.so.3"),
        }],
        manager_error: Some(short("dpkg --audit names perl")),
        disk_free_mib: 2_048,
        on_battery: None,
        processes_unread: None,
        foreign: Vec::new(),
    }
}

/// What agents say since they tell which updates bring in a new package.
fn told_of_new() -> Inventory {
    let mut inventory = inventory();
    inventory.updates[0].brought_by = vec![name("openssl"), name("python3-defaults")];
    inventory
}

/// What agents say since they know of batteries, of processes that they may not look at, and of other vendors.
fn told_more() -> Inventory {
    let mut inventory = Inventory {
        on_battery: Some(true),
        processes_unread: Some(3),
        foreign: vec![Foreign {
            source: name("nodejs"),
            version: version("20.19.0-1nodesource1"),
            origin: Origin {
                label: short(". nodistro"),
                archive: short("nodistro"),
                codename: short("nodistro"),
            },
        }],
        ..inventory()
    };
    inventory.normalize();
    inventory
}

fn permit() -> Permit {
    Permit {
        attempt: AttemptId(31),
        fence: 4,
        start_within: 600,
        server_time: Moment(1_795_428_062),
        packages: vec![package("openssl", Some("3.0.22-1~deb12u2"))],
        reboot: RebootPolicy::IfNeeded,
    }
}

#[test]
fn enrolment() {
    let request = EnrollRequest {
        token: format!("pwe_{}_{}", "A".repeat(43), "0".repeat(32)),
        public_key: "11".repeat(32),
        nonce: "22".repeat(16),
        scan_only: true,
        host: host(),
    };
    golden("enroll", &request);
    let reply = EnrollReply {
        device: DeviceId(12),
        key_id: "33".repeat(16),
        state: DeviceState::Pending,
        server_key: "44".repeat(32),
        server_time: Moment(1_795_428_062),
    };
    golden("enroll-reply", &reply);
}

#[test]
fn check_in() {
    let message = CheckIn {
        agent_version: short("0.1.0"),
        boot_id: host().boot_id,
        inventory: Some(Digest("55".repeat(32))),
        policy_version: 3,
        unacknowledged: 2,
        measured: Measured::default(),
    };
    golden("check-in", &sealed(message.clone()));
    let measured = Measured {
        download_rate: Some(2_500_000),
        restart: Some(Span(95)),
    };
    golden("check-in-measured", &sealed(CheckIn { measured, ..message }));
    let reply = CheckInReply {
        server_time: Moment(1_795_428_062),
        epoch: 1,
        state: DeviceState::Active,
        poll_after: 912,
        want_full_report: true,
        scan_now: true,
        policy: Some(DevicePolicy {
            version: 4,
            scan_interval: 14_400,
            rate_kib: Some(500),
            reboot: RebootPolicy::Never,
        }),
        orders: vec![
            Order {
                patch: PatchId(9),
                kind: ActionKind::Install,
                packages: vec![package("openssl", Some("3.0.22-1~deb12u2"))],
            },
            Order {
                patch: PatchId(8),
                kind: ActionKind::RollBack,
                packages: vec![package("libnew", None)],
            },
        ],
        notices: vec![DeviceNotice {
            patch: PatchId(9),
            title: short("openssl 3.0.22-1~deb12u2"),
            earliest: Moment(1_795_500_000),
            link: short("https://patchward.example/patches/9"),
        }],
    };
    golden("check-in-reply", &reply);
}

#[test]
fn reports() {
    let full = Report {
        taken_at: Moment(1_795_428_060),
        took_ms: 412,
        digest: inventory().digest(),
        content: ReportContent::Full {
            inventory: Box::new(inventory()),
        },
    };
    golden("report-full", &sealed(full));
    let mut later = inventory();
    later.packages[1] = installed("openssl", "3.0.22-1~deb12u2", "openssl", None);
    later.updates.remove(2);
    later.manager_error = None;
    later.services.clear();
    later.normalize();
    let delta = Report {
        taken_at: Moment(1_795_428_960),
        took_ms: 98,
        digest: later.digest(),
        content: ReportContent::Delta {
            base: inventory().digest(),
            changes: Box::new(InventoryDelta::between(&inventory(), &later)),
        },
    };
    golden("report-delta", &sealed(delta));
    golden("report-reply", &ReportReply { digest: later.digest() });
}

#[test]
fn reports_that_tell_more() {
    let full = Report {
        taken_at: Moment(1_795_428_060),
        took_ms: 412,
        digest: told_more().digest(),
        content: ReportContent::Full {
            inventory: Box::new(told_more()),
        },
    };
    golden("report-full-more", &sealed(full));
    let new = Report {
        taken_at: Moment(1_795_428_060),
        took_ms: 412,
        digest: told_of_new().digest(),
        content: ReportContent::Full {
            inventory: Box::new(told_of_new()),
        },
    };
    golden("report-full-new", &sealed(new));
    let mut later = told_more();
    (later.on_battery, later.processes_unread) = (Some(false), None);
    later.foreign.clear();
    let changes = InventoryDelta::between(&told_more(), &later);
    assert_eq!(
        changes.processes_unread,
        Some(Now { now: None }),
        "nobody counts any more"
    );
    assert_eq!(changes.clone().apply(told_more()), later);
    let delta = Report {
        taken_at: Moment(1_795_428_960),
        took_ms: 98,
        digest: later.digest(),
        content: ReportContent::Delta {
            base: told_more().digest(),
            changes: Box::new(changes),
        },
    };
    golden("report-delta-more", &sealed(delta));
}

/// An agent that says nothing of it has the digest that it always had.
#[test]
fn what_older_agents_leave_out_is_not_in_the_digest() {
    let json = serde_json::to_string(&inventory()).unwrap();
    for word in ["on_battery", "processes_unread", "foreign"] {
        assert!(!json.contains(word), "{word}");
    }
}

#[test]
fn permits() {
    let request = PermitRequest {
        patch: PatchId(9),
        kind: ActionKind::Install,
        current: vec![package("openssl", Some("3.0.20-1~deb12u2")), package("libnew", None)],
    };
    golden("permit", &sealed(request));
    golden("permit-granted", &PermitReply::Granted(permit()));
    let refused = PermitReply::Refused {
        gate: short("soak"),
        reason: short("The pilot ring has proved it for 2 of 7 days"),
        opens_at: Some(Moment(1_795_900_000)),
    };
    golden("permit-refused", &refused);
}

#[test]
fn results() {
    let why = [
        NotStarted::WouldAlsoChange {
            changes: vec![short("install libfoo2 1.2"), short("remove bar")],
        },
        NotStarted::Unavailable {
            message: short("E: Version '9' for 'x' was not found"),
        },
        NotStarted::Download {
            message: short("404 Not Found"),
        },
        NotStarted::PermitExpired,
        NotStarted::LocalPolicy {
            rule: short("scan_only"),
        },
        NotStarted::ManagerBusy {
            message: short("dpkg --audit names perl"),
        },
        NotStarted::AlreadyThere,
    ];
    let outcomes = why.into_iter().map(|why| Outcome::NotStarted { why }).chain([
        Outcome::Succeeded,
        Outcome::Failed {
            exit: Some(100),
            message: short("bad: post-installation script returned error exit status 7"),
        },
        Outcome::InterruptedRecovered,
        Outcome::Broken {
            message: short("dpkg --audit names perl"),
        },
    ]);
    let record = |n: usize, event| AttemptRecord {
        id: format!("{n:032x}"),
        attempt: AttemptId(31),
        fence: 4,
        at: Moment(1_795_428_070),
        event,
    };
    let started = AttemptEvent::Started {
        from: vec![package("openssl", Some("3.0.20-1~deb12u2"))],
    };
    let ends = outcomes.enumerate().map(|(n, outcome)| {
        let observed = vec![package("openssl", Some("3.0.22-1~deb12u2"))];
        let log = LongText::parse("$ apt-get\nSetting up openssl\n\t...").unwrap();
        record(
            n + 1,
            AttemptEvent::Finished {
                outcome,
                observed,
                log,
                took: 14,
            },
        )
    });
    let results = [record(0, started)].into_iter().chain(ends).collect();
    golden("results", &sealed(Results { results }));
    golden(
        "results-reply",
        &ResultsReply {
            acknowledged: vec!["66".repeat(16)],
            refused: vec!["77".repeat(16)],
        },
    );
    let refusal = Refusal {
        code: RefusalCode::DigestMismatch,
        detail: short("send a full report"),
    };
    golden("refusal", &refusal);
}

/// What a device with less to say may leave out.
#[test]
fn absent_fields_have_their_meaning() {
    let check_in: CheckIn = protocol::limits::parse(br#"{"agent_version":"0.1.0","boot_id":"x"}"#).unwrap();
    assert_eq!(
        (check_in.inventory, check_in.policy_version, check_in.unacknowledged),
        (None, 0, 0)
    );
    let nothing: InventoryDelta = protocol::limits::parse(b"{}").unwrap();
    assert_eq!(nothing.apply(inventory()), {
        let mut same = inventory();
        same.normalize();
        same
    });
    assert!(protocol::limits::parse::<CheckIn>(br#"{"agent_version":"0.1.0","boot_id":"x","script":"id"}"#).is_err());
}
