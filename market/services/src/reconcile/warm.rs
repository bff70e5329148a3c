//! Keeps as many spares running as the operator wants, without getting in the way of who waits.

use std::collections::BTreeMap;

use store::{StoreError, Tx};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{PATIENCE, Reconciler, TurnError};
use crate::deployment::{Deployment, Status, Wanted};
use crate::error::ServiceError;
use crate::warm::{Kind, Spare, tend};

impl Reconciler {
    /// Looks after the spares, unless that is done already.
    pub(super) fn begin_tending(&self, tending: &mut JoinSet<()>) {
        if tending.is_empty() {
            let this = self.clone();
            tending.spawn(async move {
                if let Err(error) = this.tend_spares().await {
                    tracing::warn!(%error, "deployments in advance could not be looked after");
                }
            });
        }
    }

    /// Takes away spares that are of no use any more, and begins one where some are missing.
    pub(super) async fn tend_spares(&self) -> Result<(), TurnError> {
        let room = self.room.clone();
        let look = async move |tx: &mut Tx| {
            Ok::<_, StoreError>((room.spares(tx).await?, room.somebody_waits(tx).await?))
        };
        let (spares, waits) = self.room.store.read(look).await?;
        metrics::gauge!("fondaco_warm_spares")
            .set(f64::from(u32::try_from(spares.len()).unwrap_or(u32::MAX)));
        if spares.is_empty() && self.room.settings.warm.is_empty() {
            return Ok(());
        }
        let kinds = self.kinds().await?;
        let are_gone = spares.iter().any(|spare| spare.status == Status::Deleted);
        let mut there: Vec<Deployment> =
            spares.into_iter().filter(|spare| spare.wanted == Wanted::Running).collect();
        let known: Vec<Spare> = there.iter().map(|spare| Spare::of(spare, &kinds)).collect();
        let counts: Vec<usize> = kinds.iter().map(|kind| kind.count).collect();
        let now = self.room.clock.now();
        let (gone, made) = tend(&counts, &known, now);
        count(&kinds, &known);
        there.retain(|spare| gone.contains(&spare.id));
        let made = made.and_then(|kind| kinds.into_iter().nth(kind));
        let made = made.filter(|kind| kind.image.is_some() && !waits).map(|kind| kind.choice);
        if there.is_empty() && made.is_none() && !are_gone {
            return Ok(());
        }
        let this = self.clone();
        let change = async move |tx: &mut Tx| {
            if !this.inner.lease.check(tx, now).await? {
                return Ok::<_, ServiceError>(());
            }
            this.room.forget_spares(tx).await?;
            for spare in &there {
                this.room.drop_spare(tx, spare.clone(), now).await?;
            }
            match &made {
                Some(choice) => this.room.insert_spare(tx, choice, now).await,
                None => Ok(()),
            }
        };
        Ok(self.room.store.write(change).await?)
    }

    /// What is wanted in advance, as it would be made now.
    async fn kinds(&self) -> Result<Vec<Kind>, TurnError> {
        let mut kinds = Vec::new();
        for (choice, count) in self.room.warm_choices() {
            let reference = choice.template.recipe.image(&choice.chosen);
            let asked = timeout(PATIENCE, self.room.engine.image(&reference)).await;
            let late = |_| containers::EngineError::Unreachable("it does not answer in time".to_owned());
            let image = asked.map_err(late)??.map(|image| image.id);
            kinds.push(Kind { choice, image, count });
        }
        Ok(kinds)
    }
}

/// Tells operators how many are ready.
fn count(kinds: &[Kind], spares: &[Spare]) {
    let mut ready: BTreeMap<usize, u32> = (0..kinds.len()).map(|kind| (kind, 0)).collect();
    for spare in spares.iter().filter(|spare| spare.status == Status::Running) {
        if let Some(count) = spare.kind.and_then(|kind| ready.get_mut(&kind)) {
            *count += 1;
        }
    }
    for (kind, count) in ready {
        let Some(Kind { choice, .. }) = kinds.get(kind) else { continue };
        let labels = [("service", choice.template.slug.clone()), ("plan", choice.plan.id.clone())];
        metrics::gauge!("fondaco_warm_ready", &labels).set(f64::from(count));
    }
}
