//! Which addresses a webhook may have: what an account names must not make this program talk to what only machines in
//! its own network can reach. Checked for the text, and again when a name is resolved for the very connection, so that
//! a name cannot mean one thing at the check and another at the call.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use kernel::public_address::is_public;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, redirect};
use tokio::net::lookup_host;
use url::{Host, Url};

/// How long a connection may take, and the whole of a call.
const CONNECT: Duration = Duration::from_secs(5);
pub(crate) const WHOLE: Duration = Duration::from_secs(15);

/// The client that calls endpoints.
#[derive(Clone)]
pub(crate) struct Reach {
    private_hosts: Arc<[String]>,
    pub(crate) client: Client,
}

impl Reach {
    pub(crate) fn new(private_hosts: &[String]) -> Result<Self, reqwest::Error> {
        let private_hosts: Arc<[String]> = private_hosts.iter().map(|host| host.to_lowercase()).collect();
        let client = Client::builder()
            .user_agent(concat!("fondaco/", env!("CARGO_PKG_VERSION")))
            // A redirect could lead anywhere; the specification says that it is a failure.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .pool_max_idle_per_host(4)
            .dns_resolver(PublicHosts { private_hosts: Arc::clone(&private_hosts) })
            .build()?;
        Ok(Self { private_hosts, client })
    }

    /// The address, if one may be called there.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn check(&self, text: &str) -> Result<Url, &'static str> {
        let url = Url::parse(text).map_err(|_| "Write an address such as https://example.com/hooks.")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("Leave the name and password out of the address: requests are signed.");
        }
        let host = url.host_str().unwrap_or_default().to_lowercase();
        if self.private_hosts.contains(&host) && matches!(url.scheme(), "http" | "https") {
            return Ok(url);
        }
        if url.scheme() != "https" {
            return Err("Use https, so that nobody on the way can read or change events.");
        }
        let number: Option<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) => None,
            None => return Err("Write an address such as https://example.com/hooks."),
        };
        if number.is_some_and(|address| !is_public(address)) || host == "localhost" {
            return Err("Use an address of the public internet, or ask the operator to allow this host.");
        }
        Ok(url)
    }
}

#[derive(Clone)]
struct PublicHosts {
    private_hosts: Arc<[String]>,
}

impl Resolve for PublicHosts {
    fn resolve(&self, name: Name) -> Resolving {
        let may_be_private = self.private_hosts.iter().any(|host| host == &name.as_str().to_lowercase());
        Box::pin(async move {
            let mut found: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
            found.retain(|address| may_be_private || is_public(address.ip()));
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
    async fn nothing_in_our_own_network_is_called_unless_the_operator_says_so() {
        let reach = Reach::new(&["Localhost".to_owned(), "10.0.0.7".to_owned()]).unwrap();
        for text in
            ["https://example.com/hooks", "http://localhost:9/x", "http://10.0.0.7/", "https://8.8.8.8/"]
        {
            assert!(reach.check(text).is_ok(), "{text}");
        }
        for text in [
            "http://example.com/hooks",
            "https://10.0.0.8/",
            "https://[::1]/",
            "https://169.254.169.254/latest",
            "https://0x7f.1/",
            "ftp://localhost/",
            "https://ada:secret@example.com/",
            "nonsense",
            "https://",
            "",
        ] {
            assert!(reach.check(text).is_err(), "{text}");
        }
        let strict = Reach::new(&[]).unwrap();
        assert!(strict.check("https://localhost/").is_err());
        let hosts = PublicHosts { private_hosts: Arc::new([]) };
        assert!(hosts.resolve("localhost".parse().unwrap()).await.is_err());
        let hosts = PublicHosts { private_hosts: Arc::new(["localhost".to_owned()]) };
        assert!(hosts.resolve("localhost".parse().unwrap()).await.is_ok());
    }
}
