//! Which addresses an uplink may send us to: a document or a redirect of an uplink on the internet must not make
//! this program talk to what only machines in its own network can reach.

use reach::{is_public, look_up, number};
use reqwest::dns::{Name, Resolve, Resolving};
use tokio::net::lookup_host;
use url::Url;

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
        if let Some(address) = number(&self.uplink) {
            return !is_public(address);
        }
        let Some(name) = self.uplink.domain() else { return false };
        match lookup_host((name, 443)).await {
            Ok(mut found) => found.any(|address| !is_public(address.ip())),
            Err(_) => false,
        }
    }

    /// Whether an address that is given in numbers may be asked; names are checked when they are resolved.
    pub(crate) async fn allow(&self, url: &Url) -> bool {
        match number(url) {
            Some(address) => is_public(address) || self.is_internal().await,
            None => url.domain().is_some(),
        }
    }
}

impl Resolve for ForeignHosts {
    fn resolve(&self, name: Name) -> Resolving {
        let foreign = self.clone();
        Box::pin(async move { look_up(name, foreign.is_internal().await).await })
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
