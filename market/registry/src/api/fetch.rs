//! Fetches a tarball from an address that a caller names, without letting the caller look into our network: https
//! at a public address, checked when the name is resolved for the very connection, and again for each redirect.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kernel::Problem;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Response, redirect};
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use kernel::public_address::is_public;

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 3;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the whole of it may take.
const WHOLE: Duration = Duration::from_secs(60);

/// A tarball on its way in.
pub(crate) struct Source {
    response: Response,
    deadline: Instant,
}

impl Source {
    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        match timeout_at(self.deadline, self.response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(_)) => Err(failed("The connection broke off.")),
            Err(_) => Err(failed("It takes too long.")),
        }
    }
}

/// Asks for `address`. `allowed` are hosts that may be in a private network and speak no https.
pub(crate) async fn open(address: &str, allowed: &[String]) -> Result<Source, Problem> {
    let deadline = Instant::now() + WHOLE;
    let allowed: Arc<[String]> = allowed.iter().map(|host| host.to_lowercase()).collect();
    let mut url = Url::parse(address).map_err(|_| refused("It is no address."))?;
    let client = Client::builder()
        .user_agent(concat!("fondaco/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_gzip()
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT)
        .dns_resolver(PublicHosts { allowed: Arc::clone(&allowed) })
        .build()
        .map_err(|_| failed("No connection can be made."))?;
    for _ in 0..=MAX_REDIRECTS {
        check(&url, &allowed)?;
        let asked = timeout_at(deadline, client.get(url.clone()).send()).await;
        let response = match asked {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                tracing::debug!(?error, "a tarball could not be fetched");
                return Err(failed("The host cannot be reached, or has no public address."));
            }
            Err(_) => return Err(failed("It takes too long.")),
        };
        if response.status().is_success() {
            return Ok(Source { response, deadline });
        }
        let location = response.headers().get(http::header::LOCATION).and_then(|value| value.to_str().ok());
        let next = location.filter(|_| response.status().is_redirection()).and_then(|to| url.join(to).ok());
        url = next
            .ok_or_else(|| failed(format!("The host answers with status {}.", response.status().as_u16())))?;
    }
    Err(failed(format!("It redirects more than {MAX_REDIRECTS} times.")))
}

/// What can be said of an address before its name is resolved.
fn check(url: &Url, allowed: &[String]) -> Result<(), Problem> {
    let host = url.host().ok_or_else(|| refused("It has no host."))?;
    if allowed.contains(&host.to_string()) && matches!(url.scheme(), "http" | "https") {
        return Ok(());
    }
    if url.scheme() != "https" {
        return Err(refused("It must begin with https://."));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("It must not have a password."));
    }
    let number: Option<IpAddr> = match host {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    };
    if number.is_some_and(|address| !is_public(address)) {
        return Err(refused("It must be a public address."));
    }
    Ok(())
}

/// Resolves names to public addresses only. The connection is made to what is answered here, so a name cannot mean
/// one address when it is checked and another when it is asked.
#[derive(Clone)]
struct PublicHosts {
    allowed: Arc<[String]>,
}

impl Resolve for PublicHosts {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.allowed.iter().any(|host| *host == name.as_str().to_lowercase());
        Box::pin(async move {
            let mut found: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
            found.retain(|address| allowed || is_public(address.ip()));
            if found.is_empty() {
                return Err(format!("{} has no public address", name.as_str()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn refused(why: &'static str) -> Problem {
    Problem::invalid(
        "registry.bad_source",
        "The tarball cannot be fetched from there. Nothing was published.",
    )
    .field("/tarball", why)
}

fn failed(why: impl std::fmt::Display) -> Problem {
    Problem::upstream(
        "registry.source_failed",
        format!("The tarball could not be fetched. {why} Nothing was published."),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn is_allowed(address: &str, allowed: &[&str]) -> bool {
        let allowed: Vec<String> = allowed.iter().map(|host| (*host).to_owned()).collect();
        check(&Url::parse(address).unwrap(), &allowed).is_ok()
    }

    #[test]
    fn only_https_at_public_addresses_is_asked() {
        for address in [
            "http://example.com/a.tgz",
            "https://127.0.0.1/a.tgz",
            "https://[::1]/a",
            "https://169.254.169.254/latest",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://u:p@example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "https://[::ffff:10.0.0.1]/",
        ] {
            assert!(!is_allowed(address, &[]), "{address}");
        }
        assert!(is_allowed("https://example.com/a.tgz", &[]));
        assert!(is_allowed("http://127.0.0.1:8000/a.tgz", &["127.0.0.1"]));
        assert!(!is_allowed("file://127.0.0.1/etc/passwd", &["127.0.0.1"]));
        assert!(!is_allowed("http://127.0.0.2/", &["127.0.0.1"]));
    }

    #[tokio::test]
    async fn a_name_that_means_a_private_address_is_not_asked() {
        let hosts = PublicHosts { allowed: Arc::new([]) };
        assert!(hosts.resolve("localhost".parse().unwrap()).await.is_err());
        let hosts = PublicHosts { allowed: Arc::new(["localhost".to_owned()]) };
        assert!(hosts.resolve("localhost".parse().unwrap()).await.is_ok());
    }
}
