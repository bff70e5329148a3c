//! What buyers are told by mail. The message is written down in the transaction of what it tells of, and sent later.

use jobs::{Failure, Job, NewJob, Policy, Runner};
use kernel::{Money, Timestamp};
use mail::{Mailer, Message};
use serde::{Deserialize, Serialize};
use store::{StoreError, Tx};

use crate::error::BillingError;
use crate::invoice::Invoice;
use crate::room::{Billing, Settings};
use crate::subscription::Subscription;

const JOB: &str = "billing.mail";

/// A message without the address of the market, which only the sender knows.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    to: String,
    subject: String,
    /// Paragraphs.
    text: Vec<String>,
    /// Where to go on.
    path: String,
}

pub(crate) fn register(runner: Runner, room: &Billing, mailer: Mailer) -> Runner {
    let room = room.clone();
    runner.register(JOB, Policy::default(), move |job| {
        let (room, mailer) = (room.clone(), mailer.clone());
        async move { send(&room, &mailer, &job).await }
    })
}

async fn send(room: &Billing, mailer: &Mailer, job: &Job) -> Result<(), Failure> {
    let Payload { to, subject, text, path } = job.payload()?;
    let text =
        format!("{}\n\n{}{path}\n\n{}\n", text.join("\n\n"), room.settings.public_url, room.settings.market);
    let message = Message { to, subject, text, html: None };
    mailer.send(&message, room.clock.now()).await.map_err(|error| {
        let note = error.to_string();
        if error.is_temporary() { Failure::again(note) } else { Failure::dead(note) }
    })
}

/// Writes to the buyer; for an organisation to who ordered. Who has no address is not written to.
async fn write(
    tx: &mut Tx,
    now: Timestamp,
    sub: &Subscription,
    subject: String,
    text: Vec<String>,
    path: String,
) -> Result<(), BillingError> {
    let to = match identity::mail_address(tx, &sub.buyer).await? {
        Some(to) => Some(to),
        None => identity::mail_address(tx, &(&sub.placed_by).into()).await?,
    };
    let Some(to) = to else { return Ok(()) };
    let job = NewJob::new(JOB, &Payload { to, subject, text, path });
    let job = job.map_err(|error| StoreError::Database(error.to_string()))?;
    jobs::enqueue(tx, &job, now).await?;
    Ok(())
}

/// A payment did not come through.
pub(crate) async fn not_paid(
    tx: &mut Tx,
    now: Timestamp,
    sub: &Subscription,
    invoice: &Invoice,
    settings: &Settings,
) -> Result<(), BillingError> {
    let ends = invoice.created_at.after(settings.grace()).date();
    let next = invoice.next_attempt_at.filter(|_| (invoice.attempts as usize) <= settings.retry_days.len());
    let again = next.map_or_else(
        || "We will not try again by ourselves.".to_owned(),
        |at| format!("We will try again on {}.", at.date()),
    );
    let what = vec![
        format!("{} for {} could not be charged. {}", invoice.total(), sub.title, invoice.failure),
        format!("{again} You can use it until {ends}; then the subscription ends."),
        "Pay now, or choose another card:".to_owned(),
    ];
    let subject = format!("{}: the payment did not come through", sub.title);
    write(tx, now, sub, subject, what, format!("/billing/invoices/{}", invoice.id)).await
}

/// The bank wants the buyer.
pub(crate) async fn confirm(
    tx: &mut Tx,
    now: Timestamp,
    sub: &Subscription,
    invoice: &Invoice,
) -> Result<(), BillingError> {
    let what = vec![
        format!("Your bank wants you to confirm {} for {}.", invoice.total(), sub.title),
        "Nothing is charged before you do. Confirm it, or pay in another way:".to_owned(),
    ];
    let subject = format!("{}: please confirm the payment", sub.title);
    write(tx, now, sub, subject, what, format!("/billing/invoices/{}", invoice.id)).await
}

/// It was paid after it could not be at first.
pub(crate) async fn paid_after_all(
    tx: &mut Tx,
    now: Timestamp,
    sub: &Subscription,
    invoice: &Invoice,
) -> Result<(), BillingError> {
    let what = vec![
        format!("{} for {} is paid. The subscription goes on.", invoice.total(), sub.title),
        format!("Your invoice {}:", invoice.number()),
    ];
    let subject = format!("{}: paid", sub.title);
    write(tx, now, sub, subject, what, format!("/billing/invoices/{}", invoice.id)).await
}

/// It ended, because it was not paid.
pub(crate) async fn ended(tx: &mut Tx, now: Timestamp, sub: &Subscription) -> Result<(), BillingError> {
    let what = vec![
        format!("Your subscription of {} has ended, because it was not paid.", sub.title),
        "Nothing more will be charged. You can order it again at any time:".to_owned(),
    ];
    let subject = format!("{}: the subscription has ended", sub.title);
    write(tx, now, sub, subject, what, "/billing".to_owned()).await
}

/// The cost of a period reached the buyer's limit.
pub(crate) async fn threshold(
    tx: &mut Tx,
    now: Timestamp,
    sub: &Subscription,
    cost: Money,
) -> Result<(), BillingError> {
    let limit = sub.money(sub.limit_minor.unwrap_or_default());
    let what = vec![
        format!("{} costs {cost} so far in this period. You wanted to hear of it at {limit}.", sub.title),
        "Nothing was stopped. See what is used:".to_owned(),
    ];
    let subject = format!("{}: your limit is reached", sub.title);
    write(tx, now, sub, subject, what, format!("/billing/subscriptions/{}", sub.id)).await
}
