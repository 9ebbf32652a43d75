//! The real agent and its courier: what the courier is allowed, and that the agent goes on when one dies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

mod stub;

use agent::{
    config::Home,
    courier::Courier,
    identity::Identity,
    transport::{self, Transport},
};
use domain::Moment;
use protocol::v1::*;
use rustix::process::{Pid, Signal};
use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::Duration,
};
use stub::{Answer, Stub, enrolled, ok};

/// Long enough for a busy machine; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(120);

/// To the file that `cargo xtask test` names, because cargo hides what a passing test prints.
fn say_skipped(why: &str) {
    eprintln!("skipped: {why}");
    if let Some(list) = std::env::var_os("PATCHWARD_SKIPPED") {
        let mut list = fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
        list.write_all(format!("{why}\n").as_bytes()).unwrap();
    }
}

/// The program where a user without rights may start it: the folder of a build is often closed to others.
fn program(folder: &Path) -> PathBuf {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.join("patchward-agent");
    fs::copy(env!("CARGO_BIN_EXE_patchward-agent"), &program).unwrap();
    program
}

fn status(pid: u32, key: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_default().trim().replace('\t', " ")
}

fn send_signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

fn call(line: &mut Transport<Courier>) -> Result<ResultsReply, transport::CallError> {
    line.call(RESULTS, &Results { results: vec![] }, Moment(1_700_000_000))
}

fn acknowledged() -> Answer {
    ok(&ResultsReply {
        acknowledged: vec![],
        refused: vec![],
    })
}

/// I-42: nobody's user, no group, no capability and no way to any, no look into its memory, no file but its two pipes.
#[test]
fn a_courier_has_no_rights_and_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    let program = program(folder.path());
    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let stub = Stub::start(move |r| match r.path.as_str() {
        ENROLL => enrolled(r, &key),
        _ => acknowledged(),
    });
    let identity = Identity::open(&home).unwrap();
    let mut courier = Courier::with_program(&program, &stub.url).unwrap();
    let host = agent::inventory::host();
    transport::enroll(&mut courier, &stub.url, &stub.token(), &identity, host, false).unwrap();

    let pid = courier.pid().unwrap();
    assert_eq!(status(pid, "NoNewPrivs"), "1");
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    for name in ["Max file size", "Max core file size"] {
        let line = limits.lines().find(|l| l.starts_with(name)).unwrap();
        assert_eq!(
            line[name.len()..].split_whitespace().take(2).collect::<Vec<_>>(),
            ["0", "0"],
            "{line}"
        );
    }
    if rustix::process::geteuid().is_root() {
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let (uid, gid) = (status(pid, "Uid"), status(pid, "Gid"));
        let user = uid.split(' ').next().unwrap();
        let name = passwd.lines().find(|l| l.split(':').nth(2) == Some(user)).unwrap();
        assert!(
            name.starts_with("nobody:") || name.starts_with("patchward-courier:"),
            "{name}"
        );
        for ids in [&uid, &gid] {
            let ids: Vec<&str> = ids.split(' ').collect();
            assert!(
                ids.len() == 4 && ids.iter().all(|id| *id == ids[0] && *id != "0"),
                "{ids:?}"
            );
        }
        assert_eq!(status(pid, "Groups"), "");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(status(pid, set).trim_start_matches('0'), "", "{set}");
        }
        // Beyond its pipes and its connection only what this test's own process was started with.
        let open = |of: &str| -> Vec<(String, String)> {
            let all = fs::read_dir(format!("/proc/{of}/fd")).unwrap().flatten();
            all.filter_map(|e| {
                let what = fs::read_link(e.path()).ok()?;
                Some((e.file_name().into_string().unwrap(), what.display().to_string()))
            })
            .collect()
        };
        let (own, theirs) = (open("self"), open(&pid.to_string()));
        for (number, what) in &theirs {
            let fits = match number.as_str() {
                "0" | "1" => what.starts_with("pipe:"),
                "2" => what == "/dev/null",
                _ => what.starts_with("socket:") || own.contains(&(number.clone(), what.clone())),
            };
            let ours = what.starts_with(&folder.path().display().to_string());
            assert!(fits && !ours, "{theirs:?}");
        }
        // Nothing of the agent's environment, and the key out of reach.
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
        let environment = String::from_utf8_lossy(&environment).to_lowercase();
        assert!(
            environment.split('\0').all(|v| v.is_empty() || v.contains("_proxy=")),
            "{environment}"
        );
    } else {
        say_skipped("agent courier: user, groups, capabilities and files of the courier need root to be taken away");
    }
    // It carries calls, and a dead one is followed by another that carries the same bytes.
    let server = stub.key.verifying_key().to_bytes();
    let mut line = Transport::open(courier, home, identity, server).unwrap();
    call(&mut line).unwrap();
    send_signal(pid, Signal::KILL);
    while call(&mut line).is_err() {}
    let paths: Vec<String> = stub.taken().into_iter().map(|r| r.path).collect();
    assert!(
        paths.starts_with(&[ENROLL.to_owned(), RESULTS.to_owned(), RESULTS.to_owned()]),
        "{paths:?}"
    );
}

/// I-42: without the agent around it, as root, it does nothing.
#[test]
fn it_does_not_work_as_root_and_carries_nothing_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let run = |input: &[u8]| {
        let mut child = Command::new(program(folder.path()))
            .args(["courier", "http://127.0.0.1:9"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that refuses does not read.
        let _ = child.stdin.take().unwrap().write_all(input);
        let out = child.wait_with_output().unwrap();
        (out.status.success(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    if rustix::process::geteuid().is_root() {
        let (worked, said) = run(b"");
        assert!(!worked && said.contains("does not work as root"), "{said}");
    } else {
        assert!(run(b"").0, "the agent has closed the pipe");
        let (worked, said) = run(&[77, 0, 0, 0, 0]);
        assert!(!worked && said.contains("no such call"), "{said}");
    }
}

/// An agent at work, ended with the test.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Agent {
    fn couriers(&self) -> Vec<u32> {
        let pid = self.0.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let ids = children.split_whitespace().map(|id| id.parse().unwrap());
        ids.filter(|id: &u32| {
            let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains("\0courier\0")
        })
        .collect()
    }
}

/// The service as it runs: its courier is killed, the agent checks in through another, and ends with its courier when it is told to.
#[test]
fn the_agent_outlives_its_couriers() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path());
    let state = folder.path().join("state");
    let home = Home::at(&state);
    home.create().unwrap();
    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let (send, came): (_, Receiver<()>) = mpsc::channel();
    // Until this end is dropped a check-in gets no answer, so its courier is neither idle nor put to rest for a scan.
    let (hold, held): (_, Receiver<()>) = mpsc::channel();
    let stub = Stub::start(move |r| match r.path.as_str() {
        ENROLL => enrolled(r, &key),
        CHECK_IN => {
            let _ = send.send(());
            let _ = held.recv();
            // A device that waits for its acceptance: it only checks in and looks at itself.
            ok(&CheckInReply {
                server_time: Moment(1_800_000_000),
                epoch: 1,
                state: domain::DeviceState::Pending,
                poll_after: 1,
                want_full_report: false,
                scan_now: false,
                policy: None,
                orders: vec![],
                notices: vec![],
            })
        }
        REPORT => {
            let report: Report = stub::message(r);
            ok(&ReportReply { digest: report.digest })
        }
        _ => acknowledged(),
    });
    // The indexes of this machine are not fetched for a test.
    let now = agent::driver::wall_clock().0;
    fs::write(home.path("refreshed.json"), format!("{{\"at\":{now},\"failed\":[]}}")).unwrap();
    let agent = |args: &[&str]| {
        let mut command = Command::new(&program);
        command.args(args).arg("--state-dir").arg(&state).stdout(Stdio::null());
        command
    };
    assert!(agent(&["enroll", &stub.url, &stub.token()]).status().unwrap().success());
    let mut agent = Agent(agent(&["run"]).stderr(Stdio::null()).spawn().unwrap());
    came.recv_timeout(PATIENCE).unwrap();
    let first = agent.couriers();
    assert_eq!(first.len(), 1);
    send_signal(first[0], Signal::KILL);
    drop(hold);
    let other = loop {
        came.recv_timeout(PATIENCE).unwrap();
        match agent.couriers()[..] {
            [pid] if pid != first[0] => break pid,
            // What was on the way when it died.
            _ => {}
        }
    };
    send_signal(agent.0.id(), Signal::TERM);
    assert!(agent.0.wait().unwrap().success());
    assert!(!Path::new(&format!("/proc/{other}")).exists(), "and no courier is left");
}
