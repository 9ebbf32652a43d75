//! The server under test: a child process, its CPU time and memory, and requests to it.

use anyhow::{Context as _, Result, bail, ensure};
use fleet::Message;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Clock ticks of `/proc/<pid>/stat` in a second: `USER_HZ`, 100 on every Linux that this runs on.
const TICKS: u64 = 100;

/// A running server.
pub struct Server {
    binary: PathBuf,
    data: PathBuf,
    child: Child,
    /// Its address.
    pub url: String,
    /// The first administrator's link.
    pub link: String,
    /// From the start of the process to the first 200 of `/healthz`.
    pub first_answer: Duration,
    http: ureq::Agent,
}

/// What a page cost.
pub struct Page {
    /// Status.
    pub status: u16,
    /// Bytes on the wire.
    pub bytes: usize,
    /// The body as it came.
    pub body: Vec<u8>,
    /// What the answer tells a browser to load besides what the body names.
    pub link: String,
    /// From the request to the last byte.
    pub took: Duration,
}

impl Server {
    /// Starts `binary` on `data`. Peers are taken from a header, so that one machine can play thousands.
    pub fn start(binary: &Path, data: &Path) -> Result<Self> {
        let started = Instant::now();
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--behind-proxy", "--data"])
            .arg(data)
            .env("PATCHWARD_LOG", "warn")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let out = child.stdout.take().context("the server has no output")?;
        let (mut url, mut link) = (None, None);
        let mut lines = BufReader::new(out).lines();
        while url.is_none() || link.is_none() {
            let line = lines.next().context("the server ended before it listened")??;
            if let Some(address) = line.strip_prefix("listening on ") {
                url = Some(address.to_owned());
            } else if let Some(word) = line.split_whitespace().find(|w| w.contains("/sign-in/link/")) {
                link = Some(word.to_owned());
            }
        }
        let http: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let mut server = Self {
            binary: binary.to_owned(),
            data: data.to_owned(),
            child,
            url: url.unwrap_or_default(),
            link: link.unwrap_or_default(),
            first_answer: Duration::ZERO,
            http,
        };
        while server.get("/healthz", "", false)?.status != 200 {
            ensure!(
                started.elapsed() < Duration::from_secs(20),
                "the server does not become healthy"
            );
        }
        server.first_answer = started.elapsed();
        Ok(server)
    }

    /// User + system CPU time of the process so far. Resolution 10 ms: measure many operations.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after = stat.rsplit_once(')').context("no name in stat")?.1;
        let fields: Vec<u64> = after
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|f| f.parse().unwrap_or(0))
            .collect();
        Ok(Duration::from_millis(fields.iter().sum::<u64>() * 1000 / TICKS))
    }

    /// Resident memory in KiB.
    pub fn resident(&self) -> Result<u64> {
        status_kib(self.child.id(), "VmRSS:")
    }

    /// Runs `patchward <arguments>` against it.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        let out = Command::new(&self.binary)
            .args(arguments)
            .arg("--data")
            .arg(&self.data)
            .output()?;
        ensure!(
            out.status.success(),
            "patchward {arguments:?}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        Ok(String::from_utf8(out.stdout)?.trim().to_owned())
    }

    /// Sends an agent's message as `peer`; anything but 200 is an error.
    pub fn agent(&self, message: &Message, peer: &str) -> Result<Value> {
        let mut reply = self
            .http
            .post(format!("{}{}", self.url, message.path))
            .header("content-type", "application/json")
            .header("x-forwarded-for", peer)
            .header(protocol::sign::KEY_HEADER, &message.key_id)
            .header(protocol::sign::SIGNATURE_HEADER, &message.signature)
            .send(&message.body[..])?;
        let text = reply.body_mut().read_to_string()?;
        if reply.status() != 200 {
            bail!("{} was answered with {}: {text}", message.path, reply.status());
        }
        Ok(serde_json::from_str(&text)?)
    }

    /// Gets a page; `brotli` asks for compressed assets.
    pub fn get(&self, path: &str, cookie: &str, brotli: bool) -> Result<Page> {
        let began = Instant::now();
        let mut reply = self
            .http
            .get(format!("{}{path}", self.url))
            .header("accept", "text/html,*/*")
            .header("accept-encoding", if brotli { "br" } else { "identity" })
            .header("cookie", cookie)
            .call()?;
        let link = reply.headers().get("link").and_then(|l| l.to_str().ok());
        let link = link.unwrap_or_default().to_owned();
        let mut body = Vec::new();
        reply.body_mut().as_reader().read_to_end(&mut body)?;
        Ok(Page {
            status: reply.status().as_u16(),
            bytes: body.len(),
            body,
            link,
            took: began.elapsed(),
        })
    }

    /// Signs the first administrator in by the link; returns the cookie.
    pub fn sign_in(&self) -> Result<String> {
        let token = self.link.rsplit('/').next().unwrap_or_default().to_owned();
        let reply = self
            .http
            .post(format!("{}/api/session/follow_link", self.url))
            .header("origin", &self.url)
            .header("sec-fetch-site", "same-origin")
            .header("accept", "text/html")
            .header("content-type", "application/x-www-form-urlencoded")
            .send(format!("token={token}"))?;
        let cookie = reply
            .headers()
            .get("set-cookie")
            .and_then(|c| c.to_str().ok())
            .context("no session was given")?;
        Ok(cookie.split(';').next().unwrap_or_default().to_owned())
    }

    /// Posts a form as a page of its own would; anything but a redirect is an error.
    pub fn post(&self, path: &str, cookie: &str, form: &str) -> Result<()> {
        let mut reply = self
            .http
            .post(format!("{}{path}", self.url))
            .header("origin", &self.url)
            .header("sec-fetch-site", "same-origin")
            .header("accept", "text/html")
            .header("cookie", cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .send(form)?;
        let status = reply.status();
        let to = reply.headers().get("location").and_then(|to| to.to_str().ok());
        let refused = to.is_none_or(|to| to.contains("error"));
        let to = to.unwrap_or_default().to_owned();
        ensure!(
            status.is_redirection() && !refused,
            "{path} was answered with {status} {to} {}",
            reply.body_mut().read_to_string()?
        );
        Ok(())
    }

    /// Bytes of the database with its log.
    pub fn database_bytes(&self) -> u64 {
        ["patchward.db", "patchward.db-wal"]
            .iter()
            .filter_map(|f| fs::metadata(self.data.join(f)).ok())
            .map(|m| m.len())
            .sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line such as `VmRSS:` of `/proc/<pid>/status`, in KiB.
pub fn status_kib(pid: u32, key: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find(|l| l.starts_with(key))
        .with_context(|| format!("no {key}"))?;
    line.split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .with_context(|| format!("{key} is not a number"))
}
