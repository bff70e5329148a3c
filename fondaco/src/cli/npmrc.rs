//! `config npm`: the lines that point npm and its kin at this server.

use std::path::Path;

use super::args::{Global, NpmConfig};
use super::failure::Failure;
use super::profile::Session;
use super::terminal::Terminal;
use crate::data::replace;

/// Prints the lines, or writes them.
pub(crate) fn npm(terminal: &Terminal, global: &Global, args: &NpmConfig) -> Result<(), Failure> {
    let session = Session::find(global)?;
    if args.scope.as_ref().is_some_and(|scope| {
        !scope.starts_with('@') || scope.len() < 2 || scope.contains(['/', '=', '\n', ' '])
    }) {
        return Err(Failure::usage("A scope is written @name."));
    }
    let token = match (&session.token, args.with_token) {
        (Some(token), true) => token.expose().to_owned(),
        (None, true) => {
            let detail = format!("There is no token for {}.", session.server);
            return Err(Failure::sign_in(detail));
        }
        (_, false) => "${FONDACO_TOKEN}".to_owned(),
    };
    let lines = lines(&session.registry, args.scope.as_deref(), &token);
    let Some(path) = &args.write else {
        for (key, value) in &lines {
            terminal.data(format!("{key}={value}"));
        }
        return Ok(());
    };
    merge(path, &lines)?;
    terminal.done(format!("{} points at {}.", path.display(), session.registry));
    if !args.with_token {
        terminal.hint("export FONDACO_TOKEN=$(fondaco token create --name npm)");
    }
    Ok(())
}

fn lines(registry: &str, scope: Option<&str>, token: &str) -> [(String, String); 2] {
    let key = scope.map_or_else(|| "registry".to_owned(), |scope| format!("{scope}:registry"));
    let bare = registry.split_once("://").map_or(registry, |(_, rest)| rest);
    [(key, registry.to_owned()), (format!("//{bare}:_authToken"), token.to_owned())]
}

/// Replaces the lines with these keys and keeps all others.
fn merge(path: &Path, lines: &[(String, String)]) -> Result<(), Failure> {
    let old = match std::fs::read_to_string(path) {
        Ok(old) => old,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            return Err(Failure::local("The file cannot be read", format!("{}: {error}.", path.display())));
        }
    };
    let is_ours = |line: &&str| {
        lines.iter().any(|(key, _)| line.split('=').next().is_some_and(|own| own.trim() == key))
    };
    let mut text: String =
        old.lines().filter(|line| !is_ours(line)).map(|line| format!("{line}\n")).collect();
    for (key, value) in lines {
        text.push_str(&format!("{key}={value}\n"));
    }
    replace(path, &text).map_err(|error| {
        Failure::local("The file cannot be written", format!("{}: {error}.", path.display()))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn other_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".npmrc");
        std::fs::write(&path, "registry=http://old/\nfund=false\n").unwrap();
        merge(&path, &lines("http://localhost:4873/npm/", None, "t")).unwrap();
        merge(&path, &lines("http://localhost:4873/npm/", None, "u")).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "fund=false\nregistry=http://localhost:4873/npm/\n//localhost:4873/npm/:_authToken=u\n"
        );
        assert_eq!(lines("https://x/npm/", Some("@acme"), "t")[0].0, "@acme:registry");
    }
}
