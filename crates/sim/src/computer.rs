//! What an agent looks at and changes: installed versions, the last fetched index, a package manager that takes its time, fails, and can
//! be cut off in the middle.

use crate::{
    archive::{Archive, PRODUCTS, RELEASES, version_text},
    chance::Chance,
};
use agent::{config::LocalPolicy, journal::Job, machine::Seen};
use domain::{Arch, AttemptId, Moment, PackageName, Span, VersionText};
use protocol::{
    ShortText,
    v1::{
        ActionKind, Brake, HostFacts, InstalledPackage, Inventory, NotStarted, Order, Origin, PackageVersion,
        RebootReason, SourceStatus, Update,
    },
};
use std::collections::{BTreeMap, BTreeSet};

const ARCH: &str = "amd64";

/// A package manager at work.
#[derive(Clone, Debug)]
pub struct Run {
    /// Tells runs of one computer apart.
    pub id: u64,
    /// For which attempt.
    pub attempt: AttemptId,
    job: Job,
    fresh: bool,
    began: Moment,
}

/// One computer.
#[derive(Clone, Debug)]
pub struct Computer {
    /// Its name.
    pub name: String,
    /// Its OS release, by place in [`RELEASES`].
    pub os: usize,
    /// Version of each installed binary package.
    pub installed: BTreeMap<&'static str, u32>,
    /// The owner's word.
    pub local: LocalPolicy,
    /// The package manager at work.
    pub run: Option<Run>,
    /// Products that wait for a restart.
    pub owes_restart: BTreeSet<usize>,
    /// The package manager is in disorder.
    pub broken: bool,
    /// A product that the owner has put on hold.
    pub held: Option<usize>,
    /// It runs on battery.
    pub on_battery: bool,
    /// Grows with every boot.
    pub boot: u64,
    index: [u32; PRODUCTS.len()],
    unread: [bool; 2],
    copies: BTreeSet<(&'static str, u32)>,
    seen: BTreeMap<AttemptId, Seen>,
    begun: BTreeSet<AttemptId>,
    runs: u64,
    chance: Chance,
}

/// Every binary package with its product.
fn binaries() -> impl Iterator<Item = (usize, &'static str)> {
    PRODUCTS
        .iter()
        .enumerate()
        .flat_map(|(at, p)| p.binaries.iter().map(move |b| (at, *b)))
}

/// The product and the kept name of a binary package.
#[must_use]
pub fn product_of(name: &str) -> Option<(usize, &'static str)> {
    binaries().find(|(_, b)| *b == name)
}

/// The number in a version's text.
#[must_use]
pub fn number_of(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.split('-').next()?.parse().ok()
}

fn name(text: &str) -> PackageName {
    PackageName::parse(text).unwrap_or_else(|e| unreachable!("{text} is a package name: {e}"))
}

fn version(os: usize, number: u32) -> VersionText {
    let text = version_text(os, number);
    VersionText::parse(&text).unwrap_or_else(|e| unreachable!("{text} is a version: {e}"))
}

fn arch() -> Arch {
    Arch::parse(ARCH).unwrap_or_else(|e| unreachable!("{ARCH} is an architecture: {e}"))
}

/// What a new computer has: most products, some a version behind.
fn set_up(chance: &mut Chance, archive: &Archive, os: usize) -> BTreeMap<&'static str, u32> {
    let mut installed = BTreeMap::new();
    for (at, product) in PRODUCTS.iter().enumerate() {
        if chance.permille(850) {
            let newest = archive.newest(os, at);
            let behind = u32::from(chance.permille(400));
            installed.extend(product.binaries.iter().map(|b| (*b, newest - behind)));
        }
    }
    installed
}

impl Computer {
    /// A computer as it was set up.
    #[must_use]
    pub fn new(seed: u64, which: u64, archive: &Archive) -> Self {
        let mut chance = Chance::new(seed, "computer", which);
        let os = usize::from(chance.permille(350));
        let installed = set_up(&mut chance, archive, os);
        Self {
            name: format!("d{which}"),
            os,
            installed,
            local: LocalPolicy {
                scan_only: chance.permille(30),
                allow_reboot: true,
                allow_rollback: chance.permille(950),
            },
            run: None,
            owes_restart: BTreeSet::new(),
            broken: false,
            held: None,
            on_battery: false,
            boot: 1,
            index: [0; PRODUCTS.len()],
            unread: [false; 2],
            copies: BTreeSet::new(),
            seen: BTreeMap::new(),
            begun: BTreeSet::new(),
            runs: 0,
            chance,
        }
    }

    /// Its disk is wiped, and everything is installed from the beginning.
    pub fn set_up_anew(&mut self, archive: &Archive) {
        self.installed = set_up(&mut self.chance, archive, self.os);
        self.run = None;
        self.owes_restart.clear();
        (self.broken, self.held) = (false, None);
        (self.index, self.unread) = ([0; PRODUCTS.len()], [false; 2]);
        self.copies.clear();
        self.seen.clear();
        self.begun.clear();
        self.boot += 1;
    }

    /// The computer of a copied device; no package manager runs on it.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self {
            name: format!("{}-copy", self.name),
            run: None,
            ..self.clone()
        }
    }

    /// Fetches the indexes. `unread`: so many in a thousand sources cannot be read; what they had offered stays, as apt keeps its lists.
    pub fn fetch(&mut self, archive: &Archive, unread: u32) {
        for security in [false, true] {
            let failed = self.chance.permille(unread);
            self.unread[usize::from(security)] = failed;
            for (at, product) in PRODUCTS.iter().enumerate().filter(|(_, p)| p.security == security) {
                if !failed {
                    self.index[at] = archive.newest(self.os, at);
                    let _ = product;
                }
            }
        }
    }

    /// What the computer says of itself.
    #[must_use]
    pub fn host(&self) -> HostFacts {
        let (number, codename) = RELEASES[self.os];
        HostFacts {
            hostname: ShortText::fit(&self.name),
            os_id: ShortText::fit("debian"),
            os_version: ShortText::fit(number),
            os_codename: ShortText::fit(codename),
            os_name: ShortText::fit(&format!("Debian GNU/Linux {number} ({codename})")),
            arch: ShortText::fit(ARCH),
            manager: Some(ShortText::fit("apt")),
            kernel: ShortText::fit("6.1.0"),
            time_zone: ShortText::fit("Europe/Helsinki"),
            languages: Vec::new(),
            boot_id: self.boot_id(),
        }
    }

    /// Changes with every boot.
    #[must_use]
    pub fn boot_id(&self) -> ShortText {
        ShortText::fit(&format!("{}-{}", self.name, self.boot))
    }

    /// Everything that a scan sees.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        let codename = RELEASES[self.os].1;
        let mut inventory = Inventory {
            host: self.host(),
            packages: self.installed.iter().filter_map(|(b, n)| self.package(b, *n)).collect(),
            updates: self.installed.iter().filter_map(|(b, n)| self.update(b, *n)).collect(),
            sources: [(false, codename.to_owned()), (true, format!("{codename}-security"))]
                .map(|(security, name)| SourceStatus {
                    name: ShortText::fit(&name),
                    error: self.unread[usize::from(security)].then(|| ShortText::fit("cannot be fetched")),
                })
                .into(),
            reboot: Vec::new(),
            services: Vec::new(),
            manager_error: self.broken.then(|| ShortText::fit("a package is half installed")),
            disk_free_mib: 20_480,
            on_battery: Some(self.on_battery),
            processes_unread: Some(0),
            foreign: Vec::new(),
        };
        if !self.owes_restart.is_empty() {
            let packages = self
                .owes_restart
                .iter()
                .flat_map(|at| PRODUCTS[*at].binaries)
                .map(|b| ShortText::fit(b))
                .collect();
            inventory.reboot.push(RebootReason::FlagFile { packages });
        }
        inventory.normalize();
        inventory
    }

    fn package(&self, binary: &str, number: u32) -> Option<InstalledPackage> {
        let (at, _) = product_of(binary)?;
        Some(InstalledPackage {
            name: name(binary),
            arch: arch(),
            version: version(self.os, number),
            source: name(PRODUCTS[at].source),
            source_version: None,
        })
    }

    fn update(&self, binary: &str, number: u32) -> Option<Update> {
        let (at, _) = product_of(binary)?;
        if self.index[at] <= number {
            return None;
        }
        let product = PRODUCTS[at];
        let (offered, codename) = (version(self.os, self.index[at]), RELEASES[self.os].1);
        let origin = if product.security {
            Origin {
                label: ShortText::fit("Debian-Security"),
                archive: ShortText::fit("stable-security"),
                codename: ShortText::fit(&format!("{codename}-security")),
            }
        } else {
            Origin {
                label: ShortText::fit("Debian"),
                archive: ShortText::fit("stable"),
                codename: ShortText::fit(codename),
            }
        };
        let hash = protocol::sign::sha256(format!("{binary} {offered}").as_bytes());
        Some(Update {
            name: name(binary),
            arch: arch(),
            installed: Some(version(self.os, number)),
            source: name(product.source),
            source_version: offered.clone(),
            version: offered,
            origins: vec![origin],
            size: 1_000_000,
            sha256: ShortText::fit(&hex::encode(hash)),
            summary: ShortText::fit(product.source),
            section: ShortText::fit("misc"),
            security: product.security,
            brake: (self.held == Some(at)).then_some(Brake::Held),
            previous_in_archive: false,
            brought_by: Vec::new(),
        })
    }

    /// What is installed of these packages.
    #[must_use]
    pub fn look(&self, packages: &[PackageVersion]) -> Vec<PackageVersion> {
        let now = |p: &PackageVersion| self.installed.get(p.name.as_str()).map(|n| version(self.os, *n));
        packages
            .iter()
            .map(|p| PackageVersion {
                version: now(p),
                ..p.clone()
            })
            .collect()
    }

    /// Simulates, keeps copies, downloads.
    ///
    /// # Errors
    /// Why the order cannot start.
    pub fn prepare(&mut self, order: &Order, archive: &Archive, now: Moment) -> Result<(), NotStarted> {
        self.check(order)?;
        for (binary, number) in wanted(order) {
            let Some((at, binary)) = product_of(binary) else {
                return Err(unavailable("no such package"));
            };
            let Some(number) = number else {
                return Err(unavailable("never removed"));
            };
            if !archive.has(self.os, at, number, now) && !self.copies.contains(&(binary, number)) {
                return Err(unavailable("the archive has dropped it"));
            }
            if let Some(installed) = self.installed.get(binary)
                && (self.copies.contains(&(binary, *installed))
                    || archive.has(self.os, at, *installed, now)
                    || self.chance.permille(800))
            {
                self.copies.insert((binary, *installed));
            }
            self.copies.insert((binary, number));
        }
        Ok(())
    }

    /// The last look before the start.
    ///
    /// # Errors
    /// Why it cannot start.
    pub fn check(&self, order: &Order) -> Result<(), NotStarted> {
        if same(&self.look(&order.packages), &order.packages) {
            return Err(NotStarted::AlreadyThere);
        }
        if self.broken || self.run.is_some() {
            return Err(NotStarted::ManagerBusy {
                message: ShortText::fit("in disorder or locked"),
            });
        }
        let held = order
            .packages
            .iter()
            .filter_map(|p| product_of(p.name.as_str()))
            .any(|(at, _)| self.held == Some(at));
        if held {
            Err(NotStarted::LocalPolicy {
                rule: ShortText::fit("on hold on the device"),
            })
        } else {
            Ok(())
        }
    }

    /// Starts the package manager (`fresh`) or a recovery. Returns the run and how long it takes; nothing when one runs already.
    pub fn start(&mut self, attempt: AttemptId, job: &Job, fresh: bool, now: Moment) -> Option<(u64, Span)> {
        if self.run.is_some() {
            return None;
        }
        self.runs += 1;
        if fresh {
            self.begun.insert(attempt);
        }
        self.run = Some(Run {
            id: self.runs,
            attempt,
            job: job.clone(),
            fresh,
            began: now,
        });
        // Most take a minute; some outlast every deadline.
        let most = if self.chance.permille(15) { 30_000 } else { 300 };
        Some((self.runs, Span(self.chance.between(2, most))))
    }

    /// The run ends by itself. `fails`: so many in a thousand do not work.
    pub fn end(&mut self, id: u64, fails: impl Fn(usize, usize, u32) -> u32, now: Moment) -> Option<AttemptId> {
        let run = self.run.take_if(|r| r.id == id)?;
        let order = &run.job.order;
        let begun = self.begun.contains(&run.attempt);
        let mut seen = Seen {
            wanted: order.packages.clone(),
            interrupted: !run.fresh,
            ..Seen::default()
        };
        let worst = wanted(order)
            .filter_map(|(b, n)| Some(fails(self.os, product_of(b)?.0, n?)))
            .max()
            .unwrap_or(0);
        if run.fresh {
            let works = !self.chance.permille(worst);
            seen.exit = Some(if works { 0 } else { 100 });
            if works {
                self.change(&order.packages)
            } else {
                self.fail(&run.job)
            }
        } else if begun {
            seen.repaired = true;
            if self.chance.permille(850) && !self.chance.permille(worst) {
                self.broken = false;
                self.change(&order.packages);
            } else {
                self.fail(&run.job);
            }
        } else {
            seen.message = ShortText::fit("interrupted before anything was changed");
        }
        seen.observed = self.look(&order.packages);
        seen.disorder = self.broken.then(|| ShortText::fit("a package is half installed"));
        seen.took = u32::try_from(now.since(run.began).0).unwrap_or(0);
        seen.restart_owed = same(&seen.observed, &order.packages) && !self.owes_restart.is_empty();
        self.seen.insert(run.attempt, seen);
        Some(run.attempt)
    }

    /// Most failures are taken back; some leave half a patch, a few leave disorder.
    fn fail(&mut self, job: &Job) {
        let kind = self.chance.below(100);
        if kind < 80 {
            self.broken = false;
            self.change(&job.from);
        } else {
            if let Some(first) = job.order.packages.first().cloned() {
                self.change(&[first]);
            }
            self.broken = kind >= 92;
        }
    }

    fn change(&mut self, packages: &[PackageVersion]) {
        for p in packages {
            let Some((at, binary)) = product_of(p.name.as_str()) else {
                continue;
            };
            match p.version.as_ref().and_then(|v| number_of(v.as_str())) {
                Some(number) => {
                    let before = self.installed.insert(binary, number);
                    if PRODUCTS[at].reboot && before != Some(number) {
                        self.owes_restart.insert(at);
                    }
                }
                None => drop(self.installed.remove(binary)),
            }
        }
    }

    /// The package manager dies in the middle; true when one ran.
    pub fn cut(&mut self) -> bool {
        let Some(run) = self.run.take() else { return false };
        if run.fresh && self.chance.permille(600) {
            let some: Vec<_> = run
                .job
                .order
                .packages
                .iter()
                .filter(|_| self.chance.permille(500))
                .cloned()
                .collect();
            self.change(&some);
            self.broken = self.chance.permille(500);
        }
        true
    }

    /// Switched off, with or without warning, and on again.
    pub fn boot(&mut self) {
        self.boot += 1;
        self.owes_restart.clear();
        for seen in self.seen.values_mut() {
            seen.restart_owed = false;
        }
    }

    /// Somebody at the device brings a product to the newest version that the index has.
    pub fn by_hand(&mut self, at: usize) -> bool {
        let number = self.index[at];
        let there = PRODUCTS[at]
            .binaries
            .iter()
            .any(|b| self.installed.get(b).is_some_and(|n| *n < number));
        if !there || self.run.is_some() || self.broken {
            return false;
        }
        for binary in PRODUCTS[at].binaries {
            if let Some(n) = self.installed.get_mut(binary) {
                *n = number;
            }
        }
        if PRODUCTS[at].reboot {
            self.owes_restart.insert(at);
        }
        true
    }

    /// What was seen at the end of an attempt, if it came to one.
    #[must_use]
    pub fn seen(&self, attempt: AttemptId) -> Option<&Seen> {
        self.seen.get(&attempt)
    }
}

/// What an order asks for: names and numbers.
fn wanted(order: &Order) -> impl Iterator<Item = (&str, Option<u32>)> {
    order
        .packages
        .iter()
        .map(|p| (p.name.as_str(), p.version.as_ref().and_then(|v| number_of(v.as_str()))))
}

fn unavailable(text: &str) -> NotStarted {
    NotStarted::Unavailable {
        message: ShortText::fit(text),
    }
}

fn same(a: &[PackageVersion], b: &[PackageVersion]) -> bool {
    a.len() == b.len() && a.iter().all(|p| b.contains(p))
}

/// Whether an order installs.
#[must_use]
pub fn installs(order: &Order) -> bool {
    order.kind == ActionKind::Install
}
