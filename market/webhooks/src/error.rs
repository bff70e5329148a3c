//! What can go wrong in this room, and how people are told.

use std::borrow::Cow;
use std::str::FromStr;

use identity::IdentityError;
use kernel::{FieldError, Problem};
use store::StoreError;
use vault::VaultError;

/// Why a use case did not do what was asked. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Who asks may not, or nobody is signed in.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Fields of the request are wrong.
    #[error("some fields are wrong")]
    Invalid(Vec<FieldError>),
    /// There is no such thing, or it is somebody else's. The text names the kind.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The account has as many as it may have.
    #[error("no more webhooks")]
    TooMany,
    /// It changed since the caller saw it.
    #[error(transparent)]
    Stale(#[from] web::Stale),
    /// An `Idempotency-Key` came again with another body.
    #[error(transparent)]
    Reused(#[from] web::idempotency::Reused),
    /// The secret cannot be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl WebhookError {
    /// One wrong field.
    pub(crate) fn field(pointer: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }
}

/// The id in a path or a form; what is none names nothing that there is.
pub(crate) fn id<T: FromStr>(text: &str, kind: &'static str) -> Result<T, WebhookError> {
    text.parse().map_err(|_| WebhookError::NotFound(kind))
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Store(error) => error.into(),
            WebhookError::Identity(error) => error.into(),
            WebhookError::Reused(error) => error.into(),
            WebhookError::Stale(error) => error.into(),
            WebhookError::Invalid(errors) => {
                let detail = "Some fields need another look. Nothing was changed.";
                Self { errors, ..Self::invalid("webhooks.invalid", detail) }
            }
            WebhookError::NotFound(kind) => Self::not_found(
                "webhooks.not_found",
                format!("There is no such {kind}, or it is not yours to see."),
            ),
            WebhookError::TooMany => Self::conflict(
                "webhooks.too_many",
                "This account has as many webhooks as it may have. Nothing was changed.",
            )
            .next("Remove one that is no longer used."),
            WebhookError::Vault(_) => Self::unavailable(
                "webhooks.sealed",
                "The secret of this webhook cannot be opened with the keys that are configured.",
            )
            .next("Rotate the secret, or let the operator put the earlier encryption key back."),
        }
    }
}

kernel::problems! {
    "webhooks.invalid":
        "Some fields of the webhook are wrong; `errors` names each.",
        "Nothing was changed.",
        "Mend the fields and send them again.";
    "webhooks.not_found":
        "There is no such webhook or delivery, or it belongs to somebody else.",
        "Nothing was done.",
        "Look at the list of your webhooks for those there are.";
    "webhooks.too_many":
        "An account has at most 20 webhooks.",
        "Nothing was made.",
        "Remove one that is no longer used, or let one endpoint hear of more events.";
    "webhooks.sealed":
        "The secret was sealed with an encryption key that is not configured any more.",
        "Nothing was sent; deliveries wait.",
        "Rotate the secret, or let the operator put the earlier key back.";
}
