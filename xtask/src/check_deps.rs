//! Who may import whom. The table is the architecture: to change it, change `docs/architecture.md` too.

use crate::process::{cargo, output_of};
use crate::toolchain;
use crate::{invariants, tidy};
use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What one of our crates may depend on directly (not counting dev-dependencies).
enum Rule {
    /// These and nothing else.
    Only(&'static [&'static str]),
    /// Anything but these.
    Never(&'static [&'static str]),
}

const RULES: &[(&str, Rule)] = &[
    ("domain", Rule::Only(&["serde", "thiserror"])),
    (
        "planner",
        Rule::Only(&["domain", "chrono", "chrono-tz", "rrule", "serde", "thiserror"]),
    ),
    (
        "protocol",
        Rule::Only(&[
            "domain",
            "serde",
            "serde_json",
            "thiserror",
            "ed25519-dalek",
            "sha2",
            "hex",
            "base64",
        ]),
    ),
    ("view", Rule::Only(&["domain", "serde"])),
    (
        "service",
        Rule::Never(&[
            "leptos",
            "leptos_axum",
            "leptos_meta",
            "leptos_router",
            "axum",
            "app",
            "server",
            "agent",
            "regex",
        ]),
    ),
    (
        "app",
        Rule::Never(&["planner", "protocol", "agent", "server", "regex", "tokio"]),
    ),
    (
        "frontend",
        Rule::Only(&[
            "app",
            "leptos",
            "wasm-bindgen",
            "wasm-bindgen-futures",
            "console_error_panic_hook",
        ]),
    ),
    ("server", Rule::Never(&["agent", "frontend"])),
    (
        "agent",
        Rule::Never(&[
            "planner", "service", "view", "app", "server", "leptos", "axum", "tokio", "reqwest", "regex",
        ]),
    ),
    ("sim", Rule::Never(&["app", "leptos", "axum"])),
    (
        "fleet",
        Rule::Only(&[
            "domain",
            "protocol",
            "ed25519-dalek",
            "hex",
            "serde",
            "serde_json",
            "sha2",
        ]),
    ),
    ("bench", Rule::Never(&["service", "planner", "server", "app", "agent"])),
    (
        "xtask",
        Rule::Never(&[
            "domain", "planner", "protocol", "view", "service", "app", "server", "agent",
        ]),
    ),
];

/// Outside crates that only one of ours may depend on: whoever else needs them asks that one.
const ONE_OWNER: &[(&str, &str)] = &[
    ("sqlx", "service"),
    ("chrono", "planner"),
    ("chrono-tz", "planner"),
    ("rrule", "planner"),
];

/// What browsers must never have to load: time-zone data alone cost 54 kB (brotli), a regex engine more.
const NOT_IN_BROWSERS: &[&str] = &[
    "chrono-tz",
    "chrono",
    "rrule",
    "sqlx",
    "tokio",
    "axum",
    "planner",
    "service",
];
/// `regex` comes with leptos_config, where only server code calls it and the linker drops it; ours must not call it.
const REGEX_BY: &str = "leptos_config";

pub(crate) fn check() -> Result<()> {
    let mut problems = Vec::new();
    direct(&mut problems)?;
    browser(&mut problems)?;
    tidy::check(&mut problems)?;
    invariants::check(&mut problems)?;
    if problems.is_empty() {
        println!("imports and house rules are kept");
        return Ok(());
    }
    for problem in &problems {
        println!("  {problem}");
    }
    bail!("{} rules broken", problems.len());
}

fn direct(problems: &mut Vec<String>) -> Result<()> {
    let text = output_of(&mut cargo([
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
        "--locked",
    ]))?;
    let metadata: Value = serde_json::from_str(&text)?;
    for package in list(&metadata, "packages")? {
        let name = package["name"].as_str().context("a package without a name")?;
        let Some((_, rule)) = RULES.iter().find(|(crate_name, _)| *crate_name == name) else {
            problems.push(format!(
                "crate `{name}` has no import rule: add one to xtask/src/check_deps.rs"
            ));
            continue;
        };
        for dependency in list(package, "dependencies")? {
            let other = dependency["name"].as_str().context("a dependency without a name")?;
            if let Some((_, owner)) = ONE_OWNER
                .iter()
                .find(|(outside, owner)| *outside == other && *owner != name)
            {
                problems.push(format!("`{name}` imports `{other}`, which only `{owner}` may"));
            }
            let for_tests = dependency["kind"] == "dev";
            let allowed = match rule {
                Rule::Only(these) => these.contains(&other),
                Rule::Never(these) => !these.contains(&other),
            };
            if !for_tests && !allowed {
                problems.push(format!("`{name}` may not import `{other}`"));
            }
        }
    }
    Ok(())
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    value[key]
        .as_array()
        .with_context(|| format!("cargo metadata has no `{key}`"))
}

/// The whole tree that is linked into the WASM file.
fn browser(problems: &mut Vec<String>) -> Result<()> {
    let tree = |extra: &[&str]| {
        output_of(
            cargo(["tree", "-p", "frontend", "--target", toolchain::BROWSER, "--locked"])
                .args(["--edges", "normal,no-proc-macro", "--format", "{p}"])
                .args(extra),
        )
    };
    for line in tree(&["--prefix", "none", "--no-dedupe"])?.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        if NOT_IN_BROWSERS.contains(&name) {
            let problem = format!("the browser part contains `{name}`");
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    for line in tree(&["--prefix", "depth", "--invert", "regex", "--depth", "1"])
        .unwrap_or_default()
        .lines()
    {
        if let Some(user) = line.strip_prefix('1').and_then(|rest| rest.split_whitespace().next())
            && user != REGEX_BY
        {
            problems.push(format!("in the browser part, `{user}` uses `regex`"));
        }
    }
    Ok(())
}
