//! Fetches a tarball from an address that a caller names, without letting the caller look into our network: what
//! [`Reach`] says of the address is asked again for each redirect.

use std::time::Duration;

use bytes::Bytes;
use kernel::Problem;
use reach::{Reach, Refused};
use reqwest::Response;
use tokio::time::{Instant, timeout_at};
use url::Url;

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
    let reach = Reach::new(allowed);
    let mut url = Url::parse(address).map_err(|_| refused("It is no address."))?;
    let client = reach.client().no_gzip().connect_timeout(CONNECT).build();
    let client = client.map_err(|_| failed("No connection can be made."))?;
    for _ in 0..=MAX_REDIRECTS {
        reach.check(&url).map_err(in_words)?;
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

/// A reason of [`Reach`], in this room's words.
fn in_words(why: Refused) -> Problem {
    refused(match why {
        Refused::NoHost => "It has no host.",
        Refused::NotHttps => "It must begin with https://.",
        Refused::Credentials => "It must not have a password.",
        Refused::Private => "It must be a public address.",
    })
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
    #![allow(clippy::panic)]
    use super::*;

    #[tokio::test]
    async fn what_is_refused_is_said() {
        let allowed = ["127.0.0.1".to_owned()];
        for (address, word) in [
            ("nonsense", "no address"),
            ("file:///etc/passwd", "no host"),
            ("http://example.com/a.tgz", "https"),
            ("https://u:p@example.com/", "password"),
            ("https://2130706434/", "public"),
        ] {
            let Err(problem) = open(address, &allowed).await else { panic!("{address} is fetched") };
            assert_eq!(problem.code, "registry.bad_source");
            let said = format!("{problem:?}");
            assert!(said.contains(word), "{address}: {said}");
        }
    }

    #[tokio::test]
    async fn localhost_and_passwords_of_allowed_hosts_are_left_to_the_connection() {
        // Nobody listens on port 1, and `localhost` is no public address: either is asked for and fails.
        let allowed = ["127.0.0.1".to_owned()];
        for address in ["https://localhost:1/a.tgz", "http://u:p@127.0.0.1:1/a.tgz"] {
            let Err(problem) = open(address, &allowed).await else { panic!("{address} is fetched") };
            assert_eq!(problem.code, "registry.source_failed", "{address}");
        }
    }
}
