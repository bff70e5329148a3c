//! Sends e-mail: by SMTP (RFC 5321), or into a folder where no server is configured.
//!
//! [`Mailer::send`] speaks to the network and belongs in a job, never in a transaction or a request handler.

mod config;
mod error;
mod message;
mod smtp;

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use kernel::Timestamp;
use lettre::message::Mailbox;

pub use config::{MailConfig, SmtpConfig, SmtpTls};
pub use error::MailError;
pub use message::Message;

/// Sends messages. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    from: Mailbox,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Smtp(smtp::Smtp),
    Folder(PathBuf),
}

impl Mailer {
    /// A mailer for these settings. The server is not asked yet.
    ///
    /// # Errors
    /// [`MailError::Config`] with the setting to change, [`MailError::Folder`] when the folder cannot be made.
    pub fn new(config: &MailConfig) -> Result<Self, MailError> {
        match config {
            MailConfig::Smtp(config) => {
                Ok(Self { from: sender(&config.from)?, way: Way::Smtp(smtp::Smtp::new(config)?) })
            }
            MailConfig::Folder { folder, from } => {
                // Messages carry links that sign people in: nobody else reads them.
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
                Ok(Self { from: sender(from)?, way: Way::Folder(folder.clone()) })
            }
        }
    }

    /// Sends one message. By SMTP it is with the server when this returns.
    ///
    /// # Errors
    /// [`MailError::is_temporary`] tells whether sending it again later makes sense.
    pub async fn send(&self, message: &Message, now: Timestamp) -> Result<(), MailError> {
        let id = kernel::fresh_id("mail");
        let built = message::build(message, &self.from, &id, now)?;
        match &self.way {
            Way::Smtp(smtp) => smtp.send(built).await,
            Way::Folder(folder) => {
                let path = folder.join(format!("{id}.eml"));
                let (shown, bytes) = (path.clone(), built.formatted());
                tokio::task::spawn_blocking(move || write_file(&path, &bytes))
                    .await
                    .map_err(std::io::Error::other)??;
                tracing::info!(to = %message.to, path = %shown.display(), "no mail server is set: the message was written to a file");
                Ok(())
            }
        }
    }
}

/// Whole or not at all: who watches the folder never reads half a message.
fn write_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let growing = path.with_extension("part");
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&growing)?;
    std::io::Write::write_all(&mut file, bytes)?;
    std::fs::rename(growing, path)
}

fn sender(from: &str) -> Result<Mailbox, MailError> {
    from.parse().map_err(|_| {
        MailError::Config(format!(
            "the sender `{from}` is no address such as `Fondaco <no-reply@example.com>`"
        ))
    })
}
