//! `check`: every setting, its value and where it comes from.

use serde_json::json;

use super::super::args::Place;
use super::super::failure::Failure;
use super::super::terminal::Terminal;
use super::settings;

/// Shows the settings that `serve` would use; fails where it would.
pub(crate) fn check(terminal: &Terminal, place: &Place) -> Result<(), Failure> {
    let loaded = settings(place, Vec::new())?;
    if terminal.json {
        let entries = loaded.entries.iter().map(|entry| {
            json!({"key": entry.key.name, "value": entry.shown, "source": entry.origin.to_string(), "variable": entry.key.variable()})
        });
        terminal.data_json(&json!({
            "file": loaded.file,
            "settings": entries.collect::<Vec<_>>(),
            "warnings": loaded.warnings,
        }));
    } else {
        let row = |entry: &crate::config::Entry| {
            vec![
                entry.key.name.to_owned(),
                entry.shown.clone().unwrap_or_else(|| "-".to_owned()),
                entry.origin.to_string(),
            ]
        };
        terminal.table(&["key", "value", "source"], loaded.entries.iter().map(row).collect());
    }
    for warning in &loaded.warnings {
        terminal.warn(warning);
    }
    match &loaded.file {
        Some(path) => terminal.done(format!("The settings are in order; {} was read.", path.display())),
        None => terminal.done("The settings are in order; there is no fondaco.toml."),
    }
    Ok(())
}
