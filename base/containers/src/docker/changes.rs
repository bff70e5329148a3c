//! News of containers, as the engine tells them.

use std::collections::HashMap;

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptions;
use futures_util::{StreamExt as _, future};
use kernel::Timestamp;

use super::Docker;
use super::error::failed;
use crate::{ChangeStream, EngineError};

/// What changes a container's state. Commands that are executed in it do not.
const ACTIONS: [&str; 8] = ["create", "start", "die", "oom", "pause", "unpause", "stop", "destroy"];

impl Docker {
    pub(super) async fn watch(&self) -> Result<ChangeStream, EngineError> {
        let mut filters: HashMap<_, _> = self.filter();
        filters.insert("type".to_owned(), vec!["container".to_owned()]);
        filters.insert("event".to_owned(), ACTIONS.map(str::to_owned).to_vec());
        let client = self.client().await?;
        // The stream asks when it is first read. What happens until then is told too: since now, by the engine's clock.
        let now = client.info().await.map_err(failed)?.system_time.as_deref().and_then(since);
        let options = EventsOptions { since: now, filters: Some(filters), until: None };
        let events = client.events(Some(options));
        let names = events
            .take_while(|event| future::ready(event.is_ok()))
            .filter_map(|event| future::ready(event.ok().and_then(name)));
        Ok(names.boxed())
    }
}

/// A time in the form that the filter understands: seconds, a dot, nanoseconds.
fn since(time: &str) -> Option<String> {
    let time: Timestamp = time.parse().ok()?;
    Some(format!("{}.{:06}000", time.secs(), time.micros().rem_euclid(1_000_000)))
}

fn name(event: EventMessage) -> Option<String> {
    event.actor?.attributes?.remove("name")
}
