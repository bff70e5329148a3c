//! What buyers and sellers set: how the next invoices are paid, at which cost to be told, what stands on invoices.

use std::time::Duration;

use identity::audit::{self, Outcome};
use identity::orgs::OrgRole;
use identity::{AccountId, Action, Caller, Subject};
use kernel::Timestamp;
use payments::Payments;
use serde::Serialize;
use store::{Tx, args};
use web::Expected;

use crate::cancel::may_change;
use crate::error::BillingError;
use crate::events::{About, SubscriptionUpdated};
use crate::invoice::{Invoice, Kind};
use crate::look::Side;
use crate::room::Billing;
use crate::sql;
use crate::subscription::{PayBy, Subscription, SubscriptionId};
use crate::write::{change, change_invoice, lock};

/// The longest text that a seller puts on invoices, in characters.
const MAX_DETAILS: usize = 600;

/// What a buyer sets. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// How the next invoices are paid.
    pub pay_by: Option<PayBy>,
    /// At which cost of a period to be told, in minor units; `Some(None)`: never.
    pub limit_minor: Option<Option<i64>>,
}

/// How a seller bills.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SellerSetting {
    /// Whether who leaves at once gets the unused part back; absent: as the market is set.
    pub refund_unused: Option<bool>,
    /// Name, address, tax number: what stands on invoices.
    pub details: String,
    /// Grows with every change; 0 where nothing was set.
    pub version: i64,
}
store::row!(SellerSetting { refund_unused, details, version });

/// New details stand on documents that are written a little later: those that are written while they are changed, and
/// perhaps seen before the change can be, keep the old ones.
const NEW_DETAILS_AFTER: Duration = Duration::from_secs(2);

impl Billing {
    /// Changes how a subscription is paid, or its limit. What is open is tried at once with the new way to pay.
    ///
    /// # Errors
    /// [`BillingError::NotFound`] for everybody but the buyer; [`BillingError::Invalid`] for a card of somebody else;
    /// [`BillingError::WrongState`], [`BillingError::Stale`].
    pub async fn manage(
        &self,
        by: &Caller,
        id: &SubscriptionId,
        manner: Manner,
        expected: Expected,
    ) -> Result<Subscription, BillingError> {
        let (by, of, now) = (by.clone(), id.clone(), by.now());
        let write = async move |tx: &mut Tx| {
            let sub = lock(tx, &of).await?;
            if may_change(&by, &sub)? != Side::Buyer {
                return Err(BillingError::NotFound("subscription"));
            }
            if !sub.state.is_live() {
                return Err(BillingError::WrongState(sub.state));
            }
            expected.check(sub.version)?;
            let mut after = sub.clone();
            if let Some(pay_by) = &manner.pay_by {
                is_own(tx, &sub.buyer, pay_by).await?;
                after.pay_by = pay_by.clone();
                try_again(tx, now, &sub).await?;
            }
            if let Some(limit) = manner.limit_minor {
                if limit.is_some_and(|limit| !(1..=kernel::money::MAX_MINOR).contains(&limit)) {
                    return Err(BillingError::field("/limitMinor", "Write an amount above 0."));
                }
                (after.limit_minor, after.limit_told) = (limit, None);
            }
            let after = change(tx, now, &sub, after).await?;
            let details =
                serde_json::json!({ "payBy": after.pay_by.to_string(), "limitMinor": after.limit_minor });
            audit::record(tx, &by, "subscription.changed", of.as_str(), Outcome::Done, &details).await?;
            ::events::append(tx, now, &SubscriptionUpdated { about: About::of(&after) }).await?;
            Ok(after)
        };
        self.store.write(write).await
    }

    /// How the caller, or an organisation that it administers, bills.
    ///
    /// # Errors
    /// [`BillingError::NotFound`] for an organisation that is not the caller's; [`BillingError::Identity`].
    pub async fn seller_setting(
        &self,
        by: &Caller,
        org: Option<&str>,
    ) -> Result<SellerSetting, BillingError> {
        let seller = seller(by, org)?;
        self.store.read(async move |tx: &mut Tx| setting(tx, &seller).await).await
    }

    /// Changes that.
    ///
    /// # Errors
    /// As [`Billing::seller_setting`]; [`BillingError::Invalid`], [`BillingError::Stale`].
    pub async fn set_seller_setting(
        &self,
        by: &Caller,
        org: Option<&str>,
        new: SellerSetting,
        expected: Expected,
    ) -> Result<SellerSetting, BillingError> {
        let (seller, by, now) = (seller(by, org)?, by.clone(), by.now());
        if new.details.chars().count() > MAX_DETAILS {
            return Err(BillingError::field("/details", "At most 600 characters."));
        }
        let write = async move |tx: &mut Tx| {
            let before = setting(tx, &seller).await?;
            expected.check(before.version)?;
            let details = new.details.trim();
            if details != before.details {
                let until = now.after(NEW_DETAILS_AFTER);
                tx.execute(&sql::KEEP_DETAILS, args![seller, until, before.details]).await?;
            }
            tx.execute(&sql::SET_SELLER, args![seller, new.refund_unused, details, now]).await?;
            let told = serde_json::json!({ "refundUnused": new.refund_unused });
            audit::record(tx, &by, "billing.seller_set", seller.as_str(), Outcome::Done, &told).await?;
            setting(tx, &seller).await
        };
        self.store.write(write).await
    }
}

/// The account in whose name the caller sells.
pub(crate) fn seller(by: &Caller, org: Option<&str>) -> Result<AccountId, BillingError> {
    let actor = by.may(Action::Sell, &Subject::Market)?;
    let org = org.filter(|org| !org.is_empty());
    actor.account_in(org, OrgRole::Admin).ok_or(BillingError::NotFound("organisation"))
}

pub(crate) async fn setting(tx: &mut Tx, seller: &AccountId) -> Result<SellerSetting, BillingError> {
    let found: Option<SellerSetting> = tx.first(&sql::FIND_SELLER, args![seller]).await?;
    Ok(found.unwrap_or_default())
}

/// What a seller puts on documents that were written at this moment.
pub(crate) async fn details_at(
    tx: &mut Tx,
    seller: &AccountId,
    at: Timestamp,
) -> Result<String, BillingError> {
    let former: Option<(String,)> = tx.first(&sql::FIND_FORMER_DETAILS, args![seller, at]).await?;
    match former {
        Some((details,)) => Ok(details),
        None => Ok(setting(tx, seller).await?.details),
    }
}

/// Whether who leaves at once gets the unused part back: as is said, as the seller is set, as the market is set.
pub(crate) async fn refund_unused(
    tx: &mut Tx,
    room: &Billing,
    sub: &Subscription,
    said: Option<bool>,
) -> Result<bool, BillingError> {
    if let Some(said) = said {
        return Ok(said);
    }
    Ok(setting(tx, &sub.seller).await?.refund_unused.unwrap_or(room.settings.refund_unused))
}

async fn is_own(tx: &mut Tx, buyer: &AccountId, pay_by: &PayBy) -> Result<(), BillingError> {
    let PayBy::Method(id) = pay_by else { return Ok(()) };
    let methods = Payments::methods_of(tx, buyer).await?;
    match methods.iter().any(|method| method.id == *id) {
        true => Ok(()),
        false => Err(BillingError::field("/payBy", "Choose one of the saved cards, or the wallet.")),
    }
}

/// What could not be paid is tried again now; who typed in a new card does not wait for days.
async fn try_again(tx: &mut Tx, now: Timestamp, sub: &Subscription) -> Result<(), BillingError> {
    let open: Vec<Invoice> = tx.all(&sql::LIST_OPEN, args![sub.id]).await?;
    for invoice in open.iter().filter(|invoice| invoice.kind == Kind::Period && invoice.attempt.is_none()) {
        let after = Invoice { next_attempt_at: Some(now), ..invoice.clone() };
        change_invoice(tx, now, invoice, after).await?;
    }
    Ok(())
}
