//! Deprecation: a version stays, with a reason not to use it.

use std::collections::BTreeMap;

use identity::{Caller, audit};
use store::{Tx, args};

use crate::access::{Standing, require};
use crate::events::PackageDeprecated;
use crate::package::{Changed, Package};
use crate::publish::about;
use crate::registry::{Registry, bump, changed};
use crate::{Ecosystem, RegistryError, sql};

/// The longest reason, in characters.
const MAX_MESSAGE: usize = 1024;

impl Registry {
    /// Sets the reason of each version that is named; an empty one takes the deprecation back. Versions whose
    /// reason stays the same, and unknown ones, are passed over. `rev` is the revision that the caller saw.
    ///
    /// # Errors
    /// [`RegistryError::Stale`], [`RegistryError::Malformed`] when a reason is too long.
    pub async fn deprecate(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        name: &str,
        messages: BTreeMap<String, String>,
        rev: Option<String>,
    ) -> Result<Changed, RegistryError> {
        if messages.values().any(|message| message.chars().count() > MAX_MESSAGE) {
            return Err(RegistryError::Malformed(format!(
                "Use at most {MAX_MESSAGE} characters to say why."
            )));
        }
        let (registry, by, name) = (self.clone(), by.clone(), name.to_owned());
        let write = async move |tx: &mut Tx| {
            let mut package = require(tx, &by, ecosystem, &name, Standing::Writer).await?;
            let different = different(tx, &package, &messages).await?;
            if different.is_empty() {
                return Ok(changed(&package));
            }
            bump(tx, &mut package, rev.as_deref(), by.now()).await?;
            for (version, message) in &different {
                let message = Some(message).filter(|message| !message.is_empty());
                tx.execute(&sql::SET_DEPRECATED, args![package.id, version, message]).await?;
            }
            told(tx, &registry, &by, &package, different).await?;
            Ok::<_, RegistryError>(changed(&package))
        };
        self.store().write(write).await
    }
}

/// What really changes.
async fn different(
    tx: &mut Tx,
    package: &Package,
    messages: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, RegistryError> {
    let present: Vec<(String, i64, Option<String>)> =
        tx.all(&sql::LIST_RELEASE_STATES, args![package.id]).await?;
    let changes = present.into_iter().filter_map(|(version, _, message)| {
        let wanted = messages.get(&version)?;
        (*wanted != message.unwrap_or_default()).then(|| (version, wanted.clone()))
    });
    Ok(changes.collect())
}

/// Tells everybody: one event for each reason.
async fn told(
    tx: &mut Tx,
    registry: &Registry,
    by: &Caller,
    package: &Package,
    changes: BTreeMap<String, String>,
) -> Result<(), RegistryError> {
    let details = serde_json::json!({"messages": changes, "package": package.id});
    audit::record(tx, by, "package.deprecated", &package.name, audit::Outcome::Done, &details).await?;
    let mut by_message: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (version, message) in changes {
        by_message.entry(message).or_default().push(version);
    }
    for (message, versions) in by_message {
        let event = PackageDeprecated { about: about(package, by), versions, message };
        events::append(tx, by.now(), &event).await?;
    }
    registry.forget_after_commit(tx, package.ecosystem, &package.name);
    Ok(())
}
