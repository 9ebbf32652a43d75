use super::*;
use domain::{Arch, PackageName, VersionText};
use std::os::unix::fs::symlink;

/// A store in a folder of its own, and a place to build packages in.
struct Shop {
    _folder: tempfile::TempDir,
    home: Home,
    store: Store,
}

impl Shop {
    /// None, where packages cannot be built.
    fn open() -> Option<Self> {
        if !Path::new("/usr/bin/dpkg-deb").exists() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let store = Store::at(&home);
        store.make().unwrap();
        Some(Self {
            _folder: folder,
            home,
            store,
        })
    }

    fn build(&self, (name, version, arch): (&str, &str, &str), to: &Path) {
        let root = self.home.path("build");
        fs::create_dir_all(root.join("DEBIAN")).unwrap();
        fs::set_permissions(root.join("DEBIAN"), fs::Permissions::from_mode(0o755)).unwrap();
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: {arch}\nMaintainer: Nobody <nobody@localhost>\n\
             Description: made for a test\n"
        );
        fs::write(root.join("DEBIAN/control"), control).unwrap();
        let to = to.display().to_string();
        let root = root.display().to_string();
        let answer = command::ask("dpkg-deb", ["--root-owner-group", "-b", &root, &to], LIMIT).unwrap();
        assert!(answer.ok(), "{answer:?}");
    }

    /// One kept copy, and where it lies.
    fn kept(&self, name: &str, version: &str) -> PathBuf {
        self.kept_for(name, version, "amd64")
    }

    fn kept_for(&self, name: &str, version: &str, arch: &str) -> PathBuf {
        self.build((name, version, arch), &self.store.incoming.join("x.deb"));
        self.store.take_in();
        self.store.find(&package_for(name, version, arch)).unwrap()
    }

    /// Copies for these architectures, each version a good while younger than the one before.
    fn kept_in_turn(&self, versions: &[&str], archs: &[&str]) {
        for (at, version) in versions.iter().enumerate() {
            for arch in archs {
                let age = Duration::from_secs(100 * (versions.len() - at) as u64);
                fs::File::open(self.kept_for("tool", version, arch))
                    .unwrap()
                    .set_modified(SystemTime::now() - age)
                    .unwrap();
            }
        }
    }

    fn count(&self, ending: &str) -> usize {
        let all = fs::read_dir(&self.store.folder).unwrap().flatten();
        all.filter(|e| e.path().extension().is_some_and(|x| x == ending))
            .count()
    }

    /// What is said of the copy; `None` when it is good or not there.
    fn complaint(&self, name: &str, version: &str) -> Option<String> {
        self.store.find(&package(name, version)).err().flatten()
    }
}

fn package(name: &str, version: &str) -> PackageVersion {
    package_for(name, version, "amd64")
}

fn package_for(name: &str, version: &str, arch: &str) -> PackageVersion {
    PackageVersion {
        name: PackageName::parse(name).unwrap(),
        arch: Arch::parse(arch).unwrap(),
        version: Some(VersionText::parse(version).unwrap()),
    }
}

#[test]
fn a_copy_is_kept_with_what_it_was() {
    let Some(shop) = Shop::open() else { return };
    let path = shop.kept("tool", "1:1.0-1");
    assert!(path.ends_with("tool_1..1.0-1_amd64.deb"), "{path:?}");
    let kept = copy::verified(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(kept.size, bytes.len() as u64);
    assert_eq!(kept.sha256, hex::encode(protocol::sign::sha256(&bytes)));
    assert_eq!(shop.store.find(&package("tool", "1:1.0-2")), Err(None), "not kept");
    assert_eq!(fs::read_dir(&shop.store.incoming).unwrap().count(), 0);
    for folder in [&shop.store.folder, &shop.store.incoming] {
        assert_eq!(fs::metadata(folder).unwrap().mode() & 0o7777, 0o700, "{folder:?}");
    }
    for file in [&path, &copy::record_of(&path)] {
        assert_eq!(fs::metadata(file).unwrap().mode() & 0o7777, 0o600, "{file:?}");
    }
}

#[test]
fn a_damaged_or_exchanged_copy_is_not_used_and_it_is_said_why() {
    let Some(shop) = Shop::open() else { return };
    let path = shop.kept("tool", "1.0");
    let good = fs::read(&path).unwrap();
    let says = |part: &str| {
        let said = shop.complaint("tool", "1.0").expect("not used");
        assert!(
            said.starts_with("the kept copy of tool 1.0 is not used: ") && said.contains(part),
            "{said}"
        );
    };
    fs::write(&path, &good[..good.len() - 1]).unwrap();
    says("bytes and had");
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&path, &flipped).unwrap();
    says("SHA-256");
    // Another package under its name, with its own true size and hash written down: it says of itself what it is.
    let other = shop.kept("other", "1.0");
    let mut record: copy::Kept = copy::verified(&other).unwrap();
    fs::copy(&other, &path).unwrap();
    record.name = PackageName::parse("tool").unwrap();
    fs::write(copy::record_of(&path), serde_json::to_vec(&record).unwrap()).unwrap();
    says("it says of itself that it is other 1.0");
    fs::remove_file(copy::record_of(&path)).unwrap();
    fs::write(&path, &good).unwrap();
    says("nothing was written down");
    fs::write(copy::record_of(&path), "{").unwrap();
    says("cannot be read");
    // A record of another package beside it.
    fs::copy(copy::record_of(&other), copy::record_of(&path)).unwrap();
    says("is of other 1.0");
    // Kept once more, it is good again.
    assert_eq!(shop.kept("tool", "1.0"), path);
    assert_eq!(shop.complaint("tool", "1.0"), None);
}

#[test]
fn links_and_files_of_others_are_not_followed() {
    let Some(shop) = Shop::open() else { return };
    let path = shop.kept("tool", "1.0");
    let aside = shop.home.path("aside.deb");
    fs::rename(&path, &aside).unwrap();
    symlink(&aside, &path).unwrap();
    assert!(shop.complaint("tool", "1.0").is_some(), "a link to the very same file");
    fs::remove_file(&path).unwrap();
    fs::copy(&aside, &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let said = shop.complaint("tool", "1.0").unwrap();
    assert!(said.contains("others may write to it"), "{said}");

    // What is downloaded is copied, never a link followed: the downloading user could name any file.
    symlink(&aside, shop.store.incoming.join("link.deb")).unwrap();
    fs::remove_file(&path).unwrap();
    shop.store.take_in();
    assert_eq!(shop.store.find(&package("tool", "1.0")), Err(None));
    assert_eq!(fs::read_dir(&shop.store.incoming).unwrap().count(), 0);

    // A store that is a link to somewhere is no store.
    fs::rename(&shop.store.folder, shop.home.path("elsewhere")).unwrap();
    symlink(shop.home.path("elsewhere"), &shop.store.folder).unwrap();
    let said = shop.store.make().unwrap_err().to_string();
    assert!(said.contains("not a folder of the agent's own"), "{said}");
    let fetched = shop.store.fetch(&[package("tool", "1.0")], None, &[]);
    assert!(fetched.missing[0].1.contains("cannot be used"), "{fetched:?}");
}

#[test]
fn what_is_neither_good_here_nor_in_the_archive_is_told_with_both_reasons() {
    let Some(shop) = Shop::open() else { return };
    let path = shop.kept("patchward-no-such-package", "1.0");
    fs::write(&path, "cut off").unwrap();
    let fetched = shop
        .store
        .fetch(&[package("patchward-no-such-package", "1.0")], None, &[]);
    assert_eq!(fetched.missing.len(), 1);
    assert!(fetched.unusable[0].contains("bytes and had"), "{fetched:?}");
}

#[test]
fn what_was_seen_waits_for_the_log_of_the_attempt() {
    let Some(shop) = Shop::open() else { return };
    assert_eq!(shop.store.remarks(), Vec::<String>::new());
    let lines = ["one".to_owned(), "two".to_owned()];
    shop.store.remark(&lines);
    assert_eq!(shop.store.remarks(), lines);
    shop.store.remark(&[]);
    assert_eq!(
        shop.store.remarks(),
        Vec::<String>::new(),
        "nothing is left of an earlier attempt"
    );
}

#[test]
fn the_newest_copies_of_each_architecture_stay_with_their_records() {
    let Some(shop) = Shop::open() else { return };
    shop.kept_in_turn(&["1", "2", "3", "4"], &["amd64", "i386"]);
    shop.store.prune(&[]);
    assert_eq!((shop.count("deb"), shop.count("kept")), (2 * VERSIONS, 2 * VERSIONS));
    for arch in ["amd64", "i386"] {
        assert_eq!(shop.store.find(&package_for("tool", "1", arch)), Err(None));
    }
}

/// A rollback to the oldest of four, on a device with two architectures: what it is about to install stays, however old it is.
#[test]
fn what_is_needed_next_is_never_removed() {
    let Some(shop) = Shop::open() else { return };
    shop.kept_in_turn(&["1", "2", "3", "4", "5"], &["amd64", "i386"]);
    let both = |version: &str| ["amd64", "i386"].map(|arch| package_for("tool", version, arch));
    assert_eq!(shop.store.keep(&both("2"), &both("1"), None, &[]), []);
    for package in ["1", "2", "3", "4", "5"].iter().flat_map(|v| both(v)) {
        assert!(shop.store.find(&package).is_ok(), "{package:?}");
    }
    shop.store.prune(&[&both("5")]);
    assert_eq!(shop.count("deb"), 2 * VERSIONS, "once nobody needs them they go");
}
