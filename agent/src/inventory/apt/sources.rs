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

/// What apt says when it goes on without a source, or with what it had read of it before. All its other warnings are about sources that it
/// has read: keys in an old place, a signature that it will not take next year, a suite that changed its name, a line that stands there
/// twice.
const UNREAD: [&str; 7] = [
    "Failed to fetch ",
    "GPG error: ",
    "An error occurred during the signature verification",
    "The repository is not updated and the previous index files will be used",
    "Some index files failed to download",
    "does not have a Release file",
    "does no longer have a Release file",
];
/// An expired Release file stops apt, or is only warned of, as it is told: what it lists is of the past in any case.
const EXPIRED: [&str; 2] = [" is expired ", " is not valid yet "];
/// With this, apt has looked at none.
const NO_LIST: &str = "The list of sources could not be read";
/// What the owner's own commands after a refresh say is not about any source.
const AFTERWARDS: [&str; 2] = ["APT::Update::Post-Invoke", "Sub-process returned an error code"];

/// The complaint in a line of apt's, if it says that something was not read. `N:` are notes, and so are most warnings.
fn complaint(line: &str) -> Option<&str> {
    let has = |text: &str, words: &[&str]| words.iter().any(|w| text.contains(w));
    let after = |words: [&str; 2]| words.into_iter().find_map(|w| line.strip_prefix(w));
    if let Some(text) = after(["W: ", "Warning: "]) {
        let unread = has(text, &UNREAD) || (text.starts_with("Release file for ") && has(text, &EXPIRED));
        return Some(text).filter(|_| unread);
    }
    after(["E: ", "Error: "]).filter(|text| !has(text, &AFTERWARDS))
}

/// Reads what `apt-get update` said: which sources failed and why. A complaint that names no source (a lock, a full disk) is against all,
/// unless the sources that it is about were named beside it.
pub fn failures(out: &str, err: &str, code: Option<i32>, targets: &[Target]) -> Vec<SourceStatus> {
    let mut failed: BTreeMap<String, String> = BTreeMap::new();
    let mut general = None;
    for text in err.lines().chain(out.lines()).map(str::trim).filter_map(complaint) {
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
    if err.contains(NO_LIST) {
        failed.clear();
    }
    if general.is_none() && code != Some(0) && !err.contains(AFTERWARDS[0]) {
        general = Some(code.map_or_else(
            || "apt-get update was stopped".to_owned(),
            |code| format!("apt-get update ended with exit code {code}"),
        ));
    }
    if let (Some(text), true) = (general, failed.is_empty()) {
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

/// Whether someone else's apt held the lock on the indexes, so that nothing was tried.
pub fn locked(err: &str) -> bool {
    err.lines()
        .any(|l| l.contains("Could not get lock") && l.contains("lists/lock"))
}

fn names(text: &str, target: &Target) -> bool {
    let Target { uri, release, .. } = target;
    if release.is_empty() || release == "." {
        return text.contains(&format!("{uri}/")) || text.contains(&format!("{uri} "));
    }
    // `Release file for http://site/debian/dists/bookworm/InRelease is expired`, `The repository 'http://site/debian bookworm Release'`
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
#[path = "sources_tests.rs"]
mod tests;
