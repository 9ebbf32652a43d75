//! Which patches bring in a package that is not installed yet. A patch is one source package, and its new dependencies often come from
//! another: Ubuntu's `linux-meta` brings the image of `linux-signed`, which brings the modules of `linux`.

use super::text::{Shown, depends};
use std::collections::{BTreeMap, BTreeSet};

/// For each of the `new` packages the source packages, among those of `updates`, that need it directly or through other new ones.
/// `there`: what is installed, by name and by what it provides.
pub fn brought(updates: &[&Shown], new: &[&Shown], there: &BTreeSet<&str>) -> Vec<BTreeSet<String>> {
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut by_provided: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, shown) in new.iter().enumerate() {
        by_name.entry(shown.name).or_default().push(at);
        for provided in shown.provides.split(',') {
            let name = provided.trim().split([' ', '(']).next().unwrap_or_default();
            by_provided.entry(name).or_default().push(at);
        }
    }
    let fits = |shown: &Shown, at: usize| {
        let (a, b) = (shown.arch, new[at].arch);
        a == b || a == "all" || b == "all"
    };
    let needs = |shown: &Shown| -> Vec<usize> {
        let mut all = Vec::new();
        for group in depends(shown) {
            let named = |list: &BTreeMap<&str, Vec<usize>>| -> Vec<usize> {
                let found = group.iter().filter_map(|name| list.get(*name)).flatten();
                found.copied().filter(|at| fits(shown, *at)).collect()
            };
            // What is there already in one architecture may come in for another.
            let met = |name: &&str| there.contains(name) && !by_name.contains_key(name);
            if group.iter().any(met) {
                continue;
            }
            let direct = named(&by_name);
            all.extend(if direct.is_empty() { named(&by_provided) } else { direct });
        }
        all
    };
    let further: Vec<Vec<usize>> = new.iter().map(|shown| needs(shown)).collect();
    let mut out = vec![BTreeSet::new(); new.len()];
    for shown in updates {
        let source = shown.source().0;
        let mut open = needs(shown);
        while let Some(at) = open.pop() {
            if out[at].insert(source.to_owned()) {
                open.extend(&further[at]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{super::text::shown, *};

    const NEW: &str = "\
Package: linux-image-52-generic\nArchitecture: amd64\nVersion: 52\nSource: linux-signed\nDepends: kmod, linux-modules-52-generic

Package: linux-modules-52-generic\nArchitecture: amd64\nVersion: 52\nSource: linux\nDepends: linux-image-52-generic | linux-image-unsigned-52-generic

Package: libnew\nArchitecture: i386\nVersion: 1\nSource: new\nProvides: libvirtual (= 1)

Package: wished\nArchitecture: all\nVersion: 1\nSource: wished";
    const UPDATES: &str = "\
Package: linux-image-generic\nArchitecture: amd64\nVersion: 52\nSource: linux-meta\nDepends: linux-image-52-generic, linux-firmware

Package: linux-libc-dev\nArchitecture: amd64\nVersion: 52\nSource: linux

Package: wine\nArchitecture: i386\nVersion: 2\nPre-Depends: libvirtual:i386 (>= 1)

Package: editor\nArchitecture: amd64\nVersion: 2\nDepends: ed | wished, libvirtual\nRecommends: wished";

    #[test]
    fn a_new_package_is_told_with_every_source_that_needs_it() {
        let (new, updates): (Vec<Shown>, Vec<Shown>) = (shown(NEW).collect(), shown(UPDATES).collect());
        let there = BTreeSet::from(["kmod", "linux-firmware", "ed", "libvirtual"]);
        let ask = |there| -> Vec<Vec<String>> {
            let all = brought(
                &updates.iter().collect::<Vec<_>>(),
                &new.iter().collect::<Vec<_>>(),
                there,
            );
            all.into_iter().map(|sources| sources.into_iter().collect()).collect()
        };
        let found = ask(&there);
        assert_eq!(found[0], ["linux-meta"]);
        assert_eq!(found[1], ["linux-meta"], "through the image");
        assert!(found[2].is_empty(), "it is provided already");
        assert!(
            found[3].is_empty(),
            "another alternative is there, and what is only recommended is not asked for"
        );
        let fewer = BTreeSet::from(["kmod", "linux-firmware"]);
        let found = ask(&fewer);
        assert_eq!(found[2], ["wine"], "for its own architecture only");
        assert_eq!(found[3], ["editor"]);
    }
}
