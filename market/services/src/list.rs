//! What there is: services with their deployments, and the deployments of an account.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use identity::orgs::OrgRole;
use identity::{AccountId, Action, Caller, Subject};
use kernel::{Page, Paging, Timestamp};
use store::{Tx, args, json_list};

use crate::deployment::{Deployment, Status};
use crate::error::{Missing, ServiceError};
use crate::template::{Given, Template};
use crate::{DeploymentId, Services, sql};

/// Something that happened to a deployment.
#[derive(Clone, Debug)]
pub struct Happened {
    /// The version that it had then.
    pub version: i64,
    /// When.
    pub at: Timestamp,
    /// Its status then.
    pub status: Status,
    /// What, in words.
    pub words: String,
}

store::row!(Happened { version, at, status, words });

/// The caller's deployment, or one of an organisation that it belongs to. Strangers and other accounts hear that there is
/// none.
pub(crate) async fn own(
    tx: &mut Tx,
    by: &Caller,
    id: &DeploymentId,
    action: Action,
) -> Result<Deployment, ServiceError> {
    let actor = by.may(action, &Subject::Market)?;
    let known = sql::find(tx, id).await?;
    if actor.speaks_for(&known.owner, OrgRole::Member) {
        Ok(known)
    } else {
        Err(ServiceError::NotFound("deployment"))
    }
}

/// How long what the engine said of its images is believed.
const BELIEVED: Duration = Duration::from_secs(10);

/// What the engine said of an image, and when.
pub(crate) type Images = Mutex<HashMap<String, (Timestamp, Option<Missing>)>>;

fn no_engine(error: containers::EngineError) -> Missing {
    Missing {
        reason: format!("{error}."),
        remedy: "Install Docker and let Fondaco reach it; `fondaco doctor` says how.".to_owned(),
    }
}

impl Services {
    /// Why a service cannot be deployed here; `None` where it can.
    pub async fn missing(&self, template: &Template) -> Option<Missing> {
        let now = self.clock.now();
        let image = match &template.recipe.image {
            Given::Here(image) => image,
            Given::Chosen(_) if self.settings.hosted_images.is_empty() => {
                return Some(Missing {
                    reason: "the operator of this market lets no images of buyers run.".to_owned(),
                    remedy: "Set services.hosted_images to the references that may, such as fondaco/*."
                        .to_owned(),
                });
            }
            // Whether an engine answers at all is asked by a name that no image has.
            Given::Chosen(_) => return self.engine.image("fondaco/none:none").await.err().map(no_engine),
        };
        let known = self.images.lock().unwrap_or_else(PoisonError::into_inner).get(image).cloned();
        if let Some((at, known)) = known
            && now.since(at) < BELIEVED
        {
            return known;
        }
        let found = match self.engine.image(image).await {
            Ok(Some(_)) => None,
            Ok(None) => Some(Missing {
                reason: format!("its image {image} is not on this machine."),
                remedy: template.recipe.image_from.clone(),
            }),
            Err(error) => Some(no_engine(error)),
        };
        let entry = (now, found.clone());
        self.images.lock().unwrap_or_else(PoisonError::into_inner).insert(image.clone(), entry);
        found
    }

    /// How many deployments of each service run now.
    ///
    /// # Errors
    /// [`ServiceError::Store`].
    pub async fn active(&self) -> Result<HashMap<String, u64>, ServiceError> {
        let room = self.clone();
        let look = async move |tx: &mut Tx| room.count_active(tx).await;
        Ok(self.store.read(look).await?.into_iter().collect())
    }

    /// The deployments of the caller and of its organisations, newest first.
    ///
    /// # Errors
    /// [`ServiceError::Identity`] for who is not signed in.
    pub async fn list(
        &self,
        by: &Caller,
        status: Option<Status>,
        paging: Paging,
    ) -> Result<Page<Deployment>, ServiceError> {
        let actor = by.may(Action::Read, &Subject::Market)?;
        let accounts = json_list(actor.accounts().map(|account| account.to_string()));
        let status = status.map_or("", Status::as_str);
        let look = async move |tx: &mut Tx| {
            let (total,): (u64,) = tx.one(&sql::COUNT_DEPLOYMENTS, args![accounts, status]).await?;
            let row = args![accounts, status, paging.limit, paging.offset];
            Ok(Page { items: tx.all(&sql::LIST_DEPLOYMENTS, row).await?, total })
        };
        self.store.read(look).await
    }

    /// Whether an account ever deployed anything.
    ///
    /// # Errors
    /// [`ServiceError::Store`].
    pub async fn ever_deployed(&self, owner: &AccountId) -> Result<bool, ServiceError> {
        let owner = owner.clone();
        let look = async move |tx: &mut Tx| tx.one::<(u64,)>(&sql::COUNT_EVER, args![owner, ""]).await;
        Ok(self.store.read(look).await?.0 > 0)
    }

    /// One deployment.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], also for somebody else's.
    pub async fn deployment(&self, by: &Caller, id: &DeploymentId) -> Result<Deployment, ServiceError> {
        let (by, id) = (by.clone(), id.clone());
        self.store.read(async move |tx: &mut Tx| own(tx, &by, &id, Action::Read).await).await
    }

    /// What happened to a deployment, newest first.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], also for somebody else's.
    pub async fn happened(
        &self,
        by: &Caller,
        id: &DeploymentId,
        paging: Paging,
    ) -> Result<Page<Happened>, ServiceError> {
        let (by, id) = (by.clone(), id.clone());
        let look = async move |tx: &mut Tx| {
            own(tx, &by, &id, Action::Read).await?;
            let (total,): (u64,) = tx.one(&sql::COUNT_EVENTS, args![id]).await?;
            let items = tx.all(&sql::LIST_EVENTS, args![id, paging.limit, paging.offset]).await?;
            Ok(Page { items, total })
        };
        self.store.read(look).await
    }
}
