//! The accounts of the books: a small fixed chart, told apart by whom they are about.

use std::fmt;
use std::str::FromStr;

use identity::AccountId;
use serde::{Serialize, Serializer};
use thiserror::Error;

/// The gateways whose accounts can be named in text.
pub const GATEWAYS: &[&str] = &["sandbox", "stripe"];

/// An account of the ledger. Each holds one currency, so that `Wallet(ada)` in dollars and in euros are two.
///
/// As text it is `kind` or `kind:owner`: `tax`, `clearing:stripe`, `wallet:user-…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Account {
    /// Money that a gateway holds for us. Grows by debits.
    Clearing(&'static str),
    /// What a gateway kept for its work. Grows by debits.
    GatewayFees(&'static str),
    /// Money that a gateway withholds while a payment is disputed. Grows by debits.
    Disputes(&'static str),
    /// Money on its way to sellers through a gateway.
    PayoutsInTransit(&'static str),
    /// What the market owes a seller. Below zero the seller owes the market.
    Seller(AccountId),
    /// What a seller owes the market beside [`Account::Seller`]. Grows by debits.
    SellerDebt(AccountId),
    /// What an account has to spend. Never below zero: the database refuses.
    Wallet(AccountId),
    /// What the market earned.
    PlatformFees,
    /// Tax collected for the authorities.
    Tax,
    /// Money set aside for refunds.
    RefundReserve,
    /// Discounts that the market gives. Grows by debits.
    Promotions,
    /// The market's own stock of each currency, against which wallets are exchanged.
    Exchange,
}

/// On which side an account grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Assets and expenses.
    Debit,
    /// What is owed to others, and income.
    Credit,
}

/// The text names no account.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("expected an account such as tax, clearing:stripe or wallet:user-…, got `{0}`")]
pub struct NoAccount(pub String);

impl Account {
    /// What stands before the colon.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Clearing(_) => "clearing",
            Self::GatewayFees(_) => "gateway-fees",
            Self::Disputes(_) => "disputes",
            Self::PayoutsInTransit(_) => "payouts-in-transit",
            Self::Seller(_) => "seller",
            Self::SellerDebt(_) => "seller-debt",
            Self::Wallet(_) => "wallet",
            Self::PlatformFees => "platform-fees",
            Self::Tax => "tax",
            Self::RefundReserve => "refund-reserve",
            Self::Promotions => "promotions",
            Self::Exchange => "exchange",
        }
    }

    /// Whom it is about: what stands after the colon.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        match self {
            Self::Clearing(gateway)
            | Self::GatewayFees(gateway)
            | Self::Disputes(gateway)
            | Self::PayoutsInTransit(gateway) => Some(gateway),
            Self::Seller(account) | Self::SellerDebt(account) | Self::Wallet(account) => {
                Some(account.as_str())
            }
            Self::PlatformFees | Self::Tax | Self::RefundReserve | Self::Promotions | Self::Exchange => None,
        }
    }

    /// On which side it grows.
    #[must_use]
    pub const fn side(&self) -> Side {
        match self {
            Self::Clearing(_)
            | Self::GatewayFees(_)
            | Self::Disputes(_)
            | Self::SellerDebt(_)
            | Self::Promotions => Side::Debit,
            _ => Side::Credit,
        }
    }

    /// Whether the database keeps its balance from going below zero. Such an account has one row that every
    /// transfer changes, so busy accounts of the market have none.
    #[must_use]
    pub const fn is_guarded(&self) -> bool {
        matches!(self, Self::Wallet(_))
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        self.owner().map_or(Ok(()), |owner| write!(f, ":{owner}"))
    }
}

impl FromStr for Account {
    type Err = NoAccount;

    fn from_str(text: &str) -> Result<Self, NoAccount> {
        let none = || NoAccount(text.chars().take(80).collect());
        let (kind, owner) = text.split_once(':').map_or((text, None), |(kind, owner)| (kind, Some(owner)));
        let gateway = || {
            let owner = owner.ok_or_else(none)?;
            GATEWAYS.iter().copied().find(|known| *known == owner).ok_or_else(none)
        };
        let party = || owner.and_then(|owner| owner.parse::<AccountId>().ok()).ok_or_else(none);
        let plain = |account| if owner.is_none() { Ok(account) } else { Err(none()) };
        match kind {
            "clearing" => gateway().map(Self::Clearing),
            "gateway-fees" => gateway().map(Self::GatewayFees),
            "disputes" => gateway().map(Self::Disputes),
            "payouts-in-transit" => gateway().map(Self::PayoutsInTransit),
            "seller" => party().map(Self::Seller),
            "seller-debt" => party().map(Self::SellerDebt),
            "wallet" => party().map(Self::Wallet),
            "platform-fees" => plain(Self::PlatformFees),
            "tax" => plain(Self::Tax),
            "refund-reserve" => plain(Self::RefundReserve),
            "promotions" => plain(Self::Promotions),
            "exchange" => plain(Self::Exchange),
            _ => Err(none()),
        }
    }
}

impl Serialize for Account {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_account_reads_back_from_its_text() {
        let ada: AccountId = "user-ada".parse().unwrap();
        let accounts = [
            Account::Clearing("stripe"),
            Account::GatewayFees("sandbox"),
            Account::Disputes("stripe"),
            Account::PayoutsInTransit("sandbox"),
            Account::Seller(ada.clone()),
            Account::SellerDebt(ada.clone()),
            Account::Wallet(ada),
            Account::PlatformFees,
            Account::Tax,
            Account::RefundReserve,
            Account::Promotions,
            Account::Exchange,
        ];
        for account in accounts {
            assert_eq!(account.to_string().parse(), Ok(account.clone()), "{account}");
        }
    }

    proptest! {
        #[test]
        fn other_texts_are_no_account(text in ".{0,60}") {
            if let Ok(account) = text.parse::<Account>() {
                prop_assert_eq!(account.to_string(), text);
            }
        }

        #[test]
        fn owners_are_checked(kind in "(clearing|wallet|tax|seller)", owner in "(:[a-z -]{0,20})?") {
            let text = format!("{kind}{owner}");
            if let Ok(account) = text.parse::<Account>() {
                prop_assert_eq!(account.to_string(), text);
            }
        }
    }
}
