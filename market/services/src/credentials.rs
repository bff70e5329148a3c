//! What users of a deployment sign in with: sealed, shown once, then only to its owner, who is written down.

use std::sync::Arc;
use std::time::Duration;

use identity::audit::{self, Outcome};
use identity::{Action, Caller};
use store::{Tx, args};

use crate::deployment::{Credentials, Deployment, Status, Wanted, texts};
use crate::error::ServiceError;
use crate::list::own;
use crate::template::{MASK, Template};
use crate::{DeploymentId, Services, events as told, peers, sql};

/// How long a change of the password is waited for before it is told that it is under way.
const WAIT: Duration = Duration::from_secs(15);
/// How a deployment is reached, as its owner sees it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Name or address.
    pub host: String,
    /// The port; none when it is gone.
    pub port: Option<u16>,
    /// The credentials by their names, in the order of the template.
    pub named: Vec<(String, String)>,
    /// What programs connect to.
    pub uri: String,
    /// What a person can try.
    pub example: String,
    /// Where other deployments of the account reach it.
    pub internal: String,
    /// What was chosen of the service's settings, in the order of the template.
    pub settings: Vec<(String, serde_json::Value)>,
}

impl Services {
    /// The template that a deployment was made from.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where this version of the program cannot read it any more.
    pub(crate) async fn template_of(&self, tx: &mut Tx, digest: &str) -> Result<Arc<Template>, ServiceError> {
        if let Some(known) = self.catalogue.with_digest(digest) {
            return Ok(Arc::clone(known));
        }
        let (source,): (String,) = tx.one(&sql::FIND_TEMPLATE, args![digest]).await?;
        Template::parse(&source).map(Arc::new).map_err(|_| ServiceError::NotFound("template"))
    }

    /// Opens what was sealed for a deployment.
    pub(crate) fn open(&self, known: &Deployment, sealed: &str) -> Result<Credentials, ServiceError> {
        let text = self.vault.open(&known.purpose(), sealed)?;
        Credentials::of_json(&text).ok_or(ServiceError::Vault(vault::VaultError::Damaged))
    }

    /// How it is reached; secrets are hidden unless they shall be shown.
    pub(crate) async fn shown(
        &self,
        tx: &mut Tx,
        known: &Deployment,
        template: &Template,
        reveal: bool,
    ) -> Result<Shown, ServiceError> {
        let credentials = self.open(known, &known.credentials)?;
        let chosen = self.chosen_of(tx, known, template).await?;
        let (host, port) = (self.host(&known.id), known.port.unwrap_or_default().to_string());
        let texts = texts(known, template, &chosen, reveal);
        let peer = peers::name_of(tx, &known.id).await?;
        let secret = |name: &str| {
            template.recipe.credentials.iter().any(|(known, rule)| known == name && rule.is_secret())
        };
        let value = |name: &str| match name {
            "host" => Some(host.as_str()),
            "port" => Some(port.as_str()),
            name if secret(name) && !reveal => Some(MASK),
            name => credentials.get(name).or_else(|| texts.get(name).map(String::as_str)),
        };
        let (uri, example) = (template.recipe.uri.fill(value), template.recipe.example.fill(value));
        let named = template.recipe.credentials.iter();
        let named =
            named.map(|(name, _)| (name.clone(), value(name).unwrap_or_default().to_owned())).collect();
        let settings = chosen.shown(&template.settings, reveal);
        let internal = peers::address(&peer, template.recipe.port(&chosen), template);
        Ok(Shown { uri, example, named, internal, settings, port: known.port, host })
    }

    /// How a deployment is reached; with `reveal` its secrets too, which is written down.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], also for somebody else's; [`ServiceError::Vault`].
    pub async fn credentials(
        &self,
        by: &Caller,
        id: &DeploymentId,
        reveal: bool,
    ) -> Result<Shown, ServiceError> {
        let (room, by, id) = (self.clone(), by.clone(), id.clone());
        let look = async move |tx: &mut Tx| {
            let action = if reveal { Action::Deploy } else { Action::Read };
            let known = own(tx, &by, &id, action).await?;
            let template = room.template_of(tx, &known.template).await?;
            let shown = room.shown(tx, &known, &template, reveal).await?;
            if reveal {
                let details = serde_json::json!({ "name": known.name });
                let action = "deployment.credentials_revealed";
                audit::record(tx, &by, action, id.as_str(), Outcome::Done, &details).await?;
            }
            Ok(shown)
        };
        if reveal { self.store.write(look).await } else { self.store.read(look).await }
    }

    /// Replaces everything secret. The service is told at once; until it has taken the new ones the old ones hold, and
    /// the answer is `None`: ask again then.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::NotNow`] while it does not run, [`ServiceError::NotOffered`].
    pub async fn rotate(&self, by: &Caller, id: &DeploymentId) -> Result<Option<Shown>, ServiceError> {
        let (room, caller, wanted) = (self.clone(), by.clone(), id.clone());
        let ask = async move |tx: &mut Tx| {
            let mut known = own(tx, &caller, &wanted, Action::Deploy).await?;
            let template = room.template_of(tx, &known.template).await?;
            if template.recipe.rotate.is_none() {
                return Err(ServiceError::NotOffered("way to change its credentials"));
            }
            if known.wanted != Wanted::Running || known.status != Status::Running {
                return Err(ServiceError::NotNow(known.status));
            }
            if known.next_credentials.is_some() {
                return Ok(()); // it is under way
            }
            let next = room.open(&known, &known.credentials)?.renewed(&template.recipe);
            known.next_credentials = Some(room.vault.seal(&known.purpose(), &next.to_json())?);
            known.generation += 1;
            sql::save(tx, &mut known, caller.now()).await?;
            let details = serde_json::json!({ "name": known.name });
            let action = "deployment.credentials_rotated";
            audit::record(tx, &caller, action, wanted.as_str(), Outcome::Done, &details).await?;
            room.wake_after(tx, &wanted);
            Ok(())
        };
        self.store.write(ask).await?;
        let waited = tokio::time::timeout(WAIT, self.taken(by, id)).await;
        waited.map_or(Ok(None), |shown| shown.map(Some))
    }

    /// Waits until the service has taken its new credentials.
    async fn taken(&self, by: &Caller, id: &DeploymentId) -> Result<Shown, ServiceError> {
        loop {
            let done = self.wake.done.notified();
            let (room, by, id) = (self.clone(), by.clone(), id.clone());
            let look = async move |tx: &mut Tx| {
                let known = own(tx, &by, &id, Action::Deploy).await?;
                if known.next_credentials.is_some() {
                    return Ok(None);
                }
                let template = room.template_of(tx, &known.template).await?;
                room.shown(tx, &known, &template, true).await.map(Some)
            };
            if let Some(shown) = self.store.read(look).await? {
                return Ok(shown);
            }
            // Another process may do the work, of which this one hears nothing.
            let _ = tokio::time::timeout(Duration::from_millis(250), done).await;
        }
    }

    /// The service has taken its new credentials.
    pub(crate) async fn has_taken(&self, id: &DeploymentId, next: String) -> Result<(), ServiceError> {
        let (now, id, room) = (self.clock.now(), id.clone(), self.clone());
        let save = async move |tx: &mut Tx| {
            let mut known = sql::find(tx, &id).await?;
            if known.next_credentials.as_deref() != Some(next.as_str()) {
                return Ok(());
            }
            known.credentials = known.next_credentials.take().unwrap_or(next.clone());
            sql::save(tx, &mut known, now).await?;
            sql::note(tx, &known, now, "It has new credentials.").await?;
            ::events::append(tx, now, &told::Updated::of(&known)).await?;
            let wake = Arc::clone(&room.wake);
            tx.after_commit(move || wake.done.notify_waiters());
            Ok(())
        };
        self.store.write(save).await
    }
}
