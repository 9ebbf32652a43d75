//! The device's sources, and which of them could be read when the indexes were last fetched.

use protocol::{ShortText, v1::SourceStatus};
use std::collections::BTreeMap;

/// The format for `apt-get indextargets`.
pub const TARGETS: &str = "$(REPO_URI)\t$(RELEASE)\t$(CODENAME)";

/// One source that apt has an index of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    uri: String,
    release: String,
    /// The name in reports.
    pub name: String,
}

/// Parses `apt-get indextargets` and names every source: by its codename (`bookworm-security`), which is also what updates carry as their
/// origin; by the archive where several share a codename (Ubuntu); with the host where even that is shared.
pub fn targets(text: &str) -> Vec<Target> {
    let mut rows: Vec<(String, String, String)> = text
        .lines()
        .filter_map(|line| {
            let mut f = line.split('\t');
            let uri = f.next()?.trim_end_matches('/').to_owned();
            Some((
                uri,
                f.next()?.trim_end_matches('/').to_owned(),
                f.next().unwrap_or_default().to_owned(),
            ))
        })
        .collect();
    rows.sort();
    rows.dedup();
    let mut by_codename: BTreeMap<String, usize> = BTreeMap::new();
    let mut by_release: BTreeMap<String, usize> = BTreeMap::new();
    for (_, release, codename) in &rows {
        *by_codename.entry(codename.clone()).or_default() += 1;
        *by_release.entry(release.clone()).or_default() += 1;
    }
    rows.into_iter()
        .map(|(uri, release, codename)| {
            let name = if !codename.is_empty() && by_codename[&codename] == 1 {
                codename
            } else if matches!(release.as_str(), "" | "." | "./") {
                site(&uri)
            } else if by_release[&release] == 1 {
                release.clone()
            } else {
                format!("{release} ({})", host(&uri))
            };
            Target { uri, release, name }
        })
        .collect()
}

/// Host and path of an address, without scheme, user and password.
fn site(uri: &str) -> String {
    let rest = uri
        .split_once("://")
        .map_or_else(|| uri.trim_start_matches("file:"), |(_, rest)| rest);
    let (host, path) = rest.split_once('/').map_or((rest, ""), |(h, p)| (h, p));
    let host = host.rsplit_once('@').map_or(host, |(_, h)| h);
    if path.is_empty() {
        host.to_owned()
    } else {
        format!("{host}/{path}")
    }
}

fn host(uri: &str) -> String {
    site(uri).split('/').next().unwrap_or_default().to_owned()
}

/// Reads what `apt-get update` said: which sources failed and why. A complaint that names no source (a lock, a full disk) is against all.
pub fn failures(out: &str, err: &str, code: Option<i32>, targets: &[Target]) -> Vec<SourceStatus> {
    let mut failed: BTreeMap<String, String> = BTreeMap::new();
    let complaints = err
        .lines()
        .chain(out.lines())
        .map(str::trim)
        .filter_map(|l| l.strip_prefix("W: ").or_else(|| l.strip_prefix("E: ")));
    let mut general = None;
    for text in complaints.filter(|t| !t.starts_with("Some index files failed")) {
        let known: Vec<&Target> = targets.iter().filter(|t| names(text, t)).collect();
        for target in &known {
            failed.entry(target.name.clone()).or_insert_with(|| reason(text));
        }
        if known.is_empty() {
            match unknown(text) {
                Some(name) => drop(failed.entry(name).or_insert_with(|| reason(text))),
                None => general = Some(general.unwrap_or_else(|| text.to_owned())),
            }
        }
    }
    if let (Some(text), true, false) = (general, failed.is_empty(), code == Some(0)) {
        failed.extend(targets.iter().map(|t| (t.name.clone(), text.clone())));
        if targets.is_empty() {
            failed.insert("apt".to_owned(), text);
        }
    }
    failed
        .into_iter()
        .map(|(name, why)| SourceStatus {
            name: ShortText::fit(&name),
            error: Some(ShortText::fit(&why)),
        })
        .collect()
}

fn names(text: &str, target: &Target) -> bool {
    let Target { uri, release, .. } = target;
    if release.is_empty() || release == "." {
        return text.contains(&format!("{uri}/")) || text.contains(&format!("{uri} "));
    }
    text.contains(&format!("{uri}/dists/{release}/")) || text.contains(&format!("{uri} {release} "))
}

/// The name of a source that apt has never read, from the complaint about it.
fn unknown(text: &str) -> Option<String> {
    let mut words = text.split_whitespace().map(|w| w.trim_matches('\''));
    let uri = words.find(|w| w.contains("://") || w.starts_with("file:/"))?;
    if let Some((_, rest)) = uri.split_once("/dists/") {
        // A suite may have slashes (`stable/updates`); its files start with an upper-case letter or are a component.
        let suite: Vec<&str> = rest
            .split('/')
            .take_while(|p| !p.starts_with(|c: char| c.is_ascii_uppercase()))
            .collect();
        return Some(suite.join("/")).filter(|s| !s.is_empty());
    }
    match words.next() {
        Some(release)
            if !release.starts_with("./")
                && words
                    .next()
                    .is_some_and(|w| w.starts_with("InRelease") || w.starts_with("Release")) =>
        {
            Some(release.to_owned())
        }
        _ => Some(site(uri)),
    }
}

/// The complaint without the address in front.
fn reason(text: &str) -> String {
    text.strip_prefix("Failed to fetch ")
        .and_then(|t| t.split_once("  "))
        .map_or(text, |(_, why)| why)
        .trim()
        .to_owned()
}

/// All sources with what is known of them.
pub fn statuses(targets: &[Target], failed: &[SourceStatus]) -> Vec<SourceStatus> {
    let mut all: BTreeMap<ShortText, SourceStatus> = BTreeMap::new();
    for target in targets {
        let name = ShortText::fit(&target.name);
        all.insert(name.clone(), SourceStatus { name, error: None });
    }
    all.extend(failed.iter().map(|s| (s.name.clone(), s.clone())));
    all.into_values().collect()
}

#[cfg(test)]
mod tests {
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
}
