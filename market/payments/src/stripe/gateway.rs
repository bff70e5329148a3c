//! Stripe as a [`Gateway`].

use std::time::Duration;

use futures_util::future::BoxFuture;
use http::HeaderMap;
use kernel::{Money, Secret, Timestamp};

use super::client::{CallError, Client, Form, Refusal};
use super::objects::{self, Dispute, Intent, Link, List, Metadata, Method, Named, Refund};
use super::{NAME, StripeSettings, signature};
use crate::gateway::{
    Answer, Ask, Connected, DisputeNews, Gateway, GatewayError, Instrument, Kept, Notice, Outcome, RefundAsk,
    RefundOutcome, TransferOutcome, WebhookError,
};
use crate::payment::Reason;

/// After how long a request that was begun can no longer arrive at Stripe: all tries with all their pauses, twice.
const NO_LONGER_ON_ITS_WAY: Duration = Duration::from_secs(120);
/// How many pages of intents are looked through for one without a name.
const MOST_PAGES: usize = 10;
/// How much Stripe's clock may differ from ours, in seconds.
const CLOCKS_DIFFER: i64 = 300;

/// The Stripe gateway.
pub struct Stripe {
    client: Client,
    webhook_secrets: Vec<Secret>,
}

impl Stripe {
    /// A client with these settings; nothing is asked yet.
    ///
    /// # Errors
    /// When the base address is none.
    pub fn new(settings: &StripeSettings) -> Result<Self, GatewayError> {
        Ok(Self { client: Client::new(settings)?, webhook_secrets: settings.webhook_secrets.clone() })
    }

    async fn create(&self, ask: &Ask) -> Answer {
        let mut form = fields(&[
            ("amount", &ask.amount.minor.to_string()),
            ("currency", &ask.amount.currency.code().to_lowercase()),
            ("capture_method", "manual"),
            ("payment_method_types[]", "card"),
            ("metadata[payment]", ask.payment.as_str()),
            ("metadata[description]", &short(&ask.description)),
        ]);
        let is_browsers = ask.instrument.is_empty();
        if !is_browsers {
            let (method, customer) = parts(&ask.instrument);
            form.extend(fields(&[("payment_method", method), ("confirm", "true")]));
            form.extend(customer.map(|customer| ("customer".to_owned(), customer.to_owned())));
        }
        match self.client.post::<Intent>("/v1/payment_intents", &form, ask.payment.as_str()).await {
            Ok(intent) => intent.answer(is_browsers),
            Err(error) => refused(error),
        }
    }

    /// The intent, by its name or by our mark in it.
    async fn find(&self, ask: &Ask) -> Result<Option<Intent>, CallError> {
        if let Some(reference) = &ask.reference {
            return self.client.get(&format!("/v1/payment_intents/{reference}")).await.map(Some);
        }
        let mut path = "/v1/payment_intents?limit=100".to_owned();
        for _ in 0..MOST_PAGES {
            let page: List<Intent> = self.client.get(&path).await?;
            let oldest = page.data.iter().map(|intent| intent.created).min();
            let last = page.data.last().map(|intent| intent.id.clone());
            let is_ours = |intent: &Intent| {
                intent.metadata.as_ref().and_then(|metadata| metadata.payment.as_deref())
                    == Some(ask.payment.as_str())
            };
            if let Some(intent) = page.data.into_iter().find(is_ours) {
                return Ok(Some(intent));
            }
            let is_past = oldest.is_none_or(|oldest| oldest < ask.begun_at.secs() - CLOCKS_DIFFER);
            match last {
                Some(last) if page.has_more && !is_past => {
                    path = format!("/v1/payment_intents?limit=100&starting_after={last}");
                }
                _ => return Ok(None),
            }
        }
        Err(CallError::Unknown("too many intents to look through".to_owned()))
    }

    async fn look_up(&self, ask: &Ask) -> Answer {
        match self.find(ask).await {
            Ok(Some(intent)) => intent.answer(ask.instrument.is_empty()),
            Ok(None) if ask.now.since(ask.begun_at) > NO_LONGER_ON_ITS_WAY => Outcome::NeverHappened.into(),
            Ok(None) => Outcome::Unknown("Stripe does not know it yet".to_owned()).into(),
            Err(CallError::Refused(refusal)) if refusal.status == 404 => Outcome::NeverHappened.into(),
            Err(error) => unknown(error).into(),
        }
    }

    /// Does something to the intent. Where Stripe refuses, something else happened to it before: then that counts.
    async fn change(&self, ask: &Ask, verb: &str) -> Answer {
        let mut ask = ask.clone();
        if ask.reference.is_none() {
            let found = self.look_up(&ask).await;
            match found.reference {
                Some(reference) => ask.reference = Some(reference),
                None if verb == "cancel" && found.outcome == Outcome::NeverHappened => {
                    return Outcome::Cancelled.into();
                }
                None => return found,
            }
        }
        let reference = ask.reference.clone().unwrap_or_default();
        let (path, key) =
            (format!("/v1/payment_intents/{reference}/{verb}"), format!("{}/{verb}", ask.payment));
        match self.client.post::<Intent>(&path, &Form::new(), &key).await {
            Ok(intent) => intent.answer(false),
            Err(CallError::Refused(_)) => {
                let found = self.look_up(&ask).await;
                let is_stuck = matches!(found.outcome, Outcome::Authorised | Outcome::Pending);
                if is_stuck { Outcome::Unknown(format!("Stripe refused to {verb} it")).into() } else { found }
            }
            Err(error) => unknown(error).into(),
        }
    }

    async fn refund_once(&self, ask: &RefundAsk) -> Result<RefundOutcome, CallError> {
        if let Some(reference) = &ask.reference {
            let refund: Refund = self.client.get(&format!("/v1/refunds/{reference}")).await?;
            return Ok(refund.outcome());
        }
        let Some(intent) = &ask.payment.reference else {
            return Ok(RefundOutcome::Unknown("its payment has no name at Stripe".to_owned()));
        };
        // Stripe forgets idempotency keys after a day; our mark stays.
        if ask.payment.now.since(ask.begun_at) > NO_LONGER_ON_ITS_WAY {
            let known: List<Refund> =
                self.client.get(&format!("/v1/refunds?payment_intent={intent}&limit=100")).await?;
            let marked = |refund: &Refund| {
                let mark =
                    refund.metadata.as_ref().and_then(|metadata: &Metadata| metadata.refund.as_deref());
                mark == Some(ask.refund.as_str())
            };
            if let Some(refund) = known.data.iter().find(|refund| marked(refund)) {
                return Ok(refund.outcome());
            }
        }
        let form = fields(&[
            ("payment_intent", intent),
            ("amount", &ask.amount.minor.to_string()),
            ("metadata[refund]", ask.refund.as_str()),
            ("metadata[payment]", ask.payment.payment.as_str()),
            ("metadata[reason]", &short(&ask.reason)),
        ]);
        let refund: Refund = self.client.post("/v1/refunds", &form, ask.refund.as_str()).await?;
        Ok(refund.outcome())
    }

    async fn customer(&self, known: Option<&str>, account: &str) -> Result<String, GatewayError> {
        if let Some(known) = known {
            return Ok(known.to_owned());
        }
        let form = fields(&[("metadata[account]", account)]);
        let key = format!("customer/{account}");
        let made: Named = self.client.post("/v1/customers", &form, &key).await.map_err(failed)?;
        Ok(made.id)
    }

    async fn attach(
        &self,
        customer: Option<&str>,
        account: &str,
        method: &str,
    ) -> Result<(Option<String>, Kept), GatewayError> {
        let customer = self.customer(customer, account).await?;
        let form = fields(&[("customer", &customer)]);
        let (path, key) =
            (format!("/v1/payment_methods/{method}/attach"), format!("attach/{method}/{customer}"));
        let method: Method = self.client.post(&path, &form, &key).await.map_err(failed)?;
        let card = method.card.ok_or(GatewayError::NotOffered)?;
        let kept = Kept {
            instrument: format!("{}@{customer}", method.id),
            view: card.view(),
            exp_month: card.exp_month.clamp(1, 12),
            exp_year: card.exp_year,
        };
        Ok((Some(customer), kept))
    }
}

/// A method and the customer that it belongs to.
fn parts(instrument: &str) -> (&str, Option<&str>) {
    instrument.split_once('@').map_or((instrument, None), |(method, customer)| (method, Some(customer)))
}

fn fields(pairs: &[(&str, &str)]) -> Form {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Metadata holds at most 500 characters.
fn short(text: &str) -> String {
    text.chars().take(200).collect()
}

fn unknown(error: CallError) -> Outcome {
    match error {
        CallError::Unknown(note) => Outcome::Unknown(note),
        CallError::Refused(refusal) => Outcome::Unknown(told(&refusal)),
    }
}

/// A refusal for operators: no word of the buyer's is in it.
fn told(refusal: &Refusal) -> String {
    let code = refusal.code.as_deref().unwrap_or("no code");
    let message = refusal.message.as_deref().unwrap_or_default();
    format!("Stripe refused with {} ({code}): {message}", refusal.status)
}

/// What a refused new intent means. Nothing was taken, whatever the reason.
fn refused(error: CallError) -> Answer {
    let CallError::Refused(refusal) = error else { return unknown(error).into() };
    let reference = refusal.payment_intent.as_ref().map(|intent| intent.id.clone());
    let is_about_the_card = refusal.status == 402;
    let reason = if is_about_the_card {
        objects::declined(refusal.decline_code.as_deref(), refusal.code.as_deref())
    } else {
        tracing::error!(refusal = told(&refusal), "Stripe takes no payments from this market");
        Reason::new(
            "gateway_refused",
            "The payment gateway refused this payment. You were not charged. Try another way to pay.",
        )
    };
    Answer { outcome: Outcome::Declined(reason), reference, method: None }
}

fn failed(error: CallError) -> GatewayError {
    match error {
        CallError::Unknown(note) => GatewayError::Unreachable(note),
        CallError::Refused(refusal) if refusal.status == 402 => {
            GatewayError::Refused(objects::declined(refusal.decline_code.as_deref(), refusal.code.as_deref()))
        }
        CallError::Refused(refusal) => {
            tracing::warn!(refusal = told(&refusal), "Stripe refused");
            GatewayError::Refused(Reason::new("gateway_refused", "The payment gateway refused this."))
        }
    }
}

impl Gateway for Stripe {
    fn name(&self) -> &'static str {
        NAME
    }

    fn authorise<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer> {
        Box::pin(self.create(ask))
    }

    fn look<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer> {
        Box::pin(self.look_up(ask))
    }

    fn capture<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer> {
        Box::pin(self.change(ask, "capture"))
    }

    fn cancel<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer> {
        Box::pin(self.change(ask, "cancel"))
    }

    fn refund<'a>(&'a self, ask: &'a RefundAsk) -> BoxFuture<'a, RefundOutcome> {
        Box::pin(async move {
            match self.refund_once(ask).await {
                Ok(outcome) => outcome,
                Err(CallError::Refused(refusal)) if refusal.status == 400 || refusal.status == 402 => {
                    tracing::warn!(refund = %ask.refund, refusal = told(&refusal), "Stripe refused a refund");
                    let code = refusal.code.clone().unwrap_or_else(|| "refund_refused".to_owned());
                    RefundOutcome::Refused(Reason::new(code, "The gateway refused the refund."))
                }
                Err(CallError::Refused(refusal)) => RefundOutcome::Unknown(told(&refusal)),
                Err(CallError::Unknown(note)) => RefundOutcome::Unknown(note),
            }
        })
    }

    fn dispute<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Result<Option<DisputeNews>, GatewayError>> {
        Box::pin(async move {
            let Some(intent) = &ask.reference else { return Ok(None) };
            let path = format!("/v1/disputes?payment_intent={intent}&limit=10");
            let list: List<Dispute> = self.client.get(&path).await.map_err(failed)?;
            Ok(list.data.iter().find_map(Dispute::news))
        })
    }

    fn resolve(&self, token: &str) -> Result<Instrument, GatewayError> {
        let is_plain = token.len() <= 255 && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if is_plain && token.starts_with("pm_") {
            return Ok(Instrument { code: token.to_owned(), view: None });
        }
        Err(GatewayError::Refused(Reason::new(
            "no_such_token",
            "This is no payment method of Stripe. Send one such as pm_card_visa.",
        )))
    }

    fn keep<'a>(
        &'a self,
        customer: Option<&'a str>,
        account: &'a str,
        instrument: &'a Instrument,
    ) -> BoxFuture<'a, Result<(Option<String>, Kept), GatewayError>> {
        Box::pin(self.attach(customer, account, &instrument.code))
    }

    fn prepare<'a>(
        &'a self,
        customer: Option<&'a str>,
        account: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(String, String), GatewayError>> {
        Box::pin(async move {
            let customer = self.customer(customer, account).await?;
            let form = fields(&[("customer", &customer), ("usage", "off_session")]);
            let made: Named = self.client.post("/v1/setup_intents", &form, key).await.map_err(failed)?;
            Ok((customer, made.client_secret.unwrap_or_default()))
        })
    }

    fn forget<'a>(&'a self, instrument: &'a str) -> BoxFuture<'a, Result<(), GatewayError>> {
        Box::pin(async move {
            let (method, _) = parts(instrument);
            let path = format!("/v1/payment_methods/{method}/detach");
            let gone = self.client.post::<Method>(&path, &Form::new(), &format!("detach/{method}")).await;
            match gone {
                Ok(_) => Ok(()),
                // Detached before, or deleted at Stripe: it is as it should be.
                Err(CallError::Refused(refusal)) if matches!(refusal.status, 400 | 404) => Ok(()),
                Err(error) => Err(failed(error)),
            }
        })
    }

    fn transfer<'a>(
        &'a self,
        key: &'a str,
        amount: Money,
        destination: &'a str,
    ) -> BoxFuture<'a, TransferOutcome> {
        Box::pin(async move {
            let form = fields(&[
                ("amount", &amount.minor.to_string()),
                ("currency", &amount.currency.code().to_lowercase()),
                ("destination", destination),
                ("metadata[payout]", key),
            ]);
            match self.client.post::<Named>("/v1/transfers", &form, key).await {
                Ok(made) => TransferOutcome::Made(made.id),
                Err(CallError::Unknown(note)) => TransferOutcome::Unknown(note),
                Err(CallError::Refused(refusal)) if matches!(refusal.status, 401 | 403) => {
                    TransferOutcome::Unknown(told(&refusal))
                }
                Err(CallError::Refused(refusal)) => {
                    let code = refusal.code.clone().unwrap_or_else(|| "transfer_refused".to_owned());
                    TransferOutcome::Refused(Reason::new(code, told(&refusal)))
                }
            }
        })
    }

    fn connect<'a>(&'a self, key: &'a str, email: &'a str) -> BoxFuture<'a, Result<Connected, GatewayError>> {
        Box::pin(async move {
            let form = fields(&[
                ("type", "express"),
                ("email", email),
                ("capabilities[transfers][requested]", "true"),
            ]);
            let made: objects::Account =
                self.client.post("/v1/accounts", &form, key).await.map_err(failed)?;
            Ok(made.connected())
        })
    }

    fn connected<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<Connected, GatewayError>> {
        Box::pin(async move {
            let found: objects::Account =
                self.client.get(&format!("/v1/accounts/{reference}")).await.map_err(failed)?;
            Ok(found.connected())
        })
    }

    fn connect_link<'a>(
        &'a self,
        reference: &'a str,
        return_url: &'a str,
        refresh_url: &'a str,
    ) -> BoxFuture<'a, Result<String, GatewayError>> {
        Box::pin(async move {
            let form = fields(&[
                ("account", reference),
                ("return_url", return_url),
                ("refresh_url", refresh_url),
                ("type", "account_onboarding"),
            ]);
            // Such a link is good once, so asking again must make another.
            let key = format!("link/{}", kernel::random_text::<16>());
            let made: Link = self.client.post("/v1/account_links", &form, &key).await.map_err(failed)?;
            Ok(made.url)
        })
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Notice, WebhookError> {
        if self.webhook_secrets.is_empty() {
            return Err(WebhookError::Off);
        }
        let header = headers.get("stripe-signature").and_then(|header| header.to_str().ok());
        signature::check(header.ok_or(WebhookError::NoSignature)?, body, &self.webhook_secrets, now)?;
        objects::notice(body)
    }
}
