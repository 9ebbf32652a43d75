//! A device that is only its packages, its key and its sequence number.

use crate::{Os, Releases, mix};
use domain::{Measured, Moment, PackageName, VersionText};
use ed25519_dalek::SigningKey;
use protocol::{
    ShortText, sign,
    v1::{
        self, CheckIn, Digest, EnrollRequest, HostFacts, InstalledPackage, Inventory, InventoryDelta, Origin,
        PackageVersion, Report, ReportContent, Sealed, SourceStatus, Update,
    },
};
use serde::Serialize;
use std::collections::BTreeMap;

/// A signed request, ready to travel.
#[derive(Clone, Debug)]
pub struct Message {
    /// Path.
    pub path: &'static str,
    /// Key id header.
    pub key_id: String,
    /// Signature header.
    pub signature: String,
    /// Body.
    pub body: Vec<u8>,
}

/// A device.
#[derive(Clone)]
pub struct Device {
    key: SigningKey,
    key_id: String,
    seed: u64,
    seq: u64,
    /// Host name.
    pub hostname: String,
    /// OS release.
    pub os: Os,
    /// Time zone.
    pub zone: &'static str,
    /// Source package → installed version.
    pub installed: BTreeMap<String, String>,
    /// Packages that never change: name → version.
    filler: Vec<InstalledPackage>,
    acknowledged: Option<Inventory>,
}

/// Text that is known to fit.
fn text(text: &str) -> ShortText {
    ShortText::fit(text)
}

impl Device {
    /// A device with the packages of its OS release as they were at `built`, and `filler` packages that never change.
    #[must_use]
    pub fn new(
        seed: u64,
        hostname: &str,
        os: Os,
        zone: &'static str,
        releases: &Releases,
        built: Moment,
        filler: usize,
    ) -> Self {
        let mut secret = [0; 32];
        for (i, chunk) in secret.chunks_mut(8).enumerate() {
            chunk.copy_from_slice(&mix(seed, i as u64).to_le_bytes());
        }
        let key = SigningKey::from_bytes(&secret);
        let installed = releases
            .of(os)
            .filter_map(|(source, history)| {
                let release = history.releases.iter().rev().find(|r| r.at <= built)?;
                Some((source.to_owned(), release.version.clone()))
            })
            .collect();
        let filler = (0..filler)
            .filter_map(|i| {
                package(
                    &format!("base-{i:04}"),
                    &format!("{}.{}-1", i % 7, i % 31),
                    &format!("base-{i:04}"),
                    None,
                )
            })
            .collect();
        let key_id = sign::key_id(&key.verifying_key().to_bytes());
        Self {
            key,
            key_id,
            seed,
            seq: 0,
            hostname: hostname.to_owned(),
            os,
            zone,
            installed,
            filler,
            acknowledged: None,
        }
    }

    /// The id of its key.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    fn host(&self) -> HostFacts {
        let (id, version, codename, name) = self.os.facts();
        HostFacts {
            hostname: text(&self.hostname),
            os_id: text(id),
            os_version: text(version),
            os_codename: text(codename),
            os_name: text(name),
            arch: text("amd64"),
            manager: Some(text("apt")),
            kernel: text("6.1.0-40-amd64"),
            time_zone: text(self.zone),
            languages: vec![text("en_US.UTF-8")],
            boot_id: text(&format!("{:032x}", u128::from(self.seed))),
        }
    }

    fn sign(&self, path: &'static str, body: Vec<u8>) -> Message {
        let signature = sign::sign_request(&self.key, path, &body);
        Message {
            path,
            key_id: self.key_id.clone(),
            signature,
            body,
        }
    }

    /// A sealed message with the next sequence number.
    pub fn seal<T: Serialize>(&mut self, path: &'static str, message: T, now: Moment) -> Message {
        self.seq += 1;
        let nonce = format!("{:016x}{:016x}", mix(self.seed, self.seq), mix(self.seq, self.seed));
        let body = serde_json::to_vec(&Sealed {
            seq: self.seq,
            nonce,
            sent_at: now,
            message,
        })
        .unwrap_or_default();
        self.sign(path, body)
    }

    /// `enroll` with a token.
    #[must_use]
    pub fn enroll(&self, token: &str) -> Message {
        let request = EnrollRequest {
            token: token.to_owned(),
            public_key: hex::encode(self.key.verifying_key().to_bytes()),
            nonce: format!("{:032x}", u128::from(mix(self.seed, 0))),
            scan_only: false,
            host: self.host(),
        };
        self.sign(v1::ENROLL, serde_json::to_vec(&request).unwrap_or_default())
    }

    /// `check-in`.
    pub fn check_in(&mut self, now: Moment) -> Message {
        let check_in = CheckIn {
            agent_version: text("0.1.0"),
            boot_id: self.host().boot_id,
            inventory: self.acknowledged.as_ref().map(Inventory::digest),
            policy_version: 1,
            unacknowledged: 0,
            measured: Measured {
                // 1 to 12 MB/s: a line of the device's own.
                download_rate: Some(1_000_000 + mix(self.seed, 7) % 11_000_000),
                restart: None,
            },
        };
        self.seal(v1::CHECK_IN, check_in, now)
    }

    /// What a scan would see now: the newest version released until `now` is offered, as archives do.
    #[must_use]
    pub fn inventory(&self, releases: &Releases, now: Moment) -> Inventory {
        let (id, _, codename, _) = self.os.facts();
        let vendor = if id == "debian" { "Debian" } else { "Ubuntu" };
        let mut packages = self.filler.clone();
        let mut updates = Vec::new();
        for (source, history) in releases.of(self.os) {
            let Some(installed) = self.installed.get(source) else {
                continue;
            };
            let newest = history.releases.iter().rev().find(|r| r.at <= now);
            for (name, prefix) in &history.binaries {
                let version = format!("{prefix}{installed}");
                let source_version = (!prefix.is_empty()).then_some(installed.as_str());
                packages.extend(package(name, &version, source, source_version));
                let Some(offer) = newest.filter(|r| domain::compare_debian(&r.version, installed).is_gt()) else {
                    continue;
                };
                let (label, suite) = match (offer.security, id) {
                    (true, "debian") => ("Debian-Security", format!("{codename}-security")),
                    (true, _) => (vendor, format!("{codename}-security")),
                    (false, _) => (vendor, format!("{codename}-updates")),
                };
                let (Ok(bin), Ok(arch), Ok(from), Ok(to), Ok(src), Ok(src_version)) = (
                    PackageName::parse(name),
                    domain::Arch::parse("amd64"),
                    VersionText::parse(&version),
                    VersionText::parse(&format!("{prefix}{}", offer.version)),
                    PackageName::parse(source),
                    VersionText::parse(&offer.version),
                ) else {
                    continue;
                };
                updates.push(Update {
                    name: bin,
                    arch,
                    installed: Some(from),
                    version: to,
                    source: src,
                    source_version: src_version,
                    origins: vec![Origin {
                        label: text(label),
                        archive: text(&suite),
                        codename: text(&suite),
                    }],
                    size: 20_000 + mix(source.len() as u64, name.len() as u64) % 3_000_000,
                    sha256: text(&format!("{:064x}", u128::from(mix(source.len() as u64, 7)))),
                    summary: text(&format!("{name} from {source}")),
                    section: text("libs"),
                    security: offer.security,
                    brake: None,
                    previous_in_archive: true,
                    brought_by: Vec::new(),
                });
            }
        }
        let suites = [
            codename.to_owned(),
            format!("{codename}-updates"),
            format!("{codename}-security"),
        ];
        let mut inventory = Inventory {
            host: self.host(),
            packages,
            updates,
            sources: suites
                .iter()
                .map(|s| SourceStatus {
                    name: text(s),
                    error: None,
                })
                .collect(),
            reboot: Vec::new(),
            services: Vec::new(),
            manager_error: None,
            disk_free_mib: 40_960,
            on_battery: Some(false),
            processes_unread: Some(0),
            foreign: Vec::new(),
        };
        inventory.normalize();
        inventory
    }

    /// `report`: whole the first time or when `full`, a delta afterwards. The reply must be told by [`Device::reported`].
    pub fn report(&mut self, inventory: &Inventory, now: Moment, full: bool) -> Message {
        let content = match (&self.acknowledged, full) {
            (Some(base), false) => ReportContent::Delta {
                base: base.digest(),
                changes: Box::new(InventoryDelta::between(base, inventory)),
            },
            _ => ReportContent::Full {
                inventory: Box::new(inventory.clone()),
            },
        };
        let report = Report {
            taken_at: now,
            took_ms: 900,
            digest: inventory.digest(),
            content,
        };
        self.seal(v1::REPORT, report, now)
    }

    /// The server acknowledged `inventory`.
    pub fn reported(&mut self, inventory: Inventory) {
        self.acknowledged = Some(inventory);
    }

    /// Digest of the acknowledged inventory.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.acknowledged.as_ref().map(Inventory::digest)
    }

    /// What is installed now of `packages`.
    #[must_use]
    pub fn current(&self, releases: &Releases, packages: &[PackageVersion]) -> Vec<PackageVersion> {
        packages
            .iter()
            .map(|p| PackageVersion {
                version: self.version_of(releases, p).and_then(|v| VersionText::parse(&v).ok()),
                ..p.clone()
            })
            .collect()
    }

    fn version_of(&self, releases: &Releases, package: &PackageVersion) -> Option<String> {
        let name = package.name.as_str();
        releases.of(self.os).find_map(|(source, history)| {
            let (_, prefix) = history.binaries.iter().find(|(n, _)| n == name)?;
            Some(format!("{prefix}{}", self.installed.get(source)?))
        })
    }

    /// Takes the versions of `packages` as installed.
    pub fn install(&mut self, releases: &Releases, packages: &[PackageVersion]) {
        for package in packages {
            let Some(version) = &package.version else { continue };
            for (source, history) in releases.of(self.os) {
                let Some((_, prefix)) = history.binaries.iter().find(|(n, _)| n == package.name.as_str()) else {
                    continue;
                };
                let version = version
                    .as_str()
                    .strip_prefix(prefix.as_str())
                    .unwrap_or(version.as_str());
                self.installed.insert(source.to_owned(), version.to_owned());
            }
        }
    }
}

fn package(name: &str, version: &str, source: &str, source_version: Option<&str>) -> Option<InstalledPackage> {
    Some(InstalledPackage {
        name: PackageName::parse(name).ok()?,
        arch: domain::Arch::parse("amd64").ok()?,
        version: VersionText::parse(version).ok()?,
        source: PackageName::parse(source).ok()?,
        source_version: match source_version {
            Some(v) => Some(VersionText::parse(v).ok()?),
            None => None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_offered_the_newest_release_and_takes_it() {
        let releases = Releases::real();
        let built = Moment(1_780_000_000);
        let now = Moment(1_795_428_000);
        let mut device = Device::new(1, "web-01", Os::Debian12, "Europe/Helsinki", &releases, built, 150);
        let before = device.inventory(&releases, now);
        assert!(before.updates.len() > 5, "{}", before.updates.len());
        assert_eq!(before.check(), Ok(()));
        let target: Vec<PackageVersion> = before
            .updates
            .iter()
            .map(|u| PackageVersion {
                name: u.name.clone(),
                arch: u.arch.clone(),
                version: Some(u.version.clone()),
            })
            .collect();
        assert_ne!(device.current(&releases, &target), target);
        device.install(&releases, &target);
        assert_eq!(device.current(&releases, &target), target);
        assert!(device.inventory(&releases, now).updates.is_empty());
    }
}
