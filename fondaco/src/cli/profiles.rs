//! `profile list`, `use`: several servers signed in to, one of them in use.

use serde_json::json;

use super::args::{Global, Profile};
use super::failure::{Failure, code};
use super::profile::{Credentials, choose, profile_in_use};
use super::terminal::Terminal;

/// Runs a command about profiles.
pub(crate) fn run(terminal: &Terminal, global: &Global, command: &Profile) -> Result<(), Failure> {
    match command {
        Profile::List => list(terminal, global),
        Profile::Use { name } => choose_stored(terminal, name),
    }
}

fn list(terminal: &Terminal, global: &Global) -> Result<(), Failure> {
    let (credentials, in_use) = (Credentials::load()?, profile_in_use(global)?);
    if terminal.json {
        let profiles = credentials.all().map(|(name, stored)| {
            json!({"profile": name, "server": stored.server, "username": stored.username, "inUse": name == in_use})
        });
        terminal.data_json(&profiles.collect::<Vec<_>>());
        return Ok(());
    }
    let rows: Vec<Vec<String>> = credentials
        .all()
        .map(|(name, stored)| {
            let mark = if name == in_use { "in use" } else { "" };
            [name, &stored.server, &stored.username, mark].map(str::to_owned).to_vec()
        })
        .collect();
    if rows.is_empty() {
        terminal.say("Nobody is signed in anywhere.");
        terminal.hint("fondaco login --server https://market.example.com");
    }
    terminal.table(&["profile", "server", "signed in as", ""], rows);
    Ok(())
}

fn choose_stored(terminal: &Terminal, name: &str) -> Result<(), Failure> {
    let credentials = Credentials::load()?;
    let Some(stored) = credentials.get(name) else {
        let detail = format!("No sign-in is stored as `{name}`. The one in use stays.");
        return Err(Failure::new(code::NOT_FOUND, "cli.no_profile", "Not found", detail)
            .next(format!("fondaco login --profile {name} --server https://market.example.com")));
    };
    choose(name)?;
    if terminal.json {
        terminal.data_json(&json!({"profile": name, "server": stored.server, "username": stored.username}));
    }
    terminal.done(format!("From now on commands talk to {} as {}.", stored.server, stored.username));
    Ok(())
}
