//! Refusals as they cross from server functions to pages, and the JSON in which everything crosses.

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use server_fn::codec::Post;
use server_fn::error::{FromServerFnError, ServerFnErrorErr};
use server_fn::{ContentType, Decodes, Encodes, Format, FormatType, Http};
use view::UiError;

/// A [`UiError`] that server functions can return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AppError(pub UiError);

impl From<UiError> for AppError {
    fn from(error: UiError) -> Self {
        Self(error)
    }
}

impl FromServerFnError for AppError {
    type Encoder = PageJson;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        #[cfg(feature = "ssr")]
        if matches!(
            error,
            ServerFnErrorErr::Serialization(_)
                | ServerFnErrorErr::ServerError(_)
                | ServerFnErrorErr::MiddlewareError(_)
                | ServerFnErrorErr::Response(_)
        ) {
            return service::Error::Inconsistent(error.to_string()).into();
        }
        // It did not arrive, or not as this version writes it; the words are ours.
        drop(error);
        Self(UiError::Transport)
    }
}

/// JSON, read as text. Pages read their first data as text too: one deserialiser per type in the browser instead of two.
pub struct PageJson;

impl ContentType for PageJson {
    const CONTENT_TYPE: &'static str = "application/json";
}

impl FormatType for PageJson {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for PageJson {
    type Error = serde_json::Error;

    fn encode(output: &T) -> Result<Bytes, Self::Error> {
        serde_json::to_string(output).map(Bytes::from)
    }
}

impl<T: DeserializeOwned> Decodes<T> for PageJson {
    type Error = serde_json::Error;

    fn decode(bytes: Bytes) -> Result<T, Self::Error> {
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        serde_json::from_str(text)
    }
}

/// How pages read: arguments and answer are JSON in the body of a POST. Forms use the default (a POST form), so that they work without
/// JavaScript. Nothing uses GET: no link may reach a server function.
pub type Read = Http<Post<PageJson>, Post<PageJson>>;
