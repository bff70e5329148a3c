//! Where the data plane is told which port leads where.

use std::collections::HashMap;
use std::net::SocketAddr;

use relay::{Client, Mode, RelayError, Route, Settings, Table};
use tokio::sync::Mutex;

use crate::DeploymentId;

/// How many connections a deployment may have at once.
const MAX_CONNECTIONS: u32 = 10_000;

/// How connections come in from outside.
#[derive(Clone, Debug)]
pub enum Doors {
    /// By a relay, which is started when the first deployment needs it.
    Relay(Settings, Mode),
    /// Not at all: for tests, and for who only looks.
    Closed,
}

/// One deployment that is to be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Door {
    pub(super) port: u16,
    /// Where it runs; none while that is not known.
    pub(super) target: Option<SocketAddr>,
}

/// What the data plane was told last.
pub(super) struct Told {
    doors: Doors,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    client: Option<Client>,
    table: Table,
    asked: bool,
}

impl Told {
    pub(super) fn new(doors: Doors) -> Self {
        Self { doors, state: Mutex::default() }
    }

    /// Tells the whole table, unless it was told already. Gives the ports that could not be opened, with the reason.
    pub(super) async fn tell(
        &self,
        doors: &HashMap<DeploymentId, Door>,
    ) -> Result<HashMap<u16, String>, RelayError> {
        let Doors::Relay(settings, mode) = &self.doors else { return Ok(HashMap::new()) };
        let mut table: Table = doors.iter().map(|(id, door)| route(id, door)).collect();
        table.sort_by_key(|route| route.listen_port);
        let mut state = self.state.lock().await;
        if state.asked && state.table == table {
            return Ok(HashMap::new());
        }
        let client = match &state.client {
            Some(client) => client.clone(),
            // A relay that still serves what there was before must hear that there is nothing any more.
            None if table.is_empty() && Client::look(settings).await?.is_none() => {
                (state.asked, state.table) = (true, table);
                return Ok(HashMap::new());
            }
            None => {
                state.client.insert(Client::connect_or_start(settings.clone(), mode.clone()).await?).clone()
            }
        };
        state.asked = false;
        let unbound = client.set(table.clone()).await?;
        (state.asked, state.table) = (unbound.is_empty(), table);
        Ok(unbound.into_iter().map(|unbound| (unbound.listen_port, unbound.reason)).collect())
    }
}

fn route(id: &DeploymentId, door: &Door) -> Route {
    Route {
        listen_port: door.port,
        target: door.target,
        deployment: id.to_string(),
        max_connections: MAX_CONNECTIONS,
    }
}
