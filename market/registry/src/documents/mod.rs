//! The documents that package clients read, as bytes that only need to be sent: built once after a change, with
//! their headers, and kept in memory as long as there is room.

mod base;
mod build;
mod encodings;
mod read;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use http::HeaderValue;

use crate::package::{Access, Package};
use crate::{Ecosystem, RegistryError};

pub(crate) use base::Mount;
pub(crate) use base::{Base, Bases};
pub(crate) use build::{Fragment, full, manifest};
pub(crate) use encodings::{Coding, gzip};
pub use encodings::{Encoded, Encodings};
pub(crate) use read::{front, tags};

/// From this size on compression goes to a thread of its own.
const LARGE_BYTES: usize = 64 << 10;
/// What an entry costs beside its bytes, about.
const ENTRY_BYTES: u64 = 700;

/// Which of a package's documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// What an installer needs.
    Abbreviated,
    /// Everything.
    Full,
}

impl Form {
    const ALL: [Self; 2] = [Self::Abbreviated, Self::Full];

    /// The media type.
    pub(crate) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Abbreviated => "application/vnd.npm.install-v1+json",
            Self::Full => "application/json",
        })
    }

    const fn letter(self) -> char {
        match self {
            Self::Abbreviated => 'a',
            Self::Full => 'f',
        }
    }
}

/// A document ready to be sent.
#[derive(Debug)]
pub(crate) struct Document {
    /// The package as it was when this was built.
    pub(crate) package: Package,
    pub(crate) content_type: HeaderValue,
    pub(crate) encodings: Encodings,
    pub(crate) last_modified: HeaderValue,
    pub(crate) cache_control: HeaderValue,
}

impl Document {
    /// Wraps the bytes of one of the package's forms.
    async fn new(package: Package, form: Form, bytes: Vec<u8>) -> Result<Self, RegistryError> {
        let stem = format!("{}-{}", package.rev(), form.letter());
        let encodings = if bytes.len() < LARGE_BYTES {
            Encodings::new(bytes, &stem)
        } else {
            let pack = tokio::task::spawn_blocking(move || Encodings::new(bytes, &stem));
            pack.await.map_err(std::io::Error::other).map_err(blobs::BlobError::from)?
        };
        let last_modified = HeaderValue::from_str(&package.updated_at.http_date());
        Ok(Self {
            content_type: form.content_type(),
            encodings,
            last_modified: last_modified.unwrap_or_else(|_| HeaderValue::from_static("")),
            cache_control: cache_control(package.access),
            package,
        })
    }

    fn weight(&self) -> u64 {
        self.encodings.weight_bytes() + ENTRY_BYTES
    }
}

/// Clients keep a document and ask whether it changed; only they may keep what is not public.
pub(crate) fn cache_control(access: Access) -> HeaderValue {
    HeaderValue::from_static(if access == Access::Public { "no-cache" } else { "private, no-cache" })
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    ecosystem: Ecosystem,
    form: Form,
    base: u64,
    name: Arc<str>,
}

/// A [`Key`] to look with, which needs no name of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
struct KeyRef<'a> {
    ecosystem: Ecosystem,
    form: Form,
    base: u64,
    name: &'a str,
}

impl Key {
    fn borrowed(&self) -> KeyRef<'_> {
        KeyRef { ecosystem: self.ecosystem, form: self.form, base: self.base, name: &self.name }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.borrowed().hash(state);
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.ecosystem, self.form, self.base, self.name).hash(state);
    }
}

impl quick_cache::Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self == key.borrowed()
    }
}

#[derive(Clone)]
struct ByWeight;

impl quick_cache::Weighter<Key, Arc<Document>> for ByWeight {
    fn weight(&self, _: &Key, document: &Arc<Document>) -> u64 {
        document.weight()
    }
}

/// The documents that are in memory.
pub(crate) struct Documents {
    cache: quick_cache::sync::Cache<Key, Arc<Document>, ByWeight>,
    pub(crate) bases: Bases,
}

impl Documents {
    /// A cache of at most `max_bytes`.
    pub(crate) fn new(max_bytes: u64, bases: Bases) -> Self {
        let items = usize::try_from(max_bytes / 4096).unwrap_or(usize::MAX).clamp(64, 65_536);
        Self { cache: quick_cache::sync::Cache::with_weighter(items, max_bytes, ByWeight), bases }
    }

    /// A document that is in memory.
    pub(crate) fn get(
        &self,
        ecosystem: Ecosystem,
        form: Form,
        base: &Base,
        name: &str,
    ) -> Option<Arc<Document>> {
        self.cache.get(&KeyRef { ecosystem, form, base: base.number, name })
    }

    /// A document, built by `build` when it is not in memory. Many who ask at once wait for one build. What is
    /// [dropped](Documents::drop_all) while it is built is not kept.
    pub(crate) async fn get_or_build(
        &self,
        ecosystem: Ecosystem,
        form: Form,
        base: &Base,
        name: &str,
        build: impl Future<Output = Result<Document, RegistryError>>,
    ) -> Result<Arc<Document>, RegistryError> {
        let key = Key { ecosystem, form, base: base.number, name: name.into() };
        match self.cache.get_value_or_guard_async(&key).await {
            Ok(document) => Ok(document),
            Err(place) => {
                let document = Arc::new(build.await?);
                // Refused when the package changed meanwhile: the next one who asks builds it again.
                let _ = place.insert(Arc::clone(&document));
                Ok(document)
            }
        }
    }

    /// Forgets a package's documents: it changed.
    pub(crate) fn drop_all(&self, ecosystem: Ecosystem, name: &str) {
        self.each(ecosystem, name, |key| {
            self.cache.remove(&key);
        });
    }

    /// Forgets a package's documents unless they are of `revision` or later already.
    pub(crate) fn drop_before(&self, ecosystem: Ecosystem, name: &str, revision: i64) {
        self.each(ecosystem, name, |key| {
            let fresh = self.cache.peek(&key).is_some_and(|document| document.package.revision >= revision);
            if !fresh {
                // Also what is being built now: it may have been read before the change.
                self.cache.remove(&key);
            }
        });
    }

    fn each(&self, ecosystem: Ecosystem, name: &str, act: impl Fn(KeyRef<'_>)) {
        for base in self.bases.numbers() {
            for form in Form::ALL {
                act(KeyRef { ecosystem, form, base, name });
            }
        }
    }
}
