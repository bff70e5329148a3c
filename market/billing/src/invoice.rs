//! Invoices, receipts and credit notes: types. No I/O, no clock but an argument.

use catalog::OfferId;
use identity::AccountId;
use kernel::{Currency, Money, Timestamp};
use orders::OrderId;
use orders::price::Amounts;
use payments::PaymentId;
use store::{FromRow, Row, StoreError};

use crate::period::Span;
use crate::subscription::{Plan, SubscriptionId, currency};

kernel::id!(
    /// An invoice, a receipt or a credit note.
    InvoiceId,
    "invoice"
);
store::id_values!(InvoiceId);

store::words! {
    /// What a document is of.
    #[derive(utoipa::ToSchema)]
    Kind, "expected a kind of document" {
        /// Of a paid order.
        Receipt = "receipt",
        /// Of a period of a subscription.
        Period = "period",
        /// Of a change of the plan within a period.
        Change = "change",
        /// It takes back what another one says.
        CreditNote = "credit_note",
    }
}

impl Kind {
    /// What people call it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Receipt => "Receipt",
            Self::Period | Self::Change => "Invoice",
            Self::CreditNote => "Credit note",
        }
    }
}

store::words! {
    /// How an invoice stands.
    #[derive(utoipa::ToSchema)]
    Standing, "expected the state of an invoice" {
        /// It is to be paid; a credit note: the money is on its way.
        Open = "open",
        /// It is paid; a credit note: the money went back.
        Paid = "paid",
        /// It is not to be paid any more.
        Void = "void",
        /// Nobody tries any more to have it paid.
        Uncollectible = "uncollectible",
    }
}

impl Standing {
    /// Whether an invoice may go from here to `next`. What is paid opens again when the bank lets the money go.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Open, Self::Paid | Self::Void | Self::Uncollectible) | (Self::Paid, Self::Open)
        )
    }
}

/// How an invoice is taxed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taxed {
    /// What the tax is called; empty where there is none.
    pub name: String,
    /// Hundredths of a percent.
    pub basis_points: u32,
    /// Whether prices hold it already.
    pub is_inclusive: bool,
}

/// An invoice, a receipt or a credit note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// Its id.
    pub id: InvoiceId,
    /// What it is of.
    pub kind: Kind,
    /// Of which subscription.
    pub subscription: Option<SubscriptionId>,
    /// Of which order.
    pub order: Option<OrderId>,
    /// Of which period.
    pub period: Option<i64>,
    /// What a credit note takes back.
    pub of: Option<InvoiceId>,
    /// For which refund.
    pub refund: Option<String>,
    /// Who pays.
    pub buyer: AccountId,
    /// Who sells.
    pub seller: AccountId,
    /// What is sold.
    pub title: String,
    /// In what it is paid.
    pub currency: Currency,
    /// How it is taxed.
    pub tax: Taxed,
    /// What it comes to, in minor units.
    pub amounts: Amounts,
    /// How much went back, in minor units.
    pub refunded_minor: i64,
    /// How much is on its way back, in minor units.
    pub refunding_minor: i64,
    /// How it stands.
    pub state: Standing,
    /// The year of its number.
    pub year: Option<i64>,
    /// Its number among those of the seller in the year.
    pub sequence: Option<i64>,
    /// What time it is for.
    pub span: Option<Span>,
    /// The payment that paid it.
    pub payment: Option<PaymentId>,
    /// The attempt of ours that is under way.
    pub attempt: Option<PaymentId>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub next_attempt_at: Option<Timestamp>,
    /// Why the last attempt failed, for the buyer.
    pub failure: String,
    /// The plan that it pays for, where it is for a change.
    pub to: Option<Plan>,
    /// Grows with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// From when on its seller may have what it brought.
    pub matures_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Invoice {
    /// An amount in its currency.
    #[must_use]
    pub const fn money(&self, minor: i64) -> Money {
        Money::new(minor, self.currency)
    }

    /// What the buyer pays, or gets back by a credit note.
    #[must_use]
    pub const fn total(&self) -> Money {
        Money::new(self.amounts.total, self.currency)
    }

    /// What can still be refunded.
    #[must_use]
    pub const fn refundable(&self) -> Money {
        Money::new(self.amounts.total - self.refunded_minor - self.refunding_minor, self.currency)
    }

    /// Its number as people write it: `2026-000007`; a word where it has none yet.
    #[must_use]
    pub fn number(&self) -> String {
        match (self.year, self.sequence) {
            (Some(year), Some(sequence)) => format!("{year}-{sequence:06}"),
            _ => "not numbered yet".to_owned(),
        }
    }
}

/// A line of an invoice. All lines together are its subtotal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceLine {
    /// Which one, from 1; of a receipt, the number of the order's line.
    pub number: u32,
    /// What it is of.
    pub title: String,
    /// How many.
    pub quantity: i64,
    /// What one costs, in minor units.
    pub unit_price_minor: i64,
    /// What it comes to before discounts and tax on top, in minor units; below zero for a credit.
    pub amount_minor: i64,
    /// How much of the order's line credit notes took back, in minor units.
    pub credited_minor: i64,
}
store::row!(InvoiceLine { number, title, quantity, unit_price_minor, amount_minor, credited_minor });

impl InvoiceLine {
    /// A line on which nothing was credited.
    pub(crate) fn new(number: u32, title: impl Into<String>, quantity: i64, unit: i64, amount: i64) -> Self {
        let title = title.into();
        Self { number, title, quantity, unit_price_minor: unit, amount_minor: amount, credited_minor: 0 }
    }
}

impl FromRow for Invoice {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let span = match (row.get(26)?, row.get(27)?) {
            (Some(start), Some(end)) => Some(Span { start, end }),
            _ => None,
        };
        let to: Option<OfferId> = row.get(33)?;
        let to = match to {
            None => None,
            Some(offer) => {
                Some(Plan { offer, name: row.get(34)?, unit_price_minor: row.get(35)?, period: row.get(36)? })
            }
        };
        Ok(Self {
            id: row.get(0)?,
            kind: row.get(1)?,
            subscription: row.get(2)?,
            order: row.get(3)?,
            period: row.get(4)?,
            of: row.get(5)?,
            refund: row.get(6)?,
            buyer: row.get(7)?,
            seller: row.get(8)?,
            title: row.get(9)?,
            currency: currency(row, 10)?,
            tax: Taxed { name: row.get(11)?, basis_points: row.get(12)?, is_inclusive: row.get(13)? },
            amounts: Amounts {
                subtotal: row.get(14)?,
                discount: row.get(15)?,
                promotion: row.get(16)?,
                tax: row.get(17)?,
                fee: row.get(18)?,
                seller: row.get(19)?,
                total: row.get(20)?,
            },
            refunded_minor: row.get(21)?,
            refunding_minor: row.get(22)?,
            state: row.get(23)?,
            year: row.get(24)?,
            sequence: row.get(25)?,
            span,
            payment: row.get(28)?,
            attempt: row.get(29)?,
            attempts: row.get(30)?,
            next_attempt_at: row.get(31)?,
            failure: row.get(32)?,
            to,
            version: row.get(37)?,
            created_at: row.get(38)?,
            paid_at: row.get(39)?,
            matures_at: row.get(40)?,
            updated_at: row.get(41)?,
        })
    }
}
