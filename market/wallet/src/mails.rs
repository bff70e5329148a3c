//! The jobs of this room: asking for the money of rules, looking again after a pause, mails.

use identity::{AccountId, UserId};
use jobs::{Failure, Job, NewJob, Policy, Runner};
use kernel::{Currency, Money, Timestamp};
use mail::{Mailer, Message};
use serde::{Deserialize, Serialize};
use store::Tx;

use crate::Wallets;
use crate::error::WalletError;
use crate::rule::Stopped;
use crate::start::find;
use crate::watch::{self, LOOK, Look, SUBMIT, Submit};

const MAIL: &str = "wallet.mail";

/// A mail to be written.
pub(crate) enum Mail {
    /// The balance is low.
    Low { account: AccountId, to: UserId, currency: Currency, available_minor: i64, threshold_minor: i64 },
    /// A rule was switched off.
    Stopped { account: AccountId, to: UserId, currency: Currency, reason: Option<Stopped> },
}

/// A mail as its job carries it: what it says is fixed when it happens.
#[derive(Serialize, Deserialize)]
struct Payload {
    account: String,
    to: String,
    subject: String,
    text: String,
}

impl Mail {
    fn payload(&self) -> Payload {
        match self {
            Self::Low { account, to, currency, available_minor, threshold_minor } => {
                let (available, threshold) =
                    (Money::new(*available_minor, *currency), Money::new(*threshold_minor, *currency));
                Payload {
                    account: account.to_string(),
                    to: to.to_string(),
                    subject: format!("The balance is low: {available}"),
                    text: format!(
                        "The wallet of {{account}} has {available} left, which is below the {threshold} of its alert.\n\n\
                         What is paid from it works as long as it covers the amount. Top it up, or change the alert:\n\n{{url}}\n"
                    ),
                }
            }
            Self::Stopped { account, to, currency, reason } => Payload {
                account: account.to_string(),
                to: to.to_string(),
                subject: "The automatic top-up is switched off".to_owned(),
                text: format!(
                    "The automatic top-up of the {currency} wallet of {{account}} was switched off. {}\n\n\
                     The balance is as it was, and nothing more is charged. Choose a card and switch it on again:\n\n{{url}}\n",
                    reason.map_or("", Stopped::words)
                ),
            },
        }
    }
}

/// Has a mail sent, if and only if the transaction commits.
pub(crate) async fn enqueue(tx: &mut Tx, now: Timestamp, mail: &Mail) -> Result<(), WalletError> {
    watch::enqueue(tx, now, NewJob::new(MAIL, &mail.payload())).await
}

impl Wallets {
    /// Registers this room's jobs.
    #[must_use]
    pub fn jobs(&self, runner: Runner, mailer: Mailer) -> Runner {
        let (submit, look, mails) = (self.clone(), self.clone(), self.clone());
        runner
            .register(SUBMIT, Policy::default(), move |job| {
                let room = submit.clone();
                async move { room.submit(&job).await }
            })
            .register(LOOK, Policy::default(), move |job| {
                let room = look.clone();
                async move { room.look_again(&job).await }
            })
            .register(MAIL, Policy::default(), move |job| {
                let (room, mailer) = (mails.clone(), mailer.clone());
                async move { room.send(&mailer, &job).await }
            })
    }

    /// Asks for the money of a rule's top-up. A bank that wants its customer to confirm cannot be answered here, so
    /// that top-up is called off, which counts as a failure.
    async fn submit(&self, job: &Job) -> Result<(), Failure> {
        let Submit { top_up } = job.payload()?;
        let top_up = self.store.read(async move |tx: &mut Tx| find(tx, &top_up).await).await?;
        let payment = self.payments.submit_by_id(&top_up.payment).await?;
        if payment.next_action.is_some() {
            self.payments.cancel_live(top_up.id.as_str()).await?;
        }
        Ok(())
    }

    async fn look_again(&self, job: &Job) -> Result<(), Failure> {
        let Look { account, currency } = job.payload()?;
        let account: AccountId = account.parse().map_err(|_| Failure::dead("no account"))?;
        let (room, now) = (self.clone(), self.clock.now());
        let look = async move |tx: &mut Tx| room.look_at(tx, now, &account, currency).await;
        Ok(self.store.write(look).await?)
    }

    /// Sends a mail to the wallet's owner; for an organisation to who set the rule.
    async fn send(&self, mailer: &Mailer, job: &Job) -> Result<(), Failure> {
        let Payload { account, to, subject, text } = job.payload()?;
        let owner: AccountId = account.parse().map_err(|_| Failure::dead("no account"))?;
        let setter: AccountId = to.parse().map_err(|_| Failure::dead("no account"))?;
        let asked = owner.clone();
        let look = async move |tx: &mut Tx| {
            let address = match identity::mail_address(tx, &asked).await? {
                Some(address) => Some(address),
                None => identity::mail_address(tx, &setter).await?,
            };
            let name = identity::accounts(tx, [&asked]).await?.into_iter().next().map(|account| account.name);
            Ok::<_, WalletError>((address, name))
        };
        let (address, name) = self.store.read(look).await?;
        let Some(address) = address else { return Ok(()) };
        let url = format!("{}/wallet", self.settings.public_url);
        let name = name.unwrap_or_else(|| owner.to_string());
        let text = text.replace("{account}", &name).replace("{url}", &url);
        let message = Message { to: address, subject, text, html: None };
        mailer.send(&message, self.clock.now()).await.map_err(|error| match error.is_temporary() {
            true => Failure::again(error.to_string()),
            false => Failure::dead(format!("the mail is refused: {error}")),
        })
    }
}
