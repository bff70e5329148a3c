//! Charges, methods, refunds, disputes; gateways: the built-in sandbox and Stripe.
//!
//! The map:
//! * [`Payments`] is the room; its methods are the use cases, one file each.
//! * A room that wants money implements [`Purpose`] and hands it to [`Payments::serve`] at the start.
//! * [`Payments::begin`] writes the payment in the caller's transaction; [`Payments::submit`] asks the gateway
//!   outside of any, and records the answer in one; [`Payments::run`] captures, asks again, and heals after a kill.
//! * [`Payments::begin_refund`] and [`Payments::submit_refund`] do the same for money that goes back.
//! * `apply.rs` is the one place where a gateway's answer becomes a transition.

mod api;
mod apply;
mod begin;
mod cancel;
mod confirm;
mod dispute;
mod error;
mod events;
mod gateway;
mod give_back;
mod inbox;
mod intent;
mod look_up;
mod method;
mod methods;
mod page;
mod paid_for;
mod payment;
mod purpose;
mod refund;
mod refunds;
pub mod sandbox;
mod settings;
mod sql;
pub mod stripe;
mod submit;
mod worker;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};

use axum::extract::FromRef;
use identity::Identity;
use kernel::Clock;
use store::{Migrations, Store};
use tokio::sync::{Notify, mpsc};

pub use api::{openapi, routes};
pub use begin::{NewPayment, Source};
pub use cancel::call_off;
pub use dispute::{Dispute, DisputeId, DisputeState};
pub use error::PaymentError;
pub use gateway::{
    Answer, Ask, Connected, DisputeNews, Gateway, GatewayError, Instrument, Kept, Notice, Outcome, RefundAsk,
    RefundOutcome, TransferOutcome, WebhookError,
};
pub use inbox::NoticeView;
pub use look_up::PaymentDetails;
pub use method::{Method, MethodId, MethodView};
pub use methods::NewMethod;
pub use page::pages;
pub use paid_for::PaidFor;
pub use payment::{NextAction, Payment, PaymentId, Reason, State, WALLET};
pub use purpose::{Due, Purpose, Told, Verdict, done};
pub use refund::{NewRefund, Refund, RefundId, RefundState};
pub use sandbox::Card;
pub use settings::Settings;

/// This room's tables.
pub const MIGRATIONS: Migrations = store::migrations!("payments", "0001_payments.sql", "0002_means.sql");

/// How many payments may wait in memory for their capture; the others are found by the sweep.
const CAPTURES_IN_MEMORY: usize = 4_096;

/// The room. Cheap to clone: every clone shares all of it.
#[derive(Clone)]
pub struct Payments {
    store: Store,
    clock: Clock,
    identity: Identity,
    settings: Arc<Settings>,
    shared: Arc<Shared>,
}

/// What all clones share.
struct Shared {
    purposes: RwLock<HashMap<&'static str, Arc<dyn Purpose>>>,
    gateways: Vec<Arc<dyn Gateway>>,
    captures: mpsc::Sender<Payment>,
    /// Taken by the one [`Payments::run`] of this process.
    waiting: Mutex<Option<mpsc::Receiver<Payment>>>,
    /// Something is due before the next sweep.
    due: Notify,
}

impl Payments {
    /// The room on a migrated store, with the gateways that `settings` name.
    ///
    /// # Errors
    /// When a client for a gateway cannot be made, e.g. an address that is none.
    pub fn new(
        store: Store,
        clock: Clock,
        identity: Identity,
        settings: Settings,
    ) -> Result<Self, GatewayError> {
        let gateways = settings.gateways()?;
        Ok(Self::with_gateways(store, clock, identity, settings, gateways))
    }

    /// The room with gateways of the caller's own making. The first is asked where nothing says which.
    #[must_use]
    pub fn with_gateways(
        store: Store,
        clock: Clock,
        identity: Identity,
        settings: Settings,
        gateways: Vec<Arc<dyn Gateway>>,
    ) -> Self {
        let (captures, waiting) = mpsc::channel(CAPTURES_IN_MEMORY);
        let shared = Shared {
            purposes: RwLock::default(),
            gateways,
            captures,
            waiting: Mutex::new(Some(waiting)),
            due: Notify::new(),
        };
        Self { store, clock, identity, settings: Arc::new(settings), shared: Arc::new(shared) }
    }

    /// Lets a room above take payments. Once per purpose, at the start.
    pub fn serve(&self, purpose: Arc<dyn Purpose>) {
        let mut purposes = self.shared.purposes.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        purposes.insert(purpose.name(), purpose);
    }

    fn purpose(&self, name: &str) -> Result<Arc<dyn Purpose>, PaymentError> {
        let purposes = self.shared.purposes.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        purposes.get(name).cloned().ok_or_else(|| PaymentError::NoPurpose(name.to_owned()))
    }

    /// The gateway of this name, if it is set up: for the rooms that pay out.
    #[must_use]
    pub fn gateway(&self, name: &str) -> Option<Arc<dyn Gateway>> {
        self.shared.gateways.iter().find(|gateway| gateway.name() == name).cloned()
    }

    fn gateway_of(&self, payment: &Payment) -> Result<Arc<dyn Gateway>, PaymentError> {
        self.gateway(payment.gateway).ok_or(PaymentError::NoGateway)
    }

    /// The gateway that new payments and methods go to.
    #[must_use]
    pub fn default_gateway(&self) -> Option<Arc<dyn Gateway>> {
        self.shared.gateways.first().cloned()
    }

    /// Whether new payments go to the sandbox: every face that takes or shows a payment has to say so.
    #[must_use]
    pub fn is_sandbox(&self) -> bool {
        self.default_gateway().is_some_and(|gateway| gateway.name() == sandbox::NAME)
    }

    /// How the room is set up.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

impl FromRef<Payments> for Identity {
    fn from_ref(payments: &Payments) -> Self {
        payments.identity.clone()
    }
}
