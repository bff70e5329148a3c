//! What payments are for, as people call it: one statement for the payments of a page, and one for each purpose.

use std::collections::{BTreeMap, HashMap};

use identity::{Action, Caller, Names, Subject};
use store::{Tx, args, json_list};

use crate::error::PaymentError;
use crate::payment::{Payment, PaymentId};
use crate::{Payments, sql};

/// What a payment is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidFor {
    /// The payment.
    pub payment: PaymentId,
    /// The name of the [`Purpose`](crate::Purpose): `order`, `top-up`, `invoice`.
    pub purpose: String,
    /// What people call it.
    pub name: String,
    /// Its page, where it has one.
    pub page: Option<String>,
}

/// Payments with everything that a table of them says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Described {
    /// What each is for.
    pub(crate) things: HashMap<PaymentId, PaidFor>,
    /// What their payers are called.
    pub(crate) payers: Names,
}

impl Described {
    /// What a payment is for, in words.
    pub(crate) fn name<'a>(&'a self, payment: &'a Payment) -> &'a str {
        self.things.get(&payment.id).map_or(&payment.description, |thing| &thing.name)
    }

    /// The page of what it is for; empty where there is none.
    pub(crate) fn page(&self, payment: &Payment) -> &str {
        self.things.get(&payment.id).and_then(|thing| thing.page.as_deref()).unwrap_or_default()
    }
}

impl Payments {
    /// The payments of these ids, in no order, in any transaction: for the rooms above.
    ///
    /// # Errors
    /// [`PaymentError`] when the database failed.
    pub async fn of_ids(tx: &mut Tx, ids: impl Iterator<Item = &str>) -> Result<Vec<Payment>, PaymentError> {
        Ok(tx.all(&sql::LIST_PAYMENTS_OF_IDS, args![json_list(ids)]).await?)
    }

    /// What these payments are for, by payment.
    ///
    /// # Errors
    /// [`PaymentError`] when the database failed.
    pub async fn paid_for(
        &self,
        tx: &mut Tx,
        payments: &[Payment],
    ) -> Result<HashMap<PaymentId, PaidFor>, PaymentError> {
        let mut purposes: BTreeMap<&str, Vec<&Payment>> = BTreeMap::new();
        for payment in payments {
            purposes.entry(&payment.purpose).or_default().push(payment);
        }
        let mut all = HashMap::with_capacity(payments.len());
        for (purpose, payments) in purposes {
            let served = self.purpose(purpose).ok();
            let mut names = HashMap::new();
            if let Some(served) = &served {
                let subjects: Vec<String> = payments.iter().map(|payment| payment.subject.clone()).collect();
                names = served.names(tx, &subjects).await?;
            }
            for payment in payments {
                let thing = PaidFor {
                    payment: payment.id.clone(),
                    purpose: purpose.to_owned(),
                    name: names.get(&payment.subject).unwrap_or(&payment.description).clone(),
                    page: served.as_ref().and_then(|served| served.page(&payment.subject)),
                };
                all.insert(payment.id.clone(), thing);
            }
        }
        Ok(all)
    }

    /// The same by what the journals of the ledger are named after: payments, refunds and disputes.
    ///
    /// # Errors
    /// [`PaymentError`] when the database failed.
    pub async fn behind(
        &self,
        tx: &mut Tx,
        references: impl Iterator<Item = &str>,
    ) -> Result<HashMap<String, PaidFor>, PaymentError> {
        let found: Vec<(String, PaymentId)> = tx.all(&sql::LIST_BEHIND, args![json_list(references)]).await?;
        if found.is_empty() {
            return Ok(HashMap::new());
        }
        let payments = Self::of_ids(tx, found.iter().map(|(_, payment)| payment.as_str())).await?;
        let things = self.paid_for(tx, &payments).await?;
        let named = |(reference, payment): (String, PaymentId)| {
            things.get(&payment).map(|thing| (reference, thing.clone()))
        };
        Ok(found.into_iter().filter_map(named).collect())
    }

    /// What a table of payments says beside what stands in them. For operators.
    pub(crate) async fn described(
        &self,
        by: &Caller,
        payments: &[Payment],
    ) -> Result<Described, PaymentError> {
        by.may(Action::OperateMarket, &Subject::Market)?;
        let (room, payments) = (self.clone(), payments.to_vec());
        let look = async move |tx: &mut Tx| {
            let things = room.paid_for(tx, &payments).await?;
            let payers = identity::names(tx, payments.iter().map(|payment| &payment.payer)).await?;
            Ok::<_, PaymentError>(Described { things, payers })
        };
        self.store.read(look).await
    }
}
