//! Orders, their lines and their holds: types and the tables of what may follow what. No I/O, no clock but an argument.

use catalog::{Kind, ListingId, OfferId, UnitId};
use identity::{AccountId, UserId};
use kernel::{Currency, Money, Timestamp};
use payments::PaymentId;

use crate::price::Amounts;

kernel::id!(
    /// What somebody ordered.
    OrderId,
    "order"
);
kernel::id!(
    /// The claim of an order on stock.
    HoldId,
    "hold"
);
store::id_values!(OrderId, HoldId);

store::words! {
    /// How far an order is.
    State, "expected the state of an order" {
        /// Its stock is held; it can be paid until its deadline.
        Pending = "pending",
        /// Paid and delivered.
        Paid = "paid",
        /// A part of the money went back.
        PartiallyRefunded = "partially_refunded",
        /// All of the money went back.
        Refunded = "refunded",
        /// The buyer's bank asks for the money back; it is being decided.
        Disputed = "disputed",
        /// Given up before it was paid.
        Cancelled = "cancelled",
        /// Not paid in time.
        Expired = "expired",
        /// The money that was promised could not be taken.
        Failed = "failed",
    }
}

store::words! {
    /// What can happen to an order.
    Step, "expected a step of an order" {
        /// The gateway promised the money, in time.
        Pay = "pay",
        /// The gateway promised the money after the deadline, and the stock could be had again.
        PayLate = "pay_late",
        /// Somebody gave it up.
        Cancel = "cancel",
        /// Its time ran out.
        Expire = "expire",
        /// The promised money could not be taken.
        Fail = "fail",
        /// A part of the money went back.
        RefundPart = "refund_part",
        /// The rest of the money went back.
        RefundRest = "refund_rest",
        /// The buyer's bank disputes the payment.
        Dispute = "dispute",
        /// The dispute was decided for the seller; nothing was refunded before.
        Win = "win",
        /// The dispute was decided for the seller; a part was refunded before.
        WinRest = "win_rest",
        /// The dispute was decided for the buyer.
        Lose = "lose",
    }
}

impl State {
    /// The state after `step`, or `None` where it cannot happen. This table is the only place that says so.
    #[must_use]
    pub const fn after(self, step: Step) -> Option<Self> {
        use State::{Cancelled, Disputed, Expired, Failed, Paid, PartiallyRefunded, Pending, Refunded};
        Some(match (self, step) {
            (Pending, Step::Pay) | (Expired, Step::PayLate) | (Disputed, Step::Win) => Paid,
            (Pending, Step::Cancel) => Cancelled,
            (Pending, Step::Expire) => Expired,
            (Pending | Paid, Step::Fail) => Failed,
            (Paid | PartiallyRefunded, Step::RefundPart) | (Disputed, Step::WinRest) => PartiallyRefunded,
            (Paid | PartiallyRefunded, Step::RefundRest) | (Disputed, Step::Lose) => Refunded,
            (Paid | PartiallyRefunded, Step::Dispute) => Disputed,
            _ => return None,
        })
    }

    /// Whether the buyer owns what the lines name, as far as it was not refunded.
    #[must_use]
    pub const fn is_paid(self) -> bool {
        matches!(self, Self::Paid | Self::PartiallyRefunded | Self::Disputed)
    }

    /// What its hold is while the order is in this state. The database checks the same.
    #[must_use]
    pub const fn hold(self) -> HoldState {
        match self {
            Self::Pending => HoldState::Live,
            Self::Cancelled => HoldState::Released,
            Self::Expired => HoldState::Expired,
            Self::Paid | Self::PartiallyRefunded | Self::Refunded | Self::Disputed | Self::Failed => {
                HoldState::Consumed
            }
        }
    }
}

store::words! {
    /// What became of a hold.
    HoldState, "expected the state of a hold" {
        /// Nobody else can have what it claims.
        Live = "live",
        /// Sold.
        Consumed = "consumed",
        /// Given up, back on sale.
        Released = "released",
        /// Out of time, back on sale.
        Expired = "expired",
    }
}

impl HoldState {
    /// Whether it may become `next`: a hold ends once.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!((self, next), (Self::Live, Self::Consumed | Self::Released | Self::Expired))
    }
}

/// The claim of an order on its stock. An order that is paid late gets a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// What became of it.
    pub state: HoldState,
    /// The deadline: an instant of this server's clock.
    pub ends_at: Timestamp,
    /// Whether the buyer took more time.
    pub extended: bool,
    /// How much more time may be taken once, in seconds; 0 where the seller allows none.
    pub extension_seconds: u32,
}

impl Hold {
    /// Whether it holds at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.state == HoldState::Live && now < self.ends_at
    }

    /// Whether more time may be taken.
    #[must_use]
    pub fn may_extend(&self, now: Timestamp) -> bool {
        self.is_live(now) && !self.extended && self.extension_seconds > 0
    }
}

/// An order without its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Who owns what it buys: a user or an organisation.
    pub buyer: AccountId,
    /// The person or machine that placed it.
    pub placed_by: UserId,
    /// How far it is.
    pub state: State,
    /// Its claim on the stock.
    pub hold: Hold,
    /// In what it is paid.
    pub currency: Currency,
    /// What its lines come to, in minor units; the sums of the lines' amounts.
    pub amounts: Amounts,
    /// How much went back, in minor units.
    pub refunded_minor: i64,
    /// How much is on its way back, in minor units.
    pub refunding_minor: i64,
    /// The promo code, if one was used.
    pub promo: Option<String>,
    /// The buyer's country, by which it is taxed: two letters of ISO 3166-1.
    pub country: Option<String>,
    /// The buyer's region within the country, as the tax table names it.
    pub region: Option<String>,
    /// The attempt to pay that is under way, or that paid it.
    pub payment: Option<PaymentId>,
    /// Grows with every change.
    pub version: i64,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// From when on its sellers may have what it brought.
    pub matures_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Order {
    /// What the buyer pays.
    #[must_use]
    pub const fn total(&self) -> Money {
        Money::new(self.amounts.total, self.currency)
    }

    /// What can still be refunded.
    #[must_use]
    pub const fn refundable(&self) -> Money {
        Money::new(self.amounts.total - self.refunded_minor - self.refunding_minor, self.currency)
    }
}

/// One line of an order: one offer, or one unit of it, with its price as it was when it was placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which one, from 1.
    pub number: u32,
    /// The listing.
    pub listing: ListingId,
    /// The offer.
    pub offer: OfferId,
    /// What kind of thing it is, and so who delivers it.
    pub kind: Kind,
    /// Who sells it.
    pub seller: AccountId,
    /// The thing's id in the room that delivers it.
    pub subject: Option<String>,
    /// The listing's title.
    pub title: String,
    /// The offer's name.
    pub offer_name: String,
    /// How it is paid: `free`, `one_off`, `subscription`, `metered`.
    pub pricing: String,
    /// The named unit, such as a seat.
    pub unit: Option<UnitId>,
    /// What the unit is called.
    pub unit_label: Option<String>,
    /// How many.
    pub quantity: u32,
    /// The price of one, in minor units.
    pub unit_price_minor: i64,
    /// What it comes to, in minor units.
    pub amounts: Amounts,
    /// How much went back, in minor units.
    pub refunded_minor: i64,
    /// How much is on its way back, in minor units.
    pub refunding_minor: i64,
    /// How many were given back.
    pub returned: u32,
}

impl Line {
    /// The id under which entitlements know the thing: its subject, or the listing where it has none.
    #[must_use]
    pub fn thing(&self) -> &str {
        self.subject.as_deref().unwrap_or(self.listing.as_str())
    }

    /// Whether it began a subscription.
    #[must_use]
    pub fn is_recurring(&self) -> bool {
        matches!(self.pricing.as_str(), "subscription" | "metered")
    }

    /// What can still be refunded, in minor units.
    #[must_use]
    pub const fn refundable_minor(&self) -> i64 {
        self.amounts.total - self.refunded_minor - self.refunding_minor
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn any_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
        prop::sample::select(all)
    }

    proptest! {
        #[test]
        fn whatever_happens_an_order_is_paid_at_most_once_and_ends_stay_ends(
            steps in prop::collection::vec(any_of(&Step::ALL), 0..40)
        ) {
            let (mut state, mut paid, mut seen) = (State::Pending, 0, vec![State::Pending]);
            for step in steps {
                if let Some(next) = state.after(step) {
                    paid += u32::from(matches!(step, Step::Pay | Step::PayLate));
                    prop_assert!(!matches!(state, State::Cancelled | State::Refunded | State::Failed), "{state} is an end");
                    prop_assert!(next != State::Pending, "nothing becomes pending again");
                    state = next;
                    seen.push(state);
                }
            }
            prop_assert!(paid <= 1);
            let refunded = seen.iter().any(|s| matches!(s, State::PartiallyRefunded | State::Refunded));
            prop_assert!(!refunded || paid == 1, "money goes back only after it came");
        }

        #[test]
        fn a_hold_ends_once(steps in prop::collection::vec(any_of(&HoldState::ALL), 0..20)) {
            let mut state = HoldState::Live;
            let mut changes = 0;
            for next in steps.into_iter().filter(|next| *next != HoldState::Live) {
                if state.may_become(next) {
                    state = next;
                    changes += 1;
                }
            }
            prop_assert!(changes <= 1);
        }

        #[test]
        fn the_hold_follows_the_order(state in any_of(&State::ALL), step in any_of(&Step::ALL)) {
            if let Some(next) = state.after(step) {
                let late = step == Step::PayLate || state == State::Pending && next == State::Failed;
                let (from, to) = (state.hold(), next.hold());
                prop_assert!(late || from == to || from.may_become(to), "{state} {step}: {from} {to}");
            }
        }

        #[test]
        fn words_read_back(state in any_of(&State::ALL), step in any_of(&Step::ALL)) {
            prop_assert_eq!(state.as_str().parse::<State>().unwrap(), state);
            prop_assert_eq!(step.as_str().parse::<Step>().unwrap(), step);
        }

        #[test]
        fn any_word_is_judged_without_panic(text in "\\PC{0,20}") {
            let _ = (text.parse::<State>(), text.parse::<HoldState>());
        }
    }

    #[test]
    fn more_time_is_taken_once_and_only_in_time() {
        let now = Timestamp::from_secs(100);
        let hold = Hold {
            id: HoldId::fresh(),
            state: HoldState::Live,
            ends_at: Timestamp::from_secs(101),
            extended: false,
            extension_seconds: 300,
        };
        assert!(hold.may_extend(now));
        assert!(!hold.may_extend(hold.ends_at), "the deadline itself is too late");
        assert!(!Hold { extended: true, ..hold.clone() }.may_extend(now));
        assert!(!Hold { extension_seconds: 0, ..hold.clone() }.may_extend(now));
        assert!(!Hold { state: HoldState::Released, ..hold }.may_extend(now));
    }
}
