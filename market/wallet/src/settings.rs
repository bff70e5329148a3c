//! How this room is set up.

use kernel::{Currency, Money, MoneyError};

use crate::error::WalletError;

/// How this room is set up. Amounts are whole major units of the wallet's currency, whichever it is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The currencies in which there are wallets, the usual one first.
    pub currencies: Vec<Currency>,
    /// The smallest top-up.
    pub min_top_up: u32,
    /// The largest.
    pub max_top_up: u32,
    /// The most that a wallet may be topped up to.
    pub max_balance: u32,
    /// Where browsers reach the market, without a slash at the end: stands in mails.
    pub public_url: String,
}

impl Settings {
    /// Dollars and euros; top-ups of 5 to 2,000, up to a balance of 10,000.
    pub fn new(public_url: impl Into<String>) -> Self {
        Self {
            currencies: vec![Currency::USD, Currency::EUR],
            min_top_up: 5,
            max_top_up: 2_000,
            max_balance: 10_000,
            public_url: public_url.into().trim_end_matches('/').to_owned(),
        }
    }

    /// The currency of wallets where nobody says.
    #[must_use]
    pub fn usual(&self) -> Currency {
        self.currencies.first().copied().unwrap_or(Currency::USD)
    }

    /// The currency that a text names, the usual one where it is empty.
    ///
    /// # Errors
    /// [`WalletError::Invalid`] for one in which there are no wallets.
    pub fn currency(&self, text: &str) -> Result<Currency, WalletError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(self.usual());
        }
        let known = text.parse().ok().filter(|currency| self.currencies.contains(currency));
        known.ok_or_else(|| {
            let all: Vec<_> = self.currencies.iter().map(Currency::code).collect();
            WalletError::field("/currency", format!("Wallets hold {}.", all.join(" or ")))
        })
    }

    /// The smallest top-up in this currency.
    #[must_use]
    pub fn min(&self, currency: Currency) -> Money {
        major(self.min_top_up, currency)
    }

    /// The largest top-up in this currency.
    #[must_use]
    pub fn max(&self, currency: Currency) -> Money {
        major(self.max_top_up, currency)
    }

    /// The most that a wallet in this currency may be topped up to.
    #[must_use]
    pub fn most(&self, currency: Currency) -> Money {
        major(self.max_balance, currency)
    }

    /// Whether somebody may top up by this much at once.
    ///
    /// # Errors
    /// [`WalletError::Invalid`] at the field `pointer`.
    pub fn check_top_up(&self, pointer: &'static str, amount: Money) -> Result<(), WalletError> {
        let (min, max) = (self.min(amount.currency), self.max(amount.currency));
        if (min.minor..=max.minor).contains(&amount.minor) {
            return Ok(());
        }
        Err(WalletError::field(pointer, format!("Top up by {min} to {max}.")))
    }

    /// Whether a wallet that has or expects `held` can take `more`.
    pub(crate) fn fits(&self, held: Money, more: Money) -> Result<bool, MoneyError> {
        Ok(held.plus(more)?.minor <= self.most(held.currency).minor)
    }
}

fn major(amount: u32, currency: Currency) -> Money {
    Money::new(i64::from(amount).saturating_mul(10_i64.saturating_pow(currency.places())), currency)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn limits_are_major_units_of_each_currency() {
        let settings = Settings::new("https://market.example.com/");
        assert_eq!(settings.min(Currency::USD).minor, 500);
        assert_eq!(settings.max("JPY".parse().unwrap()).minor, 2_000);
        assert_eq!(settings.public_url, "https://market.example.com");
        assert!(settings.currency("CHF").is_err() && settings.currency("eur").is_err());
        assert_eq!(settings.currency("").unwrap(), Currency::USD);
        for (minor, fits) in [(499, false), (500, true), (200_000, true), (200_001, false)] {
            let amount = Money::new(minor, Currency::EUR);
            assert_eq!(settings.check_top_up("/amount", amount).is_ok(), fits, "{amount}");
        }
    }
}
