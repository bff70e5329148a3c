//! Saved payment methods.

use std::sync::Arc;

use identity::audit::{self, Outcome};
use identity::orgs::OrgRole;
use identity::{AccountId, Action, Caller, Subject};
use store::{Tx, args};
use web::idempotency::{Key, Request, Stored, once};

use crate::error::PaymentError;
use crate::gateway::{Gateway, GatewayError, Instrument, Kept};
use crate::method::{Method, MethodId};
use crate::sandbox::{self, Card};
use crate::{Payments, sql};

/// How many cards one account may save.
const MOST: u32 = 20;

/// A card that is to be saved.
#[derive(Clone, Debug)]
pub enum NewMethod {
    /// A test card of the sandbox.
    Card(Card),
    /// A token of the gateway: `pm_…` of Stripe's script, `tok_visa` in the sandbox.
    Token(String),
}

/// Who keeps a card, what is kept of it, and the month and year after which it is void, where that was typed.
type Accepted = (Arc<dyn Gateway>, Instrument, Option<(u32, u32)>);

impl Payments {
    /// The cards of the caller, or of an organisation that they administer, the default one first.
    ///
    /// # Errors
    /// [`PaymentError::Identity`] for a stranger; [`PaymentError::NotFound`] for an organisation that is not theirs.
    pub async fn methods(&self, by: &Caller, org: Option<&str>) -> Result<Vec<Method>, PaymentError> {
        by.may(Action::Buy, &Subject::Market)?;
        let account = whose(by, org)?;
        self.store.read(async move |tx: &mut Tx| methods_of(tx, &account).await).await
    }

    /// Saves a card at the gateway and keeps what people may see of it: a [`Method`] as JSON. The first one is the
    /// default. The same key gives the same card.
    ///
    /// # Errors
    /// As [`Payments::methods`]; wrong card fields; [`PaymentError::Gateway`] when the bank refuses the card.
    pub async fn add_method(
        &self,
        by: &Caller,
        org: Option<&str>,
        new: &NewMethod,
        is_default: bool,
        key: Key,
    ) -> Result<Stored, PaymentError> {
        by.may(Action::Buy, &Subject::Market)?;
        let account = whose(by, org)?;
        let (gateway, instrument, expires) = self.accept(by, new)?;
        let (name, owner) = (gateway.name(), account.clone());
        let look = async move |tx: &mut Tx| {
            let customer: Option<(String,)> = tx.first(&sql::FIND_CUSTOMER, args![owner, name]).await?;
            let (count,): (u32,) = tx.one(&sql::COUNT_METHODS, args![owner]).await?;
            if count >= MOST {
                return Err(PaymentError::field("/card", format!("At most {MOST} cards can be saved.")));
            }
            Ok::<_, PaymentError>(customer.map(|(customer,)| customer))
        };
        let customer = self.store.read(look).await?;
        let kept = gateway.keep(customer.as_deref(), account.as_str(), &instrument).await;
        let (customer, mut kept) = kept.map_err(refused)?;
        if let Some((month, year)) = expires {
            (kept.exp_month, kept.exp_year) = (month, year);
        }
        // The outcome code stands for the card here: a fingerprint of its number could be undone.
        let scope = format!("{account} POST /api/payments/methods");
        let (by, request) = (by.clone(), Request::new(key, scope, &(&instrument.code, is_default)));
        let write = async move |tx: &mut Tx| {
            if let Some(customer) = &customer {
                tx.execute(&sql::INSERT_CUSTOMER, args![account, name, customer]).await?;
            }
            let save = async |tx: &mut Tx| save(tx, &by, &account, name, &kept, is_default).await;
            once(tx, &request, by.now(), 201, save).await
        };
        self.store.write(write).await
    }

    /// Prepares a card to be saved from the browser with the gateway's own script: answers with the secret for it.
    /// What the script gives back is saved by [`Payments::add_method`].
    ///
    /// # Errors
    /// As [`Payments::methods`]; [`PaymentError::NoGateway`] where the gateway has no such script.
    pub async fn prepare_method(
        &self,
        by: &Caller,
        org: Option<&str>,
        key: &str,
    ) -> Result<String, PaymentError> {
        by.may(Action::Buy, &Subject::Market)?;
        let account = whose(by, org)?;
        let gateway = self.default_gateway().ok_or(PaymentError::NoGateway)?;
        let (name, owner) = (gateway.name(), account.clone());
        let look = async move |tx: &mut Tx| {
            let customer: Option<(String,)> = tx.first(&sql::FIND_CUSTOMER, args![owner, name]).await?;
            Ok::<_, PaymentError>(customer.map(|(customer,)| customer))
        };
        let known = self.store.read(look).await?;
        let key = format!("setup/{account}/{key}");
        let (customer, secret) =
            gateway.prepare(known.as_deref(), account.as_str(), &key).await.map_err(refused)?;
        let keep = async move |tx: &mut Tx| {
            tx.execute(&sql::INSERT_CUSTOMER, args![account, name, customer]).await?;
            Ok::<_, PaymentError>(())
        };
        self.store.write(keep).await?;
        Ok(secret)
    }

    fn accept(&self, by: &Caller, new: &NewMethod) -> Result<Accepted, PaymentError> {
        match new {
            NewMethod::Card(card) => {
                let gateway = self.gateway(sandbox::NAME).ok_or(PaymentError::NoGateway)?;
                let checked = card.check("/card", by.now()).map_err(PaymentError::Invalid)?;
                Ok((gateway, checked.card.instrument(), Some((checked.exp_month, checked.exp_year))))
            }
            NewMethod::Token(token) => {
                let gateway = self.default_gateway().ok_or(PaymentError::NoGateway)?;
                let instrument = gateway.resolve(token).map_err(|error| match error {
                    GatewayError::Refused(reason) => PaymentError::field("/token", reason.message),
                    _ => PaymentError::NoGateway,
                })?;
                Ok((gateway, instrument, None))
            }
        }
    }

    /// Makes a card the default one.
    ///
    /// # Errors
    /// [`PaymentError::NotFound`], also for a card of somebody else.
    pub async fn set_default_method(&self, by: &Caller, id: &MethodId) -> Result<Method, PaymentError> {
        let method = self.own_method(by, id).await?;
        let by = by.clone();
        let write = async move |tx: &mut Tx| {
            tx.execute(&sql::CLEAR_DEFAULT, args![method.account]).await?;
            if tx.execute(&sql::SET_DEFAULT, args![method.id, method.account]).await? != 1 {
                return Err(PaymentError::NotFound("payment method"));
            }
            record(tx, &by, "payment_method.default", &method).await?;
            Ok(Method { is_default: true, ..method.clone() })
        };
        self.store.write(write).await
    }

    /// Forgets a card, first at the gateway, then here. The newest of the others becomes the default.
    ///
    /// # Errors
    /// [`PaymentError::NotFound`], also for a card of somebody else; [`PaymentError::Unreachable`]: it is still saved.
    pub async fn delete_method(&self, by: &Caller, id: &MethodId) -> Result<(), PaymentError> {
        let method = self.own_method(by, id).await?;
        if let Some(gateway) = self.gateway(method.gateway) {
            gateway.forget(&method.instrument).await.map_err(refused)?;
        }
        let by = by.clone();
        let write = async move |tx: &mut Tx| {
            tx.execute(&sql::DELETE_METHOD, args![method.id, method.account]).await?;
            tx.execute(&sql::SET_NEWEST_DEFAULT, args![method.account]).await?;
            record(tx, &by, "payment_method.deleted", &method).await?;
            Ok::<_, PaymentError>(())
        };
        self.store.write(write).await
    }

    async fn own_method(&self, by: &Caller, id: &MethodId) -> Result<Method, PaymentError> {
        let actor = by.may(Action::Buy, &Subject::Market)?;
        let id = id.clone();
        let find = async move |tx: &mut Tx| {
            Ok::<Option<Method>, PaymentError>(tx.first(&sql::FIND_METHOD, args![id]).await?)
        };
        let method = self.store.read(find).await?;
        let own = method.filter(|method| actor.speaks_for(&method.account, OrgRole::Admin));
        own.ok_or(PaymentError::NotFound("payment method"))
    }

    /// The cards of an account, the default one first, in any transaction: for the rooms above.
    ///
    /// # Errors
    /// [`PaymentError`] when the database failed.
    pub async fn methods_of(tx: &mut Tx, account: &AccountId) -> Result<Vec<Method>, PaymentError> {
        methods_of(tx, account).await
    }
}

async fn methods_of(tx: &mut Tx, account: &AccountId) -> Result<Vec<Method>, PaymentError> {
    Ok(tx.all(&sql::LIST_METHODS, args![account]).await?)
}

/// The account whose cards are meant.
fn whose(by: &Caller, org: Option<&str>) -> Result<AccountId, PaymentError> {
    by.account()?.account_in(org, OrgRole::Admin).ok_or(PaymentError::NotFound("organisation"))
}

fn refused(error: GatewayError) -> PaymentError {
    match error {
        GatewayError::Refused(reason) => PaymentError::Gateway(reason),
        GatewayError::Unreachable(note) => {
            tracing::warn!(note, "the gateway did not answer");
            PaymentError::Unreachable
        }
        GatewayError::NotOffered => PaymentError::NoGateway,
    }
}

async fn save(
    tx: &mut Tx,
    by: &Caller,
    account: &AccountId,
    gateway: &'static str,
    kept: &Kept,
    wants_default: bool,
) -> Result<Method, PaymentError> {
    // Stripe's own ids are unique; sandbox cards are all alike, and may be saved twice.
    if gateway != sandbox::NAME {
        let row = args![account, gateway, kept.instrument];
        if let Some(known) = tx.first(&sql::FIND_METHOD_BY_INSTRUMENT, row).await? {
            return Ok(known);
        }
    }
    let others = methods_of(tx, account).await?;
    let is_default = wants_default || others.is_empty();
    if is_default {
        tx.execute(&sql::CLEAR_DEFAULT, args![account]).await?;
    }
    let method = Method {
        id: MethodId::fresh(),
        account: account.clone(),
        gateway,
        view: kept.view.clone(),
        exp_month: kept.exp_month,
        exp_year: kept.exp_year,
        is_default,
        created_at: by.now(),
        instrument: kept.instrument.clone(),
    };
    let row = args![
        method.id,
        method.account,
        gateway,
        method.instrument,
        method.view.brand,
        method.view.last4,
        method.exp_month,
        method.exp_year,
        is_default,
        method.created_at,
    ];
    tx.execute(&sql::INSERT_METHOD, row).await?;
    record(tx, by, "payment_method.added", &method).await?;
    Ok(method)
}

async fn record(tx: &mut Tx, by: &Caller, action: &str, method: &Method) -> Result<(), PaymentError> {
    let details = serde_json::json!({ "account": method.account, "brand": method.view.brand, "last4": method.view.last4 });
    audit::record(tx, by, action, method.id.as_str(), Outcome::Done, &details).await?;
    Ok(())
}
