//! Beginning a payment: inside the caller's transaction, without a gateway.

use std::time::Duration;

use identity::AccountId;
use kernel::{Money, Timestamp};
use store::{Tx, args};

use crate::error::PaymentError;
use crate::events::ChargeCreated;
use crate::gateway::{Gateway, GatewayError, Instrument};
use crate::method::{Method, MethodId, MethodView};
use crate::payment::{Payment, PaymentId, State, WALLET, Wish};
use crate::purpose::Verdict;
use crate::sandbox::{self, Card};
use crate::{Payments, sql};

/// How long after the start of a payment nobody but its own request asks the gateway: longer than a gateway may take
/// to answer, so that the janitor does not ask beside it.
pub(crate) const GATEWAY_PATIENCE: Duration = Duration::from_secs(30);

/// How somebody pays.
#[derive(Clone, Debug)]
pub enum Source {
    /// A test card of the sandbox. Its number is checked and forgotten.
    Card(Card),
    /// A saved card of the payer.
    Method(MethodId),
    /// A token of the gateway: `pm_…` of Stripe's script, `tok_visa` in the sandbox.
    Token(String),
    /// The payer's own balance: settled at once, in this transaction.
    Wallet,
    /// Given by the buyer in the browser, on the pay page (an intent).
    Browser,
}

/// A payment that is to begin.
#[derive(Clone, Debug)]
pub struct NewPayment {
    /// The name of the [`Purpose`](crate::Purpose).
    pub purpose: &'static str,
    /// The id of what is paid for.
    pub subject: String,
    /// Who pays. That the caller may spend this account's money is the room's above to check.
    pub payer: AccountId,
    /// How much; more than nothing.
    pub amount: Money,
    /// How.
    pub source: Source,
    /// Names this payment among the payer's: the same key again is the same payment.
    pub key: Option<String>,
    /// What statements and lists call it.
    pub description: String,
}

/// What to charge, and where.
struct Charge {
    gateway: &'static str,
    code: String,
    view: Option<MethodView>,
}

impl Charge {
    /// How it is paid, in words that may be kept, to compare when its key comes again. The payment itself does not
    /// say: the card of an intent comes later, and saved cards may have the same instrument.
    fn means(&self, source: &Source) -> String {
        match source {
            Source::Wallet => WALLET.to_owned(),
            Source::Browser => format!("{} in the browser", self.gateway),
            Source::Method(id) => id.to_string(),
            Source::Card(_) | Source::Token(_) => format!("{} {}", self.gateway, self.code),
        }
    }
}

impl Payments {
    /// Writes the payment down, in the caller's transaction. Never asks a gateway: call [`Payments::submit`] after
    /// the commit. The same key of the same payer gives the same payment, as it is now; with something else to pay, or
    /// another way to pay it, it is refused.
    ///
    /// [`Source::Wallet`] is settled here: the answer is `captured`, and the purpose was told.
    ///
    /// # Errors
    /// [`PaymentError`], e.g. wrong card fields, [`PaymentError::WalletTooLow`], [`PaymentError::KeyReused`].
    pub async fn begin(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        new: &NewPayment,
    ) -> Result<Payment, PaymentError> {
        if new.amount.minor <= 0 || new.amount.minor > kernel::money::MAX_MINOR {
            return Err(PaymentError::NothingToPay);
        }
        self.purpose(new.purpose)?;
        let charge = self.charge(tx, now, new).await?;
        let state = match new.source {
            Source::Wallet => State::Captured,
            Source::Browser => State::Created,
            _ => State::Submitted,
        };
        let means = new.key.is_some().then(|| charge.means(&new.source));
        let payment = written(new, charge, state, now);
        if !insert(tx, &payment, new.key.as_deref(), means.as_deref()).await? {
            return known(tx, new, means.as_deref()).await;
        }
        if state == State::Captured { self.take_from_wallet(tx, now, payment).await } else { Ok(payment) }
    }

    async fn charge(&self, tx: &mut Tx, now: Timestamp, new: &NewPayment) -> Result<Charge, PaymentError> {
        let gateway = self.default_gateway();
        let gateway = || gateway.ok_or(PaymentError::NoGateway);
        let of = |gateway: &dyn Gateway, instrument: Instrument| Charge {
            gateway: gateway.name(),
            code: instrument.code,
            view: instrument.view,
        };
        match &new.source {
            Source::Wallet => Ok(Charge { gateway: WALLET, code: String::new(), view: None }),
            Source::Browser => Ok(Charge { gateway: gateway()?.name(), code: String::new(), view: None }),
            Source::Token(token) => {
                let gateway = gateway()?;
                let instrument = gateway.resolve(token).map_err(refused_token)?;
                Ok(of(&*gateway, instrument))
            }
            Source::Card(card) => {
                let sandbox = self.gateway(sandbox::NAME).ok_or(PaymentError::NoGateway)?;
                let checked = card.check("/card", now).map_err(PaymentError::Invalid)?;
                Ok(of(&*sandbox, checked.card.instrument()))
            }
            Source::Method(id) => {
                let method: Option<Method> = tx.first(&sql::FIND_METHOD, args![id]).await?;
                let method = method.filter(|method| method.account == new.payer);
                let method = method.ok_or(PaymentError::NotFound("payment method"))?;
                self.gateway(method.gateway).ok_or(PaymentError::NoGateway)?;
                Ok(Charge { gateway: method.gateway, code: method.instrument, view: Some(method.view) })
            }
        }
    }

    /// The purpose takes the money out of the wallet itself ([`Payment::funds`]), in this transaction; the ledger
    /// lets no wallet below zero.
    async fn take_from_wallet(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        payment: Payment,
    ) -> Result<Payment, PaymentError> {
        let balance = ledger::balance(tx, &payment.funds(), payment.amount.currency).await?;
        let missing = payment.amount.minor - balance.available().minor;
        if missing > 0 {
            return Err(PaymentError::WalletTooLow { missing: Money::new(missing, payment.amount.currency) });
        }
        let purpose = self.purpose(&payment.purpose)?;
        let reserved = Payment { state: State::Authorised, ..payment.clone() };
        if let Verdict::GiveBack(reason) = purpose.authorised(tx, now, &reserved).await? {
            return Err(PaymentError::Refused(reason));
        }
        purpose.captured(tx, now, &payment).await?;
        ::events::append(tx, now, &ChargeCreated::of(&payment)).await?;
        Ok(payment)
    }
}

fn refused_token(error: GatewayError) -> PaymentError {
    match error {
        GatewayError::Refused(reason) => PaymentError::field("/token", reason.message),
        _ => PaymentError::NoGateway,
    }
}

fn written(new: &NewPayment, charge: Charge, state: State, now: Timestamp) -> Payment {
    Payment {
        id: PaymentId::fresh(),
        purpose: new.purpose.to_owned(),
        subject: new.subject.clone(),
        payer: new.payer.clone(),
        amount: new.amount,
        refunded_minor: 0,
        refunding_minor: 0,
        state,
        gateway: charge.gateway,
        reference: None,
        method: charge.view,
        failure: None,
        next_action: None,
        description: new.description.clone(),
        version: 1,
        created_at: now,
        updated_at: now,
        instrument: charge.code,
        wish: Wish::Capture,
        attempts: 0,
    }
}

/// Whether it was written; else the key named another payment before.
async fn insert(
    tx: &mut Tx,
    payment: &Payment,
    key: Option<&str>,
    means: Option<&str>,
) -> Result<bool, PaymentError> {
    let is_captured = payment.state == State::Captured;
    let captured = if is_captured { payment.amount.minor } else { 0 };
    let due = (!is_captured).then(|| payment.created_at.after(GATEWAY_PATIENCE));
    let (brand, last4) = payment.method.as_ref().map(|view| (&view.brand, &view.last4)).unzip();
    let currency = payment.amount.currency.code();
    let row = args![
        payment.id,
        payment.purpose,
        payment.subject,
        payment.payer,
        payment.amount.minor,
        currency,
        captured,
        payment.state,
        payment.gateway,
        payment.instrument,
        brand,
        last4,
        payment.description,
        key,
        due,
        payment.created_at,
        means,
    ];
    Ok(tx.execute(&sql::INSERT_PAYMENT, row).await? == 1)
}

/// The payment that the key named before, if it was for the same and is paid in the same way.
async fn known(tx: &mut Tx, new: &NewPayment, means: Option<&str>) -> Result<Payment, PaymentError> {
    let known: Payment = tx.one(&sql::FIND_PAYMENT_BY_KEY, args![new.payer, new.key]).await?;
    let (before,): (Option<String>,) = tx.one(&sql::FIND_MEANS, args![known.id]).await?;
    let is_same = known.purpose == new.purpose && known.subject == new.subject && known.amount == new.amount;
    // Payments from before this was kept say nothing.
    let is_same_way = before.is_none() || before.as_deref() == means;
    if is_same && is_same_way { Ok(known) } else { Err(PaymentError::KeyReused) }
}
