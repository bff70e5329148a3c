//! Giving money back, whole, by lines or by an amount. The parts are reserved in the order, at the payment and in the
//! ledger before the gateway is asked, so that refunds together never exceed what was taken. Sellers, fee and tax give
//! their exact shares; a seller whose account goes below zero owes the rest.

use std::collections::BTreeMap;

use identity::AccountId;
use identity::audit::{self, Outcome};
use identity::orgs::OrgRole;
use identity::{Action, Caller, Subject};
use kernel::{Money, Timestamp};
use ledger::{Account, NewTransfer};
use payments::{Dispute, DisputeState, Payment, Payments, Refund, RefundId};
use serde::Serialize;
use store::{FromRow, Row, StoreError, Tx, args};
use web::idempotency::{self, Stored};

use crate::events::{OrderDisputed, OrderRefunded};
use crate::fulfil::take_back;
use crate::list::Placed;
use crate::order::{Line, Order, OrderId, Step};
use crate::price::{self, Amounts};
use crate::restock::{restock, restock_some};
use crate::{OrderError, Orders, Shared, settle, sql};

kernel::id!(
    /// Which lines a refund is of.
    PlanId,
    "plan"
);
store::id_values!(PlanId);

store::words! {
    /// How far a refund is.
    PlanState, "expected the state of a refund" {
        /// Nobody else can give this money back; the gateway has not answered.
        Reserved = "reserved",
        /// The money went back.
        Settled = "settled",
        /// The gateway refused.
        Failed = "failed",
    }
}

/// What is to be refunded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Everything that is left.
    Whole,
    /// So many minor units, shared among the lines in proportion.
    Amount(i64),
    /// Parts of lines.
    Lines(Vec<Part>),
}

/// A part of a line. Without an amount it is what the quantity cost; without both it is all that is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which line.
    pub number: u32,
    /// How many are taken back.
    pub quantity: Option<u32>,
    /// How much, in minor units.
    pub amount_minor: Option<i64>,
}

/// A wish to refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRefund {
    /// What.
    pub what: What,
    /// Whether what is taken back is put on sale again.
    pub give_back: bool,
    /// Why, for the buyer: at most 200 characters.
    pub reason: String,
}

/// A refund of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// Of which order.
    pub order: OrderId,
    /// The refund at the payments; none for an order that cost nothing.
    pub refund: Option<RefundId>,
    /// How far it is.
    pub state: PlanState,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// Whether what is taken back is put on sale again.
    pub give_back: bool,
    /// Why.
    pub reason: String,
    /// Who decided it.
    pub by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}
store::row!(Plan { id, order, refund, state, amount_minor, give_back, reason, by, created_at, updated_at });

/// The part of one line in a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanLine {
    /// Which line.
    pub number: u32,
    /// Who sold it.
    pub seller: AccountId,
    /// How many are taken back.
    pub quantity: u32,
    /// Who gives back which part of it, in minor units.
    pub amounts: Amounts,
}

impl FromRow for PlanLine {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            number: row.get(0)?,
            seller: row.get(1)?,
            quantity: row.get(2)?,
            amounts: sql::amounts(row, 3)?,
        })
    }
}

impl Orders {
    /// Refunds: the seller of lines those lines, an operator anything. The answer is the order as it is then; when the
    /// gateway answers late, the refund is finished later.
    ///
    /// # Errors
    /// [`OrderError::NotFound`] for who neither sells nor operates; [`OrderError::WrongState`] for what is not paid;
    /// [`OrderError::RefundTooLarge`], also under races; [`OrderError::Invalid`].
    pub async fn refund(&self, by: &Caller, id: &OrderId, new: NewRefund) -> Result<Plan, OrderError> {
        let (room, by, id) = (self.clone(), by.clone(), id.clone());
        let write = async move |tx: &mut Tx| refund(tx, &room, &by, &id, &new).await;
        let plan = self.store.write(write).await?;
        self.submit(&plan).await;
        Ok(plan)
    }

    /// The same, once per `Idempotency-Key`: what `view` makes of the refund is stored with it.
    ///
    /// # Errors
    /// As [`Orders::refund`], and [`OrderError::Reused`].
    pub async fn refund_once<V: Serialize>(
        &self,
        by: &Caller,
        id: &OrderId,
        new: NewRefund,
        request: idempotency::Request,
        view: impl Fn(&Plan) -> V + Send + 'static,
    ) -> Result<Stored, OrderError> {
        let (room, by, id, now) = (self.clone(), by.clone(), id.clone(), by.now());
        let write = async move |tx: &mut Tx| {
            let mut made = None;
            let effect = async |tx: &mut Tx| {
                let plan = refund(tx, &room, &by, &id, &new).await?;
                let shown = view(&plan);
                made = Some(plan);
                Ok::<_, OrderError>(shown)
            };
            let stored = idempotency::once(tx, &request, now, 201, effect).await?;
            Ok::<_, OrderError>((stored, made))
        };
        let (stored, plan) = self.store.write(write).await?;
        if let Some(plan) = plan {
            self.submit(&plan).await;
        }
        Ok(stored)
    }

    /// Asks the gateway now. When it does not answer, the worker of the payments goes on.
    async fn submit(&self, plan: &Plan) {
        let Some(refund) = plan.refund.as_ref().filter(|_| plan.state == PlanState::Reserved) else { return };
        if let Err(error) = self.payments.submit_refund(refund).await {
            tracing::warn!(%refund, %error, "a refund goes on later");
        }
    }
}

async fn refund(
    tx: &mut Tx,
    room: &Orders,
    by: &Caller,
    id: &OrderId,
    new: &NewRefund,
) -> Result<Plan, OrderError> {
    if new.reason.chars().count() > 200 {
        return Err(OrderError::field("/reason", "At most 200 characters."));
    }
    let actor = by.account()?;
    let operates = by.may(Action::OperateMarket, &Subject::Market).is_ok();
    let order: Option<Order> = tx.first(&sql::FIND_ORDER, args![id]).await?;
    let order = order.ok_or(OrderError::NotFound("order"))?;
    let mut lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![id]).await?;
    lines.retain(|line| operates || actor.speaks_for(&line.seller, OrgRole::Admin));
    if lines.is_empty() {
        return Err(OrderError::NotFound("order"));
    }
    if !operates {
        by.may(Action::Resell, &Subject::Market)?;
    }
    if order.state.after(Step::RefundPart).is_none() {
        return Err(OrderError::WrongState(order.state));
    }
    let parts = parts(&order, &lines, &new.what)?;
    let now = by.now();
    let plan = reserve(tx, now, &order, &parts, new, actor.user.as_str()).await?;
    let data = serde_json::json!({ "amountMinor": plan.amount_minor, "reason": plan.reason });
    audit::record(tx, by, "order.refunded", id.as_str(), Outcome::Done, &data).await?;
    let Some(payment) = order.payment.filter(|_| plan.amount_minor > 0) else {
        return for_nothing(tx, now, &room.shared, plan, &parts).await;
    };
    let amount = Money::new(plan.amount_minor, order.currency);
    let asked = payments::NewRefund { payment, amount, key: None, reason: plan.reason.clone() };
    let refund = room.payments.begin_refund(tx, now, &asked).await?;
    Ok(tx.one(&sql::FIND_PLAN_OF_REFUND, args![refund.id]).await?)
}

/// Which part of which line goes back.
fn parts(order: &Order, lines: &[Line], what: &What) -> Result<Vec<PlanLine>, OrderError> {
    let left = |line: &Line| Part {
        number: line.number,
        quantity: None,
        amount_minor: Some(line.refundable_minor()),
    };
    let wanted: Vec<Part> = match what {
        What::Whole => lines.iter().map(left).collect(),
        What::Amount(minor) => {
            let costs: Vec<i64> = lines.iter().map(Line::refundable_minor).collect();
            let sum = costs.iter().sum();
            if *minor <= 0 {
                return Err(OrderError::field("/amountMinor", "Write an amount above 0."));
            }
            if *minor > sum {
                return Err(OrderError::RefundTooLarge { left: Money::new(sum, order.currency) });
            }
            let shares = price::shares(&costs, *minor);
            let part = |(line, share): (&Line, i64)| Part { amount_minor: Some(share), ..left(line) };
            lines.iter().zip(shares).map(part).collect()
        }
        What::Lines(parts) => parts.clone(),
    };
    let mut planned = Vec::with_capacity(wanted.len());
    for part in wanted {
        let line = lines.iter().find(|line| line.number == part.number);
        let line =
            line.ok_or_else(|| OrderError::field("/lines", "There is no such line, or it is not yours."))?;
        if planned.iter().any(|known: &PlanLine| known.number == line.number) {
            return Err(OrderError::field("/lines", "Name each line once."));
        }
        planned.extend(part_of(order, line, &part)?);
    }
    if planned.is_empty() {
        return Err(OrderError::RefundTooLarge { left: Money::zero(order.currency) });
    }
    Ok(planned)
}

fn part_of(order: &Order, line: &Line, part: &Part) -> Result<Option<PlanLine>, OrderError> {
    let open = line.quantity - line.returned;
    let quantity = part.quantity.unwrap_or(open);
    if quantity > open {
        return Err(OrderError::field("/lines", "That many were not bought, or were taken back before."));
    }
    let whole = line.refundable_minor();
    let until = |count: u32| {
        let share = i128::from(line.amounts.total) * i128::from(count) / i128::from(line.quantity);
        i64::try_from(share).unwrap_or(line.amounts.total)
    };
    let minor = match (part.amount_minor, part.quantity) {
        (Some(minor), _) => minor,
        (None, Some(_)) => (until(line.returned + quantity) - until(line.returned)).min(whole),
        (None, None) => whole,
    };
    if !(0..=whole).contains(&minor) {
        return Err(OrderError::RefundTooLarge { left: Money::new(whole, order.currency) });
    }
    // Money alone takes nothing back, unless it is all of it.
    let quantity = if part.quantity.is_some() || minor == whole { quantity } else { 0 };
    if minor == 0 && (quantity == 0 || line.amounts.total > 0) {
        return Ok(None);
    }
    let before = line.refunded_minor + line.refunding_minor;
    let amounts = price::refund(&line.amounts, before, minor);
    Ok(Some(PlanLine { number: line.number, seller: line.seller.clone(), quantity, amounts }))
}

/// Writes the plan and reserves its parts in the order.
async fn reserve(
    tx: &mut Tx,
    now: Timestamp,
    order: &Order,
    parts: &[PlanLine],
    new: &NewRefund,
    by: &str,
) -> Result<Plan, OrderError> {
    let plan = Plan {
        id: PlanId::fresh(),
        order: order.id.clone(),
        refund: None,
        state: PlanState::Reserved,
        amount_minor: parts.iter().map(|part| part.amounts.total).sum(),
        give_back: new.give_back,
        reason: new.reason.trim().to_owned(),
        by: by.to_owned(),
        created_at: now,
        updated_at: now,
    };
    let p = &plan;
    let row = args![p.id, p.order, p.refund, p.state, p.amount_minor, p.give_back, p.reason, p.by, now];
    tx.execute(&sql::INSERT_PLAN, row).await?;
    for part in parts {
        let a = &part.amounts;
        if tx.execute(&sql::RESERVE_LINE, args![order.id, part.number, a.total]).await? == 0 {
            return Err(OrderError::RefundTooLarge { left: order.refundable() });
        }
        let row = args![
            plan.id,
            part.number,
            part.seller,
            part.quantity,
            a.subtotal,
            a.discount,
            a.promotion,
            a.tax,
            a.fee,
            a.seller,
            a.total
        ];
        tx.execute(&sql::INSERT_PLAN_LINE, row).await?;
    }
    let row = args![order.id, order.state, order.version, order.state, 0, plan.amount_minor, now];
    let moved: Option<Order> = tx.first(&sql::MOVE_ORDER, row).await?;
    moved.ok_or(OrderError::WrongState(order.state))?;
    Ok(plan)
}

/// An order that cost nothing is given back without a gateway; what the market paid its sellers goes back to it.
async fn for_nothing(
    tx: &mut Tx,
    now: Timestamp,
    shared: &Shared,
    plan: Plan,
    parts: &[PlanLine],
) -> Result<Plan, OrderError> {
    let order: Order = tx.one(&sql::FIND_ORDER, args![plan.order]).await?;
    let transfers = transfers(&order, parts, &Account::Promotions);
    if !transfers.is_empty() {
        ledger::post(tx, now, plan.id.as_str(), &transfers).await?;
    }
    tx.execute(&sql::END_PLAN, args![plan.id, PlanState::Settled, now]).await?;
    finish(tx, now, shared, &plan, parts).await?;
    Ok(Plan { state: PlanState::Settled, ..plan })
}

/// The legs of a refund, one group for each seller.
fn transfers(order: &Order, parts: &[PlanLine], funds: &Account) -> Vec<NewTransfer> {
    let mut sellers: BTreeMap<&AccountId, Amounts> = BTreeMap::new();
    for part in parts {
        let sum = sellers.entry(&part.seller).or_default();
        // Each is a part of an amount that fits.
        *sum = sum.plus(part.amounts).unwrap_or(*sum);
    }
    let around =
        |(seller, amounts): (&AccountId, &Amounts)| settle::turned_around(seller, amounts, order, funds);
    sellers.iter().flat_map(|(seller, amounts)| around((seller, amounts))).collect()
}

/// The payments reserved a refund: the plan made in this transaction gets its id, and its legs are reserved. A refund
/// that was begun elsewhere is shared among all lines.
pub(crate) async fn reserved(
    tx: &mut Tx,
    now: Timestamp,
    payment: &Payment,
    refund: &Refund,
) -> Result<(), OrderError> {
    let order: Order = tx.one(&sql::FIND_ORDER, args![payment.subject]).await?;
    let plan: Option<Plan> = tx.first(&sql::FIND_PLAN, args![order.id]).await?;
    let plan = match plan {
        Some(plan) => plan,
        None => {
            let lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![order.id]).await?;
            let what = What::Amount(refund.amount.minor);
            let parts = parts(&order, &lines, &what)?;
            let new = NewRefund { what, give_back: false, reason: refund.reason.clone() };
            reserve(tx, now, &order, &parts, &new, "payments").await?
        }
    };
    tx.execute(&sql::SET_PLAN_REFUND, args![plan.id, refund.id]).await?;
    let parts: Vec<PlanLine> = tx.all(&sql::LIST_PLAN_LINES, args![plan.id]).await?;
    let transfers = transfers(&order, &parts, &payment.funds());
    Ok(ledger::reserve(tx, now, refund.id.as_str(), &transfers).await?)
}

/// The money went back.
pub(crate) async fn settled(
    tx: &mut Tx,
    now: Timestamp,
    shared: &Shared,
    refund: &Refund,
) -> Result<(), OrderError> {
    let plan: Plan = tx.one(&sql::FIND_PLAN_OF_REFUND, args![refund.id]).await?;
    if tx.execute(&sql::END_PLAN, args![plan.id, PlanState::Settled, now]).await? == 0 {
        return Ok(());
    }
    ledger::settle(tx, now, refund.id.as_str()).await?;
    let parts: Vec<PlanLine> = tx.all(&sql::LIST_PLAN_LINES, args![plan.id]).await?;
    finish(tx, now, shared, &plan, &parts).await
}

/// The gateway refused: what was reserved is free again.
pub(crate) async fn failed(tx: &mut Tx, now: Timestamp, refund: &Refund) -> Result<(), OrderError> {
    let plan: Plan = tx.one(&sql::FIND_PLAN_OF_REFUND, args![refund.id]).await?;
    if tx.execute(&sql::END_PLAN, args![plan.id, PlanState::Failed, now]).await? == 0 {
        return Ok(());
    }
    ledger::void(tx, now, refund.id.as_str()).await?;
    let parts: Vec<PlanLine> = tx.all(&sql::LIST_PLAN_LINES, args![plan.id]).await?;
    for part in &parts {
        tx.execute(&sql::UNRESERVE_LINE, args![plan.order, part.number, part.amounts.total]).await?;
    }
    let order: Order = tx.one(&sql::FIND_ORDER, args![plan.order]).await?;
    let freed = -plan.amount_minor;
    let row = args![order.id, order.state, order.version, order.state, 0, freed, now];
    tx.one::<Order>(&sql::MOVE_ORDER, row).await?;
    Ok(())
}

/// The order after its money went back: amounts, state, what the buyer loses, what is on sale again.
async fn finish(
    tx: &mut Tx,
    now: Timestamp,
    shared: &Shared,
    plan: &Plan,
    parts: &[PlanLine],
) -> Result<(), OrderError> {
    for part in parts {
        let row = args![plan.order, part.number, part.amounts.total, part.quantity];
        tx.execute(&sql::SETTLE_LINE, row).await?;
    }
    let lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![plan.order]).await?;
    let order: Order = tx.one(&sql::FIND_ORDER, args![plan.order]).await?;
    let is_all =
        lines.iter().all(|line| line.refunded_minor == line.amounts.total && line.returned == line.quantity);
    let step = if is_all { Step::RefundRest } else { Step::RefundPart };
    let next = order.state.after(step).unwrap_or(order.state);
    let (minor, settled) = (plan.amount_minor, -plan.amount_minor);
    let row = args![order.id, order.state, order.version, next, minor, settled, now];
    let order: Order = tx.one(&sql::MOVE_ORDER, row).await?;
    lose(tx, now, shared, &order, &lines, parts, plan.give_back).await?;
    let refund = plan.refund.as_ref().map(ToString::to_string);
    events::append(tx, now, &OrderRefunded::of(&order, &lines, minor, refund)).await?;
    Ok(())
}

/// What these parts gave is taken back, and put on sale again where that was asked for.
async fn lose(
    tx: &mut Tx,
    now: Timestamp,
    shared: &Shared,
    order: &Order,
    lines: &[Line],
    parts: &[PlanLine],
    give_back: bool,
) -> Result<(), OrderError> {
    let lost = |part: &PlanLine| {
        let line = lines.iter().find(|line| line.number == part.number)?;
        Some((line.returned == line.quantity, Line { quantity: part.quantity, ..line.clone() }))
    };
    let lost: Vec<(bool, Line)> = parts.iter().filter(|part| part.quantity > 0).filter_map(lost).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let over: Vec<u32> = lost.iter().filter(|(is_over, _)| *is_over).map(|(_, line)| line.number).collect();
    let lost: Vec<Line> = lost.into_iter().map(|(_, line)| line).collect();
    take_back(tx, now, shared, order, &lost, &over).await?;
    if give_back {
        let pieces: Vec<(u32, u32)> = lost.iter().map(|line| (line.number, line.quantity)).collect();
        restock_some(tx, &order.id, &pieces).await?;
    }
    Ok(())
}

/// The buyer's bank took money back, or decided for whom.
pub(crate) async fn disputed(
    tx: &mut Tx,
    now: Timestamp,
    shared: &Shared,
    payment: &Payment,
    dispute: &Dispute,
) -> Result<(), OrderError> {
    let order: Order = tx.one(&sql::FIND_ORDER, args![payment.subject]).await?;
    let (withheld, funds) = (Account::Disputes(payment.gateway), payment.funds());
    let journal = format!("{}/{}", dispute.id, dispute.state.as_str());
    let move_money = |debit: &Account, credit: &Account| {
        [NewTransfer::new(debit.clone(), credit.clone(), dispute.amount, "dispute")]
    };
    let step = match dispute.state {
        DisputeState::Opened => {
            ledger::post(tx, now, &journal, &move_money(&withheld, &funds)).await?;
            Step::Dispute
        }
        DisputeState::Won => {
            ledger::post(tx, now, &journal, &move_money(&funds, &withheld)).await?;
            if order.refunded_minor > 0 { Step::WinRest } else { Step::Win }
        }
        DisputeState::Lost => return lost(tx, now, shared, &order, dispute, &journal, &withheld).await,
    };
    let next = order.state.after(step).unwrap_or(order.state);
    let row = args![order.id, order.state, order.version, next, 0, 0, now];
    let order: Order = tx.one(&sql::MOVE_ORDER, row).await?;
    let lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![order.id]).await?;
    events::append(tx, now, &OrderDisputed::of(&order, &lines)).await?;
    Ok(())
}

/// The bank decided for the buyer: sellers, fee and tax give their parts; what is beyond the order is the market's.
async fn lost(
    tx: &mut Tx,
    now: Timestamp,
    shared: &Shared,
    order: &Order,
    dispute: &Dispute,
    journal: &str,
    withheld: &Account,
) -> Result<(), OrderError> {
    let lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![order.id]).await?;
    let minor = dispute.amount.minor.min(order.refundable().minor);
    let parts = if minor > 0 { parts(order, &lines, &What::Amount(minor))? } else { Vec::new() };
    let mut legs = transfers(order, &parts, withheld);
    let beyond = dispute.amount.minor - minor;
    if beyond > 0 {
        let amount = Money::new(beyond, order.currency);
        legs.push(NewTransfer::new(Account::PlatformFees, withheld.clone(), amount, "dispute"));
    }
    ledger::post(tx, now, journal, &legs).await?;
    for part in &parts {
        tx.execute(&sql::RESERVE_LINE, args![order.id, part.number, part.amounts.total]).await?;
        let row = args![order.id, part.number, part.amounts.total, part.quantity];
        tx.execute(&sql::SETTLE_LINE, row).await?;
    }
    let is_all = order.refundable().minor == minor;
    let next = order.state.after(if is_all { Step::Lose } else { Step::WinRest }).unwrap_or(order.state);
    let row = args![order.id, order.state, order.version, next, minor, 0, now];
    let order: Order = tx.one(&sql::MOVE_ORDER, row).await?;
    let lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![order.id]).await?;
    lose(tx, now, shared, &order, &lines, &parts, false).await?;
    // A subscription is over with it, and its place is free.
    let over = |line: &&Line| line.returned == line.quantity && line.is_recurring();
    let over: Vec<u32> = lines.iter().filter(over).map(|line| line.number).collect();
    restock(tx, &order.id, &over).await?;
    events::append(tx, now, &OrderDisputed::of(&order, &lines)).await?;
    Ok(())
}

/// What became of an order's money: its refunds and its payments, for its page.
pub(crate) async fn history(tx: &mut Tx, placed: &Placed) -> Result<(Vec<Plan>, Vec<Payment>), OrderError> {
    let plans = tx.all(&sql::LIST_PLANS, args![placed.order.id]).await?;
    Ok((plans, Payments::of_subject(tx, placed.order.id.as_str()).await?))
}
