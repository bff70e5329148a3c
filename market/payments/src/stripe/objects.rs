//! Stripe's objects, as far as we read them, and what they mean.

use kernel::{Currency, Money};
use serde::Deserialize;

use crate::dispute::DisputeState;
use crate::gateway::{Answer, Connected, DisputeNews, Notice, Outcome, RefundOutcome, WebhookError};
use crate::method::MethodView;
use crate::payment::{NextAction, PaymentId, Reason};

/// The longest webhook that is read, in bytes.
pub(super) const MAX_EVENT: usize = 256 << 10;

/// An object, or only its id.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Expandable<T> {
    Id(String),
    Object(Box<T>),
}

/// What we write into every intent and refund, to find it again.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) payment: Option<String>,
    pub(super) refund: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) created: i64,
    pub(super) client_secret: Option<String>,
    pub(super) metadata: Option<Metadata>,
    payment_method: Option<Expandable<Method>>,
    last_payment_error: Option<LastError>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct LastError {
    code: Option<String>,
    decline_code: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Method {
    pub(super) id: String,
    pub(super) card: Option<CardFace>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CardFace {
    pub(super) brand: String,
    pub(super) last4: String,
    pub(super) exp_month: u32,
    pub(super) exp_year: u32,
}

impl CardFace {
    pub(super) fn view(&self) -> MethodView {
        MethodView { brand: self.brand.clone(), last4: self.last4.clone() }
    }
}

/// A page of a list.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) has_more: bool,
}

impl Intent {
    /// What the intent says. `is_browsers`: the buyer gives the card in the browser and may try another one.
    pub(super) fn answer(&self, is_browsers: bool) -> Answer {
        let in_browser =
            || Outcome::NeedsBuyer(NextAction::Browser { client_secret: self.client_secret.clone() });
        let outcome = match self.status.as_str() {
            "requires_capture" => Outcome::Authorised,
            "succeeded" => Outcome::Captured,
            "canceled" => Outcome::Cancelled,
            "processing" => Outcome::Pending,
            "requires_action" => in_browser(),
            "requires_payment_method" | "requires_confirmation" if is_browsers => in_browser(),
            "requires_payment_method" => {
                let error = self.last_payment_error.clone().unwrap_or_default();
                Outcome::Declined(declined(error.decline_code.as_deref(), error.code.as_deref()))
            }
            "requires_confirmation" => Outcome::Pending,
            other => Outcome::Unknown(format!("a status that is not known: {other}")),
        };
        let method = match &self.payment_method {
            Some(Expandable::Object(method)) => method.card.as_ref().map(CardFace::view),
            _ => None,
        };
        Answer { outcome, reference: Some(self.id.clone()).filter(|id| !id.is_empty()), method }
    }
}

/// Stripe's codes in words for the buyer. What a bank keeps to itself (`stolen_card`) is not told either.
pub(super) fn declined(decline_code: Option<&str>, code: Option<&str>) -> Reason {
    let (code, message) = match (decline_code, code) {
        (Some("insufficient_funds"), _) => {
            ("insufficient_funds", "The card has insufficient funds. Use another card.")
        }
        (Some("expired_card"), _) | (_, Some("expired_card")) => {
            ("expired_card", "The card has expired. Use another card.")
        }
        (Some("incorrect_cvc" | "invalid_cvc"), _) | (_, Some("incorrect_cvc" | "invalid_cvc")) => {
            ("incorrect_cvc", "The CVC is wrong. Check it and try again.")
        }
        (Some("processing_error"), _) | (_, Some("processing_error")) => {
            ("processing_error", "The bank could not process the card. Try again in a moment.")
        }
        (Some("authentication_required"), _)
        | (_, Some("authentication_required" | "payment_intent_authentication_failure")) => (
            "authentication_failed",
            "The bank could not confirm that it was you. Try again, or use another card.",
        ),
        (_, Some("amount_too_small")) => ("amount_too_small", "The amount is too small for a card."),
        _ => ("card_declined", "Your bank declined the card. Use another card or ask your bank."),
    };
    Reason::new(code, format!("{message} You were not charged."))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refund {
    id: String,
    status: Option<String>,
    failure_reason: Option<String>,
    pub(super) metadata: Option<Metadata>,
}

impl Refund {
    pub(super) fn outcome(&self) -> RefundOutcome {
        match self.status.as_deref() {
            Some("succeeded") => RefundOutcome::Settled(self.id.clone()),
            Some("pending" | "requires_action") => RefundOutcome::Pending(self.id.clone()),
            Some("failed" | "canceled") => {
                let code = self.failure_reason.clone().unwrap_or_else(|| "refund_failed".to_owned());
                RefundOutcome::Refused(Reason::new(code, "The bank did not take the refund."))
            }
            other => RefundOutcome::Unknown(format!("a status that is not known: {other:?}")),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Dispute {
    id: String,
    status: String,
    #[serde(default)]
    reason: String,
    amount: i64,
    currency: String,
}

impl Dispute {
    /// What it means for the money. Inquiries (`warning_…`) move none.
    pub(super) fn news(&self) -> Option<DisputeNews> {
        let state = match self.status.as_str() {
            "won" => DisputeState::Won,
            "lost" => DisputeState::Lost,
            "needs_response" | "under_review" => DisputeState::Opened,
            _ => return None,
        };
        let currency = self.currency.to_uppercase().parse::<Currency>().ok()?;
        Some(DisputeNews {
            reference: self.id.clone(),
            amount: Money::new(self.amount, currency),
            state,
            reason: self.reason.clone(),
        })
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Account {
    id: String,
    payouts_enabled: bool,
    capabilities: Capabilities,
    requirements: Option<Requirements>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Capabilities {
    transfers: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Requirements {
    currently_due: Vec<String>,
}

impl Account {
    pub(super) fn connected(self) -> Connected {
        let may_receive = self.capabilities.transfers.as_deref() == Some("active");
        Connected {
            reference: self.id,
            is_ready: self.payouts_enabled && may_receive,
            missing: self.requirements.map(|requirements| requirements.currently_due).unwrap_or_default(),
        }
    }
}

/// Anything of which only the id matters.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) client_secret: Option<String>,
}

/// An account link.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Link {
    pub(super) url: String,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    object: EventObject,
}

#[derive(Deserialize)]
struct EventObject {
    #[serde(default)]
    id: String,
    #[serde(default)]
    object: String,
    #[serde(default)]
    metadata: Option<Metadata>,
    #[serde(default)]
    payment_intent: Option<Expandable<Named>>,
}

/// Reads a webhook whose signature fits.
pub(super) fn notice(body: &[u8]) -> Result<Notice, WebhookError> {
    if body.len() > MAX_EVENT {
        return Err(WebhookError::NoEvent);
    }
    let event: Event = serde_json::from_slice(body).map_err(|_| WebhookError::NoEvent)?;
    let object = event.data.object;
    let plain = |text: &str| (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if !plain(&event.id) || !plain(&event.kind) || object.id.len() > 255 {
        return Err(WebhookError::NoEvent);
    }
    let intent = match object.payment_intent {
        Some(Expandable::Id(id)) => Some(id),
        Some(Expandable::Object(intent)) => Some(intent.id),
        None => None,
    };
    let payment = object.metadata.and_then(|metadata| metadata.payment);
    Ok(Notice {
        id: event.id,
        kind: event.kind,
        reference: if object.object == "payment_intent" { Some(object.id.clone()) } else { intent },
        payment: payment.and_then(|id| id.parse::<PaymentId>().ok()),
        object: object.id,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn intent(status: &str) -> Intent {
        Intent { id: "pi_1".into(), status: status.into(), ..Intent::default() }
    }

    #[test]
    fn statuses_mean_what_stripe_says() {
        assert_eq!(intent("requires_capture").answer(false).outcome, Outcome::Authorised);
        assert_eq!(intent("succeeded").answer(false).outcome, Outcome::Captured);
        assert_eq!(intent("canceled").answer(false).outcome, Outcome::Cancelled);
        assert!(matches!(intent("requires_payment_method").answer(false).outcome, Outcome::Declined(_)));
        assert!(matches!(intent("requires_payment_method").answer(true).outcome, Outcome::NeedsBuyer(_)));
        assert!(matches!(intent("something_new").answer(true).outcome, Outcome::Unknown(_)));
    }

    #[test]
    fn events_name_what_they_are_about() {
        let body = r#"{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","object":"payment_intent","metadata":{"payment":"payment-1"}}}}"#;
        let read = notice(body.as_bytes()).unwrap();
        assert_eq!((read.id.as_str(), read.reference.as_deref()), ("evt_1", Some("pi_1")));
        assert_eq!(read.payment.unwrap().as_str(), "payment-1");
        let body = r#"{"id":"evt_2","type":"charge.dispute.created","data":{"object":{"id":"dp_1","object":"dispute","payment_intent":"pi_1"}}}"#;
        assert_eq!(notice(body.as_bytes()).unwrap().reference.as_deref(), Some("pi_1"));
        let unknown = r#"{"id":"evt_3","type":"invoice.new_thing","data":{"object":{}}}"#;
        assert_eq!(notice(unknown.as_bytes()).unwrap().reference, None);
        for body in ["", "{}", "[]", r#"{"id":"","type":"x","data":{"object":{}}}"#, r#"{"id":1}"#] {
            assert_eq!(notice(body.as_bytes()), Err(WebhookError::NoEvent), "{body}");
        }
    }

    #[test]
    fn disputes_in_an_inquiry_move_no_money() {
        let dispute = |status: &str| Dispute {
            id: "dp_1".into(),
            status: status.into(),
            reason: "fraudulent".into(),
            amount: 500,
            currency: "usd".into(),
        };
        assert_eq!(dispute("warning_needs_response").news(), None);
        assert_eq!(dispute("under_review").news().unwrap().state, DisputeState::Opened);
        assert_eq!(dispute("lost").news().unwrap().state, DisputeState::Lost);
    }

    proptest! {
        #[test]
        fn whatever_comes_as_an_event_is_judged(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = notice(&body);
        }

        #[test]
        fn nested_json_is_judged(id in ".{0,20}", kind in ".{0,20}", value in ".{0,20}") {
            let body = serde_json::json!({ "id": id, "type": kind, "data": { "object": {
                "id": value, "payment_intent": { "id": value }, "metadata": { "payment": value } } } });
            let _ = notice(body.to_string().as_bytes());
        }

        #[test]
        fn every_intent_has_an_answer(status in ".{0,20}", is_browsers in any::<bool>()) {
            let _ = intent(&status).answer(is_browsers);
        }
    }
}
