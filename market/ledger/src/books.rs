//! What operators may do with the books: look at them, check them, take a copy.

use std::collections::HashMap;

use axum::extract::FromRef;
use axum::response::Response;
use futures_util::stream;
use identity::{AccountId, Identity, Operator};
use kernel::{Page, Paging};
use store::{Store, Tx};

use crate::audit::{Finding, audit};
use crate::csv;
use crate::error::LedgerError;
use crate::history::{TransferView, Which, transfers, transfers_before};
use crate::trial::{AccountFilter, AccountView, TrialBalance, accounts, trial_balance};

/// How many transfers of an export are read at once.
const EXPORT_ROWS: u32 = 500;

/// The books, for the faces of operators. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    store: Store,
    identity: Identity,
}

impl FromRef<Ledger> for Identity {
    fn from_ref(ledger: &Ledger) -> Self {
        ledger.identity.clone()
    }
}

impl Ledger {
    /// The books on a migrated store.
    #[must_use]
    pub const fn new(store: Store, identity: Identity) -> Self {
        Self { store, identity }
    }

    /// All accounts by currency and kind.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub async fn trial_balance(&self, _: &Operator) -> Result<Vec<TrialBalance>, LedgerError> {
        Ok(self.store.read(async |tx: &mut Tx| trial_balance(tx).await).await?)
    }

    /// Accounts with what they have.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub async fn accounts(
        &self,
        _: &Operator,
        filter: AccountFilter,
        paging: Paging,
    ) -> Result<Page<AccountView>, LedgerError> {
        Ok(self.store.read(async move |tx: &mut Tx| accounts(tx, &filter, paging).await).await?)
    }

    /// Transfers, the newest first.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub async fn transfers(
        &self,
        _: &Operator,
        which: Which,
        paging: Paging,
    ) -> Result<Page<TransferView>, LedgerError> {
        self.store.read(async move |tx: &mut Tx| transfers(tx, &which, paging).await).await
    }

    /// Looks for what must never be. It reads all transfers.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub async fn audit(&self, _: &Operator) -> Result<Vec<Finding>, LedgerError> {
        Ok(self.store.read(async |tx: &mut Tx| audit(tx).await).await?)
    }

    /// The transfers as a table, sent while they are read.
    #[must_use]
    pub fn export(&self, _: &Operator, which: Which) -> Response {
        let start = (self.store.clone(), which, i64::MAX);
        let rows = stream::try_unfold(start, |(store, which, before)| async move {
            let asked = which.clone();
            let read = async move |tx: &mut Tx| transfers_before(tx, &asked, before, EXPORT_ROWS).await;
            let some = store.read(read).await?;
            let Some(last) = some.last().map(|transfer| transfer.seq) else { return Ok(None) };
            let lines: String = some.iter().map(row).collect();
            Ok::<_, LedgerError>(Some((lines, (store, which, last))))
        });
        csv::file("transfers.csv", &HEAD, rows)
    }

    /// What people call these owners of accounts, by id.
    pub(crate) async fn names(
        &self,
        owners: impl Iterator<Item = &str>,
    ) -> Result<HashMap<String, String>, LedgerError> {
        let ids: Vec<AccountId> = owners.filter_map(|owner| owner.parse().ok()).collect();
        let read = async move |tx: &mut Tx| identity::accounts(tx, &ids).await;
        let found = self.store.read(read).await?;
        Ok(found.into_iter().map(|account| (account.id, account.name)).collect())
    }

    /// The id of the account of this name, or the text as it is.
    pub(crate) async fn owner(&self, typed: &str) -> Result<String, LedgerError> {
        let name = typed.trim().to_owned();
        let asked = name.clone();
        let read = async move |tx: &mut Tx| identity::account_named(tx, &asked).await;
        Ok(self.store.read(read).await?.map_or(name, |account| account.id))
    }
}

const HEAD: [&str; 11] = [
    "transfer",
    "time",
    "journal",
    "phase",
    "ended",
    "debit",
    "credit",
    "amount",
    "currency",
    "reason",
    "matures at",
];

fn row(transfer: &TransferView) -> String {
    csv::line([
        transfer.seq.to_string(),
        transfer.at.to_string(),
        transfer.journal.clone(),
        transfer.phase.name().to_owned(),
        transfer.ended.map_or_else(String::new, |phase| phase.name().to_owned()),
        transfer.debit.clone(),
        transfer.credit.clone(),
        csv::amount(transfer.amount),
        transfer.amount.currency.to_string(),
        transfer.reason.clone(),
        transfer.matures_at.map_or_else(String::new, |at| at.to_string()),
    ])
}
