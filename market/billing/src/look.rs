//! Reading subscriptions and invoices: one's own, those that one sold, all for operators.

use std::collections::BTreeMap;

use catalog::{Offer, OfferState, Pricing, Stock, listing};
use identity::orgs::OrgRole;
use identity::{AccountId, Action, Actor, Caller, Names, PublicAccount, Subject};
use kernel::{Currency, Money, MoneyError, Page, Paging};
use payments::{Method, Payments};
use serde::Deserialize;
use store::{FromRow, Row, Sql, StoreError, Tx, args, json_list};

use crate::error::BillingError;
use crate::invoice::{Invoice, InvoiceId, InvoiceLine, Kind, Standing};
use crate::manage::details_at;
use crate::room::Billing;
use crate::sql;
use crate::subscription::{State, Subscription, SubscriptionId, currency};

/// As what somebody looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// As who buys.
    Buyer,
    /// As who sells.
    Seller,
    /// As who runs the market.
    Operator,
}

/// Which subscriptions.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Filter {
    /// In this state only.
    pub state: Option<State>,
    /// A subscription, a buyer or a seller, by its whole id; only for operators.
    #[serde(default)]
    pub text: String,
}

/// Everything that stands on an invoice.
#[derive(Clone, Debug)]
pub struct Bill {
    /// The invoice.
    pub invoice: Invoice,
    /// Its lines.
    pub lines: Vec<InvoiceLine>,
    /// Credit notes that take back parts of it.
    pub credit_notes: Vec<Invoice>,
    /// What the seller puts on invoices.
    pub details: String,
    /// What the seller is called.
    pub seller: String,
    /// What the buyer is called.
    pub buyer: String,
    /// What the credit note takes back: the number of the invoice.
    pub of_number: Option<String>,
    /// As what the caller sees it: fees are shown to the seller and operators.
    pub side: Side,
    /// The page on which an attempt that waits is confirmed.
    pub confirm_page: Option<String>,
}

/// What a seller's subscriptions bring in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    /// The currency.
    pub currency: Currency,
    /// How many are in their trial.
    pub trialing: u64,
    /// How many are paid.
    pub active: u64,
    /// How many wait for a payment.
    pub past_due: u64,
    /// How many are over.
    pub over: u64,
    /// What the paid ones, and those that wait for a payment, bring in a month, before fees and tax; what is paid by
    /// the year counts a twelfth. Metered use is not in it.
    pub monthly: Money,
}

struct Count {
    currency: Currency,
    state: State,
    is_yearly: bool,
    count: u64,
    price: i64,
}

impl FromRow for Count {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let period: String = row.get(2)?;
        let count: i64 = row.get(3)?;
        Ok(Self {
            currency: currency(row, 0)?,
            state: row.get(1)?,
            is_yearly: period == "year",
            count: count.unsigned_abs(),
            price: row.get(4)?,
        })
    }
}

impl Billing {
    /// What the buyers and sellers of these subscriptions are called.
    pub(crate) async fn names(&self, subs: &[Subscription]) -> Result<Names, BillingError> {
        let ids: Vec<AccountId> =
            subs.iter().flat_map(|sub| [sub.buyer.clone(), sub.seller.clone()]).collect();
        let read = async move |tx: &mut Tx| identity::names(tx, &ids).await;
        Ok(self.store.read(read).await?)
    }

    /// A subscription, and as what the caller sees it.
    ///
    /// # Errors
    /// [`BillingError::NotFound`] for everybody but its buyer, its seller and operators.
    pub async fn find(&self, by: &Caller, id: &SubscriptionId) -> Result<(Subscription, Side), BillingError> {
        let (by, id) = (by.clone(), id.clone());
        let read = async move |tx: &mut Tx| {
            let found: Option<Subscription> = tx.first(&sql::FIND_SUBSCRIPTION, args![id]).await?;
            let sub = found.ok_or(BillingError::NotFound("subscription"))?;
            let side = side(&by, &sub.buyer, &sub.seller)?;
            Ok((sub, side.ok_or(BillingError::NotFound("subscription"))?))
        };
        self.store.read(read).await
    }

    /// A page of subscriptions, the newest first.
    ///
    /// # Errors
    /// [`BillingError::Identity`] for a stranger, and for who is no operator but asks as one.
    pub async fn list(
        &self,
        by: &Caller,
        side: Side,
        filter: Filter,
        paging: Paging,
    ) -> Result<Page<Subscription>, BillingError> {
        let who = match side {
            Side::Operator => {
                by.may(Action::OperateMarket, &Subject::Market)?;
                filter.text.trim().to_owned()
            }
            Side::Buyer => accounts(by.may(Action::Read, &Subject::Market)?, None),
            Side::Seller => accounts(by.may(Action::Read, &Subject::Market)?, Some(OrgRole::Admin)),
        };
        let (list, count): (&'static Sql, &'static Sql) = match side {
            Side::Buyer => (&sql::LIST_OF_BUYERS, &sql::COUNT_OF_BUYERS),
            Side::Seller => (&sql::LIST_OF_SELLERS, &sql::COUNT_OF_SELLERS),
            Side::Operator => (&sql::LIST_ALL, &sql::COUNT_ALL),
        };
        let state = filter.state.map_or("", State::as_str);
        let read = async move |tx: &mut Tx| {
            let items = tx.all(list, args![who, state, paging.limit, paging.offset]).await?;
            let (total,) = tx.one(count, args![who, state]).await?;
            Ok::<_, BillingError>(Page { items, total })
        };
        self.store.read(read).await
    }

    /// A page of documents of the caller as buyer or seller, the newest first; `of` is a subscription or an order,
    /// `before` a document: only those made before it.
    ///
    /// # Errors
    /// [`BillingError::Identity`] for a stranger.
    pub async fn invoices(
        &self,
        by: &Caller,
        side: Side,
        of: Option<String>,
        before: Option<InvoiceId>,
        paging: Paging,
    ) -> Result<Page<Invoice>, BillingError> {
        let actor = by.may(Action::Read, &Subject::Market)?;
        let (list, count): (&'static Sql, &'static Sql) = match side {
            Side::Seller => (&sql::LIST_INVOICES_OF_SELLERS, &sql::COUNT_INVOICES_OF_SELLERS),
            _ => (&sql::LIST_INVOICES_OF_BUYERS, &sql::COUNT_INVOICES_OF_BUYERS),
        };
        let who = accounts(actor, (side == Side::Seller).then_some(OrgRole::Admin));
        let (of, before) = (of.unwrap_or_default(), before.map_or_else(String::new, |id| id.to_string()));
        let read = async move |tx: &mut Tx| {
            let items = tx.all(list, args![who, of, paging.limit, paging.offset, before]).await?;
            let (total,) = tx.one(count, args![who, of]).await?;
            Ok::<_, BillingError>(Page { items, total })
        };
        self.store.read(read).await
    }

    /// An invoice, a receipt or a credit note with everything that stands on it.
    ///
    /// # Errors
    /// [`BillingError::NotFound`] for everybody but its buyer, its seller and operators.
    pub async fn bill(&self, by: &Caller, id: &InvoiceId) -> Result<Bill, BillingError> {
        let (by, id) = (by.clone(), id.clone());
        let read = async move |tx: &mut Tx| {
            let found: Option<Invoice> = tx.first(&sql::FIND_INVOICE, args![id]).await?;
            let invoice = found.ok_or(BillingError::NotFound("invoice"))?;
            let side = side(&by, &invoice.buyer, &invoice.seller)?;
            bill(tx, invoice, side.ok_or(BillingError::NotFound("invoice"))?).await
        };
        self.store.read(read).await
    }

    /// What the subscriptions bring: those that the caller sells, or for operators all.
    ///
    /// # Errors
    /// [`BillingError::Identity`] for who may not sell, or does not operate the market.
    pub async fn totals(&self, by: &Caller, side: Side) -> Result<Vec<Totals>, BillingError> {
        let who = match side {
            Side::Operator => {
                by.may(Action::OperateMarket, &Subject::Market)?;
                None
            }
            _ => Some(accounts(by.may(Action::Sell, &Subject::Market)?, Some(OrgRole::Admin))),
        };
        let read = async move |tx: &mut Tx| {
            let rows: Vec<Count> = match &who {
                Some(who) => tx.all(&sql::COUNT_STATES, args![who]).await?,
                None => tx.all(&sql::COUNT_ALL_STATES, args![]).await?,
            };
            Ok::<_, BillingError>(totals(&rows)?)
        };
        self.store.read(read).await
    }

    /// The plans that a subscription can change to, its own left out, and the cards that its buyer saved.
    ///
    /// # Errors
    /// [`BillingError::NotFound`] for everybody but its buyer and operators.
    pub async fn choices(
        &self,
        by: &Caller,
        id: &SubscriptionId,
    ) -> Result<(Vec<Offer>, Vec<Method>), BillingError> {
        let (sub, side) = self.find(by, id).await?;
        if side == Side::Seller {
            return Err(BillingError::NotFound("subscription"));
        }
        let may_spend = by.account()?.speaks_for(&sub.buyer, OrgRole::Admin);
        let read = async move |tx: &mut Tx| {
            let mut offers = listing::offers(tx, std::slice::from_ref(&sub.listing)).await?;
            offers.retain(|offer| {
                offer.id != sub.plan.offer
                    && offer.state == OfferState::Active
                    && offer.stock == Stock::Unlimited
                    && offer.price.currency == sub.currency
                    && matches!(offer.pricing, Pricing::Subscription { .. })
                    && sub.meter.is_none()
            });
            let methods = if may_spend { Payments::methods_of(tx, &sub.buyer).await? } else { Vec::new() };
            Ok::<_, BillingError>((offers, methods))
        };
        self.store.read(read).await
    }
}

/// As what the caller sees something of this buyer and seller; `None`: not at all.
fn side(by: &Caller, buyer: &AccountId, seller: &AccountId) -> Result<Option<Side>, BillingError> {
    let actor = by.may(Action::Read, &Subject::Market)?;
    Ok(if actor.speaks_for(buyer, OrgRole::Member) {
        Some(Side::Buyer)
    } else if by.may(Action::OperateMarket, &Subject::Market).is_ok() {
        Some(Side::Operator)
    } else if actor.speaks_for(seller, OrgRole::Admin) {
        Some(Side::Seller)
    } else {
        None
    })
}

/// The accounts that somebody speaks for, with at least this standing.
fn accounts(actor: &Actor, least: Option<OrgRole>) -> String {
    let least = least.unwrap_or(OrgRole::Member);
    json_list(actor.accounts().filter(|account| actor.speaks_for(account, least)).map(|id| id.to_string()))
}

async fn bill(tx: &mut Tx, invoice: Invoice, side: Side) -> Result<Bill, BillingError> {
    let lines = tx.all(&sql::LIST_LINES, args![invoice.id]).await?;
    let mut credit_notes: Vec<Invoice> = tx.all(&sql::LIST_CREDIT_NOTES, args![invoice.id]).await?;
    credit_notes.retain(|note| note.state == Standing::Paid);
    let of: Option<Invoice> = match &invoice.of {
        Some(of) => tx.first(&sql::FIND_INVOICE, args![of]).await?,
        None => None,
    };
    // A document says what was true when it was written, whatever its parties are called by now.
    let at = invoice.created_at;
    let names = identity::accounts_at(tx, at, [&invoice.buyer, &invoice.seller]).await?;
    let mut confirm_page = None;
    if invoice.state == Standing::Open && matches!(invoice.kind, Kind::Period | Kind::Change) {
        let payments = Payments::of_subject(tx, invoice.id.as_str()).await?;
        let waiting = payments
            .iter()
            .find(|payment| Some(&payment.id) == invoice.attempt.as_ref() && payment.state.is_open());
        confirm_page = waiting.and_then(Payments::next_page);
    }
    Ok(Bill {
        details: details_at(tx, &invoice.seller, at).await?,
        seller: named(&names, &invoice.seller),
        buyer: named(&names, &invoice.buyer),
        of_number: of.map(|of| of.number()),
        invoice,
        lines,
        credit_notes,
        side,
        confirm_page,
    })
}

fn named(names: &[PublicAccount], id: &AccountId) -> String {
    let found = names.iter().find(|account| account.id == id.as_str());
    found.map_or_else(
        || id.to_string(),
        |account| {
            if account.display_name.is_empty() { account.name.clone() } else { account.display_name.clone() }
        },
    )
}

fn totals(rows: &[Count]) -> Result<Vec<Totals>, MoneyError> {
    let mut all: BTreeMap<String, Totals> = BTreeMap::new();
    // A twelfth of the sum, so that it is rounded once.
    let mut yearly: BTreeMap<String, i64> = BTreeMap::new();
    for row in rows {
        let sum = all.entry(row.currency.to_string()).or_insert_with(|| Totals {
            currency: row.currency,
            trialing: 0,
            active: 0,
            past_due: 0,
            over: 0,
            monthly: Money::zero(row.currency),
        });
        match row.state {
            State::Trialing => sum.trialing += row.count,
            State::Active => sum.active += row.count,
            State::PastDue => sum.past_due += row.count,
            State::Cancelled | State::Ended => sum.over += row.count,
        }
        if matches!(row.state, State::Active | State::PastDue) {
            if row.is_yearly {
                *yearly.entry(row.currency.to_string()).or_default() += row.price;
            } else {
                sum.monthly = sum.monthly.plus(Money::new(row.price, row.currency))?;
            }
        }
    }
    for (currency, price) in yearly {
        if let Some(sum) = all.get_mut(&currency) {
            sum.monthly = sum.monthly.plus(Money::new((price + 6).div_euclid(12), sum.currency))?;
        }
    }
    Ok(all.into_values().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_year_counts_a_twelfth_a_month_and_trials_count_nothing() {
        let row = |state, is_yearly, count, price| Count {
            currency: Currency::USD,
            state,
            is_yearly,
            count,
            price,
        };
        let rows = [
            row(State::Active, false, 2, 3_800),
            row(State::Active, true, 1, 19_000),
            row(State::PastDue, false, 1, 1_900),
            row(State::Trialing, false, 5, 9_500),
            row(State::Ended, false, 7, 13_300),
        ];
        let [sum]: [Totals; 1] = totals(&rows).unwrap().try_into().unwrap();
        assert_eq!((sum.trialing, sum.active, sum.past_due, sum.over), (5, 3, 1, 7));
        assert_eq!(sum.monthly.minor, 3_800 + 1_900 + 1_583);
    }
}
