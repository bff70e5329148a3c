//! What people send.

use kernel::{Currency, Money};
use payments::{Card, MethodId, Source};
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::alert::AlertChange;
use crate::auto::AutoChange;
use crate::error::WalletError;
use crate::settings::Settings;
use crate::start::NewTopUp;

/// An amount in major units, which counts as it is written, or in minor ones.
fn amount(
    pointer: &'static str,
    major: Option<&Number>,
    minor: Option<i64>,
    currency: Currency,
) -> Result<Option<Money>, WalletError> {
    match (major, minor) {
        (None, None) => Ok(None),
        (None, Some(minor)) => Ok(Some(Money::new(minor, currency))),
        (Some(major), None) => {
            let read = Money::parse(&major.to_string(), currency);
            read.map(Some).map_err(|error| WalletError::field(pointer, format!("{error}.")))
        }
        (Some(_), Some(_)) => Err(WalletError::field(pointer, "Send major units or minor ones, not both.")),
    }
}

fn needed(
    pointer: &'static str,
    major: Option<&Number>,
    minor: Option<i64>,
    currency: Currency,
) -> Result<Money, WalletError> {
    amount(pointer, major, minor, currency)?.ok_or_else(|| WalletError::field(pointer, "Say how much."))
}

/// A top-up to begin: an amount, and one way to pay.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TopUpBody {
    /// In major units: 25 or 25.50.
    #[schema(value_type = Option<f64>)]
    amount: Option<Number>,
    /// The same in minor units.
    amount_minor: Option<i64>,
    /// USD where absent, or what the query says.
    currency: Option<String>,
    /// A saved card.
    method_id: Option<String>,
    /// `pm_…` of the gateway's script, or a test token such as `tok_visa`.
    token: Option<String>,
    /// A test card; sandbox only.
    card: Option<Card>,
    /// Whether the card is given in the browser, on the page that `nextUrl` names.
    #[serde(default)]
    browser: bool,
}

/// What has to be the same for the answer to be the same; a card's number is not kept, nor its digest.
impl Serialize for TopUpBody {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let amount = self.amount.as_ref().map(Number::to_string);
        let currency = self.currency.as_deref().unwrap_or_default();
        let card = self.card.as_ref().map(Card::code);
        (amount, self.amount_minor, currency, &self.method_id, &self.token, card, self.browser)
            .serialize(serializer)
    }
}

impl TopUpBody {
    pub(super) fn read(&self, settings: &Settings, in_query: &str) -> Result<NewTopUp, WalletError> {
        let currency = settings.currency(self.currency.as_deref().unwrap_or(in_query))?;
        let amount = needed("/amount", self.amount.as_ref(), self.amount_minor, currency)?;
        let source = match (&self.method_id, &self.token, &self.card, self.browser) {
            (Some(id), None, None, false) => Source::Method(method(id)?),
            (None, Some(token), None, false) => Source::Token(token.clone()),
            (None, None, Some(card), false) => Source::Card(card.clone()),
            (None, None, None, true) => Source::Browser,
            _ => {
                let detail = "Send one of methodId, token, card, or browser: true.";
                return Err(WalletError::field("/methodId", detail));
            }
        };
        Ok(NewTopUp { amount, source })
    }
}

fn method(text: &str) -> Result<MethodId, WalletError> {
    text.parse().map_err(|_| WalletError::field("/methodId", "Choose one of the saved cards."))
}

/// How much of a top-up is to go back; as much as is left of it and available where nothing is said.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RefundBody {
    /// In major units.
    #[schema(value_type = Option<f64>)]
    amount: Option<Number>,
    /// The same in minor units.
    amount_minor: Option<i64>,
}

impl RefundBody {
    pub(super) fn read(&self, currency: Currency) -> Result<Option<i64>, WalletError> {
        let amount = amount("/amount", self.amount.as_ref(), self.amount_minor, currency)?;
        Ok(amount.map(|amount| amount.minor))
    }
}

/// The rule as it is to be.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AutoBody {
    enabled: bool,
    /// Below this much available it tops up; in major units.
    #[schema(value_type = Option<f64>)]
    threshold: Option<Number>,
    threshold_minor: Option<i64>,
    /// By this much, no less than the threshold; in major units.
    #[schema(value_type = Option<f64>)]
    amount: Option<Number>,
    amount_minor: Option<i64>,
    /// A saved card of the account.
    method_id: String,
    /// At most so often within 24 hours: 1 to 24.
    #[serde(default = "three")]
    max_per_day: u32,
    /// At most so much within 30 days; no limit where absent.
    #[schema(value_type = Option<f64>)]
    monthly_limit: Option<Number>,
    monthly_limit_minor: Option<i64>,
    /// The version that was read; a stale one changes nothing. 0: none was ever set.
    pub(super) version: Option<i64>,
}

const fn three() -> u32 {
    3
}

impl AutoBody {
    pub(super) fn read(&self, currency: Currency) -> Result<AutoChange, WalletError> {
        let monthly =
            amount("/monthlyLimit", self.monthly_limit.as_ref(), self.monthly_limit_minor, currency)?;
        Ok(AutoChange {
            enabled: self.enabled,
            threshold: needed("/threshold", self.threshold.as_ref(), self.threshold_minor, currency)?,
            amount: needed("/amount", self.amount.as_ref(), self.amount_minor, currency)?,
            method: method(&self.method_id)?,
            max_per_day: self.max_per_day,
            monthly_limit_minor: monthly.map(|limit| limit.minor),
        })
    }
}

/// The alert as it is to be.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AlertBody {
    enabled: bool,
    /// Below this much available it tells; in major units.
    #[schema(value_type = Option<f64>)]
    threshold: Option<Number>,
    threshold_minor: Option<i64>,
    /// The version that was read; a stale one changes nothing. 0: none was ever set.
    pub(super) version: Option<i64>,
}

impl AlertBody {
    pub(super) fn read(&self, currency: Currency) -> Result<AlertChange, WalletError> {
        let threshold = needed("/threshold", self.threshold.as_ref(), self.threshold_minor, currency)?;
        Ok(AlertChange { enabled: self.enabled, threshold })
    }
}
