//! Which addresses a webhook may have, and the client that calls them.

use std::time::Duration;

use reach::{Reach, Refused, has_credentials};
use reqwest::Client;
use url::Url;

/// How long a connection may take, and the whole of a call.
const CONNECT: Duration = Duration::from_secs(5);
pub(crate) const WHOLE: Duration = Duration::from_secs(15);

/// The client that calls endpoints. A redirect is a failure, as the specification says.
pub(crate) fn client(reach: &Reach) -> Result<Client, reqwest::Error> {
    reach.client().connect_timeout(CONNECT).timeout(WHOLE).pool_max_idle_per_host(4).build()
}

/// The address, if one may be called there. Beyond what [`Reach`] refuses, no address has a password, and `localhost`
/// is refused by its name, so that whoever writes it hears why at once.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn check(reach: &Reach, text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "Write an address such as https://example.com/hooks.")?;
    let judged = if has_credentials(&url) {
        Err(Refused::Credentials)
    } else if url.host_str() == Some("localhost") && url.scheme() == "https" && !reach.allows(&url) {
        Err(Refused::Private)
    } else {
        reach.check(&url)
    };
    judged.map(|()| url).map_err(in_words)
}

const fn in_words(refused: Refused) -> &'static str {
    match refused {
        Refused::Credentials => "Leave the name and password out of the address: requests are signed.",
        // What is https has a host.
        Refused::NotHttps | Refused::NoHost => {
            "Use https, so that nobody on the way can read or change events."
        }
        Refused::Private => "Use an address of the public internet, or ask the operator to allow this host.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_our_own_network_is_called_unless_the_operator_says_so() {
        let reach = Reach::new(&["Localhost".to_owned(), "10.0.0.7".to_owned()]);
        for text in
            ["https://example.com/hooks", "http://localhost:9/x", "http://10.0.0.7/", "https://8.8.8.8/"]
        {
            assert!(check(&reach, text).is_ok(), "{text}");
        }
        for (text, word) in [
            ("http://example.com/hooks", "https"),
            ("https://10.0.0.8/", "public"),
            ("https://[::1]/", "public"),
            ("https://169.254.169.254/latest", "public"),
            ("https://0x7f.1/", "public"),
            ("ftp://localhost/", "https"),
            ("mailto:ada@example.com", "https"),
            ("https://ada:secret@example.com/", "password"),
            ("https://ada:secret@localhost/", "password"),
            ("ftp://ada@example.com/", "password"),
            ("nonsense", "such as"),
            ("https://", "such as"),
            ("", "such as"),
        ] {
            let said = check(&reach, text).err().unwrap_or_default();
            assert!(said.contains(word), "{text}: {said}");
        }
        let strict = Reach::new(&[]);
        assert!(check(&strict, "https://localhost/").err().unwrap_or_default().contains("public"));
        assert!(check(&strict, "http://localhost/").err().unwrap_or_default().contains("https"));
    }
}
