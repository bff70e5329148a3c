//! What the operator sets: the market's part of sales, and taxes. Every order needs them and they change rarely, so they
//! are kept in memory for a moment; a change made by another process counts after that moment.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use catalog::Kind;
use identity::audit::{self, Outcome};
use identity::{AccountId, Action, Caller, Subject};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Store, StoreError, Tx, args};

use crate::price::{MAX_RATE, Tax};
use crate::{OrderError, Orders, sql};

/// How long rules are believed without looking.
const FRESH: Duration = Duration::from_secs(2);

/// The market's part of some sales. Without a kind it is for all kinds, without a seller for all sellers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FeeRule {
    /// The kind of thing; empty: all.
    #[serde(default)]
    pub kind: String,
    /// The id of the account that sells; empty: all.
    #[serde(default)]
    pub seller: String,
    /// Hundredths of a percent: 1,000 are 10 %.
    pub basis_points: u32,
}
store::row!(FeeRule { kind, seller, basis_points });

/// A tax for buyers of some place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaxRate {
    /// Two letters of ISO 3166-1; empty: everywhere.
    #[serde(default)]
    pub country: String,
    /// A region of the country; empty: all.
    #[serde(default)]
    pub region: String,
    /// The kind of thing; empty: all.
    #[serde(default)]
    pub kind: String,
    /// What the tax is called: `VAT`.
    pub name: String,
    /// Hundredths of a percent: 1,900 are 19 %.
    pub basis_points: u32,
    /// Whether prices hold the tax already; else it comes on top.
    #[serde(default)]
    pub inclusive: bool,
}
store::row!(TaxRate { country, region, kind, name, basis_points, inclusive });

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The market's parts.
    pub fees: Vec<FeeRule>,
    /// The taxes.
    pub taxes: Vec<TaxRate>,
}

impl Rules {
    /// The market's part of a sale, in hundredths of a percent. What names a seller counts before what names a kind.
    #[must_use]
    pub fn fee(&self, kind: Kind, seller: &AccountId, default: u32) -> u32 {
        let fits = |rule: &&FeeRule| {
            (rule.kind.is_empty() || rule.kind == kind.as_str())
                && (rule.seller.is_empty() || rule.seller == seller.as_str())
        };
        let best =
            self.fees.iter().filter(fits).max_by_key(|rule| (!rule.seller.is_empty(), !rule.kind.is_empty()));
        best.map_or(default, |rule| rule.basis_points)
    }

    /// The tax on a sale to a buyer there. The narrowest rule counts: region, then kind, then country.
    #[must_use]
    pub fn tax(&self, kind: Kind, country: Option<&str>, region: Option<&str>) -> Tax {
        let best = self.tax_rate(kind, country, region);
        best.map_or_else(Tax::default, |rate| Tax {
            basis_points: rate.basis_points,
            is_inclusive: rate.inclusive,
        })
    }

    /// The rule by which a sale to a buyer there is taxed.
    #[must_use]
    pub fn tax_rate(&self, kind: Kind, country: Option<&str>, region: Option<&str>) -> Option<&TaxRate> {
        let (country, region) = (country.unwrap_or_default(), region.unwrap_or_default());
        let fits = |rate: &&TaxRate| {
            (rate.kind.is_empty() || rate.kind == kind.as_str())
                && (rate.country.is_empty() || rate.country == country)
                && (rate.region.is_empty() || (rate.country == country && rate.region == region))
        };
        let narrow =
            |rate: &&TaxRate| (!rate.country.is_empty(), !rate.region.is_empty(), !rate.kind.is_empty());
        self.taxes.iter().filter(fits).max_by_key(narrow)
    }
}

#[derive(Default)]
pub(crate) struct Cache(RwLock<Option<(Timestamp, Arc<Rules>)>>);

impl Cache {
    /// The rules, at most a moment old.
    pub(crate) async fn get(&self, store: &Store, now: Timestamp) -> Result<Arc<Rules>, StoreError> {
        if let Some((since, rules)) = &*self.0.read().unwrap_or_else(PoisonError::into_inner)
            && now < since.after(FRESH)
            && *since <= now
        {
            return Ok(Arc::clone(rules));
        }
        let rules = Arc::new(store.read(read).await?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&rules)));
        Ok(rules)
    }

    pub(crate) fn forget(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

async fn read(tx: &mut Tx) -> Result<Rules, StoreError> {
    Ok(Rules {
        fees: tx.all(&sql::LIST_FEES, args![]).await?,
        taxes: tx.all(&sql::LIST_TAXES, args![]).await?,
    })
}

/// A change of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This fee, in place of the one for the same kind and seller.
    SetFee(FeeRule),
    /// No such fee any more.
    DropFee {
        /// Its kind; empty: all.
        kind: String,
        /// Its seller; empty: all.
        seller: String,
    },
    /// This tax, in place of the one for the same place and kind.
    SetTax(TaxRate),
    /// No such tax any more.
    DropTax {
        /// Its country; empty: everywhere.
        country: String,
        /// Its region; empty: all.
        region: String,
        /// Its kind; empty: all.
        kind: String,
    },
}

impl Change {
    /// Every field that is out of bounds.
    fn check(&self) -> Result<(), OrderError> {
        let kind_is_known = |kind: &str| kind.is_empty() || kind.parse::<Kind>().is_ok();
        let mut wrong = Vec::new();
        let mut no = |bad: bool, pointer: &'static str, detail: &'static str| {
            if bad {
                wrong.push(kernel::FieldError { pointer: pointer.into(), detail: detail.into() });
            }
        };
        match self {
            Self::SetFee(rule) => {
                no(!kind_is_known(&rule.kind), "/kind", "Choose a kind of listing, or all.");
                let seller = rule.seller.is_empty() || rule.seller.parse::<AccountId>().is_ok();
                no(
                    !seller,
                    "/seller",
                    "Write the id of an account, such as user-… or org-…, or leave it empty.",
                );
                no(rule.basis_points > MAX_RATE, "/basisPoints", "At most 10,000 (100 %).");
            }
            Self::SetTax(rate) => {
                no(!kind_is_known(&rate.kind), "/kind", "Choose a kind of listing, or all.");
                let is_country = rate.country.is_empty() || is_country(&rate.country);
                no(!is_country, "/country", "Two capital letters, such as DE, or empty for everywhere.");
                no(rate.region.chars().count() > 40, "/region", "At most 40 characters.");
                no(
                    rate.country.is_empty() && !rate.region.is_empty(),
                    "/region",
                    "A region needs its country.",
                );
                no(
                    !(1..=40).contains(&rate.name.trim().chars().count()),
                    "/name",
                    "Write 1 to 40 characters.",
                );
                no(rate.basis_points > MAX_RATE, "/basisPoints", "At most 10,000 (100 %).");
            }
            Self::DropFee { .. } | Self::DropTax { .. } => {}
        }
        if wrong.is_empty() { Ok(()) } else { Err(OrderError::Invalid(wrong)) }
    }

    async fn write(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        match self {
            Self::SetFee(FeeRule { kind, seller, basis_points }) => {
                tx.execute(&sql::SET_FEE, args![kind, seller, basis_points]).await
            }
            Self::DropFee { kind, seller } => tx.execute(&sql::DELETE_FEE, args![kind, seller]).await,
            Self::SetTax(rate) => {
                let TaxRate { country, region, kind, name, basis_points, inclusive } = rate;
                let name = name.trim();
                tx.execute(&sql::SET_TAX, args![country, region, kind, name, basis_points, inclusive]).await
            }
            Self::DropTax { country, region, kind } => {
                tx.execute(&sql::DELETE_TAX, args![country, region, kind]).await
            }
        }
    }

    fn told(&self) -> (&'static str, serde_json::Value) {
        match self {
            Self::SetFee(rule) => ("market.fee_set", serde_json::json!(rule)),
            Self::DropFee { kind, seller } => {
                ("market.fee_removed", serde_json::json!({ "kind": kind, "seller": seller }))
            }
            Self::SetTax(rate) => ("market.tax_set", serde_json::json!(rate)),
            Self::DropTax { country, region, kind } => (
                "market.tax_removed",
                serde_json::json!({ "country": country, "region": region, "kind": kind }),
            ),
        }
    }
}

/// Whether it reads as a country of ISO 3166-1: two capital letters.
pub(crate) fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())
}

impl Orders {
    /// The market's part where no rule says otherwise, in hundredths of a percent.
    #[must_use]
    pub fn default_fee(&self) -> u32 {
        self.shared.settings.fee_basis_points
    }

    /// The rules in force.
    ///
    /// # Errors
    /// [`OrderError::Identity`] for everybody but operators.
    pub async fn rules(&self, by: &Caller) -> Result<Rules, OrderError> {
        by.may(Action::OperateMarket, &Subject::Market)?;
        Ok(self.store.read(read).await?)
    }

    /// Changes a rule. Orders that were placed before keep their prices.
    ///
    /// # Errors
    /// [`OrderError::Identity`] for everybody but operators; [`OrderError::Invalid`]; [`OrderError::NotFound`] for a
    /// rule to be removed that is not there.
    pub async fn change_rules(&self, by: &Caller, change: Change) -> Result<(), OrderError> {
        by.may(Action::OperateMarket, &Subject::Market)?;
        change.check()?;
        let (by, shared) = (by.clone(), Arc::clone(&self.shared));
        let write = async move |tx: &mut Tx| {
            if change.write(tx).await? == 0 {
                return Err(OrderError::NotFound("rule"));
            }
            let (action, data) = change.told();
            audit::record(tx, &by, action, "market", Outcome::Done, &data).await?;
            let shared = Arc::clone(&shared);
            tx.after_commit(move || shared.rules.forget());
            Ok::<_, OrderError>(())
        };
        self.store.write(write).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fee(kind: &str, seller: &str, basis_points: u32) -> FeeRule {
        FeeRule { kind: kind.to_owned(), seller: seller.to_owned(), basis_points }
    }

    fn tax(country: &str, region: &str, kind: &str, basis_points: u32) -> TaxRate {
        let [country, region, kind] = [country, region, kind].map(str::to_owned);
        TaxRate { country, region, kind, name: "VAT".to_owned(), basis_points, inclusive: true }
    }

    #[test]
    fn the_narrowest_fee_counts() {
        let (ada, ben): (AccountId, AccountId) = ("user-ada".parse().unwrap(), "user-ben".parse().unwrap());
        let fees = vec![fee("ticket", "", 500), fee("", "user-ada", 300), fee("ticket", "user-ada", 200)];
        let rules = Rules { fees, taxes: vec![] };
        assert_eq!(rules.fee(Kind::Ticket, &ada, 1_000), 200);
        assert_eq!(rules.fee(Kind::Package, &ada, 1_000), 300);
        assert_eq!(rules.fee(Kind::Ticket, &ben, 1_000), 500);
        assert_eq!(rules.fee(Kind::Package, &ben, 1_000), 1_000);
    }

    #[test]
    fn the_narrowest_tax_counts() {
        let taxes = vec![
            tax("", "", "", 0),
            tax("DE", "", "", 1_900),
            tax("DE", "", "ticket", 700),
            tax("US", "CA", "", 725),
        ];
        let rules = Rules { fees: vec![], taxes };
        let rate = |kind, country, region| rules.tax(kind, country, region).basis_points;
        assert_eq!(rate(Kind::Ticket, Some("DE"), None), 700);
        assert_eq!(rate(Kind::Package, Some("DE"), Some("BY")), 1_900);
        assert_eq!(rate(Kind::Package, Some("US"), Some("CA")), 725);
        assert_eq!(rate(Kind::Package, Some("US"), Some("NY")), 0);
        assert_eq!(rate(Kind::Package, None, None), 0);
    }
}
