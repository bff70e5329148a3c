//! One uplink: how it is asked, and what of its answers is accepted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::{Client, Response, redirect};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use super::breaker::Breaker;
use super::error::FetchError;
use super::policy::Entry;
use super::reach::ForeignHosts;
use super::settings::{SettingsError, Upstream};
use crate::NpmName;

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;
/// How long making a connection may take at the most.
const MAX_CONNECT: Duration = Duration::from_secs(10);

/// An uplink and its connections.
pub(crate) struct Remote {
    pub(crate) name: Arc<str>,
    pub(crate) address: Url,
    pub(crate) ttl: Duration,
    pub(crate) timeout: Duration,
    pub(crate) breaker: Breaker,
    pub(crate) documents: Semaphore,
    pub(crate) tarballs: Semaphore,
    patterns: Vec<Entry>,
    authorization: Option<HeaderValue>,
    own: Client,
    foreign: Client,
    foreign_hosts: ForeignHosts,
}

impl Remote {
    pub(crate) fn new(upstream: &Upstream, parallel: usize) -> Result<Self, SettingsError> {
        let name = &upstream.name;
        let wrong = || SettingsError::Address(name.clone());
        let mut address = Url::parse(&upstream.url).map_err(|_| wrong())?;
        let has_password = !address.username().is_empty() || address.password().is_some();
        if !matches!(address.scheme(), "http" | "https") || address.host().is_none() || has_password {
            return Err(wrong());
        }
        address.set_query(None);
        address.set_fragment(None);
        let path = format!("{}/", address.path().trim_end_matches('/'));
        address.set_path(&path);
        let authorization = upstream.token.as_ref().map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))?;
            value.set_sensitive(true);
            Ok(value)
        });
        let authorization = authorization
            .transpose()
            .map_err(|_: http::header::InvalidHeaderValue| SettingsError::Token(name.clone()))?;
        let foreign_hosts = ForeignHosts::of(&address);
        let client = |resolver: Option<ForeignHosts>| {
            let builder = Client::builder()
                .user_agent(concat!("fondaco/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .no_gzip()
                .referer(false)
                .connect_timeout(upstream.timeout.min(MAX_CONNECT))
                .read_timeout(upstream.timeout);
            let builder = match resolver {
                Some(resolver) => builder.dns_resolver(resolver),
                None => builder,
            };
            builder.build().map_err(|error| SettingsError::Client(error.to_string()))
        };
        Ok(Self {
            name: upstream.name.as_str().into(),
            ttl: upstream.ttl,
            timeout: upstream.timeout,
            breaker: Breaker::default(),
            documents: Semaphore::new(parallel.max(1)),
            tarballs: Semaphore::new(parallel.max(1)),
            patterns: Entry::list(&upstream.patterns)?,
            authorization,
            own: client(None)?,
            foreign: client(Some(foreign_hosts.clone()))?,
            foreign_hosts,
            address,
        })
    }

    /// Whether it is asked for this name.
    pub(crate) fn has(&self, name: &NpmName) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|entry| entry.names(name))
    }

    /// A place among those who ask at once.
    pub(crate) async fn place<'s>(&self, places: &'s Semaphore) -> Result<SemaphorePermit<'s>, FetchError> {
        match timeout(self.timeout, places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(FetchError::outage("is busy with other requests")),
        }
    }

    /// Where the document of a package is. The slash of a scope is encoded, which every registry takes.
    pub(crate) fn document_address(&self, name: &NpmName) -> Result<Url, FetchError> {
        let path = name.as_str().replacen('/', "%2f", 1);
        self.address.join(&format!("./{path}")).map_err(|_| FetchError::Absent)
    }

    /// Where a tarball is: what the document says, or the usual place where it says nothing that is an address.
    pub(crate) fn tarball_address(
        &self,
        name: &NpmName,
        version: &str,
        stated: Option<&str>,
    ) -> Result<Url, FetchError> {
        let usual = || self.address.join(&format!("./{name}/-/{}", name.tarball(version)));
        let mut url = match stated.map(|stated| self.address.join(stated)) {
            Some(Ok(url)) => url,
            _ => usual().map_err(|_| FetchError::Absent)?,
        };
        // A registry behind a proxy that encrypts often does not know that it is one.
        if url.host() == self.address.host() && (url.scheme(), self.address.scheme()) == ("http", "https") {
            // Both are web addresses with a host; these two refuse only others.
            let _ = url.set_scheme("https");
            let _ = url.set_port(self.address.port());
        }
        Ok(url)
    }

    /// Asks, and follows redirects. Only the uplink's own host gets to see the token.
    pub(crate) async fn get(&self, url: Url, headers: &HeaderMap) -> Result<Response, FetchError> {
        let mut url = url;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.get_once(url, headers).await?;
            let status = response.status();
            if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
                return accepted(response);
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| response.url().join(location).ok());
            url = next.ok_or_else(|| FetchError::Wrong("redirects to no address".to_owned()))?;
        }
        Err(FetchError::Wrong(format!("redirects more than {MAX_REDIRECTS} times")))
    }

    async fn get_once(&self, mut url: Url, headers: &HeaderMap) -> Result<Response, FetchError> {
        url.set_fragment(None);
        self.check(&url)?;
        let is_own = url.origin() == self.address.origin();
        if !is_own && !self.foreign_hosts.allow(&url).await {
            return Err(FetchError::Wrong("sends to an address of a private network".to_owned()));
        }
        let client = if is_own { &self.own } else { &self.foreign };
        let mut request = client.get(url).headers(headers.clone());
        if let Some(authorization) = self.authorization.as_ref().filter(|_| is_own) {
            request = request.header(AUTHORIZATION, authorization);
        }
        match timeout(self.timeout, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(outage(&error)),
            Err(_) => Err(FetchError::outage("does not answer in time")),
        }
    }

    fn check(&self, url: &Url) -> Result<(), FetchError> {
        let is_weaker = self.address.scheme() == "https" && url.scheme() != "https";
        if is_weaker || !matches!(url.scheme(), "http" | "https") {
            return Err(FetchError::Wrong(format!("sends to another scheme, {}", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Wrong("sends to an address with a password".to_owned()));
        }
        Ok(())
    }

    /// The next piece of an answer. A limit on each piece alone would let a trickle go on for ever.
    pub(crate) async fn chunk(
        &self,
        response: &mut Response,
        deadline: Instant,
    ) -> Result<Option<Bytes>, FetchError> {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(outage(&error)),
            Err(_) => Err(FetchError::outage("sends too slowly")),
        }
    }
}

/// Sorts the statuses.
fn accepted(response: Response) -> Result<Response, FetchError> {
    let status = response.status();
    match status {
        StatusCode::OK | StatusCode::NOT_MODIFIED => Ok(response),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(FetchError::Absent),
        // Legal reasons: as if it were not there, and no outage.
        StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => Err(FetchError::Absent),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err(FetchError::Wrong(format!("refuses this registry's token or address ({})", status.as_u16())))
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Err(busy(&response)),
        status if status.is_server_error() => Err(busy(&response)),
        status => Err(FetchError::Wrong(format!("answers with status {}", status.as_u16()))),
    }
}

fn busy(response: &Response) -> FetchError {
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    FetchError::Outage {
        reason: format!("answers with status {}", response.status().as_u16()),
        // A date instead of seconds is as good as nothing here: the breaker has times of its own.
        retry_after_seconds: retry_after.and_then(|text| text.trim().parse().ok()),
    }
}

/// The causes are for the log; clients need not learn of addresses.
fn outage(error: &reqwest::Error) -> FetchError {
    tracing::debug!(?error, "a request to an uplink failed");
    FetchError::outage(if error.is_timeout() {
        "does not answer in time"
    } else if error.is_connect() {
        "cannot be reached"
    } else {
        "breaks off its answer"
    })
}

/// Headers of a request for a document.
pub(crate) fn document_headers(etag: Option<&str>, last_modified: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let conditions = [(http::header::IF_NONE_MATCH, etag), (http::header::IF_MODIFIED_SINCE, last_modified)];
    for (name, value) in conditions {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Headers of a request for a tarball: it must come as it is.
pub(crate) fn tarball_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers
}
