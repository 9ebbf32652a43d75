//! The status view as a file for other programs (STA-1): the rows that the page shows under the same address, all of them.

use crate::security::session::SignedIn;
use crate::state::AppState;
use axum::extract::{Extension, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::{Moment, Urgency};
use view::{Approval, PatchRow, RingName, UiError};

/// Where it is served; the query is the page's.
pub const PATH: &str = "/patches/export.csv";

/// `200` with a CSV file (RFC 4180), or a [`UiError`] with the status that fits.
pub async fn serve(
    State(state): State<AppState>,
    Extension(SignedIn(actor)): Extension<SignedIn>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let filter = app::address::patch_filter(&query.into_iter().collect());
    let found = match actor {
        None => Err(UiError::NotSignedIn),
        Some(actor) => {
            let all = state.service.all_patches(&actor, &filter).await;
            all.map_err(|error| error.to_ui())
        }
    };
    let (rings, rows) = match found {
        Ok(found) => found,
        Err(error) => return super::explain::refused(&error),
    };
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"patchward-patches.csv\"",
        ),
    ];
    match write(&rings, &rows) {
        Ok(file) => (headers, file).into_response(),
        Err(error) => {
            tracing::error!(%error, "the export cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

const COLUMNS: [&str; 22] = [
    "id",
    "product",
    "version",
    "summary",
    "vendor",
    "origin",
    "os",
    "severity",
    "category",
    "released",
    "first_seen",
    "superseded_by",
    "superseded_by_version",
    "missing",
    "installed",
    "failed",
    "pending_reboot",
    "unknown",
    "superseded",
    "rolled_back",
    "held",
    "bytes",
];

fn write(rings: &[RingName], rows: &[PatchRow]) -> Result<Vec<u8>, csv::Error> {
    let mut file = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let approvals = rings.iter().map(|ring| format!("approval in {}", ring.name));
    file.write_record(COLUMNS.into_iter().map(str::to_owned).chain(approvals))?;
    for row in rows {
        let (by, by_version) = row
            .superseded_by
            .as_ref()
            .map_or_else(Default::default, |(id, version)| (id.to_string(), version.clone()));
        let counts = row.counts;
        let texts = [
            row.id.to_string(),
            row.product.clone(),
            row.version.clone(),
            row.summary.clone(),
            row.vendor.clone(),
            row.origin.clone(),
            row.os.clone(),
            row.severity.word().to_owned(),
            row.category.word().to_owned(),
            row.released.map(Moment::rfc3339).unwrap_or_default(),
            row.first_seen.rfc3339(),
            by,
            by_version,
        ];
        let numbers = [
            counts.missing,
            counts.installed,
            counts.failed,
            counts.pending,
            counts.unknown,
            counts.superseded,
            counts.rolled_back,
        ];
        let approvals = row.approvals.iter().map(|ring| approval(ring.approval).to_owned());
        let cells = texts
            .into_iter()
            .map(plain)
            .chain(numbers.map(|n| n.to_string()))
            .chain([if row.held { "yes" } else { "no" }.to_owned(), row.size.to_string()])
            .chain(approvals);
        file.write_record(cells)?;
    }
    file.into_inner().map_err(|error| error.into_error().into())
}

const fn approval(approval: Approval) -> &'static str {
    match approval {
        Approval::None => "",
        Approval::Approved {
            urgent: Urgency::Normal,
        } => "approved",
        Approval::Approved {
            urgent: Urgency::SkipSoak,
        } => "urgent",
        Approval::Approved {
            urgent: Urgency::SkipSoakAndWindows,
        } => "urgent, outside windows",
        Approval::Denied => "denied",
    }
}

/// A text that no spreadsheet takes for a formula: names come from devices, and "=HYPERLINK(…)" is a name (CWE-1236).
fn plain(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@a", "\tx"] {
            assert_eq!(plain(text.to_owned()), format!("'{text}"));
        }
        assert_eq!(plain("1:3.0-1~deb12u1".to_owned()), "1:3.0-1~deb12u1");
    }
}
