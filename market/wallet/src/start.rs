//! Beginning a top-up, by hand or by a rule.

use std::time::Duration;

use identity::audit::{self, Outcome};
use identity::orgs::OrgRole;
use identity::{AccountId, Action, Caller, Subject, UserId};
use kernel::{Currency, Money, Page, Paging, Timestamp};
use ledger::Account;
use payments::{NewPayment, Payment, PaymentError, Source};
use serde::{Deserialize, Serialize};
use store::{Tx, args};
use web::idempotency::{self, Request};

use crate::error::WalletError;
use crate::purpose::PURPOSE;
use crate::top_up::{Origin, TopUp, TopUpId, TopUpState};
use crate::{Wallets, sql};

/// How long somebody waits for the money that the bank has reserved; mostly it is there in a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often is looked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A top-up to be.
#[derive(Clone, Debug)]
pub struct NewTopUp {
    /// How much.
    pub amount: Money,
    /// How it is paid: anything but a wallet.
    pub source: Source,
}

/// What is kept under an `Idempotency-Key`.
#[derive(Serialize, Deserialize)]
struct Begun {
    id: TopUpId,
}

impl Wallets {
    /// Tops a wallet up: writes the top-up and its payment in one transaction, then asks the gateway outside of any.
    /// The same key and body answer with the same top-up, as it is now. See [`Wallets::arrival`] for the money.
    ///
    /// # Errors
    /// [`WalletError::Invalid`] outside of the limits; [`WalletError::TooFull`]; [`WalletError::Payment`] for wrong
    /// card fields; [`WalletError::NotFound`] for an organisation that the caller does not administer. That the bank
    /// declines is no error here: the top-up is `failed` then.
    pub async fn top_up(
        &self,
        by: &Caller,
        org: Option<&str>,
        new: &NewTopUp,
        request: Request,
    ) -> Result<(TopUp, Payment), WalletError> {
        let account = self.account(by, Action::Buy, org)?;
        let user = by.account()?.user.clone();
        self.settings.currency(new.amount.currency.code())?;
        self.settings.check_top_up("/amount", new.amount)?;
        if matches!(new.source, Source::Wallet) {
            return Err(WalletError::field("/source", "A wallet is topped up by card."));
        }
        let (room, by, new) = (self.clone(), by.clone(), new.clone());
        let write = async move |tx: &mut Tx| {
            let begin = async |tx: &mut Tx| {
                room.check_room(tx, &account, new.amount).await?;
                let source = new.source.clone();
                let top_up =
                    room.begin(tx, by.now(), &account, &user, Origin::Manual, new.amount, source).await?;
                let details = serde_json::json!({ "account": account, "amountMinor": new.amount.minor,
                    "currency": new.amount.currency });
                audit::record(tx, &by, "wallet.top_up_begun", top_up.id.as_str(), Outcome::Done, &details)
                    .await?;
                Ok::<_, WalletError>(Begun { id: top_up.id })
            };
            idempotency::once(tx, &request, by.now(), 201, begin).await
        };
        let stored = self.store.write(write).await?;
        let begun: Begun = serde_json::from_slice(&stored.body)
            .map_err(|error| store::StoreError::Database(error.to_string()))?;
        let top_up = self.find(&begun.id).await?;
        let payment = self.payments.find(&top_up.payment).await?;
        // What was begun before is asked for by the request that began it, or by the janitor of the payments.
        if stored.replayed || !payment.state.is_open() {
            return Ok((top_up, payment));
        }
        let payment = self.payments.submit(&payment).await?;
        Ok((self.find(&begun.id).await?, payment))
    }

    /// Whether a wallet can take this much beside what is on its way.
    async fn check_room(&self, tx: &mut Tx, account: &AccountId, amount: Money) -> Result<(), WalletError> {
        let held = expected(tx, account, amount.currency).await?;
        if self.settings.fits(held, amount)? {
            return Ok(());
        }
        let most = self.settings.most(amount.currency);
        let room = Money::new((most.minor - held.minor).max(0), amount.currency);
        Err(WalletError::TooFull { room, most })
    }

    /// Writes a top-up and its payment.
    #[allow(clippy::too_many_arguments)]
    pub(crate) async fn begin(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        account: &AccountId,
        user: &UserId,
        origin: Origin,
        amount: Money,
        source: Source,
    ) -> Result<TopUp, WalletError> {
        let id = TopUpId::fresh();
        let new = NewPayment {
            purpose: PURPOSE,
            subject: id.to_string(),
            payer: account.clone(),
            amount,
            source,
            key: None,
            description: format!("Top-up by {amount}"),
        };
        let payment = self.payments.begin(tx, now, &new).await?;
        let method = payment.method.as_ref().map(|view| format!("{} {}", view.brand, view.last4));
        let top_up = TopUp {
            id,
            account: account.clone(),
            amount,
            origin,
            state: TopUpState::Pending,
            payment: payment.id,
            method: method.unwrap_or_default(),
            failure: None,
            refunded_minor: 0,
            created_by: user.clone(),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let (minor, currency) = (amount.minor, amount.currency.code());
        let row =
            args![top_up.id, account, currency, minor, origin, top_up.payment, top_up.method, user, now];
        tx.execute(&sql::INSERT_TOP_UP, row).await?;
        Ok(top_up)
    }

    /// The top-up once its money has arrived or it has ended otherwise; as it is when that takes longer than two
    /// seconds, or the buyer has to do something first.
    ///
    /// # Errors
    /// [`WalletError`] when the database failed.
    pub async fn arrival(&self, top_up: TopUp, payment: &Payment) -> Result<TopUp, WalletError> {
        let is_near = payment.state == payments::State::Authorised;
        if !is_near || top_up.state != TopUpState::Pending {
            return Ok(top_up);
        }
        let mut latest = top_up;
        let wait = async {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                latest = self.find(&latest.id).await?;
                if latest.state != TopUpState::Pending {
                    return Ok::<_, WalletError>(());
                }
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(Err(error)) => Err(error),
            _ => Ok(latest),
        }
    }

    async fn find(&self, id: &TopUpId) -> Result<TopUp, WalletError> {
        let id = id.clone();
        self.store.read(async move |tx: &mut Tx| find(tx, &id).await).await
    }

    /// A top-up of the caller's own, or of an organisation which they administer; any for operators. With its payment.
    ///
    /// # Errors
    /// [`WalletError::NotFound`], also for somebody else's.
    pub async fn top_up_of(&self, by: &Caller, id: &TopUpId) -> Result<(TopUp, Payment), WalletError> {
        let actor = by.may(Action::Read, &Subject::Market)?;
        let is_operator = by.may(Action::OperateMarket, &Subject::Market).is_ok();
        let top_up = self.find(id).await?;
        if !is_operator && !actor.speaks_for(&top_up.account, OrgRole::Admin) {
            return Err(WalletError::NotFound("top-up"));
        }
        let payment = self.payments.find(&top_up.payment).await?;
        Ok((top_up, payment))
    }

    /// The top-ups of a wallet, newest first.
    ///
    /// # Errors
    /// [`WalletError::NotFound`] for an organisation that the caller does not administer.
    pub async fn top_ups(
        &self,
        by: &Caller,
        org: Option<&str>,
        currency: Currency,
        paging: Paging,
    ) -> Result<Page<TopUp>, WalletError> {
        let account = self.account(by, Action::Read, org)?;
        let list = async move |tx: &mut Tx| {
            let code = currency.code();
            let items = tx.all(&sql::LIST_TOP_UPS, args![account, code, paging.limit, paging.offset]).await?;
            let (total,) = tx.one(&sql::COUNT_TOP_UPS, args![account, code]).await?;
            Ok::<_, WalletError>(Page { items, total })
        };
        self.store.read(list).await
    }
}

/// What a wallet has with what is on its way into it.
pub(crate) async fn expected(
    tx: &mut Tx,
    account: &AccountId,
    currency: Currency,
) -> Result<Money, WalletError> {
    let balance = ledger::balance(tx, &Account::Wallet(account.clone()), currency).await?;
    let (pending,): (i64,) = tx.one(&sql::SUM_PENDING, args![account, currency.code()]).await?;
    Ok(balance.posted.plus(Money::new(pending, currency))?)
}

/// A top-up in any transaction.
pub(crate) async fn find(tx: &mut Tx, id: &TopUpId) -> Result<TopUp, WalletError> {
    tx.first(&sql::FIND_TOP_UP, args![id]).await?.ok_or(WalletError::NotFound("top-up"))
}

/// The top-up that a payment pays.
pub(crate) async fn of_payment(tx: &mut Tx, payment: &Payment) -> Result<TopUp, PaymentError> {
    let found: Option<TopUp> = tx.first(&sql::FIND_TOP_UP_OF_PAYMENT, args![payment.id]).await?;
    found.ok_or(PaymentError::NotFound("top-up"))
}
