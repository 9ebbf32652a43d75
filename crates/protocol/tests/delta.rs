//! Changes between any two inventories lead from one to the other, also over the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use domain::{Arch, PackageName, VersionText};
use proptest::{collection::vec, prelude::*};
use protocol::{ShortText, v1::*};

fn short() -> impl Strategy<Value = ShortText> {
    "[ -~äß<>\"]{0,12}".prop_map(|t| ShortText::fit(&t))
}

fn name() -> impl Strategy<Value = PackageName> {
    "[a-d]{1,2}".prop_map(|t| PackageName::parse(&t).unwrap())
}

fn version() -> impl Strategy<Value = VersionText> {
    "[0-2](\\.[0-2])?(~b)?".prop_map(|t| VersionText::parse(&t).unwrap())
}

fn arch() -> impl Strategy<Value = Arch> {
    prop_oneof![Just("amd64"), Just("i386"), Just("all")].prop_map(|t| Arch::parse(t).unwrap())
}

fn installed() -> impl Strategy<Value = InstalledPackage> {
    (name(), arch(), version(), name(), proptest::option::of(version())).prop_map(
        |(name, arch, version, source, source_version)| InstalledPackage {
            name,
            arch,
            version,
            source,
            source_version,
        },
    )
}

fn brake() -> impl Strategy<Value = Option<Brake>> {
    prop_oneof![
        Just(None),
        Just(Some(Brake::Held)),
        (0..100_u8).prop_map(|percent| Some(Brake::Phased { percent })),
        (-1..1_002).prop_map(|priority| Some(Brake::Pinned { priority })),
    ]
}

fn update() -> impl Strategy<Value = Update> {
    let origin = (short(), short(), short()).prop_map(|(label, archive, codename)| Origin {
        label,
        archive,
        codename,
    });
    (
        name(),
        arch(),
        proptest::option::of(version()),
        version(),
        vec(origin, 0..3),
        any::<bool>(),
        brake(),
        any::<u32>(),
        vec(name(), 0..3),
    )
        .prop_map(
            |(name, arch, installed, version, origins, security, brake, size, brought_by)| Update {
                source: name.clone(),
                source_version: version.clone(),
                name,
                arch,
                installed,
                version,
                origins,
                size: u64::from(size),
                sha256: ShortText::default(),
                summary: ShortText::default(),
                section: ShortText::default(),
                security,
                brake,
                previous_in_archive: security,
                brought_by,
            },
        )
}

prop_compose! {
    fn inventory()(
        mut packages in vec(installed(), 0..20),
        mut updates in vec(update(), 0..12),
        sources in vec((short(), proptest::option::of(short())), 0..4),
        reboot in vec(short(), 0..3),
        services in vec((short(), 0..99_u32, short()), 0..3),
        manager_error in proptest::option::of(short()),
        disk_free_mib in 0..10_000_u64,
        (on_battery, processes_unread) in (proptest::option::of(any::<bool>()), proptest::option::of(0..9_u32)),
        foreign in vec((name(), version(), short()), 0..3),
        hostname in short(),
    ) -> Inventory {
        packages.sort();
        packages.dedup();
        updates.sort_by(|a, b| (&a.name, &a.arch).cmp(&(&b.name, &b.arch)));
        updates.dedup_by(|a, b| (&a.name, &a.arch) == (&b.name, &b.arch));
        let text = ShortText::fit;
        let host = HostFacts {
            hostname, os_id: text("debian"), os_version: text("12"), os_codename: text("bookworm"), os_name: text("Debian"),
            arch: text("amd64"), manager: Some(text("apt")), kernel: text("6.1"), time_zone: text("Etc/UTC"), languages: vec![],
            boot_id: text("b"),
        };
        let mut inventory = Inventory {
            host, packages, updates,
            sources: sources.into_iter().map(|(name, error)| SourceStatus { name, error }).collect(),
            reboot: reboot.into_iter().map(|p| RebootReason::FlagFile { packages: vec![p] }).collect(),
            services: services.into_iter().map(|(unit, pid, file)| StaleService { unit, pid, file }).collect(),
            manager_error, disk_free_mib, on_battery, processes_unread,
            foreign: foreign
                .into_iter()
                .map(|(source, version, label)| Foreign {
                    source,
                    version,
                    origin: Origin { label, archive: text("x"), codename: text("x") },
                })
                .collect(),
        };
        inventory.normalize();
        inventory
    }
}

proptest! {
    #[test]
    fn changes_lead_from_one_inventory_to_the_other(old in inventory(), new in inventory()) {
        let changes = InventoryDelta::between(&old, &new);
        let wire: InventoryDelta = protocol::limits::parse(&serde_json::to_vec(&changes).unwrap()).unwrap();
        prop_assert_eq!(&wire, &changes);
        let reached = wire.apply(old.clone());
        prop_assert_eq!(reached.digest(), new.digest());
        prop_assert_eq!(reached, new.clone());
        prop_assert_eq!(InventoryDelta::between(&old, &old), InventoryDelta::default());
        prop_assert!(new.check().is_ok());
    }

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in vec(any::<u8>(), 0..200), text in "[\\[\\]{}\",:0-9a-z \\\\]{0,200}") {
        let _ = protocol::limits::parse::<Sealed<Report>>(&bytes);
        let _ = protocol::limits::parse::<Sealed<Report>>(text.as_bytes());
    }
}
