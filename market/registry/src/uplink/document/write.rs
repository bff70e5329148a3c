//! Writes the two forms that clients read.

use serde_json::value::RawValue;

/// JSON in the making.
pub(crate) struct Json(Vec<u8>);

impl Json {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// JSON as it is.
    pub(crate) fn raw(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// A text with its quotes.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        // Writing to a vector cannot fail, and a text is always JSON.
        let _ = serde_json::to_writer(&mut self.0, text);
        self
    }

    /// A member after a comma, if there is a value.
    pub(crate) fn member(&mut self, name: &str, value: Option<&RawValue>) {
        if let Some(value) = value {
            self.raw(",").text(name).raw(":").raw(value.get());
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
