//! What can go wrong in this room, and how people are told.

use std::borrow::Cow;

use kernel::{FieldError, Problem};
use store::StoreError;

use crate::permission::Denied;

/// Why a use case did not do what was asked. Nothing was changed then, unless a variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Fields of the request are wrong.
    #[error("some fields are wrong")]
    Invalid(Vec<FieldError>),
    /// Somebody has this name.
    #[error("the name is taken")]
    NameTaken,
    /// Name and password do not go together. Also said when there is no such account.
    #[error("wrong name or password")]
    WrongPassword,
    /// Too many wrong guesses.
    #[error("too many guesses; {seconds} s to wait")]
    Throttled {
        /// How long to wait.
        seconds: u64,
    },
    /// This needs an account.
    #[error("nobody is signed in")]
    NotSignedIn,
    /// The token or JWT is unknown, expired or revoked.
    #[error("the token is not valid")]
    BadToken,
    /// The token may not be used from this address.
    #[error("the token may not be used from this address")]
    WrongAddress,
    /// The account may not do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// There is no such thing, or none that the caller may see. The text names the kind.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// A thing of this name is there already. The text names the kind.
    #[error("this {0} is there already")]
    Exists(&'static str),
    /// A one-time link was used before, is too old, or never existed.
    #[error("the link is spent")]
    LinkSpent,
    /// The thing changed since the caller saw it.
    #[error(transparent)]
    Stale(#[from] web::Stale),
    /// The market would be left without an operator.
    #[error("this is the last admin")]
    LastAdmin,
    /// The organisation would be left without an owner.
    #[error("this is the last owner")]
    LastOwner,
    /// There are as many as one account may have. The text names the kind.
    #[error("no more {0}")]
    TooMany(&'static str),
    /// Strangers may not make accounts here.
    #[error("registration is closed")]
    RegistrationClosed,
    /// An `Idempotency-Key` came again with another body.
    #[error(transparent)]
    Reused(#[from] web::idempotency::Reused),
    /// The password hash could not be computed: the machine is out of memory, or the program is going down.
    #[error("the password cannot be checked now")]
    Hashing,
}

impl IdentityError {
    /// One wrong field.
    pub fn field(pointer: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Store(error) => error.into(),
            IdentityError::Reused(error) => error.into(),
            IdentityError::Denied(denied) => denied_problem(denied),
            IdentityError::Invalid(errors) => {
                let detail = "Some fields need another look. Nothing was changed.";
                Self { errors, ..Self::invalid("identity.invalid", detail) }
            }
            IdentityError::NotSignedIn
            | IdentityError::BadToken
            | IdentityError::WrongAddress
            | IdentityError::WrongPassword
            | IdentityError::Throttled { .. } => sign_in_problem(&error),
            IdentityError::NotFound(kind) => Self::not_found(
                "identity.not_found",
                format!("There is no such {kind}, or it is not yours to see."),
            ),
            IdentityError::LinkSpent => {
                Self::gone("identity.link_spent", "This link was used before, or it is too old.")
                    .next("Ask for a new one.")
            }
            IdentityError::Stale(stale) => stale.into(),
            IdentityError::RegistrationClosed => {
                Self::forbidden("identity.registration_closed", "New accounts are made by the operator here.")
                    .next("Ask the operator for an account.")
            }
            IdentityError::Hashing => Self::unavailable(
                "identity.busy",
                "Passwords cannot be checked just now. Nothing was changed.",
            )
            .retry_after(2),
            conflict => conflict_problem(&conflict),
        }
    }
}

fn sign_in_problem(error: &IdentityError) -> Problem {
    match error {
        IdentityError::WrongPassword => {
            Problem::unauthorized("identity.wrong_password", "The name or the password is wrong.")
                .next("Check both, or reset the password.")
        }
        IdentityError::BadToken => {
            Problem::unauthorized("identity.bad_token", "This token is unknown, expired or revoked.")
                .next("Sign in again to get a fresh one: fondaco login, or npm login.")
        }
        IdentityError::WrongAddress => {
            Problem::unauthorized("identity.wrong_address", "This token may not be used from this address.")
                .next("Use it from an address on its list, or make another token.")
                .challenge("ipaddress")
        }
        IdentityError::Throttled { seconds } => {
            Problem::too_many("identity.throttled", "There were too many wrong guesses. Nothing was checked.")
                .next(format!("Wait {seconds} s and try again."))
                .retry_after(*seconds)
        }
        _ => Problem::unauthorized("identity.not_signed_in", "This needs an account.")
            .next("Sign in, or send an API token as Authorization: Bearer elk_…"),
    }
}

fn denied_problem(denied: Denied) -> Problem {
    match denied {
        Denied::Scope(scope) => {
            let detail = format!("This token lacks the scope `{}`.", scope.name());
            Problem::forbidden("identity.scope_missing", detail).next("Make a token that has it.")
        }
        Denied::Restricted => {
            Problem::forbidden("identity.restricted", "This token is restricted to other things.")
                .next("Use a token that covers this one.")
        }
        Denied::Role => Problem::forbidden("identity.role_missing", "Your account may not do this.")
            .next("Ask the operator for the role that allows it."),
        Denied::NotYours => Problem::forbidden("identity.not_yours", "This belongs to somebody else.")
            .next("Ask its owner to do it, or to give you access."),
    }
}

fn conflict_problem(error: &IdentityError) -> Problem {
    match error {
        IdentityError::NameTaken => {
            Problem::conflict("identity.name_taken", "This name is taken. Nothing was changed.")
                .field("/username", "Choose another name.")
        }
        IdentityError::LastAdmin => {
            Problem::conflict("identity.last_admin", "This is the last operator. Nothing was changed.")
                .next("Make somebody else an admin first.")
        }
        IdentityError::LastOwner => {
            Problem::conflict("identity.last_owner", "This is the last owner. Nothing was changed.")
                .next("Make somebody else an owner first.")
        }
        IdentityError::TooMany(kind) => {
            Problem::conflict("identity.too_many", format!("There is no room for another {kind}."))
                .next("Remove one that is not used any more.")
        }
        IdentityError::Exists(kind) => Problem::conflict(
            "identity.exists",
            format!("This {kind} is there already. Nothing was changed."),
        ),
        other => Problem::internal("identity.failed", other.to_string()),
    }
}

kernel::problems! {
    "identity.invalid":
        "Some fields are wrong; `errors` names each.",
        "Nothing was changed.",
        "Mend the fields and send them again.";
    "identity.name_taken":
        "Another account or organisation has this name, or it is reserved.",
        "Nothing was changed.",
        "Choose another name.";
    "identity.wrong_password":
        "The name and the password do not go together. The same is said when there is no such account.",
        "Nobody was signed in. Wrong guesses are counted.",
        "Check both, or have a link mailed to choose a new password.";
    "identity.throttled":
        "There were too many wrong guesses for this account or from this address.",
        "The password was not looked at.",
        "Wait for the seconds in Retry-After.";
    "identity.not_signed_in":
        "This needs an account.",
        "Nothing was done.",
        "Sign in, or send an API token as Authorization: Bearer.";
    "identity.bad_token":
        "The token is unknown, has expired or was revoked.",
        "Nothing was done.",
        "Sign in again for a fresh one: fondaco login, or npm login.";
    "identity.wrong_address":
        "The token is bound to certain networks, and the request comes from another.",
        "Nothing was done.",
        "Use it from there, or make another token.";
    "identity.scope_missing":
        "The token lacks a scope that this needs; the detail names it.",
        "Nothing was done.",
        "Make a token that has the scope.";
    "identity.restricted":
        "The token is restricted to other packages or things.",
        "Nothing was done.",
        "Use a token that covers this one.";
    "identity.role_missing":
        "Your account has no role that allows this.",
        "Nothing was done.",
        "Ask the operator for the role.";
    "identity.not_yours":
        "This belongs to somebody else.",
        "Nothing was done.",
        "Ask its owner to do it, or to give you access.";
    "identity.not_found":
        "There is no such account, organisation, team, token or session, or it is not yours to see.",
        "Nothing was changed.",
        "Check the name or the id.";
    "identity.exists":
        "There is one of this name already.",
        "Nothing was changed.",
        "Choose another name, or use the one that is there.";
    "identity.link_spent":
        "A link that works once was used before, or is too old.",
        "Nothing was changed.",
        "Ask for a new one.";
    "identity.last_admin":
        "The market would be left without anybody who can operate it.",
        "Nothing was changed.",
        "Make somebody else an admin first.";
    "identity.last_owner":
        "The organisation would be left without an owner.",
        "Nothing was changed.",
        "Make somebody else an owner first.";
    "identity.too_many":
        "An account has as many of these as it may have.",
        "Nothing was changed.",
        "Remove one that is not used any more.";
    "identity.registration_closed":
        "Strangers cannot make accounts here.",
        "Nothing was changed.",
        "Ask the operator for an account.";
    "identity.busy":
        "The machine has no memory left to check a password.",
        "Nothing was changed.",
        "Try again in a few seconds.";
    "identity.failed":
        "Something about accounts went wrong inside the program: a fault of ours.",
        "Nothing was changed.",
        "Tell the operator the request id.";
}
