//! Making, changing and removing endpoints; their secrets.

use events::CATALOGUE;
use identity::audit::{self, Outcome};
use identity::orgs::OrgRole;
use identity::{AccountId, Action, Caller, Subject};
use kernel::{Page, Paging, Secret, Timestamp};
use store::{Tx, args, json_list};
use web::Expected;
use web::idempotency::{Request, once};

use crate::endpoint::{
    Created, Creator, Endpoint, EndpointChange, MAX_PER_ACCOUNT, NewEndpoint, OLD_SECRET_LIVES, Types,
    check_texts,
};
use crate::error::WebhookError;
use crate::{WebhookId, Webhooks, address, sign, sql};

impl Webhooks {
    /// Makes an endpoint. The same `request` again answers with the same endpoint and secret.
    ///
    /// # Errors
    /// [`WebhookError::Invalid`], [`WebhookError::TooMany`], [`WebhookError::Identity`] for who may not speak for the
    /// account, or wants to hear the whole market and is no operator.
    pub async fn create(
        &self,
        by: &Caller,
        new: NewEndpoint,
        request: Request,
    ) -> Result<Created, WebhookError> {
        let (account, creator) = self.owner(by, &new)?;
        let events = self.check(&new.url, &new.description, new.events.clone())?;
        let (room, by, whole_market) = (self.clone(), by.clone(), new.whole_market);
        let (url, description) = (new.url, new.description);
        let create = async move |tx: &mut Tx| {
            let effect = async |tx: &mut Tx| {
                let texts = (url.as_str(), description.as_str());
                room.insert(tx, &by, (&account, &creator), texts, &events, whole_market).await
            };
            let stored = once::<WebhookId, WebhookError>(tx, &request, by.now(), 201, effect).await?;
            let id: WebhookId = serde_json::from_slice(&stored.body)
                .map_err(|error| store::StoreError::Database(error.to_string()))?;
            let endpoint = find(tx, &id).await?;
            let secret = room.secrets(tx, &id, by.now()).await?.into_iter().next();
            let secret = secret.ok_or(WebhookError::NotFound("webhook"))?;
            Ok(Created { endpoint, secret })
        };
        self.store.write(create).await
    }

    async fn insert(
        &self,
        tx: &mut Tx,
        by: &Caller,
        (account, creator): (&AccountId, &Creator),
        (url, description): (&str, &str),
        events: &Types,
        whole_market: bool,
    ) -> Result<WebhookId, WebhookError> {
        let (count,): (u32,) = tx.one(&sql::COUNT_ENDPOINTS, args![account]).await?;
        if count >= MAX_PER_ACCOUNT {
            return Err(WebhookError::TooMany);
        }
        let id = WebhookId::fresh();
        let secret = self.vault.seal(&purpose(&id), &sign::fresh_secret())?;
        let words = events.to_json();
        let row = args![id, account, creator, url, description, words, whole_market, secret, by.ctx.now];
        tx.execute(&sql::INSERT_ENDPOINT, row).await?;
        let details = serde_json::json!({ "url": url, "events": events });
        audit::record(tx, by, "webhook.created", id.as_str(), Outcome::Done, &details).await?;
        Ok(id)
    }

    /// The endpoints of the caller and of the organisations that it manages.
    ///
    /// # Errors
    /// [`WebhookError::Identity`] for who is not signed in.
    pub async fn list(&self, by: &Caller, paging: Paging) -> Result<Page<Endpoint>, WebhookError> {
        let actor = by.may(Action::Read, &Subject::Market)?;
        let accounts = actor.accounts().filter(|account| actor.speaks_for(account, OrgRole::Admin));
        let accounts = json_list(accounts.map(|account| account.to_string()));
        let look = async move |tx: &mut Tx| {
            let (total,): (u64,) = tx.one(&sql::COUNT_LISTED, args![accounts]).await?;
            let items = tx.all(&sql::LIST_ENDPOINTS, args![accounts, paging.limit, paging.offset]).await?;
            Ok(Page { items, total })
        };
        self.store.read(look).await
    }

    /// One endpoint.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`], also for somebody else's.
    pub async fn endpoint(&self, by: &Caller, id: &WebhookId) -> Result<Endpoint, WebhookError> {
        let (by, id) = (by.clone(), id.clone());
        self.store.read(async move |tx: &mut Tx| own(tx, &by, &id, Action::Read).await).await
    }

    /// Changes an endpoint in the version that was seen.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`], [`WebhookError::Stale`], [`WebhookError::Invalid`].
    pub async fn change(
        &self,
        by: &Caller,
        id: &WebhookId,
        expected: Expected,
        change: EndpointChange,
    ) -> Result<Endpoint, WebhookError> {
        let (room, by, id) = (self.clone(), by.clone(), id.clone());
        let save = async move |tx: &mut Tx| {
            let known = own(tx, &by, &id, Action::EditAccount).await?;
            expected.check(known.version)?;
            let url = change.url.as_ref().unwrap_or(&known.url);
            let description = change.description.as_ref().unwrap_or(&known.description);
            let words = change.events.clone().unwrap_or_else(|| known.events.words().to_vec());
            let events = room.check(url, description, words)?.to_json();
            let state = if change.enabled.unwrap_or(known.enabled) { "enabled" } else { "disabled" };
            let row = args![id, known.version, url, description, events, state, by.ctx.now];
            tx.execute(&sql::UPDATE_ENDPOINT, row).await?;
            let details = serde_json::json!({ "url": url, "state": state });
            audit::record(tx, &by, "webhook.updated", id.as_str(), Outcome::Done, &details).await?;
            room.wake_after(tx);
            find(tx, &id).await
        };
        self.store.write(save).await
    }

    /// Removes an endpoint with its deliveries.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`].
    pub async fn delete(&self, by: &Caller, id: &WebhookId) -> Result<(), WebhookError> {
        let (by, id) = (by.clone(), id.clone());
        let delete = async move |tx: &mut Tx| {
            let known = own(tx, &by, &id, Action::EditAccount).await?;
            tx.execute(&sql::DELETE_ENDPOINT, args![id]).await?;
            let details = serde_json::json!({ "url": known.url });
            audit::record(tx, &by, "webhook.deleted", id.as_str(), Outcome::Done, &details).await?;
            Ok(())
        };
        self.store.write(delete).await
    }

    /// Gives an endpoint another secret. The present one signs too for a day, so that the receiver can change over.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`].
    pub async fn rotate(&self, by: &Caller, id: &WebhookId) -> Result<Created, WebhookError> {
        let (room, by, id) = (self.clone(), by.clone(), id.clone());
        let rotate = async move |tx: &mut Tx| {
            own(tx, &by, &id, Action::EditAccount).await?;
            let secret = sign::fresh_secret();
            let sealed = room.vault.seal(&purpose(&id), &secret)?;
            let until = by.now().after(OLD_SECRET_LIVES);
            tx.execute(&sql::ROTATE_SECRET, args![id, until, sealed, by.ctx.now]).await?;
            audit::record(
                tx,
                &by,
                "webhook.secret_rotated",
                id.as_str(),
                Outcome::Done,
                &serde_json::json!({}),
            )
            .await?;
            Ok(Created { endpoint: find(tx, &id).await?, secret })
        };
        self.store.write(rotate).await
    }

    /// What signs now: the present secret, and the one before it while it still counts.
    pub(crate) async fn secrets(
        &self,
        tx: &mut Tx,
        id: &WebhookId,
        now: Timestamp,
    ) -> Result<Vec<Secret>, WebhookError> {
        let row: Option<(String, Option<String>, Option<Timestamp>)> =
            tx.first(&sql::FIND_SECRETS, args![id]).await?;
        let Some((secret, old, until)) = row else { return Err(WebhookError::NotFound("webhook")) };
        let old = old.filter(|_| until.is_some_and(|until| until > now));
        let sealed = [Some(secret), old].into_iter().flatten();
        sealed.map(|sealed| Ok(self.vault.open(&purpose(id), &sealed)?)).collect()
    }

    /// For whom the endpoint is made, and by whom.
    fn owner(&self, by: &Caller, new: &NewEndpoint) -> Result<(AccountId, Creator), WebhookError> {
        let actor = by.may(Action::EditAccount, &Subject::Market)?;
        if new.whole_market {
            by.may(Action::OperateMarket, &Subject::Market)?;
        }
        let account = actor.account_in(new.organisation.as_deref(), OrgRole::Admin);
        let account = account.ok_or(WebhookError::NotFound("organisation that you manage"))?;
        Ok((account, actor.user.clone()))
    }

    fn check(&self, url: &str, description: &str, events: Vec<String>) -> Result<Types, WebhookError> {
        let mut errors = Vec::new();
        check_texts(url, description, &mut errors);
        if let Err(detail) = address::check(&self.reach, url) {
            errors.push(kernel::FieldError { pointer: "/url".into(), detail: detail.into() });
        }
        match Types::read(events) {
            Ok(types) if errors.is_empty() => return Ok(types),
            Ok(_) => {}
            Err(detail) => {
                errors.push(kernel::FieldError { pointer: "/events".into(), detail: detail.into() })
            }
        }
        Err(WebhookError::Invalid(errors))
    }

    /// Lets the sender look once the transaction is durable.
    pub(crate) fn wake_after(&self, tx: &mut Tx) {
        let wake = self.wake.clone();
        tx.after_commit(move || wake.notify_one());
    }
}

/// Every type of event there is, by name.
pub(crate) fn all_types() -> Vec<events::EventType> {
    let mut types: Vec<_> = CATALOGUE.iter().copied().collect();
    types.sort_unstable_by_key(|kind| kind.name);
    types
}

/// What a secret is sealed for.
fn purpose(id: &WebhookId) -> String {
    format!("webhook:{id}")
}

pub(crate) async fn find(tx: &mut Tx, id: &WebhookId) -> Result<Endpoint, WebhookError> {
    tx.first(&sql::FIND_ENDPOINT, args![id]).await?.ok_or(WebhookError::NotFound("webhook"))
}

/// The endpoint, if the caller may do this to it. To everybody else it does not exist.
pub(crate) async fn own(
    tx: &mut Tx,
    by: &Caller,
    id: &WebhookId,
    action: Action,
) -> Result<Endpoint, WebhookError> {
    let actor = by.may(action, &Subject::Market)?;
    let endpoint = find(tx, id).await?;
    let operates = by.may(Action::OperateMarket, &Subject::Market).is_ok();
    if actor.speaks_for(&endpoint.account, OrgRole::Admin) || operates {
        return Ok(endpoint);
    }
    Err(WebhookError::NotFound("webhook"))
}
