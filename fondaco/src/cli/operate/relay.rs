//! `relay`: the way to deployments, as a process of its own. The server starts it by itself; operators look at it and end
//! it here.

use std::path::PathBuf;

use kernel::Clock;
use relay::{About, Client, RelayError, Settings, State};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::super::args::{Place, Relay};
use super::super::failure::{Failure, code, sentence};
use super::super::terminal::Terminal;
use super::settings;

/// Is the relay until told to end, or does what the flags say to the one that runs.
pub(crate) async fn relay(terminal: &Terminal, args: &Relay) -> Result<(), Failure> {
    let settings = Settings { data_dir: data_dir(&args.place)?, listen: args.listen, idle: args.idle };
    if args.status {
        return show(terminal, Client::look(&settings).await.map_err(broken)?);
    }
    if args.stop {
        let there_was = Client::leave(&settings).await.map_err(broken)?;
        terminal.say(if there_was {
            "The relay lets nobody in any more, and ends with its last connection."
        } else {
            "No relay runs here."
        });
        return Ok(());
    }
    if args.detached {
        leave_session();
    }
    let stop = CancellationToken::new();
    end_with(&[SignalKind::terminate(), SignalKind::interrupt()], &stop)?;
    relay::run(settings, Clock::system(), stop).await.map_err(broken)
}

/// The folder that was named, without a look at the settings: a relay that the server starts has none.
fn data_dir(place: &Place) -> Result<PathBuf, Failure> {
    match &place.data_dir {
        Some(folder) => Ok(folder.clone()),
        None => Ok(settings(place, Vec::new())?.config.server.data_dir),
    }
}

/// Lets go of the terminal and of the group of the process that started this one: what ends them does not end the
/// relay. Who leads a group cannot, and need not.
fn leave_session() {
    if let Err(error) = rustix::process::setsid() {
        tracing::warn!(%error, "the relay stays in the session that it was started in");
    }
}

fn end_with(kinds: &[SignalKind], stop: &CancellationToken) -> Result<(), Failure> {
    for kind in kinds {
        let heard = signal(*kind);
        let mut heard = heard.map_err(|error| Failure::local("The relay cannot start", error))?;
        let stop = stop.clone();
        tokio::spawn(async move {
            heard.recv().await;
            stop.cancel();
        });
    }
    Ok(())
}

fn broken(error: RelayError) -> Failure {
    let detail = sentence(&error.to_string());
    match error {
        RelayError::Taken(_) => {
            Failure::new(code::CONFLICT, "relay.taken", "There is a relay already", detail)
                .next("fondaco relay --status")
        }
        _ => Failure::local("The relay does not work", detail),
    }
}

fn show(terminal: &Terminal, found: Option<(About, State)>) -> Result<(), Failure> {
    let Some((about, state)) = found else {
        return Err(Failure::new(code::NOT_FOUND, "relay.missing", "No relay runs here", "Nothing answers.")
            .next("fondaco serve"));
    };
    if terminal.json {
        let connections = state.routes.iter().map(|route| u64::from(route.connections)).sum::<u64>();
        terminal.data_json(&json!({
            "pid": about.pid,
            "protocol": about.protocol,
            "listen": about.listen,
            "startedAt": about.started_at,
            "connections": connections,
            "routes": state.routes,
        }));
        return Ok(());
    }
    terminal.say(format!("Process {}, since {}, at {}", about.pid, about.started_at, about.listen));
    let rows = state.routes.iter().map(|route| {
        vec![
            route.listen_port.to_string(),
            route.deployment.clone(),
            route.target.map(|target| target.to_string()).unwrap_or_default(),
            route.connections.to_string(),
            route.connections_total.to_string(),
            (route.refused_total + route.failed_total).to_string(),
            route.bytes_in.to_string(),
            route.bytes_out.to_string(),
        ]
    });
    let head = ["port", "deployment", "target", "now", "total", "lost", "bytes in", "bytes out"];
    terminal.table(&head, rows.collect());
    Ok(())
}
