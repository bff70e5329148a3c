//! Metering: sellers report what was used. A record counts once, however often it is sent, and is on one invoice.

use std::collections::BTreeMap;
use std::time::Duration;

use identity::orgs::OrgRole;
use identity::{Action, Caller, Subject};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Tx, args};

use crate::error::BillingError;
use crate::events::{About, ThresholdReached};
use crate::room::Billing;
use crate::subscription::{Subscription, SubscriptionId};
use crate::write::{change, lock};
use crate::{mails, sql};

/// The most records of one batch.
pub(crate) const MAX_RECORDS: usize = 1_000;
/// The most units of one record.
const MAX_QUANTITY: i64 = 1_000_000_000;
/// How far a seller's clock may be ahead.
pub(crate) const AHEAD: Duration = Duration::from_secs(300);

/// What was used.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Usage {
    /// Who counted: a name that the seller chooses, at most 80 characters.
    pub source: String,
    /// Names the record among those of the source, at most 120 characters.
    pub id: String,
    /// Who used it.
    #[schema(value_type = String)]
    pub subscription_id: SubscriptionId,
    /// How many units: 1 to 1,000,000,000.
    pub quantity: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// A record that was not counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Refusal {
    /// Which one of the batch, from 0.
    pub index: usize,
    /// Of which source.
    pub source: String,
    /// Its id.
    pub id: String,
    /// A code as in problems: `billing.usage_late`.
    pub code: &'static str,
    /// Why, and what to do.
    pub detail: &'static str,
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Counted {
    /// How many were counted now.
    pub accepted: usize,
    /// How many were counted before.
    pub repeated: usize,
    /// Those that were not.
    pub refused: Vec<Refusal>,
}

impl Billing {
    /// Counts a batch, each record by itself: the answer says what became of every one. Sent again it changes nothing.
    ///
    /// # Errors
    /// [`BillingError::Identity`] for who may not sell; [`BillingError::Invalid`] for an empty batch or one of more
    /// than 1,000 records.
    pub async fn count(&self, by: &Caller, records: Vec<Usage>) -> Result<Counted, BillingError> {
        by.may(Action::Sell, &Subject::Market)?;
        if !(1..=MAX_RECORDS).contains(&records.len()) {
            return Err(BillingError::field("/records", "Send 1 to 1,000 records."));
        }
        let (room, by, now) = (self.clone(), by.clone(), by.now());
        let write = async move |tx: &mut Tx| count(tx, now, &room, Some(&by), &records).await;
        self.store.write(write).await
    }

    /// Counts what this market itself measured for whoever sells it, such as the time that a service ran. As
    /// [`Billing::count`], without asking who may.
    ///
    /// # Errors
    /// [`BillingError::Invalid`] for an empty batch or one of more than 1,000 records.
    pub async fn count_measured(&self, records: Vec<Usage>) -> Result<Counted, BillingError> {
        if !(1..=MAX_RECORDS).contains(&records.len()) {
            return Err(BillingError::field("/records", "Send 1 to 1,000 records."));
        }
        let (room, now) = (self.clone(), self.clock.now());
        let write = async move |tx: &mut Tx| count(tx, now, &room, None, &records).await;
        self.store.write(write).await
    }
}

async fn count(
    tx: &mut Tx,
    now: Timestamp,
    room: &Billing,
    by: Option<&Caller>,
    records: &[Usage],
) -> Result<Counted, BillingError> {
    let actor = by.map(Caller::account).transpose()?;
    let mut known: BTreeMap<&SubscriptionId, Option<Subscription>> = BTreeMap::new();
    // Locked in the order of their ids, so that two batches never wait for each other.
    for record in records {
        known.entry(&record.subscription_id).or_default();
    }
    for (id, sub) in &mut known {
        let found = match lock(tx, id).await {
            Ok(found) => Some(found),
            Err(BillingError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        *sub = found.filter(|sub| actor.is_none_or(|actor| actor.speaks_for(&sub.seller, OrgRole::Admin)));
    }
    let mut counted = Counted::default();
    let mut added: BTreeMap<&SubscriptionId, i64> = BTreeMap::new();
    for (index, record) in records.iter().enumerate() {
        let sub = known.get(&record.subscription_id).and_then(Option::as_ref);
        let before = added.get(&record.subscription_id).copied().unwrap_or_default();
        match one(tx, now, room, sub, record, before).await? {
            Ok(true) => {
                counted.accepted += 1;
                *added.entry(&record.subscription_id).or_default() += record.quantity;
            }
            Ok(false) => counted.repeated += 1,
            Err((code, detail)) => {
                let (source, id) = (record.source.clone(), record.id.clone());
                counted.refused.push(Refusal { index, source, id, code, detail });
            }
        }
    }
    for (id, units) in added {
        if let Some(Some(sub)) = known.get(id) {
            add(tx, now, sub, units).await?;
        }
    }
    Ok(counted)
}

type Why = (&'static str, &'static str);

/// Whether a record is counted now, or why it cannot be.
async fn one(
    tx: &mut Tx,
    now: Timestamp,
    room: &Billing,
    sub: Option<&Subscription>,
    record: &Usage,
    before: i64,
) -> Result<Result<bool, Why>, BillingError> {
    let Some(sub) = sub else {
        return Ok(Err(("billing.missing", "There is no such subscription among your sales.")));
    };
    let row = args![sub.seller, record.source, record.id];
    let known: Option<(SubscriptionId, i64, Timestamp)> = tx.first(&sql::FIND_USAGE, row).await?;
    if let Some((subscription, quantity, at)) = known {
        let is_same = subscription == sub.id && quantity == record.quantity && at == record.at;
        return Ok(if is_same {
            Ok(false)
        } else {
            Err(("billing.usage_reused", "This id was counted before with another content. Use a fresh one."))
        });
    }
    if let Err(why) = fits(sub, record, now, room.settings.usage_late, before) {
        return Ok(Err(why));
    }
    let (r, seller) = (record, &sub.seller);
    let row = args![seller, r.source, r.id, sub.id, r.quantity, r.at, now];
    Ok(Ok(tx.execute(&sql::INSERT_USAGE, row).await? == 1))
}

/// Whether a new record can be counted.
fn fits(sub: &Subscription, record: &Usage, now: Timestamp, late: Duration, before: i64) -> Result<(), Why> {
    let length = |text: &str, most: usize| (1..=most).contains(&text.trim().chars().count());
    if !length(&record.source, 80) || !length(&record.id, 120) {
        return Err(("billing.invalid", "Name the source (1 to 80 characters) and the record (1 to 120)."));
    }
    if !(1..=MAX_QUANTITY).contains(&record.quantity) {
        return Err(("billing.invalid", "The quantity is 1 to 1,000,000,000."));
    }
    if sub.meter.is_none() {
        return Err(("billing.invalid", "This subscription is not metered."));
    }
    if !sub.state.is_live() {
        return Err(("billing.wrong_state", "The subscription is over; nothing more is billed for it."));
    }
    if record.at < sub.created_at.before(AHEAD) || record.at > now.after(AHEAD) {
        return Err(("billing.usage_early", "The time is before the subscription began, or in the future."));
    }
    if record.at < now.before(late) {
        return Err(("billing.usage_late", "The record is too old to be billed."));
    }
    let units = sub.open_quantity.checked_add(before).and_then(|units| units.checked_add(record.quantity));
    match units.map(|units| sub.cost_of(units)) {
        Some(Ok(_)) => Ok(()),
        _ => Err(("billing.amount", "With this record the period would cost more than anything may.")),
    }
}

/// Adds to what is used, and tells the buyer once per period when the limit is reached.
async fn add(tx: &mut Tx, now: Timestamp, sub: &Subscription, units: i64) -> Result<(), BillingError> {
    let open_quantity = sub.open_quantity + units;
    let mut after = Subscription { open_quantity, ..sub.clone() };
    let cost = after.cost_of(open_quantity)?;
    let limit = sub.limit_minor.filter(|limit| cost.minor >= *limit && sub.limit_told != Some(sub.number));
    if limit.is_some() {
        after.limit_told = Some(sub.number);
    }
    let after = change(tx, now, sub, after).await?;
    if let Some(limit_minor) = limit {
        let reached = ThresholdReached {
            about: About::of(&after),
            current_cost: cost.major_number(),
            current_cost_minor: cost.minor,
            limit_minor,
        };
        ::events::append(tx, now, &reached).await?;
        mails::threshold(tx, now, &after, cost).await?;
    }
    Ok(())
}
