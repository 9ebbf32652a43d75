//! The agent in real Debian roots with a real apt and really missing patches (ENGINES 1). Needs root; says what it skips without.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

mod stub;

use domain::VersionText;
use protocol::v1::*;
use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};
use stub::{Fleet, Stub, patch};

fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// To the file that `cargo xtask test` names, because cargo hides what a passing test prints.
fn say_skipped(why: &str) {
    eprintln!("skipped: {why}");
    if let Some(list) = std::env::var_os("PATCHWARD_SKIPPED") {
        let mut list = fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
        list.write_all(format!("{why}\n").as_bytes()).unwrap();
    }
}

/// The tree that every device lies over; made once (about a minute) and kept under `target`.
fn tree() -> Option<PathBuf> {
    let tools = ["/usr/sbin/debootstrap", "/usr/bin/unshare", "/usr/bin/dpkg-deb"];
    if !rustix::process::geteuid().is_root() || !tools.iter().all(|t| Path::new(t).exists()) {
        say_skipped("agent real_apt: needs root and debootstrap");
        return None;
    }
    let devices = repo().join("target/devices");
    fs::create_dir_all(&devices).unwrap();
    let lock = fs::File::create(devices.join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let tree = devices.join("debian");
    if !tree.join("var/lib/dpkg/status").exists() || !tree.join("usr/sbin/policy-rc.d").exists() {
        let _ = fs::remove_dir_all(&tree);
        let made = Command::new(repo().join("end2end/devices/mkdevice.sh"))
            .arg(&tree)
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success(), "mkdevice.sh");
    }
    Some(tree)
}

/// One throw-away device and the server that it knows.
struct Device {
    name: &'static str,
    tree: PathBuf,
    folder: tempfile::TempDir,
    stub: Stub,
    fleet: Arc<Mutex<Fleet>>,
}

impl Device {
    fn new(name: &'static str) -> Option<Self> {
        let tree = tree()?;
        let folder = tempfile::Builder::new()
            .prefix(name)
            .tempdir_in(repo().join("target/devices"))
            .unwrap();
        fs::create_dir(folder.path().join("share")).unwrap();
        fs::copy(
            env!("CARGO_BIN_EXE_patchward-agent"),
            folder.path().join("share/patchward-agent"),
        )
        .unwrap();
        let fleet = Arc::new(Mutex::new(Fleet::default()));
        let answering = fleet.clone();
        let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
        let stub = Stub::start(move |r| answering.lock().unwrap().answer(r, &key));
        Some(Self {
            name,
            tree,
            folder,
            stub,
            fleet,
        })
    }

    fn share(&self) -> PathBuf {
        self.folder.path().join("share")
    }

    /// Runs a script in the device and returns what it prints.
    fn script(&self, text: &str) -> String {
        fs::write(self.share().join("script"), format!("PATH=$PATH:/mnt/share\n{text}\n")).unwrap();
        let out = Command::new(repo().join("end2end/devices/dev.sh"))
            .arg(self.name)
            .arg(&self.tree)
            .args(["bash", "/mnt/share/script"])
            .env("DEVROOT", self.folder.path())
            .env("SHARE", self.share())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let printed = String::from_utf8_lossy(&out.stdout).into_owned();
        fs::write(self.folder.path().join("said"), &said).unwrap();
        assert!(out.status.success(), "{text}\n{printed}\n{said}");
        printed
    }

    fn enroll(&self) {
        // Indexes fetched when the tree was made need not be fetched again by every device; older ones may name files that are gone.
        let lists = fs::metadata(self.tree.join("var/lib/apt/lists"))
            .and_then(|m| m.modified())
            .unwrap();
        if lists.elapsed().is_ok_and(|age| age.as_secs() < 6 * 3_600) {
            self.script(
                "mkdir -p /var/lib/patchward-agent
                 echo \"{\\\"at\\\":$(date +%s),\\\"failed\\\":[]}\" > /var/lib/patchward-agent/refreshed.json",
            );
        }
        self.script(&format!(
            "patchward-agent enroll {} {}",
            self.stub.url,
            self.stub.token()
        ));
        self.once();
    }

    fn once(&self) {
        self.script("patchward-agent run --once");
    }

    fn inventory(&self) -> Inventory {
        self.fleet.lock().unwrap().inventory.clone().expect("reported")
    }

    /// The updates of these sources as an order.
    fn order(&self, id: i64, sources: &[&str]) -> Order {
        let updates = self.inventory().updates;
        let wanted = updates.iter().filter(|u| sources.contains(&u.source.as_str()));
        let packages = wanted
            .map(|u| PackageVersion {
                name: u.name.clone(),
                arch: u.arch.clone(),
                version: Some(u.version.clone()),
            })
            .collect::<Vec<_>>();
        assert!(!packages.is_empty(), "{sources:?} have updates");
        Order {
            patch: patch(id),
            kind: ActionKind::Install,
            packages,
        }
    }

    /// Carries an order out and returns its end.
    fn carry_out(&self, order: &Order) -> (Outcome, Vec<PackageVersion>, String) {
        self.fleet.lock().unwrap().orders = vec![order.clone()];
        self.once();
        self.fleet.lock().unwrap().last().expect("an end")
    }

    /// Name and version of everything installed.
    fn installed(&self) -> BTreeSet<String> {
        let listed = self.script("dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n'");
        listed.lines().map(str::to_owned).collect()
    }

    fn in_order(&self) {
        assert_eq!(self.script("dpkg --audit"), "");
    }
}

fn back(device: &Device, order: &Order) -> Order {
    let fleet = device.fleet.lock().unwrap();
    let packages = fleet.permits.last().unwrap().current.clone();
    Order {
        patch: order.patch,
        kind: ActionKind::RollBack,
        packages,
    }
}

/// The scan finds exactly what apt itself would upgrade, and reports travel as deltas afterwards.
#[test]
fn a_scan_equals_apts_own_answer() {
    let Some(device) = Device::new("scan") else { return };
    let apt = device.script("apt-get -s -qq dist-upgrade");
    let apt: BTreeSet<&str> = apt
        .lines()
        .filter_map(|l| l.strip_prefix("Inst "))
        .filter_map(|l| l.split(' ').next())
        .collect();
    device.enroll();
    let seen = device.inventory();
    let ours: BTreeSet<&str> = seen.updates.iter().map(|u| u.name.as_str()).collect();
    assert_eq!(ours, apt);
    assert!(
        seen.updates
            .iter()
            .all(|u| u.size > 0 && u.sha256.as_str().len() == 64 && !u.origins.is_empty())
    );
    assert!(
        seen.updates.iter().any(|u| u.security) && seen.sources.iter().all(|s| s.error.is_none()),
        "{:?}",
        seen.sources
    );
    assert!(seen.packages.len() > 100 && seen.host.manager.as_ref().is_some_and(|m| m.as_str() == "apt"));

    device.script("apt-mark hold openssl; printf 'Package: rsync\\nPin: version *\\nPin-Priority: -1\\n' > /etc/apt/preferences.d/no");
    // A source that is not there is told; the others are still read.
    device.script("echo 'deb http://127.0.0.1:9/x gone main' > /etc/apt/sources.list.d/gone.list; rm -f /var/lib/patchward-agent/refreshed.json");
    device.once();
    let seen = device.inventory();
    let brake = |name: &str| {
        seen.updates
            .iter()
            .find(|u| u.name.as_str() == name)
            .and_then(|u| u.brake.clone())
    };
    assert_eq!(brake("openssl"), Some(Brake::Held));
    assert_eq!(brake("rsync"), Some(Brake::Pinned { priority: -1 }));
    let unread: Vec<&str> = seen
        .sources
        .iter()
        .filter(|s| s.error.is_some())
        .map(|s| s.name.as_str())
        .collect();
    assert_eq!(unread, ["gone"]);
    // Without a package manager that it knows, it still tells who it is.
    device.script("mv /usr/bin/apt-get /usr/bin/apt-got");
    device.once();
    let bare = device.inventory();
    assert_eq!(
        (bare.host.manager, bare.packages.len(), bare.updates.len()),
        (None, 0, 0)
    );
    assert_eq!(bare.host.os_id.as_str(), "debian");
    let fleet = device.fleet.lock().unwrap();
    assert!(matches!(fleet.reports[0].content, ReportContent::Full { .. }));
    assert!(matches!(
        fleet.reports.last().unwrap().content,
        ReportContent::Delta { .. }
    ));
}

/// Exactly one source is brought up, nothing else moves, marks stay; then back from the kept copy, forth, and back from the archive.
#[test]
fn one_source_forth_and_back_from_the_store_and_from_the_archive() {
    let Some(device) = Device::new("forth-and-back") else {
        return;
    };
    device.script("apt-mark auto libssl3 >/dev/null");
    device.enroll();
    let before = device.installed();
    let order = device.order(1, &["openssl"]);
    assert!(order.packages.len() >= 2);
    let (outcome, observed, log) = device.carry_out(&order);
    assert_eq!(outcome, Outcome::Succeeded, "{log}");
    assert!(order.packages.iter().all(|p| observed.contains(p)));
    let after = device.installed();
    assert_eq!(
        after.difference(&before).count(),
        order.packages.len(),
        "nothing else has moved"
    );
    assert!(
        device.script("apt-mark showauto libssl3").contains("libssl3"),
        "still marked as automatic"
    );
    // I-17 in the server's eyes, and the proof by a later scan.
    let fleet = device.fleet.lock().unwrap();
    assert!(matches!(fleet.records[0].event, AttemptEvent::Started { .. }));
    let proof = fleet.inventory.as_ref().unwrap();
    assert!(!proof.updates.iter().any(|u| u.source.as_str() == "openssl"));
    drop(fleet);

    // Without any network or index: only the kept copies.
    device.script("mv /etc/apt/sources.list /etc/apt/away; rm -rf /var/lib/apt/lists/*");
    let to_before = back(&device, &order);
    let (outcome, _, log) = device.carry_out(&to_before);
    assert_eq!(outcome, Outcome::Succeeded, "{log}");
    assert_eq!(device.installed(), before, "exactly as before");

    device.script("mv /etc/apt/away /etc/apt/sources.list; apt-get -qq update");
    assert_eq!(device.carry_out(&order).0, Outcome::Succeeded);
    // A copy that was damaged since is not installed: the archive's is, and the result says so.
    device.script("for f in /var/lib/patchward-agent/rollback/openssl_*.deb; do printf x >> $f; done");
    let (outcome, _, log) = device.carry_out(&to_before);
    assert_eq!(outcome, Outcome::Succeeded, "{log}");
    assert!(
        log.contains("the kept copy of openssl ") && log.contains("the archive's is used instead"),
        "{log}"
    );
    assert_eq!(device.installed(), before);

    assert_eq!(device.carry_out(&order).0, Outcome::Succeeded);
    device.script("rm -rf /var/lib/patchward-agent/rollback");
    let (outcome, _, log) = device.carry_out(&to_before);
    assert_eq!(outcome, Outcome::Succeeded, "{log}");
    assert_eq!(device.installed(), before);
    assert_eq!(
        device.carry_out(&to_before).0,
        Outcome::NotStarted {
            why: NotStarted::AlreadyThere
        }
    );
    assert!(
        device.script("apt-mark showhold").is_empty(),
        "the block is the server's, not a hold"
    );
}

#[test]
fn what_would_change_more_or_cannot_be_had_does_not_start() {
    let Some(device) = Device::new("refused") else { return };
    device.enroll();
    let before = device.installed();
    let mut order = device.order(1, &["perl"]);
    order.packages.retain(|p| p.name.as_str() == "perl");
    let (outcome, ..) = device.carry_out(&order);
    let Outcome::NotStarted {
        why: NotStarted::WouldAlsoChange { changes },
    } = &outcome
    else {
        panic!("{outcome:?}")
    };
    assert!(
        changes.iter().any(|c| c.as_str().starts_with("change perl-base ")),
        "{changes:?}"
    );

    order.packages[0].version = Some(VersionText::parse("9.9").unwrap());
    assert!(matches!(
        device.carry_out(&order).0,
        Outcome::NotStarted {
            why: NotStarted::Unavailable { .. }
        }
    ));

    device.script("apt-mark hold rsync");
    let held = device.order(2, &["rsync"]);
    let held = device.carry_out(&held).0;
    assert!(
        matches!(
            held,
            Outcome::NotStarted {
                why: NotStarted::LocalPolicy { .. }
            }
        ),
        "{held:?}"
    );

    device.script("mkdir -p /etc/patchward-agent; echo scan_only = true > /etc/patchward-agent/policy");
    let (outcome, ..) = device.carry_out(&device.order(3, &["openssl"]));
    assert!(matches!(
        outcome,
        Outcome::NotStarted {
            why: NotStarted::LocalPolicy { .. }
        }
    ));
    device.script(
        "rm /etc/patchward-agent/policy
         echo 'Acquire::http::Proxy \"http://127.0.0.1:9\";' > /etc/apt/apt.conf.d/99nowhere",
    );
    let (outcome, ..) = device.carry_out(&device.order(4, &["expat"]));
    assert!(
        matches!(
            outcome,
            Outcome::NotStarted {
                why: NotStarted::Download { .. }
            }
        ),
        "{outcome:?}"
    );
    let moved: Vec<String> = device.installed().difference(&before).cloned().collect();
    assert!(moved.iter().all(|line| line.starts_with("hi  rsync ")), "{moved:?}");
    assert!(
        device
            .fleet
            .lock()
            .unwrap()
            .records
            .iter()
            .all(|r| matches!(r.event, AttemptEvent::Finished { .. })),
        "never started"
    );
}

/// I-18: killed at any point, the next start looks, finishes or says so; nothing is left half done. I-10: neither the agent's end nor its
/// death ends a running package manager.
#[test]
fn a_kill_at_any_point_is_recovered_by_looking() {
    for (name, pattern, whom) in [
        ("kill-unpack", "^Unpacking", "everything"),
        ("kill-setting", "^Setting up", "everything"),
        ("kill-agent", "^Unpacking", "agent"),
        ("kill-apt", "^Preparing", "apt"),
        ("stop-agent", "^Preparing", "politely"),
    ] {
        let Some(device) = Device::new(name) else { return };
        device.enroll();
        // perl is the cluster that single repairs were seen to leave broken; it is large, so once is enough.
        let perl: &[&str] = if name == "kill-unpack" { &["perl"] } else { &[] };
        let order = device.order(1, &[&["openssl", "expat"], perl].concat());
        device.fleet.lock().unwrap().orders = vec![order.clone()];
        let killed = match whom {
            "everything" => "pkill -9 -f 'patchward-agent (run|worker)'; pkill -9 apt-get; pkill -9 dpkg",
            "apt" => "pkill -9 apt-get; pkill -9 dpkg",
            "politely" => "pkill -TERM -f 'patchward-agent run'",
            _ => "pkill -9 -f 'patchward-agent run'",
        };
        let out = device.script(&format!(
            "patchward-agent run --once 2>/tmp/first & agent=$!
             log='/var/lib/patchward-agent/attempts/*/log'
             for i in $(seq 30000); do [ \"$(cat $log 2>/dev/null | grep -c '{pattern}')\" -ge 2 ] 2>/dev/null && break; sleep 0.01; done
             {killed}
             wait $agent; echo first run ended with $?
             dpkg --audit | head -3
             patchward-agent run --once 2>/tmp/second; cat /tmp/first /tmp/second >&2"
        ));
        let (outcome, observed, log) = device
            .fleet
            .lock()
            .unwrap()
            .last()
            .unwrap_or_else(|| panic!("{name}: no end\n{out}"));
        let good = [Outcome::Succeeded, Outcome::InterruptedRecovered];
        assert!(good.contains(&outcome), "{name}: {outcome:?}\n{out}\n{log}");
        if whom == "politely" {
            assert!(
                out.contains("first run ended with 0"),
                "it waits for the package manager and ends well\n{out}"
            );
        }
        if matches!(whom, "agent" | "politely") {
            assert_eq!(
                outcome,
                Outcome::Succeeded,
                "the package manager went on by itself\n{log}"
            );
        }
        assert!(order.packages.iter().all(|p| observed.contains(p)), "{name}");
        device.in_order();
        let fleet = device.fleet.lock().unwrap();
        let started = fleet
            .records
            .iter()
            .filter(|r| matches!(r.event, AttemptEvent::Started { .. }))
            .count();
        let ids: BTreeSet<&str> = fleet.records.iter().map(|r| r.id.as_str()).collect();
        assert_eq!((started, ids.len()), (1, 2), "{name}: one start, one end, each told");
    }
}

/// Builds packages into a flat archive in the device's share and makes it one of the device's sources.
/// Each: name, version, extra control lines, body of the postinst.
fn archive(device: &Device, packages: &[(&str, &str, &str, &str)]) {
    use std::{fmt::Write, os::unix::fs::PermissionsExt};
    let folder = device.share().join("repo");
    let mut index = String::new();
    for (name, version, extra, script) in packages {
        let root = folder.join("build");
        fs::create_dir_all(root.join("DEBIAN")).unwrap();
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@localhost>\n\
             Section: misc\nPriority: optional\n{extra}Description: made for a test\n"
        );
        fs::write(root.join("DEBIAN/control"), &control).unwrap();
        let postinst = root.join("DEBIAN/postinst");
        fs::write(&postinst, format!("#!/bin/sh\n{script}\n")).unwrap();
        for path in [&postinst, &root.join("DEBIAN")] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let file = format!("{name}_{version}_all.deb");
        let built = Command::new("dpkg-deb")
            .arg("-b")
            .arg(&root)
            .arg(folder.join(&file))
            .stdout(Stdio::null())
            .status();
        assert!(built.unwrap().success());
        let bytes = fs::read(folder.join(&file)).unwrap();
        let hash = hex::encode(protocol::sign::sha256(&bytes));
        write!(
            index,
            "{control}Filename: ./{file}\nSize: {}\nSHA256: {hash}\n\n",
            bytes.len()
        )
        .unwrap();
        fs::remove_dir_all(root).unwrap();
    }
    fs::write(folder.join("Packages"), index).unwrap();
    device.script(
        "echo 'deb [trusted=yes] file:/mnt/share/repo ./' > /etc/apt/sources.list.d/own.list
         apt-get -qq update -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/own.list -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0",
    );
}

fn versions(packages: &[PackageVersion]) -> Vec<(&str, Option<&str>)> {
    packages
        .iter()
        .map(|p| (p.name.as_str(), p.version.as_ref().map(VersionText::as_str)))
        .collect()
}

#[test]
fn a_failing_maintainer_script_is_told_and_taken_back() {
    let Some(device) = Device::new("failing") else { return };
    archive(
        &device,
        &[
            ("bad", "1", "", "exit 0"),
            ("bad", "2", "", "echo this is broken >&2; exit 7"),
        ],
    );
    device.script("apt-get -qq -y install bad=1");
    device.enroll();
    let order = device.order(1, &["bad"]);
    assert_eq!(versions(&order.packages), [("bad", Some("2"))]);
    let (outcome, observed, log) = device.carry_out(&order);
    let Outcome::Failed {
        exit: Some(100),
        message,
    } = &outcome
    else {
        panic!("{outcome:?}\n{log}")
    };
    assert!(
        message.as_str().contains("bad") && log.contains("this is broken"),
        "{message}\n{log}"
    );
    assert_eq!(versions(&observed), [("bad", Some("1"))], "back where it was\n{log}");
    device.in_order();
    // It still counts as missing, for the server to hold.
    assert!(device.inventory().updates.iter().any(|u| u.name.as_str() == "bad"));
}

/// What an update brings in anew is told before, permitted by name, marked as automatic, and goes away on the way back.
#[test]
fn a_package_that_an_update_brings_anew_comes_and_goes_with_it() {
    let Some(device) = Device::new("brings-new") else {
        return;
    };
    let source = "Source: tool\n";
    let needs = "Source: tool\nDepends: libtool-data (= 1:2)\n";
    archive(
        &device,
        &[
            ("tool", "1:1", source, ""),
            ("tool", "1:2", needs, ""),
            ("libtool-data", "1:2", source, ""),
        ],
    );
    device.script("apt-get -qq -y install tool=1:1");
    device.enroll();
    let order = device.order(1, &["tool"]);
    assert_eq!(
        versions(&order.packages),
        [("libtool-data", Some("1:2")), ("tool", Some("1:2"))]
    );
    let (outcome, _, log) = device.carry_out(&order);
    assert_eq!(outcome, Outcome::Succeeded, "{log}");
    assert!(device.script("apt-mark showauto libtool-data").contains("libtool-data"));
    let to_before = back(&device, &order);
    assert_eq!(
        versions(&to_before.packages),
        [("libtool-data", None), ("tool", Some("1:1"))]
    );
    let (outcome, observed, log) = device.carry_out(&to_before);
    assert_eq!(outcome, Outcome::Succeeded, "{log}");
    assert_eq!(observed, to_before.packages);
    device.in_order();
}
