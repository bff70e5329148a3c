//! What owners are told by mail. The message is written down in the transaction of what it tells of, and sent later.

use jobs::{Failure, Job, NewJob, Policy, Runner};
use kernel::Timestamp;
use mail::{Mailer, Message};
use serde::{Deserialize, Serialize};
use store::{StoreError, Tx};

use super::Right;
use crate::Services;
use crate::deployment::Deployment;

const JOB: &str = "services.mail";

/// A message without the address of the market, which only the sender knows.
#[derive(Serialize, Deserialize)]
struct Payload {
    to: String,
    subject: String,
    /// Paragraphs.
    text: Vec<String>,
    /// Where to go on.
    path: String,
}

pub(crate) fn register(runner: Runner, room: &Services, mailer: Mailer) -> Runner {
    let room = room.clone();
    runner.register(JOB, Policy::default(), move |job| {
        let (room, mailer) = (room.clone(), mailer.clone());
        async move { send(&room, &mailer, &job).await }
    })
}

async fn send(room: &Services, mailer: &Mailer, job: &Job) -> Result<(), Failure> {
    let Payload { to, subject, text, path } = job.payload()?;
    let settings = &room.settings;
    let text = format!("{}\n\n{}{path}\n\n{}\n", text.join("\n\n"), settings.public_url, settings.market);
    let message = Message { to, subject, text, html: None };
    mailer.send(&message, room.clock.now()).await.map_err(|error| {
        let note = error.to_string();
        if error.is_temporary() { Failure::again(note) } else { Failure::dead(note) }
    })
}

/// Writes to the owner; for an organisation to who ordered. Who has no address is not written to.
async fn write(
    tx: &mut Tx,
    now: Timestamp,
    right: &Right,
    known: &Deployment,
    subject: String,
    text: Vec<String>,
) -> Result<(), StoreError> {
    let to = match identity::mail_address(tx, &right.account).await? {
        Some(to) => Some(to),
        None => identity::mail_address(tx, &(&right.placed_by).into()).await?,
    };
    let Some(to) = to else { return Ok(()) };
    let path = format!("/deployments/{}", known.id);
    let job = NewJob::new(JOB, &Payload { to, subject, text, path });
    let job = job.map_err(|error| StoreError::Database(error.to_string()))?;
    jobs::enqueue(tx, &job, now).await.map(drop)
}

/// It is not paid any more, and was stopped.
pub(super) async fn lapsed(
    tx: &mut Tx,
    now: Timestamp,
    right: &Right,
    known: &Deployment,
    until: Timestamp,
) -> Result<(), StoreError> {
    let text = vec![
        format!("{} ({}) is not paid any more, so it was stopped.", known.name, known.slug),
        format!("What it keeps is safe until {}; then it is deleted.", until.date()),
        "To go on, start it on its page, which leads to the payment:".to_owned(),
    ];
    write(tx, now, right, known, format!("{}: stopped, because it is not paid", known.name), text).await
}

/// It was not paid for too long, and is being deleted.
pub(super) async fn deleted(
    tx: &mut Tx,
    now: Timestamp,
    right: &Right,
    known: &Deployment,
    until: Timestamp,
) -> Result<(), StoreError> {
    let text = vec![
        format!("{} ({}) was not paid in time, and is being deleted.", known.name, known.slug),
        format!("Until {} that can be undone on its page, once it is paid. Its backups stay.", until.date()),
    ];
    write(tx, now, right, known, format!("{}: deleted, because it was not paid", known.name), text).await
}
