//! A disk that is really full: a small file system of its own, filled to the last block (I-26).

use super::{PATIENCE, Server, good, run, start};
use domain::Moment;
use fleet::{Device, Os, Releases};
use protocol::v1::{Refusal, RefusalCode};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// A file system in memory; taken away with the value.
struct Small(tempfile::TempDir);

impl Small {
    /// `None` where this user may not mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=12m", "patchward-test"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(folder))
    }

    /// Writes until nothing more fits.
    fn fill(&self) -> std::path::PathBuf {
        let path = self.0.path().join("ballast");
        let mut file = File::create(&path).expect("a file");
        let mut block = vec![7_u8; 64 * 1024];
        while !block.is_empty() {
            if file.write_all(&block).is_err() {
                block.truncate(block.len() / 2);
            }
        }
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

/// To the file that `cargo xtask test` names, because cargo hides what a passing test prints.
fn say_skipped(why: &str) {
    println!("skipped: {why}");
    if let Some(list) = std::env::var_os("PATCHWARD_SKIPPED") {
        let mut list = File::options().append(true).create(true).open(list).expect("the list");
        list.write_all(format!("{why}\n").as_bytes()).expect("a line");
    }
}

fn health(server: &Server, wanted: u16) -> String {
    let began = Instant::now();
    loop {
        let (status, _, body) = server.ask("GET", "/healthz", "", "").expect("an answer");
        if status == wanted {
            return body;
        }
        assert!(began.elapsed() < PATIENCE, "healthz stays at {status}: {body}");
        std::thread::yield_now();
    }
}

#[test]
fn a_full_disk_refuses_writes_and_loses_nothing() {
    let Some(small) = Small::mount() else {
        say_skipped("server process/disk: mounting a small file system needs root");
        return;
    };
    let data = &small.0.path().join("data");
    let server = start(data);
    let cookie = server.sign_in(&server.link.clone().expect("a link"));
    let new = ["admin", "token", "new", "--plain", "--accept", "--uses", "9"];
    let token = good(data, &new);
    let releases = Releases::synthetic(Os::Debian12, 40);
    let mut device = Device::new(1, "first", Os::Debian12, "Etc/UTC", &releases, Moment(0), 150);
    assert_eq!(server.agent(&device.enroll(&token)).expect("an answer").0, 200);

    let ballast = small.fill();
    let now = Moment(1_900_000_000);
    let inventory = device.inventory(&releases, now);
    let mut refused = None;
    // What the log still has room for is taken; then nothing is.
    for _ in 0..200 {
        let (status, body) = server
            .agent(&device.report(&inventory, now, true))
            .expect("an answer, not a crash");
        if status != 200 {
            refused = Some((status, serde_json::from_slice::<Refusal>(&body).expect("a refusal")));
            break;
        }
    }
    let (status, refusal) = refused.expect("a full disk takes no reports for ever");
    assert_eq!((status, refusal.code), (503, RefusalCode::Unavailable), "{refusal:?}");
    assert!(refusal.detail.as_str().contains("Nothing was taken"), "{refusal:?}");

    let (status, _, body) = server
        .ask("POST", "/api/accounts/create", &cookie, "name=late&role=auditor")
        .expect("an answer");
    assert!(status >= 500 && body.contains("read_only"), "{status} {body}");
    let (status, _, page) = server.ask("GET", "/patches", &cookie, "").expect("an answer");
    assert_eq!(status, 200, "what is known can still be read: {page}");
    backup_is_refused(data);

    std::fs::remove_file(ballast).expect("room again");
    let (status, body) = server.agent(&device.report(&inventory, now, true)).expect("an answer");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    health(&server, 200);
    let (status, _, body) = server
        .ask("POST", "/api/accounts/create", &cookie, "name=late&role=auditor")
        .expect("an answer");
    assert!(status < 400, "{status} {body}");
    assert!(good(data, &["audit", "verify"]).contains("records hold"));
}

/// It says what is wrong and leaves no half file.
fn backup_is_refused(data: &Path) {
    let target = data.join("backup.db");
    let output = run(data, &["backup", target.to_str().expect("a path")]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && words.contains("full"), "{words}");
    let left: Vec<String> = std::fs::read_dir(data)
        .expect("the folder")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("backup.db"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
