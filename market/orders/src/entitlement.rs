//! What an account may use: given by a paid order or a subscription, ended by a refund or a lapse.

use std::collections::HashMap;

use identity::AccountId;
use kernel::{Page, Paging, Timestamp};
use serde::Serialize;
use store::{StoreError, Tx, args, json_list};

use crate::events::{EntitlementEnded, EntitlementStarted};
use crate::order::{Line, Order};
use crate::sql;

kernel::id!(
    /// One entitlement.
    EntitlementId,
    "entitlement"
);
store::id_values!(EntitlementId);

/// Something that an account may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entitlement {
    /// Its id. It follows from the source, so that the same source gives it once.
    #[schema(value_type = String)]
    pub id: EntitlementId,
    /// Who may.
    #[schema(value_type = String)]
    pub account: AccountId,
    /// What: the id of the thing in its room, or of its listing.
    pub subject: String,
    /// What kind of thing it is.
    pub kind: String,
    /// What people call it.
    pub title: String,
    /// The order or subscription that gave it.
    pub source: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// Until when, where it is known beforehand.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
    /// When it was taken back.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Grows with every change.
    pub version: i64,
}

store::row!(Entitlement {
    id,
    account,
    subject,
    kind,
    title,
    source,
    started_at,
    ends_at,
    ended_at,
    version
});

/// An entitlement to be given.
#[derive(Clone, Debug)]
pub struct NewEntitlement {
    /// To whom.
    pub account: AccountId,
    /// For what: the id of the thing in its room, or of its listing.
    pub subject: String,
    /// What kind of thing it is.
    pub kind: catalog::Kind,
    /// What people call it.
    pub title: String,
    /// The order or subscription that gives it.
    pub source: String,
    /// Which of the source's, from 1.
    pub number: u32,
    /// Until when, where it is known beforehand.
    pub ends_at: Option<Timestamp>,
}

/// The id of the entitlement that a source gives for its line.
#[must_use]
pub fn id_of(source: &str, number: u32) -> EntitlementId {
    let tail = source.split_once('-').map_or(source, |(_, tail)| tail);
    // Ids hold nothing that an id may not hold; the fallback is never taken.
    format!("entitlement-{tail}-{number}").parse().unwrap_or_else(|_| EntitlementId::fresh())
}

/// Lets an account use something. The same source and number again change nothing.
///
/// # Errors
/// [`StoreError`].
pub async fn give(tx: &mut Tx, now: Timestamp, new: &NewEntitlement) -> Result<(), StoreError> {
    let entitlement = Entitlement {
        id: id_of(&new.source, new.number),
        account: new.account.clone(),
        subject: new.subject.clone(),
        kind: new.kind.as_str().to_owned(),
        title: new.title.clone(),
        source: new.source.clone(),
        started_at: now,
        ends_at: new.ends_at,
        ended_at: None,
        version: 1,
    };
    let e = &entitlement;
    let row = args![e.id, e.account, e.subject, e.kind, e.title, e.source, e.started_at, e.ends_at];
    if tx.execute(&sql::INSERT_ENTITLEMENT, row).await? == 1 {
        events::append(tx, now, &EntitlementStarted { entitlement }).await?;
    }
    Ok(())
}

/// Gives what the lines of a paid order name.
pub(crate) async fn give_lines(
    tx: &mut Tx,
    now: Timestamp,
    order: &Order,
    lines: &[Line],
) -> Result<(), StoreError> {
    for line in lines {
        let new = NewEntitlement {
            account: order.buyer.clone(),
            subject: line.thing().to_owned(),
            kind: line.kind,
            title: line.title.clone(),
            source: order.id.to_string(),
            number: line.number,
            ends_at: None,
        };
        give(tx, now, &new).await?;
    }
    Ok(())
}

/// Moves the known end of what a source gave for its line, such as a subscription that was paid for another month.
/// What was ended before starts again.
///
/// # Errors
/// [`StoreError`].
pub async fn prolong(
    tx: &mut Tx,
    now: Timestamp,
    source: &str,
    number: u32,
    ends_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let id = id_of(source, number);
    let was_over: Option<(bool,)> = tx.first(&sql::FIND_WAS_OVER, args![id, now]).await?;
    let prolonged: Option<Entitlement> = tx.first(&sql::PROLONG_ENTITLEMENT, args![id, ends_at]).await?;
    if let (Some((true,)), Some(entitlement)) = (was_over, prolonged) {
        events::append(tx, now, &EntitlementStarted { entitlement }).await?;
    }
    Ok(())
}

/// Takes back what a source gave for its lines; what was taken back before stays so.
///
/// # Errors
/// [`StoreError`].
pub async fn end(tx: &mut Tx, now: Timestamp, source: &str, numbers: &[u32]) -> Result<(), StoreError> {
    let ids = json_list(numbers.iter().map(|number| id_of(source, *number)));
    let ended: Vec<Entitlement> = tx.all(&sql::END_ENTITLEMENTS, args![ids, now]).await?;
    for entitlement in ended {
        events::append(tx, now, &EntitlementEnded { entitlement }).await?;
    }
    Ok(())
}

/// Whether an account may use the thing now: the one question that other rooms ask. `subject` is the id of the thing
/// in its room, or of its listing.
///
/// # Errors
/// [`StoreError`].
pub async fn is_entitled(
    tx: &mut Tx,
    account: &AccountId,
    subject: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (found,): (bool,) = tx.one(&sql::IS_ENTITLED, args![account, subject, now]).await?;
    Ok(found)
}

/// What these lines of orders gave, by their ids, also what is over.
///
/// # Errors
/// [`StoreError`].
pub async fn of_lines(
    tx: &mut Tx,
    lines: impl IntoIterator<Item = (&str, u32)>,
) -> Result<HashMap<EntitlementId, Entitlement>, StoreError> {
    let ids = json_list(lines.into_iter().map(|(source, number)| id_of(source, number)));
    let found: Vec<Entitlement> = tx.all(&sql::LIST_ENTITLEMENTS_BY_ID, args![ids]).await?;
    Ok(found.into_iter().map(|entitlement| (entitlement.id.clone(), entitlement)).collect())
}

impl Entitlement {
    /// Whether it holds at `now`.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && self.ends_at.is_none_or(|at| at > now)
    }
}

/// What these accounts may use or might once, the newest first.
pub(crate) async fn list(
    tx: &mut Tx,
    accounts: &[AccountId],
    paging: Paging,
) -> Result<Page<Entitlement>, StoreError> {
    let accounts = json_list(accounts.iter().map(AccountId::as_str));
    let items = tx.all(&sql::LIST_ENTITLEMENTS, args![accounts, paging.limit, paging.offset]).await?;
    let (total,) = tx.one(&sql::COUNT_ENTITLEMENTS, args![accounts]).await?;
    Ok(Page { items, total })
}
