//! Deployments that run before anybody wants them, so that who asks for one of the usual plans need not wait.
//!
//! A spare is a deployment whose account is nobody's: whatever makes deployments true makes spares true. Who deploys the same
//! is given one in the very transaction that would have made a new one. Until then it is in a network of its own, which it
//! keeps for the way in from outside; the account's network it joins once it serves.

use std::str::FromStr;
use std::time::Duration;

use identity::{AccountId, UserId};
use kernel::Timestamp;
use serde_json::Map;
use store::{Tx, args};

use crate::deploy::Choice;
use crate::deployment::{Deployment, NewDeployment, Status, Wanted};
use crate::error::ServiceError;
use crate::template::{Chosen, Given, Template};
use crate::{DeploymentId, Services, sql};

/// Whose deployments spares are. Accounts of people and organisations have random ids, so it is none of theirs.
const NOBODY: &str = "user-warm";
/// The most spares of one plan.
const MOST: u32 = 100;
/// How long a spare may wait for its owner.
const OLDEST: Duration = Duration::from_secs(24 * 3600);
/// How long one that does not serve is left to come up, before another is tried.
const PATIENCE: Duration = Duration::from_secs(300);

/// So many deployments of a plan run in advance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warm {
    /// The service's slug or id.
    pub service: String,
    /// The plan's id.
    pub plan: String,
    /// How many.
    pub count: u32,
}

impl FromStr for Warm {
    type Err = String;

    /// `postgres-managed:free:2`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text:.80}` is not like postgres-managed:free:2: a service, a plan, how many");
        let mut parts = text.trim().split(':').map(str::trim);
        let (Some(service), Some(plan), Some(count), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let count = count.parse().map_err(|_| wrong())?;
        if service.is_empty() || plan.is_empty() {
            return Err(wrong());
        }
        if count > MOST {
            return Err(format!("`{text:.80}` asks for more than {MOST}"));
        }
        Ok(Self { service: service.to_owned(), plan: plan.to_owned(), count })
    }
}

impl Deployment {
    /// Whether it waits for somebody to want it.
    pub(crate) fn is_spare(&self) -> bool {
        self.owner.as_str() == NOBODY
    }
}

/// What a spare must be like to be of use today.
pub(crate) struct Kind {
    pub(crate) choice: Choice,
    /// The id of the image that it would be made from now; none where that is missing.
    pub(crate) image: Option<String>,
    pub(crate) count: usize,
}

impl Kind {
    fn fits(&self, spare: &Deployment) -> bool {
        let Choice { template, plan, region, .. } = &self.choice;
        let is_same = spare.template == template.digest && spare.plan == *plan && spare.region == *region;
        is_same && (spare.image.is_empty() || Some(&spare.image) == self.image.as_ref())
    }
}

/// What is known of a spare when it is decided what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct Spare {
    pub(crate) id: DeploymentId,
    /// Which of the kinds that are wanted today it is.
    pub(crate) kind: Option<usize>,
    pub(crate) status: Status,
    pub(crate) since: Timestamp,
    pub(crate) made_at: Timestamp,
}

impl Spare {
    pub(crate) fn of(known: &Deployment, kinds: &[Kind]) -> Self {
        Self {
            id: known.id.clone(),
            kind: kinds.iter().position(|kind| kind.fits(known)),
            status: known.status,
            since: known.since,
            made_at: known.created_at,
        }
    }

    /// Whether it is, or may soon be, fit to be given to somebody.
    fn is_fine(&self, now: Timestamp) -> bool {
        matches!(self.status, Status::Running | Status::Provisioning) || now.since(self.since) < PATIENCE
    }
}

/// Which spares go, and of which kind one is made. `counts` are how many of each kind shall be there; `spares` those that
/// are not going already. One at a time is made, and of those that serve one at a time goes for its age, so that there is
/// always something to give.
pub(crate) fn tend(counts: &[usize], spares: &[Spare], now: Timestamp) -> (Vec<DeploymentId>, Option<usize>) {
    let is_old = |spare: &Spare| now.since(spare.made_at) >= OLDEST;
    let (mut gone, mut lacking) = (Vec::new(), None);
    let useless = |spare: &&Spare| spare.kind.is_none_or(|kind| kind >= counts.len()) || !spare.is_fine(now);
    gone.extend(spares.iter().filter(useless).map(|spare| spare.id.clone()));
    for (kind, count) in counts.iter().enumerate() {
        let mut kept: Vec<&Spare> =
            spares.iter().filter(|spare| spare.kind == Some(kind) && spare.is_fine(now)).collect();
        kept.sort_by_key(|spare| (spare.status != Status::Running, is_old(spare), spare.made_at));
        let surplus = kept.split_off(kept.len().min(*count));
        gone.extend(surplus.iter().map(|spare| spare.id.clone()));
        let all_serve = kept.iter().all(|spare| spare.status == Status::Running);
        let old = kept.iter().rposition(|spare| is_old(spare)).filter(|_| all_serve && kept.len() == *count);
        if let Some(old) = old {
            gone.push(kept.remove(old).id.clone());
        }
        if kept.len() < *count {
            lacking = lacking.or(Some(kind));
        }
    }
    let is_under_way = spares.iter().any(|spare| spare.status == Status::Provisioning);
    (gone, lacking.filter(|_| !is_under_way))
}

impl Services {
    /// Whether what shall run in advance can.
    ///
    /// # Errors
    /// In words, for the operator.
    pub fn check_warm(&self) -> Result<(), String> {
        for (index, warm) in self.settings.warm.iter().enumerate() {
            let Warm { service, plan, .. } = warm;
            let Some(template) = self.catalogue.find(service) else {
                let mut known: Vec<&str> =
                    self.catalogue.templates().map(|template| template.slug.as_str()).collect();
                known.sort_unstable();
                return Err(format!("there is no service {service}, only {}", known.join(", ")));
            };
            if template.plan(plan).is_none() {
                let plans: Vec<&str> = template.plans.iter().map(|plan| plan.id.as_str()).collect();
                return Err(format!("{service} has no plan {plan}, only {}", plans.join(", ")));
            }
            if self.usual(template).is_none() {
                return Err(format!(
                    "{service} needs settings of its buyer, so that none can run in advance"
                ));
            }
            let is_same = |other: &Warm| {
                other.plan == *plan
                    && self.catalogue.find(&other.service).is_some_and(|found| found.id == template.id)
            };
            if self.settings.warm[..index].iter().any(is_same) {
                return Err(format!("{service}:{plan} is there twice"));
            }
        }
        Ok(())
    }

    /// What is chosen where nobody chooses anything; none where that is not enough.
    fn usual(&self, template: &Template) -> Option<Chosen> {
        let is_here = matches!(template.recipe.image, Given::Here(_));
        self.chosen(template, &Chosen::default(), &Map::new()).ok().filter(|_| is_here)
    }

    /// What runs in advance, as it would be deployed today.
    pub(crate) fn warm_choices(&self) -> Vec<(Choice, usize)> {
        let choose = |warm: &Warm| {
            let new = NewDeployment {
                service: warm.service.clone(),
                name: "spare".to_owned(),
                plan: Some(warm.plan.clone()),
                region: None,
                settings: Map::new(),
                backup: None,
                organisation: None,
            };
            Some((self.choose(&new).ok()?, usize::try_from(warm.count).ok()?))
        };
        self.settings.warm.iter().filter_map(choose).collect()
    }

    /// Begins one more spare.
    pub(crate) async fn insert_spare(
        &self,
        tx: &mut Tx,
        choice: &Choice,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let id = DeploymentId::fresh();
        self.insert_row(tx, &id, (NOBODY, NOBODY), id.as_str(), choice, now).await?;
        self.wake_after(tx, &id);
        Ok(())
    }

    /// Gives an account a spare of what was chosen, as if it had been made now; `None` where there is none.
    pub(crate) async fn take_spare(
        &self,
        tx: &mut Tx,
        (owner, creator): (&AccountId, &UserId),
        name: &str,
        choice: &Choice,
        now: Timestamp,
    ) -> Result<Option<DeploymentId>, ServiceError> {
        let Choice { template, plan, region, chosen, backup } = choice;
        let is_kept = |warm: &Warm| {
            warm.plan == plan.id && (warm.service == template.slug || warm.service == template.id.as_str())
        };
        if !self.settings.warm.iter().any(is_kept)
            || backup.is_some()
            || self.usual(template).as_ref() != Some(chosen)
        {
            return Ok(None);
        }
        let row = args![NOBODY, template.digest, plan.id, region];
        let spares: Vec<(DeploymentId, i64)> = tx.all(&sql::LIST_READY_SPARES, row).await?;
        let mut taken = None;
        for (id, version) in spares {
            // Another may have taken it since it was read: then the next one.
            let row = args![id, version, NOBODY, owner, creator, name, now];
            if tx.execute(&sql::TAKE_SPARE, row).await? == 1 {
                taken = Some(id);
                break;
            }
        }
        let (slug, plan) = (template.slug.clone(), plan.id.clone());
        let found = if taken.is_some() { "yes" } else { "no" };
        tx.after_commit(move || {
            let labels = [("service", slug), ("plan", plan), ("found", found.to_owned())];
            metrics::counter!("fondaco_warm_asked_total", &labels).increment(1);
        });
        Ok(taken)
    }

    /// All spares, also those that are gone.
    pub(crate) async fn spares(&self, tx: &mut Tx) -> Result<Vec<Deployment>, store::StoreError> {
        tx.all(&sql::LIST_SPARES, args![NOBODY]).await
    }

    /// Whether somebody waits for a deployment.
    pub(crate) async fn somebody_waits(&self, tx: &mut Tx) -> Result<bool, store::StoreError> {
        let (waiting,): (u32,) = tx.one(&sql::COUNT_WAITING, args![NOBODY]).await?;
        Ok(waiting > 0)
    }

    /// A spare goes, unless it was taken since it was read.
    pub(crate) async fn drop_spare(
        &self,
        tx: &mut Tx,
        mut known: Deployment,
        now: Timestamp,
    ) -> Result<(), store::StoreError> {
        (known.wanted, known.status, known.since) = (Wanted::Deleted, Status::Deleting, now);
        known.generation += 1;
        if sql::save(tx, &mut known, now).await? {
            self.wake_after(tx, &known.id);
        }
        Ok(())
    }

    /// Forgets spares that are gone: nobody ever had them.
    pub(crate) async fn forget_spares(&self, tx: &mut Tx) -> Result<(), store::StoreError> {
        tx.execute(&sql::FORGET_SPARE_SETTINGS, args![NOBODY]).await?;
        tx.execute(&sql::FORGET_SPARES, args![NOBODY]).await.map(drop)
    }

    /// How many deployments of each service run for somebody now.
    pub(crate) async fn count_active(&self, tx: &mut Tx) -> Result<Vec<(String, u64)>, store::StoreError> {
        tx.all(&sql::COUNT_ACTIVE, args![NOBODY]).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_wanted_reads_as_service_plan_and_count() {
        let warm: Warm = " postgres-managed:free:2".parse().unwrap();
        assert_eq!((warm.service.as_str(), warm.plan.as_str(), warm.count), ("postgres-managed", "free", 2));
        for wrong in ["", "x", "x:y", "x:y:z", "x:y:1:2", ":y:1", "x::1", "x:y:-1", "x:y:101"] {
            assert!(wrong.parse::<Warm>().is_err(), "{wrong}");
        }
    }

    /// Between nothing and a bit more than a day before now.
    fn spare() -> impl Strategy<Value = Spare> {
        let status = prop_oneof![
            4 => Just(Status::Running),
            1 => Just(Status::Provisioning),
            1 => Just(Status::Degraded),
            1 => Just(Status::Failed),
        ];
        (proptest::option::of(0usize..3), status, 0i64..100_000, 0i64..100_000).prop_map(
            |(kind, status, age, quiet)| Spare {
                id: DeploymentId::fresh(),
                kind,
                status,
                since: Timestamp::from_secs(100_000 - quiet.min(age)),
                made_at: Timestamp::from_secs(100_000 - age),
            },
        )
    }

    proptest! {
        #[test]
        fn there_are_as_many_as_wanted_in_the_end_and_never_none_to_give(
            counts in proptest::collection::vec(0usize..4, 0..3),
            mut spares in proptest::collection::vec(spare(), 0..12),
        ) {
            let mut now = Timestamp::from_secs(100_000);
            let serving = |spares: &[Spare], kind: usize| {
                spares.iter().filter(|spare| spare.kind == Some(kind) && spare.status == Status::Running).count()
            };
            for round in 0..80 {
                let before: Vec<usize> = (0..counts.len()).map(|kind| serving(&spares, kind)).collect();
                let (gone, made) = tend(&counts, &spares, now);
                let mut once = gone.clone();
                once.sort();
                once.dedup();
                prop_assert_eq!(once.len(), gone.len(), "none goes twice");
                spares.retain(|spare| !gone.contains(&spare.id));
                for (kind, count) in counts.iter().enumerate() {
                    let least = before[kind].min(*count).saturating_sub(1);
                    prop_assert!(serving(&spares, kind) >= least, "one at a time goes for its age");
                }
                // Whoever was starting serves at the next look.
                for spare in spares.iter_mut().filter(|spare| spare.status == Status::Provisioning) {
                    spare.status = Status::Running;
                }
                if let Some(kind) = made {
                    spares.push(Spare { id: DeploymentId::fresh(), kind: Some(kind), status: Status::Provisioning,
                        since: now, made_at: now });
                }
                if round < 40 {
                    now = now.after(Duration::from_secs(30));
                }
            }
            for (kind, count) in counts.iter().enumerate() {
                prop_assert_eq!(serving(&spares, kind), *count);
            }
            prop_assert_eq!(spares.len(), counts.iter().sum::<usize>());
        }
    }
}
