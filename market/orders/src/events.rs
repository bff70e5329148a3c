//! What this room tells the others. The buyer and the sellers of an order may hear of it.

use events::{Audience, DomainEvent};
use kernel::Timestamp;
use serde::Serialize;

use crate::entitlement::Entitlement;
use crate::order::{Line, Order};

/// What every event of an order says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// Which order.
    pub order_id: String,
    /// How far it is.
    pub status: &'static str,
    /// Who buys.
    pub user_id: String,
    /// What the buyer pays, for showing.
    pub total: f64,
    /// The same, exact.
    pub total_minor: i64,
    /// Of what.
    pub currency: String,
    /// The claim on the stock.
    pub hold_id: String,
    /// Until when it can be paid.
    pub expires_at: Timestamp,
    /// What is bought.
    pub items: Vec<Item>,
    /// The seed's name for the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    #[serde(skip)]
    version: i64,
}

/// One line, as events tell of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    number: u32,
    listing_id: String,
    offer_id: String,
    kind: &'static str,
    seller: String,
    subject: Option<String>,
    unit_id: Option<String>,
    quantity: u32,
    total_minor: i64,
}

/// The seed's form of the first line.
#[derive(Clone, Debug, Serialize)]
pub struct Ticket {
    id: String,
    price: f64,
}

impl About {
    fn of(order: &Order, lines: &[Line]) -> Self {
        let ticket = lines.first().map(|line| Ticket {
            id: line.thing().to_owned(),
            price: kernel::Money::new(line.unit_price_minor, order.currency).major_number(),
        });
        let items = lines.iter().map(|line| Item {
            number: line.number,
            listing_id: line.listing.to_string(),
            offer_id: line.offer.to_string(),
            kind: line.kind.as_str(),
            seller: line.seller.to_string(),
            subject: line.subject.clone(),
            unit_id: line.unit.as_ref().map(ToString::to_string),
            quantity: line.quantity,
            total_minor: line.amounts.total,
        });
        Self {
            order_id: order.id.to_string(),
            status: order.state.as_str(),
            user_id: order.buyer.to_string(),
            total: order.total().major_number(),
            total_minor: order.amounts.total,
            currency: order.currency.to_string(),
            hold_id: order.hold.id.to_string(),
            expires_at: order.hold.ends_at,
            items: items.collect(),
            ticket,
            version: order.version,
        }
    }

    fn audience(&self) -> Audience<'_> {
        let mut accounts = vec![self.user_id.as_str()];
        for item in &self.items {
            if !accounts.contains(&item.seller.as_str()) {
                accounts.push(&item.seller);
            }
        }
        Audience::Accounts(accounts)
    }
}

macro_rules! order_events {
    ($($(#[$meta:meta])* $name:ident = $kind:literal, $summary:literal { $($(#[$doc:meta])* $field:ident: $type:ty),* })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The order.
            #[serde(flatten)]
            pub about: About,
            $($(#[$doc])* pub $field: $type,)*
        }

        impl $name {
            /// As the order is now.
            pub fn of(order: &Order, lines: &[Line] $(, $field: $type)*) -> Self {
                Self { about: About::of(order, lines) $(, $field)* }
            }
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = $kind;
            fn subject(&self) -> &str {
                &self.about.order_id
            }
            fn version(&self) -> i64 {
                self.about.version
            }
            fn audience(&self) -> Audience<'_> {
                self.about.audience()
            }
        }
    )+
    events::catalogue! { $($name = $summary;)+ }
    };
}

order_events! {
    /// Stock is held for a new order.
    OrderCreated = "order.created", "An order was placed; what it wants is held until its deadline." {}
    /// Given up before it was paid.
    OrderCancelled = "order.cancelled", "An order was given up before it was paid; its stock is back on sale." {}
    /// Not paid in time.
    OrderExpired = "order.expired", "An order was not paid in time; its stock is back on sale." {}
    /// The same in the words of the ticket shop.
    ExpirationComplete = "expiration.complete", "The time to pay an order ran out." {}
    /// The deadline or the taxes of a pending order changed.
    OrderUpdated = "order.updated", "The deadline or the taxes of a pending order changed." {}
    /// Paid and delivered.
    OrderPaid = "order.paid", "An order was paid and delivered." {}
    /// The promised money could not be taken.
    OrderFailed = "order.failed", "The money that was promised for an order could not be taken." {}
    /// Money went back.
    OrderRefunded = "order.refunded", "Money of an order went back to its buyer." {
        /// How much, in minor units.
        refund_minor: i64,
        /// The refund at the payments; none for an order that cost nothing.
        refund_id: Option<String>
    }
    /// The buyer's bank disputes the payment, or decided.
    OrderDisputed = "order.disputed", "The payment of an order is disputed, or the dispute was decided." {}
}

macro_rules! entitlement_events {
    ($($(#[$meta:meta])* $name:ident = $kind:literal, $summary:literal;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Serialize)]
        pub struct $name {
            /// What may be used, and by whom.
            #[serde(flatten)]
            pub entitlement: Entitlement,
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = $kind;
            fn subject(&self) -> &str {
                self.entitlement.id.as_str()
            }
            fn version(&self) -> i64 {
                self.entitlement.version
            }
            fn audience(&self) -> Audience<'_> {
                Audience::Accounts(vec![self.entitlement.account.as_str()])
            }
        }
    )+
    events::catalogue! { $($name = $summary;)+ }
    };
}

entitlement_events! {
    /// An account may use something.
    EntitlementStarted = "entitlement.started", "An account may use what it bought.";
    /// It may not any more.
    EntitlementEnded = "entitlement.ended", "An account may no longer use what it had bought.";
}
