//! Where messages go.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use kernel::Secret;

/// How messages are sent.
#[derive(Clone, Debug)]
pub enum MailConfig {
    /// By a mail server.
    Smtp(SmtpConfig),
    /// Into a folder, one `.eml` file each, for trying things out without a server.
    Folder {
        /// The folder; it is made when it is not there.
        folder: PathBuf,
        /// The sender, `Name <address>` or an address alone.
        from: String,
    },
}

/// A mail server that takes messages for delivery.
#[derive(Clone, Debug)]
pub struct SmtpConfig {
    /// Its name or address.
    pub host: String,
    /// Its port: 587 and 25 start in plain text and change to TLS, 465 starts with TLS.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// The user name, if the server wants one.
    pub user: Option<String>,
    /// The password that goes with it.
    pub password: Option<Secret>,
    /// A PEM file with the certificate authority of the server, if it is none that the world knows.
    pub authority_file: Option<PathBuf>,
    /// The sender, `Name <address>` or an address alone.
    pub from: String,
    /// How long one message may take in all, see [`SmtpConfig::TIMEOUT`].
    pub timeout: Duration,
}

/// How the connection to the mail server is protected (`smtp.tls`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SmtpTls {
    /// By port and host: 465 implicit, loopback plain, everything else STARTTLS.
    #[default]
    Auto,
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// STARTTLS (RFC 3207), and no message without it.
    StartTls,
    /// Not at all. Never with a password, except on loopback.
    Plain,
}

impl std::str::FromStr for SmtpTls {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "implicit" => Ok(Self::Implicit),
            "starttls" => Ok(Self::StartTls),
            "plain" => Ok(Self::Plain),
            other => Err(format!("smtp.tls is auto, implicit, starttls or plain, not `{other}`")),
        }
    }
}

impl SmtpConfig {
    /// The usual timeout.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// The protection in force.
    pub(crate) fn protection(&self) -> SmtpTls {
        match self.tls {
            SmtpTls::Auto if self.port == 465 => SmtpTls::Implicit,
            SmtpTls::Auto if self.is_loopback() => SmtpTls::Plain,
            SmtpTls::Auto => SmtpTls::StartTls,
            chosen => chosen,
        }
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protection_follows_from_port_and_host() {
        let protection = |host: &str, port, tls| {
            let from = "a@example.com".to_owned();
            let (user, password, authority_file) = (None, None, None);
            SmtpConfig {
                host: host.to_owned(),
                port,
                tls,
                user,
                password,
                authority_file,
                from,
                timeout: SmtpConfig::TIMEOUT,
            }
            .protection()
        };
        assert_eq!(protection("mail.example.com", 465, SmtpTls::Auto), SmtpTls::Implicit);
        assert_eq!(protection("mail.example.com", 587, SmtpTls::Auto), SmtpTls::StartTls);
        assert_eq!(protection("mail.example.com", 1025, SmtpTls::Auto), SmtpTls::StartTls);
        assert_eq!(protection("127.0.0.1", 1025, SmtpTls::Auto), SmtpTls::Plain);
        assert_eq!(protection("localhost", 25, SmtpTls::StartTls), SmtpTls::StartTls);
        assert_eq!(protection("mail.example.com", 25, SmtpTls::Plain), SmtpTls::Plain);
    }
}
