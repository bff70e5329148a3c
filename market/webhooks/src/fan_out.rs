//! From the event log to deliveries: each event once for each endpoint that wants it, none for what did not happen.

use std::time::Duration;

use events::Event;
use store::{StoreError, Tx, args};

use crate::endpoint::Endpoint;
use crate::error::WebhookError;
use crate::{DeliveryId, Webhooks, sql};

/// The name of this consumer of the log.
const CONSUMER: &str = "webhooks";
/// How long to wait after the database failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the cursor is moved on while nobody listens.
const IDLE: Duration = Duration::from_secs(2);

impl Webhooks {
    /// Puts deliveries in line as things happen; never ends.
    pub(crate) async fn fan_out(&self) {
        let mut follower = self.log.follow(events::Position::START);
        loop {
            match self.fan_out_once().await {
                Ok(Step::More) => {}
                Ok(Step::Waits) => follower.wait().await,
                Ok(Step::NobodyListens) => tokio::time::sleep(IDLE).await,
                Err(error) => {
                    tracing::warn!(%error, "webhooks could not be put in line; they are tried again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// One batch of events.
    pub(crate) async fn fan_out_once(&self) -> Result<Step, WebhookError> {
        let endpoints: Vec<Endpoint> =
            self.store.read(async |tx: &mut Tx| tx.all(&sql::LIST_ENABLED, &[]).await).await?;
        if endpoints.is_empty() {
            // The log need not be read. Both in one transaction: an endpoint that is made just now is either seen
            // here, or made after the place that the cursor is moved to.
            let skip = self.store.write(async |tx: &mut Tx| {
                let (listening,): (u32,) = tx.one(&sql::COUNT_ENABLED, &[]).await?;
                if listening == 0 { events::skip(tx, CONSUMER).await } else { Ok(()) }
            });
            skip.await?;
            return Ok(Step::NobodyListens);
        }
        let room = self.clone();
        let put = async move |tx: &mut Tx, event: &Event| {
            for endpoint in endpoints.iter().filter(|endpoint| endpoint.wants(event)) {
                let payload =
                    serde_json::to_string(event).map_err(|error| StoreError::Database(error.to_string()))?;
                let id = DeliveryId::fresh();
                let row =
                    args![id, endpoint.id, event.id, event.kind, event.subject, payload, event.occurred_at];
                tx.execute(&sql::INSERT_DELIVERY, row).await?;
                room.wake_after(tx);
            }
            Ok::<_, WebhookError>(())
        };
        let taken = self.log.consume(CONSUMER, put).await?;
        Ok(if taken == 0 { Step::Waits } else { Step::More })
    }
}

/// What a look at the log came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There may be more.
    More,
    /// All of it is read.
    Waits,
    /// There is no endpoint.
    NobodyListens,
}
