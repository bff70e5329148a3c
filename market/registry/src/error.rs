//! What can go wrong in this room, in words that package clients show well.

use kernel::Problem;
use store::StoreError;

/// Why a package was not read or changed. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bytes could not be kept or given.
    #[error(transparent)]
    Blob(#[from] blobs::BlobError),
    /// The bytes are just being cleaned away.
    #[error(transparent)]
    BlobReference(#[from] blobs::refs::RefError),
    /// The account may not, or is not known.
    #[error(transparent)]
    Identity(#[from] identity::IdentityError),
    /// The request's key was used for another one.
    #[error(transparent)]
    KeyReused(#[from] web::idempotency::Reused),
    /// There is no such package, or none that the caller may see.
    #[error("Not found")]
    NotFound,
    /// The package has no such version or tag.
    #[error("version not found: {0}")]
    NoVersion(String),
    /// The package has nothing of that kind: a tag, a file, an attestation.
    #[error("{0} not found")]
    NoPart(&'static str),
    /// The request is malformed.
    #[error("{0}")]
    Malformed(String),
    /// Larger than is accepted.
    #[error("{0}")]
    TooLarge(String),
    /// This version is there already.
    #[error("You cannot publish over the previously published versions: {0}.")]
    VersionExists(String),
    /// This version was there once.
    #[error(
        "Cannot publish over previously unpublished version {0}: its name is spent. Publish another version."
    )]
    VersionSpent(String),
    /// The caller may read, not write.
    #[error("You do not have permission to change \"{0}\". Are you signed in as the right user?")]
    NotYours(String),
    /// The scope belongs to another account.
    #[error("You do not have permission to publish in the scope @{0}: it belongs to another account.")]
    ForeignScope(String),
    /// The name or the content is not acceptable here.
    #[error("{0}")]
    Refused(String),
    /// The client saw an older revision.
    #[error("The package changed since it was read. Nothing was changed; run the command again.")]
    Stale,
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        let text = error.to_string();
        match error {
            RegistryError::Store(error) => error.into(),
            RegistryError::Blob(error) => error.into(),
            RegistryError::BlobReference(error) => error.into(),
            RegistryError::Identity(error) => error.into(),
            RegistryError::KeyReused(error) => error.into(),
            RegistryError::NotFound => Self::not_found("registry.not_found", text),
            RegistryError::NoVersion(_) => Self::not_found("registry.no_version", text),
            RegistryError::NoPart(_) => Self::not_found("registry.no_part", text),
            RegistryError::Malformed(_) => Self::bad_request("registry.malformed", text),
            RegistryError::TooLarge(_) => Self::too_large("registry.too_large", text),
            RegistryError::VersionExists(_) => Self::forbidden("registry.version_exists", text),
            RegistryError::VersionSpent(_) => Self::forbidden("registry.version_spent", text),
            RegistryError::NotYours(_) => Self::forbidden("registry.not_yours", text),
            RegistryError::ForeignScope(_) => Self::forbidden("registry.foreign_scope", text),
            RegistryError::Refused(_) => Self::forbidden("registry.refused", text),
            RegistryError::Stale => Self::conflict("registry.stale", text),
        }
    }
}
