//! What a gateway can do for us. Every call is safe to repeat: the payment's or refund's id is its idempotency key.

use futures_util::future::BoxFuture;
use http::HeaderMap;
use kernel::{Money, Timestamp};

use crate::dispute::DisputeState;
use crate::method::MethodView;
use crate::payment::{NextAction, Payment, PaymentId, Reason};
use crate::refund::{Refund, RefundId};

/// What a gateway is asked about a payment. Everything it needs is in here, so that a gateway keeps nothing.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The payment: the idempotency key.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
    /// What to charge, see [`Gateway::resolve`]; empty where the buyer gives it in the browser.
    pub instrument: String,
    /// The gateway's own name for the payment, where it gave one.
    pub reference: Option<String>,
    /// What statements call it.
    pub description: String,
    /// When the payment began.
    pub begun_at: Timestamp,
    /// When this is asked.
    pub now: Timestamp,
}

impl Ask {
    pub(crate) fn of(payment: &Payment, now: Timestamp) -> Self {
        Self {
            payment: payment.id.clone(),
            amount: payment.amount,
            instrument: payment.instrument.clone(),
            reference: payment.reference.clone(),
            description: payment.description.clone(),
            begun_at: payment.created_at,
            now,
        }
    }
}

/// What a gateway says of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The money is reserved.
    Authorised,
    /// The money was taken.
    Captured,
    /// The buyer has to do something first.
    NeedsBuyer(NextAction),
    /// The gateway works on it.
    Pending,
    /// The bank said no, for good.
    Declined(Reason),
    /// It was called off; nothing was taken.
    Cancelled,
    /// The gateway knows of no such payment: it never happened, and will not any more.
    NeverHappened,
    /// No answer, or none that can be understood. It may have happened or not. The text is for operators.
    Unknown(String),
}

/// An [`Outcome`] with the gateway's own name for the payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it says.
    pub outcome: Outcome,
    /// Its own name for the payment, where it gave one.
    pub reference: Option<String>,
    /// The card that was used, where it says so.
    pub method: Option<MethodView>,
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, reference: None, method: None }
    }
}

/// What a gateway is asked about a refund.
#[derive(Clone, Debug)]
pub struct RefundAsk {
    /// The refund: the idempotency key.
    pub refund: RefundId,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// The gateway's own name for the refund, where it gave one.
    pub reference: Option<String>,
    /// When the refund began.
    pub begun_at: Timestamp,
    /// Of which payment.
    pub payment: Ask,
}

impl RefundAsk {
    pub(crate) fn of(refund: &Refund, payment: &Payment, now: Timestamp) -> Self {
        Self {
            refund: refund.id.clone(),
            amount: refund.amount,
            reason: refund.reason.clone(),
            reference: refund.reference.clone(),
            begun_at: refund.created_at,
            payment: Ask::of(payment, now),
        }
    }
}

/// What a gateway says of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// It is on its way to the buyer. The gateway's name for it.
    Settled(String),
    /// The gateway works on it. Its name for it.
    Pending(String),
    /// The gateway refused; nothing was given back.
    Refused(Reason),
    /// No answer.
    Unknown(String),
}

/// A dispute as a gateway tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeNews {
    /// The gateway's name for it.
    pub reference: String,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub state: DisputeState,
    /// Why.
    pub reason: String,
}

/// A way to pay that a gateway accepted: what is kept of a card or token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// An outcome code (sandbox) or the gateway's id of a method. Never a card number.
    pub code: String,
    /// What people may see of it, where it is known already.
    pub view: Option<MethodView>,
}

/// A card that a gateway keeps for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The gateway's name for it.
    pub instrument: String,
    /// What people see of it.
    pub view: MethodView,
    /// The month after which it is void.
    pub exp_month: u32,
    /// The year after which it is void.
    pub exp_year: u32,
}

/// A webhook that was proved to come from the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The gateway's id of this event: repeats are dropped by it.
    pub id: String,
    /// What kind of event.
    pub kind: String,
    /// The gateway's name of the object that it is about.
    pub object: String,
    /// Our payment, where the object names it.
    pub payment: Option<PaymentId>,
    /// The gateway's name of the payment, where the object belongs to one.
    pub reference: Option<String>,
}

/// Why a webhook was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// There is no signature, or it cannot be read.
    #[error("the signature header cannot be read")]
    NoSignature,
    /// No secret makes this signature.
    #[error("the signature does not fit")]
    WrongSignature,
    /// It was signed too long ago, or in the future.
    #[error("the signature is too old")]
    TooOld,
    /// The body is no event.
    #[error("the body is no event")]
    NoEvent,
    /// This gateway sends no webhooks, or no secret is configured.
    #[error("webhooks are not set up")]
    Off,
}

/// A transfer to a seller's connected account, and how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferOutcome {
    /// It was made. The gateway's name for it.
    Made(String),
    /// Refused for good.
    Refused(Reason),
    /// No answer: ask again with the same key.
    Unknown(String),
}

/// Where a seller's connected account stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// The gateway's name for it.
    pub reference: String,
    /// Whether money can be transferred to it and paid out.
    pub is_ready: bool,
    /// What the gateway still wants to know, in its own words.
    pub missing: Vec<String>,
}

/// Why a call that only concerns methods or accounts failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// Refused; the words are for people.
    #[error("{}", .0.message)]
    Refused(Reason),
    /// No answer.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// This gateway cannot do that.
    #[error("not offered by this gateway")]
    NotOffered,
}

/// A payment gateway.
pub trait Gateway: Send + Sync + 'static {
    /// `sandbox` or `stripe`: stands in payments and in the ledger's accounts.
    fn name(&self) -> &'static str;

    /// Reserves the money. Idempotent by the payment's id: asked again it tells of the first.
    fn authorise<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer>;

    /// How the payment stands. Must not answer [`Outcome::NeverHappened`] while it could still happen.
    fn look<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer>;

    /// Takes the reserved money.
    fn capture<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer>;

    /// Calls it off. [`Outcome::Captured`] when it is too late for that.
    fn cancel<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer>;

    /// Gives money back. Idempotent by the refund's id.
    fn refund<'a>(&'a self, ask: &'a RefundAsk) -> BoxFuture<'a, RefundOutcome>;

    /// The dispute of a captured payment, if there is one.
    fn dispute<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Result<Option<DisputeNews>, GatewayError>>;

    /// When a captured payment should be looked at again without a webhook; `None` for never.
    fn look_again_at(&self, ask: &Ask) -> Option<Timestamp> {
        let _ = ask;
        None
    }

    /// Events that this gateway puts into our inbox by itself when money was reserved, because it can call nobody.
    fn notices(&self, ask: &Ask) -> Vec<Notice> {
        let _ = ask;
        Vec::new()
    }

    /// Checks a token as it comes from a client, without asking anybody: what to keep of it.
    ///
    /// # Errors
    /// [`GatewayError::Refused`] when it is no token of this gateway.
    fn resolve(&self, token: &str) -> Result<Instrument, GatewayError>;

    /// Keeps a card for an account that the gateway knows as `customer`; makes the customer where there is none.
    /// Answers with the customer and the card.
    fn keep<'a>(
        &'a self,
        customer: Option<&'a str>,
        account: &'a str,
        instrument: &'a Instrument,
    ) -> BoxFuture<'a, Result<(Option<String>, Kept), GatewayError>>;

    /// Prepares a card to be saved from the browser: answers with the customer and the secret for the gateway's
    /// script. Idempotent by `key`.
    fn prepare<'a>(
        &'a self,
        customer: Option<&'a str>,
        account: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(String, String), GatewayError>> {
        let _ = (customer, account, key);
        Box::pin(std::future::ready(Err(GatewayError::NotOffered)))
    }

    /// Forgets a card. Idempotent.
    fn forget<'a>(&'a self, instrument: &'a str) -> BoxFuture<'a, Result<(), GatewayError>>;

    /// Transfers money to a seller's connected account. Idempotent by `key`.
    fn transfer<'a>(
        &'a self,
        key: &'a str,
        amount: Money,
        destination: &'a str,
    ) -> BoxFuture<'a, TransferOutcome> {
        let _ = (key, amount, destination);
        Box::pin(std::future::ready(TransferOutcome::Refused(Reason::new(
            "not_offered",
            "This gateway pays nobody out.",
        ))))
    }

    /// Makes a connected account for a seller. Idempotent by `key`.
    fn connect<'a>(&'a self, key: &'a str, email: &'a str) -> BoxFuture<'a, Result<Connected, GatewayError>> {
        let _ = (key, email);
        Box::pin(std::future::ready(Err(GatewayError::NotOffered)))
    }

    /// How a connected account stands.
    fn connected<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<Connected, GatewayError>> {
        let _ = reference;
        Box::pin(std::future::ready(Err(GatewayError::NotOffered)))
    }

    /// The page where the seller tells the gateway what it wants to know. Both addresses are absolute.
    fn connect_link<'a>(
        &'a self,
        reference: &'a str,
        return_url: &'a str,
        refresh_url: &'a str,
    ) -> BoxFuture<'a, Result<String, GatewayError>> {
        let _ = (reference, return_url, refresh_url);
        Box::pin(std::future::ready(Err(GatewayError::NotOffered)))
    }

    /// Checks a webhook and reads it.
    ///
    /// # Errors
    /// [`WebhookError`]: it is not to be believed.
    fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Notice, WebhookError>;
}
