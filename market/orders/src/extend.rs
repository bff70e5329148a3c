//! Changes of an order that waits to be paid: more time, once, and where its buyer is taxed.

use identity::orgs::OrgRole;
use identity::{Action, Actor, Caller, Subject};
use store::{Tx, args};
use web::Expected;

use crate::events::OrderUpdated;
use crate::list::Placed;
use crate::order::{Line, Order, OrderId};
use crate::price::{self, Amounts, Funded};
use crate::rules::is_country;
use crate::{OrderError, Orders, sql};

impl Orders {
    /// Moves the deadline once, by as much as the sellers of all its lines allow.
    ///
    /// # Errors
    /// [`OrderError::NotFound`] for a stranger to it; [`OrderError::NoMoreTime`], [`OrderError::HoldEnded`],
    /// [`OrderError::WrongState`]; [`OrderError::Stale`].
    pub async fn extend(&self, by: &Caller, id: &OrderId, expected: Expected) -> Result<Placed, OrderError> {
        let actor = by.may(Action::Buy, &Subject::Market)?.clone();
        let (id, now) = (id.clone(), by.now());
        let write = async move |tx: &mut Tx| {
            let order = own(tx, &actor, &id).await?;
            expected.check(order.version)?;
            waits(&order, now)?;
            let extended: Option<Order> = tx.first(&sql::EXTEND_HOLD, args![id, now]).await?;
            let order = extended.ok_or(OrderError::NoMoreTime)?;
            let lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![id]).await?;
            events::append(tx, now, &OrderUpdated::of(&order, &lines)).await?;
            Ok::<_, OrderError>(Placed { order, lines })
        };
        self.store.write(write).await
    }

    /// Says where the buyer is, and taxes the order by it. Prices stay as they were; the fee is
    /// worked out anew, since it is a part of what is left without the tax.
    ///
    /// # Errors
    /// As [`Orders::extend`]; [`OrderError::Invalid`] for no country; [`OrderError::PaymentInFlight`].
    pub async fn locate(
        &self,
        by: &Caller,
        id: &OrderId,
        country: &str,
        region: &str,
        expected: Expected,
    ) -> Result<Placed, OrderError> {
        let actor = by.may(Action::Buy, &Subject::Market)?.clone();
        let country = Some(country.trim().to_ascii_uppercase()).filter(|country| !country.is_empty());
        let region = Some(region.trim().to_owned()).filter(|region| !region.is_empty());
        if country.as_deref().is_some_and(|country| !is_country(country)) {
            return Err(OrderError::field("/country", "Two letters, such as DE."));
        }
        let (id, now) = (id.clone(), by.now());
        let (rules, default) =
            (self.shared.rules.get(&self.store, now).await?, self.shared.settings.fee_basis_points);
        let write = async move |tx: &mut Tx| {
            let order = own(tx, &actor, &id).await?;
            expected.check(order.version)?;
            waits(&order, now)?;
            let mut lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![id]).await?;
            for line in &mut lines {
                let tax = rules.tax(line.kind, country.as_deref(), region.as_deref());
                let fee = rules.fee(line.kind, &line.seller, default);
                line.amounts = taxed_anew(line, &order, fee, tax)?;
                let a = &line.amounts;
                let row = args![id, line.number, a.tax, a.fee, a.seller, a.total];
                tx.execute(&sql::SET_LINE_TAXES, row).await?;
            }
            let a = lines.iter().try_fold(Amounts::default(), |sum, line| sum.plus(line.amounts))?;
            let row = args![id, order.version, country, region, a.tax, a.fee, a.seller, a.total, now];
            let taxed: Option<Order> = tx.first(&sql::SET_TAXES, row).await?;
            let order = taxed.ok_or(OrderError::PaymentInFlight)?;
            events::append(tx, now, &OrderUpdated::of(&order, &lines)).await?;
            Ok::<_, OrderError>(Placed { order, lines })
        };
        self.store.write(write).await
    }
}

fn taxed_anew(line: &Line, order: &Order, fee: u32, tax: price::Tax) -> Result<Amounts, kernel::MoneyError> {
    let a = &line.amounts;
    let (off, funded) =
        if a.promotion > 0 { (a.promotion, Funded::ByMarket) } else { (a.discount, Funded::BySeller) };
    price::amounts(kernel::Money::new(a.subtotal, order.currency), off, funded, fee, tax)
}

async fn own(tx: &mut Tx, actor: &Actor, id: &OrderId) -> Result<Order, OrderError> {
    let order: Option<Order> = tx.first(&sql::FIND_ORDER, args![id]).await?;
    order.filter(|order| actor.speaks_for(&order.buyer, OrgRole::Member)).ok_or(OrderError::NotFound("order"))
}

fn waits(order: &Order, now: kernel::Timestamp) -> Result<(), OrderError> {
    match order.state {
        crate::State::Pending if order.hold.is_live(now) => Ok(()),
        crate::State::Pending | crate::State::Expired => Err(OrderError::HoldEnded),
        other => Err(OrderError::WrongState(other)),
    }
}
