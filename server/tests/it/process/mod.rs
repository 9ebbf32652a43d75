//! The real binary: start, stop, kill, a second one, its command line.

mod disk;
mod kill;

use fleet::Message;
use protocol::sign::{KEY_HEADER, SIGNATURE_HEADER};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_patchward");
const PATIENCE: Duration = Duration::from_secs(30);

struct Server {
    child: Child,
    address: String,
    link: Option<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .args(arguments)
        .arg("--data")
        .arg(data)
        .env_remove("PATCHWARD_DATA")
        .stdin(Stdio::null());
    command
}

fn run(data: &Path, arguments: &[&str]) -> Output {
    command(data, arguments).output().expect("the binary runs")
}

fn good(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn refused(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    assert!(!output.status.success(), "{arguments:?} should have been refused");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn start(data: &Path) -> Server {
    let mut child = command(data, &["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(std::env::var_os("PATCHWARD_TEST_LOG").map_or_else(Stdio::null, |_| Stdio::inherit()))
        .spawn()
        .expect("the binary runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe"))
        .lines()
        .map_while(Result::ok);
    let first = lines.next().expect("a line");
    let address = first
        .strip_prefix("listening on http://")
        .expect("the address")
        .to_owned();
    let mut server = Server {
        child,
        address,
        link: None,
    };
    // The link follows at once, or not at all: then the next line never comes, so it is not waited for.
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || lines.for_each(|line| drop(tell.send(line))));
    if let Ok(line) = told.recv_timeout(Duration::from_millis(500)) {
        server.link = line
            .split_whitespace()
            .find(|word| word.contains("/sign-in/link/"))
            .map(ToOwned::to_owned);
    }
    server
}

impl Server {
    /// One request as a page of our own would send it; status, head, body.
    fn ask(&self, method: &str, path: &str, cookie: &str, body: &str) -> std::io::Result<(u16, String, String)> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nsec-fetch-site: same-origin\r\ncookie: {cookie}\r\n\
             accept: application/json\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or(std::io::ErrorKind::InvalidData)?;
        Ok((status, head.to_owned(), body.to_owned()))
    }

    /// One message of a device; status and body.
    fn agent(&self, message: &Message) -> std::io::Result<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "POST {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{KEY_HEADER}: {}\r\n{SIGNATURE_HEADER}: {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            message.path,
            self.address,
            message.key_id,
            message.signature,
            message.body.len()
        )?;
        stream.write_all(&message.body)?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        // A body that was cut off was not acknowledged.
        let length: Option<usize> = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        match (status, length) {
            (Some(status), Some(length)) if bytes.len() - end - 4 == length => Ok((status, bytes.split_off(end + 4))),
            _ => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn sign_in(&self, link: &str) -> String {
        let token = link.rsplit('/').next().expect("a token");
        let (_, head, _) = self
            .ask("POST", "/api/session/follow_link", "", &format!("token={token}"))
            .expect("an answer");
        let cookie = head
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "))
            .expect("a cookie");
        cookie.split(';').next().expect("a pair").to_owned()
    }

    fn terminate(&mut self) -> Duration {
        let began = Instant::now();
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a signal");
        while self.child.try_wait().expect("a status").is_none() {
            assert!(began.elapsed() < PATIENCE, "the server does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
        began.elapsed()
    }
}

#[test]
fn the_first_start_prints_a_link_that_works_once_and_the_second_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = start(folder.path());
    let link = server.link.clone().expect("a link on an empty database");
    let cookie = server.sign_in(&link);
    let (status, _, me) = server
        .ask("POST", "/api/accounts/list", &cookie, "")
        .expect("an answer");
    assert!(status == 200 || me.contains("transport"), "{status} {me}");
    assert!(server.terminate() < Duration::from_secs(5));
    let server = start(folder.path());
    assert_eq!(server.link, None, "somebody signed in already");
}

#[test]
fn a_second_server_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(folder.path());
    let words = refused(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(
        words.contains("another server is running on") && words.contains("Stop it first"),
        "{words}"
    );
    assert_eq!(server.ask("GET", "/healthz", "", "").expect("an answer").0, 200);
    assert!(
        good(folder.path(), &["admin", "account", "list"]).contains("admin"),
        "its socket still works"
    );
}

#[test]
fn plain_http_beyond_this_host_needs_a_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = refused(folder.path(), &["serve", "--listen", "0.0.0.0:0"]);
    assert!(words.contains("--insecure-http"), "{words}");
    let words = refused(folder.path(), &["serve", "--listen", "0.0.0.0:0", "--insecure-http"]);
    assert!(words.contains("--public-url"), "{words}");
    let words = refused(folder.path(), &["serve", "--public-url", "patch.example"]);
    assert!(words.contains("https://patch.example"), "{words}");
    assert!(!folder.path().join("patchward.db").exists(), "nothing was made");
}

#[test]
fn the_command_line_works_with_and_without_a_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    assert!(refused(data, &["admin", "account", "list"]).contains("there is no database"));
    let mut server = start(data);
    for running in [true, false] {
        if !running {
            server.terminate();
        }
        let name = if running { "anna" } else { "bert" };
        assert!(good(data, &["admin", "account", "add", name, "security-officer"]).contains("/sign-in/link/"));
        let words = refused(data, &["admin", "account", "add", name, "auditor"]);
        assert!(words.contains("in use already"), "{words}");
        assert!(good(data, &["admin", "account", "list"]).contains(name));
        good(data, &["admin", "account", "role", name, "auditor"]);
        good(data, &["admin", "account", "disable", name]);
        assert!(good(data, &["admin", "account", "list", "--json"]).contains("\"disabled\": 1"));
        good(data, &["admin", "account", "enable", name]);
        assert!(good(data, &["admin", "account", "sign-in-link", name, "--plain"]).starts_with("http://"));
        let words = refused(data, &["admin", "account", "disable", "admin"]);
        assert!(words.contains("last administrator"), "{words}");
        let words = refused(data, &["admin", "account", "role", "nobody", "auditor"]);
        assert!(words.contains("none of this name"), "{words}");

        let token = good(
            data,
            &["admin", "token", "new", "--plain", "--label", "x", "--group", "Pilot"],
        );
        assert!(token.starts_with("pwe_") && token.lines().count() == 1, "{token}");
        let words = refused(data, &["admin", "token", "new", "--group", "nowhere"]);
        assert!(words.contains("group"), "{words}");
        assert!(good(data, &["admin", "token", "list"]).contains("Pilot"));
        let words = refused(data, &["admin", "token", "new", "--hours", "25"]);
        assert!(words.contains("from 1 to 24"), "{words}");
        good(data, &["admin", "token", "revoke", if running { "1" } else { "2" }]);

        good(data, &["admin", "device", "list"]);
        assert!(refused(data, &["admin", "device", "accept", "no-such-host"]).contains("no such thing"));
        assert!(good(data, &["audit", "verify"]).contains("records hold"));
        assert!(good(data, &["metrics"]).contains("patchward_devices"));

        let backup = data.join(if running { "a.db" } else { "b.db" });
        let written = good(data, &["backup", backup.to_str().expect("a path")]);
        assert!(
            written.contains("audit records that all hold") && backup.exists(),
            "{written}"
        );
    }
    let mut password = command(data, &["admin", "account", "password", "anna"]);
    let mut child = password
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(b"seven grey herons stand in the reeds\n")
        .expect("written");
    assert!(child.wait().expect("an end").success());
    assert!(good(data, &["openapi"]).starts_with('{'));
}

#[test]
fn a_backup_is_put_back_on_a_stopped_server_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let mut server = start(data);
    let backup = data.join("backup.db");
    let backup = backup.to_str().expect("a path");
    good(data, &["backup", backup]);
    good(data, &["admin", "account", "add", "later", "auditor"]);
    let words = refused(data, &["restore", backup]);
    assert!(words.contains("another server is running"), "{words}");
    server.terminate();
    good(data, &["restore", backup]);
    assert!(
        !good(data, &["admin", "account", "list"]).contains("later"),
        "made after the backup"
    );
    good(data, &["audit", "verify"]);
}

#[test]
fn the_files_are_for_this_user_only() {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    let folder = tempfile::tempdir().expect("a folder");
    // Deep enough that a socket's plain path would not fit into the kernel's 107 bytes.
    let data = folder.path().join("a".repeat(60)).join("b".repeat(60));
    let _server = start(&data);
    for name in ["patchward.db", "server.key", "admin.sock"] {
        let about = std::fs::symlink_metadata(data.join(name)).expect(name);
        assert_eq!(about.mode() & 0o077, 0, "{name}: {:o}", about.mode());
        assert_eq!(about.file_type().is_socket(), name == "admin.sock");
    }
    good(&data, &["admin", "account", "list"]);
}

#[test]
fn a_stop_waits_for_nobody_who_only_listens() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = start(folder.path());
    let cookie = server.sign_in(&server.link.clone().expect("a link"));
    let mut stream = TcpStream::connect(&server.address).expect("a connection");
    write!(
        stream,
        "GET /events HTTP/1.1\r\nhost: {}\r\ncookie: {cookie}\r\n\r\n",
        server.address
    )
    .expect("written");
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).expect("an answer");
    assert_eq!(&begin, b"HTTP/1.1 200");
    // And one that never finishes its request, and one that says nothing, as browsers keep ready.
    let mut slow = TcpStream::connect(&server.address).expect("a connection");
    slow.write_all(b"GET /pat").expect("written");
    let _silent = TcpStream::connect(&server.address).expect("a connection");
    std::thread::sleep(Duration::from_millis(200));
    assert!(server.terminate() < Duration::from_secs(4));
    let mut rest = Vec::new();
    assert!(
        stream.read_to_end(&mut rest).is_ok(),
        "the stream was ended, not broken"
    );
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let mut acknowledged = Vec::new();
    for round in 0..3_u64 {
        let mut server = start(data);
        let link = good(data, &["admin", "account", "sign-in-link", "admin", "--plain"]);
        let cookie = server.sign_in(&link);
        let pid = rustix::process::Pid::from_child(&server.child);
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(150 + 170 * round));
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("a signal");
        });
        for number in 0.. {
            let name = format!("person-{round}-{number}");
            match server.ask(
                "POST",
                "/api/accounts/create",
                &cookie,
                &format!("name={name}&role=auditor"),
            ) {
                Ok((status, _, body)) => {
                    assert!(status < 400, "{status} {body}");
                    acknowledged.push(name);
                }
                Err(_) => break,
            }
        }
        killer.join().expect("killed");
        let _ = server.child.wait();
    }
    assert!(acknowledged.len() > 3, "{acknowledged:?}");
    let list = good(data, &["admin", "account", "list"]);
    for name in &acknowledged {
        assert!(
            list.contains(&format!("{name} ")),
            "{name} was acknowledged and is gone"
        );
    }
    assert!(good(data, &["audit", "verify"]).contains("records hold"));
}
