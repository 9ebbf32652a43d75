//! What is known of a device, and what speaks against trusting it.

use crate::components::icon::icon;
use crate::components::when::{when, when_or};
use crate::words::{bytes, plural};
use domain::{DeviceState, Measured};
use leptos::prelude::*;
use view::DevicePage;

/// What somebody should look at, each with its evidence.
pub fn concerns(page: &DevicePage) -> AnyView {
    let row = &page.row;
    let broken = page
        .sources
        .iter()
        .filter_map(|(name, wrong)| wrong.as_ref().map(|w| format!("{name}: {w}")))
        .collect::<Vec<_>>();
    let mut boxes = Vec::new();
    if matches!(row.state, DeviceState::Quarantined | DeviceState::Revoked) && !row.state_reason.is_empty() {
        boxes.push(concern(
            "bad",
            "alert",
            row.state.label().to_owned(),
            vec![row.state_reason.clone()],
        ));
    }
    if let Some(sentence) = &page.left_out {
        boxes.push(concern(
            "warn",
            "alert",
            "Nothing is installed here".to_owned(),
            vec![sentence.clone()],
        ));
    }
    if row.silent {
        let text = "What it misses is unknown until it scans again.".to_owned();
        boxes.push(concern(
            "unknown",
            "unknown",
            "No scan for too long".to_owned(),
            vec![text],
        ));
    }
    if !page.reboot.is_empty() {
        boxes.push(concern(
            "warn",
            "restart",
            "A restart is owed".to_owned(),
            page.reboot.clone(),
        ));
    }
    if !page.services.is_empty() {
        let n = u32::try_from(page.services.len()).unwrap_or(u32::MAX);
        boxes.push(concern(
            "warn",
            "restart",
            plural(n, "service runs old files", "services run old files"),
            page.services.clone(),
        ));
    }
    if let Some(n) = page.processes_unread.filter(|n| *n > 0) {
        let title = "Not every process could be looked at".to_owned();
        let text = format!(
            "{}: more services may run old files than are known here.",
            plural(n, "process was not readable", "processes were not readable")
        );
        boxes.push(concern("unknown", "unknown", title, vec![text]));
    }
    if !broken.is_empty() {
        let title = "Not every source could be read: what came from them is kept as it was".to_owned();
        boxes.push(concern("unknown", "unknown", title, broken));
    }
    if let Some(error) = &page.manager_error {
        boxes.push(concern(
            "bad",
            "alert",
            "The package manager complains".to_owned(),
            vec![error.clone()],
        ));
    }
    view! { <div class="concerns">{boxes}</div> }.into_any()
}

fn concern(tone: &'static str, icon_name: &'static str, title: String, evidence: Vec<String>) -> AnyView {
    let lines = evidence
        .into_iter()
        .map(|line| view! { <li>{line}</li> })
        .collect::<Vec<_>>();
    view! { <section class="concern" data-tone=tone><h2>{icon(icon_name)} " " {title}</h2><ul>{lines}</ul></section> }
        .into_any()
}

/// The facts.
pub fn facts(page: &DevicePage) -> AnyView {
    let row = &page.row;
    let manager = page
        .manager
        .clone()
        .unwrap_or_else(|| "none that is supported".to_owned());
    let location = page.locations.iter().find(|l| Some(l.id) == page.location);
    let location = location.map_or_else(|| "none".to_owned(), |l| l.name.clone());
    let sources = page.sources.iter().map(|(name, wrong)| {
        let mark = if wrong.is_some() { icon("cross") } else { icon("check") };
        let word = if wrong.is_some() { " not read" } else { " read" };
        view! { <li>{mark} " " {name.clone()} <small>{word}</small></li> }
    });
    let sources = sources.collect::<Vec<_>>();
    view! {
        <dl class="facts">
            <dt>"System"</dt><dd>{row.os.clone()}</dd>
            <dt>"Fingerprint"</dt><dd><code class="key">{row.key_id.clone()}</code></dd>
            <dt>"Last contact"</dt><dd>{when(row.last_contact)}</dd>
            <dt>"Last scan"</dt><dd>{when_or(row.last_scan, "never")}</dd>
            <dt>"Enrolled"</dt><dd>{when(page.enrolled)}</dd>
            <dt>"Location"</dt><dd>{location}</dd>
            <dt>"Time zone"</dt><dd>{page.zone.clone()}</dd>
            <dt>"Package manager"</dt><dd>{manager}</dd>
            <dt>"Power"</dt><dd>{power(page.on_battery)}</dd>
            <dt>"Measured"</dt><dd>{measured(page.measured)}</dd>
            <dt>"Agent"</dt><dd>{page.agent_version.clone()}</dd>
            <dt>"Sources"</dt><dd><ul class="plain">{sources}</ul></dd>
        </dl>
    }
    .into_any()
}

/// What it ran on when it last looked.
const fn power(on_battery: Option<bool>) -> &'static str {
    match on_battery {
        Some(true) => "on battery: nothing is installed",
        Some(false) => "on mains",
        None => "not told",
    }
}

/// How fast the device was the last time, from which the time of its installs is expected.
fn measured(measured: Measured) -> String {
    let download = measured
        .download_rate
        .map(|rate| format!("downloads at {}/s", bytes(rate)));
    let restart = measured.restart.map(|took| {
        let minutes = u32::try_from((took.0 + 59) / 60).unwrap_or(u32::MAX);
        format!("restarts within {}", plural(minutes, "minute", "minutes"))
    });
    let known: Vec<String> = [download, restart].into_iter().flatten().collect();
    if known.is_empty() {
        "nothing yet: what the policy states is expected".to_owned()
    } else {
        known.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Span;

    #[test]
    fn what_was_measured_is_said_in_units_of_people() {
        let said = |download_rate, restart: Option<i64>| {
            measured(Measured {
                download_rate,
                restart: restart.map(Span),
            })
        };
        assert_eq!(
            said(Some(2_500_000), Some(95)),
            "downloads at 2.5 MB/s, restarts within 2 minutes"
        );
        assert_eq!(said(None, Some(60)), "restarts within 1 minute");
        assert!(said(None, None).starts_with("nothing yet"));
        assert!(said(Some(u64::MAX), None).ends_with("TB/s"));
    }
}
