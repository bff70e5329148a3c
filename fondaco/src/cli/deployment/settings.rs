//! `--set` and `--set-file`: a service's own settings as they were said.

use std::fs::File;
use std::io::Read;

use serde_json::{Map, Value};

use super::super::args::Settings;
use super::super::failure::Failure;

/// The largest file: as much as all settings together may have.
const MAX_BYTES: u64 = 256 << 10;

/// What was said, by name. All values are texts, which the server reads as their kind says.
///
/// # Errors
/// What is no `NAME=…`, what was said twice, and files that cannot be read.
pub(super) fn read(said: &Settings) -> Result<Map<String, Value>, Failure> {
    let mut config = Map::new();
    let mut add = |name: &str, value: Value| match config.insert(name.to_owned(), value) {
        None => Ok(()),
        Some(_) => Err(Failure::usage(format!("`{name}` was set twice."))),
    };
    for text in &said.values {
        let (name, value) = parts(text)?;
        add(name, if value.is_empty() { Value::Null } else { value.into() })?;
    }
    for text in &said.files {
        let (name, path) = parts(text)?;
        add(name, contents(path)?.into())?;
    }
    Ok(config)
}

fn parts(text: &str) -> Result<(&str, &str), Failure> {
    let parts =
        text.split_once('=').filter(|(name, _)| !name.is_empty() && *name != "tier" && *name != "region");
    parts.ok_or_else(|| Failure::usage(format!("`{text}` is no setting such as NAME=VALUE.")))
}

fn contents(path: &str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::local(&format!("{path} cannot be read"), error);
    let mut text = String::new();
    File::open(path).map_err(failed)?.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Failure::usage(format!("{path} has more than 256 kB.")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn said(values: &[&str], files: &[String]) -> Settings {
        Settings { values: values.iter().map(|text| (*text).to_owned()).collect(), files: files.to_vec() }
    }

    #[test]
    fn what_is_said_is_taken_as_text_and_twice_is_once_too_often() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routes.json");
        std::fs::write(&path, "[1]").unwrap();
        let file = format!("routes={}", path.display());
        let config = read(&said(&["a=b=c", "n="], std::slice::from_ref(&file))).unwrap();
        assert_eq!(Value::from(config), serde_json::json!({"a": "b=c", "n": null, "routes": "[1]"}));
        assert!(read(&said(&["routes=1"], &[file])).is_err());
        assert!(read(&said(&["nothing"], &[])).is_err());
        assert!(read(&said(&[], &["x=/nowhere".to_owned()])).is_err());
    }
}
