//! `cargo xtask bench`: measures the release binary in one run and writes `docs/benchmarks.md`.
//!
//! Figures are CPU time (user + system) of the server's process per operation, because that holds still on a busy machine; latencies are
//! given beside them. The devices are made up, their messages are real: signed, over HTTP, to final state on disk.

mod browser;
mod report;
mod server;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use domain::Moment;
use ed25519_dalek::SigningKey;
use fleet::{Device, Os, Releases, mix};
use report::{Line, write};
use server::{Server, status_kib};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Products in the made-up archive; each device has [`UPDATES`] of them.
const PRODUCTS: usize = 400;
/// Updates missing on each device.
const UPDATES: usize = 30;
/// Installed packages of each device.
const PACKAGES: usize = 200;
/// Operations per CPU figure: the process's CPU clock has a resolution of 10 ms.
const SAMPLE: usize = 1_000;
/// A little longer than the server waits between two batches of contacts: what a check-in leaves to be written is part of what it costs.
const BATCH: Duration = Duration::from_secs(6);

/// Measures.
#[derive(Parser)]
struct Arguments {
    /// Folder with the release binaries `patchward` and `patchward-agent`
    #[arg(long, default_value = "target/release")]
    bin: PathBuf,
    /// Devices
    #[arg(long, default_value_t = 10_000)]
    devices: usize,
    /// The script that visits pages with a browser; without it, that is not measured
    #[arg(long)]
    browser: Option<PathBuf>,
    /// Where the report goes
    #[arg(long, default_value = "docs/benchmarks.md")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let server = Server::start(&arguments.bin.join("patchward"), folder.path())?;
    let mut lines = vec![Line::at_most(
        "Start to first answer",
        server.first_answer,
        Duration::from_millis(300),
    )];
    // Idle: after the start's own work is over.
    std::thread::park_timeout(Duration::from_secs(2));
    lines.push(Line::kib("Memory when idle", server.resident()?, 60 * 1024));

    let releases = Releases::synthetic(Os::Debian12, PRODUCTS);
    let token = server.command(&[
        "admin", "token", "new", "--label", "load", "--group", "Pilot", "--accept", "--uses", "10000", "--plain",
    ])?;
    let mut fleet = Vec::with_capacity(arguments.devices);
    let mut reports = Vec::new();
    let (mut first_before, mut firsts) = (server.cpu()?, Vec::new());
    for n in 0..arguments.devices {
        let mut device = make(n as u64, &releases);
        server
            .agent(&device.enroll(&token), &peer(n))
            .with_context(|| format!("device {n}"))?;
        fleet.push(device.clone());
        // The figures at 100, 1,000 and all devices: flat or not.
        let last = n + 1 == arguments.devices;
        let inventory = device.inventory(&releases, now());
        ensure!(
            inventory.packages.len() == PACKAGES && inventory.updates.len() == UPDATES,
            "the made-up device is not as said"
        );
        server.agent(&device.report(&inventory, now(), true), &peer(n))?;
        device.reported(inventory);
        if let Some(slot) = fleet.last_mut() {
            *slot = device;
        }
        if [100, 1_000].contains(&(n + 1)) || last {
            let enrolled = n + 1 - firsts.iter().map(|(devices, _)| devices).sum::<usize>();
            firsts.push((enrolled, (server.cpu()? - first_before) / u32::try_from(enrolled)?));
            reports.push((n + 1, full_reports(&server, &releases, &mut fleet)?));
            eprintln!("{} devices", n + 1);
            first_before = server.cpu()?;
        }
    }
    for (devices, cost) in &reports {
        lines.push(Line::at_most(
            &format!("Full report of {PACKAGES} packages with {UPDATES} updates, {devices} devices known"),
            *cost,
            Duration::from_millis(3),
        ));
    }
    if let [(few, first), .., (many, last)] = reports[..] {
        // Flat: what remains are deeper trees and colder caches, which grow with the logarithm of the fleet.
        let what = format!("The same report with {many} devices known, as a multiple of that with {few}");
        lines.push(Line::ratio(&what, last, first, 150));
    }
    if let Some((_, cost)) = firsts.last() {
        lines.push(Line::at_most(
            &format!("A new device: enrolment and first report of {UPDATES} missing patches"),
            *cost,
            Duration::MAX,
        ));
    }
    lines.push(Line::at_most(
        "Unchanged check-in, signature verified",
        check_ins(&server, &mut fleet)?,
        Duration::from_micros(400),
    ));
    let cookie = server.sign_in()?;
    let approved = approve(&server, &cookie)?;
    lines.push(Line::at_most(
        &format!("Unchanged check-in with {approved} approved patches to decide about"),
        check_ins(&server, &mut fleet)?,
        Duration::MAX,
    ));
    pages(&server, &cookie, &releases, &mut fleet, &mut lines)?;
    let per_device = server.database_bytes() / arguments.devices as u64;
    lines.push(Line::bytes(
        &format!("Database per device with {UPDATES} missing"),
        per_device,
        20_000,
    ));
    lines.push(Line::kib(
        &format!("Memory with {} devices", arguments.devices),
        server.resident()?,
        u64::MAX,
    ));
    first_visit(&server, &cookie, &mut lines)?;
    match &arguments.browser {
        Some(script) => browser::measure(script, &server, &cookie, &mut lines)?,
        None => eprintln!("no script for the browser: first visits in a browser are not measured"),
    }
    scan(&arguments.bin.join("patchward-agent"), &mut lines)?;
    lines.push(Line::at_most(
        "Yardstick: one signature checked",
        yardstick(),
        Duration::MAX,
    ));
    write(&arguments.out, &lines, arguments.devices)
}

/// A device with [`UPDATES`] of the products and so many other packages that it has [`PACKAGES`].
fn make(n: u64, releases: &Releases) -> Device {
    let mut device = Device::new(
        mix(77, n),
        &format!("load-{n:05}"),
        Os::Debian12,
        "Etc/UTC",
        releases,
        Moment(0),
        PACKAGES - UPDATES,
    );
    let first = usize::try_from(mix(5, n) % PRODUCTS as u64).unwrap_or(0);
    let mut at = 0;
    device.installed.retain(|_, _| {
        at += 1;
        (at - 1 + PRODUCTS - first) % PRODUCTS < UPDATES
    });
    device
}

/// Unique addresses, as thousands of devices would have.
fn peer(n: usize) -> String {
    format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255)
}

fn now() -> Moment {
    Moment(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(0)),
    )
}

/// CPU per full report, over many reports in which one product was installed and one came back since the last: real changes, not repeats.
fn full_reports(server: &Server, releases: &Releases, fleet: &mut [Device]) -> Result<Duration> {
    let count = SAMPLE.min(fleet.len() * 10);
    let start = fleet.len().saturating_sub(SAMPLE);
    let before = server.cpu()?;
    for i in 0..count {
        let span = fleet.len() - start;
        let n = start + i % span;
        let device = &mut fleet[n];
        toggle(device);
        let inventory = device.inventory(releases, now());
        server.agent(&device.report(&inventory, now(), true), &peer(n))?;
        device.reported(inventory);
    }
    Ok((server.cpu()? - before) / u32::try_from(count)?)
}

/// Installs the offered version of the device's first product, or takes it back.
fn toggle(device: &mut Device) {
    if let Some(version) = device.installed.values_mut().next() {
        *version = if version == "1.0-1" {
            "1.0-2".to_owned()
        } else {
            "1.0-1".to_owned()
        };
    }
}

/// CPU per check-in of devices that say what they said the last time, as nearly all do.
fn check_ins(server: &Server, fleet: &mut [Device]) -> Result<Duration> {
    let count = SAMPLE * 5;
    let size = fleet.len();
    let mut all = || -> Result<Duration> {
        let before = server.cpu()?;
        for i in 0..count {
            let n = i % size;
            let message = fleet[n].check_in(now());
            server.agent(&message, &peer(n))?;
        }
        std::thread::park_timeout(BATCH);
        Ok(server.cpu()? - before)
    };
    // A device's first check-in tells news: its agent, its policy, its line.
    all()?;
    Ok(all()? / u32::try_from(count)?)
}

/// Approves one patch in ten; returns how many of them each device needs.
fn approve(server: &Server, cookie: &str) -> Result<usize> {
    const EVERY: usize = 10;
    for patch in (1..=PRODUCTS).step_by(EVERY) {
        server.post(
            "/api/patches/decide",
            cookie,
            &format!("verb=approve&ring=1&selection={patch}.1&reason=load"),
        )?;
    }
    Ok(UPDATES / EVERY)
}

fn pages(
    server: &Server,
    cookie: &str,
    releases: &Releases,
    fleet: &mut [Device],
    lines: &mut Vec<Line>,
) -> Result<()> {
    let view = |path: &str| -> Result<Duration> {
        let page = server.get(path, cookie, false)?;
        ensure!(page.status == 200, "{path} was answered with {}", page.status);
        Ok(page.took)
    };
    for (name, path, most) in [
        ("Status view (50 rows)", "/patches", Some(5)),
        ("Device list (50 rows)", "/devices", None),
        ("Page of a device with its gate ladders", "/devices/1", None),
        ("Page of a patch", "/patches/1", None),
    ] {
        view(path)?;
        let before = server.cpu()?;
        let count = 300;
        for _ in 0..count {
            view(path)?;
        }
        let cost = (server.cpu()? - before) / count;
        lines.push(Line::at_most(
            name,
            cost,
            most.map_or(Duration::MAX, Duration::from_millis),
        ));
    }
    let stop = AtomicBool::new(false);
    let (mut times, sent) = std::thread::scope(|scope| -> Result<(Vec<Duration>, usize)> {
        let writer = scope.spawn(|| -> Result<usize> {
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                let n = sent % fleet.len();
                toggle(&mut fleet[n]);
                let inventory = fleet[n].inventory(releases, now());
                let message = fleet[n].report(&inventory, now(), false);
                server.agent(&message, &peer(n))?;
                fleet[n].reported(inventory);
                sent += 1;
            }
            Ok(sent)
        });
        let times: Result<Vec<Duration>> = (0..1_000).map(|_| view("/patches")).collect();
        stop.store(true, Ordering::Relaxed);
        let sent = writer.join().map_err(|_| anyhow::anyhow!("the writer failed"))??;
        Ok((times?, sent))
    })?;
    times.sort();
    lines.push(Line::at_most(
        &format!("Status view while reports come in ({sent} in 1,000 views), p50"),
        times[times.len() / 2],
        Duration::MAX,
    ));
    lines.push(Line::at_most(
        "Status view while reports come in, p99",
        times[times.len() * 99 / 100],
        Duration::from_millis(25),
    ));
    Ok(())
}

/// A piece of pure computing that never changes, the middle of many: figures of two machines compare by it.
fn yardstick() -> Duration {
    const TIMES: usize = 2_001;
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = key.verifying_key().to_bytes();
    let signature = protocol::sign::sign_request(&key, "/", b"{}");
    let mut times: Vec<Duration> = (0..TIMES)
        .map(|_| {
            let began = Instant::now();
            let checked = protocol::sign::verify_request(&public, "/", b"{}", &signature);
            std::hint::black_box(checked).map_or(Duration::MAX, |()| began.elapsed())
        })
        .collect();
    times.sort_unstable();
    times[TIMES / 2]
}

/// WASM + JavaScript + CSS of a first visit, as they travel.
fn first_visit(server: &Server, cookie: &str, lines: &mut Vec<Line>) -> Result<()> {
    let page = server.get("/patches", cookie, false)?;
    let html = String::from_utf8_lossy(&page.body).into_owned() + &page.link;
    let mut paths: Vec<&str> = html
        .split(['"', '\'', '<', '>'])
        .filter(|p| p.starts_with("/pkg/"))
        .collect();
    paths.sort_unstable();
    paths.dedup();
    let mut total = 0;
    for path in paths {
        let asset = server.get(path, cookie, true)?;
        if asset.status == 200 && [".wasm", ".js", ".css"].iter().any(|e| path.ends_with(e)) {
            total += asset.bytes as u64;
        }
    }
    ensure!(total > 0, "the page names no assets: is this a release build?");
    lines.push(Line::bytes("First visit: WASM + JS + CSS, brotli", total, 300_000));
    Ok(())
}

/// A scan of this very machine by the release agent.
fn scan(agent: &Path, lines: &mut Vec<Line>) -> Result<()> {
    let packages = Command::new("dpkg-query")
        .args(["-W", "-f", "x"])
        .output()
        .map_or(0, |o| o.stdout.len());
    if packages == 0 {
        eprintln!("no dpkg here: the agent's scan is not measured");
        return Ok(());
    }
    let began = Instant::now();
    let mut child = Command::new(agent)
        .args(["scan", "--json"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut most = 0;
    while child.try_wait()?.is_none() {
        most = status_kib(child.id(), "VmHWM:").unwrap_or(most).max(most);
        std::thread::park_timeout(Duration::from_millis(5));
    }
    lines.push(Line::at_most(
        &format!("Agent's scan of this machine ({packages} packages)"),
        began.elapsed(),
        Duration::from_millis(1_500),
    ));
    lines.push(Line::kib("Agent's memory in that scan", most, 40 * 1024));
    Ok(())
}
