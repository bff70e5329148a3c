//! The way by SMTP.

use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use crate::{MailError, SmtpConfig, SmtpTls};

/// The server.
#[derive(Clone)]
pub(crate) struct Smtp {
    server: AsyncSmtpTransport<Tokio1Executor>,
    timeout: Duration,
}

impl Smtp {
    pub(crate) fn new(config: &SmtpConfig) -> Result<Self, MailError> {
        let protection = config.protection();
        let unprotected = protection == SmtpTls::Plain && !config.is_loopback();
        if unprotected && config.password.is_some() {
            return Err(MailError::Config(
                "smtp.tls is plain and there is a password, which would cross the network readable: set \
                 smtp.tls to starttls or implicit"
                    .to_owned(),
            ));
        }
        if unprotected {
            tracing::warn!(host = %config.host, "mail goes to its server without encryption");
        }
        let tls = match protection {
            SmtpTls::Implicit => Tls::Wrapper(parameters(config)?),
            SmtpTls::StartTls => Tls::Required(parameters(config)?),
            SmtpTls::Auto | SmtpTls::Plain => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port)
            .tls(tls)
            .timeout(Some(config.timeout));
        if let (Some(user), Some(password)) = (&config.user, &config.password) {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(Self { server: builder.build(), timeout: config.timeout })
    }

    pub(crate) async fn send(&self, message: lettre::Message) -> Result<(), MailError> {
        // The transport watches over connecting only.
        match tokio::time::timeout(self.timeout, self.server.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if is_final(&error) => Err(MailError::Refused(describe(&error))),
            Ok(Err(error)) => Err(MailError::Later(describe(&error))),
            Err(_) => Err(MailError::Later("it did not answer in time".to_owned())),
        }
    }
}

/// A wrong certificate or password is no fault of the message: once it is set right, the message goes out.
fn is_final(error: &Error) -> bool {
    let authentication = ["530", "534", "535", "538"];
    let code = error.status().map(|code| code.to_string());
    error.is_permanent() && !code.is_some_and(|code| authentication.contains(&code.as_str()))
}

fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text.chars().take(500).collect()
}

fn parameters(config: &SmtpConfig) -> Result<TlsParameters, MailError> {
    let mut builder = TlsParameters::builder(config.host.clone());
    if let Some(path) = &config.authority_file {
        let unreadable = |reason: String| {
            MailError::Config(format!(
                "the certificate authority {} cannot be read: {reason}",
                path.display()
            ))
        };
        let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        let authority = Certificate::from_pem(&pem).map_err(|error| unreadable(error.to_string()))?;
        builder = builder.add_root_certificate(authority);
    }
    builder.build().map_err(|error| MailError::Config(format!("TLS cannot be set up: {error}")))
}
