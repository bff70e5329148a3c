//! `fondaco.example.toml`, made from the table of settings.

use std::fmt::Write as _;

use super::keys::{KEYS, Key, Kind};

const HEAD: &str = "\
# Settings of Fondaco. Copy this file to fondaco.toml and change what you need: each line shows what holds without
# it. A flag of the command line wins over the environment, that over this file. `fondaco check` shows the result.
#
# Durations are written 30s, 15m, 1h30m or 7d; sizes 512KB, 128MB or 2GB.
";

pub(super) const UPLINK: &str = r#"#[[registry.uplinks]]
#name = "upstream"
#url = "https://registry.example.com"
# Which names it is asked for; everything where empty.
#patterns = ["@acme", "left-*"]
# What it wants to see as a bearer token; or token_file, the file that holds it.
#token_file = "/run/secrets/upstream-token"
# How long its documents are used without asking again, and how long it may take to answer.
#ttl = "5m"
#timeout = "30s"
"#;

/// The text of the example file.
#[must_use]
pub fn example() -> String {
    let mut text = HEAD.to_owned();
    let mut section = "";
    for key in KEYS {
        let (here, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if here != section {
            let _ = write!(text, "\n[{here}]\n");
            section = here;
        }
        if key.kind == Kind::Tables {
            let _ = write!(
                text,
                "# {}\n# In the environment: {} as a JSON list.\n{UPLINK}",
                key.purpose,
                key.variable()
            );
        } else {
            let _ = write!(
                text,
                "# {}\n# In the environment: {}.\n#{name} = {}\n",
                key.purpose,
                variables(key),
                value(key)
            );
        }
    }
    text
}

fn variables(key: &Key) -> String {
    let mut names: Vec<String> = vec![key.variable()];
    names.extend(key.aliases.iter().map(|&alias| alias.to_owned()));
    let names = names.join(", ");
    if key.kind == Kind::Secret {
        format!("{names}; with _FILE after it, the file that holds it")
    } else {
        names
    }
}

fn value(key: &Key) -> String {
    match (key.default, key.kind.parse(key.default.unwrap_or_default())) {
        (Some(_), Ok(value)) => value.to_string(),
        _ => "\"\"".to_owned(),
    }
}
