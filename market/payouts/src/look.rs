//! What sellers and operators see.

use axum::response::Response;
use futures_util::stream;
use identity::{AccountId, Caller, Operator};
use kernel::{Currency, Money, Page, Paging, Timestamp};
use ledger::{Account, Phase, TransferView, Which, csv};
use store::{Tx, args};

use crate::account::PayoutAccount;
use crate::error::PayoutError;
use crate::payout::{Payout, PayoutId, Schedule, SellerBalance, State};
use crate::request::balance;
use crate::room::Payouts;
use crate::{schedule, sql};

/// How many rows of an export are read at once.
const EXPORT_ROWS: u32 = 500;

/// Everything about a seller's money at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// Whose.
    pub seller: AccountId,
    /// One per currency in which something was earned.
    pub balances: Vec<SellerBalance>,
    /// Where the money goes; none where nothing is set up yet.
    pub account: Option<PayoutAccount>,
    /// When it goes there by itself.
    pub schedule: Schedule,
}

/// A line of a seller's statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the books.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Why: `sale`, `refund`, `payout`, ….
    pub reason: String,
    /// The business event.
    pub journal: String,
    /// What it brought, or took where it is below zero.
    pub amount: Money,
    /// Reserved, and not moved yet.
    pub reserved: bool,
    /// From when on it can be paid out.
    pub matures_at: Option<Timestamp>,
}

impl Line {
    fn of(seller: &str, transfer: TransferView) -> Self {
        let is_credit = transfer.credit == seller;
        let sign = if is_credit { 1 } else { -1 };
        Self {
            seq: transfer.seq,
            at: transfer.at,
            reason: transfer.reason,
            journal: transfer.journal,
            amount: Money::new(sign * transfer.amount.minor, transfer.amount.currency),
            reserved: transfer.phase == Phase::Pending,
            matures_at: transfer.matures_at,
        }
    }

    /// The state in a word: `reserved`, `pending` (it matures later) or `settled`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> &'static str {
        match self.matures_at {
            _ if self.reserved => "reserved",
            Some(at) if at > now => "pending",
            _ => "settled",
        }
    }
}

impl Payouts {
    /// The seller's money at a glance.
    ///
    /// # Errors
    /// [`PayoutError::Identity`] for who may not.
    pub async fn overview(&self, by: &Caller, org: Option<&str>) -> Result<Overview, PayoutError> {
        let seller = self.seller(by, org)?;
        let account = match self.account_of(&seller).await {
            Err(PayoutError::NoGateway) => None,
            account => account?,
        };
        let now = self.clock.now();
        let read = async move |tx: &mut Tx| {
            let mut balances = Vec::new();
            // A few currencies at the most, each by indexes of its own account.
            for currency in schedule::currencies(tx, &seller).await? {
                balances.push(balance(tx, now, &seller, currency).await?);
            }
            let schedule = schedule::find(tx, &seller).await?;
            Ok::<_, PayoutError>(Overview {
                seller: seller.clone(),
                balances,
                account: account.clone(),
                schedule,
            })
        };
        self.store.read(read).await
    }

    /// The seller's statement in a currency, the newest first.
    ///
    /// # Errors
    /// [`PayoutError::Identity`] for who may not.
    pub async fn statement(
        &self,
        by: &Caller,
        org: Option<&str>,
        currency: Currency,
        paging: Paging,
    ) -> Result<Page<Line>, PayoutError> {
        let account = Account::Seller(self.seller(by, org)?);
        let name = account.to_string();
        let which = Which::Statement(account, currency);
        let read = async move |tx: &mut Tx| ledger::transfers(tx, &which, paging).await;
        Ok(self.store.read(read).await?.map(|transfer| Line::of(&name, transfer)))
    }

    /// The same as a table, sent while it is read.
    ///
    /// # Errors
    /// [`PayoutError::Identity`] for who may not.
    pub fn export(
        &self,
        by: &Caller,
        org: Option<&str>,
        currency: Currency,
    ) -> Result<Response, PayoutError> {
        let account = Account::Seller(self.seller(by, org)?);
        let (name, now) = (account.to_string(), self.clock.now());
        let start = (self.store.clone(), Which::Statement(account, currency), i64::MAX);
        let rows = stream::try_unfold(start, move |(store, which, before)| {
            let name = name.clone();
            async move {
                let asked = which.clone();
                let read =
                    async move |tx: &mut Tx| ledger::transfers_before(tx, &asked, before, EXPORT_ROWS).await;
                let some = store.read(read).await?;
                let Some(last) = some.last().map(|transfer| transfer.seq) else { return Ok(None) };
                let lines = some.into_iter().map(|transfer| row(&Line::of(&name, transfer), now)).collect();
                Ok::<_, ledger::LedgerError>(Some((lines, (store, which, last))))
            }
        });
        let head = ["time", "what", "amount", "currency", "state", "matures at", "reference"];
        Ok(csv::file(&format!("transactions-{currency}.csv"), &head, rows))
    }

    /// The seller's payouts, the newest first.
    ///
    /// # Errors
    /// [`PayoutError::Identity`] for who may not.
    pub async fn list(
        &self,
        by: &Caller,
        org: Option<&str>,
        paging: Paging,
    ) -> Result<Page<Payout>, PayoutError> {
        let seller = self.seller(by, org)?;
        let read = async move |tx: &mut Tx| {
            let items = tx.all(&sql::LIST_OF_SELLER, args![seller, paging.limit, paging.offset]).await?;
            let (total,) = tx.one(&sql::COUNT_OF_SELLER, args![seller]).await?;
            Ok::<_, PayoutError>(Page { items, total })
        };
        self.store.read(read).await
    }

    /// One payout of an account that the caller manages.
    ///
    /// # Errors
    /// [`PayoutError::NotFound`], also for who may not see it.
    pub async fn find(&self, by: &Caller, id: &PayoutId) -> Result<Payout, PayoutError> {
        self.seller(by, None)?;
        let id = id.clone();
        let read =
            async move |tx: &mut Tx| Ok::<_, PayoutError>(tx.first(&sql::FIND_PAYOUT, args![id]).await?);
        let payout: Payout = self.store.read(read).await?.ok_or(PayoutError::NotFound)?;
        let is_own = by.account()?.speaks_for(&payout.seller, identity::orgs::OrgRole::Admin);
        if is_own { Ok(payout) } else { Err(PayoutError::NotFound) }
    }

    /// Everybody's payouts, the newest first, for operators.
    ///
    /// # Errors
    /// [`PayoutError::Store`].
    pub async fn all(
        &self,
        _: &Operator,
        state: Option<State>,
        paging: Paging,
    ) -> Result<Page<Payout>, PayoutError> {
        let read = async move |tx: &mut Tx| {
            let state = state.map_or("", State::as_str);
            let items = tx.all(&sql::LIST_ALL, args![state, paging.limit, paging.offset]).await?;
            let (total,) = tx.one(&sql::COUNT_ALL, args![state]).await?;
            Ok::<_, PayoutError>(Page { items, total })
        };
        self.store.read(read).await
    }
}

fn row(line: &Line, now: Timestamp) -> String {
    csv::line([
        line.at.to_string(),
        line.reason.clone(),
        csv::amount(line.amount),
        line.amount.currency.to_string(),
        line.state(now).to_owned(),
        line.matures_at.map_or_else(String::new, |at| at.to_string()),
        line.journal.clone(),
    ])
}
