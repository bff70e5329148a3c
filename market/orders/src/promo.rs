//! Promo codes: a percentage or an amount off, paid by a seller for its own offers or by the market for all. How often a
//! code may be used is checked and taken in one statement, so that no race exceeds it.

use identity::audit::{self, Outcome};
use identity::orgs::OrgRole;
use identity::{AccountId, Action, Caller, Subject};
use kernel::{Currency, FieldError, Money, Page, Paging, Timestamp};
use store::{FromRow, Row, StoreError, Tx, args, json_list};

use crate::price::{Funded, MAX_RATE};
use crate::{OrderError, Orders, sql};

/// What a code takes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Off {
    /// Hundredths of a percent of each line.
    Percent(u32),
    /// An amount of the order, shared among its lines; at most what they cost.
    Amount(Money),
}

/// A promo code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promo {
    /// In capital letters, digits and dashes.
    pub code: String,
    /// The seller whose offers it is for, and who pays for it; `None`: the market, for all.
    pub seller: Option<AccountId>,
    /// What it takes off.
    pub off: Off,
    /// Since when it can be used.
    pub valid_from: Timestamp,
    /// Until when.
    pub valid_until: Option<Timestamp>,
    /// How often at the most.
    pub max_uses: Option<u32>,
    /// How often by one buyer at the most.
    pub max_per_buyer: Option<u32>,
    /// How often it is used by orders that are paid or can be.
    pub used: u32,
    /// When it was ended by hand.
    pub ended_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows with every change, uses left out.
    pub version: i64,
}

impl FromRow for Promo {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let (percent, amount): (Option<u32>, Option<i64>) = (row.get(2)?, row.get(3)?);
        let off = match (percent, amount) {
            (Some(percent), _) => Off::Percent(percent),
            (None, amount) => Off::Amount(Money::new(amount.unwrap_or_default(), sql::currency(row, 4)?)),
        };
        Ok(Self {
            code: row.get(0)?,
            seller: row.get(1)?,
            off,
            valid_from: row.get(5)?,
            valid_until: row.get(6)?,
            max_uses: row.get(7)?,
            max_per_buyer: row.get(8)?,
            used: row.get(9)?,
            ended_at: row.get(10)?,
            created_at: row.get(11)?,
            version: row.get(12)?,
        })
    }
}

impl Promo {
    /// Who pays for it.
    #[must_use]
    pub const fn funded(&self) -> Funded {
        if self.seller.is_some() { Funded::BySeller } else { Funded::ByMarket }
    }

    /// Whether it is for what `seller` sells.
    #[must_use]
    pub fn is_for(&self, seller: &AccountId) -> bool {
        self.seller.as_ref().is_none_or(|own| own == seller)
    }

    /// Whether it can be used at `now`, as far as time says.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && self.valid_from <= now && self.valid_until.is_none_or(|until| now < until)
    }

    /// How much it takes off each line. A line that it is not for costs 0 here and keeps its price.
    #[must_use]
    pub fn off(&self, costs: &[i64], currency: Currency) -> Vec<i64> {
        match self.off {
            Off::Percent(percent) => {
                costs.iter().map(|cost| Money::new(*cost, currency).split(percent).0.minor).collect()
            }
            Off::Amount(amount) => crate::price::shares(costs, amount.minor),
        }
    }
}

/// Takes one use of a code for an order of `buyer`.
pub(crate) async fn take(
    tx: &mut Tx,
    now: Timestamp,
    code: &str,
    buyer: &AccountId,
    sellers: &[&AccountId],
    currency: Currency,
) -> Result<Promo, OrderError> {
    let refused = OrderError::Promo;
    let promo: Option<Promo> = tx.first(&sql::FIND_PROMO, args![clean(code)]).await?;
    let promo = promo.ok_or(refused("There is no such code."))?;
    if !promo.is_valid(now) {
        return Err(refused("This code cannot be used now."));
    }
    if !sellers.iter().any(|seller| promo.is_for(seller)) {
        return Err(refused("This code is for other things."));
    }
    if matches!(promo.off, Off::Amount(amount) if amount.currency != currency) {
        return Err(refused("This code is for another currency."));
    }
    if tx.execute(&sql::USE_PROMO, args![promo.code]).await? == 0 {
        return Err(refused("This code is used up."));
    }
    let most = promo.max_per_buyer.map_or(i64::MAX, i64::from);
    if tx.execute(&sql::USE_PROMO_OF_BUYER, args![promo.code, buyer, most]).await? == 0 {
        return Err(refused("You used this code as often as one buyer may."));
    }
    Ok(promo)
}

/// Gives the use back that an order took which was not paid.
pub(crate) async fn give_back(tx: &mut Tx, code: &str, buyer: &AccountId) -> Result<(), StoreError> {
    tx.execute(&sql::UNUSE_PROMO, args![code]).await?;
    tx.execute(&sql::UNUSE_PROMO_OF_BUYER, args![code, buyer]).await?;
    Ok(())
}

/// A code as it is compared: capital letters, no space around it.
pub(crate) fn clean(code: &str) -> String {
    code.trim().to_ascii_uppercase()
}

/// A code to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPromo {
    /// 3 to 40 letters, digits and dashes.
    pub code: String,
    /// Whether the market pays for it, for everything; else the seller, for its own offers.
    pub by_market: bool,
    /// The organisation in whose name it is made; `None`: the caller's own.
    pub org: Option<String>,
    /// What it takes off.
    pub off: Off,
    /// Since when; `None`: now.
    pub valid_from: Option<Timestamp>,
    /// Until when.
    pub valid_until: Option<Timestamp>,
    /// How often at the most.
    pub max_uses: Option<u32>,
    /// How often by one buyer at the most.
    pub max_per_buyer: Option<u32>,
}

impl NewPromo {
    fn check(&self, now: Timestamp) -> Result<(), OrderError> {
        let code = clean(&self.code);
        let plain = code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
        let mut wrong = Vec::new();
        let mut no = |bad: bool, pointer: &'static str, detail: &'static str| {
            if bad {
                wrong.push(FieldError { pointer: pointer.into(), detail: detail.into() });
            }
        };
        no(!(3..=40).contains(&code.len()) || !plain, "/code", "3 to 40 letters, digits and dashes.");
        match self.off {
            Off::Percent(percent) => {
                no(!(1..=MAX_RATE).contains(&percent), "/percent", "More than 0, at most 100.")
            }
            Off::Amount(amount) => no(amount.minor <= 0, "/amount", "Write an amount above 0."),
        }
        let from = self.valid_from.unwrap_or(now);
        no(self.valid_until.is_some_and(|until| until <= from), "/validUntil", "Choose a later time.");
        no(self.max_uses == Some(0), "/maxUses", "At least 1, or leave it empty.");
        no(self.max_per_buyer == Some(0), "/maxPerBuyer", "At least 1, or leave it empty.");
        if wrong.is_empty() { Ok(()) } else { Err(OrderError::Invalid(wrong)) }
    }
}

impl Orders {
    /// Makes a code: a seller for its own offers, an operator for the whole market.
    ///
    /// # Errors
    /// [`OrderError::Identity`] for who may not sell or operate; [`OrderError::Invalid`]; [`OrderError::PromoExists`].
    pub async fn create_promo(&self, by: &Caller, new: NewPromo) -> Result<Promo, OrderError> {
        let seller = if new.by_market {
            by.may(Action::OperateMarket, &Subject::Market)?;
            None
        } else {
            let actor = by.may(Action::Sell, &Subject::Market)?;
            let seller = actor.account_in(new.org.as_deref(), OrgRole::Admin);
            Some(seller.ok_or(OrderError::NotFound("organisation"))?)
        };
        let now = by.now();
        new.check(now)?;
        let by = by.clone();
        let write = async move |tx: &mut Tx| {
            let (percent, amount) = match new.off {
                Off::Percent(percent) => (Some(percent), None),
                Off::Amount(amount) => (None, Some(amount)),
            };
            let (minor, currency) = (amount.map(|a| a.minor), amount.map(|a| a.currency.to_string()));
            let (code, from) = (clean(&new.code), new.valid_from.unwrap_or(now));
            let NewPromo { valid_until, max_uses, max_per_buyer, .. } = &new;
            let row = args![
                code,
                seller,
                percent,
                minor,
                currency,
                from,
                valid_until,
                max_uses,
                max_per_buyer,
                now
            ];
            if tx.execute(&sql::INSERT_PROMO, row).await? == 0 {
                return Err(OrderError::PromoExists);
            }
            let data = serde_json::json!({ "byMarket": new.by_market });
            audit::record(tx, &by, "promo.created", &code, Outcome::Done, &data).await?;
            Ok::<Promo, OrderError>(tx.one(&sql::FIND_PROMO, args![code]).await?)
        };
        self.store.write(write).await
    }

    /// Ends a code at once; orders that used it keep their price.
    ///
    /// # Errors
    /// [`OrderError::NotFound`] where it is somebody else's; [`OrderError::Stale`].
    pub async fn end_promo(
        &self,
        by: &Caller,
        code: &str,
        expected: web::Expected,
    ) -> Result<Promo, OrderError> {
        let (by, code, now) = (by.clone(), clean(code), by.now());
        let write = async move |tx: &mut Tx| {
            let promo: Option<Promo> = tx.first(&sql::FIND_PROMO, args![code]).await?;
            let promo =
                promo.filter(|promo| may_end(&by, promo)).ok_or(OrderError::NotFound("promo code"))?;
            by.account()?;
            expected.check(promo.version)?;
            let ended: Option<Promo> = tx.first(&sql::END_PROMO, args![code, promo.version, now]).await?;
            let Some(ended) = ended else { return Ok::<_, OrderError>(promo) };
            audit::record(tx, &by, "promo.ended", &code, Outcome::Done, &serde_json::json!({})).await?;
            Ok(ended)
        };
        self.store.write(write).await
    }

    /// The codes of the sellers that the caller speaks for; an operator sees all.
    ///
    /// # Errors
    /// [`OrderError::Identity`] for who may not sell.
    pub async fn promos(&self, by: &Caller, all: bool, paging: Paging) -> Result<Page<Promo>, OrderError> {
        let Paging { limit, offset } = paging;
        if all {
            by.may(Action::OperateMarket, &Subject::Market)?;
            let read = async move |tx: &mut Tx| {
                let items = tx.all(&sql::LIST_PROMOS, args![limit, offset]).await?;
                let (total,) = tx.one(&sql::COUNT_PROMOS, args![]).await?;
                Ok::<_, OrderError>(Page { items, total })
            };
            return self.store.read(read).await;
        }
        let actor = by.may(Action::Sell, &Subject::Market)?;
        let sellers = json_list(actor.accounts().map(|account| account.to_string()));
        let read = async move |tx: &mut Tx| {
            let items = tx.all(&sql::LIST_PROMOS_OF_SELLERS, args![sellers, limit, offset]).await?;
            let (total,) = tx.one(&sql::COUNT_PROMOS_OF_SELLERS, args![sellers]).await?;
            Ok::<_, OrderError>(Page { items, total })
        };
        self.store.read(read).await
    }
}

fn may_end(by: &Caller, promo: &Promo) -> bool {
    let operates = by.may(Action::OperateMarket, &Subject::Market).is_ok();
    let sells = || by.may(Action::Sell, &Subject::Market).ok();
    operates
        || promo
            .seller
            .as_ref()
            .is_some_and(|seller| sells().is_some_and(|actor| actor.speaks_for(seller, OrgRole::Admin)))
}
