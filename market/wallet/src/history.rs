//! What happened to a balance: purchases, top-ups, refunds, with the balance after each.

use axum::response::Response;
use futures_util::stream;
use identity::{AccountId, Action, Caller};
use kernel::{Currency, Money, Timestamp};
use ledger::{Account, TransferView, Which, csv};
use payments::PaidFor;
use serde::Deserialize;
use store::{Tx, args};

use crate::error::WalletError;
use crate::purpose::{DISPUTED, PURPOSE, TAKEN_BACK, TOP_UP};
use crate::top_up::{Origin, TopUp};
use crate::{Wallets, sql};

/// How many transfers are read at once.
const CHUNK: u32 = 500;
/// The most transfers that one answer looks through; the next one goes on.
const MOST_READ: usize = 5_000;
/// How many entries of an export are made at once.
const EXPORT_ROWS: u32 = 500;

/// Which way money went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Into the wallet.
    In,
    /// Out of it.
    Out,
}

/// Which entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this way.
    pub direction: Option<Direction>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

impl Filter {
    fn takes(&self, entry: &Entry) -> bool {
        let direction = if entry.amount.minor < 0 { Direction::Out } else { Direction::In };
        self.direction.is_none_or(|only| only == direction) && self.until.is_none_or(|until| entry.at < until)
    }
}

/// One thing that happened to a balance; an order's price, fee and tax are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The lowest number of its transfers.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What, for people.
    pub what: String,
    /// The payment, refund or dispute that it belongs to.
    pub reference: String,
    /// How much; below zero where it left the wallet.
    pub amount: Money,
    /// What had moved in the wallet after it; none for what is only reserved.
    pub balance: Option<Money>,
    /// The top-up, where it is one.
    pub top_up: Option<TopUp>,
    /// What was bought, or given back, where it is no top-up.
    pub thing: Option<PaidFor>,
}

impl Entry {
    /// Whether it is only reserved: it moves later, or is given up.
    #[must_use]
    pub const fn is_reserved(&self) -> bool {
        self.balance.is_none()
    }
}

/// A part of a history, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Where the next part begins, if there may be more.
    pub next: Option<i64>,
}

impl Wallets {
    /// The history of a wallet, older than the transfer `before`.
    ///
    /// # Errors
    /// [`WalletError::NotFound`] for an organisation that the caller does not administer.
    pub async fn history(
        &self,
        by: &Caller,
        org: Option<&str>,
        currency: Currency,
        filter: Filter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<History, WalletError> {
        let account = self.account(by, Action::Read, org)?;
        let before = before.unwrap_or(i64::MAX);
        let room = self.clone();
        let read = async move |tx: &mut Tx| {
            let mut part = part(tx, &account, currency, &filter, before, limit).await?;
            room.name(tx, &mut part.entries).await?;
            Ok(part)
        };
        self.store.read(read).await
    }

    /// The whole history as a table, sent while it is read.
    ///
    /// # Errors
    /// As [`Wallets::history`].
    pub fn export(
        &self,
        by: &Caller,
        org: Option<&str>,
        currency: Currency,
        filter: Filter,
    ) -> Result<Response, WalletError> {
        let account = self.account(by, Action::Read, org)?;
        let start = (self.clone(), account, Some(i64::MAX));
        let rows = stream::try_unfold(start, move |(room, account, before)| async move {
            let Some(before) = before else { return Ok(None) };
            let (owner, named) = (account.clone(), room.clone());
            let read = async move |tx: &mut Tx| {
                let mut part = part(tx, &owner, currency, &filter, before, EXPORT_ROWS).await?;
                named.name(tx, &mut part.entries).await?;
                Ok::<_, WalletError>(part)
            };
            let some = room.store.read(read).await?;
            let lines: String = some.entries.iter().map(line).collect();
            Ok::<_, WalletError>(Some((lines, (room, account, some.next))))
        });
        Ok(csv::file(&format!("wallet-{}.csv", currency.code().to_lowercase()), &HEAD, rows))
    }
}

async fn part(
    tx: &mut Tx,
    account: &AccountId,
    currency: Currency,
    filter: &Filter,
    mut before: i64,
    limit: u32,
) -> Result<History, WalletError> {
    let account = Account::Wallet(account.clone());
    let mut balance = ledger::balance_before(tx, &account, currency, before).await?;
    let which = Which::Statement(account.clone(), currency);
    let (mut entries, mut read, mut goes_on) = (Vec::<Entry>::new(), 0, true);
    let mut open: Option<Entry> = None;
    while goes_on && entries.len() <= limit as usize {
        let some = ledger::transfers_before(tx, &which, before, CHUNK).await?;
        read += some.len();
        goes_on = some.len() == CHUNK as usize && read < MOST_READ;
        for transfer in &some {
            before = transfer.seq;
            let entry = entry(&account, transfer, &mut balance);
            match &mut open {
                Some(last) if last.joins(&entry) => last.join(&entry),
                _ => entries.extend(open.replace(entry).filter(|done| filter.takes(done))),
            }
        }
    }
    entries.extend(open.filter(|done| filter.takes(done)));
    if let Some(from) = filter.from {
        let old = entries.iter().position(|entry| entry.at < from);
        if let Some(old) = old {
            entries.truncate(old);
            read = 0;
        }
    }
    let next = if entries.len() > limit as usize {
        entries.truncate(limit as usize);
        entries.last().map(|entry| entry.seq)
    } else {
        (read >= MOST_READ).then_some(before)
    };
    Ok(History { entries, next })
}

/// One transfer, whose effect is taken off the running balance.
fn entry(account: &Account, transfer: &TransferView, balance: &mut Money) -> Entry {
    let is_in = transfer.credit == account.to_string();
    let minor = if is_in { transfer.amount.minor } else { -transfer.amount.minor };
    let amount = Money::new(minor, transfer.amount.currency);
    let after = transfer.has_moved().then_some(*balance);
    if after.is_some() {
        balance.minor -= minor;
    }
    let reference = transfer.journal.split('/').next().unwrap_or_default().to_owned();
    let what = words(&transfer.reason, is_in).to_owned();
    Entry {
        seq: transfer.seq,
        at: transfer.at,
        what,
        reference,
        amount,
        balance: after,
        top_up: None,
        thing: None,
    }
}

impl Entry {
    /// Whether both are parts of the same thing: a purchase pays the seller, the fee and the tax.
    fn joins(&self, older: &Self) -> bool {
        let one = self.reference == older.reference && self.what == older.what && self.at == older.at;
        one && self.is_reserved() == older.is_reserved()
            && (self.amount.minor < 0) == (older.amount.minor < 0)
    }

    /// Takes an older part in. The balance after it is that after its newest part.
    fn join(&mut self, older: &Self) {
        (self.seq, self.amount.minor) = (older.seq, self.amount.minor + older.amount.minor);
    }
}

fn words(reason: &str, is_in: bool) -> &'static str {
    match reason {
        TOP_UP => "Top-up",
        TAKEN_BACK => "Top-up given back",
        DISPUTED => "Disputed top-up",
        _ if is_in => "Refund",
        _ => "Purchase",
    }
}

impl Wallets {
    /// Says of each entry what it is: of top-ups with which card, of the others what was paid for.
    async fn name(&self, tx: &mut Tx, entries: &mut [Entry]) -> Result<(), WalletError> {
        name_top_ups(tx, entries).await?;
        let others = entries.iter().filter(|entry| entry.top_up.is_none());
        let mut things = self.payments.behind(tx, others.map(|entry| entry.reference.as_str())).await?;
        things.retain(|_, thing| thing.purpose != PURPOSE);
        for entry in entries {
            entry.thing = things.get(&entry.reference).cloned();
        }
        Ok(())
    }
}

/// Says of each top-up with which card, and whether a rule began it; in one statement for all of them.
async fn name_top_ups(tx: &mut Tx, entries: &mut [Entry]) -> Result<(), WalletError> {
    let of_top_ups = entries.iter().filter(|entry| entry.what == words(TOP_UP, true));
    let payments = store::json_list(of_top_ups.map(|entry| entry.reference.as_str()));
    let found: Vec<TopUp> = tx.all(&sql::LIST_TOP_UPS_OF_PAYMENTS, args![payments]).await?;
    for top_up in found {
        let Some(entry) = entries.iter_mut().find(|entry| entry.reference == top_up.payment.as_str()) else {
            continue;
        };
        let words = if top_up.origin == Origin::Auto { "Automatic top-up" } else { "Top-up" };
        entry.what = match top_up.method.as_str() {
            "" => words.to_owned(),
            card => format!("{words} ({card})"),
        };
        entry.top_up = Some(top_up);
    }
    Ok(())
}

const HEAD: [&str; 7] = ["time", "what", "reference", "state", "amount", "currency", "balance after"];

fn line(entry: &Entry) -> String {
    csv::line([
        entry.at.to_string(),
        entry
            .thing
            .as_ref()
            .map_or_else(|| entry.what.clone(), |thing| format!("{}: {}", entry.what, thing.name)),
        entry.reference.clone(),
        if entry.is_reserved() { "reserved" } else { "done" }.to_owned(),
        csv::amount(entry.amount),
        entry.amount.currency.to_string(),
        entry.balance.map_or_else(String::new, csv::amount),
    ])
}
