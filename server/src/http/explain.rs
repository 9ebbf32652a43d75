//! The gate ladder of one patch on one device for programs: the same decision and the same words as the page and `patchward explain`.

use crate::security::session::SignedIn;
use crate::state::AppState;
use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::{DeviceId, PatchId};
use view::UiError;

/// Where it is served.
pub const PATH: &str = "/api/v1/devices/{device}/patches/{patch}";

/// `200` with a [`view::DevicePatch`], or a [`UiError`] with the status that fits.
pub async fn serve(
    State(state): State<AppState>,
    Extension(SignedIn(actor)): Extension<SignedIn>,
    Path((device, patch)): Path<(String, String)>,
) -> Response {
    let answer = match (actor, device.parse::<DeviceId>(), patch.parse::<PatchId>()) {
        (None, _, _) => Err(UiError::NotSignedIn),
        (Some(actor), Ok(device), Ok(patch)) => {
            let explained = state.service.explain(&actor, device, patch).await;
            explained.map_err(|error| error.to_ui())
        }
        (Some(_), _, _) => Err(UiError::NotFound),
    };
    let unkept = [(header::CACHE_CONTROL, "no-store")];
    match answer {
        Ok(patch) => (unkept, Json(patch)).into_response(),
        Err(error) => refused(&error),
    }
}

/// A [`UiError`] as JSON, with the status that fits.
pub(super) fn refused(error: &UiError) -> Response {
    let status = super::statuses::of(error);
    (status, [(header::CACHE_CONTROL, "no-store")], Json(error)).into_response()
}
