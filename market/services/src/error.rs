//! What can go wrong in this room, and how people are told.

use std::borrow::Cow;
use std::str::FromStr;

use identity::IdentityError;
use kernel::{FieldError, Problem};
use store::StoreError;
use vault::VaultError;

use crate::{Status, ToPay};

/// Why a service cannot be deployed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// In a sentence.
    pub reason: String,
    /// What the operator can do about it, such as a command.
    pub remedy: String,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.reason, self.remedy)
    }
}

/// Why a use case did not do what was asked. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
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
    /// Another deployment of the account has this name.
    #[error("the name is taken")]
    NameTaken,
    /// The account has as many running for nothing as it may.
    #[error("no more deployments of free plans")]
    TooManyFree,
    /// The plan has a price, and nobody bought it.
    #[error("the plan is not bought")]
    NotBought,
    /// An order waits to be paid; what was asked for happens then.
    #[error("the order {} is to be paid", .0.order)]
    ToPay(Box<ToPay>),
    /// The order that was placed for this is over.
    #[error("the order is over")]
    OrderOver,
    /// The plan is paid in another way than the present one. The text says what to do.
    #[error("the plan is paid in another way: {0}")]
    PaidOtherwise(&'static str),
    /// Nobody of the account ever had the service running.
    #[error("the service was never had")]
    NeverHad,
    /// Another room refused.
    #[error("{}", .0.detail)]
    Elsewhere(Box<Problem>),
    /// Every port is in use.
    #[error("no port is free")]
    NoPort,
    /// Its image is missing.
    #[error("the service is not available here: {0}")]
    NotAvailable(Missing),
    /// It is not in a state in which this can be done.
    #[error("it is {0}")]
    NotNow(Status),
    /// The removal cannot be undone any more.
    #[error("it is gone")]
    Gone,
    /// The service cannot do this.
    #[error("the service does not offer this: {0}")]
    NotOffered(&'static str),
    /// It has as many backups as are kept.
    #[error("no more backups")]
    TooManyBackups,
    /// It has more on disk than the plan allows.
    #[error("the disk cannot shrink")]
    Shrinks,
    /// It changed since the caller saw it.
    #[error(transparent)]
    Stale(#[from] web::Stale),
    /// An `Idempotency-Key` came again with another body.
    #[error(transparent)]
    Reused(#[from] web::idempotency::Reused),
    /// The credentials cannot be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// No engine answers, or it refused.
    #[error(transparent)]
    Engine(#[from] containers::EngineError),
}

impl ServiceError {
    /// One wrong field.
    pub(crate) fn field(pointer: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }
}

/// The id in a path or a form; what is none names nothing that there is.
pub(crate) fn id<T: FromStr>(text: &str, kind: &'static str) -> Result<T, ServiceError> {
    text.parse().map_err(|_| ServiceError::NotFound(kind))
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Store(error) => error.into(),
            ServiceError::Identity(error) => error.into(),
            ServiceError::Reused(error) => error.into(),
            ServiceError::Stale(error) => error.into(),
            ServiceError::Elsewhere(problem) => *problem,
            ServiceError::Invalid(errors) => {
                let detail = "Some fields need another look. Nothing was changed.";
                Self { errors, ..Self::invalid("services.invalid", detail) }
            }
            ServiceError::NotFound(kind) => Self::not_found(
                "services.not_found",
                format!("There is no such {kind}, or it is not yours to see."),
            ),
            error @ (ServiceError::NameTaken
            | ServiceError::TooManyFree
            | ServiceError::NotBought
            | ServiceError::ToPay(_)
            | ServiceError::OrderOver
            | ServiceError::PaidOtherwise(_)
            | ServiceError::NoPort
            | ServiceError::NotAvailable(_)) => cannot_be_made(error),
            error => cannot_be_done(error),
        }
    }
}

/// Why there is no new deployment.
fn cannot_be_made(error: ServiceError) -> Problem {
    match error {
        ServiceError::NameTaken => Problem::conflict(
            "services.name_taken",
            "Another deployment of this account has this name. Nothing was changed.",
        )
        .next("Choose another name."),
        ServiceError::TooManyFree => Problem::conflict(
            "services.too_many_free",
            "This account has as many deployments running on free plans as it may. Nothing was changed.",
        )
        .next("Stop or delete one, or choose a plan with a price."),
        error @ (ServiceError::NotBought
        | ServiceError::ToPay(_)
        | ServiceError::OrderOver
        | ServiceError::PaidOtherwise(_)) => not_paid(error),
        ServiceError::NoPort => Problem::unavailable(
            "services.no_port",
            "Every port for deployments is in use. Nothing was made.",
        )
        .next("Try again later, or let the operator widen services.ports."),
        ServiceError::NotAvailable(missing) => Problem::unavailable(
            "services.not_available",
            format!("This service cannot be deployed here: {} Nothing was made.", missing.reason),
        )
        .next(missing.remedy),
        error => cannot_be_done(error),
    }
}

/// What is to be paid first.
fn not_paid(error: ServiceError) -> Problem {
    match error {
        ServiceError::ToPay(to_pay) => Problem::new(
            402,
            "services.to_pay",
            format!(
                "The order {} of {} is to be paid first. It is held; nothing was charged.",
                to_pay.order, to_pay.total
            ),
        )
        .next(format!("Pay it at {}; what you asked for happens by itself then.", to_pay.page())),
        ServiceError::OrderOver => Problem::conflict(
            "services.order_over",
            "The order for this was not paid in time, or was cancelled. Nothing was made.",
        )
        .next("Ask for it again, with a fresh Idempotency-Key."),
        ServiceError::PaidOtherwise(next) => Problem::conflict(
            "services.paid_otherwise",
            "This plan is paid in another way than the present one. Nothing was changed.",
        )
        .next(next),
        _ => Problem::new(
            402,
            "services.not_bought",
            "This plan has a price, and nothing that you bought gives it. Nothing was made.",
        )
        .next("Buy the plan, or choose a free one."),
    }
}

/// Why nothing becomes of what is there.
fn cannot_be_done(error: ServiceError) -> Problem {
    match error {
        ServiceError::NotNow(status) => Problem::conflict(
            "services.not_now",
            format!("This cannot be done while the deployment is {status}. Nothing was changed."),
        )
        .next("Look at its status, and try again when it changed."),
        ServiceError::Gone => {
            Problem::gone("services.gone", "The deployment is removed for good. It cannot be brought back.")
        }
        ServiceError::NotOffered(what) => Problem::conflict(
            "services.not_offered",
            format!("This service has no {what}. Nothing was changed."),
        ),
        ServiceError::NeverHad => Problem::conflict(
            "services.never_had",
            "Only who had this service running can rate it. Nothing was saved.",
        )
        .next("Deploy it, and say then how it is."),
        ServiceError::TooManyBackups => Problem::conflict(
            "services.too_many_backups",
            "This deployment has 50 backups, and no more are kept. Nothing was made.",
        )
        .next("Remove one that is no longer needed."),
        ServiceError::Shrinks => Problem::conflict(
            "services.disk_shrinks",
            "The plan has less room on disk than the deployment has now. Nothing was changed.",
        )
        .next("Choose a plan with as much room, or move what it keeps to a new deployment."),
        ServiceError::Vault(_) => Problem::unavailable(
            "services.sealed",
            "The credentials cannot be opened with the keys that are configured.",
        )
        .next("Let the operator put the earlier encryption key back."),
        ServiceError::Engine(error) => engine(&error),
        error => Problem::internal("services.invalid", error.to_string()),
    }
}

fn engine(error: &containers::EngineError) -> Problem {
    tracing::warn!(%error, "the container engine did not do what was asked");
    Problem::unavailable("services.engine", "The container engine does not do this now. Nothing was changed.")
        .next("Try again in a moment. `fondaco doctor` tells the operator what is missing.")
        .retry_after(10)
}

kernel::problems! {
    "services.invalid":
        "Some fields are wrong; `errors` names each.",
        "Nothing was changed.",
        "Mend the fields and send them again.";
    "services.not_found":
        "There is no such service or deployment, or it belongs to somebody else.",
        "Nothing was done.",
        "Look at the list of services, or of your deployments, for those there are.";
    "services.name_taken":
        "Names of deployments differ within an account.",
        "Nothing was changed.",
        "Choose another name, or delete the other deployment.";
    "services.too_many_free":
        "An account may have so many deployments of free plans running at a time.",
        "Nothing was changed.",
        "Stop or delete one, or choose a plan with a price.";
    "services.not_bought":
        "The plan has a price, and the account has bought nothing that gives it and carries no other deployment; or it is \
         not for sale here.",
        "Nothing was made and nothing was charged.",
        "Buy the plan on the page of the service, or choose a free plan.";
    "services.to_pay":
        "An order was placed for what you asked for. It happens by itself once the order is paid.",
        "It is held for some minutes. Nothing was charged.",
        "Pay the order.";
    "services.order_over":
        "The order that was placed for this request was cancelled, refunded or not paid in time.",
        "Nothing was made.",
        "Ask for it again, with a fresh Idempotency-Key.";
    "services.paid_otherwise":
        "A plan that is paid by the month, one that is paid by use and a free one do not turn into each other while they are paid.",
        "Nothing was changed.",
        "End the subscription first, or make a backup and deploy it with the other plan.";
    "services.one_at_a_time":
        "Each deployment is paid by a line of its own, so that one can end without the others.",
        "Nothing was ordered.",
        "Order one at a time.";
    "services.no_port":
        "Every deployment is reached at a port of its own, and the range of services.ports is used up.",
        "Nothing was made.",
        "Try again later, or let the operator widen the range.";
    "services.not_available":
        "No container engine answers, or the image that the service runs from is not on this machine.",
        "Nothing was made.",
        "Let the operator install the engine and build the images; `fondaco doctor` says how.";
    "services.not_now":
        "What was asked needs a deployment in another state, for instance one that runs.",
        "Nothing was changed.",
        "Look at its status, and try again when it changed.";
    "services.gone":
        "The time in which a removal can be undone is over.",
        "What the deployment kept is gone; its backups stay until they are removed.",
        "Restore a backup into a new deployment.";
    "services.not_offered":
        "The template of this service does not say how this is done.",
        "Nothing was changed.",
        "Look at what the service offers on its page.";
    "services.never_had":
        "Ratings are of those alone who had the service running.",
        "Nothing was saved.",
        "Deploy it, and say then how it is.";
    "services.too_many_backups":
        "Of one deployment 50 backups are kept.",
        "Nothing was made. The backups there are stay.",
        "Remove one that is no longer needed.";
    "services.disk_shrinks":
        "What a deployment keeps on disk can grow, but not shrink.",
        "Nothing was changed.",
        "Choose a plan with as much room, or move what it keeps to a new deployment.";
    "services.sealed":
        "The credentials were sealed with an encryption key that is not configured any more.",
        "The deployment goes on running.",
        "Let the operator put the earlier key back.";
    "services.engine":
        "The engine that runs containers does not answer, or could not do what was asked.",
        "Nothing was changed. What runs goes on running.",
        "Try again in a moment; `fondaco doctor` tells the operator what is missing.";
}
