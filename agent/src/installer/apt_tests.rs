use super::*;
use domain::{PackageName, PatchId};

fn package(name: &str, arch: &str, version: Option<&str>) -> PackageVersion {
    PackageVersion {
        name: PackageName::parse(name).unwrap(),
        arch: Arch::parse(arch).unwrap(),
        version: version.map(|v| VersionText::parse(v).unwrap()),
    }
}

fn install(name: &str, old: Option<&str>, new: &str) -> Change {
    Change::Install {
        name: name.into(),
        arch: "amd64".into(),
        old: old.map(str::to_owned),
        new: new.into(),
    }
}

#[test]
fn the_gate_lets_exactly_the_permitted_set_through() {
    let wanted = [
        package("openssl", "amd64", Some("2")),
        package("libssl3", "amd64", Some("2")),
    ];
    let current = [
        package("openssl", "amd64", Some("1")),
        package("libssl3", "amd64", Some("1")),
    ];
    let both = [install("openssl", Some("1"), "2"), install("libssl3", Some("1"), "2")];
    assert_eq!(compare(&wanted, &current, &both), Ok(()));
    let also = |changes: &[Change]| match compare(&wanted, &current, changes) {
        Err(NotStarted::WouldAlsoChange { changes }) => {
            changes.iter().map(|c| c.as_str().to_owned()).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let mut more = both.to_vec();
    more.push(install("libnew", None, "1"));
    more.push(Change::Remove {
        name: "old".into(),
        old: Some("1".into()),
    });
    more.push(install("perl", Some("5"), "6"));
    assert_eq!(also(&more), ["install libnew 1", "remove old", "change perl 5 to 6"]);
    assert_eq!(
        also(&[install("openssl", Some("1"), "3"), both[1].clone()]),
        ["change openssl 1 to 3"]
    );
    assert!(
        matches!(
            compare(&wanted, &current, &both[..1]),
            Err(NotStarted::Unavailable { .. })
        ),
        "nothing may be left out"
    );
    // One that is there already has nothing to change.
    let half = [wanted[0].clone(), current[1].clone()];
    assert_eq!(compare(&wanted, &half, &both[1..]), Ok(()));
}

#[test]
fn going_back_may_remove_only_what_the_patch_had_brought() {
    let wanted = [package("a", "amd64", Some("1")), package("new", "amd64", None)];
    let current = [package("a", "amd64", Some("2")), package("new", "amd64", Some("1"))];
    let changes = [
        install("a", Some("2"), "1"),
        Change::Remove {
            name: "new".into(),
            old: None,
        },
    ];
    assert_eq!(compare(&wanted, &current, &changes), Ok(()));
    let removes_a = [Change::Remove {
        name: "a".into(),
        old: None,
    }];
    assert!(matches!(
        compare(&wanted, &current, &removes_a),
        Err(NotStarted::WouldAlsoChange { .. })
    ));
}

/// I-36.
#[test]
fn names_stand_after_the_end_of_options_and_are_qualified() {
    let order = Order {
        patch: PatchId(1),
        kind: ActionKind::Install,
        packages: vec![
            package("libc6", "i386", Some("1:2-3")),
            package("tzdata", "all", Some("4")),
            package("new", "amd64", None),
        ],
    };
    assert_eq!(set(&order), ["libc6:i386=1:2-3", "tzdata=4", "new:amd64-"]);
    let folder = tempfile::tempdir().unwrap();
    let (_, args) = run_args(&Home::at(folder.path()), &order);
    let end = args.iter().position(|a| a == "--").unwrap();
    assert_eq!(args[end - 1], "install");
    assert_eq!(args[end + 1..], set(&order));
    assert!(args[..end].iter().all(|a| a.starts_with('-') || a == "install"));
    assert!(
        args.iter().all(|a| a != "--no-remove"),
        "it may not forbid what is asked for"
    );
    assert!(rate(Some(500)).contains(&"-oAcquire::http::Dl-Limit=500".to_owned()) && rate(None).is_empty());
}

#[test]
fn only_a_download_that_is_large_enough_says_how_fast_the_line_is() {
    let second = Duration::from_secs(1);
    assert_eq!(measured(TELLING - 1, second), Fetched::default());
    assert_eq!(measured(30_000_000, second * 2).rate, Some(15_000_000));
    assert_eq!(
        measured(30_000_000, Duration::ZERO).rate,
        Some(30_000_000_000),
        "no division by nothing"
    );
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    assert_eq!(downloaded(&home), 0);
    std::fs::create_dir_all(home.path("archives/partial")).unwrap();
    std::fs::write(home.path("archives/a.deb"), [0; 700]).unwrap();
    std::fs::write(home.path("archives/partial/b.deb"), [0; 41]).unwrap();
    assert_eq!(downloaded(&home), 741);
}

#[test]
fn the_kernel_that_runs_is_not_removed() {
    let release = "6.8.0-52-generic";
    let [old, new] = ["6.8.0-51-generic", release].map(|r| format!("linux-image-{r}"));
    let there = [package(&old, "amd64", Some("1")), package(&new, "amd64", Some("2"))];
    let back = [
        package(&new, "amd64", None),
        package("linux-image-generic", "amd64", Some("1")),
    ];
    assert_eq!(removes_kernel(&back, &there, release), Some(new.as_str()));
    assert_eq!(
        removes_kernel(&back, &there, "6.8.0-51-generic"),
        None,
        "the previous one runs"
    );
    assert_eq!(
        removes_kernel(&back, &there[..1], release),
        None,
        "it is not there, as in a container"
    );
    assert_eq!(removes_kernel(&there, &there, release), None);
}
