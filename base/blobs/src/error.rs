//! What can go wrong with blobs.

use std::io;

use kernel::Problem;

use crate::Sha256;

/// A failure to keep or to give a blob.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// More bytes than the caller allows; nothing was kept.
    #[error("larger than {max_bytes} bytes")]
    TooLarge {
        /// The caller's limit.
        max_bytes: u64,
    },
    /// There is no such blob.
    #[error("there is no blob {0}")]
    Missing(Sha256),
    /// The stored bytes are not those that the name promises.
    #[error("blob {0} is damaged: restore it from a backup")]
    Damaged(Sha256),
    /// The range lies outside of the blob.
    #[error("the range ends after byte {size_bytes}")]
    Range {
        /// How long the blob is.
        size_bytes: u64,
    },
    /// The local disk failed.
    #[error("the blob folder failed: {0}")]
    Disk(#[from] io::Error),
    /// The object storage failed.
    #[error("the object storage failed: {0}")]
    Remote(String),
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(String),
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::TooLarge { max_bytes } => Self::too_large(
                "blobs.too_large",
                format!("The file is larger than {max_bytes} bytes. Nothing was kept."),
            ),
            BlobError::Missing(_) => Self::not_found("blobs.missing", "This file is not here."),
            BlobError::Range { size_bytes } => Self::new(
                416,
                "blobs.range",
                format!("The file has {size_bytes} bytes; the range asks for others."),
            ),
            BlobError::Disk(error) if error.kind() == io::ErrorKind::StorageFull => {
                tracing::error!("the blob folder's disk is full");
                Self::new(507, "blobs.full", "The disk is full. Nothing was kept.")
                    .next("Ask the operator to free space, then try again.")
            }
            error => {
                tracing::error!(%error, "a blob cannot be kept or given");
                Self::unavailable("blobs.failed", "The file storage failed. Nothing was changed.")
                    .next("Try again in a moment.")
                    .retry_after(5)
            }
        }
    }
}

kernel::problems! {
    "blobs.too_large":
        "The file is larger than this place takes.",
        "Nothing was kept of it.",
        "Send a smaller file, or ask the operator for a larger limit.";
    "blobs.missing":
        "The file's bytes are not in the file storage.",
        "Nothing else is affected.",
        "Check the address. Operators: fondaco check compares files and database.";
    "blobs.range":
        "The Range header asks for bytes that the file does not have.",
        "Only reading was tried.",
        "Ask for less; Content-Range of the answer has the size.";
    "blobs.full":
        "The disk or bucket has no room for the file.",
        "Nothing was kept of it.",
        "Ask the operator to free space, then send it again.";
    "blobs.failed":
        "The file storage does not answer as it should.",
        "Nothing was changed.",
        "Try again; if it stays so, tell the operator the request id.";
    "blobs.vanished":
        "The same file was being cleaned away while it was sent again.",
        "Nothing was changed.",
        "Send it again.";
    "blobs.not_held":
        "The program's count of who uses a file is wrong: a fault of ours.",
        "Nothing was changed.",
        "Tell the operator the request id. Operators: fondaco check.";
}
