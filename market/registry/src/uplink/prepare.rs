//! Documents as our clients get them, prepared once and kept in memory as long as there is room.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::HeaderValue;
use kernel::Timestamp;

use super::Uplinks;
use super::document::{Foreign, LeftOut, one_version};
use super::error::{FetchError, UplinkError};
use super::fetch::Text;
use super::known::{Known, panicked};
use super::organisation::Binding;
use super::policy::Whose;
use crate::NpmName;
use crate::documents::{Encodings, Form};

/// What an entry costs beside its bytes, about.
const ENTRY_BYTES: u64 = 700;

/// A document ready to be sent.
#[derive(Debug)]
pub struct Prepared {
    /// The media type of its form.
    pub content_type: HeaderValue,
    /// Its bytes.
    pub encodings: Encodings,
    /// When something in it changed last, if nothing was left out and the uplink says so.
    pub last_modified: Option<HeaderValue>,
    source: blobs::Sha256,
    /// From when on it must be prepared anew, because a release becomes old enough.
    until: Option<Timestamp>,
}

impl Prepared {
    /// One version of it by its number or a tag, as JSON; `None` when it has none of that.
    #[must_use]
    pub fn manifest(&self, selector: &str) -> Option<Vec<u8>> {
        one_version(std::str::from_utf8(&self.encodings.plain.bytes).ok()?, selector)
    }
}

/// Which prepared document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    uplink: Arc<str>,
    name: NpmName,
    form: Form,
    base: Arc<str>,
    /// What tells the policies of the reader's organisations; shared by all who are in the same ones.
    binding: Option<Arc<str>>,
}

pub(crate) type Outcome = Result<Option<Arc<Prepared>>, UplinkError>;
pub(crate) type Cache = quick_cache::sync::Cache<Key, Arc<Prepared>, ByWeight>;

#[derive(Clone)]
pub(crate) struct ByWeight;

impl quick_cache::Weighter<Key, Arc<Prepared>> for ByWeight {
    fn weight(&self, _: &Key, prepared: &Arc<Prepared>) -> u64 {
        prepared.encodings.weight_bytes() + ENTRY_BYTES
    }
}

pub(crate) fn cache(max_bytes: u64) -> Cache {
    let items = usize::try_from(max_bytes / 8192).unwrap_or(usize::MAX).clamp(64, 65_536);
    quick_cache::sync::Cache::with_weighter(items, max_bytes, ByWeight)
}

impl Uplinks {
    /// A document in one form; `None` when nothing was ever in it. Many who ask at once wait for one.
    pub(crate) async fn prepared(
        &self,
        known: Known,
        name: &NpmName,
        form: Form,
        base: &str,
        binding: &Binding,
        now: Timestamp,
    ) -> Outcome {
        let (uplink, name, base) = (Arc::clone(&known.remote.name), name.clone(), base.into());
        let key = Key { uplink, name, form, base, binding: binding.key() };
        if let Some(prepared) = self.0.prepared.get(&key)
            && prepared.source == known.sha256
            && prepared.until.is_none_or(|until| now < until)
        {
            return Ok(Some(prepared));
        }
        let flight_key = (key.clone(), known.sha256);
        let flight = self.0.preparing.join(&flight_key, || {
            let (uplinks, binding) = (self.clone(), binding.clone());
            async move {
                let prepared = uplinks.prepare(&known, &key, binding, now).await?;
                if let Some(prepared) = &prepared {
                    uplinks.0.prepared.insert(key, Arc::clone(prepared));
                }
                Ok(prepared)
            }
        });
        flight.await.unwrap_or_else(|| Err(panicked()))
    }

    async fn prepare(&self, known: &Known, key: &Key, binding: Binding, now: Timestamp) -> Outcome {
        let text = self.stored_text(known, &key.name, now).await?;
        let (uplinks, key, source) = (self.clone(), key.clone(), known.sha256);
        let prepare = move || {
            let Ok(mut foreign) = Foreign::parse(&key.name, &text.text) else { return Err(panicked()) };
            let was_empty = foreign.is_empty();
            let left_out = foreign.apply(uplinks.in_force(&binding, now));
            match (foreign.is_empty(), was_empty) {
                (_, true) => Ok(None),
                (true, false) => Err(refusal(&key.name, left_out)),
                (false, false) => Ok(Some(Arc::new(packed(&foreign, &left_out, &key, source)))),
            }
        };
        tokio::task::spawn_blocking(prepare).await.unwrap_or_else(|_| Err(panicked()))
    }

    /// The text of a document that was stored.
    pub(crate) async fn stored_text(
        &self,
        known: &Known,
        name: &NpmName,
        now: Timestamp,
    ) -> Result<Text, UplinkError> {
        let bytes = match self.stored_bytes(known).await {
            Ok(bytes) => bytes,
            Err(error) => {
                if matches!(error, blobs::BlobError::Missing(_)) {
                    self.forget(&known.remote, name, now).await?;
                }
                return Err(error.into());
            }
        };
        // It could be read when it was stored.
        self.text(bytes).await.map_err(|error| {
            tracing::error!(?error, package = %name, sha256 = %known.sha256, "a stored document cannot be read");
            match error {
                FetchError::Wrong(reason) => UplinkError::Wrong { uplink: known.remote.name.to_string(), reason },
                _ => panicked(),
            }
        })
    }

    async fn stored_bytes(&self, known: &Known) -> Result<Bytes, blobs::BlobError> {
        let blob = self.0.blobs.read(known.sha256).await?;
        if let Some(bytes) = blob.bytes() {
            return Ok(bytes.clone());
        }
        let size_bytes = usize::try_from(blob.size_bytes()).unwrap_or_default();
        let mut body = blob.body().await?;
        let mut bytes = Vec::with_capacity(size_bytes);
        while let Some(chunk) = body.try_next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.into())
    }
}

/// Why nothing is left.
fn refusal(name: &NpmName, left_out: LeftOut) -> UplinkError {
    match left_out.withheld_by {
        Some(by) => {
            UplinkError::Withheld { what: format!("Every release of {name}"), by, until: left_out.until }
        }
        None => UplinkError::Blocked {
            what: name.to_string(),
            by: left_out.blocked_by.unwrap_or(Whose::Registry),
        },
    }
}

fn packed(foreign: &Foreign<'_>, left_out: &LeftOut, key: &Key, source: blobs::Sha256) -> Prepared {
    let bytes = foreign.write(key.form, &key.base);
    let digest = blobs::Sha256::of(&bytes);
    // A release that grows old enough changes the document, and so does another policy, but not the uplink's idea of
    // when it changed.
    let is_whole = left_out.withheld == 0 && key.binding.is_none();
    let modified_at = foreign.modified_at().filter(|_| is_whole);
    Prepared {
        content_type: key.form.content_type(),
        encodings: Encodings::new(bytes, &digest.as_str()[..24]),
        last_modified: modified_at.and_then(|at| HeaderValue::from_str(&at.http_date()).ok()),
        source,
        until: left_out.until,
    }
}
