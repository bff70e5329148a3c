//! The bank of the sandbox: a pure function of the card's outcome code and the time since the payment began.

use std::time::Duration;

use futures_util::future::BoxFuture;
use http::HeaderMap;
use kernel::{Money, Timestamp};

use super::NAME;
use super::card::TestCard;
use crate::dispute::DisputeState;
use crate::gateway::{
    Answer, Ask, Connected, DisputeNews, Gateway, GatewayError, Instrument, Kept, Notice, Outcome, RefundAsk,
    RefundOutcome, TransferOutcome, WebhookError,
};
use crate::payment::{NextAction, Reason};

/// The card that wants a confirmation, before the buyer has answered.
pub(crate) const CONFIRM: &str = "confirm";
/// The buyer accepted on the page of the bank.
pub(crate) const CONFIRMED: &str = "confirmed";
/// The buyer refused there.
pub(crate) const REFUSED: &str = "refused";

/// After how long the late card succeeds.
pub const LATE: Duration = Duration::from_secs(20);
/// After how long what timed out can be looked up, and after how long slow refunds are paid.
pub const FOUND_AFTER: Duration = Duration::from_secs(3);
/// After how long the buyer's bank disputes, and after twice that decides.
pub const DISPUTED_AFTER: Duration = Duration::from_secs(10);

/// The sandbox gateway.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sandbox;

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

fn declined(code: &str, message: &str) -> Outcome {
    Outcome::Declined(Reason::new(code, format!("{message} You were not charged.")))
}

/// What becomes of a payment with this code at this time.
fn outcome(ask: &Ask) -> Outcome {
    let age = ask.now.since(ask.begun_at);
    match ask.instrument.as_str() {
        "" => Outcome::NeedsBuyer(NextAction::Card),
        CONFIRM => {
            Outcome::NeedsBuyer(NextAction::Redirect { url: format!("/sandbox/confirm/{}", ask.payment) })
        }
        REFUSED => declined("authentication_failed", "You refused the payment at your bank."),
        "declined" => {
            declined("card_declined", "Your bank declined the card. Use another card or ask your bank.")
        }
        "no_funds" => declined("insufficient_funds", "The card has insufficient funds. Use another card."),
        "expired" => declined("expired_card", "The bank says that the card has expired. Use another card."),
        "wrong_cvc" => {
            declined("incorrect_cvc", "The bank says that the CVC is wrong. Check it and try again.")
        }
        "processing" => {
            declined("processing_error", "The bank could not process the card. Try again in a moment.")
        }
        "automatic" => Outcome::Captured,
        "late" if age < LATE => Outcome::Pending,
        "lost_answer" if age < FOUND_AFTER => Outcome::Unknown("the sandbox bank timed out".to_owned()),
        "lost_request" if age < FOUND_AFTER => Outcome::Unknown("the sandbox bank timed out".to_owned()),
        "lost_request" => Outcome::NeverHappened,
        _ => Outcome::Authorised,
    }
}

/// What the bank says when it is asked for the money: the answer of what times out is lost at any age.
fn first_outcome(ask: &Ask) -> Outcome {
    match ask.instrument.as_str() {
        "lost_answer" | "lost_request" => Outcome::Unknown("the sandbox bank timed out".to_owned()),
        _ => outcome(ask),
    }
}

fn dispute(ask: &Ask) -> Option<DisputeNews> {
    let end = match ask.instrument.as_str() {
        "dispute_won" => DisputeState::Won,
        "dispute_lost" => DisputeState::Lost,
        _ => return None,
    };
    let age = ask.now.since(ask.begun_at);
    let state = if age >= DISPUTED_AFTER * 2 { end } else { DisputeState::Opened };
    let reason = if end == DisputeState::Lost { "fraudulent" } else { "product_not_received" };
    (age >= DISPUTED_AFTER).then(|| DisputeNews {
        reference: format!("sandbox-dispute-{}", ask.payment),
        amount: ask.amount,
        state,
        reason: reason.to_owned(),
    })
}

impl Gateway for Sandbox {
    fn name(&self) -> &'static str {
        NAME
    }

    fn authorise<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer> {
        ready(first_outcome(ask).into())
    }

    fn look<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer> {
        ready(outcome(ask).into())
    }

    fn capture<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer> {
        let lapses = ask.instrument == "lapses";
        ready(if lapses { Outcome::Cancelled } else { Outcome::Captured }.into())
    }

    fn cancel<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer> {
        let is_taken = matches!(ask.instrument.as_str(), "automatic");
        ready(if is_taken { Outcome::Captured } else { Outcome::Cancelled }.into())
    }

    fn refund<'a>(&'a self, ask: &'a RefundAsk) -> BoxFuture<'a, RefundOutcome> {
        let is_young = ask.payment.now.since(ask.begun_at) < FOUND_AFTER;
        ready(match ask.payment.instrument.as_str() {
            "no_refund" => RefundOutcome::Refused(Reason::new(
                "refund_refused",
                "The sandbox bank refuses refunds to this card.",
            )),
            "slow_refund" if is_young => RefundOutcome::Unknown("the sandbox bank timed out".to_owned()),
            _ => RefundOutcome::Settled(format!("sandbox-{}", ask.refund)),
        })
    }

    fn dispute<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Result<Option<DisputeNews>, GatewayError>> {
        ready(Ok(dispute(ask)))
    }

    fn look_again_at(&self, ask: &Ask) -> Option<Timestamp> {
        if !matches!(ask.instrument.as_str(), "dispute_won" | "dispute_lost") {
            return None;
        }
        let times = [ask.begun_at.after(DISPUTED_AFTER), ask.begun_at.after(DISPUTED_AFTER * 2)];
        times.into_iter().find(|time| *time > ask.now)
    }

    fn notices(&self, ask: &Ask) -> Vec<Notice> {
        let times = if ask.instrument == "twice" { 2 } else { 0 };
        let notice = |time| Notice {
            id: format!("sandbox-event-{}-{time}", ask.payment),
            kind: "payment.authorised".to_owned(),
            object: ask.payment.to_string(),
            payment: Some(ask.payment.clone()),
            reference: None,
        };
        (1..=times).map(notice).collect()
    }

    fn resolve(&self, token: &str) -> Result<Instrument, GatewayError> {
        let card = TestCard::by_token(token);
        card.map(TestCard::instrument).ok_or_else(|| {
            GatewayError::Refused(Reason::new(
                "no_such_token",
                "This is no token of the sandbox. Use one such as tok_visa.",
            ))
        })
    }

    fn keep<'a>(
        &'a self,
        _: Option<&'a str>,
        _: &'a str,
        instrument: &'a Instrument,
    ) -> BoxFuture<'a, Result<(Option<String>, Kept), GatewayError>> {
        let card = TestCard::by_code(&instrument.code);
        ready(card.map_or(Err(GatewayError::NotOffered), |card| {
            let kept =
                Kept { instrument: card.code.to_owned(), view: card.view(), exp_month: 12, exp_year: 2099 };
            Ok((None, kept))
        }))
    }

    fn forget<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), GatewayError>> {
        ready(Ok(()))
    }

    fn transfer<'a>(&'a self, key: &'a str, _: Money, _: &'a str) -> BoxFuture<'a, TransferOutcome> {
        ready(TransferOutcome::Made(format!("sandbox-transfer-{key}")))
    }

    fn connect<'a>(&'a self, key: &'a str, _: &'a str) -> BoxFuture<'a, Result<Connected, GatewayError>> {
        ready(Ok(connected(format!("sandbox-account-{key}"))))
    }

    fn connected<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<Connected, GatewayError>> {
        ready(Ok(connected(reference.to_owned())))
    }

    fn connect_link<'a>(
        &'a self,
        _: &'a str,
        return_url: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<String, GatewayError>> {
        ready(Ok(return_url.to_owned()))
    }

    fn verify(&self, _: &HeaderMap, _: &[u8], _: Timestamp) -> Result<Notice, WebhookError> {
        Err(WebhookError::Off)
    }
}

fn connected(reference: String) -> Connected {
    Connected { reference, is_ready: true, missing: Vec::new() }
}
