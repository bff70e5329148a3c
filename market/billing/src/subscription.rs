//! Subscriptions: types, and the table of what may follow what. No I/O, no clock but an argument.

use std::fmt;
use std::str::FromStr;

use catalog::{Kind, ListingId, OfferId, Period};
use identity::{AccountId, UserId};
use kernel::{Currency, Money, MoneyError, Timestamp};
use orders::OrderId;
use payments::MethodId;
use store::{FromRow, Row, StoreError};

use crate::period::{self, Span};

kernel::id!(
    /// What somebody pays again and again.
    SubscriptionId,
    "sub"
);
store::id_values!(SubscriptionId);

store::words! {
    /// How a subscription stands.
    #[derive(utoipa::ToSchema)]
    State, "expected the state of a subscription" {
        /// It costs nothing yet.
        Trialing = "trialing",
        /// It is paid.
        Active = "active",
        /// A payment did not come through; it goes on until the grace ends.
        PastDue = "past_due",
        /// Its buyer, seller or an operator ended it.
        Cancelled = "cancelled",
        /// It was not paid, or its order was refunded.
        Ended = "ended",
    }
}

impl State {
    /// Whether it goes on.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Trialing | Self::Active | Self::PastDue)
    }

    /// Whether a subscription may go from here to `next`. This table is the whole state machine.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use State::{Active, Cancelled, Ended, PastDue, Trialing};
        matches!(
            (self, next),
            (Trialing, Active | PastDue | Cancelled | Ended)
                | (Active, PastDue | Cancelled | Ended)
                | (PastDue, Active | Cancelled | Ended)
        )
    }
}

/// How the next invoices are paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayBy {
    /// By hand: nothing was saved that can be charged.
    Hand,
    /// From the buyer's balance.
    Wallet,
    /// With a saved card.
    Method(MethodId),
}

impl fmt::Display for PayBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hand => Ok(()),
            Self::Wallet => f.write_str("wallet"),
            Self::Method(id) => f.write_str(id.as_str()),
        }
    }
}

impl FromStr for PayBy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Ok(Self::Hand),
            "wallet" => Ok(Self::Wallet),
            id => id.parse().map(Self::Method).map_err(|_| "expected `wallet` or a saved card"),
        }
    }
}

/// One way to subscribe, with its price as it was when it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The offer.
    pub offer: OfferId,
    /// Its name.
    pub name: String,
    /// What one costs for a period, or what one metered unit costs, in minor units.
    pub unit_price_minor: i64,
    /// How long a period is.
    pub period: Period,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// The order that began it.
    pub order: OrderId,
    /// The line of the order.
    pub line: u32,
    /// Who pays and may use it.
    pub buyer: AccountId,
    /// Who ordered it.
    pub placed_by: UserId,
    /// Who sells it.
    pub seller: AccountId,
    /// The listing.
    pub listing: ListingId,
    /// What kind of thing it is.
    pub kind: Kind,
    /// The listing's title.
    pub title: String,
    /// The buyer's country, by which it is taxed.
    pub country: Option<String>,
    /// The buyer's region.
    pub region: Option<String>,
    /// In what it is paid.
    pub currency: Currency,
    /// How many.
    pub quantity: u32,
    /// The plan.
    pub plan: Plan,
    /// What is metered; none where the price is for the whole period.
    pub meter: Option<String>,
    /// The plan from the next period on, where that is another.
    pub next: Option<Plan>,
    /// How it stands.
    pub state: State,
    /// Where period `anchor_period` starts.
    pub anchor: Timestamp,
    /// See `anchor`.
    pub anchor_period: i64,
    /// The number of the present period; 0 is the trial.
    pub number: i64,
    /// The present period.
    pub span: Span,
    /// When the next period is due; none when it is over.
    pub renews_at: Option<Timestamp>,
    /// How the next invoices are paid.
    pub pay_by: PayBy,
    /// Whether it is over at the end of the period.
    pub cancel_at_end: bool,
    /// What is taken off the next invoices, in minor units.
    pub credit_minor: i64,
    /// Until when it may be used without having been paid.
    pub grace_ends_at: Option<Timestamp>,
    /// At which cost of a period the buyer wants to hear of it, in minor units.
    pub limit_minor: Option<i64>,
    /// In which period that was told.
    pub limit_told: Option<i64>,
    /// What was used and is on no invoice yet.
    pub open_quantity: i64,
    /// Why it is over.
    pub end_reason: Option<String>,
    /// Grows with every change.
    pub version: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
}

impl Subscription {
    /// An amount in its currency.
    #[must_use]
    pub const fn money(&self, minor: i64) -> Money {
        Money::new(minor, self.currency)
    }

    /// What a whole period of a plan costs, before tax and credit.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn price_of(&self, plan: &Plan) -> Result<Money, MoneyError> {
        self.money(plan.unit_price_minor).times(self.quantity)
    }

    /// What so many metered units cost.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn cost_of(&self, units: i64) -> Result<Money, MoneyError> {
        let minor = units.checked_mul(self.plan.unit_price_minor).filter(|m| *m <= kernel::money::MAX_MINOR);
        minor.map(|minor| self.money(minor)).ok_or(MoneyError::TooLarge)
    }

    /// The period of this number, by the plan's calendar.
    #[must_use]
    pub fn span_of(&self, number: i64) -> Span {
        period::span(self.anchor, self.plan.period, number - self.anchor_period)
    }

    /// What the present period costs so far, and what it will at its end when use goes on like this.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn cost(&self, now: Timestamp) -> Result<(Money, Money), MoneyError> {
        if self.meter.is_none() {
            let whole = if self.state == State::Trialing {
                Money::zero(self.currency)
            } else {
                self.price_of(&self.plan)?
            };
            return Ok((whole, whole));
        }
        let so_far = self.cost_of(self.open_quantity)?;
        let whole = i128::from(self.span.micros());
        let gone = (whole - i128::from(self.span.unused(now))).max(1);
        let projected = i128::from(so_far.minor) * whole / gone;
        let projected = i64::try_from(projected).unwrap_or(i64::MAX).min(kernel::money::MAX_MINOR);
        Ok((so_far, self.money(projected.max(so_far.minor))))
    }

    /// The plan that the next period is paid by.
    #[must_use]
    pub fn coming(&self) -> &Plan {
        self.next.as_ref().unwrap_or(&self.plan)
    }
}

impl FromRow for Subscription {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let pay_by: String = row.get(32)?;
        let next: Option<OfferId> = row.get(20)?;
        let next = match next {
            None => None,
            Some(offer) => {
                Some(Plan { offer, name: row.get(21)?, unit_price_minor: row.get(22)?, period: row.get(23)? })
            }
        };
        Ok(Self {
            id: row.get(0)?,
            order: row.get(1)?,
            line: row.get(2)?,
            buyer: row.get(3)?,
            placed_by: row.get(4)?,
            seller: row.get(5)?,
            listing: row.get(6)?,
            kind: row.get(7)?,
            title: row.get(8)?,
            country: row.get(9)?,
            region: row.get(10)?,
            currency: currency(row, 11)?,
            quantity: row.get(12)?,
            plan: Plan {
                offer: row.get(15)?,
                name: row.get(16)?,
                unit_price_minor: row.get(17)?,
                period: row.get(18)?,
            },
            meter: row.get(19)?,
            next,
            state: row.get(24)?,
            anchor: row.get(25)?,
            anchor_period: row.get(26)?,
            number: row.get(27)?,
            span: Span { start: row.get(28)?, end: row.get(29)? },
            renews_at: row.get(30)?,
            cancel_at_end: row.get(31)?,
            pay_by: pay_by.parse().unwrap_or(PayBy::Hand),
            credit_minor: row.get(33)?,
            grace_ends_at: row.get(34)?,
            limit_minor: row.get(35)?,
            limit_told: row.get(36)?,
            open_quantity: row.get(37)?,
            end_reason: row.get(38)?,
            version: row.get(13)?,
            created_at: row.get(14)?,
            updated_at: row.get(39)?,
            ended_at: row.get(40)?,
        })
    }
}

/// Reads a currency.
pub(crate) fn currency(row: &Row<'_>, index: usize) -> Result<Currency, StoreError> {
    let text: String = row.get(index)?;
    text.parse().map_err(|error: MoneyError| StoreError::Decode {
        statement: "a row of billing",
        index,
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_over_stays_over(steps in prop::collection::vec(prop::sample::select(State::ALL.to_vec()), 0..30)) {
            let mut state = State::Trialing;
            for next in steps {
                if state.may_become(next) {
                    prop_assert!(state.is_live(), "{state} is an end");
                    prop_assert!(next != State::Trialing, "a trial is had once");
                    state = next;
                }
            }
        }

        #[test]
        fn whatever_goes_on_can_end(state in prop::sample::select(State::ALL.to_vec())) {
            for end in [State::Cancelled, State::Ended] {
                prop_assert_eq!(state.may_become(end), state.is_live());
            }
        }

        #[test]
        fn any_word_is_judged_without_panic(text in "\\PC{0,20}") {
            let _ = (text.parse::<State>(), text.parse::<PayBy>());
        }
    }
}
