//! Reading payments: one's own, and everybody's for operators. Refunds by an operator's hand.

use identity::audit::{self, Outcome};
use identity::orgs::OrgRole;
use identity::{AccountId, Action, Caller, Subject};
use kernel::{Page, Paging};
use store::{Tx, args};

use crate::dispute::Dispute;
use crate::error::PaymentError;
use crate::payment::{Payment, PaymentId};
use crate::refund::{NewRefund, Refund};
use crate::submit::find;
use crate::{Payments, sql};

/// A payment with what became of it.
#[derive(Clone, Debug)]
pub struct PaymentDetails {
    /// The payment.
    pub payment: Payment,
    /// Its refunds, oldest first.
    pub refunds: Vec<Refund>,
    /// Its disputes, oldest first.
    pub disputes: Vec<Dispute>,
}

impl Payments {
    /// A payment of the caller's own, or of an organisation of theirs; any for operators.
    ///
    /// # Errors
    /// [`PaymentError::NotFound`] also for a stranger to it: that it exists is nobody's business.
    pub async fn payment(&self, by: &Caller, id: &PaymentId) -> Result<PaymentDetails, PaymentError> {
        let actor = by.may(Action::Read, &Subject::Market)?;
        let is_operator = by.may(Action::OperateMarket, &Subject::Market).is_ok();
        let id = id.clone();
        let look = async move |tx: &mut Tx| {
            let payment = find(tx, &id).await?;
            let refunds = tx.all(&sql::LIST_REFUNDS, args![id]).await?;
            let disputes = tx.all(&sql::LIST_DISPUTES, args![id]).await?;
            Ok::<_, PaymentError>(PaymentDetails { payment, refunds, disputes })
        };
        let found = self.store.read(look).await?;
        let is_own = actor.speaks_for(&found.payment.payer, OrgRole::Member);
        if is_own || is_operator { Ok(found) } else { Err(PaymentError::NotFound("payment")) }
    }

    /// A payment that the caller may pay: their own, or of an organisation that they administer.
    pub(crate) async fn payable(&self, by: &Caller, id: &PaymentId) -> Result<Payment, PaymentError> {
        let actor = by.account()?;
        let payment = self.find(id).await?;
        let may = actor.speaks_for(&payment.payer, OrgRole::Admin);
        if may { Ok(payment) } else { Err(PaymentError::NotFound("payment")) }
    }

    /// The caller's payments and those of their organisations, newest first.
    ///
    /// # Errors
    /// [`PaymentError::Identity`] for a stranger.
    pub async fn own_payments(&self, by: &Caller, paging: Paging) -> Result<Page<Payment>, PaymentError> {
        let actor = by.may(Action::Read, &Subject::Market)?;
        let payers = store::json_list(actor.accounts().map(|account| account.to_string()));
        let list = async move |tx: &mut Tx| {
            let row = args![payers, paging.limit, paging.offset];
            let items = tx.all(&sql::LIST_PAYMENTS_OF_PAYER, row).await?;
            let (total,) = tx.one(&sql::COUNT_PAYMENTS_OF_PAYER, args![payers]).await?;
            Ok::<_, PaymentError>(Page { items, total })
        };
        self.store.read(list).await
    }

    /// Everybody's payments: by an id, a subject, a payer or a gateway's reference, and by state. For operators.
    ///
    /// # Errors
    /// [`PaymentError::Identity`] for who is none.
    pub async fn search(
        &self,
        by: &Caller,
        text: &str,
        state: &str,
        paging: Paging,
    ) -> Result<Page<Payment>, PaymentError> {
        by.may(Action::OperateMarket, &Subject::Market)?;
        let (text, state) = (text.trim().to_owned(), state.to_owned());
        let list = async move |tx: &mut Tx| {
            let row = args![text, state, paging.limit, paging.offset];
            let items = tx.all(&sql::SEARCH_PAYMENTS, row).await?;
            let (total,) = tx.one(&sql::COUNT_SEARCHED_PAYMENTS, args![text, state]).await?;
            Ok::<_, PaymentError>(Page { items, total })
        };
        self.store.read(list).await
    }

    /// Refunds by an operator's hand.
    ///
    /// # Errors
    /// As [`Payments::begin_refund`]; [`PaymentError::Identity`] for who is no operator.
    pub async fn refund(&self, by: &Caller, new: NewRefund) -> Result<Refund, PaymentError> {
        by.may(Action::OperateMarket, &Subject::Market)?;
        let (room, by) = (self.clone(), by.clone());
        let write = async move |tx: &mut Tx| {
            let refund = room.begin_refund(tx, by.now(), &new).await?;
            let details = serde_json::json!({ "amountMinor": new.amount.minor, "reason": new.reason });
            audit::record(tx, &by, "payment.refunded", new.payment.as_str(), Outcome::Done, &details).await?;
            Ok::<_, PaymentError>(refund)
        };
        let refund = self.store.write(write).await?;
        self.submit_refund(&refund.id).await
    }

    /// Asks the gateway about a payment now. For operators, when something hangs.
    ///
    /// # Errors
    /// [`PaymentError::NotFound`]; [`PaymentError::Identity`] for who is no operator.
    pub async fn ask_now(&self, by: &Caller, id: &PaymentId) -> Result<Payment, PaymentError> {
        by.may(Action::OperateMarket, &Subject::Market)?;
        let payment = self.find(id).await?;
        self.go_on(vec![payment]).await;
        self.find(id).await
    }

    /// The payment that a payer has begun with this key, in any transaction: for the rooms above.
    ///
    /// # Errors
    /// [`PaymentError`] when the database failed.
    pub async fn of_key(tx: &mut Tx, payer: &AccountId, key: &str) -> Result<Option<Payment>, PaymentError> {
        Ok(tx.first(&sql::FIND_PAYMENT_BY_KEY, args![payer, key]).await?)
    }

    /// Every payment of a subject, oldest first, in any transaction: for the rooms above.
    ///
    /// # Errors
    /// [`PaymentError`] when the database failed.
    pub async fn of_subject(tx: &mut Tx, subject: &str) -> Result<Vec<Payment>, PaymentError> {
        Ok(tx.all(&sql::LIST_PAYMENTS_OF_SUBJECT, args![subject]).await?)
    }
}
