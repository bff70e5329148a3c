//! Placing an order: everything that is wanted is held, or nothing is.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Claimed, Held, Kind, ListingId, OfferId, OfferState, Pricing, Want, listing, stock};
use identity::orgs::OrgRole;
use identity::{AccountId, Action, Caller, Subject, UserId};
use kernel::{Currency, FieldError, Money, Timestamp};
use serde::Serialize;
use store::{Tx, args};
use web::idempotency::{self, Stored};

use crate::events::OrderCreated;
use crate::list::Placed;
use crate::order::{Hold, HoldId, HoldState, Line, Order, OrderId, State};
use crate::price::{self, Amounts, Funded};
use crate::rules::{Rules, is_country};
use crate::{OrderError, Orders, Shared, fulfil, promo, sql};

/// The most lines of one order.
const MAX_LINES: usize = 100;

/// An order to be placed.
#[derive(Clone, Debug, Default)]
pub struct NewOrder {
    /// What is wanted: all of it or nothing.
    pub items: Vec<Want>,
    /// A promo code.
    pub promo: Option<String>,
    /// The organisation that buys; `None`: the caller.
    pub on_behalf_of: Option<String>,
    /// The buyer's country, by which it is taxed: two capital letters.
    pub country: Option<String>,
    /// The buyer's region.
    pub region: Option<String>,
    /// What lets the buyer in where not everybody may order at once, such as the token of a waiting room.
    pub pass: Option<String>,
}

impl NewOrder {
    fn check(&self) -> Result<(), OrderError> {
        let mut wrong = Vec::new();
        let mut no = |bad: bool, pointer: &'static str, detail: &'static str| {
            if bad {
                wrong.push(FieldError { pointer: pointer.into(), detail: detail.into() });
            }
        };
        no(self.items.is_empty(), "/items", "Choose something to order.");
        no(self.items.len() > MAX_LINES, "/items", "At most 100 at once.");
        no(!place_is_fine(self.country.as_deref()), "/country", "Two capital letters, such as DE.");
        let region = self.region.as_ref().map_or(0, |region| region.chars().count());
        no(region > 40, "/region", "At most 40 characters.");
        if wrong.is_empty() { Ok(()) } else { Err(OrderError::Invalid(wrong)) }
    }
}

fn place_is_fine(country: Option<&str>) -> bool {
    country.is_none_or(is_country)
}

/// Everything that a placement needs and that no transaction has to look up.
#[derive(Clone)]
pub(crate) struct Placing {
    shared: Arc<Shared>,
    rules: Arc<Rules>,
    new: Arc<NewOrder>,
    buyer: AccountId,
    by: UserId,
    now: Timestamp,
}

impl Orders {
    /// Holds what is wanted and writes the order. An order that costs nothing is paid at once.
    ///
    /// # Errors
    /// [`OrderError::Identity`] for who may not buy; [`OrderError::Catalog`] where something is gone;
    /// [`OrderError::Promo`], [`OrderError::MixedCurrencies`], [`OrderError::Invalid`].
    pub async fn place(&self, by: &Caller, new: NewOrder) -> Result<Placed, OrderError> {
        let placing = self.placing(by, new).await?;
        self.store.write_row_by_row(async move |tx: &mut Tx| place(tx, &placing).await).await
    }

    /// The same, once per `Idempotency-Key`: what `view` makes of the order is stored with it.
    ///
    /// # Errors
    /// As [`Orders::place`], and [`OrderError::Reused`].
    pub async fn place_once<V: Serialize>(
        &self,
        by: &Caller,
        new: NewOrder,
        request: idempotency::Request,
        view: impl Fn(&Placed) -> V + Send + 'static,
    ) -> Result<Stored, OrderError> {
        let (placing, now) = (self.placing(by, new).await?, by.now());
        let write = async move |tx: &mut Tx| {
            let effect = async |tx: &mut Tx| Ok::<_, OrderError>(view(&place(tx, &placing).await?));
            idempotency::once(tx, &request, now, 201, effect).await
        };
        self.store.write_row_by_row(write).await
    }

    /// The first offer of a listing that can be bought, by the id of the listing or of the ticket that it sells.
    ///
    /// # Errors
    /// [`OrderError::NotFound`].
    pub async fn offer_of(&self, thing: &str) -> Result<OfferId, OrderError> {
        let thing = thing.to_owned();
        let read = async move |tx: &mut Tx| {
            let listing = match thing.parse::<ListingId>() {
                Ok(id) => Some(id),
                Err(_) => listing::find_by_subject(tx, Kind::Ticket, &thing).await?.map(|listing| listing.id),
            };
            let listing = listing.ok_or(OrderError::NotFound("ticket"))?;
            let offers = listing::offers(tx, &[listing]).await?;
            let offer = offers.into_iter().find(|offer| offer.state == OfferState::Active);
            Ok::<_, OrderError>(offer.ok_or(OrderError::NotFound("ticket"))?.id)
        };
        self.store.read(read).await
    }

    async fn placing(&self, by: &Caller, new: NewOrder) -> Result<Placing, OrderError> {
        let actor = by.may(Action::Buy, &Subject::Market)?;
        let buyer = actor.account_in(new.on_behalf_of.as_deref(), OrgRole::Member);
        let buyer = buyer.ok_or(OrderError::NotFound("organisation"))?;
        new.check()?;
        Ok(Placing {
            rules: self.shared.rules.get(&self.store, by.now()).await?,
            shared: Arc::clone(&self.shared),
            new: Arc::new(new),
            buyer,
            by: actor.user.clone(),
            now: by.now(),
        })
    }
}

async fn place(tx: &mut Tx, placing: &Placing) -> Result<Placed, OrderError> {
    let Placing { shared, new, now, .. } = placing;
    let id = OrderId::fresh();
    let claimed = stock::claim(tx, *now, &new.items, id.as_str(), shared.settings.terms).await?;
    let currency = one_currency(&claimed)?;
    let (off, funded) = discount(tx, placing, &claimed, currency).await?;
    let lines = lines(placing, claimed.iter().zip(off), funded)?;
    let order = order(placing, id, &claimed, &lines, currency)?;
    insert(tx, &order, &lines).await?;
    for (goods, of_kind) in shared.by_kind(&lines) {
        goods.reserve(tx, *now, &order, &of_kind, new.pass.as_deref()).await?;
    }
    events::append(tx, *now, &OrderCreated::of(&order, &lines)).await?;
    if order.amounts.total == 0 {
        return fulfil::for_free(tx, *now, shared, &order).await;
    }
    Ok(Placed { order, lines })
}

fn one_currency(claimed: &[Claimed]) -> Result<Currency, OrderError> {
    let mut currencies = claimed.iter().map(|claimed| claimed.unit_price.currency);
    let first = currencies.next().ok_or_else(|| OrderError::field("/items", "Choose something to order."))?;
    currencies
        .find(|other| *other != first)
        .map_or(Ok(first), |other| Err(OrderError::MixedCurrencies(first, other)))
}

/// What is paid for the claim now. A trial begins without payment, and what is metered is paid by what is used.
fn cost(claimed: &Claimed) -> Result<Money, OrderError> {
    match claimed.pricing {
        Pricing::Free | Pricing::Metered { .. } => Ok(Money::zero(claimed.unit_price.currency)),
        Pricing::Subscription { trial_days, .. } if trial_days > 0 => {
            Ok(Money::zero(claimed.unit_price.currency))
        }
        Pricing::OneOff | Pricing::Subscription { .. } => Ok(claimed.unit_price.times(claimed.quantity)?),
    }
}

/// How much the promo code takes off each claim, and who pays for it.
async fn discount(
    tx: &mut Tx,
    placing: &Placing,
    claimed: &[Claimed],
    currency: Currency,
) -> Result<(Vec<i64>, Funded), OrderError> {
    let Some(code) = &placing.new.promo else { return Ok((vec![0; claimed.len()], Funded::BySeller)) };
    let sellers: Vec<_> = claimed.iter().map(|claimed| &claimed.seller).collect();
    let promo = promo::take(tx, placing.now, code, &placing.buyer, &sellers, currency).await?;
    let costs = claimed.iter().map(|claimed| {
        let is_for = promo.is_for(&claimed.seller);
        Ok(if is_for { cost(claimed)?.minor } else { 0 })
    });
    let costs: Vec<i64> = costs.collect::<Result<_, OrderError>>()?;
    Ok((promo.off(&costs, currency), promo.funded()))
}

fn lines<'a>(
    placing: &Placing,
    claims: impl Iterator<Item = (&'a Claimed, i64)>,
    funded: Funded,
) -> Result<Vec<Line>, OrderError> {
    let Placing { rules, shared, new, .. } = placing;
    let line = |(number, (claimed, off)): (u32, (&Claimed, i64))| {
        let fee = rules.fee(claimed.kind, &claimed.seller, shared.settings.fee_basis_points);
        let tax = rules.tax(claimed.kind, new.country.as_deref(), new.region.as_deref());
        Ok(Line {
            number,
            listing: claimed.listing.clone(),
            offer: claimed.offer.clone(),
            kind: claimed.kind,
            seller: claimed.seller.clone(),
            subject: claimed.subject.clone(),
            title: claimed.title.clone(),
            offer_name: claimed.offer_name.clone(),
            pricing: claimed.pricing.name().to_owned(),
            unit: claimed.unit.clone(),
            unit_label: claimed.unit_label.clone(),
            quantity: claimed.quantity,
            unit_price_minor: claimed.unit_price.minor,
            amounts: price::amounts(cost(claimed)?, off, funded, fee, tax)?,
            refunded_minor: 0,
            refunding_minor: 0,
            returned: 0,
        })
    };
    (1..).zip(claims).map(line).collect()
}

fn order(
    placing: &Placing,
    id: OrderId,
    claimed: &[Claimed],
    lines: &[Line],
    currency: Currency,
) -> Result<Order, OrderError> {
    let Placing { new, now, .. } = placing;
    let amounts = lines.iter().try_fold(Amounts::default(), |sum, line| sum.plus(line.amounts))?;
    let seconds = claimed.iter().map(|claimed| claimed.hold_seconds).min().unwrap_or_default();
    Ok(Order {
        id,
        buyer: placing.buyer.clone(),
        placed_by: placing.by.clone(),
        state: State::Pending,
        hold: Hold {
            id: HoldId::fresh(),
            state: HoldState::Live,
            ends_at: now.after(Duration::from_secs(seconds.into())),
            extended: false,
            extension_seconds: claimed
                .iter()
                .map(|claimed| claimed.extension_seconds)
                .min()
                .unwrap_or_default(),
        },
        currency,
        amounts,
        refunded_minor: 0,
        refunding_minor: 0,
        promo: new.promo.as_deref().map(promo::clean),
        country: new.country.clone(),
        region: new.region.clone(),
        payment: None,
        version: 1,
        created_at: *now,
        paid_at: None,
        matures_at: None,
        updated_at: *now,
    })
}

async fn insert(tx: &mut Tx, order: &Order, lines: &[Line]) -> Result<(), OrderError> {
    let (o, hold, a, currency) = (order, &order.hold, &order.amounts, order.currency.code());
    let row = args![
        o.id,
        o.buyer,
        o.placed_by,
        hold.id,
        hold.ends_at,
        hold.extension_seconds,
        currency,
        a.subtotal,
        a.discount,
        a.promotion,
        a.tax,
        a.fee,
        a.seller,
        a.total,
        o.promo,
        o.country,
        o.region,
        o.created_at
    ];
    tx.execute(&sql::INSERT_ORDER, row).await?;
    for line in lines {
        let (l, a, has_unit) = (line, &line.amounts, line.unit.is_some());
        let row = args![
            order.id,
            l.number,
            l.listing,
            l.offer,
            l.kind,
            l.seller,
            l.subject,
            l.title,
            l.offer_name,
            l.pricing,
            l.unit,
            l.unit_label,
            l.quantity,
            l.unit_price_minor,
            a.subtotal,
            a.discount,
            a.promotion,
            a.tax,
            a.fee,
            a.seller,
            a.total,
            has_unit
        ];
        tx.execute(&sql::INSERT_LINE, row).await?;
    }
    Ok(())
}

/// What the catalog knows of these lines.
pub(crate) fn held(lines: &[Line]) -> Vec<Held> {
    let held = |line: &Line| Held {
        offer: line.offer.clone(),
        unit: line.unit.clone(),
        quantity: line.quantity - line.returned,
    };
    lines.iter().filter(|line| line.returned < line.quantity).map(held).collect()
}
