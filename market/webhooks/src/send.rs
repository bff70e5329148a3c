//! Sends what is due, and writes down what came back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use events::EventId;
use kernel::Timestamp;
use reqwest::{Response, StatusCode, header};
use store::{StoreError, Tx, args};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::deliveries::DeliveryState;
use crate::endpoint::wait_after;
use crate::error::WebhookError;
use crate::sign::signatures;
use crate::{DeliveryId, WebhookId, Webhooks, address, sql};

/// How many calls run at once.
const AT_ONCE: usize = 16;
/// How many deliveries are looked up at a time.
const LOOK: u32 = 64;
/// How often to look without having been woken: for what is due by time, and for what other processes put in line.
const POLL: Duration = Duration::from_millis(500);
/// When another process may take over a call: longer than any call.
const LEASE: Duration = Duration::from_secs(60);
/// How much of an answer is kept, in bytes.
const KEEP: usize = 2000;
/// How long what arrived or died is kept.
const KEEP_ENDED: Duration = Duration::from_secs(30 * 86_400);
/// How often what is old is deleted.
const CLEAN: Duration = Duration::from_secs(3600);

/// A delivery that is due.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) id: DeliveryId,
    pub(crate) webhook: WebhookId,
    pub(crate) url: String,
    pub(crate) event_id: EventId,
    pub(crate) payload: String,
    pub(crate) tries: u32,
    pub(crate) attempts: u32,
    pub(crate) next_at: Timestamp,
}

/// What a call came to.
struct Answer {
    status: Option<u16>,
    text: String,
    retry_after: Option<Duration>,
}

impl Webhooks {
    /// Fans out and sends; never ends. Safe to drop at any point: what was under way is tried again.
    pub async fn run(&self) {
        tokio::join!(self.fan_out(), self.send(), self.clean());
    }

    async fn send(&self) {
        let free = Arc::new(Semaphore::new(AT_ONCE));
        let mut calls = JoinSet::new();
        loop {
            while calls.try_join_next().is_some() {}
            match self.take_due(free.available_permits()).await {
                Ok(due) if due.is_empty() => {
                    let _ = tokio::time::timeout(POLL, self.wake.notified()).await;
                }
                Ok(due) => {
                    for due in due {
                        let Ok(permit) = free.clone().acquire_owned().await else { return };
                        let room = self.clone();
                        calls.spawn(async move {
                            room.deliver(due).await;
                            drop(permit);
                        });
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "webhooks could not be looked up; they are tried again");
                    tokio::time::sleep(POLL).await;
                }
            }
        }
    }

    async fn clean(&self) {
        loop {
            let before = self.clock.now().before(KEEP_ENDED);
            let delete =
                async move |tx: &mut Tx| tx.execute(&sql::DELETE_OLD_DELIVERIES, args![before]).await;
            if let Err(error) = self.store.write(delete).await {
                tracing::warn!(%error, "old webhook deliveries could not be deleted");
            }
            tokio::time::sleep(CLEAN).await;
        }
    }

    /// Takes what is due, so that no other process sends it too.
    async fn take_due(&self, at_most: usize) -> Result<Vec<Due>, WebhookError> {
        let now = self.clock.now();
        let found: Vec<Due> =
            self.store.read(async move |tx: &mut Tx| tx.all(&sql::LIST_DUE, args![now, LOOK]).await).await?;
        if found.is_empty() || at_most == 0 {
            return Ok(Vec::new());
        }
        let lease = now.after(LEASE);
        let take = async move |tx: &mut Tx| {
            let mut taken = Vec::new();
            for due in found.iter().take(at_most) {
                let row = args![due.id, due.next_at, lease];
                if tx.execute(&sql::TAKE_DELIVERY, row).await? == 1 {
                    taken.push(Due { tries: due.tries + 1, attempts: due.attempts + 1, ..due.clone() });
                }
            }
            Ok::<_, StoreError>(taken)
        };
        Ok(self.store.write(take).await?)
    }

    async fn deliver(&self, due: Due) {
        let began_at = self.clock.now();
        let began = Instant::now();
        let answer = self.call(&due, began_at).await;
        let took_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
        metrics::counter!("fondaco_webhook_attempts_total", "ok" => is_ok(&answer).to_string()).increment(1);
        if let Err(error) = self.write_down(due, began_at, took_ms, answer).await {
            tracing::warn!(%error, "a webhook attempt could not be written down; it is made again");
        }
    }

    async fn call(&self, due: &Due, now: Timestamp) -> Answer {
        let refused = |text: &str| Answer { status: None, text: text.to_owned(), retry_after: None };
        let url = match address::check(&self.reach, &due.url) {
            Ok(url) => url,
            Err(words) => return refused(words),
        };
        let (room, id) = (self.clone(), due.webhook.clone());
        let secrets = match self.store.read(async move |tx: &mut Tx| room.secrets(tx, &id, now).await).await {
            Ok(secrets) => secrets,
            Err(error) => return refused(&error.to_string()),
        };
        let request = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", due.event_id.as_str())
            .header("webhook-timestamp", now.secs())
            .header("webhook-signature", signatures(&secrets, due.event_id.as_str(), now, &due.payload))
            .body(due.payload.clone());
        match tokio::time::timeout(address::WHOLE, request.send()).await {
            Ok(Ok(response)) => read_answer(response).await,
            Ok(Err(error)) => refused(&in_words(&error)),
            Err(_) => refused("No answer within 15 seconds."),
        }
    }

    /// Writes the attempt down and decides what becomes of the delivery. Only who took it last may: the number of
    /// attempts says so.
    async fn write_down(
        &self,
        due: Due,
        began_at: Timestamp,
        took_ms: u32,
        answer: Answer,
    ) -> Result<(), WebhookError> {
        let (now, room) = (self.clock.now(), self.clone());
        let [chance] = kernel::random_bytes::<1>();
        let write = async move |tx: &mut Tx| {
            let gone = answer.status == Some(StatusCode::GONE.as_u16());
            let wait = wait_after(due.tries, chance, answer.retry_after).filter(|_| !gone && !is_ok(&answer));
            let written = if let Some(wait) = wait {
                tx.execute(&sql::POSTPONE_DELIVERY, args![due.id, due.attempts, now.after(wait)]).await?
            } else {
                let state = if is_ok(&answer) { DeliveryState::Delivered } else { DeliveryState::Dead };
                tx.execute(&sql::END_DELIVERY, args![due.id, due.attempts, state.as_str(), now]).await?
            };
            if written == 0 {
                return Ok(()); // taken over after a long pause of this process, or removed with its endpoint
            }
            let row = args![due.id, due.attempts, began_at, took_ms, answer.status, answer.text];
            tx.execute(&sql::INSERT_ATTEMPT, row).await?;
            if wait.is_none() && !is_ok(&answer) {
                room.give_up(tx, &due.webhook, now, gone).await?;
            }
            room.wake_after(tx);
            Ok::<_, WebhookError>(())
        };
        self.store.write(write).await
    }

    /// Switches an endpoint off that said it is gone, or that took nothing for as long as a delivery is tried.
    async fn give_up(
        &self,
        tx: &mut Tx,
        id: &WebhookId,
        now: Timestamp,
        gone: bool,
    ) -> Result<(), StoreError> {
        let since = now.before(Duration::from_secs(3 * 86_400));
        let (arrived,): (u64,) = tx.one(&sql::COUNT_ARRIVED, args![id, since]).await?;
        let reason = match (gone, arrived) {
            (true, _) => "The receiver answered 410 Gone.",
            (false, 0) => "Nothing arrived for three days.",
            _ => return Ok(()),
        };
        tx.execute(&sql::DISABLE_ENDPOINT, args![id, reason, now]).await.map(|_| ())
    }
}

fn is_ok(answer: &Answer) -> bool {
    answer.status.is_some_and(|status| (200..300).contains(&status))
}

/// The status and the beginning of the body; the rest is not read.
async fn read_answer(mut response: Response) -> Answer {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk[..chunk.len().min(KEEP - body.len())]);
            if body.len() == KEEP {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(address::WHOLE, read).await;
    Answer { status: Some(status), text: String::from_utf8_lossy(&body).replace('\0', ""), retry_after }
}

/// Why there was no answer, without the address in it: the reader knows it.
fn in_words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "No answer within 15 seconds.".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let kind = if error.is_connect() { "No connection" } else { "No answer" };
    format!("{kind}: {cause}").chars().take(KEEP / 4).collect()
}
