//! Licences, bans and sources as `deny.toml` has them, from what cargo itself knows. `cargo deny` reads the same file and
//! sees more (licence texts, advisories); this part needs nothing installed, so that it runs everywhere.

use crate::process::{cargo, output_of, root};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use spdx::{Expression, LicenseReq, Licensee, ParseMode};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
struct Rules {
    licenses: Licences,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

/// A crate that only its `wrappers` may depend on.
#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    #[serde(default)]
    wrappers: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// None for packages of this workspace.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Fails with every package that breaks a rule.
pub(crate) fn check() -> Result<()> {
    let file = root().join("deny.toml");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let metadata = output_of(&mut cargo(["metadata", "--format-version", "1", "--locked"]))?;
    let broken = broken_rules(&text, &metadata)?;
    if !broken.is_empty() {
        bail!("{}", broken.join("\n"));
    }
    Ok(())
}

fn broken_rules(rules: &str, metadata: &str) -> Result<Vec<String>> {
    let rules: Rules = toml::from_str(rules).context("deny.toml")?;
    let metadata: Metadata = serde_json::from_str(metadata).context("cargo metadata")?;
    let allowed = rules
        .licenses
        .allow
        .iter()
        .map(|name| Licensee::parse(name).with_context(|| format!("deny.toml: {name} is no licence")))
        .collect::<Result<Vec<_>>>()?;
    let may = |req: &LicenseReq| allowed.iter().any(|licensee| licensee.satisfies(req));
    let mut broken = Vec::new();
    for package in &metadata.packages {
        let who = format!("{} {}", package.name, package.version);
        match package.license.as_deref() {
            None => broken.push(format!("{who} names no licence")),
            Some(licence) => match Expression::parse_mode(licence, ParseMode::LAX) {
                Ok(expression) if expression.evaluate(&may) => {}
                Ok(_) => broken.push(format!("{who}: {licence} is not allowed by deny.toml")),
                Err(error) => broken.push(format!("{who}: its licence cannot be read: {error}")),
            },
        }
        if package.source.as_deref().is_some_and(|source| source != CRATES_IO) {
            broken.push(format!("{who} does not come from crates.io"));
        }
    }
    let names: BTreeMap<&str, &str> = metadata
        .packages
        .iter()
        .map(|package| (package.id.as_str(), package.name.as_str()))
        .collect();
    let name = |id: &str| names.get(id).copied().unwrap_or_default().to_owned();
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in &metadata.resolve.nodes {
        for used in &node.dependencies {
            users.entry(name(used)).or_default().insert(name(&node.id));
        }
    }
    for ban in &rules.bans.deny {
        for user in users.get(&ban.name).into_iter().flatten() {
            if !ban.wrappers.contains(user) {
                broken.push(format!("{user} may not depend on {}", ban.name));
            }
        }
    }
    Ok(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0 WITH LLVM-exception"]
        [bans]
        deny = [{ crate = "sqlx", wrappers = ["service"] }, { crate = "openssl-sys" }]
    "#;

    fn metadata(license: &str, source: &str, user: &str, used: &str) -> String {
        let package = |name: &str, license: &str, source: Option<&str>| serde_json::json!({ "id": name, "name": name, "version": "1.0.0", "license": license, "source": source });
        serde_json::json!({
            "packages": [package("a", license, Some(source)), package(user, "MIT", None), package(used, "MIT", Some(CRATES_IO))],
            "resolve": { "nodes": [{ "id": user, "dependencies": [used] }] },
        })
        .to_string()
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        let broken = |license, source, user, used| broken_rules(RULES, &metadata(license, source, user, used)).unwrap();
        assert_eq!(broken("MIT", CRATES_IO, "service", "sqlx"), [""; 0]);
        assert_eq!(broken("GPL-3.0 OR MIT", CRATES_IO, "service", "sqlx"), [""; 0]);
        assert_eq!(
            broken("Apache-2.0 WITH LLVM-exception", CRATES_IO, "service", "sqlx"),
            [""; 0]
        );
        // As old crates write it.
        assert_eq!(broken("GPL-3.0/MIT", CRATES_IO, "service", "sqlx"), [""; 0]);
        assert_eq!(
            broken("GPL-3.0 AND MIT", CRATES_IO, "service", "sqlx"),
            ["a 1.0.0: GPL-3.0 AND MIT is not allowed by deny.toml"]
        );
        assert_eq!(
            broken("MIT", "git+https://example.org/a", "service", "sqlx"),
            ["a 1.0.0 does not come from crates.io"]
        );
        assert_eq!(broken("MIT", CRATES_IO, "app", "sqlx"), ["app may not depend on sqlx"]);
        assert_eq!(
            broken("MIT", CRATES_IO, "b", "openssl-sys"),
            ["b may not depend on openssl-sys"]
        );
    }

    #[test]
    fn a_package_without_a_licence_is_named() {
        let metadata = r#"{"packages": [{"id": "a", "name": "a", "version": "1.0.0", "license": null, "source": null}], "resolve": {"nodes": []}}"#;
        assert_eq!(broken_rules(RULES, metadata).unwrap(), ["a 1.0.0 names no licence"]);
    }
}
