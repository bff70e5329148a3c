//! Paying an order: the deadline is checked in the transaction that begins the payment; the gateway is asked outside
//! of any; what its answer means to the order stands in `purpose.rs`.

use identity::orgs::OrgRole;
use identity::{AccountId, Action, Actor, Caller, Subject};
use kernel::{Currency, Money, Timestamp};
use ledger::Account;
use payments::{NewPayment, Payment, PaymentId, Payments, Source};
use store::{Tx, args};

use crate::order::{Order, OrderId, State};
use crate::purpose::PURPOSE;
use crate::{OrderError, Orders, sql};

/// How a payment of an order stands.
#[derive(Clone, Debug)]
pub struct Paid {
    /// The payment.
    pub payment: Payment,
    /// Whether it was begun before, by a request with the same key.
    pub is_known: bool,
}

impl Orders {
    /// Pays an order and answers how the payment stands: authorised or captured (the order is paid), failed (the order
    /// can still be paid), submitted with something for the buyer to do, or unknown. The same `key` answers with the
    /// same payment as it is now.
    ///
    /// # Errors
    /// [`OrderError::NotFound`] for a stranger to it; [`OrderError::HoldEnded`], [`OrderError::WrongState`],
    /// [`OrderError::PaymentInFlight`]; [`OrderError::Payment`] for wrong card fields, a wallet that holds too little.
    pub async fn pay(
        &self,
        by: &Caller,
        id: &OrderId,
        source: Source,
        key: Option<String>,
    ) -> Result<Paid, OrderError> {
        let actor = by.may(Action::Buy, &Subject::Market)?.clone();
        let (payments, id, now) = (self.payments.clone(), id.clone(), by.now());
        let write = async move |tx: &mut Tx| {
            let order: Option<Order> = tx.first(&sql::LOCK_ORDER, args![id]).await?;
            let order = order.filter(|order| may_pay(&actor, order)).ok_or(OrderError::NotFound("order"))?;
            begin(tx, now, &payments, &order, &source, key.as_deref()).await
        };
        let paid = self.store.write_row_by_row(write).await?;
        // Who was begun before is asked for by the request that began it, or by the janitor.
        if paid.is_known || !paid.payment.state.is_open() {
            return Ok(paid);
        }
        Ok(Paid { payment: self.payments.submit(&paid.payment).await?, ..paid })
    }
}

impl Orders {
    /// What a buyer's balance has to spend.
    pub(crate) async fn wallet_of(&self, buyer: &AccountId, currency: Currency) -> Result<Money, OrderError> {
        let account = Account::Wallet(buyer.clone());
        let read = async move |tx: &mut Tx| ledger::balance(tx, &account, currency).await;
        Ok(self.store.read(read).await?.available())
    }
}

/// Whoever spends an organisation's money administers it, or placed the order in its name.
pub(crate) fn may_pay(actor: &Actor, order: &Order) -> bool {
    let placed = actor.user == order.placed_by && actor.speaks_for(&order.buyer, OrgRole::Member);
    placed || actor.speaks_for(&order.buyer, OrgRole::Admin)
}

async fn begin(
    tx: &mut Tx,
    now: Timestamp,
    payments: &Payments,
    order: &Order,
    source: &Source,
    key: Option<&str>,
) -> Result<Paid, OrderError> {
    let replaced = replaced(tx, now, order, key).await?;
    let new = NewPayment {
        purpose: PURPOSE,
        subject: order.id.to_string(),
        payer: order.buyer.clone(),
        amount: order.total(),
        source: source.clone(),
        key: key.map(str::to_owned),
        description: format!("Order {}", order.id),
    };
    // A key that is known answers also when the order cannot be paid any more: perhaps it is paid.
    let is_payable = payable(order, now, replaced.as_ref());
    if key.is_none() || matches!(source, Source::Wallet) && order.payment.is_none() {
        is_payable.as_ref().map_err(OrderError::again)?;
    }
    let payment = payments.begin(tx, now, &new).await?;
    let is_known = order.payment.as_ref() == Some(&payment.id) || payment.created_at < now;
    if is_known {
        let is_in_flight = payment.state.is_open() && payment.version == 1;
        return if is_in_flight { Err(OrderError::PaymentInFlight) } else { Ok(Paid { payment, is_known }) };
    }
    is_payable?;
    if payment.state.is_open() {
        let row = args![order.id, payment.id, now, replaced];
        if tx.execute(&sql::SET_PAYMENT, row).await? == 0 {
            return Err(OrderError::PaymentInFlight);
        }
    }
    Ok(Paid { payment, is_known })
}

pub(crate) fn payable(order: &Order, now: Timestamp, replaced: Option<&PaymentId>) -> Result<(), OrderError> {
    match order.state {
        State::Pending if !order.hold.is_live(now) => Err(OrderError::HoldEnded),
        State::Pending if order.payment.is_some() && replaced.is_none() => Err(OrderError::PaymentInFlight),
        State::Pending => Ok(()),
        State::Expired => Err(OrderError::HoldEnded),
        other => Err(OrderError::WrongState(other)),
    }
}

impl OrderError {
    /// The same refusal once more; only of what [`payable`] says.
    fn again(&self) -> Self {
        match self {
            Self::HoldEnded => Self::HoldEnded,
            Self::WrongState(state) => Self::WrongState(*state),
            _ => Self::PaymentInFlight,
        }
    }
}

/// An attempt that only waits for the buyer is called off when the buyer chooses another way to pay. Should its money
/// come all the same, it is given back. The same request once more is no other way.
async fn replaced(
    tx: &mut Tx,
    now: Timestamp,
    order: &Order,
    key: Option<&str>,
) -> Result<Option<PaymentId>, OrderError> {
    let Some(current) = &order.payment else { return Ok(None) };
    if order.state != State::Pending {
        return Ok(None);
    }
    if let Some(key) = key
        && Payments::of_key(tx, &order.buyer, key).await?.is_some_and(|payment| payment.id == *current)
    {
        return Ok(None);
    }
    let all = Payments::of_subject(tx, order.id.as_str()).await?;
    let waits = |payment: &Payment| {
        payment.state == payments::State::Created || payment.state.is_open() && payment.next_action.is_some()
    };
    if !all.iter().any(|payment| payment.id == *current && waits(payment)) {
        return Ok(None);
    }
    payments::call_off(tx, now, order.id.as_str()).await?;
    Ok(Some(current.clone()))
}
