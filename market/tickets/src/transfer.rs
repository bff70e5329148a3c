//! Giving a ticket to somebody else: by name at once, or by a link that is sent by mail. Codes of the giver die.

use std::time::Duration;

use identity::{AccountId, Caller};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{Tx, args};

use crate::error::TicketError;
use crate::events::{AboutTicket, TicketUpdated};
use crate::organise::changed;
use crate::owned::{TicketView, find_ticket, own_ticket, save, views};
use crate::ticket::{Ticket, TicketId, TicketState};
use crate::{Tickets, sql};

/// The job that sends a link.
pub(crate) const MAIL_JOB: &str = "tickets.mail-claim";
/// How long a link can be used.
const CLAIM_LIFE: Duration = Duration::from_secs(7 * 86_400);
/// The longest address, in bytes (RFC 5321).
const MAX_MAIL: usize = 254;

/// What the job is told: the link itself is made when it is sent, so that no secret waits in a queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claim {
    ticket: TicketId,
    generation: u32,
    mail: String,
    from: String,
}

impl Tickets {
    /// Gives a ticket to a user or an organisation, by name.
    ///
    /// # Errors
    /// [`TicketError::NotFound`] for who does not own it; [`TicketError::TicketState`] when it is for sale or was used;
    /// [`TicketError::Invalid`] when there is no such account.
    pub async fn transfer(&self, by: &Caller, id: &TicketId, to: &str) -> Result<Ticket, TicketError> {
        let (by, id, to) = (by.clone(), id.clone(), to.trim().to_lowercase());
        let write = async move |tx: &mut Tx| {
            let ticket = own_ticket(tx, &by, &id).await?;
            let found = identity::account_named(tx, &to).await?;
            let to = found.and_then(|account| account.id.parse::<AccountId>().ok());
            let to = to.ok_or_else(|| TicketError::field("/to", "There is no account of this name."))?;
            if to == ticket.owner {
                return Err(TicketError::field("/to", "It is yours already."));
            }
            hand(tx, by.now(), &ticket, &to).await
        };
        self.store.write(write).await
    }

    /// Sends a link by mail with which whoever opens it first takes the ticket. Until then it stays the caller's.
    ///
    /// # Errors
    /// As [`Tickets::transfer`]; [`TicketError::Invalid`] for what is no address.
    pub async fn send_ticket(&self, by: &Caller, id: &TicketId, mail: &str) -> Result<(), TicketError> {
        let (by, id, mail) = (by.clone(), id.clone(), mail.trim().to_owned());
        let is_address = mail.len() <= MAX_MAIL
            && !mail.chars().any(|c| c.is_whitespace() || c.is_control())
            && mail.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
        if !is_address {
            return Err(TicketError::field("/mail", "Write an e-mail address."));
        }
        let write = async move |tx: &mut Tx| {
            let ticket = own_ticket(tx, &by, &id).await?;
            giveable(&ticket)?;
            let from = by.account()?.username.to_string();
            let claim = Claim { ticket: ticket.id, generation: ticket.generation, mail: mail.clone(), from };
            jobs::enqueue(tx, &jobs::NewJob::new(MAIL_JOB, &claim)?, by.now()).await?;
            Ok(())
        };
        self.store.write(write).await
    }

    /// The ticket that a link which came by mail leads to; looking takes nothing.
    ///
    /// # Errors
    /// [`TicketError::ClaimSpent`], [`TicketError::Identity`] for a stranger.
    pub async fn sent_ticket(&self, by: &Caller, token: &str) -> Result<TicketView, TicketError> {
        by.account()?;
        let (by, hash) = (by.clone(), hashed(token));
        let read = async move |tx: &mut Tx| {
            let ticket = sent(tx, by.now(), &hash).await?;
            views(tx, &by, vec![ticket]).await?.pop().ok_or(TicketError::ClaimSpent)
        };
        self.store.read(read).await
    }

    /// Takes a ticket by the link that came by mail.
    ///
    /// # Errors
    /// [`TicketError::ClaimSpent`], [`TicketError::Identity`] for a stranger.
    pub async fn claim(&self, by: &Caller, token: &str) -> Result<Ticket, TicketError> {
        let (to, hash, now) = (AccountId::from(&by.account()?.user), hashed(token), by.now());
        let write = async move |tx: &mut Tx| {
            let ticket = sent(tx, now, &hash).await?;
            if ticket.owner == to {
                return Err(TicketError::ClaimSpent);
            }
            changed(tx.execute(&sql::SPEND_CLAIM, args![hash, now]).await?)?;
            hand(tx, now, &ticket, &to).await
        };
        self.store.write(write).await
    }

    /// Makes the link and sends it: the work of the job.
    pub(crate) async fn mail_claim(&self, claim: Claim, now: Timestamp) -> Result<(), jobs::Failure> {
        let (token, expires_at) = (kernel::random_text::<32>(), now.after(CLAIM_LIFE));
        let (hash, wish) = (hashed(&token), claim.clone());
        let write = async move |tx: &mut Tx| {
            let ticket = find_ticket(tx, &wish.ticket).await?;
            if ticket.generation == wish.generation && ticket.state == TicketState::Valid {
                let row = args![hash, wish.ticket, wish.generation, wish.mail, expires_at];
                tx.execute(&sql::INSERT_CLAIM, row).await?;
                return Ok::<_, TicketError>(Some(ticket.title));
            }
            Ok(None)
        };
        let Some(title) = self.store.write(write).await? else { return Ok(()) };
        let link = format!("{}/tickets/claim/{token}", self.identity.settings().public_url);
        let text = format!(
            "{} sends you a ticket for {title}.\n\nTake it here within seven days:\n{link}\n\nYou need an account for it. \
             Whoever opens the link first gets the ticket, so keep it to yourself.\n",
            claim.from
        );
        let message =
            mail::Message { to: claim.mail, subject: format!("A ticket for {title}"), text, html: None };
        self.mailer.send(&message, now).await?;
        Ok(())
    }
}

/// The ticket of a link that is good, in the hands of who sent it.
async fn sent(tx: &mut Tx, now: Timestamp, hash: &str) -> Result<Ticket, TicketError> {
    let found: Option<(TicketId, u32)> = tx.first(&sql::FIND_CLAIM, args![hash, now]).await?;
    let (id, generation) = found.ok_or(TicketError::ClaimSpent)?;
    let ticket = find_ticket(tx, &id).await?;
    if ticket.generation == generation && ticket.state == TicketState::Valid {
        Ok(ticket)
    } else {
        Err(TicketError::ClaimSpent)
    }
}

fn hashed(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

fn giveable(ticket: &Ticket) -> Result<(), TicketError> {
    match ticket.state {
        TicketState::Valid if ticket.event.is_some() => Ok(()),
        TicketState::Valid => Err(TicketError::Elsewhere),
        TicketState::Listed => Err(TicketError::TicketState("for sale; take it off sale first")),
        state => Err(TicketError::TicketState(state.as_str())),
    }
}

async fn hand(tx: &mut Tx, now: Timestamp, ticket: &Ticket, to: &AccountId) -> Result<Ticket, TicketError> {
    giveable(ticket)?;
    let given =
        Ticket { owner: to.clone(), generation: ticket.generation.saturating_add(1), ..ticket.clone() };
    changed(save(tx, now, &given).await?)?;
    let given = find_ticket(tx, &ticket.id).await?;
    let about = AboutTicket::of(&given, Some(&ticket.owner));
    events::append(tx, now, &TicketUpdated { about }).await?;
    Ok(given)
}
