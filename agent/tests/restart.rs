//! An attempt that asks for a restart, on a device that counts its restarts: driver and journal through several lives.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod stub;

use agent::{
    config::{Home, LocalPolicy},
    device::Device,
    driver::{Driver, JOURNAL_FILE, wall_clock},
    identity::Identity,
    installer::Progress,
    inventory::os::boot_id,
    journal::{Job, Journal},
    machine::{End, Fetched, Seen},
    restart::Step,
    transport::{Http, Transport},
};
use domain::{Arch, AttemptId, Moment, PackageName, RebootPolicy, Span, VersionText};
use protocol::v1::*;
use std::{
    io,
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    time::{Duration, Instant},
};
use stub::{Fleet, Stub, patch};

/// Says when it is told to restart, and does not.
struct Still {
    told: Sender<()>,
    manner: Manner,
}

/// What stands in its way.
#[derive(Clone, Default)]
struct Manner {
    refuses: bool,
    busy: bool,
    /// Hears of each look at the attempt; where it is there, they fail.
    looks: Option<Sender<Instant>>,
}

impl Device for Still {
    fn scan(&mut self, _: Moment, _: Span, _: bool) -> Result<Inventory, String> {
        Err("not looked at here".to_owned())
    }
    fn look(&mut self, packages: &[PackageVersion]) -> Vec<PackageVersion> {
        packages.to_vec()
    }
    fn prepare(&mut self, _: &Order, _: Option<u32>) -> Result<Fetched, NotStarted> {
        Ok(Fetched::default())
    }
    fn check(&mut self, _: &Order) -> Result<Vec<String>, NotStarted> {
        Ok(vec![])
    }
    fn start(&mut self, _: &str, _: &Job, _: Moment) -> io::Result<()> {
        Ok(())
    }
    fn advance(&mut self, _: &str, job: &Job) -> io::Result<Progress> {
        if let Some(looks) = &self.manner.looks {
            looks.send(Instant::now()).unwrap();
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(Progress::Ended(Box::new(Seen {
            wanted: job.order.packages.clone(),
            observed: job.order.packages.clone(),
            exit: Some(0),
            restart_owed: true,
            ..Seen::default()
        })))
    }
    fn busy(&mut self) -> bool {
        self.manner.busy
    }
    fn reboot(&mut self) -> Result<(), String> {
        self.told.send(()).unwrap();
        if self.manner.refuses {
            Err("somebody is signed in".to_owned())
        } else {
            Ok(())
        }
    }
}

struct Place {
    _folder: tempfile::TempDir,
    home: Home,
    stub: Stub,
    fleet: Arc<Mutex<Fleet>>,
}

impl Place {
    /// A device on which an attempt was started and has no end, with this word on restarts in its permit.
    fn interrupted(reboot: RebootPolicy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let fleet = Arc::new(Mutex::new(Fleet::default()));
        let answering = fleet.clone();
        let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
        let stub = Stub::start(move |r| answering.lock().unwrap().answer(r, &key));
        let packages = vec![PackageVersion {
            name: PackageName::parse("libc6").unwrap(),
            arch: Arch::parse("amd64").unwrap(),
            version: Some(VersionText::parse("2.36-9").unwrap()),
        }];
        let job = Job {
            order: Order {
                patch: patch(1),
                kind: ActionKind::Install,
                packages: packages.clone(),
            },
            permit: Permit {
                attempt: AttemptId(7),
                fence: 1,
                start_within: 60,
                server_time: Moment(0),
                packages,
                reboot,
            },
            from: vec![],
            automatic: vec![],
        };
        let record = AttemptRecord {
            id: "5".repeat(32),
            attempt: AttemptId(7),
            fence: 1,
            at: Moment(1_000),
            event: AttemptEvent::Started { from: vec![] },
        };
        let mut journal = Journal::open(&home.path(JOURNAL_FILE)).unwrap();
        journal.record(record, Some(job)).unwrap();
        Self {
            _folder: folder,
            home,
            stub,
            fleet,
        }
    }

    /// A life of the agent, until it is asked to stop or has nothing to do; `told` hears of every restart.
    fn live(&self, refuses: bool, once: bool) -> (std::thread::JoinHandle<End>, Sender<()>, Receiver<()>) {
        let manner = Manner {
            refuses,
            ..Manner::default()
        };
        self.live_so(manner, once)
    }

    fn live_so(&self, manner: Manner, once: bool) -> (std::thread::JoinHandle<End>, Sender<()>, Receiver<()>) {
        let (told, hears) = mpsc::channel();
        let (stop, stopped) = mpsc::channel();
        let identity = Identity::open(&self.home).unwrap();
        let server = self.stub.key.verifying_key().to_bytes();
        let network = Http::new(&self.stub.url).unwrap();
        let transport = Transport::open(network, self.home.clone(), identity, server).unwrap();
        let device = Still { told, manner };
        let mut driver = Driver::open(self.home.clone(), transport, device, LocalPolicy::OPEN).unwrap();
        let life = std::thread::spawn(move || driver.run(once, &stopped).unwrap());
        (life, stop, hears)
    }

    fn step(&self) -> Option<Step> {
        let journal = Journal::peek(&self.home.path(JOURNAL_FILE)).unwrap();
        journal.restart().map(|r| r.step.clone())
    }
}

/// Found open, ended by looking, told, and only then restarted; asked to stop, the agent ends at once, and no later life orders again.
#[test]
fn a_recovered_install_orders_its_restart_once_and_obeys_when_the_device_goes_down() {
    let place = Place::interrupted(RebootPolicy::IfNeeded);
    let (life, stop, hears) = place.live(false, false);
    hears.recv().unwrap();
    assert_eq!(place.step(), Some(Step::Ordered), "written down before it was ordered");
    assert!(place.fleet.lock().unwrap().last().is_some(), "the server knows the end");
    stop.send(()).unwrap();
    assert_eq!(life.join().unwrap(), End::Stopped);
    assert!(hears.recv().is_err(), "once only");

    let (life, stop, hears) = place.live(false, false);
    stop.send(()).unwrap();
    assert_eq!(life.join().unwrap(), End::Stopped);
    assert!(hears.recv().is_err(), "a later life in the same boot waits for it");
}

#[test]
fn a_restart_that_the_system_refuses_is_said_and_not_ordered_again() {
    let place = Place::interrupted(RebootPolicy::IfNeeded);
    let (life, _stop, hears) = place.live(true, true);
    assert_eq!(life.join().unwrap(), End::Done);
    assert_eq!(hears.iter().count(), 1);
    let Some(Step::Missed { why }) = place.step() else {
        panic!("{:?}", place.step())
    };
    assert_eq!(why.as_str(), "somebody is signed in");
    let (life, _stop, hears) = place.live(false, true);
    assert_eq!(life.join().unwrap(), End::Done);
    assert_eq!(hears.iter().count(), 0);
}

#[test]
fn a_permit_that_forbids_it_restarts_nothing() {
    let place = Place::interrupted(RebootPolicy::Never);
    let (life, _stop, hears) = place.live(false, true);
    assert_eq!(life.join().unwrap(), End::Done);
    assert_eq!((hears.iter().count(), place.step()), (0, None));
}

/// Somebody's package manager would be killed in the middle: the restart waits, and the next life knows of it.
#[test]
fn no_restart_is_ordered_while_a_package_manager_runs() {
    let place = Place::interrupted(RebootPolicy::IfNeeded);
    let (life, _stop, hears) = place.live_so(
        Manner {
            busy: true,
            ..Manner::default()
        },
        true,
    );
    assert_eq!(life.join().unwrap(), End::Done);
    assert_eq!((hears.iter().count(), place.step()), (0, Some(Step::Owed)));
    let (life, stop, hears) = place.live(false, false);
    hears.recv().unwrap();
    assert_eq!(place.step(), Some(Step::Ordered));
    stop.send(()).unwrap();
    assert_eq!(life.join().unwrap(), End::Stopped);
}

/// The agent was stopped before it could order it, and comes back hours later: the time that allowed it is over.
#[test]
fn a_restart_that_was_owed_long_ago_is_told_and_not_ordered() {
    let place = Place::interrupted(RebootPolicy::IfNeeded);
    let end = AttemptRecord {
        id: "6".repeat(32),
        attempt: AttemptId(7),
        fence: 1,
        at: wall_clock() - Span::hours(2),
        event: AttemptEvent::Finished {
            outcome: Outcome::Succeeded,
            observed: vec![],
            log: Default::default(),
            took: 3,
        },
    };
    let mut journal = Journal::open(&place.home.path(JOURNAL_FILE)).unwrap();
    journal.finish(end, Some(boot_id())).unwrap();
    drop(journal);
    let (life, _stop, hears) = place.live(false, true);
    assert_eq!(life.join().unwrap(), End::Done);
    assert_eq!(hears.iter().count(), 0);
    let Some(Step::Missed { why }) = place.step() else {
        panic!("{:?}", place.step())
    };
    assert!(why.as_str().contains("owed for an hour"), "{why}");
}

/// A full disk stands in the way of looking at the attempt: the agent waits between its looks.
#[test]
fn what_stands_in_the_way_of_looking_is_given_time() {
    let place = Place::interrupted(RebootPolicy::Never);
    let (looks, hears) = mpsc::channel();
    let manner = Manner {
        looks: Some(looks),
        ..Manner::default()
    };
    let (life, stop, _told) = place.live_so(manner, false);
    let look = || hears.recv_timeout(Duration::from_mins(1)).unwrap();
    let (first, second) = (look(), look());
    stop.send(()).unwrap();
    assert_eq!(life.join().unwrap(), End::Stopped);
    // At least that, however slow the machine is.
    assert!(second.duration_since(first) >= Duration::from_secs(4));
}
