//! The address under which a client reached us, which goes into the documents that it gets.

use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderValue;

use crate::package::Access;

/// How many addresses are known at once; whoever invents more pushes out the oldest.
const MAX_BASES: usize = 16;

/// Under which path of its listener the npm registry was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mount {
    /// `/`
    Root,
    /// `/npm/`
    Npm,
}

impl Mount {
    const fn path(self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::Npm => "/npm/",
        }
    }
}

/// One address.
#[derive(Debug)]
pub(crate) struct Base {
    /// Never used for another address, so that documents of a forgotten one are never found again.
    pub(crate) number: u64,
    host: HeaderValue,
    mount: Mount,
    url: String,
    public_tarballs: String,
}

impl Base {
    /// The registry's address, with a slash at its end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where tarballs are fetched: public ones from the content delivery network, if there is one.
    pub(crate) fn tarballs(&self, access: Access) -> &str {
        if access == Access::Public { &self.public_tarballs } else { &self.url }
    }

    #[cfg(test)]
    pub(crate) fn fixed(url: &str) -> Self {
        let host = HeaderValue::from_static("localhost");
        Self { number: 0, host, mount: Mount::Npm, url: url.to_owned(), public_tarballs: url.to_owned() }
    }
}

/// The addresses that are known.
pub(crate) struct Bases {
    public_url: Option<String>,
    cdn_url: Option<String>,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    bases: Vec<Arc<Base>>,
    numbers: u64,
}

impl Bases {
    pub(crate) fn new(public_url: Option<String>, cdn_url: Option<String>) -> Self {
        let trimmed = |url: String| url.trim_end_matches('/').to_owned();
        Self { public_url: public_url.map(trimmed), cdn_url: cdn_url.map(trimmed), known: RwLock::default() }
    }

    /// The base of a request: the configured one, or the one in its `Host`.
    pub(crate) fn of(&self, host: Option<&HeaderValue>, mount: Mount) -> Arc<Base> {
        let unknown = HeaderValue::from_static("localhost");
        let host = match (&self.public_url, host) {
            (None, Some(host)) if is_authority(host) => host,
            _ => &unknown,
        };
        let found = |base: &&Arc<Base>| base.mount == mount && base.host == host;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(base) = known.bases.iter().find(found) {
            return Arc::clone(base);
        }
        drop(known);
        self.learn(host, mount)
    }

    fn learn(&self, host: &HeaderValue, mount: Mount) -> Arc<Base> {
        let origin = match &self.public_url {
            Some(url) => url.clone(),
            None => format!("http://{}", host.to_str().unwrap_or("localhost")),
        };
        let url = format!("{origin}{}", mount.path());
        let public_tarballs = self.cdn_url.as_ref().map_or_else(|| url.clone(), |cdn| format!("{cdn}/"));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.numbers += 1;
        let base = Arc::new(Base { number: known.numbers, host: host.clone(), mount, url, public_tarballs });
        if known.bases.len() == MAX_BASES {
            known.bases.remove(0);
        }
        known.bases.push(Arc::clone(&base));
        base
    }

    /// The numbers of all that are known.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.bases.iter().map(|base| base.number).collect()
    }
}

/// A host name or address with an optional port, and nothing that JSON or a URL would read otherwise.
fn is_authority(host: &HeaderValue) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte);
    !host.is_empty() && host.len() <= 255 && host.as_bytes().iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_that_was_asked_is_answered_with() {
        let bases = Bases::new(None, None);
        let base = bases.of(Some(&HeaderValue::from_static("127.0.0.1:4873")), Mount::Npm);
        assert_eq!(base.url(), "http://127.0.0.1:4873/npm/");
        let again = bases.of(Some(&HeaderValue::from_static("127.0.0.1:4873")), Mount::Npm);
        assert_eq!(base.number, again.number);
        for strange in ["a\"b", "a/b", "a b", "", "u@h"] {
            let base = bases.of(HeaderValue::from_str(strange).ok().as_ref(), Mount::Root);
            assert_eq!(base.url(), "http://localhost/", "{strange}");
        }
    }

    #[test]
    fn a_configured_address_wins() {
        let bases = Bases::new(
            Some("https://example.com/".to_owned()),
            Some("https://cdn.example.com/npm".to_owned()),
        );
        let base = bases.of(Some(&HeaderValue::from_static("10.0.0.1")), Mount::Npm);
        assert_eq!(base.url(), "https://example.com/npm/");
        assert_eq!(base.tarballs(Access::Public), "https://cdn.example.com/npm/");
        assert_eq!(base.tarballs(Access::Private), "https://example.com/npm/");
    }

    #[test]
    fn inventing_hosts_takes_no_memory() {
        let bases = Bases::new(None, None);
        for n in 0..100 {
            bases.of(HeaderValue::from_str(&format!("h{n}")).ok().as_ref(), Mount::Root);
        }
        assert_eq!(bases.numbers(), (85..=100).collect::<Vec<_>>());
    }
}
