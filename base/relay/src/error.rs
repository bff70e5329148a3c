//! What goes wrong between the server and its relay.

use std::io;
use std::path::PathBuf;

/// Why the relay did not start, or did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Another process is the relay of this data folder.
    #[error("another relay already serves {0}")]
    Taken(PathBuf),
    /// A file or socket of the data folder cannot be used.
    #[error("{path} cannot be used: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The relay does not answer, and none could be started.
    #[error("the relay does not answer: {0}")]
    Silent(String),
    /// The relay refused a request.
    #[error("the relay refused: {0}")]
    Refused(String),
    /// It says something that this version does not understand.
    #[error("the relay said something else than was asked")]
    Confused,
}

impl RelayError {
    pub(crate) fn folder(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Folder { path, source }
    }
}
