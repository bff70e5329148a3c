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

kernel::problems! {
    "registry.not_found":
        "There is no such package, or it is private and you may not see it.",
        "Nothing was changed.",
        "Check the name; sign in if it is private.";
    "registry.no_version":
        "The package has no such version or tag.",
        "Nothing was changed.",
        "Look at its versions.";
    "registry.no_part":
        "The package has no such tag, file or attestation.",
        "Nothing was changed.",
        "Look at what the package has.";
    "registry.malformed":
        "The request or the package is not what the protocol asks for; the detail says where.",
        "Nothing was published or changed.",
        "Mend it and send it again; a current client of the ecosystem writes it right.";
    "registry.too_large":
        "The package or its document is larger than is accepted.",
        "Nothing was published.",
        "Leave files out that users do not need, or ask the operator for a larger limit.";
    "registry.version_exists":
        "This version was published before; a version never changes.",
        "The published one stays as it is.",
        "Raise the version and publish again.";
    "registry.version_spent":
        "This version was published and removed; its number is not given again.",
        "Nothing was published.",
        "Raise the version and publish again.";
    "registry.not_yours":
        "You are no maintainer of this package.",
        "Nothing was changed.",
        "Ask a maintainer to add you.";
    "registry.foreign_scope":
        "The scope belongs to an account or organisation that you do not belong to.",
        "Nothing was changed.",
        "Publish under your own name or one of your organisations.";
    "registry.refused":
        "A rule of the registry does not allow this; the detail names it.",
        "Nothing was changed.",
        "Follow the detail, or ask the operator.";
    "registry.stale":
        "Somebody changed the package at the same time.",
        "Your change was not made; the other one stays.",
        "Read the package again and repeat your change.";
    "registry.bad_name":
        "The name is no valid package name, or too like another.",
        "Nothing was published.",
        "Choose another name; `errors` says what is wrong.";
    "registry.bad_version":
        "The version is no valid version of this ecosystem.",
        "Nothing was published.",
        "Write it as 1.2.3.";
    "registry.bad_source":
        "The tarball cannot be fetched from the address that was given.",
        "Nothing was published.",
        "Give a public https address of a tarball.";
    "registry.source_failed":
        "The server that should have the tarball did not give it.",
        "Nothing was published.",
        "Check the address and try again.";
    "registry.other_dependencies":
        "The body and the tarball's package.json state different dependencies.",
        "Nothing was published.",
        "Leave them out of the body.";
    "registry.no_ecosystem":
        "There are no packages of this kind here.",
        "Nothing was changed.",
        "Choose one of the ecosystems that `errors` lists.";
    "registry.no_address":
        "The address of a tarball could not be written: a fault of ours.",
        "Only reading was tried.",
        "Tell the operator the request id.";
    "registry.no_tab":
        "The package's page has no such part.",
        "Only reading was tried.",
        "Use the tabs of the page.";
    "registry.form":
        "A form of the package's page lacks a field, or is not known.",
        "Nothing was changed.",
        "Open the page again and use its forms.";
    "registry.method":
        "There is something at this address, for another method.",
        "Nothing was changed.",
        "Look at the protocol of the client.";
    "registry.unwritable":
        "The answer could not be written: a fault of ours.",
        "Only reading was tried.",
        "Tell the operator the request id.";
    "registry.uplink_down":
        "The upstream registry does not answer, and there is no copy here.",
        "Nothing was changed.",
        "Try again after the seconds in Retry-After.";
    "registry.uplink_wrong":
        "The upstream registry answered with something that cannot be used.",
        "Nothing was kept of it.",
        "Try again later, or tell the operator.";
    "registry.uplink_tampered":
        "What the upstream registry sent is not what its own checksum says.",
        "Nothing was kept or given out.",
        "Do not install it from elsewhere; tell the operator.";
    "registry.uplink_blocked":
        "The operator, or an organisation that you belong to, does not let this package through from upstream.",
        "Nothing was fetched.",
        "Use another package, or ask whoever the answer names.";
    "registry.uplink_withheld":
        "This release is younger than the minimum age for packages from upstream, the operator's or that of an organisation that you belong to.",
        "Nothing was fetched.",
        "Use an older version, or wait.";
    "registry.uplink_failed":
        "Asking the upstream registry failed inside the program: a fault of ours.",
        "Nothing was changed.",
        "Tell the operator the request id.";
    "registry.upstream_policy_invalid":
        "The rules for upstream packages have wrong fields; `errors` names each.",
        "Nothing was changed.",
        "Mend the fields and send them again.";
    "registry.search_starts":
        "The search reads all packages after a start and is not ready yet.",
        "Nothing was changed.",
        "Ask again after the seconds in Retry-After.";
    "analytics.invalid":
        "These figures cannot be counted; `errors` names the fields.",
        "Only reading was tried.",
        "Choose another type or number of days.";
}
