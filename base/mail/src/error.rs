//! What can go wrong with a message.

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The recipient is no e-mail address.
    #[error("`{0}` is no e-mail address")]
    Address(String),
    /// A header would hold a line break or another control character, or is too long.
    #[error("the {field} holds control characters or is longer than {max_chars} characters")]
    Header {
        /// Which one.
        field: &'static str,
        /// The most characters it may have.
        max_chars: usize,
    },
    /// The message is larger than is sent.
    #[error("the message is larger than {max_bytes} bytes")]
    TooLarge {
        /// The limit.
        max_bytes: usize,
    },
    /// The settings cannot work.
    #[error("{0}")]
    Config(String),
    /// The server refused the message for good (a 5xx reply).
    #[error("the mail server refused the message: {0}")]
    Refused(String),
    /// The server cannot be reached, is too slow, or wants the message later (a 4xx reply).
    #[error("the mail server takes no message now: {0}")]
    Later(String),
    /// The folder cannot be written.
    #[error("the mail folder cannot be written: {0}")]
    Folder(#[from] std::io::Error),
}

impl MailError {
    /// Whether the same message may go through later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Later(_) | Self::Folder(_))
    }
}
