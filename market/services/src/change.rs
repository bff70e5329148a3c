//! Stopping, starting, scaling, renaming, deleting: what is wanted is written down, the reconciler makes it true.

use std::time::Duration;

use identity::audit::{self, Outcome};
use identity::{Action, Caller};
use store::{Tx, args};
use web::Expected;

use crate::deployment::{Deployment, Status, Wanted, check_name};
use crate::error::ServiceError;
use crate::list::own;
use crate::{DeploymentId, Services, events as told, peers, sql};

/// How long a change is waited for that is usually quick.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is to be changed of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It shall rest.
    Stop,
    /// It shall serve.
    Start,
    /// Its container shall be made afresh; what it keeps stays.
    Restart,
    /// It shall have another plan of its service.
    Scale {
        /// The plan's id.
        plan: String,
    },
    /// These of its settings shall be so; `null` stands for the default. Its container is made afresh with them.
    Configure {
        /// By name.
        settings: serde_json::Map<String, serde_json::Value>,
    },
    /// It shall be called otherwise.
    Rename {
        /// The new name.
        name: String,
    },
    /// Its owner shall be told when it costs so much in a month; `None` forgets that.
    Budget {
        /// In minor units.
        minor: Option<i64>,
    },
    /// It shall go.
    Delete {
        /// Without time to undo that.
        at_once: bool,
    },
    /// It shall not go after all.
    Undelete,
}

impl Change {
    /// The word for the audit trail.
    const fn done(&self) -> &'static str {
        match self {
            Self::Stop => "deployment.stopped",
            Self::Start => "deployment.started",
            Self::Restart => "deployment.restarted",
            Self::Scale { .. } => "deployment.scaled",
            Self::Configure { .. } => "deployment.configured",
            Self::Rename { .. } => "deployment.renamed",
            Self::Budget { .. } => "deployment.budget_changed",
            Self::Delete { .. } => "deployment.deleted",
            Self::Undelete => "deployment.undeleted",
        }
    }
}

impl Services {
    /// Changes what is wanted of a deployment. What is so already is no error, and changes nothing.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Stale`], [`ServiceError::Gone`], and what speaks against the change.
    pub async fn change(
        &self,
        by: &Caller,
        id: &DeploymentId,
        expected: Expected,
        change: Change,
    ) -> Result<Deployment, ServiceError> {
        let (room, by, id) = (self.clone(), by.clone(), id.clone());
        let save = async move |tx: &mut Tx| {
            let mut known = own(tx, &by, &id, Action::Deploy).await?;
            expected.check(known.version)?;
            if known.status == Status::Deleted {
                return Err(ServiceError::Gone);
            }
            let Some(words) = room.apply(tx, &by, &mut known, &change).await? else { return Ok(known) };
            known.generation += 1;
            // Whatever makes the container afresh lets others reach it by its present name.
            let is_afresh = matches!(
                change,
                Change::Start | Change::Restart | Change::Scale { .. } | Change::Configure { .. }
            );
            if is_afresh {
                let before = peers::name_of(tx, &id).await?;
                peers::claim(tx, &known.owner, &id, &known.name).await?;
                // A container has its names from when it came to its network: another name takes another one.
                known.run += i64::from(peers::name_of(tx, &id).await? != before);
            }
            sql::save(tx, &mut known, by.now()).await?;
            sql::note(tx, &known, by.now(), words).await?;
            let details = serde_json::json!({ "name": known.name, "plan": known.plan.id });
            audit::record(tx, &by, change.done(), id.as_str(), Outcome::Done, &details).await?;
            let is_told = matches!(
                change,
                Change::Scale { .. } | Change::Configure { .. } | Change::Rename { .. } | Change::Undelete
            );
            if is_told {
                ::events::append(tx, by.now(), &told::Updated::of(&known)).await?;
            }
            room.wake_after(tx, &id);
            Ok(known)
        };
        self.store.write(save).await
    }

    /// Waits until a deployment is as far as `status`, for a while; gives how far it is then.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn wait_for(
        &self,
        by: &Caller,
        id: &DeploymentId,
        status: Status,
    ) -> Result<Deployment, ServiceError> {
        let began = tokio::time::Instant::now();
        loop {
            let done = self.wake.done.notified();
            let known = self.deployment(by, id).await?;
            if known.status == status || began.elapsed() > PATIENCE {
                return Ok(known);
            }
            // Another process may do the work, of which this one hears nothing.
            let _ = tokio::time::timeout(Duration::from_millis(250), done).await;
        }
    }

    /// Puts the change into what is known, and says in words what was asked; `None` when it is so already.
    async fn apply(
        &self,
        tx: &mut Tx,
        by: &Caller,
        known: &mut Deployment,
        change: &Change,
    ) -> Result<Option<&'static str>, ServiceError> {
        if known.wanted == Wanted::Deleted {
            return match change {
                Change::Undelete if known.is_to_vanish(by.now()) => Err(ServiceError::Gone),
                Change::Undelete => self.undelete(tx, by, known).await.map(Some),
                Change::Delete { at_once: true } => {
                    known.undo_until = None;
                    Ok(Some("It goes at once."))
                }
                Change::Delete { .. } => Ok(None),
                _ => Err(ServiceError::NotNow(Status::Deleting)),
            };
        }
        Ok(match change {
            Change::Stop if known.wanted == Wanted::Stopped => None,
            Change::Stop => {
                known.wanted = Wanted::Stopped;
                known.status = Status::Stopping;
                (known.since, known.reason) = (by.now(), String::new());
                Some("It was asked to stop.")
            }
            Change::Start if known.wanted == Wanted::Running && known.status != Status::Failed => None,
            Change::Start | Change::Restart => Some(self.begin(tx, by, known, change).await?),
            Change::Scale { plan } => self.scale(tx, by, known, plan).await?,
            Change::Configure { settings } => self.configure(tx, by, known, settings).await?,
            Change::Rename { name } if *name == known.name => None,
            Change::Rename { name } => {
                rename(tx, known, name).await?;
                Some("It has another name.")
            }
            Change::Budget { minor } if *minor == known.budget_minor => None,
            Change::Budget { minor } => {
                known.budget_minor = *minor;
                Some("It has another budget.")
            }
            Change::Delete { at_once } => {
                known.wanted = Wanted::Deleted;
                known.status = Status::Deleting;
                known.undo_until = (!at_once).then(|| by.now().after(self.settings.undo));
                (known.since, known.reason) = (by.now(), String::new());
                Some(if *at_once {
                    "It goes at once."
                } else {
                    "It goes when the time to undo that is over."
                })
            }
            Change::Undelete => None,
        })
    }

    async fn begin(
        &self,
        tx: &mut Tx,
        by: &Caller,
        known: &mut Deployment,
        change: &Change,
    ) -> Result<&'static str, ServiceError> {
        self.check_free(tx, &known.owner, known.id.as_str(), known.plan.pricing).await?;
        self.pays_for(tx, known, &known.plan, by.now()).await?;
        known.wanted = Wanted::Running;
        known.status = Status::Provisioning;
        (known.since, known.reason, known.last_lines) = (by.now(), String::new(), String::new());
        if *change == Change::Restart {
            known.run += 1;
            return Ok("It was asked to start anew.");
        }
        Ok("It was asked to start.")
    }

    async fn scale(
        &self,
        tx: &mut Tx,
        by: &Caller,
        known: &mut Deployment,
        plan: &str,
    ) -> Result<Option<&'static str>, ServiceError> {
        let template = self.template_of(tx, &known.template).await?;
        // The service as it is offered now says which plans there are; its earlier text only how it is run.
        let offered = self.catalogue.find(&known.slug).unwrap_or(&template);
        let Some(plan) = offered.plan(plan) else {
            return Err(ServiceError::field("/plan", "This service has no such plan."));
        };
        if *plan == known.plan {
            return Ok(None);
        }
        if plan.disk_bytes < known.plan.disk_bytes {
            return Err(ServiceError::Shrinks);
        }
        self.pays_for(tx, known, plan, by.now()).await?;
        if known.wanted == Wanted::Running {
            self.check_free(tx, &known.owner, known.id.as_str(), plan.pricing).await?;
            known.status = Status::Provisioning;
            known.since = by.now();
        }
        known.plan = plan.clone();
        Ok(Some("It has another plan."))
    }

    async fn configure(
        &self,
        tx: &mut Tx,
        by: &Caller,
        known: &mut Deployment,
        settings: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<Option<&'static str>, ServiceError> {
        let template = self.template_of(tx, &known.template).await?;
        let present = self.chosen_of(tx, known, &template).await?;
        let next = self.chosen(&template, &present, settings).map_err(ServiceError::Invalid)?;
        if next == present {
            return Ok(None);
        }
        if template.recipe.image(&next) != template.recipe.image(&present) {
            known.image.clear();
        }
        self.keep_chosen(tx, &known.id, &next, by.now()).await?;
        known.run += 1;
        if known.wanted == Wanted::Running {
            known.status = Status::Provisioning;
            (known.since, known.reason, known.last_lines) = (by.now(), String::new(), String::new());
        }
        Ok(Some("It has other settings."))
    }

    async fn undelete(
        &self,
        tx: &mut Tx,
        by: &Caller,
        known: &mut Deployment,
    ) -> Result<&'static str, ServiceError> {
        let (named,): (u32,) = tx.one(&sql::COUNT_NAMED, args![known.owner, known.name, known.id]).await?;
        if named > 0 {
            return Err(ServiceError::NameTaken);
        }
        self.pays_for(tx, known, &known.plan, by.now()).await?;
        known.wanted = Wanted::Stopped;
        known.status = Status::Stopping;
        known.undo_until = None;
        // Its name among the others may be another's by now.
        known.run += 1;
        Ok("Its removal was undone: it rests.")
    }
}

async fn rename(tx: &mut Tx, known: &mut Deployment, name: &str) -> Result<(), ServiceError> {
    if let Some(words) = check_name(name) {
        return Err(ServiceError::field("/name", words));
    }
    let (named,): (u32,) = tx.one(&sql::COUNT_NAMED, args![known.owner, name, known.id]).await?;
    if named > 0 {
        return Err(ServiceError::NameTaken);
    }
    known.name = name.to_owned();
    Ok(())
}
