//! Calls addresses that strangers name: what they name must not make this program talk to what only machines in its
//! own network can reach. Checked for the text, and again when a name is resolved for the very connection, so that a
//! name cannot mean one thing at the check and another at the call.

mod public;

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, redirect};
use tokio::net::lookup_host;
use url::{Host, Url};

pub use public::is_public;

/// Why an address is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It names no host.
    #[error("the address names no host")]
    NoHost,
    /// It is not https.
    #[error("the address is not https")]
    NotHttps,
    /// It has a user name or a password in it.
    #[error("the address has a user name or a password in it")]
    Credentials,
    /// It is not of the public internet.
    #[error("the address is not of the public internet")]
    Private,
}

/// Which addresses are called: https on the public internet, and whatever hosts the operator allows. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reach {
    allowed: Arc<[String]>,
}

impl Reach {
    /// `allowed` are hosts that may be in a private network and speak no https; upper and lower case are the same.
    #[must_use]
    pub fn new(allowed: &[String]) -> Self {
        Self { allowed: allowed.iter().map(|host| host.to_lowercase()).collect() }
    }

    /// Whether the operator allows the host of `url` by its name, and the scheme is http or https.
    #[must_use]
    pub fn allows(&self, url: &Url) -> bool {
        matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| self.has(host))
    }

    /// What can be said of an address before its name is resolved.
    ///
    /// # Errors
    /// The first reason against it, in the order of [`Refused`]; none for a host that is allowed.
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        if self.allows(url) {
            return Ok(());
        }
        if url.host().is_none() {
            return Err(Refused::NoHost);
        }
        if url.scheme() != "https" {
            return Err(Refused::NotHttps);
        }
        if has_credentials(url) {
            return Err(Refused::Credentials);
        }
        if number(url).is_some_and(|address| !is_public(address)) {
            return Err(Refused::Private);
        }
        Ok(())
    }

    /// A client that connects to public addresses and allowed hosts only. It follows no redirect, since one could lead
    /// anywhere, and neither asks a proxy nor tells where it comes from; time limits are the caller's.
    pub fn client(&self) -> ClientBuilder {
        Client::builder()
            .user_agent(concat!("fondaco/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .dns_resolver(self.clone())
    }

    fn has(&self, host: &str) -> bool {
        self.allowed.iter().any(|allowed| *allowed == host.to_lowercase())
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let may_be_private = self.has(name.as_str());
        Box::pin(look_up(name, may_be_private))
    }
}

/// The addresses of a name: the public ones, or all where it `may_be_private`.
///
/// # Errors
/// When it has none of these, or cannot be resolved.
pub async fn look_up(name: Name, may_be_private: bool) -> Result<Addrs, Box<dyn Error + Send + Sync>> {
    let mut found: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
    found.retain(|address| may_be_private || is_public(address.ip()));
    if found.is_empty() {
        return Err(format!("{} has no public address", name.as_str()).into());
    }
    Ok(Box::new(found.into_iter()))
}

/// Whether an address has a user name or a password in it.
#[must_use]
pub fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// The host of an address that is given in numbers.
#[must_use]
pub fn number(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn check(address: &str, allowed: &[&str]) -> Result<(), Refused> {
        let allowed: Vec<String> = allowed.iter().map(|host| (*host).to_owned()).collect();
        Reach::new(&allowed).check(&Url::parse(address).unwrap())
    }

    #[test]
    fn only_https_at_public_addresses_is_called() {
        for (address, why) in [
            ("file:///etc/passwd", Refused::NoHost),
            ("mailto:ada@example.com", Refused::NoHost),
            ("http://example.com/a", Refused::NotHttps),
            ("ftp://example.com/", Refused::NotHttps),
            ("http://u:p@10.0.0.8/", Refused::NotHttps),
            ("https://u:p@10.0.0.8/", Refused::Credentials),
            ("https://u@example.com/", Refused::Credentials),
            ("https://127.0.0.1/a", Refused::Private),
            ("https://[::1]/a", Refused::Private),
            ("https://169.254.169.254/latest", Refused::Private),
            ("https://2130706433/", Refused::Private),
            ("https://0x7f.1/", Refused::Private),
            ("https://[::ffff:10.0.0.1]/", Refused::Private),
        ] {
            assert_eq!(check(address, &[]), Err(why), "{address}");
        }
        assert_eq!(check("https://example.com/a", &[]), Ok(()));
        assert_eq!(check("https://8.8.8.8/", &[]), Ok(()));
    }

    #[test]
    fn allowed_hosts_are_called_as_they_are() {
        let allowed = ["Localhost", "127.0.0.1", "[::1]"];
        for address in
            ["http://localhost:9/x", "http://127.0.0.1:8000/a", "https://u:p@LOCALHOST/", "http://[::1]/"]
        {
            assert_eq!(check(address, &allowed), Ok(()), "{address}");
        }
        assert_eq!(check("file://127.0.0.1/etc/passwd", &allowed), Err(Refused::NotHttps));
        assert_eq!(check("ftp://localhost/", &allowed), Err(Refused::NotHttps));
        assert_eq!(check("http://127.0.0.2/", &allowed), Err(Refused::NotHttps));
        assert_eq!(check("https://127.0.0.2/", &allowed), Err(Refused::Private));
    }

    #[tokio::test]
    async fn a_name_that_means_a_private_address_is_not_called() {
        let localhost = || "localhost".parse().unwrap();
        assert!(Reach::new(&[]).resolve(localhost()).await.is_err());
        assert!(Reach::new(&["LOCALHOST".to_owned()]).resolve(localhost()).await.is_ok());
        let asked = Reach::new(&[]).client().build().unwrap().get("http://localhost:1/").send().await;
        let told = format!("{:?}", asked.unwrap_err());
        assert!(told.contains("has no public address"), "{told}");
    }

    proptest! {
        #[test]
        fn any_address_is_judged(text in "\\PC{0,60}|(https?|ftp)://[a-z0-9.:@\\[\\]]{0,30}/?") {
            if let Ok(url) = Url::parse(&text)
                && Reach::new(&[]).check(&url).is_ok()
            {
                prop_assert!(url.scheme() == "https" && url.has_host() && url.username().is_empty());
                prop_assert!(number(&url).is_none_or(is_public));
            }
        }
    }
}
