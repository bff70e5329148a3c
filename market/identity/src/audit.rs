//! The trail of who did what, from where, to what, with which token. Rows are only ever added: the database
//! itself refuses to change or delete one.

use kernel::{Page, Paging, Timestamp};
use serde::{Deserialize, Serialize};
use store::{StoreError, Tx, args};

use crate::Identity;
use crate::actor::{Caller, Via};
use crate::error::IdentityError;
use crate::permission::{Action, Subject};
use crate::sql;

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was tried and refused.
    Refused,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// Adds a row, in the transaction of what it tells of. `action` is `room.past_tense`, `subject` an id or a name,
/// `details` a JSON object without secrets.
///
/// # Errors
/// [`StoreError`] as any statement.
pub async fn record(
    tx: &mut Tx,
    by: &Caller,
    action: &str,
    subject: &str,
    outcome: Outcome,
    details: &serde_json::Value,
) -> Result<(), StoreError> {
    let actor = by.actor.as_ref();
    let session = actor.and_then(|actor| match &actor.via {
        Via::Session(id) | Via::Jwt(id) => Some(id),
        _ => None,
    });
    let (client, details) = (by.ctx.client.to_string(), details.to_string());
    let (user, username, token) =
        (actor.map(|actor| &actor.user), actor.map(|actor| &actor.username), by.token());
    let outcome = outcome.name();
    let row = args![
        by.ctx.now,
        user,
        username,
        token,
        session,
        client,
        by.ctx.user_agent,
        by.ctx.request_id,
        action,
        subject,
        outcome,
        details,
    ];
    tx.execute(&sql::INSERT_AUDIT, row).await.map(|_| ())
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its place in the trail.
    pub seq: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The id of who did it; absent for strangers.
    pub actor_id: Option<String>,
    /// The name of who did it, as it was then.
    pub actor_name: Option<String>,
    /// The API token used.
    pub token_id: Option<String>,
    /// The session used.
    pub session_id: Option<String>,
    /// The client's address.
    pub client: String,
    /// The client's name for itself.
    pub user_agent: Option<String>,
    /// The request, as in the logs.
    pub request_id: String,
    /// What.
    pub action: String,
    /// To what: an id or a name.
    pub subject: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// More about it.
    #[schema(value_type = Object)]
    pub details: serde_json::Value,
}

/// Which rows to list. Absent fields match everything.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, rename_all = "camelCase")]
pub struct Filter {
    /// The id or name of who did it.
    pub actor: Option<String>,
    /// The action, or its start up to a dot: `token.created`, `token`.
    pub action: Option<String>,
    /// The id or name of what it was done to.
    pub subject: Option<String>,
    /// `done` or `refused`.
    pub outcome: Option<String>,
    /// Not before this time.
    #[param(value_type = Option<String>)]
    pub since: Option<Timestamp>,
    /// Before this time.
    #[param(value_type = Option<String>)]
    pub until: Option<Timestamp>,
}

impl Identity {
    /// The trail of everybody, newest first, for operators.
    ///
    /// # Errors
    /// [`IdentityError::Denied`] for others; [`IdentityError::Store`].
    pub async fn audit(
        &self,
        by: &Caller,
        filter: Filter,
        paging: Paging,
    ) -> Result<Page<Entry>, IdentityError> {
        by.may(Action::ReadAudit, &Subject::Market)?;
        self.store.read(async move |tx: &mut Tx| list(tx, &filter, paging).await).await
    }

    /// What the caller's own account did, newest first.
    ///
    /// # Errors
    /// [`IdentityError::NotSignedIn`]; [`IdentityError::Store`].
    pub async fn own_audit(&self, by: &Caller, paging: Paging) -> Result<Page<Entry>, IdentityError> {
        let actor = by.account()?;
        by.may(Action::EditAccount, &Subject::Account(&actor.user))?;
        let user = actor.user.clone();
        let look = async move |tx: &mut Tx| {
            let items = tx.all(&sql::LIST_OWN_AUDIT, args![user, paging.limit, paging.offset]).await?;
            let (total,): (u64,) = tx.one(&sql::COUNT_OWN_AUDIT, args![user]).await?;
            Ok(Page { items, total })
        };
        self.store.read(look).await
    }
}

async fn list(tx: &mut Tx, filter: &Filter, paging: Paging) -> Result<Page<Entry>, IdentityError> {
    let text = |field: &Option<String>| field.clone().filter(|text| !text.is_empty()).unwrap_or_default();
    let (actor, action, subject) = (text(&filter.actor), text(&filter.action), text(&filter.subject));
    let outcome = text(&filter.outcome);
    let since = filter.since.unwrap_or(Timestamp::from_micros(0));
    let until = filter.until.unwrap_or(Timestamp::from_micros(i64::MAX));
    let items = args![actor, action, subject, outcome, since, until, paging.limit, paging.offset];
    let items = tx.all(&sql::LIST_AUDIT, items).await?;
    let (total,): (u64,) =
        tx.one(&sql::COUNT_AUDIT, args![actor, action, subject, outcome, since, until]).await?;
    Ok(Page { items, total })
}
