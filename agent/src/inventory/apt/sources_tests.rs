use super::*;

const DEBIAN: &str = "http://archive.example/debian/\tbookworm\tbookworm\n\
    http://archive.example/debian/\tbookworm\tbookworm\n\
    http://archive.example/debian/\tbookworm-updates\tbookworm-updates\n\
    http://user:word@archive.example/debian-security/\tstable-security\tbookworm-security\n";

#[test]
fn sources_are_named_by_codename_archive_or_site() {
    let names = |text: &str| targets(text).into_iter().map(|t| t.name).collect::<Vec<_>>();
    assert_eq!(names(DEBIAN), ["bookworm", "bookworm-updates", "bookworm-security"]);
    let ubuntu = "http://u.example/ubuntu/\tnoble\tnoble\nhttp://u.example/ubuntu/\tnoble-security\tnoble\n";
    assert_eq!(names(ubuntu), ["noble", "noble-security"]);
    let shared = "https://a.example/d\tstable\t\nhttps://b.example/r\tstable\t\nfile:/var/lib/x/rollback/\t./\t\n";
    assert_eq!(
        names(shared),
        ["/var/lib/x/rollback", "stable (a.example)", "stable (b.example)"]
    );
}

#[test]
fn a_failed_fetch_names_its_source_and_a_full_disk_all_of_them() {
    let targets = targets(DEBIAN);
    let err = "W: Failed to fetch http://127.0.0.1:9/debian/dists/bookworm-nothere/InRelease  Could not connect to 127.0.0.1:9\n\
        W: GPG error: http://archive.example/debian bookworm-updates InRelease: The following signatures were invalid: EXPKEYSIG 1\n\
        W: Some index files failed to download. They have been ignored, or old ones used instead.\n";
    let failed = failures("", err, Some(0), &targets);
    let named: Vec<&str> = failed.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(named, ["bookworm-nothere", "bookworm-updates"]);
    assert_eq!(
        failed[0].error.as_ref().unwrap().as_str(),
        "Could not connect to 127.0.0.1:9"
    );
    let all = statuses(&targets, &failed);
    assert_eq!(all.len(), 4);
    assert_eq!(all.iter().filter(|s| s.error.is_none()).count(), 2);
    let lock = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)\n";
    assert_eq!(failures("", lock, Some(100), &targets).len(), 3);
    assert!(
        failures(
            "Hit:1 http://archive.example/debian bookworm InRelease\n",
            "",
            Some(0),
            &targets
        )
        .is_empty()
    );
}

/// Two sources, as `apt-get indextargets` names them.
fn two() -> Vec<Target> {
    targets(
        "http://archive.example/debian/\tbookworm\tbookworm\n\
         http://archive.example/debian/\tbookworm-security\tbookworm-security\n",
    )
}

/// The sources that a refresh is told to have missed; `said` is what apt 2.6.1 printed, of which only the site's name was changed.
fn missed(code: i32, said: &str) -> Vec<String> {
    let failed = failures("Reading package lists...\n", said, Some(code), &two());
    failed.into_iter().map(|f| f.name.as_str().to_owned()).collect()
}

#[test]
fn warnings_about_sources_that_were_read_are_no_failures() {
    let keyring = "W: http://archive.example/debian/dists/bookworm/InRelease: Key is stored in legacy trusted.gpg keyring (/etc/apt/trusted.gpg), see the DEPRECATION section in apt-key(8) for details.\n\
        W: http://archive.example/debian/dists/bookworm-security/InRelease: Key is stored in legacy trusted.gpg keyring (/etc/apt/trusted.gpg), see the DEPRECATION section in apt-key(8) for details.\n";
    assert!(missed(0, keyring).is_empty());
    let twice = "W: Target Packages (main/binary-amd64/Packages) is configured multiple times in /etc/apt/sources.list:1 and /etc/apt/sources.list:2\n\
        W: Skipping acquire of configured file 'nothere/binary-amd64/Packages' as repository 'http://archive.example/debian bookworm InRelease' doesn't have the component 'nothere' (component misspelt in sources.list?)\n";
    assert!(missed(0, twice).is_empty());
    let notes = "N: Skipping acquire of configured file 'main/binary-i386/Packages' as repository 'http://archive.example/debian bookworm InRelease' doesn't support architecture 'i386'\n\
        N: Repository 'http://archive.example/debian bookworm InRelease' changed its 'Version' value from '12.10' to '12.11'\n\
        W: http://archive.example/debian/dists/bookworm/InRelease: Policy will reject signature within a year, see --audit for details\n";
    assert!(missed(0, notes).is_empty());
    // A command of the owner's that runs after the refresh.
    let hook = "E: Problem executing scripts APT::Update::Post-Invoke-Success 'exit 3'\nE: Sub-process returned an error code\n";
    assert!(missed(100, hook).is_empty());
}

#[test]
fn what_was_not_read_is_told_of_its_source_alone() {
    let unreachable = "W: Failed to fetch http://archive.example/debian/dists/bookworm-security/InRelease  Could not connect to archive.example:80 (192.0.2.1). - connect (111: Connection refused)\n\
        W: Some index files failed to download. They have been ignored, or old ones used instead.\n";
    let hash = "E: Failed to fetch http://archive.example/debian/dists/bookworm-security/main/binary-amd64/Packages  File has unexpected size (2 != 5). Mirror sync in progress? [IP: 192.0.2.1 80]\n   \
        Hashes of expected file:\n    - Filesize:5 [weak]\n    - SHA256:0000000000000000000000000000000000000000000000000000000000000001\n   \
        Release file created at: Mon, 30 Nov 2026 06:46:56 +0000\n\
        E: Some index files failed to download. They have been ignored, or old ones used instead.\n";
    let expired = "E: Release file for http://archive.example/debian/dists/bookworm-security/InRelease is expired (invalid since 272d 20h 47min 36s). Updates for this repository will not be applied.\n";
    let warned = expired.replace("E: ", "W: ");
    let unsigned = "W: GPG error: http://archive.example/debian bookworm-security InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 5447FED873D94FB2\n\
        E: The repository 'http://archive.example/debian bookworm-security InRelease' is not signed.\n";
    let replaced = "W: An error occurred during the signature verification. The repository is not updated and the previous index files will be used. GPG error: http://archive.example/debian bookworm-security InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 9DD1656F93249FDE\n\
        W: Failed to fetch http://archive.example/debian/dists/bookworm-security/InRelease  The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 9DD1656F93249FDE\n\
        W: Some index files failed to download. They have been ignored, or old ones used instead.\n";
    for (code, said) in [
        (0, unreachable),
        (100, hash),
        (100, expired),
        (0, warned.as_str()),
        (100, unsigned),
        (0, replaced),
    ] {
        assert_eq!(missed(code, said), ["bookworm-security"], "{said}");
    }
    let gone = "E: The repository 'http://archive.example/debian sid Release' does not have a Release file.\n";
    assert_eq!(missed(100, gone), ["sid"]);
}

#[test]
fn what_names_no_source_is_told_of_all() {
    let all = ["bookworm", "bookworm-security"];
    let some = "W: Some index files failed to download. They have been ignored, or old ones used instead.\n";
    assert_eq!(missed(0, some), all);
    let malformed =
        "E: Malformed entry 2 in list file /etc/apt/sources.list (Suite)\nE: The list of sources could not be read.\n";
    assert_eq!(missed(100, malformed), all);
    let conflict = "E: Conflicting values set for option Signed-By regarding source http://archive.example/debian/ bookworm: /tmp/a != \n\
        E: The list of sources could not be read.\n";
    assert_eq!(missed(100, conflict), all);
    assert_eq!(missed(100, ""), all);
    assert_eq!(failures("", "", None, &two()).len(), 2, "killed");
    assert!(failures("", "", Some(0), &two()).is_empty());
}
