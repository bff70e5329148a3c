//! Small JSON bodies.

use axum::body::Body;
use serde::de::DeserializeOwned;

use super::answer::Refusal;
use super::upload::small;

/// The most bytes of a small body.
const MAX_BODY: usize = 256 << 10;

/// Reads a JSON body; an empty one counts as `{}`, which some clients leave out.
pub(super) async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let text = small(body, MAX_BODY).await?;
    let text = if text.is_empty() { b"{}" } else { &text[..] };
    serde_json::from_slice(text)
        .map_err(|error| Refusal::malformed(format!("The body cannot be read: {error}.")))
}
