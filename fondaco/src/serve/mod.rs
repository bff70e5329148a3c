//! The running server: ports, rooms, what runs beside them, and a clean end.

mod background;
mod front;
mod health;
mod jobs;
mod listen;
mod ports;
mod problems;
mod reference;
mod site;
mod surfaces;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::data::{DataDir, Ready};
use crate::rooms::{Addresses, Rooms};
use ports::Ports;
pub use surfaces::Surfaces;

/// Runs the server until it is told to end by SIGTERM or Ctrl-C. With `demo` an empty database is filled first.
///
/// # Errors
/// When a port is taken, the data folder is in use, or the database or the file storage cannot be opened.
pub async fn run(config: &Config, demo: bool) -> anyhow::Result<()> {
    let config = &for_demo(config.clone(), demo);
    let data = DataDir::open(&config.server.data_dir)?;
    let _lock = data.lock()?;
    data.remove_ready();
    let metrics = background::metrics()?;
    let ports = Ports::bind(config).await?;
    let ready = ports.ready();
    let addresses = addresses(config, &ready);
    let rooms = Rooms::open(config, &data, &addresses).await?;
    if demo {
        crate::demo::fill(&rooms).await.context("the demo data cannot be made")?;
    }

    let stop = CancellationToken::new();
    let surfaces = Surfaces::new(config, &rooms, &addresses, &metrics, demo);
    let mut doors = JoinSet::new();
    for (door, listener) in ports.0 {
        doors.spawn(listen::serve(
            listener,
            surfaces.router(door),
            config.server.shutdown_grace,
            stop.clone(),
        ));
    }
    let mut beside = background::start(config, &rooms, &surfaces, &metrics, &stop);

    if demo {
        background::spawn(&mut beside, &stop, demo_deployments(rooms.clone()));
    }

    // The link's file is there before anybody is told that the program is ready.
    let link = setup_link(&rooms, &data).await?;
    // Whoever is told may end the program at once.
    let end = end()?;
    data.write_ready(&ready)?;
    announce(&ready);
    if let Some(link) = link {
        say(&format!("\n  Set up the first administrator (valid for an hour): {link}\n"));
    }

    end.await;
    tracing::info!("ending: running requests may finish");
    data.remove_ready();
    stop.cancel();
    while doors.join_next().await.is_some() {}
    background::end(beside, &rooms).await;
    Ok(())
}

/// How many deployments of free plans an account may have running in a demo.
const DEMO_DEPLOYMENTS: u32 = 5;

/// A demo takes test cards, unless it is told how else people pay; its organisation sells the services.
fn for_demo(mut config: Config, demo: bool) -> Config {
    config.payments.sandbox |= demo && config.payments.stripe_key.is_none();
    if demo {
        config.services.seller.get_or_insert_with(|| crate::demo::ORGANISATION.to_owned());
        config.services.free_deployments = config.services.free_deployments.max(DEMO_DEPLOYMENTS);
        if config.services.hosted_images.is_empty() {
            config.services.hosted_images.push("fondaco/*".to_owned());
        }
    }
    config
}

/// What runs in the demo, after everybody was told that the program is ready.
async fn demo_deployments(rooms: Rooms) {
    if let Err(error) = crate::demo::deploy(&rooms).await {
        tracing::warn!(%error, "the demo goes without deployments");
    }
}

/// Where this instance is reached: as configured, else at its own ports.
fn addresses(config: &Config, ready: &Ready) -> Addresses {
    let mut addresses = Addresses::of(config);
    if let (None, Some(web)) = (&config.server.public_url, &ready.web) {
        addresses.web.clone_from(web);
    }
    if let (None, Some(registry)) = (&config.registry.public_url, &ready.registry) {
        addresses.registry.clone_from(registry);
    }
    addresses
}

/// The one-time link of an instance without an administrator; it is also kept in a file for its owner.
async fn setup_link(rooms: &Rooms, data: &DataDir) -> anyhow::Result<Option<String>> {
    let link = rooms.identity.setup_link(rooms.clock.now()).await?;
    match &link {
        Some(link) => data.write_setup_link(link.expose())?,
        None => data.remove_setup_link(),
    }
    Ok(link.map(|link| link.expose().to_owned()))
}

fn announce(ready: &Ready) {
    let lines = [
        ("web", &ready.web),
        ("API", &ready.api),
        ("registry", &ready.registry),
        ("services API", &ready.services),
        ("orchestrator", &ready.orchestrator),
    ];
    say("Fondaco is ready.\n");
    for (name, url) in lines {
        if let Some(url) = url {
            say(&format!("  {name:<13} {url}"));
        }
    }
}

/// The server speaks to whoever started it.
#[allow(clippy::print_stdout)]
fn say(text: &str) {
    println!("{text}");
}

/// Listens for the signals that end the program, from now on; the future is over when one has come.
fn end() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be listened for")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
