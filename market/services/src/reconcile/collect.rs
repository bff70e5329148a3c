//! What the engine has that belongs to nothing any more goes: after a kill in the middle of a removal, or when a database
//! was restored that knows less.

use std::collections::HashSet;

use containers::Seen;
use store::{StoreError, Tx, args};

use super::backup::trial_name;
use super::target::{network_names, network_of};
use super::{Reconciler, named};
use crate::deployment::Deployment;
use crate::{BackupId, sql};

impl Reconciler {
    /// Removes containers, volumes and networks that belong to no deployment of `live`. Nothing is removed by a name that
    /// is none of ours.
    pub(super) async fn collect(&self, live: &[Deployment], seen: &Seen) {
        let list = async |tx: &mut Tx| tx.all::<(BackupId,)>(&sql::LIST_TRIALS, &[]).await;
        let Ok(trials) = self.room.store.read(list).await else { return };
        let trials = trials.iter().map(|(id,)| trial_name(id));
        let known: HashSet<String> = live.iter().map(Deployment::engine_name).chain(trials).collect();
        let networks: HashSet<String> =
            live.iter().map(|known| network_of(known, self.room.settings.outside)).collect();
        let is_ours = |name: &str| named(name).is_some() || is_trial(name);
        let is_left = |name: &str| is_ours(name) && !known.contains(name);
        let engine = &self.room.engine;
        for container in seen.containers.iter().filter(|container| is_left(&container.name)) {
            report(&container.name, "container", engine.remove(&container.name).await);
        }
        for volume in seen.volumes.iter().filter(|volume| is_left(&volume.name)) {
            report(&volume.name, "volume", engine.remove_volume(&volume.name).await);
        }
        for network in &seen.networks {
            let Some(account) = network.labels.get("account") else { continue };
            if networks.contains(&network.name) || !network_names(account).contains(&network.name) {
                continue;
            }
            // One that is still in use goes when the last container has moved out of it.
            let used = seen.containers.iter().any(|container| container.networks.contains(&network.name));
            if !used {
                self.drop_networks(account, std::slice::from_ref(&network.name)).await;
            }
        }
    }

    /// Removes networks of an account, and gives its addresses back when it has nothing any more.
    async fn drop_networks(&self, account: &str, names: &[String]) {
        let mut are_gone = true;
        for name in names {
            let removed = self.room.engine.remove_network(name).await;
            are_gone &= removed.is_ok();
            report(name, "network", removed);
        }
        if are_gone && let Err(error) = self.forget_network(account).await {
            tracing::warn!(%error, account, "the addresses of a network could not be given back");
        }
    }

    /// The same at once, when the last deployment of an account is gone.
    pub(super) async fn drop_network_if_last(&self, account: &str) -> Result<(), StoreError> {
        let owner = account.to_owned();
        let count = async move |tx: &mut Tx| tx.one::<(u32,)>(&sql::COUNT_OF_OWNER, args![owner]).await;
        if self.room.store.read(count).await?.0 == 0 {
            self.drop_networks(account, &network_names(account)).await;
        }
        Ok(())
    }

    /// Gives the addresses of an account back, unless it has a deployment again by now.
    pub(super) async fn forget_network(&self, account: &str) -> Result<(), StoreError> {
        let account = account.to_owned();
        let forget = async move |tx: &mut Tx| {
            let (left,): (u32,) = tx.one(&sql::COUNT_OF_OWNER, args![account]).await?;
            if left == 0 {
                tx.execute(&sql::DELETE_NETWORK, args![account]).await?;
            }
            Ok::<_, StoreError>(())
        };
        self.room.store.write(forget).await
    }
}

/// Whether a backup is tried in what has this name.
fn is_trial(name: &str) -> bool {
    name.strip_prefix("fondaco-").is_some_and(|id| id.parse::<BackupId>().is_ok())
}

fn report(name: &str, kind: &str, removed: Result<(), containers::EngineError>) {
    match removed {
        Ok(()) => tracing::info!(name, kind, "removed what belonged to no deployment any more"),
        Err(error) => {
            tracing::warn!(name, kind, %error, "what belongs to no deployment could not be removed yet")
        }
    }
}
