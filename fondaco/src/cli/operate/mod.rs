//! Commands of the operator, on the server's machine: they open its data themselves.

pub(super) mod admin;
pub(super) mod backup;
pub(super) mod check;
pub(super) mod demo;
pub(super) mod doctor;
mod jobs;
mod ledger;
mod look;
mod look_engine;
pub(super) mod migrate;
pub(super) mod relay;
pub(super) mod serve;

use super::args::Place;
use super::failure::{Failure, sentence};
use super::terminal::Terminal;
use crate::config::{Loaded, Sources};
use crate::data::DataDir;
use crate::rooms::{Addresses, Rooms};

/// The settings that hold at this place.
pub(super) fn settings(
    place: &Place,
    flags: Vec<(&'static str, &'static str, String)>,
) -> Result<Loaded, Failure> {
    let mut sources = Sources { file: place.config.clone(), flags, ..Sources::environment() };
    if let Some(folder) = &place.data_dir {
        sources.flags.push(("server.data_dir", "--data-dir", folder.display().to_string()));
    }
    Ok(sources.load()?)
}

/// The opened data of a server that may be running.
pub(super) struct Opened {
    pub(super) data: DataDir,
    pub(super) rooms: Rooms,
}

/// Opens the data folder, the database and the rooms on it, and makes them where they are new.
pub(super) async fn open(terminal: &Terminal, place: &Place) -> Result<Opened, Failure> {
    let Loaded { config, warnings, .. } = settings(place, Vec::new())?;
    for warning in warnings {
        terminal.warn(warning);
    }
    let data = DataDir::open(&config.server.data_dir)?;
    let rooms = Rooms::open(&config, &data, &Addresses::of(&config)).await;
    let rooms = rooms.map_err(|error| {
        Failure::local("The data cannot be opened", sentence(&format!("{error:#}"))).next("fondaco doctor")
    })?;
    Ok(Opened { data, rooms })
}
