//! Asking for a new deployment.

use std::sync::Arc;

use identity::audit::{self, Outcome};
use identity::orgs::OrgRole;
use identity::{Action, Caller, Subject, UserId};
use kernel::FieldError;
use store::{Tx, args};
use web::idempotency::{Request, once};

use crate::credentials::Shown;
use crate::deployment::{Credentials, Deployment, NewDeployment, check_name, purpose};
use crate::error::ServiceError;
use crate::template::{Chosen, Plan, Pricing, Template};
use crate::{BackupId, DeploymentId, Paid, Services, ports, sql};

/// What was made, with its credentials, which are shown in this answer.
#[derive(Clone, Debug)]
pub struct Made {
    /// The deployment.
    pub deployment: Deployment,
    /// How it is reached.
    pub shown: Shown,
}

/// What was chosen, when it can be had.
struct Choice {
    template: Arc<Template>,
    plan: Plan,
    region: String,
    chosen: Chosen,
    backup: Option<BackupId>,
}

impl Services {
    /// Asks for a deployment: it is made in the background, and the answer has its address and credentials already. The
    /// same `request` again answers with the same deployment.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`], [`ServiceError::NameTaken`], [`ServiceError::TooManyFree`],
    /// [`ServiceError::NotBought`], [`ServiceError::NotAvailable`] where its image is missing,
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
        self.check_price(choice.plan.pricing)?;
        if let Some(missing) = self.missing(&choice.template).await {
            return Err(ServiceError::NotAvailable(missing));
        }
        let (room, by, name) = (self.clone(), by.clone(), new.name);
        let deploy = async move |tx: &mut Tx| {
            let effect = async |tx: &mut Tx| {
                room.check_account(tx, &owner, &name, &choice.plan).await?;
                if let Some(backup) = &choice.backup {
                    room.restorable(tx, &by, backup, &choice.template).await?;
                }
                room.insert(tx, &by, (&owner, &creator), &name, &choice).await
            };
            let stored = once::<DeploymentId, ServiceError>(tx, &request, by.now(), 201, effect).await?;
            let id: DeploymentId = serde_json::from_slice(&stored.body)
                .map_err(|error| store::StoreError::Database(error.to_string()))?;
            let deployment = sql::find(tx, &id).await?;
            let template = room.template_of(tx, &deployment.template).await?;
            Ok(Made { shown: room.shown(tx, &deployment, &template, true).await?, deployment })
        };
        self.store.write(deploy).await
    }

    /// What was chosen, by the words for it.
    fn choose(&self, new: &NewDeployment) -> Result<Choice, ServiceError> {
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

    /// Whether this price can be had.
    pub(crate) fn check_price(&self, pricing: Pricing) -> Result<(), ServiceError> {
        let costs = pricing != Pricing::Free && self.settings.paid == Paid::Needed;
        if costs { Err(ServiceError::NotBought) } else { Ok(()) }
    }

    async fn check_account(
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

    async fn insert(
        &self,
        tx: &mut Tx,
        by: &Caller,
        (owner, creator): (&identity::AccountId, &UserId),
        name: &str,
        choice: &Choice,
    ) -> Result<DeploymentId, ServiceError> {
        let (id, now, template) = (DeploymentId::fresh(), by.now(), &choice.template);
        let port = ports::free(tx, self.settings.ports).await?;
        let credentials = Credentials::fresh(&template.recipe);
        let sealed = self.vault.seal(&purpose(&id), &credentials.to_json())?;
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
        crate::peers::claim(tx, owner, &id, name).await?;
        if !template.settings.is_empty() {
            self.keep_chosen(tx, &id, &choice.chosen, now).await?;
        }
        let known = sql::find(tx, &id).await?;
        sql::note(tx, &known, now, "It was asked for.").await?;
        let details = serde_json::json!({ "name": name, "service": template.id, "plan": choice.plan.id });
        audit::record(tx, by, "deployment.created", id.as_str(), Outcome::Done, &details).await?;
        self.wake_after(tx, &id);
        Ok(id)
    }
}
