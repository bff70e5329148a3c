//! What a wallet holds.

use identity::{AccountId, Action, Caller};
use kernel::Currency;
use ledger::{Account, Balance};
use store::{Tx, args};

use crate::error::WalletError;
use crate::{Wallets, sql};

/// What an account has in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletBalance {
    /// In which.
    pub currency: Currency,
    /// Posted, reserved, incoming, available.
    pub balance: Balance,
}

/// What an account has in every currency, the usual one first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balances {
    /// Whose.
    pub account: AccountId,
    /// One for each currency in which there are wallets, and each other one that was ever topped up.
    pub wallets: Vec<WalletBalance>,
}

impl Balances {
    /// What it has in this currency; nothing where it never had any.
    #[must_use]
    pub fn of(&self, currency: Currency) -> Balance {
        let found = self.wallets.iter().find(|wallet| wallet.currency == currency);
        found.map_or_else(|| Balance::zero(currency), |wallet| wallet.balance)
    }
}

impl Wallets {
    /// What the caller, or an organisation which they administer, has to spend.
    ///
    /// # Errors
    /// [`WalletError::NotFound`] for an organisation that the caller does not administer.
    pub async fn balances(&self, by: &Caller, org: Option<&str>) -> Result<Balances, WalletError> {
        let account = self.account(by, Action::Read, org)?;
        let (owner, currencies) = (account.clone(), self.settings.currencies.clone());
        let read = async move |tx: &mut Tx| {
            // Also those that the operator has since taken off the list: their money is still there.
            let topped_up: Vec<(String,)> = tx.all(&sql::LIST_CURRENCIES, args![owner]).await?;
            let topped_up = topped_up.iter().filter_map(|(code,)| code.parse::<Currency>().ok());
            let other = topped_up.filter(|currency| !currencies.contains(currency));
            let mut wallets = Vec::new();
            for currency in currencies.iter().copied().chain(other) {
                let balance = ledger::balance(tx, &Account::Wallet(owner.clone()), currency).await?;
                wallets.push(WalletBalance { currency, balance });
            }
            Ok::<_, WalletError>(wallets)
        };
        let wallets = self.store.read(read).await?;
        Ok(Balances { account, wallets })
    }
}
