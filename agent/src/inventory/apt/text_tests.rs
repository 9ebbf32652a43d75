use super::*;

const POLICY: &str = include_str!("../../../tests/data/a4-policy.txt");
const DPKG: &str = include_str!("../../../tests/data/dpkg.tsv");
const UPGRADE: &str = include_str!("../../../tests/data/a1.txt");
const RELEASES: &str = include_str!("../../../tests/data/host-policy-releases.txt");

/// On a real device of 205 packages, the candidates are exactly what apt's own simulation would install.
#[test]
fn candidates_equal_the_simulation() {
    let policies = policies(POLICY);
    assert_eq!(policies.len(), 205);
    let newer: BTreeSet<(&str, &str)> = policies
        .iter()
        .filter_map(|(name, p)| {
            Some((*name, p.candidate.as_deref()?)).filter(|(_, c)| p.installed.as_deref() != Some(*c))
        })
        .collect();
    let changes = changes(UPGRADE);
    let simulated: BTreeSet<(&str, &str)> = changes
        .iter()
        .filter_map(|c| match c {
            Change::Install { name, new, .. } => Some((name.as_str(), new.as_str())),
            Change::Remove { .. } => None,
        })
        .collect();
    assert_eq!(simulated.len(), 34);
    assert_eq!(newer, simulated);
}

#[test]
fn version_tables_say_where_a_version_is() {
    let policies = policies(POLICY);
    let apt = &policies["apt"];
    assert_eq!(
        (apt.installed.as_deref(), apt.candidate.as_deref()),
        (Some("2.6.1"), Some("2.6.2"))
    );
    let versions: Vec<(&str, i32, bool)> = apt
        .versions
        .iter()
        .map(|v| (v.version.as_str(), v.priority, v.in_archive()))
        .collect();
    assert_eq!(versions, [("2.6.2", 500, true), ("2.6.1", 500, true)]);
    let releases = releases(RELEASES);
    let place = &apt.versions[0].places[0].1;
    assert!(releases[place].is_security(), "{place}");
    assert_eq!(releases[place].codename, "bookworm-security");
    let point = "http://archive.example/debian bookworm/main amd64 Packages";
    assert!(!releases[point].is_security());
    assert_eq!(releases[STATUS_FILE].archive, "now");
}

#[test]
fn ubuntu_tells_security_by_the_archive_only() {
    let text = "Package files:\n 500 http://u.example/ubuntu noble-security/main amd64 Packages\n     \
        release v=24.04,o=Ubuntu,a=noble-security,n=noble,l=Ubuntu,c=main,b=amd64\n     origin u.example\n \
        500 http://u.example/ubuntu noble-updates/main amd64 Packages\n     \
        release v=24.04,o=Ubuntu,a=noble-updates,n=noble,l=Ubuntu,c=main,b=amd64\nPinned packages:\n     foo -> 1 with priority 900\n";
    let all = releases(text);
    assert_eq!(all.len(), 2);
    assert!(all["http://u.example/ubuntu noble-security/main amd64 Packages"].is_security());
    assert!(!all["http://u.example/ubuntu noble-updates/main amd64 Packages"].is_security());
}

#[test]
fn phases_and_pins_are_read_and_backports_are_no_pin() {
    let table = |candidate: &str, rows: &str| {
        let text = format!("p:\n  Installed: 1.0\n  Candidate: {candidate}\n  Version table:\n{rows}");
        policies(&text).remove("p").unwrap()
    };
    let installed = " *** 1.0 500\n        500 http://a x/main amd64 Packages\n        100 /var/lib/dpkg/status\n";
    let phased = table(
        "1.1",
        &format!("     1.1 500 (phased 10%)\n        500 http://a y/main amd64 Packages\n{installed}"),
    );
    assert_eq!(phased.versions[0].phased, Some(10));
    assert_eq!(kept_away(&phased), None);
    let never = table(
        "1.0",
        &format!("     1.1 -1\n        500 http://a y/main amd64 Packages\n{installed}"),
    );
    assert_eq!(
        kept_away(&never).map(|(v, p)| (v.version.as_str(), p)),
        Some(("1.1", Kept::Pinned(-1)))
    );
    let source = table(
        "1.0",
        &format!("     1.1 400\n        400 http://a y/main amd64 Packages\n{installed}"),
    );
    assert_eq!(kept_away(&source).map(|(_, p)| p), Some(Kept::Pinned(400)));
    let kept = table(
        "1.0",
        "     1.1 500\n        500 http://a y/main amd64 Packages\n *** 1.0 1001\n        500 http://a x/main amd64 Packages\n",
    );
    assert_eq!(kept_away(&kept).map(|(_, p)| p), Some(Kept::Pinned(1001)));
    let backports = table(
        "1.0",
        &format!("     2.0~bpo1 100\n        100 http://a b/main amd64 Packages\n{installed}"),
    );
    assert_eq!(kept_away(&backports), None);
    // A backport does not hide what a pin keeps away.
    let both = table(
        "1.0",
        &format!(
            "     2.0~bpo1 100\n        100 http://a b/main amd64 Packages\n     1.1 -1\n        500 http://a y/main amd64 Packages\n{installed}"
        ),
    );
    assert_eq!(
        kept_away(&both).map(|(v, p)| (v.version.as_str(), p)),
        Some(("1.1", Kept::Pinned(-1)))
    );
    // `APT::Get::Phase-Policy`: the version is there, but apt lists the package as up to date.
    let hidden = table(
        "1.0",
        &format!("     1.1 1 (phased 30%)\n        500 http://a y/main amd64 Packages\n{installed}"),
    );
    assert_eq!(
        kept_away(&hidden).map(|(v, p)| (v.version.as_str(), p)),
        Some(("1.1", Kept::Phased(30)))
    );
    let out = table(
        "1.1",
        &format!("     1.1 500\n        500 http://a y/main amd64 Packages\n{installed}"),
    );
    assert_eq!(kept_away(&out), None);
    let absent = policies(
        "q:\n  Installed: (none)\n  Candidate: 1\n  Version table:\n     1 500\n        500 http://a x/main amd64 Packages\n",
    );
    assert_eq!(absent["q"].installed, None);
}

#[test]
fn dpkg_lines_tell_what_is_there_held_or_out_of_order() {
    let lines: Vec<DpkgLine> = dpkg_lines(DPKG).collect();
    let of = |name: &str| lines.iter().find(|l| l.name == name).unwrap();
    assert!(of("adduser").present() && of("adduser").in_order() && !of("adduser").held());
    assert_eq!((of("bash").source, of("bash").source_version), ("bash", "5.2.15-2"));
    assert!(of("held").held() && of("held").present() && of("held").in_order());
    assert!(!of("removed").present(), "only its configuration is left");
    assert!(of("half").present() && !of("half").in_order());
    assert!(of("broken").present() && !of("broken").in_order());
    assert!(of("triggered").present() && !of("triggered").in_order());
}

#[test]
fn simulations_are_read_with_new_removed_and_foreign_packages() {
    let text = "Inst libdb5.3t64 (5.3.28+dfsg2-7 Ubuntu:24.04/noble [amd64]) []\n\
        Inst gcc-14-base [14-20240412-0ubuntu1] (14.2.0-4ubuntu2~24.04.1 Ubuntu:24.04/noble-updates, Ubuntu:24.04/noble-security [amd64]) [libstdc++6:amd64 libgcc-s1:amd64 ]\n\
        Inst libc6:i386 [2.36-9] (2.36-10 Debian:12.15/oldstable [i386])\n\
        Remv libdb5.3 [5.3.28+dfsg2-6]\nPurg old [1]\n\
        Conf libdb5.3t64 (5.3.28+dfsg2-7 Ubuntu:24.04/noble [amd64])\nReading package lists...\n";
    let all = changes(text);
    assert_eq!(all.len(), 5);
    let new = Change::Install {
        name: "libdb5.3t64".into(),
        arch: "amd64".into(),
        old: None,
        new: "5.3.28+dfsg2-7".into(),
    };
    assert_eq!(all[0], new);
    let foreign = Change::Install {
        name: "libc6".into(),
        arch: "i386".into(),
        old: Some("2.36-9".into()),
        new: "2.36-10".into(),
    };
    assert_eq!(all[2], foreign);
    assert_eq!(
        all[3],
        Change::Remove {
            name: "libdb5.3".into(),
            old: Some("5.3.28+dfsg2-6".into())
        }
    );
}

#[test]
fn shown_paragraphs_give_source_size_hash_and_dependencies() {
    let text = "Package: perl-base\nSource: perl (5.36.0-7)\nVersion: 5.36.0-7+b1\nArchitecture: amd64\n\
        Pre-Depends: libc6 (>= 2.35), dpkg (>= 1.17.17)\nDepends: a | b (= 1), libnew5 (>= 2)\n\
        Description-en: minimal Perl system\n Perl: a\n scripting language.\nDescription-md5: 6\nSection: perl\nSize: 1609596\nSHA256: ab\n\n\
        Package: zip\nVersion: 3\nArchitecture: amd64\nDescription: Archiver\n";
    let all: Vec<Shown> = shown(text).collect();
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].source(), ("perl", "5.36.0-7"));
    assert_eq!(
        (all[0].size, all[0].sha256, all[0].section, all[0].summary),
        (1_609_596, "ab", "perl", "minimal Perl system")
    );
    assert_eq!((all[1].source(), all[1].summary), (("zip", "3"), "Archiver"));
    assert!(!met(&all[0], &BTreeSet::from(["libc6", "dpkg", "b"])));
    assert!(met(&all[0], &BTreeSet::from(["libc6", "dpkg", "b", "libnew5"])));
    assert!(met(&all[1], &BTreeSet::new()));
}
