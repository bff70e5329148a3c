//! The inbox of the gateways' webhooks: each event is kept once, and handled by looking at what it is about. So it
//! does not matter in which order they come, how late, or how often.

use std::time::Duration;

use http::HeaderMap;
use identity::audit::{self, Outcome as Done};
use identity::{Action, Caller, Subject};
use kernel::{Page, Paging, Timestamp};
use serde::Serialize;
use store::{Tx, args};

use crate::apply::pause;
use crate::error::PaymentError;
use crate::gateway::{Ask, Gateway, Notice, WebhookError};
use crate::payment::{Payment, PaymentId, State};
use crate::refund::{Refund, RefundState};
use crate::{Payments, sql};

/// How many webhooks are handled at once.
const BATCH: usize = 64;
/// After so many vain tries a webhook waits for an operator.
const TRIES: u32 = 12;

/// A webhook in the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticeView {
    /// Which gateway.
    pub gateway: String,
    /// The gateway's id of it.
    pub id: String,
    /// What kind.
    pub kind: String,
    /// The gateway's name of what it is about.
    pub object: String,
    /// Our payment, where it names one.
    pub payment: Option<String>,
    /// What came of it.
    pub outcome: Option<String>,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// When it was handled.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub handled_at: Option<Timestamp>,
    /// How often that was tried.
    pub attempts: u32,
}

impl store::FromRow for NoticeView {
    fn from_row(row: &store::Row<'_>) -> Result<Self, store::StoreError> {
        Ok(Self {
            gateway: row.get(0)?,
            id: row.get(1)?,
            kind: row.get(2)?,
            object: row.get(3)?,
            payment: row.get(4)?,
            outcome: row.get(5)?,
            received_at: row.get(6)?,
            handled_at: row.get(7)?,
            attempts: row.get(8)?,
        })
    }
}

/// A webhook that is to be handled.
struct Due {
    gateway: String,
    id: String,
    kind: String,
    object: String,
    payment: Option<String>,
    reference: Option<String>,
    attempts: u32,
}
store::row!(Due { gateway, id, kind, object, payment, reference, attempts });

impl Payments {
    /// Takes a webhook in: checks that it comes from the gateway and keeps it, once. It is durable then, and handled
    /// within a moment; a repeat changes nothing.
    ///
    /// # Errors
    /// [`WebhookError`] when it is not to be believed, [`PaymentError`] when it could not be kept.
    pub async fn receive(
        &self,
        gateway: &dyn Gateway,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Result<(), WebhookError>, PaymentError> {
        let now = self.clock.now();
        let notice = match gateway.verify(headers, body, now) {
            Ok(notice) => notice,
            Err(error) => return Ok(Err(error)),
        };
        let name = gateway.name();
        let keep = async move |tx: &mut Tx| keep(tx, now, name, &notice).await;
        self.store.write(keep).await?;
        self.shared.due.notify_one();
        Ok(Ok(()))
    }

    /// Handles what is due in the inbox. Answers how much there was.
    pub(crate) async fn handle_due_notices(&self, lease: Duration) -> Result<usize, PaymentError> {
        let (now, lease) = (self.clock.now(), self.clock.now().after(lease));
        let claim = async move |tx: &mut Tx| {
            Ok::<Vec<Due>, PaymentError>(tx.all(&sql::CLAIM_DUE_NOTICES, args![now, lease, BATCH]).await?)
        };
        let due = self.store.write(claim).await?;
        for notice in &due {
            let outcome = self.handle(notice).await;
            self.end(notice, outcome).await?;
        }
        Ok(due.len())
    }

    /// Looks at everything that an event may be about. What it says itself is not believed: it may be old.
    async fn handle(&self, notice: &Due) -> Result<&'static str, PaymentError> {
        let Some(payment) = self.payment_of(notice).await? else { return Ok("about nothing of ours") };
        let gateway = self.gateway_of(&payment)?;
        if payment.state != State::Captured {
            let answer = gateway.look(&Ask::of(&payment, self.clock.now())).await;
            if let crate::gateway::Outcome::Unknown(_) = answer.outcome {
                return Err(PaymentError::Unreachable);
            }
            let after = self.record(&payment, answer).await?;
            return Ok(if after.version == payment.version { "nothing new" } else { "applied" });
        }
        if notice.kind.starts_with("charge.dispute") {
            self.check_dispute(&payment).await?;
            return Ok("dispute looked at");
        }
        self.look_at_refunds(&payment).await
    }

    async fn look_at_refunds(&self, payment: &Payment) -> Result<&'static str, PaymentError> {
        let id = payment.id.clone();
        let list = async move |tx: &mut Tx| {
            Ok::<Vec<Refund>, PaymentError>(tx.all(&sql::LIST_REFUNDS, args![id]).await?)
        };
        let open = |refund: &Refund| matches!(refund.state, RefundState::Reserved | RefundState::Unknown);
        let mut outcome = "nothing new";
        for refund in self.store.read(list).await?.into_iter().filter(open) {
            let after = self.ask_refund(&refund, payment).await?;
            if after.version != refund.version {
                outcome = "refund applied";
            }
        }
        Ok(outcome)
    }

    async fn payment_of(&self, notice: &Due) -> Result<Option<Payment>, PaymentError> {
        let id = notice.payment.as_deref().and_then(|id| id.parse::<PaymentId>().ok());
        let (gateway, reference) = (notice.gateway.clone(), notice.reference.clone());
        let find = async move |tx: &mut Tx| {
            let mut found: Option<Payment> = None;
            if let Some(id) = &id {
                found = tx.first(&sql::FIND_PAYMENT, args![id]).await?;
            }
            if found.is_none()
                && let Some(reference) = &reference
            {
                let row = args![gateway, reference];
                let id: Option<(PaymentId,)> = tx.first(&sql::FIND_PAYMENT_ID_BY_REFERENCE, row).await?;
                if let Some((id,)) = id {
                    found = tx.first(&sql::FIND_PAYMENT, args![id]).await?;
                }
            }
            Ok::<_, PaymentError>(found.filter(|payment| payment.gateway == gateway))
        };
        self.store.read(find).await
    }

    async fn end(
        &self,
        notice: &Due,
        outcome: Result<&'static str, PaymentError>,
    ) -> Result<(), PaymentError> {
        let now = self.clock.now();
        let (gateway, id, tries) = (notice.gateway.clone(), notice.id.clone(), notice.attempts);
        let (text, is_handled) = match outcome {
            Ok(text) => (text.to_owned(), true),
            Err(error) if tries >= TRIES => {
                tracing::error!(gateway, id, object = notice.object, %error, "a webhook is given up; see /operator/payments");
                (format!("given up: {error}"), true)
            }
            Err(error) => (error.to_string(), false),
        };
        let write = async move |tx: &mut Tx| {
            if is_handled {
                tx.execute(&sql::END_NOTICE, args![gateway, id, now, text]).await?;
            } else {
                let due = now.after(pause(tries));
                tx.execute(&sql::PUT_OFF_NOTICE, args![gateway, id, due, text]).await?;
            }
            Ok::<_, PaymentError>(())
        };
        self.store.write(write).await
    }

    /// The inbox, newest first; of one payment or of all. For operators.
    ///
    /// # Errors
    /// [`PaymentError::Identity`] for who is none.
    pub async fn inbox(
        &self,
        by: &Caller,
        payment: &str,
        paging: Paging,
    ) -> Result<Page<NoticeView>, PaymentError> {
        by.may(Action::OperateMarket, &Subject::Market)?;
        let payment = payment.to_owned();
        let list = async move |tx: &mut Tx| {
            let items = tx.all(&sql::LIST_NOTICES, args![payment, paging.limit, paging.offset]).await?;
            let (total,) = tx.one(&sql::COUNT_NOTICES, args![payment]).await?;
            Ok::<_, PaymentError>(Page { items, total })
        };
        self.store.read(list).await
    }

    /// Handles a webhook again.
    ///
    /// # Errors
    /// [`PaymentError::NotFound`]; [`PaymentError::Identity`] for who is no operator.
    pub async fn replay(&self, by: &Caller, gateway: &str, id: &str) -> Result<(), PaymentError> {
        by.may(Action::OperateMarket, &Subject::Market)?;
        let (by, gateway, id) = (by.clone(), gateway.to_owned(), id.to_owned());
        let write = async move |tx: &mut Tx| {
            if tx.execute(&sql::REPLAY_NOTICE, args![gateway, id, by.now()]).await? != 1 {
                return Err(PaymentError::NotFound("webhook"));
            }
            let details = serde_json::json!({ "gateway": gateway });
            audit::record(tx, &by, "payment.webhook_replayed", &id, Done::Done, &details).await?;
            Ok(())
        };
        self.store.write(write).await?;
        self.shared.due.notify_one();
        Ok(())
    }
}

/// Keeps a webhook, once.
pub(crate) async fn keep(
    tx: &mut Tx,
    now: Timestamp,
    gateway: &str,
    notice: &Notice,
) -> Result<(), PaymentError> {
    let row = args![gateway, notice.id, notice.kind, notice.object, notice.payment, notice.reference, now,];
    tx.execute(&sql::INSERT_NOTICE, row).await?;
    Ok(())
}
