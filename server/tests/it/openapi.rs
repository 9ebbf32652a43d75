//! The description of the agent API fits the messages: real structs, written out in full so that a new field breaks this file, are checked
//! against the schemas.

use crate::world::{check_in, enrollment, host_facts};
use domain::{Arch, AttemptId, DeviceId, DeviceState, Moment, PackageName, PatchId, RebootPolicy, VersionText};
use ed25519_dalek::SigningKey;
use protocol::v1::*;
use protocol::{LongText, ShortText};
use serde::Serialize;
use serde_json::{Value, json};
use server::http::{Guard, PLAIN_ROUTES, openapi::AGENT_V1};
use std::collections::BTreeSet;

fn document() -> Value {
    serde_json::from_str(AGENT_V1).expect("JSON")
}

/// What does not fit, as paths; the few words of JSON Schema that the document uses.
fn mismatches(document: &Value, schema: &Value, value: &Value, at: &str, out: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let target = document
            .pointer(name.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{name} does not exist"));
        return mismatches(document, target, value, at, out);
    }
    let fits = |schema: &Value| {
        let mut inner = Vec::new();
        mismatches(document, schema, value, at, &mut inner);
        inner
    };
    if let Some(all) = schema["allOf"].as_array() {
        all.iter().for_each(|schema| out.extend(fits(schema)));
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[word].as_array() {
            let tried: Vec<_> = choices.iter().map(fits).collect();
            if !tried.iter().any(Vec::is_empty) {
                out.push(format!("{at}: none of the choices fits {value}: {tried:?}"));
            }
        }
    }
    if schema.get("const").is_some_and(|constant| constant != value) {
        out.push(format!("{at}: {value} is not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        out.push(format!("{at}: {value} is not one of {}", schema["enum"]));
    }
    let typed = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some(other) => panic!("{at}: the test does not know the type {other}"),
        None => true,
    };
    if !typed {
        out.push(format!("{at}: {value} is no {}", schema["type"]));
    }
    if let (Some(object), Some(properties)) = (value.as_object(), schema["properties"].as_object()) {
        for (name, value) in object {
            match properties.get(name) {
                Some(schema) => mismatches(document, schema, value, &format!("{at}.{name}"), out),
                None => out.push(format!("{at}: {name} is not described")),
            }
        }
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if !object.contains_key(name) {
                out.push(format!("{at}: {name} is required and never sent"));
            }
        }
        // What may be left out is what has a default; every sample is complete, so all that is described is sent.
        for name in properties.keys().filter(|name| !object.contains_key(*name)) {
            out.push(format!("{at}: {name} is described and not sent"));
        }
    }
    if let (Some(items), Some(schema)) = (value.as_array(), schema.get("items")) {
        for (index, item) in items.iter().enumerate() {
            mismatches(document, schema, item, &format!("{at}[{index}]"), out);
        }
    }
}

fn check(name: &str, message: &impl Serialize) {
    let document = document();
    let value = serde_json::to_value(message).expect("JSON");
    let mut out = Vec::new();
    mismatches(
        &document,
        &json!({ "$ref": format!("#/components/schemas/{name}") }),
        &value,
        name,
        &mut out,
    );
    assert!(out.is_empty(), "{}", out.join("\n"));
}

fn text(text: &str) -> ShortText {
    ShortText::fit(text)
}

fn package() -> PackageVersion {
    PackageVersion {
        name: name("libssl3"),
        arch: arch(),
        version: Some(version("3.0.17-1~deb12u2")),
    }
}

fn name(text: &str) -> PackageName {
    PackageName::parse(text).expect("a name")
}

fn version(text: &str) -> VersionText {
    VersionText::parse(text).expect("a version")
}

fn arch() -> Arch {
    Arch::parse("amd64").expect("an architecture")
}

fn update(brake: Option<Brake>) -> Update {
    Update {
        name: name("libssl3"),
        arch: arch(),
        installed: Some(version("3.0.16-1")),
        version: version("3.0.17-1"),
        source: name("openssl"),
        source_version: version("3.0.17-1"),
        origins: vec![Origin {
            label: text("Debian-Security"),
            archive: text("oldstable-security"),
            codename: text("bookworm-security"),
        }],
        size: 2_000_000,
        sha256: text(&"a".repeat(64)),
        summary: text("Secure Sockets Layer"),
        section: text("libs"),
        security: true,
        brake,
        previous_in_archive: true,
        brought_by: vec![name("libssl-meta")],
    }
}

/// With one update, and what keeps it back.
pub(crate) fn inventory(brake: Option<Brake>) -> Inventory {
    Inventory {
        host: host_facts(),
        packages: vec![InstalledPackage {
            name: name("libssl3"),
            arch: arch(),
            version: version("3.0.16-1+b1"),
            source: name("openssl"),
            source_version: Some(version("3.0.16-1")),
        }],
        updates: vec![update(brake)],
        sources: vec![SourceStatus {
            name: text("bookworm"),
            error: Some(text("could not be read")),
        }],
        reboot: vec![
            RebootReason::FlagFile {
                packages: vec![text("linux-base")],
            },
            RebootReason::Kernel {
                running: text("6.1.0-40"),
                installed: text("6.1.0-41"),
            },
            RebootReason::CoreProcess {
                process: text("systemd"),
                file: text("/lib/libc.so.6"),
            },
        ],
        services: vec![StaleService {
            unit: text("ssh.service"),
            pid: 812,
            file: text("/lib/libcrypto.so.3"),
        }],
        manager_error: Some(text("libfoo is only half installed")),
        disk_free_mib: 1_024,
        on_battery: Some(true),
        processes_unread: Some(3),
        foreign: vec![Foreign {
            source: name("nodejs"),
            version: version("20.19.0-1nodesource1"),
            origin: Origin {
                label: text(". nodistro"),
                archive: text("nodistro"),
                codename: text("nodistro"),
            },
        }],
    }
}

fn sealed<T>(message: T) -> Sealed<T> {
    Sealed {
        seq: 1,
        nonce: "0".repeat(32),
        sent_at: Moment(0),
        message,
    }
}

#[test]
fn enrolment_and_check_in() {
    let key = SigningKey::from_bytes(&[1; 32]);
    check("EnrollRequest", &enrollment(&key, "pwe_x_y"));
    check(
        "EnrollReply",
        &EnrollReply {
            device: DeviceId(7),
            key_id: "0".repeat(32),
            state: DeviceState::Pending,
            server_key: "0".repeat(64),
            server_time: Moment(0),
        },
    );
    check("SealedCheckIn", &check_in(1));
    check(
        "CheckInReply",
        &CheckInReply {
            server_time: Moment(0),
            epoch: 1,
            state: DeviceState::Active,
            poll_after: 60,
            want_full_report: true,
            scan_now: true,
            policy: Some(DevicePolicy {
                version: 1,
                scan_interval: 86_400,
                rate_kib: Some(100),
                reboot: RebootPolicy::IfNeeded,
            }),
            orders: vec![
                Order {
                    patch: PatchId(1),
                    kind: ActionKind::Install,
                    packages: vec![package()],
                },
                Order {
                    patch: PatchId(1),
                    kind: ActionKind::RollBack,
                    packages: vec![package()],
                },
            ],
            notices: vec![DeviceNotice {
                patch: PatchId(1),
                title: text("openssl"),
                earliest: Moment(0),
                link: text("http://x/"),
            }],
        },
    );
}

#[test]
fn reports() {
    let digest = inventory(None).digest();
    let report = |content| Report {
        taken_at: Moment(0),
        took_ms: 900,
        digest: digest.clone(),
        content,
    };
    for brake in [
        None,
        Some(Brake::Held),
        Some(Brake::Phased { percent: 10 }),
        Some(Brake::Pinned { priority: -10 }),
    ] {
        check(
            "SealedReport",
            &sealed(report(ReportContent::Full {
                inventory: Box::new(inventory(brake)),
            })),
        );
    }
    let inventory = inventory(None);
    let delta = |manager_error| InventoryDelta {
        host: Some(host_facts()),
        removed: inventory.packages.clone(),
        added: inventory.packages.clone(),
        updates_removed: vec![(name("libssl3"), arch())],
        updates_added: inventory.updates.clone(),
        sources: Some(inventory.sources.clone()),
        reboot: Some(inventory.reboot.clone()),
        services: Some(inventory.services.clone()),
        manager_error,
        disk_free_mib: Some(512),
        on_battery: Some(Now { now: Some(true) }),
        processes_unread: Some(Now { now: None }),
        foreign: Some(inventory.foreign.clone()),
    };
    for manager_error in [None, Some(None), Some(Some(text("broken")))] {
        let changes = Box::new(delta(manager_error));
        check(
            "SealedReport",
            &sealed(report(ReportContent::Delta {
                base: digest.clone(),
                changes,
            })),
        );
    }
    check(
        "SealedReport",
        &sealed(report(ReportContent::Delta {
            base: digest.clone(),
            changes: Box::default(),
        })),
    );
    check("ReportReply", &ReportReply { digest });
}

#[test]
fn permits() {
    check(
        "SealedPermitRequest",
        &sealed(PermitRequest {
            patch: PatchId(1),
            kind: ActionKind::Install,
            current: vec![package()],
        }),
    );
    let permit = Permit {
        attempt: AttemptId(1),
        fence: 3,
        start_within: 600,
        server_time: Moment(0),
        packages: vec![package()],
        reboot: RebootPolicy::Never,
    };
    check("PermitReply", &PermitReply::Granted(permit));
    check(
        "PermitReply",
        &PermitReply::Refused {
            gate: text("soak"),
            reason: text("soaks until Monday"),
            opens_at: Some(Moment(0)),
        },
    );
    check(
        "PermitReply",
        &PermitReply::Refused {
            gate: text("approval"),
            reason: text("not approved"),
            opens_at: None,
        },
    );
}

#[test]
fn results() {
    let not_started = [
        NotStarted::WouldAlsoChange {
            changes: vec![text("remove bar")],
        },
        NotStarted::Unavailable { message: text("gone") },
        NotStarted::Download {
            message: text("timeout"),
        },
        NotStarted::PermitExpired,
        NotStarted::LocalPolicy {
            rule: text("hold openssl"),
        },
        NotStarted::ManagerBusy {
            message: text("locked"),
        },
        NotStarted::AlreadyThere,
    ];
    let outcomes = [
        Outcome::Succeeded,
        Outcome::Failed {
            exit: Some(100),
            message: text("exit 100"),
        },
        Outcome::Failed {
            exit: None,
            message: text("killed"),
        },
        Outcome::InterruptedRecovered,
        Outcome::Broken {
            message: text("half installed"),
        },
    ];
    let outcomes = not_started
        .into_iter()
        .map(|why| Outcome::NotStarted { why })
        .chain(outcomes);
    let finished = outcomes.map(|outcome| AttemptEvent::Finished {
        outcome,
        observed: vec![
            package(),
            PackageVersion {
                version: None,
                ..package()
            },
        ],
        log: LongText::fit("line\nline"),
        took: 12,
    });
    let results = finished
        .chain([AttemptEvent::Started { from: vec![package()] }])
        .map(|event| AttemptRecord {
            id: "0".repeat(32),
            attempt: AttemptId(1),
            fence: 3,
            at: Moment(0),
            event,
        })
        .collect();
    check("SealedResults", &sealed(Results { results }));
    check(
        "ResultsReply",
        &ResultsReply {
            acknowledged: vec!["0".repeat(32)],
            refused: vec!["1".repeat(32)],
        },
    );
}

#[test]
fn every_route_and_every_refusal_is_described() {
    let document = document();
    let described: BTreeSet<_> = document["paths"]
        .as_object()
        .expect("paths")
        .keys()
        .map(String::as_str)
        .collect();
    let real: BTreeSet<_> = PLAIN_ROUTES
        .iter()
        .filter(|route| route.2 == Guard::Agent)
        .map(|route| route.1)
        .collect();
    assert_eq!(described, real);
    let codes = document["components"]["schemas"]["RefusalCode"]["enum"]
        .as_array()
        .expect("codes")
        .clone();
    for code in codes {
        let code: RefusalCode = serde_json::from_value(code).expect("a code that exists");
        check(
            "Refusal",
            &Refusal {
                code,
                detail: text("why"),
            },
        );
        let status = code.status().to_string();
        let anywhere = real
            .iter()
            .any(|path| !document["paths"][*path]["post"]["responses"][&status].is_null());
        assert!(anywhere, "{code:?}: no route describes status {status}");
    }
    // The match makes a new code fail here until it is described.
    let all = |code: RefusalCode| match code {
        RefusalCode::Malformed | RefusalCode::TooLarge | RefusalCode::TokenUnknown | RefusalCode::TokenExpired => 4,
        RefusalCode::TokenUsedUp
        | RefusalCode::TokenRevoked
        | RefusalCode::UnknownDevice
        | RefusalCode::BadSignature => 8,
        RefusalCode::Revoked | RefusalCode::NotActive | RefusalCode::Stale | RefusalCode::DigestMismatch => 12,
        RefusalCode::TooMany | RefusalCode::Unavailable | RefusalCode::Internal => 15,
    };
    let number = document["components"]["schemas"]["RefusalCode"]["enum"]
        .as_array()
        .map(Vec::len);
    assert_eq!(number, Some(all(RefusalCode::Internal)));
}
