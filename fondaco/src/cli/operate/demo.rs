//! `demo`: fills an empty database.

use super::super::args::Place;
use super::super::failure::{Failure, code, sentence};
use super::super::terminal::Terminal;
use super::open;
use crate::demo::{self, DemoError};

/// Fills an empty database with demo data; goes on where an earlier run was killed.
pub(crate) async fn demo(terminal: &Terminal, place: &Place) -> Result<(), Failure> {
    let opened = open(terminal, place).await?;
    let made = demo::fill_with_operator(&opened.rooms).await?;
    if terminal.json {
        terminal.data_json(&made.to_json());
    } else {
        for (username, password) in made.accounts() {
            terminal.data(format!("{username}\t{password}"));
        }
    }
    terminal.done(if made.is_new { "The demo data is there." } else { "The demo data was there already." });
    terminal.hint(format!("fondaco serve --data-dir {}", opened.data.path().display()));
    Ok(())
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        let detail = sentence(&error.to_string());
        match error {
            DemoError::NotEmpty => Self::new(code::CONFLICT, "demo.not_empty", "Nothing was changed", detail)
                .next("choose another --data-dir"),
            _ => Self::new(code::FAILED, "demo.failed", "The demo data cannot be made", detail),
        }
    }
}
