//! What was sent, what came back, and sending it again.

use events::EventId;
use identity::audit::{self, Outcome};
use identity::{Action, Caller};
use kernel::{Page, Paging, Timestamp};
use serde::Serialize;
use store::{Tx, args};

use crate::error::WebhookError;
use crate::register::own;
use crate::{DeliveryId, WebhookId, Webhooks, sql};

/// The type of the event that tests an endpoint; it stands in no log.
const TEST: &str = "webhook.test";

store::words! {
    /// How far a delivery is: `waiting → delivered | dead`; a replay begins anew.
    #[derive(utoipa::ToSchema)]
    DeliveryState, "Choose waiting, delivered or dead." {
        /// In line, perhaps after attempts that failed.
        Waiting = "waiting",
        /// The receiver answered with a 2xx status.
        Delivered = "delivered",
        /// It was tried for three days, or the receiver is gone.
        Dead = "dead",
    }
}

/// One event on its way to one endpoint.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Where to.
    pub webhook: WebhookId,
    /// The event: receivers drop repeats by it.
    pub event_id: EventId,
    /// The event's type.
    pub kind: String,
    /// What it happened to.
    pub subject: String,
    /// The body as it is sent: JSON.
    pub payload: String,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried, in all.
    pub attempts: u32,
    /// When it is tried next, while it waits.
    pub next_at: Timestamp,
    /// When it was put in line.
    pub created_at: Timestamp,
    /// When it arrived or was given up.
    pub ended_at: Option<Timestamp>,
}

/// One call of the receiver.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub began_at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
    /// What the receiver answered; absent where it did not.
    pub status: Option<u16>,
    /// The beginning of its answer, or why there was none.
    pub answer: String,
}

impl Attempt {
    /// Whether the receiver took it.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

impl Webhooks {
    /// What was sent to an endpoint, newest first; `state` only those that are so far.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`].
    pub async fn deliveries(
        &self,
        by: &Caller,
        id: &WebhookId,
        state: Option<DeliveryState>,
        paging: Paging,
    ) -> Result<Page<Delivery>, WebhookError> {
        let (by, id) = (by.clone(), id.clone());
        let state = state.map_or("", DeliveryState::as_str);
        let look = async move |tx: &mut Tx| {
            own(tx, &by, &id, Action::Read).await?;
            let (total,): (u64,) = tx.one(&sql::COUNT_DELIVERIES, args![id, state]).await?;
            let items = tx.all(&sql::LIST_DELIVERIES, args![id, state, paging.limit, paging.offset]).await?;
            Ok(Page { items, total })
        };
        self.store.read(look).await
    }

    /// One delivery with its latest hundred attempts, newest first.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`].
    pub async fn delivery(
        &self,
        by: &Caller,
        id: &WebhookId,
        delivery: &DeliveryId,
    ) -> Result<(Delivery, Vec<Attempt>), WebhookError> {
        let (by, id, delivery) = (by.clone(), id.clone(), delivery.clone());
        let look = async move |tx: &mut Tx| {
            own(tx, &by, &id, Action::Read).await?;
            let found: Option<Delivery> = tx.first(&sql::FIND_DELIVERY, args![delivery, id]).await?;
            let found = found.ok_or(WebhookError::NotFound("delivery"))?;
            Ok((found, tx.all(&sql::LIST_ATTEMPTS, args![delivery]).await?))
        };
        self.store.read(look).await
    }

    /// Sends a delivery again, from the beginning of the schedule. The receiver sees the same `webhook-id`.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`].
    pub async fn replay(
        &self,
        by: &Caller,
        id: &WebhookId,
        delivery: &DeliveryId,
    ) -> Result<(), WebhookError> {
        let (room, by, id, delivery) = (self.clone(), by.clone(), id.clone(), delivery.clone());
        let replay = async move |tx: &mut Tx| {
            own(tx, &by, &id, Action::EditAccount).await?;
            if tx.execute(&sql::REPLAY_DELIVERY, args![delivery, id, by.ctx.now]).await? == 0 {
                return Err(WebhookError::NotFound("delivery"));
            }
            let details = serde_json::json!({ "delivery": delivery });
            audit::record(tx, &by, "webhook.replayed", id.as_str(), Outcome::Done, &details).await?;
            room.wake_after(tx);
            Ok(())
        };
        self.store.write(replay).await
    }

    /// Sends an event of the type `webhook.test`, whatever the endpoint wants to hear.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`].
    pub async fn test(&self, by: &Caller, id: &WebhookId) -> Result<DeliveryId, WebhookError> {
        let (room, by, id) = (self.clone(), by.clone(), id.clone());
        let test = async move |tx: &mut Tx| {
            own(tx, &by, &id, Action::EditAccount).await?;
            let (event, delivery) = (EventId::fresh(), DeliveryId::fresh());
            let payload = serde_json::json!({
                "id": event, "type": TEST, "version": 1, "subject": id, "occurredAt": by.now(),
                "data": { "webhookId": id },
            });
            let payload = payload.to_string();
            let row = args![delivery, id, event, TEST, id, payload, by.ctx.now];
            tx.execute(&sql::INSERT_DELIVERY, row).await?;
            room.wake_after(tx);
            Ok(delivery)
        };
        self.store.write(test).await
    }
}
