//! What the demo's user has running, where this machine has an engine with the images. It comes up in the background, after
//! the program is ready, through the room's own door; once, so that what a visitor deletes stays deleted.

use identity::Caller;
use kernel::Secret;
use serde_json::Map;
use services::NewDeployment;
use web::idempotency::{Key, Request};

use super::{DemoError, USER};
use crate::rooms::Rooms;

/// Service, name and region.
const RUNNING: [(&str, &str, &str); 3] = [
    ("postgres-managed", "shop-database", "eu-central-1"),
    ("redis-managed", "shop-cache", "eu-central-1"),
    ("mysql-managed", "wiki", "us-east-1"),
];

/// Deploys for the demo's user what can be deployed here, unless it ever deployed anything.
///
/// # Errors
/// [`DemoError`] when the demo's user cannot sign in; what cannot be deployed is left out.
pub async fn deploy(rooms: &Rooms) -> Result<(), DemoError> {
    let stranger = Caller::stranger(rooms.clock.now());
    let signed_in = rooms.identity.sign_in(&stranger, USER.0, &Secret::new(USER.1)).await?;
    let by = Caller { ctx: stranger.ctx.clone(), actor: Some(signed_in.actor) };
    let owner = rooms.catalog.account(USER.0).await?;
    if !rooms.services.ever_deployed(&owner).await? {
        for (service, name, region) in RUNNING {
            run(rooms, &by, service, name, region).await;
        }
    }
    rooms.identity.revoke_token_text(&by, signed_in.token.secret.expose()).await?;
    Ok(())
}

async fn run(rooms: &Rooms, by: &Caller, service: &str, name: &str, region: &str) {
    let new = NewDeployment {
        service: service.to_owned(),
        name: name.to_owned(),
        plan: Some("free".to_owned()),
        region: Some(region.to_owned()),
        settings: Map::new(),
        backup: None,
        organisation: None,
    };
    if let Err(error) = rooms.services.deploy(by, new, Request::new(Key(None), "", &())).await {
        tracing::info!(service, %error, "the demo goes without this deployment");
    }
}
