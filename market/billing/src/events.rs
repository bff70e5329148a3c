//! What this room tells the others. The buyer and the seller may hear of it.

use events::{Audience, DomainEvent};
use kernel::Timestamp;
use serde::Serialize;

use crate::invoice::Invoice;
use crate::subscription::Subscription;

/// What every event of a subscription says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// Which subscription.
    pub subscription_id: String,
    /// How it stands.
    pub status: &'static str,
    /// Who pays.
    pub buyer: String,
    /// Who sells.
    pub seller: String,
    /// Of what.
    pub listing_id: String,
    /// By which plan.
    pub offer_id: String,
    /// How many.
    pub quantity: u32,
    /// The price of the plan, in minor units.
    pub unit_price_minor: i64,
    /// Of what.
    pub currency: String,
    /// The present period.
    pub period: i64,
    /// When it began.
    pub period_start: Timestamp,
    /// When it ends.
    pub period_end: Timestamp,
    /// Whether it is over then.
    pub cancel_at_period_end: bool,
    /// Why it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip)]
    version: i64,
}

impl About {
    pub(crate) fn of(sub: &Subscription) -> Self {
        Self {
            subscription_id: sub.id.to_string(),
            status: sub.state.as_str(),
            buyer: sub.buyer.to_string(),
            seller: sub.seller.to_string(),
            listing_id: sub.listing.to_string(),
            offer_id: sub.plan.offer.to_string(),
            quantity: sub.quantity,
            unit_price_minor: sub.plan.unit_price_minor,
            currency: sub.currency.to_string(),
            period: sub.number,
            period_start: sub.span.start,
            period_end: sub.span.end,
            cancel_at_period_end: sub.cancel_at_end,
            reason: sub.end_reason.clone(),
            version: sub.version,
        }
    }
}

macro_rules! subscription_events {
    ($($(#[$meta:meta])* $name:ident = $kind:literal, $summary:literal;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Serialize)]
        pub struct $name {
            /// The subscription.
            #[serde(flatten)]
            pub about: About,
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = $kind;
            fn subject(&self) -> &str {
                &self.about.subscription_id
            }
            fn version(&self) -> i64 {
                self.about.version
            }
            fn audience(&self) -> Audience<'_> {
                Audience::Accounts(vec![&self.about.buyer, &self.about.seller])
            }
        }
    )+
    events::catalogue! { $($name = $summary;)+ }
    };
}

subscription_events! {
    /// It began.
    SubscriptionCreated = "subscription.created", "A subscription began, perhaps with a trial.";
    /// Its plan, way to pay, period or end changed.
    SubscriptionUpdated = "subscription.updated", "The plan, the period, the way to pay or the end of a subscription changed.";
    /// A period was paid.
    SubscriptionRenewed = "subscription.renewed", "A period of a subscription was paid.";
    /// A payment did not come through.
    SubscriptionPastDue = "subscription.past_due", "A period of a subscription could not be charged; it goes on until the grace ends.";
    /// It is over.
    SubscriptionEnded = "subscription.ended", "A subscription is over: cancelled, not paid, or refunded.";
}

/// The cost of a period reached the buyer's limit.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThresholdReached {
    /// The subscription.
    #[serde(flatten)]
    pub about: About,
    /// What the period costs so far, for showing.
    pub current_cost: f64,
    /// The same, exact.
    pub current_cost_minor: i64,
    /// The limit, exact.
    pub limit_minor: i64,
}

impl DomainEvent for ThresholdReached {
    const TYPE: &'static str = "billing.threshold";
    fn subject(&self) -> &str {
        &self.about.subscription_id
    }
    fn version(&self) -> i64 {
        self.about.version
    }
    fn audience(&self) -> Audience<'_> {
        Audience::Accounts(vec![&self.about.buyer])
    }
}
events::catalogue! { ThresholdReached = "The cost of a period reached the limit that the buyer set."; }

/// What every event of an invoice says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    invoice_id: String,
    kind: &'static str,
    status: &'static str,
    number: Option<String>,
    buyer: String,
    seller: String,
    subscription_id: Option<String>,
    order_id: Option<String>,
    total: f64,
    total_minor: i64,
    currency: String,
    #[serde(skip)]
    version: i64,
}

impl Document {
    fn of(invoice: &Invoice) -> Self {
        Self {
            invoice_id: invoice.id.to_string(),
            kind: invoice.kind.as_str(),
            status: invoice.state.as_str(),
            number: invoice.sequence.map(|_| invoice.number()),
            buyer: invoice.buyer.to_string(),
            seller: invoice.seller.to_string(),
            subscription_id: invoice.subscription.as_ref().map(ToString::to_string),
            order_id: invoice.order.as_ref().map(ToString::to_string),
            total: invoice.total().major_number(),
            total_minor: invoice.amounts.total,
            currency: invoice.currency.to_string(),
            version: invoice.version,
        }
    }
}

macro_rules! invoice_events {
    ($($(#[$meta:meta])* $name:ident = $kind:literal, $summary:literal;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Serialize)]
        pub struct $name {
            #[serde(flatten)]
            document: Document,
        }

        impl $name {
            /// As the invoice is now.
            pub fn of(invoice: &Invoice) -> Self {
                Self { document: Document::of(invoice) }
            }
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = $kind;
            fn subject(&self) -> &str {
                &self.document.invoice_id
            }
            fn version(&self) -> i64 {
                self.document.version
            }
            fn audience(&self) -> Audience<'_> {
                Audience::Accounts(vec![&self.document.buyer, &self.document.seller])
            }
        }
    )+
    events::catalogue! { $($name = $summary;)+ }
    };
}

invoice_events! {
    /// A period is to be paid.
    InvoiceCreated = "invoice.created", "An invoice of a subscription was made and is to be paid.";
    /// It is paid.
    InvoicePaid = "invoice.paid", "An invoice of a subscription was paid and has its number.";
    /// Nobody tries any more, or it is not to be paid.
    InvoiceClosed = "invoice.closed", "An invoice is not to be paid any more, or could not be collected.";
}
