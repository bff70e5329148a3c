//! Which addresses an uplink may send us to: a document or a redirect of an uplink on the internet must not make
//! this program talk to what only machines in its own network can reach.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use url::{Host, Url};

use kernel::public_address::is_public;

/// Resolves names of hosts other than the uplink's own.
#[derive(Clone, Debug)]
pub(crate) struct ForeignHosts {
    uplink: Url,
}

impl ForeignHosts {
    pub(crate) fn of(uplink: &Url) -> Self {
        Self { uplink: uplink.clone() }
    }

    /// An uplink that is itself in a private network may send us around in it.
    async fn is_internal(&self) -> bool {
        match self.uplink.host() {
            Some(Host::Ipv4(address)) => !is_public(address.into()),
            Some(Host::Ipv6(address)) => !is_public(address.into()),
            Some(Host::Domain(name)) => match lookup_host((name, 443)).await {
                Ok(mut found) => found.any(|address| !is_public(address.ip())),
                Err(_) => false,
            },
            None => false,
        }
    }

    /// Whether an address that is given in numbers may be asked; names are checked when they are resolved.
    pub(crate) async fn allow(&self, url: &Url) -> bool {
        let address: IpAddr = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(_)) => return true,
            None => return false,
        };
        is_public(address) || self.is_internal().await
    }
}

impl Resolve for ForeignHosts {
    fn resolve(&self, name: Name) -> Resolving {
        let foreign = self.clone();
        Box::pin(async move {
            let mut found: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
            if !foreign.is_internal().await {
                found.retain(|address| is_public(address.ip()));
            }
            if found.is_empty() {
                return Err(format!("{} has no public address", name.as_str()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn an_uplink_on_the_internet_may_not_send_us_inside() {
        let url = |text: &str| Url::parse(text).unwrap();
        let outside = ForeignHosts::of(&url("https://1.1.1.1/npm"));
        let inside = ForeignHosts::of(&url("http://127.0.0.1:4873"));
        assert!(!outside.allow(&url("https://169.254.169.254/x")).await);
        assert!(!outside.allow(&url("https://[::1]/x")).await);
        assert!(outside.allow(&url("https://8.8.8.8/x")).await);
        assert!(inside.allow(&url("http://127.0.0.1:1/x")).await);
        let resolved = outside.resolve("localhost".parse().unwrap()).await;
        assert!(resolved.is_err());
        assert!(inside.resolve("localhost".parse().unwrap()).await.is_ok());
    }
}
