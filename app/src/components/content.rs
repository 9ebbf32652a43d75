//! What came from the server, of a type that only the page that asked knows.
//!
//! Everything that waits, retries and hydrates handles content without looking into it, and is compiled once. The code that reads a
//! page's data is the page's own, and is loaded with it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::any::Any;
use std::sync::Arc;

/// Anything that a page can be told.
pub trait Told: Any + Send + Sync {
    /// As JSON, for the document that carries it to the browser.
    ///
    /// # Errors
    /// When it has no form in JSON.
    #[cfg(feature = "ssr")]
    fn json(&self) -> serde_json::Result<Box<RawValue>>;
}

impl<T: Serialize + Any + Send + Sync> Told for T {
    #[cfg(feature = "ssr")]
    fn json(&self) -> serde_json::Result<Box<RawValue>> {
        serde_json::value::to_raw_value(self)
    }
}

/// The content of an answer.
#[derive(Clone)]
pub struct Content(Kept);

#[derive(Clone)]
enum Kept {
    /// What a server function returned.
    Value(Arc<dyn Told>),
    /// What the document brought.
    Text(Arc<RawValue>),
}

impl Content {
    /// Wraps it.
    pub fn new<T: Told>(content: T) -> Self {
        Self(Kept::Value(Arc::new(content)))
    }

    /// Reads it; `None` when it is of another type.
    pub fn read<T: DeserializeOwned + Clone + 'static>(&self) -> Option<T> {
        match &self.0 {
            Kept::Value(content) => (&**content as &dyn Any).downcast_ref().cloned(),
            Kept::Text(text) => serde_json::from_str(text.get()).ok(),
        }
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            #[cfg(feature = "ssr")]
            Kept::Value(content) => {
                let json = content.json().map_err(serde::ser::Error::custom)?;
                json.serialize(serializer)
            }
            #[cfg(not(feature = "ssr"))]
            Kept::Value(_) => Err(serde::ser::Error::custom("content is written by the server only")),
            Kept::Text(text) => text.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(Kept::Text(text.into())))
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::error::AppError;
    use domain::DeviceId;
    use view::UiError;

    #[test]
    fn content_is_read_as_it_was_given_before_and_after_its_way_through_the_document() {
        let given = Content::new(vec![DeviceId(7)]);
        let document = serde_json::to_string(&Ok::<_, AppError>(given.clone())).unwrap();
        assert_eq!(document, r#"{"Ok":[7]}"#);
        let come: Result<Content, AppError> = serde_json::from_str(&document).unwrap();
        for answer in [given, come.unwrap()] {
            assert_eq!(answer.read::<Vec<DeviceId>>(), Some(vec![DeviceId(7)]));
            assert_eq!(answer.read::<String>(), None, "of another type");
        }
        let refused: Result<Content, AppError> = Err(AppError(UiError::NotFound));
        let document = serde_json::to_string(&refused).unwrap();
        let come: Result<Content, AppError> = serde_json::from_str(&document).unwrap();
        assert_eq!(come.err(), Some(AppError(UiError::NotFound)));
    }
}
