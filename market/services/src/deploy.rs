//! Asking for a new deployment.

use std::sync::Arc;

use identity::audit::{self, Outcome};
use identity::orgs::OrgRole;
use identity::{Action, Caller, Subject, UserId};
use kernel::{FieldError, Timestamp};
use orders::OrderId;
use store::{Tx, args};
use web::idempotency::{Request, once};

use crate::credentials::Shown;
use crate::deployment::{Credentials, Deployment, NewDeployment, check_name, purpose};
use crate::error::ServiceError;
use crate::paid::carry;
use crate::template::{Chosen, Plan, Pricing, Template};
use crate::{BackupId, DeploymentId, Services, ports, sql};

/// What was made, with its credentials, which are shown in this answer.
#[derive(Clone, Debug)]
pub struct Made {
    /// The deployment.
    pub deployment: Deployment,
    /// How it is reached.
    pub shown: Shown,
}

/// What was chosen, when it can be had.
#[derive(Clone)]
pub(crate) struct Choice {
    pub(crate) template: Arc<Template>,
    pub(crate) plan: Plan,
    pub(crate) region: String,
    pub(crate) chosen: Chosen,
    pub(crate) backup: Option<BackupId>,
}

impl Services {
    /// Asks for a deployment: it is made in the background, and the answer has its address and credentials already. The
    /// same `request` again answers with the same deployment.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`], [`ServiceError::NameTaken`], [`ServiceError::TooManyFree`],
    /// [`ServiceError::ToPay`] with the order to pay, after which it is made by itself, [`ServiceError::NotBought`] where
    /// it cannot be bought, [`ServiceError::NotAvailable`] where its image is missing,
    /// [`ServiceError::NoPort`], [`ServiceError::Identity`] for who may not.
    pub async fn deploy(
        &self,
        by: &Caller,
        new: NewDeployment,
        request: Request,
    ) -> Result<Made, ServiceError> {
        let actor = by.may(Action::Deploy, &Subject::Market)?;
        let owner = actor.account_in(new.organisation.as_deref(), OrgRole::Member);
        let owner = owner.ok_or(ServiceError::NotFound("organisation of yours"))?;
        let creator = actor.user.clone();
        let choice = self.choose(&new)?;
        if let Some(missing) = self.missing(&choice.template).await {
            return Err(ServiceError::NotAvailable(missing));
        }
        let (service, plan) = (choice.template.id.clone(), choice.plan.id.clone());
        let (room, caller, name, same) = (self.clone(), by.clone(), new.name.clone(), request.clone());
        let deploy = async move |tx: &mut Tx| {
            let effect = async |tx: &mut Tx| {
                room.check_account(tx, &owner, &name, &choice.plan).await?;
                if let Some(backup) = &choice.backup {
                    room.restorable(tx, &caller, backup, &choice.template).await?;
                }
                if !room.is_sold(choice.plan.pricing) {
                    return room.insert(tx, &caller, (&owner, &creator), &name, &choice).await;
                }
                let (service, plan) = (&choice.template.id, &choice.plan.id);
                let right = room.free_right(tx, &owner, service, plan, caller.now()).await?;
                let id = room.insert(tx, &caller, (&owner, &creator), &name, &choice).await?;
                carry(tx, &right, &id).await?;
                Ok(id)
            };
            let stored = once::<DeploymentId, ServiceError>(tx, &same, caller.now(), 201, effect).await?;
            read_answer(&stored.body)
        };
        match self.store.write(deploy).await {
            Ok(Answer::Made(id)) => self.made(&id).await,
            Ok(Answer::Ordered(order)) => self.after_order(by, &order).await,
            Err(ServiceError::NotBought) => self.order_new(by, new, &service, &plan, request).await,
            Err(error) => Err(error),
        }
    }

    /// A deployment with its credentials, for who asked for it.
    pub(crate) async fn made(&self, id: &DeploymentId) -> Result<Made, ServiceError> {
        let (room, id) = (self.clone(), id.clone());
        let read = async move |tx: &mut Tx| {
            let deployment = sql::find(tx, &id).await?;
            let template = room.template_of(tx, &deployment.template).await?;
            Ok(Made { shown: room.shown(tx, &deployment, &template, true).await?, deployment })
        };
        self.store.read(read).await
    }

    /// What was chosen, by the words for it.
    pub(crate) fn choose(&self, new: &NewDeployment) -> Result<Choice, ServiceError> {
        let mut errors = Vec::new();
        let mut wrong = |pointer: &'static str, detail: String| {
            errors.push(FieldError { pointer: pointer.into(), detail: detail.into() });
        };
        if let Some(words) = check_name(&new.name) {
            wrong("/name", words.to_owned());
        }
        let Some(template) = self.catalogue.find(&new.service) else {
            wrong("/serviceId", "There is no such service. GET /api/services lists them.".to_owned());
            return Err(ServiceError::Invalid(errors));
        };
        let plan = match &new.plan {
            Some(plan) => template.plan(plan),
            None => template.plans.first(),
        };
        if plan.is_none() {
            let plans: Vec<&str> = template.plans.iter().map(|plan| plan.id.as_str()).collect();
            wrong("/config/tier", format!("Choose one of {}.", plans.join(", ")));
        }
        let region = match &new.region {
            Some(region) => template.regions.iter().find(|known| *known == region),
            None => template.regions.first(),
        };
        if region.is_none() {
            wrong("/config/region", format!("Choose one of {}.", template.regions.join(", ")));
        }
        let chosen = self.chosen(template, &Chosen::default(), &new.settings);
        let chosen = chosen.unwrap_or_else(|wrong| {
            errors.extend(wrong);
            Chosen::default()
        });
        match (plan, region) {
            (Some(plan), Some(region)) if errors.is_empty() => Ok(Choice {
                template: Arc::clone(template),
                plan: plan.clone(),
                region: region.clone(),
                chosen,
                backup: new.backup.clone(),
            }),
            _ => Err(ServiceError::Invalid(errors)),
        }
    }

    pub(crate) async fn check_account(
        &self,
        tx: &mut Tx,
        owner: &identity::AccountId,
        name: &str,
        plan: &Plan,
    ) -> Result<(), ServiceError> {
        let (named,): (u32,) = tx.one(&sql::COUNT_NAMED, args![owner, name, ""]).await?;
        if named > 0 {
            return Err(ServiceError::NameTaken);
        }
        self.check_free(tx, owner, "", plan.pricing).await
    }

    /// Whether the account may have one more running for nothing, beside `id`.
    pub(crate) async fn check_free(
        &self,
        tx: &mut Tx,
        owner: &identity::AccountId,
        id: &str,
        pricing: Pricing,
    ) -> Result<(), ServiceError> {
        if pricing != Pricing::Free {
            return Ok(());
        }
        let (free,): (u32,) = tx.one(&sql::COUNT_FREE, args![owner, id]).await?;
        if free >= self.settings.free_deployments { Err(ServiceError::TooManyFree) } else { Ok(()) }
    }

    pub(crate) async fn insert(
        &self,
        tx: &mut Tx,
        by: &Caller,
        (owner, creator): (&identity::AccountId, &UserId),
        name: &str,
        choice: &Choice,
    ) -> Result<DeploymentId, ServiceError> {
        let now = by.now();
        let (id, words) = match self.take_spare(tx, (owner, creator), name, choice, now).await? {
            Some(id) => (id, "It was asked for, and one that was ready is taken."),
            None => {
                let id = DeploymentId::fresh();
                self.insert_row(tx, &id, (owner.as_str(), creator.as_str()), name, choice, now).await?;
                (id, "It was asked for.")
            }
        };
        crate::peers::claim(tx, owner, &id, name).await?;
        let known = sql::find(tx, &id).await?;
        sql::note(tx, &known, now, words).await?;
        let details =
            serde_json::json!({ "name": name, "service": choice.template.id, "plan": choice.plan.id });
        audit::record(tx, by, "deployment.created", id.as_str(), Outcome::Done, &details).await?;
        self.wake_after(tx, &id);
        Ok(id)
    }

    /// Writes a new deployment down, with its port and credentials.
    pub(crate) async fn insert_row(
        &self,
        tx: &mut Tx,
        id: &DeploymentId,
        (owner, creator): (&str, &str),
        name: &str,
        choice: &Choice,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let template = &choice.template;
        let port = ports::free(tx, self.settings.ports).await?;
        let credentials = Credentials::fresh(&template.recipe);
        let sealed = self.vault.seal(&purpose(id), &credentials.to_json())?;
        let row = args![template.digest, template.id, template.source, now];
        tx.execute(&sql::INSERT_TEMPLATE, row).await?;
        let plan = serde_json::to_string(&choice.plan)
            .map_err(|error| store::StoreError::Database(error.to_string()))?;
        let pricing = choice.plan.pricing.model();
        let row = args![
            id,
            owner,
            creator,
            name,
            template.id,
            template.slug,
            template.digest,
            plan,
            choice.plan.id,
            pricing,
            choice.region,
            port,
            sealed,
            now,
            choice.backup,
        ];
        tx.execute(&sql::INSERT_DEPLOYMENT, row).await?;
        if !template.settings.is_empty() {
            self.keep_chosen(tx, id, &choice.chosen, now).await?;
        }
        Ok(())
    }
}

/// What a request was answered with before.
enum Answer {
    Made(DeploymentId),
    Ordered(OrderId),
}

/// The answer as it is stored: the id of the deployment that was made, or of the order that it waits for.
fn read_answer(body: &[u8]) -> Result<Answer, ServiceError> {
    let text: String =
        serde_json::from_slice(body).map_err(|error| store::StoreError::Database(error.to_string()))?;
    match (text.parse::<DeploymentId>(), text.parse::<OrderId>()) {
        (Ok(id), _) => Ok(Answer::Made(id)),
        (_, Ok(order)) => Ok(Answer::Ordered(order)),
        _ => Err(store::StoreError::Database("an answer names nothing".to_owned()).into()),
    }
}
