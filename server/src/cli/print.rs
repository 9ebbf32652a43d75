//! Answers on the terminal.

use crate::cli::host::HostReply;
use anyhow::Result;
use domain::Moment;
use std::io::Write as _;
use view::{Instant, LadderStep, StepStatus};

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Words,
    /// The bare value, for scripts.
    Plain,
    /// Everything, for programs.
    Json,
}

/// Prints an answer on standard output.
///
/// # Errors
/// When standard output is closed.
pub fn reply(reply: &HostReply, form: Form) -> Result<()> {
    let text = match form {
        Form::Json => serde_json::to_string_pretty(reply)?,
        Form::Plain => plain(reply),
        Form::Words => words(reply),
    };
    writeln!(std::io::stdout().lock(), "{}", text.trim_end())?;
    Ok(())
}

fn plain(reply: &HostReply) -> String {
    match reply {
        HostReply::Token(token) => token.token.clone(),
        HostReply::Link(link) => link.clone(),
        other => words(other),
    }
}

fn words(reply: &HostReply) -> String {
    match reply {
        HostReply::Done(text) | HostReply::Text(text) => text.clone(),
        HostReply::Link(link) => format!("Sign in at {link}\nIt works once, within 15 minutes."),
        HostReply::Token(token) => {
            let local = if token.is_local() {
                "\nThis address works on the server itself only: for other devices start the server with --public-url."
            } else {
                ""
            };
            format!(
                "{}\n\nOn the device, where the program patchward-agent has to be, run as root:\n  {}{local}\n\nValid until {}. The token is not shown again.",
                token.token,
                token.command,
                moment(token.expires)
            )
        }
        HostReply::Accounts(rows) => table(
            &["name", "role", "password", "sessions", "state"],
            rows.iter().map(|row| {
                vec![
                    row.name.clone(),
                    row.role.label().to_owned(),
                    if row.has_password { "yes" } else { "no" }.to_owned(),
                    row.sessions.len().to_string(),
                    row.disabled
                        .map_or_else(|| "active".to_owned(), |at| format!("disabled {}", moment(at))),
                ]
            }),
        ),
        HostReply::Tokens(rows) => table(
            &["no", "label", "group", "uses", "acceptance", "installs", "until"],
            rows.iter().map(|row| {
                vec![
                    row.id.to_string(),
                    row.label.clone(),
                    row.group.clone().unwrap_or_else(|| "-".to_owned()),
                    format!("{}/{}", row.uses.0, row.uses.1),
                    if row.accept { "at once" } else { "by a person" }.to_owned(),
                    if row.scan_only { "never" } else { "as decided" }.to_owned(),
                    row.revoked
                        .map_or_else(|| moment(row.expires), |_| "revoked".to_owned()),
                ]
            }),
        ),
        HostReply::Devices(rows) => table(
            &[
                "no",
                "host",
                "os",
                "state",
                "group",
                "to install",
                "security",
                "last contact",
                "fingerprint",
            ],
            rows.iter().map(|row| {
                vec![
                    row.id.to_string(),
                    row.hostname.clone(),
                    row.os.clone(),
                    row.state.label().to_owned(),
                    row.group.clone().unwrap_or_else(|| "-".to_owned()),
                    row.open.to_string(),
                    row.security.to_string(),
                    moment(row.last_contact),
                    row.key_id.clone(),
                ]
            }),
        ),
        HostReply::Backup {
            devices,
            patches,
            audit_records,
            audit_head,
            bytes,
        } => format!(
            "Checked: {devices} devices, {patches} patches, {audit_records} audit records that all hold (head {audit_head}), {bytes} bytes."
        ),
        HostReply::Audit { records, head } => format!("All {records} records hold. Head: {head}"),
        HostReply::Explained(patch) => {
            let title = format!(
                "{} {}: {}\n{}",
                patch.product,
                patch.version,
                patch.state.label(),
                patch.headline
            );
            let earliest = patch
                .earliest
                .as_ref()
                .map(|at| format!("\nEarliest: {at}"))
                .unwrap_or_default();
            format!("{title}{earliest}\n\n{}", ladder(&patch.ladder))
        }
    }
}

/// Every gate; columns in which no gate has anything are left out.
fn ladder(steps: &[LadderStep]) -> String {
    let mut head = vec!["", "gate", "since", "opens", "by", "why"];
    let mut rows: Vec<Vec<String>> = steps.iter().map(step).collect();
    for column in (0..head.len()).rev() {
        if rows.iter().all(|row| row.get(column).is_none_or(String::is_empty)) {
            head.remove(column);
            for row in &mut rows {
                row.remove(column);
            }
        }
    }
    table(&head, rows.into_iter())
}

fn step(step: &LadderStep) -> Vec<String> {
    let sign = match step.status {
        StepStatus::Open => "open",
        StepStatus::Opens => "later",
        StepStatus::Closed => "CLOSED",
    };
    let at = |at: &Option<Instant>| at.as_ref().map_or_else(String::new, Instant::to_string);
    let why = match &step.until {
        Some(until) => format!("{}; until {until}", step.text),
        None => step.text.to_string(),
    };
    vec![
        sign.to_owned(),
        step.label.clone(),
        at(&step.since),
        at(&step.opens),
        step.by.clone().unwrap_or_default(),
        why,
    ]
}

/// UTC to the minute. The terminal's zone is not asked: logs and audit speak UTC too.
fn moment(at: Moment) -> String {
    let (days, second) = (at.0.div_euclid(86_400), at.0.rem_euclid(86_400));
    // Days since 0000-03-01, in eras of 400 years that are all alike.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02} UTC",
        second / 3_600,
        second / 60 % 60
    )
}

/// Columns as wide as their widest cell. Text from devices was freed of control characters before it was stored.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = std::iter::once(head.iter().map(|&cell| cell.to_owned()).collect())
        .chain(rows)
        .collect();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use view::{Part, Text};

    #[test]
    fn moments_are_dates() {
        assert_eq!(moment(Moment(0)), "1970-01-01 00:00 UTC");
        assert_eq!(moment(Moment(951_782_399)), "2000-02-28 23:59 UTC");
        assert_eq!(moment(Moment(951_782_400)), "2000-02-29 00:00 UTC");
        assert_eq!(moment(Moment(1_893_455_940)), "2029-12-31 23:59 UTC");
    }

    #[test]
    fn a_tokens_address_that_reaches_nobody_is_told() {
        let said = |url: &str| {
            words(&HostReply::Token(view::NewToken {
                token: "pwe_x".to_owned(),
                command: format!("patchward-agent enroll {url} pwe_x"),
                expires: Moment(0),
            }))
        };
        assert!(said("http://127.0.0.1:7677").contains("--public-url"));
        assert!(!said("https://patch.example").contains("--public-url"));
    }

    #[test]
    fn a_ladder_tells_since_when_and_by_whom() {
        let rung = |label: &str, status, text: &str| LadderStep {
            gate: String::new(),
            label: label.to_owned(),
            status,
            text: Text(vec![Part::Words(text.to_owned())]),
            since: None,
            opens: None,
            until: None,
            by: None,
        };
        let at = Some(Instant {
            at: Moment(951_782_399),
            device: None,
        });
        let approved = LadderStep {
            since: at,
            by: Some("anna".to_owned()),
            ..rung("Approved", StepStatus::Open, "For Pilot")
        };
        let stopped = LadderStep {
            until: Some(Text(vec![Part::Words("somebody resolves it".to_owned())])),
            ..rung("No hold", StepStatus::Closed, "Held")
        };
        // No gate opens by itself: there is no such column.
        assert_eq!(
            ladder(&[approved, stopped]),
            "        gate      since                 by    why\n\
             open    Approved  2000-02-28 23:59 UTC  anna  For Pilot\n\
             CLOSED  No hold                               Held; until somebody resolves it"
        );
    }

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["1".to_owned(), "größe".to_owned()],
            vec!["22".to_owned(), "b".to_owned()],
        ];
        assert_eq!(table(&["no", "name"], rows.into_iter()), "no  name\n1   größe\n22  b");
    }
}
